"""Instants in and out."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentnb import times
from incidentnb.exceptions import InputError

MOMENT = datetime(2026, 11, 23, 14, 3, 20, tzinfo=UTC)


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_parse_undoes_iso(moment):
    """Law: what is printed as ISO 8601 is read back as the very same instant."""
    assert times.parse(times.iso(moment)) == moment


@pytest.mark.parametrize("text", ["2026-11-23T14:03:20Z", "2026-11-23 14:03:20", "2026-11-23T15:03:20+01:00", "1795442600", "1795442600000",
                                  "2026-11-23T14:03:20,000 UTC", "1795442600000000000", "2026-11-23 09:03:20 -0500"])
def test_a_time_is_read_in_any_common_form(text):
    """ISO 8601 in its spellings, offsets and epochs in every unit give the same instant."""
    assert times.parse(text) == MOMENT


def test_a_clock_time_is_of_the_day_in_the_zone():
    """14:03 means today in the zone of the incident."""
    berlin = times.zone("Europe/Berlin")
    assert times.parse("15:03", berlin, today=MOMENT.date()) == MOMENT.replace(second=0)
    assert times.parse("14:03:20Z", berlin, today=MOMENT.date()) == MOMENT


def test_relative_times_count_back_from_now():
    """'10 minutes ago' is ten minutes before now."""
    assert abs(times.now() - times.parse("10 minutes ago") - timedelta(minutes=10)) < timedelta(seconds=2)


@pytest.mark.parametrize("text", ["", "yesterday-ish", "2026-13-01", "25:00", "12", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_time_is_refused_in_one_line(text):
    """Text that is no time raises one line that says how to write one."""
    with pytest.raises(InputError) as raised:
        times.parse(text)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("10 minutes", 600), ("1h30m", 5400), ("2 days", 172800), ("0.5h", 1800)])
def test_durations_as_people_write_them(text, seconds):
    """Lengths of time in the usual spellings."""
    assert times.duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("name", ["Mars/Olympus", "../../etc/passwd", "", "+99:00"])
def test_an_unknown_zone_is_refused(name):
    """A zone that does not exist is an input error, whatever its text."""
    with pytest.raises(InputError):
        times.zone(name)


def test_a_missing_duration_is_not_zero():
    """Nothing recorded is said so; it is never 0."""
    assert times.spell(None) == "not recorded"
    assert times.spell(timedelta(days=2, hours=4, minutes=5)) == "2 d 4 h"
    assert times.spell(timedelta(0)) == "0 s"


def test_intervals_and_windows_keep_their_order():
    """An interval or window that is out of order cannot be made."""
    with pytest.raises(ValueError, match="out of order"):
        times.Interval(MOMENT, MOMENT + timedelta(1), MOMENT)
    with pytest.raises(ValueError, match="before it starts"):
        times.Window(MOMENT, MOMENT - timedelta(1))
