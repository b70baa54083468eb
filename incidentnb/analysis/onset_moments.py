"""When a rise of the error rate began and ended: to the bucket, and on single requests."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from incidentnb.times import Interval

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from incidentnb.analysis.scan import Rise
    from incidentnb.evidence.table import LogTable

HELD = 0.95  # of the posterior, by the interval of the onset


def moment(frame: pd.DataFrame, index: int, width: int) -> datetime:
    """The start of a bucket."""
    return frame["time"].iloc[0].to_pydatetime() + timedelta(seconds=width * index)


def plain(frame: pd.DataFrame, rise: Rise, width: int) -> Interval:
    """The onset to the bucket: it began somewhere in the first raised bucket."""
    at, low, high = (moment(frame, i, width) for i in (rise.start, min(rise.start_low, rise.start), rise.start_high))
    return Interval(at, low, max(at, high + timedelta(seconds=width)))


def end(frame: pd.DataFrame, rise: Rise, width: int, rises: tuple[Rise, ...], began: Interval) -> Interval | None:
    """When the rise was over; ``None`` where it may go on: nothing but raised or unknown buckets follow."""
    total = (frame["total"] * frame["complete"]).to_numpy()
    after = [r.start for r in rises if r.start >= rise.end]
    limit = min(after, default=len(total))
    quiet_after = int((total[rise.end:limit] > 0).sum())
    if not after and (quiet_after == 0 or total[rise.end_high:].sum() == 0):
        return None
    at, low, high = (moment(frame, i, width) for i in (rise.end, rise.end_low, min(rise.end_high, limit)))
    at = max(at, began.at)
    return Interval(at, min(max(low, began.at), at), max(high, at))


def refined(table: LogTable, frame: pd.DataFrame, rise: Rise, usual: np.ndarray, width: int) -> Interval:
    """The onset on single requests: which failure around the first raised bucket is the first of the spike.

    Bayesian change point (Smith 1975) over all splits, the rate after it from a grid; the interval is the smallest set of failures with 95 %
    of the posterior. Complexity: linear in the requests around the onset.

    Args:
        usual: the rate that is usual at the time of each bucket of the frame.
    """
    import numpy as np

    low = max(0, min(rise.start_low, rise.start) - 2)
    high = min(len(frame), max(rise.start_high, rise.start) + 3)
    bounds = {"a": moment(frame, low, width), "b": moment(frame, min(high, max(rise.end, rise.start + 2)), width)}
    count = table.row("SELECT count(*) AS n FROM outcomes WHERE time >= $a AND time < $b", bounds)["n"]
    stamp = "time" if count <= 100_000 else "date_trunc('second', time)"
    got = table.frame(f"SELECT {stamp} AS moment, sum(total) AS total, sum(failing) AS failing FROM outcomes "
                      "WHERE time >= $a AND time < $b GROUP BY moment ORDER BY moment", bounds)
    p0 = min(max(float(usual[rise.start]), 1e-6), 0.999)
    p1 = min(max(rise.ratio * float(usual[rise.start]), p0 * 1.5), 0.9999)
    if not len(got) or not (got["failing"] > 0).any():
        return plain(frame, rise, width)
    failing, total = got["failing"].to_numpy(float), got["total"].to_numpy(float)
    moments = [t.to_pydatetime() for t in got["moment"]]
    since = (got["moment"] - frame["time"].iloc[0]).dt.total_seconds().to_numpy()
    level = np.clip(usual[np.clip((since // width).astype(int), 0, len(usual) - 1)], 1e-6, 0.999)
    # what the rate is right after the onset nobody knows (it may ramp up): all of a grid of rates, alike likely before
    weights = np.zeros(len(moments))
    for rate in np.geomspace(max(p0 * 1.5, p1 * 0.15), min(0.9999, max(p1 * 1.6, p0 * 2)), 9):
        raised = np.minimum(0.9999, rate * (level / p0))
        gain = failing * np.log(raised / level) + (total - failing) * np.log((1 - raised) / (1 - level))
        after = np.cumsum(gain[::-1])[::-1]  # the gain when everything from here on belongs to the spike
        weights = np.logaddexp(weights, after) if weights.any() else after
    at = int(np.argmax(weights))
    chance = np.exp(weights - weights[at])
    # the first failure of the spike: whatever lies since the failure before it speaks for the same one
    fails = np.flatnonzero(failing > 0)
    mass = np.add.reduceat(chance[:fails[-1] + 1], np.concatenate([[0], fails[:-1] + 1]))
    order = np.argsort(-mass, kind="stable")
    held = order[:int(np.searchsorted(np.cumsum(mass[order]) / mass.sum(), HELD)) + 1]
    best = fails[int(np.argmax(mass))]
    step = timedelta(seconds=1) if all(not m.microsecond for m in moments) else timedelta(0)  # a stamp in whole seconds stands for all of it
    first, last = fails[held.min()], fails[held.max()]
    return Interval(moments[best], min(moments[first], moments[best]), max(moments[last], moments[best]) + step)
