"""Duties that no single entry satisfies: questions in which entries are held against each other.

Each check takes an incident and an instant, and returns whether the duty arises at all, what is still missing (empty where nothing is), who
did the last of it and when, and by when the next of it is due.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from incidentnb.record.incident import Incident


@dataclass(frozen=True)
class Answer:
    """What a check found; ``missing`` in words, ``due`` the instant by which it is owed, where there is one."""

    arises: bool
    missing: str = ""
    by: str = ""
    at: datetime | None = None
    due: datetime | None = None


def other_roles(incident: Incident, now: datetime) -> Answer:
    """Is anybody named beside the IC?"""
    found = [role for role in incident.roles if role.role != "ic"]
    return Answer(True, by=found[-1].actor, at=found[-1].start) if found else Answer(True, "nobody was named")


def hand_over(incident: Incident, now: datetime) -> Answer:
    """Has the last hand-over of the IC a brief, and did the taker acknowledge it?"""
    taken = [role for role in incident.ics if role.taken_from]
    if not taken:
        return Answer(False, "the IC has not changed")
    last = taken[-1]
    missing = [] if last.brief else ["a brief"]
    missing += [] if last.acknowledged_at else [f"the acknowledgement of {last.person}"]
    return Answer(True, " and ".join(missing), last.actor, last.acknowledged_at or last.start)


def promises(incident: Incident, now: datetime) -> Answer:
    """Was the last promise in each channel kept? A broken one stays late until the next post."""
    promised = [post for post in incident.posts if post.due is not None]
    if not promised:
        return Answer(False, "no next update was promised")
    owed = [post for post in promised if post.answered_at is None and post.promise(now) in ("running", "broken")]
    if owed:
        first = min(owed, key=lambda post: post.due or now)
        return Answer(True, f"the next update in {first.channel}", due=first.due)
    broken = [post for post in promised if post.promise(now) == "broken"]
    last = promised[-1]
    return Answer(True, by=last.actor, at=last.answered_at or last.at, due=broken[-1].due if broken else None)


def tested(incident: Incident, now: datetime) -> Answer:
    """Has each hypothesis come to a verdict?"""
    if not incident.hypotheses:
        return Answer(False, "no hypothesis was recorded")
    open_ones = [h.id for h in incident.hypotheses if h.state in ("proposed", "testing")]
    last = max((h.history[-1] for h in incident.hypotheses), key=lambda verdict: verdict.at)
    return Answer(True, f"a verdict on {', '.join(open_ones)}" if open_ones else "", last.actor, last.at)


def expected(incident: Incident, now: datetime) -> Answer:
    """Does each mitigation say what is expected of it and how to undo it?"""
    if not incident.mitigations:
        return Answer(False, "nothing was mitigated yet")
    blank = [m.id for m in incident.mitigations if not (m.expected and m.undo)]
    last = incident.mitigations[-1]
    return Answer(True, f"the expected effect or the undo of {', '.join(blank)}" if blank else "", last.actor, last.at)


def effect(incident: Incident, now: datetime) -> Answer:
    """Was an effect seen of each mitigation?"""
    if not incident.mitigations:
        return Answer(False, "nothing was mitigated yet")
    blank = [m.id for m in incident.mitigations if not m.effects]
    seen = [e for m in incident.mitigations for e in m.effects]
    last = max(seen, key=lambda e: e["at"]) if seen else {"actor": "", "at": None}
    return Answer(True, f"the effect of {', '.join(blank)}" if blank else "", last["actor"], last["at"])


def action_items(incident: Incident, now: datetime) -> Answer:
    """Is there an action item, and has each its owner, date and kind?"""
    if not incident.actions:
        return Answer(True, "no action item was recorded")
    blank = [a.id for a in incident.actions if not (a.owner and a.due and a.type)]
    last = incident.actions[-1]
    return Answer(True, f"owner, date or kind of {', '.join(blank)}" if blank else "", last.actor, last.at)


def find(name: str) -> Callable[[Incident, datetime], Answer] | None:
    """The check of a name, as the runbook's data call it."""
    known = (other_roles, hand_over, promises, tested, expected, effect, action_items)
    return next((check for check in known if check.__name__ == name), None)
