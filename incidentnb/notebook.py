"""Notebooks: find one, check its parameters, prepare a fresh copy, execute it and tell the truth about every cell.

The only module that knows papermill. Papermill's own statuses and writes are not relied upon: the states are computed from outputs,
execution counts and what was seen happening, and a run appears in its folder whole or not at all.
"""

from __future__ import annotations

import contextlib
import difflib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incidentnb import places, sinks, times
from incidentnb.exceptions import InputError

if TYPE_CHECKING:
    from nbformat import NotebookNode

SCHEMA = "incidentnb/run/1"
NOTEBOOKS = ("triage", "investigation", "resolution")
CELL_TIMEOUT_S = 600.0
_GRACE_S = 10.0  # between asking a cell that is over its time to stop, and killing its kernel
_PACKAGES = ("incidentnb", "papermill", "nbclient", "ipykernel", "duckdb", "pandas", "matplotlib")


@dataclass(frozen=True)
class CellState:
    """What became of one code cell.

    Attributes:
        id: the cell's id in the notebook.
        title: the heading that it stands under.
        state: ``completed``; ``could not be computed`` (its section said so); ``failed`` (an error came out of it); ``timed out``;
            ``interrupted``; ``killed`` (its kernel died under it); ``not run``.
        seconds: how long it ran; ``None`` where it did not run or did not end.
        why: what happened, one line; empty for ``completed``.
    """

    id: str
    title: str
    state: str
    seconds: float | None = None
    why: str = ""


@dataclass(frozen=True)
class RunRecord:
    """What became of one execution of a notebook; kept in the notebook's metadata under ``incidentnb``.

    Attributes:
        notebook: name of the notebook.
        path: where the executed notebook lies.
        started: aware UTC.
        finished: aware UTC; ``None`` where the executing process itself was killed.
        outcome: ``completed`` | ``failed`` | ``timed out`` | ``killed`` | ``interrupted``.
        why: what ended or spoilt it, one line; empty where nothing did.
        cells: one state per code cell, in order.
        parameters: as they were given.
        versions: package → version.
    """

    notebook: str
    path: Path
    started: datetime
    finished: datetime | None
    outcome: str
    why: str = ""
    cells: tuple[CellState, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every cell ran and every section was computed."""
        return all(cell.state == "completed" for cell in self.cells)

    @property
    def troubled(self) -> tuple[CellState, ...]:
        """The cells that did not complete."""
        return tuple(cell for cell in self.cells if cell.state != "completed")

    def as_json(self) -> dict[str, Any]:
        """The record in plain JSON, without the folder that it lies in."""
        return {"schema": SCHEMA, "notebook": self.notebook, "run": self.path.name, "started": times.iso(self.started),
                "finished": times.iso(self.finished), "outcome": self.outcome, "why": self.why, "complete": self.complete,
                "cells": [asdict(cell) for cell in self.cells], "parameters": self.parameters, "versions": self.versions}


def find(name: str | Path) -> Path:
    """The file of a notebook: a stock one by its name, any other by its path.

    Raises:
        InputError: there is none.
    """
    given = Path(name)
    if given.suffix == ".ipynb":
        if given.is_file():
            return given
        raise InputError(str(name), "no such notebook")
    stock = places.notebooks() / f"{sinks.file_name(name)}.ipynb"
    if stock.is_file():
        return stock
    raise InputError(str(name), "no such notebook", f"one of {', '.join(NOTEBOOKS)}, or the path of an .ipynb file")


def check_parameters(name: str | Path, parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters as the notebook will get them, each known to it, of the type it declares, and plain JSON.

    Raises:
        InputError: the notebook has no such parameter (the nearest name is told), or a value is of another type or no plain JSON.
    """
    import papermill

    path = find(name)
    known = papermill.inspect_notebook(_literal(path))
    for key, value in parameters.items():
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1, 0.5)
            raise InputError(f"{path.name}: parameter {key!r}", "the notebook has none of that name",
                             f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(known) or 'none'}")
        wanted = str(known[key]["inferred_type_name"])
        if not _is_plain(value):
            raise InputError(f"{path.name}: parameter {key!r}", f"a {type(value).__name__} is no plain JSON value",
                             "give text, a number, true or false, or a list of these")
        if not _fits(value, wanted):
            raise InputError(f"{path.name}: parameter {key!r}", f"{value!r} is not of type {wanted}", known[key]["help"])
    return dict(parameters)


