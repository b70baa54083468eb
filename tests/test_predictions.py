"""Checks of hypotheses: a small grammar, a query that sees the log and nothing else, flips on the record, no verdict by itself."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from incidentnb import cli, times
from incidentnb.case import Case
from incidentnb.evidence import asking, reader, table
from incidentnb.exceptions import InputError
from incidentnb.findings import CANNOT_TELL, Finding
from incidentnb.publish import timeline
from incidentnb.record import hypotheses, incident, journal, lines, predictions
from incidentnb.record.predictions import Check
from incidentnb.times import Interval

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
START = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)


def write_logs(path, minutes, bad_until=40):
    """A request a second; from minute 20 until ``bad_until`` version 2 fails each time, version 1 never."""
    with path.open("w", encoding="utf-8") as file:
        for second in range(minutes * 60):
            bad = second % 2 and 1200 <= second < bad_until * 60
            file.write(json.dumps({"time": times.iso(START + timedelta(seconds=second)), "level": "error" if bad else "info", "method": "GET",
                                   "path": f"/orders/{second}", "status": 500 if bad else 200, "version": "2" if second % 2 else "1",
                                   "msg": "boom" if bad else "done"}) + "\n")
    return path


def parsed(ask, expect):
    return predictions.parse(ask, expect, UTC, NOW)


@pytest.mark.parametrize(("ask", "expect", "says"), [
    ("SELECT count(*) FROM log", "== 0", "SELECT count(*) FROM log: = 0"),
    ("select 1", "between 5 and 10", "select 1: between 5 and 10"),
    ("onset after 14:02", "", "onset: after 2026-03-02T14:02:00Z"),
    ("onset", "between 14:00 and 14:05", "onset: between 2026-03-02T14:00:00Z and 2026-03-02T14:05:00Z"),
    ("scope has version = 4.18.0", "", "scope: subset version = 4.18.0"),
    ("scope", "no subset route=POST /orders and version=2", "scope: no subset route = POST /orders and version = 2"),
    ("Recovery", "Recovered", "recovery: recovered"),
    ("recovery not recovered", "", "recovery: not recovered"),
    ("onset", "not spike", "onset: not spike"),
    ("onset", "rate.during < 5 %", "onset: rate.during < 5 %"),
    ("suspects names 4f2a91c", "", "suspects: names 4f2a91c"),
])
def test_a_check_has_one_form(ask, expect, says):
    """What a person writes is read leniently and kept in one form, its times as instants; read again it stays as it is."""
    check = parsed(ask, expect)
    assert check.text == says
    assert parsed(check.ask, check.expect) == check


@pytest.mark.parametrize(("ask", "expect", "says"), [
    ("SELECT 1", "", "--expect: is missing"), ("", "< 5", "--check: is missing"), ("SELECT 1", "recovered", "is no outcome of a query"),
    ("onst", "spike", "did you mean onset?"), ("recovery", "", "'recovered'"), ("recovery", "recoverd", "did you mean recovered?"),
    ("onset", "after noon", "not a time"), ("scope", "subset version", "write subset version = 4.18.0"),
    ("DROP TABLE log", "= 0", "neither a SELECT nor an analysis"),
])
def test_a_wrong_check_is_told_at_once(ask, expect, says):
    """A question that nothing answers, or an outcome that it cannot have, is refused when it is written, in one line."""
    with pytest.raises(InputError) as error:
        parsed(ask, expect)
    assert says in str(error.value) and "\n" not in str(error.value)
    assert parsed("", "") is None


def finding(name, verdict, **numbers):
    return Finding(name, verdict, "So it is.", "why", numbers)


ONSET = finding("onset", "spike", onset=Interval(NOW, NOW - timedelta(seconds=5), NOW + timedelta(seconds=5)), rate={"during": 0.04})
SCOPE = finding("scope", "subset", subsets=[{"where": {"version": 2, "region": "eu"}, "cause": True, "same_as": [{"build": "b7"}]},
                                             {"where": {"host": "a"}, "cause": False}])
ROUTES = finding("routes", "measured", failing_routes=1, routes=[{"method": "POST", "route": "/pay", "failed": 9}, {"route": "/b", "failed": 1}])


@pytest.mark.parametrize(("ask", "found", "result"), [
    ("onset after 14:59", ONSET, "passed"), ("onset after 15:01", ONSET, "failed"), ("onset before 15:00", ONSET, CANNOT_TELL),
    ("onset between 14:59 and 15:01", ONSET, "passed"), ("onset before 14:59", ONSET, "failed"), ("onset no spike", ONSET, "failed"),
    ("onset not spike", ONSET, "failed"), ("onset rate.during < 5 %", ONSET, "passed"), ("onset p_value < 1", ONSET, CANNOT_TELL),
    ("onset after 14:59", finding("onset", "no spike", onset=None), CANNOT_TELL),
    ("scope subset version = 2", SCOPE, "passed"), ("scope subset version = 2 and region = eu", SCOPE, "passed"),
    ("scope subset build = b7", SCOPE, CANNOT_TELL), ("scope no subset build = b7", SCOPE, CANNOT_TELL),
    ("scope subset host = a", SCOPE, "failed"), ("scope no subset host = a", SCOPE, "passed"),
    ("scope subset version = 2", finding("scope", CANNOT_TELL), CANNOT_TELL), ("scope everyone", SCOPE, "failed"),
    ("routes names post /pay", ROUTES, "passed"), ("routes names /b", ROUTES, "failed"),
    ("recovery not recovered", finding("recovery", "not recovered"), "passed"),
    ("recovery not recovered", finding("recovery", "recovered"), "failed"),
    ("suspects names 4f2", finding("suspects", "candidates", changes=[{"id": "4f2a", "rank": 1}, {"id": "b", "rank": 2}]), "passed"),
])
def test_a_finding_is_judged_by_its_answer(ask, found, result):
    """Verdict, moment, subset, names and numbers decide; an interval that holds the instant, or an answer that cannot tell, decides nothing."""
    judged = predictions.of_finding(predictions.parse(ask, "", UTC, NOW + timedelta(hours=1)), found)
    assert (judged.result, judged.finding) == (result, found.id)


@pytest.mark.parametrize(("expect", "value", "result"), [
    ("< 5", 4, "passed"), ("< 5", 5, "failed"), ("= 0", 0.0, "passed"), ("!= 0", 0, "failed"), (">= 5 %", 0.05, "passed"),
    ("between 5 and 10", 10, "passed"), ("between 5 and 10", 10.1, "failed"), ("> 1", None, CANNOT_TELL)])
def test_a_number_is_judged_by_comparison(expect, value, result):
    """A number passes or fails; where the data hold none, nobody can tell."""
    assert predictions.of_number(Check("SELECT 1", expect), value).result == result


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("asked")
    (folder / "secret.csv").write_text("a\n1\n", encoding="utf-8")
    reader.read([write_logs(folder / "app.jsonl", 30)], folder / "evidence")
    return table.open_table(folder / "evidence")


def test_a_query_gives_one_number(log):
    """Counts, shares and conditions are numbers; NULL is none; what was known at an instant is all that a replay counts."""
    assert asking.number(log, "SELECT count(*) FROM outcomes WHERE version = '2' AND failed") == 300
    assert asking.number(log, "WITH f AS (SELECT * FROM outcomes) SELECT avg(failing) FROM f WHERE version = '1'") == 0
    assert asking.number(log, "SELECT max(duration_ms) FROM log") is None
    early = table.open_table(log.folder, START + timedelta(minutes=25))
    assert 145 < asking.number(early, "SELECT sum(failing) FROM outcomes") < 155


@pytest.mark.parametrize("sql", [
    "SELECT count(*) FROM read_csv('{folder}/secret.csv')", "SELECT count(*) FROM '{folder}/secret.csv'",
    "SELECT length(content) FROM read_text('/etc/hosts')",
    "SELECT count(*) FROM glob('/*')", "COPY log TO '{folder}/out.csv'", "SELECT 1; SELECT 2", "SET memory_limit = '9GB'", "ATTACH '{folder}/x.db'",
    "SELECT 'a'", "SELECT 1, 2", "SELECT line FROM log", "SELECT 1 WHERE false", "SELECT nothing FROM log", "SELEC 1", "SELECT time FROM log LIMIT 1",
    "EXPLAIN SELECT 1", "SELECT count(*) FROM range(100000000000) a"])
def test_a_query_reads_nothing_else_and_says_what_is_wrong(log, sql):
    """No other file, no setting, no writing, no second statement, no second number, no endless run: one line each."""
    with pytest.raises(InputError) as error:
        asking.number(log, sql.format(folder=log.folder.parent), seconds=0.5)
    assert "\n" not in str(error.value)
    assert not (log.folder.parent / "out.csv").exists() and not (log.folder.parent / "x.db").exists()


def entries_of(folder, kind):
    return [entry for entry in lines.standing(journal.read(folder)) if entry.kind == kind]


def test_each_flip_is_recorded_once_and_sets_no_verdict(tmp_path):
    """As data arrive a check flips; each flip is one entry, stands on the timeline, and speaks against while it fails; the state is people's."""
    path = write_logs(tmp_path / "app.jsonl", 15)
    folder = incident.create(tmp_path, "Orders fail", "SEV-2", logs=[path], at=START)
    hypotheses.propose(folder, "version 2 is fine", check="SELECT count(*) FROM outcomes WHERE version = '2' AND failed", expect="= 0")
    hypotheses.propose(folder, "it began late", check="onset after 2026-03-02T13:10:00Z", rivals=["H1"])
    hypotheses.propose(folder, "nothing is there", check="SELECT count(*) FROM nowhere", expect="= 0")

    def investigated():
        reader.read([path], folder / "evidence")
        Case(folder).hypotheses  # noqa: B018 - the section of the notebook
        Case(folder).hypotheses  # noqa: B018
        return hypotheses.hypotheses(journal.read(folder))
    one, two, three = investigated()
    assert [h.checked.result for h in (one, two, three)] == ["passed", CANNOT_TELL, CANNOT_TELL]
    assert "nowhere" in three.checked.why and not one.evidence_against
    write_logs(path, 60)
    one, two, three = investigated()
    assert [h.checked.result for h in (one, two, three)] == ["failed", "passed", CANNOT_TELL]
    assert (one.state, one.checked.value, len(one.flips), len(three.flips)) == ("proposed", "600", 2, 1)
    assert one.evidence_against[0].points_at.startswith("SELECT count(*) FROM outcomes WHERE version = '2' AND failed: = 0 (evidence ")
    assert len(entries_of(folder, "check")) == 5
    told = [what for what in timeline.timeline(journal.read(folder))["what"] if what.startswith("Check of H1")]
    assert told == ["Check of H1 passes: SELECT count(*) FROM outcomes WHERE version = '2' AND failed: = 0 (0, expected = 0)",
                    "Check of H1 fails: SELECT count(*) FROM outcomes WHERE version = '2' AND failed: = 0 (600, expected = 0)"]
    shown = Case(folder).hypotheses
    assert shown.frame["check"][0].endswith("→ failed: 600, expected = 0") and "speaks against it" in shown.notes[0]
    hypotheses.set_verdict(folder, "H1", "refuted", "its check fails")
    write_logs(path, 15)
    assert len(investigated()[0].flips) == 2  # a refuted one is left alone


