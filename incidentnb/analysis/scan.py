"""The likelihood scan behind the onset: which interval of a series fails more than the quiet rest of it says it should.

Expectation-based Poisson scan over all intervals with prefix sums (Kulldorff 1997; Neill 2009), scaled by the overdispersion of the quiet
buckets, with significance from series resampled under beta-binomial noise. Knows arrays and nothing of logs, tables or clocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

QUIET_SHARE = 0.6  # the quieter share of buckets that the baseline is taken from
LEAST_OUTSIDE = 0.25  # a smaller quiet share than this may be the luck of a noisy series
LONGEST = 0.6  # the longest interval of a resampled series, as a share of it: the rest must tell its spread
EARLIEST_SHARE = 0.3  # an earlier interval counts as the onset when it has this share of the best likelihood ratio
DROP_95 = 1.92  # half of the 95 % point of chi-squared with one degree of freedom
MEDIAN_CHI2 = 0.455  # median of chi-squared with one degree of freedom
AT_LEAST_RATIO, AT_LEAST_EXCESS, AT_MOST_P = 2.0, 10.0, 0.05
MOST_ALIKE, LEAST_QUIET, APART = 3, 12, 0.06  # what sets several spikes apart from a noisy series: see _apart
DECIDE_P = 0.02  # a rise is called a spike when so few quiet series look like it; AT_MOST_P is what "would have been seen" speaks of
PLAIN_RATIO, SMALL_P = 2.5, 0.005  # a rise by less than this ratio over the rest of the series must be this far beyond chance
_RESAMPLES, _MORE, _COST = 199, 999, 3_000_000


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
        smallest: excess failures per bucket over a tenth of the series, at least, that would have been called a spike.
        strongest: the strongest interval, raised or not; ``None`` in an empty series.
    """

    rises: tuple[Rise, ...]
    p0: float
    phi: float
    p_value: float
    smallest: float
    strongest: Rise | None


def baseline(failing: np.ndarray, total: np.ndarray) -> tuple[float, float]:
    """The quiet rate p0 and the overdispersion phi, from the quieter 60 % of the buckets that saw a request.

    The buckets are ranked in blocks large enough to hold a few failures each: in single sparse ones "quieter" would mean "luckier".
    """
    seen = total > 0
    f, n = failing[seen], total[seen]
    if not len(n):
        return 0.0, 1.0
    block = 1
    while block * 20 <= len(n) and np.median(_blocks(f, block)) < 5:
        block *= 2
    fb, nb = _blocks(f, block), _blocks(n, block)
    quiet = np.argsort(fb / nb, kind="stable")[:max(1, int(np.ceil(QUIET_SHARE * len(nb))))]
    p0 = (fb[quiet].sum() + 0.5) / (nb[quiet].sum() + 1.0)
    return float(p0), _overdispersion(fb[quiet], nb[quiet], p0)


def _blocks(values: np.ndarray, size: int) -> np.ndarray:
    whole = len(values) // size * size
    return values[len(values) - whole:].reshape(-1, size).sum(axis=1) if size > 1 else values


def _overdispersion(f: np.ndarray, n: np.ndarray, p0: float) -> float:
    spread = (f - n * p0) ** 2 / np.maximum(n * p0 * (1 - p0), 1e-12)
    return float(max(1.0, np.median(spread) / MEDIAN_CHI2))


def ratios(failing: np.ndarray, total: np.ndarray, p0: float, phi: float) -> np.ndarray:
    """LLR(s, e) of all intervals: row s, column e (exclusive, so column 0 is empty); 0 where nothing is raised."""
    f = np.concatenate([[0.0], np.cumsum(failing)])
    mu = np.concatenate([[0.0], np.cumsum(total * p0)])
    return _score(f[None, :] - f[:-1, None], mu[None, :] - mu[:-1, None]) / phi


def _score(f: np.ndarray, mu: np.ndarray) -> np.ndarray:
    raised = (f > mu) & (mu > 0)
    safe_f, safe_mu = np.where(raised, f, 1.0), np.where(raised, mu, 1.0)
    return np.where(raised, safe_f * np.log(safe_f / safe_mu) - (safe_f - safe_mu), 0.0)


