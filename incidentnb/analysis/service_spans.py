"""What spans say about services: whose own work takes longer, who stops half way, who calls whom."""

from __future__ import annotations

import heapq
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from incidentnb.analysis.signs import Sign, at_least_one, best

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

SLOWER = 2.0  # at least twice as long, as an onset is at least twice the baseline
LEAST_SPANS = 4
SHORTEST_NS = 1e3  # clocks of spans are not finer
_COMPLAINT = re.compile(r"error|exception|fallback", re.IGNORECASE)  # an operation that only runs when something went wrong


def own_time(spans: pd.DataFrame) -> np.ndarray:
    """The own time of every span in nanoseconds: at each instant of a request the time belongs to the span that began last.

    Unlike the duration minus that of the children this also holds for work that is handed to a span beside it, and the own times of a
    request sum to the time in which any of its spans was open. Complexity: O(n log n).
    """
    import numpy as np

    own = np.zeros(len(spans))
    start = spans["start_ns"].to_numpy()
    end = start + spans["duration_ns"].to_numpy()
    for rows in spans.groupby("trace").indices.values():
        order = rows[np.lexsort((-end[rows], start[rows]))]
        began: list[tuple[int, int, int]] = []  # open spans, the one that began last on top
        clock = 0
        for place, row in enumerate(order):
            _pass(began, clock, int(start[row]), end, own)
            clock = int(start[row])
            heapq.heappush(began, (-clock, -place, int(row)))
        _pass(began, clock, None, end, own)
    return own


def _pass(began: list[tuple[int, int, int]], clock: int, until: int | None, end: np.ndarray, own: np.ndarray) -> None:
    """Give the time from ``clock`` to ``until`` to the open spans, the one that began last first."""
    while began and (until is None or clock < until):
        row = began[0][2]
        stop = int(end[row]) if until is None else min(int(end[row]), until)
        if stop > clock:
            own[row] += stop - clock
            clock = stop
        if end[row] <= clock:
            heapq.heappop(began)
        else:
            return


def calls(spans: pd.DataFrame) -> dict[str, set[str]]:
    """Caller → the services that it calls, as the parents of spans show them."""
    found: dict[str, set[str]] = defaultdict(set)
    service = dict(zip(spans["span"].tolist(), spans["service"].tolist(), strict=True))
    for parent, callee in zip(spans["parent"].tolist(), spans["service"].tolist(), strict=True):
        caller = service.get(parent)
        if caller is not None and caller != callee:
            found[caller].add(callee)
    return dict(found)


def above(spans: pd.DataFrame) -> dict[str, str]:
    """Span → its parent."""
    return dict(zip(spans["span"].tolist(), spans["parent"].tolist(), strict=True))


def events(spans: pd.DataFrame) -> pd.DataFrame:
    """Spans as events for ``behaviour.bags``: what a service did between being called and answering.

    Returns:
        ``service``, ``trace``, ``span`` (the one by which the service was entered), ``time_ns``, ``event`` (operation, the callee's with its service,
        ``failed: `` before one that failed), ``loud`` (it failed).
    """
    import pandas as pd

    service = dict(zip(spans["span"].tolist(), spans["service"].tolist(), strict=True))
    parent = above(spans)
    entry: dict[str, str] = {}

    def entered(span: str) -> str:
        path = []
        while span not in entry and len(path) < 200:
            path.append(span)
            up = parent.get(span, "")
            if service.get(up) != service[span]:
                entry[span] = span
                break
            span = up
        found = entry.get(span, span)
        entry.update(dict.fromkeys(path, found))
        return found

    rows: list[tuple[Any, ...]] = []
    columns = ("trace", "span", "parent", "service", "operation", "start_ns", "failed")
    for trace, span, up, who, operation, start, failed in zip(*(spans[c].tolist() for c in columns), strict=True):
        rows.append((who, trace, entered(span), start, operation, bool(_COMPLAINT.search(operation))))
        if failed:
            rows.append((who, trace, entered(span), start + 1, f"failed: {operation}", True))
        if service.get(up, who) != who:
            rows.append((service[up], trace, entered(up), start, f"{who}: {operation}", False))
    return pd.DataFrame(rows, columns=["service", "trace", "span", "time_ns", "event", "loud"])


def slow(quiet: pd.DataFrame, now: pd.DataFrame, cuts: Sequence[int]) -> list[Sign]:
    """Services whose own work, or whose talk with all others, takes more than twice as long as a rule.

    Method: own times per operation, as logarithms over the quiet median of the operation. An operation is slow when its median has at
    least doubled and the Mann-Whitney test says that the times now are longer than twice those before (a test of a least effect: a
    drift of the whole system between the quiet time and now stays below it). Calls between services are no one's own work: their own
    time is the waiting beside the callee's work, its network. It is laid at a service when that holds over all calls from and to it
    together; with a single neighbour only where that one's other calls are not slow. All of this from each of the given instants on,
    corrected for their number (Šidák). Complexity: O(n log n · instants). Source: own time per operation as in trace analysis since
    Dapper (Sigelman et al., 2010); Mann and Whitney (1947).

    Args:
        quiet, now: spans as ``with_own_time`` makes them.
        cuts: instants (nanoseconds) at which it may have begun.
    """
    before, since = _by_operation(quiet), _by_operation(now)
    found: dict[str, list[tuple[float, str]]] = defaultdict(list)
    tried = sorted(set(cuts))
    for cut in tried:
        later = {key: own[began >= cut] for key, (began, own) in since.items() if key in before}
        for service, p, words in _slow_since({key: own for key, (_, own) in before.items()}, later):
            found[service].append((p, words))
    return [Sign(service, "spans", best([p], len(tried)), words) for service, ps in found.items() for p, words in [min(ps, key=lambda item: item[0])]]


