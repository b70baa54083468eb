"""The verb ``postmortem``: the file, what people write in it, the check, the action items, and a whole incident by the command line."""

import csv
import json
import os
import re
import shutil
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
from postmortem_samples import story

from incidentnb import cli, drill, places, times
from incidentnb.record import incident, journal, statements
from incidentnb.workflow import exporting, reviewing

GOLDEN = Path(__file__).parent / "golden" / "postmortem.md"
MESSAGES = GOLDEN.with_name("incident-messages.txt")
UNTIL = times.parse("2026-11-22T14:31Z")


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    return story(tmp_path_factory.mktemp("story"))


@pytest.fixture
def place(told, tmp_path, monkeypatch):
    """A copy of the told incident, in which one stands."""
    here = Path(shutil.copytree(told, tmp_path / told.name))
    monkeypatch.chdir(here)
    return here


def run(capsys, *words: str) -> tuple[int, str, str]:
    code = cli.main(list(words))
    out, err = capsys.readouterr()
    return code, out, err


def edit(place: Path, old: str, new: str) -> None:
    path = place / reviewing.PLACE
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_it_writes_records_and_says_where_and_what_is_blank(place, capsys):
    """The verb writes the file, keeps it in the journal once, does the runbook's duty, and prints path, blanks and flags."""
    code, out, _ = run(capsys, "postmortem")
    assert code == 0 and out.splitlines()[:2] == ["incident  .", "written   exports/postmortem.md"]
    assert "  Where luck helped: " in out and "has no owner" in out and "postmortem.md:" in out
    last = journal.read(place)[-1]
    assert (last.kind, last.body["document"], last.body["path"]) == ("export", "postmortem", "exports/postmortem.md")
    run(capsys, "postmortem")
    assert journal.read(place)[-1] == last
    assert next(c.state for c in exporting.verify(place) if c.what == "exports/postmortem.md") == "ok"


def test_the_json_keeps_its_contract(place, capsys):
    """``--json`` has the schema that is published."""
    found = json.loads(run(capsys, "postmortem", "--json")[1])
    jsonschema.validate(found, json.loads((places.schemas() / "postmortem.schema.json").read_text(encoding="utf-8")))
    assert found["written"] and found["blanks"] and found["flags"][0]["kind"] == "action"


def test_what_people_wrote_stays_and_the_record_goes_on(place, capsys):
    """An answer stays while parts that nobody edited follow the record; the blank is off the list; ``verify`` calls the file edited."""
    run(capsys, "postmortem")
    edit(place, "<!-- incidentnb:end luck -->", "<!-- incidentnb:end luck -->\n\nThe cache still held yesterday's prices.")
    assert next(c.state for c in exporting.verify(place) if c.what == "exports/postmortem.md") == "edited"
    statements.note(place, "A late remark.", actor="Ada")
    code, out, _ = run(capsys, "postmortem")
    text = (place / reviewing.PLACE).read_text(encoding="utf-8")
    assert code == 0 and "Where luck helped: " not in out and "yesterday's prices." in text and "A late remark." in text
    before = (place / reviewing.PLACE).read_bytes()
    assert run(capsys, "postmortem")[1].splitlines()[1].startswith("as it was")
    assert (place / reviewing.PLACE).read_bytes() == before


def test_a_conflict_is_done_in_part_and_names_the_section(place, capsys):
    """Edited by a person and changed by the record: both stand, exit 3, the section is named, until one is removed."""
    run(capsys, "postmortem")
    edit(place, "The root cause: ", "We hold for the cause: ")
    edit(place, "| A1 | Send", "| A1 | Always send")
    assert run(capsys, "postmortem")[0] == 0
    statements.action(place, "Write a runbook entry for regions", "Ada", "2026-12-09", type="process", actor="Ada")
    for _ in range(2):
        code, out, _ = run(capsys, "postmortem")
        assert code == 3 and "conflict  in actions: " in out and "conflict  in summary" not in out
    text = (place / reviewing.PLACE).read_text(encoding="utf-8")
    assert "Always send" in text and "runbook entry for regions" in text and "We hold for the cause: " in text
    found = json.loads(run(capsys, "postmortem", "--json")[1])
    assert found["conflicts"] == ["actions"] and "conflict" in [flag["kind"] for flag in found["flags"]] and "summary" in found["edited"]


