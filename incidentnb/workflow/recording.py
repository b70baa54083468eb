"""The statements that make two entries; every other verb of the record is one function of ``record.statements``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from incidentnb.record import hypotheses, incident, statements
from incidentnb.record.lines import Entry


def evidence(folder: Path | str, hypothesis: str, side: str, text: str, *, source: Any = None, at: Any = None, **who: Any) -> Entry:
    """Record evidence ``for`` or ``against`` a hypothesis.

    Args:
        source: what bears it: ``FILE:LINE``, a finding, a query, a link, a file, an entry (``#12``). Without one it rests on the word of
            whoever says it, which is recorded as a note and pointed at.

    Raises:
        InputError: as ``hypotheses.add_evidence``.
    """
    if not source:
        known = incident.load(folder).hypotheses
        if hypothesis.strip().upper() in {name for h in known for name in (h.id, h.id[1:])}:
            source = f"#{statements.note(folder, text, at=at, **{k: v for k, v in who.items() if k != 'supersedes'}).seq}"
    return hypotheses.add_evidence(folder, hypothesis, side, text, source or "", at=at, **who)


def post(folder: Path | str, text: str, *, state: str = "", at: Any = None, **what: Any) -> Entry:
    """Record an update that was posted; the ``state`` that it told (investigating, identified …) becomes the incident's status.

    Raises:
        InputError: as ``statements.post``.
    """
    made = statements.post(folder, text, state=state, at=at, **what)
    told = made.body["state"]
    if told and incident.load(folder).status != told:
        statements.set_status(folder, told, at=at, **{k: v for k, v in what.items() if k in ("actor", "recorded_at")})
    return made
