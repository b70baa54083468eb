"""How right the analyses are on labelled cases: one module a question, each with ``score(data, every)``; ``tests/bench/accuracy.py`` prints them all.

``data`` is a folder laid out like ``../shared/data``, so that other cases of the same kinds can be scored by the same code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Attributes:
        question: what is asked, in words.
        data: the folder of cases, below ``data``; ``drills`` for made ones.
        measured: a share 0–1, or a number of its own unit that ``question`` names.
        cases: how many cases it rests on.
        reach: what it must be at least (at most with ``at_most``); ``None`` where it is shown for comparison alone.
        published: the best published figure and whose it is, in words; empty where there is none.
        rivals: simple rivals measured in the same run on the same cases, name → figure.
    """

    question: str
    data: str
    measured: float
    cases: int
    reach: float | None = None
    at_most: bool = False
    published: str = ""
    rivals: Mapping[str, float] = field(default_factory=dict)

    @property
    def reached(self) -> bool:
        if self.reach is None:
            return True
        return self.measured <= self.reach if self.at_most else self.measured >= self.reach


def share(values: Iterable[Any]) -> float:
    """The share of values that are true; NaN of none."""
    values = list(values)
    return sum(bool(v) for v in values) / len(values) if values else float("nan")
