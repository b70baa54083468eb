"""How the lines of a format can begin, read off its expression without compiling it: a cheap way to pass over most formats.

An opening is a sequence of sets of characters, one per place; letters and digits are known by their kind alone. It is a necessary
condition: a line that a pattern matches has one of the pattern's openings, others may have one too.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase, digits

PLACES = 12  # that are looked at
_MOST = 64  # openings of one pattern; where there were more, the rest of the pattern is not looked at
_KIND = str.maketrans({**dict.fromkeys(digits, "0"), **dict.fromkeys(ascii_uppercase, "A"), **dict.fromkeys(ascii_lowercase, "a")})
_Path = tuple[tuple[frozenset[str], ...], bool]  # sets of characters, and whether the pattern may be followed further


def shapes(lines: Iterable[str]) -> set[str]:
    """The beginnings of lines, letters and digits by their kind: ``2026-02-03T1…`` → ``0000-00-00A0``."""
    return {line[:PLACES].translate(_KIND) for line in lines}


def may_begin(pattern: str, beginnings: set[str]) -> bool:
    """Whether a line with one of these beginnings (from ``shapes``) could match the pattern."""
    return any(len(shape) >= len(places) and all(c in s for c, s in zip(shape, places, strict=False))
               for places in openings(pattern) for shape in beginnings)


@lru_cache(maxsize=1024)
def openings(pattern: str) -> tuple[tuple[frozenset[str], ...], ...]:
    """All openings of a pattern; an empty one stands for any line."""
    found = {places for places, _ in _either(pattern)}
    return ((),) if () in found else tuple(found)


def _either(pattern: str) -> list[_Path]:
    paths = [path for part in _parts(pattern) for path in _sequence(part)]
    return paths if len(paths) <= _MOST else [((), False)]


def _sequence(pattern: str) -> list[_Path]:
    paths: list[_Path] = [((), True)]
    at = 0
    while at < len(pattern) and any(more and len(places) < PLACES for places, more in paths):
        step, at = _atom(pattern, at)
        least, most, at = _times(pattern, at)
        new: list[_Path] = []
        for places, more in paths:
            if not more or len(places) >= PLACES:
                new.append((places, False))
                continue
            if least == 0:
                new.append((places, most == 1))
            if most:
                for extra, on in step:
                    whole = extra * (least or 1) if on else extra
                    new.append(((places + whole)[:PLACES], on and (least == most or (least, most) == (0, 1))))
        paths = list(dict.fromkeys(new))
        if len(paths) > _MOST:
            return [((), False)]
    return paths


def _atom(pattern: str, at: int) -> tuple[list[_Path], int]:
    """What one element of a sequence begins with, and where the next one is."""
    c = pattern[at]
    if c == "(":
        end = _closing(pattern, at)
        inside = pattern[at + 1:end]
        if inside.startswith(("?=", "?!", "?<=", "?<!")):
            return [((), True)], end + 1
        if inside.startswith("?P<"):
            return _either(inside.partition(">")[2]), end + 1
        return (_either(inside[2:]) if inside.startswith("?:") else [((), False)]), end + 1
    if c == "[":
        end = _class_end(pattern, at)
        return _class(pattern[at + 1:end]), end + 1
    if c == "\\":
        return ([((_kinds(digits),), True)] if pattern[at + 1] == "d" else [((), False)] if pattern[at + 1].isalnum() and pattern[at + 1] not in "tn"
                else [((_kinds({"t": "\t", "n": "\n"}.get(pattern[at + 1], pattern[at + 1])),), True)]), at + 2
    return ([((), False)] if c in ".^$" else [((_kinds(c),), True)]), at + 1


def _class(body: str) -> list[_Path]:
    if body.startswith("^"):
        return [((), False)]
    out, at = set(), 0
    while at < len(body):
        c = body[at]
        if c == "\\":
            c = body[at + 1]
            at += 1
            if c == "d":
                out |= set(digits)
            elif c == "t":
                out.add("\t")
            elif c.isalnum():
                return [((), False)]
            else:
                out.add(c)
        elif body[at + 1:at + 2] == "-" and at + 2 < len(body):
            out |= {chr(n) for n in range(ord(c), ord(body[at + 2]) + 1)}
            at += 2
        else:
            out.add(c)
        at += 1
    return [((_kinds(out),), True)]


def _kinds(characters: Iterable[str]) -> frozenset[str]:
    return frozenset(c.translate(_KIND) for c in characters)


def _times(pattern: str, at: int) -> tuple[int, int, int]:
    """How often the element before ``at`` stands: at least, at most (9 for many), and where the quantifier ends."""
    c = pattern[at:at + 1]
    least, most = {"?": (0, 1), "*": (0, 9), "+": (1, 9)}.get(c, (1, 1))
    if c == "{" and (end := pattern.find("}", at)) > 0 and pattern[at + 1:end].replace(",", "").isdigit():
        low, comma, high = pattern[at + 1:end].partition(",")
        least, most, at = int(low or 0), int(high or 9) if comma else int(low), end + 1
    elif c and c in "?*+":
        at += 1
    else:
        return 1, 1, at
    return least, most, at + (pattern[at:at + 1] in ("?", "+"))  # lazy, possessive


def _parts(pattern: str) -> list[str]:
    """The alternatives of a pattern."""
    out, begin, at = [], 0, 0
    while at < len(pattern):
        c = pattern[at]
        if c == "|":
            out.append(pattern[begin:at])
            begin = at + 1
        at = at + 2 if c == "\\" else _closing(pattern, at) + 1 if c == "(" else _class_end(pattern, at) + 1 if c == "[" else at + 1
    return [*out, pattern[begin:]]


def _closing(pattern: str, at: int) -> int:
    depth = 0
    while at < len(pattern):
        c = pattern[at]
        depth += (c == "(") - (c == ")")
        if not depth:
            return at
        at = at + 2 if c == "\\" else _class_end(pattern, at) + 1 if c == "[" else at + 1
    return len(pattern)


def _class_end(pattern: str, at: int) -> int:
    at += 2 if pattern[at + 1:at + 2] == "^" else 1
    if pattern[at:at + 1] == "]":
        at += 1
    while at < len(pattern) and pattern[at] != "]":
        at += 2 if pattern[at] == "\\" else 1
    return at
