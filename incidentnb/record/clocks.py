"""Deadlines: in minutes around the clock, in working time of a calendar, and in sprints; met, missed or running.

A calendar is wall-clock time of its zone; deadlines are instants. So a working day is as long as it is, also where the clocks change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from incidentnb import times
from incidentnb.exceptions import InputError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FAR = 3 * 366  # days that a deadline in working time may lie ahead


@dataclass(frozen=True)
class Calendar:
    """When a team works.

    Attributes:
        zone: in which the rest is meant.
        days: working days, 0 is Monday.
        start, end: working hours on the wall clock; an ``end`` not after ``start`` is on the day after.
        holidays: days without work.
        sprint_start: the first day of any one sprint.
        sprint_days: how long a sprint is.
    """

    zone: tzinfo = UTC
    days: frozenset[int] = frozenset(range(5))
    start: time = time(9)
    end: time = time(17)
    holidays: frozenset[date] = frozenset()
    sprint_start: date = date(2026, 1, 5)
    sprint_days: int = 14


@dataclass(frozen=True)
class Clock:
    """A clock that was started: ``name``, ``start``, ``due``, and when it was ``stopped`` (``None``: not yet)."""

    name: str
    start: datetime
    due: datetime
    stopped: datetime | None

    def state(self, now: datetime) -> str:
        """``met``, ``missed`` or ``running``."""
        return state(self.due, self.stopped, now)


def state(due: datetime, stopped: datetime | None, now: datetime) -> str:
    """``met`` (stopped in time), ``missed`` (too late, or still not stopped) or ``running``."""
    if stopped is not None:
        return "met" if stopped <= due else "missed"
    return "running" if now <= due else "missed"


def calendar(given: dict[str, Any] | None = None) -> Calendar:
    """The calendar of a configuration: ``zone``, ``days`` (``mon`` …), ``start``, ``end``, ``holidays``, ``sprint_start``, ``sprint_days``.

    What is left out is Monday to Friday, 09:00 to 17:00 UTC, no holidays, sprints of 14 days that begin on a Monday.

    Raises:
        InputError: an unknown key, a value that is none, no working day at all.
    """
    given = dict(given or {})
    if unknown := given.keys() - Calendar.__dataclass_fields__.keys():
        raise InputError(f"calendar.{min(unknown)}", "no such setting", f"one of {', '.join(Calendar.__dataclass_fields__)}")
    try:
        found = dict(given)
        if "zone" in given:
            found["zone"] = times.zone(str(given["zone"]))
        if "days" in given:
            found["days"] = frozenset(DAYS.index(str(day).lower()[:3]) for day in given["days"])
        for key in ("start", "end"):
            if key in given:
                found[key] = given[key] if isinstance(given[key], time) else time.fromisoformat(str(given[key]))
        if "holidays" in given:
            found["holidays"] = frozenset(_date(day) for day in given["holidays"])
        if "sprint_start" in given:
            found["sprint_start"] = _date(given["sprint_start"])
        if not found.get("days", True) or int(found.get("sprint_days", 14)) < 1:
            raise ValueError("at least one working day and a sprint of at least one day are needed")
    except (ValueError, TypeError) as error:
        raise InputError("calendar", str(error), 'write days = ["mon", "fri"], start = "09:00", holidays = ["2026-12-25"]') from None
    return Calendar(**found)


def deadline(rule: dict[str, Any], start: datetime, days: Calendar) -> datetime:
    """When a clock runs out that was started at ``start``: ``{within = "30m"}``, ``{working = "8h"}`` or ``{sprint = "next"}``.

    Raises:
        InputError: the rule is none of these.
    """
    if "within" in rule:
        return start + times.duration(str(rule["within"]))
    if "working" in rule:
        return after_working_time(start, times.duration(str(rule["working"])), days)
    if rule.get("sprint") == "next":
        return end_of_next_sprint(start, days)
    raise InputError("clock", f"no such clock: {rule}", 'within = "30m", working = "8h" or sprint = "next"')


def after_working_time(start: datetime, length: timedelta, days: Calendar) -> datetime:
    """The instant at which so much working time has passed since ``start``.

    Raises:
        InputError: not within three years: the calendar hardly works.
    """
    left = length
    for opening, closing in _shifts(start, days):
        begin = max(opening, start)
        if begin < closing and closing - begin >= left:
            return begin + left
        left -= max(closing - begin, timedelta(0))
    raise InputError("calendar", f"has not {times.spell(length)} of working time in three years", "look at days and holidays")


def working_time(start: datetime, end: datetime, days: Calendar) -> timedelta:
    """Working time between two instants, which are at most three years apart."""
    total = timedelta(0)
    for opening, closing in _shifts(start, days):
        if opening >= end:
            break
        total += max(min(closing, end) - max(opening, start), timedelta(0))
    return total


def end_of_next_sprint(start: datetime, days: Calendar) -> datetime:
    """The midnight, in the calendar's zone, that ends the sprint after the one that ``start`` lies in."""
    passed = (start.astimezone(days.zone).date() - days.sprint_start).days // days.sprint_days
    return _instant(days.sprint_start + timedelta(days=(passed + 2) * days.sprint_days), time(0), days.zone)


def _shifts(start: datetime, days: Calendar) -> Iterator[tuple[datetime, datetime]]:
    """The working hours of each working day from the one before ``start`` on, as instants."""
    first = start.astimezone(days.zone).date() - timedelta(days=1)
    for ahead in range(_FAR):
        day = first + timedelta(days=ahead)
        if day.weekday() in days.days and day not in days.holidays:
            last = day if days.end > days.start else day + timedelta(days=1)
            yield _instant(day, days.start, days.zone), _instant(last, days.end, days.zone)


def _instant(day: date, clock: time, zone: tzinfo) -> datetime:
    return datetime.combine(day, clock, tzinfo=zone).astimezone(UTC)


def _date(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value))
