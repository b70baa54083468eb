"""Can two descriptions be told apart? Columns that go together, shown as the four cells that they are.

A failing ``version = v2`` that runs mostly in ``region = eu`` is told from a failing ``region = eu`` only by the requests of v2 outside eu
and by those of other versions in eu. Where these are too few, no method can tell, and this says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from incidentnb.analysis.rates import percent
from incidentnb.analysis.spans import words
from incidentnb.analysis.subsets import OTHER, SHRINK, Leaves, Subset, marked
from incidentnb.analysis.tally import Condition, Tally

TIMES = 20.0  # how many times likelier a cell must be at the one rate than at the other to count as told (Royall 1997: 8 fair, 32 strong)
TIED, LOOSE = 20.0, 3.0  # odds ratio of two conditions that is always shown, and the least that is shown where a cell cannot be told
MOST_PAIRS = 3
ALIKE, QUIET, FEW = "fails alike", "fails no more than the rest", "too few"


def pairs(leaves: Leaves, cause: Subset) -> list[tuple[Condition, Condition, dict[str, Any]]]:
    """Conditions of a cause with a condition that goes with it: one of another column, or another of its own; and what both are within."""
    found: list[tuple[float, Condition, Condition, dict[str, Any]]] = []
    for a in cause.where:
        within = {c: v for c, v in cause.where if c != a[0]}
        inside, is_a = marked(leaves, tuple(within.items())), marked(leaves, (a,))
        for column, values in zip(leaves.columns, leaves.values, strict=True):
            for value in values:
                b = (column, value)
                if value is OTHER or column == a[0] or column in within:
                    continue
                is_b = marked(leaves, (b,))
                n = [float(leaves.total[inside & x & y].sum()) for x in (is_a, ~is_a) for y in (is_b, ~is_b)]
                f_both, f_a = (float(leaves.failing[inside & x].sum()) for x in (is_a & is_b, is_a))
                odds = (n[0] + 0.5) * (n[3] + 0.5) / ((n[1] + 0.5) * (n[2] + 0.5))
                if (n[1] or n[2]) and f_both >= 0.5 * f_a and odds >= LOOSE:
                    found.append((-odds, a, b, within))
    own = [(0.0, a, b, {c: v for c, v in cause.where if c not in (a[0], b[0])}) for i, a in enumerate(cause.where) for b in cause.where[i + 1:]]
    found.sort(key=lambda item: (item[0], str(item[1]), str(item[2])))
    return [(a, b, within) for _, a, b, within in [*own, *found[:4 * MOST_PAIRS]]]


def confounded(tally: Tally, proposed: list[tuple[Condition, Condition, dict[str, Any]]], unit: str) -> list[dict[str, Any]]:
    """The pairs that the data barely separate, at most three, those that cannot be told apart first.

    Returns:
        per pair ``a``, ``b``, ``within`` (conjunctions), ``cells`` {``both``, ``a_only``, ``b_only``, ``neither``: {failed, total}} of the incident,
        ``possible`` (those of ``a``, ``b``, ``a and b``, ``a or b`` that the cells allow), ``verdict`` (``told apart``, ``cannot be told apart``) and
        ``sentence``.
    """
    found = []
    for a, b, within in proposed:
        if any(c not in tally.conditions for c in (a, b, *within.items())):
            continue
        entry = _pair(tally, a, b, within, unit)
        if entry is not None:
            found.append(entry)
    found.sort(key=lambda e: e["verdict"] == "told apart")
    return found[:MOST_PAIRS]


def _pair(tally: Tally, a: Condition, b: Condition, within: dict[str, Any], unit: str) -> dict[str, Any] | None:
    inside, is_a, is_b = tally.meets(within), tally.meets(dict([a])), tally.meets(dict([b]))
    rows = {"both": is_a & is_b, "a_only": is_a & ~is_b, "b_only": ~is_a & is_b, "neither": ~is_a & ~is_b}
    counts = {name: tally.inside(inside & marks) for name, marks in rows.items()}
    n = {name: c[1] for name, c in counts.items()}
    if not n["both"] or not n["neither"] or not (n["a_only"] or n["b_only"]):
        return None
    told = {name: _told(counts[name], counts["both"], counts["neither"]) for name in ("a_only", "b_only")}
    possible = [name for name, (x, y) in {"a": (ALIKE, QUIET), "b": (QUIET, ALIKE), "a and b": (QUIET, QUIET), "a or b": (ALIKE, ALIKE)}.items()
                if told["a_only"] in (x, FEW) and told["b_only"] in (y, FEW)]
    odds = (n["both"] + 0.5) * (n["neither"] + 0.5) / ((n["a_only"] + 0.5) * (n["b_only"] + 0.5))
    if len(possible) == 1 and odds < TIED:
        return None
    if (not n["a_only"] and told["b_only"] != FEW) or (not n["b_only"] and told["a_only"] != FEW):
        return None  # the one lies within the other, and the rest of the other is told: nothing is open
    cells = {name: {"failed": c[0], "total": c[1]} for name, c in counts.items()}
    verdict = "told apart" if len(possible) == 1 else "cannot be told apart"
    return {"a": dict([a]), "b": dict([b]), "within": within, "cells": cells, "possible": possible, "verdict": verdict,
            "sentence": _sentence(dict([a]), dict([b]), within, cells, told, possible, unit)}


def _told(cell: tuple[int, int, int, int], both: tuple[int, int, int, int], neither: tuple[int, int, int, int]) -> str:
    """Whether a cell fails as the requests that meet both conditions do, or no more than the others and its own past: by likelihood, 20 to 1."""
    f, n, b, m = cell
    share = neither[3] and neither[2] / neither[3]
    rest = max((neither[0] + 0.5) / (neither[1] + 1), (b + SHRINK * share) / (m + SHRINK))
    inside = (both[0] + 0.5) / (both[1] + 1)
    if not n or inside <= rest:
        return FEW
    high, low = np.clip([inside, rest], 1e-9, 1 - 1e-9)
    support = f * np.log(high / low) + (n - f) * np.log((1 - high) / (1 - low))
    return ALIKE if support >= np.log(TIMES) else QUIET if support <= -np.log(TIMES) else FEW


def _sentence(a: Mapping[str, Any], b: Mapping[str, Any], within: Mapping[str, Any], cells: Mapping[str, Mapping[str, int]],
              told: Mapping[str, str], possible: list[str], unit: str) -> str:
    def counted(name: str) -> str:
        cell = cells[name]
        rate = f" ({percent(cell['failed'] / cell['total'])})" if cell["total"] else ""
        return f"{cell['failed']:,} of {cell['total']:,}{rate}"

    one, other = words(a), words(b)
    named = {"a": one, "b": other, "a and b": f"{one} together with {other}", "a or b": f"{one} or {other}, each by itself"}
    data = (f"failed {unit}{' with ' + words(within) if within else ''}: {counted('both')} with both, {counted('a_only')} with {one} alone, "
            f"{counted('b_only')} with {other} alone, {counted('neither')} with neither")
    few = [(what, cells[name]["total"]) for name, what in (("a_only", one), ("b_only", other)) if told[name] == FEW]
    if len(possible) == 1:
        return f"{one} and {other} go together, but are told apart: it is {named[possible[0]]} ({data})."
    lack = " and ".join(f"{total:,} {unit} with {what} alone" for what, total in few)
    enough = [f"those with {what} alone {'fail alike' if told[name] == ALIKE else 'fail no more than the rest'}"
              for name, what in (("a_only", one), ("b_only", other)) if told[name] != FEW]
    return (f"{one} and {other} go together: {' and '.join(named[p] for p in possible)} cannot be told apart, {lack} are too few"
            f"{'; ' + ', '.join(enough) if enough else ''} ({data}).")
