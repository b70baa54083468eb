"""What recovery is judged on: complete minutes of all traffic and of each failing subset, and the new errors that still occur."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from incidentnb.analysis.masks import WILD
from incidentnb.analysis.recovery import Minutes
from incidentnb.analysis.scope import where_sql
from incidentnb.analysis.traffic_back import BAND
from incidentnb.findings import Finding

if TYPE_CHECKING:
    from incidentnb.evidence.table import LogTable

ALL = "all traffic"
LONGEST = timedelta(days=9)  # of the time before the onset: a week and more
SERVED_BY = ("version", "host")  # columns that say by what a request was served, not for whom: others take over its traffic
MOVED_SHARE = 0.2  # a part of the traffic so large must be seen again in the rest when it is gone
LAST, GONE_MINUTES = 10, 3
SILENT_REQUESTS = 20
MOST_PATTERNS = 20
_ERROR = re.compile(r"error|exception|fail|timed? ?out|panic|fatal|refused", re.IGNORECASE)
MOST_PLACES = 20_000  # a longer time is told in wider steps
_MINUTES = """SELECT epoch_us(time) // ({step} * 1000000::BIGINT) AS slot, sum(total) AS n0, sum(failing) AS f0{parts}
FROM outcomes WHERE time >= $start AND time <= $stop GROUP BY slot ORDER BY slot"""
_TEXT = "coalesce(message, concat_ws(' ', method, coalesce(route, path), CAST(http_status AS VARCHAR)), '')"


def of_table(table: LogTable, onset: Finding, causes: list[dict[str, Any]]) -> tuple[Minutes, dict[str, dict[str, Any]], str]:
    """The minutes of all traffic and of each subset, what is to be judged (name → its entry of the scope, its ``note``), and the query."""
    facts = onset.numbers
    stop, first = facts["window_end"], max(facts["window_start"], facts["onset"].earliest - LONGEST)
    wheres = [{}]
    for entry in causes:
        wheres += [entry["where"], {c: v for c, v in entry["where"].items() if c not in SERVED_BY}]
    parts, params = "", {}
    for i, where in enumerate(wheres[1:], 1):
        condition, given = where_sql(where, f"w{i}_")
        parts += f",\nsum(total) FILTER ({_where(condition)}) AS n{i}, sum(failing) FILTER ({_where(condition)}) AS f{i}"
        params |= given
    step = 60 * max(1, math.ceil((stop - first).total_seconds() / 60 / MOST_PLACES))
    query = _MINUTES.format(parts=parts, step=step)
    got = table.frame(query, {"start": first, "stop": stop, **params}).fillna(0)
    slot = got["slot"].to_numpy(np.int64)
    places = int(slot[-1] - slot[0]) + 1
    start = datetime.fromtimestamp(int(slot[0]) * step, UTC)
    last = start + timedelta(seconds=step * (places - 1))
    a_minute = facts["requests"] / max(1.0, (stop - facts["window_start"]).total_seconds() / 60)
    if step - (stop - last).total_seconds() > max(2.0, 180 / max(a_minute, 1)):
        places -= 1  # the data fill the last minute only in part
    series = []
    for i in range(len(wheres)):
        pair = []
        for column in ("n", "f"):
            values = np.zeros(int(slot[-1] - slot[0]) + 1, np.int64)
            values[slot - slot[0]] = got[f"{column}{i}"].to_numpy(float).astype(np.int64)
            pair.append(values[:places])
        series.append(pair)
    names: dict[str, dict[str, Any]] = {ALL: {}}
    kept = {ALL: series[0]}
    known = max(0, int((facts["onset"].earliest - start).total_seconds() // step))
    notes = []
    for k, entry in enumerate(causes):
        name, chosen = words(entry["where"]), series[1 + 2 * k]
        if served_elsewhere(series[0][0], chosen[0], known, any(c in SERVED_BY for c in entry["where"])):
            notes.append(f"{name}: its requests are gone as they came, or served by the others now.")
            if not wheres[2 + 2 * k]:
                continue
            name, chosen = words(wheres[2 + 2 * k]), series[2 + 2 * k]
        names[name], kept[name] = entry, chosen
    names[ALL] = {"note": " ".join(notes)}
    minutes = Minutes(start, step, stop, {k: v[0] for k, v in kept.items()}, {k: v[1] for k, v in kept.items()},
                      _silent(table, stop, facts["window_start"], a_minute))
    return minutes, names, query


def of_frame(onset: Finding) -> tuple[Minutes, dict[str, dict[str, Any]]]:
    """The complete steps of a plain series, as the onset's finding holds them; steps below a minute are added up."""
    frame, step = onset.frame, int(onset.numbers["bucket_s"])
    last = len(frame) if bool(frame["complete"].iloc[-1]) else len(frame) - 1
    total, failing = (frame[c].to_numpy(np.int64)[:last] for c in ("total", "failing"))
    if step < 60:
        size = round(60 / step)
        whole = len(total) // size * size
        total, failing, step = total[:whole].reshape(-1, size).sum(axis=1), failing[:whole].reshape(-1, size).sum(axis=1), step * size
    start = frame["time"].iloc[0].to_pydatetime()
    return Minutes(start, step, start + timedelta(seconds=step * len(total)), {ALL: total}, {ALL: failing}), {ALL: {}}


