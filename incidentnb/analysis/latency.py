"""Did requests get slower? The share of requests slower than the quiet p95, bucket by bucket, put to the likelihood scan of the error rate."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from incidentnb.analysis.rates import percent
from incidentnb.findings import CANNOT_TELL, Finding
from incidentnb.times import Interval, at, spell

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from incidentnb.analysis.scan import Rise, Scan
    from incidentnb.evidence.table import LogTable

FINE = 16  # bins of the histogram to a factor of e: a quantile is right to 6 %
QUIET_SHARE, SLOW_SHARE = 0.6, 0.05
LEAST_BUCKETS, LEAST_REQUESTS, MOST_ROUTES, TELLING = 5, 200, 5, 0.05  # a route is told that holds so much of what is slow above the usual
_TIMED = "duration_ms IS NOT NULL AND duration_ms >= 0"
_QUERY = f"""SELECT CAST(epoch_us(time) // ({{width}} * 1000000::BIGINT) AS INTEGER) AS slot,
CAST(floor({FINE} * ln(greatest(duration_ms, 0.001))) AS INTEGER) AS bin,
count(*) AS n FROM log WHERE {_TIMED} AND time >= $start AND time <= $stop GROUP BY slot, bin"""
_ROUTES = f"""SELECT route, count(*) FILTER (WHERE inside) AS n, count(*) FILTER (WHERE inside AND duration_ms > $slow) AS slow,
count(*) FILTER (WHERE NOT inside) AS m, count(*) FILTER (WHERE NOT inside AND duration_ms > $slow) AS slow_before,
approx_quantile(duration_ms, 0.95) FILTER (WHERE inside) AS p95, approx_quantile(duration_ms, 0.95) FILTER (WHERE NOT inside) AS p95_before
FROM (SELECT route, duration_ms, time >= $from AND time < $until AS inside FROM log WHERE {_TIMED} AND route IS NOT NULL AND time < $until)
GROUP BY route"""


def latency(table: LogTable, bucket_s: int | None = None) -> Finding:
    """Whether requests got slower, when, until when, and on which routes.

    Method: durations are counted in the engine on a logarithmic scale, in even buckets of time. The p95 of the quieter 60 % of the buckets
    (by their p95) is the mark; the requests slower than it are the "failing" ones of the likelihood scan of the error rate
    (``scan.find``; Kulldorff 1997), with the season of other days as exposure where one is borne out. Complexity: one pass over the
    log, then the square of the number of buckets.
    Not to be trusted where only requests that ended are logged: those that hang are not seen until they end.

    Returns:
        Verdict ``slower``, ``no change`` or ``cannot tell``. Numbers: ``onset``, ``end`` (``Interval``; ``end`` ``None`` for still so), ``p50``
        and ``p95`` {before, during} (ms), ``slow_ms`` (the mark), ``rate`` {baseline, during} (share slower than it), ``spikes``
        [{onset, end, rate, excess}] in order of time, ``routes`` [{route, total, slow, p95_before, p95}], ``smallest_visible`` (share),
        ``p_value``, ``bucket_s``, ``requests``, ``window_start``, ``window_end``. Frame: ``time``, ``total``, ``slow``, ``p50``, ``p95`` (ms),
        ``complete``, ``during``.
    """
    import numpy as np
    import pandas as pd

    from incidentnb.analysis import scan, volume

    numbers: dict[str, Any] = {"onset": None, "end": None, "p50": {"before": None, "during": None}, "p95": {"before": None, "during": None},
                               "slow_ms": None, "rate": {"baseline": None, "during": None}, "spikes": [], "routes": [], "bucket_s": bucket_s,
                               "requests": 0, "window_start": None, "window_end": None}
    window = volume.bulk(table, _TIMED)
    if not window:
        return _cannot("no record holds a duration", numbers, None, "", table.digest)
    width = volume.width_of(window, bucket_s)
    query = _QUERY.format(width=width)
    got = table.frame(query, {"start": window["start"], "stop": window["stop"]})
    first, last, low = int(got["slot"].min()), int(got["slot"].max()), int(got["bin"].min())
    counts = np.zeros((last - first + 1, int(got["bin"].max()) - low + 1))
    counts[got["slot"].to_numpy(np.int64) - first, got["bin"].to_numpy(np.int64) - low] = got["n"].to_numpy(float)
    total = counts.sum(axis=1)
    frame = pd.DataFrame({"time": pd.to_datetime(np.arange(first, last + 1) * width, unit="s", utc=True), "total": total.astype(np.int64)})
    frame["complete"] = volume.whole(frame["time"], width, window)
    frame["p50"], frame["p95"] = (_quantile(counts, q, low) for q in (0.5, 0.95))
    use = frame["complete"].to_numpy(bool) & (total > 0)
    numbers |= {"bucket_s": width, "requests": int(total.sum()), "window_start": window["start"], "window_end": window["stop"]}
    if use.sum() < LEAST_BUCKETS or total[use].sum() < LEAST_REQUESTS:
        why = (f"{int(total.sum()):,} timed records in {int(use.sum())} complete buckets of {spell(timedelta(seconds=width))} are too few: "
               f"at least {LEAST_REQUESTS} in {LEAST_BUCKETS} are needed")
        return _cannot(why, numbers, frame.assign(slow=0, during=False), query, table.digest)
    order = np.flatnonzero(use)[np.argsort(frame["p95"].to_numpy()[use], kind="stable")]
    quiet = counts[order[:max(1, int(np.ceil(QUIET_SHARE * len(order))))]].sum(axis=0)
    share_above = quiet[::-1].cumsum()[::-1] / quiet.sum()
    mark = int(np.argmax(np.append(share_above, 0.0) <= SLOW_SHARE))  # the first bin with at most 5 % of the quiet requests at or above it
    slow = counts[:, mark:].sum(axis=1)
    frame["slow"] = slow.astype(np.int64)
    found = scan.find(slow * use, _exposure(frame, slow * use, total * use, width))
    numbers |= {"slow_ms": float(np.exp((mark + low) / FINE)), "p_value": found.p_value, "smallest_visible": found.smallest}
    frame["during"] = False
    notes = (_survivors(),)
    return _answer(table, frame[["time", "total", "slow", "p50", "p95", "complete", "during"]], counts, low, use, found, numbers, width, query, notes)


def _exposure(frame: pd.DataFrame, slow: np.ndarray, total: np.ndarray, width: int) -> np.ndarray:
    """Requests, times how much more of them are slow at that time of day on the other days, where enough days are there."""
    import numpy as np

    from incidentnb.analysis import seasons

    season = seasons.expected(frame["time"].astype("datetime64[s, UTC]").astype("int64").to_numpy(), slow, total, width)
    if season is None:
        return total
    usual = float(slow.sum() / max(1.0, total.sum()))
    factor = np.where(np.isfinite(season.expected), (season.expected + 1e-3) / (usual + 1e-3), 1.0)
    return np.maximum(total * np.maximum(factor, 0.5), slow)


def _quantile(counts: np.ndarray, q: float, low: int) -> np.ndarray:
    """A quantile of each row of a histogram in ms, log-linear inside of its bin; NaN for an empty row."""
    import numpy as np

    run = counts.cumsum(axis=1)
    wanted = q * run[:, -1]
    place = np.argmax(run >= wanted[:, None], axis=1)
    inside = np.take_along_axis(counts, place[:, None], 1)[:, 0]
    before = np.take_along_axis(run, place[:, None], 1)[:, 0] - inside
    return np.where(run[:, -1] > 0, np.exp((low + place + (wanted - before) / np.maximum(inside, 1)) / FINE), np.nan)


def _answer(table: LogTable, frame: pd.DataFrame, counts: np.ndarray, low: int, use: np.ndarray, found: Scan, numbers: dict[str, Any], width: int,
            query: str, notes: tuple[str, ...]) -> Finding:
    mark = f"{numbers['slow_ms']:,.0f} ms"
    if not found.rises:
        p50, p95 = (float(_quantile(counts[use].sum(axis=0)[None], q, low)[0]) for q in (0.5, 0.95))
        numbers |= {"p50": {"before": p50, "during": None}, "p95": {"before": p95, "during": None}}
        sentence = (f"Requests did not get slower: half of {numbers['requests']:,} took at most {p50:,.0f} ms, 95 % at most {p95:,.0f} ms; had "
                    f"{percent(found.smallest)} of them taken longer than {mark} for a tenth of the window, it would have been seen.")
        return Finding("latency", "no change", sentence, f"{percent(found.p_value)} of quiet series look at least as slow", numbers, frame, query,
                       table.digest, notes)
    spikes = []
    for rise in found.rises:
        began, end = _moments(frame, rise, width, use)
        spikes.append({"onset": began, "end": end, "rate": rise.failing / max(1.0, float(frame["total"].iloc[rise.start:rise.end].sum())),
                       "excess": round(rise.excess)})
        frame.loc[rise.start:rise.end - 1, "during"] = True
    inside = frame["during"].to_numpy(bool) & use
    parts = {"before": counts[use & ~inside].sum(axis=0), "during": counts[inside].sum(axis=0)}
    for name, q in (("p50", 0.5), ("p95", 0.95)):
        numbers[name] = {k: float(_quantile(part[None], q, low)[0]) if part.sum() else None for k, part in parts.items()}
    share = {k: float(frame["slow"].to_numpy()[w].sum() / max(1, frame["total"].to_numpy()[w].sum())) for k, w in
             (("baseline", use & ~inside), ("during", inside))}
    numbers |= {"onset": spikes[0]["onset"], "end": spikes[-1]["end"], "spikes": spikes, "rate": share}
    main = max(found.rises, key=lambda r: r.excess)
    numbers["routes"] = _routes(table, frame, main, width, numbers["slow_ms"])
    until = "still so" if numbers["end"] is None else f"until {at(numbers['end'].at, numbers['onset'].at)}"
    sentence = (f"Requests got slower at {at(numbers['onset'].at)}, {until}: 95 % took at most {numbers['p95']['during']:,.0f} ms, before "
                f"{numbers['p95']['before'] or float('nan'):,.0f} ms; half at most {numbers['p50']['during']:,.0f} ms, before "
                f"{numbers['p50']['before'] or float('nan'):,.0f} ms.")
    slow, total = (int(frame[c].to_numpy()[inside].sum()) for c in ("slow", "total"))
    why = f"{slow:,} of {total:,} requests took longer than {mark}, which {percent(share['baseline'])} take otherwise"
    return Finding("latency", "slower", sentence, why, numbers, frame, query, table.digest, notes)


def _moments(frame: pd.DataFrame, rise: Rise, width: int, use: np.ndarray) -> tuple[Interval, Interval | None]:
    def moment(index: int) -> datetime:
        return frame["time"].iloc[0].to_pydatetime() + timedelta(seconds=width * int(index))

    began = Interval(moment(rise.start), moment(min(rise.start_low, rise.start)), moment(max(rise.start_high, rise.start) + 1))
    if rise.end >= len(frame) or not use[rise.end:].any() or (rise.end_high >= len(frame) and not use[rise.end_high:].any()):
        return began, None
    return began, Interval(moment(rise.end), moment(min(rise.end_low, rise.end)), moment(max(rise.end_high, rise.end)))


def _routes(table: LogTable, frame: pd.DataFrame, rise: Rise, width: int, slow_ms: float) -> list[dict[str, Any]]:
    """The routes that hold most of the slow requests above their own usual share."""
    start = frame["time"].iloc[0].to_pydatetime()
    got = table.frame(_ROUTES, {"slow": slow_ms, "from": start + timedelta(seconds=width * rise.start),
                                "until": start + timedelta(seconds=width * rise.end)})
    got = got[got["n"] > 0]
    got = got.assign(above=got["slow"] - got["n"] * (got["slow_before"] + 1) / (got["m"] + 20)).sort_values("above", ascending=False)
    return [{"route": r.route, "total": int(r.n), "slow": int(r.slow), "p95_before": _plain(r.p95_before), "p95": _plain(r.p95)}
            for r in got[got["above"] > max(0.0, TELLING * got["above"].clip(lower=0).sum())].head(MOST_ROUTES).itertuples()]


def _plain(value: Any) -> float | None:
    return None if value is None or value != value else float(value)


def _survivors() -> str:
    return ("Only requests that ended are timed: one that still hangs is not seen, one that timed out counts with the time it waited, and one that "
            "failed at once makes the rest look faster.")


def _cannot(why: str, numbers: dict[str, Any], frame: pd.DataFrame | None, query: str, digest: str) -> Finding:
    return Finding("latency", CANNOT_TELL, f"Whether requests got slower cannot be told: {why}.", why, numbers, frame, query, digest)
