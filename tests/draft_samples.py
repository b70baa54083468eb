"""What the tests of drafts share: incidents told through the verbs of the record, at random, with what is true of them."""

import random
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from incidentnb.record import hypotheses, incident, milestones, statements
from incidentnb.record.predictions import Result
from incidentnb.workflow import recording

TITLES = ("Checkout answers with errors", "Orders cannot be placed", "Search is slow", "Sign-in fails for some", "Payments are declined",
          "The shop shows empty pages", "Invoices do not open", "Uploads time out", "The mobile app cannot load", "Mail confirmations are late")
CLAIMS = ("the new payment client drops the currency", "the cache was emptied by the nightly job", "the supplier of the maps is down",
          "the latest release reads a field that is not there", "a certificate ran out", "the connection pool is too small")
CHANGES = ("payment client", "nightly job", "maps supplier", "latest release", "certificate", "connection pool")
FIXES = ("Took the latest release back", "Switched the new payment client off", "Doubled the connection pool", "Renewed the certificate",
         "Served the catalogue from the cache", "Stopped the nightly job")
REGIONS = ("eu-west-1", "us-east-1", "ap-south-1", "Germany", "Spain", "Brazil")
PEOPLE = ("Ines Correia", "Sam Okafor", "Noor Haddad", "Maja Lind", "Tom Baker", "Ana Ruiz")
STAGES = ("investigating", "identified", "monitoring", "resolved")


@dataclass
class Told:
    """An incident and what is true of it.

    Attributes:
        folder: its folder.
        now: an instant right after the last entry.
        stage: its status.
        facts: what its findings and entries say, by name.
    """

    folder: Path
    now: datetime
    stage: str
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def known(self) -> incident.Incident:
        return incident.load(self.folder)


def percent(value: float) -> str:
    size = value * 100
    return f"{size:.0f} %" if size >= 9.95 else f"{size:.1f} %"


