"""Is it over? Proved from complete minutes after the spike, for the failing subset by itself too, or else what is missing."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from incidentnb.analysis.rates import percent, unit
from incidentnb.analysis.scope import where_sql
from incidentnb.findings import CANNOT_TELL, Finding
from incidentnb.times import at

if TYPE_CHECKING:
    import pandas as pd

    from incidentnb.evidence.table import LogTable

NEED_MINUTES, BEST_MINUTES = 10, 15
LIMIT_RATIO = 1.5  # the upper 95 % limit of the failing rate must be at most this many times the baseline
BAND = 0.5  # traffic is back when it is at least this share of what it was
FLOOR = 0.0005  # a baseline below this is taken as this: nobody can prove a rate of nothing
_MINUTES = """SELECT date_trunc('minute', time) AS time, sum(total) AS total, sum(failing) AS failing, min(time) AS first, max(time) AS last
FROM outcomes WHERE time >= $start AND time <= $stop AND ({condition}) GROUP BY 1 ORDER BY 1"""


def recovery(table: LogTable, onset: Finding, scope: Finding | None = None) -> Finding:
    """Whether the data prove that the incident is over.

    Proof asks for all of: at least 10 complete minutes since the end, the upper 95 % limit of the failing rate over the last 10 to 15 of
    them at most 1.5 times the baseline, no run of raised minutes in them, traffic back to half of what it was, and the failing subset
    quiet by itself.

    Returns:
        Verdict ``recovered``, ``not recovered`` or ``cannot tell``; numbers ``since`` (instant or ``None``), ``rate`` (over those minutes),
        ``upper``, ``baseline``, ``minutes``, ``requests``, ``more_requests`` and ``more_minutes`` still needed; frame ``time``, ``total``,
        ``failing``, ``rate`` of the minutes judged.
    """
    if onset.verdict != "spike":
        why = "there is no spike to recover from" if onset.verdict == "no spike" else "no onset is known"
        return Finding("recovery", CANNOT_TELL, f"Recovery cannot be told: {why}.", why, {"since": None}, evidence=table.digest)
    facts = onset.numbers
    stop, end = facts["window_end"], facts["end"]
    everyone = judge(_minutes(table, onset, "true", {}), facts["rate"]["baseline"] or 0.0, _typical(onset), end.at if end else None, stop)
    results = [("all traffic", everyone)]
    for entry in (scope.numbers.get("subsets", []) if scope and scope.verdict == "subset" else []):
        if entry["cause"]:
            condition, params = where_sql(entry["where"])
            name = " and ".join(f"{c} = {'(none)' if v is None else v}" for c, v in entry["where"].items())
            results.append((name, judge(_minutes(table, onset, condition, params), _subset_base(entry, facts["rate"]["baseline"] or 0.0), None,
                                        end.at if end else None, stop)))
    name, worst = max(results, key=lambda r: ("recovered", CANNOT_TELL, "not recovered").index(r[1]["verdict"]))
    verdict, since = worst["verdict"], end.at if end and worst["verdict"] != "not recovered" else None
    why = worst["why"] if len(results) == 1 else f"{name}: {worst['why']}"
    numbers = {"since": since, **{k: everyone[k] for k in ("rate", "upper", "baseline", "minutes", "requests")},
               "more_requests": max(r["more_requests"] for _, r in results), "more_minutes": max(r["more_minutes"] for _, r in results)}
    sentence = {"recovered": f"Recovered since {at(since) if since else ''}: {why}.", "not recovered": f"Not recovered: {why}.",
                CANNOT_TELL: f"Whether it is over cannot be told yet: {why}."}[verdict]
    return Finding("recovery", verdict, sentence, why, numbers, everyone["frame"], _MINUTES.format(condition="true"), table.digest,
                   (f"Counted in {unit(table)} per complete minute.",))


def judge(minutes: pd.DataFrame, baseline: float, typical: float | None, end: datetime | None, stop: datetime) -> dict[str, Any]:
    """The rules put to one series of minutes.

    Args:
        minutes: ``time`` (start of the minute), ``total``, ``failing``; complete ones only, in order.
        baseline: the quiet rate; ``typical``: usual requests per minute, or ``None`` where traffic is not judged.
        end: the end of the spike, ``None`` for going on; ``stop``: the last instant known.
    """
    base = max(baseline, FLOOR)
    last = minutes[minutes["time"] >= stop - timedelta(minutes=6)].tail(5)
    recent = last["failing"].sum() / last["total"].sum() if last["total"].sum() else None
    if end is None:
        rate = f"{percent(recent)} over the last {len(last)} complete minutes" if recent is not None else "no complete minute at the end has traffic"
        return _result("not recovered" if recent is not None else CANNOT_TELL, f"{rate}, baseline {percent(baseline)}", last, base)
    first = end.replace(second=0, microsecond=0) + (timedelta(minutes=1) if end.second or end.microsecond else timedelta(0))
    after = minutes[minutes["time"] >= first]
    judged = after.tail(BEST_MINUTES)
    failing, total = int(judged["failing"].sum()), int(judged["total"].sum())
    if total and failing >= 5 and failing / total > 2 * base and lower(failing, total) > LIMIT_RATIO * base:
        rate = f"{percent(failing / total)} over the last {len(judged)} complete minutes, baseline {percent(baseline)}"
        return _result("not recovered", rate, judged, base)
    quiet = int((judged["total"] == 0).sum())
    if len(judged) < NEED_MINUTES:
        more = NEED_MINUTES - len(judged)
        return _result(CANNOT_TELL, f"only {len(judged)} complete minutes since the end, {more} more are needed", judged, base, more_minutes=more)
    run = _longest_run(judged, base)
    if run >= 2:
        return _result("not recovered", f"{run} minutes in a row are raised again within the last {len(judged)}", judged, base)
    if typical and total / len(judged) < BAND * typical:
        return _result(CANNOT_TELL, f"traffic is not back: {total / len(judged):,.0f} a minute, usually {typical:,.0f}", judged, base)
    if quiet > len(judged) // 3:
        return _result(CANNOT_TELL, f"{quiet} of the last {len(judged)} minutes saw no request", judged, base)
    top, counted = upper(failing, total), f"{failing:,} of {total:,} failed over the last {len(judged)} complete minutes"
    if top <= LIMIT_RATIO * base:
        return _result("recovered", f"{counted} ({percent(failing / total)}, at most {percent(top)} with 95 % confidence; "
                       f"baseline {percent(baseline)})", judged, base)
    more = max(0, needed(base) - total)
    if more == 0:
        more = max(1, total // 2)
    a_minute = total / len(judged)
    return _result(CANNOT_TELL, f"{counted}; the rate may still be {percent(top)}, over "
                   f"1.5 times the baseline of {percent(base)}: about {more:,} more requests are needed", judged, base, more_requests=more,
                   more_minutes=math.ceil(more / a_minute) if a_minute else 0)


def upper(failing: int, total: int, z: float = 1.645) -> float:
    """The upper limit, with 95 % confidence, of a rate (Wilson 1927, one-sided); 1 where nothing is known."""
    if total <= 0:
        return 1.0
    p, adjust = failing / total, z * z / total
    return min(1.0, (p + adjust / 2 + z * math.sqrt(p * (1 - p) / total + adjust / (4 * total))) / (1 + adjust))


def lower(failing: int, total: int, z: float = 1.645) -> float:
    """The lower limit, with 95 % confidence, of a rate (Wilson 1927, one-sided); 0 where nothing is known."""
    return 0.0 if total <= 0 else 1.0 - upper(total - failing, total, z)


def needed(base: float) -> int:
    """How many requests at the baseline rate it takes until its upper limit is 1.5 times the baseline."""
    low, high = 1, 1 << 40
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if upper(round(middle * base), middle) <= LIMIT_RATIO * base else (middle + 1, high)
    return low


def _result(verdict: str, why: str, judged: pd.DataFrame, base: float, more_requests: int = 0, more_minutes: int = 0) -> dict[str, Any]:
    failing, total = int(judged["failing"].sum()), int(judged["total"].sum())
    frame = judged[["time", "total", "failing"]].assign(rate=judged["failing"] / judged["total"].where(judged["total"] > 0))
    return {"verdict": verdict, "why": why, "frame": frame.reset_index(drop=True), "rate": failing / total if total else None,
            "upper": upper(failing, total), "baseline": base, "minutes": len(judged), "requests": total, "more_requests": more_requests,
            "more_minutes": more_minutes}


def _longest_run(judged: pd.DataFrame, base: float) -> int:
    """The longest run of minutes that are each above twice the baseline by more than chance."""
    raised = (judged["failing"] > 2 * base * judged["total"]) & (judged["failing"] - base * judged["total"] >
                                                                 2 * np.sqrt(np.maximum(base * judged["total"], 1)))
    best = run = 0
    for hit in raised:
        run = run + 1 if hit else 0
        best = max(best, run)
    return best


def _minutes(table: LogTable, onset: Finding, condition: str, params: dict[str, Any]) -> pd.DataFrame:
    """Complete minutes from the onset to the end of the window, those without a request as 0."""
    import pandas as pd

    facts = onset.numbers
    began, stop = facts["onset"].at, facts["window_end"]
    got = table.frame(_MINUTES.format(condition=condition), {"start": began.replace(second=0, microsecond=0), "stop": stop, **params})
    first = pd.Timestamp(began).floor("min")
    last = pd.Timestamp(stop).floor("min")
    grid = pd.date_range(first, last, freq="min", tz="UTC") if (last - first) < pd.Timedelta(days=14) else pd.DatetimeIndex(got["time"])
    full = pd.DataFrame({"time": grid.as_unit("us")}).merge(got[["time", "total", "failing"]], on="time", how="left")
    full = full.fillna({"total": 0, "failing": 0})
    gap = 60 - (stop - last.to_pydatetime()).total_seconds()
    a_minute = facts["requests"] / max(1.0, (facts["window_end"] - facts["window_start"]).total_seconds() / 60)
    if gap > max(2.0, 180 / max(a_minute, 1)):
        full = full.iloc[:-1]
    return full.astype({"total": "int64", "failing": "int64"})


def _typical(onset: Finding) -> float | None:
    """Usual requests per minute before the onset."""
    frame, width = onset.frame, onset.numbers["bucket_s"]
    before = frame[(frame["time"] < onset.numbers["onset"].earliest) & frame["complete"]]
    return float(before["total"].median() * 60 / width) if len(before) >= 3 else None


def _subset_base(entry: dict[str, Any], overall: float) -> float:
    return entry["rate_before"] if entry.get("rate_before") is not None else overall
