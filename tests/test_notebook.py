"""The executed notebook tells the truth about every cell, and a run appears in its folder whole or not at all."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
import pytest

from incidentnb import notebook
from incidentnb.exceptions import InputError
from incidentnb.notebook import store

PARAMETERS = 'who: str = ""  # a name\nn: int = 1  # a number\nshare: float = 0.5  # 0-1\nlogs: list = []  # files'


def make(folder: Path, *cells: str, name: str = "probe", setup: str = "") -> Path:
    """A notebook with a parameters cell, a set-up cell and one section per cell given."""
    new = nbformat.v4
    node = new.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}})
    node.cells = [new.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
                  new.new_code_cell(setup or "import os", metadata={"tags": ["setup"]})]
    for number, source in enumerate(cells, 1):
        node.cells += [new.new_markdown_cell(f"## Question {number}\n\n```sh\n# no heading\n```"), new.new_code_cell(source)]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.ipynb"
    nbformat.write(node, path)
    return path


def sections(record: notebook.RunRecord) -> dict[str, str]:
    return {cell.title.removeprefix("Question "): cell.state for cell in record.cells if cell.title.startswith("Question")}


def outputs(path: Path, question: int) -> str:
    node = nbformat.read(path, as_version=4)
    before = next(i for i, cell in enumerate(node.cells) if cell.source.startswith(f"## Question {question}"))
    return json.dumps(node.cells[before + 1].outputs)


@pytest.fixture(scope="module")
def kernel():
    """One kernel for the runs that leave it alive."""
    with notebook.warm_kernel() as warm:
        yield warm


def test_a_good_run_is_whole(tmp_path, kernel):
    """A run that goes well is a valid notebook with parameters, outputs, counts and a record without a banner or papermill's words."""
    heard = []
    path, given = make(tmp_path, "print('hello', who, n)", "logs"), {"who": "Ada", "n": 7, "logs": ["a", "b"]}
    record = notebook.execute(path, given, tmp_path / "runs", progress=lambda *told: heard.append(told), kernel=kernel)
    assert (record.outcome, record.why, record.complete, record.troubled) == ("completed", "", True, ())
    assert sections(record) == {"1": "completed", "2": "completed"}
    node = nbformat.read(record.path, as_version=4)
    nbformat.validate(node)
    assert "hello Ada 7" in outputs(record.path, 1)
    assert node.metadata["incidentnb"]["parameters"] == given
    assert node.metadata["incidentnb"]["versions"]["papermill"]
    assert "papermill" not in node.metadata and all("papermill" not in c.metadata for c in node.cells)
    assert heard[0][:2] == (0, 5) and heard[-1][:2] == (5, 5) and "Question 2" in [told[2] for told in heard]


def test_no_absolute_path_stays_behind(tmp_path, kernel):
    """The executed notebook does not tell where it lay, unless a parameter says so."""
    record = notebook.execute(make(tmp_path, "1 / 0"), {}, tmp_path / "runs", kernel=kernel)
    text = record.path.read_text(encoding="utf-8")
    assert str(tmp_path) not in text and str(Path.home()) not in text.replace(sys.prefix, "")


def test_each_cell_has_its_own_state(tmp_path):
    """An error, sys.exit and a cell over its time are told where they happened, and the cells after them still run."""
    path = make(tmp_path, "print('fine')", "1 / 0", "import sys; sys.exit(0)", "import time; time.sleep(30)", "print('on')")
    record = notebook.execute(path, {}, tmp_path / "runs", timeout=1)
    assert sections(record) == {"1": "completed", "2": "failed", "3": "failed", "4": "timed out", "5": "completed"}
    assert record.outcome == "timed out" and "longer than 1 s" in record.why and "Question 4" in record.why
    assert "ZeroDivisionError: division by zero" in [c.why for c in record.cells]
    node = nbformat.read(record.path, as_version=4)
    assert node.cells[0].id == "banner" and "did not complete" in node.cells[0].source
    assert sum("An Exception was encountered" in c.source for c in node.cells) == 0
    assert "did not finish (timed out)" in outputs(record.path, 4)


