"""The suggested severity, the routes and the users that it rests on."""

import pytest

from incidentnb.analysis.severity import severity
from incidentnb.findings import Finding


def spike(rate: float, end=None) -> Finding:
    return Finding("onset", "spike", "", numbers={"spikes": [{"rate": rate}], "rate": {"baseline": 0.001, "during": rate}, "end": end})


def users(affected: int, total: int) -> Finding:
    return Finding("users", "counted", "", numbers={"affected": affected, "total": total, "by": "user", "share": affected / total})


@pytest.mark.parametrize(("rate", "level"), [(0.9, "SEV-1"), (0.2, "SEV-2"), (0.02, "SEV-3"), (0.002, "SEV-4")])
def test_share_of_requests(rate, level):
    """The share of failing requests alone gives the four severities."""
    assert severity(spike(rate)).verdict == level


def test_the_higher_one_holds():
    """Few requests but many users is the higher severity; and the reasons are told."""
    found = severity(spike(0.01), users=users(300, 1000))
    assert found.verdict == "SEV-2"
    assert "300 of 1,000 users" in found.why


def test_a_route_that_is_down_counts():
    """A route that is as good as down is at least SEV-3 however small its share."""
    route = {"method": "POST", "route": "/pay", "failed": 90, "total": 100, "rate_during": 0.9}
    quiet = {"method": "GET", "route": "/", "failed": 1, "total": 90_000, "rate_during": 0.0}
    assert severity(spike(0.001), routes=Finding("routes", "measured", "", numbers={"routes": [route, quiet]})).verdict == "SEV-3"


@pytest.mark.parametrize("verdict", ["no spike", "cannot tell"])
def test_no_spike_no_severity(verdict):
    """Without a spike none is suggested."""
    assert severity(Finding("onset", verdict, "", why="x")).numbers["suggested"] is None
