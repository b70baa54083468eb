"""Drills: an incident with a known answer to practise on, and how its responder did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from incidentnb import times
from incidentnb.exceptions import InputError
from incidentnb.record import incident
from incidentnb.workflow import analyses


def drill(folder: Path | str, *, seed: int | None = None, kind: str | None = None) -> dict[str, Any]:
    """Make an incident to practise on, and say what to type; the answer lies hidden in its folder.

    Args:
        folder: must be new or empty.
        seed: the same number makes the same incident; by default another every second.
        kind: what went wrong; by default the seed decides.

    Raises:
        InputError: the folder is not empty; no such kind.
    """
    from incidentnb import drill as drills

    chosen = int(times.now().timestamp()) % 100_000 if seed is None else seed
    made = drills.make(folder, chosen, kind)
    folder = Path(folder)
    words = ["incidentnb", "triage", str(folder / "logs"), "--changes", str(folder / made.changes)]
    alert = (folder / "alert.txt").read_text(encoding="utf-8").split("\n")[0]
    return {"folder": str(folder), "seed": chosen, "lines": made.lines, "alert": alert,
            "triage": [*words, *(["--repo", str(folder / made.repository)] if made.repository else [])]}


def answer(folder: Path | str) -> dict[str, Any]:
    """The answer of a drill, how the triage of its logs does, and how the incident that was opened on it did, where there is one.

    Raises:
        InputError: no drill there.
    """
    from incidentnb import drill as drills

    folder = Path(folder)
    truth = drills.read_answer(folder)
    found = analyses.triage([folder / name for name in truth.logs], changes=[folder / truth.changes],
                            repos=[folder / truth.repository] if truth.repository else [])
    return {"folder": str(folder), "answer": truth.as_json(), "grade": drills.grade(truth, found.as_json()),
            "responder": _responder(folder, truth)}


def _responder(folder: Path, truth: Any) -> dict[str, Any] | None:
    """What people recorded of the drill in an incident that reads its logs, against the truth; ``None`` where nobody opened one."""
    logs = {str((folder / name).resolve()) for name in truth.logs} | {str((folder / "logs").resolve())}
    for place in sorted({p.parent for where in (folder, folder.absolute().parent) for p in where.glob("*/journal.jsonl")}):
        try:
            known = incident.load(place)
        except InputError:
            continue
        if logs & {str(Path(path).resolve()) for path in known.sources["logs"]}:
            started, supported = known.milestones["started"].at, [h.claim for h in known.hypotheses if h.state == "supported"]
            names = [name for name in (truth.culprit, *truth.culprit_also) if name]
            return {"incident": str(place), "started": times.iso(started),
                    "off_s": (started - truth.onset).total_seconds() if started and truth.onset else None, "supported": supported,
                    "names_the_culprit": any(name in claim for name in names for claim in supported) if names else None,
                    "root_cause": known.root_cause, "metrics": {name: one.text() for name, one in known.metrics.items()}}
    return None
