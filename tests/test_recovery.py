"""Recovery is proved from complete minutes, or what is missing is said."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentnb.analysis import recovery as module
from incidentnb.analysis.onset import onset
from incidentnb.evidence.table import table_of
from incidentnb.findings import Finding

START = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)


def log(over=50.0, minutes=80, a_minute=800, quiet=0.01, tail=None, relapse=None, seed=3) -> pd.DataFrame:
    """A fault from minute 30 to ``over`` in half of the regions; ``tail`` thins the traffic after it, ``relapse`` raises two minutes again."""
    draw = np.random.default_rng(seed)
    minute = np.sort(draw.uniform(0, minutes, int(minutes * a_minute)))
    if tail is not None:
        minute = minute[(minute < over) | (draw.random(len(minute)) < tail)]
    region = draw.choice(["eu", "us"], len(minute))
    bad = (minute >= 30) & (minute < over) & (region == "eu")
    if relapse is not None:
        bad |= (minute >= relapse) & (minute < relapse + 2)
    failed = draw.random(len(minute)) < np.where(bad, 0.4, quiet)
    return pd.DataFrame({"time": (pd.Timestamp(START) + pd.to_timedelta(minute * 60, unit="s")).as_unit("us"), "region": region, "failed": failed})


def judged(frame: pd.DataFrame) -> Finding:
    table = table_of(frame)
    return module.recovery(table, onset(table))


def test_over_is_over():
    """Thirty quiet minutes at good traffic after the end are recovery, since about the end."""
    found = judged(log())
    assert found.verdict == "recovered"
    assert abs(found.numbers["since"] - (START + timedelta(minutes=50))) <= timedelta(minutes=2)
    assert found.numbers["upper"] <= 1.5 * found.numbers["baseline"]


def test_going_on_is_not_recovered():
    """A fault that lasts to the end of the data is not recovered, and the current rate is told."""
    found = judged(log(over=99))
    assert (found.verdict, found.numbers["since"]) == ("not recovered", None)
    assert "last 5 complete minutes" in found.why


def test_too_short_says_how_long():
    """Five quiet minutes are not enough; the missing minutes are counted."""
    found = judged(log(minutes=55.0))
    assert found.verdict == "cannot tell"
    assert 4 <= found.numbers["more_minutes"] <= 7


def test_little_traffic_says_how_much_more():
    """Little traffic at a low baseline cannot prove it; the requests still needed are told."""
    found = judged(log(a_minute=120, quiet=0.002, minutes=75))
    assert found.verdict == "cannot tell"
    assert found.numbers["more_requests"] > 1000


def test_silence_is_no_recovery():
    """When the traffic is gone, no failures prove nothing."""
    found = judged(log(tail=0.1))
    assert found.verdict == "cannot tell"


def test_relapse_is_not_recovered():
    """Two raised minutes inside of the quiet stretch are a relapse."""
    assert judged(log(relapse=72)).verdict != "recovered"


def test_the_subset_is_judged_by_itself():
    """A small subset that still fails stops the proof although the total looks quiet."""
    frame = log(quiet=0.01)
    draw = np.random.default_rng(9)
    late = frame["time"] >= START + timedelta(minutes=50)
    frame["tenant"] = np.where(draw.random(len(frame)) < 0.01, "small", "others")
    frame.loc[late & (frame["tenant"] == "small"), "failed"] = draw.random(int((late & (frame["tenant"] == "small")).sum())) < 0.3
    table = table_of(frame)
    scope = Finding("scope", "subset", "", numbers={"subsets": [{"where": {"tenant": "small"}, "cause": True, "rate_before": 0.01}]})
    found = module.recovery(table, onset(table), scope)
    assert found.verdict == "not recovered"
    assert found.why.startswith("tenant = small")


@given(st.integers(0, 500), st.integers(1, 5000))
def test_limits_hold_the_rate(failing, extra):
    """The limits lie around the rate, and within 0 and 1."""
    total = failing + extra
    assert 0 <= module.lower(failing, total) <= failing / total + 1e-12
    assert failing / total - 1e-12 <= module.upper(failing, total) <= 1


@pytest.mark.parametrize(("base", "low", "high"), [(0.01, 1000, 3000), (0.001, 10_000, 30_000)])
def test_needed_traffic(base, low, high):
    """At 1 % some 2,000 requests are needed, at 0.1 % some 18,000."""
    assert low <= module.needed(base) <= high
