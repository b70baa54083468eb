"""What the record and the evidence tell, as plain data: for the forms of the appendix that programs read.

Every value is plain JSON: instants are ISO 8601 text in UTC, lengths of time seconds, and what is not known is ``None``, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from incidentnb import findings as ground
from incidentnb import times
from incidentnb.exceptions import InputError
from incidentnb.findings import Finding
from incidentnb.publish import timeline
from incidentnb.record import milestones, moments
from incidentnb.record.incident import Incident
from incidentnb.times import Interval

MILESTONES = tuple(f"{name}_at" for name in milestones.NAMES)
_HEAD = ("incident", "title", "severity", "status", "ic", "zone", "as_of", "scope", "evidence")
_INPUT = ("path", "format", "lines", "parsed", "continuation", "rejected", "first", "last", "zone", "zone_source")
_PLACES = ("source", "path", "file")  # keys of a finding's numbers that may name a file of the machine
_COUNTS = ("lines", "parsed", "continuation", "rejected")


def account(incident: Incident, changes: Iterable[Mapping[str, Any]] = (), findings: Iterable[Finding] = ()) -> dict[str, Any]:
    """Everything that is known of an incident, as of when the incident is.

    Args:
        incident: as ``record.incident.load`` gives it.
        changes: ``at``, ``kind``, ``id``, ``summary``, ``service``, ``version``, ``author``, ``source``.
        findings: the answers that stand, as ``answers`` reads them from the journal.

    Returns:
        ``timeline`` (rows of ``timeline.events``), ``findings``, ``milestones``, ``metrics``, ``hypotheses``, ``mitigations``,
        ``decisions``, ``actions``, ``roles``, ``severities``, ``statuses``.
    """
    findings = list(findings)
    return {
        "timeline": [_row(row) for row in timeline.events(incident.entries, changes, findings)],
        "findings": [{**finding.as_json(), "numbers": _short(ground.plain(finding.numbers))} for finding in findings],
        "milestones": {f"{name}_at": _milestone(one.moment, one.provenance if one.moment is not None else None, one.seq)
                       for name, one in incident.milestones.items()},
        "metrics": {name: _metric(one.value, one.start.moment, one.end.moment, f"{one.start.name} → {one.end.name}", one.problem)
                    for name, one in incident.metrics.items()},
        "hypotheses": [_hypothesis(one) for one in incident.hypotheses],
        **{name: [_blank(ground.plain(asdict(one))) for one in getattr(incident, name)]
           for name in ("mitigations", "decisions", "actions", "roles", "severities", "statuses")},
    }


def answers(incident: Incident) -> list[Finding]:
    """The answers that stand in the journal, the last to each question, in the order in which they were recorded."""
    last = {str(entry.body.get("name")): entry for entry in incident.findings}
    return [finding_of(entry.body) for entry in sorted(last.values(), key=lambda entry: entry.seq)]


def finding_of(body: Mapping[str, Any]) -> Finding:
    """An answer as the journal keeps it (``Finding.as_json``) as the answer that it was; its table is not kept."""
    numbers = {key: moment(value) if key in ("onset", "end", "since") else value for key, value in (body.get("numbers") or {}).items()}
    if isinstance(numbers.get("silent"), list):
        numbers["silent"] = [{**one, "last": moment(one.get("last"))} if isinstance(one, Mapping) else one for one in numbers["silent"]]
    said = {key: str(body.get(key) or "") for key in ("name", "verdict", "sentence", "why", "query", "evidence")}
    return Finding(**said, numbers=numbers, notes=tuple(map(str, body.get("notes") or ())))


def told(header: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, Any]:
    """The account that a header carries, with its ``head`` and the ``run`` behind it; a header without one gives what it has.

    Args:
        header: as ``page.page`` takes it, redacted.
        run: the run record of the notebook (``metadata.incidentnb``).
    """
    given = header.get("account")
    known = dict(given) if isinstance(given, Mapping) else _of_header(header)
    rows = known.get("timeline")
    known["timeline"] = [{key: row.get(key) for key in (*timeline.COLUMNS, "seq")} for row in rows if isinstance(row, Mapping)] if isinstance(
        rows, list) else None
    journal = header.get("journal") if isinstance(header.get("journal"), Mapping) else {}
    versions = header.get("versions") or run.get("versions")
    inputs = [one for one in header.get("inputs") or () if isinstance(one, Mapping)]
    known["head"] = {
        **{key: _text(header.get(key)) for key in _HEAD},
        "inputs": [_input(one, moment(header.get("as_of"))) for one in inputs],
        "journal": {"head": _text(journal.get("head")), "entries": _count(journal.get("entries"))},
        "versions": {str(name): str(version) for name, version in sorted(versions.items())} if isinstance(versions, Mapping) else {},
    }
    known["run"] = {key: _text(run.get(key)) for key in ("notebook", "run", "started", "finished", "outcome", "why")}
    return known


def _of_header(header: Mapping[str, Any]) -> dict[str, Any]:
    """The milestones and metrics of a header that was written by hand; all else is not known."""
    stones = header.get("milestones") if isinstance(header.get("milestones"), Mapping) else header
    found: dict[str, Any] = {"milestones": {key: _milestone(moment(stones.get(key)), None, None) for key in MILESTONES}, "metrics": {}}
    metrics = header.get("metrics")
    for name, metric in metrics.items() if isinstance(metrics, Mapping) else ():
        given = metric if isinstance(metric, Mapping) else {"value": metric}
        value = given.get("value")
        value = timedelta(seconds=value) if isinstance(value, int | float) and abs(value) < 1e12 else value
        found["metrics"][str(name)] = _metric(value if isinstance(value, timedelta) else None, moment(given.get("from")),
                                              moment(given.get("to")), given.get("provenance"), given.get("problem"))
    return found


def _input(one: Mapping[str, Any], as_of: Any) -> dict[str, Any]:
    """A file that was read; when its last record is from is not told where that was later than what was known."""
    told = {key: _count(one.get(key)) if key in _COUNTS else _text(one.get(key)) for key in _INPUT}
    last = moment(told["last"])
    hidden = {"last": None} if as_of is not None and last is not None and last > as_of else {}
    return {**told, **hidden, "sha256": _text(one.get("sha256") or one.get("digest"))}


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: times.iso(row[key]) if isinstance(row[key], datetime) else _blank(row[key]) for key in (*timeline.COLUMNS, "seq")}


def _milestone(moment: Any, provenance: Any, seq: int | None) -> dict[str, Any]:
    earliest, latest = moments.bounds(moment) if moment is not None else (None, None)
    return {"at": times.iso(moments.best(moment)), "earliest": times.iso(earliest), "latest": times.iso(latest),
            "provenance": _text(provenance), "seq": seq}


def _metric(value: timedelta | None, start: Any, end: Any, provenance: Any, problem: Any) -> dict[str, Any]:
    return {"seconds": None if value is None else value.total_seconds(), "from": times.iso(moments.best(start)),
            "to": times.iso(moments.best(end)), "provenance": _text(provenance), "problem": _text(problem)}


def _hypothesis(one: Any) -> dict[str, Any]:
    checked = one.checked
    came = {} if checked is None else {"result": checked.result, "value": checked.value, "why": checked.why, "finding": checked.finding,
                                       "at": times.iso(checked.at)}
    check = None if one.check is None else {"ask": one.check.ask, "expect": one.check.expect,
                                            **dict.fromkeys(("result", "value", "why", "finding", "at")), **came}

    def evidence(pieces: Iterable[Any]) -> list[dict[str, Any]]:
        return [{"text": e.text, "points_at": e.points_at, "at": times.iso(e.at), "actor": e.actor, "seq": e.seq} for e in pieces]

    return _blank({
        **{key: getattr(one, key) for key in ("id", "claim", "because", "prediction", "disproof", "state", "why")}, "rivals": list(one.rivals),
        "check": check, "evidence_for": evidence(one.evidence_for), "evidence_against": evidence(one.evidence_against),
        "history": [ground.plain(asdict(verdict)) for verdict in one.history], "at": times.iso(one.at), "actor": one.actor, "seq": one.seq})


def moment(value: Any) -> Any:
    """A moment as a header or a finding has it: an aware instant, an interval, or ``None`` where it is none."""
    if isinstance(value, Interval):
        return replace(value)
    if isinstance(value, datetime):
        return None if value != value else value if value.tzinfo else value.replace(tzinfo=UTC)
    try:
        if isinstance(value, Mapping):
            return moments.from_json({key: value[key] for key in ("at", "earliest", "latest")})
        return times.parse(value) if isinstance(value, str) and value[:4].isdigit() else None
    except (InputError, ValueError, KeyError, TypeError):
        return None


def _short(value: Any) -> Any:
    """Numbers whose paths tell nothing of the machine but the last folder."""
    if isinstance(value, dict):
        return {key: "/".join(part.rstrip("/").split("/")[-2:]) if key in _PLACES and isinstance(part, str) and "://" not in part else _short(part)
                for key, part in value.items()}
    return [_short(part) for part in value] if isinstance(value, list) else value


def _blank(value: Any) -> Any:
    """A value whose empty texts are ``None``: nobody said anything."""
    if isinstance(value, dict):
        return {key: _blank(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_blank(part) for part in value]
    return None if value == "" else value


def _text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    return times.iso(value) if isinstance(value, datetime) and value.tzinfo else str(value)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
