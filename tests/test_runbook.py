"""The runbook as data: what is done, due, late, skipped or not applicable, and how the severity makes and unmakes duties."""

import importlib
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from incidentnb.exceptions import InputError
from incidentnb.findings import Finding
from incidentnb.record import checks, clocks, hypotheses, incident, runbook, statements, status
from incidentnb.record.milestones import set_milestone

T0 = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def minutes(n: float) -> timedelta:
    return timedelta(minutes=n)


def at(n: float, actor: str = "Dana") -> dict:
    """Happened and was recorded ``n`` minutes after the beginning."""
    return {"at": T0 + minutes(n), "recorded_at": T0 + minutes(n), "actor": actor}


def opened(tmp_path: Path, severity: str = "SEV-1") -> Path:
    return incident.create(tmp_path, "Checkout 5xx", severity, ic="Lee", **at(0))


def duties(folder: Path, n: float) -> dict[str, runbook.Duty]:
    return {duty.id: duty for duty in runbook.duties(incident.load(folder), T0 + minutes(n))}


def states(folder: Path, n: float, *ids: str) -> list[str]:
    found = duties(folder, n)
    return [found[name].state for name in ids]


def test_data_file_is_sound():
    """Every duty has a phase, a way to satisfy it and what to type; rules name what keeps them; each check is used."""
    book = runbook.rules()
    assert {line.phase for line in book.duties} == set(runbook.PHASES)
    for line in book.duties:
        assert line.what.endswith((".", "?")) and line.verb, line.id
        assert line.check or line.evidence or line.id == "reproduce", f"{line.id} could only be skipped"
        assert set(line.severities) <= {1, 2, 3, 4}
    for rule in book.rules:
        module, _, name = rule["kept_by"].rpartition(".")
        owner, _, member = module.rpartition(".") if module.endswith("Incident") else (module, "", "")
        place = importlib.import_module(f"incidentnb.{owner}")
        assert hasattr(getattr(place, member) if member else place, name), rule["kept_by"]
    used = {line.check for line in book.duties if line.check}
    defined = set(re.findall(r"^def (\w+)\(incident", Path(checks.__file__).read_text(), re.MULTILINE))
    assert used == defined


def test_every_line_of_the_runbook_is_there(shared):
    """Each bullet of the runbook has a duty or a rule that speaks of the same thing."""
    text = (shared / "RUNBOOK.md").read_text()
    book = runbook.rules()
    said = " ".join([line.what for line in book.duties] + [rule["what"] for rule in book.rules]).lower()
    wanted = {"Acknowledge the alert": "acknowledge the alert", "false alarm is closed": "false alarm", "Set the severity": "set the severity",
              "incident commander": "exactly one at any instant", "hand-overs": "the taker acknowledges", "Open the incident channel": "channel",
              "Post the first update": "more in 10 minutes", "Status page: for SEV-1": "status page: investigating",
              "What changed recently": "what changed?", "Error rate": "is there a spike", "Which requests": "which requests",
              "Everyone, or a subset": "everyone, or a subset", "How many of how many": "how many of how many",
              "Which error messages are new": "which have vanished", "Hypotheses": "how it could be disproved", "reproduced": "reproduce",
              "Narrate": "tell the channel", "Can we roll back": "can we roll back", "Can we route around": "can we route around",
              "Is the fix safe now": "is the fix safe now", "how to undo it": "how to undo it", "Mitigated is not resolved": "not resolved",
              "Confirm from data": "10 to 15 complete minutes", "Post the resolution": "short account of the fix",
              "status page to resolved": "status page: resolved", "stakeholders notified": "stakeholders", "Postmortem within 48": "48 hours",
              "*Identified*": "status page: identified", "*Monitoring*": "status page: monitoring", "action items": "action items",
              "executed notebook is its appendix": "appendix", "time spent in each severity": "time spent in each severity",
              "Four different clocks": "own response clock", "a person decides": "only an entry of a person"}
    assert [line for line in wanted if line not in text] == [], "the runbook has changed"
    assert [line for line, words in wanted.items() if words not in said] == []


