"""New, grown, vanished: claims about counts that hold against exposure, bursts, and the many patterns that are looked at."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentnb.analysis.newness import Counted, Exposure, adjusted, at_least, change, dispersion, judge

HOUR = Exposure(3600, 1800, 10_000, 5_000, 60)


def counted(times: list[float], exposure: Exposure = HOUR) -> Counted:
    """What was seen of a pattern that came at these seconds from the onset."""
    slots: dict[int, int] = {}
    for t in times:
        slot = int(t // exposure.width)
        slots[slot] = slots.get(slot, 0) + 1
    before = [t for t in times if t < 0]
    return Counted(len(before), len(times) - len(before), slots, max(before, default=0.0), max(times, default=0.0))


def drawn(rng: random.Random, rate: float, since: float = 1.0) -> list[float]:
    """Times of a pattern of so many a minute, and since the onset of ``since`` times as many."""
    times, t = [], -3600.0
    while True:
        t += rng.expovariate(rate / 60 * (since if t >= 0 else 1.0) or 1e-9)
        if t >= 1800:
            return times
        times.append(t)


@pytest.mark.parametrize("rate", [0.01, 0.1, 1, 10, 60])
def test_equal_rates_are_no_news(rate):
    """A pattern of equal rate before and since is called nothing in at least 95 % of draws, alone or among many."""
    rng = random.Random(f"{rate}")
    cases = [counted(drawn(rng, rate)) for _ in range(200)]
    alone = [judge([c], HOUR)[0] for c in cases]
    assert sum(j.new or j.grown for j in alone) <= 10
    assert sum(j.vanished for j in alone) <= 10
    together = judge(cases, HOUR)
    assert sum(j.new or j.grown or j.vanished for j in together) <= 2


def test_what_changed_is_told():
    """New, ten times as frequent, and silent patterns are called so among a hundred that are unchanged; at most one answer is true of each."""
    rng = random.Random(1)
    cases = [counted(drawn(rng, 5)) for _ in range(100)]
    cases += [counted([t for t in drawn(rng, 1) if t >= 0]), counted(drawn(rng, 2, 10)), counted([t for t in drawn(rng, 2) if t < 0])]
    answers = judge(cases, HOUR)
    assert [(j.new, j.grown, j.vanished) for j in answers[100:]] == [(True, False, False), (False, True, False), (False, False, True)]
    assert sum(j.new or j.grown or j.vanished for j in answers[:100]) <= 2
    assert all(j.new + j.grown + j.vanished <= 1 for j in answers)


def test_rare_is_not_vanished():
    """Three times a day is not vanished in twenty minutes, once a second is; nor is a nightly burst of thousands."""
    day = Exposure(86_400, 1200, width=144)
    rare, heart = counted([-80_000, -50_000, -20_000], day), counted([-float(s) for s in range(1, 86_400)], day)
    burst = counted([-40_000 + s / 50 for s in range(5000)], day)
    assert [j.vanished for j in judge([rare, heart, burst], day)] == [False, True, False]


def test_silence_must_begin_at_the_onset():
    """A job that had ended long before the onset did not vanish with it; one that stopped within the first minutes since did."""
    ended = counted([-3600 + s for s in range(1200)])
    trailing = counted([float(s) for s in range(-3600, 90)])
    assert [j.vanished for j in judge([ended, trailing], HOUR)] == [False, True]


def test_surge_of_traffic_is_no_news():
    """What comes once in a thousand requests is not new because there are fifty times as many; at steady traffic it is."""
    times = [float(s) for s in range(0, 600, 60)]
    surge, steady = Exposure(3600, 600, 1_000, 50_000, 60), Exposure(3600, 600, 36_000, 6_000, 60)
    assert not judge([counted(times, surge)], surge)[0].new
    assert judge([counted(times, steady)], steady)[0].new


def test_one_burst_has_not_grown():
    """A single burst since the onset is no growth; the same count spread over the time is."""
    before = [-3600 + 60.0 * s for s in range(60)]
    burst, spread = counted(before + [900.0] * 300), counted(before + [6.0 * s for s in range(300)])
    assert [judge([c], HOUR)[0].grown for c in (burst, spread)] == [False, True]


def test_nothing_to_compare_with_is_no_news():
    """Without a time before or since, nothing is called anything."""
    case = counted([float(s) for s in range(100)])
    assert not judge([case], Exposure(0, 1800))[0].new
    assert not judge([case], Exposure(3600, 0))[0].new


@pytest.mark.parametrize(("exposure", "least"), [(Exposure(3600, 3600), 5), (Exposure(3600, 360), 2), (Exposure(360, 3600), 32)])
def test_least_count_is_the_smallest_that_is_new(exposure, least):
    """A lone pattern is new from ``least`` occurrences on, not before."""
    assert exposure.least == least
    assert [judge([counted([float(s) for s in range(n)], exposure)], exposure)[0].new for n in (least - 1, least)] == [False, True]


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=30))
def test_adjusted_never_below(pairs):
    """An adjusted p is never below the p itself, keeps its order, and stays 1 where the test could not have been significant."""
    p = [max(a, b) for a, b in pairs]
    answer = adjusted(p, [min(a, b) for a, b in pairs])
    assert all(q >= a - 1e-12 for q, a in zip(answer, p, strict=True))
    able = sorted((a, q) for a, q, (x, y) in zip(p, answer, pairs, strict=True) if min(x, y) <= 0.05)
    assert [q for _, q in able] == sorted(q for _, q in able)


def test_adjusted_known():
    """Benjamini and Hochberg by hand: 0.01, 0.04, 0.03 of three tests are 0.03, 0.04, 0.04; a test that can say nothing is not counted."""
    assert adjusted([0.01, 0.04, 0.03, 1.0], [0, 0, 0, 1]) == pytest.approx([0.03, 0.04, 0.04, 1.0])


def test_dispersion_of_bursts():
    """Evenly spread counts have dispersion 1, a single burst of n about n."""
    assert dispersion(counted([-3600 + 60.0 * s for s in range(60)]), HOUR) == 1.0
    assert dispersion(counted([-1000.0] * 500), HOUR) == pytest.approx(500, rel=0.02)


def test_change_is_measured_against_exposure():
    """Twice the count in twice the traffic is no change."""
    gain, ratio = change(100, 200, 1000, 2000)
    assert gain == pytest.approx(0, abs=1e-9)
    assert ratio == pytest.approx(1, rel=0.01)
    assert change(0, 50, 1000, 1000)[0] > 20


@given(st.integers(0, 40), st.integers(1, 40), st.floats(0.01, 0.99))
def test_tail_is_the_sum_of_its_terms(k, n, p):
    """The tail of the binomial above its mean is what its terms sum to; below it no claim is made."""
    direct = sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))
    assert at_least(k, n, p) == (pytest.approx(direct, rel=1e-9, abs=1e-15) if k > n * p else 1.0)
