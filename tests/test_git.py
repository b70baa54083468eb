"""Checkouts: what their history says, and that a hostile one runs nothing and breaks nothing."""

import os
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from incidentnb.evidence import git
from incidentnb.evidence.changes import read_changes
from incidentnb.exceptions import InputError

T = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
QUIET = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | dict.fromkeys(
    ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"), os.devnull)


def run(folder, *arguments, at=T, authored=None, name="Ada", given=None):
    env = QUIET | {"GIT_AUTHOR_NAME": name, "GIT_COMMITTER_NAME": "Bob", "GIT_AUTHOR_EMAIL": "a@example",
                   "GIT_COMMITTER_EMAIL": "b@example", "GIT_AUTHOR_DATE": (authored or at).isoformat(),
                   "GIT_COMMITTER_DATE": at.isoformat()}
    return subprocess.run(["git", "-C", folder, *arguments], env=env, check=True, capture_output=True, input=given).stdout.decode()


def repository(folder, *arguments):
    folder.mkdir(parents=True)
    run(folder, "init", "-q", "--initial-branch=main", *arguments)
    return folder


def commit(folder, text, at, path="a.txt", **how):
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    run(folder, "add", "-A")
    run(folder, "commit", "-q", "--cleanup=verbatim", "-m", text, at=at, **how)
    return run(folder, "rev-parse", "HEAD").strip()


def subjects(commits):
    return [c.subject for c in commits]


def test_a_commit_is_told_whole(tmp_path):
    """Name, both times, both people, message, paths and tags of a commit come out as they went in."""
    repo = repository(tmp_path / "shop")
    commit(repo, "first", T)
    sha = commit(repo, "fix the total\n\nBecause it was wrong.\nTwo lines.", T + timedelta(hours=3), path="src/cart total.py",
                 authored=T + timedelta(hours=1), name="Zoë | O'Neil")
    run(repo, "tag", "v4.18.0")
    commits, tags, warnings = git.read_git(repo)
    assert subjects(commits) == ["first", "fix the total"]
    last = commits[-1]
    assert (last.sha, last.parents) == (sha, (commits[0].sha,))
    assert (last.committed, last.authored) == (T + timedelta(hours=3), T + timedelta(hours=1))
    assert (last.author, last.committer, last.body) == ("Zoë | O'Neil", "Bob", "Because it was wrong.\nTwo lines.")
    assert (last.files, last.files_total, last.tags, last.branches) == (("src/cart total.py",), 1, ("v4.18.0",), ("main",))
    assert (tags, warnings) == ([], [])


def test_an_old_clock_on_top_hides_nothing(tmp_path):
    """A commit with a clock of years ago on top does not stop the walk: the span below it comes out, and it does not."""
    repo = repository(tmp_path / "r")
    commit(repo, "long ago", T - timedelta(days=9))
    commit(repo, "in span", T)
    commit(repo, "old clock", datetime(2009, 1, 1, tzinfo=UTC))
    commits, _, _ = git.read_git(repo, since=T - timedelta(hours=1), until=T + timedelta(hours=1))
    assert subjects(c for c in commits if not c.before) == ["in span"]


def test_the_last_commit_before_the_span_comes_too(tmp_path):
    """The most recent commit before ``since`` by its own clock is given, marked, also where an older clock sits above it."""
    repo = repository(tmp_path / "r")
    for days in (9, 3):
        commit(repo, f"{days} days ago", T - timedelta(days=days))
    commit(repo, "old clock", datetime(2009, 1, 1, tzinfo=UTC))
    commits, _, _ = git.read_git(repo, since=T - timedelta(hours=2), until=T)
    assert [(c.subject, c.before) for c in commits] == [("3 days ago", True)]


@pytest.mark.parametrize("edge", ["since", "until"])
def test_both_ends_belong_to_the_span(tmp_path, edge):
    """A commit exactly at an end of the span is in it; one a second outside is not."""
    repo = repository(tmp_path / "r")
    for seconds in (-1, 0, 1):
        commit(repo, f"{seconds}", T + timedelta(seconds=seconds))
    commits, _, _ = git.read_git(repo, **{edge: T})
    assert subjects(c for c in commits if not c.before) == (["0", "1"] if edge == "since" else ["-1", "0"])


def test_a_merge_is_a_commit_with_what_it_brought(tmp_path):
    """A merge has two parents and the paths that differ from its first; the merged commits are there as well."""
    repo = repository(tmp_path / "r")
    commit(repo, "base", T)
    run(repo, "checkout", "-q", "-b", "side")
    commit(repo, "side work", T + timedelta(minutes=1), path="side.txt")
    run(repo, "checkout", "-q", "main")
    commit(repo, "main work", T + timedelta(minutes=2), path="main.txt")
    run(repo, "merge", "-q", "--no-ff", "-m", "Merge side", "side", at=T + timedelta(minutes=3))
    commits, _, _ = git.read_git(repo)
    assert subjects(commits) == ["base", "side work", "main work", "Merge side"]
    assert (len(commits[-1].parents), commits[-1].files) == (2, ("side.txt",))


def test_branches_that_are_not_deployed_stay_out(tmp_path):
    """A feature branch that nothing current contains is no change; the upstream of the current branch is."""
    upstream = repository(tmp_path / "upstream")
    commit(upstream, "base", T)
    run(tmp_path, "clone", "-q", str(upstream), "clone")
    commit(upstream, "pushed later", T + timedelta(minutes=5))
    clone = tmp_path / "clone"
    run(clone, "fetch", "-q")
    run(clone, "checkout", "-q", "-b", "feature")
    commit(clone, "unfinished", T + timedelta(minutes=6), path="f.txt")
    run(clone, "checkout", "-q", "main")
    assert subjects(git.read_git(clone)[0]) == ["base", "pushed later"]


def test_annotated_tags_are_told_with_their_own_time(tmp_path):
    """A tag set in the span on an older commit is a release of its own."""
    repo = repository(tmp_path / "r")
    sha = commit(repo, "base", T - timedelta(days=3))
    run(repo, "tag", "-a", "v2.0", "-m", "second", at=T)
    _, tags, _ = git.read_git(repo, since=T - timedelta(hours=1), until=T + timedelta(hours=1))
    assert [(t.name, t.at, t.tagger, t.subject, t.sha) for t in tags] == [("v2.0", T, "Bob", "second", sha)]
    changes, _ = read_changes([], [repo], since=T - timedelta(hours=1), until=T)
    told = [(c.kind, c.id, bool(c.details.get("before_window"))) for c in changes]
    assert told == [("commit", sha[:12], True), ("deploy", "v2.0", False)]


def test_a_folder_of_a_checkout_stands_for_what_touches_it(tmp_path):
    """Named by a folder below its top, a checkout gives the commits that touch that folder."""
    repo = repository(tmp_path / "mono")
    commit(repo, "cart", T, path="cart/a.py")
    commit(repo, "search", T + timedelta(minutes=1), path="search/a.py")
    assert subjects(git.read_git(repo / "cart")[0]) == ["cart"]


def test_what_is_no_usable_checkout_is_said_in_one_line(tmp_path):
    """A missing folder, a file, and a folder without git are bad input; no commits yet is a warning."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "plain").mkdir()
    for name, said in (("nowhere", "no such checkout"), ("file", "not a folder"), ("plain", "not a git repository")):
        with pytest.raises(InputError, match=said) as caught:
            git.read_git(tmp_path / name)
        assert "\n" not in str(caught.value)
    commits, _, warnings = git.read_git(repository(tmp_path / "empty"))
    assert (commits, len(warnings)) == ([], 1)
    assert "no commits yet" in warnings[0]


def test_bare_and_shallow_histories(tmp_path):
    """A bare repository reads like any other; a shallow clone says that its history ends early."""
    repo = repository(tmp_path / "r")
    commit(repo, "one", T)
    commit(repo, "two", T + timedelta(minutes=1))
    run(tmp_path, "clone", "-q", "--bare", str(repo), "bare")
    run(tmp_path, "clone", "-q", "--depth=1", f"file://{repo}", "shallow")
    assert subjects(git.read_git(tmp_path / "bare")[0]) == ["one", "two"]
    commits, _, warnings = git.read_git(tmp_path / "shallow")
    assert subjects(commits) == ["two"]
    assert [w.split(": ")[1] for w in warnings] == ["a shallow clone"]


def test_without_git_the_rest_goes_on(tmp_path, monkeypatch):
    """Where git is not installed there are no commits and one warning that says why."""
    monkeypatch.setenv("PATH", str(tmp_path))
    commits, _, warnings = git.read_git(tmp_path)
    assert (commits, warnings) == ([], [f"{tmp_path}: git is not installed; its commits were not looked at"])


def test_the_callers_git_variables_do_not_reach_it(tmp_path, monkeypatch):
    """A checkout is read where it is, whatever GIT_DIR, GIT_PAGER or configuration the caller's shell carries."""
    repo = repository(tmp_path / "r")
    commit(repo, "mine", T)
    other = repository(tmp_path / "other")
    commit(other, "not mine", T)
    for name, value in {"GIT_DIR": str(other / ".git"), "GIT_WORK_TREE": str(other), "GIT_PAGER": "false", "GIT_EXTERNAL_DIFF": "false",
                        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "log.showSignature", "GIT_CONFIG_VALUE_0": "true"}.items():
        monkeypatch.setenv(name, value)
    assert subjects(git.read_git(repo)[0]) == ["mine"]


def test_hostile_text_keeps_its_frame(tmp_path):
    """Separators, escapes and look-alikes of the output in names, messages and paths change no other field and no other commit."""
    repo = repository(tmp_path / "r")
    text = "a \x1e\x1f\x1b[31m :100644 100644\n\n:000000 100644 0 0 A\nnot a file\n\x1e" + "f" * 40
    commit(repo, text, T, path=":100644 x\n\x1f.txt", name="x\x1f\x1ey <script>")
    commit(repo, "after", T + timedelta(minutes=1))
    first, second = git.read_git(repo)[0]
    assert first.subject == "a \x1e\x1f\x1b[31m :100644 100644"
    assert first.body == text.split("\n\n", 1)[1].strip()
    assert first.author == "x\x1f\x1ey script"  # git itself drops angle brackets from names
    assert (first.files, second.subject, second.files) == ((":100644 x\n\x1f.txt",), "after", ("a.txt",))


def test_bytes_that_are_no_text_are_replaced(tmp_path):
    """A message in an unknown encoding comes out readable, with replacement marks, and not as an error."""
    repo = repository(tmp_path / "r")
    commit(repo, "base", T)
    tree, parent = run(repo, "rev-parse", "HEAD^{tree}").strip(), run(repo, "rev-parse", "HEAD").strip()
    raw = f"tree {tree}\nparent {parent}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1795435200 +0000\n\n".encode() + b"caf\xe9 \xff\n"
    sha = run(repo, "hash-object", "-t", "commit", "-w", "--stdin", "--literally", given=raw).strip()
    run(repo, "update-ref", "refs/heads/main", sha)
    assert [c.subject for c in git.read_git(repo)[0] if c.sha == sha] == ["caf\ufffd \ufffd"]


def test_a_hostile_repository_runs_nothing(tmp_path):
    """Pagers, signature programs, external diffs, text conversions, hooks, monitors and transports of a repository's own
    configuration are not run, also not to fetch an object that is missing."""
    repo = repository(tmp_path / "r")
    commit(repo, "base", T)
    sha = commit(repo, "trap", T + timedelta(minutes=1), path="x.bin")
    marker = tmp_path / "ran"
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {marker}\nexit 1\n")
    trap.chmod(0o755)
    signature = "\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n\n"
    signed = run(repo, "cat-file", "commit", sha).replace("\n\n", signature, 1)
    run(repo, "update-ref", "refs/heads/main", run(repo, "hash-object", "-t", "commit", "-w", "--stdin", given=signed.encode()).strip())
    (repo / ".gitattributes").write_text("* diff=trap filter=trap\n")
    settings = {"core.pager": trap, "pager.log": trap, "diff.external": trap, "diff.trap.command": trap, "diff.trap.textconv": trap,
                "filter.trap.smudge": trap, "filter.trap.clean": trap, "gpg.program": trap, "log.showSignature": "true",
                "core.fsmonitor": trap, "core.hooksPath": tmp_path, "core.sshCommand": trap, "core.askPass": trap, "core.editor": trap,
                "credential.helper": f"!{trap}", "alias.log": f"!{trap}", "core.gitProxy": trap, "interactive.diffFilter": trap,
                "protocol.ext.allow": "always", "remote.origin.url": f"ext::{trap}", "remote.origin.promisor": "true",
                "remote.origin.uploadpack": trap, "extensions.partialClone": "origin", "core.repositoryFormatVersion": "1",
                "log.mailmap": "true", "mailmap.file": "/dev/zero", "color.ui": "always", "log.decorate": "full", "format.pretty": "%B"}
    for name, value in settings.items():
        run(repo, "config", name, str(value))
    tree = run(repo, "rev-parse", "HEAD~1^{tree}").strip()
    lost = repo / ".git" / "objects" / tree[:2] / tree[2:]
    lost.unlink()
    commits, _, warnings = git.read_git(repo)
    assert not marker.exists()
    assert "trap" in subjects(commits) or len(warnings) == 1
    subprocess.run(["git", "-C", repo, "log", "--raw", "--no-mailmap"], env=QUIET, stdin=subprocess.DEVNULL, check=False,
                   capture_output=True, timeout=20)
    assert marker.exists()  # the traps are live: plain git walks into them


def test_options_and_revisions_in_names_are_only_names(tmp_path):
    """A folder called like an option, and a branch and a tag called like one, are names."""
    repo = repository(tmp_path / "--output=pwned")
    commit(repo, "base", T)
    run(repo, "update-ref", "refs/tags/--exec=touch pwned".replace(" ", "_"), "HEAD")
    os_before = sorted(p.name for p in tmp_path.iterdir())
    assert subjects(git.read_git(repo)[0]) == ["base"]
    assert sorted(p.name for p in tmp_path.iterdir()) == os_before


def test_many_files_and_commits_are_capped_and_say_so(tmp_path, monkeypatch):
    """A commit of very many paths lists some and counts all; a span of too many commits is cut, with a warning."""
    monkeypatch.setattr(git, "MOST_COMMITS", 3)
    repo = repository(tmp_path / "r")
    for n in range(250):
        (repo / f"f{n}").write_text("x")
    commit(repo, "many", T)
    for n in range(4):
        commit(repo, f"c{n}", T + timedelta(minutes=n + 1))
    commits, _, warnings = git.read_git(repo)
    assert (len(commits), len(warnings)) == (3, 1)
    assert "more than 3 commits" in warnings[0]
    many = next(c for c in git.read_git(repo, until=T)[0])
    assert (len(many.files), many.files_total) == (git.MOST_FILES, 251)


def test_a_git_that_hangs_is_stopped(tmp_path, monkeypatch):
    """After the time limit git is stopped, and the warning says so."""
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\nexec sleep 30\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(git, "TIME_LIMIT_S", 0.2)
    commits, _, warnings = git.read_git(tmp_path)
    assert commits == []
    assert "took longer than" in warnings[0]


def branch_merged(tmp_path, *, message="Merge branch 'side'"):
    """A branch written over three days and merged at T, while the main line went on."""
    repo = repository(tmp_path / "r")
    commit(repo, "base", T - timedelta(days=9))
    run(repo, "checkout", "-q", "-b", "side")
    commit(repo, "old work", T - timedelta(days=3), path="side/a.txt", authored=T - timedelta(days=5))
    commit(repo, "later work", T - timedelta(days=1), path="side/b.txt")
    run(repo, "checkout", "-q", "main")
    commit(repo, "on main", T - timedelta(minutes=30), path="main.txt")
    run(repo, "merge", "-q", "--no-ff", "-m", message, "side", at=T)
    return repo, run(repo, "rev-parse", "HEAD").strip()


def test_a_merge_brings_commits_of_any_age(tmp_path):
    """What a merge in the span brought comes with it, however old, and came to matter at the merge; its own times stay told."""
    repo, merge = branch_merged(tmp_path)
    commits, _, warnings = git.read_git(repo, since=T - timedelta(hours=2), until=T + timedelta(hours=1))
    found = {c.subject: c for c in commits if not c.before}
    assert set(found) == {"old work", "later work", "on main", "Merge branch 'side'"} and warnings == []
    assert {c.subject: (c.merge, c.merged) for c in found.values()} == {
        "old work": (merge, T), "later work": (merge, T), "on main": ("", None), "Merge branch 'side'": ("", None)}
    changes, _ = read_changes([], [repo], since=T - timedelta(hours=2), until=T + timedelta(hours=1))
    old = next(c for c in changes if c.summary == "old work")
    assert (old.at, old.details["merged_by"]) == (T, merge)
    assert (old.details["authored_at"], old.details["committed_at"]) == (T - timedelta(days=5), T - timedelta(days=3))


def test_a_merge_after_the_span_brings_nothing(tmp_path):
    """Before it was merged, a branch is not in the history that counts."""
    repo, _ = branch_merged(tmp_path)
    commits, _, _ = git.read_git(repo, since=T - timedelta(hours=2), until=T - timedelta(minutes=1))
    assert subjects(c for c in commits if not c.before) == ["on main"]


def test_a_merge_within_a_branch_is_dated_by_the_one_that_brought_it_to_main(tmp_path):
    """Commits of a branch merged into another branch came to matter when that one was merged."""
    repo = repository(tmp_path / "r")
    commit(repo, "base", T - timedelta(days=9))
    for name, parent in (("one", "main"), ("two", "one")):
        run(repo, "checkout", "-q", "-b", name, parent)
        commit(repo, f"work {name}", T - timedelta(hours=9), path=f"{name}.txt")
    run(repo, "checkout", "-q", "one")
    run(repo, "merge", "-q", "--no-ff", "-m", "Merge two", "two", at=T - timedelta(hours=3))
    run(repo, "checkout", "-q", "main")
    run(repo, "merge", "-q", "--no-ff", "-m", "Merge one", "one", at=T)
    commits, _, _ = git.read_git(repo, since=T - timedelta(hours=1))
    assert {c.subject: c.merged for c in commits if not c.before} == {"work one": T, "work two": T, "Merge two": T, "Merge one": None}


@pytest.mark.parametrize("message", ["Merge branch 'main' of example.org:shop", "Merge remote-tracking branch 'origin/master' into work"])
def test_the_main_line_pulled_into_a_branch_dates_nothing(tmp_path, message):
    """What a pull brings was on the main line before: its commits keep their own times, and old ones stay out."""
    repo, _ = branch_merged(tmp_path, message=message)
    commits, _, _ = git.read_git(repo, since=T - timedelta(hours=2))
    assert [c.merged for c in commits] == [None] * len(commits)
    assert set(subjects(c for c in commits if not c.before)) == {"on main", message}


def test_a_folder_has_its_part_of_a_merge(tmp_path):
    """Of a merge, a folder of a checkout gives the commits that touch it."""
    repo, merge = branch_merged(tmp_path)
    commits, _, _ = git.read_git(repo / "side", since=T - timedelta(hours=2))
    assert {(c.subject, c.merge) for c in commits if c.merge} == {("old work", merge), ("later work", merge)}


def test_several_checkouts_are_one_list(tmp_path):
    """Commits of several checkouts come in order of time, each with the checkout that it is of; a clone of one adds none of them twice."""
    first, second = repository(tmp_path / "a"), repository(tmp_path / "b")
    commit(first, "one", T)
    commit(second, "two", T + timedelta(minutes=1))
    commit(first, "three", T + timedelta(minutes=2))
    run(tmp_path, "clone", "-q", str(first), "copy")
    changes, _ = read_changes([], [first, second, tmp_path / "copy"])
    assert [(c.summary, c.source) for c in changes] == [("one", str(first)), ("two", str(second)), ("three", str(first))]
