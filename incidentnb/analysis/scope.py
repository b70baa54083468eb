"""Is it everyone or a subset, and which one? The subset scan of ``subsets.py`` put to every column of the log table."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from incidentnb.analysis.rates import percent, unit
from incidentnb.analysis.spans import instant, spans, where_sql, words
from incidentnb.findings import CANNOT_TELL, Finding
from incidentnb.times import Interval

if TYPE_CHECKING:
    import pandas as pd

    from incidentnb.analysis.causes import Causes
    from incidentnb.analysis.subsets import Leaves, Subset
    from incidentnb.analysis.tally import Tally
    from incidentnb.evidence.table import LogTable

__all__ = ["instant", "scope", "spans", "where_sql"]
LEAST_FAILURES = 10
SHOWN = 6
_SUMS = ("count(*) FILTER (({d} OR {b}) AND failing > 0) AS bad, count(*) FILTER (({d} OR {b}) AND failing <= 0) AS good, "
         "sum(total) FILTER ({d}) AS n, sum(failing) FILTER ({d}) AS f, sum(total) FILTER ({b}) AS m, sum(failing) FILTER ({b}) AS b")


def scope(table: LogTable, onset: Finding | Interval, end: Interval | datetime | None = None) -> Finding:
    """Which subset of the traffic is failing.

    Method: expectation-based Poisson subset scan over all conjunctions of up to three ``column = value`` (``subsets``): score
    ``F ln(F/μ) − (F − μ)`` with ``μ_i = n_i (b_i + k R) / (m_i + k)`` from the baseline, k = 200; needless conditions dropped; values of one
    column that fail together named together; accepted only beyond chance (``chance``) and where it stands out (``causes``), then peeled
    off. Columns that the outcome decides, ids and texts take no part (``columns``); columns that go together are shown as the 2×2 that
    they are (``confounded``). Complexity: three passes over the evidence; the scan is (8 columns choose 3) · (leaves + cells), leaves ≤ 100,000
    from a fixed sample of ≤ 200,000 rows; all counts that are shown are exact. Source: Neill 2009, 2012; Kulldorff 1997; k and the
    share of a second cause from 82 labelled incidents (RobustSpot's).

    Args:
        table: the log table; every column is tried.
        onset: the finding of ``onset``, or the interval itself (then ``end`` may be given).
        end: when it was over; ``None`` for not yet.

    Returns:
        Verdict ``everyone``, ``subset`` or ``cannot tell``. Numbers: ``subsets`` [{where, cause, failed, total, rate_inside,
        rate_outside, rate_before, share_of_failures, share_of_traffic, same_as, users}] best first (``users`` {affected, total, by} or ``None``),
        ``confounded`` (see there), ``excluded`` [{column, reason}], ``failed``, ``total``, ``elsewhere`` (failed and total outside of all causes),
        ``explained`` (share of the excess), ``p_value``.
        Frame: one row per subset with readable column names.
    """
    import numpy as np

    from incidentnb.analysis import causes, columns, confounded, tally, users

    span = spans(table, onset, end)
    if span is None:
        return _cannot("no onset is known to compare before with during", table)
    counts = table.row(f"SELECT {_SUMS.format(d=span['in_during'], b=span['in_before'])} FROM outcomes")
    n, f, m, b, good, bad = (int(counts.get(k) or 0) for k in ("n", "f", "m", "b", "good", "bad"))
    facts = {"subsets": [], "confounded": [], "excluded": [], "failed": f, "total": n, "failed_before": b, "total_before": m}
    if f < LEAST_FAILURES:
        return _cannot(f"{f:,} failures of {n:,} {unit(table)} since the onset are too few: at least {LEAST_FAILURES} are needed", table, facts)
    leaves, facts["excluded"] = columns.leaves(table, span, good, bad)
    if not leaves.columns:
        return _cannot("no column with between 2 and 200 values is left to tell one request from another", table, facts)
    found = causes.causes(leaves)
    facts |= {"p_value": found.p_value, "explained": found.explained}
    named = {s.key for s, _ in found.accepted}
    entries = [(s, same, True) for s, same in found.accepted]
    entries += [(s, same, False) for s, same in found.ranked if s.key not in named][:max(0, SHOWN - len(entries))]
    alike = [_alike(leaves, s, same) for s, same, _ in entries]
    pairs = [pair for s, _ in found.accepted for pair in confounded.pairs(leaves, s)]
    asked = [dict(s.where) for s, *_ in entries] + [{**dict([a, b]), **within} for a, b, within in pairs]
    exact = tally.tally(table, span, [*asked, *(w for same in alike for w in same)])
    hit = users.users_in(table, span, [dict(s.where) for s, *_ in entries])
    facts["subsets"] = [_entry(exact, s, same, cause, f, n, who) for (s, _, cause), same, who in zip(entries, alike, hit, strict=True)]
    facts["confounded"] = confounded.confounded(exact, pairs, unit(table))
    facts["elsewhere"] = exact.inside(~np.logical_or.reduce([exact.meets(s.where) for s, _ in found.accepted] or [exact.masks < 0]))[:2]
    notes = _notes(facts, b / m if m else None, m)
    if found.doubt and not found.accepted:
        return _cannot(found.doubt, table, facts, exact.query, notes)
    if not found.accepted:
        return _everyone(table, facts, found, exact.query, notes, len(leaves.columns))
    return _subset(table, facts, exact.query, notes)


def _subset(table: LogTable, facts: dict[str, Any], query: str, notes: tuple[str, ...]) -> Finding:
    causes = [s for s in facts["subsets"] if s["cause"]]
    first, (f, n) = causes[0], facts["elsewhere"]
    told = [f"{words(s['where'])}: {percent(s['rate_inside'])} fail there ({s['failed']:,} of {s['total']:,})" for s in causes]
    sentence = f"Only {'; apart from it '.join(told)}, {percent(f / n if n else None)} elsewhere"
    if facts["explained"] is not None:
        sentence += f"; {'it explains' if len(causes) == 1 else 'they explain'} {percent(min(1.0, facts['explained']))} of the excess"
    sentence += "."
    if same := [words(w) for w in first["same_as"]]:
        sentence += f" Indistinguishable from it: {'; '.join(same[:3])}."
    rivals = [p for p in facts["confounded"] if p["verdict"] == "cannot be told apart" and p["b"].items() - first["where"].items()]
    if rivals:
        others = " or from ".join(words(p["b"]) for p in rivals[:2])
        sentence += f" It cannot be told apart from {others}: too few {unit(table)} are in but one of them."
    why = f"{percent(first['share_of_failures'])} of the failures in {percent(first['share_of_traffic'])} of the {unit(table)}"
    if first["users"]:
        why += f", {_who(first['users'])}{' users' if first['users']['by'] == 'user' else ''} there hit"
    return Finding("scope", "subset", sentence, f"{why}; p {_p(facts['p_value'])}", facts, _frame(facts["subsets"]), query, table.digest, notes)


def _everyone(table: LogTable, facts: dict[str, Any], found: Causes, query: str, notes: tuple[str, ...], columns: int) -> Finding:
    f, n, base = facts["failed"], facts["total"], facts["failed_before"] / facts["total_before"] if facts["total_before"] else None
    top = f"; the likeliest of {columns} columns, {words(facts['subsets'][0]['where'])}, does not stand out" if facts["subsets"] else ""
    sentence = f"Everyone is hit: {f:,} of {n:,} {unit(table)} failed ({percent(f / n)}, before {percent(base)}), and no subset stands out."
    return Finding("scope", "everyone", sentence, found.why_not + top, facts, _frame(facts["subsets"]), query, table.digest, notes)


def _alike(leaves: Leaves, subset: Subset, same: list[Subset]) -> list[dict[str, Any]]:
    """Other descriptions of the same leaves, and with columns that part the traffic as the named ones do."""
    found = [dict(s.where) for s in same]
    for where in [dict(subset.where), *found[:2]]:
        for column, value in where.items():
            for twin, values in leaves.twins.get(column, ()):
                if value in values:
                    found.append({twin if c == column else c: values[value] if c == column else v for c, v in where.items()})
    return list({str(sorted(w.items(), key=str)): w for w in found}.values())[:SHOWN]


def _entry(exact: Tally, subset: Subset, same: list[dict[str, Any]], cause: bool, failed: int, total: int,
           who: dict[str, Any] | None) -> dict[str, Any]:
    """One description with its exact counts."""
    where = dict(subset.where)
    f, n, b, m = exact.inside(exact.meets(where))
    return {"where": where, "cause": cause, "failed": f, "total": n, "rate_inside": f / n if n else None,
            "rate_outside": (failed - f) / (total - n) if total > n else None, "rate_before": b / m if m else None,
            "share_of_failures": f / failed if failed else None, "share_of_traffic": n / total if total else None,
            "same_as": [w for w in same if all(c in exact.conditions for c in w.items()) and exact.same(where, w)], "users": who}


def _frame(entries: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    rows = [{"subset": words(e["where"]), "cause": e["cause"], "failed": e["failed"], "requests": e["total"],
             "rate inside": e["rate_inside"], "rate outside": e["rate_outside"], "rate before": e["rate_before"],
             "share of failures": e["share_of_failures"], "users": _who(e["users"]), "same as": "; ".join(words(s) for s in e["same_as"])}
            for e in entries]
    return pd.DataFrame(rows, columns=["subset", "cause", "failed", "requests", "rate inside", "rate outside", "rate before", "share of failures",
                                       "users", "same as"])


def _who(users: Mapping[str, Any] | None) -> str:
    """``12 of 340``, with what was counted where it is not users."""
    return "" if not users else f"{users['affected']:,} of {users['total']:,}" + ("" if users["by"] == "user" else " client addresses")


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _notes(facts: dict[str, Any], base: float | None, before: int) -> tuple[str, ...]:
    notes = [pair["sentence"] for pair in facts["confounded"]]
    if base is None:
        notes.append("There is no record before the onset: the subsets are compared with each other only.")
    elif before < 200:
        notes.append(f"Only {before:,} requests before the onset to compare with.")
    reasons: dict[str, list[str]] = {}
    for entry in facts["excluded"]:
        reasons.setdefault(entry["reason"], []).append(entry["column"])
    if reasons:
        notes.append("Left out: " + "; ".join(f"{', '.join(columns)} ({reason})" for reason, columns in reasons.items()) + ".")
    return tuple(notes)


def _cannot(why: str, table: LogTable, facts: dict[str, Any] | None = None, query: str = "",
            notes: tuple[str, ...] = ()) -> Finding:
    numbers = facts or {"subsets": [], "confounded": [], "excluded": []}
    return Finding("scope", CANNOT_TELL, f"Whether everyone or a subset is hit cannot be told: {why}.", why, numbers,
                   _frame(numbers["subsets"]), query, table.digest, notes)
