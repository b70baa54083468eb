"""Instants, intervals, windows and zones. Every instant in the product is an aware ``datetime`` in UTC.

Times come in as people write them and go out as ISO 8601 with the zone. The bulk reading of log time stamps is
``evidence/stamps.py``; this module is for the few times that a person types or a document prints.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from incidentnb.exceptions import InputError

_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d{2}))?", re.IGNORECASE)
_AGO = re.compile(r"(.+?)\s+ago", re.IGNORECASE)
_UNITS = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600,
          "d": 86400, "day": 86400, "w": 604800, "week": 604800}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(weeks?|days?|hours?|minutes?|seconds?|mins?|secs?|[wdhms])\s*", re.IGNORECASE)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,6})\d*)?)?\s*(Z|UTC)?", re.IGNORECASE)


@dataclass(frozen=True)
class Interval:
    """A point in time that is known only to lie between two others.

    Attributes:
        at: the best single answer, aware UTC.
        earliest: the first instant it may have been.
        latest: the last instant it may have been.
    """

    at: datetime
    earliest: datetime
    latest: datetime

    def __post_init__(self):
        if not self.earliest <= self.at <= self.latest:
            raise ValueError(f"interval out of order: {self.earliest} <= {self.at} <= {self.latest}")

    def as_json(self) -> dict[str, str]:
        return {"at": iso(self.at), "earliest": iso(self.earliest), "latest": iso(self.latest)}


@dataclass(frozen=True)
class Window:
    """A half-open span ``[start, end)`` of aware UTC instants."""

    start: datetime
    end: datetime

    def __post_init__(self):
        if self.end < self.start:
            raise ValueError(f"window ends before it starts: {self.start} > {self.end}")

    @property
    def duration(self) -> timedelta:
        return self.end - self.start


def elsewhere(zone: tzinfo | None, *moments: datetime) -> bool:
    """Whether clocks of a zone show another time than UTC at any of these moments; not where no zone is known."""
    return zone is not None and any(at.astimezone(zone).utcoffset() for at in moments)


def now() -> datetime:
    """The current instant, aware UTC."""
    return datetime.now(UTC)


def zone(name: str) -> tzinfo:
    """The zone of a name (``Europe/Berlin``, ``UTC``, ``+03:30``, ``UTC-7``).

    Raises:
        InputError: no such zone.
    """
    text = name.strip()
    if text.upper() in ("UTC", "GMT", "Z"):
        return UTC
    if (found := _OFFSET.fullmatch(text)) and int(found[2]) <= 14:
        minutes = int(found[2]) * 60 + int(found[3] or 0)
        return timezone(timedelta(minutes=minutes if found[1] == "+" else -minutes))
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(name or "zone", "no such time zone", "an IANA name such as Europe/Berlin, or +02:00") from None


def parse(text: str, zone: tzinfo = UTC, today: date | None = None) -> datetime:
    """The instant a person wrote, aware UTC.

    Takes ISO 8601 in its usual spellings, epoch seconds (also ms, µs, ns by magnitude), ``14:03`` and ``14:03:20Z`` (on
    ``today``, by default the current day in ``zone``), ``now`` and ``10 minutes ago``. A time without an offset is in ``zone``.

    Raises:
        InputError: the text is none of these.
    """
    value = text.strip()
    if value.lower() == "now":
        return now()
    if found := _AGO.fullmatch(value):
        return now() - duration(found[1])
    if re.fullmatch(r"-?\d{9,19}(\.\d+)?", value):
        return epoch(float(value) if "." in value else int(value))
    if found := _CLOCK.fullmatch(value):
        day = today or datetime.now(zone).date()
        if int(found[1]) < 24 and int(found[2]) < 60 and int(found[3] or 0) < 60:
            moment = datetime(day.year, day.month, day.day, int(found[1]), int(found[2]), int(found[3] or 0),
                              int((found[4] or "0").ljust(6, "0")), tzinfo=UTC if found[5] else zone)
            return moment.astimezone(UTC)
    cleaned = re.sub(r"\s*(UTC|GMT|Z)$", "+00:00", value, flags=re.IGNORECASE).replace(",", ".")
    cleaned = re.sub(r"(\d)\s+([+-]\d{2}:?\d{2})$", r"\1\2", cleaned)
    cleaned = re.sub(r"(\.\d{6})\d+", r"\1", cleaned)
    try:
        moment = datetime.fromisoformat(cleaned)
    except ValueError:
        raise InputError(text or "time", "not a time", "write 2026-11-23T14:03:20Z, 14:03, an epoch, or '10 minutes ago'") from None
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:
        raise InputError(text, "a time outside of the calendar") from None


def epoch(value: float) -> datetime:
    """The instant of an epoch number, its unit (s, ms, µs, ns) told by its magnitude."""
    size = abs(value)
    scale = 1 if size < 1e11 else 1e3 if size < 1e14 else 1e6 if size < 1e17 else 1e9
    if isinstance(value, int):
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value * 10**6 // int(scale))
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=round(value / scale * 1e6))


def duration(text: str) -> timedelta:
    """A length of time as people write it: ``90s``, ``10 minutes``, ``1h30m``, ``1 d``.

    Raises:
        InputError: the text is none.
    """
    total, position = 0.0, 0
    while found := _DURATION.match(text, position):
        unit = found[2].lower()
        total += float(found[1]) * _UNITS.get(unit, _UNITS.get(unit.rstrip("s"), 0))
        position = found.end()
    if not text.strip() or position != len(text):
        raise InputError(text or "duration", "not a length of time", "write 90s, 10m, 1h30m or 2 days")
    return timedelta(seconds=total)


def iso(moment: datetime | None, zone: tzinfo = UTC, precision: str = "auto") -> str | None:
    """An instant as ISO 8601 with its zone (``Z`` for UTC); ``None`` stays ``None``.

    ``precision`` is ``auto`` (fractions only where there are some) or anything that ``datetime.isoformat`` takes.
    """
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError("an instant without a zone")
    local = moment.astimezone(zone)
    if precision == "auto":
        text = local.isoformat(timespec="seconds" if not local.microsecond else
                               "milliseconds" if local.microsecond % 1000 == 0 else "microseconds")
    else:
        text = local.isoformat(timespec=precision)
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def at(moment: datetime, beside: datetime | None = None) -> str:
    """An instant for a sentence, to the second: ``2026-11-23 14:03:20Z``; on the day of ``beside`` the clock time alone."""
    text = f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
    return text[11:] if beside is not None and moment.astimezone(UTC).date() == beside.astimezone(UTC).date() else text


def spell(length: timedelta | None) -> str:
    """A length of time for people: ``49 s``, ``12 min 5 s``, ``3 h 10 min``, ``2 d 4 h``; nothing is ``not recorded``."""
    if length is None:
        return "not recorded"
    seconds = round(abs(length.total_seconds()))
    sign = "−" if length.total_seconds() < 0 and seconds else ""
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")) if n]
    return sign + " ".join(parts[:2] or ["0 s"])
