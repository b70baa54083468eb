"""Which columns may say who is hit, and the traffic by their values: the leaves that the subset scan searches."""

from __future__ import annotations

import re
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from incidentnb.analysis.subsets import OTHER, SHRINK, Leaves

if TYPE_CHECKING:
    import pandas as pd

    from incidentnb.evidence.table import LogTable

MOST_VALUES, MOST_COLUMNS, MOST_LEAVES, MOST_KEPT = 200, 8, 100_000, 20
SHARE = 0.05  # a cause worth naming holds more of the excess failures than this, and so does each value that it names
SAMPLE_ABOVE = 300_000
_NEVER = {"time": "the time itself", "failed": "the outcome", "failing": "the outcome", "total": "a count", "level": "the outcome",
          "http_status": "the outcome", "duration_ms": "known only after the outcome", "message": "text of the record",
          "line": "a place in the file", "path": "the route holds it with its ids folded", "trace_id": "an id"}
_OUTCOME = re.compile(r"(^|[._\-])(status|statuscode|status_code|http_status|httpstatus|code|errno|error|errors|err|exception|exc|stack|stacktrace|"
                      r"stack_trace|backtrace|trace|cause|reason|fault|failure|failed|failing|success|successful|ok|outcome|result|retry|retries|"
                      r"attempt|attempts|severity|severity_text|severitytext|severitynumber|severity_number|level|lvl|loglevel|levelname|"
                      r"level_value|levelno)($|[._\-])", re.IGNORECASE)
_AFTER = re.compile(r"(^|[._\-])(duration\w*|latency\w*|elapsed\w*|took\w*|runtime|response_?time\w*|request_?time\w*|upstream_\w*time\w*|ttfb|"
                    r"time_?taken|bytes\w*|\w*_bytes|size|length|content_?length|body_bytes_sent|bytes_sent|\w+_ms|\w+_us|\w+_ns|\w+_seconds)"
                    r"($|[._\-])", re.IGNORECASE)
_TEXT = re.compile(r"(^|[._\-])(msg|message|text|body|description|detail|details|log|raw|template|messagetemplate|caller|lineno|line|filename|"
                   r"thread|threadname|thread_name|pid|tid|span_?id|trace_?id|request_?id|correlation_?id|timestamp|ts|time|date|asctime|"
                   r"hour|minute|second|termination_state)($|[._\-])", re.IGNORECASE)


def reason_by_name(name: str) -> str | None:
    """Why a column of this name cannot say who is hit, or ``None``: it holds the outcome, follows from it, or names one record."""
    if name in _NEVER:
        return _NEVER[name]
    if _OUTCOME.search(name) or re.search(r"[a-z](Status|Error|Exception|Code|Level|Result)$", name):
        return "follows from the outcome"
    if _AFTER.search(name) or re.search(r"[a-z](Ms|Millis|Seconds|Bytes|Duration|Latency|Time)$", name):
        return "known only after the outcome"
    if _TEXT.search(name) or (re.search(r"[a-z](Id|Timestamp)$", name) and re.search(r"(trace|span|request|correlation)", name, re.IGNORECASE)):
        return "names one record, not a group"
    return None


def leaves(table: LogTable, span: dict[str, Any]) -> tuple[Leaves, list[dict[str, str]], str]:
    """The leaves of the most promising columns, the columns left out with the reason, and the query.

    Above 300,000 rows the successes are taken as a fixed sample with its weight; every failure is taken.
    """
    excluded = [{"column": c, "reason": reason_by_name(c)} for c in table.columns if reason_by_name(c)]
    names = [c for c in table.columns if not reason_by_name(c)]
    source, weight = _source(table, span)
    few = _few_values(table, names, source, span, excluded)
    singles = _singles(table, few, source, weight, span)
    usable = _usable(few, singles, excluded)
    kept = {c: _raised(singles, c) for c in usable}
    for column in usable:
        if not kept[column]:
            excluded.append({"column": column, "reason": f"no value holds {SHARE:.0%} of the excess failures"})
    ranked = sorted((c for c in usable if kept[c]), key=lambda c: -_promise(singles[singles["col"] == c]))
    chosen: list[str] = []
    for column in ranked:
        if len(chosen) < MOST_COLUMNS and prod(len(kept[c]) + 1 for c in [*chosen, column]) <= MOST_LEAVES:
            chosen.append(column)
        else:
            excluded.append({"column": column, "reason": "less promising than the others"})
    frame, query = _leaf_frame(table, chosen, kept, source, weight, span)
    return _as_leaves(frame, chosen, kept), excluded, query


