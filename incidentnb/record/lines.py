"""What a line of the journal is: how an entry is written, read back and checked, and which entries hold.

A line is one JSON object: ``seq, id, occurred_at, recorded_at, actor, kind, body, prev, sum``. ``sum`` is the SHA-256 of the
other eight as canonical JSON (``json.dumps(…, sort_keys=True, separators=(",", ":"))``), ``prev`` the SHA-256 of the bytes of the
line before, without its line feed (64 zeros for the first).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from incidentnb import times
from incidentnb.exceptions import InputError
from incidentnb.record import moments
from incidentnb.record.moments import Moment

GENESIS = "0" * 64
_FIELDS = {"seq", "id", "occurred_at", "recorded_at", "actor", "kind", "body", "prev", "sum"}
_UNSEEN = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e007f]")


@dataclass(frozen=True)
class Entry:
    """One line of the journal.

    Attributes:
        seq: its number, from 1.
        id: a short stable name, ``note-3f2a9c01d4``.
        occurred_at: when it happened, aware UTC, an interval, or ``None`` (unknown).
        recorded_at: when it was written down, aware UTC, by the writer's clock.
        actor: who says so.
        kind: what sort of statement it is: ``note``, ``hypothesis``, ``milestone`` …
        body: the statement; plain JSON. ``supersedes`` names the entry that it corrects or retracts.
        prev: digest of the line before.
        sum: digest of this entry's other fields.
    """

    seq: int
    id: str
    occurred_at: Moment
    recorded_at: datetime
    actor: str
    kind: str
    body: dict[str, Any]
    prev: str
    sum: str

    @property
    def at(self) -> datetime:
        """Where it stands in time: when it happened, or, where that is not known, when it was recorded."""
        return moments.best(self.occurred_at) or self.recorded_at

    @property
    def supersedes(self) -> str | None:
        """The id of the entry that this one corrects or retracts."""
        return self.body.get("supersedes")

    def as_json(self) -> dict[str, Any]:
        """The line as an object."""
        return {"seq": self.seq, "id": self.id, "occurred_at": moments.to_json(self.occurred_at),
                "recorded_at": times.iso(self.recorded_at), "actor": self.actor, "kind": self.kind, "body": self.body,
                "prev": self.prev, "sum": self.sum}


def make(seq: int, when: Moment, recorded: datetime, actor: str, kind: str, body: dict[str, Any], prev: str) -> tuple[Entry, bytes]:
    """A new entry and its line, without the line feed. Characters that nobody sees are escaped: the file is safe to print."""
    name = digest(f"{prev}{canonical([actor, kind, body])}".encode())[:10]
    fields = {"seq": seq, "id": f"{kind}-{name}", "occurred_at": moments.to_json(when), "recorded_at": times.iso(recorded),
              "actor": actor, "kind": kind, "body": body, "prev": prev}
    fields["sum"] = digest(canonical(fields).encode())
    text = json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    line = _UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], text).encode()
    return Entry(seq, fields["id"], when, recorded, actor, kind, body, prev, fields["sum"]), line


def parse(line: bytes, seq: int, prev: str) -> Entry:
    """The entry of a line that must have this number and follow the line with this digest.

    Raises:
        ValueError: the line is damaged; says in what way.
    """
    try:
        fields = json.loads(line)
        if not isinstance(fields, dict) or fields.keys() != _FIELDS:
            raise ValueError("the fields are not those of an entry")
        unsigned = {key: value for key, value in fields.items() if key != "sum"}
        if digest(canonical(unsigned).encode()) != fields["sum"]:
            raise ValueError("the line was changed: its checksum does not fit")
        if fields["seq"] != seq:
            raise ValueError(f"entry {fields['seq']} stands where {seq} should")
        if fields["prev"] != prev:
            raise ValueError("the line before was changed or removed: its digest does not fit")
        return Entry(**{**fields, "occurred_at": moments.from_json(fields["occurred_at"]),
                        "recorded_at": moments.instant_from_json(fields["recorded_at"])})
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg}") from None
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def split(data: bytes) -> tuple[list[bytes], bytes]:
    """The whole lines of a journal, without their line feeds, and what stands after the last line feed (the torn tail)."""
    *whole, tail = data.split(b"\n")
    return whole, tail


def scan(data: bytes) -> tuple[list[Entry], list[tuple[int, str]], bytes, str]:
    """Every entry, ``(line number, what)`` of every damaged line, the torn tail, and the digest of the last whole line.

    A last line that lacks nothing but its line feed is an entry, not a torn tail.
    """
    whole, tail = split(data)
    entries: list[Entry] = []
    problems: list[tuple[int, str]] = []
    last = GENESIS
    for number, line in enumerate(whole, 1):
        try:
            entries.append(parse(line, number, last))
        except ValueError as error:
            problems.append((number, str(error)))
        last = digest(line)
    if tail:
        try:
            entries.append(parse(tail, len(whole) + 1, last))
            tail, last = b"", digest(tail)
        except ValueError:
            pass  # torn: never acknowledged
    return entries, problems, tail, last


def holding(entries: Sequence[Entry]) -> tuple[list[Entry], set[str]]:
    """The entries that hold, retractions included, and the ids of those that were retracted.

    A retraction or correction that is itself retracted gives back what it took; a correction that is corrected does not.
    """
    corrected: set[str] = set()
    retracted: set[str] = set()
    found = []
    for entry in reversed(entries):
        if entry.id in retracted:
            continue
        if entry.supersedes:
            (retracted if entry.kind == "retraction" else corrected).add(entry.supersedes)
        if entry.id not in corrected:
            found.append(entry)
    return found[::-1], retracted


def standing(entries: Sequence[Entry]) -> list[Entry]:
    """The statements that hold: neither corrected nor retracted, and not retractions; in order of ``seq``."""
    return [entry for entry in holding(entries)[0] if entry.kind != "retraction"]


def in_time(entries: Sequence[Entry]) -> list[Entry]:
    """Entries in the order in which things happened; ties in the order in which they were recorded."""
    return sorted(entries, key=lambda entry: (entry.at, entry.seq))


def find(entries: Sequence[Entry], reference: str | int) -> Entry:
    """The entry of an id or of a number (``12``, ``#12``, ``note-3f2a9c01d4``).

    Raises:
        InputError: there is none; says the nearest.
    """
    text = str(reference).strip().removeprefix("#")
    for entry in entries:
        if text in (entry.id, str(entry.seq)):
            return entry
    raise InputError(f"entry {text[:80]}", "no such entry in the journal", nearest(text, [e.id for e in entries]))


def zone_of(entries: Sequence[Entry]) -> tzinfo:
    """The zone of the incident, in which people give times of day; UTC where none is recorded."""
    for entry in reversed(standing(entries)):
        if entry.kind in ("opened", "sources") and (name := (entry.body.get("sources") or {}).get("zone")):
            return times.zone(str(name))
    return UTC


def nearest(text: str, names: Sequence[str]) -> str:
    """A hint that names the nearest of some names, else the first few of them; empty where there are none."""
    import difflib  # here, so that a note does not pay for it

    by_lower = {name.lower(): name for name in names}
    if close := difflib.get_close_matches(text.lower()[:80], list(by_lower), n=1, cutoff=0.5):
        return f"did you mean {by_lower[close[0]]}?"
    return f"there is {', '.join(names[:8])}{' …' if len(names) > 8 else ''}" if names else ""


def canonical(value: Any) -> str:
    """A JSON value in the one form that digests are made of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
