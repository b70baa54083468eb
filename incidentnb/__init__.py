"""incidentnb: from the first alert to the appendix of the postmortem, in one notebook.

The vocabulary of notebooks and scripts. Each name is fetched from its room when it is first used, so that ``import incidentnb``
costs nothing. ``triage``, ``onset``, ``scope``, ``patterns`` and ``formats`` take paths, as the verbs of the command line do; what
records takes the incident's folder first.
"""

from typing import Any

__all__ = ["Case", "Interval", "Logs", "add_evidence", "decide", "export", "formats", "investigate", "mitigate", "note", "onset",
           "open_incident", "patterns", "post", "propose", "redact", "replay", "resolve", "scope", "set_milestone", "set_severity",
           "set_verdict", "show", "triage", "verify"]

_ROOMS = {
    "case": ("Case", "Logs"),
    "times": ("Interval",),
    "publish.figures": ("show",),
    "publish.redaction": ("redact",),
    "record.hypotheses": ("add_evidence", "propose", "set_verdict"),
    "record.milestones": ("set_milestone",),
    "record.statements": ("decide", "mitigate", "note", "set_severity"),
    "workflow.analyses": ("formats", "onset", "patterns", "scope", "triage"),
    "workflow.exporting": ("export", "verify"),
    "workflow.recording": ("post",),
    "workflow.running": ("investigate", "open_incident", "replay", "resolve"),
}


def __getattr__(name: str) -> Any:
    import importlib

    for room, names in _ROOMS.items():
        if name in names:
            return getattr(importlib.import_module(f"incidentnb.{room}"), name)
    raise AttributeError(f"module 'incidentnb' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
