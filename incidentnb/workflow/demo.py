"""The example incident: made with a known answer, recorded as responders would, executed, exported."""

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
from incidentnb.workflow import exporting, recording, reviewing, running

MARK = ".incidentnb-demo.json"  # in the demo's folder: what was made there, so that it may be made anew
SEED = 19
UNTIL = "14:31"  # end of its traffic, on the last day on which the whole story fits before now
IC, SCRIBE, ENGINEER = "Ines Correia", "Sam Okafor", "Noor Haddad"
MINUTE = timedelta(minutes=1)


def demo(folder: Path | str, *, tell: Callable[[str], None]) -> Path:
    """Make the example incident, record it as responders would, execute its notebooks, export appendix and postmortem; return the appendix.

    Args:
        folder: new, empty, or that of an earlier demo, which is made anew.
        tell: is told what is being done, a line each; the last line is the path of the appendix.

    Raises:
        Refused: the folder holds something else.
    """
    from incidentnb import drill

    folder = Path(folder)
    _clear(folder)
    tell("1/6  making an incident with a known answer: logs, a checkout, a deploy log")
    until = times.parse(UNTIL)
    until -= timedelta(days=1) if until > times.now() - 30 * MINUTE else timedelta(0)
    truth = drill.make(folder / "drill", SEED, "bad_deploy", "jsonl", style="pino", packing="one", recovered=True, until=until)
    logs, changes, repo = folder / "drill" / "logs", folder / "drill" / truth.changes, folder / "drill" / str(truth.repository)
    alert = truth.onset.replace(microsecond=0) + 4 * MINUTE
    tell("2/6  opening the incident, reading its logs, executing the investigation notebook")
    place = incident.create(folder, "Shop answers 5xx", "SEV-2", logs=[logs], changes=[changes], repos=[repo], ic=IC, actor=IC,
                            at=alert + 2 * MINUTE, recorded_at=alert + 2 * MINUTE)
    (folder / MARK).write_text(json.dumps({"incident": place.name}) + "\n", encoding="utf-8")
    first = running.investigate(place)
    tell(f"     {_said(place, 'onset')}\n     {_said(place, 'scope')}")
    tell("3/6  recording what responders say and do: updates, hypotheses, evidence, a roll-back, milestones")
    _detect(place, alert)
    _think(place, alert)
    over = _mitigate(place, truth.end.replace(microsecond=0))
    tell("4/6  executing the resolution notebook: is it over, by the data?")
    last, recovery = running.resolve(place, by=IC, at=over, recorded_at=over)
    tell(f"     {recovery['sentence']}")
    _review(place, over)
    tell("5/6  executing the investigation once more, with all that was recorded")
    again = running.investigate(place)
    tell("6/6  exporting the appendix, writing the postmortem")
    html, markdown = exporting.export(place, ["html", "md"])
    review = reviewing.postmortem(place)
    tell(f"     blank in it: {len(review.blanks)}, to say otherwise: {len(review.flags)}")
    paths = {"incident": place, "record": place / "journal.jsonl", "first run": first.record.path, "resolution": last.record.path,
             "last run": again.record.path, "markdown": markdown, "postmortem": review.path}
    for what, path in paths.items():
        tell(f"{what:<12}{path}")
    tell(str(html))
    return html


