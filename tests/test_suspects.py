"""Known changes, ranked against the onset and the failing subset."""

from datetime import UTC, datetime, timedelta

import pytest

from incidentnb.analysis.suspects import suspects
from incidentnb.evidence.changes import Change
from incidentnb.findings import Finding
from incidentnb.times import Interval

BEGAN = datetime(2026, 11, 23, 14, 3, 20, tzinfo=UTC)
ONSET = Interval(BEGAN, BEGAN - timedelta(seconds=15), BEGAN + timedelta(seconds=20))


def at(minutes: float, kind: str = "deploy", identity: str = "x", **more) -> Change:
    return Change(at=BEGAN + timedelta(minutes=minutes), kind=kind, id=identity, **({"summary": ""} | more))


def only(**where) -> Finding:
    return Finding("scope", "subset", "", numbers={"subsets": [{"where": where, "cause": True, "same_as": []}]})


def order(changes, scope=None) -> list[str]:
    return [c["id"] for c in suspects(changes, ONSET, scope).numbers["changes"] if c["rank"]]


def test_nearest_before_comes_first():
    """Without a subset the nearest change before the onset ranks first."""
    assert order([at(-90, identity="old"), at(-1, identity="near"), at(-20, identity="mid")])[0] == "near"


def test_failing_version_comes_first():
    """The deploy of the failing version ranks first, also when another change is nearer; the reason says so."""
    found = suspects([at(-0.5, "config", "c"), at(-9, identity="d", version="4.18.0"), at(-2, identity="other", version="2.0")], ONSET,
                     only(version="v4.18.0"))
    first = found.numbers["changes"][0]
    assert (first["id"], first["rank"]) == ("d", 1)
    assert "the failing subset is this version" in first["reasons"]


def test_commit_stands_with_its_deploy():
    """A commit that a deploy contains comes right after that deploy and says so."""
    sha = "4f2a91c" + "0" * 33
    changes = [at(-30, "commit", sha, summary="switch payment client"), at(-1, identity="d", version="4.18.0", details={"commit": "4f2a91c00000"}),
               at(-3, "commit", "b" * 40, summary="fix a typo"), at(-10, "job", "j")]
    found = suspects(changes, ONSET, only(version="4.18.0"))
    assert [c["id"] for c in found.numbers["changes"]][:2] == ["d", sha]
    assert "in the deploy 4.18.0" in found.numbers["changes"][1]["reasons"]


@pytest.mark.parametrize("minutes", [1, 30])
def test_after_the_onset_is_never_a_candidate(minutes):
    """A change after the latest onset is listed without a rank; alone it means that no known change explains it."""
    found = suspects([at(minutes, identity="late")], ONSET, None)
    assert found.verdict == "no known change explains it"
    assert found.numbers["changes"][0]["rank"] is None
    assert "after the onset" in found.numbers["changes"][0]["reasons"][0]


def test_long_before_explains_nothing():
    """A change of yesterday explains nothing by itself."""
    assert suspects([at(-60 * 20)], ONSET, None).verdict == "no known change explains it"


def test_service_and_named_values_count():
    """Of two equal changes the one on the failing service, or that names the failing value, ranks first."""
    assert order([at(-5, identity="a", service="web"), at(-5, identity="b", service="cart")], only(service="cart"))[0] == "b"
    assert order([at(-4, "flag", "a", summary="new banner"), at(-5, "flag", "b", summary="beta checkout for eu-west")],
                 only(region="eu-west"))[0] == "b"


def test_nothing_known_is_said():
    """No change given, and no onset, are both "cannot tell"."""
    assert suspects([], ONSET).verdict == "cannot tell"
    assert suspects([at(-1)], Finding("onset", "no spike", "", numbers={"onset": None})).verdict == "cannot tell"
