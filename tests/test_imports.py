"""What a command costs before it does anything: the quick verbs load nothing heavy."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("pandas", "matplotlib", "papermill", "duckdb", "nbconvert", "nbclient", "pyarrow", "numpy", "IPython")
PROBE = """
import sys
from pathlib import Path
from incidentnb.cli import main
code = main(sys.argv[1:])
sys.stderr.write("loaded:" + ",".join(sorted({name.split(".")[0] for name in sys.modules})) + "\\n")
sys.exit(code)
"""


def loaded(*words: str, cwd=None) -> tuple[int, set[str]]:
    run = subprocess.run([sys.executable, "-c", PROBE, *words], capture_output=True, text=True, cwd=cwd, check=False)
    line = next(line for line in reversed(run.stderr.splitlines()) if line.startswith("loaded:"))
    return run.returncode, set(line.removeprefix("loaded:").split(","))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from incidentnb.record import incident

    return incident.create(tmp_path_factory.mktemp("incidents"), "Checkout fails", "SEV-2")


@pytest.mark.parametrize("words", [["--help"], ["triage", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(words):
    """Help answers at once: no engine, no data frames, no notebooks are loaded for it."""
    code, names = loaded(*words)
    assert code == 0
    assert names.isdisjoint(HEAVY), names & set(HEAVY)


@pytest.mark.parametrize("words", [["note", "seen it"], ["hypothesis", "the deploy"], ["milestone", "detected"],
                                   ["post", "we are on it", "--next", "10m"], ["status"], ["severity", "SEV-1"], ["postmortem"]])
def test_the_record_loads_nothing_heavy(folder, words):
    """An entry is written, and the status read, without engine, data frames or notebooks being loaded."""
    code, names = loaded(*words, cwd=folder)
    assert code == 0
    assert names.isdisjoint(HEAVY), names & set(HEAVY)


def test_the_package_itself_loads_nothing():
    """``import incidentnb`` alone loads none of its rooms but itself; names are fetched when they are used."""
    ask = "import sys, incidentnb; print([m for m in sys.modules if m.startswith('incidentnb.')])"
    run = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_vocabulary_is_there_and_sorted():
    """Every name of ``__all__`` can be fetched, each has a docstring, the list is sorted and hides no room of the house."""
    import incidentnb

    assert incidentnb.__all__ == sorted(incidentnb.__all__)
    assert set(incidentnb.__all__) == {name for names in incidentnb._ROOMS.values() for name in names}
    for name in incidentnb.__all__:
        assert getattr(incidentnb, name).__doc__, name
    rooms = {path.stem for path in Path(incidentnb.__file__).parent.iterdir() if not path.name.startswith("_")}
    assert rooms.isdisjoint(incidentnb.__all__)
