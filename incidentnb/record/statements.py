"""What people say while an incident goes on: one function a verb, called by the command line, by notebook cells and by Python alike.

Each reads its words leniently, appends one entry and returns it. ``at`` is when it happened (a ``datetime``, an ``Interval``, or text
in the zone of the incident); left out, it is not known, and the entry stands where it was recorded. ``actor``, ``supersedes`` and
``recorded_at`` are those of ``journal.append``; all raise ``InputError`` as that does. Hypotheses and milestones have their verbs in
their own modules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from incidentnb import times
from incidentnb.exceptions import InputError, Refused
from incidentnb.findings import Finding
from incidentnb.record import folds, incident, journal, lines, moments, words
from incidentnb.record.lines import Entry
from incidentnb.record.moments import Moment

CHANNELS = ("chat", "status page", "stakeholders")
ACTION_TYPES = ("prevent", "detect", "mitigate", "process")
_IC = {"ic", "incident commander", "commander"}
Body = dict[str, Any] | Callable[[list[Entry]], dict[str, Any]]


def note(folder: Path | str, text: str, *, at: Moment | str = None, **who: Any) -> Entry:
    """Record what was seen, thought or done."""
    return journal.append(folder, "note", {"text": words.text(text, "note")}, occurred_at=at, **who)


def retract(folder: Path | str, reference: str | int, reason: str, **who: Any) -> Entry:
    """Take an entry back, with the reason; it stays in the journal. Retracting a retraction gives back what that took."""
    return journal.append(folder, "retraction", {"reason": words.text(reason, "retraction")}, supersedes=reference, **who)


def set_severity(folder: Path | str, severity: str, why: str = "", *, at: Moment | str = None, **who: Any) -> Entry:
    """Record that the severity changed."""
    return journal.append(folder, "severity", {"severity": words.severity(severity), "why": words.text(why)}, occurred_at=at, **who)


def set_status(folder: Path | str, status: str, why: str = "", *, at: Moment | str = None, **who: Any) -> Entry:
    """Record the status: investigating, identified, monitoring or resolved. A closed incident is reopened first."""
    body = {"status": words.one_of(status, words.STATUSES, "status"), "why": words.text(why)}
    return journal.append(folder, "status", _while_open(folder, body), occurred_at=at, **who)


def assign_role(folder: Path | str, role: str, person: str, *, brief: str = "", acknowledged: bool = False, released: bool = False,
                at: Moment | str = None, **who: Any) -> Entry:
    """Give somebody a role, or hand it over with a ``brief``. The taker's own word, or ``acknowledged``, is the acknowledgement.

    There is exactly one IC (``ic``, ``incident commander``) at any instant, so that role is handed over and never ``released``.
    """
    name = " ".join(words.text(role, "role").lower().split())[:60]
    body = {"role": "ic" if name in _IC else name, "person": words.text(person, "role"), "brief": words.text(brief)}
    if released and body["role"] == "ic":
        raise InputError("role ic", "an incident has exactly one IC at any instant", "hand it over: name who takes it")
    return journal.append(folder, "role", body | _flags(acknowledged=acknowledged, released=released), occurred_at=at, **who)


def acknowledge(folder: Path | str, role: str = "ic", *, actor: str | None = None, at: Moment | str = None, **who: Any) -> Entry:
    """The taker's word that a role was handed over to them, and that they have it.

    Raises:
        InputError: nobody holds that role, its holder has acknowledged it, or somebody else says so.
    """
    name = " ".join(words.text(role, "role").lower().split())[:60]
    name = "ic" if name in _IC else name
    me = journal.default_actor() if actor is None else actor

    def body(entries: list[Entry]) -> dict[str, Any]:
        held = [r for r in folds.roles(lines.standing(entries)) if r.role == name and r.end is None]
        if not held:
            raise InputError(f"role {name}", "nobody holds it", f"incidentnb role {name} NAME")
        mine = next((r for r in held if r.person.lower() == me.lower()), None)
        if mine is None:
            raise InputError(f"role {name}", f"{held[-1].person} holds it, and {me} says so", f"--by {held[-1].person}, if that is you")
        said = next((e.body for e in reversed(entries) if e.body.get("acknowledges") == mine.seq), None)
        if said is None and mine.acknowledged_at is not None:
            raise InputError(f"role {name}", f"{mine.person} has had it since {times.at(mine.start)}", "there is nothing to acknowledge")
        return {"role": name, "person": mine.person, "acknowledges": mine.seq}
    return journal.append(folder, "role", body, actor=actor, occurred_at=at, **who)


def mitigate(folder: Path | str, what: str, expected: str = "", undo: str = "", *, command: str = "", at: Moment | str = None,
             **who: Any) -> Entry:
    """Record something done against the impact, the effect that is expected and how to undo it; its id is ``entry.body["id"]`` (M1 …)."""
    body = {"what": words.text(what, "mitigation"), "expected": words.text(expected), "undo": words.text(undo),
            "command": words.text(command)}
    return journal.append(folder, "mitigation", body, occurred_at=at, **who)


def observe(folder: Path | str, mitigation: str, effect: str, *, finding: Finding | str | None = None, undone: bool = False,
            at: Moment | str = None, **who: Any) -> Entry:
    """Record the effect that a mitigation was seen to have, or with ``undone`` that it was taken back.

    A ``finding`` that shows it is kept with its numbers, query and digest of the evidence.
    """
    said = words.text(effect, "effect")
    more = {key: finding.as_json()[key] for key in ("verdict", "numbers", "query", "evidence")} if isinstance(finding, Finding) else {}

    def body(entries: list[Entry]) -> dict[str, Any]:
        shown = finding.id if isinstance(finding, Finding) else finding
        return {"mitigation": _number(entries, "mitigation", mitigation), "effect": said, "finding": shown} | more | _flags(undone=undone)
    return journal.append(folder, "effect", body, occurred_at=at, **who)


def decide(folder: Path | str, decision: str, why: str, *, by: str = "", about: str = "", safe: str = "", at: Moment | str = None,
           **who: Any) -> Entry:
    """Record a decision, why, and who took it (``by``; by default who records it).

    ``about`` names a mitigation; ``safe`` answers whether it is ``safe now`` or ``riskier`` than the incident.
    """
    said = {"decision": words.text(decision, "decision"), "why": words.text(why, "why"), "by": words.text(by),
            "safe": words.one_of(safe, ("safe now", "riskier"), "safe") if safe else ""}

    def body(entries: list[Entry]) -> dict[str, Any]:
        return said | {"about": _number(entries, "mitigation", about) if about else ""}
    return journal.append(folder, "decision", body, occurred_at=at, **who)


def post(folder: Path | str, text: str, *, channel: str = "chat", state: str = "", next_update: str | timedelta | datetime | None = None,
         at: Moment | str = None, recorded_at: datetime | None = None, **who: Any) -> Entry:
    """Record that a message was sent, and when the next one was promised (``10m``, ``in 10 minutes``, a time of day, an instant).

    A post without ``at`` is sent now. Nothing is sent by this.
    """
    recorded = recorded_at or times.now()
    said = {"text": words.text(text, "post"), "channel": " ".join(words.text(channel, "channel").lower().split())[:80],
            "state": words.one_of(state, words.STATUSES, "state") if state else ""}

    def body(entries: list[Entry]) -> dict[str, Any]:
        sent = moments.best(moments.moment(at, lines.zone_of(entries), recorded)) or recorded
        due = moments.promised(next_update, sent, lines.zone_of(entries))
        return said | {"next_update_s": None if due is None else (due - sent).total_seconds()}
    return journal.append(folder, "post", body, occurred_at=recorded if at in (None, "") else at, recorded_at=recorded, **who)


def action(folder: Path | str, text: str, owner: str = "", due: str | date = "", *, type: str = "", at: Moment | str = None,
           **who: Any) -> Entry:
    """Record an action item: what, who owns it, its ISO due date, and whether it is to prevent, detect, mitigate or change process.

    What is not known yet stays blank; the postmortem lists blanks. Its id is ``entry.body["id"]`` (A1 …).
    """
    body = {"text": words.text(text, "action"), "owner": words.text(owner), "due": _day(due),
            "type": words.one_of(type, ACTION_TYPES, "action type") if type else ""}
    return journal.append(folder, "action", body, occurred_at=at, **who)


def finish_action(folder: Path | str, action: str, *, at: Moment | str = None, **who: Any) -> Entry:
    """Record that an action item is done."""
    return journal.append(folder, "action_done", lambda entries: {"action": _number(entries, "action", action)}, occurred_at=at, **who)


def add_sources(folder: Path | str, *, logs: Iterable[str | Path] = (), changes: Iterable[str | Path] = (),
                repos: Iterable[str | Path] = (), zone: str | None = None, **who: Any) -> Entry:
    """Record more that the incident reads, or another zone."""
    if zone:
        times.zone(zone)
    given = {"logs": incident.paths(logs), "changes": incident.paths(changes), "repos": incident.paths(repos), "zone": zone}
    if not any(given.values()):
        raise InputError("sources", "nothing to add", "name logs, change files, checkouts or a zone")
    return journal.append(folder, "sources", {"sources": given}, **who)


def record_finding(folder: Path | str, finding: Finding | dict[str, Any], *, section: str = "", **who: Any) -> Entry:
    """Keep an answer of an analysis, as its ``as_json`` gives it. The same answer of the same evidence is one entry."""
    body = finding.as_json() if isinstance(finding, Finding) else dict(finding)
    if not {"id", "name", "verdict", "sentence"} <= body.keys():
        raise InputError("finding", "not a finding: it has id, name, verdict and sentence")
    return journal.append(folder, "finding", body | ({"section": section} if section else {}), **who)


def record_run(folder: Path | str, run: dict[str, Any], *, at: Moment | str = None, **who: Any) -> Entry:
    """Keep the record of an executed notebook: a plain object with what was run, when, and the truth about each section."""
    return journal.append(folder, "run", run, occurred_at=at, **who)


def record_export(folder: Path | str, export: dict[str, Any], *, at: Moment | str = None, **who: Any) -> Entry:
    """Keep what was exported: a plain object with the path, its digest and the journal head that it was made of."""
    return journal.append(folder, "export", export, occurred_at=at, **who)


def section_failed(folder: Path | str, section: str, reason: str, *, run: str = "", at: Moment | str = None, **who: Any) -> Entry:
    """Record that a section of the notebook could not be computed, and why, in one line."""
    body = {"section": words.text(section, "section"), "reason": " ".join(words.text(reason, "reason").split()), "run": run}
    return journal.append(folder, "section_failed", body, occurred_at=at, **who)


def duty(folder: Path | str, duty: str, state: str, reason: str = "", *, at: Moment | str = None, **who: Any) -> Entry:
    """Give one's word on a duty of the runbook: ``done``, ``skipped`` (with the reason) or ``not applicable`` (with the reason)."""
    from incidentnb.record import runbook

    known = [item.id for item in runbook.book_of(folder).duties]
    if duty not in known:
        raise InputError(f"duty {str(duty)[:60]}", "no such duty in the runbook", lines.nearest(str(duty), known))
    word = words.one_of(state, ("done", "skipped", "not applicable"), "duty")
    return journal.append(folder, "duty", {"duty": duty, "state": word, "reason": words.text(reason, "" if word == "done" else "reason")},
                          occurred_at=at, **who)


