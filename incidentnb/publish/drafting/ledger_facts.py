"""Facts of the hand-over and of reports: hypotheses, mitigations, decisions, promises, roles, open duties, each with what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from incidentnb.publish.drafting.facts import Fact, Facts
from incidentnb.record import hypotheses, runbook
from incidentnb.record.hypotheses import Hypothesis
from incidentnb.record.incident import Incident

LIVE, REFUTED, TRIED, DECIDED, OWED, OTHERS, LATELY, PROMISED = 3, 3, 3, 2, 6, 6, 1, 3  # rows of a hand-over; the rest is counted
_SHORT = 140


def cause(facts: Facts) -> dict[str, Fact]:
    """``cause`` where the record establishes one, else ``why_not``; whether a person said *identified*; whether a fix was begun or done."""
    incident = facts.incident
    missing, fixed = hypotheses.why_not(incident.hypotheses), incident.milestones["mitigated"]
    supported = [h for h in incident.hypotheses if h.state == "supported"]
    later = [s.value for s in incident.statuses][::-1]
    later = later[:later.index("investigating")] if "investigating" in later else later
    done = sorted((m for m in incident.mitigations if m.undone_at is None), key=lambda m: (m.at, m.seq))
    return {"cause": Fact() if missing else facts.phrase(supported[0].claim, *_of(incident, supported[0]), limit=200),
            "why_not": facts.phrase(missing), "identified": Fact("identified" if later else ""),
            "fix": Fact("fix" if done or incident.decisions else ""),
            "fixed": facts.clock(fixed.at, fixed.seq) if fixed.at else facts.clock(done[-1].at, done[-1].seq) if done else Fact()}


def ledger(facts: Facts) -> dict[str, Any]:
    """Hypotheses: ``live`` (supported first, then what is being tested), ``refuted``, ``testing``; each clipped, the rest counted."""
    order = ("supported", "testing", "proposed", "inconclusive")
    live = sorted((h for h in facts.incident.hypotheses if h.live), key=lambda h: order.index(h.state))
    refuted = [h for h in facts.incident.hypotheses if not h.live]
    rows = [_live(facts, h) for h in live]
    return {"live": rows[:LIVE], "live_more": max(0, len(live) - LIVE), "refuted_more": max(0, len(refuted) - REFUTED),
            "testing": [row for row, h in zip(rows, live, strict=True) if h.state in ("testing", "proposed")][:LIVE],
            "refuted": [{"id": Fact(h.id), "claim": facts.phrase(h.claim, *_of(facts.incident, h), limit=_SHORT),
                         "why": facts.phrase(h.why, *_of(facts.incident, h), limit=_SHORT)} for h in refuted[:REFUTED]]}


def _live(facts: Facts, h: Hypothesis) -> dict[str, Fact]:
    seqs, pieces = _of(facts.incident, h), (*h.evidence_for, *h.evidence_against)
    check = f"would be disproved by: {h.disproof}" if h.disproof else f"predicts: {h.prediction}" if h.prediction else ""
    counted = f"{len(h.evidence_for)} for, {len(h.evidence_against)} against" if pieces else ""
    return {"id": Fact(h.id), "state": Fact(h.state, seqs), "claim": facts.phrase(h.claim, *seqs, limit=_SHORT),
            "evidence": Fact(counted, tuple(piece.seq for piece in pieces)),
            "live_check": _checked(facts, h),
            "check": facts.phrase(check, _proposal(facts.incident, h), limit=_SHORT) if check and h.state != "supported" else Fact()}


def _checked(facts: Facts, h: Hypothesis) -> Fact:
    """The check that a hypothesis carries, and what it came to last."""
    return facts.phrase(hypotheses.check_text(h), _proposal(facts.incident, h), h.checked.seq if h.checked else None, limit=_SHORT)


def mitigations(facts: Facts) -> dict[str, Any]:
    """What was done: ``tried`` (all, the latest first), ``done`` (what was not taken back, in order of time), ``decided``."""
    rows = []
    for m in sorted(facts.incident.mitigations, key=lambda m: (m.at, m.seq)):
        seen = [e for e in facts.incident.standing if e.kind == "effect" and e.body.get("mitigation") == m.id]
        told = [e for e in seen if not e.body.get("undone")]
        undone = next((e for e in seen if e.body.get("undone")), None)
        last = max(told, key=lambda e: (e.at, e.seq), default=None)
        rows.append({"id": Fact(m.id), "at": facts.clock(m.at, m.seq), "what": facts.phrase(m.what, m.seq, limit=_SHORT),
                     "expected": facts.phrase(m.expected, m.seq, limit=_SHORT), "undo": facts.phrase(m.undo, m.seq, limit=_SHORT),
                     "seen": facts.phrase(last.body.get("effect"), last.seq, limit=_SHORT) if last else Fact(),
                     "undone": facts.clock(m.undone_at, undone.seq) if undone else Fact()})
    decided = sorted(facts.incident.decisions, key=lambda d: (d.at, d.seq))
    return {"tried": rows[::-1][:TRIED], "tried_more": max(0, len(rows) - TRIED), "done": [row for row in rows if not row["undone"]][-TRIED:],
            "decided": [{"at": facts.clock(d.at, d.seq), "by": facts.phrase(d.by, d.seq, limit=60), "why": facts.phrase(d.why, d.seq, limit=_SHORT),
                         "what": facts.phrase(d.decision, d.seq, limit=_SHORT)} for d in decided[::-1][:DECIDED]]}


def promised(facts: Facts, channel: str) -> Fact:
    """The instant of the next update that was promised in a channel and is still to come."""
    due = [post for post in facts.incident.posts
           if post.channel == channel and post.due and post.answered_at is None and post.promise(facts.now) == "running"]
    post = min(due, key=lambda post: post.due or facts.now, default=None)
    return facts.clock(post.due, post.seq) if post else Fact()


def promises(facts: Facts) -> list[dict[str, Any]]:
    """Each promise that is running or broken and not answered, the most urgent first."""
    owed = sorted((post for post in facts.incident.posts if post.due and post.answered_at is None
                   and post.promise(facts.now) in ("running", "broken")), key=lambda post: post.due or facts.now)
    return [{"channel": facts.phrase(post.channel, post.seq, limit=80), "due": facts.clock(post.due, post.seq),
             "late": post.promise(facts.now) == "broken"} for post in owed[:PROMISED]]


def people(facts: Facts) -> list[dict[str, Fact]]:
    """Who holds a role beside the incident commander."""
    held = [role for role in facts.incident.roles if role.end is None and role.role != "ic"]
    return [{"role": facts.phrase(role.role, role.seq, limit=40), "person": facts.phrase(role.person, role.seq, limit=60)} for role in held[:OTHERS]]


def places(facts: Facts) -> dict[str, Fact]:
    """The last notebook that was executed and the last export, by their file names."""
    incident = facts.incident
    run, export = (next(reversed(found), None) for found in (incident.runs, incident.exports))
    return {"run": facts.phrase(f"runs/{run.body.get('run')}", run.seq, limit=100) if run and run.body.get("run") else Fact(),
            "export": facts.phrase(export.body.get("path"), export.seq, limit=100) if export and export.body.get("path") else Fact()}


def lately(facts: Facts) -> list[dict[str, Fact]]:
    """The last notes, the latest first."""
    return [{"at": facts.clock(note.at, note.seq), "text": facts.phrase(note.body.get("text"), note.seq, limit=160)}
            for note in facts.incident.notes[::-1][:LATELY]]


def needs(facts: Facts) -> list[Fact]:
    """Notes in which people say what they need."""
    said = [(note, str(note.body.get("text", "")).strip()) for note in facts.incident.notes]
    return [facts.sentence(text, note.seq, limit=200) for note, text in said if text.lower().startswith(("need", "we need", "i need"))][-4:]


def owed(facts: Facts, *, only_late: bool = False) -> tuple[list[dict[str, Fact]], int]:
    """Open duties of the runbook, late ones first, then by when they are due; and how many more there are."""
    incident = facts.incident
    far = datetime.max.replace(tzinfo=facts.now.tzinfo)
    judged = runbook.duties(incident, facts.now, book=runbook.book_of(incident.folder))
    found = [(duty, n) for n, duty in enumerate(judged) if duty.state == "late" or (duty.state == "due" and not only_late)]
    found.sort(key=lambda one: (one[0].state != "late", one[0].due or far, one[1]))
    rows = [{"state": Fact(duty.state), "what": facts.sentence(duty.what, limit=_SHORT), "due": facts.clock(duty.due),
             "verb": Fact(f"incidentnb {duty.verb.split(',')[0]}" if duty.verb else "")} for duty, _ in found[:OWED]]
    return rows, max(0, len(found) - OWED)


def _of(incident: Incident, h: Hypothesis) -> tuple[int, ...]:
    """The entries that say what a hypothesis is and what it came to."""
    return (_proposal(incident, h), *(verdict.seq for verdict in h.history[1:][-1:]))


def _proposal(incident: Incident, h: Hypothesis) -> int:
    """The entry that holds the claim as it stands: the proposal, or its last correction."""
    return next((e.seq for e in reversed(incident.standing) if e.kind == "hypothesis" and e.body.get("id") == h.id), h.seq)


def picture(facts: Facts, names: Sequence[str] = ("onset", "volume", "latency", "scope", "users", "recovery")) -> list[Fact]:
    """The sentences of the findings that tell how things stand; without news (no drop of traffic, no slowness) they are left out."""
    quiet = ("no drop", "no change")
    found = [(facts.incident.finding(name), name) for name in names]
    return [facts.said(name, entry.body["verdict"], limit=260) for entry, name in found if entry and entry.body.get("verdict") not in quiet]