def test_a_replay_runs_checks_and_records_nothing(tmp_path):
    """At an earlier instant a check sees the data of then; the journal stays as it is."""
    folder = incident.create(tmp_path, "Orders fail", "SEV-2", logs=[write_logs(tmp_path / "app.jsonl", 60)], recorded_at=START)
    hypotheses.propose(folder, "version 2 is fine", check="SELECT count(*) FROM outcomes WHERE failed", expect="= 0", recorded_at=START)
    before = journal.head(folder)
    assert "→ passed" in Case(folder, START + timedelta(minutes=10)).hypotheses.frame["check"][0]
    assert journal.head(folder) == before


def test_a_check_on_the_command_line(tmp_path, monkeypatch, capsys):
    """``hypothesis --check --expect --rivals`` keeps the check and the rival; a wrong one is one line and exit 2; another check is a new one."""
    monkeypatch.chdir(incident.create(tmp_path, "Orders fail", "SEV-2"))
    assert cli.main(["hypothesis", "the flag"]) == 0
    assert cli.main(["hypothesis", "the deploy", "--check", "scope", "--expect", "subset version=4.18.0", "--rivals", "H1"]) == 0
    two = hypotheses.hypotheses(journal.read("."))[1]
    assert (two.check.text, two.rivals) == ("scope: subset version = 4.18.0", ("H1",))
    capsys.readouterr()
    assert cli.main(["hypothesis", "x", "--check", "scop", "--expect", "everyone"]) == 2
    assert capsys.readouterr().err == "incidentnb: --check scop: is neither a SELECT nor an analysis (did you mean scope?)\n"
    failed = predictions.Result("failed", "everyone", "so it is")
    assert hypotheses.record_check(".", "h2", failed) and hypotheses.record_check(".", "H2", failed) is None
    assert cli.main(["hypothesis", "the deploy", "--check", "onset", "--expect", "spike", "--supersedes", "#3"]) == 0
    two = hypotheses.hypotheses(journal.read("."))[1]
    assert two.checked is None and not two.evidence_against and hypotheses.check_text(two) == "onset: spike (not run yet)"
    with pytest.raises(InputError, match="has no check"):
        hypotheses.record_check(".", "H1", failed)
