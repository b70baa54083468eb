"""The command line: words in, one line per error, the right exit code, JSON for programs."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from incidentnb import cli
from incidentnb.cli import parser
from incidentnb.exceptions import InputError
from incidentnb.record import runbook

RUN = [sys.executable, "-m", "incidentnb"]


def lines_of(rate_before=0.0, rate_during=0.3, minutes=60, onset=30, per_minute=60, shift=0.0) -> str:
    """Combined access-log lines, one request a second, failing from minute ``onset`` on for version-less traffic."""
    made = []
    for second in range(minutes * 60):
        failing = (second * 7 % 100) / 100 < (rate_during if second >= onset * 60 else rate_before)
        clock = f"{second // 3600 + 10:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
        made.append(f'10.0.0.{second % 50} - - [23/Nov/2026:{clock} +0000] "GET /cart/{second} HTTP/1.1" {503 if failing else 200} 123 "-" "x"')
    return "\n".join(made) + "\n"


@pytest.fixture(scope="module")
def log(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("logs") / "access.log"
    path.write_text(lines_of(), encoding="utf-8")
    return path


@pytest.fixture
def incident(tmp_path, monkeypatch) -> Path:
    from incidentnb.record import incident

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INCIDENTNB_ACTOR", "ann")
    return incident.create(tmp_path, "Cart fails", "SEV-2", at="2026-11-23T10:35:00Z", recorded_at=None)


def call(capsys, *words: str) -> tuple[int, str, str]:
    code = cli.main(list(words))
    out = capsys.readouterr()
    return code, out.out, out.err


@pytest.mark.parametrize(("words", "where", "hint"), [
    (["triag"], "triag", "did you mean triage?"),
    (["triage", "x", "--chnages", "y"], "--chnages", "did you mean --changes?"),
    (["triage", "--changes", "x"], "triage", "the log files come first"),
    (["open", "x"], "open", "--severity is missing"),
    (["verdict", "H1", "suported"], "STATE", "did you mean supported?"),
    (["note"], "note", "TEXT is missing"),
    (["triage", "x", "--year", "soon"], "--year", "invalid int value"),
    (["status", "a", "b"], "status", "one word too many: b"),
    (["evidence", "H1", "x"], "evidence", "--for --against is required"),
])
def test_wrong_words_are_one_line_with_the_nearest(capsys, words, where, hint):
    """A misspelt verb, option or value is one line on stderr that names it and the nearest right one, exit 2."""
    code, out, err = call(capsys, *words)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith(f"incidentnb: {where}: ") and hint in err


@pytest.mark.parametrize("verb", ["triage", "patterns", "formats", "onset"])
@pytest.mark.parametrize(("name", "content", "what"), [
    ("missing.log", None, "no such file"), ("empty.log", b"", "empty"), ("binary.log", bytes(range(256)) * 20, "binary"),
    ("folder", "folder", "no logs"), ("text.log", b"hello\nno times here\nat all\n", "no time")])
def test_bad_input_is_one_line_and_exit_2(capsys, tmp_path, verb, name, content, what):
    """A missing file, an empty one, a binary one, a folder without logs, text without times: one line that says which, exit 2."""
    path = tmp_path / name
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    code, out, err = call(capsys, verb, str(path))
    if verb in ("formats", "patterns") and name in ("empty.log", "text.log"):
        assert code == 0, "what a file is, and what its lines say, can be told without times"
        return
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"incidentnb: {path}") and what in err


@pytest.mark.parametrize("verb", ["status", "investigate", "resolve", "export", "verify", "lab"])
def test_a_folder_that_is_no_incident_is_one_line(capsys, tmp_path, verb):
    """Verbs of an incident refuse a folder that is none with one line, exit 2."""
    code, out, err = call(capsys, verb, str(tmp_path))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert str(tmp_path) in err and "not an incident folder" in err


def test_no_traceback_for_what_nobody_foresaw(capsys, monkeypatch):
    """An unexpected exception is one line that says how to see more, exit 1; with INCIDENTNB_DEBUG=1 it is raised."""
    from incidentnb.cli import verbs

    def broken(args):
        raise RuntimeError("two\nlines \x1b[31mand an escape")

    monkeypatch.setitem(verbs.VERBS, "formats", broken)
    code, out, err = call(capsys, "formats")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "RuntimeError: two lines ␛[31mand an escape" in err and "INCIDENTNB_DEBUG=1" in err
    monkeypatch.setenv("INCIDENTNB_DEBUG", "1")
    with pytest.raises(RuntimeError):
        cli.main(["formats"])


def test_warnings_are_one_line_each(capsys, monkeypatch):
    """A Python warning reaches people as one line, without file and source."""
    import warnings

    from incidentnb.cli import verbs

    def warn(args):
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = cli._one_line_warning
            warnings.warn("look\nout", stacklevel=1)
        return verbs.Answer(None, "done")

    monkeypatch.setitem(verbs.VERBS, "formats", warn)
    assert call(capsys, "formats") == (0, "done\n", "incidentnb: warning: look out\n")


def test_triage_keeps_its_schema_and_leaves_nothing(capsys, log, tmp_path, monkeypatch):
    """``triage --json`` holds to its JSON Schema, finds the onset to the minute, and its temporary folder is gone afterwards."""
    import jsonschema

    from incidentnb import places

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    code, out, err = call(capsys, "triage", str(log), "--json")
    monkeypatch.setattr("tempfile.tempdir", None)
    found = json.loads(out)
    assert (code, err) == (0, "")
    jsonschema.validate(found, json.loads((places.schemas() / "triage.schema.json").read_text(encoding="utf-8")))
    assert found["verdict"] == "incident" and found["onset"]["at"].startswith("2026-11-23T10:30")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("incidentnb-") and path.name != "incidentnb-spill"]


def test_triage_leaves_nothing_after_an_error(capsys, log, tmp_path, monkeypatch):
    """The temporary folder is removed when reading fails in the middle, too."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    code, _, err = call(capsys, "triage", str(log), "--changes", str(tmp_path / "none.jsonl"))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert code == 2 and "none.jsonl" in err
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("incidentnb-") and path.name != "incidentnb-spill"]


