"""Series from a dashboard: their step, their incomplete edges, and the shift in a series of values such as a latency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from incidentnb.findings import CANNOT_TELL, Finding
from incidentnb.times import Interval, at

if TYPE_CHECKING:
    import pandas as pd

MOST_PLACES = 20_000
_RESAMPLES = 199


def step_of(time: pd.Series) -> int:
    """The step of a series in whole seconds: the commonest gap between two points, wide enough for at most 20,000 places."""
    gaps = time.diff().dt.total_seconds().dropna()
    gaps = gaps[gaps > 0]
    if not len(gaps):
        return 60
    step = max(1, round(float(gaps.round().clip(lower=1).mode().iloc[0])))
    span = (time.iloc[-1] - time.iloc[0]).total_seconds()
    return int(step * max(1, np.ceil(span / step / MOST_PLACES)))


def places(time: pd.Series, width: int) -> np.ndarray:
    """The number of the step that each point falls into, counted from the first."""
    return np.round((time - time.iloc[0]).dt.total_seconds().to_numpy() / width).astype(int)


def complete(total: np.ndarray) -> np.ndarray:
    """Which steps are complete, told from their traffic: a first or last step below half of its five neighbours is not."""
    whole = np.ones(len(total), bool)
    seen = np.flatnonzero(total > 0)
    if len(seen) >= 4:
        for edge, beside in ((seen[-1], seen[-6:-1]), (seen[0], seen[1:6])):
            if total[edge] < 0.5 * np.median(total[beside]):
                whole[edge] = False
    return whole


def shift(frame: pd.DataFrame, seed: int = 7) -> Finding:
    """When a plain series of values left its usual level, and whether it came back.

    The values are centred on the median and scaled by the median deviation, clipped, and scanned for the interval whose mean is
    shifted most; the noise is taken as it is correlated (blocks of the series itself are shuffled for the p).

    Args:
        frame: ``time`` (aware UTC), ``value``.

    Returns:
        As ``onset``; ``rate`` holds the median values, ``excess`` the mean shift times its length; the frame is ``time``, ``value``, ``during``.
    """
    data = frame.dropna(subset=["time", "value"]).sort_values("time").drop_duplicates("time").reset_index(drop=True)
    data = data.assign(during=False)
    numbers: dict[str, Any] = {"onset": None, "end": None, "rate": {"baseline": None, "during": None}, "spikes": [], "bucket_s": None,
                               "requests": len(data), "failed": None, "window_start": None, "window_end": None}
    if len(data) < 12:
        why = f"{len(data)} values are too few: at least 12 are needed"
        return Finding("onset", CANNOT_TELL, f"Whether the values rose cannot be told: {why}.", why, numbers, data)
    x, width = data["value"].to_numpy(float), step_of(data["time"])
    moments = [t.to_pydatetime() for t in data["time"]]
    numbers |= {"bucket_s": width, "window_start": moments[0], "window_end": moments[-1]}
    size = int(np.ceil(len(x) / 2000))  # long series are scanned in steps of a few points
    z, centre = _standard(x)
    coarse = z[:len(z) // size * size].reshape(-1, size).mean(axis=1) * np.sqrt(size)
    strength, s, e = _strongest(coarse)
    draw = np.random.default_rng(seed)
    outside = np.concatenate([coarse[:s], coarse[e:]])
    reached = [_strongest(_shuffled(outside if len(outside) >= len(coarse) // 3 else coarse, len(coarse), draw))[0] for _ in range(_RESAMPLES)]
    p_value = float((1 + sum(r >= strength for r in reached)) / (1 + _RESAMPLES))
    s, e = s * size, min(e * size, len(x))
    base = float(np.median(np.concatenate([x[:s], x[e:]]))) if e - s < len(x) else centre
    inside = float(np.median(x[s:e]))
    numbers["p_value"] = p_value
    spread = float(np.median(np.abs(np.concatenate([x[:s], x[e:]]) - base))) * 1.4826 if e - s < len(x) else 0.0
    if p_value >= 0.05 or e - s >= len(x) - 2 or abs(inside - base) < 2 * spread:
        numbers["rate"]["baseline"] = float(np.median(x))
        why = "the largest shift is within twice the usual spread" if p_value < 0.05 else f"{p_value:.0%} of shuffled series look at least as shifted"
        return Finding("onset", "no spike", f"No lasting shift is visible in {len(x):,} values around {np.median(x):.4g}.", why, numbers, data)
    data.loc[s:e - 1, "during"] = True
    began = Interval(moments[s], moments[max(0, s - size)], moments[min(len(x) - 1, s + size)])
    over = None if e >= len(x) - 1 else Interval(moments[e], max(moments[e - 1], moments[s]), moments[min(len(x) - 1, e + size)])
    numbers |= {"onset": began, "end": over, "rate": {"baseline": base, "during": inside},
                "spikes": [{"onset": began, "end": over, "rate": inside, "excess": float((x[s:e] - base).sum())}]}
    until = "still so" if over is None else f"until {at(over.at, began.at)}"
    return Finding("onset", "spike", f"The value went from {base:.4g} to {inside:.4g} at {at(began.at)}, {until}.",
                   f"medians of {e - s:,} and {len(x) - e + s:,} values; {p_value:.1%} of shuffled series look like this", numbers, data)


def _standard(x: np.ndarray) -> tuple[np.ndarray, float]:
    centre = float(np.median(x))
    spread = float(np.median(np.abs(x - centre))) * 1.4826 or float(np.std(x)) or 1.0
    return np.clip((x - centre) / spread, -8, 8), centre


def _strongest(z: np.ndarray) -> tuple[float, int, int]:
    total = np.concatenate([[0.0], np.cumsum(z - np.median(z))])
    best = (0.0, 0, len(z))
    for length in np.unique(np.round(1.15 ** np.arange(60)).astype(int)):
        if length >= len(z):
            break
        moved = np.abs(total[length:] - total[:-length]) / np.sqrt(length)
        at = int(np.argmax(moved))
        if moved[at] > best[0]:
            best = (float(moved[at]), at, at + int(length))
    return best


def _shuffled(z: np.ndarray, length: int, draw: np.random.Generator) -> np.ndarray:
    block = max(2, round(len(z) ** (1 / 3)))
    starts = draw.integers(0, max(1, len(z) - block + 1), size=int(np.ceil(length / block)))
    return np.concatenate([z[a:a + block] for a in starts])[:length]


