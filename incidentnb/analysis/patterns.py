"""Which messages are new since the onset, which have vanished or grown? Message shapes, counted before and since."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from incidentnb.analysis.masks import masked_sql
from incidentnb.analysis.scope import spans
from incidentnb.findings import CANNOT_TELL, Finding

if TYPE_CHECKING:
    import pandas as pd

    from incidentnb.evidence.table import LogTable

MOST_MASKED, SAMPLE_ABOVE, SHOWN = 20_000, 300_000, 40
GROWN_RATIO, SURE, SEEN = 3.0, 6.6, 3.0  # 6.6: half of the chi-squared point for p = 0.0003, for the many shapes that are looked at
_FALLBACK = "concat_ws(' ', method, coalesce(route, path), CAST(http_status AS VARCHAR))"


def patterns(table: LogTable, onset: Finding | None = None) -> Finding:
    """The message shapes, the new ones first.

    Returns:
        Verdict ``new patterns``, ``no new pattern``, ``listed`` (without an onset) or ``cannot tell``; numbers ``patterns`` [{pattern,
        count_before, count_during, new, grown, vanished, first, level, example}] with new ones first, then grown, vanished and
        frequent ones; ``example`` is ``file:line  text``; ``count_before`` is ``None`` without an onset; ``distinct`` shapes in
        all. Frame: the same with readable names.
    """
    span = spans(table, onset) if onset is not None else None
    text, weight, where = _population(table, span)
    if text is None:
        return _cannot("no record has a message", table)
    query = _query(text, weight, where, span)
    got = table.frame(query)
    if not len(got):
        return _cannot("no record with a message lies in the window", table)
    merged = _merged(got)
    exposure = _exposure(table, span)
    entries = _judged(merged, exposure) if span else _listed(merged)
    new = [e for e in entries if e["new"]]
    vanished = [e for e in entries if e["vanished"]]
    notes = [] if weight == 1 else [f"Of the records below WARN one in {weight} was read; their counts are estimates."]
    if len(got) >= MOST_MASKED:
        notes.append(f"Only the {MOST_MASKED:,} most frequent masked messages were grouped.")
    numbers = {"patterns": entries[:SHOWN], "distinct": len(merged), "new": len(new), "vanished": len(vanished)}
    frame = _frame(entries[:SHOWN])
    if not span:
        sentence = f"{len(merged):,} message patterns; the most frequent, {entries[0]['count_during']:,} times: {entries[0]['pattern']}"
        return Finding("patterns", "listed", sentence, "no onset to compare with", numbers, frame, query, table.digest, tuple(notes))
    if new:
        top = new[0]
        sentence = f"{len(new):,} new since the onset, foremost {top['count_during']:,} × {top['pattern']}"
    else:
        sentence = f"No message pattern of {len(merged):,} is new since the onset"
    sentence += f"; {len(vanished):,} vanished." if vanished else "."
    return Finding("patterns", "new patterns" if new else "no new pattern", sentence, "counted against the requests before and since the onset",
                   numbers, frame, query, table.digest, tuple(notes))


def assign(table: LogTable) -> pd.DataFrame:
    """The pattern of every record.

    Returns:
        A frame ``source``, ``line``, ``pattern``, in order of source and line.
    """
    import pandas as pd

    from incidentnb.analysis import mining

    text = f"coalesce(message, {_FALLBACK}, '')"
    got = table.frame(f"SELECT source, line, {masked_sql(text)} AS masked FROM log ORDER BY source, line")
    counts = got["masked"].value_counts(sort=False)
    shape = dict(zip(counts.index, mining.shapes(list(counts.index), list(counts)), strict=True))
    return pd.DataFrame({"source": got["source"], "line": got["line"], "pattern": got["masked"].map(shape)})


def _population(table: LogTable, span: dict[str, Any] | None) -> tuple[str | None, int, str]:
    """The text to mine, the weight of sampled records, and the condition on records."""
    window = f"({span['in_before']} OR ({span['in_during']}))" if span else "true"
    got = table.row(f"SELECT count(message) AS messages, count(*) FILTER (WHERE method IS NOT NULL OR route IS NOT NULL) AS requests "
                    f"FROM log WHERE {window}")
    if not got["messages"] and not got["requests"]:
        return None, 1, ""
    text, rows = ("message", got["messages"]) if got["messages"] else (_FALLBACK, got["requests"])
    weight = math.ceil(rows / SAMPLE_ABOVE)
    where = f"{window} AND {'message IS NOT NULL' if got['messages'] else '(method IS NOT NULL OR route IS NOT NULL)'}"
    if weight > 1:
        where += f" AND ({_LOUD} OR hash(time, source, line) % {weight} = 0)"
    return text, weight, where


_LOUD = "coalesce(level IN ('WARN', 'ERROR', 'FATAL'), false)"


def _query(text: str, weight: int, where: str, span: dict[str, Any] | None) -> str:
    during = span["in_during"] if span else "true"
    before = span["in_before"] if span else "false"
    worth = "1" if weight == 1 else f"CASE WHEN {_LOUD} THEN 1 ELSE {weight} END"
    return f"""SELECT masked, sum(worth) FILTER (WHERE {before}) AS before, sum(worth) FILTER (WHERE {during}) AS during, min(time) AS first,
