"""Signs that something is wrong with a service, each with a p-value and its reason in words, and how several are weighed together."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

LEAST_P = 1e-9  # no single source says more than this: beyond it a p-value says how much data there was, not how wrong the service is
STANDS_OUT = 0.05


@dataclass(frozen=True)
class Sign:
    """One sign.

    Attributes:
        service: whose.
        source: what bears it: ``logs``, ``spans``, ``metrics``; signs of one source are not independent of each other.
        p: how likely it would be without any change, 0–1, all that was looked at in this source of this service counted in.
        reason: in words, with numbers and denominators.
        own: it is about the service's own work; without it, it may have come from a service that this one calls.
    """

    service: str
    source: str
    p: float
    reason: str
    own: bool = True


def more(k0: int, n0: int, k1: int, n1: int) -> float:
    """P(at least ``k1`` of the ``n1`` later ones) when ``k0 + k1`` are spread over all ``n0 + n1`` by chance.

    Method: Fisher's exact test, one-sided. Complexity: O(k0 + k1).
    """
    if k1 <= 0 or n0 <= 0 or n1 <= 0:
        return 1.0
    marked, every = k0 + k1, n0 + n1
    whole = _choose(every, n1)
    return min(1.0, math.fsum(math.exp(_choose(marked, k) + _choose(every - marked, n1 - k) - whole)
                              for k in range(k1, min(marked, n1) + 1) if n1 - k <= every - marked))


def _choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def best(ps: Iterable[float], looked: int | None = None) -> float:
    """The smallest of some p-values, corrected for how many were looked at (Šidák)."""
    ps = list(ps)
    if not ps:
        return 1.0
    return at_least_one(min(ps), looked or len(ps))


def at_least_one(p: float, tests: int) -> float:
    """P(at least one of so many tests is as small as ``p`` by chance)."""
    return 1.0 if p >= 1 else -math.expm1(tests * math.log1p(-p))


def together(ps: Iterable[float]) -> float:
    """One p-value of several independent ones.

    Method: Fisher's: −2 Σ ln p is chi-squared with 2k degrees of freedom, whose tail is e^(−x/2) Σ_{i<k} (x/2)^i / i!.
    """
    ps = [max(p, LEAST_P) for p in ps]
    half = -math.fsum(math.log(p) for p in ps)
    return min(1.0, math.exp(-half) * math.fsum(half**i / math.factorial(i) for i in range(len(ps))))


@dataclass(frozen=True)
class Weighed:
    """A service, the p-value of all its signs together, and those that count, the strongest first."""

    service: str
    p: float
    signs: tuple[Sign, ...]
    explains: int = 0  # services calling it whose own signs it explains


def weigh(signs: Iterable[Sign], calls: Mapping[str, Iterable[str]]) -> list[Weighed]:
    """The services with a sign, the likeliest first.

    Within a source the strongest sign counts; the sources of a service are put together by Fisher's method or by the strongest alone
    (Šidák), whichever says more, at the price of having looked twice. What is not about a service's own work counts no more than the
    strongest sign of a service that it calls, directly or through others, wherever that one has a sign at all: the blame moves from
    callers to callees as far as the calls are known. Of equals the one that is called stands first. Complexity: O(services · calls).

    Args:
        signs: the signs of all services.
        calls: caller → callees.
    """
    mine: dict[str, list[Sign]] = defaultdict(list)
    for sign in signs:
        mine[sign.service].append(sign)
    raw = {service: min(s.p for s in found) for service, found in mine.items()}
    below = {service: _reach(service, calls) for service in mine}
    made = []
    for service, found in mine.items():
        callees = [raw[c] for c in below[service] if c in raw and raw[c] <= STANDS_OUT and service not in below.get(c, ())]
        capped = [(s.p if s.own or not callees else max(s.p, *callees), s) for s in found]
        strongest: dict[str, float] = {}
        for p, sign in capped:
            strongest[sign.source] = min(p, strongest.get(sign.source, 1.0))
        p = at_least_one(min(together(strongest.values()), best(strongest.values())), 2)
        capped.sort(key=lambda item: (item[0], item[1].reason))
        counted = tuple(sign for q, sign in capped if q <= STANDS_OUT) or (capped[0][1],)
        explained = sum(service in below[other] for other in mine if other != service)
        made.append(Weighed(service, p, counted, explained))
    return sorted(made, key=lambda w: (w.p, -w.explains, w.service))


def _reach(service: str, calls: Mapping[str, Iterable[str]]) -> set[str]:
    seen, waiting = set(), [service]
    while waiting:
        for callee in calls.get(waiting.pop(), ()):
            if callee not in seen:
                seen.add(callee)
                waiting.append(callee)
    return seen - {service}