def find(failing: np.ndarray, total: np.ndarray, seed: int = 7) -> Scan:
    """Scan one series of buckets; ``total`` 0 is unknown, not rate 0.

    Args:
        failing, total: requests per bucket, evenly spaced, incomplete buckets set to 0 and 0.
        seed: of the resampling; the same series gives the same answer.
    """
    failing, total = np.asarray(failing, float), np.asarray(total, float)
    n = len(total)
    if not n or total.sum() <= 0:
        return Scan((), 0.0, 1.0, 1.0, float("inf"), None)
    p0, phi = baseline(failing, total)
    table = ratios(failing, total, p0, phi)
    s, e = np.unravel_index(int(np.argmax(table)), table.shape)
    outside = np.ones(n, bool)
    outside[s:e] = False
    if (outside & (total > 0)).sum() >= 3 and total[outside].sum() >= 100:  # a spike longer than 40 % of the window hides in its own baseline
        again = (failing[outside].sum() + 0.5) / (total[outside].sum() + 1.0)
        if again < 0.67 * p0:
            p0, phi = baseline(failing[outside], total[outside])
            table = ratios(failing, total, p0, phi)
    found = _disjoint(table, failing, total, p0)
    if not found:
        return Scan((), p0, phi, 1.0, _smallest(total, (failing.sum() + 0.5) / (total.sum() + 1.0), 0.0), None)
    strongest = max(found, key=lambda r: r.llr)
    alike = [r for r in found if r.llr >= EARLIEST_SHARE * strongest.llr]
    p_value, threshold = significance(failing, total, alike if _apart(alike, found, total) else [strongest], seed)
    overall = (failing.sum() + 0.5) / (total.sum() + 1.0)  # where nothing is raised, the rate of all is the baseline
    smallest = _smallest(total, overall, threshold)
    beside = _rate_outside(failing, total, alike)
    if p_value < AT_MOST_P and strongest.failing < PLAIN_RATIO * beside * strongest.total:
        p_value, _ = significance(failing, total, alike if _apart(alike, found, total) else [strongest], seed, _MORE)
        if p_value > SMALL_P:
            return Scan((), p0, phi, p_value, smallest, strongest)
    rises = tuple(r for r in alike if p_value < DECIDE_P and _counts(r, failing, total, p0, threshold))
    if strongest not in rises:
        return Scan((), p0, phi, p_value, smallest, strongest)
    return Scan(rises, p0, phi, p_value, smallest, strongest)


def _apart(alike: list[Rise], found: list[Rise], total: np.ndarray) -> bool:
    """Whether several raised intervals stand apart from the noise of the series: few of them, nothing between them and the rest."""
    raised = sum(r.end - r.start for r in alike)
    best = max(r.llr for r in alike)
    rest = max((r.llr for r in found if r not in alike), default=0.0)
    return len(alike) <= MOST_ALIKE and int((total > 0).sum()) - raised >= LEAST_QUIET and rest <= APART * best


def _rate_outside(failing: np.ndarray, total: np.ndarray, rises: list[Rise]) -> float:
    """The failing rate outside of some intervals: what a reader takes for the baseline (the quieter buckets alone are too low)."""
    quiet = np.ones(len(total), bool)
    for rise in rises:
        quiet[rise.start:rise.end] = False
    return float(failing[quiet].sum() / total[quiet].sum()) if total[quiet].sum() > 0 else 0.0


def _counts(rise: Rise, failing: np.ndarray, total: np.ndarray, p0: float, threshold: float) -> bool:
    """Whether some stretch of an interval is at least twice the baseline with 10 failures above it, and beyond chance by itself."""
    f = np.concatenate([[0.0], np.cumsum(failing[rise.start:rise.end])])
    mu = np.concatenate([[0.0], np.cumsum(total[rise.start:rise.end] * p0)])
    for length in range(1, min(rise.end - rise.start, 400) + 1):
        inside, expected = f[length:] - f[:-length], mu[length:] - mu[:-length]
        if np.any((inside >= AT_LEAST_RATIO * expected) & (inside - expected >= AT_LEAST_EXCESS) & (_score(inside, expected) >= threshold)):
            return True
    return False


