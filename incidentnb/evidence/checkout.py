"""Where a checkout stands: its HEAD, what is not committed, and how a commit lies to it. Asked of git, nothing is changed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from incidentnb.evidence import git


@dataclass(frozen=True)
class Standing:
    """Where a checkout stands: the commit of its HEAD, its ``branch`` (empty when detached), how many tracked files are ``changed``."""

    head: str
    branch: str
    changed: int


def standing(folder: Path | str) -> Standing | None:
    """Where a checkout stands; ``None`` where git cannot tell, or it has no working tree."""
    place = Path(folder)
    if not place.is_dir():
        return None
    code, out, _ = git.run(place, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    head = out.decode("utf-8", "replace").strip()
    if code or not re.fullmatch("[0-9a-f]{40,64}", head):
        return None
    code, out, _ = git.run(place, "symbolic-ref", "--quiet", "--short", "HEAD")
    branch = out.decode("utf-8", "replace").strip() if code == 0 else ""
    code, out, _ = git.run(place, "status", "--porcelain", "-z", "--untracked-files=no", "--ignore-submodules=all", "--no-renames")
    return None if code else Standing(head, branch, sum(bool(name) for name in out.split(b"\0")))


def resolved(folder: Path | str, name: str) -> str:
    """The whole sha of a commit that the checkout has, by a sha or the beginning of one; empty where it has none."""
    if not re.fullmatch("[0-9a-fA-F]{7,64}", name) or not Path(folder).is_dir():
        return ""
    code, out, _ = git.run(Path(folder), "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    return out.decode("utf-8", "replace").strip() if code == 0 else ""


def contains(folder: Path | str, tip: str, sha: str) -> bool | None:
    """Whether the history of ``tip`` has the commit ``sha``; ``None`` where git cannot tell."""
    code, _, _ = git.run(Path(folder), "merge-base", "--is-ancestor", sha, tip)
    return {0: True, 1: False}.get(code) if code is not None else None
