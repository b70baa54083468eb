"""Did traffic drop? A dead service logs nothing: a drop of requests, and sources that fell silent while the others go on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from incidentnb.analysis.rates import MOST_BUCKETS, buckets, percent, width_for
from incidentnb.findings import CANNOT_TELL, Finding
from incidentnb.times import Interval, at, spell

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from incidentnb.analysis.deviations import Deviation
    from incidentnb.analysis.seasons import Profile
    from incidentnb.evidence.table import LogTable

LEAST_BUCKETS, LEAST_REQUESTS, LOCAL = 12, 100, 4  # and the part of the window that a running median spans
AT_MOST, P = 0.6, 0.05  # traffic in a drop is at most this share of the usual, and at most so many quiet series show such a drop
COLUMNS, MOST_VALUES, LEAST_MISSED = ("service", "host", "source"), 200, 20
_SAMPLED, _SAMPLE_ABOVE = 61, 200_000  # of many records every 61st tells where the bulk lies
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS = "SELECT " + ", ".join(f"approx_count_distinct({c}) AS {c}" for c in COLUMNS) + " FROM log WHERE time >= $start AND time <= $stop"
_QUERY = """SELECT CAST(epoch_us(time) // ({width} * 1000000::BIGINT) AS INTEGER) AS slot, count(*) AS total FROM log
WHERE time >= $start AND time <= $stop GROUP BY slot ORDER BY slot"""
_BY_VALUE = """SELECT {column} AS value, CAST(epoch_us(time) // ({width} * 1000000::BIGINT) AS INTEGER) AS slot, count(*) AS n
FROM log WHERE {column} IS NOT NULL AND time >= $start AND time <= $stop GROUP BY value, slot"""


def volume(table: LogTable, bucket_s: int | None = None) -> Finding:
    """Whether traffic dropped, when, until when; and which service, host or file fell silent while the others go on.

    Method: requests (records where nothing reports an outcome) per bucket, less what is usual at that time of day where other days are there
    (else less the median; where that shows nothing, as shares of a running median over a quarter of the window), are scanned for
    the furthest stretch below the usual *and* below what came right before (``deviations.scan``, calibrated by the series itself, so
    that overdispersed counts and slow valleys of the night are usual); a drop leaves at most 60 % of the usual. Silence: the empty end
    of a source is three times longer than its longest gap before, and at least 20 records are missed. Complexity: one pass over the log
    a question, then O(n log n) in the buckets.
    Not to be trusted at the end of the data when all sources end together: that is where the reading stopped.

    Returns:
        Verdict ``drop``, ``no drop`` or ``cannot tell``. Numbers: ``onset``, ``end`` (``Interval``; ``end`` ``None`` for still so) and ``rate``
        {baseline, during} (a minute) of the largest drop; ``spikes`` [{onset, end, rate, baseline, excess}] (the drops) in order of time, where
        ``excess`` is the requests that are missed; ``silent`` [{column, value, last, usual_per_minute, missed}]; ``smallest_visible`` (a
        minute), ``p_value``, ``bucket_s``, ``requests``, ``window_start``, ``window_end``. Frame: ``time``, ``total``, ``expected``,
        ``complete``, ``during``.
    """
    counted = _counted(table, bucket_s)
    if counted is None:
        return _cannot("no record reports an outcome at a known time" if table.outcome else "no record has a time", {}, None, "", table.digest)
    frame, width, window, query = counted
    number = table.row(_KINDS, {"start": window["start"], "stop": window["stop"]})
    silent = [entry for column in COLUMNS if 2 <= (number[column] or 0) <= MOST_VALUES for entry in _silent(table, column, width, window)]
    return _judge(frame, width, window["start"], window["stop"], silent, query, table.digest)


def _counted(table: LogTable, bucket_s: int | None) -> tuple[pd.DataFrame, int, dict[str, Any], str] | None:
    """``time``, ``total``, ``complete`` per bucket, its width, the window and the query: the buckets of the error rate where outcomes are known."""
    import numpy as np
    import pandas as pd

    if table.outcome:
        frame, facts = buckets(table, bucket_s)
        return None if facts["start"] is None else (frame[["time", "total", "complete"]], facts["bucket_s"], facts, facts["query"])
    window = bulk(table)
    if not window:
        return None
    width = width_of(window, bucket_s)
    query = _QUERY.format(width=width)
    got = table.frame(query, {"start": window["start"], "stop": window["stop"]})
    first = int(got["slot"].iloc[0])
    total = np.bincount(got["slot"].to_numpy(np.int64) - first, got["total"].to_numpy(float))
    frame = pd.DataFrame({"time": pd.to_datetime((first + np.arange(len(total))) * width, unit="s", utc=True), "total": total.astype(np.int64)})
    return frame.assign(complete=whole(frame["time"], width, window)), width, window, query


def volume_of_series(frame: pd.DataFrame) -> Finding:
    """Whether traffic dropped, from a series exported from a dashboard.

    Args:
        frame: ``time`` (aware UTC) with ``total`` (requests), or with ``value`` (requests a step); steps that are missing are unknown.

    Returns:
        As ``volume``, with no ``silent``.
    """
    import numpy as np
    import pandas as pd

    from incidentnb.analysis import steps

    column = "total" if "total" in frame.columns else "value"
    data = frame[["time", column]].dropna().groupby("time", as_index=False)[column].sum().sort_values("time")
    if not len(data):
        return _cannot("the series is empty", {}, None, "", "")
    width = steps.step_of(data["time"])
    place = steps.places(data["time"], width)
    total = np.full(place[-1] + 1, np.nan)
    for at_place, amount in zip(place, data[column].to_numpy(float), strict=True):
        total[at_place] = amount if np.isnan(total[at_place]) else total[at_place] + amount
    start = data["time"].iloc[0].to_pydatetime()
    series = pd.DataFrame({"time": pd.to_datetime([start + timedelta(seconds=width * i) for i in range(len(total))], utc=True), "total": total,
                           "complete": np.isfinite(total)})
    edge = steps.complete(np.nan_to_num(total))
    series.loc[len(series) - 1, "complete"] &= bool(edge[-1])
    return _judge(series, width, start, series["time"].iloc[-1].to_pydatetime() + timedelta(seconds=width), [], "", "")


def bulk(table: LogTable, where: str = "TRUE") -> dict[str, Any]:
    """Where the bulk of some records lies (a few with a clock from another year are left out): start, stop, rows; empty where none is dated."""
    quantiles = "approx_quantile(epoch_us(time), [0.01, 0.99])"
    found = table.row(f"""SELECT count(*) AS rows, min(time) AS first, max(time) AS last,
        {quantiles} FILTER (WHERE epoch_us(time) % {_SAMPLED} = 0) AS q FROM log WHERE time IS NOT NULL AND {where}""")
    if not found.get("rows"):
        return {}
    if found["rows"] < _SAMPLE_ABOVE or found["q"] is None:
        found["q"] = table.row(f"SELECT {quantiles} AS q FROM log WHERE time IS NOT NULL AND {where}")["q"]
    low, high = (_EPOCH + timedelta(microseconds=int(v)) for v in found["q"])
    margin = max((high - low) * 0.5, timedelta(minutes=10))
    start, stop = max(found["first"], low - margin), min(found["last"], high + margin)
    if start > found["first"] or stop < found["last"]:
        inside = table.row(f"SELECT count(*) AS rows, min(time) AS a, max(time) AS b FROM log WHERE time >= $a AND time <= $b AND {where}",
                           {"a": start, "b": stop})
        start, stop, found["rows"] = inside["a"], inside["b"], inside["rows"]
    return {"start": start, "stop": stop, "rows": found["rows"]}


def width_of(window: dict[str, Any], bucket_s: int | None) -> int:
    """The bucket width for a window, in seconds: as for the error rate."""
    seconds = max(1.0, (window["stop"] - window["start"]).total_seconds())
    return int(max(bucket_s or width_for(seconds, window["rows"]), math.ceil(seconds / MOST_BUCKETS / 5)))


def whole(time: pd.Series, width: int, window: dict[str, Any]) -> np.ndarray:
    """Which buckets the window fills: not the first and the last where it begins or ends inside of them."""
    import numpy as np

    full = np.ones(len(time), bool)
    slack = max(3 * (window["stop"] - window["start"]).total_seconds() / max(1, window["rows"]), 0.02 * width)
    if len(time) > 1:
        full[0] = (window["start"] - time.iloc[0]).total_seconds() <= slack
        full[-1] = (time.iloc[-1] + timedelta(seconds=width) - window["stop"]).total_seconds() <= slack
    return full


def _judge(frame: pd.DataFrame, width: int, start: datetime, stop: datetime, silent: list[dict[str, Any]], query: str, digest: str) -> Finding:
    import numpy as np

    from incidentnb.analysis import deviations, seasons

    frame = frame.assign(expected=float("nan"), during=False)[["time", "total", "expected", "complete", "during"]]
    use = np.flatnonzero(frame["complete"].to_numpy(bool))
    seen = frame["total"].to_numpy(float)[use]
    numbers: dict[str, Any] = {"bucket_s": width, "requests": int(np.nansum(frame["total"].to_numpy(float))), "window_start": start,
                               "window_end": stop, "silent": silent}
    if len(use) < LEAST_BUCKETS or seen.sum() < LEAST_REQUESTS:
        why = (f"{seen.sum():,.0f} requests in {len(use)} complete buckets of {spell(timedelta(seconds=width))} are too few: at least "
               f"{LEAST_REQUESTS} in {LEAST_BUCKETS} are needed")
        return _cannot(why, numbers, frame, query, digest)
    season = seasons.expected(frame["time"].astype("datetime64[s, UTC]").astype("int64").to_numpy()[use], seen, None, width)
    drops, usual, found, smallest = [], seen, None, float("nan")
    for level, rest, grain in _levels(seen, season):
        noise = deviations.spread(seen - level) if grain else deviations.spread(rest)
        scanned = deviations.scan(rest, np.diff(use, prepend=use[0] - 1), grain, max(noise, float(np.sqrt(level.mean())) if grain else 0.0))
        drops = [d for d in scanned.found if d.height < 0 and d.p_value < P and _left(seen, level, d) <= AT_MOST
                 and _missed(seen, level, d) >= LEAST_MISSED]
        smallest = scanned.smallest if found is None else smallest
        if found is None or drops:
            usual, found = level, scanned
        if drops:
            break
    frame.loc[use, "expected"] = usual
    minute = 60 / width
    drops = [d for d in found.found if d.height < 0 and d.p_value < P and _left(seen, usual, d) <= AT_MOST
             and _missed(seen, usual, d) >= LEAST_MISSED]
    numbers |= {"p_value": found.strongest.p_value if found.strongest else 1.0, "smallest_visible": float(smallest) * minute,
                "days": int(np.median(season.periods)) if season else 0}
    spikes = [_spike(frame, use, seen, usual, d, minute) for d in drops]
    for d in drops:
        frame.loc[use[d.start]:use[d.end - 1], "during"] = True
    main = max(spikes, key=lambda s: s["excess"], default=None)
    numbers |= {"onset": main and main["onset"], "end": main and main["end"], "spikes": spikes,
                "rate": {"baseline": main["baseline"] if main else float(np.median(seen)) * minute, "during": main and main["rate"]}}
    return _told(frame, numbers, main, query, digest)


def _levels(seen: np.ndarray, season: Profile | None) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
    """What is usual, and the counts less it: first by the other days or the median; then as shares of a running median, for a day alone."""
    import numpy as np
    import pandas as pd

    usual = np.full(len(seen), float(np.median(seen)))
    if season is None:
        yield usual, seen - usual, 1.0
    else:
        known = np.isfinite(season.expected)
        yield np.where(known, season.expected, usual), np.where(known, seen - np.clip(seen, season.low, season.high), seen - usual), 1.0
    width = max(2 * LEAST_BUCKETS + 1, len(seen) // LOCAL | 1)
    running = pd.Series(seen).rolling(width, center=True, min_periods=1).median().to_numpy()
    running = np.maximum(running, max(1.0, 0.05 * float(usual[0])))
    yield running, seen / running - 1, 0.0


def _told(frame: pd.DataFrame, numbers: dict[str, Any], main: dict[str, Any] | None, query: str, digest: str) -> Finding:
    silent = numbers["silent"]
    notes = ["A source that ends before the others is silent or its logs are late: the log alone cannot tell which."] if silent else []
    told = "".join(f" {s['column'].capitalize()} {s['value']} has logged nothing since {at(s['last'])}, the others go on (or its logs are late): "
                   f"some {s['missed']:,} records are missed." for s in silent[:3])
    if main is not None:
        until = "still so" if main["end"] is None else f"until {at(main['end'].at, main['onset'].at)}"
        sentence = (f"Traffic dropped from {main['baseline']:,.0f} to {main['rate']:,.0f} requests a minute at {at(main['onset'].at)}, {until}; "
                    f"some {main['excess']:,} are missed.{told}")
        why = f"no other stretch lies so far below the usual and what came before; {percent(numbers['p_value'])} of quiet series look like this"
        return Finding("volume", "drop", sentence, why, numbers, frame, query, digest, tuple(notes))
    if silent:
        return Finding("volume", "drop", f"{told.strip()} Traffic as a whole did not drop.", "the empty end is far longer than any gap before",
                       numbers, frame, query, digest, tuple(notes))
    why = "no stretch lies that far below both the usual and what came right before it"
    return Finding("volume", "no drop", f"Traffic did not drop: {numbers['requests']:,} requests, {numbers['rate']['baseline']:,.0f} a minute.", why,
                   numbers, frame, query, digest)


def _left(seen: np.ndarray, usual: np.ndarray, found: Deviation) -> float:
    inside = slice(found.start, found.end)
    return float(seen[inside].sum() / max(1e-9, usual[inside].sum()))


def _missed(seen: np.ndarray, usual: np.ndarray, found: Deviation) -> float:
    inside = slice(found.start, found.end)
    return float((usual[inside] - seen[inside]).sum())


def _spike(frame: pd.DataFrame, use: np.ndarray, seen: np.ndarray, usual: np.ndarray, found: Deviation, minute: float) -> dict[str, Any]:
    moments, width = frame["time"], timedelta(minutes=1 / minute)
    inside = slice(found.start, found.end)

    def moment(place: int) -> datetime:
        return moments.iloc[int(use[place])].to_pydatetime()

    began = Interval(moment(found.start), moment(max(0, min(found.start_low, found.start) - 1)), moment(found.start_high) + width)
    over = None if found.end >= len(use) else Interval(moment(found.end), moment(found.end - 1), moment(found.end) + width)
    return {"onset": began, "end": over, "rate": float(seen[inside].mean()) * minute, "baseline": float(usual[inside].mean()) * minute,
            "excess": round(_missed(seen, usual, found))}


def _silent(table: LogTable, column: str, width: int, window: dict[str, Any]) -> list[dict[str, Any]]:
    """The values of a column that ended before the others, as ``silence.ended`` tells them, each with its last record."""
    from incidentnb.analysis import silence

    got = table.frame(_BY_VALUE.format(column=column, width=width), {"start": window["start"], "stop": window["stop"]})
    found = []
    for row in silence.ended(got):
        last = table.row(f"SELECT max(time) AS last FROM log WHERE {column} = $value AND time <= $stop",
                         {"value": row["value"], "stop": window["stop"]})["last"]
        found.append({"column": column, "value": str(row["value"]), "last": last, "usual_per_minute": row["usual"] * 60 / width,
                      "missed": round(row["missed"])})
    return found


def _cannot(why: str, numbers: dict[str, Any], frame: pd.DataFrame | None, query: str, digest: str) -> Finding:
    empty = {"onset": None, "end": None, "rate": {"baseline": None, "during": None}, "spikes": [], "silent": [], "bucket_s": None, "requests": 0,
             "window_start": None, "window_end": None}
    return Finding("volume", CANNOT_TELL, f"Whether traffic dropped cannot be told: {why}.", why, empty | numbers, frame, query, digest)
