"""How each of the changes that rank highest could be undone, as words to copy. They are shown and never run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from incidentnb import times
from incidentnb.findings import Finding

if TYPE_CHECKING:
    from incidentnb.evidence.changes import Change

_FORMER = ("old", "old_value", "oldvalue", "previous", "previous_value", "before", "from", "was")  # what a record calls the value before


def options_of(suspects: Finding | str, changes: Sequence[Change], most: int = 3) -> list[dict[str, str]]:
    """How each of the highest ranked changes could be undone: the command of a commit, the version before a deploy, the switch back.

    Returns:
        ``state`` (``option``), ``what``, ``how`` (the command, or what to do), ``note`` (what to know first), ``expected``, ``effect``.
    """
    ranked = [] if isinstance(suspects, str) else [entry for entry in suspects.numbers.get("changes", ()) if entry.get("rank")]
    found: list[dict[str, str]] = []
    for entry in ranked[:most]:
        change = next((c for c in changes if (c.at, c.kind, c.id) == (entry["at"], entry["kind"], entry["id"])), None)
        if change is None:
            continue
        name = " ".join(part for part in (change.kind, change.service, change.version or change.id) if part)
        what = {"certificate": f"renew {name}", "external": f"work around {name}", "job": f"stop {name}"}.get(change.kind, f"undo {name}")
        how, note = _commit(change, changes) if change.kind == "commit" else (_other(change, changes), "")
        if how not in {one["how"] for one in found}:  # two commits of one merge have one way back
            found.append({"state": "option", "what": what, "how": how, "note": note, "expected": "", "effect": ""})
    return found


def _commit(change: Change, changes: Sequence[Change]) -> tuple[str, str]:
    """The revert of a commit, or of the merge that brought it, made where the deployed commit is; and what stands in the way here."""
    from incidentnb.evidence import checkout

    repo, sha = change.source, str(change.details.get("sha") or change.id)
    merge = str(change.details.get("merged_by") or "")
    target, notes = (merge, [f"{sha[:12]} came with the merge {merge[:12]}, which is reverted as a whole"]) if merge else (sha, [])
    revert = f"revert --no-edit {'-m 1 ' if merge or change.details.get('merge') else ''}{shlex.quote(target)}"
    here = checkout.standing(repo)
    if here is None:
        return f"git -C {shlex.quote(repo)} {revert}", "; ".join(notes)
    deployed = _deployed(change, changes, repo)
    base = deployed or here.head
    if deployed and deployed != here.head:
        on = f"HEAD ({here.branch or 'detached'}) is at {here.head[:12]}, and {deployed[:12]} is deployed"
        notes.append(f"{on}: the revert is made on the deployed commit")
    if checkout.contains(repo, base, target) is False:
        notes.append(f"{base[:12]} does not have {target[:12]}: there is nothing to revert in it, see what is deployed")
    if here.changed:
        files = "1 file is changed and not committed" if here.changed == 1 else f"{here.changed} files are changed and not committed"
        notes.append(f"{files} there: the revert is made in a working tree of its own")
    if here.changed or (deployed and deployed != here.head):
        beside = str(Path(repo).absolute().parent / f"{Path(repo).absolute().name}-revert-{target[:12]}")
        command = (f"git -C {shlex.quote(repo)} worktree add -b revert-{target[:12]} {shlex.quote(beside)} {base} && "
                   f"git -C {shlex.quote(beside)} {revert}")
        return command, "; ".join(notes)
    return f"git -C {shlex.quote(repo)} {revert}", "; ".join(notes)


def _deployed(change: Change, changes: Sequence[Change], repo: str) -> str:
    """The commit of this checkout that the last deploy names: by its sha, or by a tag that is its version; empty where none is known."""
    from incidentnb.evidence import checkout

    tags = {str(tag): str(c.details.get("sha")) for c in changes if c.kind == "commit" and c.source == repo for tag in c.details.get("tags") or ()}
    for deploy in sorted((c for c in changes if c.kind == "deploy" and not c.details.get("tag")), key=lambda c: c.at, reverse=True):
        names = [deploy.details.get("sha"), deploy.version, tags.get(deploy.version), tags.get(f"v{deploy.version}")]
        for name in names:
            if name and (sha := checkout.resolved(repo, str(name))):
                return sha
    return ""


def _other(change: Change, changes: Sequence[Change]) -> str:
    if change.kind == "deploy":
        before = [c for c in changes if c.kind == "deploy" and c.service == change.service and c.at < change.at and c.version]
        known = f"{before[-1].version}, deployed {times.at(before[-1].at)}" if before else "which one is not in the changes given"
        return f"roll back to the version before it ({known})"
    named = change.service or change.id or change.summary
    former = next((str(change.details[key]) for key in _FORMER if change.details.get(key) not in (None, "")), "")
    back = f"put the {change.kind} {named} back to {former!r}, as it was" if former else f"put the {change.kind} back as it was"
    other = {"certificate": f"renew the certificate of {named}", "job": f"stop {named} and keep it from running again",
             "external": f"do without {named} until it is back: it is not ours to undo"}
    return other.get(change.kind, f"{back} before {times.at(change.at)}")