def _is_plain(value: Any) -> bool:
    if type(value) is list:
        return all(_is_plain(v) and type(v) is not list for v in value)
    return value is None or type(value) in (str, int, bool) or (type(value) is float and math.isfinite(value))


def _fits(value: Any, wanted: str) -> bool:
    kinds = {"str": (str,), "int": (int,), "float": (int, float), "bool": (bool,), "list": (list, str)}.get(wanted.split("[")[0].lower())
    return kinds is None or type(value) in kinds


def _literal(path: Path) -> str:
    """A path that ``str.format`` leaves as it is."""
    return str(path).replace("{", "{{").replace("}", "}}")


def prepare(name: str | Path, parameters: dict[str, Any], out: Path) -> Path:
    """Write a fresh, not executed copy of a notebook with its parameters in it; an existing file is never overwritten.

    Args:
        name: stock name or path.
        parameters: as ``check_parameters`` takes them.
        out: the file to write; a collision gets ``-2``, ``-3`` …

    Raises:
        InputError: as ``find`` and ``check_parameters``.
    """
    node = _parameterized(name, parameters)
    _scrub(node)
    out.parent.mkdir(parents=True, exist_ok=True)
    return _publish(_text(node), out, out.parent)


def _parameterized(name: str | Path, parameters: dict[str, Any]) -> NotebookNode:
    import papermill

    given = check_parameters(name, parameters)
    with _quiet():
        return papermill.execute_notebook(_literal(find(name)), None, given, prepare_only=True, progress_bar=False)


def execute(name: str | Path, parameters: dict[str, Any], out: Path, *, timeout: float = CELL_TIMEOUT_S,
            progress: Callable[[int, int, str], None] | None = None, kernel: Any = None, cwd: Path | None = None) -> RunRecord:
    """Execute a notebook into a new file of ``out`` and return what became of each cell.

    Nothing that happens in a cell raises here: a failing cell, one over its time, a dead kernel and Ctrl-C are told in the record, in
    a banner on top of the executed notebook, and in the place of each cell that did not run.

    Args:
        name: stock name or path.
        parameters: as ``check_parameters`` takes them.
        out: the folder of the runs (the file is named ``2026-11-23T140320Z-investigation.ipynb``), or the ``.ipynb`` file to write; an
            existing file is never overwritten, a collision gets ``-2``, ``-3`` …
        timeout: seconds a cell may run; it is then interrupted, and its kernel killed if it does not stop.
        progress: called with (code cells done, code cells in all, title of the section) as each cell starts and at the end.
        kernel: one that ``warm_kernel`` started; by default one is started here.
        cwd: where the kernel runs; by default the current folder (a warm kernel has its own).

    Raises:
        InputError: as ``find`` and ``check_parameters``; the folder cannot be written.
    """
    started = times.now()
    node = _parameterized(name, parameters)
    stem = find(name).stem
    target = out if out.suffix == ".ipynb" else out / f"{started:%Y-%m-%dT%H%M%SZ}-{stem}.ipynb"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        salvage(target.parent)
    except OSError as error:
        raise InputError(str(target.parent), f"cannot be written: {error.strerror or error}") from None
    sight = _Sight(node, started, timeout, progress)
    with _workplace(target.parent) as work:
        node.metadata["incidentnb"] = {"schema": SCHEMA, "notebook": stem, "run": target.name, "started": times.iso(started),
                                       "parameters": parameters, "versions": _versions()}
        sight.keep = work / "partial.ipynb"
        _snapshot(node, sight.keep)
        with contextlib.ExitStack() as stack:
            try:
                manager = kernel or stack.enter_context(warm_kernel(cwd))
                _run(node, manager, sight)
            except KeyboardInterrupt:
                sight.ended = ("interrupted", "the run was interrupted")
            except Exception as error:  # noqa: BLE001 - whatever happens, the run is recorded
                sight.ended = sight.ended or ("failed", f"the run broke off: {_one_line(error)}")
        return _finish(node, sight.states(), sight.ended, target, work, times.now())


