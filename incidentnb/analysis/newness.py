"""Is a pattern new, grown or silent since the onset? Counts before and since, judged against exposure; knows numbers and nothing of logs.

Exposure is time and traffic: under "nothing changed" a pattern comes as often per minute, or as often per request. What is claimed
must hold against both, so a surge of traffic makes nothing new, and a short look makes nothing silent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

FALSE_DISCOVERIES = 0.05  # of the patterns called new or grown, and of those called vanished, at most this share is expected to be wrong
GROWN_RATIO = 2.0  # a pattern has grown when its rate is proved to be more than this many times what it was
PIECE = 0.1  # silent since the onset: gone within this part of the time since, and not for longer than this part of the time before


@dataclass(frozen=True)
class Exposure:
    """How much was looked at: seconds and requests, before the onset and since; a slot is ``width`` seconds."""

    before_s: float
    during_s: float
    before_requests: float = 0.0
    during_requests: float = 0.0
    width: float = 60.0

    @property
    def shares(self) -> tuple[float, ...]:
        """The share of the exposure that lies since the onset: of the time, and of the requests where there were any on both sides."""
        found = [self.during_s / (self.before_s + self.during_s)] if self.before_s + self.during_s > 0 else [0.0]
        if self.before_requests > 0 and self.during_requests > 0:
            found.append(self.during_requests / (self.before_requests + self.during_requests))
        return tuple(found)

    @property
    def least(self) -> int:
        """So many times a pattern must come since the onset, and never before, to be called new if it is the only one that is looked at."""
        share = max(self.shares)
        return 1 if share <= 0 else max(1, math.ceil(math.log(FALSE_DISCOVERIES) / math.log(share))) if share < 1 else 10**9


@dataclass(frozen=True)
class Counted:
    """What was seen of one pattern: counts, the slots it came in (negative before the onset) with their counts, seconds from the onset of its
    last time before, and of its last time of all."""

    before: int
    during: int
    slots: Mapping[int, int]
    last_before_s: float
    last_s: float


@dataclass(frozen=True)
class Judged:
    """One pattern's answer: at most one of ``new``, ``grown``, ``vanished`` is true; ``ratio`` of the rates per request (else per second);
    ``p_value`` of the claim that was tested, adjusted for all that were."""

    new: bool
    grown: bool
    vanished: bool
    ratio: float
    gain: float
    p_value: float


def judge(patterns: Sequence[Counted], exposure: Exposure) -> list[Judged]:
    """Whether each pattern is new, grown or vanished.

    Method: of n occurrences of an unchanged pattern each lies since the onset with the probability r, the share of the exposure (two
    Poisson rates, conditional on their sum: Przyborowski and Wilenski 1940). New: none before, p = r^n. Grown: p that so many lie since if
    the rate had just doubled, without the busiest slot. Vanished: silent since the onset, p = (1 - r)^n. Counts of grown and vanished ones
    are divided by their dispersion φ = Σ(n_s - μ)² / μ / (slots - 1) over the slots before (quasi-Poisson; McCullagh and Nelder 1989), so
    that a nightly burst of 5,000 lines is one event. r is the larger (vanished: the smaller) of the shares of time and of traffic. Many
    patterns are looked at: p is adjusted by Benjamini and Hochberg (1995), once for what came, once for what went, without the patterns
    that are too rare to be called anything (Tarone 1990).
    Complexity: O(patterns log patterns + slots).
    """
    shares = exposure.shares
    if exposure.before_s <= 0 or exposure.during_s <= 0:
        return [Judged(False, False, False, 1.0, 0.0, 1.0) for _ in patterns]
    high, low = max(shares), min(shares)
    up = [_p_up(c, high, exposure) for c in patterns]
    down = [_p_down(c, low, exposure) for c in patterns]
    came = adjusted(up, [high ** (c.before + c.during) for c in patterns])
    went = adjusted(down, [(1 - low) ** (c.before + c.during) for c in patterns])
    answers = []
    for counted, p_came, p_went in zip(patterns, came, went, strict=True):
        gain, ratio = change(counted.before, counted.during, 1 - shares[-1], shares[-1])
        risen = p_came <= FALSE_DISCOVERIES
        new, vanished = risen and not counted.before, p_went <= FALSE_DISCOVERIES
        p_value = float(p_came if counted.during and not vanished else p_went)
        answers.append(Judged(bool(new), bool(risen and not new), bool(vanished and not risen), ratio, gain, p_value))
    return answers


def _p_up(counted: Counted, share: float, exposure: Exposure) -> float:
    if not counted.before:
        return share ** counted.during if counted.during else 1.0
    during = counted.during
    since = [n for slot, n in counted.slots.items() if slot >= 0]
    if exposure.during_s >= 5 * exposure.width and since:
        during -= max(since)  # no single burst decides
    if during * (1 - share) <= GROWN_RATIO * counted.before * share:
        return 1.0
    spread = dispersion(counted, exposure)
    before, during = math.ceil(counted.before / spread), math.floor(during / spread)
    return at_least(during, before + during, GROWN_RATIO * share / (1 - share + GROWN_RATIO * share))


def _p_down(counted: Counted, share: float, exposure: Exposure) -> float:
    gone = max(0.0, counted.last_s)
    quiet = -counted.last_before_s
    if not counted.before or gone > PIECE * exposure.during_s or quiet > max(PIECE, 3 / counted.before) * exposure.before_s:
        return 1.0
    silent = share * (1 - gone / exposure.during_s)
    return (1 - silent) ** (counted.before / dispersion(counted, exposure))


def at_least(k: int, n: int, p: float) -> float:
    """The probability of at least k of n, each with the probability p, for k above the mean (else 1): the tail is summed, O(sqrt(n))."""
    if k <= n * p:
        return 1.0
    if p >= 1 or p <= 0 or k > n:
        return float(p >= 1 and k <= n)
    term = math.exp(math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * math.log(p) + (n - k) * math.log1p(-p))
    total = 0.0
    while k <= n and term > 1e-16 * total:
        total += term
        term *= (n - k) / (k + 1) * p / (1 - p)
        k += 1
    return min(1.0, total)


def dispersion(counted: Counted, exposure: Exposure) -> float:
    """The variance of the counts a slot before the onset over their mean, at least 1."""
    slots = max(1, math.floor(exposure.before_s / exposure.width))
    if slots < 2 or not counted.before:
        return 1.0
    mean = counted.before / slots
    seen = [n for slot, n in counted.slots.items() if slot < 0]
    squares = sum((n - mean) ** 2 for n in seen) + max(0, slots - len(seen)) * mean ** 2
    return max(1.0, squares / mean / (slots - 1))


def adjusted(p_values: Sequence[float], attainable: Sequence[float]) -> np.ndarray:
    """Benjamini and Hochberg's adjusted p values; a test whose smallest attainable p is above the limit is not counted, its p is 1."""
    p = np.asarray(p_values, float)
    able = np.asarray(attainable, float) <= FALSE_DISCOVERIES
    answer = np.ones(len(p))
    tested = np.flatnonzero(able)
    if len(tested):
        order = tested[np.argsort(p[tested], kind="stable")]
        scaled = p[order] * len(order) / np.arange(1, len(order) + 1)
        answer[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return answer


def change(before: int, during: int, exposure_before: float, exposure_during: float) -> tuple[float, float]:
    """The log likelihood ratio of two Poisson rates against one, and the ratio of the rates (half a count added to each)."""
    if exposure_before <= 0 or exposure_during <= 0:
        return 0.0, 1.0
    both = before + during
    expected = both * exposure_during / (exposure_before + exposure_during)
    other = both - expected
    gain = (during * math.log(during / expected) if during else 0.0) + (before * math.log(before / other) if before else 0.0)
    return gain, ((during + 0.5) / exposure_during) / ((before + 0.5) / exposure_before)