def moment(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def finding(name: str, verdict: str, sentence: str, numbers: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"{name}-{zlib.crc32(sentence.encode()):08x}", "name": name, "verdict": verdict, "sentence": sentence, "why": "",
            "numbers": numbers, "query": "", "evidence": "sha256:00", "notes": []}


def onset_finding(began: datetime, ended: datetime | None, before: float, during: float, failed: int, total: int) -> dict[str, Any]:
    until = f"until {ended:%H:%M:%S}Z" if ended else "still going on"
    at = {"at": moment(began), "earliest": moment(began - timedelta(seconds=15)), "latest": moment(began + timedelta(seconds=20))}
    end = {"at": moment(ended), "earliest": moment(ended), "latest": moment(ended)} if ended else None
    return finding("onset", "spike", f"The error rate rose from {percent(before)} to {percent(during)} at {began:%Y-%m-%d %H:%M:%S}Z, {until}.",
                   {"onset": at, "end": end, "rate": {"baseline": before, "during": during}, "failed": failed, "requests": total})


def scope_finding(kind: str, value: str, column: str, other: str, failed: int, total: int) -> dict[str, Any] | None:
    if kind == "everyone":
        return finding("scope", "everyone", f"Everyone is hit: {failed:,} of {total:,} requests failed ({percent(failed / total)}, before 0.3 %), "
                       "and no subset stands out.", {"subsets": [], "failed": failed, "total": total})
    if kind == "subset":
        inside, share = round(total * 0.4), failed / (total * 0.4)
        cause = {"where": {column: value}, "cause": True, "failed": failed, "total": inside, "rate_inside": share, "rate_outside": 0.004,
                 "share_of_failures": 0.97, "share_of_traffic": 0.4, "same_as": [], "users": None}
        near = {"where": {column: other}, "cause": False, "failed": 12, "total": 900, "rate_inside": 0.013, "rate_outside": 0.2,
                "share_of_failures": 0.01, "share_of_traffic": 0.1, "same_as": []}
        return finding("scope", "subset", f"Only {column} = {value}: {percent(share)} fail there ({failed:,} of {inside:,}), 0.4 % elsewhere; "
                       "it explains 97 % of the excess.", {"subsets": [cause, near]})
    if kind == "cannot tell":
        return finding("scope", "cannot tell", "Whether everyone or a subset is hit cannot be told: 7 failures are too few.", {"subsets": []})
    return None


def told(parent: Path, rng: random.Random, stage: str = "", **fixed: Any) -> Told:
    """An incident of random facts that has come to ``stage``, recorded through the verbs; ``fixed`` overrules facts by name."""
    stage = stage or rng.choice(STAGES)
    reached = STAGES.index(stage)
    n = rng.randrange(len(CLAIMS))
    began = datetime(2026, rng.randint(1, 11), rng.randint(1, 27), rng.randint(0, 23), rng.randint(0, 59), rng.randint(0, 59), tzinfo=UTC)
    column = rng.choice(("region", "country", "version", "tenant", "host"))
    values = {"region": REGIONS[:3], "country": REGIONS[3:], "version": ("4.18.0", "4.17.2", "5.0.1"), "tenant": ("acme", "globex", "initech"),
              "host": ("web-03", "web-07", "web-11")}[column]
    value, other = rng.sample(values, 2)
    total, users = rng.randint(4000, 90000), rng.randint(900, 40000)
    during = rng.uniform(0.02, 0.35)
    facts = {"title": rng.choice(TITLES), "severity": rng.choice(("SEV-1", "SEV-2", "SEV-2", "SEV-3")),
             "zone": rng.choice(("UTC", "Europe/Berlin", "America/New_York")), "rich": False, "began": began,
             "before": rng.uniform(0.001, 0.006), "during": during, "total": total, "failed": round(total * during),
             "scope": rng.choice(("everyone", "subset", "subset", "subset", "cannot tell", "")), "column": column, "value": value, "other": other,
             "users": users, "hit": round(users * rng.uniform(0.01, 0.8)), "counted": rng.random() < 0.8, "claim": CLAIMS[n], "fix": FIXES[n],
             "established": reached >= 1 and rng.random() < 0.6, "rival": rng.random() < 0.5, "stale": rng.random() < 0.5,
             "people": rng.sample(PEOPLE, 3), "note": "Support reports that trying again does not help", "undo": "deploy it again",
             "expected": "the failures stop within minutes", "promise": rng.choice(("10m", "20m", "30m", "1h"))} | fixed
    return Told(*_record(parent, facts, reached), STAGES[reached], facts)


def _record(parent: Path, facts: dict[str, Any], reached: int) -> tuple[Path, datetime]:
    began, (ic, scribe, engineer) = facts["began"], facts["people"]
    clock = began.replace(second=0) + timedelta(minutes=6)
    ended = began + timedelta(minutes=41) if reached >= 2 else None

    def at(minutes: float, who: str = ic) -> dict[str, Any]:
        return {"actor": who, "at": clock + timedelta(minutes=minutes), "recorded_at": clock + timedelta(minutes=minutes)}

    def keep(body: dict[str, Any] | None, minutes: float) -> None:
        if body:
            statements.record_finding(folder, body, actor=engineer, recorded_at=clock + timedelta(minutes=minutes))
    folder = incident.create(parent, facts["title"], facts["severity"], ic=ic, zone=facts["zone"], actor=ic, at=clock, recorded_at=clock)
    milestones.set_milestone(folder, "detected", source="page", **at(-3))
    milestones.set_milestone(folder, "acknowledged", source="page", **at(1))
    statements.assign_role(folder, "scribe", scribe, acknowledged=True, **at(2))
    recording.post(folder, "We are looking into it. More in 10 minutes.", next_update="10m", **at(3))
    if facts["stale"]:
        keep(onset_finding(began, None, facts["before"], facts["during"] * 0.4, facts["failed"] // 5, facts["total"] // 2), 4)
    keep(onset_finding(began, ended, facts["before"], facts["during"], facts["failed"], facts["total"]), 5)
    keep(scope_finding(facts["scope"], facts["value"], facts["column"], facts["other"], facts["failed"], facts["total"]), 6)
    if facts["counted"]:
        keep(finding("users", "counted", f"{facts['hit']:,} of {facts['users']:,} users had at least one failure "
                     f"({percent(facts['hit'] / facts['users'])}).", {"affected": facts["hit"], "total": facts["users"], "by": "user"}), 7)
    statements.note(folder, facts["note"], **at(8, scribe))
    if facts["rival"]:
        hypotheses.propose(folder, "the network between two rooms is full", disproof="transfers between the rooms are as fast as ever",
                           **at(9, engineer))
        hypotheses.set_verdict(folder, "H1", "refuted", "transfers are as fast as ever", **at(11, engineer))
    mine = hypotheses.propose(folder, facts["claim"], prediction="without it the failures stop", disproof="the failures go on without it",
                              rivals=["H1"] if facts["rival"] else [], **at(12, engineer)).body["id"]
    hypotheses.add_evidence(folder, mine, "for", "it came right before", "https://example.org/changes", **at(13, engineer))
    hypotheses.set_verdict(folder, mine, "testing", **at(14, engineer))
    if facts["established"]:
        hypotheses.set_verdict(folder, mine, "supported", "reproduced", **at(20, engineer))
    if reached >= 1:
        statements.decide(folder, facts["fix"], "quick and can be undone", safe="safe now", **at(22))
        statements.set_status(folder, "identified", **at(23))
    if reached >= 2:
        made = statements.mitigate(folder, facts["fix"], facts["expected"], facts["undo"], **at(31, engineer))
        milestones.set_milestone(folder, "mitigated", **at(33))
        statements.observe(folder, made.body["id"], "the failures stopped", **at(37, engineer))
        statements.set_status(folder, "monitoring", **at(38))
    if reached >= 3:
        since = began + timedelta(minutes=41)
        keep(finding("recovery", "recovered", f"Recovered since {since:%Y-%m-%d %H:%M:%S}Z: 20 of 8,227 failed in 15 complete minutes (0.2 %).",
                     {"since": moment(since), "rate": 0.0024, "failing": 20, "requests": 8227, "baseline": facts["before"]}), 52)
        milestones.set_milestone(folder, "resolved", **at(55))
        statements.set_status(folder, "resolved", **at(56))
        statements.schedule_postmortem(folder, (clock + timedelta(days=2)).date(), owner=ic, **at(57))
    if facts["rich"]:
        keep(finding("suspects", "candidates", f"The likeliest of 9 known changes is deploy shop 4.18.0, "
                     f"{began - timedelta(minutes=2):%H:%M:%S}Z (2 min before the onset).", {"changes": []}), 7)
        other = hypotheses.propose(folder, "a partner sends twice as many requests", prediction="its share of the traffic has doubled",
                                   check="SELECT count(*) FROM log", expect="> 1000", **at(15, engineer)).body["id"]
        hypotheses.record_check(folder, other, Result("cannot tell", "", "no partner is named"), actor=engineer,
                                recorded_at=clock + timedelta(minutes=15.2))
        statements.set_severity(folder, "SEV-1" if facts["severity"] != "SEV-1" else "SEV-2", "more users than we thought", **at(10))
        statements.note(folder, "Need somebody who knows the payment partner's interface", **at(16, scribe))
        first = statements.mitigate(folder, "Restarted two instances", "they answer again", "nothing to undo", **at(15.5, engineer))
        statements.observe(folder, first.body["id"], "no change", **at(16.5, engineer))
        statements.observe(folder, first.body["id"], "taken back, no change", undone=True, **at(16.8, engineer))
        statements.assign_role(folder, "ic", engineer, brief="fix is being prepared", **at(16.9, engineer))
    now = clock + timedelta(minutes=(17, 27, 42, 59)[reached])
    if reached < 3:
        promise = {"next_update": facts["promise"], "actor": scribe, "recorded_at": now, "at": now} if facts["promise"] else None
        for channel in ("status page", "stakeholders") if promise else ():
            recording.post(folder, "We will say more.", channel=channel, **promise)
    return folder, now + timedelta(seconds=30)
