"""The stock notebooks: stored stripped and thin, in the order of the runbook, run by plain papermill and by our own execution."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
from test_case import folder, logs  # noqa: F401 - the fixtures of an incident

from incidentnb import notebook, places
from incidentnb.record import journal

STOCK = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in places.notebooks().glob("*.ipynb")}
QUESTIONS = ["reading", "onset", "volume", "latency", "routes", "scope", "users", "patterns", "services", "suspects", "hypotheses", "mitigation",
             "severity", "recovery", "timeline"]


def cells(name: str, kind: str = "code") -> list[dict]:
    return [cell for cell in STOCK[name]["cells"] if cell["cell_type"] == kind]


def sections(name: str) -> list[dict]:
    return [cell for cell in cells(name) if "section" in cell["metadata"].get("tags", [])]


def test_all_three_are_there():
    """The stock notebooks are these three, and valid."""
    assert STOCK.keys() == set(notebook.parameters.NOTEBOOKS)
    for node in STOCK.values():
        nbformat.validate(nbformat.from_dict(node))


@pytest.mark.parametrize("name", STOCK)
def test_they_are_stored_stripped(name):
    """No outputs, no counts, stable ids that say what the cell is, one layout of the file, a kernel that every machine has."""
    text = (places.notebooks() / f"{name}.ipynb").read_text(encoding="utf-8")
    assert text == json.dumps(STOCK[name], indent=1, ensure_ascii=False) + "\n"
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells(name))
    ids = [cell["id"] for cell in STOCK[name]["cells"]]
    assert len(set(ids)) == len(ids) and all(re.fullmatch(r"[a-z][a-z-]+", cell_id) for cell_id in ids)
    assert STOCK[name]["metadata"]["kernelspec"]["name"] == "python3" and STOCK[name]["nbformat_minor"] >= 5


@pytest.mark.parametrize("name", STOCK)
def test_a_code_cell_is_imports_or_a_few_calls(name):
    """No function, class, loop or frame surgery in a notebook, no cell over 12 lines, nothing imported from outside."""
    for cell in cells(name):
        source = "".join(cell["source"])
        assert source.count("\n") < 12
        tree = ast.parse(source)
        logic = (ast.FunctionDef, ast.Lambda, ast.ClassDef, ast.For, ast.While, ast.If, ast.Try, ast.comprehension, ast.Subscript)
        assert not [node for node in ast.walk(tree) if isinstance(node, logic)], source
        assert all(node.module.startswith("incidentnb") for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)]


@pytest.mark.parametrize("name", STOCK)
def test_each_parameter_is_explained(name):
    """The parameters cell is tagged, and each parameter has a type, a default and a comment that papermill reads."""
    (cell,) = [cell for cell in cells(name) if "parameters" in cell["metadata"].get("tags", [])]
    known = notebook.parameters.inspect(name)
    assert len(known) == "".join(cell["source"]).count("\n") + 1
    for parameter in known.values():
        assert parameter["inferred_type_name"] in ("str", "list") and len(parameter["help"]) > 10 and parameter["default"] in ('""', "[]")


def test_the_runbook_in_its_order():
    """The investigation asks every question of the runbook in its order, the timeline last; so does triage, as far as it can."""
    ids = [cell["id"] for cell in sections("investigation")]
    assert [cell_id for cell_id in ids if cell_id in QUESTIONS] == QUESTIONS and ids[-1] == "timeline"
    assert [cell["id"] for cell in sections("triage")] == [q for q in QUESTIONS if q not in ("hypotheses", "mitigation", "timeline")]
    for name in ("investigation", "resolution"):
        assert [cell["id"] for cell in cells(name) if "timeline" in cell["metadata"].get("tags", [])] == ["timeline"]
    book = tomllib.loads((Path(places.__file__).parent / "record" / "runbook.toml").read_text(encoding="utf-8"))
    assert {line["section"] for line in book["duty"]} <= {cell["id"] for name in STOCK for cell in sections(name)}


@pytest.mark.parametrize("name", STOCK)
def test_each_section_has_a_heading_and_two_sentences(name):
    """Before each section stands its question, what it looks at and when not to trust it; the code names the same question."""
    stored = STOCK[name]["cells"]
    for index, cell in enumerate(stored):
        if cell in sections(name):
            about = "".join(stored[index - 1]["source"])
            heading = about.splitlines()[0].removeprefix("## ")
            assert stored[index - 1]["id"] == f"about-{cell['id']}" and f'with section("{heading}"):' in "".join(cell["source"])
            prose = re.sub(r"```.*?```", "", about.split("\n", 1)[1], flags=re.DOTALL)
            assert len(re.findall(r"[.:](\s|$)", prose)) >= 1 and 60 < len(prose) < 700


def test_plain_papermill_runs_the_investigation(folder, tmp_path):  # noqa: F811 - a fixture
    """``papermill notebooks/investigation.ipynb out.ipynb -p incident DIR`` answers every question, from a fresh incident."""
    out = tmp_path / "out.ipynb"
    done = subprocess.run([sys.executable, "-m", "papermill", str(places.notebooks() / "investigation.ipynb"), str(out), "-p", "incident",
                           str(folder), "--no-progress-bar"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, "PYTHONWARNINGS": "ignore"})
    assert done.returncode == 0, done.stderr[-2000:]
    node = nbformat.read(out, as_version=4)
    shown = {cell.id: json.dumps(cell.outputs) for cell in node.cells if cell.cell_type == "code"}
    assert "error rate rose" in shown["onset"] and "version = 2" in shown["scope"] and "7,200 lines" in shown["reading"]
    assert not [cell for cell, text in shown.items() if "could not be computed" in text or '"error"' in text]
    assert all("text/plain" in text and "image/png" in text for cell, text in shown.items() if cell in ("onset", "scope", "timeline"))


def test_our_own_execution_and_a_second_run(folder):  # noqa: F811 - a fixture
    """Executed twice the incident has two whole runs and the same journal; neither names a path of the machine in its metadata."""
    with notebook.warm_kernel(folder) as kernel:
        first = notebook.execute("investigation", {"incident": str(folder)}, folder / "runs", kernel=kernel)
        entries = journal.read(folder)
        second = notebook.execute("investigation", {"incident": str(folder)}, folder / "runs", kernel=kernel)
        resolved = notebook.execute("resolution", {"incident": str(folder)}, folder / "runs", kernel=kernel)
    assert first.complete and second.complete and resolved.complete, [*first.troubled, *second.troubled, *resolved.troubled]
    assert journal.read(folder) == entries and len(list((folder / "runs").iterdir())) == 3
    node = nbformat.read(second.path, as_version=4)
    assert str(folder.parent) not in json.dumps([node.metadata, [cell.metadata for cell in node.cells], node.cells[2].source])
    assert node.metadata["incidentnb"]["parameters"] == {"incident": ""}


def test_triage_needs_no_incident(logs, tmp_path, monkeypatch):  # noqa: F811 - a fixture
    """The triage notebook answers from a list of logs or one glob, and says what is wrong in one line where there are none."""
    monkeypatch.chdir(tmp_path)
    with notebook.warm_kernel() as kernel:
        record = notebook.execute("triage", {"logs": str(logs.parent / "*.jsonl")}, tmp_path / "runs", kernel=kernel)
        none = notebook.execute("triage", {}, tmp_path / "runs", kernel=kernel)
    assert record.complete, record.troubled
    assert "error rate rose" in record.path.read_text(encoding="utf-8")
    assert none.outcome == "failed" and "none are given" in none.why
    assert "Traceback" not in none.path.read_text(encoding="utf-8")
    assert {cell.state for cell in none.cells if cell.title != "the set-up"} == {"not run"}
