"""One journal entry each: what people saw, thought, did and decided."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from incidentnb import times
from incidentnb.record import journal


def when(text: str | datetime | None, zone: tzinfo = times.UTC) -> datetime | None:
    """The instant at which something happened, as a person says it.

    A clock time without a day is the last time the clock showed it: ``23:58`` said at ten past midnight was yesterday.

    Raises:
        InputError: the text is no time.
    """
    if text is None or isinstance(text, datetime):
        return text
    moment = times.parse(text, zone)
    if re.fullmatch(r"\s*\d{1,2}:\d{2}.*", text) and moment > times.now() + timedelta(minutes=5):
        moment -= timedelta(days=1)
    return moment


def note(folder: Path | str, text: str, *, at: Any = None, by: str | None = None) -> journal.Entry:
    """Record an observation."""
    return journal.append(Path(folder), "note", {"text": text}, occurred_at=when(at), actor=by)
