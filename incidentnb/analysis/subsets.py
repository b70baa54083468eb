"""The subset scan behind the scope: which conjunction of ``column = value`` fails more than its own past and the rest of the traffic.

Expectation-based Poisson scan (Neill 2009) over all conjunctions of up to three conditions of a small frame of leaves. Knows arrays
and nothing of logs. Score ``F ln(F/μ) − (F − μ)`` with ``μ_i = n_i (b_i + k R) / (m_i + k)``, k = 200.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

SHRINK = 200.0
OTHER = object()  # stands in a leaf for all values that may not take part in a cause
MOST_CONDITIONS = 3
RAISED, ABOVE_REST, OF_CHILD, LEAST_EXCESS = 2.5, 2.0, 0.15, 5.0  # see widened


@dataclass(frozen=True)
class Leaves:
    """The traffic by every combination of the columns' values that occurs.

    Attributes:
        columns: their names; ``codes``: one row per leaf, one column per name, the number of the value; ``values``: per name the values.
        failing, total: requests of each leaf in the incident; ``base_failing``, ``base_total``: in the baseline.
    """

    columns: tuple[str, ...]
    codes: np.ndarray
    values: tuple[tuple, ...]
    failing: np.ndarray
    total: np.ndarray
    base_failing: np.ndarray
    base_total: np.ndarray


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
    m, b = leaves.base_total.sum(), leaves.base_failing.sum()
    rate = (b + 0.5) / (m + 1.0) if m else leaves.failing.sum() / max(1.0, leaves.total.sum())
    return leaves.total * (leaves.base_failing + SHRINK * rate) / (leaves.base_total + SHRINK)


def score(failing: np.ndarray, mu: np.ndarray) -> np.ndarray:
    raised = (failing > mu) & (mu > 0)
    f, e = np.where(raised, failing, 1.0), np.where(raised, mu, 1.0)
    return np.where(raised, f * np.log(f / e) - (f - e), 0.0)


def search(leaves: Leaves, failing: np.ndarray, mu: np.ndarray, keep: int = 40) -> list[Subset]:
    """The best conjunctions of up to three conditions, exactly, best first; ones with the same leaves once per description.

    Among equal scores the shorter description comes first.
    """
    sizes = [len(v) for v in leaves.values]
    found: list[tuple[float, int, tuple[int, ...], tuple[int, ...]]] = []
    floor = 0.0
    others = np.array([leaves.codes[:, i] == values.index(OTHER) if OTHER in values else np.zeros(len(leaves.codes), bool)
                       for i, values in enumerate(leaves.values)]).T.reshape(leaves.codes.shape)
    for depth in range(1, min(MOST_CONDITIONS, len(sizes)) + 1):
        for columns in combinations(range(len(sizes)), depth):
            code, width = group_codes(leaves.codes, columns, sizes)
            named = ~others[:, columns].any(axis=1)
            f = np.bincount(code, failing * named, width)
            e = np.bincount(code, mu * named, width)
            points = score(f, e)
            top = np.argpartition(points, -min(keep, width))[-min(keep, width):]
            for cell in top[points[top] > max(floor, 0.0)]:
                found.append((float(points[cell]), depth, columns, _values_at(int(cell), columns, sizes)))
        found.sort(key=lambda item: (-round(item[0], 6), item[1], item[2]))
        found = found[:keep * 4]
        floor = found[-1][0] if len(found) == keep * 4 else 0.0
    subsets = []
    for _, _, columns, values in found[:keep * 4]:
        where = tuple((leaves.columns[c], leaves.values[c][v]) for c, v in zip(columns, values, strict=True))
        subsets.append(conjunction(leaves, failing, mu, where))
    return subsets


def group_codes(codes: np.ndarray, columns: tuple[int, ...], sizes: list[int]) -> tuple[np.ndarray, int]:
    """One number per leaf for its values in ``columns``, and how many numbers there may be."""
    code, width = np.zeros(len(codes), np.int64), 1
    for column in columns:
        code, width = code * sizes[column] + codes[:, column], width * sizes[column]
    return code, width


def _values_at(cell: int, columns: tuple[int, ...], sizes: list[int]) -> tuple[int, ...]:
    values = []
    for column in reversed(columns):
        cell, value = divmod(cell, sizes[column])
        values.append(value)
    return tuple(reversed(values))


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


def conjunction(leaves: Leaves, failing: np.ndarray, mu: np.ndarray, where: tuple[tuple[str, object], ...]) -> Subset:
    """The subset that some conditions describe."""
    rows = np.ones(len(leaves.total), bool)
    for name, value in where:
        place = leaves.columns.index(name)
        rows &= leaves.codes[:, place] == leaves.values[place].index(value)
    f, e = float(failing[rows].sum()), float(mu[rows].sum())
    return Subset(where, float(score(np.array([f]), np.array([e]))[0]), f, e, float(leaves.total[rows].sum()), rows)


def merge(subsets: list[Subset]) -> list[tuple[Subset, list[Subset]]]:
    """Descriptions that mark the same leaves are one, under the shortest; the others are listed beside it."""
    groups: dict[bytes, list[Subset]] = {}
    for subset in subsets:
        groups.setdefault(subset.key, []).append(subset)
    return [(group[0], group[1:]) for group in groups.values()]


def against_rest(failing: np.ndarray, mu: np.ndarray, rows: np.ndarray) -> float:
    """How much better two rates, inside and outside, fit than one rate for everyone (a log likelihood ratio; Kulldorff 1997)."""
    f, e, f_in, e_in = failing.sum(), mu.sum(), failing[rows].sum(), mu[rows].sum()
    f_out, e_out = f - f_in, e - e_in

    def term(a: float, b: float) -> float:
        return a * np.log(a / b) if a > 0 and b > 0 else 0.0

    return float(term(f_in, e_in) + term(f_out, e_out) - term(f, e))


def p_value(leaves: Leaves, mu: np.ndarray, failing: np.ndarray, best: float, rounds: int, seed: int = 7) -> float:
    """The share of incidents that hit everyone alike in which some conjunction stands out as much by chance.

    Where the Chernoff bound over all conjunctions settles it, nothing is drawn.
    """
    cells = sum(np.prod([len(leaves.values[c]) for c in columns]) for depth in range(1, min(MOST_CONDITIONS, len(leaves.columns)) + 1)
                for columns in combinations(range(len(leaves.columns)), depth))
    bound = float(min(cells, 1e9) * np.exp(-min(best, 700.0)))
    if bound < 1e-3 or rounds < 1:
        return min(1.0, bound)
    draw = np.random.default_rng(seed)
    chance = mu / mu.sum()
    count, reached = int(failing.sum()), 0
    for _ in range(rounds):
        sample = draw.multinomial(count, chance).astype(float)
        scale = mu * (count / mu.sum())
        reached += any(against_rest(sample, scale, s.rows) >= best for s in search(leaves, sample, scale, keep=3)[:3])
    return float((1 + reached) / (1 + rounds))