@pytest.mark.parametrize("verb", ["onset", "scope", "patterns", "formats"])
def test_analyses_alone_keep_their_schemas(capsys, log, verb):
    """Each analysis alone prints JSON that holds to its schema, and text without it."""
    import jsonschema

    from incidentnb import places

    schema = json.loads((places.schemas() / f"{verb}.schema.json").read_text(encoding="utf-8"))
    code, out, err = call(capsys, verb, str(log), "--json")
    assert (code, err) == (0, "")
    jsonschema.validate(json.loads(out), schema)
    code, out, _ = call(capsys, verb, str(log))
    assert code == 0 and out.strip() and not out.startswith("{")


def test_onset_and_scope_of_a_csv(capsys, tmp_path):
    """A series and rows exported from a dashboard give the onset to the step and the subset that fails."""
    series = tmp_path / "series.csv"
    rows = ["time,failing,total,region,device"]
    for minute in range(60):
        for region in ("eu", "us"):
            for device in ("web", "ios"):
                bad = minute >= 40 and region == "us"
                rows.append(f"2026-11-23T10:{minute:02d}:00Z,{40 if bad else 1},100,{region},{device}")
    series.write_text("\n".join(rows) + "\n", encoding="utf-8")
    found = json.loads(call(capsys, "onset", str(series), "--json")[1])
    assert found["verdict"] == "spike" and found["onset"]["at"] == "2026-11-23T10:40:00Z"
    for words in ((), ("--onset", "2026-11-23T10:40Z"), ("--onset", "2026-11-23T10:40Z", "--end", "2026-11-23T10:55Z")):
        found = json.loads(call(capsys, "scope", str(series), *words, "--json")[1])
        assert found["subsets"][0]["where"] == {"region": "us"}
    code, _, err = call(capsys, "scope", str(series), "--onset", "2026-11-23T10:40Z", "--end", "2026-11-23T10:30Z")
    assert code == 2 and err.startswith("incidentnb: --end: ")


