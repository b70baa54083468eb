"""How well someone found the answer of a drill, question by question."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from incidentnb import times
from incidentnb.drill.answer import Answer

TOLERANCE = timedelta(minutes=2)


def grade(answer: Answer, triage: Mapping[str, Any]) -> dict[str, Any]:
    """Compare a triage (``incidentnb/triage/1``) with the truth.

    Returns:
        per question ``{ok, truth, found}``; ``ok`` is ``None`` where the drill has no such question: ``verdict``; ``onset`` (within two
        minutes; also ``off_s``); ``end`` (within two minutes, or still going on); ``scope`` (the failing subset first, by its values, or
        everyone); ``culprit`` (first among the changes); ``counts`` (requests and failed, exactly); ``users`` (within a tenth). Also
        ``passed``: verdict, onset, scope and culprit are right.
    """
    calm = answer.verdict == "no incident"
    verdict = {"ok": triage.get("verdict") == answer.verdict, "truth": answer.verdict, "found": triage.get("verdict")}
    found = {"verdict": verdict, "onset": _instant(answer.onset, triage.get("onset"), calm),
             "end": _instant(answer.end, triage.get("end"), calm), "scope": _scope(answer, triage.get("scope") or {}, calm),
             "culprit": _culprit(answer, triage.get("changes") or []), "counts": _counts(answer, triage.get("window") or {}, triage),
             "users": _users(answer, triage.get("users"))}
    passed = all(found[question]["ok"] is not False for question in ("verdict", "onset", "scope", "culprit"))
    return {**found, "passed": passed}


def _instant(truth, found: Mapping[str, Any] | None, calm: bool) -> dict[str, Any]:
    at = times.parse(found["at"]) if found and found.get("at") else None
    if truth is None or at is None:
        return {"ok": None if calm and at is None else truth is None and at is None, "truth": times.iso(truth), "found": times.iso(at)}
    off = at - truth
    return {"ok": abs(off) <= TOLERANCE, "truth": times.iso(truth), "found": times.iso(at), "off_s": off.total_seconds()}


def _scope(answer: Answer, found: Mapping[str, Any], calm: bool) -> dict[str, Any]:
    subsets = found.get("subsets") or []
    first = subsets[0] if subsets else {}
    named = [first.get("where") or {}, *(other for other in first.get("same_as") or [] if isinstance(other, Mapping))]
    truth = answer.where or "everyone"
    shown = first.get("where") if found.get("verdict") == "subset" else found.get("verdict")
    if calm:
        return {"ok": None, "truth": None, "found": shown}
    right = {_values(one) for one in (answer.where, *answer.same_as) if one}
    if found.get("verdict") == "subset":
        ok = any(_values(one) in right for one in named)
    else:
        ok = answer.scope == "everyone" and found.get("verdict") == "everyone"
    return {"ok": ok, "truth": truth, "found": shown}


def _values(where: Mapping[str, Any]) -> frozenset[str]:
    """The values of a description, however its columns are called: a file without its folder, a route with any mark for its ids.

    A method beside a route that has but one adds nothing, and a service where all is one service neither; they count only where the
    truth names them, which ``_values`` of the truth then holds too.
    """
    values = set()
    for column, value in where.items():
        text = str(value).lower()
        text = re.sub(r"\{\w*\}|(?<=/):\w+", "{id}", text.rpartition("/")[2] if column == "source" else text)
        values.add(text)
    return frozenset(values)


def _culprit(answer: Answer, changes: list[Mapping[str, Any]]) -> dict[str, Any]:
    first = min(changes, key=lambda change: change.get("rank") or 10**9).get("id") if changes else None
    truth = (answer.culprit, *answer.culprit_also)
    if answer.culprit is None:
        return {"ok": None, "truth": None, "found": first}
    ok = first is not None and any(str(first).startswith(t) or t.startswith(str(first)) for t in truth if t)
    return {"ok": bool(first) and ok, "truth": answer.culprit, "found": first}


def _counts(answer: Answer, window: Mapping[str, Any], triage: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: window.get(name, triage.get(name)) for name in ("requests", "failed")}
    truth = {"requests": answer.requests, "failed": answer.failed}
    return {"ok": found == truth, "truth": truth, "found": found}


def _users(answer: Answer, found: Mapping[str, Any] | None) -> dict[str, Any]:
    truth = {"affected": answer.users_affected, "total": answer.users_total, "by": answer.users_by}
    if answer.users_affected is None:
        return {"ok": None, "truth": None, "found": dict(found) if found else None}
    near = bool(found) and all(abs((found.get(k) or 0) - truth[k]) <= max(2, 0.1 * truth[k]) for k in ("affected", "total"))
    return {"ok": near and found.get("by") == truth["by"], "truth": truth, "found": dict(found) if found else None}
