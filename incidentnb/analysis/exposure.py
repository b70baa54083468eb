"""How much more fails at this time of day as a rule? Requests become exposure: what is usual then is no rise. Arrays only.

A factor for each bucket is learned from the other days (or weeks) alone, and used only where it foretells them better than an even rate:
an incident of today neither explains itself away nor invents a rhythm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from incidentnb.analysis import scan, seasons

BORNE_OUT = 6.0  # nats by which a rhythm must foretell the periods better than an even rate (a test by prediction; Dawid 1984)
MOST_WEIGHT = 3.0  # a bucket weighs at most so much more than its requests: what fails by the hundred every night must not drown the day
SLIP_S = 120  # what happens every night may come, and end, a few minutes early or late


@dataclass(frozen=True)
class Usual:
    """What the other periods say about each bucket.

    Attributes:
        factor: the usual failing rate at that time over the quiet rate; 1 where it is not known.
        periods: how many other periods that rests on, at most.
        period_s: 86,400 (time of day) or 604,800 (time of week).
    """

    factor: np.ndarray
    periods: int
    period_s: int

    @property
    def share(self) -> np.ndarray:
        """What failures and exposure of each bucket are divided by before the scan: its rate stays, its weight is bounded."""
        return np.maximum(1.0, self.factor / MOST_WEIGHT)

    @property
    def note(self) -> str:
        time, others = ("day", "days") if self.period_s == seasons.DAY else ("week", "weeks")
        return f"The usual rate at this time of {time}, from {self.periods} other {others}, is taken into account."


def usual(time_s: np.ndarray, failing: np.ndarray, total: np.ndarray, bucket_s: int) -> Usual | None:
    """The rhythm of a failing rate that is borne out, of the day or of the week; ``None`` where there is none, or too few days.

    Args:
        time_s: start of each bucket in seconds, evenly spaced; failing, total: requests per bucket, 0 and 0 is unknown.
        bucket_s: width of a bucket.

    Method: of each bucket the other periods tell failures O (robust: ``seasons.others``) where the quiet rate expects E; the factor is
    O/E less one standard error of O, toward 1. It is believed where the failures of the periods fall in line with it: the median
    over the periods of the log likelihood ratio against an even rate (multinomial over the buckets of a period, each predicted from
    the others only, scaled by the overdispersion), times their number, is at least ``BORNE_OUT``. A week's rhythm must beat the day's as much.
    Complexity O(periods · buckets).
    """
    time_s, failing, total = (np.asarray(part, float) for part in (time_s, failing, total))
    best = None
    for period in (seasons.DAY, seasons.WEEK):
        got = seasons.others(time_s, failing, total, bucket_s, period)
        if got is None:
            continue
        held, seen, number, row = got
        factor = _factor(held, seen, row)
        if _agreed(failing, total, factor, best.factor if best else np.ones(len(total)), row, seen > 0) >= BORNE_OUT:
            best = Usual(factor, int(number[seen > 0].max()), period)
    return best and Usual(_slipped(best.factor, bucket_s), best.periods, best.period_s)


def believed(failing: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """A ratio of counts, less one standard error toward 1: few counts say little, many say what they say; never 0."""
    failing, expected = np.asarray(failing, float), np.maximum(np.asarray(expected, float), 1e-12)
    above = np.maximum(1.0, (failing - np.sqrt(failing)) / expected)
    below = np.minimum(1.0, (failing + np.sqrt(failing + 1)) / expected)
    return np.where(failing > expected, above, below)


def _factor(held: np.ndarray, seen: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Per bucket the usual rate over the quiet rate, both from the other periods."""
    factor = np.ones(len(held))
    for r in np.unique(row):
        own = row == r
        quiet, _ = scan.baseline(held[own], seen[own])
        factor[own] = np.where(seen[own] > 0, believed(held[own], quiet * seen[own]), 1.0)
    return factor


def _agreed(failing: np.ndarray, total: np.ndarray, factor: np.ndarray, rival: np.ndarray, row: np.ndarray, known: np.ndarray) -> float:
    """By how many nats a factor foretells where in a period the failures fall, better than a rival: the middle period's, times their number."""
    use = known & (total > 0)
    if not use.any():
        return 0.0
    f, n, own, other, row = failing[use], total[use], factor[use], rival[use], row[use]
    requests = np.bincount(row, n)
    shares = [by / (np.bincount(row, n * by) / np.maximum(requests, 1e-12))[row] for by in (own, other)]
    # a burst that neither of them knows speaks for neither
    quiet, _ = scan.baseline(f, n * own)
    expected = quiet * n * own
    held = np.minimum(f, seasons.most(quiet * n * np.maximum(own, other)))
    phi = max(1.0, float(np.median((f - expected) ** 2 / np.maximum(expected, 1e-12))) / scan.MEDIAN_CHI2)
    gain = np.sort(np.bincount(row, held * np.log(shares[0] / shares[1]))[requests > 0]) / phi
    return float(gain[(len(gain) - 1) // 2] * len(gain))


def _slipped(factor: np.ndarray, bucket_s: int) -> np.ndarray:
    """A factor that also allows for what happens a few minutes early or late: a share of what the neighbours have above it."""
    share, reach = min(1.0, SLIP_S / bucket_s), max(1, SLIP_S // bucket_s)
    wide = np.pad(factor, reach, mode="edge")
    beside = np.max([wide[i:i + len(factor)] for i in range(2 * reach + 1)], axis=0)
    return np.maximum(factor, factor + share * (beside - factor))
