"""The checkout of a drill: a shop's code with a history of true dates, made by git itself in one stream."""

from __future__ import annotations

import os
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

from incidentnb.drill import shop
from incidentnb.drill.scenario import Plan, between, pick
from incidentnb.evidence.git import environment

_OLDER = ("tidy the imports", "reviews: show the newest first", "search: drop stop words", "cart: round to cents",
          "docs: how to run locally", "bump the linter", "catalog: cache for 60 s",
          "accounts: longer session", "orders: log the basket size", "invoice: new logo",
          "home: fewer queries", "tests: freeze the clock", "search: typo in the error text", "payments: name the currency")
_RECENT = ("reviews: sort by rating behind a flag", "docs: correct the address of the wiki", "home: new banner")
_CAUSE = {"null": "switch payment client to v3", "decode": "delivery slots in the order message", "plan": "prices from plan v2",
          "pool": "smaller connection pool, the database asked for it"}


def build(folder: Path, plan: Plan) -> dict[str, str]:
    """Make the checkout and return the sha of what was deployed: ``old``, ``new``, and ``config`` where settings did it.

    About twenty commits over nine days, one of them a merge, tags on the releases. Empty where git is not installed.
    """
    stream, marks = _stream(plan)
    quiet = environment() | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_AUTHOR_NAME": "drill",
                             "GIT_AUTHOR_EMAIL": "drill@shop.example", "GIT_COMMITTER_NAME": "drill",
                             "GIT_COMMITTER_EMAIL": "drill@shop.example", "GIT_COMMITTER_DATE": f"{int(plan.until.timestamp())} +0000"}

    def git(*arguments: str, given: bytes | None = None) -> bytes:
        return subprocess.run(["git", *arguments], cwd=folder, env=quiet, input=given, capture_output=True, check=True, timeout=60).stdout

    folder.mkdir(parents=True)
    try:
        git("init", "--quiet", "--template=", "--initial-branch=main", ".")
    except FileNotFoundError:
        folder.rmdir()
        return {}
    git("config", "core.autocrlf", "false")
    git("fast-import", "--quiet", "--date-format=raw", given=stream)
    git("reset", "--quiet", "--hard", "refs/heads/main")
    names = {name: git("rev-parse", f"refs/notes/{mark}").decode().strip() for name, mark in marks.items()}
    for mark in marks.values():
        git("update-ref", "-d", f"refs/notes/{mark}")
    return names


def _stream(plan: Plan) -> tuple[bytes, dict[str, str]]:
    """The history for ``git fast-import``, and which of its marks (kept as references for a moment) are of interest."""
    source, out, count = plan.random, [], 0
    hit = plan.injected or plan.deployed
    released = plan.deployed or hit - timedelta(minutes=3)
    files: dict[str, str] = {}

    def commit(at: datetime, text: str, changed: dict[str, str], *, branch="main", parent: int | None = None, merge: int | None = None,
               authored: datetime | None = None, by: str | None = None) -> int:
        nonlocal count
        count += 1
        by = by or pick(source, shop.PEOPLE)
        mail = f"{by.split()[0].lower()}@shop.example"
        stamp = f"{int(at.timestamp())} +0000"
        head = f"commit refs/heads/{branch}\nmark :{count}\nauthor {by} <{mail}> {int((authored or at).timestamp())} +0000\n"
        out.append((head + f"committer {by} <{mail}> {stamp}\n").encode() + _data(text + "\n"))
        if parent:
            out.append(f"from :{parent}\n".encode())
        if merge:
            out.append(f"merge :{merge}\n".encode())
        for path, content in changed.items():
            files[path] = content
            out.append(f"M 100644 inline {path}\n".encode() + _data(content))
        out.append(b"\n")
        return count

    first = hit - timedelta(days=9, hours=4)
    commit(first, "The shop", {"README.md": "# shop\n", "config/production.yaml": "pool:\n  name: shop-main\n  size: 50\n",
                               **{f"src/{part}/handlers.py": f"# {part}\n" for part in sorted({r.part for r in shop.ROUTES})}})
    steps = len(_OLDER)
    last = 1
    for n, text in enumerate(_OLDER):
        at = first + (hit - timedelta(hours=7) - first) * ((n + 1) / (steps + 1)) + timedelta(seconds=round(between(source, 0, 900)))
        part = text.split(":")[0] if ":" in text else "web"
        path = f"src/{part}/handlers.py" if f"src/{part}/handlers.py" in files else f"{part}/notes.md"
        last = commit(at, text, {path: files.get(path, "") + f"# {n}: {text}\n"})
        if n == steps * 2 // 3:
            old = last
    out.append(_reference(f"refs/tags/v{plan.old}", old) + _reference("refs/notes/old", old))
    branch = commit(hit - timedelta(hours=3, minutes=20), "image sizes for the new phones",
                    {"src/web/images.py": "SIZES = (320, 640, 1080)\n"}, branch="images", parent=last)
    side = commit(hit - timedelta(hours=2, minutes=31), _RECENT[0], {"src/reviews/sort.py": "def by_rating(reviews): ...\n"})
    commit(hit - timedelta(minutes=between(source, 95, 110)), "Merge branch 'images'", {"src/web/images.py": "SIZES = (320, 640, 1080)\n"},
           parent=side, merge=branch)
    commit(hit - timedelta(minutes=between(source, 70, 90)), _RECENT[1], {"README.md": "# shop\n\nThe wiki is at wiki.shop.example.\n"})
    marks = {"old": "old"}
    fault = plan.fault
    if plan.deployed is not None:
        part = shop.ROUTES[fault.routes[0]].part if fault and fault.routes else "payments"
        text = _CAUSE.get(fault.error, "faster handlers") if fault else "experiment buckets in the session"
        at = released - timedelta(minutes=between(source, 9, 33))
        new = commit(at, f"{part}: {text}", {f"src/{part}/handlers.py": files[f"src/{part}/handlers.py"] + f"# {text}\n",
                                             f"src/{part}/client.py": "VERSION = 3\n"}, authored=at - timedelta(hours=26))
        out.append(_reference(f"refs/tags/v{plan.new}", new) + _reference("refs/notes/new", new))
        marks["new"] = "new"
    elif fault and fault.error == "pool":
        config = commit(released - timedelta(minutes=4), _CAUSE["pool"], {
            "config/production.yaml": "pool:\n  name: shop-main\n  size: 8\n"})
        out.append(_reference("refs/notes/config", config))
        marks["config"] = "config"
    commit(hit + timedelta(minutes=between(source, 4, 9)), _RECENT[2], {"src/home/banner.py": "BANNER = 'autumn'\n"})
    return b"".join(out) + b"done\n", marks


def _data(text: str) -> bytes:
    body = text.encode()
    return f"data {len(body)}\n".encode() + body + b"\n"


def _reference(name: str, mark: int) -> bytes:
    return f"reset {name}\nfrom :{mark}\n\n".encode()
