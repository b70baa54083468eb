"""How near a change lies before an onset that is known only to an interval, in bits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from math import log, log2

from incidentnb.times import Interval

UNIT_S = 60.0  # a change a minute before the onset is worth half of one at the onset
WITHIN = 1 / 16  # what lies within the interval of the onset is never worth nothing: the interval itself may be off


def nearness(began: Interval) -> Callable[[datetime], float]:
    """A function from the time of a change to its nearness: 0 at the onset, −1 a minute before it, −4 a quarter of an hour, −10.5 a day.

    Method: trouble shows soon after its change and rarely late; with a density that falls like ``1 / (u + lead)``, ``u`` one minute, the nearness is
    ``log2 E[u / (u + lead)]``. The expectation is over where in its interval the onset was: half of the weight evenly on ``[earliest, at]``, half
    on ``[at, latest]``; instants before the change count as nothing, and a change within the interval has 1/16 more. Constant time a change.
    """
    parts = [(began.earliest, began.at), (began.at, began.latest)]
    starts = [(a.timestamp(), b.timestamp()) for a, b in parts]

    def near(moment: datetime) -> float:
        at = moment.timestamp()
        mass = sum(_mean(a, b, at) for a, b in starts) / 2
        return log2(mass + WITHIN if moment >= began.earliest else mass)

    return near


def _mean(a: float, b: float, at: float) -> float:
    """The mean of ``u / (u + t − at)`` over ``t`` in ``[a, b]``, nothing where ``t < at``."""
    if b - a < 1e-3:
        return UNIT_S / (UNIT_S + a - at) if a >= at else 0.0
    low = max(a, at)
    return UNIT_S * (log(UNIT_S + b - at) - log(UNIT_S + low - at)) / (b - a) if b > low else 0.0
