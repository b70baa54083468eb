"""Words out: the short texts that verbs print for people. Every word of a stranger passes through ``sinks.terminal``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from incidentnb import times
from incidentnb.sinks import terminal


def table(rows: list[list[Any]], head: list[str], indent: str = "") -> str:
    """Rows under their heads, columns aligned; numbers to the right."""
    texts = [[terminal(v, 80) if not isinstance(v, int) else f"{v:,}" for v in row] for row in rows]
    widths = [max(len(line[i]) for line in [head, *texts]) for i in range(len(head))]
    numeric = [bool(rows) and all(isinstance(row[i], int) for row in rows) for i in range(len(head))]
    lines = [indent + "  ".join(c.rjust(w) if n else c.ljust(w) for c, w, n in zip(line, widths, numeric, strict=True)).rstrip()
             for line in [head, *texts]]
    return "\n".join(lines)


def formats(inputs: list[dict[str, Any]]) -> str:
    """What each file is, a line each, and what was assumed or lost under it."""
    rows = [[i["path"], i["format"], i["lines"], i["parsed"], i["continuation"], i["rejected"], i["first"] or "", i["last"] or "",
             f"{i['zone'] or ''} ({i['zone_source']})" if i.get("zone_source") else i["zone"] or ""] for i in inputs]
    text = table(rows, ["file", "format", "lines", "parsed", "continued", "rejected", "first", "last", "zone"])
    notes = [f"{terminal(i['path'])}: {terminal(warning)}" for i in inputs for warning in i.get("warnings", [])]
    return "\n".join([text, *notes])


def entry(folder: Path, made: Any) -> tuple[dict[str, Any], str]:
    """The entry that was recorded, for programs and for people."""
    at = made.occurred_at.at if isinstance(made.occurred_at, times.Interval) else made.occurred_at
    said = made.body.get("text") or made.body.get("claim") or made.kind
    value = {"incident": str(folder), "id": made.id, "seq": made.seq, "kind": made.kind, "occurred_at": times.iso(at),
             "recorded_at": times.iso(made.recorded_at), "actor": made.actor, "body": made.body}
    return value, f"incident  {folder}\n{made.kind} {made.id}  {times.iso(at)}  {terminal(said, 200)}"