def _by_operation(spans: pd.DataFrame) -> dict[tuple[str, str, str], tuple[np.ndarray, np.ndarray]]:
    """Service, operation and callee → when the requests began, and the own times; in an order that depends on the data alone."""
    import numpy as np

    keys = list(zip(spans["service"].tolist(), spans["operation"].tolist(), spans["callee"].tolist(), strict=True))
    began, own = spans["began_ns"].to_numpy(), spans["own_ns"].to_numpy()
    rows = defaultdict(list)
    for i, key in enumerate(keys):
        rows[key].append(i)
    return {key: (began[np.array(places)], own[np.array(places)]) for key, places in sorted(rows.items())}


def _slow_since(quiet: Mapping[Any, np.ndarray], later: Mapping[Any, np.ndarray]) -> Iterator[tuple[str, float, str]]:
    """Each service that can be judged, its p-value and the words for it."""
    import numpy as np

    tests: dict[str, list[tuple[float, float, str]]] = defaultdict(list)
    edges: list[tuple[str, str, np.ndarray, np.ndarray]] = []
    for key, since in later.items():
        before = quiet[key]
        if min(len(before), len(since)) < LEAST_SPANS:
            continue
        service, operation, callee = key
        usual = max(float(np.median(before)), SHORTEST_NS)
        if callee:
            edges.append((service, callee, *(np.log(np.maximum(times, SHORTEST_NS) / usual) for times in (before, since))))
            continue
        now = float(np.median(since))
        p = _tail(_rank_z(before * SLOWER, since)) if now >= SLOWER * usual else 1.0
        tests[service].append((p, now / usual, f"its own work in {operation} takes {now / 1e6:.3g} ms instead of {usual / 1e6:.3g} ms "
                                               f"(median of {len(since):,})"))
    for service in sorted({end for edge in edges for end in edge[:2]}):
        tests[service] += _talk(service, edges)
    for service, looked in tests.items():
        found = [(p, -ratio, words) for p, ratio, words in looked if ratio >= SLOWER]
        p, _, words = min(found, default=(1.0, 0.0, "its own work takes about as long as before"))
        yield service, at_least_one(p, len(looked)), words


def _talk(service: str, edges: list[tuple[str, str, np.ndarray, np.ndarray]]) -> list[tuple[float, float, str]]:
    """The test of all calls from and to a service, where they can be laid at it."""
    import numpy as np

    mine = [edge for edge in edges if service in edge[:2]]
    peers = {end for edge in mine for end in edge[:2]} - {service}
    if len(peers) == 1:
        others = [edge[3] for edge in edges if peers & set(edge[:2]) and service not in edge[:2]]
        if not others or math.exp(float(np.median(np.concatenate(others)))) >= SLOWER:
            return []
    before, since = (np.concatenate([edge[i] for edge in mine]) for i in (2, 3))
    ratio = math.exp(float(np.median(since)))
    words = (f"calls from and to it wait {ratio:.1f} times as long (median of {len(since):,}, with {len(peers):,} "
             f"other service{'s' * (len(peers) > 1)})")
    return [(_tail(_rank_z(before + math.log(SLOWER), since)), ratio, words)]


def _rank_z(before: np.ndarray, since: np.ndarray) -> float:
    """The Mann-Whitney statistic as a standard normal, ties given their mean rank."""
    import numpy as np

    values = np.concatenate([before, since])
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    n, m = len(before), len(since)
    u = ranks[n:].sum() - m * (m + 1) / 2
    spread = n * m / 12 * ((n + m + 1) - float((counts**3 - counts).sum()) / ((n + m) * (n + m - 1)))
    return float((u - n * m / 2) / math.sqrt(spread)) if spread > 0 else 0.0


def _tail(z: float) -> float:
    return 0.5 * math.erfc(z / math.sqrt(2))


def with_own_time(spans: pd.DataFrame) -> pd.DataFrame:
    """Spans with ``own_ns``, ``callee``, for whose answer a span inside a service waits ("" for none), and ``began_ns``, when the request began."""
    service = dict(zip(spans["span"].tolist(), spans["service"].tolist(), strict=True))
    callee: dict[str, str] = {}
    for parent, who in zip(spans["parent"].tolist(), spans["service"].tolist(), strict=True):
        if service.get(parent, who) != who:
            callee[parent] = min(who, callee.get(parent, who))
    calling = [callee.get(span, "") if service.get(parent) == who else ""  # the span by which a service is entered is its own work
               for span, parent, who in zip(spans["span"].tolist(), spans["parent"].tolist(), spans["service"].tolist(), strict=True)]
    return spans.assign(own_ns=own_time(spans), callee=calling,
                        began_ns=spans.groupby("trace")["start_ns"].transform("min"))
