"""What happens in a drill, decided by its seed before the first line is written: the kind, the fault, the times, the decoys."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from incidentnb.drill.shop import (
    ADDRESSES,
    HEALTH,
    HOSTS,
    OTHER_SERVICES,
    PLATFORMS,
    REGIONS,
    ROUTES,
    TENANT_GROUPS,
    VHOSTS,
)
from incidentnb.exceptions import InputError

UNTIL = datetime(2026, 11, 23, 14, 31, 17, tzinfo=UTC)
# kind → formats whose lines show it
_EVERY = ("jsonl", "logfmt", "access", "plain")
KINDS = {"bad_deploy": _EVERY, "one_host": _EVERY, "one_region": ("jsonl", "logfmt", "access"), "dependency": _EVERY,
         "flag_tenant": ("jsonl", "logfmt"), "two_conditions": ("jsonl", "logfmt", "access"), "slow_ramp": _EVERY,
         "surge": _EVERY, "nothing": _EVERY}
CALM = ("surge", "nothing")
STYLES = {"jsonl": ("pino", "zap", "ecs"), "logfmt": ("logfmt",), "access": ("extra", "upstream", "vhost"), "plain": ("logback", "python")}
PACKINGS = ("one", "gz", "rotated", "hosts", "syslog", "docker")
# what a column is called where it is not called as here
_CALLED = {"pino": {"group": "tenantGroup", "host": "hostname", "route": "route"},
           "zap": {"group": "tenant_group"}, "logfmt": {"group": "tenant_group"},
           "ecs": {"group": "labels.tenant_group", "region": "cloud.region", "platform": "labels.platform", "upstream": "labels.upstream"},
           "vhost": {"region": "vhost"}, "logback": {"route": "logger"}, "python": {"route": "logger"}}


@dataclass(frozen=True)
class Fault:
    """Which requests fail, how often, from when, and how it reads.

    Attributes:
        routes, hosts, groups, platforms: indexes that are hit; empty for all. new: only where the new version runs.
        probability: that a request in it fails. ramp_s: seconds until that is reached, from a quarter of it; 0 at once.
        error: key of ``shop.FAULTS``. statuses: what such a request answers. slow_ms: how long it takes to fail; 0 as usual.
    """

    routes: tuple[int, ...] = ()
    hosts: tuple[int, ...] = ()
    groups: tuple[int, ...] = ()
    platforms: tuple[int, ...] = ()
    new: bool = False
    probability: float = 0.5
    ramp_s: float = 0.0
    error: str = "null"
    statuses: tuple[int, ...] = (500,)
    slow_ms: float = 0.0


@dataclass(frozen=True)
class Plan:
    """All decisions of one drill; the answer's fields and those that only its makers need."""

    seed: int
    kind: str
    formats: tuple[str, ...]
    style: str
    packing: str
    scale: float
    start: datetime
    until: datetime
    injected: datetime | None
    end: datetime | None
    rate: float  # requests a second at an average hour
    baseline: float
    noisy: int  # the host that always fails a little more
    surge: float
    fault: Fault | None
    old: str
    new: str
    canary: tuple[int, ...]  # hosts that get the new version
    deployed: datetime | None
    harmless: int
    harmless_from: datetime
    decoy_service: str
    decoy_s: float  # seconds that the other service's deploy lies before the culprit
    where: dict[str, str] = field(default_factory=dict)
    same_as: tuple[dict[str, str], ...] = ()

    @property
    def random(self) -> random.Random:
        """A source of its own for everything that is told, apart from the traffic."""
        return random.Random(f"story {self.seed}")


def pick(source: random.Random, options: Any) -> Any:
    """One of some options; uses nothing of ``random`` but ``random()``, which stays the same from one Python to the next."""
    options = tuple(options)
    return options[int(source.random() * len(options))]


def between(source: random.Random, low: float, high: float) -> float:
    return low + (high - low) * source.random()


