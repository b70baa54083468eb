"""The requests of a drill, a minute at a time: arrivals, people, routes, and which of them fail. Bounded memory at any scale.

Only ``Generator.random`` of a fixed bit generator is used, with transformations of our own, so that a seed gives the same
bytes with every numpy.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from incidentnb.drill import shop
from incidentnb.drill.scenario import Plan

_MOST = 60_000  # requests made at once


def ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def chunks(plan: Plan) -> Iterator[dict[str, Any]]:
    """The traffic in order of time.

    Yields:
        a dict of equally long numpy columns: ``t`` (epoch, ms), ``route``, ``user`` (−1 unknown, −2 a probe), ``client``, ``host``,
        ``group``, ``platform``, ``agent``, ``tenant``, ``new`` (version), ``status``, ``duration_ms``, ``bytes``, ``failed``,
        ``injected``, ``id``, ``token``.
    """
    rng = np.random.Generator(np.random.PCG64([plan.seed, 20261123]))
    people = _people(rng, int(5000 * max(1.0, plan.scale) ** 0.75))
    weights = np.cumsum([r.weight for r in shop.ROUTES])
    factor = 0.4 + 1.2 * rng.random(len(shop.ROUTES))  # some routes fail more than others, always
    factor /= np.average(factor, weights=[r.weight for r in shop.ROUTES])
    fastest = plan.rate * plan.scale * 1.4 * plan.surge
    step = timedelta(seconds=min(60.0, max(1.0, _MOST / fastest)))
    first, last = ms(plan.start), ms(plan.until)
    begin, switch = first, _switches(plan)
    while begin < last:
        finish = min(last, begin + round(step.total_seconds() * 1000))
        columns = _arrivals(rng, plan, people, weights / weights[-1], begin, finish)
        columns["new"] = columns["t"] >= switch[columns["host"]]
        _outcomes(rng, plan, columns, factor)
        yield columns
        begin = finish


def _people(rng: np.random.Generator, count: int) -> dict[str, np.ndarray]:
    group = np.searchsorted(np.cumsum(shop.TENANT_SHARES)[:-1], rng.random(count), side="right")
    platform = np.searchsorted(np.cumsum(shop.PLATFORM_SHARES)[:-1], rng.random(count), side="right")
    region = np.searchsorted(np.cumsum(shop.REGION_SHARES)[:-1], rng.random(count), side="right")
    tenant = (rng.random(count) * shop.TENANTS).astype(np.int64) // 4 * 4 + group  # each tenant is of one group
    client = (rng.random(count) * count * 3).astype(np.int64)  # some share an address
    return {"group": group, "platform": platform, "region": region, "tenant": tenant, "client": client,
            "agent": (rng.random(count) * 3).astype(np.int64)}


def _switches(plan: Plan) -> np.ndarray:
    """Per host the instant (ms) from which the new version runs; a day after the end where it never does."""
    never = ms(plan.until) + 86_400_000
    switch = np.full(len(shop.HOSTS), never, dtype=np.int64)
    if plan.deployed is not None:
        for n, host in enumerate(plan.canary):
            switch[host] = ms(plan.deployed) - 900 * (len(plan.canary) - 1 - n)  # one after the other; the deploy is its end
    return switch


def _arrivals(rng, plan: Plan, people, shares, begin: int, finish: int) -> dict[str, np.ndarray]:
    """A Poisson process thinned to the shape of the day, and the probes of the load balancer."""
    wobble = 0.93 + 0.14 * rng.random()
    top = plan.rate * plan.scale * 1.4 * plan.surge / 1000.0  # a millisecond
    expected = top * (finish - begin)
    gaps = -np.log1p(-rng.random(int(expected + 8 * expected ** 0.5 + 30))) / top
    t = begin + np.cumsum(gaps)
    t = t[t < finish]
    hour = (t / 3_600_000.0) % 24
    rate = plan.rate * plan.scale / 1000.0 * (1 + 0.25 * np.sin((hour - 8.5) / 24 * 2 * np.pi)) * wobble
    if plan.kind == "surge":
        into = np.clip((t - ms(plan.injected)) / 90_000.0, 0, 1)  # a minute and a half to its height
        left = 1.0 if plan.end is None else np.clip((ms(plan.end) - t) / 90_000.0, 0, 1)
        rate = rate * (1 + (plan.surge - 1) * into * left)
    t = t[rng.random(len(t)) < rate / top].astype(np.int64)
    n = len(t)
    user = (len(people["group"]) * rng.random(n) ** 1.8).astype(np.int64)
    region = np.where(rng.random(n) < 0.95, people["region"][user], (rng.random(n) * 3).astype(np.int64))
    columns = {"t": t, "route": np.searchsorted(shares, rng.random(n), side="right"), "client": people["client"][user],
               "host": region * 3 + (rng.random(n) * 3).astype(np.int64), "group": people["group"][user],
               "platform": people["platform"][user], "agent": people["agent"][user], "tenant": people["tenant"][user],
               "user": np.where(rng.random(n) < 0.06, -1, user)}
    probes = np.arange(-(-begin // 10_000) * 10_000, finish, 10_000, dtype=np.int64) + 137
    probes = probes[probes < finish]
    extra = {name: np.full(len(probes), -2, dtype=np.int64) for name in columns}
    extra |= {"t": probes, "route": np.full(len(probes), shop.HEALTH), "host": probes // 10_000 % len(shop.HOSTS)}
    order = np.argsort(np.concatenate([t, probes]), kind="stable")
    return {name: np.concatenate([columns[name], extra[name]])[order] for name in columns}


def _outcomes(rng, plan: Plan, c: dict[str, np.ndarray], factor: np.ndarray) -> None:
    """Add status, duration, size, ids, and what failed and why."""
    n = len(c["t"])
    median = np.array([r.median_ms for r in shop.ROUTES])[c["route"]]
    normal = np.sqrt(-2 * np.log1p(-rng.random(n))) * np.cos(2 * np.pi * rng.random(n))  # Box and Muller
    duration = np.maximum(1, np.rint(median * np.exp(0.5 * normal))).astype(np.int64)
    status = np.array([r.status for r in shop.ROUTES])[c["route"]]
    luck, people = rng.random(n), c["user"] >= -1
    named = np.array(["{" in r.path and r.method == "GET" and "static" not in r.path for r in shop.ROUTES])[c["route"]]
    static = np.array(["static" in r.path for r in shop.ROUTES])[c["route"]]
    login = np.array([r.path == "/login" for r in shop.ROUTES])[c["route"]]
    status = np.where(named & (luck < 0.014), 404, np.where(static & (luck < 0.2), 304, np.where(login & (luck < 0.07), 401, status)))
    usual = (rng.random(n) < plan.baseline * factor[c["route"]] * np.where(c["host"] == plan.noisy, 3.0, 0.8)) & people
    status = np.where(usual, np.array([500, 500, 502, 503])[(luck * 4).astype(np.int64)], status)
    injected = _hit(plan, c, rng.random(n))
    if plan.fault:
        choice = np.array(plan.fault.statuses)
        status = np.where(injected, choice[(luck * len(choice)).astype(np.int64)], status)
        if plan.fault.slow_ms:
            duration = np.where(injected, plan.fault.slow_ms + np.rint(luck * 40), duration).astype(np.int64)
    c["status"], c["duration_ms"], c["injected"], c["failed"] = status, duration, injected, usual | injected
    c["bytes"] = np.where(c["failed"], 162, (300 + 9000 * rng.random(n) ** 3).astype(np.int64))
    c["id"] = (1000 + 900_000 * rng.random(n) ** 1.5).astype(np.int64)
    c["token"] = (rng.random(n) * 2**53).astype(np.int64)


def _hit(plan: Plan, c: dict[str, np.ndarray], luck: np.ndarray) -> np.ndarray:
    fault = plan.fault
    if fault is None:
        return np.zeros(len(luck), dtype=bool)
    since = c["t"] - ms(plan.injected)
    mask = since >= 0
    if plan.end is not None:
        mask &= c["t"] < ms(plan.end)
    for name, indexes in (("route", fault.routes), ("host", fault.hosts), ("group", fault.groups), ("platform", fault.platforms)):
        if indexes:
            mask &= np.isin(c[name], indexes)
    if fault.new:
        mask &= c["new"]
    probability = np.full(len(luck), fault.probability)
    if fault.ramp_s:
        probability *= 0.25 + 0.75 * np.clip(since / 1000.0 / fault.ramp_s, 0, 1)
    return mask & (luck < probability)
