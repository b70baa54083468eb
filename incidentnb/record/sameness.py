"""Is a statement already in the journal, and what does a correction correct: told from the entries so far, under the lock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from incidentnb.exceptions import InputError
from incidentnb.record import lines
from incidentnb.record.lines import Entry
from incidentnb.record.moments import Moment

NUMBERED = {"hypothesis": "H", "mitigation": "M", "action": "A", "decision": "D"}  # kinds whose entries people call by number

# States: said again after something else has replaced it, a state is news. The fields say of what it is the state.
_STATES: dict[str, tuple[str, ...]] = {"severity": (), "status": (), "role": ("role",), "verdict": ("hypothesis",),
                                       "milestone": ("milestone",), "check": ("hypothesis",), "duty": ("duty",), "closed": (), "reopened": ()}


def said_before(entries: Sequence[Entry], kind: str, body: dict[str, Any], when: Moment, actor: str) -> Entry | None:
    """The entry that already says this; for a state without a time only while nothing has replaced it."""
    def state_of(entry_kind: str, entry_body: dict[str, Any]) -> tuple:
        name = "closed" if entry_kind in ("closed", "reopened") else entry_kind
        return (name, *(entry_body.get(field) for field in _STATES[entry_kind]))

    timeless = kind in _STATES and when is None
    for entry in reversed(entries):
        if (entry.kind, entry.actor, entry.occurred_at) == (kind, actor, when) and not entry.supersedes and _said(entry) == body:
            return entry
        if timeless and entry.kind in _STATES and state_of(entry.kind, entry.body) == state_of(kind, body):
            return None
    return None


def _said(entry: Entry) -> dict[str, Any]:
    """The body as its author gave it, without what the journal added."""
    added = {"supersedes", "id"} if entry.kind in NUMBERED else {"supersedes"}
    return {key: value for key, value in entry.body.items() if key not in added}


def target(entries: Sequence[Entry], reference: str | int, kind: str, body: dict[str, Any], when: Moment,
           actor: str) -> tuple[Entry, Entry | None]:
    """The entry that a correction of ``reference`` replaces (the last of its corrections), and the one that already says this.

    Raises:
        InputError: no such entry, one that was retracted, or one of another kind.
    """
    target = lines.find(entries, reference)
    holding, retracted = lines.holding(entries)
    while target not in holding:
        follower = next(entry for entry in reversed(entries) if entry.supersedes == target.id and entry.id not in retracted)
        if follower.kind == "retraction":
            if kind == "retraction" and _said(follower) == body and follower.actor == actor:
                return target, follower
            raise InputError(f"entry #{target.seq}", f"was retracted by #{follower.seq}", f"retract #{follower.seq} to get it back")
        target = follower
    alike = (target.kind, target.actor) == (kind, actor) and when in (None, target.occurred_at)
    if target.supersedes and alike and _said(target) == body:
        return target, target
    if kind not in ("retraction", target.kind):
        raise InputError(f"entry #{target.seq}", f"is a {target.kind}; a {kind} cannot correct it", "retract it, then say it anew")
    if kind == "retraction" and target.kind == "opened":
        raise InputError(f"entry #{target.seq}", "the opening of an incident cannot be retracted", "close it as a false alarm")
    return target, None


def next_number(entries: Sequence[Entry], kind: str) -> str:
    """The number of the next entry of a numbered kind: ``H3`` after ``H2``; numbers are never used twice."""
    return f"{NUMBERED[kind]}{1 + max((_number(entry) for entry in entries if entry.kind == kind), default=0)}"


def _number(entry: Entry) -> int:
    digits = str(entry.body.get("id", ""))[1:]
    return int(digits) if digits.isascii() and digits.isdigit() else 0
