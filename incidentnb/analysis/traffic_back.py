"""Is the traffic back? Requests a minute against what was usual: the same hour of the day before, or the time before the onset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BAND = 0.5  # traffic is back when it is at least this share of what was usual
LOOK, LEVEL, LEAST_BEFORE = 10, 60, 3  # minutes: looked at, before the onset at most, before the onset at least


@dataclass(frozen=True)
class Usual:
    """The traffic to expect.

    Attributes:
        expected: requests per place; ``None`` where nothing before the onset tells.
        level: requests a minute before the onset.
        compared: what it was compared with, in words.
    """

    expected: np.ndarray | None
    level: float | None
    compared: str


def usual(total: np.ndarray, onset: int, minutes: float = 1.0) -> Usual:
    """What traffic to expect in each place.

    Method: where a day before is in the data, the requests of the same quarter of an hour of that day, scaled by how the hour before the onset
    compares with the same hour of that day; else the median minute of the hour before the onset. O(places).

    Args:
        total: requests per place of ``minutes`` minutes, from the start of the data; ``onset``: the place where it began.
    """
    before = total[max(0, onset - round(LEVEL / minutes)):onset].astype(float)
    if len(before) < max(1, round(LEAST_BEFORE / minutes)):
        return Usual(None, None, "nothing: too little is known of the time before the onset")
    level = float(np.median(before)) if np.median(before) >= 5 else float(before.mean())
    day, look = round(1440 / minutes), max(1, round(15 / minutes))
    start = onset - len(before) - day
    if start >= 0 and len(total) - day <= onset:
        then = float(total[start:start + len(before)].mean())
        if then > 0:
            sums = np.concatenate([[0.0], np.cumsum(total.astype(float))])
            places = np.clip(np.arange(len(total)) - day + 1, 0, None)
            same = (sums[places] - sums[np.clip(places - look, 0, None)]) / look
            return Usual(same * before.mean() / then, level / minutes, "the same hour of the day before")
    words = f"the {len(before) * minutes:,.0f} minutes before the onset"
    return Usual(np.full(len(total), level), level / minutes, words + "; no earlier day is in the data to compare the hour with")


def ready(total: np.ndarray, expected: np.ndarray | None, minutes: float = 1.0) -> np.ndarray:
    """Per place whether the last 10 minutes had at least half of the usual requests; true where nothing is known to be usual."""
    if expected is None:
        return np.ones(len(total), bool)
    look = max(1, round(LOOK / minutes))
    return _last(total.astype(float), look) >= BAND * _last(expected, look)


def gone(total: np.ndarray, since: int, minutes: float = 1.0) -> bool:
    """Whether traffic broke off after a proof: the last 10 minutes have less than half of what the hour before them had."""
    look = max(1, round(LOOK / minutes))
    hour = total[max(since, len(total) - look - round(60 / minutes)):max(since, len(total) - look)]
    return bool(len(hour) >= look and total[len(total) - look:].mean() < BAND * hour.mean())


def _last(values: np.ndarray, look: int) -> np.ndarray:
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    return sums[ends] - sums[np.clip(ends - look, 0, None)]