def test_patterns_assigns_every_record(capsys, log, tmp_path):
    """``--assign`` writes ``line,pattern`` for every record; a place that cannot be written is one line."""
    out = tmp_path / "out.csv"
    assert call(capsys, "patterns", str(log), "--assign", str(out))[0] == 0
    written = out.read_text(encoding="utf-8").splitlines()
    assert written[0] == "line,pattern" and len(written) == 1 + 3600
    code, _, err = call(capsys, "patterns", str(log), "--assign", str(tmp_path / "no" / "out.csv"))
    assert code == 2 and "cannot be written" in err


def test_formats_without_a_path_lists_what_is_read(capsys):
    """``formats`` alone lists the formats by name, also as JSON."""
    found = json.loads(call(capsys, "formats", "--json")[1])
    assert found["schema"] == "incidentnb/formats/1" and found["inputs"] == []
    names = {one["name"] for one in found["formats"]}
    assert {"http-combined", "json"} <= names
    text = call(capsys, "formats")[1]
    assert all(name in text for name in names)


def test_each_verb_of_the_record_writes_one_entry(capsys, incident):
    """Note, hypothesis, evidence, verdict … each append to the journal, say which incident, and give JSON; said again it is no new entry."""
    from incidentnb.record import journal

    said = [
        ["note", "graphs", "are", "red", "--at", "2026-11-23T10:36Z"], ["hypothesis", "the deploy", "--because", "near", "--predicts", "p"],
        ["evidence", "H1", "only 4.18 fails", "--for", "--source", "app.log:12"], ["verdict", "H1", "supported", "--why", "seen"],
        ["mitigate", "rolled back", "--expected", "quiet", "--undo", "deploy again"], ["mitigate", "it is quiet", "--observe", "M1"],
        ["decide", "roll back", "--why", "quick", "--about", "M1", "--safe", "safe now"], ["severity", "1", "--why", "everyone"],
        ["role", "ic", "bob", "--brief", "all of it"], ["milestone", "detected", "--at", "2026-11-23T10:34Z", "--source", "page"],
        ["post", "we look", "--next", "10m"], ["action", "add a test", "--owner", "bob", "--due", "2026-12-01", "--type", "prevent"],
        ["duty", "reproduce", "done"]]
    for words in said:
        before = len(journal.read(incident))
        code, out, err = call(capsys, *words, "--json")
        assert (code, err) == (0, ""), err
        found = json.loads(out)
        assert Path(found["incident"]).resolve() == incident and found["actor"] == "ann"
        assert len(journal.read(incident)) == before + 1
    again = len(journal.read(incident))
    code, out, _ = call(capsys, *said[0])
    assert code == 0 and out.splitlines()[0].endswith(incident.name)
    assert len(journal.read(incident)) == again


def test_evidence_without_a_source_rests_on_a_word(capsys, incident):
    """Evidence that points at nothing is recorded as the word of whoever said it: a note, and evidence that points at the note."""
    from incidentnb.record import journal

    call(capsys, "hypothesis", "the deploy")
    assert call(capsys, "evidence", "H1", "support says so", "--against")[0] == 0
    note, evidence = journal.read(incident)[-2:]
    assert note.kind == "note" and evidence.body["pointer"] == {"type": "entry", "id": note.id}
    code, _, err = call(capsys, "evidence", "H7", "what", "--for")
    assert code == 2 and "H7" in err and len(journal.read(incident)) == 4


