"""Milestones with their provenance, and the times between them: differences, never below zero, never invented."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from record_samples import begun

from incidentnb.exceptions import InputError
from incidentnb.findings import Finding
from incidentnb.record import incident, journal, milestones, statements
from incidentnb.record.milestones import NAMES, metrics, set_milestone
from incidentnb.times import Interval

T0 = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def known(folder):
    return milestones.milestones(journal.read(folder))


def minutes(n: float) -> timedelta:
    return timedelta(minutes=n)


def test_missing_is_not_recorded(tmp_path):
    """What nobody recorded is "not recorded", in milestones and in the times between; nothing is 0."""
    folder = incident.create(tmp_path, "x", "1")
    found = incident.load(folder)
    assert all(m.moment is None and m.text() == m.provenance == "not recorded" for m in found.milestones.values())
    assert all(m.value is None and "not recorded" in m.text() and m.as_json()["value_s"] is None for m in found.metrics.values())
    assert list(found.metrics) == ["TTD", "TTA", "TTM", "TTR", "impact"]


@settings(max_examples=40, deadline=None)
@given(at=st.lists(st.integers(0, 60 * 24 * 40), min_size=5, max_size=5), present=st.lists(st.booleans(), min_size=5, max_size=5),
       start=st.sampled_from([T0, datetime(2026, 3, 28, 20, tzinfo=UTC), datetime(2026, 10, 24, 20, tzinfo=UTC),
                              datetime(2026, 12, 31, 23, 30, tzinfo=UTC)]))
def test_durations_are_differences(at, present, start):
    """Over midnights, changes of the clocks, weeks and the turn of the year: each time is its end minus its start, or says what is missing."""
    at = sorted(at)
    given_at = {name: start + minutes(n) for name, n, there in zip(NAMES, at, present, strict=True) if there}
    with begun() as folder:
        for name, moment in given_at.items():
            set_milestone(folder, name, moment, actor="Dana")
        found = metrics(known(folder))
    for name, (first, last) in milestones.METRICS.items():
        if first in given_at and last in given_at:
            assert found[name].value == given_at[last] - given_at[first]
        else:
            assert found[name].value is None
            assert {first, last} - given_at.keys() == {word for word in (first, last) if word in found[name].problem}


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(NAMES))
def test_order_of_recording_does_not_matter(order):
    """Milestones recorded in any order, late ones included, give the same times."""
    with begun() as folder:
        for name in order:
            set_milestone(folder, name, T0 + minutes(7 * NAMES.index(name)), actor="Dana")
        found = metrics(known(folder))
    assert [m.value for m in found.values()] == [minutes(n) for n in (7, 7, 14, 21, 28)]


def test_printed_from_to(folder):
    """A time is printed with both its ends, in the zone that is asked for, here over the night in which an hour is repeated."""
    set_milestone(folder, "detected", datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
    set_milestone(folder, "resolved", datetime(2026, 10, 25, 1, 45, 10, tzinfo=UTC))
    assert metrics(known(folder))["TTR"].text(ZoneInfo("Europe/Berlin")) == (
        "TTR 1 h 15 min (detected 2026-10-25T02:30:00+02:00 → resolved 2026-10-25T02:45:10+01:00)")


def test_interval_gives_the_least_and_the_most(folder):
    """Where a milestone is only known to lie in an interval, the time between says between what it lies."""
    set_milestone(folder, "started", Interval(T0, T0 - minutes(1), T0 + minutes(2)))
    set_milestone(folder, "detected", T0 + minutes(10))
    found = metrics(known(folder))["TTD"]
    assert (found.value, found.bounds) == (minutes(10), (minutes(8), minutes(11)))
    assert "between 8 min and 11 min" in found.text()


def test_negative_is_refused_and_names_the_two(folder):
    """A milestone that would make a time negative is refused with both entries; the journal stays as it was."""
    set_milestone(folder, "detected", T0, actor="Dana")
    before = journal.read(folder)
    for name, moment in (("resolved", T0 - minutes(1)), ("started", T0 + minutes(1)), ("acknowledged", T0 - timedelta(days=1))):
        with pytest.raises(InputError, match=r"this entry.*#1|#1.*this entry") as error:
            set_milestone(folder, name, moment)
        assert "\n" not in str(error.value)
    assert journal.read(folder) == before
    set_milestone(folder, "started", Interval(T0 + minutes(1), T0 - minutes(1), T0 + minutes(2)))
    found = metrics(known(folder))["TTD"]
    assert found.value is None and "too near to tell" in found.problem, "they overlap: no value, and no refusal"


def test_negative_through_another_entry_is_told(folder):
    """Where a later onset finding turns a time negative, it has no value, and the two entries are named."""
    set_milestone(folder, "detected", T0)
    statements.record_finding(folder, Finding("onset", "spike", "x", numbers={"onset": Interval(*[T0 + minutes(5)] * 3)}))
    found = metrics(known(folder))["TTD"]
    assert (found.value, found.negative) == (None, True) and "#1" in found.problem and "#2" in found.problem


def test_correction_of_a_wrong_milestone(folder):
    """The last word holds; a correction may turn the order round, where it repairs it."""
    first = set_milestone(folder, "detected", T0)
    with pytest.raises(InputError):
        set_milestone(folder, "resolved", T0 - minutes(5))
    set_milestone(folder, "detected", T0 - minutes(20), supersedes=first.seq)
    set_milestone(folder, "resolved", T0 - minutes(5))
    set_milestone(folder, "resolved", T0 - minutes(4))
    assert metrics(known(folder))["TTR"].value == minutes(16)


def test_started_comes_from_the_onset_unless_a_person_says(folder):
    """The onset finding gives started with its interval and its id; the word of a person wins; "no spike" gives nothing."""
    statements.record_finding(folder, Finding("onset", "no spike", "x", numbers={"onset": None}))
    assert known(folder)["started"].moment is None
    onset = Finding("onset", "spike", "x", numbers={"onset": Interval(T0, T0 - minutes(1), T0 + minutes(1))})
    statements.record_finding(folder, onset)
    found = known(folder)["started"]
    assert (found.moment, onset.id in found.provenance, found.seq) == (onset.numbers["onset"], True, 2)
    set_milestone(folder, "started", T0 + minutes(3), source="customer call", actor="Dana")
    found = known(folder)["started"]
    assert (found.moment, found.provenance) == (T0 + minutes(3), "Dana, customer call (entry #3)")


def test_resolved_comes_from_the_status_and_not_from_before_a_reopening(tmp_path):
    """The status resolved says when; after a reopening neither that nor the mitigation of before holds until said again."""
    folder = incident.create(tmp_path, "x", "2", at=T0, recorded_at=T0)
    set_milestone(folder, "mitigated", T0 + minutes(20), recorded_at=T0 + minutes(20))
    statements.set_status(folder, "resolved", at=T0 + minutes(30), recorded_at=T0 + minutes(31))
    assert known(folder)["resolved"].at == T0 + minutes(30)
    statements.reopen(folder, "back", at=T0 + minutes(60), recorded_at=T0 + minutes(60))
    found = known(folder)
    assert (found["mitigated"].moment, found["resolved"].moment) == (None, None)
    set_milestone(folder, "resolved", T0 + timedelta(days=2), recorded_at=T0 + timedelta(days=2))
    assert known(folder)["resolved"].at == T0 + timedelta(days=2)


def test_without_a_time_it_is_now_and_says_so(folder):
    """A milestone without a time is passed as it is recorded, which its provenance says; said again it is the same."""
    first = set_milestone(folder, "acknowledged_at", recorded_at=T0, actor="Dana")
    assert set_milestone(folder, "ack", recorded_at=T0 + minutes(5), actor="Dana") == first
    found = known(folder)["acknowledged"]
    assert (found.at, found.provenance) == (T0, "Dana, at the time of recording (entry #1)")


def test_unknown_milestone(folder):
    """Another word is refused with the nearest one."""
    with pytest.raises(InputError, match="did you mean mitigated"):
        set_milestone(folder, "mitigatd", T0)
    assert journal.read(folder) == []
