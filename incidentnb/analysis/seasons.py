"""What is usual at this time of day? A profile from the other days (or weeks) of the same series, robust over them. Arrays only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DAY, WEEK = 86_400, 604_800
LEAST_PERIODS = 3  # other days (weeks) that an expectation rests on, at least
LEAST_GAIN = 0.1  # a profile is believed when it explains so much more of the deviations than the plain median (or the shorter period)
LEAST_COVER = 0.5  # and where so many of the points have one
POOL_S = 600  # neighbours within ten minutes speak for a slot as well
_MOST_EXACT, _MOST_CELLS, _MOST_NEIGHBOURS = 20, 4_000_000, 5


@dataclass(frozen=True)
class Profile:
    """What the other periods say about each point.

    Attributes:
        expected: the median of the other periods at this time of the period; NaN where fewer than ``least`` were seen then.
        low, high: their quartiles: the usual band.
        periods: how many other periods each expectation rests on.
        period_s: 86,400 (time of day) or 604,800 (time of week).
        gain: share of the absolute deviations from the plain median that the profile explains, each point judged by the others alone.
    """

    expected: np.ndarray
    low: np.ndarray
    high: np.ndarray
    periods: np.ndarray
    period_s: int
    gain: float


def expected(time_s: np.ndarray, values: np.ndarray, weights: np.ndarray | None, bucket_s: int, least: int = LEAST_PERIODS,
             earlier_only: bool = False) -> Profile | None:
    """The profile that fits best: time of day, or time of week where enough weeks are there; ``None`` where neither is borne out.

    Args:
        time_s: start of each bucket in seconds (any fixed origin at midnight UTC), in order of time.
        values: one value per bucket (NaN is unknown), or with ``weights`` the failing part of them: then rates are profiled.
        weights: requests per bucket; 0 is unknown.
        bucket_s: width of a bucket.
        least: other periods that are needed.
        earlier_only: compare with earlier periods only (what was known then), else with all the others.

    Method: each slot of the period holds one value a period; what is expected of a point is the median over the other periods, slots within
    ten minutes pooled: the seasonal step of STL (Cleveland et al. 1990) with a median for its loess, so that an incident on one day
    moves nothing. Leave-one-out keeps a point from explaining itself. Complexity O(periods · points) for up to 20 periods, else O(points).
    """
    time_s = np.asarray(time_s, float)
    share = _rates(np.asarray(values, float), weights)
    best, left = None, share - np.nanmedian(share) if np.isfinite(share).any() else share
    for period in (DAY, WEEK):
        found = profile(time_s, values, weights, bucket_s, period, least, earlier_only)
        if found is None:
            continue
        ok = np.isfinite(found.expected) & np.isfinite(left)
        if ok.sum() < LEAST_COVER * np.isfinite(share).sum():
            continue
        heavy = np.ones(len(share)) if weights is None else np.asarray(weights, float)
        before, after = (heavy * np.abs(left))[ok].sum(), (heavy * np.abs(share - found.expected))[ok].sum()
        gain = float(1 - after / before) if before > 0 else 0.0
        if gain > LEAST_GAIN:
            best = Profile(found.expected, found.low, found.high, found.periods, period, gain)
            left = np.where(ok, share - found.expected, left)
    return best


def profile(time_s: np.ndarray, values: np.ndarray, weights: np.ndarray | None, bucket_s: int, period_s: int, least: int = LEAST_PERIODS,
            earlier_only: bool = False) -> Profile | None:
    """The profile of one period, believed or not (``gain`` is 0); ``None`` where no point can have ``least`` other periods."""
    time_s, values = np.asarray(time_s, float), np.asarray(values, float)
    slots = max(1, round(period_s / max(1, bucket_s)))
    if slots < 2 or not len(time_s):
        return None
    row = np.floor(time_s / period_s).astype(np.int64)
    row -= row[0]
    rows = int(row.max()) + 1
    if rows < least + 1 or rows * slots > _MOST_CELLS:
        return None
    slot = np.minimum((time_s % period_s / period_s * slots).astype(np.int64), slots - 1)
    spread = _pooled(row, slot, (rows, slots), values, weights, int(np.clip(round(POOL_S / max(1, bucket_s)), 0, 30)))
    seen = np.isfinite(spread).any(axis=0)
    middle, low, high, count = (np.full((rows, slots), np.nan) for _ in range(4))
    for r in range(rows) if rows <= _MOST_EXACT or earlier_only else ():
        others = np.arange(rows) < r if earlier_only else np.arange(rows) != r
        if others.any():
            low[r], middle[r], high[r] = quantiles(spread[:, others].reshape(-1, slots), (0.25, 0.5, 0.75))
        count[r] = seen[others].sum(axis=0)
    if rows > _MOST_EXACT and not earlier_only:  # one of many periods moves a median by next to nothing
        low[:], middle[:], high[:] = quantiles(spread.reshape(-1, slots), (0.25, 0.5, 0.75))
        count[:] = seen.sum(axis=0) - seen
    answer = [grid[row, slot] for grid in (middle, low, high, count)]
    known = answer[3] >= least
    if not known.any():
        return None
    middle, low, high = (np.where(known, part, np.nan) for part in answer[:3])
    return Profile(middle, low, high, np.nan_to_num(answer[3]).astype(int), period_s, 0.0)


def quantiles(samples: np.ndarray, wanted: tuple[float, ...]) -> list[np.ndarray]:
    """Quantiles down the columns, NaN left out; NaN where a column holds nothing. (numpy's own takes one column at a time.)"""
    ordered = np.sort(samples, axis=0)
    last = np.maximum(np.isfinite(ordered).sum(axis=0) - 1, 0)
    found = []
    for q in wanted:
        place = q * last
        below = np.floor(place).astype(np.int64)
        low = np.take_along_axis(ordered, below[None], 0)[0]
        high = np.take_along_axis(ordered, np.minimum(below + 1, last)[None], 0)[0]
        found.append(low + (high - low) * (place - below))
    return found


def _rates(values: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    if weights is None:
        return values
    weights = np.asarray(weights, float)
    return np.where(weights > 0, values / np.where(weights > 0, weights, 1), np.nan)


def _pooled(row: np.ndarray, slot: np.ndarray, shape: tuple[int, int], values: np.ndarray, weights: np.ndarray | None,
            reach: int) -> np.ndarray:
    """Values by (neighbour, period, slot): the neighbours as samples of their own, or, of rates, one pooled rate."""
    at = row * shape[1] + slot
    known = np.isfinite(values)
    number = np.bincount(at[known], minlength=shape[0] * shape[1]).reshape(shape)
    total = np.bincount(at[known], values[known], shape[0] * shape[1]).reshape(shape)
    offsets = np.unique(np.round(np.linspace(-reach, reach, min(_MOST_NEIGHBOURS, 2 * reach + 1))).astype(int))
    if weights is None:
        mean = np.where(number > 0, total / np.maximum(number, 1), np.nan)
        return np.stack([np.roll(mean, -o, axis=1) for o in offsets])
    heavy = np.bincount(at, np.asarray(weights, float), shape[0] * shape[1]).reshape(shape)
    total, heavy = (sum(np.roll(grid, -o, axis=1) for o in range(-reach, reach + 1)) for grid in (total, heavy))
    return np.where(heavy > 0, total / np.where(heavy > 0, heavy, 1), np.nan)[None]


def others(time_s: np.ndarray, failing: np.ndarray, total: np.ndarray, bucket_s: int, period_s: int, least: int = LEAST_PERIODS,
           ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    """What the *other* periods hold at the time of each point: counts, where a median of rates says too little (0 of 30 is no rate of 0).

    Method: the centre is the median rate of the other periods; each counts with at most two standard deviations (Poisson) more failures than
    that (Huber 1964), so that the counts of sparse slots are kept and an incident of one period moves next to nothing. Periods are
    counted from the first point. Complexity O(periods · points).

    Returns:
        Failing and total requests of the other periods, how many periods these are, and the number of the point's own period; failing
        and total are 0 where fewer than ``least`` were seen. ``None`` where no point can have ``least`` of them.
    """
    slots = max(1, round(period_s / max(1, bucket_s)))
    if slots < 2 or not len(time_s):
        return None
    since = np.asarray(time_s, float) - float(time_s[0])
    row = np.floor(since / period_s).astype(np.int64)
    rows = int(row.max()) + 1
    if rows < least + 1 or rows * slots > _MOST_CELLS:
        return None
    slot = np.minimum((since % period_s / period_s * slots).astype(np.int64), slots - 1)
    f, n = (np.bincount(row * slots + slot, np.asarray(part, float), rows * slots).reshape(rows, slots) for part in (failing, total))
    rate = np.where(n > 0, f / np.where(n > 0, n, 1), np.nan)
    held, seen = np.zeros((rows, slots)), np.zeros((rows, slots))
    number = (n > 0).sum(axis=0) - (n > 0)
    for r in range(rows):
        rest = np.arange(rows) != r
        usual = n[rest] * np.nan_to_num(quantiles(rate[rest], (0.5,))[0])
        held[r] = np.minimum(f[rest], most(usual)).sum(axis=0)
        seen[r] = n[rest].sum(axis=0)
    known = number >= least
    if not known.any():
        return None
    return (held * known)[row, slot], (seen * known)[row, slot], number[row, slot], row


def most(usual: np.ndarray) -> np.ndarray:
    """How many failures are not yet a surprise where so many are usual: two standard deviations of a Poisson count more."""
    return usual + 2 * np.sqrt(usual + 1) + 1
