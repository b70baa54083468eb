"""What a service does in one request, as a set of events, and whether it does what it never did before.

An *event* is a log statement, a call or a failure; a *bag* is what one service did in one request, known by its first event.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from incidentnb.analysis.signs import Sign, best, more

if TYPE_CHECKING:
    import pandas as pd

ALWAYS = 0.9  # an event belongs to a kind of request when at least so many of these had it
Words = Mapping[str, str]


@dataclass(frozen=True)
class Bag:
    """What one service did in one request.

    Attributes:
        service, trace, span: whose and where; ``span`` is "" where spans are not known.
        entry: its first event; bags of one service with one entry are of one kind.
        events: what happened; ``loud``: those of them that complain.
        last: the last event.
        began: when the request began, in any service, nanoseconds since 1970; ``ended``: the last event; ``spoke``: the first time of each.
    """

    service: str
    trace: str
    span: str
    entry: str
    events: frozenset[str]
    loud: frozenset[str]
    last: str
    began: int
    ended: int
    spoke: Mapping[str, int] = field(compare=False, hash=False, default_factory=dict)


def bags(events: pd.DataFrame) -> list[Bag]:
    """The bags of a table of events: ``service``, ``trace``, ``span``, ``time_ns``, ``event``, ``loud``; its order does not matter."""
    ordered = events.sort_values(["service", "trace", "span", "time_ns", "event"])
    began = dict(ordered.groupby("trace")["time_ns"].min())
    rows = zip(*(ordered[c].tolist() for c in ("service", "trace", "span", "time_ns", "event", "loud")), strict=True)
    return [_bag(list(group), int(began[key[1]])) for key, group in groupby(rows, key=lambda row: row[:3])]


def _bag(rows: list[tuple], began: int) -> Bag:
    spoke: dict[str, int] = {}
    for row in rows:
        spoke.setdefault(row[4], row[3])
    service, trace, span = rows[0][:3]
    return Bag(service, trace, span, rows[0][4], frozenset(spoke), frozenset(r[4] for r in rows if r[5]), rows[-1][4], began, rows[-1][3], spoke)


class Usual:
    """What the bags of a quiet time did: by service and kind, how often each set of events was seen."""

    def __init__(self, quiet: list[Bag]):
        self.sets: dict[tuple[str, str], Counter] = defaultdict(Counter)
        self.with_event: dict[tuple[str, str], Counter] = defaultdict(Counter)
        self.known: dict[str, Counter] = defaultdict(Counter)
        self.total: Counter = Counter()
        for bag in quiet:
            kind = (bag.service, bag.entry)
            self.sets[kind][bag.events] += 1
            self.with_event[kind].update(bag.events)
            self.known[bag.service].update(bag.events)
            self.total[bag.service] += 1
        self.loud = {e for bag in quiet for e in bag.loud}

    def strange(self, bag: Bag, spared: int = 0) -> tuple[frozenset[str], frozenset[str]] | None:
        """The complaints of a bag that are new and the usual events that it lacks; ``None`` where it does what was seen before.

        ``spared`` is 1 to ask of one of the quiet bags how it looks to the others.
        """
        kind = (bag.service, bag.entry)
        if self.sets[kind][bag.events] > spared:
            return None
        new = frozenset(e for e in bag.loud if self.known[bag.service][e] <= spared)
        n = sum(self.sets[kind].values()) - spared
        lacks = frozenset(e for e, k in self.with_event[kind].items() if e not in bag.events and e not in self.loud and k >= ALWAYS * n) \
            if n >= 2 else frozenset()
        return (new, lacks) if new or lacks else None


@dataclass(frozen=True)
class Judged:
    """Bags around an incident seen from those of a quiet time: ``strange``, bag → its new complaints and what it lacks, by ``id``."""

    quiet: list[Bag]
    now: list[Bag]
    usual: Usual
    strange: dict[int, tuple[frozenset[str], frozenset[str]]]

    @property
    def bags(self) -> list[Bag]:
        """The strange ones."""
        return [bag for bag in self.now if id(bag) in self.strange]


def judge(quiet: list[Bag], now: list[Bag]) -> Judged:
    """Which bags do what was not seen before; those of services that the quiet time does not know are left out."""
    usual = Usual(quiet)
    now = [bag for bag in now if usual.total[bag.service]]
    return Judged(quiet, now, usual, {id(bag): found for bag in now if (found := usual.strange(bag))})


def signs(judged: Judged, source: str, words: Words, cuts: Sequence[int], above: Mapping[str, str] | None = None,
          elsewhere: Sequence[Bag] = ()) -> list[Sign]:
    """Services that complain anew or stop half way, where no service that they call did so in the same request.

    Method: a bag is strange when its set of events was never seen in the quiet bags of its kind and it has a complaint that the
    service never had, or lacks an event that at least 90 % of them have. The share of strange bags from some instant on is put against that of the
    bags before it and the quiet ones, each of these seen from the others (leave one out, after Good and Turing: what was seen once
    foretells what was not seen yet), by Fisher's exact test, for each kind and for the service as a whole, at each of the given
    instants, corrected for their number (Šidák). Complexity: O(events · instants). Source: event patterns within traces, compared with a
    quiet time, Yu et al., "Nezha: Interpretable Fine-Grained Root Causes Analysis for Microservices on Multi-Modal Observability Data",
    ESEC/FSE 2023.

    Args:
        judged: the bags.
        source: ``logs`` or ``spans``.
        words: event → its text for people.
        cuts: instants (nanoseconds) at which it may have begun.
        above: span → its parent, where the calls are known; else the first in time in a request is held for the origin.
        elsewhere: strange bags of another source, which may explain those of this one.
    """
    told = judged.strange
    origin = _origins(judged.bags, told, above, elsewhere)
    before: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for bag in judged.quiet:
        _count(before[bag.service][bag.entry], judged.usual.strange(bag, spared=1) is not None)
    after: dict[str, list[Bag]] = defaultdict(list)
    for bag in judged.now:
        if id(bag) not in told or id(bag) in origin:  # what another service explains says nothing about this one
            after[bag.service].append(bag)
    made = []
    for service, theirs in after.items():
        tried = [(*_tested(before[service], theirs, told, cut), cut) for cut in sorted(set(cuts))]
        p, whole, cut = min(tried, key=lambda t: (t[0], t[2]))
        strange = [(bag, told[id(bag)]) for bag in theirs if id(bag) in told and bag.began >= cut]
        if whole[3]:
            made.append(Sign(service, source, best([p], len(tried)), _reason(strange, whole, words) if strange else "it does what it did before"))
    return made


def _tested(before: Mapping[str, list[int]], theirs: list[Bag], told: Mapping[int, Any], cut: int) -> tuple[float, list[int]]:
    """The p-value of a service if it began at ``cut``, and its counts: strange and all before, strange and all since."""
    kinds: dict[str, list[int]] = {kind: [*counts, 0, 0] for kind, counts in before.items()}
    for bag in theirs:
        counts = kinds.setdefault(bag.entry, [0, 0, 0, 0])
        place = 0 if bag.began < cut else 2
        counts[place] += id(bag) in told
        counts[place + 1] += 1
    whole = [sum(c[i] for c in kinds.values()) for i in range(4)]
    ps = [more(*c) for c in kinds.values() if c[2]]
    return min(1.0, 2 * min(more(*whole), best(ps))), whole


def _count(counts: list[int], strange: bool) -> None:
    counts[0] += strange
    counts[1] += 1


def _origins(strange: list[Bag], told: Mapping[int, Any], above: Mapping[str, str] | None, elsewhere: Sequence[Bag]) -> set[int]:
    """The strange bags that no strange bag of another service in the same request explains."""
    by_trace = defaultdict(list)
    for bag in strange:
        by_trace[bag.trace].append(bag)
    others = defaultdict(list)
    for bag in (*strange, *elsewhere):
        others[bag.trace].append(bag)
    kept = set()
    for trace, together in by_trace.items():
        if above is None:
            first = min(_when(bag, told[id(bag)]) for bag in together)
            kept |= {id(bag) for bag in together if _when(bag, told[id(bag)]) == first}
            continue
        for bag in together:
            below = any(other.service != bag.service and _is_above(bag.span, other.span, above) for other in others[trace])
            if not below:
                kept.add(id(bag))
    return kept


def _when(bag: Bag, found: tuple[frozenset[str], frozenset[str]]) -> int:
    return min((bag.spoke[e] for e in found[0]), default=bag.ended)


def _is_above(upper: str, lower: str, above: Mapping[str, str]) -> bool:
    for _ in range(200):  # deeper calls are a loop in the data
        lower = above.get(lower, "")
        if not lower:
            return False
        if lower == upper:
            return True
    return False


def _reason(strange: list[tuple[Bag, tuple[frozenset[str], frozenset[str]]]], counts: list[int], words: Words) -> str:
    """The commonest way in which they are strange, in words."""
    new = Counter(e for _, (fresh, _) in strange for e in fresh)
    share = f"{counts[2]:,} of {counts[3]:,} requests in it, before {counts[0]:,} of {counts[1]:,}"
    if new:
        event, n = min(new.items(), key=lambda item: (-item[1], item[0]))
        if n * 2 >= len(strange):
            return f"new since then: {words.get(event, event)!r} ({share})"
    gone = Counter(e for _, (_, lacks) in strange for e in lacks)
    if gone:
        event, n = min(gone.items(), key=lambda item: (-item[1], item[0]))
        after = Counter(bag.last for bag, (_, lacks) in strange if event in lacks)
        last = min(after.items(), key=lambda item: (-item[1], item[0]))[0]
        return f"{words.get(event, event)!r} is missing, the last is {words.get(last, last)!r} ({share})"
    event, _ = min(new.items(), key=lambda item: (-item[1], item[0]))
    return f"new since then: {words.get(event, event)!r} ({share})"
