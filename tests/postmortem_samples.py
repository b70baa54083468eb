"""What the tests of the postmortem share: an incident over midnight that was reopened, with late, corrected and retracted entries."""

from datetime import datetime, timedelta
from pathlib import Path

from incidentnb import times
from incidentnb.findings import Finding
from incidentnb.record import hypotheses, incident, milestones, statements
from incidentnb.times import Interval

START = times.parse("2026-11-23T22:30Z")


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def by(who: str, when: float, late: float = 0) -> dict:
    return {"actor": who, "at": at(when), "recorded_at": at(when + late)}


def finding(name: str, verdict: str, sentence: str, **numbers) -> Finding:
    return Finding(name, verdict, sentence, "", numbers)


def story(parent: Path, zone: str | None = "Europe/Berlin") -> Path:
    """An incident from 22:30 to 01:50 UTC, reopened once, in the record of three people."""
    place = incident.create(parent, "Checkout *fails*", "SEV-3", ic="Ada", actor="Ada", zone=zone, at=at(6), recorded_at=at(6))
    onset = Interval(at(0), at(-1), at(1))
    for found in (finding("onset", "spike", "The error rate rose from 0.3 % to 8 %.", onset=onset, end=None,
                          rate={"baseline": 0.003, "during": 0.08}),
                  finding("scope", "subset", "Only region = eu: 41 % fail there.", subsets=[{"where": {"region": "eu"}, "cause": True}]),
                  finding("users", "counted", "120 of 4,000 users were hit (3 %).", affected=120, total=4000, by="user"),
                  finding("suspects", "candidates", "Deploy 4.18.0 is near the onset.", changes=[
                      {"at": times.iso(at(-2)), "kind": "deploy", "id": "d1", "summary": "shop 4.18.0", "version": "4.18.0", "rank": 1,
                       "strength": "strong", "author": "Tom", "source": "/srv/feeds/deploys.jsonl:14"}])):
        statements.record_finding(place, found, actor="notebook", recorded_at=at(8))
    milestones.set_milestone(place, "detected", source="page", **by("Ada", 4, 2))
    milestones.set_milestone(place, "acknowledged", **by("Ada", 5, 2))
    statements.set_severity(place, "SEV-1", "everyone pays in the evening", **by("Ada", 12))
    statements.post(place, "We are looking into it.", next_update="10m", **by("Ada", 9))
    statements.post(place, "Still looking.", next_update="15m", **by("Ben", 24))
    statements.post(place, "Some orders fail.", channel="status page", state="investigating", next_update="30m", **by("Ben", 14))
    statements.note(place, "Support had calls since half past ten.", **by("Ben", 2, 60))
    statements.note(place, "The queue is fine.", **by("Cleo", 20))
    wrong = statements.note(place, "The database is down.", **by("Cleo", 21))
    statements.retract(place, wrong.id, "it was not", actor="Cleo", recorded_at=at(23))
    slip = statements.note(place, "Region us fails.", **by("Cleo", 22))
    statements.note(place, "Region eu fails.", supersedes=slip.id, actor="Cleo", recorded_at=at(26))
    one = hypotheses.propose(place, "a full disk", because="it happened before", **by("Cleo", 27)).body["id"]
    hypotheses.add_evidence(place, one, "against", "every disk is half empty", "disk.log:12", **by("Cleo", 28))
    hypotheses.set_verdict(place, one, "refuted", "no disk is full", **by("Cleo", 29))
    two = hypotheses.propose(place, "deploy 4.18.0 sends no region", rivals=[one], prediction="4.17 does not fail",
                             disproof="a roll-back does not help", **by("Cleo", 30)).body["id"]
    hypotheses.add_evidence(place, two, "for", "4.17 hosts do not fail", "/srv/logs/app.log:88121", **by("Cleo", 31))
    statements.decide(place, "Roll back", "quick and known", safe="safe now", **by("Ada", 32))
    done = statements.mitigate(place, "Rolled back to 4.17", "no failures in 2 minutes", "deploy 4.18.0", **by("Cleo", 35)).body["id"]
    statements.observe(place, done, "failures stopped", **by("Cleo", 38))
    hypotheses.set_verdict(place, two, "supported", "rolled back, and it stopped", **by("Cleo", 40))
    milestones.set_milestone(place, "mitigated", **by("Ada", 38))
    statements.set_status(place, "resolved", "no failures for 15 minutes", **by("Ada", 60))
    statements.reopen(place, "it fails again in eu", **by("Ben", 100))
    statements.assign_role(place, "ic", "Ben", brief="roll-back was undone", **by("Ben", 105))
    statements.mitigate(place, "Pinned 4.17", **by("Cleo", 110))
    milestones.set_milestone(place, "mitigated", source="pinned", **by("Ben", 112))
    statements.set_severity(place, "SEV-2", **by("Ben", 115))
    milestones.set_milestone(place, "resolved", source="dashboards", **by("Ben", 200))
    statements.post(place, "It is over.", state="resolved", **by("Ben", 201))
    statements.post(place, "It is over; a review follows.", channel="stakeholders", **by("Ben", 203))
    statements.action(place, "Send the region with each order", "Cleo", "2026-12-04", type="prevent", **by("Cleo", 210))
    action = statements.action(place, "Page on each region by itself", **by("Ben", 211)).body["id"]
    statements.finish_action(place, action, **by("Ben", 220))
    statements.schedule_postmortem(place, "2026-11-25", owner="Ben", actor="Ben", recorded_at=at(221))
    return place
