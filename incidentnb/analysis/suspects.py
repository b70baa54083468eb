"""What changed before it began? Known changes ranked against the onset and the failing subset. Candidates, never causes."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from incidentnb.findings import CANNOT_TELL, Finding
from incidentnb.times import Interval, at, spell

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from incidentnb.evidence.changes import Change

LOOK_BACK = timedelta(hours=2)  # the runbook's window of "recently"
HALF_LIFE_S = 900.0  # every quarter of an hour between a change and the onset halves what its nearness is worth
KINDS = {"deploy": 1.0, "config": 0.9, "flag": 0.9, "certificate": 0.8, "external": 0.7, "job": 0.6, "commit": 0.5}
LEAST_SCORE = 0.25
SHOWN = 50
_VERSION = re.compile(r"(version|release|build|revision|image|tag|deployment|commit|sha)", re.IGNORECASE)
_COMMON = {"the", "and", "for", "from", "with", "true", "false", "none", "get", "post", "put", "delete", "patch",
           "api", "app", "web", "http", "https", "service", "prod", "production", "default", "new", "main", "release", "version", "deploy"}


def suspects(changes: Sequence[Change], onset: Finding | Interval, scope: Finding | None = None) -> Finding:
    """The known changes, the likeliest to bear on the incident first.

    A change counts by its nearness before the onset (never after its latest instant), by what it is, and by what it shares with the failing
    subset: its version, its service, words of its summary and files. A commit that a deploy contains stands next to that deploy.

    Returns:
        Verdict ``candidates``, ``no known change explains it`` or ``cannot tell``; numbers ``changes`` [{at, kind, id, summary, source,
        rank, reasons}], candidates first, then the rest without a rank (``None``); frame: the same with readable names.
    """
    began = onset if isinstance(onset, Interval) else onset.numbers.get("onset")
    if began is None:
        why = "no onset is known to rank them against"
        listed = [_entry(c, None, []) for c in sorted(changes, key=lambda c: c.at, reverse=True)[:SHOWN]]
        return Finding("suspects", CANNOT_TELL, f"{_count(changes)} cannot be ranked: {why}.", why, {"changes": listed}, _frame(listed))
    if not changes:
        why = "no change was given: name checkouts with --repo and change files with --changes"
        return Finding("suspects", CANNOT_TELL, f"What changed cannot be told: {why}.", why, {"changes": []}, _frame([]))
    subset = _subset(scope)
    scored = [(_score(change, began, subset), change) for change in changes]
    _lift_commits(scored, began)
    ranked = sorted((s for s in scored if s[0]["score"] >= LEAST_SCORE), key=lambda s: (-s[0]["score"], began.at - s[1].at))
    rest = sorted((s for s in scored if s[0]["score"] < LEAST_SCORE),
                  key=lambda s: (s[1].at > began.latest, abs((began.at - s[1].at).total_seconds())))  # those after the onset stand last
    entries = [_entry(c, i + 1, facts["reasons"]) for i, (facts, c) in enumerate(ranked)]
    entries = (entries + [_entry(c, None, facts["reasons"]) for facts, c in rest])[:SHOWN]
    notes = () if len(changes) <= SHOWN else (f"{len(changes) - SHOWN:,} further changes are not listed.",)
    if not ranked:
        why = f"none of {_count(changes)} lies within reach before the onset"
        return Finding("suspects", "no known change explains it", f"No known change explains it: {why}.", why, {"changes": entries}, _frame(entries),
                       notes=notes)
    first = entries[0]
    name = f"{first['kind']} {first['id']}".strip()
    sentence = (f"The likeliest of {_count(changes)} is {name}, {at(first['at'])}"
                f"{': ' + first['summary'] if first['summary'] else ''} ({'; '.join(first['reasons'])}).")
    return Finding("suspects", "candidates", sentence, "ranked by nearness to the onset and by what they share with the failing subset",
                   {"changes": entries}, _frame(entries),
                   notes=(*notes, "Candidates, not causes: none is one before a hypothesis about it is supported."))


def _count(changes: Sequence[Change]) -> str:
    return f"{len(changes):,} known change{'' if len(changes) == 1 else 's'}"


def _subset(scope: Finding | None) -> list[dict[str, Any]]:
    if scope is None or scope.verdict != "subset":
        return []
    wheres = []
    for entry in scope.numbers.get("subsets", []):
        if entry.get("cause"):
            wheres += [entry["where"], *entry.get("same_as", [])]
    return wheres


def _score(change: Change, began: Interval, subset: list[dict[str, Any]]) -> dict[str, Any]:
    """Score of one change, and the reasons in words."""
    if change.at > began.latest:
        return {"score": 0.0, "reasons": [f"after the onset ({spell(change.at - began.at)} later)"], "versioned": False}
    lead = max(0.0, (began.at - change.at).total_seconds())
    near = 0.5 ** (lead / HALF_LIFE_S)
    when = f"{spell(timedelta(seconds=lead))} before the onset" if change.at <= began.at else "within the interval of the onset"
    points = near * KINDS.get(change.kind, 0.6)
    reasons = [when]
    shared, words, versioned = _shared(change, subset)
    if shared:
        reasons += words
        reach = near if lead <= LOOK_BACK.total_seconds() or not versioned else max(near, 0.5)  # an old version may be switched on late
        points += shared * max(reach, 0.05 if lead > LOOK_BACK.total_seconds() else 0.35)
    elif subset and (change.service or change.version):
        others = _elsewhere(change, subset)
        if others:
            points *= 0.4
            reasons.append(others)
    if lead > LOOK_BACK.total_seconds() and not versioned:
        points *= 0.5
        reasons.append("long before the onset")
    return {"score": points, "reasons": reasons, "versioned": versioned}


def _shared(change: Change, subset: list[dict[str, Any]]) -> tuple[float, list[str], bool]:
    """What a change shares with the failing subset: points, words, whether it is the subset's version."""
    points, words, versioned = 0.0, [], False
    hay = {w for w in re.split(r"[^a-z0-9]+", " ".join([change.summary, change.id, change.service, *change.files]).lower()) if len(w) > 2}
    for where in subset:
        for column, value in where.items():
            text = "" if value is None else str(value)
            if _VERSION.search(column) and text and _same_version(text, change):
                points, versioned = max(points, 2.0), True
                words.append(f"the failing subset is this {column}" + ("" if column.lower() == "version" else f" ({text})"))
            elif re.search(r"(service|app|component|job)", column, re.IGNORECASE) and text and text.lower() == change.service.lower():
                points += 0.6
                words.append(f"same service ({text})")
            elif text and not _VERSION.search(column):
                told = [w for w in re.split(r"[^a-z0-9]+", text.lower()) if len(w) > 2 and w not in _COMMON]
                if told and all(w in hay for w in told):
                    points += 0.5
                    words.append(f"names {text}")
                elif any(w in hay for w in told):
                    points += 0.25
                    words.append("touches " + ", ".join(w for w in told if w in hay))
                elif len(column) > 3 and column.lower().split(".")[-1] in hay and change.kind in ("flag", "config"):
                    points += 0.3
                    words.append(f"names {column}")
    return min(points, 2.5), list(dict.fromkeys(words)), versioned


