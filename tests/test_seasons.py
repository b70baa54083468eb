"""What is usual at this time of day: robust over the other days, silent where there are too few."""

import numpy as np
import pytest

from incidentnb.analysis import seasons

HOUR = 3600


def hourly(days=8, seed=1, noise=2.0):
    draw = np.random.default_rng(seed)
    time = np.arange(days * 24) * HOUR + 20_000 * seasons.DAY
    values = 100 + 50 * np.sin(2 * np.pi * time / seasons.DAY) + draw.normal(0, noise, len(time))
    return time, values


def test_the_daily_wave_is_found():
    """A wave that repeats every day is expected, with how many days it rests on and how much it explains."""
    time, values = hourly()
    found = seasons.expected(time, values, None, HOUR)
    assert found.period_s == seasons.DAY
    assert set(found.periods) == {7}
    assert found.gain > 0.8
    assert np.abs(found.expected - values).mean() < 4
    assert ((found.low <= found.expected) & (found.expected <= found.high)).all()


def test_one_bad_day_changes_nothing_for_itself():
    """An incident on one day is not part of what is expected of that day: not at all, not a little."""
    time, values = hourly()
    bad = values.copy()
    bad[100:110] += 500
    before, after = (seasons.expected(time, v, None, HOUR) for v in (values, bad))
    assert np.array_equal(before.expected[96:120], after.expected[96:120])
    assert np.abs(before.expected - after.expected).max() < 5


@pytest.mark.parametrize("days", [1, 2, 3])
def test_too_few_days_are_none(days):
    """With fewer than three other days nothing is expected."""
    assert seasons.expected(*hourly(days), None, HOUR) is None


def test_no_season_is_none():
    """Noise without a daily wave gets no profile: it would only add noise."""
    draw = np.random.default_rng(3)
    assert seasons.expected(np.arange(500) * HOUR, draw.normal(0, 1, 500), None, HOUR) is None


def test_shift_and_scale():
    """Shifted by days, scaled and raised by a constant, the profile is the same, scaled and raised."""
    time, values = hourly()
    plain, other = seasons.expected(time, values, None, HOUR), seasons.expected(time + 30 * seasons.DAY, 3 * values + 7, None, HOUR)
    assert other.expected == pytest.approx(3 * plain.expected + 7)


def test_missing_is_unknown():
    """A slot that the other days lack is not expected to be zero: it is unknown."""
    time, values = hourly(5)
    keep = (np.arange(len(time)) % 24 != 3) | (np.arange(len(time)) // 24 == 4)
    found = seasons.expected(time[keep], values[keep], None, HOUR)
    at = np.flatnonzero(time[keep] % seasons.DAY == 3 * HOUR)
    assert np.isnan(found.expected[at]).all()
    assert np.isfinite(found.expected[:3]).all()


def test_a_nightly_batch_is_expected_to_fail():
    """Rates are profiled with their weights: what fails every night at two is expected then, and nothing at noon."""
    draw = np.random.default_rng(5)
    time = np.arange(6 * 48) * 1800
    total = np.full(len(time), 400)
    failing = draw.binomial(total, np.where(time % seasons.DAY // 1800 == 4, 0.2, 0.005))
    found = seasons.expected(time, failing, total, 1800)
    assert found.expected[time % seasons.DAY // 1800 == 4] == pytest.approx(0.2, abs=0.05)
    assert found.expected[time % seasons.DAY // 1800 == 24].max() < 0.02


def test_earlier_days_only():
    """Asked for what was known then, the first days have no expectation and later ones rest on what came before."""
    time, values = hourly()
    found = seasons.profile(time, values, None, HOUR, seasons.DAY, earlier_only=True)
    assert np.isnan(found.expected[:72]).all()
    assert found.periods.reshape(8, 24)[:, 0].tolist() == list(range(8))


def test_many_weeks():
    """A wave over the week is told from one over the day once enough weeks are there."""
    draw = np.random.default_rng(2)
    time = np.arange(6 * 7 * 24) * HOUR
    values = np.where(time // seasons.DAY % 7 >= 5, 20.0, 100.0) + draw.normal(0, 3, len(time))
    assert seasons.expected(time, values, None, HOUR).period_s == seasons.WEEK