mode(level) AS level, arg_min(coalesce(source, '') || ':' || coalesce(CAST(line AS VARCHAR), '') || '  ' || left(said, 1000), time) AS example
FROM (SELECT {masked_sql(text)} AS masked, {text} AS said, {worth} AS worth, time, level, source, line FROM log WHERE {where})
GROUP BY masked ORDER BY count(*) DESC, masked LIMIT {MOST_MASKED}"""


def _merged(got: pd.DataFrame) -> pd.DataFrame:
    """One row per shape: ``pattern``, ``before``, ``during``, ``first``, ``level``, ``example``."""
    from incidentnb.analysis import mining

    data = got.assign(before=got["before"].fillna(0).astype("int64"), during=got["during"].fillna(0).astype("int64"))
    data["pattern"] = mining.shapes(list(data["masked"]), [max(1, int(a + b)) for a, b in zip(data["before"], data["during"], strict=True)])
    data = data.sort_values(["first", "masked"])
    return data.groupby("pattern", as_index=False, sort=True).agg(before=("before", "sum"), during=("during", "sum"), first=("first", "first"),
                                                                  level=("level", "first"), example=("example", "first"))


def _exposure(table: LogTable, span: dict[str, Any] | None) -> tuple[float, float]:
    """How much traffic there was before and since: requests, or seconds where nothing reports an outcome."""
    if span is None:
        return 1.0, 1.0
    got = table.row(f"SELECT sum(total) FILTER ({span['before']}) AS b, sum(total) FILTER ({span['during']}) AS d FROM outcomes")
    return float(got.get("b") or 0), float(got.get("d") or 0)


def _judged(merged: pd.DataFrame, exposure: tuple[float, float]) -> list[dict[str, Any]]:
    before, during = exposure
    ranked = []
    for row in merged.itertuples():
        gain, ratio = change(int(row.before), int(row.during), before, during)
        new = before > 0 and row.before == 0 and row.during > 0 and (row.during >= SEEN or row.during * before / max(during, 1) >= SEEN)
        grown = not new and ratio >= GROWN_RATIO and gain >= SURE
        vanished = row.during == 0 and during > 0 and row.before * during / max(before, 1) >= 5
        order = (0, -row.during) if new else (1, -gain) if grown else (2, -row.before) if vanished else (3, -(row.before + row.during))
        ranked.append((order, _entry(row, int(row.before), new, grown, vanished)))
    return [entry for _, entry in sorted(ranked, key=lambda item: (item[0], item[1]["pattern"]))]


def change(before: int, during: int, exposure_before: float, exposure_during: float) -> tuple[float, float]:
    """The log likelihood ratio of two Poisson rates against one, and the ratio of the rates (half a count added to each)."""
    if exposure_before <= 0 or exposure_during <= 0:
        return 0.0, 1.0
    both = before + during
    expected = both * exposure_during / (exposure_before + exposure_during)
    other = both - expected
    gain = (during * math.log(during / expected) if during else 0.0) + (before * math.log(before / other) if before else 0.0)
    return gain, ((during + 0.5) / exposure_during) / ((before + 0.5) / exposure_before)


def _listed(merged: pd.DataFrame) -> list[dict[str, Any]]:
    rows = sorted(merged.itertuples(), key=lambda r: (-r.during, r.pattern))
    return [_entry(row, None, False, False, False) for row in rows]


def _entry(row: Any, before: int | None, new: bool, grown: bool, vanished: bool) -> dict[str, Any]:
    first = None if row.first is None or row.first != row.first else row.first.to_pydatetime()
    return {"pattern": row.pattern, "count_before": before, "count_during": int(row.during), "new": bool(new), "grown": bool(grown),
            "vanished": bool(vanished), "first": first, "level": row.level if isinstance(row.level, str) else None,
            "example": str(row.example).split("\n")[0]}


def _frame(entries: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    rows = [{"pattern": e["pattern"], "what": "new" if e["new"] else "grown" if e["grown"] else "vanished" if e["vanished"] else "",
             "before": e["count_before"], "since": e["count_during"], "level": e["level"], "first": e["first"],
             "example": e["example"]} for e in entries]
    return pd.DataFrame(rows, columns=["pattern", "what", "before", "since", "level", "first", "example"])


def _cannot(why: str, table: LogTable) -> Finding:
    return Finding("patterns", CANNOT_TELL, f"Message patterns cannot be told: {why}.", why, {"patterns": []}, _frame([]), evidence=table.digest)
