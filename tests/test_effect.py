"""What came after a mitigation, from the data; and how to undo a change, with the checkout as it is."""

import json
import shlex
import subprocess
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from incidentnb import cli, times
from incidentnb.analysis import effect, onset, scope
from incidentnb.case import Case, options
from incidentnb.evidence import checkout, reader, table
from incidentnb.evidence.changes import Change, read_changes
from incidentnb.evidence.git import environment
from incidentnb.findings import CANNOT_TELL, Finding
from incidentnb.publish import timeline
from incidentnb.record import incident, journal, lines, statements

T0 = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)


def minute(n, seconds=0):
    return T0 + timedelta(minutes=n, seconds=seconds)


def made(end=60, hit=20, fixed=40, left=0.0, gone=False):
    """A request a second of each version; from minute ``hit`` until ``fixed`` version 2 fails 4 in 10, then at the rate ``left``."""
    rows = []
    for second in range(end * 60):
        rate = 0.4 if hit * 60 <= second < fixed * 60 else left if second >= fixed * 60 else 0.0
        for version in ("1", "2"):
            if not (gone and version == "2" and second >= fixed * 60):
                rows.append((T0 + timedelta(seconds=second), version, version == "2" and (second * 7 % 10) / 10 < rate))
    return table.table_of(pd.DataFrame(rows, columns=["time", "version", "failed"]))


SUBSET = Finding("scope", "subset", "", numbers={"subsets": [{"where": {"version": "2"}, "cause": True},
                                                             {"where": {"version": "1"}, "cause": False}]})


def test_a_fix_is_seen_in_all_traffic_and_in_the_failing_subset():
    """The rate of both fell; the numbers are those of ten complete minutes before and fifteen after, counted by hand."""
    found = effect.effect(made(), minute(40), None, SUBSET, name="M1")
    whole, subset = found.numbers["parts"]
    assert (found.verdict, whole["verdict"], subset["verdict"], subset["name"]) == ("fell", "fell", "fell", "version = 2")
    assert (found.numbers["minutes_before"], found.numbers["minutes_after"], found.numbers["until"]) == (10, 15, minute(55))
    assert (whole["failed_before"], whole["total_before"], whole["failed_after"], whole["total_after"]) == (240, 1200, 0, 1800)
    assert (subset["failed_before"], subset["total_before"], subset["rate_after"]) == (240, 600, 0)
    assert found.sentence == ("Failures fell: all traffic 20 % → 0 % (240 of 1,200, then 0 of 1,800); version = 2 40 % → 0 % (240 of 600, then 0 of "
                              "900); 10 complete minutes before 2026-03-02 13:40:00Z and 15 after.")
    assert "need not have come from it" in found.why


@pytest.mark.parametrize(("log", "done", "verdict", "says"), [
    ({"fixed": 90}, minute(30), "did not change", "Failures did not clearly change: all traffic 20 % → 20 %"),
    ({"fixed": 90}, minute(22), "did not change", "2 complete minutes before"),
    ({"hit": 35, "fixed": 90}, minute(35), "rose", "Failures rose: all traffic 0 %"),
    ({"gone": True}, minute(40), "fell", "version = 2 has no request since (600 before)"),
    ({"end": 42}, minute(40), CANNOT_TELL, "only 2 complete minutes beyond it"),
    ({"end": 30}, minute(40), CANNOT_TELL, "the log ends before it"),
    ({}, minute(-5), CANNOT_TELL, "no complete minute before it"),
    ({"fixed": 41}, minute(40, 30), "fell", "and 14 after"),
])
def test_what_came_after(log, done, verdict, says):
    """It fell, rose, stayed, is gone, or cannot be told; minutes that the log fills in part do not count."""
    log = {"end": 55} | log if says.startswith("and 14") else log
    start = Finding("onset", "spike", "", numbers={"onset": times.Interval(minute(20), minute(20), minute(20))})
    found = effect.effect(made(**log), done, start if log.get("hit", 20) == 20 and done > minute(20) else None, SUBSET)
    assert found.verdict == verdict and says in found.sentence


def test_another_thing_done_meanwhile_is_told():
    """What else was done within the minutes looked at stands in a note."""
    found = effect.effect(made(), minute(40), later=[("M2 (flag off)", minute(43)), ("M3", minute(58)), ("M0", minute(20))])
    assert found.notes == ("M2 (flag off) was done 3 min later, within the minutes looked at.",)


