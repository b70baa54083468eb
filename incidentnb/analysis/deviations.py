"""The scan behind the shift of a value: which stretch lies furthest from what is usual, and from what came right before. Arrays only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEAST = 12  # points that a series must have
BLOCKS = 12  # the series is cut into so many stretches; what is usually the largest deviation is told from them
UPPER = 0.5  # the higher share of the other stretches that "usually the largest" is taken from
LONGEST = 12  # the longest window is this part of the series; longer deviations are grown from their first part
LEAD = 24  # a deviation in the first part of so many counts by how much of it lies before: there is little to compare with
TILT = 0.06  # of two that stand out alike the longer one is the larger: ten times as long counts by a seventh more
AT_MOST_P = 0.1
SMALL_P, CLEAR = 0.05, 2.0  # one that is less than so many usual spreads of single points high must be further beyond chance
ALIKE = 0.3  # further deviations of at least this share of the strongest are named beside it
MOST = 12
_SIMULATED, _SERIES, _GROWTH, _FINE = 1000, 199, 1.3, 4


@dataclass(frozen=True)
class Deviation:
    """One stretch ``[start, end)`` of points that deviates.

    Attributes:
        start, start_low, start_high: the first point of it, and the range of first points that fit nearly as well.
        end: the first point after it; the number of points where it may go on.
        height: mean deviation inside the window that found it, in units of the values; negative for a drop.
        strength: how many times further it is than the furthest window of that length usually is.
        p_value: share of simulated quiet series, as long and as persistent, whose furthest window stands out as much.
    """

    start: int
    start_low: int
    start_high: int
    end: int
    height: float
    strength: float
    p_value: float


@dataclass(frozen=True)
class Deviations:
    """What the scan of one series found: the deviations in order of time, the strongest of all (named or not), and the smallest visible.

    Attributes:
        found: the deviations beyond chance that are alike in strength, in order of time.
        strongest: the furthest window, beyond chance or not; ``None`` in a series that never moves.
        smallest: the mean deviation that would have been called one, held for a twelfth of the series.
        persistence: correlation of neighbouring points (0 is none).
    """

    found: tuple[Deviation, ...]
    strongest: Deviation | None
    smallest: float
    persistence: float


def lengths(n: int) -> list[int]:
    """Window lengths from one point up to a twelfth of the series, growing by a third."""
    longest, length, found = max(1, n // LONGEST), 1.0, []
    while round(length) <= longest:
        found.append(round(length))
        length = max(length + 1, length * _GROWTH)
    return found


def heights(rest: np.ndarray, length: int) -> np.ndarray:
    """How far the window at each start lies from the usual level *and* from the window before it: the smaller of both, 0 where they differ in sign.

    Both are asked for because a slow swing is far from the usual level without being sudden, and the way back to it is sudden only.

    Args:
        rest: values less what is usual for them; series by rows.
    """
    n = rest.shape[-1]
    sums = np.concatenate([np.zeros((*rest.shape[:-1], 1)), np.cumsum(rest, axis=-1)], axis=-1)
    start = np.arange(n - length + 1)
    back = np.maximum(0, start - max(3, length))
    mean = (sums[..., length:] - sums[..., :n - length + 1]) / length
    before = (sums[..., :n - length + 1] - sums[..., back]) / np.maximum(1, start - back)
    jump = mean - before
    far = np.where(np.sign(jump) == np.sign(mean), np.sign(mean) * np.minimum(np.abs(jump), np.abs(mean)), 0.0)
    far[..., start - back < max(1, max(3, length) // 2)] = 0.0  # the very first points have nothing before them
    return far


def scan(rest: np.ndarray, steps: np.ndarray | None = None, grain: float = 0.0, noise: float | None = None, seed: int = 7,
         again: bool = True) -> Deviations:
    """The deviations of one series of values less their usual level.

    Args:
        rest: values less what is usual, in order of time, missing points left out.
        steps: distance of each point from the one before in steps of the series (1 where none is missing).
        grain: the smallest difference between two values; a deviation by a unit or two of a count is no news.
        noise: usual spread of single points; told from ``rest`` where not given.
        seed: of the simulation; the same series gives the same answer.
        again: whether to look a second time without the single points that prove nothing.

    Method: for windows of every length the height above is compared with the geometric mean of the largest heights in the other stretches
    of a twelfth of the series (block maxima, Gumbel 1958): the scan is calibrated at each length by the series itself, so that bursts that
    come every day and correlated noise are usual. Windows that begin at the very start count by how much lies before them. The p-value:
    the same scan over 199 Gaussian AR(1) series as long and as persistent (Monte Carlo as for scan statistics, Kulldorff 1997); noise of
    heavier tails than that reaches it more often. Complexity O(n log n), and a constant for the simulation.
    """
    rest = np.asarray(rest, float)
    n, grain = len(rest), grain if np.isfinite(grain) else 0.0
    persistence = correlation(rest, np.ones(n) if steps is None else steps)
    if n < LEAST or not np.any(rest):
        return Deviations((), None, float("nan"), persistence)
    chance, windows = simulated(n, persistence, seed), _windows(rest, grain)
    free, found, strongest = np.ones(n, bool), [], None
    while len(found) < MOST and (best := _furthest(windows, rest, free, chance)) is not None:
        strongest = strongest or best
        if best.p_value >= AT_MOST_P:
            break
        found.append(best)
        free[best.start:best.end] = False
    clear = CLEAR * (spread(rest) if noise is None else noise)
    found = [d for d in found if d.p_value < SMALL_P or np.median(np.abs(rest[d.start:d.end])) >= clear]
    kept = _without_strays(found, rest)
    if len(kept) < len(found) and again:  # strays hide what lasts: look once more without them
        calm = rest.copy()
        calm[[d.start for d in found if d not in kept]] = 0.0
        return scan(calm, steps, grain, noise, seed, again=False)
    found, strongest = kept, max(kept, key=lambda d: d.strength, default=strongest)
    found = [d for d in found if d.strength >= ALIKE * strongest.strength]
    return Deviations(tuple(sorted(found, key=lambda d: d.start)), strongest, _smallest(windows, chance), persistence)


def _without_strays(found: list[Deviation], rest: np.ndarray) -> list[Deviation]:
    """Without the single points that others nearly reach: one value alone proves little unless it lies twice as far as any other."""
    lasting = [d for d in found if d.end - d.start > 1]
    size = np.abs(rest)
    for d in lasting:
        size[d.start:d.end] = 0.0
    return lasting + [d for d in found if d.end - d.start == 1 and np.sort(size)[-2] <= 0.5 * size[d.start]]


def correlation(rest: np.ndarray, steps: np.ndarray) -> float:
    """Correlation of points one step apart, robust: from the spread of their sums and differences (Gnanadesikan and Kettenring 1972)."""
    beside = np.asarray(steps)[1:] == 1
    a, b = rest[1:][beside], rest[:-1][beside]
    if len(a) < LEAST:
        return 0.0
    wide, narrow = spread(a + b) ** 2, spread(a - b) ** 2
    return float(np.clip((wide - narrow) / (wide + narrow), 0, 0.98)) if wide + narrow > 0 else 0.0


def spread(values: np.ndarray) -> float:
    """Robust standard deviation: 1.4826 · median absolute deviation (Iglewicz and Hoaglin 1993); where that is 0, the trimmed mean deviation."""
    far = np.abs(values - np.median(values))
    return float(1.4826 * np.median(far)) or float(np.mean(np.minimum(far, np.quantile(far, 0.99)))) or float(np.std(values))


def simulated(n: int, persistence: float, seed: int) -> np.ndarray:
    """The strength of the furthest window in quiet Gaussian AR(1) series of this length, in ascending order.

    Longer series than 1,000 points are stood for by 1,000 whose correlation dies out over the same share of the series.
    """
    few = min(n, _SIMULATED)
    phi = persistence ** (n / few)
    noise = np.random.default_rng(seed).standard_normal((few, _SERIES))
    noise[0] /= np.sqrt(max(1 - phi * phi, 1e-6))
    for i in range(1, few):
        noise[i] += phi * noise[i - 1]
    rest = noise.T - np.median(noise.T, axis=1)[:, None]
    best = np.zeros(_SERIES)
    for length in lengths(few):
        far = np.abs(heights(rest, length))
        best = np.maximum(best, far.max(axis=1) / _usual(far, 0.0) * length**TILT)
    return np.sort(best)


def _usual(size: np.ndarray, least: float) -> np.ndarray:
    """How far the furthest window of a twelfth of the series usually lies: the geometric mean over the higher of all stretches of that length.

    The stretches overlap (they begin every forty-eighth of the series), so that no grid decides; those with the furthest window of all are left out.
    """
    count = size.shape[-1]
    cells = min(BLOCKS * _FINE, count)
    wide = min(_FINE, max(1, cells // 4))
    largest = np.maximum.reduceat(size, np.linspace(0, count, cells + 1).astype(int)[:-1], axis=-1)
    stretch = np.lib.stride_tricks.sliding_window_view(largest, wide, axis=-1).max(axis=-1)
    ordered = np.sort(stretch, axis=-1)
    held = (stretch == ordered[..., -1:]).sum(axis=-1, keepdims=True)  # stretches that hold the furthest window
    place = np.arange(ordered.shape[-1])
    left = ordered.shape[-1] - held
    used = (place < np.maximum(left, 1)) & (place >= np.floor(left * (1 - UPPER)))
    return np.exp((np.log(np.maximum(ordered, max(least, 1e-300))) * used).sum(axis=-1) / used.sum(axis=-1))


def _windows(rest: np.ndarray, grain: float) -> list[tuple[int, np.ndarray, float]]:
    """By window length: the heights (0 where a count of a few units may scatter so far), and how far the furthest window usually lies."""
    found = []
    for length in lengths(len(rest)):
        far = heights(rest, length)
        usual = float(_usual(np.abs(far), grain / length))
        if grain > 0:
            units = usual * length / grain
            far = np.where(np.abs(far) * length / grain >= units + 3 * np.sqrt(units), far, 0.0)
        found.append((length, far, usual))
    return found


def _furthest(windows: list[tuple[int, np.ndarray, float]], rest: np.ndarray, free: np.ndarray, chance: np.ndarray) -> Deviation | None:
    """The furthest window that touches no stretch found before: by strength and by how much lies before it; where that is nothing, by strength."""
    n = len(rest)
    taken = np.concatenate([[0], np.cumsum(~free)])
    trust = np.minimum(1.0, np.arange(n) / max(1, n // LEAD))
    best: tuple[float, float, int, int, float] = (0.0, 0.0, 0, 0, 0.0)
    for weights in (trust, (trust >= 0.5) * 1.0):
        best = (0.0, 0.0, 0, 0, 0.0)
        for length, far, usual in windows:
            size = np.abs(far) * (taken[length:] == taken[:n - length + 1])
            at = int(np.argmax(size * weights[:len(size)]))
            strength = size[at] / usual * length**TILT
            best = max(best, (strength * weights[at], strength, at, length, float(far[at])))
        if _p(best[1], chance) < AT_MOST_P:
            break
    _, strength, at, length, height = best
    if strength <= 0:
        return None
    start, low, high, end = _grown(rest * free, rest, at, length, np.sign(height))
    return Deviation(start, low, high, end, height, float(strength), _p(strength, chance))


def _p(strength: float, chance: np.ndarray) -> float:
    return float((1 + len(chance) - np.searchsorted(chance, strength)) / (1 + len(chance)))


def _grown(left: np.ndarray, rest: np.ndarray, at: int, length: int, sign: float) -> tuple[int, int, int, int]:
    """The stretch that a window belongs to: the segment of largest sum of (height / half of it − 1), no point counting more than one.

    That is the likelihood ratio of a shift to that height, each point bounded (Huber 1964), as in a CUSUM run to both sides (Page 1954).
    """
    up = sign * left
    start, end = at, at + length
    height = max(float(up[start:end].mean()), 1e-300)
    for _ in range(2):
        gain = np.clip(up / (height / 2) - 1, -1, 1)
        inner = np.concatenate([[0.0], np.cumsum(gain[at:at + length])])
        to = int(np.argmax(inner - np.minimum.accumulate(inner)))
        since = int(np.argmin(inner[:to + 1]))
        to = max(to, since + 1)
        after = np.cumsum(gain[at + to:])
        before = np.cumsum(gain[:at + since][::-1])
        end = at + to + (int(np.argmax(after)) + 1 if len(after) and after.max() > 0 else 0)
        start = at + since - (int(np.argmax(before)) + 1 if len(before) and before.max() > 0 else 0)
        height = max(float(np.median(up[start:end])), 1e-300)
    outside = np.concatenate([rest[:start], rest[end:]])
    noise = spread(outside) if len(outside) >= LEAST else 0.0
    low = high = start
    if noise > 0:  # half of chi-squared's 95 % point, in units of the bounded gain
        slack = 1.92 * 2 * noise**2 / height**2
        run = np.cumsum(gain[:end][::-1])[::-1]
        near = np.flatnonzero(run[max(0, start - 50):end] >= run[start] - slack) + max(0, start - 50)
        low, high = int(min(near.min(), start)), int(max(near.max(), start))
    return start, low, high, end


def _smallest(windows: list[tuple[int, np.ndarray, float]], chance: np.ndarray) -> float:
    """The mean deviation that would have been called one, held for a twelfth of the series."""
    length, _, usual = windows[-1]
    return float(usual * np.quantile(chance, 1 - AT_MOST_P) / length**TILT)
