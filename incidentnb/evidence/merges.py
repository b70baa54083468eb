"""Which merge brought a commit to the main line: its own dates may be days older than the minute in which it came to matter."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

MOST = 20_000  # commits of the graph that are looked at
# the main line pulled into a branch: what such a merge brings was on the main line before
_PULL = re.compile(r"Merge (remote-tracking )?branch '([\w.-]+/)?(main|master|trunk|develop|development)'")
Run = Callable[..., tuple[int | None, bytes, str]]


def brought(run: Run, tips: Sequence[str], span: Sequence[str]) -> tuple[dict[str, tuple[str, datetime]], list[str]]:
    """For each commit that a merge of the span brought: that merge and its time; and the commits before all of them.

    Args:
        run: runs git with some arguments, as ``git.py`` does: exit code, output, complaint.
        tips: the ends of the history that count, the nearest to the main line last.
        span: ``--since-as-filter`` and ``--until`` arguments.
    """
    owner: dict[str, tuple[str, datetime]] = {}
    roots: list[str] = []
    for tip in reversed(tips):
        rows = _rows(run("rev-list", "--first-parent", "--merges", "--parents", "--timestamp", f"--max-count={MOST}", *span, tip, "--"))
        if not rows:
            continue
        root = rows[-1][2][0]
        graph = {sha: (at, parents) for at, sha, parents in
                 _rows(run("rev-list", "--parents", "--timestamp", f"--max-count={MOST}", tip, f"^{root}", "--"))}
        roots.append(root)
        for sha, found in _owners(graph, rows).items():
            owner.setdefault(sha, found)
    return owner, roots


def is_pull(subject: str) -> bool:
    """Whether a merge's message says that the main line was merged into a branch, and not the other way about."""
    return bool(_PULL.match(subject))


def _owners(graph: dict[str, tuple[datetime, list[str]]], merges: Iterable[tuple[datetime, str, list[str]]]) -> dict[str, tuple[str, datetime]]:
    """The oldest merge of the main line that reaches each commit other than by its first parent: linear in the commits."""
    rows = list(merges)
    main, sha = set(), rows[0][1]
    while sha in graph:
        main.add(sha)
        sha = next(iter(graph[sha][1]), "")
    owner: dict[str, tuple[str, datetime]] = {}
    for at, merge, parents in reversed(rows):
        waiting = list(parents[1:])
        while waiting:
            sha = waiting.pop()
            if sha in graph and sha not in main and sha not in owner:
                owner[sha] = (merge, at)
                waiting += graph[sha][1]
    return owner


def _rows(answer: tuple[int | None, bytes, str]) -> list[tuple[datetime, str, list[str]]]:
    """The lines ``time sha parent …`` of ``rev-list``; what is none (output cut short) is passed over."""
    code, out, _ = answer
    rows = []
    for line in out.decode("ascii", "replace").splitlines() if not code else ():
        time, *shas = line.split(" ")
        if shas and re.fullmatch(r"\d{1,11}", time) and all(re.fullmatch(r"[0-9a-f]{40,64}", sha) for sha in shas):
            rows.append((datetime.fromtimestamp(int(time), UTC), shas[0], shas[1:]))
    return rows
