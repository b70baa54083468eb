"""What a piece of evidence points at: a finding, a line of a log, a query, a link, a file with its digest, or another entry."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from incidentnb.exceptions import InputError
from incidentnb.findings import Finding
from incidentnb.record import lines
from incidentnb.record.lines import Entry

_LINE = re.compile(r"(.+):(\d{1,12})")
_LINK = re.compile(r"https?://[^\s/$.?#][^\s]*", re.IGNORECASE)
_QUERY = re.compile(r"\s*(select|with|from|describe)\s", re.IGNORECASE)
_HOW = "point at a finding, FILE:LINE, a query (SELECT …), a link (https://…), a file, or an entry (#12)"


def point(at: str | Finding | Path | dict[str, Any], folder: Path, entries: Sequence[Entry]) -> dict[str, Any]:
    """The pointer of what a person or a cell gave: ``type`` (finding, line, query, link, file, entry) and the fields of that type.

    A finding is checked against those in the journal, an entry too; a file is read for its digest; a line is taken as written, because
    logs rotate.

    Raises:
        InputError: it points at nothing that is known.
    """
    if isinstance(at, Finding):
        return {"type": "finding", "id": at.id, "sentence": at.sentence, "evidence": at.evidence}
    if isinstance(at, dict):
        at = str(at.get("id") or at.get("url") or at.get("query") or at.get("path") or "")
    text = str(at).strip()
    found = {entry.body.get("id"): entry for entry in entries if entry.kind == "finding"}
    name = text.removeprefix("finding:")
    if name in found:
        body = found[name].body
        return {"type": "finding", "id": name, "sentence": body.get("sentence", ""), "evidence": body.get("evidence", "")}
    if text.startswith("finding:"):
        raise InputError(f"finding {name[:80]}", "no such finding in the journal", lines.nearest(name, [str(key) for key in found]))
    if re.fullmatch(r"#\d+", text) or any(entry.id == text for entry in entries):
        return {"type": "entry", "id": lines.find(entries, text).id}
    if _LINK.fullmatch(text):
        return {"type": "link", "url": text}
    if _QUERY.match(text):
        return {"type": "query", "query": text}
    if line := _LINE.fullmatch(text):
        return {"type": "line", "file": line[1], "line": int(line[2])}
    if text and (path := _file(text, folder)):
        inside = path.resolve().is_relative_to(folder.resolve())
        digest, size = _digest(path)
        shown = path.resolve().relative_to(folder.resolve()) if inside else path.absolute()
        return {"type": "file", "path": str(shown), "sha256": digest, "bytes": size}
    raise InputError("evidence", f"points at nothing that is known: {text[:80]}" if text else "points at nothing", _HOW)


def spell(pointer: dict[str, Any]) -> str:
    """A pointer for people, in one line: ``app.log:88121``, ``onset-3f2a9c01d4``, ``https://…``."""
    kind = pointer.get("type")
    if kind == "line":
        return f"{pointer['file']}:{pointer['line']}"
    if kind == "file":
        return f"{pointer['path']} (sha256 {str(pointer.get('sha256', ''))[:12]})"
    if kind == "check":
        return f"{pointer.get('check')} ({pointer.get('finding') or 'evidence ' + str(pointer.get('evidence', ''))[:12]})"
    return str(pointer.get({"link": "url", "query": "query"}.get(str(kind), "id"), ""))


def _file(text: str, folder: Path) -> Path | None:
    for path in (Path(text), folder / text):
        try:
            if path.is_file():
                return path
        except (OSError, ValueError):
            return None
    return None


def _digest(path: Path) -> tuple[str, int]:
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest(), handle.tell()
    except OSError as error:
        raise InputError(str(path), f"cannot be read: {error.strerror}") from None
