"""What notebook cells see: answers computed once, sections that fail alone, a journal that keeps each finding once."""

import json
import random
import subprocess
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from incidentnb import times
from incidentnb.case import Case, Logs, options
from incidentnb.evidence.changes import Change
from incidentnb.exceptions import InputError, Refused
from incidentnb.findings import CANNOT_TELL, Finding
from incidentnb.record import incident, journal, statements

START = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)
ONSET = START + timedelta(minutes=30)


def write_logs(path: Path, minutes: int = 60, seed: int = 3) -> Path:
    """Two requests a second; from minute 30 on version 2 fails every other time, version 1 never more than before."""
    source = random.Random(seed)
    with path.open("w", encoding="utf-8") as file:
        for second in range(minutes * 60):
            for version in ("1", "2"):
                at = START + timedelta(seconds=second, milliseconds=source.randrange(1000))
                bad = source.random() < (0.5 if version == "2" and at >= ONSET else 0.004)
                file.write(json.dumps({"time": times.iso(at), "level": "error" if bad else "info", "method": "GET", "path": f"/orders/{second}",
                                       "status": 500 if bad else 200, "version": version, "user": f"u{source.randrange(400)}",
                                       "msg": "boom" if bad else "done"}) + "\n")
    return path


@pytest.fixture(scope="module")
def logs(tmp_path_factory) -> Path:
    return write_logs(tmp_path_factory.mktemp("logs") / "app.jsonl")


@pytest.fixture
def folder(tmp_path, logs) -> Path:
    """An incident on these logs with one deploy before and one after the onset."""
    deploys = tmp_path / "deploys.jsonl"
    rolled_out = {"1": ONSET - timedelta(days=3), "2": ONSET - timedelta(minutes=1), "3": ONSET + timedelta(minutes=20)}
    deploys.write_text("".join(json.dumps({"time": times.iso(at), "kind": "deploy", "service": "shop", "version": name, "id": f"d{name}"})
                               + "\n" for name, at in rolled_out.items()))
    return incident.create(tmp_path, "Orders fail", "SEV-2", logs=[logs], changes=[deploys], ic="jo", at=ONSET, recorded_at=ONSET)


def kinds(folder: Path) -> list[str]:
    return [entry.kind for entry in journal.read(folder)]


def test_the_runbook_is_answered_and_each_answer_kept_once(folder):
    """A fresh incident reads its logs by itself; every answer is there and in the journal once, also when the notebook runs again."""
    case = Case(folder)
    assert case.reading.numbers["lines"] == case.reading.numbers["parsed"] == 7200
    assert case.onset.verdict == "spike" and abs(case.onset.numbers["onset"].at - ONSET) < timedelta(minutes=1)
    assert case.scope.numbers["subsets"][0]["where"] == {"version": "2"}
    assert case.suspects.numbers["changes"][0]["id"] == "d2"
    asked = ("rates", "onset", "volume", "latency", "routes", "scope", "users", "patterns", "services", "suspects", "recovery", "severity")
    names = [name for name in asked if isinstance(getattr(case, name), Finding)]
    kept = [entry.body["name"] for entry in journal.read(folder) if entry.kind == "finding"]
    assert sorted(kept) == sorted(names) and len(names) == 12
    before = journal.read(folder)
    again = Case(folder)
    assert [getattr(again, name).id for name in names] == [getattr(case, name).id for name in names]
    assert journal.read(folder) == before
    assert next(e for e in before if e.body.get("name") == "onset").occurred_at == case.onset.numbers["onset"]


def test_an_answer_is_computed_once(folder, monkeypatch):
    """Asking again computes nothing again, however many sections ask."""
    from incidentnb.analysis import onset

    asked = []
    real = onset.onset
    monkeypatch.setattr(onset, "onset", lambda table: asked.append(1) or real(table))
    case = Case(folder)
    assert case.onset is case.onset and case.scope is case.scope and case.severity.verdict.startswith("SEV-")
    assert asked == [1]


def test_what_stands_on_a_failed_answer_cannot_tell(folder, monkeypatch):
    """An answer whose own computation fails raises; one that needs it says "cannot tell" and names the reason."""
    from incidentnb.analysis import scope

    def broken(*_):
        raise ZeroDivisionError("no <b>rows</b>")

    monkeypatch.setattr(scope, "scope", broken)
    case = Case(folder)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            case.scope  # noqa: B018 - the property raises
    assert case.onset.verdict == "spike"
    for finding in (case.suspects, case.recovery, case.severity):
        assert finding.verdict == CANNOT_TELL and "“scope” could not be computed: ZeroDivisionError: no" in finding.why