def _raised(singles: pd.DataFrame, column: str) -> list[str | None]:
    """The values that may take part in a cause: those with a share of the excess failures worth naming. The others are folded into one."""
    part = singles[singles["col"] == column]
    rate = (part["b"].sum() + 0.5) / (part["m"].sum() + 1)
    excess = part["f"].sum() - part["n"].sum() * rate
    enough = part[(part["n"] > 0) & (part["f"] >= SHARE * max(excess, 1.0))]
    return list(enough.sort_values("f", ascending=False, kind="stable")["val"].head(MOST_KEPT))


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _window(span: dict[str, Any]) -> str:
    return f"(({span['in_during']}) OR ({span['in_before']}))"


def _source(table: LogTable, span: dict[str, Any]) -> tuple[str, int]:
    rows = table.row(f"SELECT count(*) AS n FROM outcomes WHERE {_window(span)}")["n"]
    every = int(np.ceil(rows / SAMPLE_ABOVE))
    return (f"SELECT * FROM outcomes WHERE {_window(span)}", 1) if every <= 1 else \
        (f"SELECT * FROM outcomes WHERE {_window(span)} AND (failing > 0 OR hash(time, line) % {every} = 0)", every)


def _few_values(table: LogTable, names: list[str], source: str, span: dict[str, Any], excluded: list[dict[str, str]]) -> list[str]:
    if not names:
        return []
    counts = ", ".join(f"approx_count_distinct({quoted(c)}) AS c{i}" for i, c in enumerate(names))
    got = table.row(f"SELECT {counts} FROM ({source} LIMIT 200000)")
    few = []
    for i, name in enumerate(names):
        distinct = int(got.get(f"c{i}") or 0)
        if distinct == 0:
            excluded.append({"column": name, "reason": "empty"})
        elif distinct > MOST_VALUES * 1.2:
            excluded.append({"column": name, "reason": f"more than {MOST_VALUES} values"})
        else:
            few.append(name)
    return few


def _measures(weight: int, span: dict[str, Any]) -> str:
    heavy = "total" if weight == 1 else f"CASE WHEN failing > 0 THEN total ELSE total * {weight} END"
    return (f"sum(failing) FILTER (WHERE {span['in_during']}) AS f, sum({heavy}) FILTER (WHERE {span['in_during']}) AS n, "
            f"sum(failing) FILTER (WHERE {span['in_before']}) AS b, sum({heavy}) FILTER (WHERE {span['in_before']}) AS m")


def _singles(table: LogTable, names: list[str], source: str, weight: int, span: dict[str, Any]) -> pd.DataFrame:
    """Counts of each value of each column: ``col``, ``val``, ``f``, ``n``, ``b``, ``m``."""
    import pandas as pd

    if not names:
        return pd.DataFrame(columns=["col", "val", "f", "n", "b", "m"])
    frames = []
    sets = ", ".join(f"(c{i})" for i in range(len(names)))
    chosen = ", ".join(f"CAST({quoted(c)} AS VARCHAR) AS c{i}" for i, c in enumerate(names))
    keys = ", ".join(f"c{i}" for i in range(len(names)))
    grouped = ", ".join(f"grouping(c{i}) AS g{i}" for i in range(len(names)))
    got = table.frame(f"SELECT {keys}, {grouped}, {_measures(weight, span)} FROM (SELECT {chosen}, time, total, failing FROM ({source})) "
                      f"GROUP BY GROUPING SETS ({sets})")
    for i, name in enumerate(names):
        part = got[got[f"g{i}"] == 0]
        values = [v if isinstance(v, str) else None for v in part[f"c{i}"]]
        frames.append(pd.DataFrame({"col": name, "val": pd.Series(values, index=part.index, dtype=object)})
                      .join(part[["f", "n", "b", "m"]].fillna(0).astype(float)))
    return pd.concat(frames, ignore_index=True)


