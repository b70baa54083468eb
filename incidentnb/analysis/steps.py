"""Series from a dashboard: their step, their places, and their incomplete edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from incidentnb.findings import Finding

MOST_PLACES = 20_000


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
    """The shift in a series of values: see ``shifts.shift``."""
    from incidentnb.analysis import shifts

    return shifts.shift(frame, seed)
