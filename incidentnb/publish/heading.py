"""What stands at the head of the appendix, from the record of an incident."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from incidentnb import times
from incidentnb.record import milestones, moments
from incidentnb.record.incident import Incident

_SHOWN = ("TTD", "TTA", "TTM", "TTR", "impact")


def heading(incident: Incident, *, inputs: Iterable[Mapping[str, Any]] = (), head: str = "", evidence: str = "",
            versions: Mapping[str, str] | None = None, summary: str = "") -> dict[str, Any]:
    """The ``header`` that ``appendix.export`` takes, in plain JSON values.

    Args:
        incident: as ``record.incident.load`` gives it.
        inputs: what was read, as in ``formats --json``.
        head: digest of the journal's last line.
        evidence: digest of the evidence.
        versions: package → version.
        summary: two or three sentences of a person; nothing is made up where there are none.
    """
    scope = incident.finding("scope")
    metrics = {name: metric for name, metric in incident.metrics.items() if name in _SHOWN}
    return {
        "incident": incident.id, "title": incident.title, "severity": incident.severity, "status": incident.status, "ic": incident.ic,
        "zone": incident.sources.get("zone") or "UTC", "summary": summary,
        "scope": scope.body.get("sentence", "") if scope else "",
        "as_of": times.iso(incident.as_of),
        "milestones": {f"{name}_at": moments.to_json(incident.milestones[name].moment) for name in milestones.NAMES},
        "metrics": {name: {"value": metric.value.total_seconds() if metric.value is not None else None, "problem": metric.problem,
                           "from": moments.to_json(metric.start.moment), "to": moments.to_json(metric.end.moment),
                           "provenance": f"{metric.start.name} → {metric.end.name}"} for name, metric in metrics.items()},
        "inputs": [dict(entry) for entry in inputs],
        "journal": {"entries": len(incident.entries), "head": head}, "evidence": evidence, "versions": dict(versions or {}),
    }