def _usable(names: list[str], singles: pd.DataFrame, excluded: list[dict[str, str]]) -> list[str]:
    usable = []
    for name in names:
        part = singles[singles["col"] == name]
        during = part[part["n"] > 0]
        if len(part) > MOST_VALUES:
            excluded.append({"column": name, "reason": f"more than {MOST_VALUES} values"})
        elif len(during) < 2:
            excluded.append({"column": name, "reason": "one value only"})
        elif _derived(part):
            excluded.append({"column": name, "reason": "its value is decided by the outcome"})
        else:
            usable.append(name)
    return usable


def _derived(part: pd.DataFrame) -> bool:
    """Whether the values tell failures from successes so well, before the onset too, that they must come after the outcome."""
    f, n = part["f"] + part["b"], part["n"] + part["m"]
    pure = (f >= 0.98 * n) & (f > 0)
    stray = float(f[~pure].sum())
    if not pure.any() or stray > 0.02 * float(f.sum()):
        return False
    filled = part["val"].notna()
    if not (filled & ~pure & (n - f > 0)).any():
        return True  # only failures have it filled in: an error field
    background = float(part["b"].sum())
    return background >= 5 and float(part["b"][pure].sum()) >= 0.98 * background


def _promise(part: pd.DataFrame) -> float:
    """How far the values of a column depart from one rate for all: the likelihood gain of a rate per value."""
    f, n, b, m = (part[c].to_numpy(float) for c in "fnbm")
    rate = (b.sum() + 0.5) / (m.sum() + 1) if m.sum() else f.sum() / max(1.0, n.sum())
    mu = n * (b + SHRINK * rate) / (m + SHRINK)
    even = mu * f.sum() / max(mu.sum(), 1e-12)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(f > 0, f * np.log(f / np.maximum(even, 1e-12)), 0.0)
    return float(gain.sum()) - 2.0 * len(part)


def _leaf_frame(table: LogTable, names: list[str], kept: dict[str, list[str | None]], source: str, weight: int,
                span: dict[str, Any]) -> tuple[pd.DataFrame, str]:
    if not names:
        import pandas as pd

        return pd.DataFrame(columns=["f", "n", "b", "m"]), ""
    chosen = ", ".join(f"{_folded(c, kept[c])} AS c{i}" for i, c in enumerate(names))
    keys = ", ".join(f"c{i}" for i in range(len(names)))
    query = (f"SELECT {keys}, {_measures(weight, span)} FROM (SELECT {chosen}, time, total, failing FROM ({source})) GROUP BY {keys} "
             f"ORDER BY {keys}")
    return table.frame(query), query


def _folded(name: str, values: list[str | None]) -> str:
    """A column's number of a kept value, 0 for all others."""
    text = f"CAST({quoted(name)} AS VARCHAR)"
    cases = " ".join(f"WHEN {text} IS NULL THEN {i + 1}" if v is None else f"WHEN {text} = {literal(v)} THEN {i + 1}" for i, v in enumerate(values))
    return f"CASE {cases} ELSE 0 END"


def literal(text: str) -> str:
    """A text as a literal of the engine."""
    return "'" + text.replace("'", "''") + "'"


def _as_leaves(frame: pd.DataFrame, names: list[str], kept: dict[str, list[str | None]]) -> Leaves:
    data = frame[frame["n"].fillna(0) > 0]
    codes = np.array([data[f"c{i}"].to_numpy(np.int64) for i in range(len(names))], dtype=np.int64).T.reshape(len(data), len(names))
    counts = [data[c].fillna(0).to_numpy(float) for c in ("f", "n", "b", "m")]
    return Leaves(tuple(names), codes, tuple((OTHER, *kept[c]) for c in names), *counts)
