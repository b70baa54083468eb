"""Which columns may say who is hit, and the traffic by their values: the leaves that the subset scan searches."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from incidentnb.analysis.spans import quoted
from incidentnb.analysis.subsets import OTHER, SHRINK, Leaves

if TYPE_CHECKING:
    from incidentnb.evidence.table import LogTable

MOST_VALUES, MOST_COLUMNS, MOST_LEAVES, MOST_KEPT = 200, 8, 100_000, 20
SHARE = 0.05  # a cause worth naming holds more of the excess failures than this, and so does each value that it names
MOST_ROWS, LEAST_ROWS, MOST_FIELDS = 100_000, 20_000, 4_000_000  # of rows with a failure and of rows without; of fields of either
_NEVER = {"time": "the time itself", "failed": "the outcome", "failing": "the outcome", "total": "a count", "level": "the outcome",
          "http_status": "the outcome", "duration_ms": "known only after the outcome", "message": "text of the record",
          "line": "a place in the file", "path": "the route holds it with its ids folded", "trace_id": "an id"}
_OUTCOME = re.compile(r"(^|[._\-])(status|statuscode|http_status|httpstatus|errno|error|errors|err|exception|exc|stack|stacktrace|"
                      r"stack_trace|backtrace|trace|cause|reason|fault|failure|failed|failing|success|successful|ok|outcome|result|retry|retries|"
                      r"attempt|attempts|severity|severity_text|severitytext|severitynumber|severity_number|level|lvl|loglevel|levelname|"
                      r"level_value|levelno)($|[._\-])|^code$|"
                      r"(status|response|error|err|exit|result|return|http|grpc|reply)[._\-]?code($|[._\-])", re.IGNORECASE)
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
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)  # requestId is request_id
    if _OUTCOME.search(name):
        return "follows from the outcome"
    if _AFTER.search(name) or re.search(r"[a-z]_(millis|seconds|time)$", name, re.IGNORECASE):
        return "known only after the outcome"
    return "names one record, not a group" if _TEXT.search(name) else None


@dataclass(frozen=True)
class Column:
    """The traffic by the values of one column.

    Attributes:
        name: of the column; ``codes``: the number of the value of each row of the sample; ``keys``: the engine's hash of each value;
        missing: the number of NULL, -1 without one.
        f, n, b, m: per value failures and requests in the incident, and in the baseline.
    """

    name: str
    codes: np.ndarray
    keys: np.ndarray
    missing: int
    f: np.ndarray
    n: np.ndarray
    b: np.ndarray
    m: np.ndarray


def leaves(table: LogTable, span: dict[str, Any], rows_ok: int, rows_failing: int) -> tuple[Leaves, list[dict[str, str]]]:
    """The leaves of the most promising columns, and the columns left out with the reason.

    One pass over the evidence brings the hash of every field of a fixed sample of the rows (all of them up to 100,000 with and as many without a
    failure), the rest is arrays; a second one names the values of the columns that were chosen.
    """
    excluded = [{"column": c, "reason": reason_by_name(c)} for c in table.columns if reason_by_name(c)]
    names = [c for c in table.columns if not reason_by_name(c)]
    limit = min(MOST_ROWS, max(LEAST_ROWS, MOST_FIELDS // max(1, len(names))))
    sampled, every = _sampled(span, -(-rows_ok // limit), -(-rows_failing // limit))
    columns, counts = _columns(table, names, sampled, every, span, excluded)
    usable = [c for c in columns if _is_usable(c, excluded)]
    raised = {c.name: kept for c in usable if len(kept := _raised(c))}
    excluded += [{"column": c.name, "reason": f"no value holds {SHARE:.0%} of the excess failures"} for c in usable if c.name not in raised]
    chosen: list[Column] = []
    twins: dict[str, list[Column]] = {}
    for column in sorted((c for c in usable if c.name in raised), key=lambda c: -round(_promise(c), 6)):
        other = next((c for c in chosen if _same_parts(c, column)), None)
        if other is not None:
            twins.setdefault(other.name, []).append(column)
        elif len(chosen) < MOST_COLUMNS and prod(len(raised[c.name]) + 1 for c in [*chosen, column]) <= MOST_LEAVES:
            chosen.append(column)
        else:
            excluded.append({"column": column.name, "reason": "less promising than the others"})
    values = _values(table, [*chosen, *(c for same in twins.values() for c in same)], sampled, span)
    return _gathered(chosen, raised, twins, values, counts), excluded


def _sampled(span: dict[str, Any], every_ok: int, every_failing: int) -> tuple[str, tuple[int, int]]:
    """The condition of the rows in the sample, and how many each stands for: without and with a failure."""
    every_ok, every_failing = max(1, every_ok), max(1, every_failing)
    parts = [f"failing {sign} 0" + (f" AND hash(time, line) % {every} = 0" if every > 1 else "")
             for sign, every in (("<=", every_ok), (">", every_failing))]
    return f"(({span['in_during']}) OR ({span['in_before']})) AND (({parts[0]}) OR ({parts[1]}))", (every_ok, every_failing)


def _columns(table: LogTable, names: list[str], sampled: str, every: tuple[int, int], span: dict[str, Any],
             excluded: list[dict[str, str]]) -> tuple[list[Column], list[np.ndarray]]:
    """Each column with at most 200 values in the sample, in order of name's place, and the rows' failures and requests in and before."""
    import pandas as pd

    hashes = "".join(f", hash(CAST({quoted(c)} AS VARCHAR)) AS c{i}" for i, c in enumerate(names))
    got = table.frame(f"SELECT ({span['in_during']}) AS during, failing, total, hash(CAST(NULL AS VARCHAR)) AS missing{hashes} "
                      f"FROM outcomes WHERE {sampled}")
    failing, total, during = got["failing"].to_numpy(float), got["total"].to_numpy(float), got["during"].to_numpy(bool)
    weight = np.where(failing > 0, float(every[1]), float(every[0]))
    counts = [part * weight * when for when in (during, ~during) for part in (failing, total)]
    found = []
    for i, name in enumerate(names):
        hashed = got[f"c{i}"].to_numpy(np.uint64)
        if len(pd.unique(hashed[:5000])) > MOST_VALUES:
            excluded.append({"column": name, "reason": f"more than {MOST_VALUES} values"})
            continue
        codes, keys = pd.factorize(hashed)
        if len(keys) > MOST_VALUES:
            excluded.append({"column": name, "reason": f"more than {MOST_VALUES} values"})
        elif len(keys) < 2:
            empty = len(keys) == 1 and keys[0] == np.uint64(got["missing"].iloc[0])
            excluded.append({"column": name, "reason": "empty" if empty or not len(keys) else "one value only"})
        else:
            missing = np.flatnonzero(keys == np.uint64(got["missing"].iloc[0]))
            sums = (np.bincount(codes, part, len(keys)) for part in counts)
            found.append(Column(name, codes, keys, int(missing[0]) if len(missing) else -1, *sums))
    return found, counts


def _is_usable(column: Column, excluded: list[dict[str, str]]) -> bool:
    reason = "one value only" if np.count_nonzero(column.n) < 2 else "its value is decided by the outcome" if _derived(column) else None
    if reason:
        excluded.append({"column": column.name, "reason": reason})
    return reason is None


def _raised(column: Column) -> np.ndarray:
    """The values that may take part in a cause: those with a share of the excess failures worth naming. The others are folded into one."""
    rate = (column.b.sum() + 0.5) / (column.m.sum() + 1)
    excess = column.f.sum() - column.n.sum() * rate
    enough = np.flatnonzero((column.n > 0) & (column.f >= SHARE * max(excess, 1.0)))
    return enough[np.lexsort((column.keys[enough], -column.f[enough]))][:MOST_KEPT]


def _derived(column: Column) -> bool:
    """Whether the values tell failures from successes so well, before the onset too, that they must come after the outcome."""
    f, n = column.f + column.b, column.n + column.m
    pure = (f >= 0.98 * n) & (f > 0)
    stray = float(f[~pure].sum())
    if not pure.any() or stray > 0.02 * float(f.sum()):
        return False
    filled = np.arange(len(f)) != column.missing
    if not (filled & ~pure & (n - f > 0)).any():
        return True  # only failures have it filled in: an error field
    background = float(column.b.sum())
    return background >= 5 and float(column.b[pure].sum()) >= 0.98 * background


def _promise(column: Column) -> float:
    """How far the values of a column depart from one rate for all: the likelihood gain of a rate per value."""
    f, n, b, m = column.f, column.n, column.b, column.m
    rate = (b.sum() + 0.5) / (m.sum() + 1) if m.sum() else f.sum() / max(1.0, n.sum())
    mu = n * (b + SHRINK * rate) / (m + SHRINK)
    even = mu * f.sum() / max(mu.sum(), 1e-12)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(f > 0, f * np.log(f / np.maximum(even, 1e-12)), 0.0)
    return float(gain.sum()) - 2.0 * len(f)


def _same_parts(one: Column, other: Column) -> bool:
    """Whether two columns part the rows in the very same way, under whatever names."""
    return len(one.keys) == len(other.keys) and np.array_equal(np.sort(one.f), np.sort(other.f)) and \
        len(np.unique(one.codes.astype(np.int64) * len(other.keys) + other.codes)) == len(one.keys)


def _values(table: LogTable, columns: list[Column], sampled: str, span: dict[str, Any]) -> dict[str, dict[int, str | None]]:
    """Per column the value behind each hash that a failure in the incident has."""
    if not columns:
        return {}
    lists = ", ".join(f"list(DISTINCT {{'k': hash(CAST({quoted(c.name)} AS VARCHAR)), 'v': CAST({quoted(c.name)} AS VARCHAR)}}) AS v{i}"
                      for i, c in enumerate(columns))
    got = table.row(f"SELECT {lists} FROM outcomes WHERE {sampled} AND ({span['in_during']}) AND failing > 0")
    return {c.name: {pair["k"]: pair["v"] for pair in got[f"v{i}"] or ()} for i, c in enumerate(columns)}


def _gathered(chosen: list[Column], raised: dict[str, np.ndarray], twins: dict[str, list[Column]], values: dict[str, dict[int, str | None]],
              counts: list[np.ndarray]) -> Leaves:
    """The rows of the sample gathered by the raised values of the chosen columns."""
    named, parts, same = [], [], {}
    code = np.zeros(len(counts[0]), np.int64)
    for column in chosen:
        text = values[column.name]
        kept = sorted((k for k in raised[column.name] if int(column.keys[k]) in text),
                      key=lambda k: (-column.f[k], text[int(column.keys[k])] or ""))
        place = np.zeros(len(column.keys), np.int64)
        place[kept] = np.arange(1, len(kept) + 1)
        named.append((OTHER, *(text[int(column.keys[k])] for k in kept)))
        parts.append(place[column.codes])
        code = code * (len(kept) + 1) + parts[-1]
        same[column.name] = tuple((twin.name, _translation(column, twin, kept, values)) for twin in twins.get(column.name, ()))
    _, first, leaf = np.unique(code, return_index=True, return_inverse=True)
    sums = [np.bincount(leaf, part, len(first)) for part in counts]
    seen = sums[1] > 0
    codes = np.array([part[first] for part in parts], dtype=np.int64).T.reshape(len(first), len(chosen))
    return Leaves(tuple(c.name for c in chosen), codes[seen], tuple(named), *(part[seen] for part in sums), twins=same)


def _translation(column: Column, twin: Column, kept: list[int], values: dict[str, dict[int, str | None]]) -> dict[str | None, str | None]:
    """The value of a twin column for each kept value of the column."""
    there = np.zeros(len(column.keys), np.int64)
    there[column.codes] = twin.codes
    pairs = ((values[column.name][int(column.keys[k])], int(twin.keys[there[k]])) for k in kept)
    return {value: values[twin.name][key] for value, key in pairs if key in values[twin.name]}
