"""The suggested severity, the routes and the users that it rests on."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentnb.analysis.severity import TABLE, by_share, severity
from incidentnb.evidence.table import table_of
from incidentnb.findings import Finding


def spike(rate: float, end=None, counts: tuple[int, int] | None = None) -> Finding:
    frame = None if counts is None else pd.DataFrame({"failing": [counts[0]], "total": [counts[1]], "during": [True]})
    return Finding("onset", "spike", "", numbers={"spikes": [{"rate": rate}], "rate": {"baseline": 0.001, "during": rate}, "end": end}, frame=frame)


def users(affected: int, total: int) -> Finding:
    return Finding("users", "counted", "", numbers={"affected": affected, "total": total, "by": "user", "share": affected / total})


def subset(inside: float, share: float) -> Finding:
    entry = {"where": {"tenant": "acme"}, "cause": True, "failed": round(inside * 1000), "total": 1000, "rate_inside": inside,
             "share_of_traffic": share}
    return Finding("scope", "subset", "", numbers={"subsets": [entry]})


QUIET = Finding("onset", "no spike", "", numbers={"spikes": [], "rate": {"baseline": 0.001, "during": None}, "end": None}, why="x")


@pytest.mark.parametrize(("rate", "level"), [(0.9, "SEV-1"), (0.2, "SEV-2"), (0.02, "SEV-3"), (0.002, "SEV-4")])
def test_share_of_requests(rate, level):
    """The share of failing requests alone gives the four severities."""
    assert severity(spike(rate)).verdict == level


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_is_never_less_severe(one, other):
    """The level never falls while the share of requests, of users or of a subset's traffic rises."""
    low, high = sorted((one, other))
    assert by_share(high) <= by_share(low)
    counted = [severity(spike(share, counts=(round(share * 5000), 5000)), users=users(round(other * 300), 300)).verdict for share in (low, high)]
    assert counted[1] <= counted[0]
    hit = [severity(spike(0.01), users=users(round(share * 300), 300)).verdict for share in (low, high)]
    assert hit[1] <= hit[0]
    inside = [severity(spike(0.01), subset(0.95, share)).verdict for share in (low, high)]
    assert inside[1] <= inside[0]


def test_the_higher_one_holds():
    """Few requests but many users is the higher severity; the reasons are told, and that the measures differ."""
    found = severity(spike(0.01), users=users(300, 1000))
    assert found.verdict == "SEV-2"
    assert "300 of 1,000 users" in found.why
    assert "the measures differ, from SEV-2 to SEV-3: the higher one holds (users)" in found.why


def test_users_that_the_baseline_hits_too_do_not_count():
    """Over a long time the usual failures meet many users as well: those make no severity."""
    onset = Finding("onset", "spike", "", numbers={"spikes": [{"rate": 0.012}], "rate": {"baseline": 0.01, "during": 0.012}, "end": None},
                    frame=pd.DataFrame({"failing": [1200], "total": [100_000], "during": [True]}))
    found = severity(onset, users=users(640, 1000))
    assert found.numbers["measures"][1]["level"] == "SEV-3"
    assert "63 % would be at the baseline too" in found.why


def test_unsure_is_the_higher_one():
    """A share that may lie above the next threshold by its exact limit is taken for that, and it is told."""
    found = severity(spike(0.045, counts=(9, 200)))
    assert found.verdict == "SEV-2" and "it may be 7.7 %" in found.why
    assert severity(spike(0.045, counts=(4500, 100_000))).verdict == "SEV-3"


def test_a_route_that_is_down_counts():
    """A route that is as good as down is at least SEV-3 however small its share."""
    route = {"method": "POST", "route": "/pay", "failed": 90, "total": 100, "rate_during": 0.9}
    quiet = {"method": "GET", "route": "/", "failed": 1, "total": 90_000, "rate_during": 0.0}
    found = severity(spike(0.001), routes=Finding("routes", "measured", "", numbers={"routes": [route, quiet]}))
    assert found.verdict == "SEV-3"
    assert "POST /pay is down: 90 of 100" in found.why


