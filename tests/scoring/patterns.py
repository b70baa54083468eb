"""How well messages are grouped: LogHub's labelled lines, one configuration for every system, beside masks alone and a plain Drain."""

from __future__ import annotations

import csv
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from scoring import Figure, drain, lookalikes

FOLDER = "templates/loghub2k"
PUBLISHED = "Brain 0.983, Drain 0.865, tuned per system; one configuration: Brain-like 0.916, masked Drain 0.836"
SPEED_ROWS = 200_000


def score(data: Path, every: int = 1) -> list[Figure]:
    """Grouping accuracy (mean, worst system), F1 over groups, lines per second, and the same on made messages of other kinds.

    Args:
        data: folder laid out like ``../shared/data``.
        every: take every so-many-th line of each system.
    """
    cases = labelled(data / FOLDER, every)
    ours, masked, drained, f1 = [], [], [], []
    for rows in cases.values():
        truth, lines = [event for event, _ in rows], [text for _, text in rows]
        found, masks = assigned(lines), _masked(lines)
        ours.append(accuracy(truth, found))
        f1.append(f1_of_groups(truth, found))
        masked.append(accuracy(truth, masks))
        drained.append(accuracy(truth, drain.groups(masks)))
    count = sum(map(len, cases.values()))
    made = [(lookalikes.SYSTEMS[name], list(lookalikes.lines(name, 2000 // every))) for name in lookalikes.SYSTEMS]
    looks = [accuracy([t for t, _ in rows], assigned([m for _, m in rows])) for _, rows in made]
    everything = [text for rows in cases.values() for _, text in rows]
    return [
        Figure("grouping accuracy, mean of systems", FOLDER, _mean(ours), count, 0.92, published=PUBLISHED,
               rivals={"masks only": _mean(masked), "plain Drain, masked": _mean(drained)}),
        Figure("grouping accuracy, worst system", FOLDER, min(ours), count,
               rivals={"masks only": min(masked), "plain Drain, masked": min(drained)}),
        Figure("F1 of groups, mean of systems", FOLDER, _mean(f1), count),
        Figure("grouping accuracy, made messages of eight other kinds of systems", "made", _mean(looks), 8 * (2000 // every), 0.92),
        Figure("lines a second, masked and grouped", FOLDER, *speed(everything), 20_000),
    ]


def labelled(folder: Path, every: int = 1) -> dict[str, list[tuple[str, str]]]:
    """System → (event, message) of its lines."""
    found = {}
    for path in sorted(folder.glob("*_structured.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            found[path.name.split("_")[0]] = [(row["EventId"], row["Content"]) for row in csv.DictReader(file)][::every]
    return found


def assigned(lines: Sequence[str]) -> list[str]:
    """The pattern of each message as ``patterns --assign`` finds it."""
    import pandas as pd

    from incidentnb.analysis.patterns import assign
    from incidentnb.evidence.table import table_of

    table = table_of(pd.DataFrame({"message": lines, "source": "a.log", "line": range(1, len(lines) + 1)}))
    return assign(table)["pattern"].tolist()


def speed(lines: Sequence[str]) -> tuple[float, int]:
    """Lines a second of the whole way from messages to patterns, over lines repeated to some 200,000, and how many there were."""
    many = list(lines) * max(1, SPEED_ROWS // max(1, len(lines)))
    began = time.perf_counter()
    assigned(many)
    return len(many) / (time.perf_counter() - began), len(many)


def accuracy(truth: Sequence[Any], found: Sequence[Any]) -> float:
    """Grouping accuracy: the share of lines whose group is exactly a true one."""
    return sum(size for _, size in _exact(truth, found)) / len(truth)


def f1_of_groups(truth: Sequence[Any], found: Sequence[Any]) -> float:
    """F1 over groups: exact groups among those found and among the true ones."""
    return 2 * len(_exact(truth, found)) / (len(set(truth)) + len(set(found)))


def _exact(truth: Sequence[Any], found: Sequence[Any]) -> list[tuple[Any, int]]:
    sizes, inside = Counter(truth), defaultdict(Counter)
    for event, group in zip(truth, found, strict=True):
        inside[group][event] += 1
    return [(group, size) for group, events in inside.items() if len(events) == 1 for event, size in events.items() if sizes[event] == size]


def _masked(lines: Sequence[str]) -> list[str]:
    from incidentnb.analysis import masks

    return [masks.second(masks.mask(line)) for line in lines]


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return sum(values) / len(values)