def test_the_real_answers_of_a_log_are_enough():
    """With onset and scope as the analyses give them the failing subset is the one compared."""
    log = made()
    began = onset.onset(log)
    found = effect.effect(log, minute(40), began, scope.scope(log, began))
    assert [part["name"] for part in found.numbers["parts"]] == ["all traffic", "version = 2"]


def write_logs(path, end):
    with path.open("w", encoding="utf-8") as file:
        for row in made(end).frame("SELECT time, version, failed FROM log ORDER BY time").itertuples():
            file.write(json.dumps({"time": times.iso(row.time.to_pydatetime()), "level": "error" if row.failed else "info", "method": "GET",
                                   "path": "/a", "status": 500 if row.failed else 200, "version": row.version}) + "\n")
    return path


def test_the_effect_is_recorded_and_corrected_as_data_arrive(tmp_path):
    """Each investigation keeps what the data show after a mitigation as one standing entry, beside what people saw; a replay keeps nothing."""
    path = write_logs(tmp_path / "app.jsonl", 42)
    folder = incident.create(tmp_path, "Orders fail", "SEV-2", logs=[path], at=minute(21), recorded_at=minute(21))
    statements.mitigate(folder, "roll back 2", "errors below 1 %", "deploy 2 again", at=minute(40), recorded_at=minute(40))
    statements.observe(folder, "M1", "the graph went down", at=minute(41), recorded_at=minute(41))

    def investigated():
        reader.read([path], folder / "evidence")
        shown = Case(folder).mitigations.frame
        return shown, [e for e in lines.standing(journal.read(folder)) if e.kind == "effect" and e.actor == "incidentnb"]
    shown, kept = investigated()
    assert kept == [] and "the graph went down; What came of M1 cannot be told" in shown["effect"][0]
    write_logs(path, 50)
    assert [e.body["verdict"] for e in investigated()[1]] == ["fell"]
    write_logs(path, 60)
    shown, kept = investigated()
    assert len(kept) == 1 and kept[0].supersedes and kept[0].body["numbers"]["minutes_after"] == 15 and kept[0].body["query"]
    assert len(investigated()[1]) == 1
    assert shown["effect"][0].startswith("the graph went down; Failures fell: all traffic 20 %")
    told = [what for what in timeline.timeline(journal.read(folder))["what"] if what.startswith("M1 seen: Failures")]
    assert len(told) == 1
    before = journal.head(folder)
    assert "cannot be told" in Case(folder, minute(42)).mitigations.frame["effect"][0] and journal.head(folder) == before


@pytest.fixture
def shop(tmp_path):
    """A checkout on main: a commit, a deployed one, a merge of a branch of two, and one more."""
    place = tmp_path / "the shop"
    place.mkdir()
    clock = iter(range(100))

    def git(*words):
        when = f"{int(minute(next(clock)).timestamp())} +0000"
        env = environment() | {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
                               "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b", "GIT_COMMITTER_DATE": when, "GIT_AUTHOR_DATE": when}
        return subprocess.run(["git", *words], cwd=place, env=env, capture_output=True, text=True, check=True).stdout.strip()

    def commit(name):
        (place / name).write_text(name, encoding="utf-8")
        git("add", name)
        git("commit", "-qm", name)
        return git("rev-parse", "HEAD")
    git("init", "-q", "-b", "main")
    shas = {"first": commit("first")}
    git("switch", "-qc", "side")
    shas["side"] = commit("side")
    git("switch", "-q", "main")
    shas["second"] = commit("second")
    git("merge", "-q", "--no-ff", "-m", "Merge branch 'side'", "side")
    shas["merge"] = git("rev-parse", "HEAD")
    shas["third"] = commit("third")
    return place, shas, git


def option(place, sha, *more):
    changes, _ = read_changes([], [str(place)])
    changes = sorted([*changes, *more], key=lambda c: c.at)
    change = next(c for c in changes if c.kind == "commit" and c.details["sha"] == sha)
    ranked = Finding("suspects", "candidates", "", numbers={"changes": [{"at": change.at, "kind": "commit", "id": change.id, "rank": 1}]})
    return options.options_of(ranked, changes)[0]


def carried_out(option, git):
    """Run what the option says, as a person would paste it, and say what the last commit says."""
    subprocess.run(["sh", "-ec", option["how"]], check=True, capture_output=True, env=environment() | {
        "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"})
    return git("log", "-1", "--all", "--format=%s", "--date-order")


