"""What runs for a while or again and again: the end of a job told by a record of its own, and how often it ran before."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from incidentnb.evidence.changes import Change

LASTING = ("job", "external")  # kinds of which one record tells the beginning and another the end
AGAIN = ("job", "external", "config")  # kinds that come again and are the same thing each time
_ENDED = re.compile(r"\b(finish(ed|es)?|complet(ed|es?)|end(ed|s)?|succe(eded|ss)|done|resolved|recovered|restored|over|stopped|cleared)\b",
                    re.IGNORECASE)
_BEGAN = re.compile(r"\b(start(ed|s|ing)?|beg[aiu]ns?|running|opened|investigating|scheduled|triggered)\b", re.IGNORECASE)


def ends(change: Change) -> bool:
    """Whether a record tells of the end of something that lasts (a job, trouble elsewhere), and of no beginning."""
    words = f"{change.summary} {change.details.get('kind', '')} {change.details.get('status', '')}"
    return change.kind in LASTING and bool(_ENDED.search(words)) and not _BEGAN.search(change.summary)


def sameness(change: Change) -> tuple[str, str, str]:
    """What the runs of one job have in common: kind, service, and the summary without its numbers and verbs of beginning and end."""
    words = re.sub(r"[0-9a-f]{8,}|\d+", "#", _BEGAN.sub("", _ENDED.sub("", change.summary.lower())))
    return change.kind, change.service, " ".join(re.findall(r"[a-z#]+", words))


def seen(changes: Iterable[Change]) -> list[Change]:
    """The changes of one file with ``ended_at`` on what a later record ends, and ``earlier``: how many runs of the same came before."""
    changes = list(changes)
    if not any(c.kind in AGAIN for c in changes):
        return changes
    groups: dict[tuple[str, str, str], list[int]] = {}
    for i in sorted((i for i, c in enumerate(changes) if c.kind in AGAIN), key=lambda i: changes[i].at):
        groups.setdefault(sameness(changes[i]), []).append(i)
    for group in groups.values():
        began = [i for i in group if not ends(changes[i])]
        starts = sorted({changes[i].at for i in began})
        for i in group:
            change = changes[i]
            earlier = bisect_left(starts, change.at)
            if ends(change) and (running := [k for k in began if changes[k].at < change.at]):
                last = running[-1]
                if "ended_at" not in changes[last].details and change.kind in LASTING:
                    changes[last] = replace(changes[last], details={**changes[last].details, "ended_at": change.at})
            elif earlier and not ends(change):
                changes[i] = replace(changes[i], details={**changes[i].details, "earlier": earlier})
    return changes