def test_first_five_minutes(tmp_path):
    """Before five minutes have passed they are due, after that late; done says by whom, when, and whether in time."""
    folder = opened(tmp_path)
    first = ("acknowledge", "channel", "first-update", "status-page")
    assert states(folder, 5, *first) == ["due"] * 4 and states(folder, 5.1, *first) == ["late"] * 4
    set_milestone(folder, "acknowledged", **at(4, "Kim"))
    statements.post(folder, "looking into it", next_update="10m", **at(7))
    found = duties(folder, 8)
    assert (found["acknowledge"].state, found["acknowledge"].by, found["acknowledge"].at, found["acknowledge"].clock) == (
        "done", "Kim", T0 + minutes(4), "met")
    assert (found["first-update"].state, found["first-update"].clock) == ("done", "missed")
    assert (found["commander"].state, found["severity"].state, found["roles"].reason) == ("done", "done", "as wanted")


def test_severity_makes_and_unmakes_duties(tmp_path):
    """The status page is owed for SEV-1 and SEV-2 alone; raised later, its five minutes begin then; lowered, it is owed no more."""
    folder = opened(tmp_path, "SEV-3")
    assert states(folder, 60, "status-page") == ["not applicable"]
    statements.set_severity(folder, "SEV-1", **at(60))
    found = duties(folder, 64)["status-page"]
    assert (found.state, found.due) == ("due", T0 + minutes(65))
    assert states(folder, 66, "status-page") == ["late"]
    statements.set_severity(folder, "SEV-2", **at(70))
    assert duties(folder, 71)["status-page"].due == T0 + minutes(65), "it was owed all the time"
    statements.set_severity(folder, "SEV-4", **at(80))
    assert states(folder, 90, "status-page") == ["not applicable"]
    statements.set_status(folder, "resolved", **at(100))
    assert states(folder, 101, "postmortem-date") == ["due"], "the highest severity decides on the postmortem"


@pytest.mark.parametrize(("severity", "due"), [("SEV-1", minutes(5)), ("SEV-2", minutes(30)), ("SEV-3", minutes(24 * 60)),
                                               ("SEV-4", timedelta(days=27, hours=10))])
def test_four_response_clocks(tmp_path, severity, due):
    """At once, thirty minutes, a working day, the end of the next sprint; from detection; met, missed or running."""
    folder = opened(tmp_path, severity)
    clock, = runbook.response_clocks(incident.load(folder))
    assert clock.due - T0 == due
    assert (clock.state(clock.due), clock.state(clock.due + minutes(1))) == ("running", "missed")
    set_milestone(folder, "acknowledged", **at(3))
    assert runbook.response_clocks(incident.load(folder))[0].state(T0 + timedelta(days=99)) == "met"


def test_business_hours_of_the_team(tmp_path):
    """With the team's own calendar the clock of SEV-3 stands still at night, on its weekend and on its holidays."""
    folder = incident.create(tmp_path, "x", "3", at="2026-11-26T16:00:00+04:00", recorded_at=T0 + timedelta(days=3))  # a Thursday in Dubai
    days = clocks.calendar({"zone": "Asia/Dubai", "days": ["sun", "mon", "tue", "wed", "thu"], "holidays": ["2026-11-29"]})
    clock, = runbook.response_clocks(incident.load(folder), calendar=days)
    assert clock.due == datetime.fromisoformat("2026-11-30T16:00:00+04:00")


def test_response_clocks_follow_the_severity(tmp_path):
    """A clock that had not run out when the severity fell is unmade; one that was missed stays missed; a rise starts a new one."""
    folder = opened(tmp_path, "SEV-2")
    statements.set_severity(folder, "SEV-3", **at(10))
    statements.set_severity(folder, "SEV-1", **at(20))
    statements.set_severity(folder, "SEV-2", **at(40))
    found = runbook.response_clocks(incident.load(folder))
    assert [(c.name[12:17], c.start - T0, c.state(T0 + minutes(50))) for c in found] == [
        ("SEV-1", minutes(20), "missed"), ("SEV-2", minutes(40), "running")]


def test_promises_are_duties(tmp_path):
    """While an update is owed the duty is due, then late, until the next post; with none promised it does not arise."""
    folder = opened(tmp_path)
    assert states(folder, 1, "promises") == ["not applicable"]
    statements.post(folder, "on it", next_update="10m", **at(2))
    assert states(folder, 12, "promises") == ["due"] and states(folder, 13, "promises") == ["late"]
    statements.post(folder, "still", **at(15))
    found = duties(folder, 16)["promises"]
    assert (found.state, found.clock) == ("done", "missed")


