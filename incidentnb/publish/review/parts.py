"""A document that a program and people write together: generated parts between markers, and people's text, which is never lost.

A generated part stands between two HTML comments, the first with a digest of what was generated. So a part that nobody touched is told from
one that a person edited; text outside of parts is a person's. What is made again:

- a part that nobody edited is replaced;
- an edited part stays as long as the record has not changed since; where it has, both stand in the file, the record's version marked as such,
  until a person removes one of the two;
- a question is asked while the text below its heading is blank; an answer that was written between its markers moves below them;
- a part that is missing comes back; one that is no longer made goes, unless it was edited: then its text stays.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

_MARK = re.compile(r"<!-- incidentnb:(begin|record|end) ([a-z0-9-]{1,60})(?: ([0-9a-f]{12}))? -->")
_WARNING = "> **Conflict.** The record changed after somebody edited this section. Above stands what was edited, below what the record now says."
_REMEDY = "> Keep one of the two and delete the other with its markers."


@dataclass(frozen=True)
class Part:
    """A generated part: its ``key``, its ``text`` (Markdown); with a ``question``, a heading below which a person answers."""

    key: str
    text: str
    question: str = ""


@dataclass(frozen=True)
class Piece:
    """A piece of a file: ``kind`` is ``free`` (a person's text), ``part``, or ``record`` (the record's version of an edited part)."""

    kind: str
    text: str
    key: str = ""
    digest: str = ""
    line: int = 1

    @property
    def edited(self) -> bool:
        """Whether it is not what was generated."""
        return digest(self.text) != self.digest


@dataclass(frozen=True)
class Merged:
    """The new ``text`` of a file, the parts that people ``edited``, and those in ``conflict`` with the record."""

    text: str
    edited: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()


def digest(text: str) -> str:
    """A short digest that blanks at the ends of lines and around the text do not change."""
    return hashlib.sha256(_tidy(text).encode("utf-8", "surrogateescape")).hexdigest()[:12]


def read(text: str) -> list[Piece]:
    """The pieces of a file, in order; markers that lost their partner cost nobody's text."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    found: list[Piece] = []
    at, opened = 0, None
    marks = [*_MARK.finditer(text), None]
    for mark in marks:
        until = mark.start() if mark else len(text)
        between, line = text[at:until], text.count("\n", 0, at) + 1
        closing = bool(mark) and opened is not None and mark[1] == "end" and mark[2] == opened[2]
        found += _opened(opened, between, line, closing) if opened is not None else [Piece("free", between, line=line)]
        opened = mark if mark and mark[1] != "end" else None
        at = mark.end() if mark else at
    return [piece for piece in found if piece.kind != "free" or piece.text.strip()]


def answers(pieces: Sequence[Piece], parts: Sequence[Part]) -> dict[str, str]:
    """What people wrote below the heading of each question among the parts, before the next heading; empty where it is blank."""
    questions = {part.key: part for part in parts if part.question}
    found: dict[str, str] = dict.fromkeys(questions, "")
    here = ""
    for piece in _settled(pieces, parts):
        if piece.kind == "free":
            if here:
                found[here] = f"{found[here]}\n\n{piece.text}"
        else:
            here = piece.key if piece.key in questions else ""
            if here:
                found[here] += _residue(piece, questions[here])
    return {key: re.split(r"^#", text, maxsplit=1, flags=re.MULTILINE)[0].strip() for key, text in found.items()}


def merge(parts: Sequence[Part], pieces: Sequence[Piece] = ()) -> Merged:
    """The file with its parts made anew and people's text kept where it stands."""
    new = {part.key: part for part in parts}
    written = answers(pieces, parts)
    settled = _settled(pieces, parts)
    versions = {piece.key: piece for piece in settled if piece.kind == "record"}
    out: list[tuple[str, str]] = []
    edited: list[str] = []
    conflicts: list[str] = []
    for piece in settled:
        if piece.kind == "free":
            out.append(("", _trim(piece.text)))
        elif piece.kind == "part":
            part = new[piece.key]
            if part.question:
                out += [(part.key, _asked(part, written[part.key])), ("", _trim(_residue(piece, part)))]
                continue
            chunk, more = _resolved(part, piece, versions.get(piece.key))
            out += [(part.key, chunk), *more]
            if any(key == part.key for key, _ in more):
                conflicts.append(part.key)
            if chunk != _marked("begin", part.key, part.text, digest(part.text)):
                edited.append(part.key)
    order = [part.key for part in parts]
    for n, part in enumerate(parts):
        if not any(key == part.key for key, _ in out):
            chunk = _asked(part, written.get(part.key, "")) if part.question else _marked("begin", part.key, part.text, digest(part.text))
            out.insert(_place(out, order[:n]), (part.key, chunk))
    return Merged("\n\n".join(chunk for _, chunk in out if chunk) + "\n", tuple(edited), tuple(conflicts))


