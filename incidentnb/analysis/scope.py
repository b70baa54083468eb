"""Is it everyone or a subset, and which one? The subset scan of ``subsets.py`` put to every column of the log table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from incidentnb.analysis.rates import percent, unit
from incidentnb.findings import CANNOT_TELL, Finding
from incidentnb.times import Interval

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from incidentnb.analysis.subsets import Leaves, Subset
    from incidentnb.evidence.table import LogTable

LEAST_FAILURES = 10
EXPLAINS, STANDS_OUT, AT_MOST_P = 0.2, 2.0, 0.05
MOST_CAUSES, SHOWN = 3, 6


def scope(table: LogTable, onset: Finding | Interval, end: Interval | datetime | None = None) -> Finding:
    """Which subset of the traffic is failing.

    Args:
        table: the log table; every column is tried.
        onset: the finding of ``onset``, or the interval itself (then ``end`` may be given).
        end: when it was over; ``None`` for not yet.

    Returns:
        Verdict ``everyone``, ``subset`` or ``cannot tell``. Numbers: ``subsets`` [{where, cause, failed, total, rate_inside,
        rate_outside, rate_before, share_of_failures, share_of_traffic, same_as}] best first, ``excluded`` [{column, reason}], ``failed``,
        ``total``, ``explained`` (share of the excess), ``p_value``. Frame: one row per subset with readable column names.
    """
    from incidentnb.analysis import columns, subsets

    span = spans(table, onset, end)
    if span is None:
        why = "no onset is known to compare before with during"
        return _cannot(why, table)
    counts = table.row(f"SELECT sum(total) FILTER ({span['during']}) AS n, sum(failing) FILTER ({span['during']}) AS f, "
                       f"sum(total) FILTER ({span['before']}) AS m, sum(failing) FILTER ({span['before']}) AS b FROM outcomes")
    n, f, m, b = (int(counts.get(k) or 0) for k in "nfmb")
    base = b / m if m else None
    facts = {"subsets": [], "excluded": [], "failed": f, "total": n, "failed_before": b, "total_before": m}
    if f < LEAST_FAILURES:
        return _cannot(f"{f:,} failures of {n:,} {unit(table)} since the onset are too few: at least {LEAST_FAILURES} are needed", table, facts)
    leaves, excluded, query = columns.leaves(table, span)
    facts["excluded"] = excluded
    if not leaves.columns:
        return _cannot("no column with between 2 and 200 values is left to tell one request from another", table, facts, query)
    mu = subsets.expected(leaves)
    causes, best, p_value = _causes(leaves, mu)
    total_excess = float((leaves.failing - mu).sum())
    facts["p_value"] = p_value
    chosen = [c for c, _ in causes]
    marked = _union(chosen, len(mu))
    facts["explained"] = float((leaves.failing - mu)[marked].sum() / total_excess) if total_excess > 0 else None
    entries = [(s, same, True) for s, same in causes]
    entries += [(s, same, False) for s, same in best if s.key not in {c.key for c in chosen}][:SHOWN - len(entries)]
    facts["subsets"] = [_entry(table, span, s, same, cause, f, n) for s, same, cause in entries]
    frame = _frame(facts["subsets"])
    notes = _notes(excluded, base, m)
    if not causes:
        top = f"; the likeliest, {_words(best[0][0].where)}, does not stand out" if best else ""
        why = f"no value of {len(leaves.columns)} columns fails at least twice as much above its past as the rest does{top}"
        sentence = f"Everyone is hit: {f:,} of {n:,} {unit(table)} failed ({percent(f / n)}, before {percent(base)}), and no subset stands out."
        return Finding("scope", "everyone", sentence, why, facts, frame, query, table.digest, notes)
    return _subset(table, facts, frame, query, notes, causes)


def _subset(table: LogTable, facts: dict[str, Any], frame: pd.DataFrame, query: str, notes: tuple[str, ...], causes: list) -> Finding:
    first = facts["subsets"][0]
    words = " and, apart from it, ".join(_words(tuple(s["where"].items())) for s in facts["subsets"] if s["cause"])
    same = [_words(tuple(w.items())) for w in first["same_as"]]
    sentence = (f"Only {words}: {percent(first['rate_inside'])} fail there ({first['failed']:,} of {first['total']:,}), "
                f"{percent(first['rate_outside'])} elsewhere; it explains {percent(min(1.0, facts['explained']))} of the excess.")
    if same:
        sentence += f" Indistinguishable from it: {'; '.join(same[:3])}."
    why = (f"{percent(first['share_of_failures'])} of the failures in {percent(first['share_of_traffic'])} of the {unit(table)}; "
           f"p {_p(facts['p_value'])}")
    return Finding("scope", "subset", sentence, why, facts, frame, query, table.digest, notes)


def spans(table: LogTable, onset: Finding | Interval | datetime, end: Interval | datetime | None = None) -> dict[str, Any] | None:
    """SQL conditions ``in_before`` and ``in_during`` (``before``, ``during``: with WHERE), ``start`` and ``stop``; ``None`` without an onset.

    Before is up to the earliest onset, during from the likeliest onset to the earliest end (or the last record). Records long after a known end
    are in neither.
    """
    if isinstance(onset, Finding):
        end = onset.numbers.get("end") if end is None else end
        onset = onset.numbers.get("onset")
    if onset is None:
        return None
    at, earliest = (onset.at, onset.earliest) if isinstance(onset, Interval) else (onset, onset)
    stop = end.at if isinstance(end, Interval) else end
    during, before = f"time >= {instant(at)}", f"time < {instant(min(earliest, at))}"
    if stop is not None:
        stop = max(stop, at + timedelta(seconds=1))
        during += f" AND time < {instant(stop)}"
    return {"during": f"WHERE {during}", "before": f"WHERE {before}", "in_during": during, "in_before": before, "start": at, "stop": stop}


def instant(moment: datetime) -> str:
    """An instant as a literal of the engine, so that the query kept with a finding can be asked again as it is."""
    return f"TIMESTAMP '{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}'"


def where_sql(where: tuple[tuple[str, Any], ...] | dict[str, Any], prefix: str = "v") -> tuple[str, dict[str, Any]]:
    """A conjunction as SQL over ``log`` or ``outcomes`` and its parameters; NULL is a value."""
    parts, params = [], {}
    for i, (column, value) in enumerate(dict(where).items()):
        name = '"' + column.replace('"', '""') + '"'
        if value is None:
            parts.append(f"{name} IS NULL")
        else:
            parts.append(f"CAST({name} AS VARCHAR) = ${prefix}{i}")
            params[f"{prefix}{i}"] = str(value)
    return " AND ".join(parts) or "true", params


def _causes(leaves: Leaves, mu: np.ndarray) -> tuple[list, list, float]:
    """Accepted causes with their equal descriptions, the next best descriptions, and the p of the first."""
    from incidentnb.analysis import subsets

    failing = leaves.failing.copy()
    excess = float((failing - mu).sum())
    causes, ranked, p_value = [], [], 1.0
    for turn in range(MOST_CAUSES):
        merged = subsets.merge(subsets.search(leaves, failing, mu))
        if turn == 0:
            ranked = merged
        stand = [(s, same) for s, same in merged if _stands_out(leaves, failing, mu, s)]
        if not stand or excess <= 0:
            break
        subset, same = _wide(leaves, failing, mu, *stand[0], merged)
        gain = subsets.against_rest(failing, mu, subset.rows)
        p = subsets.p_value(leaves, mu, failing, gain, rounds=_rounds(leaves))
        if turn == 0:
            p_value = p
        if p >= AT_MOST_P or (turn and subset.failing - subset.expected < EXPLAINS * excess):
            break
        causes.append((subset, same))
        failing[subset.rows] = np_min(failing, mu, subset.rows)
    return causes, ranked, p_value


def _wide(leaves: Leaves, failing: np.ndarray, mu: np.ndarray, subset: Subset, same: list[Subset], merged: list) -> tuple[Subset, list[Subset]]:
    """The subset without needless conditions, where it still stands out, and the descriptions equal to it."""
    from incidentnb.analysis import subsets

    wide = subsets.widened(leaves, failing, mu, subset)
    if wide is subset or not _stands_out(leaves, failing, mu, wide):
        return subset, same
    return next(((s, others) for s, others in merged if s.key == wide.key), (wide, []))


def np_min(failing: np.ndarray, mu: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The failures of a peeled subset brought down to what was expected."""
    import numpy as np

    return np.minimum(failing[rows], mu[rows])


