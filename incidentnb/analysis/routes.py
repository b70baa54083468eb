"""Which requests are failing? Routes and methods, before the onset and since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from incidentnb.analysis.rates import percent, unit
from incidentnb.analysis.spans import spans
from incidentnb.findings import CANNOT_TELL, Finding

if TYPE_CHECKING:
    from incidentnb.evidence.table import LogTable

SHOWN = 20


def routes(table: LogTable, onset: Finding) -> Finding:
    """The routes with the most failures above what their past lets one expect.

    Method: excess ``f − n (b + k R) / (m + k)`` of each method and route, k = 200, R the baseline's rate over all routes. Complexity: one pass over
    four columns, memory by the number of routes. Source: the expectation of the subset scan (Neill 2009) for one pair of columns.

    Returns:
        Verdict ``measured`` or ``cannot tell``; numbers ``routes`` [{method, route, failed, total, rate_before, rate_during}], the most
        excess first, and ``failing_routes``, ``known_routes`` (counts); frame: the same with readable names.
    """
    import pandas as pd

    span = spans(table, onset)
    columns = ["method", "route", "failed", "requests", "rate before", "rate during"]
    if span is None:
        return _cannot("no onset is known to compare before with during", table, pd.DataFrame(columns=columns))
    query = f"""SELECT method, route, sum(failing) FILTER ({span['during']}) AS f, sum(total) FILTER ({span['during']}) AS n,
sum(failing) FILTER ({span['before']}) AS b, sum(total) FILTER ({span['before']}) AS m
FROM outcomes WHERE route IS NOT NULL GROUP BY method, route"""
    got = table.frame(query)
    if not len(got):
        return _cannot("no record names a route", table, pd.DataFrame(columns=columns))
    got[["f", "n", "b", "m"]] = got[["f", "n", "b", "m"]].fillna(0).astype("int64")
    overall = (got["b"].sum() + 0.5) / (got["m"].sum() + 1)
    got["excess"] = got["f"] - got["n"] * (got["b"] + 200 * overall) / (got["m"] + 200)
    got = got[got["f"] > 0].sort_values(["excess", "f", "route"], ascending=[False, False, True])
    entries = [{"method": r.method if isinstance(r.method, str) else None, "route": r.route, "failed": int(r.f), "total": int(r.n),
                "rate_before": r.b / r.m if r.m else None, "rate_during": r.f / r.n if r.n else None} for r in got.head(SHOWN).itertuples()]
    frame = pd.DataFrame([list(e.values()) for e in entries], columns=columns)
    if not entries:
        return Finding("routes", "measured", "No request to a known route has failed since the onset.", "", {"routes": []}, frame,
                       query, table.digest)
    top, failed = entries[0], int(got["f"].sum())
    name = " ".join(x for x in (top["method"], top["route"]) if x)
    sentence = (f"Most failures above the usual: {name}, {top['failed']:,} of {top['total']:,} {unit(table)} ({percent(top['rate_before'])} before, "
                f"{percent(top['rate_during'])} since); {len(got):,} routes have failures.")
    why = f"{top['failed']:,} of all {failed:,} failures on known routes are there"
    return Finding("routes", "measured", sentence, why, {"routes": entries, "failing_routes": len(got)}, frame, query, table.digest)


def _cannot(why: str, table: LogTable, frame: object) -> Finding:
    return Finding("routes", CANNOT_TELL, f"Which routes fail cannot be told: {why}.", why, {"routes": []}, frame, evidence=table.digest)