def test_check_writes_nothing_and_exits_3_where_something_is_flagged(place, capsys):
    """``--check`` reads the file, tells of flags by line and that the record went on, and leaves file and journal alone."""
    assert run(capsys, "postmortem", "--check")[0] == 2
    run(capsys, "postmortem")
    retracted = next(e for e in journal.read(place) if e.kind == "action" and not e.body["owner"])
    statements.retract(place, retracted.id, "done elsewhere", actor="Ben")
    run(capsys, "postmortem")
    assert run(capsys, "postmortem", "--check")[0] == 0
    edit(place, "<!-- incidentnb:end went-well -->", "<!-- incidentnb:end went-well -->\n\nCleo should have known.")
    before, entries = (place / reviewing.PLACE).read_bytes(), len(journal.read(place))
    code, out, _ = run(capsys, "postmortem", "--check")
    line = next(n for n, row in enumerate(before.decode().split("\n"), 1) if "Cleo should" in row)
    assert code == 3 and f"postmortem.md:{line}  blame: should have" in out and "stale" not in out.replace("stale     ", "")
    assert ((place / reviewing.PLACE).read_bytes(), len(journal.read(place))) == (before, entries)


def test_action_items_go_to_a_spreadsheet_that_does_not_run_them(place, capsys):
    """The CSV has a row an item under fixed columns; a formula is quoted, a secret hidden."""
    statements.action(place, "=HYPERLINK(\"http://x\") with ghp_" + "a1B2" * 9, "@ada", "2026-12-09", type="process", actor="Ada")
    code, out, _ = run(capsys, "postmortem", "--actions", "csv")
    path = place / "exports" / "actions.csv"
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert code == 0 and str(path.relative_to(place)) in out
    assert [row["id"] for row in rows] == ["A1", "A2", "A3"] and rows[1]["state"] == "done" and rows[1]["owner"] == ""
    assert rows[2]["action"].startswith("'=HYPERLINK") and "ghp_" not in rows[2]["action"] and rows[2]["owner"] == "'@ada"
    assert (rows[0]["due"], rows[0]["kind"], rows[0]["severity"], rows[0]["incident"]) == ("2026-12-04", "prevent", "SEV-1", place.name)


def test_action_items_as_issues_one_file_each(place, capsys):
    """Each issue has title, labels, owner, date, kind and a link to the incident; files of items that are no more go."""
    made = statements.action(place, "Ask @everyone: <b>who</b>", "Ada", "2026-12-09", type="process", actor="Ada")
    run(capsys, "postmortem", "--actions", "github")
    folder = place / "exports" / "actions"
    text = (folder / "A3.md").read_text(encoding="utf-8")
    assert 'title: "A3: Ask @everyone: <b>who</b>"' in text and 'labels: ["incident", "action-item", "process", "sev-1"]' in text
    assert "\nAsk &#64;everyone: &lt;b&gt;who" in text.replace("&#60;", "&lt;").replace("&#62;", "&gt;") and "- Due: 2026-12-09" in text
    assert place.name in text and "[postmortem](../postmortem.md)" in text
    assert "- Owner: not recorded" in (folder / "A2.md").read_text(encoding="utf-8")
    (folder / "notes.md").write_text("mine", encoding="utf-8")
    statements.retract(place, made.id, "no", actor="Ada")
    run(capsys, "postmortem", "--actions", "github")
    assert sorted(path.name for path in folder.iterdir()) == ["A1.md", "A2.md", "notes.md"]


@pytest.mark.parametrize(("words", "says"), [
    (["--templates", "none"], "none: has no postmortem.md"), (["--check", "--actions", "csv"], "--check: writes nothing"),
    (["--actions", "xlsx"], "'xlsx' is none of csv, github"), (["--audience", "all"], "is none of internal"),
    (["nowhere"], "not an incident folder")])
def test_bad_input_is_one_line(place, capsys, words, says):
    """A wrong option, folder or form is one line, exit 2, and nothing is written."""
    code, out, err = run(capsys, "postmortem", *words)
    assert (code, out, err.count("\n")) == (2, "", 1) and says in err and not (place / reviewing.PLACE).exists()


def test_a_place_that_cannot_be_written_costs_nothing(place, capsys, monkeypatch):
    """A full disk is one line, exit 2; the older file and the journal are as they were."""
    run(capsys, "postmortem")
    before, entries = (place / reviewing.PLACE).read_bytes(), len(journal.read(place))

    def full(*_):
        raise OSError(28, "No space left on device")
    statements.note(place, "more", actor="Ada")
    monkeypatch.setattr(reviewing.atomic, "write", full)
    code, _, err = run(capsys, "postmortem")
    assert code == 2 and "cannot be written: No space left on device" in err
    assert ((place / reviewing.PLACE).read_bytes(), len(journal.read(place))) == (before, entries + 1)


