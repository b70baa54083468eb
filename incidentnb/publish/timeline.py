"""The timeline: entries, changes and findings in the order in which things happened, each row with what bears it.

A late note stands where it happened, not where it was typed. What has no time of its own stands where it was recorded and says so;
what has neither stands last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

from incidentnb import times
from incidentnb.findings import Finding
from incidentnb.record import lines, moments, pointers
from incidentnb.record.lines import Entry
from incidentnb.times import Interval

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("at", "latest", "what", "kind", "actor", "recorded_at", "evidence")
_MACHINERY = {"run", "export", "sources", "duty", "retraction"}  # what the tool did, not what happened
LATE_S = 300  # written down later than this after it happened, a row says so
_STATES = {"testing": "being tested"}
_CHECKED = {"passed": "passes", "failed": "fails"}
_NEVER = datetime.max.replace(tzinfo=times.UTC)


def timeline(entries: Iterable[Entry], changes: pd.DataFrame | None = None, findings: Iterable[Finding] = ()) -> pd.DataFrame:
    """Everything that happened, in order.

    Args:
        entries: of the journal; corrected and retracted ones are left out, corrections stand in their place.
        changes: ``at``, ``kind``, ``id``, ``summary``, ``service``, ``version``, ``author``, ``source``.
        findings: of the analyses; those that tell of a moment (onset, end, recovery) are rows.

    Returns:
        ``at`` (UTC; missing where unknown), ``latest`` (UTC; the end of what is known only to lie between the two), ``what`` (a
        sentence), ``kind``, ``actor``, ``recorded_at`` (UTC), ``evidence`` (journal number, finding id, file:line); by ``at``, then as
        recorded; the unknown last.
    """
    import pandas as pd

    rows = events(entries, changes.to_dict("records") if changes is not None else (), findings)
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    for name in ("at", "latest", "recorded_at"):
        frame[name] = pd.to_datetime(frame[name], utc=True)
    return frame


def events(entries: Iterable[Entry], changes: Iterable[Mapping[str, Any]] = (), findings: Iterable[Finding] = ()) -> list[dict[str, Any]]:
    """The rows of ``timeline`` without a frame: its columns as plain values, and ``seq``, the entry's number (``None`` for other sources)."""
    findings = list(findings)
    known = {finding.id for finding in findings}
    standing = lines.standing(list(entries))
    last = {str(e.body.get("name")): e.seq for e in standing if e.kind == "finding"}
    rows = [{**row, "seq": entry.seq} for entry in standing if entry.kind not in _MACHINERY for row in _of_entry(entry, known, last)]
    rows += [row for finding in findings for row in _of_finding(finding.name, finding.sentence, finding.numbers, finding.id, None)]
    rows += [change_event(change) for change in changes]
    return [{"seq": None, **row} for row in sorted(rows, key=order)]


def order(row: Mapping[str, Any]) -> tuple[bool, datetime, datetime]:
    """What rows of a timeline are sorted by: when it happened, then when it was recorded; the unknown last."""
    return row["at"] is None, row["at"] or row["recorded_at"] or _NEVER, row["recorded_at"] or _NEVER


def timeline_finding(frame: pd.DataFrame, onset: Interval | None = None, end: Interval | None = None, zone: tzinfo | None = None) -> Finding:
    """The timeline as an answer to show: how many events over which span, and the table with its columns in words.

    Args:
        frame: as ``timeline`` makes it.
        onset: when the failing began, drawn into the figure.
        end: when it ended.
        zone: of the incident; the table has its time beside that in UTC where it is another.
    """
    if not len(frame):
        return Finding("timeline", "empty", "Nothing is on the timeline yet.", "", {"events": [], "onset": onset, "end": end})
    events = [{"at": _py(r["at"]), "latest": _py(r["latest"]), "what": r["what"], "kind": r["kind"]} for r in frame.to_dict("records")]
    known = [event["at"] for event in events if event["at"]]
    span = f" over {times.spell(max(known) - min(known))}, from {times.at(min(known))}" if known else ""
    unknown = len(events) - len(known)
    notes = (f"{unknown:,} of them stand last: when they happened is not known.",) if unknown else ()
    sentence = f"{len(frame):,} event{'' if len(frame) == 1 else 's'}{span}."
    return Finding("timeline", "listed", sentence, "", {"events": events, "onset": onset, "end": end}, _readable(frame, zone), notes=notes)