def plan(seed: int, kind: str | None = None, formats: tuple[str, ...] | None = None, *, style: str | None = None,
         packing: str | None = None, until: datetime | None = None, minutes: float | None = None, scale: float = 1.0,
         recovered: bool | None = None) -> Plan:
    """Decide a drill. What is not given, the seed decides.

    Raises:
        InputError: an unknown name, or a kind that the format cannot show.
    """
    source = random.Random(f"drill {seed}")
    kind, formats, style, packing = _names(source, seed, kind, formats, style, packing)
    until = until or UNTIL
    length = (minutes or round(between(source, 62, 88))) * 60
    if length < 1800 or scale <= 0:
        raise InputError("drill", "at least 30 minutes and a scale above 0 are needed")
    start = until - timedelta(seconds=length)
    hit = start + timedelta(milliseconds=round(length * between(source, 0.42, 0.52) * 1000))
    over = hit + timedelta(milliseconds=round(length * between(source, 0.16, 0.2) * 1000))
    ends = source.random() < 0.4 if recovered is None else recovered
    fault, facts = _fault(source, kind, formats[0], style, packing)
    canary = facts.pop("canary", tuple(range(len(HOSTS))))
    deployed = hit - timedelta(seconds=round(between(source, 14, 80))) if facts.pop("deploys", False) else None
    if kind == "nothing":
        deployed = hit
    minor, patch = int(between(source, 3, 30)), int(between(source, 0, 9))
    old, new = f"4.{minor}.{patch}", f"4.{minor + 1}.0" if source.random() < 0.6 else f"4.{minor}.{patch + 1}"
    close = bool(facts.pop("plain_culprit", False)) and source.random() < 0.3
    where, same_as = facts.get("where", {}), tuple(facts.get("same_as", ()))
    name = {"NEW": new}
    return Plan(
        seed, kind, formats, style, packing, scale, start, until, None if kind == "nothing" else hit,
        over if ends and kind != "nothing" else None, between(source, 7, 11), 10 ** between(source, -2.8, -2.25),
        int(between(source, 0, 9)), between(source, 3, 4.5) if kind == "surge" else 1.0, fault, old, new, canary, deployed,
        int(between(source, 0, 3)), hit + timedelta(seconds=round(between(source, -700, 500))), pick(source, OTHER_SERVICES),
        -8.0 if close else between(source, 180, 700),
        {k: name.get(v, v) for k, v in where.items()}, tuple({k: name.get(v, v) for k, v in one.items()} for one in same_as))


