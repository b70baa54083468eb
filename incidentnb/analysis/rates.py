"""What is the error rate, bucket by bucket? Requests that report an outcome, and those that failed, in even buckets of time."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from incidentnb.findings import CANNOT_TELL, Finding
from incidentnb.times import at, spell

if TYPE_CHECKING:
    import pandas as pd

    from incidentnb.evidence.table import LogTable

WIDTHS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800)
MOST_BUCKETS, USUAL_BUCKETS, REQUESTS_A_BUCKET = 2000, 240, 30
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_QUERY = """SELECT epoch_us(time) // ({width} * 1000000::BIGINT) AS slot, sum(total) AS total, sum(failing) AS failing,
min(time) AS first, max(time) AS last FROM outcomes WHERE time >= $start AND time <= $stop GROUP BY slot ORDER BY slot"""


def width_for(seconds: float, requests: float, most: int = MOST_BUCKETS) -> int:
    """A bucket width in whole seconds: about 240 buckets with 30 requests each where traffic allows, never more than ``most``."""
    wanted = max(seconds / USUAL_BUCKETS, REQUESTS_A_BUCKET * seconds / max(requests, 1))
    wanted = min(max(wanted, 1), max(1.0, seconds / 24))  # even at little traffic a window keeps some two dozen buckets
    wanted = max(wanted, seconds / most)
    return next((w for w in WIDTHS if w >= wanted), math.ceil(wanted / 604800) * 604800)


def core(table: LogTable) -> dict[str, Any]:
    """Where the bulk of the outcomes lies: start, stop, rows inside, rows and stamps outside.

    A few lines with a clock from another year must not stretch the window: what lies further outside of the central 98 % than half
    of its width is left out, and counted.
    """
    found = table.row("""SELECT count(*) AS rows, min(time) AS first, max(time) AS last, approx_quantile(epoch_us(time), [0.01, 0.5, 0.99]) AS q
        FROM outcomes WHERE time IS NOT NULL""")
    if not found.get("rows"):
        return {}
    first, last = found["first"], found["last"]
    low, _, high = (_EPOCH + timedelta(microseconds=int(v)) for v in found["q"])
    margin = max((high - low) * 0.5, timedelta(minutes=10))
    start, stop = max(first, low - margin), min(last, high + margin)
    outside = 0
    if start > first or stop < last:
        inside = table.row("SELECT count(*) AS n, min(time) AS first, max(time) AS last FROM outcomes WHERE time >= $a AND time <= $b",
                           {"a": start, "b": stop})
        outside, start, stop = found["rows"] - inside["n"], inside["first"], inside["last"]
    return {"start": start, "stop": stop, "rows": found["rows"] - outside, "outside": outside, "first": first, "last": last}


def buckets(table: LogTable, bucket_s: int | None = None) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Requests per bucket over the window of the outcomes.

    Returns:
        A frame ``time`` (aware UTC, start of the bucket), ``total``, ``failing`` (requests), ``rate`` (0–1; NaN where ``total`` is 0),
        ``complete`` (False for a first or last bucket that the data fill only in part), in order of time and without gaps; and facts:
        ``bucket_s``, ``start``, ``stop`` (first and last outcome), ``outside`` (rows left out for their clock), ``query``.
    """
    import numpy as np
    import pandas as pd

    empty = pd.DataFrame({"time": pd.to_datetime([], utc=True), "total": [], "failing": [], "rate": [], "complete": []})
    window = core(table)
    if not window:
        return empty, {"bucket_s": bucket_s or 60, "start": None, "stop": None, "outside": 0, "query": ""}
    seconds = max(1.0, (window["stop"] - window["start"]).total_seconds())
    width = max(bucket_s or width_for(seconds, window["rows"]), math.ceil(seconds / MOST_BUCKETS / 5))
    query = _QUERY.format(width=int(width))
    got = table.frame(query, {"start": window["start"], "stop": window["stop"]})
    slots = np.arange(int(got["slot"].iloc[0]), int(got["slot"].iloc[-1]) + 1)
    place = got["slot"].to_numpy(np.int64) - slots[0]
    total, failing = np.zeros(len(slots)), np.zeros(len(slots))
    total[place], failing[place] = got["total"].to_numpy(float), got["failing"].to_numpy(float)
    with np.errstate(invalid="ignore"):
        rate = failing / np.where(total > 0, total, np.nan)
    frame = pd.DataFrame({"time": pd.to_datetime(slots * width, unit="s", utc=True), "total": total.astype(np.int64),
                          "failing": failing.astype(np.int64), "rate": rate, "complete": True})
    gap = seconds / max(1, window["rows"])  # the mean gap between requests: what is missing at an edge beyond a few of these is missing data
    slack = max(3 * gap, 0.02 * width)
    late = (window["start"] - frame["time"].iloc[0]).total_seconds()
    early = (frame["time"].iloc[-1] + timedelta(seconds=width) - window["stop"]).total_seconds()
    if len(frame) > 1 and late > slack:
        frame.loc[0, "complete"] = False
    if len(frame) > 1 and early > slack:
        frame.loc[len(frame) - 1, "complete"] = False
    return frame, {"bucket_s": int(width), "start": window["start"], "stop": window["stop"], "outside": window["outside"], "query": query}


