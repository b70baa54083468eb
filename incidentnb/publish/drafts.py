"""Drafts of every message that an incident needs, out of the record and its findings alone; each sentence knows what it rests on.

The wording is in ``templates/messages``, one file a message, and a team's own file of the same name wins. What nothing fills is a blank in
square brackets and is listed; nothing is made up, and nothing is sent.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from incidentnb import times
from incidentnb.exceptions import InputError
from incidentnb.publish import redaction
from incidentnb.publish.drafting import claims, ledger_facts, wording
from incidentnb.publish.drafting import facts as pieces
from incidentnb.publish.drafting.facts import Fact, Facts
from incidentnb.publish.drafting.wording import Line
from incidentnb.record import lines, moments, pseudonyms, words
from incidentnb.record.incident import Incident, fold

if TYPE_CHECKING:
    from incidentnb.publish.drafting.draft_checks import Flag
    from incidentnb.record.team import Team

KINDS = ("channel", "first", "status-page", "findings", "stakeholders", "can", "handover", "resolution")
STATES = words.STATUSES
PUBLIC = ("status-page", "stakeholders")  # read by people who must not see hosts, ids and guesses
_AUDIENCE = {"status-page": "public", "stakeholders": "customer"}
_LISTS = ("findings", "can", "handover", "channel")
_CHANNEL = {"status-page": "status page", "stakeholders": "stakeholders"}
# A line changes without an entry of these kinds only if it quotes it.
_QUOTED = {"opened", "note", "evidence", "run", "export", "sources", "section_failed", "retraction"}
SCHEMA = "incidentnb/draft/1"


@dataclass(frozen=True)
class Sentence:
    """One sentence of a draft, and the ids of the entries (findings are entries too) that it rests on; none where it is wording alone."""

    text: str
    rests_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class Draft:
    """A message that a person may send.

    Attributes:
        kind: one of ``KINDS``.
        state: of a status page: investigating, identified, monitoring, resolved; empty for the other kinds.
        text: the whole of it, with its subject and addressees where it is a mail.
        subject: of a mail.
        to: who gets it, as a mail names them.
        sentences: what it consists of, in order.
        missing: the placeholders that nothing fills.
        flags: what the check found.
    """

    kind: str
    state: str
    text: str
    subject: str
    to: tuple[str, ...]
    sentences: tuple[Sentence, ...]
    missing: tuple[str, ...]
    flags: tuple[Flag, ...] = ()

    @property
    def refused(self) -> tuple[Flag, ...]:
        """The flags for which it must not go out as it is."""
        return tuple(flag for flag in self.flags if flag.level == "refuse")

    def as_json(self) -> dict[str, Any]:
        """``incidentnb/draft/1``."""
        return {"schema": SCHEMA, "kind": self.kind, "state": self.state, "subject": self.subject, "to": list(self.to), "text": self.text,
                "missing": list(self.missing), "flags": [flag.as_json() for flag in self.flags],
                "sentences": [{"text": one.text, "rests_on": list(one.rests_on)} for one in self.sentences]}


def draft(incident: Incident, kind: str, *, state: str = "", now: datetime | None = None, team: Team | None = None,
          next_update: str | timedelta | datetime | None = None, ground: bool = True) -> Draft:
    """A message of a kind, filled from the record, checked, with its blanks listed.

    Args:
        incident: as ``record.incident.load`` gives it.
        kind: one of ``KINDS``.
        state: of a status page; by default the status of the incident.
        now: when it is to be sent; by default now, or the instant as of which the incident is.
        team: what the team file says: wording, stakeholders, hosts, the chat tool.
        next_update: when the next update comes (``20m``, a time of day, an instant); by default the promise that is running.
        ground: find out exactly what each sentence rests on; without it ``Sentence.rests_on`` has the entries that it quotes.

    Raises:
        InputError: no such kind or state, a time that is none or over, a template that is wrong.
    """
    from incidentnb.publish.drafting import draft_checks

    state = state_of(incident, kind, state)
    now = now or incident.as_of or times.now()
    rules, key = redaction.rules_of(team.redaction) if team else (), pseudonyms.read(incident.folder)
    promise = moments.promised(next_update, now, incident.zone, "--next")

    def lines_of(known: Incident) -> tuple[list[Line], list[Line]]:
        facts = Facts(known, now, _AUDIENCE.get(kind, "internal"), rules, key=key)
        context, own = _context(facts, kind, promise, team), (team.templates if team else None)
        subject = wording.render("stakeholders.subject.txt", context, own)[:1] if kind == "stakeholders" else []
        return subject, wording.render(f"status-page.{state}.txt" if state else f"{kind}.txt", context, own)

    subject, body = lines_of(incident)
    told, missing = _addressees(incident, team) if kind == "stakeholders" else ((), ())
    text = wording.listed(body) if kind in _LISTS else wording.prose(body)
    if subject:
        text = f"To: {', '.join(told) or wording.shown_blank('who is told')}\nSubject: {subject[0].text}\n\n{text}"
    every = [line for line in (*subject, *body) if line.text]
    missing = (*missing, *dict.fromkeys(what for line in every for what in line.missing))
    rests = _rests_on(incident, every, lambda known: [line.text for part in lines_of(known) for line in part]) if ground else [
        line.rests_on for line in every]
    sentences = tuple(Sentence(line.text.strip(), pieces.grounds(incident.entries, seqs)) for line, seqs in zip(every, rests, strict=True))
    flags = draft_checks.check(text, incident, kind, state=state, now=now, team=team, next_update=promise, generated=True)
    return Draft(kind, state, text, subject[0].text if subject else "", told, sentences, missing, tuple(flags))


def state_of(incident: Incident, kind: str, state: str = "") -> str:
    """The state that a draft of a kind tells: the one given, else the status of the incident; empty for all but a status page.

    Raises:
        InputError: no such kind or state, or a state where there is none.
    """
    if kind not in KINDS:
        raise InputError(f"draft {str(kind)[:40]}", "no such kind", lines.nearest(str(kind), list(KINDS)) or f"one of {', '.join(KINDS)}")
    if state and kind != "status-page":
        raise InputError("--state", f"a draft of kind {kind} has no state", "status-page has")
    return (words.one_of(state, STATES, "state") if state else incident.status) if kind == "status-page" else ""


def _rests_on(incident: Incident, every: list[Line], without: Callable[[Incident], list[str]]) -> list[tuple[int, ...]]:
    """What each line rests on: entries whose words it quotes are known by their marks; the others are left out one by one to see what changes."""
    last = {str(entry.body.get("name")): entry.seq for entry in incident.findings}
    asked = [e for e in incident.standing if e.kind not in _QUOTED and (e.kind != "finding" or e.seq in last.values())]
    kinds = {e.seq: e.kind for e in incident.entries}
    found = [[seq for seq in line.rests_on if kinds.get(seq) in _QUOTED] for line in every]
    for entry in asked:
        left = Counter(without(fold(incident.folder, [e for e in incident.entries if e.id != entry.id], incident.as_of)))
        for line, seqs in zip(every, found, strict=True):
            if left[line.text]:
                left[line.text] -= 1
            elif entry.seq not in seqs:
                seqs.append(entry.seq)
    return [tuple(seqs) for seqs in found]


def _context(facts: Facts, kind: str, promise: datetime | None, team: Team | None) -> dict[str, Any]:
    """Everything that a template may name."""
    found = pieces.basics(facts) | pieces.impact(facts) | ledger_facts.cause(facts) | ledger_facts.mitigations(facts)
    found["public_cause"] = found["cause"] if found["cause"] and not claims.internal(found["cause"].text, facts.incident, team) else Fact()
    found["next_update"] = facts.clock(promise) if promise else ledger_facts.promised(facts, _CHANNEL.get(kind, "chat"))
    found["next_length"] = Fact(times.spell(promise - facts.now).replace(" min", " minutes")) if promise else Fact()
    found["recovery"] = facts.said("recovery", "recovered", limit=260)
    found["suspects"] = facts.said("suspects", limit=300)
    peak = facts.incident.peak_severity
    held = next((s.seq for s in facts.incident.severities if s.value == peak), None)
    found["peak"] = Fact(peak, (held, facts.incident.severities[-1].seq)) if peak != facts.incident.severity else Fact()
    found["channel"] = _channel(facts, found["channel"], team) if kind == "channel" else found["channel"]
    if kind == "findings":
        found["findings"] = pieces.narrated(facts)
    if kind in ("can", "handover"):
        found |= ledger_facts.ledger(facts)
        found["owed"], found["owed_more"] = ledger_facts.owed(facts) if kind == "handover" else ([], 0)
        found["late"] = ledger_facts.owed(facts, only_late=True)[0] if kind == "can" else []
        found |= ledger_facts.places(facts) | {
            "promises": ledger_facts.promises(facts), "others": ledger_facts.people(facts), "lately": ledger_facts.lately(facts),
            "needs": ledger_facts.needs(facts), "picture": ledger_facts.picture(facts),
            "conditions": ledger_facts.picture(facts, ("scope", "users", "recovery"))}
    return found


def _channel(facts: Facts, name: Fact, team: Team | None) -> Fact:
    """The channel's name by the rules of the team's chat tool: Teams knows no ``#`` and takes 50 characters."""
    if team is None or team.channels.get("chat", "").lower() != "teams":
        return name
    return Fact(name.text.removeprefix("#")[:50].rstrip("-"), name.rests_on)


def _addressees(incident: Incident, team: Team | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Who is told at the highest severity that there was, as a mail names them; and what is missing."""
    told = team.told_at(incident.peak_severity) if team else ()
    named = tuple(f"{_name(one.name)} <{one.mail}>" if one.mail else _name(one.name) for one in told)
    return named, () if named else ("who is told",)


def _name(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f<>\",;:@]+", " ", text).strip()[:80]
