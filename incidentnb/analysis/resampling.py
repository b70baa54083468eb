"""How often a quiet series of the same traffic looks as raised as one that was seen. Knows arrays alone.

A posterior predictive test (Rubin 1984; Gelman, Meng & Stern 1996) by parametric bootstrap. Failures are binomial around a rate that varies
from bucket to bucket. How much it varies is learned from the buckets outside of the raised ones, together with a prior worth
``PRIOR_BUCKETS`` buckets whose rates vary by ``PRIOR_VARIATION``: five buckets say little about the noise of a sixth. As in a t-test every
series is measured by the spread that it shows itself, so that few buckets ask for more. Nobody knows the shape of the noise: both a log-normal
(with high peaks) and a gamma one (with deep valleys, which make a low baseline) are drawn, and the one that looks more raised counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PRIOR_BUCKETS, PRIOR_VARIATION = 10.0, 0.3
LONGEST = 0.6  # the longest interval of a resampled series, as a share of it: the rest must tell its spread
LEAST_OUTSIDE = 0.25  # a smaller quiet share than this may be the luck of a noisy series
QUIET_SHARE = 0.6  # the quieter share of buckets that a baseline is taken from
HIDDEN = 0.67  # a rate outside of the strongest interval below this share of the baseline: the interval is in the baseline itself
ALPHA = 0.05  # what "would have been seen" speaks of
_MOST_ROUNDS, _LEAST_ROUNDS, _COST = 999, 219, 4_000_000
_PILOT, _MOST_MENDED = 99, 4.0


@dataclass(frozen=True)
class Chance:
    """How a series compares with quiet ones.

    Attributes:
        p_value: the share of quiet series that are at least as raised.
        threshold: the likelihood ratio (unscaled) that 5 % of quiet series reach.
    """

    p_value: float
    threshold: float


def significance(failing: np.ndarray, total: np.ndarray, outside: np.ndarray, seed: int = 7) -> Chance:
    """Compare a series with quiet ones of its traffic and its noise.

    Complexity: rounds × buckets × log(buckets); rounds fall from 999 to 219 as the series gets longer.

    Args:
        failing, total: requests per bucket; buckets without a request take no part.
        outside: marks the buckets that are not raised.
        seed: of the resampling; the same series gives the same answer.
    """
    seen = total > 0
    f, n, keep = failing[seen], total[seen], outside[seen]
    lengths = np.unique(np.round(1.3 ** np.arange(60)).astype(int))
    lengths = lengths[lengths <= max(1, LONGEST * len(n))]
    size = block_size(f, n)
    best, _ = _strongest(f[None], n, size, lengths)
    variance, freedom, rate = _variation(f[None], n, keep[None] if keep.sum() >= 2 else np.ones((1, len(n)), bool))
    if keep.sum() < LEAST_OUTSIDE * len(n):  # few quiet buckets are the luckiest of a noisy series unless the raised ones are as even
        variance = np.maximum(variance, _variation(f[None], n, ~keep[None])[0])
    inflation = _inflation(n, rate, _with_prior(variance, freedom))
    rounds = int(np.clip(_COST // (len(lengths) * len(n)), _LEAST_ROUNDS, _MOST_ROUNDS))
    draw = np.random.default_rng(seed)
    weight = PRIOR_BUCKETS + freedom
    prior = PRIOR_BUCKETS * PRIOR_VARIATION**2
    # the strongest interval is left out of what tells the spread, so the spread comes out too small: by how much, a few series tell
    pilot = (prior + freedom * variance) / draw.chisquare(weight, _PILOT)
    _, own, _ = _drawn(draw, n, rate[0], _log_normal(draw, pilot, len(n)), size, lengths)
    too_small = np.clip(pilot.mean() / max(own.mean(), 1e-12), 1.0, _MOST_MENDED)
    spread = (prior + freedom * variance * too_small) / draw.chisquare(weight, rounds)  # of the posterior
    reached = []
    for noise in (_log_normal, _gamma):
        strength, own, own_rate = _drawn(draw, n, rate[0], noise(draw, spread, len(n)), size, lengths)
        reached.append(strength / _inflation(n, own_rate, _with_prior(own, freedom)))
    observed = best[0] / inflation[0]
    return Chance(max(float((1 + (one >= observed).sum()) / (1 + rounds)) for one in reached),
                  float(max(np.quantile(one, 1 - ALPHA) for one in reached) * inflation[0]))


def edges(failing: np.ndarray, total: np.ndarray, seed: int = 7) -> float:
    """The p of a rise that fills most of a series: that its quiet edges are the luck of where the quiet buckets fell.

    A permutation test (Fisher 1935): the likelihood ratio of two rates, one for a head and a tail of at most 40 % together, one for what lies
    between, against the same of the buckets in random order. Complexity: 219 × log²(buckets).
    """
    seen = total > 0
    f, n = failing[seen], total[seen]
    lengths = np.unique(np.round(1.3 ** np.arange(60)).astype(int))
    lengths = np.concatenate([[0], lengths[lengths <= (1 - LONGEST) * len(n)]])
    head, tail = (part.ravel() for part in np.meshgrid(lengths, lengths))
    fits = (head + tail >= 2) & (head + tail <= (1 - LONGEST) * len(n))
    head, tail = head[fits], len(n) - tail[fits]
    if not len(head):
        return 1.0
    draw = np.random.default_rng(seed)
    orders = np.argsort(draw.random((_LEAST_ROUNDS, len(n))), axis=1)
    orders = np.concatenate([np.arange(len(n))[None], orders])
    sums, means = (np.concatenate([np.zeros((len(orders), 1)), np.cumsum(x[orders], axis=1)], axis=1) for x in (f, n))
    inside, requests = sums[:, tail] - sums[:, head], means[:, tail] - means[:, head]
    strength = two_rates(inside, requests, f.sum() - inside, n.sum() - requests).max(axis=1)
    return float((strength >= strength[0]).mean())


def _drawn(draw: np.random.Generator, n: np.ndarray, rate: float, noise: np.ndarray, size: int,
           lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Quiet series with some noise, a row each: their strength, the variance that they show outside of it, their rate there."""
    quiet = draw.binomial(np.rint(n).astype(np.int64), np.minimum(0.99, rate * noise)).astype(float)
    strength, apart = _strongest(quiet, n, size, lengths)
    own, _, own_rate = _variation(quiet, n, apart)
    return strength, own, own_rate


