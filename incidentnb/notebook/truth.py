"""What became of a run: the state of each cell, the record of the whole, and how the executed notebook tells it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incidentnb import sinks, times

if TYPE_CHECKING:
    from nbformat import NotebookNode

SCHEMA = "incidentnb/run/1"
SETUP = {"parameters", "injected-parameters", "setup"}  # tags of the cells that every other cell stands on


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


def titles(node: NotebookNode) -> dict[int, str]:
    """Index of each code cell → the Markdown heading that it stands under; the cells before the first section are the set-up."""
    found, heading = {}, ""
    for index, cell in enumerate(node.cells):
        if cell.cell_type == "markdown":
            prose = re.sub(r"```.*?(```|\Z)", "", cell.source, flags=re.DOTALL)
            lines = re.findall(r"^#{1,6} +(.+)$", prose, re.MULTILINE)
            heading = lines[-1] if lines else heading
        else:
            found[index] = "the set-up" if SETUP & set(cell.metadata.get("tags", ())) else heading
    return found


def cell_state(cell: NotebookNode, *, finished: bool) -> tuple[str, str]:
    """State and reason of a code cell, from its outputs, its execution count and whether its reply came."""
    if not finished:
        return "not run", ""
    if error := error_of(cell):
        return ("interrupted" if error.startswith("KeyboardInterrupt") else "failed"), error
    told = [o["metadata"].get("incidentnb", {}) for o in cell.get("outputs", ()) if "metadata" in o]
    failed = [t for t in told if t.get("section_failed")]
    return ("could not be computed", str(failed[0]["section_failed"])) if failed else ("completed", "")


def error_of(cell: NotebookNode) -> str:
    errors = [o for o in cell.get("outputs", ()) if o["output_type"] == "error"]
    return " ".join(sinks.visible(f"{errors[0]['ename']}: {errors[0]['evalue']}").split())[:300] if errors else ""


def tell(node: NotebookNode, record: RunRecord) -> None:
    """Write each cell's state into it, a line in the place of what is missing, and the banner on top."""
    import nbformat

    by_id = {state.id: state for state in record.cells}
    for cell in node.cells:
        state = by_id.get(cell.get("id"))
        if state is None:
            continue
        cell.metadata["incidentnb"] = {"state": state.state, **({"why": state.why} if state.why else {})}
        if state.state in ("not run", "killed", "timed out", "interrupted"):
            what = "did not run" if state.state == "not run" else f"did not finish ({state.state})"
            line = f"This section {what}: {state.why or record.why}."
            cell.setdefault("outputs", []).append(nbformat.v4.new_output(
                "display_data", {"text/plain": sinks.terminal(line), "text/markdown": f"**{sinks.markdown(line)}**"},
                metadata={"incidentnb": {"state": state.state}}))
    if not record.complete or record.outcome != "completed":
        node.cells.insert(0, nbformat.v4.new_markdown_cell(_banner(record), id="banner", metadata={"tags": ["banner"]}))


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