def test_a_section_fails_alone(folder, capsys):
    """A failing section is one plain line and one entry of the journal; the next one runs; Ctrl-C is no failure."""
    case = Case(folder)
    with case.section("Which requests are failing?"):
        raise KeyError("route\x1b[31m\nmissing")
    with case.section("Is it over?"):
        reached = True
    assert reached
    out = capsys.readouterr().out
    assert out.count("\n") == 1 and out.startswith("This section could not be computed: KeyError:") and "\x1b" not in out
    (entry,) = [e for e in journal.read(folder) if e.kind == "section_failed"]
    assert entry.body["section"] == "Which requests are failing?" and entry.actor == "incidentnb"
    with pytest.raises(KeyboardInterrupt), case.section("What changed?"):
        raise KeyboardInterrupt
    assert kinds(folder).count("section_failed") == 1


def test_a_replay_knows_nothing_later(folder, capsys):
    """With as_of no later log record, change or entry is seen, and nothing is recorded."""
    Case(folder).onset  # noqa: B018 - reads the logs and records the answer
    statements.note(folder, "late", recorded_at=ONSET + timedelta(minutes=30), at=ONSET + timedelta(minutes=1))
    before = journal.read(folder)
    until = ONSET + timedelta(minutes=5)
    case = Case(folder, times.iso(until))
    assert case.log.span.end <= until
    assert [change.id for change in case.changes] == ["d1", "d2"] and [entry.kind for entry in case.entries] == ["opened"]
    assert case.onset.verdict == "spike" and case.onset.numbers["end"] is None
    assert "is not seen" in " ".join(case.reading.notes) or "are not seen" in " ".join(case.reading.notes)
    with case.section("x"):
        raise ValueError
    with pytest.raises(Refused):
        case.note("never")
    assert journal.read(folder) == before and "could not be computed" in capsys.readouterr().out


def test_a_new_answer_takes_the_place_of_the_former(folder, tmp_path):
    """When the evidence grows, the new onset supersedes the old one: the timeline holds one, the journal both."""
    from incidentnb.evidence import reader
    from incidentnb.record import lines

    Case(folder).onset  # noqa: B018 - records the answer
    reader.read([write_logs(tmp_path / "more.jsonl", 70, seed=4)], folder / "evidence")
    Case(folder).onset  # noqa: B018 - records the new one
    both = [e for e in journal.read(folder) if e.kind == "finding"]
    assert len(both) == 2 and both[1].supersedes == both[0].id
    assert [e for e in lines.standing(journal.read(folder)) if e.kind == "finding"] == [both[1]]


def test_cells_record_and_may_run_again(folder):
    """A hypothesis, its evidence, its verdict and a note are one entry each, however often the cell runs."""
    for _ in range(2):
        case = Case(folder)
        name = case.propose("2 broke it", because="49 s before", prediction="1 does not fail", disproof="1 fails alike").body["id"]
        case.evidence(name, "for", "only 2 fails", case.scope)
        case.verdict(name, "supported", "rolled back, and it stopped")
        case.note("seen on the dashboard", at=ONSET)
        case.record("note", {"text": "another"})
    found = kinds(folder)
    assert [found.count(kind) for kind in ("hypothesis", "evidence", "verdict", "note")] == [1, 1, 1, 2]
    assert Case(folder).hypotheses.verdict == "established" and "2 broke it" in Case(folder).hypotheses.sentence


def test_the_look_back_widens_where_nothing_changed(tmp_path, logs):
    """Where nothing changed in the two hours before the onset, the look goes further back and says so."""
    old = tmp_path / "old.jsonl"
    old.write_text(json.dumps({"time": times.iso(ONSET - timedelta(hours=20)), "kind": "config", "id": "c1", "summary": "pool size"}) + "\n")
    case = Case(incident.create(tmp_path, "x", "SEV-3", logs=[logs], changes=[old]))
    assert [change.id for change in case.changes] == ["c1"]
    assert any("1 d" in note and "nothing changed in the 2 h before" in note for note in case.suspects.notes)


def test_a_journal_that_refuses_hides_no_answer(folder, capsys):
    """Where nothing can be recorded, the section still shows its answer and says why it was not kept."""
    case = Case(folder)
    with (folder / journal.FILE).open("ab") as file:
        file.write(b"not a line of a journal\n")
    with case.section("Is there a spike, when did it start, did it end?"):
        assert case.onset.verdict == "spike"
    assert "could not be" in capsys.readouterr().out


def test_logs_alone_record_nothing(logs, tmp_path, monkeypatch):
    """Without an incident the same questions are answered and nothing is left behind, here or in the temporary folder."""
    monkeypatch.chdir(tmp_path)
    case = Logs(str(logs.parent / "*.jsonl"))
    evidence = case._evidence
    assert case.onset.verdict == "spike" and case.suspects.verdict == CANNOT_TELL and case.marks["milestones"] == {}
    case.close()
    assert not evidence.exists() and list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="none are given"):
        Logs([])