def _log_normal(draw: np.random.Generator, variance: np.ndarray, width: int) -> np.ndarray:
    sigma = np.sqrt(np.log1p(variance))[:, None]
    return np.exp(sigma * draw.standard_normal((len(variance), width)) - sigma**2 / 2)


def _gamma(draw: np.random.Generator, variance: np.ndarray, width: int) -> np.ndarray:
    return draw.gamma(1 / variance[:, None], variance[:, None], (len(variance), width))


def _strongest(f: np.ndarray, n: np.ndarray, size: int, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per row the best likelihood ratio over intervals of some lengths, and which buckets lie outside of that interval.

    Where the rate outside is far below the baseline the interval hid in its own baseline: then once more from the rate outside.
    """
    rate = _quiet_rates(f, n, size)
    best, outside = _best(f, n, rate, lengths)
    beside = (np.where(outside, f, 0.0).sum(axis=1) + 0.5) / (np.where(outside, n, 0.0).sum(axis=1) + 1.0)
    hidden = (beside < HIDDEN * rate) & (outside.sum(axis=1) >= 3)
    if hidden.any():
        best[hidden], outside[hidden] = _best(f[hidden], n, beside[hidden], lengths)
    return best, outside


def _best(f: np.ndarray, n: np.ndarray, rate: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sums = np.concatenate([np.zeros((len(f), 1)), np.cumsum(f, axis=1)], axis=1)
    means = np.concatenate([[0.0], np.cumsum(n)])
    best, start, stop = np.zeros(len(f)), np.zeros(len(f), int), np.zeros(len(f), int)
    row = np.arange(len(f))
    for k in lengths:
        points = score(sums[:, k:] - sums[:, :-k], (means[k:] - means[:-k])[None] * rate[:, None])
        at = points.argmax(axis=1)
        better = points[row, at] > best
        best = np.where(better, points[row, at], best)
        start, stop = np.where(better, at, start), np.where(better, at + k, stop)
    place = np.arange(f.shape[1])[None]
    return best, (place < start[:, None]) | (place >= stop[:, None])


def _quiet_rates(f: np.ndarray, n: np.ndarray, size: int) -> np.ndarray:
    """The rate of the quieter 60 % of the blocks, per row."""
    fb, nb = blocks(f, size), blocks(n[None], size)[0]
    quiet = np.argsort(fb / nb, axis=1, kind="stable")[:, :max(1, int(np.ceil(QUIET_SHARE * len(nb))))]
    return (np.take_along_axis(fb, quiet, axis=1).sum(axis=1) + 0.5) / (nb[quiet].sum(axis=1) + 1.0)


def _variation(f: np.ndarray, n: np.ndarray, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per row, over the kept buckets: the relative variance of the rate beyond binomial, its degrees of freedom, and the rate."""
    kept = keep.sum(axis=1)
    rate = (np.where(keep, f, 0.0).sum(axis=1) + 0.5) / (np.where(keep, n, 0.0).sum(axis=1) + 1.0)
    mean = np.where(keep, n, 0.0) * rate[:, None]
    beyond = (np.where(keep, (f - mean) ** 2, 0.0) - mean * (1 - rate[:, None])).sum(axis=1)
    variance = np.maximum(0.0, beyond / np.maximum((mean**2).sum(axis=1), 1e-9) * kept / np.maximum(kept - 1, 1))
    return variance, np.maximum(kept - 1, 0), rate


def _with_prior(variance: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    return (PRIOR_BUCKETS * PRIOR_VARIATION**2 + freedom * variance) / (PRIOR_BUCKETS + freedom)


def _inflation(n: np.ndarray, rate: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """How much wider than binomial a bucket of mean traffic scatters."""
    return 1.0 + n.mean() * rate * variance


def score(f: np.ndarray, mu: np.ndarray) -> np.ndarray:
    """F ln(F/μ) − (F − μ) where more fail than expected, else 0 (expectation-based Poisson; Neill 2009)."""
    raised = (f > mu) & (mu > 0)
    safe_f, safe_mu = np.where(raised, f, 1.0), np.where(raised, mu, 1.0)
    return np.where(raised, safe_f * np.log(safe_f / safe_mu) - (safe_f - safe_mu), 0.0)


def two_rates(f: np.ndarray, n: np.ndarray, f_beside: np.ndarray, n_beside: np.ndarray) -> np.ndarray:
    """The log likelihood ratio of two rates, the first one higher, against one for both; 0 where it is not higher."""
    both = (f + f_beside) / (n + n_beside)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(f > 0, f * np.log(f / (n * both)), 0.0) + np.where(f_beside > 0, f_beside * np.log(f_beside / (n_beside * both)), 0.0)
    return np.where(f * n_beside > f_beside * n, gain, 0.0)


def block_size(f: np.ndarray, n: np.ndarray) -> int:
    """How many buckets a block needs to hold a few failures: among single sparse ones "quieter" would mean "luckier"."""
    size = 1
    while size * 20 <= len(n) and np.median(blocks(f[None], size)) < 5:
        size *= 2
    return size


def blocks(values: np.ndarray, size: int) -> np.ndarray:
    """Rows summed in blocks of ``size`` columns; what does not fill a block at the left is left out."""
    whole = values.shape[1] // size * size
    return values[:, values.shape[1] - whole:].reshape(len(values), -1, size).sum(axis=2) if size > 1 else values
