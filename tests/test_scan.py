"""The likelihood scan: where a series is raised, and whether it is at all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidentnb.analysis import scan


def series(n=120, total=500, rate=0.01, start=None, end=None, during=0.08, seed=1):
    draw = np.random.default_rng(seed)
    chance = np.full(n, rate)
    if start is not None:
        chance[start:end] = during
    counts = draw.poisson(total, n).astype(float)
    return draw.binomial(counts.astype(int), chance).astype(float), counts


@pytest.mark.parametrize(("start", "end"), [(40, 60), (70, 120), (5, 120), (100, 103)])
def test_interval_is_found(start, end):
    """A raised stretch is found to the bucket, short or long, ended or not."""
    found = scan.find(*series(start=start, end=end))
    assert [(r.start, r.end) for r in found.rises] == [(start, end)]
    assert found.p_value < 0.05
    assert found.p0 == pytest.approx(0.01, rel=0.35)  # the quieter buckets of an even rate are a little below it


def test_two_spikes_are_two_in_order():
    """Two separate spikes are both named, the earlier first."""
    failing, total = series(start=30, end=36)
    more, _ = series(start=80, end=90)
    failing[60:] = np.minimum(more[60:], total[60:])
    assert [(r.start, r.end) for r in scan.find(failing, total).rises] == [(30, 36), (80, 90)]


@pytest.mark.parametrize("spread", [0.0, 0.001])
def test_quiet_series_stay_quiet(spread):
    """Few quiet series are called a spike, evenly noisy or more than that; and each says what would have been seen."""
    alarms = 0
    for seed in range(20):
        draw = np.random.default_rng(seed)
        total = draw.poisson(400, 90)
        chance = draw.beta(0.01 * (1 - spread) / spread, 0.99 * (1 - spread) / spread, 90) if spread else np.full(90, 0.01)
        found = scan.find(draw.binomial(total, chance), total)
        alarms += bool(found.rises)
        assert 0.01 < found.smallest < 0.5
    assert alarms <= 2


def test_unknown_is_not_zero():
    """Buckets without a request neither start a spike, nor end one, nor join the baseline."""
    failing, total = series(start=60, end=120)
    total[50:58] = failing[50:58] = 0
    total[80:90] = failing[80:90] = 0
    assert [(r.start, r.end) for r in scan.find(failing, total).rises] == [(60, 120)]


@pytest.mark.parametrize("total", [[], [0.0] * 30, [5.0], [100.0] * 30])
def test_nothing_is_no_spike(total):
    """An empty series, one without requests and one without failures are no spike and no error."""
    assert scan.find(np.zeros(len(total)), np.array(total)).rises == ()


def test_at_least_ten_failures_above():
    """Nine failures where none were is no spike, however unlikely."""
    total = np.full(60, 1000.0)
    failing = np.zeros(60)
    failing[40] = 9
    assert scan.find(failing, total).rises == ()
    failing[40] = 30
    assert scan.find(failing, total).rises[0].start == 40


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 300)), min_size=1, max_size=40))
def test_any_series_has_an_orderly_answer(points):
    """For any counts: the same answer twice, intervals in order and apart, likely ranges around them."""
    failing, total = (np.array(x, float) for x in zip(*((min(f, n), n) for f, n in points), strict=True))
    found = scan.find(failing, total)
    assert found == scan.find(failing, total)
    assert all(a.end <= b.start for a, b in zip(found.rises, found.rises[1:], strict=False))
    for r in found.rises:
        assert 0 <= r.start_low <= r.start <= r.start_high < r.end <= len(total)
        assert r.start < r.end_low <= r.end <= r.end_high
        assert r.excess >= 0
