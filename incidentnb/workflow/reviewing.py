"""The postmortem of an incident as a file: made, made again over what people wrote, checked; and its action items."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from incidentnb import atomic, times
from incidentnb.exceptions import InputError
from incidentnb.record import incident as records
from incidentnb.record import journal, pseudonyms, statements, team

PLACE = Path("exports") / "postmortem.md"
ACTIONS = ("csv", "github")


@dataclass(frozen=True)
class Review:
    """What ``postmortem`` did.

    Attributes:
        folder, path: the incident, and its postmortem.
        blanks: what is blank in it, a line each.
        flags: what might be said otherwise (``publish.review.blame.Flag``).
        edited, conflicts: sections that people edited, and those where the record changed as well.
        actions: files of action items that were written.
        hidden: kind of secret → how often one was hidden.
        written: whether the file was written: not by a check, nor where it is so already.
        checked: whether it was only checked.
        stale: whether the record says more than the file that was checked.
    """

    folder: Path
    path: Path
    blanks: tuple[str, ...]
    flags: tuple[Any, ...]
    edited: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    actions: tuple[Path, ...] = ()
    hidden: dict[str, int] = field(default_factory=dict)
    written: bool = False
    checked: bool = False
    stale: bool = False

    @property
    def exit_code(self) -> int:
        """3 where something is in conflict, or where a check flagged something."""
        return 3 if self.conflicts or (self.checked and self.flags) else 0


def postmortem(folder: Path | str, *, check: bool = False, actions: str | None = None, audience: str = "public",
               templates: Path | str | None = None) -> Review:
    """Write the postmortem of an incident into its ``exports/``, or only check the one that is there.

    What people wrote in it is kept; the journal keeps what was written.

    Args:
        folder: the incident.
        check: write nothing.
        actions: write the action items too: ``csv`` or ``github``.
        audience: whose eyes it is for: ``internal`` hides secrets, ``customer`` and ``public`` personal data too.
        templates: a folder with a ``postmortem.md`` of one's own wording; by default that of the team file, else the built-in one.

    Raises:
        InputError: no incident there; nothing to check; a template that is wrong or not there; a file that cannot be read or written.
    """
    from incidentnb.publish import postmortem as documents
    from incidentnb.publish import redaction
    from incidentnb.publish.review import blame

    folder = Path(folder)
    ours = team.load(folder, Path.cwd())
    if templates is not None and not (Path(templates) / documents.FILE).is_file():
        raise InputError(str(templates), f"has no {documents.FILE}", "name the folder that holds your own wording")
    if check and actions:
        raise InputError("--check", "writes nothing, so it writes no action items", "leave one of the two out")
    known, path = records.load(folder), folder / PLACE
    existing = _existing(path)
    if check and existing is None:
        raise InputError(str(path), "there is no postmortem to check", "incidentnb postmortem makes it")
    rules = redaction.rules_of(ours.redaction)
    key = pseudonyms.read(folder) if check else pseudonyms.make(folder)
    made = documents.postmortem(known, existing or "", own=Path(templates) if templates else ours.templates, audience=audience, rules=rules, key=key)
    written = not check and made.text != existing
    if written:
        _write(path, made.text)
    if not check:
        _record(folder, path, made, audience)
    context = blame.context_of(known, [person.name for person in ours.roster])
    flags = blame.lint((existing or "") if check else made.text, context, generated=made.parts, today=times.now().astimezone(known.zone).date())
    files = _actions(known, actions, audience, rules, key) if actions else ()
    return Review(folder, path, made.blanks, tuple(flags), made.edited, made.conflicts, tuple(files), made.hidden, written, check,
                  check and made.text != existing)


def _existing(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise InputError(str(path), f"cannot be read: {problem.strerror or problem}") from None


def _write(path: Path, text: str) -> None:
    try:
        atomic.write(path, text)
    except OSError as problem:
        raise InputError(str(path), f"cannot be written: {problem.strerror or problem}", "make room, or the folder writable") from None


def _record(folder: Path, path: Path, made: Any, audience: str) -> None:
    """Keep in the journal what was written, unless it says so already."""
    name, digest = str(path.relative_to(folder)), hashlib.sha256(made.text.encode("utf-8", "surrogateescape")).hexdigest()
    last = next((e for e in reversed(journal.read(folder)) if e.kind == "export" and e.body.get("path") == name), None)
    if last is None or last.body.get("sha256") != digest:
        body = {"document": "postmortem", "path": name, "sha256": digest, "head": journal.head(folder), "audience": audience,
                "hidden": made.hidden, "blanks": len(made.blanks)}
        statements.record_export(folder, body, at=times.now())


def _actions(known: records.Incident, kind: str, audience: str, rules: Sequence[Any], key: bytes | None) -> list[Path]:
    """Write the action items beside the postmortem; files of items that are no more go."""
    from incidentnb.publish import redaction
    from incidentnb.publish.review import actions

    names: dict[str, str] = {}

    def hide(text: str) -> str:
        return redaction.redact(text, audience=audience, names=names, key=key, extra=rules)[0]
    if kind == "csv":
        path = known.folder / "exports" / "actions.csv"
        _write(path, actions.as_csv(known, hide))
        return [path]
    place = known.folder / "exports" / "actions"
    files = actions.as_issues(known, hide)
    for name, text in files.items():
        _write(place / name, text)
    for old in place.glob("A*.md") if place.is_dir() else ():
        if old.name not in files and old.stem[1:].isdigit():
            old.unlink(missing_ok=True)
    return [place / name for name in files]
