"""Has it been quiet since, for how long, and does that prove anything? Minutes walked one by one, as they become known. Knows arrays alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from incidentnb.analysis import limits

NEED_MINUTES, MOST_MINUTES = 10, 60
BROKEN = 5  # a quiet stretch of so many minutes that is raised again is a relapse; a shorter one belongs to the spike
WINDOWS = (1, 2, 3, 5, 10)  # minutes that are looked at together for a rise
DOUBT = math.log(100)  # a rise this far beyond chance ends a stretch that is not proved yet
RECENT, LEAST = (5, 10, 15), 20  # the last minutes that tell how it stands now: the fewest that hold so many requests


@dataclass(frozen=True)
class Baseline:
    """What is usual: ``failing`` of ``total`` requests, the spread ``phi`` (1 is chance alone), and the rate above which a minute is raised."""

    failing: float
    total: float
    phi: float = 1.0

    @property
    def rate(self) -> float:
        return self.failing / self.total if self.total > 0 else 0.0

    @cached_property
    def raised(self) -> float:
        """1.5 times the baseline, or what the baseline may have been where it was counted on little."""
        return max(limits.LIMIT_RATIO * max(self.rate, limits.FLOOR), limits.upper(self.failing / self.phi, self.total / self.phi))


@dataclass(frozen=True)
class Course:
    """What a walk over the minutes since the onset found; places are numbers of minutes (or wider buckets).

    Attributes:
        since: where the quiet stretch at the end begins; the number of all places where there is none.
        proved: the place at whose end it was proved, or ``None``.
        breaks: (quiet since, raised again at) of each quiet stretch that was broken.
        failing, total: of the quiet stretch.
        need: places that a stretch must last.
    """

    since: int
    proved: int | None
    breaks: tuple[tuple[int, int], ...] = field(default=())
    failing: float = 0.0
    total: float = 0.0
    need: int = NEED_MINUTES


def baseline(failing: np.ndarray, total: np.ndarray) -> Baseline:
    """The counts before the onset, and how much wider than chance their minutes scatter (Pearson's X² by its degrees of freedom)."""
    f, n = failing[total > 0].astype(float), total[total > 0].astype(float)
    rate = (f.sum() + 0.5) / (n.sum() + 1.0)
    phi = 1.0
    if len(n) >= 3:
        phi = max(1.0, float(np.sum((f - n * rate) ** 2 / np.maximum(n * rate * (1 - rate), 1e-12)) / (len(n) - 1)))
    return Baseline(float(f.sum()), float(n.sum()), phi)


def walk(failing: np.ndarray, total: np.ndarray, forced: np.ndarray, base: Baseline, ready: np.ndarray,
         proves: Callable[[float, float, float], bool], minutes: float = 1.0, start: int = 0) -> Course:
    """Walk over the places from ``start`` on as if each were just known.

    A place is raised where the onset's finding says so (``forced``), or where the last 1, 2, 3, 5 or 10 places of the stretch have more
    failures than 1.5 times the baseline by more than chance: 1 in 100 before the proof (in doubt it begins anew), and after it 1 in 20 for all looks
    together. The stretch begins after the last raised place. It is proved at the first place where it is long enough, traffic is back
    (``ready``) and ``proves(failing, total, minutes)``; the proof stands until a rise breaks it. A stretch must last 10 minutes, and twice as long as
    the longest one that was broken (an hour at most). Chernoff's bound of a Poisson count divided by the spread; O(places).
    """
    f, n = (np.concatenate([[0.0], np.cumsum(a.astype(float))]).tolist() for a in (failing, total))
    limit, phi = base.raised, base.phi
    since, proved, breaks, need = start, None, [], math.ceil(NEED_MINUTES / minutes)
    for t in range(start, len(failing)):
        again = t if forced[t] else _rise(f, n, since, t, limit, phi, minutes, proved is not None)
        if again is not None:
            if (again - since) * minutes >= BROKEN or proved is not None:
                breaks.append((since, max(again, since)))
                need = max(need, math.ceil(min(2 * (again - since) * minutes, MOST_MINUTES) / minutes))
            since, proved = t + 1, None
        elif proved is None and t + 1 - since >= need and ready[t] and proves(f[t + 1] - f[since], n[t + 1] - n[since], (t + 1 - since) * minutes):
            proved = t
    return Course(since, proved, tuple(breaks), f[-1] - f[since], n[-1] - n[since], need)


def _rise(f: list[float], n: list[float], since: int, t: int, limit: float, phi: float, minutes: float, proved: bool) -> int | None:
    """Where the rise that ends at ``t`` began; ``None`` for none."""
    looks = max(1.0, (t + 1 - since) * minutes)
    enough = math.log(len(WINDOWS) * looks * (looks + 1) / (1 - limits.CONFIDENCE)) if proved else DOUBT
    best, place = enough, None
    for width in WINDOWS:
        a = t + 1 - width
        if a < since:
            break
        gain = limits.surprise(f[t + 1] - f[a], n[t + 1] - n[a], limit) / phi
        if gain >= best:
            best, place = gain, a
    return place


def settled(failing: np.ndarray, total: np.ndarray, forced: np.ndarray, base: Baseline, start: int) -> np.ndarray:
    """The raised places of a spike whose end is not known, without a tail that is quiet already by 20 to 1.

    The tail is what follows the last place with a rise of its own; it must fit the baseline better than the rate of the spike by
    F ln(p0/p1) + N (p1 - p0) of at least 3 times the spread (Wald 1945).
    """
    f, n = (np.concatenate([[0.0], np.cumsum(a.astype(float))]).tolist() for a in (failing, total))
    limit, last = base.raised, None
    for t in range(start, len(failing)):
        if any(limits.surprise(f[t + 1] - f[t + 1 - w], n[t + 1] - n[t + 1 - w], limit) / base.phi >= DOUBT
               for w in (1, 2) if t + 1 - w >= start):
            last = t
    if last is None or last + 1 >= len(failing):
        return forced
    tail_f, tail_n = f[-1] - f[last + 1], n[-1] - n[last + 1]
    spike, usual = (f[last + 1] - f[start]) / max(1.0, n[last + 1] - n[start]), max(base.rate, limits.FLOOR)
    if spike <= usual or tail_f * math.log(usual / spike) + tail_n * (spike - usual) < 3 * base.phi:
        return forced
    cut = forced.copy()
    cut[last + 1:] = False
    return cut


def calmer(failing: np.ndarray, total: np.ndarray, course: Course, base: Baseline, start: int) -> bool:
    """Whether a short stretch at the end fits the baseline better than the ten places before it by 20 to 1, or has no failure at all."""
    before = slice(max(start, course.since - 10), course.since)
    spike, usual = failing[before].sum() / max(1, total[before].sum()), max(base.rate, limits.FLOOR)
    if course.failing == 0 or spike <= usual:
        return True
    return bool(course.failing * math.log(usual / spike) + course.total * (spike - usual) >= 3 * base.phi)


def now(failing: np.ndarray, total: np.ndarray, minutes: float = 1.0) -> tuple[int, float, float]:
    """The last places that tell how it stands: how many, their failures and requests."""
    width = 1
    for wanted in RECENT:
        width = min(len(total), max(1, round(wanted / minutes)))
        if total[len(total) - width:].sum() >= LEAST:
            break
    return width, float(failing[len(failing) - width:].sum()), float(total[len(total) - width:].sum())


def falling(failing: np.ndarray, total: np.ndarray, start: int, base: Baseline, minutes: float = 1.0) -> float | None:
    """The worst rate since ``start`` over as many places as ``now`` takes, where at least half of its rise is gone; else ``None``."""
    width, f, n = now(failing, total, minutes)
    width = min(width, max(1, (len(total) - start) // 2))
    f, n = float(failing[len(failing) - width:].sum()), float(total[len(total) - width:].sum())
    before_f, before_n = failing[start:len(failing) - width].astype(float), total[start:len(total) - width].astype(float)
    if len(before_n) < width or n <= 0:
        return None
    sums_f, sums_n = (np.convolve(a, np.ones(width), "valid") for a in (before_f, before_n))
    worst = float(np.max(np.where(sums_n > 0, sums_f / np.maximum(sums_n, 1), 0.0)))
    gone = f / n - base.rate <= 0.5 * (worst - base.rate) and limits.upper(f / base.phi, n / base.phi) < worst
    return worst if worst > base.raised and gone else None
