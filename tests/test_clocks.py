"""Deadlines in minutes, in working time and in sprints, right where the clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidentnb.exceptions import InputError
from incidentnb.record import clocks
from incidentnb.record.clocks import calendar, deadline

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "+12:45"])
INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))
CALENDARS = st.builds(lambda zone, days, start, length, holidays: calendar({
    "zone": zone, "days": days, "start": f"{start:02d}:30", "end": f"{(start + length) % 24:02d}:30", "holidays": holidays}),
    ZONES, st.lists(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), min_size=1), st.integers(0, 23), st.integers(1, 12),
    st.lists(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=4))


def local(text: str, zone=BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


@settings(max_examples=80, deadline=None)
@given(start=INSTANTS, minutes=st.integers(1, 60 * 40), days=CALENDARS)
def test_deadline_is_reached_after_exactly_that_working_time(start, minutes, days):
    """Between the start and the deadline lies the allowed working time, and not a second less of it a second before."""
    length = timedelta(minutes=minutes)
    due = clocks.after_working_time(start, length, days)
    assert clocks.working_time(start, due, days) == length
    assert clocks.working_time(start, due - timedelta(seconds=1), days) == length - timedelta(seconds=1)


@settings(max_examples=60, deadline=None)
@given(moments=st.lists(INSTANTS, min_size=3, max_size=3), days=CALENDARS)
def test_working_time_adds_up(moments, days):
    """Working time from a to b and from b to c is that from a to c, and never more than the time between."""
    a, b, c = sorted(moments)
    assert clocks.working_time(a, b, days) + clocks.working_time(b, c, days) == clocks.working_time(a, c, days) <= c - a


@pytest.mark.parametrize(("start", "due"), [
    ("2026-11-23T10:00", "2026-11-24T10:00"),  # a Monday
    ("2026-11-27T16:00", "2026-11-30T16:00"),  # a Friday: the weekend does not count
    ("2026-11-28T03:00", "2026-11-30T17:00"),  # a Saturday night
    ("2026-12-23T12:00", "2026-12-28T12:00"),  # two holidays, then a weekend
    ("2026-03-27T16:59", "2026-03-30T16:59"),  # the clocks change in between
])
def test_a_working_day_in_berlin(start, due):
    """Eight hours of working time are a working day on, over nights, weekends, holidays and changes of the clocks."""
    days = calendar({"zone": "Europe/Berlin", "holidays": ["2026-12-24", date(2026, 12, 25)]})
    assert deadline({"working": "8h"}, local(start), days) == local(due)


def test_night_shift_over_a_repeated_hour():
    """A shift over the night in which an hour is repeated is an hour longer, and it counts."""
    days = calendar({"zone": "Europe/Berlin", "days": ["sat"], "start": "22:00", "end": "06:00"})
    start = local("2026-10-24T22:00")
    assert clocks.working_time(start, start + timedelta(days=2), days) == timedelta(hours=9)


@settings(max_examples=60, deadline=None)
@given(start=INSTANTS, zone=ZONES, length=st.integers(1, 30))
def test_next_sprint_ends_one_to_two_sprints_ahead(start, zone, length):
    """The end of the next sprint is a midnight of the zone on a sprint's first day, one to two sprints after the day of the start."""
    days = calendar({"zone": zone, "sprint_start": "2026-01-05", "sprint_days": length})
    due = deadline({"sprint": "next"}, start, days).astimezone(days.zone)
    ahead = (due.date() - start.astimezone(days.zone).date()).days
    assert (due.hour, due.minute) == (0, 0) and length < ahead <= 2 * length
    assert (due.date() - date(2026, 1, 5)).days % length == 0


def test_minutes_run_around_the_clock():
    """Thirty minutes are thirty minutes, at night and when the clocks change."""
    start = local("2026-10-25T02:50")
    assert deadline({"within": "30m"}, start, calendar()) - start == timedelta(minutes=30)


def test_state_of_a_clock():
    """Stopped in time is met, too late or not at all is missed, before it is due it runs."""
    due = local("2026-11-23T10:00")
    early, late = due - timedelta(1), due + timedelta(1)
    assert [clocks.state(due, stopped, now) for stopped, now in ((early, late), (due, late), (late, late), (None, early), (None, late))] == [
        "met", "met", "missed", "running", "missed"]


def test_bad_calendars_are_one_line():
    """A setting that is none, and a calendar on which nobody works, are refused in one line."""
    for bad in ({"zone": "Mars"}, {"days": ["funday"]}, {"days": []}, {"start": "9 am"}, {"holidays": ["soon"]}, {"hours": 8}, {"sprint_days": 0}):
        with pytest.raises(InputError) as error:
            calendar(bad)
        assert "\n" not in str(error.value)
    never = calendar({"days": ["mon"], "holidays": [date(2026, 1, 5) + timedelta(weeks=n) for n in range(400)]})
    with pytest.raises(InputError, match="three years"):
        deadline({"working": "8h"}, local("2026-11-23T10:00"), never)
    with pytest.raises(InputError, match="no such clock"):
        deadline({"when": "soon"}, local("2026-11-23T10:00"), never)
