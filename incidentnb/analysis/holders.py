"""Which deploy or merge holds a commit: a commit does nothing before it is deployed, and what did it may have been written days before."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from incidentnb.evidence.changes import Change

MOST_SERVICES = 8  # of whose deploys the contents are walked: those deployed last before the onset
_HEX = re.compile(r"(?<![0-9a-z])[0-9a-f]{7,64}(?![0-9a-z])")
_NUMBER = re.compile(r"\d+(?:\.\d+)+[\w.+-]*")


@dataclass(frozen=True)
class Holding:
    """What holds what, by place in the list of changes.

    Attributes:
        within: commit → those that hold it: deploys, settings, and the merge that brought it.
        contents: holder → the commits that it brought (not those that an earlier deploy of its service had brought).
        undeployed: commits of checkouts of which deploys are known, none of which holds them.
        unclear: commit → the first deploy after it of the service that its checkout is called after, which does not say what it holds.
    """

    within: dict[int, list[int]]
    contents: dict[int, list[int]]
    undeployed: frozenset[int]
    unclear: dict[int, int]


def holding(changes: Sequence[Change], latest: datetime) -> Holding:
    """Which of the changes up to ``latest`` hold which commits.

    Method: a deploy names a commit by its digits or by a tag; it holds that commit and all that it descends from (a walk over the parents),
    less what an earlier deploy of the same service held. Linear in the commits, per service with deploys (at most ``MOST_SERVICES``).
    """
    commits = [i for i, c in enumerate(changes) if c.kind == "commit"]
    shas = {str(changes[i].details.get("sha") or changes[i].id).lower(): i for i in commits}
    short: dict[str, list[str]] = {}
    tags: dict[str, int] = {}
    for sha, i in shas.items():
        short.setdefault(sha[:7], []).append(sha)
        for tag in (*(changes[i].details.get("tags") or ()), changes[i].version):
            if number := _NUMBER.search(str(tag)):
                tags[number[0].lower()] = i
    contents: dict[int, list[int]] = {}
    deploys: dict[str, list[tuple[int, int]]] = {}
    for i, change in enumerate(changes) if commits else ():
        if change.kind == "commit" or change.at > latest:
            continue
        head = _head(change, short, shas, tags)
        if head is not None and change.kind == "deploy":
            deploys.setdefault(change.service, []).append((i, head))
        elif head is not None:
            contents[i] = [head]
    for group in deploys.values():
        group.sort(key=lambda d: (changes[d[0]].at, changes[d[0]].id))
    parents = {i: [shas[p] for p in changes[i].details.get("parents") or () if p in shas] for i in commits} if deploys else {}
    for group in sorted(deploys.values(), key=lambda g: (changes[g[-1][0]].at, changes[g[-1][0]].service), reverse=True)[:MOST_SERVICES]:
        _walk(group, parents, contents)
    _by_merge(changes, commits, shas, contents)
    within: dict[int, list[int]] = {}
    for holder, held in contents.items():
        for commit in held:
            within.setdefault(commit, []).append(holder)
    told = {changes[head].source for group in deploys.values() for i, head in group if not changes[i].details.get("tag")}
    loose = [i for i in commits if not any(changes[h].kind == "deploy" for h in within.get(i, ()))]
    undeployed = frozenset(i for i in loose if changes[i].source in told)
    return Holding(within, contents, undeployed, _unclear(changes, [i for i in loose if i not in undeployed], latest))


def _head(change: Change, short: dict[str, list[str]], shas: dict[str, int], tags: dict[str, int]) -> int | None:
    """The commit that a change names, if any."""
    named = [change.id, change.version, *(str(v) for v in change.details.values() if isinstance(v, str)), change.summary]
    for word in _HEX.findall(" ".join(named).lower()):
        found = [sha for sha in short.get(word[:7], ()) if sha.startswith(word) or word.startswith(sha)]
        if len(found) == 1:
            return shas[found[0]]
    number = _NUMBER.search(change.version)
    return tags.get(number[0].lower()) if number and change.kind == "deploy" and not change.details.get("sha") else None


def _walk(deploys: list[tuple[int, int]], parents: dict[int, list[int]], contents: dict[int, list[int]]) -> None:
    """Add what each deploy of one service brought, oldest first."""
    before: set[int] = set()
    for deploy, head in deploys:
        if head in before:  # deployed again, or an older version: it brings back what it names
            contents[deploy] = [head]
            continue
        waiting, held = [head], []
        while waiting:
            i = waiting.pop()
            if i not in before:
                before.add(i)
                held.append(i)
                waiting += parents[i]
        contents[deploy] = held


def _by_merge(changes: Sequence[Change], commits: Sequence[int], shas: dict[str, int], contents: dict[int, list[int]]) -> None:
    for i in commits:
        merge = shas.get(str(changes[i].details.get("merged_by") or ""))
        if merge is not None and merge != i:
            contents.setdefault(merge, []).append(i)


def _unclear(changes: Sequence[Change], loose: Sequence[int], latest: datetime) -> dict[int, int]:
    """The next deploy after each commit of a service called like its checkout, where deploys do not say which commits they hold."""
    if not loose:
        return {}
    from bisect import bisect_left

    deploys: dict[str, list[tuple[datetime, int]]] = {}
    for i, change in enumerate(changes):
        if change.kind == "deploy" and change.at <= latest and change.service:
            deploys.setdefault(change.service.lower(), []).append((change.at, i))
    for group in deploys.values():
        group.sort()
    named: dict[str, str | None] = {}
    found = {}
    for i in loose:
        home = str(changes[i].details.get("repository") or "").lower()
        if home not in named:
            alike = [s for s in deploys if home and (set(re.findall("[a-z0-9]+", home)) >= set(re.findall("[a-z0-9]+", s))
                                                     or set(re.findall("[a-z0-9]+", s)) >= set(re.findall("[a-z0-9]+", home)))]
            named[home] = alike[0] if len(alike) == 1 else None
        group = deploys.get(named[home] or "", [])
        place = bisect_left(group, (changes[i].at, -1))
        if place < len(group):
            found[i] = group[place][1]
    return found
