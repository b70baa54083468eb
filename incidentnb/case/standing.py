"""Where the incident stands, as findings: what was read, and what the record says by now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from incidentnb import times
from incidentnb.case import options as room
from incidentnb.findings import CANNOT_TELL, Finding

ITSELF = "incidentnb"  # who says what the notebook found

if TYPE_CHECKING:
    from incidentnb.evidence.changes import Change
    from incidentnb.evidence.table import LogTable
    from incidentnb.record.incident import Incident
    from incidentnb.record.lines import Entry
    from incidentnb.record.predictions import Result
    from incidentnb.times import Interval


def reading(log: LogTable) -> Finding:
    """What was read: per file its lines = parsed + continuation + rejected, its format, its span, its zone and how that is known.

    Returns:
        Verdict ``read``, or ``cannot tell`` where no line has a time. Numbers ``files``, ``lines``, ``parsed``, ``continuation``,
        ``rejected``. Frame ``file``, ``format``, ``lines``, ``parsed``, ``continuation``, ``rejected``, ``first``, ``last``, ``zone``.
    """
    import pandas as pd

    inputs = log.inputs
    count = {name: sum(int(entry.get(name) or 0) for entry in inputs) for name in ("lines", "parsed", "continuation", "rejected")}
    files = "1 file" if len(inputs) == 1 else f"{len(inputs):,} files"
    sentence = (f"{files}, {count['lines']:,} lines = {count['parsed']:,} parsed + {count['continuation']:,} continuation + "
                f"{count['rejected']:,} rejected.")
    if not count["parsed"]:
        sentence = f"No log lines read: {sentence}"
    frame = pd.DataFrame([{
        "file": str(entry.get("path", "")).rsplit("/", 1)[-1], "format": entry.get("format"), "lines": entry.get("lines"),
        "parsed": entry.get("parsed"), "continuation": entry.get("continuation"), "rejected": entry.get("rejected"),
        "first": _instant(entry.get("first")), "last": _instant(entry.get("last")),
        "zone": f"{entry.get('zone') or 'unknown'} ({entry.get('zone_source') or 'not told'})"} for entry in inputs])
    notes = [warning.replace(str(entry.get("path", "")), str(entry.get("path", "")).rsplit("/", 1)[-1])  # a page that is shared names no folders
             for entry in inputs for warning in entry.get("warnings") or ()]
    if count["rejected"]:
        notes.append("Rejected lines are kept with file, line and reason in evidence/rejects.jsonl.")
    if log.as_of is not None:
        notes.append(f"A replay: records after {times.at(log.as_of)} are not seen below.")
    span = log.span
    window = f"From {times.at(span.start)} to {times.at(span.end)}." if span else "No record has a time."
    return Finding("reading", "read" if span else CANNOT_TELL, sentence, window, {"files": len(inputs), **count}, frame,
                   evidence=log.digest, notes=tuple(notes[:20]))


def with_look(finding: Finding, onset: Finding, since: datetime | None, usual: timedelta, warnings: Sequence[str]) -> Finding:
    """The ranked changes, with a note of how far back was looked and of what could not be read."""
    from dataclasses import replace

    notes = [*finding.notes]
    interval = onset.numbers.get("onset") if isinstance(onset, Finding) else None
    if since is not None:
        back = interval.earliest - since if interval else None
        wider = f"; nothing changed in the {times.spell(usual)} before it" if back and back > usual else ""
        how_far = f" {times.spell(back)} before the onset" if back else ""
        notes.append(f"Looked back{how_far} to {times.at(since)}{wider}.")
    return replace(finding, notes=(*notes, *warnings))


def hypotheses(entries: Sequence[Entry], results: Mapping[str, Result] | None = None) -> Finding:
    """The ledger of hypotheses: how many stand where, and whether a root cause is established. Frame as ``hypotheses.ledger_frame``.

    ``results`` are what the checks came to just now, by number.
    """
    from incidentnb.record import hypotheses as ledger_room

    ledger = ledger_room.hypotheses(entries)
    cause, missing = ledger_room.root_cause(ledger), ledger_room.why_not(ledger)
    states: dict[str, int] = {}
    for one in ledger:
        states[one.state] = states.get(one.state, 0) + 1
    tally = ", ".join(f"{n} {state}" for state, n in states.items())
    sentence = f"The root cause is not established: {missing}." if missing else f"Root cause, as supported: {cause}"
    frame = ledger_room.ledger_frame(ledger) if ledger else None
    notes = []
    for place, one in enumerate(ledger):
        if one.check is not None and (now := (results or {}).get(one.id)):
            frame.loc[place, "check"] = f"{one.check.text} → {now.result}: {now.why}"
            if now.result == "failed":
                notes.append(f"The check of {one.id} fails, which speaks against it; it is {one.state} all the same until somebody says otherwise.")
    return Finding("hypotheses", ledger_room.NOT_ESTABLISHED if missing else "established", sentence,
                   f"{len(ledger)} on the ledger: {tally}" if ledger else "", {"states": states}, frame, notes=tuple(notes))


def milestones(entries: Sequence[Entry]) -> Finding:
    """The five milestones with their provenance, and TTD, TTA, TTM, TTR each with its from and to.

    Returns:
        Frame ``what``, ``value``, ``from``; the milestones first, then the times between them. Missing is ``not recorded``.
    """
    import pandas as pd

    from incidentnb.record import milestones as room

    passed = room.milestones(entries)
    metrics = room.metrics(passed)
    rows = [{"what": f"{name}_at", "value": one.text(), "from": one.provenance if one.moment else ""} for name, one in passed.items()]
    rows += [{"what": name, "value": times.spell(metric.value), "from": metric.text().removeprefix(f"{name} ") if metric.value is not None
              else metric.problem} for name, metric in metrics.items()]
    known = [metric.text().split(" (")[0] for metric in metrics.values() if metric.value is not None]
    missing = [f"{name}_at" for name, one in passed.items() if one.moment is None]
    return Finding("milestones", "recorded" if not missing else "recorded in part",
                   f"{', '.join(known)}." if known else "No time between two milestones is known yet.",
                   f"not recorded: {', '.join(missing)}" if missing else "", {name: one.moment for name, one in passed.items()},
                   pd.DataFrame(rows))


def standing(incident: Incident) -> Finding:
    """Title, severity, status and commander by now, in one sentence; frame of the spans of severity, status and command."""
    import pandas as pd

    closed = f"closed {times.at(incident.closed.at)}" if incident.closed else incident.status
    sentence = f"{incident.title}: {incident.severity}, {closed}, commander {incident.ic}, opened {times.at(incident.opened_at)}."
    rows = [{"what": kind, "value": part.value, "from": part.start, "until": part.end, "by": part.actor}
            for kind, parts in (("severity", incident.severities), ("status", incident.statuses)) for part in parts]
    rows += [{"what": role.role, "value": role.person, "from": role.start, "until": role.end, "by": role.actor} for role in incident.roles]
    why = f"as known at {times.at(incident.as_of)}" if incident.as_of else ""
    numbers = {"severity": incident.severity, "status": incident.status, "ic": incident.ic}
    return Finding("standing", incident.status, sentence, why, numbers, pd.DataFrame(rows, dtype=object))


def mitigations(incident: Incident, suspects: Finding | str, changes: Sequence[Change], effects: Mapping[str, Finding] | None = None) -> Finding:
    """What was done against the impact and what came of it; then what could be undone among the changes that rank highest.

    Args:
        incident: whose record tells what was done.
        suspects: the ranked changes, or why there are none.
        changes: all of them.
        effects: what the data show after each, by its number (``analysis.effect``).

    Returns:
        Frame ``state`` (``done``, ``undone``, ``option``), ``what``, ``how`` (to undo it, or the command; never run), ``note`` (what to know
        first), ``expected``, ``effect`` (as people saw it, then as the data show it).
    """
    import pandas as pd

    rows = []
    for one in incident.mitigations:
        shown = (effects or {}).get(one.id)
        seen = [effect["effect"] for effect in one.effects if shown is None or effect["actor"] != ITSELF]
        rows.append({"state": "undone" if one.undone_at else "done", "what": f"{one.id} {one.what}", "how": one.command or one.undo, "note": "",
                     "expected": one.expected, "effect": "; ".join([*seen, *([shown.sentence] if shown else [])])})
    options = room.options_of(suspects, changes)
    done, rows = len(rows), rows + options
    first = f" The nearest at hand: {options[0]['what']}." if options else ""
    sentence = f"{done} recorded, {len(options)} to consider.{first}" if rows else "None is recorded, and no ranked change offers one."
    why = suspects if isinstance(suspects, str) else "a candidate is not a cause: undo what a hypothesis speaks for" if options else ""
    notes = tuple(f"{number}: {note}" for number, found in (effects or {}).items() for note in (*found.notes, *([found.why] if found.why else ())))
    return Finding("mitigations", f"{done} recorded", sentence, why, {"options": options}, pd.DataFrame(rows) if rows else None, notes=notes)


def duties(incident: Incident, now: datetime) -> Finding:
    """The duties of the runbook that are due, late or open at ``now``; frame ``state``, ``duty``, ``until``, ``how``, late ones first."""
    import pandas as pd

    from incidentnb.record import runbook

    found = [duty for duty in runbook.duties(incident, now) if duty.state != "not applicable"]
    left = sorted((duty for duty in found if duty.state in ("due", "late")), key=lambda duty: duty.state != "late")
    late = sum(duty.state == "late" for duty in left)
    sentence = f"{len(left)} of {len(found)} duties are open, {late} of them late."
    frame = pd.DataFrame([{"state": duty.state, "duty": duty.what, "until": duty.due, "how": duty.verb} for duty in left], dtype=object)
    return Finding("duties", "open" if left else "done", sentence if left else "Nothing that the runbook asks for is open.", "",
                   {"open": len(left), "late": late, "closing_waits_for": [duty.id for duty in left if duty.gate]}, frame)


def timeline(entries: Sequence[Entry], changes: Sequence[Change], findings: Sequence[Finding], onset: Interval | None = None,
             end: Interval | None = None, zone: tzinfo | None = None) -> Finding:
    """Entries, changes and findings in the order in which they happened, as ``publish.timeline`` tells it."""
    from incidentnb.evidence.changes import changes_frame
    from incidentnb.publish import timeline as room

    return room.timeline_finding(room.timeline(entries, changes_frame(changes), findings), onset, end, zone)


def _instant(text: str | None) -> datetime | None:
    return times.parse(text) if text else None