def test_words_of_people(tmp_path):
    """A duty is done on a person's word, skipped or set aside with a reason; without one that is refused."""
    folder = opened(tmp_path)
    statements.duty(folder, "reproduce", "done", "could not", **at(5, "Kim"))
    statements.duty(folder, "stakeholders", "skipped", "nobody is affected", **at(6))
    statements.duty(folder, "safe", "not applicable", "nothing to fix", **at(7))
    found = duties(folder, 8)
    assert (found["reproduce"].state, found["reproduce"].by, found["reproduce"].reason) == ("done", "Kim", "could not")
    assert (found["stakeholders"].state, found["stakeholders"].reason) == ("skipped", "nobody is affected")
    assert found["safe"].state == "not applicable"
    for bad in (("reproduce", "skipped"), ("reprodcue", "done"), ("safe", "forgotten", "x")):
        with pytest.raises(InputError):
            statements.duty(folder, *bad)


def test_checks(tmp_path):
    """Hand-over, hypotheses, mitigations and action items say what is still missing, and are done when nothing is."""
    folder = opened(tmp_path)
    assert states(folder, 1, "hand-over", "tested", "expected", "effect") == ["not applicable"] * 4
    statements.assign_role(folder, "ic", "Kim", **at(2))
    hypotheses.propose(folder, "the deploy", **at(3))
    statements.mitigate(folder, "roll back", **at(4))
    set_milestone(folder, "resolved", **at(5))
    statements.action(folder, "test it", **at(6))
    found = duties(folder, 7)
    assert [found[name].reason for name in ("hand-over", "tested", "expected", "effect", "action-items")] == [
        "a brief and the acknowledgement of Kim", "a verdict on H1", "the expected effect or the undo of M1", "the effect of M1",
        "owner, date or kind of A1"]
    statements.assign_role(folder, "ic", "Kim", brief="all of it", **at(8, "Kim"))
    hypotheses.set_verdict(folder, "H1", "inconclusive", "no data", **at(9))
    statements.mitigate(folder, "roll back", "fewer errors", "forward again", supersedes=4, actor="Dana")
    statements.observe(folder, "M1", "fewer", **at(10))
    statements.action(folder, "test it", "Kim", "2026-12-01", type="detect", supersedes=6, actor="Dana")
    assert states(folder, 11, "hand-over", "tested", "expected", "effect", "action-items") == ["done"] * 5


def test_false_alarm_owes_nothing(tmp_path):
    """Closed as a false alarm with its reason: it is on record, and nothing else is due or late."""
    folder = opened(tmp_path)
    statements.close(folder, "a probe was misconfigured", false_alarm=True, **at(4))
    found = duties(folder, 600)
    assert (found["false-alarm"].state, found["confirm"].state) == ("done", "done")
    assert {duty.state for duty in found.values()} == {"done", "not applicable"}


def full(folder: Path) -> None:
    """Everything that closing waits for."""
    set_milestone(folder, "started", **at(-3))
    set_milestone(folder, "detected", **at(0))
    set_milestone(folder, "acknowledged", **at(2))
    set_milestone(folder, "mitigated", **at(20))
    statements.record_finding(folder, Finding("recovery", "recovered", "Quiet for 15 min."), recorded_at=T0 + minutes(40))
    set_milestone(folder, "resolved", **at(41))
    statements.schedule_postmortem(folder, "2026-11-25", **at(42))


def test_gates(tmp_path):
    """What closing waits for is named by code, shrinks as it is done, and holds anew for what a reopening undid."""
    folder = opened(tmp_path)
    gates = {duty.id for duty in runbook.blockers(incident.load(folder), T0 + minutes(1))}
    assert gates == {"acknowledge", "detected", "started", "mitigated", "recovered", "resolved"}
    full(folder)
    assert runbook.blockers(incident.load(folder), T0 + minutes(50)) == ()
    statements.close(folder, "rolled back", **at(50))
    statements.reopen(folder, "it is back", **at(90))
    assert {duty.id for duty in runbook.blockers(incident.load(folder), T0 + minutes(91))} == {"mitigated", "recovered", "resolved"}


def test_postmortem_within_48_hours(tmp_path):
    """Two days after resolving the postmortem is late, for SEV-1 and SEV-2; never for a smaller one."""
    big, small = opened(tmp_path), opened(tmp_path, "SEV-3")
    for folder in (big, small):
        set_milestone(folder, "resolved", **at(60))
    assert states(big, 60 + 48 * 60, "postmortem") == ["due"] and states(big, 61 + 48 * 60, "postmortem") == ["late"]
    assert states(small, 99 * 60, "postmortem", "postmortem-date") == ["not applicable"] * 2
    statements.record_export(big, {"document": "postmortem", "path": "exports/postmortem.md"}, **at(70))
    assert duties(big, 99 * 60)["postmortem"].clock == "met" and states(big, 99, "appendix") == ["due"]