class _Sight:
    """What is seen of a run while it runs; the states of its cells are computed from this and from their outputs."""

    def __init__(self, node: NotebookNode, started: datetime, timeout: float, progress: Callable[[int, int, str], None] | None):
        self.node, self.timeout, self.progress = node, timeout, progress
        self.codes = [i for i, cell in enumerate(node.cells) if cell.cell_type == "code" and cell.source.strip()]
        self.titles = titles(node)
        self.begun: dict[int, float] = {}
        self.seconds: dict[int, float] = {}
        self.timed_out: set[int] = set()
        self.running: int | None = None
        self.ended: tuple[str, str] | None = None  # (outcome, why) where the run did not come to its end
        self.keep: Path | None = None

    def starts(self, cell: NotebookNode, cell_index: int) -> None:
        self.node.cells[cell_index] = cell
        if cell_index in self.codes:
            self.begun[cell_index], self.running = time.monotonic(), cell_index
            self._tell()

    def done(self, cell: NotebookNode, cell_index: int, execute_reply: dict) -> None:
        self.seconds[cell_index], self.running = round(time.monotonic() - self.begun[cell_index], 3), None
        _snapshot(self.node, self.keep)
        if {"parameters", "injected-parameters", "setup"} & set(cell.metadata.get("tags", ())) and _error(cell):
            self.ended = ("failed", f"the set-up failed: {_error(cell)}")
            raise _SetupFailed
        if len(self.seconds) == len(self.codes):
            self._tell()

    def _tell(self) -> None:
        if self.progress:
            self.progress(len(self.seconds), len(self.codes), self.titles.get(self.running, ""))

    def states(self) -> tuple[CellState, ...]:
        found = []
        for index in self.codes:
            cell = self.node.cells[index]
            state, why = cell_state(cell, finished=index in self.seconds)
            if index in self.timed_out:
                state, why = "timed out", f"it ran longer than {self.timeout:g} s"
            elif state == "not run" and index in self.begun:
                state, why = self.ended if self.ended and self.ended[0] != "failed" else ("killed", "the kernel died while it ran")
            found.append(CellState(cell.id, self.titles.get(index, ""), state, self.seconds.get(index), why))
        return tuple(found)


class _SetupFailed(Exception):
    """The cell that everything else stands on failed."""


def _run(node: NotebookNode, manager: Any, sight: _Sight) -> None:
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    over = threading.Event()
    watch = threading.Thread(target=_watch, args=(manager, sight, over), daemon=True)
    watch.start()
    try:
        with _quiet(), _terminable():
            papermill.execute_notebook(
                node, None, progress_bar=False, request_save_on_cell_execute=False, autosave_cell_every=0, kernel_name="python3",
                km=manager, allow_errors=True, coalesce_streams=True, record_timing=False, iopub_timeout=60,
                on_cell_start=sight.starts, on_cell_executed=sight.done)
    except (PapermillExecutionError, _SetupFailed):
        pass  # told by the states
    except DeadKernelError:
        where = sight.titles.get(sight.running, "") if sight.running is not None else ""
        late = sight.running in sight.timed_out
        sight.ended = ("timed out" if late else "killed", (
            f"a cell ran longer than {sight.timeout:g} s and would not stop, its kernel was killed" if late else "the kernel died")
            + (f", in “{where}”" if where else ""))
    except (CellTimeoutError, TimeoutError) as error:
        sight.ended = ("timed out", _one_line(error))
    finally:
        over.set()
        watch.join()


def _watch(manager: Any, sight: _Sight, over: threading.Event) -> None:
    """Interrupt the cell that runs over its time, and kill the kernel of one that does not stop."""
    while not over.wait(0.1):
        index = sight.running
        late = time.monotonic() - sight.begun[index] - sight.timeout if index is not None else -1.0
        if late > 0 and index not in sight.timed_out:
            sight.timed_out.add(index)
            _signal(manager, signal.SIGINT)
        elif late > _GRACE_S:
            _signal(manager, signal.SIGKILL)


