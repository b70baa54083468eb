"""Execute a notebook with papermill, and see for oneself what becomes of each cell."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incidentnb import sinks, times
from incidentnb.exceptions import InputError
from incidentnb.notebook import store
from incidentnb.notebook.kernel import drop_tasks, warm_kernel
from incidentnb.notebook.parameters import find, parameterized, quiet
from incidentnb.notebook.truth import SCHEMA, SETUP, CellState, RunRecord, cell_state, error_of, titles

if TYPE_CHECKING:
    from nbformat import NotebookNode

CELL_TIMEOUT_S = 600.0
GRACE_S = 10.0
_PACKAGES = ("incidentnb", "papermill", "nbclient", "ipykernel", "duckdb", "pandas", "matplotlib")


def execute(name: str | Path, parameters: dict[str, Any], out: Path, *, timeout: float = CELL_TIMEOUT_S, grace: float = GRACE_S,
            progress: Callable[[int, int, str], None] | None = None, kernel: Any = None, cwd: Path | None = None) -> RunRecord:
    """Execute a notebook into a new file of ``out`` and return what became of each cell.

    Nothing that happens in a cell raises here: a failing cell, one over its time, a dead kernel and Ctrl-C are told in the
    record, in a banner on top of the executed notebook, and in the place of each cell that did not run.

    Args:
        name: stock name or path.
        parameters: as ``check_parameters`` takes them.
        out: the folder of the runs (the file is named ``2026-11-23T140320Z-investigation.ipynb``), or the ``.ipynb`` file to
            write; an existing file is never overwritten, a collision gets ``-2``, ``-3`` …
        timeout: seconds a cell may run before it is interrupted; the next cells still run.
        grace: seconds that an interrupted cell has to stop, before its kernel is killed.
        progress: called with (code cells done, code cells in all, title of the section) as each cell starts and at the end.
        kernel: one that ``warm_kernel`` started; by default one is started here.
        cwd: where the kernel runs; by default the current folder (a warm kernel has its own). A run that lies in its incident and
            whose kernel runs there finds the incident by itself, so that no path is kept and the folder may move.

    Raises:
        InputError: as ``find`` and ``check_parameters``; the folder cannot be written.
    """
    started = times.now()
    stem = find(name).stem
    target = out if out.suffix == ".ipynb" else out / f"{started:%Y-%m-%dT%H%M%SZ}-{stem}.ipynb"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        store.salvage(target.parent)
    except OSError as error:
        raise InputError(str(target.parent), f"cannot be written: {error.strerror or error}") from None
    with contextlib.ExitStack() as stack:
        if kernel is None:  # it starts while papermill is being imported here
            kernel = stack.enter_context(warm_kernel(cwd))
        given = parameters | {"incident": ""} if _stands_in(parameters.get("incident"), target.parent, kernel.cwd) else parameters
        node = parameterized(name, given)
        work = stack.enter_context(store.workplace(target.parent))
        node.metadata["incidentnb"] = {"schema": SCHEMA, "notebook": stem, "run": target.name, "started": times.iso(started),
                                       "parameters": given, "versions": _versions()}
        sight = _Sight(node, work / "partial.ipynb", timeout, grace, progress)
        store.snapshot(node, sight.keep)
        try:
            _run(node, kernel, sight)
        except KeyboardInterrupt:
            sight.ended = ("interrupted", "the run was interrupted")
        except Exception as error:  # noqa: BLE001 - whatever happens, the run is recorded
            sight.ended = sight.ended or ("failed", f"the run broke off: {_one_line(error)}")
        try:
            return store.finish(node, sight.states(), sight.ended, target, work, times.now())
        except OSError as error:
            raise InputError(str(target), f"the run could not be written: {error.strerror or error}", "run again") from None


def _stands_in(incident: Any, runs: Path, cwd: Path) -> bool:
    """Whether a run and its kernel stand in the folder of their incident: they find it by themselves, also when it has moved."""
    if not isinstance(incident, str) or not incident:
        return False
    home = Path(incident).resolve()
    return runs.resolve().parent == home and cwd.is_relative_to(home)


class _Sight:
    """What is seen of a run while it runs; the states of its cells are computed from this and from their outputs."""

    def __init__(self, node: NotebookNode, keep: Path, timeout: float, grace: float,
                 progress: Callable[[int, int, str], None] | None):
        self.node, self.keep, self.timeout, self.grace, self.progress = node, keep, timeout, grace, progress
        self.codes = [i for i, cell in enumerate(node.cells) if cell.cell_type == "code" and cell.source.strip()]
        self.titles = titles(node)
        self.begun: dict[int, float] = {}
        self.seconds: dict[int, float] = {}
        self.timed_out: set[int] = set()
        self.running: int | None = None
        self.ended: tuple[str, str] | None = None  # (outcome, why) where the run did not come to its end

    def starts(self, cell: NotebookNode, cell_index: int) -> None:
        self.node.cells[cell_index] = cell
        if cell_index in self.codes:
            self.begun[cell_index], self.running = time.monotonic(), cell_index
            self._tell()

    def done(self, cell: NotebookNode, cell_index: int, execute_reply: dict) -> None:
        self.seconds[cell_index], self.running = round(time.monotonic() - self.begun[cell_index], 3), None
        store.snapshot(self.node, self.keep)
        if SETUP & set(cell.metadata.get("tags", ())) and error_of(cell):
            self.ended = ("failed", f"the set-up failed: {error_of(cell)}")
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
        with quiet(), _terminable():
            papermill.execute_notebook(
                node, None, progress_bar=False, request_save_on_cell_execute=False, autosave_cell_every=0, kernel_name="python3",
                km=manager, allow_errors=True, coalesce_streams=True, record_timing=False, iopub_timeout=60,
                on_cell_start=sight.starts, on_cell_executed=sight.done)
    except (PapermillExecutionError, _SetupFailed):
        pass  # told by the states
    except DeadKernelError:
        sight.ended = ("timed out", f"a cell ran longer than {sight.timeout:g} s and would not stop, its kernel was killed") \
            if sight.running in sight.timed_out else ("killed", "the kernel died")
    except (CellTimeoutError, TimeoutError) as error:
        sight.ended = ("timed out", _one_line(error))
    except KeyboardInterrupt:
        drop_tasks()
        raise
    finally:
        over.set()
        watch.join()


def _watch(manager: Any, sight: _Sight, over: threading.Event) -> None:
    """Interrupt the cell that runs over its time, and kill the kernel of one that does not stop."""
    while not over.wait(0.1):
        index = sight.running
        late = time.monotonic() - sight.begun[index] - sight.timeout if index is not None else -1.0
        if late <= 0 or index != sight.running:
            continue
        if index not in sight.timed_out:
            sight.timed_out.add(index)
            _signal(manager, signal.SIGINT)
        elif late > sight.grace:
            _signal(manager, signal.SIGKILL)


def _signal(manager: Any, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        group = os.getpgid(manager.provisioner.pid)  # the kernel and what its cells started
        if group != os.getpgrp():
            os.killpg(group, number)


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
