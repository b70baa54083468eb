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
_QUERY = """SELECT epoch_us(time) // ({width} * 1000000::BIGINT) AS slot, sum(total) AS total, sum(failing) AS failing, count(*) AS rows,
min(time) AS first, max(time) AS last FROM outcomes WHERE time >= $start AND time <= $stop GROUP BY slot ORDER BY slot"""
_ALL = {"start": datetime(1, 1, 1, tzinfo=UTC), "stop": datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)}
FIRST_SLOT = 60  # seconds of the slots that are counted first, at most: all greater widths are a whole number of them


def width_for(seconds: float, requests: float, most: int = MOST_BUCKETS) -> int:
    """A bucket width in whole seconds: about 240 buckets with 30 requests each where traffic allows, never more than ``most``."""
    wanted = max(seconds / USUAL_BUCKETS, REQUESTS_A_BUCKET * seconds / max(requests, 1))
    wanted = min(max(wanted, 1), max(1.0, seconds / 24))  # even at little traffic a window keeps some two dozen buckets
    wanted = max(wanted, seconds / most)
    return next((w for w in WIDTHS if w >= wanted), math.ceil(wanted / 604800) * 604800)


def core(slots: pd.DataFrame) -> dict[str, Any]:
    """Where the bulk of the outcomes lies: start, stop, rows inside and outside, and which ``slots``; empty without slots.

    A few lines with a clock from another year must not stretch the window: what lies further outside of the central 98 % than half
    of its width (at least ten minutes) is left out, and counted.

    Args:
        slots: ``rows``, ``first`` and ``last`` of each slot of time, in order; a slot is in as a whole or not at all.
    """
    if not len(slots):
        return {}
    rows, first, last = slots["rows"].sum(), slots["first"].iloc[0], slots["last"].iloc[-1]
    low, high = _quantile(slots, 0.01), _quantile(slots, 0.99)
    margin = max((high - low) * 0.5, timedelta(minutes=10))
    inside = slots[(slots["last"] >= low - margin) & (slots["first"] <= high + margin)]
    return {"start": inside["first"].iloc[0].to_pydatetime(), "stop": inside["last"].iloc[-1].to_pydatetime(), "rows": int(inside["rows"].sum()),
            "outside": int(rows - inside["rows"].sum()), "first": first.to_pydatetime(), "last": last.to_pydatetime(), "slots": inside}


def _quantile(slots: pd.DataFrame, q: float) -> pd.Timestamp:
    """The instant before which the share ``q`` of the rows lies, as if those of a slot were spread evenly."""
    upto = slots["rows"].cumsum().to_numpy(float)
    wanted = q * upto[-1]
    i = min(int(upto.searchsorted(wanted)), len(slots) - 1)
    first, last, rows = slots["first"].iloc[i], slots["last"].iloc[i], float(slots["rows"].iloc[i])
    return first + (last - first) * min(1.0, max(0.0, (wanted - upto[i] + rows) / rows))


def _slot(table: LogTable) -> int:
    """Seconds of the slots that are counted first: the width that the buckets will have where reading told the times, so that one pass is enough.

    A guess and no more: where the buckets turn out to be no whole number of these slots, they are counted by themselves.
    """
    known = [datetime.fromisoformat(e[end]) for e in table.inputs for end in ("first", "last") if e.get(end)]
    if not known:
        return FIRST_SLOT
    last = max(known) if table.as_of is None else min(max(known), table.as_of.astimezone(UTC))
    return min(FIRST_SLOT, width_for((last - min(known)).total_seconds(), sum(e.get("rows") or 0 for e in table.inputs)))


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
    slot = _slot(table)
    window = core(table.frame(_QUERY.format(width=slot), _ALL, keep=True))
    if not window:
        return empty, {"bucket_s": bucket_s or 60, "start": None, "stop": None, "outside": 0, "query": ""}
    seconds = max(1.0, (window["stop"] - window["start"]).total_seconds())
    width = int(max(bucket_s or width_for(seconds, window["rows"]), math.ceil(seconds / MOST_BUCKETS / 5)))
    query, got = _QUERY.format(width=width), window["slots"]
    if width % slot:
        got = table.frame(query, {"start": window["start"], "stop": window["stop"]}, keep=True)
    else:
        got = got.assign(slot=got["slot"] // (width // slot))
    slots = np.arange(int(got["slot"].iloc[0]), int(got["slot"].iloc[-1]) + 1)
    place = got["slot"].to_numpy(np.int64) - slots[0]
    total, failing = (np.bincount(place, got[name].to_numpy(float), len(slots)) for name in ("total", "failing"))
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
    return frame, {"bucket_s": width, "start": window["start"], "stop": window["stop"], "outside": window["outside"], "query": query}


def rates(table: LogTable, bucket_s: int | None = None) -> Finding:
    """The error rate over time.

    Method: failed ÷ requests per even bucket, about 240 of them with 30 requests each where traffic allows; unknown where no request was seen.
    Complexity: one pass over three columns, then O(buckets). Source: counting.

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
