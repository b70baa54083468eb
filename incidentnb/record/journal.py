"""The journal: what people did and said. Append-only; order is ``seq``; state is a fold over entries; nothing is ever edited.

``lines.py`` says what a line is. Appending is: lock, heal a torn tail (kept aside), check every line, write, fsync, acknowledge.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from incidentnb import times
from incidentnb.exceptions import InputError
from incidentnb.findings import plain
from incidentnb.record import lines, lock, moments, sameness
from incidentnb.record.lines import Entry
from incidentnb.record.moments import Moment
from incidentnb.times import Interval

FILE = "journal.jsonl"
LIMIT_BYTES = 4 * 2**20  # of one entry; what is longer belongs into evidence/ with a pointer to it
_KIND = re.compile(r"[a-z][a-z_]{0,31}")


def append(folder: Path | str, kind: str, body: dict[str, Any] | Callable[[list[Entry]], dict[str, Any]], *,
           occurred_at: Moment | str | dict[str, str] = None, actor: str | None = None, supersedes: str | int | None = None,
           recorded_at: datetime | None = None, lock_timeout_s: float = 10.0) -> Entry:
    """Record one statement and return its entry once it is safe on the disk.

    The same statement twice (kind, body, time and actor alike) is one entry: the one that is there comes back, also where it
    was corrected or retracted since. A state without a time (severity, status, role, verdict, milestone …) that something else
    has replaced in between is new.

    Args:
        folder: the incident folder.
        kind: what sort of statement it is, in lower case.
        body: plain JSON, or a function that makes it of the entries so far: called under the lock, may raise ``InputError``.
        occurred_at: when it happened; text is read in the zone of the incident. A correction without a time keeps that of what
            it corrects.
        actor: who says so; by default ``$INCIDENTNB_ACTOR``, else the login name.
        supersedes: entry that this corrects or retracts: its id, or its number (``12``, ``#12``).
        recorded_at: when it is written down; by default now.
        lock_timeout_s: how long to wait for others who write.

    Raises:
        InputError: no incident folder (``opened`` alone begins a journal), a value that it cannot hold, an unknown entry to correct,
            a damaged journal (file:line), a lock that is not free, a disk that refuses. Nothing was recorded then.
    """
    folder = Path(folder)
    if not folder.is_dir() or (kind != "opened" and not os.path.lexists(folder / FILE)):
        raise InputError(str(folder), "not an incident folder", "name one, or make one with incidentnb open")
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        raise InputError("journal", "a kind is lower case letters and underscores")
    recorded = moments.moment(recorded_at) or times.now()
    if isinstance(recorded, Interval):
        raise InputError("journal", "recorded_at is an instant")
    who = _actor(actor)
    with lock.held(folder, lock_timeout_s), _opened(folder / FILE, begin=kind == "opened") as handle:
        entries, last = _healed(handle, folder / FILE)
        when = moments.moment(occurred_at, lines.zone_of(entries), recorded)
        content = _content(body(entries) if callable(body) else body)
        if supersedes is not None:
            target, same = sameness.target(entries, supersedes, kind, content, when, who)
            if same:
                return same
            content["supersedes"], when = target.id, when or target.at
            if kind in sameness.NUMBERED and "id" in target.body:
                content["id"] = target.body["id"]
        elif same := sameness.said_before(entries, kind, content, when, who):
            return same
        elif kind in sameness.NUMBERED:
            content["id"] = sameness.next_number(entries, kind)
        entry, line = lines.make(len(entries) + 1, when, recorded, who, kind, content, last)
        _write(handle, folder / FILE, line + b"\n")
        return entry


def read(folder: Path | str, as_of: datetime | None = None, *, damaged: str = "refuse") -> list[Entry]:
    """The entries of a journal in order of ``seq``; with ``as_of`` only those recorded until then.

    A torn tail (a line whose writing was cut off, never acknowledged) is not an entry. ``damaged="skip"`` leaves damaged lines
    out, for a document that says so itself.

    Raises:
        InputError: no journal there, or a damaged line (file:line).
    """
    path = Path(folder) / FILE
    entries, problems, _, _ = lines.scan(_bytes(path))
    if problems and damaged != "skip":
        raise _damage(path, problems)
    return entries if as_of is None else [entry for entry in entries if entry.recorded_at <= as_of]


def head(folder: Path | str) -> str:
    """The digest of the last whole line: who has it can tell whether anything before was changed. 64 zeros for an empty journal.

    Raises:
        InputError: no journal there.
    """
    return lines.scan(_bytes(Path(folder) / FILE))[3]


@dataclass(frozen=True)
class Verification:
    """What ``verify`` found.

    Attributes:
        entries: how many entries hold.
        head: digest of the last whole line.
        problems: ``file:line: what`` of each damaged line.
        torn: bytes of a torn tail; not damage, the next append sets it aside.
    """

    entries: int
    head: str
    problems: tuple[str, ...]
    torn: int

    @property
    def ok(self) -> bool:
        return not self.problems


def verify(folder: Path | str) -> Verification:
    """Check every line against its own checksum and against the digest that the next line keeps of it. Repairs nothing.

    Raises:
        InputError: no journal there.
    """
    path = Path(folder) / FILE
    entries, problems, tail, last = lines.scan(_bytes(path))
    return Verification(len(entries), last, tuple(f"{path}:{number}: {what}" for number, what in problems), len(tail))


def default_actor() -> str:
    """Who writes, where nobody is named: ``$INCIDENTNB_ACTOR``, else the login name."""
    try:
        return os.environ.get("INCIDENTNB_ACTOR", "").strip() or getpass.getuser()
    except (KeyError, OSError):  # no such user in this container
        return f"uid-{os.getuid()}"


def _actor(actor: str | None) -> str:
    name = default_actor() if actor is None else str(actor).strip()
    if not name or len(name) > 200:
        raise InputError("actor", "who says so is missing" if not name else "a name of more than 200 characters", "give a name")
    return json.loads(json.dumps(name))


def _content(body: Any) -> dict[str, Any]:
    """A body in plain JSON that survives the trip: NaN is null, instants are text, surrogate pairs are one character."""
    if not isinstance(body, dict):
        raise InputError("journal", "a body is an object")
    try:
        text = json.dumps(plain(body), allow_nan=False)
        content = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError("journal", f"a value that cannot be kept: {str(error)[:120]}", "nothing was recorded") from None
    if len(text) > LIMIT_BYTES:
        raise InputError("journal", f"an entry of {len(text):,} bytes is too long; the most is {LIMIT_BYTES:,}",
                         "keep it in evidence/ and point to it")
    return content


@contextlib.contextmanager
def _opened(path: Path, begin: bool) -> Iterator[int]:
    try:
        handle = os.open(path, os.O_RDWR | (os.O_CREAT if begin else 0) | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise InputError(str(path), f"cannot be written to: {error.strerror}", "nothing was recorded") from None
    try:
        yield handle
    finally:
        os.close(handle)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        why = "no journal here: not an incident folder" if isinstance(error, FileNotFoundError | NotADirectoryError) else str(error)
        raise InputError(str(path), why, "name an incident folder, or make one with incidentnb open") from None


def _damage(path: Path, problems: Sequence[tuple[int, str]]) -> InputError:
    number, what = problems[0]
    more = f"; {len(problems) - 1} more" if len(problems) > 1 else ""
    return InputError(f"{path}:{number}", f"{what}{more}",
                      "nothing is repaired or recorded; incidentnb verify lists all; bring the line back from a copy")


def _healed(handle: int, path: Path) -> tuple[list[Entry], str]:
    """All entries and the digest of the last line, after a torn tail was set aside into ``journal.torn-<n>``."""
    data = b""
    while chunk := os.pread(handle, 2**20, len(data)):
        data += chunk
    entries, problems, tail, last = lines.scan(data)
    if problems:
        raise _damage(path, problems)
    if tail:
        _set_aside(path, tail)
        os.ftruncate(handle, len(data) - len(tail))
    elif data and not data.endswith(b"\n"):
        _write(handle, path, b"\n")  # the last line lacks nothing else
    if not data:
        _sync_folder(path.parent)
    return entries, last


def _set_aside(path: Path, tail: bytes) -> None:
    for n in range(1, 10**6):
        try:
            aside = os.open(path.with_name(f"journal.torn-{n}"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            continue
        except OSError as error:
            raise InputError(str(path), f"a torn last line cannot be set aside: {error.strerror}", "nothing was recorded") from None
        try:
            _write(aside, path.with_name(f"journal.torn-{n}"), tail)
        finally:
            os.close(aside)
        _sync_folder(path.parent)
        return


def _write(handle: int, path: Path, data: bytes) -> None:
    """Write and fsync, or leave the file as it was. A failed fsync is a failed append: what the disk then holds is not known."""
    before = os.fstat(handle).st_size
    try:
        written = 0
        while written < len(data):
            written += os.write(handle, data[written:])
        os.fsync(handle)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.ftruncate(handle, before)
        raise InputError(str(path), f"the disk refused: {error.strerror}", "nothing was recorded; look at the disk") from None


def _sync_folder(folder: Path) -> None:
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise InputError(str(folder), f"the disk refused: {error.strerror}", "nothing was recorded; look at the disk") from None
