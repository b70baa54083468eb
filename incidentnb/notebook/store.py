"""Where runs lie: written whole or not at all, never over another, and what a killed process left behind."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from incidentnb import atomic, times
from incidentnb.notebook.truth import CellState, RunRecord, cell_state, tell, titles

if TYPE_CHECKING:
    from nbformat import NotebookNode


def finish(node: NotebookNode, states: tuple[CellState, ...], ended: tuple[str, str] | None, target: Path, work: Path,
           finished: datetime | None) -> RunRecord:
    """Put the truth into the notebook and the notebook into its folder.

    Args:
        node: the notebook as far as it was executed, with its beginnings under ``metadata.incidentnb``.
        states: what became of each code cell.
        ended: (outcome, why) where the run did not come to its end.
        target: the file to write; a collision gets a number.
        work: the private folder of the run.
        finished: ``None`` where nobody saw the end.
    """
    facts = node.metadata["incidentnb"]
    worst = next((s for kind in ("killed", "timed out", "interrupted", "failed") for s in states if s.state == kind), None)
    outcome, why = ended or ((worst.state, worst.why) if worst else ("completed", ""))
    if worst is not None and worst.title:
        why += f", in “{worst.title}”"
    path = free_name(target)
    record = RunRecord(
        notebook=facts["notebook"], path=path, started=times.parse(facts["started"]), finished=finished, outcome=outcome, why=why,
        cells=states, parameters=dict(facts["parameters"]), versions=dict(facts["versions"]))
    tell(node, record)
    scrub(node)
    node.metadata["incidentnb"] = record.as_json()
    return replace(record, path=publish(text(node), path, work))


def salvage(runs: Path) -> list[RunRecord]:
    """Publish what is left of runs whose process was killed, each as a run of outcome ``killed``; the rest of them is removed."""
    import shutil

    found = []
    for work in sorted(runs.glob(".running-*")):
        if (handle := locked(work)) is None:
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
    return finish(node, tuple(states), ("killed", "the executing process was killed"), target, work, None)


@contextlib.contextmanager
def workplace(runs: Path) -> Iterator[Path]:
    """A private folder inside of ``runs`` (the same disk), locked while its run is alive, removed at the end."""
    import shutil
    import tempfile

    work = Path(tempfile.mkdtemp(prefix=".running-", dir=runs))
    handle = locked(work)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def locked(folder: Path) -> int | None:
    """The handle of a folder that is locked by it for as long as it is open; ``None`` where another process holds it."""
    import fcntl

    handle = None
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        if handle is not None:
            os.close(handle)
        return None
    return handle


def sweep(base: Path, prefix: str, older_than_s: float = 60) -> None:
    """Remove folders of our own under ``base`` whose process was killed."""
    import shutil

    for folder in base.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            about = folder.lstat()
            if about.st_uid != os.getuid() or time.time() - about.st_mtime < older_than_s or (handle := locked(folder)) is None:
                continue
            shutil.rmtree(folder, ignore_errors=True)
            os.close(handle)


def snapshot(node: NotebookNode, path: Path) -> None:
    """Keep what there is of a run, for the case that its process is killed; a full disk must not end the run."""
    with contextlib.suppress(OSError):
        new = path.with_suffix(".new")
        new.write_text(text(node), encoding="utf-8")
        new.replace(path)


def publish(content: str, target: Path, work: Path) -> Path:
    """Write a file whole or not at all, never over another; return the name that it got (``-2``, ``-3`` … where it is taken).

    Args:
        content: the text of the file.
        target: where it should lie.
        work: a folder on the same disk for the file in the making.
    """
    private = work / f".{os.getpid()}.new"
    try:
        with private.open("w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        while True:
            path = free_name(target)
            try:
                os.link(private, path)  # unlike a rename, refuses to take the place of an existing file
                break
            except FileExistsError:
                continue
            except OSError:  # a disk without hard links
                private.replace(path)
                break
    finally:
        private.unlink(missing_ok=True)
    atomic.sync(path.parent)
    return path


def free_name(target: Path) -> Path:
    """The first of ``x.ipynb``, ``x-2.ipynb``, ``x-3.ipynb`` … that does not exist."""
    path, number = target, 1
    while path.exists():
        number += 1
        path = target.with_name(f"{target.stem}-{number}{target.suffix}")
    return path


def text(node: NotebookNode) -> str:
    import nbformat

    return nbformat.writes(node).rstrip("\n") + "\n"


def scrub(node: NotebookNode) -> None:
    """Take papermill's own record out: it holds absolute paths, and statuses that are not true."""
    node.metadata.pop("papermill", None)
    for cell in node.cells:
        cell.metadata.pop("papermill", None)
        if not cell.metadata.get("tags", True):
            cell.metadata.pop("tags")