def test_the_revert_of_a_commit_and_of_a_merge(shop):
    """A commit on the main line is reverted by itself, one that a merge brought by the merge as a whole; git takes both as they are shown."""
    place, shas, git = shop
    plain = option(place, shas["third"])
    assert (plain["how"], plain["note"]) == (f"git -C {shlex.quote(str(place))} revert --no-edit {shas['third']}", "")
    brought = option(place, shas["side"])
    assert brought["how"].endswith(f"revert --no-edit -m 1 {shas['merge']}") and "came with the merge" in brought["note"]
    assert option(place, shas["merge"])["how"] == brought["how"]
    assert carried_out(brought, git) == "Revert \"Merge branch 'side'\"" and not (place / "side").exists()


def test_a_moved_head_and_a_dirty_tree(shop):
    """Where HEAD is not what is deployed, or the tree is not clean, it says so, and the revert is made beside it, on what is deployed."""
    place, shas, git = shop
    deploy = Change(minute(50), "deploy", "d", "s", "shop", "4.18.0", details={"sha": shas["merge"][:10]})
    moved = option(place, shas["second"], deploy)
    assert moved["note"] == (f"HEAD (main) is at {shas['third'][:12]}, and {shas['merge'][:12]} is deployed: the revert is made on the "
                             "deployed commit")
    assert f"worktree add -b revert-{shas['second'][:12]} " in moved["how"] and f" {shas['merge']} && git -C " in moved["how"]
    gone = option(place, shas["third"], deploy)
    assert "does not have" in gone["note"]
    (place / "first").write_text("edited", encoding="utf-8")
    dirty = option(place, shas["third"])
    assert dirty["note"].startswith("1 file is changed and not committed there")
    assert carried_out(moved, git) == 'Revert "second"'
    assert (place / "first").read_text(encoding="utf-8") == "edited" and (place / "second").exists()
    git("stash")
    git("tag", "v4.19.0", shas["third"])
    tagged = Change(minute(51), "deploy", "d", "s", "shop", "4.19.0")
    assert option(place, shas["third"], tagged)["note"] == ""


def test_a_checkout_says_where_it_stands(shop, tmp_path):
    """HEAD, branch and uncommitted files; nothing where there is no checkout; a name that is no sha is no commit."""
    place, shas, git = shop
    assert checkout.standing(place) == checkout.Standing(shas["third"], "main", 0)
    git("switch", "-q", "--detach", shas["first"])
    assert checkout.standing(place) == checkout.Standing(shas["first"], "", 0)
    assert checkout.standing(tmp_path / "none") is None and checkout.standing(tmp_path) is None
    assert checkout.resolved(place, shas["second"][:8]) == shas["second"]
    assert [checkout.resolved(place, name) for name in ("HEAD", "--all", "main", "0" * 40)] == [""] * 4
    assert checkout.contains(place, shas["first"], shas["second"]) is False


def test_a_switch_is_put_back_to_what_it_was():
    """Where the record of a flag or setting tells the value before, the option names it."""
    change = Change(minute(1), "flag", "new-cart", "on", details={"from": "off", "to": "on"})
    ranked = Finding("suspects", "candidates", "", numbers={"changes": [{"at": change.at, "kind": "flag", "id": "new-cart", "rank": 1}]})
    assert options.options_of(ranked, [change])[0]["how"] == "put the flag new-cart back to 'off', as it was before 2026-03-02 13:01:00Z"


def test_the_ways_back_on_the_command_line(shop, tmp_path, monkeypatch, capsys):
    """``mitigate --options`` shows the commands for what the last investigation ranked, runs and records nothing; without one it says so."""
    place, shas, _ = shop
    folder = incident.create(tmp_path, "x", "SEV-2", repos=[place])
    monkeypatch.chdir(folder)
    assert cli.main(["mitigate", "--options"]) == 2
    assert "what changed is not known yet (incidentnb investigate)" in capsys.readouterr().err
    assert cli.main(["mitigate"]) == 2 and "mitigation: the text is missing" in capsys.readouterr().err
    change = next(c for c in read_changes([], [str(place)])[0] if c.details.get("sha") == shas["third"])
    statements.record_finding(folder, Finding("suspects", "candidates", "This one.", numbers={"changes": [
        {"at": change.at, "kind": "commit", "id": change.id, "rank": 1}]}))
    before = journal.head(folder)
    assert cli.main(["mitigate", "--options"]) == 0
    out = capsys.readouterr().out
    assert f"   git -C {shlex.quote(str(place))} revert --no-edit {shas['third']}\n" in out and "none of these was run" in out
    assert cli.main(["mitigate", "--options", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["options"][0]["state"] == "option" and journal.head(folder) == before
