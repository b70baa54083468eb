"""What a checkout says about its history, asked of ``git`` itself in a subprocess.

The repository may be hostile: its configuration, names and messages are a stranger's. So: an argument list and never a shell,
``--`` before paths, every ``GIT_*`` variable of the caller dropped, no pager, hooks, signature programs, external diffs, text
conversions, prompts, or transports (a partial clone fetches nothing), a time limit and a limit on what is read. Fields are
framed by NUL, the one byte that cannot occur in a name, a message or a path.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from incidentnb.evidence import merges
from incidentnb.exceptions import InputError
from incidentnb.sinks import terminal

_FIELDS = ("%H", "%P", "%ct", "%at", "%an", "%cn", "%D", "%s", "%b")
_FORMAT = "--format=" + "%x00".join(_FIELDS)
# settings of the repository that would run a program or change what is printed; the command line wins over them
_SETTINGS = {"core.fsmonitor": "false", "core.hooksPath": os.devnull, "core.attributesFile": os.devnull,
             "log.showSignature": "false", "diff.external": "", "core.pager": "cat",
             "i18n.logOutputEncoding": "UTF-8", "protocol.allow": "never", "core.askPass": "", "credential.helper": ""}
MOST_COMMITS, MOST_FILES, MOST_BYTES, TIME_LIMIT_S = 5000, 200, 64 * 2**20, 60
_BODY = 2000  # characters of a commit's body that are kept
_BEFORE = 200  # commits looked at for the most recent one before the span: the order of a log is not that of its clocks


@dataclass(frozen=True)
class Commit:
    """One commit.

    Attributes:
        sha: its whole name, 40 or 64 hexadecimal digits.
        parents: the names of its parents; two or more for a merge.
        committed: committer time, when it came to be in this history, aware UTC.
        authored: author time, when it was first written (may be days earlier: a rebase, a cherry-pick), aware UTC.
        author, committer: names as written; hostile text.
        tags, branches: the names that point at it.
        subject, body: its message; the body to 2,000 characters.
        files: paths it touched, against its first parent, at most 200.
        files_total: how many it touched in all.
        before: it is older than the span asked for (only the most recent such one is given).
        merge, merged: the merge that brought it to the main line, and when; empty and ``None`` for one that was made there.
    """

    sha: str
    parents: tuple[str, ...]
    committed: datetime
    authored: datetime
    author: str
    committer: str
    tags: tuple[str, ...]
    branches: tuple[str, ...]
    subject: str
    body: str
    files: tuple[str, ...]
    files_total: int
    before: bool = False
    merge: str = ""
    merged: datetime | None = None


@dataclass(frozen=True)
class Tag:
    """An annotated tag: its name, when it was set (aware UTC), by whom, what it says, and the commit it names."""

    name: str
    at: datetime
    tagger: str
    subject: str
    sha: str


def environment() -> dict[str, str]:
    """The environment that git is run in: that of the caller without any ``GIT_*``, in English, asking and fetching nothing."""
    kept = {k: v for k, v in os.environ.items() if not k.upper().startswith(("GIT_", "LC_", "LANGUAGE", "PAGER"))}
    return kept | {"LC_ALL": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1",
                   "GIT_ALLOW_PROTOCOL": "none", "GIT_PAGER": "cat", "GIT_NO_REPLACE_OBJECTS": "1"}


def read_git(folder: str | Path, *, since: datetime | None = None, until: datetime | None = None,
             ) -> tuple[list[Commit], list[Tag], list[str]]:
    """The commits and annotated tags of a checkout in ``[since, until]`` by committer time, oldest first.

    Looked at are the current commit, its upstream, the remote's main branch, and all tags: what may have been deployed, and no
    feature branch. A folder below the top of a checkout gives the commits that touch it. The commits that a merge in the span brought
    come with it, however old they are. The most recent commit before ``since`` comes too, marked ``before``.

    Returns:
        commits, tags, and warnings of one line each (empty history, shallow history, cut at 5,000 commits, git not there).

    Raises:
        InputError: no such folder, or no git repository there.
    """
    where, folder = str(folder), Path(folder)
    if not folder.is_dir():
        raise InputError(where, "no such checkout" if not folder.exists() else "not a folder", "name the folder of a git checkout")
    code, out, error = run(folder, "rev-parse", "--is-shallow-repository", "--show-prefix")
    if code is None:
        return [], [], [f"{where}: {error}; its commits were not looked at"]
    if code:
        code, out, error = run(folder, "rev-parse", "--is-shallow-repository")  # a bare one has no prefix
    if code:
        raise _refusal(where, error)
    shallow, prefix = [*out.decode("utf-8", "replace").split("\n"), "", ""][:2]
    paths = ["--", "."] if prefix else ["--"]
    tips = [tip for tip in ("HEAD", "HEAD@{upstream}", "refs/remotes/origin/HEAD")
            if run(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", tip + "^{commit}")[0] == 0]
    if not tips:
        return [], [], [f"{where}: the repository has no commits yet"]
    mainline = list(tips)
    tips.append("--tags")
    warnings = []
    if shallow == "true":
        warnings.append(f"{where}: a shallow clone: older commits are not here (git fetch --unshallow)")
    span = []
    if until is not None:
        span.append(f"--until={_stamp(until)}")
    after = [f"--since-as-filter={_stamp(since)}"] if since else []
    found, problems = _log(folder, where, [*after, *span], tips, paths)
    warnings += problems
    found = [c for c in found if (since is None or c.committed >= since) and (until is None or c.committed <= until)]
    found = _merged(folder, where, found, mainline, [*after, *span], paths)
    if since is not None:
        # not stopped by --since, and the log's order is not that of the clocks: the newest of some hundred is the last change
        older, _ = _log(folder, where, [f"--until={_stamp(since - timedelta(seconds=1))}", f"--max-count={_BEFORE}"], tips, paths,
                        before=True)
        found += sorted((c for c in older if c.committed < since), key=lambda c: c.committed)[-1:]
    tags = [t for t in _tags(folder) if (since is None or t.at >= since) and (until is None or t.at <= until)]
    found.reverse()  # within one second the order is that of the history
    return sorted(found, key=lambda c: c.committed), tags, warnings


def _merged(folder: Path, where: str, found: list[Commit], tips: list[str], span: list[str], paths: list[str]) -> list[Commit]:
    """The commits with the merge that brought each to the main line; those of a merge in the span come too, however old they are."""
    owner, roots = merges.brought(lambda *arguments: run(folder, *arguments), tips, span)
    known = {commit.sha for commit in found}
    if owner.keys() - known:
        older, _ = _log(folder, where, [], [*tips, *(f"^{root}" for root in roots[:1])], paths)
        found = [*found, *(c for c in older if c.sha in owner and c.sha not in known)]
    pulls = {commit.sha for commit in found if merges.is_pull(commit.subject)}
    owner = {sha: (merge, at) for sha, (merge, at) in owner.items() if merge not in pulls}
    known &= {commit.sha for commit in found}
    return [replace(c, merge=owner[c.sha][0], merged=owner[c.sha][1]) if c.sha in owner else c
            for c in found if c.sha in known or c.sha in owner]


def _stamp(moment: datetime) -> str:
    return f"{max(moment.astimezone(UTC), datetime(1970, 1, 2, tzinfo=UTC)):%Y-%m-%dT%H:%M:%SZ}"


def _log(folder: Path, where: str, span: list[str], tips: list[str], paths: list[str], before: bool = False,
         ) -> tuple[list[Commit], list[str]]:
    cap = [] if before else [f"--max-count={MOST_COMMITS + 1}"]
    command = ["log", "-z", "--raw", "--no-abbrev", "--no-renames", "--diff-merges=first-parent", "--root", "--no-color",
               "--no-notes", "--no-mailmap", "--no-textconv", "--no-ext-diff", "--no-show-signature", "--decorate=full",
               f"-O{os.devnull}", "--ignore-submodules=none", _FORMAT, *cap, *span, *tips, *paths]
    code, out, error = run(folder, *command)
    if code and "since-as-filter" in error:  # git before 2.37: ask for all and choose here
        code, out, error = run(folder, *(part for part in command if not part.startswith("--since-as-filter")))
    if code is None:
        return _commits(out, before), [f"{where}: {error}; the commits read until then are given"]
    if code:
        return [], [f"{where}: git cannot read the history: {error}"]
    commits = _commits(out, before)
    if not before and len(commits) > MOST_COMMITS:
        return commits[:MOST_COMMITS], [f"{where}: more than {MOST_COMMITS:,} commits in the span; the first "
                                        f"{MOST_COMMITS:,} of the log are given"]
    return commits, []


def _commits(out: bytes, before: bool) -> list[Commit]:
    """The commits of ``git log -z --raw``: nine fields each, then pairs of a ``:`` line and a path."""
    tokens = out.decode("utf-8", "replace").split("\0")
    commits, i, width = [], 0, len(_FIELDS)
    while i + width <= len(tokens):
        sha, parents, committed, authored, author, committer, names, subject, body = tokens[i:i + width]
        i += width
        files, total = [], 0
        while i + 1 < len(tokens) and tokens[i].lstrip("\n").startswith(":"):
            total += 1
            if total <= MOST_FILES:
                files.append(tokens[i + 1])
            i += 2
        sha = sha.strip()
        if not re.fullmatch(r"[0-9a-f]{40,64}", sha):
            break  # cut short; what follows has no frame
        references = [name.removeprefix("HEAD -> ") for name in names.split(", ") if name]
        commits.append(Commit(
            sha, tuple(parents.split()), _instant(committed), _instant(authored), author, committer,
            tuple(r.removeprefix("tag: refs/tags/") for r in references if r.startswith("tag: ")),
            tuple(re.sub("^refs/(heads|remotes)/", "", r) for r in references if r.startswith("refs/")),
            subject, body.strip()[:_BODY], tuple(files), total, before))
    return commits


def _tags(folder: Path) -> list[Tag]:
    fields = ("refname:strip=2", "taggerdate:unix", "taggername", "*objectname", "subject")
    form = "".join(f"%({name})%00" for name in fields)
    code, out, _ = run(folder, "for-each-ref", f"--format={form}", "--sort=-taggerdate", "--count=1000", "refs/tags")
    tags, tokens = [], out.decode("utf-8", "replace").split("\0")
    for name, at, tagger, sha, subject in zip(*[iter(tokens)] * 5, strict=False):
        if at and sha:
            tags.append(Tag(name.lstrip("\n"), _instant(at), tagger, subject, sha))
    return tags if code == 0 else []


def _instant(text: str) -> datetime:
    try:
        return datetime.fromtimestamp(int(text), UTC)
    except (ValueError, OverflowError, OSError):  # a clock beyond the calendar
        return datetime(1970, 1, 1, tzinfo=UTC)


def _refusal(where: str, error: str) -> InputError:
    if "dubious ownership" in error:
        return InputError(where, "git does not trust this checkout: another user owns it",
                          "git config --global --add safe.directory and its path, if you trust it")
    if "not a git repository" in error:
        return InputError(where, "not a git repository", "name the folder of a git checkout")
    return InputError(where, f"git cannot read it: {error}")


def run(folder: Path, *arguments: str) -> tuple[int | None, bytes, str]:
    """Run git: exit code, output, and the first line of its complaint; the code is ``None`` where it did not run to its end."""
    settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
    try:
        process = subprocess.Popen(["git", "--no-pager", *settings, "-C", str(folder.absolute()), *arguments], env=environment(),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, close_fds=True)
    except FileNotFoundError:
        return None, b"", "git is not installed"
    except OSError as problem:
        return None, b"", f"git cannot be run: {problem.strerror}"
    late = threading.Event()

    def stop() -> None:
        late.set()
        process.kill()

    complaint: list[bytes] = []
    timer = threading.Timer(TIME_LIMIT_S, stop)
    drain = threading.Thread(target=lambda: complaint.append(process.stderr.read(65536)), daemon=True)
    timer.start()
    drain.start()
    with process:
        out = process.stdout.read(MOST_BYTES + 1)
        if len(out) > MOST_BYTES:
            process.kill()
        process.wait()
        drain.join(5)
    timer.cancel()
    if late.is_set():
        return None, out, f"git took longer than {TIME_LIMIT_S} s"
    if len(out) > MOST_BYTES:
        return None, out[:MOST_BYTES], f"git gave more than {MOST_BYTES // 2**20} MiB"
    lines = b"".join(complaint).decode("utf-8", "replace").strip().splitlines()
    first = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[0] if lines else "no reason given")
    return process.returncode, out, terminal(first.removeprefix("fatal: ").removeprefix("error: "), 200)
