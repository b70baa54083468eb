"""Which severity do the data suggest? The runbook's table put to the blast radius; a person decides."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from incidentnb.analysis import limits
from incidentnb.analysis.rates import percent
from incidentnb.findings import CANNOT_TELL, Finding

if TYPE_CHECKING:
    import pandas as pd

# the runbook's table: level, what it means, response clock
TABLE = (("SEV-1", "production is down, everyone is hit, revenue is lost", "at once, around the clock"),
         ("SEV-2", "a major feature is broken, many are hit", "30 minutes"),
         ("SEV-3", "a minor feature is degraded, some are hit", "within business hours"),
         ("SEV-4", "a small problem, hardly anyone is hit", "next sprint"))
ALL, MANY, SOME = 0.5, 0.05, 0.005  # shares of requests that fail, or of traffic that is down
EVERYONE = 0.9  # share of the users that is called everyone: many users meet one failure of a few percent
LEAST, MAJOR = 20, 0.1  # requests that tell of a route; share of the traffic that makes a route a major feature
SILENT, HALVED = 0.1, 0.5  # shares of the usual traffic that is left
UNUSABLE = 10.0  # so many times slower is as good as broken


@dataclass(frozen=True)
class Measure:
    """One measure: what it looks at, the level 1 to 4 that it alone suggests, and why, with its numbers."""

    name: str
    level: int
    reason: str


def severity(onset: Finding, scope: Finding | None = None, users: Finding | None = None, routes: Finding | None = None,
             recovery: Finding | None = None, volume: Finding | None = None, latency: Finding | None = None) -> Finding:
    """The suggested severity, from how many requests and users are hit, and how hard.

    Method: each measure alone gives a level, and the highest holds (when unsure, the higher one). Requests that fail: half SEV-1, 5 % SEV-2,
    0.5 % SEV-3, else SEV-4. Users with a failure beyond those that the baseline hits too, 1 - (1 - hit)/exp(-baseline · requests a user):
    90 % SEV-1, 5 % SEV-2, 0.5 % SEV-3. A route that is as good as down (half of at least 20 requests): SEV-2 with a tenth of the traffic,
    else SEV-3. A subset that is down: by its share of the traffic, at least SEV-3. Traffic that is gone: a tenth left SEV-1, half left
    SEV-2, else SEV-3. Slower: ten times SEV-2, else SEV-3. A count near a threshold is taken by its exact upper limit (Clopper and Pearson
    1934). An incident that is over keeps the severity that it had. Arithmetic on other findings, O(1). Source: the runbook's table.

    Args:
        onset, scope, users, routes, recovery: the findings of those names; ``volume`` (verdict ``drop``) and ``latency`` (``slower``) as well.

    Returns:
        Verdict ``SEV-1`` … ``SEV-4``, or ``cannot tell`` where nothing is known or nothing is wrong. Numbers: ``suggested``, ``requests_share``,
        ``users_share``, ``measures`` [{measure, level, reason}], ``over``. Frame: the runbook's table, ``severity``, ``what it means``,
        ``response clock``, ``this incident``.
    """
    given = (_failing(onset), _users(onset, users), _route(onset, routes), _subset(scope), _volume(volume), _latency(latency))
    measures = [m for m in given if m is not None]
    hit = users.numbers.get("share") if users is not None and users.verdict == "counted" else None
    shares = {"requests_share": _share(onset), "users_share": hit}
    if not measures:
        return _none(onset, shares)
    level = min(m.level for m in measures)
    name = f"SEV-{level}"
    differ = sorted({m.level for m in measures})
    reasons = "; ".join(m.reason for m in measures)
    speaking = [f for f, verdict in ((onset, "spike"), (volume, "drop"), (latency, "slower")) if f is not None and f.verdict == verdict]
    over = bool(speaking) and all(f.numbers.get("end") is not None for f in speaking)
    over = over or (recovery is not None and recovery.verdict == "recovered")
    if len(differ) > 1:
        highest = " and ".join(m.name for m in measures if m.level == level)
        reasons += f"; the measures differ, from SEV-{differ[0]} to SEV-{differ[-1]}: the higher one holds ({highest})"
    if over:
        reasons += "; it is over" + ("" if recovery is None or recovery.verdict == "recovered" else ", but recovery is not proved")
    numbers = {"suggested": name, **shares, "measures": [{"measure": m.name, "level": f"SEV-{m.level}", "reason": m.reason} for m in measures],
               "over": over}
    return Finding("severity", name, f"{name} is suggested: {TABLE[level - 1][1]} ({reasons}).", reasons, numbers, _table(measures), "",
                   onset.evidence, ("A suggestion from the blast radius; a person decides. When unsure, the higher one.",))


def _none(onset: Finding, shares: dict[str, Any]) -> Finding:
    numbers = {"suggested": None, **shares, "measures": [], "over": False}
    if onset.verdict == CANNOT_TELL:
        return Finding("severity", CANNOT_TELL, f"No severity can be suggested: {onset.why}.", onset.why, numbers, _table([]))
    return Finding("severity", CANNOT_TELL, "No severity is suggested: there is no spike.", "there is no spike", numbers, _table([]))


def by_share(share: float, everyone: float = ALL) -> int:
    """The level of a share that is hit; never lower for a larger share."""
    return 1 if share >= everyone else 2 if share >= MANY else 3 if share >= SOME else 4


def _counts(onset: Finding) -> tuple[int, int]:
    """Failing and all requests while it was raised; zeros where the finding does not hold them."""
    frame = onset.frame
    if onset.verdict != "spike" or frame is None or not {"during", "failing", "total"} <= set(frame.columns):
        return 0, 0
    rows = frame[frame["during"]]
    return int(rows["failing"].sum()), int(rows["total"].sum())


def _share(onset: Finding) -> float | None:
    if onset.verdict != "spike" or (onset.frame is not None and "value" in onset.frame):
        return None
    known = [s.get("rate") for s in onset.numbers.get("spikes") or []] + [(onset.numbers.get("rate") or {}).get("during")]
    return max((r for r in known if r is not None), default=None)


def _failing(onset: Finding) -> Measure | None:
    if onset.verdict == "spike" and onset.frame is not None and "value" in onset.frame:
        return Measure("values", 3, "the values left their usual level; how many are hit is not known")
    share = _share(onset)
    if share is None:
        return None
    failed, total = _counts(onset)
    if not total:
        return Measure("requests", by_share(share), f"{percent(share)} of the requests fail")
    level, most = by_share(share), limits.upper(failed, total)
    reason = f"{failed:,} of {total:,} requests fail ({percent(failed / total)})"
    if share > failed / total * 1.2:
        reason += f", {percent(share)} in the worst spike"
    if by_share(most) < level:
        level, reason = by_share(most), reason + f", and it may be {percent(most)}"
    return Measure("requests", level, reason)


def _users(onset: Finding, users: Finding | None) -> Measure | None:
    if users is None or users.verdict != "counted" or users.numbers.get("share") is None:
        return None
    affected, total, by = (users.numbers[k] for k in ("affected", "total", "by"))
    hit, reason = users.numbers["share"], f"{affected:,} of {total:,} {by}s are hit ({percent(users.numbers['share'])})"
    base, (_, requests) = (onset.numbers.get("rate") or {}).get("baseline"), _counts(onset)
    if base and requests and total:
        usual = 1 - math.exp(-base * requests / total)
        if usual >= 0.1 * hit:
            hit = max(0.0, 1 - (1 - hit) / (1 - usual)) if usual < 1 else 0.0
            reason += f", {percent(usual)} would be at the baseline too"
    return Measure("users", by_share(hit, EVERYONE), reason)


def _route(onset: Finding, routes: Finding | None) -> Measure | None:
    """The worst route that is as good as down, with the share of the traffic of all of those."""
    entries = (routes.numbers.get("routes") or []) if routes is not None else []
    down = [e for e in entries if e["total"] >= LEAST and (e["rate_during"] or 0) >= ALL]
    if not down:
        return None
    traffic = max(_counts(onset)[1], sum(e["total"] for e in entries))
    top = max(down, key=lambda e: e["failed"])
    name = " ".join(x for x in (top["method"], top["route"]) if x)
    share = sum(e["total"] for e in down) / traffic
    word = "is down" if top["rate_during"] >= EVERYONE else "mostly fails"
    others = f" and {len(down) - 1} more" if len(down) > 1 else ""
    return Measure("routes", 2 if share >= MAJOR else 3, f"{name}{others} {word}: {top['failed']:,} of {top['total']:,} there "
                   f"({percent(top['rate_during'])}), {percent(share)} of the requests")


def _subset(scope: Finding | None) -> Measure | None:
    """The subset with the largest share of the traffic for which it is as good as down."""
    entries = scope.numbers.get("subsets", []) if scope is not None and scope.verdict == "subset" else []
    down = [e for e in entries if e.get("cause") and (e.get("total") or 0) >= LEAST and (e.get("rate_inside") or 0) >= ALL]
    if not down:
        return None
    top = max(down, key=lambda e: (e.get("share_of_traffic") or 0, e["failed"]))
    name = " and ".join(f"{c} = {'(none)' if v is None else v}" for c, v in top["where"].items())
    word = "it is down" if top["rate_inside"] >= EVERYONE else "it mostly fails"
    return Measure("subset", min(3, by_share(top.get("share_of_traffic") or 0)), f"for {name} {word}: {top['failed']:,} of {top['total']:,} "
                   f"({percent(top['rate_inside'])}), {percent(top.get('share_of_traffic'))} of the requests")


def _volume(volume: Finding | None) -> Measure | None:
    """The deepest drop of traffic, or the sources that fell silent while the others go on."""
    if volume is None or volume.verdict != "drop":
        return None
    rates = [(s.get("rate"), s.get("baseline")) for s in volume.numbers.get("spikes") or []]
    rates += [tuple((volume.numbers.get("rate") or {}).get(k) for k in ("during", "baseline"))]
    left = min((during / usual for during, usual in rates if during is not None and usual), default=None)
    if left is not None:
        there = f"{percent(left)} of the usual traffic is left"
        if left <= SILENT:
            return Measure("traffic", 1, f"{there}: as good as none, for everyone")
        return Measure("traffic", 2 if left <= HALVED else 3, there)
    silent, whole = volume.numbers.get("silent") or [], rates[-1][1]
    if not silent or not whole:
        return Measure("traffic", 2, "the traffic dropped, how far is not known")
    top = max(silent, key=lambda e: e["usual_per_minute"])
    share = min(1.0, top["usual_per_minute"] / whole)
    return Measure("traffic", min(3, by_share(share)), f"{top['column']} {top['value']} is silent, usually {percent(share)} of the traffic")


def _latency(latency: Finding | None) -> Measure | None:
    """How many times as long the slow requests, or half of them, take."""
    if latency is None or latency.verdict != "slower":
        return None
    pairs = [latency.numbers.get(k) or {} for k in ("p50", "p95")]
    times = max((p["during"] / p["before"] for p in pairs if p.get("during") and p.get("before")), default=None)
    slow = (latency.numbers.get("rate") or {}).get("during")
    share = f"{percent(slow)} of the requests are slow, " if slow is not None else ""
    if times is None:
        return Measure("latency", 3, f"{share}by how much is not known")
    return Measure("latency", 2 if times >= UNUSABLE else 3, f"{share}they take {times:.1f} times as long")


def _table(measures: list[Measure]) -> pd.DataFrame:
    """The runbook's table with what speaks for each row here; the suggested row says so."""
    import pandas as pd

    level = min((m.level for m in measures), default=0)
    rows = []
    for number, (name, meaning, clock) in enumerate(TABLE, 1):
        here = "; ".join(m.reason for m in measures if m.level == number)
        rows.append({"severity": name, "what it means": meaning, "response clock": clock,
                     "this incident": f"suggested: {here}" if number == level else f"alone: {here}" if here else ""})
    return pd.DataFrame(rows)