def _signal(manager: Any, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(os.getpgid(manager.provisioner.pid), number)


@contextlib.contextmanager
def warm_kernel(cwd: Path | None = None) -> Iterator[Any]:
    """A kernel of this very interpreter, started now, so that it is warm when ``execute`` wants it; stopped at the end.

    It talks over sockets in a private folder (no network port), keeps no history and reads no start-up files of the user.
    """
    import shutil
    import tempfile

    from ipykernel.kernelspec import write_kernel_spec
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from jupyter_core.utils import run_sync

    base = tempfile.gettempdir()
    private = Path(tempfile.mkdtemp(prefix="incidentnb-", dir=base if len(base) < 60 else "/tmp"))  # a socket's path has room for 107
    try:
        write_kernel_spec(private / "kernels" / "python3")
        manager = AsyncKernelManager(kernel_name="python3", transport="ipc", connection_file=str(private / "k.json"),
                                     kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(private / "kernels")]))
        run_sync(manager.start_kernel)(
            cwd=str(cwd or Path.cwd()), env={**os.environ, "IPYTHONDIR": str(private / "ipython"), "JUPYTER_RUNTIME_DIR": str(private)},
            extra_arguments=["--HistoryManager.hist_file=:memory:", "--IPKernelApp.exec_lines=__import__('incidentnb.case')"])
        try:
            yield manager
        finally:
            run_sync(manager.shutdown_kernel)(now=True)
    finally:
        shutil.rmtree(private, ignore_errors=True)


def titles(node: NotebookNode) -> dict[int, str]:
    """Index of each code cell → the Markdown heading that it stands under."""
    found, heading = {}, ""
    for index, cell in enumerate(node.cells):
        if cell.cell_type == "markdown":
            lines = [line.lstrip("#").strip() for line in cell.source.splitlines() if line.startswith("#")]
            heading = lines[-1] if lines else heading
        else:
            found[index] = heading
    return found


def cell_state(cell: NotebookNode, *, finished: bool) -> tuple[str, str]:
    """State and reason of a code cell, from its outputs, its execution count and whether its reply came."""
    if not finished:
        return "not run", ""
    if error := _error(cell):
        return ("interrupted" if error.startswith("KeyboardInterrupt") else "failed"), error
    told = [o["metadata"].get("incidentnb", {}) for o in cell.get("outputs", ()) if "metadata" in o]
    failed = [t for t in told if t.get("section_failed")]
    return ("could not be computed", str(failed[0]["section_failed"])) if failed else ("completed", "")


def _error(cell: NotebookNode) -> str:
    errors = [o for o in cell.get("outputs", ()) if o["output_type"] == "error"]
    return " ".join(sinks.visible(f"{errors[0]['ename']}: {errors[0]['evalue']}").split())[:300] if errors else ""


def _finish(node: NotebookNode, states: tuple[CellState, ...], ended: tuple[str, str] | None, target: Path, work: Path,
            finished: datetime | None) -> RunRecord:
    """Put the truth into the notebook and the notebook into its folder."""
    facts = node.metadata["incidentnb"]
    bad = next((s for kind in ("killed", "timed out", "interrupted", "failed") for s in states if s.state == kind), None)
    outcome, why = ended or ((bad.state, f"{bad.why}, in “{bad.title}”" if bad.title else bad.why) if bad else ("completed", ""))
    record = RunRecord(notebook=facts["notebook"], path=target, started=times.parse(facts["started"]), finished=finished, outcome=outcome,
                       why=why, cells=states, parameters=dict(facts["parameters"]), versions=dict(facts["versions"]))
    _tell_cells(node, record)
    _scrub(node)
    node.metadata["incidentnb"] = record.as_json()
    path = _publish(_text(node), target, work)
    return RunRecord(**{**record.__dict__, "path": path})


def _tell_cells(node: NotebookNode, record: RunRecord) -> None:
    """Write each cell's state into it, a line in the place of what is missing, and the banner on top."""
    import nbformat

    by_id = {state.id: state for state in record.cells}
    for cell in node.cells:
        state = by_id.get(cell.get("id"))
        if state is None:
            continue
        cell.metadata["incidentnb"] = {"state": state.state, **({"why": state.why} if state.why else {})}
        if state.state in ("not run", "killed", "timed out", "interrupted"):
            why = state.why or record.why
            line = f"This section did not run: {why}." if state.state == "not run" else f"This section did not finish ({state.state}): {why}."
            cell.setdefault("outputs", []).append(nbformat.v4.new_output(
                "display_data", {"text/plain": sinks.terminal(line), "text/markdown": f"**{sinks.markdown(line)}**"},
                metadata={"incidentnb": {"state": state.state}}))
    if not record.complete or record.outcome != "completed":
        banner = nbformat.v4.new_markdown_cell(_banner(record), id="banner", metadata={"tags": ["banner"]})
        node.cells.insert(0, banner)


