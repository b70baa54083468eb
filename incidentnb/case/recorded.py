"""What an incident's timeline needs of its changes, by what the journal already tells of the impact: the log is not asked again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from incidentnb.case import answers
from incidentnb.findings import CANNOT_TELL, Finding
from incidentnb.record import moments
from incidentnb.record.incident import Incident
from incidentnb.times import Interval


def changes(incident: Incident, findings: Iterable[Finding], inputs: Iterable[Mapping[str, Any]] = ()) -> list[dict[str, Any]]:
    """The changes that belong on the timeline, as the notebook looks for them; nothing later than the incident is known.

    Where a feed or a checkout is no longer there, those that the ranking in the journal names.

    Args:
        incident: whose sources are read.
        findings: its answers, out of the journal; they tell when the impact began.
        inputs: of the manifest; where no onset is known the changes are those since the first record.

    Returns:
        ``at`` (UTC), ``kind``, ``id``, ``summary``, ``service``, ``version``, ``author``, ``source``.
    """
    known = {finding.name: finding for finding in findings}
    first, last = _span(inputs)
    onset = _onset(known)
    start = onset.earliest if onset else first
    until = incident.as_of or (last + answers.CHANGES_AFTER if last else None)
    try:
        found = answers.changes_around(incident.sources, start, until, incident.as_of)[0]
        return [{key: getattr(one, key) for key in ("at", "kind", "id", "summary", "service", "version", "author", "source")} for one in found]
    except Exception:  # noqa: BLE001 - a feed that is gone must not cost the export
        ranked = known["suspects"].numbers.get("changes") if "suspects" in known else None
        return [{**one, "at": at} for one in ranked or () if isinstance(one, Mapping) and (at := _instant(one.get("at")))]


def _onset(known: Mapping[str, Finding]) -> Interval | None:
    from incidentnb.analysis import impact

    onset = known.get("onset") or Finding("onset", CANNOT_TELL, "", "", {"onset": None, "end": None})
    try:
        found = impact.impact(onset, known.get("volume"), known.get("latency")).numbers.get("onset")
    except (TypeError, KeyError, ValueError, AttributeError):  # an entry that another version wrote
        return None
    return found if isinstance(found, Interval) else Interval(found, found, found) if isinstance(found, datetime) else None


def _span(inputs: Iterable[Mapping[str, Any]]) -> tuple[datetime | None, datetime | None]:
    inputs = list(inputs)
    firsts, lasts = ([at for one in inputs if (at := _instant(one.get(key)))] for key in ("first", "last"))
    return min(firsts, default=None), max(lasts, default=None)


def _instant(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value
    try:
        return moments.instant_from_json(value)
    except ValueError:
        return None
