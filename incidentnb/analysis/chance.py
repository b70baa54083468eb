"""Whether a subset stands out by more than chance: two null models of a subset scan, and the p of each.

``alike now``: since the onset everyone fails alike, whoever failed more before. ``risen alike``: everyone's failures rose by the same
factor over their own past. A subset is named where neither can be. Knows arrays and nothing of logs.
"""

from __future__ import annotations

import numpy as np

from incidentnb.analysis.subsets import SHRINK, Cells, Leaves, expected_of

ROUNDS, LEAST_ROUNDS, WORK = 199, 39, 100_000_000
SETTLED = 1e-3  # a bound below this needs no drawing
_EULER = 0.5772156649


def against_rest(f_in: np.ndarray, e_in: np.ndarray, f: float, e: float) -> np.ndarray:
    """How much better two rates, inside and outside, fit than one rate for everyone (a log likelihood ratio; Kulldorff 1997); 0 where not raised."""
    share = np.clip(np.asarray(e_in, float) / max(e, 1e-300), 1e-300, 1.0)
    f_in = np.minimum(f_in, f)
    gain = _times_log(f_in, f * share) + _times_log(f - f_in, f * (1 - share))
    return np.where((f_in > f * share) & (share < 1 - 1e-12), gain, 0.0)


def own_past(f_in: np.ndarray, n_in: np.ndarray, b_in: np.ndarray, m_in: np.ndarray, sums: tuple[float, float, float, float]) -> np.ndarray:
    """The same with the noise of the baseline counted: inside and outside, each with its own past, against one rise in points for both.

    The past rate ``r`` that fits ``B`` of ``m`` before and ``F`` of ``n`` during best, with ``r + d`` during (d the rise of the whole), is the
    positive root of ``(m + n) r² + ((m + n) d − B − F) r − B d = 0``; the gain is the deviance from it. Infinite where hardly a past is known.
    """
    f, n, b, m = sums
    if m < SHRINK or n <= 0 or f <= 0:
        return np.full(np.shape(f_in), np.inf)
    rise = max(0.0, f / n - b / m)

    def parting(now: np.ndarray, traffic: np.ndarray, past: np.ndarray, earlier: np.ndarray) -> np.ndarray:
        both = traffic + earlier
        middle = both * rise - past - now
        root = (-middle + np.sqrt(middle * middle + 4 * both * past * rise)) / np.maximum(2 * both, 1e-300)
        was, would = earlier * root, traffic * (root + rise)
        return np.maximum(_times_log(past, was) - (past - was) + _times_log(now, would) - (now - would), 0.0)

    gain = parting(f_in, n_in, b_in, m_in) + parting(f - f_in, n - n_in, b - b_in, m - m_in)
    raised = f_in / np.maximum(n_in, 1e-300) - b_in / np.maximum(m_in, 1e-300) > rise
    return np.where(m_in < SHRINK, np.inf, np.where(raised, gain, 0.0))


def _times_log(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = np.maximum(np.asarray(a, float), 0.0), np.asarray(b, float)
    return np.where((a > 0) & (b > 0), a * np.log(np.where(a > 0, a, 1.0) / np.where(b > 0, b, 1.0)), 0.0)


def stand(leaves: Leaves, failing: np.ndarray, mu: np.ndarray, rows: np.ndarray) -> float:
    """How far a subset stands out: the smaller of the two ratios."""
    inside = [np.array([x[rows].sum()]) for x in (failing, leaves.total, leaves.base_failing, leaves.base_total, mu)]
    sums = tuple(float(x.sum()) for x in (failing, leaves.total, leaves.base_failing, leaves.base_total))
    return float(np.minimum(against_rest(inside[0], inside[4], sums[0], float(mu.sum())), own_past(*inside[:4], sums))[0])


def p_risen_alike(leaves: Leaves, gathered: list[Cells], failing: np.ndarray, mu: np.ndarray, best: float, seed: int = 7) -> float:
    """The share of incidents in which everyone's failures rose by one factor and some conjunction stands out as much as ``best`` by chance.

    Failures are drawn over the requests of the incident, and those of the baseline over its requests, by each leaf's own past.
    """
    draw = np.random.default_rng(seed)
    rate = mu / np.maximum(leaves.total, 1e-300)
    after, before = _chances(mu), _chances(leaves.base_total * rate)
    f, b = _whole(failing), _whole(leaves.base_failing)
    static = [(g, g.sums(leaves.total), g.sums(leaves.base_total)) for g in gathered]
    n, m = float(leaves.total.sum()), float(leaves.base_total.sum())

    def highest() -> float:
        now, past = draw.multinomial(f, after).astype(float), draw.multinomial(b, before).astype(float) if m else leaves.base_failing
        e = expected_of(now, leaves.total, past, leaves.base_total)
        return max(float(np.minimum(against_rest(f_in, g.sums(e), f, float(e.sum())),
                                    own_past(f_in, n_in, g.sums(past), m_in, (f, n, float(past.sum()), m))).max())
                   for g, n_in, m_in in static for f_in in (g.sums(now),))

    return _p(best, gathered, leaves, highest)


def p_alike_now(leaves: Leaves, gathered: list[Cells], seed: int = 7) -> float:
    """The share of shuffles of the failures over all requests of the incident in which some conjunction stands out as much as the best does."""
    draw = np.random.default_rng(seed)
    f, n = _whole(leaves.failing), float(leaves.total.sum())
    static, chance = [(g, g.sums(leaves.total)) for g in gathered], _chances(leaves.total)

    def highest(failing: np.ndarray) -> float:
        return max(float(against_rest(g.sums(failing), n_in, f, n).max()) for g, n_in in static)

    return _p(highest(leaves.failing), gathered, leaves, lambda: highest(draw.multinomial(f, chance).astype(float)))


def _p(best: float, gathered: list[Cells], leaves: Leaves, highest) -> float:
    """By the Chernoff bound over all cells where that settles it, else drawn, and left off once three draws reach the best (Besag, Clifford 1991).

    Where none does, the tail is read off a Gumbel distribution through the draws (Abrams, Kleinman, Kulldorff 2010).
    """
    count = number(leaves, gathered)
    bound = float(count * np.exp(-min(best, 700.0)))
    if bound < SETTLED or not count:
        return min(1.0, bound)
    cost = sum(3 * len(g.code) + 10 * g.width for g in gathered)
    rounds = int(np.clip(WORK // max(1, cost), LEAST_ROUNDS, ROUNDS))
    drawn: list[float] = []
    reached = 0
    while len(drawn) < rounds:
        drawn.append(highest())
        reached += drawn[-1] >= best
        if reached == 3:
            return reached / len(drawn)
    plain = (1 + reached) / (1 + rounds)
    if reached or not (spread := float(np.std(drawn)) * np.sqrt(6) / np.pi):
        return plain
    tail = -np.expm1(-np.exp(-(best - (np.mean(drawn) - _EULER * spread)) / spread))
    return float(min(plain, tail, bound))


def number(leaves: Leaves, gathered: list[Cells]) -> int:
    """How many conjunctions have any traffic in the incident."""
    return sum(int(np.count_nonzero(g.sums(leaves.total))) for g in gathered)


def _chances(weights: np.ndarray) -> np.ndarray:
    total = weights.sum()
    return weights / total if total > 0 else np.full(len(weights), 1 / max(1, len(weights)))


def _whole(counts: np.ndarray) -> int:
    return int(min(round(float(counts.sum())), 2**53))
