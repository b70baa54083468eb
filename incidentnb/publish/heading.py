"""What stands at the head of the appendix, from the record of an incident."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from incidentnb import times
from incidentnb.record import hypotheses, milestones, moments
from incidentnb.record.incident import Incident

_SHOWN = ("TTD", "TTA", "TTM", "TTR", "impact")
_NOTHING = ("", "no spike", "no drop", "no change", "cannot tell")  # verdicts that tell of no impact


def heading(incident: Incident, *, inputs: Iterable[Mapping[str, Any]] = (), head: str = "", evidence: str = "",
            versions: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The ``header`` that ``appendix.export`` takes, in plain JSON values.

    Args:
        incident: as ``record.incident.load`` gives it.
        inputs: what was read, as in ``formats --json``.
        head: digest of the journal's last line.
        evidence: digest of the evidence.
        versions: package → version.
    """
    scope = incident.finding("scope")
    metrics = {name: metric for name, metric in incident.metrics.items() if name in _SHOWN}
    return {
        "incident": incident.id, "title": incident.title, "severity": incident.severity, "status": incident.status, "ic": incident.ic,
        "zone": incident.sources.get("zone") or "UTC", "summary": summary(incident),
        "scope": scope.body.get("sentence", "") if scope else "",
        "as_of": times.iso(incident.as_of),
        "milestones": {f"{name}_at": moments.to_json(incident.milestones[name].moment) for name in milestones.NAMES},
        "metrics": {name: {"value": metric.value.total_seconds() if metric.value is not None else None, "problem": metric.problem,
                           "from": moments.to_json(metric.start.moment), "to": moments.to_json(metric.end.moment),
                           "provenance": f"{metric.start.name} → {metric.end.name}"} for name, metric in metrics.items()},
        "inputs": [dict(entry) for entry in inputs],
        "journal": {"entries": len(incident.entries), "head": head}, "evidence": evidence, "versions": dict(versions or {}),
    }


def summary(incident: Incident) -> list[str]:
    """The incident in a few sentences: how bad it was and for whom, its cause, whether it is over; only what the record bears."""
    said = [_first(incident, name) for name in ("onset", "volume", "latency")]
    told = [sentence for verdict, sentence in said if verdict not in _NOTHING][:1]
    told += [sentence for verdict, sentence in [_first(incident, "users")] if verdict not in _NOTHING]
    ledger = hypotheses.hypotheses(incident.entries)
    missing = hypotheses.why_not(ledger)
    told.append(f"The root cause is not established: {missing}." if missing else f"The root cause: {_stopped(hypotheses.root_cause(ledger))}")
    verdict, recovery = _first(incident, "recovery")
    if verdict not in _NOTHING:
        told.append(_stopped(re.split(r"[:;] ", recovery, maxsplit=1)[0]))
    return [sentence for sentence in told if sentence]


def _first(incident: Incident, name: str) -> tuple[str, str]:
    """Verdict and sentence of the answer to a question; both empty where the journal has none."""
    found = incident.finding(name)
    return (str(found.body.get("verdict") or ""), str(found.body.get("sentence") or "")) if found is not None else ("", "")


def _stopped(sentence: str) -> str:
    """The sentence with a full stop."""
    return sentence if sentence[-1:] in ".!?…" else f"{sentence}."