def test_the_team_file_gives_wording_names_and_redaction(place, capsys):
    """Templates, roster and redaction rules of ``incidentnb.toml`` hold without an option; ``--templates`` wins over them."""
    (place / "own").mkdir()
    own = '{% call part("head") %}{% call say(opened) %}# {{ opened.title }} at Acme{% endcall %}{% endcall %}'
    (place / "own" / "postmortem.md").write_text(own, encoding="utf-8")
    team = 'templates = "own"\n[[roster]]\nname = "Zoe Zander"\n[[redaction]]\nname = "product"\npattern = "Checkout"\n'
    (place / "incidentnb.toml").write_text(team, encoding="utf-8")
    assert run(capsys, "postmortem")[0] == 0
    text = (place / reviewing.PLACE).read_text(encoding="utf-8")
    assert "at Acme" in text and "Checkout" not in text and "⟦product:" in text
    edit(place, "<!-- incidentnb:end head -->", "<!-- incidentnb:end head -->\n\nZoe broke it.")
    code, out, _ = run(capsys, "postmortem", "--check")
    assert code == 3 and "blame: Zoe broke" in out
    run(capsys, "postmortem", "--templates", str(places.templates()))
    text = (place / reviewing.PLACE).read_text(encoding="utf-8")
    assert "at Acme" not in text and "## Timeline" in text and "Zoe broke it." in text


ANSWERS = {
    "contributing-factors": "- The canary of shop-api is judged by the error rate of all versions together, in which 4 of 9 hosts stood out late.\n"
                            "- The payment client has no test against the new provider; its tests run against a mock of the old one.",
    "went-well": "The scope named the version within a minute of the first run, so nobody searched in the database.",
    "could-have-gone-better": "The page came four minutes after the first failure: its threshold is a share of all requests.\n"
                              "Taking a release back takes three approvals; two of the three people were in a meeting.",
}