def _banner(record: RunRecord) -> str:
    head = ("Every section ran, but not all could be computed." if record.outcome == "completed" else
            f"This run did not complete: {record.outcome}" + (f", {record.why}." if record.why else "."))
    lines = [f"> **{sinks.markdown(head)}**"]
    groups: dict[str, list[str]] = {}
    for cell in record.troubled:
        groups.setdefault(cell.state, []).append(cell.title or "a cell without a title")
    lines += [f"> - {kind}: {sinks.markdown(', '.join(dict.fromkeys(names)))}" for kind, names in groups.items()]
    done = sum(cell.state == "completed" for cell in record.cells)
    return "\n".join([lines[0], ">", *lines[1:], ">", f"> {done} of {len(record.cells)} cells completed; what they show holds."])


def salvage(runs: Path) -> list[RunRecord]:
    """Publish what is left of runs whose process was killed, each as a run of outcome ``killed``; the rest of them is removed."""
    import shutil

    found = []
    for work in sorted(runs.glob(".running-*")):
        if (handle := _locked(work)) is None:
            continue
        try:
            partial = work / "partial.ipynb"
            if partial.is_file():
                found.append(_salvage_one(partial, runs, work))
            elif time.time() - work.stat().st_mtime < 60:
                continue  # just being made
            shutil.rmtree(work, ignore_errors=True)
        finally:
            os.close(handle)
    return found


def _salvage_one(partial: Path, runs: Path, work: Path) -> RunRecord:
    import nbformat

    node = nbformat.read(partial, as_version=4)
    names, states, killed = titles(node), [], False
    for index, cell in enumerate(node.cells):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        state, why = cell_state(cell, finished=cell.execution_count is not None)
        if state == "not run" and not killed:
            state, why, killed = "killed", "the executing process was killed", True
        states.append(CellState(cell.id, names.get(index, ""), state, None, why))
    target = runs / Path(node.metadata["incidentnb"]["run"]).name
    return _finish(node, tuple(states), ("killed", "the executing process was killed"), target, work, None)


@contextlib.contextmanager
def _workplace(runs: Path) -> Iterator[Path]:
    """A private folder inside of ``runs`` (the same disk), locked while its run is alive, removed at the end."""
    import shutil
    import tempfile

    work = Path(tempfile.mkdtemp(prefix=".running-", dir=runs))
    handle = _locked(work)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def _locked(folder: Path) -> int | None:
    import fcntl

    handle = None
    try:
        handle = os.open(folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        if handle is not None:
            os.close(handle)
        return None
    return handle


def _snapshot(node: NotebookNode, path: Path | None) -> None:
    if path is not None:
        new = path.with_suffix(".new")
        new.write_text(_text(node), encoding="utf-8")
        new.replace(path)


def _publish(text: str, target: Path, work: Path) -> Path:
    """Write a file whole or not at all, never over another; return the name that it got."""
    private = work / f".{target.name}.{os.getpid()}.new"
    with private.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    number, path = 1, target
    while True:
        try:
            os.link(private, path)  # unlike a rename, refuses to take the place of an existing file
            private.unlink()
            break
        except FileExistsError:
            number += 1
            path = target.with_name(f"{target.stem}-{number}{target.suffix}")
        except OSError:  # a disk without hard links
            if not path.exists():
                private.replace(path)
                break
            number += 1
            path = target.with_name(f"{target.stem}-{number}{target.suffix}")
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return path


def _text(node: NotebookNode) -> str:
    import nbformat

    return nbformat.writes(node).rstrip("\n") + "\n"


def _scrub(node: NotebookNode) -> None:
    """Take papermill's own record out: it holds absolute paths, and statuses that are not true."""
    node.metadata.pop("papermill", None)
    for cell in node.cells:
        cell.metadata.pop("papermill", None)
        if not cell.metadata.get("tags", True):
            cell.metadata.pop("tags")


def _versions() -> dict[str, str]:
    from importlib import metadata

    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {sinks.visible(error, keep=chr(10))}".split())[:300]


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """While a notebook runs, SIGTERM is told like Ctrl-C instead of ending the process on the spot."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Papermill's log lines are for its own command line."""
    import logging

    log = logging.getLogger("papermill")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before
