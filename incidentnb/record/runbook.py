"""The runbook as data, and what of it is done, due, late, skipped or not applicable in an incident."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from incidentnb.exceptions import InputError
from incidentnb.record import checks, clocks, lines, team, toml_lines
from incidentnb.record.clocks import Calendar, Clock
from incidentnb.record.incident import Incident
from incidentnb.record.lines import Entry

FILE = Path(__file__).with_name("runbook.toml")
PHASES = ("detection", "investigation", "mitigation", "resolution", "postmortem")


@dataclass(frozen=True)
class Line:
    """One duty as the data file has it; the file says what each field means."""

    id: str
    phase: str
    what: str
    severities: tuple[int, ...] = (1, 2, 3, 4)
    peak: bool = False
    when: tuple[dict[str, Any], ...] = ()
    clock: str | dict[str, Any] | None = None
    evidence: tuple[dict[str, Any], ...] = ()
    check: str = ""
    again: bool = False
    gate: bool = False
    optional: bool = False
    verb: str = ""
    section: str = ""
    module: str = ""


@dataclass(frozen=True)
class Rules:
    """The whole runbook: ``duties``, the ``rules`` that the product keeps by itself, the ``response`` clocks and the ``calendar``."""

    duties: tuple[Line, ...]
    rules: tuple[dict[str, Any], ...]
    response: dict[str, dict[str, Any]]
    calendar: Calendar


@dataclass(frozen=True)
class Duty:
    """What became of a line of the runbook in an incident.

    Attributes:
        id, phase, what, verb, section, gate: as the line has them.
        state: ``done``, ``due``, ``late``, ``skipped`` or ``not applicable``.
        by, at, seq: who did or skipped it, when, and in which entry.
        due: until when it is or was owed; ``None`` without a clock.
        clock: ``met``, ``missed`` or ``running``; empty without a clock.
        reason: why it was skipped or does not apply, or what is missing.
    """

    id: str
    phase: str
    what: str
    verb: str
    section: str
    gate: bool
    state: str
    by: str = ""
    at: datetime | None = None
    seq: int | None = None
    due: datetime | None = None
    clock: str = ""
    reason: str = ""


def rules(path: Path | str = FILE) -> Rules:
    """Read the runbook's data.

    Raises:
        InputError: the file is not there, is not TOML (file:line), or has a field, phase or check that is none.
    """
    path = Path(path)
    data, at = toml_lines.read(path, team.shown(path))
    place = {index: f"{team.shown(path)}:{at.get(('duty', index), 1)}" for index in range(len(data.get("duty", ())))}
    try:
        days = clocks.calendar(data.get("calendar"))
    except InputError as error:
        raise InputError(f"{team.shown(path)}:{at.get(('calendar',), 1)}", f"{error.where}: {error.what}", error.do) from None
    if not all(isinstance(item, dict) for item in data.get("duty", ())) or not isinstance(data.get("duty", []), list):
        raise InputError(team.shown(path), "duty is no list of tables", "write [[duty]] before each")
    duties = tuple(_line(item, place[index]) for index, item in enumerate(data.get("duty", ())))
    for name, clock in dict(data.get("response", {})).items():
        _clock(clock, f"{team.shown(path)}:{at.get(('response', name), 1)}: response {name}")
    doubled = {duty.id for duty in duties if sum(other.id == duty.id for other in duties) > 1}
    if doubled:
        raise InputError(str(path), f"two duties of one id: {min(doubled)}")
    return Rules(duties, tuple(data.get("rule", ())), dict(data.get("response", {})), days)


def book_of(folder: Path | str) -> Rules:
    """The runbook that an incident folder is judged by: the team's own data and calendar where its team file names them (``team.load``).

    Raises:
        InputError: the team file, or the runbook that it names, is wrong (file:line).
    """
    found = team.load(folder, Path.cwd())
    book = rules(found.runbook or FILE)
    return replace(book, calendar=found.calendar) if found.calendar else book


def duties(incident: Incident, now: datetime, *, book: Rules | None = None, calendar: Calendar | None = None) -> tuple[Duty, ...]:
    """Every line of the runbook for this incident at ``now``, in the order of the data file."""
    book = book or book_of(incident.folder)
    days = calendar or book.calendar
    return tuple(_judge(line, incident, now, book, days) for line in book.duties)


def blockers(incident: Incident, now: datetime, *, book: Rules | None = None) -> tuple[Duty, ...]:
    """The duties that closing the incident waits for; the ``id`` of each is the code of the refusal."""
    return tuple(duty for duty in duties(incident, now, book=book) if duty.gate and duty.state in ("due", "late"))


def response_clocks(incident: Incident, *, book: Rules | None = None, calendar: Calendar | None = None) -> tuple[Clock, ...]:
    """The response clock of each severity that the incident had, from detection (else the opening) to the acknowledgement.

    A rise in severity starts the clock of the new one; a change unmakes a clock that had not run out.
    """
    book = book or book_of(incident.folder)
    base = incident.milestones["detected"].at or incident.opened_at
    stopped = incident.milestones["acknowledged"].at
    found = []
    for i, segment in enumerate(incident.severities):
        start = base if i == 0 else max(base, segment.start)
        rule = book.response.get(segment.value)
        if rule is None or (i and stopped is not None and stopped <= segment.start):
            continue
        due = clocks.deadline(rule, start, calendar or book.calendar)
        ended = segment.end is not None and segment.end < due and not (stopped is not None and stopped <= segment.end)
        if not ended:
            found.append(Clock(f"response to {segment.value}: {rule.get('name', '')}".rstrip(": "), start, due, stopped))
    return tuple(found)


def _judge(line: Line, incident: Incident, now: datetime, book: Rules, days: Calendar) -> Duty:
    def result(state: str, entry: Entry | None = None, **more: Any) -> Duty:
        more = ({"by": entry.actor, "at": entry.at, "seq": entry.seq} if entry else {}) | more
        if more.get("due") is not None and state in ("done", "due", "late"):
            more["clock"] = clocks.state(more["due"], more.get("at") if state == "done" else None, now)
        return Duty(line.id, line.phase, line.what, line.verb, line.section, line.gate, state, **more)

    in_time = lines.in_time(incident.standing)
    since = incident.reopened[-1].at if line.again and incident.reopened else None
    word = next((e for e in reversed(in_time) if e.kind == "duty" and e.body.get("duty") == line.id and (since is None or e.at >= since)), None)
    arose = _first(line.when, in_time, since) if line.when else None
    due = _due(line, incident, arose, book, days)
    if line.check:
        check = checks.find(line.check)
        answer = check(incident, now) if check else checks.Answer(False)
        due = answer.due or due
        if answer.arises and not answer.missing:
            return result("done", by=answer.by, at=answer.at, due=due)
        missing, arises = answer.missing, answer.arises
    else:
        if done := _first(line.evidence, in_time, since):
            return result("done", done, due=due)
        missing, arises = "", True
    if word is not None:
        return result(str(word.body.get("state")), word, due=due if word.body.get("state") == "done" else None,
                      reason=str(word.body.get("reason", "")))
    if incident.closed is not None and incident.closed.body.get("false_alarm"):
        return result("not applicable", reason="it was a false alarm")
    severity = incident.peak_severity if line.peak else incident.severity
    if int(severity[-1]) not in line.severities:
        return result("not applicable", reason=f"not for {severity}")
    if not arises or (line.when and arose is None):
        return result("not applicable", reason=missing or "has not come to it yet")
    if line.optional:
        return result("not applicable", reason="as wanted")
    return result("late" if due is not None and now > due else "due", due=due, reason=missing)


def _due(line: Line, incident: Incident, arose: Entry | None, book: Rules, days: Calendar) -> datetime | None:
    """When a duty is owed. Where a change of severity made it a duty, its clock starts there."""
    if line.clock == "response":
        found = response_clocks(incident, book=book, calendar=days)
        return found[-1].due if found else None
    if not isinstance(line.clock, dict):
        return None
    origin = line.clock.get("from")
    start = arose.at if origin == "when" and arose else incident.opened_at if origin == "opened" else (
        incident.milestones["resolved"].at if origin == "resolved" else incident.milestones["detected"].at or incident.opened_at)
    if start is None or (origin == "when" and arose is None):
        return None
    run = None
    for segment in reversed(incident.severities):
        if int(segment.value[-1]) in line.severities:
            run = segment
        elif run is not None or not line.peak:
            break
    made = run is not None and run is not incident.severities[0]
    return clocks.deadline(line.clock, max(start, run.start) if made and run else start, days)


def _first(wanted: Sequence[dict[str, Any]], in_time: Sequence[Entry], since: datetime | None) -> Entry | None:
    """The entry that first satisfied any of the patterns; with ``count``, the one that made up the number."""
    found = []
    for pattern in wanted:
        hits = [e for e in in_time if _matches(e, pattern) and (since is None or e.at >= since)]
        count = int(pattern.get("count", 1))
        if len(hits) >= count:
            found.append(hits[count - 1])
    return min(found, key=lambda entry: (entry.at, entry.seq), default=None)


def _matches(entry: Entry, pattern: dict[str, Any]) -> bool:
    if entry.kind != pattern.get("kind"):
        return False
    for key, value in pattern.items():
        if key in ("kind", "count"):
            continue
        has = entry.body.get(key, "")
        if key == "channel" and value == "chat":
            if has in ("status page", "stakeholders"):
                return False
        elif has not in (value if isinstance(value, list) else [value]):
            return False
    return True


def _line(item: dict[str, Any], place: str) -> Line:
    where = f"{place}: duty {item.get('id', '?')}"
    if unknown := item.keys() - Line.__dataclass_fields__.keys():
        raise InputError(where, f"no such field: {min(unknown)}", lines.nearest(min(unknown), list(Line.__dataclass_fields__)))
    if missing := {"id", "phase", "what"} - item.keys():
        raise InputError(where, f"{min(missing)} is missing")
    if item["phase"] not in PHASES:
        raise InputError(where, f"no such phase: {item['phase']}", f"one of {', '.join(PHASES)}")
    if item.get("check") and checks.find(item["check"]) is None:
        raise InputError(where, f"no such check: {item['check']}")
    if item.get("clock", "response") != "response":
        _clock(item["clock"], where)
    if wrong := [n for n in item.get("severities", ()) if n not in (1, 2, 3, 4)]:
        raise InputError(where, f"no such severity: {wrong[0]}", "severities = [1, 2]")
    return Line(**{key: tuple(value) if isinstance(value, list) else value for key, value in item.items()})


def _clock(rule: Any, where: str) -> None:
    """Try a clock once, so that a mistake is told when the file is read and not at 3 a.m."""
    try:
        clocks.deadline(rule if isinstance(rule, dict) else {"clock": rule}, datetime(2026, 1, 1, tzinfo=UTC), Calendar())
    except InputError as error:
        raise InputError(where, f"{error.where}: {error.what}", error.do) from None