def test_a_killed_kernel_is_told(tmp_path):
    """When the kernel dies, the cell before is completed, the one it died in killed, those after not run; each says so itself."""
    death = "import os, signal; print('half'); os.kill(os.getpid(), signal.SIGKILL)"
    record = notebook.execute(make(tmp_path, "print('before')", death, "print('after')"), {}, tmp_path / "runs")
    assert sections(record) == {"1": "completed", "2": "killed", "3": "not run"}
    assert record.outcome == "killed" and record.why == "the kernel died, in “Question 2”"
    node = nbformat.read(record.path, as_version=4)
    states = [c.metadata["incidentnb"]["state"] for c in node.cells if c.cell_type == "code"]
    assert states == ["completed", "completed", "completed", "killed", "not run"]
    assert node.cells[-1].execution_count is None and "did not run: the kernel died" in outputs(record.path, 3)
    assert "Question 3" in node.cells[0].source and "3 of 5 cells completed" in node.cells[0].source


def test_a_cell_that_does_not_stop_loses_its_kernel(tmp_path):
    """A cell that swallows the interrupt at its time-out does not hang the run."""
    deaf = "import time\nfor _ in range(60):\n    try:\n        time.sleep(1)\n    except KeyboardInterrupt:\n        pass"
    begin = time.monotonic()
    record = notebook.execute(make(tmp_path, deaf, "print('after')"), {}, tmp_path / "runs", timeout=0.5, grace=0.5)
    assert time.monotonic() - begin < 45
    assert sections(record) == {"1": "timed out", "2": "not run"} and record.outcome == "timed out"


def test_without_its_set_up_nothing_runs(tmp_path, kernel):
    """When the set-up fails, the sections are not run one after the other into the same error."""
    record = notebook.execute(make(tmp_path, "print(1)", setup="raise ValueError('no such <b>incident</b>')"), {}, tmp_path / "runs", kernel=kernel)
    assert sections(record) == {"1": "not run"} and record.outcome == "failed" and "no such" in record.why
    assert "<b>" not in nbformat.read(record.path, as_version=4).cells[0].source


def test_a_section_that_could_not_be_computed_is_known(tmp_path, kernel):
    """A section that says so by itself leaves the run completed, but not complete, and on the banner."""
    cell = "from incidentnb.case import sections\nsections.tell('Question 1', 'the source is down')"
    record = notebook.execute(make(tmp_path, cell, "1"), {}, tmp_path / "runs", kernel=kernel)
    assert sections(record) == {"1": "could not be computed", "2": "completed"}
    assert (record.outcome, record.complete, record.troubled[0].why) == ("completed", False, "the source is down")
    assert "Question 1" in nbformat.read(record.path, as_version=4).cells[0].source


LISTENING = """
import os, ipykernel
held = [os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{n}")]
rows = [r.split() for name in ("tcp", "tcp6") for r in open(f"/proc/self/net/{name}").read().splitlines()[1:]]
print("beyond loopback", [r[1] for r in rows if r[3] == "0A" and f"socket:[{r[9]}]" in held and not r[1].startswith("0100007F")])
print("talks over", ipykernel.get_connection_info(unpack=True)["transport"])
"""


def test_the_kernel_is_this_interpreter_and_talks_privately(tmp_path, monkeypatch):
    """Neither an installed kernelspec nor the user's start-up files decide what runs; its channels are no network ports."""
    broken = tmp_path / "share" / "kernels" / "python3"
    broken.mkdir(parents=True)
    (broken / "kernel.json").write_text(json.dumps({"argv": ["/does/not/exist"], "display_name": "x", "language": "python"}))
    start = tmp_path / "ipython" / "profile_default" / "startup"
    start.mkdir(parents=True)
    (start / "00.py").write_text("raise SystemExit('a start-up file ran')")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    record = notebook.execute(make(tmp_path, "import sys; print(sys.executable)", LISTENING), {}, tmp_path / "runs")
    assert record.complete and sys.executable in outputs(record.path, 1)
    assert "beyond loopback []" in outputs(record.path, 2) and "talks over ipc" in outputs(record.path, 2)


