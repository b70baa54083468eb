"""Which severity do the data suggest? The runbook's table put to the blast radius; a person decides."""

from __future__ import annotations

from incidentnb.analysis.rates import percent
from incidentnb.findings import CANNOT_TELL, Finding

ALL, MANY, SOME = 0.5, 0.05, 0.005  # shares of requests, or of users, that are hit
MEANING = {"SEV-1": "production is down for everyone", "SEV-2": "many are hit", "SEV-3": "some are hit", "SEV-4": "hardly anyone is hit"}


def severity(onset: Finding, scope: Finding | None = None, users: Finding | None = None, routes: Finding | None = None,
             recovery: Finding | None = None) -> Finding:
    """The suggested severity, from the share of requests and of users that are hit.

    SEV-1 from half of all requests, SEV-2 from 5 % of the requests or users (or a quarter of the users, or a route down that takes a tenth of the
    traffic), SEV-3 from 0.5 %, else SEV-4. When two measures differ the higher severity holds. An incident that is over keeps the
    severity that it had.

    Returns:
        Verdict ``SEV-1`` … ``SEV-4`` or ``cannot tell``; numbers ``suggested`` and the shares it rests on.
    """
    if onset.verdict == CANNOT_TELL:
        return Finding("severity", CANNOT_TELL, f"No severity can be suggested: {onset.why}.", onset.why, {"suggested": None})
    if onset.verdict != "spike":
        return Finding("severity", CANNOT_TELL, "No severity is suggested: there is no spike.", "there is no spike", {"suggested": None})
    largest = max(s["rate"] for s in onset.numbers["spikes"])
    requests = max(onset.numbers["rate"]["during"] or 0.0, largest)
    hit = (users.numbers.get("share") if users and users.verdict == "counted" else None)
    worst = _worst_route(routes)
    reasons = [f"{percent(requests)} of the requests fail"]
    level = 1 if requests >= ALL else 2 if requests >= MANY else 3 if requests >= SOME else 4
    if hit is not None:
        reasons.append(f"{users.numbers['affected']:,} of {users.numbers['total']:,} {users.numbers['by']}s are hit ({percent(hit)})")
        level = min(level, 2 if hit >= MANY else 3 if hit >= SOME else 4)
    if worst is not None:
        reasons.append(f"{worst['name']} fails at {percent(worst['rate'])}")
        level = min(level, 2 if worst["share"] >= 0.1 else 3)
    over = onset.numbers["end"] is not None
    if over:
        reasons.append("it is over")
    name = f"SEV-{level}"
    return Finding("severity", name, f"{name} is suggested: {MEANING[name]} ({'; '.join(reasons)}).", "; ".join(reasons),
                   {"suggested": name, "requests_share": requests, "users_share": hit}, evidence=onset.evidence,
                   notes=("A suggestion from the share of requests and users; a person decides. When unsure, the higher one.",))


def _worst_route(routes: Finding | None) -> dict | None:
    """A route that is as good as down (half of at least 20 requests fail), with its share of the failing routes' traffic."""
    entries = (routes.numbers.get("routes") or []) if routes else []
    traffic = sum(e["total"] for e in entries) or 1
    down = [e for e in entries if e["total"] >= 20 and (e["rate_during"] or 0) >= ALL]
    if not down:
        return None
    top = max(down, key=lambda e: e["failed"])
    return {"name": " ".join(x for x in (top["method"], top["route"]) if x), "rate": top["rate_during"],
            "share": sum(e["total"] for e in down) / traffic}
