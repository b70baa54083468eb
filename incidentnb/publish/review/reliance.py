"""What a sentence rests on: the entries without which it would read otherwise, found by leaving each of them out.

A group of facts is a function over entries that returns key → values; an entry bears a fact where the fact has other values, or is not
there, without it. So the law "delete an entry, and exactly the sentences that rested on it change" holds for every fold, also for one
in which an older entry steps in for the one that is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from incidentnb.record.lines import Entry

Group = Callable[[Sequence[Entry]], Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Told:
    """A fact that a document may tell: its ``key``, what there is to say (``said``), and the ids of the entries that bear it."""

    key: str
    said: Mapping[str, Any] = field(default_factory=dict)
    rests_on: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Any:
        return self.said[name]

    def __bool__(self) -> bool:
        return bool(self.said)


def told(group: Group, entries: Sequence[Entry], kinds: Collection[str]) -> dict[str, Told]:
    """The facts of a group, each with the entries that it rests on.

    Args:
        group: reads entries and returns key → values; must depend on nothing else.
        entries: of the journal, corrected and retracted ones too.
        kinds: of the entries that the group reads; retractions are always among them.
    """
    read = [entry for entry in entries if entry.kind in kinds or entry.kind == "retraction"]
    full = group(read)
    bearers: dict[str, list[str]] = {key: [] for key in full}
    for gone in read:
        if gone.kind == "opened":  # without it there is no incident
            continue
        rest = group([entry for entry in read if entry is not gone])
        for key, said in full.items():
            if rest.get(key) != said:
                bearers[key].append(gone.id)
        for key in rest.keys() - full.keys():
            bearers.setdefault(key, []).append(gone.id)  # nothing is said of it while this entry stands
    return {key: Told(key, full.get(key, {}), tuple(ids)) for key, ids in bearers.items()}