def _readable(frame: pd.DataFrame, zone: tzinfo | None) -> pd.DataFrame:
    """The table that people read: time, what, who, evidence; a note that came late says when it was written down."""
    import pandas as pd

    rows, days = [], {at.date() for at in frame["at"].dropna()}
    elsewhere = times.elsewhere(zone, *frame["at"].dropna())
    for row in frame.to_dict("records"):
        at, latest, recorded = _py(row["at"]), _py(row["latest"]), _py(row["recorded_at"])
        pattern = "%H:%M:%S" if len(days) < 2 else "%Y-%m-%d %H:%M:%S"
        when = "unknown" if at is None else f"{at:{pattern}}" + (f" – {latest:%H:%M:%S}" if latest else "")
        there = {f"time ({zone})": "" if at is None else f"{at.astimezone(zone):{pattern}}"} if elsewhere else {}
        late = at is not None and recorded is not None and (recorded - at).total_seconds() > LATE_S
        evidence = f"{row['evidence']}, written down {recorded:%H:%M:%S}" if late and row["actor"] else row["evidence"]
        rows.append({"time (UTC)": when, **there, "what": row["what"], "who": row["actor"], "evidence": evidence})
    return pd.DataFrame(rows)


def _py(value: Any) -> datetime | None:
    return None if value is None or value != value else value.to_pydatetime() if hasattr(value, "to_pydatetime") else value


def _row(at: Any, what: str, kind: str, *, actor: str = "", recorded: datetime | None = None, evidence: str = "") -> dict[str, Any]:
    latest = at.latest if isinstance(at, Interval) and at.latest > at.at else None
    return {"at": moments.best(at), "latest": latest, "what": what, "kind": kind, "actor": actor, "recorded_at": recorded,
            "evidence": evidence}


def change_event(change: Mapping[str, Any]) -> dict[str, Any]:
    """A change as a row of the timeline."""
    known = {key: str(value) for key, value in change.items() if value not in (None, "") and value == value}
    kind, summary, version = known.get("kind", "change").capitalize(), known.get("summary", ""), known.get("version", "")
    name = " ".join([kind, *(known[key] for key in ("service", "version") if key in known)])
    if version and version in summary:
        name, summary = f"{kind} {summary}", ""
    elif not version and "id" in known:
        name = " ".join([name, known["id"][:12]])
    at = change.get("at")
    at = None if at is None or at != at else at.to_pydatetime() if hasattr(at, "to_pydatetime") else at
    return _row(at, f"{name}: {summary}" if summary and summary not in name else name, known.get("kind", "change"),
                actor=known.get("author", ""),
                evidence="/".join(known.get("source", "").rstrip("/").split("/")[-2:]))


def _of_finding(name: str, sentence: str, numbers: Mapping[str, Any], evidence: str, recorded: datetime | None) -> list[dict[str, Any]]:
    if name == "onset" and (onset := _moment(numbers.get("onset"))):
        rate = numbers.get("rate") if isinstance(numbers.get("rate"), Mapping) else {}
        known = None not in (rate.get("baseline"), rate.get("during"))
        rose = f": {_percent(rate['baseline'])} → {_percent(rate['during'])}" if known else ""
        rows = [_row(onset, f"Failures begin{rose}", "onset", recorded=recorded, evidence=evidence)]
        end = _moment(numbers.get("end"))
        return rows + ([_row(end, "Failures end", "end", recorded=recorded, evidence=evidence)] if end else [])
    if name == "volume":
        return _of_volume(numbers, recorded, evidence)
    if name == "latency" and (onset := _moment(numbers.get("onset"))):
        slow, usual = ((numbers.get("p95") or {}).get(key) for key in ("during", "before"))
        told = f": 95 % within {usual:,.0f} → {slow:,.0f} ms" if slow is not None and usual is not None else ""
        end = _moment(numbers.get("end"))
        return [_row(onset, f"Requests get slower{told}", "onset", recorded=recorded, evidence=evidence),
                *([_row(end, "Requests are as fast as before", "end", recorded=recorded, evidence=evidence)] if end else [])]
    return []


def _of_volume(numbers: Mapping[str, Any], recorded: datetime | None, evidence: str) -> list[dict[str, Any]]:
    """A drop of traffic and its end, and what fell silent."""
    rows, rate = [], numbers.get("rate") or {}
    if numbers.get("spikes") and (onset := _moment(numbers.get("onset"))):
        rows.append(_row(onset, f"Traffic drops: {rate['baseline']:,.0f} → {rate['during']:,.0f} requests a minute", "onset", recorded=recorded,
                         evidence=evidence))
        if end := _moment(numbers.get("end")):
            rows.append(_row(end, "Traffic is back", "end", recorded=recorded, evidence=evidence))
    for one in numbers.get("silent") or []:
        what = f"{one['column'].capitalize()} {one['value']} logs nothing after this, or its logs are late"
        rows.append(_row(_moment(one["last"]), what, "finding", recorded=recorded, evidence=evidence))
    return rows


