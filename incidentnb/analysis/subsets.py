"""The subset scan behind the scope: which conjunction of ``column = value`` fails more than its own past and the rest of the traffic.

Expectation-based Poisson scan (Neill 2009) over all conjunctions of up to three conditions of a small frame of leaves. Knows arrays
and nothing of logs. Score ``F ln(F/μ) − (F − μ)`` with ``μ_i = n_i (b_i + k R) / (m_i + k)``, k = 200. Time: (columns choose three) ·
(leaves + cells), by one ``bincount`` per choice of columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

SHRINK = 200.0
OTHER = object()  # stands in a leaf for all values that may not take part in a cause
MOST_CONDITIONS = 3
RAISED, ABOVE_REST, OF_CHILD, LEAST_EXCESS = 2.5, 2.0, 0.15, 5.0  # see widened
MOST_TOGETHER, EACH = 10, 0.1  # see together


@dataclass(frozen=True)
class Leaves:
    """The traffic by every combination of the columns' values that occurs.

    Attributes:
        columns: their names; ``codes``: one row per leaf, one column per name, the number of the value; ``values``: per name the values.
        failing, total: requests of each leaf in the incident; ``base_failing``, ``base_total``: in the baseline.
        twins: per name the columns that part the traffic in the very same way, with the value of theirs for each value.
    """

    columns: tuple[str, ...]
    codes: np.ndarray
    values: tuple[tuple, ...]
    failing: np.ndarray
    total: np.ndarray
    base_failing: np.ndarray
    base_total: np.ndarray
    twins: Mapping[str, tuple[tuple[str, Mapping], ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Cells:
    """The leaves gathered by some of the columns.

    Attributes:
        columns: which, by number; ``code``: the cell of each leaf, ``width`` for a leaf with a folded value; ``width``: how many cells there may be.
    """

    columns: tuple[int, ...]
    code: np.ndarray
    width: int

    def sums(self, weights: np.ndarray) -> np.ndarray:
        return np.bincount(self.code, weights, self.width + 1)[:-1]


@dataclass(frozen=True)
class Subset:
    """One conjunction: ``where`` maps columns to values; ``rows`` marks its leaves."""

    where: tuple[tuple[str, object], ...]
    score: float
    failing: float
    expected: float
    total: float
    rows: np.ndarray

    @property
    def key(self) -> bytes:
        return self.rows.tobytes()


def expected(leaves: Leaves) -> np.ndarray:
    """How many requests of each leaf the baseline expects to fail."""
    return expected_of(leaves.failing, leaves.total, leaves.base_failing, leaves.base_total)


def expected_of(failing: np.ndarray, total: np.ndarray, base_failing: np.ndarray, base_total: np.ndarray) -> np.ndarray:
    m, b = base_total.sum(), base_failing.sum()
    rate = (b + 0.5) / (m + 1.0) if m else failing.sum() / max(1.0, total.sum())
    return total * (base_failing + SHRINK * rate) / (base_total + SHRINK)


def score(failing: np.ndarray, mu: np.ndarray) -> np.ndarray:
    raised = (failing > mu) & (mu > 0)
    f, e = np.where(raised, failing, 1.0), np.where(raised, mu, 1.0)
    return np.where(raised, f * np.log(f / e) - (f - e), 0.0)


def cells(leaves: Leaves, most: int = MOST_CONDITIONS) -> list[Cells]:
    """Every choice of up to ``most`` columns, fewest columns first."""
    sizes, found = [len(v) for v in leaves.values], []
    folded = np.array([leaves.codes[:, i] == values.index(OTHER) if OTHER in values else np.zeros(len(leaves.codes), bool)
                       for i, values in enumerate(leaves.values)]).T.reshape(leaves.codes.shape)
    for depth in range(1, min(most, len(sizes)) + 1):
        for columns in combinations(range(len(sizes)), depth):
            code, width = np.zeros(len(leaves.codes), np.int64), 1
            for column in columns:
                code, width = code * sizes[column] + leaves.codes[:, column], width * sizes[column]
            code[folded[:, columns].any(axis=1)] = width
            found.append(Cells(columns, code, width))
    return found


def search(leaves: Leaves, gathered: list[Cells], failing: np.ndarray, mu: np.ndarray, keep: int = 40) -> list[Subset]:
    """The best conjunctions of up to three conditions, exactly, best first; ones with the same leaves once per description.

    Among equal scores the shorter description comes first.
    """
    sizes = [len(v) for v in leaves.values]
    found: list[tuple[float, int, tuple[int, ...], tuple[int, ...]]] = []
    for group in gathered:
        points = score(group.sums(failing), group.sums(mu))
        top = np.argpartition(points, -min(keep, group.width))[-min(keep, group.width):]
        found += [(float(points[cell]), len(group.columns), group.columns, _values_at(int(cell), group.columns, sizes))
                  for cell in top[points[top] > 0]]
    found.sort(key=lambda item: (-round(item[0], 6), item[1:]))
    return [conjunction(leaves, failing, mu, tuple((leaves.columns[c], leaves.values[c][v]) for c, v in zip(columns, values, strict=True)))
            for _, _, columns, values in found[:keep * 4]]


def _values_at(cell: int, columns: tuple[int, ...], sizes: list[int]) -> tuple[int, ...]:
    values = []
    for column in reversed(columns):
        cell, value = divmod(cell, sizes[column])
        values.append(value)
    return tuple(reversed(values))


def together(leaves: Leaves, gathered: list[Cells], failing: np.ndarray, mu: np.ndarray, best: float) -> list[Subset]:
    """Two to ten values of one column that fail together, where they describe the failures better than the best conjunction does.

    The best set of values is a beginning of their list by ``F/μ`` (linear-time subset scanning, Neill 2012). It must beat ``best`` by
    the ``ln`` of the number of values for each further one that it names, and each value must hold a tenth of the set's excess.
    """
    found: list[Subset] = []
    for group in (g for g in gathered if len(g.columns) == 1):
        f, e = group.sums(failing), group.sums(mu)
        raised = np.flatnonzero((f > e) & (e > 0))
        order = raised[np.argsort(-f[raised] / e[raised], kind="stable")][:MOST_TOGETHER]
        points = score(np.cumsum(f[order]), np.cumsum(e[order]))
        for size in range(2, len(order) + 1):
            chosen, excess = order[:size], (f - e)[order[:size]]
            margin = (size - 1) * np.log(max(2, np.count_nonzero(group.sums(leaves.total))))
            if points[size - 1] > best + margin and (excess >= max(EACH * excess.sum(), LEAST_EXCESS)).all():
                best, name = float(points[size - 1]) - margin, leaves.columns[group.columns[0]]
                found = [conjunction(leaves, failing, mu, ((name, leaves.values[group.columns[0]][v]),)) for v in chosen]
    return sorted(found, key=lambda s: -s.score)


def widened(leaves: Leaves, failing: np.ndarray, mu: np.ndarray, subset: Subset) -> Subset:
    """A subset without the conditions that exclude nothing quiet.

    A condition is dropped while the requests that it alone shuts out are raised themselves: at least 2.5 times what is expected of them, twice
    as much as the rest of the traffic, and no trifle beside the subset's own rise.
    """
    while len(subset.where) > 1:
        inside = subset.failing / max(subset.expected, 1e-9)
        wider = []
        for dropped in range(len(subset.where)):
            parent = conjunction(leaves, failing, mu, subset.where[:dropped] + subset.where[dropped + 1:])
            only, rest = parent.rows & ~subset.rows, ~parent.rows
            shut_out, others = _times(failing, mu, only), _times(failing, mu, rest)
            excess = failing[only].sum() - mu[only].sum()
            if shut_out >= max(RAISED, ABOVE_REST * others, OF_CHILD * inside) and excess >= LEAST_EXCESS:
                wider.append(parent)
        if not wider:
            break
        subset = max(wider, key=lambda s: s.score)
    return subset


def _times(failing: np.ndarray, mu: np.ndarray, rows: np.ndarray) -> float:
    return float(failing[rows].sum() / max(mu[rows].sum(), 1e-9)) if rows.any() else 0.0


def marked(leaves: Leaves, where: tuple[tuple[str, object], ...]) -> np.ndarray:
    """Which leaves some conditions describe."""
    rows = np.ones(len(leaves.total), bool)
    for name, value in where:
        place = leaves.columns.index(name)
        rows &= leaves.codes[:, place] == leaves.values[place].index(value)
    return rows


def conjunction(leaves: Leaves, failing: np.ndarray, mu: np.ndarray, where: tuple[tuple[str, object], ...]) -> Subset:
    """The subset that some conditions describe."""
    rows = marked(leaves, where)
    f, e = float(failing[rows].sum()), float(mu[rows].sum())
    return Subset(where, float(score(np.array([f]), np.array([e]))[0]), f, e, float(leaves.total[rows].sum()), rows)


def merge(subsets: list[Subset]) -> list[tuple[Subset, list[Subset]]]:
    """Descriptions that mark the same leaves are one, under the shortest; the others are listed beside it."""
    groups: dict[bytes, list[Subset]] = {}
    for subset in subsets:
        groups.setdefault(subset.key, []).append(subset)
    return [(group[0], group[1:]) for group in groups.values()]