def test_a_post_with_a_state_moves_the_status(capsys, incident):
    """The status that a post told becomes the incident's."""
    from incidentnb.record import incident as records

    assert call(capsys, "post", "the cause is known", "--channel", "status page", "--state", "identified")[0] == 0
    assert records.load(incident).status == "identified"


def test_corrections_retraction_closing_and_reopening(capsys, incident):
    """An entry is corrected and retracted by others; closing with open duties is refused (exit 4) and can be overridden; then reopened."""
    from incidentnb.record import incident as records

    call(capsys, "note", "wrong")
    assert call(capsys, "note", "right", "--supersedes", "#2")[0] == 0
    assert [e.body["text"] for e in records.load(incident).notes] == ["right"]
    assert call(capsys, "retract", "#3", "it was right after all")[0] == 0
    assert [e.body["text"] for e in records.load(incident).notes] == ["wrong"]
    assert call(capsys, "retract", "#2", "never happened")[0] == 0
    assert records.load(incident).notes == ()
    code, _, err = call(capsys, "close", "done")
    assert code == 4 and err.count("\n") == 1
    code, _, err = call(capsys, "close", "done", "--override", "a drill")
    assert (code, err) == (2, "incidentnb: --override: says not who takes it upon them (--by NAME)\n")
    assert call(capsys, "close", "done", "--override", "a drill", "--by", "ann")[0] == 0
    assert records.load(incident).closed
    code, _, err = call(capsys, "status")
    assert code == 2 and "every incident here is closed" in err
    assert call(capsys, "reopen", "again", "--incident", incident.name)[0] == 0
    assert records.load(incident).closed is None


def test_status_says_which_incident_and_what_is_due(capsys, incident):
    """The first line of ``status`` names the incident; duties stand below it; JSON has the same."""
    code, out, _ = call(capsys, "status")
    assert code == 0 and out.splitlines()[0].split() == ["incident", incident.name]
    assert "Acknowledge the alert." in out
    found = json.loads(call(capsys, "status", "--json")[1])
    assert found["schema"] == "incidentnb/status/1" and found["severity"] == "SEV-2"
    assert len(call(capsys, "status", "--all")[1]) > len(out)


def test_the_runbook_names_only_words_that_exist():
    """Each verb and option that the runbook's data tell people to type is one of the command line's."""
    verbs = parser.verb_parsers(parser.build())
    for duty in runbook.rules().duties:
        for part in filter(None, re.split(r", | or (?=[a-z]+ …)", duty.verb)):
            name = part.split()[0]
            options = {o for action in verbs[name]._actions for o in action.option_strings}
            assert set(re.findall(r"--[a-z-]+", part)) <= options, duty.id


def test_redact_hides_secrets(capsys, tmp_path):
    """``redact`` prints the text with its secrets hidden, and on stderr how many; what cannot be read is one line."""
    path = tmp_path / "chat.txt"
    path.write_text("GET https://ann:hunter22@db.example/x\nplain line\n", encoding="utf-8")
    code, out, err = call(capsys, "redact", str(path))
    assert code == 0 and "hunter22" not in out and "plain line" in out and err.startswith("incidentnb: hidden: ")
    assert call(capsys, "redact", str(tmp_path / "none"))[0] == 2


def test_times_are_read_as_people_write_them(capsys, incident):
    """``--at`` takes ISO, epoch, clock times and "… ago", and an interval; nonsense is one line."""
    from incidentnb.record import journal
    from incidentnb.times import Interval

    for number, at in enumerate(["2026-11-23 10:36:00 UTC", "1795430160", "10 minutes ago", "14:03"]):
        assert call(capsys, "note", f"n{number}", "--at", at)[0] == 0
        assert journal.read(incident)[-1].occurred_at is not None
    assert call(capsys, "note", "between", "--at", "2026-11-23T10:30Z..2026-11-23T10:32Z")[0] == 0
    assert isinstance(journal.read(incident)[-1].occurred_at, Interval)
    code, _, err = call(capsys, "note", "x", "--at", "yesterdayish")
    assert code == 2 and "not a time" in err