def _clear(folder: Path) -> None:
    """Make room for the demo: only what an earlier one made is removed."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
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
    return str(found.body["sentence"]) if found else f"{name}: could not be told"


def _by(who: str, at: datetime, late: timedelta = timedelta(0)) -> dict[str, Any]:
    """Who says it, when it happened, and how much later it was written down."""
    return {"actor": who, "at": at, "recorded_at": at + late}


def _detect(place: Path, alert: datetime) -> None:
    """Record the alert, who takes it up, and the first updates."""
    milestones.set_milestone(place, "detected", source="page: share of failing requests", **_by(IC, alert, 2 * MINUTE))
    milestones.set_milestone(place, "acknowledged", source="page", **_by(IC, alert + 1.5 * MINUTE, MINUTE))
    statements.assign_role(place, "scribe", SCRIBE, acknowledged=True, **_by(IC, alert + 2.5 * MINUTE))
    recording.post(place, "We are looking into failing requests in the shop. More in 10 minutes.", next_update="10m",
                   **_by(IC, alert + 3 * MINUTE))
    recording.post(place, "Some requests to the shop are failing. We are investigating and will say more within 20 minutes.",
                   channel="status page", state="investigating", next_update="20m", **_by(SCRIBE, alert + 4 * MINUTE))
    statements.note(place, "Support reports customers who cannot pay; trying again does not help.",
                    **_by(SCRIBE, alert + MINUTE, 4 * MINUTE))


def _think(place: Path, alert: datetime) -> None:
    """Record two hypotheses out of the ranked changes: one that loses, one that stands."""
    known = incident.load(place)
    scope, suspects = known.finding("scope"), known.finding("suspects")
    if scope is None or suspects is None:
        return
    told = [change for change in suspects.body["numbers"]["changes"] if change["kind"] != "commit"]
    ranked = [change for change in told if change["rank"]]
    others = [change for change in told if change not in ranked[:1] and not any("after the onset" in reason for reason in change["reasons"])]
    for change in others[:1]:
        made = hypotheses.propose(place, f"{change['kind']} {change['id']} ({change['summary']}) did it",
                                  because="it is near the onset", prediction="every version of the shop fails alike",
                                  disproof="one version fails and the others do not", **_by(ENGINEER, alert + 4.5 * MINUTE))
        hypotheses.add_evidence(place, made.body["id"], "against", scope.body["sentence"], scope.body["id"],
                                **_by(ENGINEER, alert + 5 * MINUTE))
        hypotheses.set_verdict(place, made.body["id"], "refuted", "it bears on all versions alike, the failures do not",
                               **_by(ENGINEER, alert + 5.5 * MINUTE))
    for change in ranked[:1]:
        made = hypotheses.propose(place, f"{change['kind']} {change['id']} ({change['summary']}) broke it",
                                  because="; ".join(change["reasons"]), prediction="with the version before it the failures stop",
                                  disproof="the failures go on after a roll-back", **_by(ENGINEER, alert + 6 * MINUTE))
        hypotheses.add_evidence(place, made.body["id"], "for", suspects.body["sentence"], suspects.body["id"],
                                **_by(ENGINEER, alert + 6.5 * MINUTE))
        hypotheses.set_verdict(place, made.body["id"], "testing", "", **_by(ENGINEER, alert + 7 * MINUTE))


def _mitigate(place: Path, end: datetime) -> datetime:
    """Record the roll-back that ended it and what was seen after it; return when the incident is declared over."""
    statements.decide(place, "Roll shop-api back to the version before", "undoing it is quick and known, waiting for a fix is not",
                      safe="safe now", **_by(IC, end - 3 * MINUTE))
    done = statements.mitigate(place, "Rolled shop-api back to the version before", "the error rate is at its baseline in 2 minutes",
                               "deploy the version again", **_by(ENGINEER, end - MINUTE))
    milestones.set_milestone(place, "mitigated", source="roll-back finished", **_by(IC, end, MINUTE))
    recording.post(place, "The latest release of the shop is being taken back. More in 20 minutes.", channel="status page",
                   state="identified", next_update="20m", **_by(SCRIBE, end + MINUTE))
    recording.post(place, "Rolled back; the error rate is falling. We are watching. More in 20 minutes.", state="monitoring",
                   next_update="20m", **_by(IC, end + 3 * MINUTE))
    statements.observe(place, done.body["id"], "the failures stopped within a minute", **_by(ENGINEER, end + 4 * MINUTE))
    known = incident.load(place)
    onset, live = known.finding("onset"), [h for h in known.hypotheses if h.live]
    if onset and live:
        hypotheses.add_evidence(place, live[-1].id, "for", "the failures stopped when the version was taken back", onset.body["id"],
                                **_by(ENGINEER, end + 5 * MINUTE))
        hypotheses.set_verdict(place, live[-1].id, "supported", "rolled back, and it stopped", **_by(ENGINEER, end + 6 * MINUTE))
    return end + 17 * MINUTE


def _review(place: Path, over: datetime) -> None:
    """Record what is said once it is over: the last updates, and what is to be done so that it does not come back."""
    recording.post(place, "Resolved. A release was taken back and all requests are answered again. A review follows.",
                   channel="status page", state="resolved", **_by(SCRIBE, over + MINUTE))
    recording.post(place, "It is over: the release was rolled back. The review is in two days.", state="resolved",
                   **_by(IC, over + 2 * MINUTE))
    recording.post(place, "The incident in the shop is over; the appendix has the details.", channel="stakeholders",
                   **_by(SCRIBE, over + 4 * MINUTE))
    day = (over + timedelta(days=10)).date()
    statements.action(place, "Hold each release at one host until its own error rate was seen for 10 minutes", ENGINEER, day,
                      type="prevent", **_by(ENGINEER, over + 5 * MINUTE))
    statements.action(place, "Page on the error rate of each version by itself, not of all together", IC, day, type="detect",
                      **_by(IC, over + 5 * MINUTE))
    statements.schedule_postmortem(place, (over + timedelta(days=2)).date(), owner=IC, **_by(IC, over + 6 * MINUTE))
