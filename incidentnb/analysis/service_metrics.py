"""What metrics say about services: which of them stand further out than they ever did before."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from incidentnb.analysis.signs import Sign, best
from incidentnb.times import at

if TYPE_CHECKING:
    import pandas as pd

LEAST_SHARE = 0.02  # less than 2 % of its own level is no change that matters, however quiet the metric is
LEAST_FAILING = 0.001  # of a share of successes: one request in a thousand
TAIL = 2.0  # the tail beyond what was seen falls at least with the square: heavier than any resource's
_SHARED = re.compile(r"^(?:node|host|machine|cluster|rack)", re.IGNORECASE)  # of the machine below, shared with its neighbours
_WORDS = [("resource", +1, r"cpu|mem|heap|disk|swap|\bgc\b|gc_|thread|iowait|throttl|saturat|file_?desc"),
          ("wait", +1, r"latency|duration|response_?time|elapsed|\brt\b|delay"),
          ("good", -1, r"success|availab"),
          ("bad", +1, r"error|fail|5xx|exception|fault|timeout|drop|retrans")]


def kind(metric: str) -> tuple[str, int]:
    """What a metric is by its name: ``resource`` (the service's own), ``wait``, ``good``, ``bad`` (theirs whom it calls too), and the bad direction.

    ("", 0) for what says nothing by itself: traffic and its like, what callers see (``client``), what belongs to the machine.
    """
    if _SHARED.match(metric) or re.search(r"client", metric, re.IGNORECASE):
        return "", 0
    return next(((name, sign) for name, sign, words in _WORDS if re.search(words, metric, re.IGNORECASE)), ("", 0))


def signs(before: pd.DataFrame, since: pd.DataFrame) -> list[Sign]:
    """Services with a metric that stays further out, in the bad direction, than it was at any time before.

    Method: for each series of n values before, x is the less bad of two neighbouring values since (of the worst such pair),
    r = (x − worst before) / scale, the scale the widest of: the range before, the median range of that metric over all services, 2 % of
    its level (of a success rate: one in a thousand). p = (1 + r)^−min(2, n − 1) / (n + 1): the chance of a new record, and beyond it a
    tail that falls with the square. Several metrics of one kind count once.
    Complexity: O(n log n). Source: extreme order statistics of exchangeable values; compared in Hardt et al., "The PetShop Dataset: Finding
    Causes of Performance Issues across Microservices", CLeaR 2024.

    Args:
        before, since: ``time`` (aware UTC), ``service``, ``metric``, ``value``, in order of time; the series of several pods of a service
            keep their pod in ``pod``.
    """
    quiet, later = _series(before), _series(since)
    spreads = defaultdict(list)
    for (_, metric, _), (_, values) in quiet.items():
        spreads[metric].append(max(values) - min(values))
    usual = {metric: sorted(found)[len(found) // 2] for metric, found in spreads.items()}
    found: dict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
    for (service, metric, pod), (times, values) in later.items():
        what, way = kind(metric)
        if not what or (service, metric, pod) not in quiet:
            continue
        old = quiet[service, metric, pod][1]
        if len(old) < 2:
            continue
        whole = 100.0 if max(old) > 1 else 1.0
        least = LEAST_FAILING * whole if what == "good" else LEAST_SHARE * max(abs(v) for v in old)
        p, place = _record(old, values, way, max(usual[metric], least))
        found[service, what].append((p, _words(metric, old, values, times, place, way)))
    made = []
    for (service, what), tests in found.items():
        p, words = min(tests)
        made.append(Sign(service, "metrics" if what == "resource" else "waiting", best([p], len(tests)), words, own=what == "resource"))
    return made


def _series(frame: pd.DataFrame) -> dict[tuple[str, str, str], tuple[list[datetime], list[float]]]:
    if not len(frame):
        return {}
    ordered = frame.sort_values(["time", "value"])
    found: dict[tuple[str, str, str], tuple[list[datetime], list[float]]] = {}
    for *key, moment, value in zip(*(ordered[c].tolist() for c in ("service", "metric", "pod", "time", "value")), strict=True):
        times, values = found.setdefault(tuple(key), ([], []))
        times.append(moment)
        values.append(value)
    return found


def _record(old: list[float], new: list[float], way: int, least: float) -> tuple[float, int]:
    """The p-value of a series whose scale is at least ``least``, and the place of its worst value since."""
    before, since = [way * v for v in old], [way * v for v in new]
    worst = max(before)
    stays = max((min(a, b) for a, b in pairwise(since)), default=since[0])
    scale = max(worst - min(before), least, 1e-12)
    place = since.index(max(since))
    if stays <= worst:
        return 1.0, place
    return (1 + (stays - worst) / scale) ** -min(TAIL, len(old) - 1) / (len(old) + 1), place


def _words(metric: str, old: list[float], new: list[float], times: list[Any], place: int, way: int) -> str:
    verb = "rose" if way > 0 else "fell"
    level = sorted(old)[len(old) // 2]
    return (f"its {metric} {verb} from {_number(level)} to {_number(new[place])} at {at(times[place].to_pydatetime())} "
            f"(between {_number(min(old))} and {_number(max(old))} in {len(old):,} values before)")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def split(metrics: pd.DataFrame, start: datetime, end: datetime | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The values before ``start`` and those since, up to two steps after ``end``: a value speaks of the time before it, and comes late."""
    step = _step(metrics)
    stop = None if end is None else end + 2 * step
    before = metrics[metrics["time"] < start]
    since = metrics[(metrics["time"] >= start) & (True if stop is None else metrics["time"] <= stop)]
    return before, since


def _step(metrics: pd.DataFrame) -> timedelta:
    moments = metrics.groupby(["service", "metric", "pod"])["time"].diff().dropna()
    moments = moments[moments > timedelta(0)]
    return moments.median().to_pytimedelta() if len(moments) and math.isfinite(moments.median().total_seconds()) else timedelta(0)