def test_a_reader_that_goes_away_is_silent(log):
    """``incidentnb triage … | head -c 1`` ends without a word on stderr."""
    run = subprocess.Popen([*RUN, "triage", str(log), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    run.stdout.close()
    err = run.stderr.read()
    assert (run.wait(60), err) == (141, b"")
    run.stderr.close()


@pytest.mark.parametrize(("number", "code", "told"), [(signal.SIGINT, 130, "incidentnb: redact: interrupted\n"), (signal.SIGTERM, 143, "")])
def test_signals_end_it_without_a_traceback(tmp_path, number, code, told):
    """Ctrl-C is one line and exit 130; SIGTERM ends it in silence, exit 143."""
    fifo = tmp_path / "slow.log"
    os.mkfifo(fifo)
    run = subprocess.Popen([*RUN, "redact", str(fifo)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with fifo.open("w"):  # opens once the reader is there
        time.sleep(0.2)
        run.send_signal(number)
        out, err = run.communicate(timeout=30)
    assert (run.returncode, out, err) == (code, "", told)


def test_an_interrupted_run_says_what_there_is_of_it(capsys, incident, monkeypatch):
    """Ctrl-C while a notebook runs: what was computed is told, then the one line, exit 130."""
    from incidentnb.notebook import CellState, RunRecord
    from incidentnb.times import now
    from incidentnb.workflow import running

    cells = (CellState("a", "First", "completed", 1.0), CellState("b", "Second", "interrupted", None, "the run was interrupted"))
    record = RunRecord("investigation", incident / "runs" / "x.ipynb", now(), now(), "interrupted", "the run was interrupted", cells)
    monkeypatch.setattr(running, "investigate", lambda folder, **_: running.Run(folder, record))
    code, out, err = call(capsys, "investigate")
    assert (code, err) == (130, "incidentnb: investigate: interrupted\n")
    assert "interrupted: Second" in out and "1 of 2 cells completed" in out


def on_a_terminal(*words: str, **environment: str) -> str:
    """What a command writes where stdout and stderr are one terminal."""
    main, side = pty.openpty()
    run = subprocess.Popen([*RUN, *words], stdout=side, stderr=side, stdin=side, env={**os.environ, "TERM": "xterm", **environment})
    os.close(side)
    seen = b""
    while True:
        ready, _, _ = select.select([main], [], [], 60)
        try:
            data = os.read(main, 65536) if ready else b""
        except OSError:
            break
        if not data:
            break
        seen += data
    os.close(main)
    run.wait(60)
    return seen.decode()


def test_colour_and_progress_only_on_a_terminal(capsys, log):
    """Colour and progress appear on a terminal alone; NO_COLOR is honoured; a pipe gets plain text."""
    coloured = on_a_terminal("triage", str(log))
    assert "\x1b[1;31mINCIDENT" in coloured and "reading" in coloured
    plain = on_a_terminal("triage", str(log), NO_COLOR="1")
    assert "INCIDENT" in plain and not re.search(r"\x1b\[[0-9;]*m", plain)
    _, out, err = call(capsys, "triage", str(log))
    assert "\x1b" not in out and err == ""


def test_every_verb_answers_in_json_and_has_help():
    """Each verb that answers takes --json; each verb, option and argument says what it is for."""
    silent = {"demo", "lab"}
    for name, made in parser.verb_parsers(parser.build()).items():
        options = {o for action in made._actions for o in action.option_strings}
        assert ("--json" in options) == (name not in silent), name
        assert all(action.help for action in made._actions), name


def test_the_parser_raises_and_never_leaves():
    """Wrong words raise ``InputError`` from the parser, so that callers decide."""
    with pytest.raises(InputError, match="no such verb"):
        parser.parse(["nothing"])