def served_elsewhere(every: np.ndarray, subset: np.ndarray, onset: int, by_server: bool) -> bool:
    """Whether the traffic of a subset is gone for a reason that is no loss.

    It is where it did not exist before the onset either (a version that was rolled back), and where it was told by the version or the host that
    served it, and the whole, if the part was large enough to be missed there, has not lost it.
    """
    before, now = subset[max(0, onset - 60):onset], subset[-LAST:]
    if not before.sum():
        return not now.sum()
    if not by_server or not len(before) or now.mean() >= BAND * before.mean():
        return False
    usual, there = every[max(0, onset - 60):onset].mean(), every[-LAST:].mean()
    return before.mean() < MOVED_SHARE * usual or there >= usual - before.mean() / 2


def words(where: dict[str, Any]) -> str:
    """A subset as it is named in a sentence."""
    return " and ".join(f"{c} = {'(none)' if v is None else v}" for c, v in where.items())


def _where(condition: str) -> str:
    return f"WHERE {condition}"


def _silent(table: LogTable, stop: datetime, start: datetime, a_minute: float) -> datetime | None:
    """The last request, where other records go on for minutes after it in which requests are missing."""
    until = stop + max((stop - start) / 2, timedelta(minutes=10))
    last = table.row("SELECT max(time) AS last FROM log WHERE time >= $stop AND time <= $until", {"stop": stop, "until": until}).get("last")
    missing = (last - stop).total_seconds() / 60 if last is not None else 0.0
    return stop if missing >= GONE_MINUTES and missing * a_minute >= SILENT_REQUESTS else None


def still_there(table: LogTable, patterns: Finding, minutes: Minutes) -> list[dict[str, Any]]:
    """The error patterns new since the onset that occur in the last 10 complete minutes: ``pattern``, ``count``, ``last``; the latest first."""
    new = [e for e in patterns.numbers.get("patterns", []) if e.get("new") and e.get("count_during")
           and (e["level"] in ("ERROR", "FATAL") if e.get("level") else _ERROR.search(e["pattern"]))][:MOST_PATTERNS]
    if not new:
        return []
    columns = ", ".join(f"count(*) FILTER (WHERE said LIKE $p{i} ESCAPE '!') AS n{i}, max(time) FILTER (WHERE said LIKE $p{i} ESCAPE '!') AS t{i}"
                        for i in range(len(new)))
    span = {"start": minutes.stop - timedelta(minutes=LAST), "stop": minutes.stop}
    got = table.row(f"SELECT {columns} FROM (SELECT time, split_part({_TEXT}, chr(10), 1) AS said FROM log WHERE time > $start AND time <= $stop)",
                    span | {f"p{i}": like(e["pattern"]) for i, e in enumerate(new)})
    found = [{"pattern": e["pattern"], "count": got[f"n{i}"], "last": got[f"t{i}"]} for i, e in enumerate(new) if got[f"n{i}"]]
    return sorted(found, key=lambda e: (e["last"], e["pattern"]), reverse=True)


def like(pattern: str) -> str:
    """A pattern as the engine's LIKE takes it: what varies is anything, what stands there stands for itself."""
    parts = (re.sub(r"([!%_])", r"!\1", part) for part in pattern.split("\n")[0].split(WILD))
    return "%".join(parts)
