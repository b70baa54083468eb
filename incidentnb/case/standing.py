"""Where the incident stands, as findings: what was read, and what the record says by now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from incidentnb import times
from incidentnb.findings import CANNOT_TELL, Finding

if TYPE_CHECKING:
    from incidentnb.evidence.changes import Change
    from incidentnb.evidence.table import LogTable
    from incidentnb.record.incident import Incident
    from incidentnb.record.journal import Entry


def reading(log: LogTable) -> Finding:
    """What was read: per file its lines = parsed + continuation + rejected, its format, its span, its zone and how that is known.

    Returns:
        Verdict ``read``, or ``cannot tell`` where no line has a time. Numbers ``files``, ``lines``, ``parsed``, ``continuation``,
        ``rejected``. Frame ``file``, ``format``, ``lines``, ``parsed``, ``continuation``, ``rejected``, ``first``, ``last``, ``zone``.
    """
    import pandas as pd

    inputs = log.inputs
    count = {name: sum(int(entry.get(name) or 0) for entry in inputs) for name in ("lines", "parsed", "continuation", "rejected")}
    files = "1 file" if len(inputs) == 1 else f"{len(inputs):,} files"
    sentence = (f"{files}, {count['lines']:,} lines = {count['parsed']:,} parsed + {count['continuation']:,} continuation + "
                f"{count['rejected']:,} rejected.")
    frame = pd.DataFrame([{
        "file": str(entry.get("path", "")).rsplit("/", 1)[-1], "format": entry.get("format"), "lines": entry.get("lines"),
        "parsed": entry.get("parsed"), "continuation": entry.get("continuation"), "rejected": entry.get("rejected"),
        "first": entry.get("first"), "last": entry.get("last"),
        "zone": f"{entry.get('zone') or 'unknown'} ({entry.get('zone_source') or 'not told'})"} for entry in inputs])
    notes = [f"{str(entry.get('path', '')).rsplit('/', 1)[-1]}: {warning}" for entry in inputs for warning in entry.get("warnings") or ()]
    if count["rejected"]:
        notes.append("Rejected lines are kept with file, line and reason in evidence/rejects.jsonl.")
    if log.as_of is not None:
        notes.append(f"A replay: records after {times.iso(log.as_of)} are not seen below.")
    span = log.span
    window = f"From {times.iso(span.start)} to {times.iso(span.end)}." if span else "No record has a time."
    return Finding("reading", "read" if span else CANNOT_TELL, sentence, window, {"files": len(inputs), **count}, frame, evidence=log.digest,
                   notes=tuple(notes[:20]))


def with_look(finding: Finding, onset: Finding, since: datetime | None, usual: timedelta, warnings: Sequence[str]) -> Finding:
    """The ranked changes, with a note of how far back was looked and of what could not be read."""
    from dataclasses import replace

    notes = [*finding.notes]
    interval = onset.numbers.get("onset") if isinstance(onset, Finding) else None
    if since is not None:
        back = interval.earliest - since if interval else None
        wider = f"; nothing changed in the {times.spell(usual)} before it" if back and back > usual else ""
        notes.append(f"Looked back {times.spell(back)} before the onset, to {times.iso(since)}{wider}." if back else f"Looked back to {times.iso(since)}.")
    return replace(finding, notes=(*notes, *warnings))
