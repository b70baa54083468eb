"""Folds over entries: what was the case when. Each takes the entries that stand, and knows nothing of files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from incidentnb.record import lines
from incidentnb.record.lines import Entry


@dataclass(frozen=True)
class Segment:
    """What held from ``start`` until ``end`` (``None``: still): a severity or a status; ``actor`` said so in entry ``seq``."""

    value: str
    start: datetime
    end: datetime | None
    actor: str
    seq: int


@dataclass(frozen=True)
class Role:
    """Somebody in a role, from ``start`` until ``end`` (``None``: still).

    Attributes:
        role: ``ic``, ``scribe``, ``communications`` or what the team calls it.
        person: who.
        brief: what was handed over, in words.
        taken_from: who held it before, for the IC; empty at first.
        acknowledged_at: when the taker acknowledged it; ``None`` while nobody did.
        actor, seq: who said so, in which entry.
    """

    role: str
    person: str
    start: datetime
    end: datetime | None
    brief: str
    taken_from: str
    acknowledged_at: datetime | None
    actor: str
    seq: int


@dataclass(frozen=True)
class Post:
    """A message that was sent, and the next one that it promised.

    Attributes:
        channel: where: ``chat``, ``status page``, ``stakeholders`` …
        text: what it said.
        state: the status that it told, if it told one.
        due: when the next update was promised; ``None`` where none was.
        answered_at: when the next post in that channel came; ``None`` while there is none.
        ended_at: when the incident was resolved or closed after it; a promise for later than that is void.
        at, actor, seq: when, by whom, in which entry.
    """

    channel: str
    text: str
    state: str
    due: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    at: datetime
    actor: str
    seq: int

    def promise(self, now: datetime) -> str:
        """``kept``, ``broken``, ``running`` or ``void`` (over before it was due); ``none`` where nothing was promised."""
        if self.due is None:
            return "none"
        if self.answered_at is not None and self.answered_at <= min(self.due, now):
            return "kept"
        if self.ended_at is not None and self.ended_at <= min(self.due, now):
            return "void"
        return "running" if now <= self.due else "broken"

    def late_by(self, now: datetime) -> timedelta | None:
        """How late the promised update came, or is by ``now``; ``None`` where the promise is not broken."""
        return min(self.answered_at or now, now) - self.due if self.due is not None and self.promise(now) == "broken" else None


@dataclass(frozen=True)
class Mitigation:
    """Something done against the impact: what, the effect that was ``expected``, how to ``undo`` it, and the ``effects`` seen since.

    ``effects`` are ``{at, effect, actor, finding, undone}`` in order of time; ``undone_at`` tells when it was taken back.
    """

    id: str
    what: str
    expected: str
    undo: str
    command: str
    effects: tuple[dict[str, Any], ...]
    undone_at: datetime | None
    at: datetime
    actor: str
    seq: int


@dataclass(frozen=True)
class Decision:
    """A decision, why, and who took it; ``about`` may name a mitigation, ``safe`` says ``safe now``, ``riskier`` or nothing."""

    id: str
    decision: str
    why: str
    by: str
    about: str
    safe: str
    at: datetime
    actor: str
    seq: int


@dataclass(frozen=True)
class Action:
    """An action item: ``text``, ``owner``, ISO date ``due``, ``type`` (prevent, detect, mitigate, process), ``done_at``."""

    id: str
    text: str
    owner: str
    due: str
    type: str
    done_at: datetime | None
    at: datetime
    actor: str
    seq: int


def segments(changes: Sequence[tuple[datetime, str, str, int]], end: datetime | None = None) -> tuple[Segment, ...]:
    """Segments out of ``(start, value, actor, seq)``: each lasts until the next; of several at one instant the last recorded holds."""
    found: list[Segment] = []
    for start, value, actor, seq in sorted(changes, key=lambda change: (change[0], change[3])):
        if found and found[-1].start == start:
            found.pop()
            if found:
                found[-1] = replace(found[-1], end=None)
        if found and found[-1].value == value:
            continue
        if found:
            found[-1] = replace(found[-1], end=start)
        found.append(Segment(value, start, None, actor, seq))
    if found and end is not None:
        found[-1] = replace(found[-1], end=max(end, found[-1].start))
    return tuple(found)


def severities(standing: Sequence[Entry]) -> tuple[Segment, ...]:
    """The severity in segments, from the opening on (or from a late word about earlier)."""
    return segments([(e.at, str(e.body.get("severity")), e.actor, e.seq) for e in standing if e.kind in ("opened", "severity")])


def statuses(standing: Sequence[Entry]) -> tuple[Segment, ...]:
    """The status in segments: investigating from the opening on, and again from each reopening."""
    return segments([(e.at, str(e.body.get("status")) if e.kind == "status" else "investigating", e.actor, e.seq)
                     for e in standing if e.kind in ("opened", "status", "reopened")])


def active(standing: Sequence[Entry]) -> tuple[tuple[datetime, datetime | None], ...]:
    """The spans in which the incident was going on: from the opening or a reopening until *resolved* or closed (``None``: still)."""
    spans: list[tuple[datetime, datetime | None]] = []
    for entry in lines.in_time(standing):
        going = spans != [] and spans[-1][1] is None
        resolved = (entry.kind == "status" and entry.body.get("status") == "resolved") or (
            entry.kind == "milestone" and entry.body.get("milestone") == "resolved")
        if not going and (entry.kind in ("opened", "reopened") or (entry.kind == "status" and not resolved and spans)):
            spans.append((entry.at, None))
        elif going and (entry.kind == "closed" or resolved):
            spans[-1] = (spans[-1][0], entry.at)
    return tuple(spans)


def time_in(parts: Sequence[Segment], spans: Sequence[tuple[datetime, datetime | None]], now: datetime) -> dict[str, timedelta]:
    """Time spent in each value of the segments within the spans, until ``now``; values in the order in which they first held."""
    total: dict[str, timedelta] = {}
    for part in parts:
        for start, end in spans:
            first, last = max(part.start, start), min(part.end or now, end or now, now)
            total[part.value] = total.get(part.value, timedelta(0)) + max(last - first, timedelta(0))
    return total


def roles(standing: Sequence[Entry]) -> tuple[Role, ...]:
    """Everybody who held a role, in order of time. The IC changes hands: from the opening on there is exactly one at any instant."""
    held: list[Role] = []
    for e in lines.in_time([e for e in standing if e.kind in ("opened", "role")]):
        role = "ic" if e.kind == "opened" else str(e.body.get("role"))
        person = str(e.body.get("ic") or e.actor) if e.kind == "opened" else str(e.body.get("person"))
        now = [i for i, r in enumerate(held) if r.role == role and r.end is None]
        mine = next((i for i in now if held[i].person == person), None)
        if (e.kind == "opened" and now and not e.body.get("ic")) or (role == "ic" and e.body.get("released")):
            continue  # who opens is the IC only where nobody else is; the IC hands over, and does not leave
        if e.body.get("acknowledges") and mine is None:
            continue  # of a hand-over that was taken back
        acknowledged = e.at if e.body.get("acknowledged") or e.body.get("acknowledges") or person == e.actor else None
        if mine is not None and not e.body.get("released"):
            held[mine] = replace(held[mine], acknowledged_at=held[mine].acknowledged_at or acknowledged,
                                 brief=str(e.body.get("brief") or held[mine].brief))
        elif mine is not None:
            held[mine] = replace(held[mine], end=e.at)
        elif not e.body.get("released"):
            before = held[now[0]].person if role == "ic" and now else ""
            if role == "ic" and now:
                held[now[0]] = replace(held[now[0]], end=e.at)
            held.append(Role(role, person, e.at, None, str(e.body.get("brief", "")), before, acknowledged, e.actor, e.seq))
    return tuple(r for r in held if r.role != "ic" or r.end is None or r.end > r.start)


def posts(standing: Sequence[Entry]) -> tuple[Post, ...]:
    """What was posted, in order of time, with the fate of each promise."""
    sent = lines.in_time([e for e in standing if e.kind == "post"])
    ends = [end for _, end in active(standing) if end is not None]
    found = []
    for i, e in enumerate(sent):
        promised = e.body.get("next_update_s")
        due = e.at + timedelta(seconds=float(promised)) if promised is not None else None
        answered = next((later.at for later in sent[i + 1:] if later.body.get("channel") == e.body.get("channel")), None)
        found.append(Post(str(e.body.get("channel", "")), str(e.body.get("text", "")), str(e.body.get("state", "")), due, answered,
                          next((end for end in ends if end >= e.at), None), e.at, e.actor, e.seq))
    return tuple(found)


def mitigations(standing: Sequence[Entry]) -> tuple[Mitigation, ...]:
    """What was done against the impact, by number, each with the effects that were seen."""
    found = []
    seen = lines.in_time([e for e in standing if e.kind == "effect"])
    for e in _numbered(standing, "mitigation"):
        effects = tuple({"at": s.at, "effect": str(s.body.get("effect", "")), "actor": s.actor, "finding": s.body.get("finding"),
                         "undone": bool(s.body.get("undone"))} for s in seen if s.body.get("mitigation") == e.body.get("id"))
        undone = next((s["at"] for s in effects if s["undone"]), None)
        b = e.body
        found.append(Mitigation(str(b.get("id")), str(b.get("what", "")), str(b.get("expected", "")), str(b.get("undo", "")),
                                str(b.get("command", "")), effects, undone, e.at, e.actor, e.seq))
    return tuple(found)


def decisions(standing: Sequence[Entry]) -> tuple[Decision, ...]:
    """What was decided, by number."""
    return tuple(Decision(str(e.body.get("id")), str(e.body.get("decision", "")), str(e.body.get("why", "")),
                          str(e.body.get("by") or e.actor), str(e.body.get("about", "")), str(e.body.get("safe", "")), e.at, e.actor, e.seq)
                 for e in _numbered(standing, "decision"))


def actions(standing: Sequence[Entry]) -> tuple[Action, ...]:
    """The action items, by number."""
    done = {e.body.get("action"): e.at for e in standing if e.kind == "action_done"}
    return tuple(Action(str(e.body.get("id")), str(e.body.get("text", "")), str(e.body.get("owner", "")), str(e.body.get("due", "")),
                        str(e.body.get("type", "")), done.get(e.body.get("id")), e.at, e.actor, e.seq)
                 for e in _numbered(standing, "action"))


def sources(standing: Sequence[Entry]) -> dict[str, Any]:
    """What the incident reads: lists ``logs``, ``changes``, ``repos`` (each path once, as given), and the ``zone`` or ``None``."""
    found: dict[str, Any] = {"logs": [], "changes": [], "repos": [], "zone": None}
    for e in standing:
        given = e.body.get("sources") if e.kind in ("opened", "sources") else None
        for key in ("logs", "changes", "repos"):
            found[key] += [path for path in (given or {}).get(key, ()) if path not in found[key]]
        found["zone"] = (given or {}).get("zone") or found["zone"]
    return found


def _numbered(standing: Sequence[Entry], kind: str) -> list[Entry]:
    return sorted((e for e in standing if e.kind == kind), key=lambda e: int("0" + str(e.body.get("id", "0"))[1:]))
