"""When something happened, as people say it and as the journal keeps it: an instant, an interval, or unknown."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from incidentnb import times
from incidentnb.exceptions import InputError
from incidentnb.times import Interval

Moment = datetime | Interval | None

_CLOCK_ONLY = re.compile(r"\s*\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?\s*(Z|UTC)?\s*", re.IGNORECASE)
_RANGE = re.compile(r"\s*(.+?)\s*(?:\.\.|…|→|->|\sto\s|\s[–-]\s)\s*(.+?)\s*")


def moment(value: datetime | Interval | str | dict[str, str] | None, zone: tzinfo = UTC, now: datetime | None = None) -> Moment:
    """What a person gave as the time of something, as an aware UTC instant, an interval, or ``None`` (unknown).

    Text is read by ``times.parse`` in ``zone``; ``A..B`` is an interval whose best answer is its middle. A time of day alone
    means the latest such time that is not after ``now`` (clocks may differ by five minutes): ``23:50`` typed at ten past
    midnight was yesterday.

    Raises:
        InputError: text that is no time, an instant without a zone, an interval out of order.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, Interval):
        return Interval(*(_utc(part) for part in (value.at, value.earliest, value.latest)))
    if isinstance(value, datetime):
        return _utc(value)
    if isinstance(value, dict):
        if not {"at", "earliest", "latest"} <= value.keys():
            raise InputError("time", "an interval has at, earliest and latest")
        return _interval(*(_text(str(value[key]), zone, now) for key in ("at", "earliest", "latest")))
    if not isinstance(value, str):
        raise InputError("time", f"not a time: {type(value).__name__}", "give a datetime, an Interval or text")
    if found := _RANGE.fullmatch(value):
        earliest, latest = (_text(part, zone, now) for part in found.groups())
        return _interval(earliest + (latest - earliest) / 2, earliest, latest)
    return _text(value, zone, now)


def promised(given: str | timedelta | datetime | None, since: datetime, zone: tzinfo, where: str = "next update") -> datetime | None:
    """The instant that a promise is for: so long after ``since`` (``20m``, ``in 20 minutes``), or a time; a bare time of day is the next one.

    Raises:
        InputError: text that is neither, an instant without a zone, or one that is not after ``since``; ``where`` names it.
    """
    if given is None or given == "":
        return None
    if isinstance(given, str):
        text = re.sub(r"^\s*in\s+", "", given, flags=re.IGNORECASE)
        try:
            given = times.duration(text)
        except InputError:
            given = times.parse(text, zone, today=since.astimezone(zone).date())
            if given < since and re.fullmatch(r"\s*\d{1,2}:\d{2}.*", text):
                given += timedelta(days=1)
    due = since + given if isinstance(given, timedelta) else _utc(given)
    if due <= since:
        raise InputError(where, "is promised for a time that is over", "give a length of time, such as 10m")
    return due


def to_json(value: Moment) -> str | dict[str, str] | None:
    """A moment as the journal writes it: ISO 8601 text, an object of three, or null."""
    return value.as_json() if isinstance(value, Interval) else times.iso(value)


def from_json(value: Any) -> Moment:
    """The moment that ``to_json`` wrote.

    Raises:
        ValueError: the value is none (a damaged or foreign line).
    """
    if value is None:
        return None
    if isinstance(value, dict) and value.keys() == {"at", "earliest", "latest"}:
        return Interval(*(instant_from_json(value[key]) for key in ("at", "earliest", "latest")))
    return instant_from_json(value)


def instant_from_json(value: Any) -> datetime:
    """The aware UTC instant of ISO 8601 text with a zone; ``ValueError`` for anything else."""
    if not isinstance(value, str):
        raise ValueError("a time must be text")
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise ValueError(f"a time without a zone: {value}")
    return found.astimezone(UTC)


def best(value: Moment) -> datetime | None:
    """The best single instant of a moment."""
    return value.at if isinstance(value, Interval) else value


def bounds(value: datetime | Interval) -> tuple[datetime, datetime]:
    """The first and the last instant that a known moment may have been."""
    return (value.earliest, value.latest) if isinstance(value, Interval) else (value, value)


def _text(text: str, zone: tzinfo, now: datetime | None) -> datetime:
    now = now or times.now()
    found = times.parse(text, zone, today=now.astimezone(zone).date())
    if _CLOCK_ONLY.fullmatch(text) and found > now + timedelta(minutes=5):
        local = found.astimezone(zone) if "Z" not in text.upper() and "UTC" not in text.upper() else found
        found = (local - timedelta(days=1)).astimezone(UTC)  # a day back on the wall clock, also where that day had 23 or 25 hours
    return found


def _interval(at: datetime, earliest: datetime, latest: datetime) -> Interval:
    if not earliest <= at <= latest:
        raise InputError("time", "an interval that ends before it begins", "write EARLIEST..LATEST")
    return Interval(at, earliest, latest)


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise InputError(value.isoformat(), "a time without a zone", "add one: 2026-11-23T14:03:20Z")
    return value.astimezone(UTC)
