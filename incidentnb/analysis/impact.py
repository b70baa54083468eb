"""What is the impact, and since when? Failures, else traffic that is gone, else requests that got slower; all else is measured from it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from incidentnb.findings import CANNOT_TELL, Finding
from incidentnb.times import Interval

SLOWER = 2.0  # an impact by itself from so many times as long on, for half or for the slowest twentieth
_APART = ("service", "source")  # what of a silent column nothing else takes over; another host would


def impact(onset: Finding, volume: Finding | None = None, latency: Finding | None = None) -> Finding:
    """The finding that tells when impact began: the rest of an answer is measured from its ``onset`` and ``end``.

    Method: failures first (``spike``); else a drop of traffic; else requests that take at least twice as long; else a service or a file that
    fell silent while the others go on, from its last record on. O(1).

    Args:
        onset: the finding of ``onset``; ``volume``, ``latency``: those of these names.

    Returns:
        One of the three. For what fell silent a copy of ``volume`` whose ``onset`` is where it ended. Where nothing stands out, ``onset``.
    """
    if onset.verdict == "spike":
        return onset
    if volume is not None and volume.verdict == "drop" and volume.numbers.get("spikes"):
        return volume
    if latency is not None and slower(latency) >= SLOWER:
        return latency
    if gone := silent(volume):
        last = min(entry["last"] for entry in gone)
        began = Interval(last, last, last + timedelta(minutes=1 / max(gone[0]["usual_per_minute"], 1e-3)))
        return replace(volume, numbers={**volume.numbers, "onset": began, "end": None})
    return onset


def verdict(onset: Finding, volume: Finding | None = None, latency: Finding | None = None) -> tuple[str, str]:
    """``incident``, ``no incident`` or ``cannot tell``, and what it rests on: a surge of traffic without failures is no incident.

    What fell silent while the others go on may be dead, or its logs may be late: that alone cannot be told.
    """
    found = impact(onset, volume, latency)
    if found is not onset:
        return (CANNOT_TELL if silent(found) and not found.numbers["spikes"] else "incident"), found.sentence
    if onset.verdict == "spike":
        return "incident", onset.sentence
    if onset.verdict == "no spike":
        also = f" {latency.sentence}" if latency is not None and latency.verdict == "slower" else ""
        return "no incident", onset.sentence + also
    return CANNOT_TELL, onset.why or onset.sentence


def kind(found: Finding) -> str | None:
    """``failures``, ``traffic`` or ``latency``; ``None`` where a finding tells of no impact."""
    if found.numbers.get("onset") is None:
        return None
    return {"onset": "failures", "volume": "traffic", "latency": "latency"}.get(found.name)


def scope_of(found: Finding, scope: Finding) -> Finding:
    """The failing subset to compare changes with: what fell silent is one, without any failing request."""
    gone = silent(found) if found.name == "volume" and not found.numbers.get("spikes") else []
    if not gone:
        return scope
    subsets = [{"where": {entry["column"]: entry["value"]}, "cause": True} for entry in gone]
    return Finding("scope", "subset", found.sentence, found.why, {"subsets": subsets})


def silent(volume: Finding | None) -> list[dict]:
    """The services and files that ended while the others go on; silent hosts are others' work as long as the traffic is there."""
    entries = volume.numbers.get("silent") or [] if volume is not None and volume.name == "volume" else []
    return [entry for entry in entries if entry["column"] in _APART]


def slower(latency: Finding) -> float:
    """How many times as long half of the requests, or the slowest twentieth, take; 0 where they did not get slower."""
    if latency.verdict != "slower":
        return 0.0
    pairs = (latency.numbers.get(name) or {} for name in ("p50", "p95"))
    return max((p["during"] / p["before"] for p in pairs if p.get("during") and p.get("before")), default=0.0)