def schedule_postmortem(folder: Path | str, when: str | date | datetime, *, owner: str = "", at: Moment | str = None, **who: Any) -> Entry:
    """Record the day on which the postmortem is held, and who holds it."""
    day = _day(when) or words.text("", "postmortem")
    return journal.append(folder, "postmortem", {"date": day, "owner": words.text(owner)}, occurred_at=at, **who)


def close(folder: Path | str, reason: str, *, false_alarm: bool = False, override: str = "", at: Moment | str = None,
          recorded_at: datetime | None = None, **who: Any) -> Entry:
    """Close the incident, with a reason. A false alarm is closed with its reason and owes nothing else.

    Raises:
        Refused: a duty that closing waits for is open (each is named by its id); ``override`` gives the reason for closing all the same.
    """
    from incidentnb.record import runbook

    said = {"reason": words.text(reason, "reason"), "override": words.text(override)} | _flags(false_alarm=false_alarm)
    now = recorded_at or times.now()
    state = incident.load(folder)
    waiting = () if false_alarm or said["override"] or state.closed else runbook.blockers(state, now)
    if waiting:
        raise Refused(state.id, f"not closed: {'; '.join(f'{item.id}: {item.what}' for item in waiting)}",
                      "do or skip these, or override with a reason")
    return journal.append(folder, "closed", said, occurred_at=at, recorded_at=now, **who)