def _same_version(text: str, change: Change) -> bool:
    value = text.lower().removeprefix("v")
    mine = [x.lower().removeprefix("v") for x in (change.version, change.id) if x]
    if any(value == m for m in mine):
        return True
    return len(value) >= 7 and any(len(m) >= 7 and (m.startswith(value) or value.startswith(m)) for m in mine if re.fullmatch(r"[0-9a-f]+", m))


def _elsewhere(change: Change, subset: list[dict[str, Any]]) -> str:
    for where in subset:
        for column, value in where.items():
            if column.lower() == "version" and change.version and change.kind == "deploy" and value is not None:
                return f"another version than the failing {value}"
            if column.lower() == "service" and change.service and value is not None and str(value).lower() != change.service.lower():
                return f"another service than the failing {value}"
    return ""


def _lift_commits(scored: list[tuple[dict[str, Any], Change]], began: Interval) -> None:
    """A commit that a well-ranked deploy contains comes right after it: by id, else by being the last before it in time."""
    deploys = [(f, c) for f, c in scored if c.kind == "deploy" and f["score"] >= LEAST_SCORE]
    for facts, change in scored:
        if change.kind != "commit" or change.at > began.latest:
            continue
        holders = [(f, d) for f, d in deploys if _contains(d, change)]
        if holders:
            best, deploy = max(holders, key=lambda h: h[0]["score"])
            facts["score"] = max(facts["score"], 0.9 * best["score"])
            facts["reasons"] = [*facts["reasons"], f"in the deploy {deploy.version or deploy.id}"]


def _contains(deploy: Change, commit: Change) -> bool:
    if deploy.at < commit.at or not commit.id:
        return False
    named = [deploy.id, deploy.version, *(str(v) for v in (deploy.details or {}).values())]
    text = " ".join([*named, deploy.summary]).lower()
    return len(commit.id) >= 7 and any(len(w) >= 7 and commit.id.lower().startswith(w) for w in re.findall(r"\b[0-9a-f]{7,40}\b", text))


def _entry(change: Change, rank: int | None, reasons: list[str]) -> dict[str, Any]:
    return {"at": change.at, "kind": change.kind, "id": change.id, "summary": change.summary, "source": change.source, "rank": rank,
            "reasons": list(reasons), "service": change.service, "version": change.version, "author": change.author}


def _frame(entries: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    rows = [{"rank": e["rank"], "at": e["at"], "kind": e["kind"], "id": e["id"], "service": e["service"], "version": e["version"],
             "summary": e["summary"], "why": "; ".join(e["reasons"])} for e in entries]
    frame = pd.DataFrame(rows, columns=["rank", "at", "kind", "id", "service", "version", "summary", "why"])
    return frame.astype({"rank": "Int64"})