def test_a_whole_incident_by_the_command_line(tmp_path, monkeypatch, capsys):
    """From the alert to the closing on a drill, by the command line alone; its postmortem, status drafts and hand-over are the golden ones."""
    truth = drill.make(tmp_path / "drill", 19, "bad_deploy", "jsonl", style="pino", packing="one", recovered=True, until=UNTIL)
    alert, over = truth.onset.replace(microsecond=0) + timedelta(minutes=4), truth.end.replace(microsecond=0)
    clock = [alert]
    monkeypatch.setattr(times, "now", lambda: clock[0])
    monkeypatch.chdir(tmp_path)

    def say(when, who: str, *words: str, code: int = 0) -> str:
        clock[0] = when
        monkeypatch.setenv("INCIDENTNB_ACTOR", who)
        assert cli.main(list(words)) == code, (words, capsys.readouterr())
        return capsys.readouterr().out

    def drafted(when, who: str, *words: str) -> None:
        messages.append(f"$ incidentnb draft {' '.join(words)}\n{say(when, who, 'draft', *words)}")

    messages: list[str] = []

    def after(minutes: float):
        return alert + timedelta(minutes=minutes)

    def at(when) -> str:
        return times.iso(when)

    ines, sam, noor = "Ines Correia", "Sam Okafor", "Noor Haddad"
    say(after(2), ines, "open", "Checkout answers 5xx", "--severity", "3", "--logs", "drill/logs", "--changes", f"drill/{truth.changes}", "--repo",
        "drill/shop", "--ic", ines)
    say(after(2.5), ines, "milestone", "detected", "--at", at(alert), "--source", "page: share of failing requests")
    say(after(2.6), ines, "milestone", "acknowledged", "--at", at(after(1.5)))
    say(after(3), ines, "post", "We are looking into failing requests in the shop. More in 10 minutes.", "--next", "10m")
    say(after(3.2), ines, "severity", "SEV-2", "--why", "every third user is hit")
    drafted(after(3.9), sam, "status-page", "--state", "investigating", "--next", "20m")
    say(after(4), sam, "post", "Some orders fail. We are investigating, and say more within 20 minutes.", "--channel", "status page", "--state",
        "investigating", "--next", "20m")
    say(after(4.2), noor, "hypothesis", "image-resizer 1.2.4 slows every request", "--because", "it was deployed 7 minutes before",
        "--predicts", "every version of the shop fails alike", "--disproof", "one version fails and the others do not")
    scope = incident.load(incident.locate(None, tmp_path)).finding("scope").body["id"]
    say(after(4.5), noor, "evidence", "H1", "only one version fails", "--against", "--source", scope)
    say(after(4.8), noor, "verdict", "H1", "refuted", "--why", "the failures do not follow it")
    say(after(5), noor, "hypothesis", "shop-api 4.7.9 calls the payment provider without a currency", "--because",
        "only 4.7.9 fails, since its deploy", "--predicts", "with 4.7.8 the failures stop", "--disproof", "the failures go on after a roll-back")
    say(after(6), noor, "evidence", "H2", "the first TypeError is in the payment client of 4.7.9", "--for", "--source", "drill/logs/shop.log:21104")
    say(after(6.5), ines, "decide", "Roll shop-api back to 4.7.8", "--why", "it is quick and known, waiting for a fix is not", "--safe", "safe now")
    say(over - timedelta(minutes=1), noor, "mitigate", "Rolled shop-api back to 4.7.8", "--at", at(over - timedelta(minutes=1)), "--expected",
        "the error rate is at its baseline in 2 minutes", "--undo", "deploy 4.7.9 again")
    say(over + timedelta(minutes=1), ines, "milestone", "mitigated", "--at", at(over), "--source", "roll-back finished")
    say(over + timedelta(minutes=2), sam, "post", "A release is being taken back. More in 20 minutes.", "--channel", "status page", "--state",
        "identified", "--next", "20m")
    drafted(over + timedelta(minutes=2.5), sam, "status-page", "--state", "identified", "--next", "20m")
    say(over + timedelta(minutes=3), ines, "post", "Rolled back; the error rate is falling. More in 10 minutes.", "--state", "monitoring", "--next",
        "10m")
    say(over + timedelta(minutes=4), noor, "mitigate", "the failures stopped within a minute", "--observe", "M1")
    say(over + timedelta(minutes=5), noor, "verdict", "H2", "supported", "--why", "rolled back, and it stopped")
    drafted(over + timedelta(minutes=6), sam, "status-page", "--state", "monitoring", "--next", "20m")
    drafted(over + timedelta(minutes=7), ines, "handover")
    say(over + timedelta(minutes=12), sam, "note", "Support had 31 calls of customers who could not pay.", "--at", at(after(1)))
    done = over + timedelta(minutes=17)
    say(done, ines, "resolve", "--at", at(done), "--by", ines)
    drafted(done + timedelta(minutes=0.5), sam, "status-page", "--state", "resolved")
    say(done + timedelta(minutes=1), sam, "post", "Resolved. A release was taken back and all requests are answered again. A review follows.",
        "--channel", "status page", "--state", "resolved")
    say(done + timedelta(minutes=2), ines, "post", "It is over: 4.7.9 was rolled back.", "--state", "resolved")
    say(done + timedelta(minutes=4), sam, "post", "The incident in the shop is over; a review follows.", "--channel", "stakeholders")
    say(done + timedelta(minutes=5), noor, "action", "Hold each release at one host until its own error rate was seen for 10 minutes", "--owner",
        noor, "--due", "2026-12-04", "--type", "prevent")
    say(done + timedelta(minutes=6), noor, "action", "Test the payment client against the provider's sandbox", "--owner", sam, "--due", "2026-12-11",
        "--type", "prevent")
    say(done + timedelta(minutes=7), ines, "action", "Page on the error rate of each version by itself", "--owner", ines, "--type", "detect")
    assert "postmortem-date" in say_refused(say, done + timedelta(minutes=8), ines, capsys)
    say(done + timedelta(minutes=9), ines, "duty", "postmortem-date", "done", "2026-11-24")
    say(done + timedelta(minutes=10), ines, "export", "--to", "html,md")
    out = say(done + timedelta(minutes=30), ines, "postmortem", "--actions", "github")
    assert "Action A3: due date" in out and "Where luck helped: " in out
    place = incident.locate(None, tmp_path)
    for key, answer in ANSWERS.items():
        edit(place, f"<!-- incidentnb:end {key} -->", f"<!-- incidentnb:end {key} -->\n\n{answer}")
    out = say(done + timedelta(minutes=50), ines, "postmortem")
    assert out.count("postmortem.md:") == 1 and "has no due date" in out
    assert "has no due date" in say(done + timedelta(minutes=51), ines, "postmortem", "--check", code=3)
    say(done + timedelta(minutes=52), ines, "close", "reviewed on the day after")
    assert incident.load(place).closed is not None
    text = (place / reviewing.PLACE).read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    assert_golden(text, GOLDEN)
    assert_golden("\n".join(messages), MESSAGES)


def say_refused(say, when, who: str, capsys) -> str:
    """What ``close`` says when it is refused."""
    import contextlib
    import io

    with contextlib.redirect_stderr(io.StringIO()) as said:
        say(when, who, "close", "it is over", code=4)
    return said.getvalue()


def assert_golden(text: str, golden: Path) -> None:
    """The text is the golden one, but for ids and digests. ``UPDATE_GOLDEN=1`` writes it anew."""
    text = re.sub(r"\b(onset|volume|latency|routes|scope|users|patterns|suspects|recovery|severity|services)-[0-9a-f]{10}\b", r"\1-0000000000", text)
    text = re.sub(r"(<!-- incidentnb:begin [a-z-]+) [0-9a-f]{12}", r"\1 000000000000", text)
    text = re.sub(r"(up to entry \d+) \([0-9a-f]{16}\)", r"\1 (0000000000000000)", text)
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")