def _names(source, seed, kind, formats, style, packing):
    formats = (formats,) if isinstance(formats, str) else tuple(formats or ())
    for given, known, what in ((kind, KINDS, "kind"), *((f, STYLES, "format") for f in formats), (packing, PACKINGS, "packing")):
        if given is not None and given not in known:
            raise InputError(str(given), f"no such {what} of drill", f"one of {', '.join(known)}")
    if len(formats) > 2 or (len(formats) == 2 and formats[1] != "plain"):
        raise InputError(",".join(formats), "not a pair of formats that a drill writes", "the second can only be plain")
    if kind is None:
        kinds = [k for k, shown in KINDS.items() if not formats or formats[0] in shown]
        kind = kinds[seed % len(kinds)]
    shown = KINDS[kind]
    if formats and formats[0] not in shown:
        raise InputError(kind, f"cannot be seen in {formats[0]} lines", f"one of {', '.join(shown)}")
    if not formats:
        formats = (shown[(seed // len(KINDS) + seed % len(KINDS)) % len(shown)],)
        formats += ("plain",) if formats[0] == "access" and source.random() < 0.5 else ()
    styles = STYLES[formats[0]]
    if formats[0] == "access" and kind in ("one_region", "two_conditions"):
        styles = ("vhost",)
    if style is not None and style not in styles:
        raise InputError(style, f"no style in which {formats[0]} shows {kind}", f"one of {', '.join(styles)}")
    style = style or pick(source, styles)
    packings = ("one", "one", "one", *PACKINGS)
    if kind == "one_host" and (formats[0] == "plain" or style in ("extra", "vhost")):
        packings = ("hosts",)  # nothing in such a line names the host
    if packing is not None and packing not in packings:
        raise InputError(packing, f"a packing in which {style} lines do not show {kind}", f"one of {', '.join(packings)}")
    return kind, formats, style, packing or pick(source, packings)


def _fault(source, kind: str, form: str, style: str, packing: str) -> tuple[Fault | None, dict[str, Any]]:
    """The fault of a kind, and the facts about it that the lines of a format show."""
    called = _CALLED.get(style, {})

    def name(column: str) -> str:
        return called.get(column, column)

    rich = form in ("jsonl", "logfmt")
    frequent = [i for i, r in enumerate(ROUTES) if r.weight >= 4 and r.part not in ("web", "home")]
    if kind in CALM:
        return None, {}
    if kind == "bad_deploy":
        shape = pick(source, ("canary", "canary", "route") if rich else ("route", "route", "everyone"))
        facts: dict[str, Any] = {"deploys": True, "plain_culprit": rich}
        if shape == "canary":  # the new version runs on some hosts of each region
            return Fault(new=True, probability=between(source, 0.25, 0.5)), {
                **facts, "canary": (0, 3, 4, 6), "where": {name("version"): "NEW"}}
        if shape == "everyone":
            return Fault(probability=between(source, 0.1, 0.22)), {**facts, "same_as": [{name("version"): "NEW"}]}
        route = pick(source, frequent)
        where = _route(route, form, name)
        return Fault(routes=_alike(route, form), probability=between(source, 0.45, 0.8)), {
            **facts, "where": where, "same_as": [{**where, name("version"): "NEW"}]}
    if kind == "one_host":
        host = int(between(source, 0, len(HOSTS)))
        where, same_as = _host(host, form, style, packing, name)
        return Fault(hosts=(host,), probability=between(source, 0.45, 0.75), error="disk"), {"where": where, "same_as": same_as}
    if kind == "one_region":
        region = int(between(source, 0, 3))
        value = VHOSTS[region] if form == "access" else REGIONS[region]
        return Fault(hosts=_hosts(region), probability=between(source, 0.2, 0.45), error="refused", statuses=(503, 500)), {
            "where": {name("region"): value}}
    if kind == "dependency":
        fault = {"probability": between(source, 0.4, 0.7), "error": "timeout", "statuses": (504, 502), "slow_ms": 5000.0}
        if rich:
            upstream = pick(source, ("payments-gw", "search-es", "cart-redis", "users-db"))
            return Fault(routes=tuple(i for i, r in enumerate(ROUTES) if r.upstream == upstream), **fault), {
                "where": {name("upstream"): upstream}, "same_as": [_route(4, form, name)] if upstream == "search-es" else []}
        route = next(i for i, r in enumerate(ROUTES) if r.upstream == "search-es")
        return Fault(routes=(route,), **fault), {"where": _route(route, form, name)}
    if kind == "flag_tenant":
        group = pick(source, (1, 2, 3))
        return Fault(groups=(group,), probability=between(source, 0.4, 0.7), error="plan"), {"where": {name("group"): TENANT_GROUPS[group]}}
    if kind == "two_conditions":
        return _pair(source, form, name, frequent)
    return Fault(probability=between(source, 0.18, 0.3), ramp_s=between(source, 600, 1100), error="pool", statuses=(500, 503),
                 slow_ms=3000.0), {}


def _pair(source, form: str, name, frequent: list[int]) -> tuple[Fault, dict[str, Any]]:
    """Two conditions together: neither alone is the trouble."""
    probability = between(source, 0.65, 0.9)
    route = pick(source, [i for i in frequent if ROUTES[i].weight >= 6])
    region = int(between(source, 0, 2))
    if form == "access":
        return Fault(routes=(route,), hosts=_hosts(region), probability=probability, error="decode"), {
            "where": {**_route(route, form, name), name("region"): VHOSTS[region]}}
    shape = pick(source, ("route+version", "region+platform", "group+platform"))
    platform = pick(source, (1, 2))
    where = {name("platform"): PLATFORMS[platform]}
    if shape == "route+version":
        return Fault(routes=(route,), new=True, probability=probability, error="decode"), {
            "canary": (0, 3, 4, 6), "deploys": True, "plain_culprit": True, "where": {**_route(route, form, name), name("version"): "NEW"}}
    if shape == "region+platform":
        return Fault(hosts=_hosts(region), platforms=(platform,), probability=probability, error="decode"), {
            "where": {name("region"): REGIONS[region], **where}}
    group = pick(source, (1, 2))
    return Fault(groups=(group,), platforms=(platform,), probability=probability, error="decode"), {
        "where": {name("group"): TENANT_GROUPS[group], **where}}


def _hosts(region: int) -> tuple[int, ...]:
    return tuple(range(region * 3, region * 3 + 3))


def _route(route: int, form: str, name) -> dict[str, str]:
    """How the lines of a format name a route: by its path, and its method where two share the path; in plain text by its logger."""
    if form == "plain":
        return {name("route"): f"shop.{ROUTES[route].part}"}
    shared = sum(r.folded == ROUTES[route].folded for r in ROUTES) > 1
    return {"route": ROUTES[route].folded, **({"method": ROUTES[route].method} if shared else {})}


def _alike(route: int, form: str) -> tuple[int, ...]:
    """A route, or in plain text all routes of its part of the code: the lines do not tell them apart."""
    return tuple(i for i, r in enumerate(ROUTES) if i != HEALTH and r.part == ROUTES[route].part) if form == "plain" else (route,)


def _host(host: int, form: str, style: str, packing: str, name) -> tuple[dict[str, str], list[dict[str, str]]]:
    if form in ("jsonl", "logfmt"):
        return {name("host"): HOSTS[host]}, [{"source": f"{HOSTS[host]}.shop.log"}]
    if style == "upstream":
        return {"upstream": f"{ADDRESSES[host]}:8080"}, [{"host": HOSTS[host]}, {"source": f"{HOSTS[host]}.shop.log"}]
    return {"source": f"{HOSTS[host]}.shop.log"}, [{"host": HOSTS[host]}]
