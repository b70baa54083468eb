"""On which line of a TOML file each of its values stands: ``tomllib`` reads the values and forgets where they were."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from incidentnb.exceptions import InputError

Path_ = tuple[str | int, ...]  # of a value: keys and places in arrays, from the top

_BLANK = re.compile(r"(?:[ \t\r\n,]|#[^\n]*)*")
_KEY = re.compile(r'[ \t]*("(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|[A-Za-z0-9_-]+)[ \t]*')
_STRING = re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', re.DOTALL)
_BARE = re.compile(r"[^,\]}#\n]*")


def read(path: Path, shown: str) -> tuple[dict[str, Any], dict[Path_, int]]:
    """The values of a TOML file, and the line of each by its path; errors call the file ``shown``.

    Raises:
        InputError: the file cannot be read, or is not TOML (file:line).
    """
    import tomllib

    text = ""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return tomllib.loads(text), where(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"\(at line (\d+)", str(error))
        number = at[1] if at else text.count("\n") + (not text.endswith("\n"))
        raise InputError(f"{shown}:{number}", f"not TOML: {str(error).split(' (at')[0]}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(shown, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None


def where(text: str) -> dict[Path_, int]:
    """The line of each value by its path, 1 is the first; ``text`` is TOML that ``tomllib`` takes.

    A table's own line is that of its heading, or of the first key in it.
    """
    text = text.replace("\r\n", "\n")
    found: dict[Path_, int] = {}
    counts: dict[Path_, int] = {}
    prefix: Path_ = ()
    at = _blank(text, 0)
    while at < len(text):
        if text[at] == "[":
            several = text.startswith("[[", at)
            keys, after = _keys(text, at + 1 + several)
            prefix = (*_resolved(keys[:-1], counts), keys[-1])
            if several:
                counts[prefix] = counts.get(prefix, 0) + 1
                found.setdefault(prefix, _line(text, at))
                prefix += (counts[prefix] - 1,)
            else:
                prefix = _resolved(keys, counts)
            found.setdefault(prefix, _line(text, at))
            at = after + 1 + several
        else:
            at = _pair(text, at, prefix, found)
        at = _blank(text, at)
    return found


def _pair(text: str, at: int, prefix: Path_, found: dict[Path_, int]) -> int:
    keys, after = _keys(text, at)
    for depth in range(1, len(keys)):
        found.setdefault(prefix + keys[:depth], _line(text, at))
    return _value(text, _blank(text, after + 1), prefix + keys, found)


def _value(text: str, at: int, path: Path_, found: dict[Path_, int]) -> int:
    found[path] = _line(text, at)
    if text[at] in "[{":
        closing, place = "]" if text[at] == "[" else "}", 0
        at = _blank(text, at + 1)
        while text[at] != closing:
            at = _value(text, at, (*path, place), found) if closing == "]" else _pair(text, at, path, found)
            place += 1
            at = _blank(text, at)
        return at + 1
    match = _STRING.match(text, at) or _BARE.match(text, at)
    return match.end() if match else at + 1


def _keys(text: str, at: int) -> tuple[tuple[str, ...], int]:
    keys = []
    while match := _KEY.match(text, at):
        keys.append(match[1].strip("\"'") if match[1][0] in "\"'" else match[1])
        at = match.end()
        if not text.startswith(".", at):
            break
        at += 1
    return tuple(keys), at


def _resolved(keys: tuple[str, ...], counts: dict[Path_, int]) -> Path_:
    """A heading's path, where a key that names an array of tables means its last one."""
    path: Path_ = ()
    for key in keys:
        path += (key,)
        if path in counts:
            path += (counts[path] - 1,)
    return path


def _blank(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
