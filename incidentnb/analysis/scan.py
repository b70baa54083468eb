"""The likelihood scan behind the onset: which interval of a series fails more than the quiet rest of it says it should.

Expectation-based Poisson scan over all intervals with prefix sums (Kulldorff 1997; Neill 2009), scaled by the overdispersion of the quiet
buckets: LLR(s, e) = [F ln(F/μ) − (F − μ)] / φ. What chance does to quiet series is ``resampling.py``. Knows arrays and nothing of logs, tables
or clocks. Complexity: the square of the number of buckets.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from incidentnb.analysis import limits, resampling
from incidentnb.analysis.resampling import score

EARLIEST_SHARE = 0.3  # an earlier interval counts as the onset when it has this share of the best likelihood ratio
DROP_95 = 1.92  # half of the 95 % point of chi-squared with one degree of freedom
MEDIAN_CHI2 = 0.455  # median of chi-squared with one degree of freedom
AT_LEAST_RATIO, AT_LEAST_EXCESS = 2.0, 10.0
OUTAGE_FAILURES, OUTAGE_RATE = 5.0, 0.5  # where most requests fail, fewer failures speak: little traffic has no ten to show
DECIDE_P, FEW_BUCKETS, FEW_P = 0.03, 12, 0.05  # a rise is called a spike when so few quiet series look like it; few buckets can show no less
PLAIN_RATIO, SMALL_P = 2.5, 0.01  # a rise by less than this ratio over the rest, or of less than ten failures, must be this far beyond chance
MOST_ALIKE, LEAST_QUIET, APART = 3, 12, 0.06  # what sets several spikes apart from a noisy series: see _apart
GAP = 15.0  # nats by which a gap inside of a rise must look like the baseline to part it: chance is below 1 in 10,000


@dataclass(frozen=True)
class Rise:
    """One interval ``[start, end)`` of bucket numbers in which the failing rate is raised.

    Attributes:
        start, start_low, start_high: bucket of the onset, and the range of buckets that fit nearly as well.
        end, end_low, end_high: the first bucket after it, and its range; ``end_high`` is the number of buckets where it may go on.
        llr: the likelihood ratio, scaled by the overdispersion.
        failing, total, expected: failing and total requests inside, and how many of them the baseline expects to fail.
    """

    start: int
    start_low: int
    start_high: int
    end: int
    end_low: int
    end_high: int
    llr: float
    failing: float
    total: float
    expected: float

    @property
    def ratio(self) -> float:
        return self.failing / self.expected if self.expected > 0 else float("inf") if self.failing else 1.0

    @property
    def excess(self) -> float:
        return self.failing - self.expected


@dataclass(frozen=True)
class Scan:
    """What the scan of one series found.

    Attributes:
        rises: the raised intervals in order of time; empty where there is none.
        p0: the baseline rate; ``phi``: the overdispersion of the quiet buckets (1 is none).
        p_value: share of resampled quiet series that look at least as raised.
        smallest: the failing rate that, held for a tenth of the series, would have been called a spike.
        strongest: the strongest interval, raised or not; ``None`` in an empty series.
    """

    rises: tuple[Rise, ...]
    p0: float
    phi: float
    p_value: float
    smallest: float
    strongest: Rise | None


def find(failing: np.ndarray, total: np.ndarray, seed: int = 7) -> Scan:
    """Scan one series of buckets; ``total`` 0 is unknown, not rate 0.

    Args:
        failing, total: requests per bucket, evenly spaced, incomplete buckets set to 0 and 0. Where a season is known ``total`` is the
            exposure: requests times how much more of them fail at that time of day.
        seed: of the resampling; the same series gives the same answer.
    """
    failing, total = np.asarray(failing, float), np.asarray(total, float)
    if not len(total) or total.sum() <= 0:
        return Scan((), 0.0, 1.0, 1.0, float("inf"), None)
    p0, phi, table, hidden = _settled(failing, total)
    found = _disjoint(table, failing, total, p0, phi)
    overall = (failing.sum() + 0.5) / (total.sum() + 1.0)  # where nothing is raised, the rate of all is the baseline
    if not found:
        return Scan((), p0, phi, 1.0, _smallest(total, overall, 0.0), None)
    strongest = max(found, key=lambda r: r.llr)
    alike = [r for r in found if r.llr >= EARLIEST_SHARE * strongest.llr]
    by_chance = resampling.significance(failing, total, _outside(total, alike if _apart(alike, found, total) else [strongest]), seed)
    p_value = by_chance.p_value
    long = hidden and strongest.end - strongest.start > resampling.LONGEST * (total > 0).sum()
    if long:
        p_value = resampling.edges(failing, total, seed)
    quiet = Scan((), p0, phi, p_value, _smallest(total, overall, by_chance.threshold), strongest)
    rest = (_most if long else _rate)(failing, total, _outside(total, alike))
    small = strongest.failing < PLAIN_RATIO * rest * strongest.total or strongest.excess < AT_LEAST_EXCESS
    if p_value > (SMALL_P if small else FEW_P if (total > 0).sum() < FEW_BUCKETS else DECIDE_P):
        return quiet
    rises = tuple(r for r in alike if _counts(r, failing, total, p0, by_chance.threshold))
    return replace(quiet, rises=rises) if strongest in rises else quiet


def baseline(failing: np.ndarray, total: np.ndarray) -> tuple[float, float]:
    """The quiet rate p0 and the overdispersion φ, from the quieter 60 % of the buckets that saw a request.

    φ = max(1, median((f − n p0)² / (n p0 (1 − p0))) / 0.455). The buckets are ranked in blocks large enough to hold a few failures each.
    """
    seen = total > 0
    f, n = failing[seen], total[seen]
    if not len(n):
        return 0.0, 1.0
    size = resampling.block_size(f, n)
    fb, nb = resampling.blocks(f[None], size)[0], resampling.blocks(n[None], size)[0]
    quiet = np.argsort(fb / nb, kind="stable")[:max(1, int(np.ceil(resampling.QUIET_SHARE * len(nb))))]
    p0 = (fb[quiet].sum() + 0.5) / (nb[quiet].sum() + 1.0)
    spread = (fb[quiet] - nb[quiet] * p0) ** 2 / np.maximum(nb[quiet] * p0 * (1 - p0), 1e-12)
    return float(p0), float(max(1.0, np.median(spread) / MEDIAN_CHI2))


def ratios(failing: np.ndarray, total: np.ndarray, p0: float, phi: float) -> np.ndarray:
    """LLR(s, e) of all intervals: row s, column e (exclusive, so column 0 is empty); 0 where nothing is raised."""
    f = np.concatenate([[0.0], np.cumsum(failing)])
    mu = np.concatenate([[0.0], np.cumsum(total * p0)])
    return score(f[None, :] - f[:-1, None], mu[None, :] - mu[:-1, None]) / phi


def _settled(failing: np.ndarray, total: np.ndarray) -> tuple[float, float, np.ndarray, bool]:
    """Baseline, overdispersion, all likelihood ratios; again from the outside of a rise so long that it hid in its own baseline, and whether."""
    p0, phi = baseline(failing, total)
    table = ratios(failing, total, p0, phi)
    s, e = np.unravel_index(int(np.argmax(table)), table.shape)
    outside = np.ones(len(total), bool)
    outside[s:e] = False
    hidden = (outside & (total > 0)).sum() >= 3 and total[outside].sum() >= 100 and _rate(failing, total, outside) < resampling.HIDDEN * p0
    if hidden:
        p0, phi = baseline(failing[outside], total[outside])
        table = ratios(failing, total, p0, phi)
    return p0, phi, table, bool(hidden)


def _outside(total: np.ndarray, rises: list[Rise]) -> np.ndarray:
    quiet = total > 0
    for rise in rises:
        quiet[rise.start:rise.end] = False
    return quiet


def _rate(failing: np.ndarray, total: np.ndarray, where: np.ndarray) -> float:
    return float((failing[where].sum() + 0.5) / (total[where].sum() + 1.0)) if total[where].sum() > 0 else 0.0


def _most(failing: np.ndarray, total: np.ndarray, where: np.ndarray) -> float:
    """What the rate may be at most where little is left to tell it, by so few failures: of 0 in 1,000 requests 0.3 %."""
    return limits.upper(float(failing[where].sum()), float(total[where].sum())) if total[where].sum() > failing[where].sum() else 1.0


def _apart(alike: list[Rise], found: list[Rise], total: np.ndarray) -> bool:
    """Whether several raised intervals stand apart from the noise of the series: few of them, nothing between them and the rest."""
    raised = sum(r.end - r.start for r in alike)
    best = max(r.llr for r in alike)
    rest = max((r.llr for r in found if r not in alike), default=0.0)
    return len(alike) <= MOST_ALIKE and int((total > 0).sum()) - raised >= LEAST_QUIET and rest <= APART * best


def _counts(rise: Rise, failing: np.ndarray, total: np.ndarray, p0: float, threshold: float) -> bool:
    """Whether some stretch of an interval is at least twice the baseline and beyond chance by itself, with 10 failures above it or most failing."""
    f = np.concatenate([[0.0], np.cumsum(failing[rise.start:rise.end])])
    n = np.concatenate([[0.0], np.cumsum(total[rise.start:rise.end])])
    for length in range(1, min(rise.end - rise.start, 400) + 1):
        inside, requests = f[length:] - f[:-length], n[length:] - n[:-length]
        expected = requests * p0
        enough = (inside - expected >= AT_LEAST_EXCESS) | ((inside - expected >= OUTAGE_FAILURES) & (inside >= OUTAGE_RATE * requests))
        if np.any(enough & (inside >= AT_LEAST_RATIO * expected) & (score(inside, expected) >= threshold)):
            return True
    return False


def _disjoint(table: np.ndarray, failing: np.ndarray, total: np.ndarray, p0: float, phi: float, most: int = 12) -> list[Rise]:
    """The best interval, the best one beside it, and so on, in order of time; one that holds a quiet gap is two."""
    found: list[Rise] = []
    free = [(0, len(total))]
    while free and len(found) < most:
        low, high = free.pop()
        part = table[low:high, low:high + 1]
        s, e = np.unravel_index(int(np.argmax(part)), part.shape)
        best, s, e = float(part[s, e]), int(s) + low, int(e) + low
        if best < DROP_95 or e <= s:
            continue
        while total[s] == 0:
            s += 1
        while total[e - 1] == 0:
            e -= 1
        if gap := _gap(failing[s:e], total[s:e], p0, phi):
            free += [(low, s + gap[0]), (s + gap[1], high)]
            continue
        starts = [i for i in np.flatnonzero(table[low:e, e] >= best - DROP_95) + low if total[i] > 0]
        ends = np.flatnonzero(table[s, s + 1:high + 1] >= best - DROP_95) + s + 1
        inside = slice(s, e)
        found.append(Rise(s, int(min(starts, default=s)), int(max(starts, default=s)), e, int(ends.min(initial=e)), int(ends.max(initial=e)), best,
                          float(failing[inside].sum()), float(total[inside].sum()), float(total[inside].sum() * p0)))
        free += [(low, s), (e, high)]
        free = [(a, b) for a, b in free if b > a]
    return sorted(found, key=lambda r: r.start)


def _gap(failing: np.ndarray, total: np.ndarray, p0: float, phi: float) -> tuple[int, int] | None:
    """The stretch inside of a rise that looks most like the baseline and least like the rise, where that is beyond chance.

    The largest sum of the buckets' log likelihood ratios of the two rates (Kadane's algorithm).
    """
    rate = failing.sum() / total.sum()
    if rate < AT_LEAST_RATIO * p0:
        return None
    gain = (total * (rate - p0) - failing * np.log(rate / p0)) / phi
    best, sum_, start, found = GAP, 0.0, 0, None
    for i, value in enumerate(gain):
        if sum_ <= 0:
            sum_, start = 0.0, i
        sum_ += value
        if sum_ > best and start > 0 and i + 1 < len(gain):
            best, found = sum_, (start, i + 1)
    return found


def _smallest(total: np.ndarray, p0: float, threshold: float) -> float:
    """The failing rate that, held for a tenth of the window (at least one bucket), would have been called a spike."""
    n = float(total.sum()) * max(0.1, 1 / max(1, int((total > 0).sum())))
    mu = max(n * p0, 1e-9)
    low, high = mu, max(n, mu + 1)
    need = max(threshold, DROP_95)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if middle * np.log(middle / mu) - (middle - mu) < need else (low, middle)
    return float(min(1.0, max(high, AT_LEAST_RATIO * mu, mu + AT_LEAST_EXCESS) / max(n, 1e-9)))
