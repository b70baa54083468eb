"""How sure a few failures make us: exact limits of a failing rate, and when a rate is proved to be back although one looks every minute."""

from __future__ import annotations

import math
from collections.abc import Callable

CONFIDENCE = 0.95
LIMIT_RATIO = 1.5  # the upper 95 % limit of the failing rate must be at most this many times the baseline
RELAPSE_RATIO = 2.0  # and a rate of this many times the baseline must be excluded with what the baseline itself leaves open
FLOOR = 0.0005  # a baseline below this is taken as this: nobody can prove a rate of nothing
FIRST_LOOK = 10  # minutes


def upper(failing: float, total: float, confidence: float = CONFIDENCE) -> float:
    """The exact one-sided upper limit of a rate; 1 where nothing is known.

    Method: the rate at which so few failures or fewer have the probability 1 - confidence (Clopper and Pearson 1934, Biometrika 26:404),
    by bisection of the incomplete beta function, O(sqrt(total)) a step. Wilson's limit (1927) is not used: of 0 failures in n it makes 2.7/n
    where 3.0/n is true, so it promises too much just where traffic is low.
    """
    if total <= 0 or failing >= total:
        return 1.0
    low = failing / total
    high = min(1.0, (failing + 4 * math.sqrt(failing + 4) + 8) / total)  # beyond any limit below 99.9 %; halved from there
    while high < 1.0 and at_most(failing, total, high) > 1 - confidence:
        high = min(1.0, 2 * high)
    while high - low > 1e-7 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if at_most(failing, total, middle) <= 1 - confidence else (middle, high)
    return high


def lower(failing: float, total: float, confidence: float = CONFIDENCE) -> float:
    """The exact one-sided lower limit of a rate, as ``upper``; 0 where nothing is known."""
    return 0.0 if total <= 0 else 1.0 - upper(total - failing, total, confidence)


def at_most(failing: float, total: float, rate: float) -> float:
    """The probability that at most ``failing`` of ``total`` requests fail when each fails with ``rate``."""
    if failing >= total:
        return 1.0
    return 1.0 - beta(failing + 1, total - failing, rate)


def beta(a: float, b: float, x: float) -> float:
    """The regularized incomplete beta function I_x(a, b) by its continued fraction (Lentz; Abramowitz and Stegun 26.5.8)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1.0 - beta(b, a, 1.0 - x)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)) / a
    tiny, value, c, d = 1e-300, 1.0, 1.0, 0.0
    for step in range(200_000):
        m = step // 2
        if step == 0:
            part = 1.0
        elif step % 2 == 0:
            part = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        else:
            part = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1.0 + part * d
        d = 1.0 / (d if abs(d) > tiny else tiny)
        c = 1.0 + part / (c if abs(c) > tiny else tiny)
        value *= c * d
        if abs(1.0 - c * d) < 1e-10:
            break
    return min(1.0, front * (value - 1.0))


def surprise(failing: float, total: float, rate: float) -> float:
    """How far more failures than ``rate`` are beyond chance: their probability is at most exp(-this) (Chernoff 1952, of a Poisson count)."""
    expected = total * rate
    if failing <= expected or expected <= 0:
        return 0.0 if failing <= 0 or expected > 0 else math.inf
    return failing * math.log(failing / expected) - (failing - expected)


def spent(minutes: float) -> float:
    """The share of the 5 % that may be used at a look so many minutes after the end: 1/2 up to 20 minutes, 1/6 up to 40, 1/12 up to 80 …

    Whoever looks every minute is wrong more often than one who looks once. The error is spent over looks that double (Lan and DeMets 1983,
    Biometrika 70:659; the epochs of Howard et al. 2021, Annals of Statistics 49:1055), 1/k(k+1) of it in the k-th, which sums to 1.
    """
    turn = 1 + int(math.log2(max(minutes, FIRST_LOOK) / FIRST_LOOK))
    return (1 - CONFIDENCE) / (turn * (turn + 1))


def excludes(failing: float, total: float, before_failing: float, before_total: float, ratio: float = RELAPSE_RATIO,
             alpha: float = (1 - CONFIDENCE) / 2) -> bool:
    """Whether a rate of ``ratio`` times the baseline is excluded, the baseline being itself only counted.

    Method: of f + b failures in all, f fall after the end with the share ratio n / (ratio n + m) if the rate is ``ratio`` times as high there;
    so few or fewer must have at most the probability alpha (Przyborowski and Wilenski 1940, Biometrika 31:313). The baseline is counted once
    however often one looks, so alpha is not spent. Together with the spent limit of ``back`` a rate of twice the baseline is let through
    at any look of four hours in 0 to 5 % of the cases, by simulation. O(sqrt(f + b)).
    """
    if before_total <= 0 or failing + before_failing <= 0:
        return False
    return at_most(failing, failing + before_failing, ratio * total / (ratio * total + before_total)) <= alpha


def back(failing: float, total: float, before_failing: float, before_total: float, alpha: float = (1 - CONFIDENCE) / 2,
         negligible: float = RELAPSE_RATIO * FLOOR) -> bool:
    """Whether a rate is proved to be back: at most 1.5 times the baseline that was counted, and not twice what the baseline may have been.

    Where the baseline was counted on too little for the second, a rate of ``negligible`` must be excluded instead.
    """
    base = max(before_failing / before_total if before_total > 0 else 0.0, FLOOR)
    if failing > LIMIT_RATIO * base * total or at_most(failing, total, LIMIT_RATIO * base) > alpha:
        return False
    return at_most(failing, total, negligible) <= alpha or excludes(failing, total, before_failing, before_total)


def needed(before_failing: float, before_total: float, failing: float = 0.0, total: float = 0.0, alpha: float = (1 - CONFIDENCE) / 2) -> int | None:
    """How many more requests at the baseline rate it takes until a rate is proved to be back; ``None`` where no traffic could prove it."""
    usual = before_failing / before_total if before_total > 0 else 0.0
    return more_until(lambda more: back(failing + usual * more, total + more, before_failing, before_total, alpha), 1 / max(usual, FLOOR))


def more_until(enough: Callable[[int], bool], scale: float) -> int | None:
    """The least number that is enough, sought by doubling from ``scale`` and halving; ``None`` where a million times the scale is not."""
    if enough(0):
        return 0
    high = max(1, round(scale))
    while not enough(high):
        high *= 2
        if high > 1e6 * scale:
            return None
    low = 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low
