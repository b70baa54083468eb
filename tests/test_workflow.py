"""An incident's life through the workflow: opened, investigated, replayed, resolved, exported, verified; drills and their answers."""

import json
import shutil
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest

from incidentnb import cli, drill, times
from incidentnb.exceptions import InputError, Refused
from incidentnb.publish import forms
from incidentnb.publish.forms import pdf
from incidentnb.record import incident, journal, milestones, runbook, statements
from incidentnb.workflow import analyses, demo, exporting, practice, running

UNTIL = times.parse("2026-11-22T14:31Z")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A drill with a bad deploy that was taken back in time to see it."""
    folder = tmp_path_factory.mktemp("drills") / "drill"
    return folder, drill.make(folder, 19, "bad_deploy", "jsonl", style="pino", packing="one", recovered=True, until=UNTIL)


@pytest.fixture(scope="module")
def opened(made, tmp_path_factory):
    """An incident opened on the drill by the command line, and investigated once; tests that change it take a copy."""
    folder, truth = made
    home = tmp_path_factory.mktemp("incidents")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        code = cli.main(["open", "Shop", "fails", "--severity", "2", "--logs", str(folder / "logs"), "--changes",
                         str(folder / truth.changes), "--repo", str(folder / "shop"), "--ic", "ann"])
    place, = (path.parent for path in home.glob("*/journal.jsonl"))
    return code, place


@pytest.fixture
def place(opened, tmp_path) -> Path:
    return Path(shutil.copytree(opened[1], tmp_path / opened[1].name))


def test_open_makes_the_folder_and_the_first_run(made, opened):
    """``open`` makes the folder with journal, evidence and one executed notebook whose every section was computed."""
    code, place = opened
    assert code == 0
    known = incident.load(place)
    assert (known.title, known.severity, known.ic) == ("Shop fails", "SEV-2", "ann")
    run, = (place / "runs").glob("*.ipynb")
    entry, = (e for e in journal.read(place) if e.kind == "run")
    assert entry.body["run"] == run.name and entry.body["complete"] is True and entry.body["troubled"] == []
    assert set(entry.body["evidence"]) >= {"manifest.json"}
    onset = known.milestones["started"].at
    assert abs(onset - made[1].onset) <= timedelta(minutes=2)
    assert known.finding("scope").body["numbers"]["subsets"][0]["where"] == made[1].where


def test_no_path_of_the_machine_is_kept_in_a_run(opened):
    """The executed notebook finds the incident that it stands in: no absolute path is among its parameters."""
    run, = (opened[1] / "runs").glob("*.ipynb")
    facts = json.loads(run.read_text(encoding="utf-8"))["metadata"]["incidentnb"]
    assert str(opened[1]) not in json.dumps(facts)


@pytest.mark.parametrize("wrong", [{"logs": ["none.log"]}, {"changes": ["none.jsonl"]}, {"repos": ["none"]}, {"severity": "SEV-9"},
                                   {"zone": "Mars/Olympus"}, {"format": "http-combind"}, {"title": " "}])
def test_open_makes_nothing_of_bad_input(tmp_path, made, wrong):
    """A path that is not there, no such severity, zone or format: one error, and no folder is left."""
    given = {"title": "x", "severity": "SEV-2", "logs": [made[0] / "logs"], "parent": tmp_path / "home", **wrong}
    with pytest.raises(InputError):
        running.open_incident(given.pop("title"), given.pop("severity"), **given)
    assert not (tmp_path / "home").exists() or not list((tmp_path / "home").iterdir())


def test_logs_are_read_again_only_when_they_changed(tmp_path, made):
    """Evidence is read once, again when a log has grown, and stays as it was when the logs have gone."""
    log = tmp_path / "shop.log"
    lines = (made[0] / "logs" / "shop.log").read_text(encoding="utf-8").splitlines(keepends=True)
    log.write_text("".join(lines[:2000]), encoding="utf-8")
    place = running.open_incident("x", "SEV-3", logs=[log], parent=tmp_path / "home")
    assert running.refresh(place) == [] and not running.grown(place)
    first = running.evidence_digests(place)
    assert running.refresh(place) == [] and running.evidence_digests(place) == first
    with log.open("a", encoding="utf-8") as file:
        file.writelines(lines[2000:3000])
    assert running.grown(place)
    assert running.refresh(place) == []
    second = running.evidence_digests(place)
    assert second != first and not running.grown(place)
    log.unlink()
    warning, = running.refresh(place)
    assert "not read again" in warning and running.evidence_digests(place) == second


def test_reading_options_last(tmp_path):
    """The zone, year and format that an incident was opened with hold for every later reading."""
    log = tmp_path / "a.log"
    log.write_text("".join(f"Nov 22 10:{m:02d}:00 web app[1]: ERROR failed {m}\n" for m in range(60)), encoding="utf-8")
    place = running.open_incident("x", "SEV-3", logs=[log], parent=tmp_path, zone="Europe/Berlin", year=2024)
    running.refresh(place)
    entry, = json.loads((place / "evidence" / "manifest.json").read_text(encoding="utf-8"))["inputs"]
    assert entry["first"] == "2024-11-22T09:00:00Z"


def test_sources_are_added(tmp_path, made):
    """An incident that was opened without logs gets them later; one that has none says what to do."""
    place = running.open_incident("x", "SEV-3", logs=[], parent=tmp_path)
    with pytest.raises(InputError, match="no logs to read"):
        running.refresh(place)
    running.add_sources(place, logs=[made[0] / "logs"])
    assert running.refresh(place) == []
    with pytest.raises(InputError, match="no such file"):
        running.add_sources(place, repos=["nowhere"])


def test_investigate_says_what_could_not_be_computed(place, capsys):
    """A section that fails is told on the terminal, in the JSON and in the journal; the exit code is 3 and the rest is there."""
    part = next((place / "evidence").glob("*.parquet"))
    part.write_bytes(b"no parquet")
    code = cli.main(["investigate", str(place), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert code == 3 and found["complete"] is False
    assert any(one["section"] == "Is there a spike, when did it start, did it end?" for one in found["troubled"])
    assert journal.read(place)[-1].body["troubled"] == found["troubled"]
    assert Path(found["run"]).is_file() or (place / "runs" / Path(found["run"]).name).is_file()


def test_replay_sees_nothing_later_and_records_nothing(place, made):
    """A replay shows no log record and no entry after its instant, writes one file, and leaves the journal as it is."""
    statements.note(place, "SECRETLY-LATER")
    moment = made[1].onset + timedelta(minutes=5)
    opened_at = incident.load(place).opened_at
    with pytest.raises(InputError, match="nothing was recorded yet"):
        running.replay(place, opened_at - timedelta(days=30))
    head, as_of = journal.head(place), times.now() - timedelta(seconds=0)
    statements.note(place, "EVEN-LATER", recorded_at=as_of + timedelta(seconds=60))
    head = journal.head(place)
    run = running.replay(place, as_of)
    text = run.record.path.read_text(encoding="utf-8")
    assert run.exit_code == 0 and journal.head(place) == head
    assert "SECRETLY-LATER" in text and "EVEN-LATER" not in text
    assert "replay-as-of" in run.record.path.name
    assert moment < as_of


def test_a_replay_at_the_onset_does_not_know_the_end(tmp_path, made):
    """Replayed as of five minutes into the incident, it is still going on."""
    at = made[1].onset + timedelta(minutes=5)
    place = incident.create(tmp_path, "x", "SEV-2", logs=[made[0] / "logs"], at=at, recorded_at=at)
    running.refresh(place)
    text = running.replay(place, at).record.path.read_text(encoding="utf-8")
    assert "still going on" in text and times.iso(made[1].end, precision="minutes")[:16] not in text


def test_resolve_proves_it_and_records_it(place, made, capsys):
    """Recovery that the data prove is recorded as resolved, at the end of the logs; resolving again changes nothing."""
    milestones.set_milestone(place, "detected", made[1].onset + timedelta(minutes=4))
    code = cli.main(["resolve", str(place), "--json", "--by", "ann"])
    found = json.loads(capsys.readouterr().out)
    assert (code, found["recovery"]["verdict"]) == (0, "recovered")
    known = incident.load(place)
    assert known.status == "resolved" and abs(known.milestones["resolved"].at - made[1].window_end) < timedelta(minutes=3)
    assert "finding recovery-" in known.milestones["resolved"].provenance
    assert running.resolve(place)[1]["recorded"] == ""


def test_resolve_says_why_it_cannot(tmp_path, capsys):
    """An incident that goes on is not resolved: exit 4, the reason, nothing recorded."""
    folder = tmp_path / "drill"
    drill.make(folder, 3, "bad_deploy", "jsonl", style="pino", packing="one", recovered=False, until=UNTIL, scale=0.3, repository=False)
    place = running.open_incident("x", "SEV-2", logs=[folder / "logs"], parent=tmp_path)
    code = cli.main(["resolve", str(place)])
    out = capsys.readouterr().out
    assert code == 4 and "not recovered" in out.lower()
    assert incident.load(place).status == "investigating" and incident.load(place).milestones["resolved"].moment is None
    assert cli.main(["resolve", str(place), "--override", "the shop is closed for the night"]) == 2
    assert "says not who" in capsys.readouterr().err
    assert cli.main(["resolve", str(place), "--override", "the shop is closed for the night", "--by", "Kim"]) == 0
    known = incident.load(place)
    assert "not recovered" in capsys.readouterr().out and known.status == "resolved"
    assert "by the word of Kim, the data do not prove it: the shop is closed" in known.milestones["resolved"].provenance
    proof = next(duty for duty in runbook.duties(known, times.now()) if duty.id == "recovered")
    assert (proof.state, proof.by, proof.reason) == ("skipped", "Kim", "the shop is closed for the night")
    statements.reopen(place, "it is back", actor="Kim")
    proof = next(duty for duty in runbook.duties(incident.load(place), times.now()) if duty.id == "recovered")
    assert proof.state == "due"


def test_without_logs_only_a_person_can_resolve(tmp_path, capsys):
    """An incident that reads nothing cannot be proved over: one line; a person's word with the reason resolves it."""
    place = incident.create(tmp_path, "x", "SEV-2")
    assert cli.main(["resolve", str(place)]) == 2
    assert "names no logs" in capsys.readouterr().err
    assert cli.main(["resolve", str(place), "--override", "seen on the phone", "--by", "Kim", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["recovery"]["why"] == "there are no logs"
    assert incident.load(place).status == "resolved"


def test_export_is_never_stale(place):
    """The appendix shows what was recorded after the last run: the notebook is executed anew for it, and only then."""
    runs = len(list((place / "runs").glob("*.ipynb")))
    html, = exporting.export(place)
    assert html == place / "exports" / "appendix.html" and len(list((place / "runs").glob("*.ipynb"))) == runs
    statements.note(place, "the-news-of-the-day")
    html, markdown = exporting.export(place, ["html", "md"])
    assert "the-news-of-the-day" in html.read_text(encoding="utf-8")
    assert "the-news-of-the-day" in unescape(markdown.read_text(encoding="utf-8"))
    assert len(list((place / "runs").glob("*.ipynb"))) == runs + 1
    text = html.read_text(encoding="utf-8").lower()
    assert "<script" not in text and "shop fails" in text and "http-equiv=\"content-security-policy\"" in text
    assert str(place).lower() not in text
    run = next((place / "runs").glob("*.ipynb"))
    assert exporting.export(place, ["html"], run=run.name)[0].stem == run.stem
    for wrong in ({"to": ["doc"]}, {"run": "none.ipynb"}):
        with pytest.raises(InputError):
            exporting.export(place, **wrong)


def test_the_same_incident_exports_to_the_same_bytes(place):
    """Every form, exported twice: the same bytes, though the journal tells of the exports; what is for other eyes has their name in its own."""
    kinds = [kind for kind in forms.FORMS if kind != "pdf"]
    first = {path.name: path.read_bytes() for path in exporting.export(place, kinds)}
    assert {path.name: path.read_bytes() for path in exporting.export(place, kinds)} == first and len(first) == len(kinds)
    inside, = exporting.export(place, ["html"], audience="internal")
    assert inside.name == "appendix.internal.html" and "internal readers" in inside.read_text(encoding="utf-8")
    assert {check.state for check in exporting.verify(place)} == {"ok"}


def test_what_cannot_be_made_stops_nothing_else(place, monkeypatch, capsys):
    """Without a printer for the PDF the other forms are made all the same, exit 3 with one line; alone it is exit 2, and nothing is lost."""
    monkeypatch.setattr(pdf, "weasyprint", lambda page: None)
    monkeypatch.setattr(pdf, "chromium", lambda page: None)
    (place / "exports" / "appendix.json").unlink(missing_ok=True)
    assert cli.main(["export", str(place), "--to", "pdf,json"]) == 3
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert "needs WeasyPrint or a Chromium" in line and "appendix.json" in line and (place / "exports" / "appendix.json").is_file()
    assert cli.main(["export", str(place), "--to", "pdf"]) == 2 and "needs WeasyPrint" in capsys.readouterr().err


def test_an_export_of_a_run_that_did_not_complete_says_so(place, capsys):
    """The terminal says what is missing and exits 3, the JSON has it, the page says it first, and what was computed is there."""
    run = next((place / "runs").glob("*.ipynb"))
    executed = json.loads(run.read_text(encoding="utf-8"))
    last = [cell for cell in executed["cells"] if cell["cell_type"] == "code"][-1]
    last["metadata"]["incidentnb"] = {"state": "killed", "why": "its kernel died"}
    executed["metadata"]["incidentnb"] |= {"outcome": "killed", "why": "its kernel died"}
    cut = place / "runs" / "cut.ipynb"
    cut.write_text(json.dumps(executed), encoding="utf-8")
    assert cli.main(["export", str(place), "--run", "cut.ipynb", "--to", "html"]) == 3
    said = capsys.readouterr().out
    assert "missing   The run behind this page did not complete: killed, its kernel died." in said and "killed: " in said
    page = (place / "exports" / "cut.html").read_text(encoding="utf-8")
    assert 0 < page.index("did not complete: killed") < page.index('class="summary"') and 'class="answer"' in page
    assert cli.main(["export", str(place), "--run", "cut.ipynb", "--json"]) == 3 and json.loads(capsys.readouterr().out)["missing"]
    cut.unlink()


def test_verify_finds_what_was_changed(place, capsys):
    """Journal, evidence and exports are checked against the journal's own digests; each change is named, exit 3."""
    exporting.export(place)
    assert cli.main(["verify", str(place)]) == 0
    page = place / "exports" / "appendix.html"
    page.write_text(page.read_text(encoding="utf-8").replace("Shop", "Stop"), encoding="utf-8")
    part = next((place / "evidence").glob("*.parquet"))
    part.unlink()
    path = place / "journal.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("Shop fails", "Shop works", 1), encoding="utf-8")
    capsys.readouterr()
    assert cli.main(["verify", str(place), "--json"]) == 3
    found = {check["what"]: check["state"] for check in json.loads(capsys.readouterr().out)["checks"]}
    assert (found["journal.jsonl"], found[f"evidence/{part.name}"], found["exports/appendix.html"]) == ("changed", "missing", "changed")
    assert found["evidence/manifest.json"] == "ok"


def test_watch_runs_again_when_something_is_new(place, monkeypatch):
    """Watching investigates at once, waits while nothing is new, and investigates again after an entry."""
    made, slept = [], []

    def record_then_wait(seconds):
        slept.append(seconds)
        if len(slept) == 2:
            statements.note(place, "news")

    monkeypatch.setattr(running, "investigate", lambda folder, **_: made.append(folder) or running.Run(Path(folder), _Record()))
    monkeypatch.setattr(running.time, "sleep", record_then_wait)
    watching = running.watch(place, 5)
    next(watching)
    assert (len(made), slept) == (1, [])
    next(watching)
    assert (len(made), slept) == (2, [5, 5])


class _Record:
    outcome, complete = "completed", True


def test_lab_listens_here_alone_and_asks_for_a_token(place):
    """The command binds to this machine, the token is in the environment and not among the words, the notebook is a fresh copy."""
    words, environment, address = running.laboratory(place, browser=False)
    token = environment["JUPYTER_TOKEN"]
    assert len(token) >= 24 and not any(token in word for word in words)
    assert "--ServerApp.ip=127.0.0.1" in words and "--no-browser" in words
    assert address.startswith("http://127.0.0.1:") and address.endswith(f"?token={token}")
    copy, = (place / "lab").glob("*.ipynb")
    assert 'incident = ".."' in "".join("".join(c["source"]) for c in json.loads(copy.read_text(encoding="utf-8"))["cells"])
    running.laboratory(place)
    assert len(list((place / "lab").glob("*.ipynb"))) == 2


def test_drill_and_its_answer(tmp_path, capsys, monkeypatch):
    """A drill says what to type; its answer grades the triage and the incident that a responder opened on it."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(["drill", "d", "--seed", "3", "--kind", "bad_deploy", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["seed"] == 3 and made["triage"][:2] == ["incidentnb", "triage"]
    found = practice.answer("d")
    assert found["grade"]["passed"] is True and found["responder"] is None
    place = running.open_incident("x", "SEV-2", logs=["d/logs"])
    milestones.set_milestone(place, "started", drill.read_answer(Path("d")).onset + timedelta(seconds=30))
    responder = practice.answer("d")["responder"]
    assert responder["off_s"] == pytest.approx(30) and responder["names_the_culprit"] is False
    assert cli.main(["drill", "--answer", "d"]) == 0
    assert "responder" in capsys.readouterr().out
    for words, code in ((["drill", "d"], 4), (["drill", "--answer", "."], 2), (["drill", "e", "--kind", "meteor"], 2)):
        assert cli.main(words) == code


def test_demo_ends_with_the_appendix_and_can_be_made_anew(tmp_path, capsys):
    """The demo plays a whole incident, ends with the path of its appendix, verifies, and replaces only what it made itself."""
    folder = tmp_path / "demo"
    assert cli.main(["demo", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    page = Path(lines[-1])
    assert page.name == "appendix.html" and page.is_file() and lines[0].startswith("1/6")
    assert "The root cause: deploy" in (page.parent / "postmortem.md").read_text(encoding="utf-8")
    place = page.parents[1]
    known = incident.load(place)
    assert known.status == "resolved" and known.root_cause != "not established"
    assert [h.state for h in known.hypotheses] == ["refuted", "supported"]
    assert all(metric.value is not None for metric in known.metrics.values())
    assert all(e.body["complete"] for e in known.runs) and len(known.runs) == 3
    assert all(check.state == "ok" for check in exporting.verify(place))
    truth = drill.read_answer(folder / "drill")
    assert truth.culprit in known.root_cause and abs(known.milestones["started"].at - truth.onset) < timedelta(minutes=2)
    (folder / "mine.txt").write_text("keep me", encoding="utf-8")
    demo._clear(folder)
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    with pytest.raises(Refused):
        demo._clear(folder)


def test_python_gives_the_same_answers_as_the_command_line(made, capsys):
    """``incidentnb.triage`` and the verb are one: the same objects, the same JSON."""
    import incidentnb

    words = [str(made[0] / "logs"), "--changes", str(made[0] / made[1].changes)]
    assert cli.main(["triage", *words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert incidentnb.triage([made[0] / "logs"], changes=[made[0] / made[1].changes]).as_json() == said
    assert analyses.triage is incidentnb.triage
