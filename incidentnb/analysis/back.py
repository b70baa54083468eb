"""Is the traffic back, are requests as fast as before? Recovery from an impact that is not failing requests."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from incidentnb.analysis.quiet import NEED_MINUTES
from incidentnb.findings import CANNOT_TELL, Finding
from incidentnb.times import at

if TYPE_CHECKING:
    import pandas as pd


def back(impact: Finding) -> Finding:
    """Whether a drop of traffic or slow requests are over, and for how long.

    Method: the complete buckets after the end of the last deviation are counted as minutes; at least ten of them prove it, as for failing
    requests. Arithmetic on another finding, O(buckets). What fell silent while others go on cannot be judged from the log.

    Args:
        impact: the finding of ``volume`` or ``latency`` that tells of the impact.

    Returns:
        As ``recovery``: verdict ``recovered``, ``not recovered`` or ``cannot tell``; numbers ``state``, ``since``, ``since_interval``,
        ``minutes``, ``more_requests`` (``None``), ``more_minutes``. Frame: the buckets of ``impact``.
    """
    numbers, frame = impact.numbers, impact.frame
    what = "traffic" if impact.name == "volume" else "latency"
    if not numbers.get("spikes"):
        why = "what ended may be silent, or its logs may be late"
        return _told(CANNOT_TELL, None, f"Recovery cannot be told: {why}.", why, impact, None, None, 0)
    end = numbers["end"]
    if end is None:
        why = _level(impact)
        return _told("not recovered", "still failing", f"Not back: {why}.", why, impact, None, NEED_MINUTES, 0)
    minutes = _complete_after(frame, end.at) * numbers["bucket_s"] / 60
    why = f"{what} has been as usual for {minutes:,.0f} complete minutes"
    if minutes >= NEED_MINUTES:
        return _told("recovered", "recovered", f"Recovered since {at(end.at)}: {why}.", why, impact, end.at, 0, minutes)
    more = max(1, round(NEED_MINUTES - minutes))
    why += f"; about {more} more would prove it"
    return _told(CANNOT_TELL, "quiet but unproven", f"Quiet but unproven: {why}.", why, impact, None, more, minutes)


def _told(verdict: str, state: str | None, sentence: str, why: str, impact: Finding, since: datetime | None, more: int | None,
          minutes: float) -> Finding:
    numbers: dict[str, Any] = {"state": state, "since": since, "since_interval": impact.numbers["end"] if since else None,
                               "minutes": round(minutes), "more_requests": None, "more_minutes": more, "impact": impact.name}
    return Finding("recovery", verdict, sentence, why, numbers, impact.frame, impact.query, impact.evidence)


def _complete_after(frame: pd.DataFrame, end: datetime) -> int:
    return int((frame["complete"].astype(bool) & (frame["time"] >= end)).sum())


def _level(impact: Finding) -> str:
    rows = impact.frame[impact.frame["complete"].astype(bool)].tail(max(1, round(300 / impact.numbers["bucket_s"])))
    minutes = len(rows) * impact.numbers["bucket_s"] / 60
    if impact.name == "volume":
        base = impact.numbers["rate"]["baseline"]
        return f"{rows['total'].sum() / minutes:,.0f} requests a minute over the last {minutes:,.0f} complete minutes, usually {base:,.0f}"
    slow = rows["slow"].sum() / max(1, rows["total"].sum())
    return (f"{slow:.0%} of the requests took longer than {impact.numbers['slow_ms']:,.0f} ms over the last {minutes:,.0f} complete minutes, "
            f"otherwise {impact.numbers['rate']['baseline']:.0%}")
