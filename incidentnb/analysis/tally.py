"""Exact counts of descriptions: one pass over the outcomes tells, for every mixture of some conditions, the requests that meet it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from incidentnb.analysis.spans import literal, quoted

if TYPE_CHECKING:
    from incidentnb.evidence.table import LogTable

MOST = 60  # conditions, one bit each
Condition = tuple[str, Any]


@dataclass(frozen=True)
class Tally:
    """Requests by the conditions that they meet.

    Attributes:
        conditions: bit ``i`` of ``masks`` says whether ``conditions[i]`` is met; ``counts``: per mask failures and requests in the incident, and
        failures and requests in the baseline; ``query``: what was asked.
    """

    conditions: tuple[Condition, ...]
    masks: np.ndarray
    counts: np.ndarray
    query: str

    def meets(self, where: Mapping[str, Any] | Iterable[Condition]) -> np.ndarray:
        """Which masks meet a conjunction."""
        wanted = sum(1 << self.conditions.index(condition) for condition in dict(where).items())
        return (self.masks & wanted) == wanted

    def inside(self, rows: np.ndarray) -> tuple[int, int, int, int]:
        """Failures and requests in the incident, failures and requests in the baseline."""
        f, n, b, m = (int(v) for v in self.counts[rows].sum(axis=0)) if rows.any() else (0, 0, 0, 0)
        return f, n, b, m

    def same(self, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
        """Whether two conjunctions describe the very same requests of the incident."""
        apart = self.meets(one) != self.meets(other)
        return not self.counts[apart, 1].sum() if apart.any() else True


def tally(table: LogTable, span: dict[str, Any], wheres: Iterable[Mapping[str, Any]]) -> Tally:
    """Count the requests by all conditions that some descriptions use; those beyond the sixtieth condition are not counted."""
    conditions = tuple(dict.fromkeys(condition for where in wheres for condition in where.items()))[:MOST]
    bits = " + ".join(f"CASE WHEN {_condition(c)} THEN {1 << i} ELSE 0 END" for i, c in enumerate(conditions)) or "0"
    sums = ", ".join(f"sum({what}) FILTER ({span[when]}) AS {name}" for name, what, when in
                     (("f", "failing", "in_during"), ("n", "total", "in_during"), ("b", "failing", "in_before"), ("m", "total", "in_before")))
    query = (f"SELECT mask, {sums} FROM (SELECT time, failing, total, CAST({bits} AS BIGINT) AS mask FROM outcomes "
             f"WHERE ({span['in_during']}) OR ({span['in_before']})) GROUP BY mask ORDER BY mask")
    got = table.frame(query)
    counts = np.array([[int(v) if v == v else 0 for v in got[name]] for name in "fnbm"], dtype=object).T.reshape(len(got), 4)
    return Tally(conditions, got["mask"].to_numpy(np.int64), counts, query)


def _condition(condition: Condition) -> str:
    column, value = condition
    return f"{quoted(column)} IS NULL" if value is None else f"CAST({quoted(column)} AS VARCHAR) = {literal(str(value))}"