def test_paths_with_braces_and_names_taken(tmp_path, kernel):
    """Braces in a path are no template, and a run never takes the place of another."""
    strange = tmp_path / "{who} ü {0}"
    path = make(strange, "print(who)")
    first = notebook.prepare(path, {"who": "../../evil"}, strange / "copy.ipynb")
    before = first.read_bytes()
    second = notebook.prepare(path, {"who": "Ada"}, strange / "copy.ipynb")
    assert (first.name, second.name) == ("copy.ipynb", "copy-2.ipynb") and first.read_bytes() == before
    record = notebook.execute(path, {"who": "../../evil"}, strange / "copy.ipynb", kernel=kernel)
    assert record.path == strange / "copy-3.ipynb" and record.complete and "../../evil" in outputs(record.path, 1)
    assert nbformat.read(record.path, as_version=4).metadata["incidentnb"]["run"] == "copy-3.ipynb"
    assert {p.name for p in strange.iterdir()} == {"probe.ipynb", "copy.ipynb", "copy-2.ipynb", "copy-3.ipynb"}


def test_what_is_no_notebook_is_one_line(tmp_path):
    """A file that is no notebook is refused with its name."""
    (tmp_path / "x.ipynb").write_text("{not json")
    with pytest.raises(InputError, match=r"x\.ipynb: cannot be read as a notebook"):
        notebook.execute(tmp_path / "x.ipynb", {}, tmp_path / "runs")


@pytest.mark.parametrize("value", ["a\"]; import os; os._exit(3) #", "line\nbreak", "{who}", "\\", "'''", '"""', "\u2028 ‮ é 🙂", "007"])
def test_a_parameter_is_only_ever_text(tmp_path, value):
    """Whatever text is given arrives as that text and never as code."""
    prepared = notebook.prepare(make(tmp_path, "1"), {"who": value}, tmp_path / "prepared.ipynb")
    injected = next(c.source for c in nbformat.read(prepared, as_version=4).cells if "injected-parameters" in c.metadata.get("tags", []))
    scope: dict = {}
    exec(injected, scope)
    assert scope["who"] == value


@pytest.mark.parametrize(("given", "said"), [
    ({"wo": "x"}, "did you mean 'who'?"), ({"zzzzzz": 1}, "it takes who, n, share, logs"), ({"who; import os": 1}, "none of that name"),
    ({"n": "7"}, "not of type int"), ({"n": True}, "not of type int"), ({"who": None}, "not of type str"),
    ({"who": ("a",)}, "no plain JSON"), ({"who": Path("x")}, "no plain JSON"), ({"share": float("nan")}, "no plain JSON"),
    ({"logs": [["a"]]}, "no plain JSON"), ({"logs": {"a": 1}}, "no plain JSON")])
def test_wrong_parameters_are_refused(tmp_path, given, said):
    """An unknown name is refused with the nearest one, a value of another type or that is no plain JSON with the reason."""
    with pytest.raises(InputError, match="parameter") as caught:
        notebook.check_parameters(make(tmp_path, "1"), given)
    assert said in str(caught.value)


def test_find_knows_the_stock_notebooks():
    """A stock notebook is found by its name; what is none is one line that names them."""
    assert notebook.find("investigation").name == "investigation.ipynb"
    for wrong in ("nothing", "../pyproject", "gone.ipynb", ""):
        with pytest.raises(InputError, match="no such notebook"):
            notebook.find(wrong)


WORKER = """
import sys
from pathlib import Path
from incidentnb import notebook
record = notebook.execute(Path(sys.argv[1]), {}, Path(sys.argv[2]))
print(record.outcome, flush=True)
"""


def start_worker(tmp_path: Path) -> tuple[subprocess.Popen, int]:
    """An executing process whose kernel sits in the second section; and the kernel's process id."""
    sits = f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)"
    path = make(tmp_path, "print('before')", sits, "print('after')")
    worker = subprocess.Popen([sys.executable, "-c", WORKER, str(path), str(tmp_path / "runs")],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 90
    while not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text()):
        assert time.monotonic() < until and worker.poll() is None, "the executing process did not get there"
        time.sleep(0.05)
    return worker, int((tmp_path / "pid").read_text())


def gone(pid: int, within_s: float = 10) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text().split(") ")[1].startswith("Z"):
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_is_written(tmp_path, number):
    """Ctrl-C (or a polite kill) leaves an executed notebook that says so, no traceback, and no kernel."""
    worker, kernel = start_worker(tmp_path)
    worker.send_signal(number)
    out, err = worker.communicate(timeout=90)
    assert (out, err, worker.returncode) == ("interrupted\n", "", 0)
    (run,) = (tmp_path / "runs").iterdir()
    record = nbformat.read(run, as_version=4).metadata["incidentnb"]
    assert [c["state"] for c in record["cells"]] == ["completed", "completed", "completed", "interrupted", "not run"]
    assert record["outcome"] == "interrupted" and gone(kernel)


