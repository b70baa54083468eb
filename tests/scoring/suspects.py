"""How often the change that did it is ranked first in made incidents, and what is said where no change did it.

The onset and the scope are those of the answer, so that this measures the ranking alone; the drills as a whole measure all of it at once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from incidentnb.analysis.suspects import suspects
from incidentnb.drill import repository, scenario, story
from incidentnb.evidence.changes import Change, read_changes
from incidentnb.findings import Finding
from incidentnb.times import Interval
from scoring import Figure, share

SEEDS = 200
SURE = timedelta(seconds=20)


def score(data: Path | None = None, every: int = 1) -> list[Figure]:
    """``data`` is not used: the cases are made. Every feed in turn; with the checkout, and with the feed alone."""
    rows = [row for seed in range(0, SEEDS, every) for row in _of(seed)]
    known = [row for row in rows if row["truth"]]
    none = [row for row in rows if not row["truth"]]
    rivals = {name: share(row[name] in row["truth"] for row in known) for name in ("nearest in time", "nearest deploy")}
    first, strong = [row["first"] in row["truth"] for row in known], [row["strength"] == "strong" for row in none]
    return [Figure("the change that did it is ranked first", "drills", share(first), len(first), 0.95, rivals=rivals),
            Figure("a strong candidate where no change did it", "drills", share(strong), len(strong), 0.05, at_most=True)]


def _of(seed: int) -> list[dict[str, Any]]:
    """A drill's changes ranked with its own onset and scope, once with its checkout and once without; nothing for a calm one."""
    plan = scenario.plan(seed, minutes=60)
    if plan.fault is None:
        return []
    feed = tuple(story.FEEDS)[seed % len(story.FEEDS)]
    onset = Interval(plan.injected, plan.injected - SURE, plan.injected + SURE)
    subsets = [{"where": plan.where, "cause": True, "same_as": list(plan.same_as)}] if plan.where else []
    scope = Finding("scope", "subset" if plan.where else "everyone", "", numbers={"subsets": subsets})
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        commits = repository.build(place / "shop", plan)
        told, culprit, also = story.told(plan, commits)
        name, text = story.written(told, feed)
        (place / name).write_text(text, encoding="utf-8")
        for repos in ([place / "shop"], []) if commits else ([],):
            changes, _ = read_changes([place / name], repos, since=plan.start - timedelta(days=1), until=plan.until)
            first = suspects(changes, onset, scope).numbers["changes"][0]
            before = [c for c in changes if c.at <= onset.latest]
            rows.append({"truth": {culprit, *also} if culprit else set(), "first": first["id"], "strength": first["strength"],
                         "nearest in time": _last(before), "nearest deploy": _last([c for c in before if c.kind == "deploy"])})
    return rows


def _last(changes: Sequence[Change]) -> str:
    return max(changes, key=lambda c: c.at).id if changes else ""

