"""What the record has to say in a postmortem: facts by key, each with the entries that it rests on; the template words them.

Each group reads a few kinds of entries and nothing else (``reliance.told``). What a sentence prints is what its fact holds, no more, so
that a fact changes exactly where its sentence does. ``blank.…`` holds something while a thing is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from pathlib import PurePath
from typing import Any

from incidentnb.publish import timeline
from incidentnb.publish.review import reliance
from incidentnb.publish.review.reliance import Told
from incidentnb.record import folds, hypotheses, lines, milestones, moments, pointers
from incidentnb.record.incident import Incident
from incidentnb.record.lines import Entry

Said = dict[str, dict[str, Any]]
_ENDS = ("opened", "status", "milestone", "closed", "reopened")  # what begins and ends the going on
_NOT_THE_PEOPLES = {"run", "export", "sources", "section_failed"}
_ELSEWHERE = {"action", "action_done", "postmortem", "section_failed"}  # these have a section of their own, or are the appendix's
_OBSERVED = {"note", "milestone", "mitigation", "effect", "role"}  # these happen apart from being said; a verdict does not
_NOTEBOOK = "incidentnb"  # who records what a run of the notebook saw
_IMPACT = ("onset", "volume", "latency", "scope", "users", "routes", "patterns")
_NO_IMPACT = {"no drop", "no change", "no spike"}


def facts(incident: Incident) -> dict[str, Told]:
    """Every fact of a postmortem, by key: ``opened``, ``metric.TTD``, ``severity.12``, ``action.A1``, ``event.note-3f2a9c01d4`` …"""
    entries = _thinned(incident.entries)
    as_of, last = _last_word(incident)
    found: dict[str, Told] = {}
    for kinds, group in _groups(as_of, incident.zone):
        found |= reliance.told(group, entries, kinds)
    found |= {event.key: event for event in _events(incident.entries)}
    found["last"] = _made_of(incident)
    return {key: replace(one, rests_on=tuple(dict.fromkeys([*one.rests_on, *last]))) if one.said.get("running") else one
            for key, one in found.items()}


def of(found: Mapping[str, Told], prefix: str) -> list[Told]:
    """The facts of a prefix that have something to say, in the order in which their group gave them."""
    return [one for key, one in found.items() if key.startswith(f"{prefix}.") and one]


def _groups(as_of: datetime, zone: tzinfo) -> list[tuple[tuple[str, ...], Callable[[Sequence[Entry]], Said]]]:
    return [
        (("opened",), _opened),
        (("opened", "role"), _commanders),
        (("milestone", "status", "reopened", "finding"), _milestones),
        ((*_ENDS, "severity"), lambda entries: _severities(entries, as_of)),
        ((*_ENDS, "finding"), lambda entries: _span(entries, as_of, zone)),
        (("hypothesis", "evidence", "verdict"), _ledger),
        (("mitigation", "effect", "decision"), _mitigations),
        ((*_ENDS, "post"), lambda entries: _communication(entries, as_of)),
        (("action", "action_done"), _actions),
        (("finding",), _findings),
        (("export",), _appendix),
        (("postmortem", "duty"), _planned),
    ]


def _made_of(incident: Incident) -> Told:
    """How far the record had come; exports are left out, since this document is one."""
    last = [e for e in incident.entries if e.kind != "export"][-1]
    return Told("last", {"entry": last.seq, "sum": last.sum[:16]}, (last.id,))


def _thinned(entries: Sequence[Entry]) -> list[Entry]:
    """The entries without findings that were answered anew twice or more: whatever is left out, these never speak."""
    touched = {e.supersedes for e in entries}
    later: dict[str, int] = {}
    kept = []
    for entry in reversed(entries):
        if entry.kind == "finding" and not entry.supersedes and entry.id not in touched:
            name = str(entry.body.get("name"))
            later[name] = later.get(name, 0) + 1
            if later[name] > 2:
                continue
        kept.append(entry)
    return kept[::-1]


def _last_word(incident: Incident) -> tuple[datetime, list[str]]:
    """As of when the document speaks of what still goes on, and the entry that says so, where one alone does."""
    if incident.as_of is not None:
        return incident.as_of, []
    spoken = [e for e in incident.standing if e.kind not in _NOT_THE_PEOPLES]
    latest = max(e.recorded_at for e in spoken)
    last = [e.id for e in spoken if e.recorded_at == latest and e.kind != "opened"]
    return latest, last if len(last) == 1 else []


def _opened(entries: Sequence[Entry]) -> Said:
    entry = next(e for e in lines.standing(entries) if e.kind == "opened")
    return {"opened": {"title": str(entry.body.get("title", "")), "at": entry.at, "by": entry.actor, "entry": entry.seq}}


def _commanders(entries: Sequence[Entry]) -> Said:
    return {f"commander.{n}": {"person": role.person, "start": role.start, "end": role.end, "entry": role.seq}
            for n, role in enumerate(r for r in folds.roles(lines.standing(entries)) if r.role == "ic")}


def _milestones(entries: Sequence[Entry]) -> Said:
    found = milestones.milestones(entries)
    said: Said = {}
    for name, metric in milestones.metrics(found).items():
        least, most = metric.bounds or (None, None)
        said[f"metric.{name}"] = {
            "name": name, "value": metric.value, "start": metric.start.at, "end": metric.end.at, "from": metric.start.name,
            "to": metric.end.name, "least": least, "most": most, "problem": metric.problem.replace("#", "entry "),
            "provenance": [one.provenance.replace("entry #", "entry ") for one in (metric.start, metric.end) if one.moment is not None]}
        said[f"length.{name}"] = {"value": metric.value}
    for name, one in found.items():
        said[f"blank.{name}"] = {"milestone": name} if one.moment is None else {}
        said[f"passed.{name}"] = {"at": one.at} if one.moment is not None else {}
    return said


def _severities(entries: Sequence[Entry], as_of: datetime) -> Said:
    standing = lines.standing(entries)
    parts, spans = folds.severities(standing), folds.active(standing)
    until = max(end or as_of for _, end in spans)
    spent = folds.time_in(parts, spans, as_of)
    running = any(end is None for _, end in spans)
    said: Said = {"peak": {"severity": min(spent), "spent": spent, "running": running}, "grave": {"yes": True} if min(spent) < "SEV-3" else {}}
    for n, part in enumerate(parts):
        end = min(part.end or until, max(until, part.start))
        here = folds.time_in([part], spans, as_of)[part.value]
        said[f"severity.{n}"] = {"severity": part.value, "start": part.start, "end": end, "spent": here, "by": part.actor, "entry": part.seq,
                                 "running": part.end is None and running}
    return said


def _span(entries: Sequence[Entry], as_of: datetime, zone: tzinfo) -> Said:
    """From when to when impact lasted, and where it ended and began again, the stretches in which it was going on."""
    found, standing = milestones.milestones(entries), lines.standing(entries)
    spans = folds.active(standing)
    start, end = found["started"].at, found["resolved"].at
    going = end is None and spans[-1][1] is None
    last = end or spans[-1][1] or as_of
    said: Said = {"span": {"start": start or spans[0][0], "end": last, "length": last - (start or spans[0][0]), "from": "started" if start
                           else "opened", "to": "resolved" if end else "as of the last entry" if going else "closed", "running": going}}
    began = (start or spans[0][0]).astimezone(zone)
    elsewhere = f"{began:%Y-%m-%d} ({zone})" if began.date() != (start or spans[0][0]).date() else ""
    said["day"] = {"date": f"{start or spans[0][0]:%Y-%m-%d}", "local": elsewhere}
    if len(spans) > 1:
        total = sum(((stop or as_of) - begin for begin, stop in spans), timedelta(0))
        said["stretches"] = {"spans": [(begin, stop or as_of) for begin, stop in spans], "total": total, "running": going}
    for n, entry in enumerate(e for e in lines.in_time(standing) if e.kind == "reopened"):
        said[f"reopened.{n}"] = {"at": entry.at, "by": entry.actor, "reason": str(entry.body.get("reason", "")), "entry": entry.seq}
    return said


def _ledger(entries: Sequence[Entry]) -> Said:
    ledger = hypotheses.hypotheses(entries)
    claim, why_not = hypotheses.root_cause(ledger), hypotheses.why_not(ledger)
    cause = next((h for h in ledger if h.state == "supported"), None) if not why_not else None
    said: Said = {"cause": {"why_not": why_not, "established": not why_not, "claim": claim}, "blank.cause": {"why": why_not} if why_not else {}}
    if cause is not None:
        last = cause.history[-1]
        said["root_cause"] = {"id": cause.id, "claim": claim, "at": last.at, "by": last.actor, "why": cause.why,
                              "entries": sorted({cause.seq, last.seq})}
        if cause.prediction or cause.disproof:
            said["test_of_cause"] = {"prediction": cause.prediction, "disproof": cause.disproof}
    for h in ledger:
        if h is not cause:
            last = h.history[-1]
            said[f"hypothesis.{h.id}"] = {"id": h.id, "claim": h.claim, "state": h.state, "why": h.why, "by": last.actor, "at": last.at,
                                          "entries": sorted({h.seq, last.seq})}
        for piece in sorted([*h.evidence_for, *h.evidence_against], key=lambda piece: (piece.at, piece.seq)):
            at = "proof" if h is cause else f"piece.{h.id}"
            said[f"{at}.{piece.seq}"] = {"of": h.id, "direction": piece.direction, "text": piece.text, "points_at": points_at(piece.pointer),
                                         "entry": piece.seq}
    return said


def _mitigations(entries: Sequence[Entry]) -> Said:
    standing = lines.standing(entries)
    done, said = folds.mitigations(standing), {}
    seqs: dict[str, list[int]] = {}
    for e in standing:
        if e.kind == "effect":
            seqs.setdefault(str(e.body.get("mitigation")), []).append(e.seq)
    for m in done:
        said[f"mitigation.{m.id}"] = {
            "id": m.id, "what": m.what, "at": m.at, "by": m.actor, "expected": m.expected, "undo": m.undo,
            "effects": [{"at": seen["at"], "effect": seen["effect"], "undone": seen["undone"]} for seen in m.effects],
            "entries": [m.seq, *seqs.get(m.id, [])]}
        said[f"blank.{m.id}"] = {"id": m.id, "missing": missing} if (missing := [name for name, value in (
            ("the expected effect", m.expected), ("the observed effect", m.effects), ("how to undo it", m.undo)) if not value]) else {}
    for d in folds.decisions(standing):
        said[f"decision.{d.id}"] = {"id": d.id, "decision": d.decision, "why": d.why, "by": d.by, "safe": d.safe, "about": d.about, "at": d.at,
                                    "entry": d.seq}
    standing_ones = [m for m in done if m.undone_at is None]
    said["mitigated_by"] = {"id": standing_ones[-1].id, "what": standing_ones[-1].what} if standing_ones else {}
    said["blank.mitigations"] = {} if done else {"missing": True}
    return said


def _communication(entries: Sequence[Entry], as_of: datetime) -> Said:
    standing, said = lines.standing(entries), {}
    for post in folds.posts(standing):
        if post.due is not None:
            fate = post.promise(as_of)
            ended = post.ended_at if fate == "void" else None
            late = post.late_by(as_of)
            said[f"promise.{post.seq}"] = {"channel": post.channel, "at": post.at, "by": post.actor, "due": post.due, "fate": fate,
                                           "answered_at": post.answered_at, "ended_at": ended, "late_by": late, "entry": post.seq,
                                           "running": fate == "running" or (fate == "broken" and post.answered_at is None)}
        if post.channel == "stakeholders":
            said[f"stakeholders.{post.seq}"] = {"at": post.at, "by": post.actor, "text": post.text, "entry": post.seq}
    told = {channel: any(post.channel == channel for post in folds.posts(standing)) for channel in ("status page", "stakeholders")}
    said |= {f"blank.told {channel}": {} if done else {"channel": channel} for channel, done in told.items()}
    said["blank.told"] = {"missing": True} if not folds.posts(standing) else {}
    return said


def _actions(entries: Sequence[Entry]) -> Said:
    standing = lines.standing(entries)
    said: Said = {}
    for a in folds.actions(standing):
        done = next((e.seq for e in reversed(standing) if e.kind == "action_done" and e.body.get("action") == a.id), None)
        said[f"action.{a.id}"] = {"id": a.id, "text": a.text, "owner": a.owner, "due": a.due, "type": a.type, "done_at": a.done_at,
                                  "entries": [a.seq, *([done] if done else [])]}
        missing = [name for name, value in (("owner", a.owner), ("due date", a.due), ("kind", a.type)) if not value]
        said[f"blank.{a.id}"] = {"id": a.id, "missing": missing} if missing else {}
    said["blank.actions"] = {} if folds.actions(standing) else {"missing": True}
    return said


def _findings(entries: Sequence[Entry]) -> Said:
    last = {str(e.body.get("name")): e for e in lines.standing(entries)}
    said: Said = {}
    for name in _IMPACT:
        entry = last.get(name)
        if entry is not None and (entry.body.get("verdict") not in _NO_IMPACT):
            said[f"finding.{name}"] = {"sentence": str(entry.body.get("sentence", "")), "id": entry.body.get("id"), "entry": entry.seq,
                                       "why": str(entry.body.get("why", "")) if name in ("onset", "volume", "latency") else ""}
    numbers = {name: _mapping(last[name].body.get("numbers")) if name in last else {} for name in ("onset", "users", "scope", "suspects")}
    failed, hit = _mapping(numbers["onset"].get("rate")), numbers["users"]
    causes = [one.get("where") or {} for one in numbers["scope"].get("subsets") or () if one.get("cause")]
    said["impact"] = {
        **({"before": failed["baseline"], "during": failed["during"]} if None not in (failed.get("baseline"), failed.get("during")) else {}),
        **({"affected": hit["affected"], "users": hit["total"], "by": str(hit.get("by", "user"))} if hit.get("affected") else {}),
        **({"where": [", ".join(f"{k} {v}" for k, v in where.items()) for where in causes]} if causes else {})}
    for what, names in (("requests", ("onset", "volume", "latency")), ("scope", ("scope",)), ("users", ("users",))):
        known = any(name in last and last[name].body.get("verdict") != "cannot tell" for name in names)
        said[f"blank.{what}"] = {} if known else {"missing": True}
    for change in numbers["suspects"].get("changes") or ():
        at = _instant(change.get("at"))
        if change.get("strength") != "weak" and change.get("rank") and at is not None:
            row = timeline.change_event({**change, "at": at})
            said[f"change.{change.get('id')}"] = {
                "at": at, "latest": None, "what": row["what"], "who": "", "recorded_at": None, "late": None,  # its author is no part of it
                "evidence": [f"entry {last['suspects'].seq}, {last['suspects'].body.get('id')}", *([row["evidence"]] if row["evidence"] else [])]}
    return said


def _appendix(entries: Sequence[Entry]) -> Said:
    made = {str(e.body.get("path")): e.seq for e in lines.standing(entries) if e.body.get("document", "appendix") == "appendix"}
    paths = [path for path in made if PurePath(path).stem == "appendix"]
    return {"appendix": {"paths": [PurePath(path).name for path in paths]} if paths else {},
            "blank.appendix": {} if paths else {"missing": True}}


def _planned(entries: Sequence[Entry]) -> Said:
    """The day of the review: as an entry of its own, or as the word on that duty of the runbook."""
    said: Said = {"planned": {}, "blank.planned": {"missing": True}}
    for e in lines.standing(entries):
        on_duty = e.kind == "duty" and e.body.get("duty") == "postmortem-date" and e.body.get("state") == "done" and e.body.get("reason")
        if e.kind == "postmortem" or on_duty:
            said = {"planned": {"date": str(e.body.get("date") or e.body.get("reason")), "owner": str(e.body.get("owner", "")), "entry": e.seq},
                    "blank.planned": {}}
    return said


def _events(entries: Sequence[Entry]) -> list[Told]:
    """The timeline: what happened, in order; what is said twice in the record (a post and its status) stands once."""
    by_seq = {e.seq: e for e in entries}
    standing = lines.standing(entries)
    found = []
    for row in timeline.events(entries):
        entry = by_seq[row["seq"]]
        if entry.kind in _ELSEWHERE or (entry.kind == row["kind"] == "finding"):
            continue
        key = f"event.{_origin(entry)}" + (f".{row['what']}" if entry.kind == "finding" else "")
        twins = [e for e in standing if _says_too(e, entry)]
        if twins:
            found.append(Told(key, {}, (twins[0].id,) if len(twins) == 1 else ()))
            continue
        ours = entry.kind == "finding" or entry.actor == _NOTEBOOK  # recorded by a run, whenever that was
        late = row["recorded_at"] if entry.occurred_at and not ours and (row["recorded_at"] - row["at"]).total_seconds() > timeline.LATE_S else None
        pointer = entry.body.get("pointer")
        evidence = [f"entry {entry.seq}{' (a correction)' if entry.supersedes else ''}"]
        evidence += [str(entry.body.get("id"))] if entry.kind == "finding" else []
        evidence += [spelled] if isinstance(pointer, Mapping) and (spelled := points_at(pointer)) else []
        found.append(Told(key, {
            "at": row["at"] if entry.occurred_at or entry.kind not in _OBSERVED else None, "latest": row["latest"], "what": row["what"],
            "who": "" if entry.kind == "finding" else row["actor"], "recorded_at": row["recorded_at"],
            "late": late, "evidence": evidence, "sort": row["at"]}, (entry.id,)))
    return found


def events(found: Mapping[str, Told]) -> list[Told]:
    """The rows of the timeline with the changes among them, in order."""
    return sorted([*of(found, "event"), *of(found, "change")], key=lambda one: one.said.get("sort") or one["at"])


def points_at(pointer: Mapping[str, Any]) -> str:
    """What bears a piece of evidence, in one line; a path tells nothing of the machine but its last folder."""
    shown = dict(pointer)
    for name in ("file", "path"):
        if name in shown and PurePath(str(shown[name])).is_absolute():
            shown[name] = "/".join(PurePath(str(shown[name])).parts[-2:])
    return pointers.spell(shown)


def _origin(entry: Entry) -> str:
    """The id that a statement and all its corrections have in common as far as this entry knows it."""
    return entry.supersedes or entry.id


def _says_too(other: Entry, entry: Entry) -> bool:
    """Whether another entry tells what this one does, and more: a post its status, a milestone the status resolved, evidence its note."""
    if entry.kind == "status" and (other.at, other.actor) == (entry.at, entry.actor):
        state = entry.body.get("status")
        return (other.kind == "post" and other.body.get("state") == state) or (
            other.kind == "milestone" and other.body.get("milestone") == state)
    pointer = other.body.get("pointer") or {}
    return entry.kind == "note" and other.kind == "evidence" and pointer.get("id") == entry.id and other.body.get("text") == entry.body.get("text")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _instant(value: Any) -> datetime | None:
    try:
        return moments.best(moments.from_json(value))
    except (ValueError, TypeError):
        return None