def test_bad_data_is_one_line(tmp_path):
    """A runbook that a team edited wrongly is refused at file:line, or at the duty, in one line."""
    path = tmp_path / "runbook.toml"
    duty = '[[duty]]\nid = "x"\nphase = "detection"\nwhat = "Do."\n'
    for text, match in ((duty + "when =", "runbook.toml:5"), (duty + 'fase = "x"', "no such field: fase"), ('[[duty]]\nid = "x"', "is missing"),
                        (duty.replace("detection", "later"), "no such phase"), (duty + 'check = "luck"', "no such check"), (duty * 2, "one id"),
                        ('[calendar]\nzone = "Mars"', "runbook.toml:1: Mars: no such time zone"), ("\0", "runbook.toml"),
                        (duty + 'clock = { within = "5x" }', "runbook.toml:1: duty x: 5x: not a length of time"),
                        (duty + "severities = [5]", "no such severity: 5"), ('duty = "x"', "no list of tables"),
                        ("[response]\nSEV-1 = { soon = true }", "runbook.toml:2: response SEV-1: clock: no such clock")):
        path.write_text(text)
        with pytest.raises(InputError, match=match) as error:
            runbook.rules(path)
        assert "\n" not in str(error.value)
    path.write_text(duty)
    assert [d.state for d in runbook.duties(incident.load(opened(tmp_path)), T0, book=runbook.rules(path))] == ["due"]
    with pytest.raises(InputError, match="cannot be read"):
        runbook.rules(tmp_path / "none.toml")


def test_status_is_plain_and_complete(tmp_path):
    """What stands is plain JSON that survives the trip: duties, clocks, open hypotheses, promises, milestones."""
    folder = opened(tmp_path)
    statements.post(folder, "on it", next_update="10m", **at(1))
    hypotheses.propose(folder, "the deploy", **at(2))
    hypotheses.propose(folder, "the flag", **at(2))
    hypotheses.set_verdict(folder, "H2", "refuted", "it was off", **at(3))
    found = status.status(incident.load(folder), T0 + minutes(8))
    assert json.loads(json.dumps(found)) == found
    assert sum(found["counts"].values()) == len(found["duties"]) == len(runbook.rules().duties)
    assert found["promises"] == {"next": {"channel": "chat", "due": "2026-11-23T14:11:00Z", "state": "running",
                                          "promised_at": "2026-11-23T14:01:00Z"}, "kept": 0, "broken": 0}
    assert [h["id"] for h in found["hypotheses"]["open"]] == ["H1"] and found["hypotheses"]["refuted"] == ["H2"]
    assert (found["hypotheses"]["root_cause"], found["ic"], found["severity"]) == ("not established", "Lee", "SEV-1")
    assert found["clocks"][0]["state"] == "missed" and found["metrics"]["TTD"]["value_s"] is None
    assert status.status(incident.load(folder), T0 + minutes(20))["promises"]["next"]["state"] == "broken"


def test_status_page_is_safe_and_says_what_is_late_first(tmp_path):
    """The page holds no escape sequence of anyone's text, keeps to its width, and colours only where asked."""
    folder = incident.create(tmp_path, "Down \x1b[31m\u202e now\nand then", "1", zone="Europe/Berlin", **at(0, "D\x1bana"))
    hypotheses.propose(folder, "the \x9b deploy " + "x" * 300, **at(2))
    statements.section_failed(folder, "patterns", "no \x1b messages", recorded_at=T0 + minutes(3))
    found = status.status(incident.load(folder), T0 + minutes(8))
    page = status.status_page_text(found, width=90)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", page) and max(map(len, page.splitlines())) <= 90
    assert "15:00:00+01:00" in page and "root cause: not established" in page and "section patterns could not be computed" in page
    shown = [line.split()[0] for line in page.split("detection\n")[1].split("\n\n")[0].splitlines()]
    assert shown == sorted(shown, key=["late", "due", "done", "skipped"].index) and shown[0] == "late"
    colored = status.status_page_text(found, color=True, width=90)
    assert re.sub(r"\x1b\[\d*m", "", colored) == page != colored
    assert "not applicable" in status.status_page_text(found, everything=True)