def rates(table: LogTable, bucket_s: int | None = None) -> Finding:
    """The error rate over time.

    Returns:
        Verdict ``measured`` or ``cannot tell``; frame as of ``buckets``; numbers ``bucket_s``, ``requests``, ``failed``, ``rate``,
        ``window_start``, ``window_end``.
    """
    frame, facts = buckets(table, bucket_s)
    if facts["start"] is None:
        why = "no record reports an outcome (an HTTP status or a level) at a known time"
        return Finding("rates", CANNOT_TELL, f"The error rate cannot be told: {why}.", why,
                       {"bucket_s": facts["bucket_s"], "requests": 0, "failed": 0}, frame, evidence=table.digest)
    requests, failed = int(frame["total"].sum()), int(frame["failing"].sum())
    rate = failed / requests if requests else 0.0
    sentence = (f"{failed:,} of {requests:,} {unit(table)} failed ({percent(rate)}) from {at(facts['start'])} "
                f"to {at(facts['stop'], facts['start'])}.")
    notes = [outcome_note(table)]
    if not frame["complete"].all():
        ends = [word for word, row in (("first", 0), ("last", len(frame) - 1)) if not frame["complete"].iloc[row]]
        notes.append(f"The {' and the '.join(ends)} bucket of {spell(timedelta(seconds=facts['bucket_s']))} holds data for a part of its time only.")
    if facts["outside"]:
        notes.append(f"{facts['outside']:,} records lie far outside of the window by their clock and are left out.")
    return Finding("rates", "measured", sentence, f"counted in buckets of {spell(timedelta(seconds=facts['bucket_s']))}",
                   {"bucket_s": facts["bucket_s"], "requests": requests, "failed": failed, "rate": rate,
                    "window_start": facts["start"], "window_end": facts["stop"]},
                   frame, facts["query"], table.digest, tuple(n for n in notes if n))


def unit(table: LogTable) -> str:
    """What an outcome of this table is called: ``requests``, or ``records`` where a level decides."""
    return "records" if table.outcome == "level" else "requests"


def outcome_note(table: LogTable) -> str:
    """A sentence on what "failed" means here."""
    return {"http_status": "Failed means an HTTP status of 500 or more.", "level": "Failed means a record of level ERROR or FATAL.",
            "given": ""}.get(table.outcome or "", "")


def percent(rate: float | None) -> str:
    """A rate as a person reads it: ``0.3 %``, ``41 %``, ``0.004 %``; unknown is ``unknown``."""
    if rate is None or rate != rate:
        return "unknown"
    value = rate * 100
    if value == 0 or value >= 9.95:
        return f"{value:.0f} %"
    return f"{value:.1f} %" if value >= 0.095 else f"{float(f'{value:.2g}'):.10f}".rstrip("0") + " %"
