"""Time stamps of log lines."""

import itertools
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentnb.evidence.stamps import Clock, epoch_micros

T = datetime(2026, 3, 1, 13, 0, 1, tzinfo=UTC)


def read(value, **clock):
    micros = Clock(year=2026, **clock).one(value)
    return None if micros is None else datetime.fromtimestamp(micros / 1e6, UTC)


@pytest.mark.parametrize("stamp", [
    "2026-03-01T13:00:01Z", "2026-03-01 13:00:01", "2026-03-01T13:00:01.000000000Z", "2026-03-01 13:00:01,000", "2026/03/01 13:00:01",
    "2026-03-01T18:30:01+05:30", "2026-03-01T08:00:01-0500", "2026-03-01 05:00:01 PST", "01/Mar/2026:13:00:01 +0000",
    "Mar  1 13:00:01", "Sun Mar  1 13:00:01 2026", "Sun Mar 01 13:00:01.000 UTC 2026", "Sun, 01 Mar 2026 13:00:01 GMT", "01 Mar 2026 13:00:01.000",
    "Mar 1, 2026 1:00:01 PM", "0301 13:00:01.000000", "26/03/01 13:00:01", "260301 130001", "01.03.2026 13:00:01", "20260301T130001Z",
    "20260301 13:00:01.000", "01-Mar-2026 13:00:01", "1772370001", 1772370001, 1772370001000, 1772370001000000, 1772370001000000000,
    1772370001.0, "1772370001000", "2026-03-01_13:00:01", "03-01 13:00:01.000"])
def test_every_common_layout_gives_the_instant(stamp):
    """Each layout that logs are written with, and each epoch unit, is read as the same instant."""
    assert read(stamp) == T


@pytest.mark.parametrize("stamp", ["xxx", "2026-02-30T00:00:00Z", "13:00:01", "", None, True, "12", "2026-03-01T25:00:00Z", float("nan"), 5])
def test_what_is_no_time_stays_unknown(stamp):
    """No time is invented for text and numbers that are none."""
    assert read(stamp) is None


@given(st.datetimes(min_value=datetime(1996, 1, 1), max_value=datetime(2100, 1, 1)), st.sampled_from(["%Y-%m-%dT%H:%M:%S.%fZ",
       "%d/%b/%Y:%H:%M:%S +0000", "%Y-%m-%d %H:%M:%S,%f", "%d.%m.%Y %H:%M:%S.%f", "%a %b %d %H:%M:%S.%f %Y"]))
def test_reading_undoes_writing(moment, layout):
    """Law: a time written in a layout and read back is the same time."""
    moment = moment.replace(microsecond=0) if "%f" not in layout else moment
    assert read(moment.strftime(layout)) == moment.replace(tzinfo=UTC)


@given(st.integers(10**9, 2 * 10**9))
def test_the_unit_of_an_epoch_is_its_magnitude(seconds):
    """Law: the same instant in s, ms, µs and ns is the same instant."""
    assert {epoch_micros(seconds * 1000**k) for k in range(4)} == {seconds * 1_000_000}


def test_columns_and_single_stamps_agree():
    """Law: the bulk ways (one cast, distinct stamps, numbers) give what one stamp at a time gives."""
    for stamps in (["2026-03-01T13:00:01Z"] * 3 + ["2026-03-01T13:00:01.5Z", None, ""], ["01/Mar/2026:13:00:01 +0330"] * 4, [1772370001] * 3,
                   [1772370001, 1772370001000, "x", 1772370001.5], ["2026-03-01 13:00:01", "2026-03-01T13:00:01+01:00"]):
        assert Clock(year=2026).column(stamps).to_pylist() == [Clock(year=2026).one(s) for s in stamps]


def test_day_and_month_follow_what_the_file_has_shown():
    """03/04/2026 is read by the order that the file has shown; a day above 12 shows itself."""
    assert read("03/04/2026 00:00:00", day_first=True).month == 4
    assert read("03/04/2026 00:00:00", day_first=False).month == 3
    assert read("25/04/2026 00:00:00").day == 25


def test_the_year_turns_with_december():
    """Stamps without a year go on into the next one after December, and a late line of the old year stays in it."""
    column = Clock(year=2025).column(["Dec 31 23:59:59", "Jan  1 00:00:00", "Dec 31 23:59:58", "Jan  1 00:00:05"])
    assert [datetime.fromtimestamp(m / 1e6, UTC).year for m in column.to_pylist()] == [2025, 2026, 2025, 2026]


def test_the_repeated_hour_is_told_apart_by_the_order_of_the_lines():
    """When clocks go back, the second 02:00 is an hour after the first; time never goes back an hour."""
    clock = Clock(zone=ZoneInfo("Europe/Berlin"))
    stamps = [f"2026-10-25 {t}:00" for t in ("01:40", "02:00", "02:40", "02:00", "02:40", "03:00")]
    seconds = [m // 1_000_000 for m in clock.column(stamps).to_pylist()]
    assert [b - a for a, b in itertools.pairwise(seconds)] == [1200, 2400, 1200, 2400, 1200]
    assert clock.ambiguous == 4


def test_the_skipped_hour_is_read_and_counted():
    """When clocks go forward, a stamp that does not exist is read with the offset before the change, and counted."""
    clock = Clock(zone=ZoneInfo("Europe/Berlin"))
    assert clock.one("2026-03-29 02:30:00") == int(datetime(2026, 3, 29, 1, 30, tzinfo=UTC).timestamp()) * 1_000_000
    assert clock.nonexistent == 1


def test_offsets_are_counted_as_seen():
    """The offsets of a file are counted, so that the manifest can say how the zone is known."""
    clock = Clock()
    clock.column(["2026-03-01T12:00:00Z", "2026-03-01T13:00:01+01:00", "2026-03-01T07:00:02-0500"])
    clock.column(["2026-03-01 12:00:00"])
    assert dict(clock.offsets) == {"+00:00": 1, "+01:00": 1, "-05:00": 1, "naive": 1}