def _settled(pieces: Sequence[Piece], parts: Sequence[Part]) -> list[Piece]:
    """The pieces with each part once, and at most one version of the record below it; what else was edited is a person's text."""
    asks = {part.key: bool(part.question) for part in parts}
    mine = {piece.key for piece in pieces if piece.kind == "part"}
    last = {piece.key: piece for piece in pieces if piece.kind == "record"}
    done: set[str] = set()
    found: list[Piece] = []
    for piece in pieces:
        if piece.kind == "record" and piece.key in mine and asks.get(piece.key) is False and piece is last[piece.key]:
            found.append(piece)  # the record's version of an edited part
        elif piece.kind != "free" and piece.key in asks and piece.key not in done and (piece.kind == "part" or piece.key not in mine):
            done.add(piece.key)
            found.append(replace(piece, kind="part"))
        elif piece.kind == "free" or piece.edited:
            found.append(replace(piece, kind="free"))
    return found


def _opened(mark: re.Match[str], text: str, line: int, closed: bool) -> list[Piece]:
    """The piece that a marker opens, and what a person added below it; where the closing one is gone, as much of it as was generated."""
    kind, key, said = "part" if mark[1] == "begin" else "record", mark[2], mark[3] or ""
    body = _without_warning(text) if kind == "record" else text
    piece = Piece(kind, body, key, said, line)
    if not piece.edited:
        return [piece]
    if (cut := _added(body, said, closed)) is None:
        return [piece]
    rows = body.split("\n")
    return [Piece(kind, "\n".join(rows[:cut]), key, said, line), Piece("free", "\n".join(rows[cut:]), line=line + cut)]


def _added(text: str, said: str, closed: bool = True) -> int | None:
    """The line at which a person's paragraph begins below what was generated; ``None`` where it was edited otherwise."""
    rows = text.split("\n")
    ends = [n for n in range(len(rows) - 1, 0, -1) if (not closed or not rows[n].strip())][:1000]
    return next((n for n in ends if digest("\n".join(rows[:n])) == said), None)


def _resolved(part: Part, piece: Piece, version: Piece | None) -> tuple[str, list[tuple[str, str]]]:
    """A part and what stands below it: where a person edited it and the record changed, the record's version."""
    now = digest(part.text)
    rest = [("", _trim(version.text))] if version is not None and version.edited and digest(version.text) != now else []
    if not piece.edited or digest(piece.text) == now:
        return _marked("begin", part.key, part.text, now), rest
    if (cut := _added(piece.text, now)) is not None:
        return _marked("begin", part.key, part.text, now), [("", _trim("\n".join(piece.text.split("\n")[cut:]))), *rest]
    if piece.digest == now and version is None:
        return _marked("begin", part.key, piece.text, now), rest
    theirs = _marked("record", part.key, f"{_WARNING}\n{_REMEDY}\n\n{part.text}", now)
    return _marked("begin", part.key, piece.text, now), [(part.key, theirs), *rest]


def _asked(part: Part, answer: str) -> str:
    text = part.text if answer else f"{part.text}\n\n{part.question}"
    return _marked("begin", part.key, text, digest(text))


def _residue(piece: Piece, part: Part) -> str:
    """What a person wrote between the markers of a question."""
    if not piece.edited:
        return ""
    ours = {line.strip() for line in f"{part.text}\n{part.question}".split("\n")}
    return "\n".join(line for line in piece.text.split("\n") if not line.strip() or line.strip() not in ours)


def _place(out: Sequence[tuple[str, str]], before: Sequence[str]) -> int:
    """Where a part that is not in the file goes: after the last of those that come before it, and the text of people below that."""
    last = max((n for n, (key, _) in enumerate(out) if key in before and key), default=None)
    start = 0 if last is None else last + 1
    return next((n for n in range(start, len(out)) if out[n][0]), len(out))


def _marked(kind: str, key: str, text: str, said: str) -> str:
    return f"<!-- incidentnb:{kind} {key} {said} -->\n{_trim(text)}\n<!-- incidentnb:end {key} -->"


def _without_warning(text: str) -> str:
    return "\n".join(line for line in text.split("\n") if line.strip() not in (_WARNING, _REMEDY))


def _trim(text: str) -> str:
    """Text without blank lines around it."""
    rows = text.split("\n")
    while rows and not rows[0].strip():
        rows.pop(0)
    while rows and not rows[-1].strip():
        rows.pop()
    return "\n".join(rows)


def _tidy(text: str) -> str:
    return _trim("\n".join(line.rstrip() for line in text.split("\n")))
