"""Did requests get slower: laws first, then known slow stretches, routes, and quiet logs."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from incidentnb.analysis.latency import latency
from incidentnb.evidence.table import table_of

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def requests(factor=3.0, begin=4000, end=5000, rows=20_000, span=7200, seed=1, route=None) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    seconds = np.sort(draw.uniform(0, span, rows))
    routes = np.array(["/cart", "/pay", "/home", "/help"])[draw.integers(0, 4, rows)]
    hit = (seconds >= begin) & (seconds < end) & (route is None or routes == route)
    return pd.DataFrame({"time": (pd.Timestamp(START) + pd.to_timedelta(seconds, unit="s")).as_unit("us"), "http_status": 200, "route": routes,
                         "duration_ms": draw.lognormal(4, 0.6, rows) * np.where(hit, factor, 1.0)})


def test_buckets_sum_and_quantiles_are_right():
    """Every timed request is in one bucket; p50 and p95 of a bucket are those of its requests to a few per cent."""
    frame = requests(factor=1)
    found = latency(table_of(frame), bucket_s=600)
    assert found.frame["total"].sum() == len(frame)
    third = frame[frame["time"].between(START + timedelta(minutes=20), START + timedelta(minutes=30), inclusive="left")]["duration_ms"]
    assert found.frame["p50"].iloc[2] == pytest.approx(third.quantile(0.5), rel=0.05)
    assert found.frame["p95"].iloc[2] == pytest.approx(third.quantile(0.95), rel=0.07)


def test_order_clock_and_unit():
    """Shuffled rows change nothing, later times shift the onset, and times in another unit leave it where it is."""
    frame = requests()
    plain = latency(table_of(frame)).numbers["onset"]
    assert latency(table_of(frame.sample(frac=1, random_state=2))).numbers["onset"] == plain
    assert latency(table_of(frame.assign(time=frame["time"] + timedelta(hours=2)))).numbers["onset"].at - plain.at == timedelta(hours=2)
    other = latency(table_of(frame.assign(duration_ms=frame["duration_ms"] * 40))).numbers["onset"]
    assert abs(other.at - plain.at) <= timedelta(seconds=30)


@pytest.mark.parametrize(("begin", "end"), [(4000, 5000), (5500, 7200)])
def test_a_slow_stretch(begin, end):
    """A stretch that is three times slower is found to the bucket, with its quantiles before and during; an open end is open."""
    found = latency(table_of(requests(begin=begin, end=end)))
    assert found.verdict == "slower"
    assert abs(found.numbers["onset"].at - (START + timedelta(seconds=begin))) <= timedelta(seconds=60)
    assert found.numbers["onset"].earliest <= START + timedelta(seconds=begin) <= found.numbers["onset"].latest
    over = found.numbers["end"]
    assert over is None if end == 7200 else abs(over.at - (START + timedelta(seconds=end))) <= timedelta(seconds=60)
    assert found.numbers["p50"]["during"] / found.numbers["p50"]["before"] == pytest.approx(3, rel=0.15)
    assert found.numbers["p95"]["during"] > 2 * found.numbers["p95"]["before"]
    assert found.numbers["rate"]["baseline"] < 0.08 < found.numbers["rate"]["during"]


def test_the_slow_route_is_named():
    """Where one route of four gets slower, it stands first."""
    found = latency(table_of(requests(factor=6, route="/pay")))
    assert found.verdict == "slower"
    assert found.numbers["routes"][0]["route"] == "/pay"
    assert found.numbers["routes"][0]["p95"] > 3 * found.numbers["routes"][0]["p95_before"]


def test_quiet_and_faster_are_no_change():
    """Even durations, and a stretch that is faster, are no change; what would have been seen is said."""
    for seed in range(8):
        found = latency(table_of(requests(factor=1, seed=seed)))
        assert found.verdict == "no change"
        assert 0.05 < found.numbers["smallest_visible"] < 0.5
    assert latency(table_of(requests(factor=0.4))).verdict == "no change"


def test_a_surge_is_not_slower():
    """Three times the traffic at the same speed is no change."""
    frame = pd.concat([requests(factor=1), requests(factor=1, seed=2, span=1000, rows=8000).assign(
        time=lambda f: f["time"] + timedelta(seconds=3000))])
    assert latency(table_of(frame)).verdict == "no change"


def test_without_durations_cannot_be_told():
    """No duration, or too few, is "cannot tell"."""
    assert latency(table_of(requests().drop(columns="duration_ms"))).verdict == "cannot tell"
    assert latency(table_of(requests(rows=40))).verdict == "cannot tell"