def test_a_tenant_that_is_down_counts():
    """A tenant for which it is down is at least SEV-3 however small, and SEV-2 when it makes 5 % of the traffic."""
    assert severity(spike(0.001), subset(0.97, 0.001)).verdict == "SEV-3"
    found = severity(spike(0.04), subset(0.97, 0.06))
    assert found.verdict == "SEV-2" and "for tenant = acme it is down: 970 of 1,000" in found.why


@pytest.mark.parametrize(("left", "level"), [(0.01, "SEV-1"), (0.4, "SEV-2"), (0.8, "SEV-3")])
def test_traffic_that_is_gone_counts_without_a_spike(left, level):
    """A dead service logs no failure: traffic gone to near zero is SEV-1 although no error rate rose."""
    gone = Finding("volume", "drop", "", numbers={"rate": {"baseline": 1000.0, "during": 1000.0 * left}})
    assert severity(QUIET, volume=gone).verdict == level
    assert severity(QUIET, volume=Finding("volume", "no drop", "")).numbers["suggested"] is None


def test_slowness_counts_without_a_spike():
    """Slower is SEV-3, ten times slower SEV-2."""
    slow = [Finding("latency", "slower", "", numbers={"rate": {"baseline": 0.05, "during": 0.9}, "p50": {"before": 40.0, "during": 80.0},
                                                      "p95": {"before": 100.0, "during": 100.0 * x}}) for x in (2, 12)]
    assert [severity(QUIET, latency=s).verdict for s in slow] == ["SEV-3", "SEV-2"]
    assert "90 % of the requests are slow, they take 12.0 times as long" in severity(QUIET, latency=slow[1]).why


def test_a_silent_source_is_not_everyone():
    """One source that fell silent while the whole goes on counts by its share of the traffic."""
    for usual, level in ((400.0, "SEV-2"), (3.0, "SEV-3")):
        silent = [{"column": "host", "value": "web-3", "usual_per_minute": usual}]
        numbers = {"rate": {"baseline": 1000.0, "during": None}, "spikes": [], "silent": silent}
        found = severity(QUIET, volume=Finding("volume", "drop", "", numbers=numbers))
        assert found.verdict == level and "host web-3 is silent" in found.why and not found.numbers["over"]


def test_the_real_findings_are_understood():
    """A log whose traffic stops for a while, and one whose requests get slower, are weighed from the findings as they are made."""
    from incidentnb.analysis.latency import latency
    from incidentnb.analysis.volume import volume

    draw = np.random.default_rng(1)
    minute = np.sort(draw.uniform(0, 120, 24_000))
    frame = pd.DataFrame({"time": (pd.Timestamp("2026-11-23 13:00", tz="UTC") + pd.to_timedelta(minute * 60, unit="s")).as_unit("us"),
                          "failed": draw.random(len(minute)) < 0.005, "duration_ms": draw.lognormal(4, 0.5, len(minute))})
    gone = severity(QUIET, volume=volume(table_of(frame[(minute < 60) | (minute > 80) | (draw.random(len(minute)) < 0.02)])))
    assert gone.verdict == "SEV-1" and gone.numbers["over"]
    frame.loc[minute > 70, "duration_ms"] *= 20
    assert severity(QUIET, latency=latency(table_of(frame))).verdict == "SEV-2"


def test_the_runbooks_table_is_there():
    """The frame is the runbook's table; one row is suggested, and rows that other measures speak for say so."""
    frame = severity(spike(0.01), users=users(300, 1000)).frame
    assert list(frame.columns) == ["severity", "what it means", "response clock", "this incident"]
    assert [tuple(row) for row in frame.iloc[:, :3].itertuples(index=False)] == list(TABLE)
    here = list(frame["this incident"])
    assert here[1].startswith("suggested: 300 of 1,000 users") and here[2].startswith("alone: 1.0 % of the requests") and here[0] == here[3] == ""


def test_the_table_is_the_runbooks(shared):
    """The table is the one that the runbook prints."""
    text = (shared / "RUNBOOK.md").read_text(encoding="utf-8")
    assert all(f"| {' | '.join(row)} |" in text for row in TABLE)


@pytest.mark.parametrize("verdict", ["no spike", "cannot tell"])
def test_no_spike_no_severity(verdict):
    """Without a spike none is suggested."""
    found = severity(Finding("onset", verdict, "", why="x"))
    assert found.numbers["suggested"] is None and len(found.frame) == 4