def _rounds(leaves: Leaves) -> int:
    return int(max(39, min(99, 4_000_000 // max(1, len(leaves.total) * len(leaves.columns) ** 2))))


def _stands_out(leaves: Leaves, failing: np.ndarray, mu: np.ndarray, subset: Subset) -> bool:
    """Whether a subset fails above its past at least twice as much per request as the rest does (nothing left outside is none)."""
    rest = ~subset.rows
    n_in, n_out = leaves.total[subset.rows].sum(), leaves.total[rest].sum()
    if n_out <= 0:
        return False
    inside = (failing - mu)[subset.rows].sum() / max(n_in, 1)
    outside = max(0.0, (failing - mu)[rest].sum()) / n_out
    return bool(subset.failing - subset.expected >= 5 and inside >= STANDS_OUT * outside)


def _union(chosen: list[Subset], size: int) -> np.ndarray:
    import numpy as np

    marked = np.zeros(size, bool)
    for subset in chosen:
        marked |= subset.rows
    return marked


def _entry(table: LogTable, span: dict[str, Any], subset: Subset, same: list[Subset], cause: bool, failed: int, total: int) -> dict[str, Any]:
    """One description with its exact counts."""
    condition, params = where_sql(subset.where)
    got = table.row(f"SELECT sum(total) FILTER ({span['during']}) AS n, sum(failing) FILTER ({span['during']}) AS f, "
                    f"sum(total) FILTER ({span['before']}) AS m, sum(failing) FILTER ({span['before']}) AS b FROM outcomes WHERE {condition}",
                    params)
    n, f, m, b = (int(got.get(k) or 0) for k in "nfmb")
    return {"where": dict(subset.where), "cause": cause, "failed": f, "total": n, "rate_inside": f / n if n else None,
            "rate_outside": (failed - f) / (total - n) if total > n else None, "rate_before": b / m if m else None,
            "share_of_failures": f / failed if failed else None, "share_of_traffic": n / total if total else None,
            "same_as": [dict(s.where) for s in same]}


def _frame(entries: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    rows = [{"subset": _words(tuple(e["where"].items())), "cause": e["cause"], "failed": e["failed"], "requests": e["total"],
             "rate inside": e["rate_inside"], "rate outside": e["rate_outside"], "rate before": e["rate_before"],
             "share of failures": e["share_of_failures"], "same as": "; ".join(_words(tuple(s.items())) for s in e["same_as"])} for e in entries]
    return pd.DataFrame(rows, columns=["subset", "cause", "failed", "requests", "rate inside", "rate outside", "rate before", "share of failures",
                                       "same as"])


def _words(where: tuple[tuple[str, Any], ...]) -> str:
    return " and ".join(f"{c} = {'(none)' if v is None else v}" for c, v in where)


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _notes(excluded: list[dict[str, str]], base: float | None, before: int) -> tuple[str, ...]:
    notes = []
    if base is None:
        notes.append("There is no record before the onset: the subsets are compared with each other only.")
    elif before < 200:
        notes.append(f"Only {before:,} requests before the onset to compare with.")
    if excluded:
        notes.append("Left out: " + "; ".join(f"{e['column']} ({e['reason']})" for e in excluded) + ".")
    return tuple(notes)


def _cannot(why: str, table: LogTable, facts: dict[str, Any] | None = None, query: str = "") -> Finding:
    numbers = facts or {"subsets": [], "excluded": []}
    return Finding("scope", CANNOT_TELL, f"Whether everyone or a subset is hit cannot be told: {why}.", why, numbers,
                   _frame(numbers["subsets"]), query, table.digest)