def test_a_notebook_finds_the_incident_that_it_stands_in(folder, tmp_path, monkeypatch):
    """Without a name the case is the incident around the working folder; a folder that is none is one line."""
    monkeypatch.chdir(folder / "runs")
    assert Case("").folder == folder.resolve() == Case("..").folder
    with pytest.raises(InputError, match="not an incident folder"):
        Case(str(tmp_path))
    with pytest.raises(InputError, match="not a time"):
        Case(folder, "teatime")


def test_an_incident_without_logs_says_so(tmp_path, capsys):
    """An incident that names no logs fails section by section, in one line each, and its record still shows."""
    case = Case(incident.create(tmp_path, "x", "SEV-3"))
    with case.section("What was read?"):
        case.reading  # noqa: B018 - the property raises
    assert "names no logs" in capsys.readouterr().out
    assert "SEV-3" in case.standing.sentence and case.timeline.frame is not None and case.severity.verdict == CANNOT_TELL
    assert case.milestones.verdict == "recorded in part" and case.duties.numbers["open"] > 0 and case.mitigations.frame is None


def test_the_way_back_is_a_command_that_git_takes(tmp_path):
    """A commit is undone by a revert whose words are quoted, a merge with its parent; a deploy by the version before it."""
    repo = tmp_path / "a checkout; rm -rf x"
    commits = [Change(ONSET, "commit", f"c{n}", "s", source=str(repo), details={"sha": f"{n}" * 40, "merge": n == 2}) for n in (1, 2)]
    deploys = [Change(ONSET - timedelta(hours=1), "deploy", "d1", "s", "shop", "1.0"), Change(ONSET, "deploy", "d2", "s", "shop", "1.1")]
    ranked = Finding("suspects", "candidates", "", numbers={"changes": [
        {"at": c.at, "kind": c.kind, "id": c.id, "rank": n} for n, c in enumerate([*commits, deploys[1]], 1)]})
    hows = [option["how"] for option in options.options_of(ranked, [*deploys, *commits])]
    assert hows[0] == f"git -C '{repo}' revert --no-edit {'1' * 40}" and hows[1] == f"git -C '{repo}' revert --no-edit -m 1 {'2' * 40}"
    assert "1.0" in hows[2]
    assert subprocess.run(["sh", "-nc", hows[0]], check=False).returncode == 0


@pytest.mark.parametrize(("kind", "words"), [("certificate", "renew the certificate of pay.example"), ("job", "stop pay.example and keep it from"),
                                             ("external", "do without pay.example"), ("flag", "put the flag back as it was before")])
def test_the_way_back_from_what_is_no_deploy(kind, words):
    """A certificate is renewed, a job stopped, another's outage worked around, all else put back."""
    change = Change(ONSET, kind, "pay.example", "s")
    ranked = Finding("suspects", "candidates", "", numbers={"changes": [{"at": ONSET, "kind": kind, "id": "pay.example", "rank": 1}]})
    assert options.options_of(ranked, [change])[0]["how"].startswith(words)


@pytest.mark.parametrize("name", ["elf_binary.log", "deep.jsonl", "long_line_2MiB.log", "epoch_zero.log", "nul_in_line.log"])
def test_hostile_logs_break_no_section(shared, name, capsys):
    """Whatever the logs are, each section gives an answer, "cannot tell" or one line; nothing escapes to the terminal."""
    from incidentnb.publish.figures import show

    case = Logs(str(shared / "bad" / "inputs" / name))
    for question in ("reading", "onset", "volume", "latency", "routes", "scope", "users", "patterns", "services", "suspects", "severity", "recovery"):
        with case.section(question):
            show(getattr(case, question), **case.marks)
    case.close()
    out = capsys.readouterr().out
    assert len(out.splitlines()) >= 9 and not set(out) & set("\x00\x1b\x07\r")


def test_what_was_read_says_so_when_it_was_nothing_and_names_no_folders(tmp_path):
    """Of an empty log the section says "no log lines read"; warnings name the file, not where it lies on somebody's machine."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "empty.log").touch()
    with closing(Logs([str(tmp_path / "logs" / "empty.log")])) as case:
        assert case.reading.sentence.startswith("No log lines read")
    (tmp_path / "logs" / "odd.log").write_bytes(b"2026-03-01T00:00:00Z ERROR caf\xe9\n")
    with closing(Logs([str(tmp_path / "logs" / "odd.log")])) as case:
        assert case.reading.notes[0].startswith("odd.log:1:")