def _of_entry(entry: Entry, known: set[str], last: Mapping[str, int]) -> list[dict[str, Any]]:
    evidence = f"journal #{entry.seq}"
    if entry.supersedes:
        evidence += " (a correction)"
    body = entry.body
    if entry.kind == "finding":
        if body.get("id") in known or last.get(str(body.get("name"))) != entry.seq:
            return []  # told by the finding itself, or by a later answer to the same question
        timed = _of_finding(str(body.get("name")), "", body.get("numbers") or {}, f"{body.get('id')}, {evidence}", entry.recorded_at)
        if timed:
            return timed
    at = entry.occurred_at or entry.recorded_at
    pointer = body.get("pointer")
    if isinstance(pointer, Mapping) and (spelled := pointers.spell(dict(pointer))):
        evidence += f", {spelled}"
    if entry.kind == "finding":
        evidence = f"{body.get('id')}, {evidence}"
    return [_row(at, sentence(entry), entry.kind, actor=entry.actor, recorded=entry.recorded_at, evidence=evidence)]


def sentence(entry: Entry) -> str:
    """An entry in one line, as the timeline tells it. Text of people stays as they wrote it."""
    said = {key: " ".join(str(value).split()) for key, value in entry.body.items() if isinstance(value, str) and value}

    def also(key: str, before: str = ": ") -> str:
        return f"{before}{said[key]}" if key in said else ""

    body_says = entry.body.get
    verdict = said.get("verdict") or said.get("state", "judged")
    state = _STATES.get(verdict, verdict)
    told = {
        "opened": lambda: f"Incident opened{also('title')}{also('severity', ', ')}",
        "note": lambda: said.get("text", ""),
        "severity": lambda: f"Severity {said.get('severity', '')}{also('why')}",
        "status": lambda: f"Status {said.get('status', '')}{also('why')}",
        "role": lambda: _role(entry.body, said),
        "hypothesis": lambda: f"{said.get('id', 'Hypothesis')} proposed{also('claim')}",
        "evidence": lambda: f"Evidence {said.get('direction', 'on')} {said.get('hypothesis', '')}{also('text')}",
        "verdict": lambda: f"{said.get('hypothesis', 'Hypothesis')} {state}{also('why')}",
        "check": lambda: f"Check of {said.get('hypothesis', '')} {_CHECKED.get(said.get('result', ''), 'cannot tell')}{also('ask')}"
                         f"{also('expect')}{also('why', ' (')}{')' if 'why' in said else ''}",
        "milestone": lambda: f"{said.get('milestone', 'Milestone').capitalize()}{also('source')}",
        "mitigation": lambda: f"{said.get('id', 'Mitigation')} done{also('what')}",
        "effect": lambda: f"{said.get('mitigation', 'Mitigation')} {'taken back' if body_says('undone') else 'seen'}{also('effect')}",
        "decision": lambda: f"Decided{also('decision')}{also('why', ', because ')}",
        "post": lambda: f"Posted to {said.get('channel', 'the channel')}{also('state', ', ')}{also('text')}",
        "action": lambda: f"{said.get('id', 'Action')} to do{also('text')}{also('owner', ', ')}",
        "action_done": lambda: f"{said.get('action', 'Action')} is done",
        "section_failed": lambda: f"Could not be computed{also('section')}{also('reason', ' (')}{')' if 'reason' in said else ''}",
        "finding": lambda: said.get("sentence", ""),
        "postmortem": lambda: f"Postmortem planned for {said.get('date', 'a day')}{also('owner', ', ')}",
        "closed": lambda: f"{'Closed as a false alarm' if body_says('false_alarm') else 'Closed'}{also('reason')}",
        "reopened": lambda: f"Reopened{also('reason')}",
    }
    found = told[entry.kind]() if entry.kind in told else f"{entry.kind.replace('_', ' ').capitalize()}{also('text')}{also('summary')}"
    return found or entry.kind


def _role(body: Mapping[str, Any], said: Mapping[str, str]) -> str:
    name = "incident commander" if said.get("role") == "ic" else said.get("role", "a role")
    if body.get("released"):
        return f"{said.get('person', '')} no longer {name}"
    if body.get("acknowledges"):
        return f"{said.get('person', '')} acknowledges being {name}"
    return f"{said.get('person', '')} takes over as {name}"


def _moment(value: Any) -> datetime | Interval | None:
    """A moment as a finding holds it, or as the journal keeps it."""
    if isinstance(value, datetime | Interval):
        return value
    try:
        return moments.from_json(value)
    except (ValueError, TypeError):
        return None


def _percent(value: float) -> str:
    from incidentnb.publish.style import percent

    return percent(value)
