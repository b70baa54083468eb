"""The whole answer at once, in the order of the runbook; one analysis that fails never stops the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from incidentnb.analysis import impact as impacts
from incidentnb.exceptions import IncidentnbError
from incidentnb.findings import CANNOT_TELL, Finding, plain

if TYPE_CHECKING:
    from incidentnb.evidence.changes import Change
    from incidentnb.evidence.table import LogTable

SCHEMA = "incidentnb/triage/1"
_INPUT = ("path", "format", "lines", "parsed", "continuation", "rejected", "first", "last", "zone", "zone_source")
_SUBSET = ("where", "cause", "failed", "total", "rate_inside", "rate_outside", "share_of_failures", "share_of_traffic", "same_as", "users")


@dataclass(frozen=True)
class Triage:
    """All findings of one reading.

    Attributes:
        findings: by name, in the order of the runbook: rates, onset, volume, latency, routes, scope, users, patterns, services, suspects,
            recovery, severity.
        inputs: what was read, a dict per file.
        verdict: ``incident``, ``no incident`` or ``cannot tell``; ``why``: what it rests on.
        warnings: what went wrong on the way in, a sentence each.
    """

    findings: dict[str, Finding]
    inputs: list[dict[str, Any]]
    verdict: str
    why: str
    warnings: tuple[str, ...] = field(default=())

    @property
    def impact(self) -> Finding:
        """The finding that tells when impact began."""
        return impacts.impact(self.findings["onset"], self.findings["volume"], self.findings["latency"])

    def as_json(self) -> dict[str, Any]:
        """The contract ``incidentnb/triage/1`` as plain JSON values."""
        found = self.findings
        onset, scope, users, hit = found["onset"].numbers, found["scope"], found["users"], self.impact
        start, end = onset.get("window_start"), onset.get("window_end")
        return plain({
            "schema": SCHEMA,
            "inputs": [{k: entry.get(k) for k in _INPUT} for entry in self.inputs],
            "window": {"start": start, "end": end, "requests": onset.get("requests") or 0, "failed": onset.get("failed") or 0},
            "verdict": self.verdict, "why": self.why,
            "onset": hit.numbers.get("onset") if self.verdict == "incident" else None,
            "end": hit.numbers.get("end") if self.verdict == "incident" else None,
            "impact": impacts.kind(hit) if self.verdict == "incident" else None,
            "rate": onset.get("rate") or {"baseline": None, "during": None},
            "spikes": onset.get("spikes") or [], "series": _series(found["onset"]),
            "volume": {**_said(found["volume"], "onset", "end", "rate"), "silent": found["volume"].numbers.get("silent") or []},
            "latency": {**_said(found["latency"], "onset", "end", "p50", "p95", "slow_ms"), "routes": found["latency"].numbers.get("routes") or []},
            "scope": scope_json(scope),
            "users": {k: users.numbers[k] for k in ("affected", "total", "by")} if users.verdict == "counted" else None,
            "routes": found["routes"].numbers.get("routes", []),
            "patterns": found["patterns"].numbers.get("patterns", []),
            "services": {**_said(found["services"]), "services": found["services"].numbers.get("services", [])},
            "changes": found["suspects"].numbers.get("changes", []), "changes_verdict": found["suspects"].verdict,
            "recovery": {"verdict": found["recovery"].verdict, "why": found["recovery"].why,
                         "since": found["recovery"].numbers.get("since"),
                         **{k: v for k, v in found["recovery"].numbers.items() if k in ("state", "more_requests", "more_minutes")}},
            "severity": {"suggested": found["severity"].numbers.get("suggested"), "why": found["severity"].why},
            "warnings": list(self.warnings),
        })


def _said(found: Finding, *names: str) -> dict[str, Any]:
    """Verdict, sentence and reason of a finding, and some of its numbers."""
    return {"verdict": found.verdict, "sentence": found.sentence, "why": found.why, **{name: found.numbers.get(name) for name in names}}


def scope_json(scope: Finding) -> dict[str, Any]:
    """The object ``scope`` of the contract, which the verb ``scope`` prints by itself."""
    return {"verdict": scope.verdict, "why": scope.why, "explained": scope.numbers.get("explained"),
            "subsets": [{k: s.get(k) for k in _SUBSET} for s in scope.numbers.get("subsets", [])],
            "confounded": scope.numbers.get("confounded", []), "excluded": scope.numbers.get("excluded", [])}


def triage(table: LogTable, changes: Sequence[Change] = (), warnings: Sequence[str] = ()) -> Triage:
    """Every question of the runbook put to one log table.

    Args:
        table: the evidence.
        changes: known changes to rank; none is fine.
        warnings: sentences from reading that belong to the answer.
    """
    from incidentnb.analysis.back import back
    from incidentnb.analysis.latency import latency
    from incidentnb.analysis.onset import onset
    from incidentnb.analysis.patterns import patterns
    from incidentnb.analysis.rates import rates
    from incidentnb.analysis.recovery import recovery
    from incidentnb.analysis.routes import routes
    from incidentnb.analysis.scope import scope
    from incidentnb.analysis.services import services
    from incidentnb.analysis.severity import severity
    from incidentnb.analysis.suspects import suspects
    from incidentnb.analysis.users import users
    from incidentnb.analysis.volume import volume

    found: dict[str, Finding] = {}

    def hit() -> Finding:
        return impacts.impact(found["onset"], found["volume"], found["latency"])

    steps: dict[str, Callable[[], Finding]] = {
        "rates": lambda: rates(table),
        "onset": lambda: onset(table),
        "volume": lambda: volume(table),
        "latency": lambda: latency(table),
        "routes": lambda: routes(table, found["onset"]),
        "scope": lambda: scope(table, found["onset"]),
        "users": lambda: users(table, found["onset"]),
        "patterns": lambda: patterns(table, hit()),
        "services": lambda: services(table, hit()),
        "suspects": lambda: suspects(changes, hit(), impacts.scope_of(hit(), found["scope"]), patterns=found["patterns"], table=table),
        "recovery": lambda: (recovery(table, found["onset"], found["scope"], found["patterns"]) if hit() is found["onset"] else back(hit())),
        "severity": lambda: severity(found["onset"], found["scope"], found["users"], found["routes"], found["recovery"], found["volume"],
                                     found["latency"]),
    }

    for name, step in steps.items():
        found[name] = guarded(name, step)
    verdict, why = impacts.verdict(found["onset"], found["volume"], found["latency"])
    return Triage(found, table.inputs, verdict, why, tuple(warnings))


def guarded(name: str, step: Callable[[], Finding]) -> Finding:
    """What a step finds, or a finding that says why it could not."""
    try:
        return step()
    except IncidentnbError as problem:
        return Finding(name, CANNOT_TELL, f"The section {name} could not be computed: {problem}.", str(problem), {})
    except Exception as problem:  # noqa: BLE001  half an answer at 3 a.m. beats a traceback; the reason is in the finding
        reason = f"{type(problem).__name__}: {' '.join(str(problem).split())[:300]}"
        return Finding(name, CANNOT_TELL, f"The section {name} could not be computed: {reason}.", reason, {"error": reason})


def _series(onset: Finding) -> dict[str, Any]:
    """The error rate for a sparkline: bucket width, first bucket, rates (``null`` where nothing was seen), which are complete."""
    frame = onset.frame
    if frame is None or "rate" not in frame or not len(frame):
        return {"bucket_s": None, "start": None, "rate": [], "complete": []}
    return {"bucket_s": onset.numbers.get("bucket_s"), "start": frame["time"].iloc[0].to_pydatetime(), "rate": [float(v) for v in frame["rate"]],
            "total": [int(v) for v in frame["total"]], "complete": [bool(v) for v in frame["complete"]]}