def _disjoint(table: np.ndarray, failing: np.ndarray, total: np.ndarray, p0: float, most: int = 12) -> list[Rise]:
    """The best interval, the best one beside it, and so on, in order of time."""
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
        starts = [i for i in np.flatnonzero(table[low:e, e] >= best - DROP_95) + low if total[i] > 0]
        ends = np.flatnonzero(table[s, s + 1:high + 1] >= best - DROP_95) + s + 1
        inside = slice(s, e)
        found.append(Rise(s, int(min(starts, default=s)), int(max(starts, default=s)), e, int(ends.min(initial=e)), int(ends.max(initial=e)), best,
                          float(failing[inside].sum()), float(total[inside].sum()), float(total[inside].sum() * p0)))
        free += [(low, s), (e, high)]
        free = [(a, b) for a, b in free if b > a]
    return sorted(found, key=lambda r: r.start)


def significance(failing: np.ndarray, total: np.ndarray, rises: list[Rise], seed: int,
                 resamples: int = _RESAMPLES) -> tuple[float, float]:
    """Resampled p of the strongest interval, and the likelihood ratio (unscaled) that 5 % of quiet series reach.

    Quiet series are drawn from a beta-binomial with the rate and the spread of the buckets outside of the raised intervals, and go
    through the same scan, baseline and all, over the intervals of geometrically growing lengths. As in a t-test each is measured
    by the spread that it shows itself outside of its strongest interval, so that few buckets ask for more.
    """
    seen = total > 0
    f, n = failing[seen], total[seen]
    outside = seen.copy()
    for rise in rises:
        outside[rise.start:rise.end] = False
    raised = seen & ~outside
    if outside.sum() < 3:
        outside = seen
    rate = (failing[outside].sum() + 0.5) / (total[outside].sum() + 1.0)
    spread = _spread(failing[outside], total[outside])
    rho = min(0.5, max(0.0, (spread - 1) / max(1.0, float(np.mean(total[outside])) - 1)))
    if outside.sum() < LEAST_OUTSIDE * len(n):  # a few quiet buckets are the luckiest of a noisy series unless the raised ones are as even
        f_in, n_in = failing[raised], total[raised]
        spread = max(spread, _overdispersion(f_in, n_in, f_in.sum() / max(1.0, n_in.sum())))
    lengths = np.unique(np.round(1.3 ** np.arange(60)).astype(int))
    lengths = lengths[lengths <= max(1, LONGEST * len(n))]
    rounds = int(np.clip(_COST * resamples // _RESAMPLES // (len(lengths) * len(n)), 39 * resamples // _RESAMPLES, resamples))
    draw = np.random.default_rng(seed)
    chance = np.full((rounds, len(n)), rate)
    if rho > 1e-9:
        chance = draw.beta(max(rate * (1 - rho) / rho, 1e-3), max((1 - rate) * (1 - rho) / rho, 1e-3), size=chance.shape)
    quiet = draw.binomial(n.astype(np.int64), chance).astype(float)
    reached = np.array([_strength(row, n, lengths) for row in quiet])
    observed = _strength(f, n, lengths, spread)
    return float((1 + (reached >= observed).sum()) / (1 + rounds)), float(np.quantile(reached, 1 - AT_MOST_P)) * spread


def _spread(f: np.ndarray, n: np.ndarray) -> float:
    """How much wider than binomial the rates of some buckets scatter; at least 1."""
    rate = (f.sum() + 0.5) / (n.sum() + 1.0)
    return float(max(1.0, np.sum((f - n * rate) ** 2 / np.maximum(n * rate * (1 - rate), 1e-12)) / max(1, len(n) - 1)))


def _strength(f: np.ndarray, n: np.ndarray, lengths: np.ndarray, spread: float | None = None) -> float:
    """The best likelihood ratio over intervals of some lengths, by the spread outside of that interval."""
    p0, _ = baseline(f, n)
    sums, means = np.concatenate([[0.0], np.cumsum(f)]), np.concatenate([[0.0], np.cumsum(n * p0)])
    best, start, stop = 0.0, 0, 0
    for k in lengths:
        points = _score(sums[k:] - sums[:-k], means[k:] - means[:-k])
        at = int(np.argmax(points))
        if points[at] > best:
            best, start, stop = float(points[at]), at, at + int(k)
    if spread is None:
        spread = _spread(np.delete(f, slice(start, stop)), np.delete(n, slice(start, stop)))
    return best / spread


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