def reopen(folder: Path | str, reason: str, *, at: Moment | str = None, **who: Any) -> Entry:
    """Reopen a closed or resolved incident, with the reason. It is being investigated again."""
    said = words.text(reason, "reason")
    state = incident.load(folder)
    if state.closed is None and state.status != "resolved" and not (state.reopened and state.reopened[-1].body.get("reason") == said):
        raise InputError(state.id, "is neither closed nor resolved", "there is nothing to reopen")
    return journal.append(folder, "reopened", {"reason": said}, occurred_at=at, **who)


def _while_open(folder: Path | str, body: dict[str, Any]) -> Body:
    def checked(entries: list[Entry]) -> dict[str, Any]:
        gates = [e for e in lines.in_time(lines.standing(entries)) if e.kind in ("closed", "reopened")]
        now = [e.body.get("status") for e in lines.in_time(lines.standing(entries)) if e.kind == "status"]
        if gates and gates[-1].kind == "closed" and now[-1:] != [body["status"]]:
            raise InputError(str(folder), f"the incident was closed by #{gates[-1].seq}", "incidentnb reopen first")
        return body
    return checked


def _number(entries: list[Entry], kind: str, reference: str) -> str:
    names = [str(e.body.get("id")) for e in lines.standing(entries) if e.kind == kind]
    text = str(reference).strip().upper()
    for name in names:
        if text in (name, name[1:]):
            return name
    raise InputError(f"{kind} {text[:60]}", "none of this number", lines.nearest(text, names))


def _day(value: str | date) -> str:
    if isinstance(value, date):
        return value.isoformat()[:10]
    text = words.text(value)
    if not text:
        return ""
    try:
        return date.fromisoformat(text[:10]).isoformat() if len(text) == 10 else times.parse(text).date().isoformat()
    except ValueError:
        raise InputError(text[:40], "not a date", "write 2026-11-30") from None


def _flags(**given: bool) -> dict[str, bool]:
    return {name: True for name, value in given.items() if value}
