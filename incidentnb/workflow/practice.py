"""``demo`` and ``drill``: an incident with a known answer, played by a responder or left to one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from incidentnb import times
from incidentnb.exceptions import Refused
from incidentnb.record import hypotheses, incident, milestones, statements
from incidentnb.workflow import analyses, exporting, recording, running

MARK = ".incidentnb-demo.json"  # in the demo's folder: what was made there, so that it may be made anew
SEED = 4
IC, SCRIBE, ENGINEER = "Ines Correia", "Sam Okafor", "Noor Haddad"


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
    return {"folder": str(folder), "seed": chosen, "lines": made.lines, "alert": (folder / "alert.txt").read_text(encoding="utf-8").split("\n")[0],
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
    return {"folder": str(folder), "answer": truth.as_json(), "grade": drills.grade(truth, found.as_json()), "responder": _responder(folder, truth)}


def _responder(folder: Path, truth: Any) -> dict[str, Any] | None:
    """What people recorded of the drill in an incident that reads its logs, against the truth; ``None`` where nobody opened one."""
    from incidentnb.exceptions import InputError

    logs = {str((folder / name).resolve()) for name in truth.logs} | {str((folder / "logs").resolve())}
    for place in sorted({p.parent for where in (folder, folder.absolute().parent) for p in where.glob("*/journal.jsonl")}):
        try:
            known = incident.load(place)
        except InputError:
            continue
        if logs & {str(Path(path).resolve()) for path in known.sources["logs"]}:
            started = known.milestones["started"].at
            supported = [h.claim for h in known.hypotheses if h.state == "supported"]
            names = [name for name in (truth.culprit, *truth.culprit_also) if name]
            return {"incident": str(place), "started": times.iso(started),
                    "off_s": (started - truth.onset).total_seconds() if started and truth.onset else None,
                    "supported": supported, "names_the_culprit": any(name in claim for name in names for claim in supported) if names else None,
                    "root_cause": known.root_cause, "metrics": {name: one.text() for name, one in known.metrics.items()}}
    return None


def demo(folder: Path | str, *, tell: Callable[[str], None]) -> Path:
    """Make the example incident, record it as a responder would, execute its notebooks, export the appendix; return its path.

    Args:
        folder: new, empty, or that of an earlier demo, which is made anew.
        tell: is told what is being done, a line each; the last line is the path of the appendix.

    Raises:
        Refused: the folder holds something else.
    """
    folder = Path(folder)
    _clear(folder)
    tell("1/6  making an incident with a known answer: logs, a checkout, a deploy log")
    from incidentnb import drill as drills

    until = times.now().replace(second=0, microsecond=0) - timedelta(minutes=25)
    truth = drills.make(folder / "drill", SEED, "bad_deploy", "jsonl", style="pino", packing="one", recovered=True, until=until)
    logs, changes, repo = folder / "drill" / "logs", folder / "drill" / truth.changes, folder / "drill" / "shop"
    tell(f"     {truth.lines:,} lines in {logs}")
    alert = truth.onset.replace(microsecond=0) + timedelta(minutes=4)
    tell("2/6  opening the incident, reading the logs, executing the investigation notebook")
    place = incident.create(folder, "Checkout answers 5xx", "SEV-2", logs=[logs], changes=[changes], repos=[repo], ic=IC,
                            at=alert + timedelta(minutes=2), actor=IC, recorded_at=alert + timedelta(minutes=2))
    (folder / MARK).write_text(json.dumps({"incident": place.name}) + "\n", encoding="utf-8")
    first = running.investigate(place)
    tell(f"     {_said(place, 'onset')}")
    tell("3/6  recording what responders say and do: notes, hypotheses, a roll-back, updates, milestones")
    _detect(place, alert)
    _think(place, alert)
    over = _mitigate(place, truth.end.replace(microsecond=0))
    tell("4/6  executing the resolution notebook: is it over, by the data?")
    run, recovery = running.resolve(place, by=IC, at=over, recorded_at=over)
    tell(f"     {recovery['sentence']}")
    _review(place, over)
    tell("5/6  executing the investigation once more, with all that was recorded")
    last = running.investigate(place)
    tell("6/6  exporting the appendix")
    html, markdown = exporting.export(place, ["html", "md"])
    for what, path in (("incident", place), ("journal", place / "journal.jsonl"), ("first run", first.record.path), ("resolution", run.record.path),
                       ("last run", last.record.path), ("markdown", markdown)):
        tell(f"{what:<11}{path}")
    tell(str(html))
    return html


def _clear(folder: Path) -> None:
    """Make room for the demo: only what an earlier one made is removed."""
    if not folder.exists() or not any(folder.iterdir()):
        return
    try:
        made = json.loads((folder / MARK).read_text(encoding="utf-8"))["incident"]
    except (OSError, ValueError, KeyError, TypeError):
        raise Refused(str(folder), "holds something that is no demo", "name a new folder: incidentnb demo DIR") from None
    shutil.rmtree(folder / "drill", ignore_errors=True)
    if (folder / Path(str(made)).name / "journal.jsonl").is_file():
        shutil.rmtree(folder / Path(str(made)).name)
    (folder / MARK).unlink()


def _said(place: Path, name: str) -> str:
    found = incident.load(place).finding(name)
    return str(found.body.get("sentence")) if found else f"{name} could not be told"


def _by(who: str, at: datetime, later: timedelta = timedelta(0)) -> dict[str, Any]:
    """Who says it, when it happened, and when it was written down."""
    return {"actor": who, "at": at, "recorded_at": at + later}


def _detect(place: Path, alert: datetime) -> None:
    minute = timedelta(minutes=1)
    milestones.set_milestone(place, "detected", source="page: share of failing requests", **_by(IC, alert, 2 * minute))
    milestones.set_milestone(place, "acknowledged", source="page", **_by(IC, alert + 1.5 * minute, minute))
    statements.assign_role(place, "scribe", SCRIBE, acknowledged=True, **_by(IC, alert + 2.5 * minute))
    recording.post(place, "We are looking into failing requests in the shop. More in 10 minutes.", next_update="10m",
                   **_by(IC, alert + 3 * minute))
    recording.post(place, "Some requests to the shop are failing. We are investigating and will say more within 20 minutes.",
                   channel="status page", state="investigating", next_update="20m", **_by(SCRIBE, alert + 4 * minute))


def _think(place: Path, alert: datetime) -> None:
    minute, known = timedelta(minutes=1), incident.load(place)
    scope, suspects = known.finding("scope"), known.finding("suspects")
    ranked = [c for c in ((suspects.body.get("numbers") or {}).get("changes") or [])] if suspects else []
    first = next((c for c in ranked if c["kind"] == "deploy"), None)
    other = next((c for c in ranked if c is not first and c["kind"] != "commit"), None)
    statements.note(place, "Support reports three customers who cannot pay; a retry does not help.", **_by(SCRIBE, alert + 5 * minute, 4 * minute))
    if other:
        claim = f"{other['kind']} {other['id']} ({other['summary']}) did it"
        h1 = hypotheses.propose(place, claim, because="it was the change before the last", prediction="every version of the shop fails alike",
                                disproof="one version fails and the others do not", **_by(ENGINEER, alert + 5 * minute))
        if scope:
            hypotheses.add_evidence(place, h1.body["id"], "against", scope.body["sentence"], scope.body["id"], **_by(ENGINEER, alert + 6 * minute))
        hypotheses.set_verdict(place, h1.body["id"], "refuted", "it touches all versions alike, the failures do not",
                               **_by(ENGINEER, alert + 6.5 * minute))
    if first:
        claim = f"{first['kind']} {first['id']} ({first['summary']}) broke it"
        h2 = hypotheses.propose(place, claim, because="it came just before the onset, and the failing subset is that version",
                                prediction="with the version before it the failures stop", disproof="failures go on after a roll-back",
                                **_by(ENGINEER, alert + 6 * minute))
        hypotheses.add_evidence(place, h2.body["id"], "for", suspects.body["sentence"], suspects.body["id"], **_by(ENGINEER, alert + 7 * minute))
        hypotheses.set_verdict(place, h2.body["id"], "testing", "", **_by(ENGINEER, alert + 7.5 * minute))


def _mitigate(place: Path, end: datetime) -> datetime:
    """Record the roll-back that ended it, and what followed; return when it is declared over."""
    minute, known = timedelta(minutes=1), incident.load(place)
    statements.decide(place, "Roll shop-api back to the version before", "undoing it is quick and known; waiting for a fix is not", safe="safe now",
                      **_by(IC, end - 2 * minute))
    done = statements.mitigate(place, "Rolled shop-api back to the version before", "the error rate is back at its baseline within two minutes",
                               "deploy the version again", **_by(ENGINEER, end))
    recording.post(place, "The cause is known to be in the latest release; it is being taken back. More in 20 minutes.", channel="status page",
                   state="identified", next_update="20m", **_by(SCRIBE, end + minute))
    recording.post(place, "Rolled back. The error rate is falling; we are watching. More in 20 minutes.", next_update="20m", state="monitoring",
                   **_by(IC, end + 3 * minute))
    milestones.set_milestone(place, "mitigated", source="roll-back finished", **_by(IC, end + minute, minute))
    statements.observe(place, done.body["id"], "failures stopped within a minute", **_by(ENGINEER, end + 4 * minute))
    live = [h for h in known.hypotheses if h.live]
    if live:
        onset = known.finding("onset")
        hypotheses.add_evidence(place, live[-1].id, "for", "the failures stopped when the version was taken back", onset.body["id"],
                                **_by(ENGINEER, end + 5 * minute))
        hypotheses.set_verdict(place, live[-1].id, "supported", "rolled back, and it stopped", **_by(ENGINEER, end + 6 * minute))
    return end + 16 * minute


def _review(place: Path, over: datetime) -> None:
    """Record what is said once it is over: the last updates, and what is to be done so that it does not come back."""
    minute = timedelta(minutes=1)
    recording.post(place, "Resolved. A release was taken back; all requests are answered again. A review follows.", channel="status page",
                   state="resolved", **_by(SCRIBE, over + minute))
    recording.post(place, "It is over. Thanks, all. The review is the day after tomorrow.", **_by(IC, over + 2 * minute))
    statements.post(place, "The incident in the shop is over; the appendix has the details.", channel="stakeholders", **_by(SCRIBE, over + 4 * minute))
    day = (over + timedelta(days=10)).date()
    statements.action(place, "Add a test that places an order with an empty basket against the release candidate", ENGINEER, day, type="prevent",
                      **_by(ENGINEER, over + 5 * minute))
    statements.action(place, "Page on the error rate of each version by itself, not of all together", IC, day, type="detect",
                      **_by(IC, over + 5 * minute))
    statements.schedule_postmortem(place, (over + timedelta(days=2)).date(), owner=IC, actor=IC, at=over + 6 * minute,
                                   recorded_at=over + 6 * minute)