def test_a_power_cut_leaves_no_half_file(tmp_path):
    """kill -9 of the executing process leaves nothing in runs/ that looks like a run; the next one publishes what there was as killed."""
    worker, kernel = start_worker(tmp_path)
    runs = tmp_path / "runs"
    assert list(runs.glob("*.ipynb")) == []
    assert store.salvage(runs) == [], "a run that is alive is left alone"
    worker.kill()
    worker.communicate(timeout=10)
    assert list(runs.glob("*.ipynb")) == []
    (record,) = store.salvage(runs)
    assert sections(record) == {"1": "completed", "2": "killed", "3": "not run"}
    assert (record.outcome, record.finished, record.path.parent) == ("killed", None, runs) and "before" in outputs(record.path, 1)
    assert [p.name for p in runs.iterdir()] == [record.path.name]
    assert gone(kernel), "the kernel ends with the process that started it"


def test_what_a_killed_run_left_is_swept(tmp_path):
    """Private folders whose process is gone are removed; those of a living one, new ones and other files stay."""
    dead, alive, new, other = (tmp_path / name for name in ("kernel-dead", "kernel-alive", "kernel-new", "else"))
    for folder in (dead, alive, new, other):
        folder.mkdir()
        (folder / "x").write_text("x")
    for folder in (dead, alive, other):
        os.utime(folder, (1, 1))
    (tmp_path / "kernel-link").symlink_to(other)
    handle = store.locked(alive)
    store.sweep(tmp_path, "kernel-")
    os.close(handle)
    assert {path.name for path in tmp_path.iterdir()} == {"kernel-alive", "kernel-new", "else", "kernel-link"} and (other / "x").exists()


def test_a_full_disk_leaves_no_half_file(tmp_path, monkeypatch):
    """When the disk refuses, one line says so, nothing lies in runs/, and what was there before is untouched."""
    (tmp_path / "runs").mkdir()
    old = tmp_path / "runs" / "old.ipynb"
    old.write_text("{}")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left on device"):
        notebook.execute(make(tmp_path, "1"), {}, tmp_path / "runs")
    assert [p.name for p in (tmp_path / "runs").iterdir()] == ["old.ipynb"] and old.read_text() == "{}"


def test_lab_opens_a_fresh_copy(tmp_path):
    """The working copy holds the incident as '..' and no outputs; each call makes a new one, and nothing is written over."""
    one, two = notebook.prepare_lab(tmp_path), notebook.prepare_lab(tmp_path, "resolution")
    assert one.parent == two.parent == tmp_path / "lab" and one != two
    code = [cell for cell in nbformat.read(one, as_version=4).cells if cell.cell_type == "code"]
    assert 'incident = ".."' in code[1].source and all(cell.outputs == [] for cell in code)


def test_the_laboratory_is_for_this_machine_alone(tmp_path):
    """JupyterLab comes up on the copy, on loopback, for who has the token; the token is not in the list of processes."""
    copy, port = notebook.prepare_lab(tmp_path), free_port()
    words, token = notebook.lab_command(copy, port, browser=False)
    assert len(token) > 20 and not any(token in word for word in words)
    server = subprocess.Popen(words, env={**os.environ, "JUPYTER_TOKEN": token}, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert [entry["name"] for entry in ask(server, port, token)["content"]] == [copy.name]
        with pytest.raises(urllib.error.HTTPError, match="403"):
            ask(server, port, "wrong")
        assert "--ServerApp.ip=127.0.0.1" in words
    finally:
        server.terminate()
        server.wait(timeout=20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(server: subprocess.Popen, port: int, token: str) -> dict:
    """The list of files that the server shows, as soon as it answers."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/contents/", headers={"Authorization": f"token {token}"})
    until = time.monotonic() + 90
    while True:
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return json.load(answer)
        except urllib.error.URLError as error:
            if isinstance(error, urllib.error.HTTPError) or server.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.2)
