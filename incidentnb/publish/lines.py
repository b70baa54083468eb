"""Lines of a terminal: colour that takes no column, text wrapped at the width, a stranger's text made safe, numbers and instants read back."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from incidentnb import sinks, times
from incidentnb.exceptions import InputError

_STYLES = {"bad": "1;31", "good": "1;32", "unsure": "1;33", "strong": "1", "soft": "2", "label": "36"}
Paint = Callable[[str, str], str]
_CODE = re.compile(r"\x1b\[[0-9;]*m")
_RESET = "\x1b[0m"


def wrap(line: str, width: int) -> list[str]:
    """Text over lines of ``width`` visible columns, further ones indented; colours (ours alone are left in it) take no column."""
    bare, codes, at = _CODE.sub("", line), [], 0
    for found in _CODE.finditer(line):
        at += len(found[0])
        codes.append((found.end() - at, found[0]))
    shown, open_code = [], ""
    for start, end in _cuts(bare, width):
        text, here = ("  " if shown else "") + open_code, start
        for place, code in [c for c in codes if start <= c[0] < end or (c[0] == end and c[1] == _RESET)]:
            text += bare[here:place] + code
            here, open_code = place, "" if code == _RESET else code
        shown.append(text + bare[here:end] + (_RESET if open_code else ""))
    return shown


def _cuts(text: str, width: int) -> list[tuple[int, int]]:
    """Where to cut a text into lines: at spaces, in a word only where it is longer than a line; two columns less after the first."""
    cuts, start = [], 0
    while len(text) - start > width:
        space = text.rfind(" ", start + 1, start + width + 1)
        end = space if space > start else start + width
        cuts.append((start, len(text[:end].rstrip()) if text[start:end].strip() else end))
        start = end + len(text[end:]) - len(text[end:].lstrip(" "))
        width -= 2 * (len(cuts) == 1)
    return [*cuts, (start, len(text))] if start < len(text) or not cuts else cuts


def paint_with(color: bool) -> Paint:
    """What puts a style around a text; nothing where the terminal takes no colour."""
    return (lambda text, style: f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if text else "") if color else (lambda text, style: text)


def safe(value: Any, limit: int = 200) -> str:
    """A stranger's text as a terminal may show it; missing is empty."""
    return sinks.terminal("" if value is None else value, limit)


def thousands(value: Any) -> str:
    """A whole number with its thousands marked; anything else is empty."""
    return f"{value:,}" if isinstance(value, int) else ""


def tail(path: str, limit: int) -> str:
    """The end of a path that is too long."""
    return path if len(path) <= limit else "…" + path[-(limit - 1):]


def instant(value: Any) -> datetime | None:
    """An instant of the contract, or the ``at`` of an interval, aware UTC; ``None`` for anything else."""
    if isinstance(value, Mapping):
        value = value.get("at")
    if isinstance(value, datetime):
        return value.astimezone(times.UTC) if value.tzinfo else value.replace(tzinfo=times.UTC)
    try:
        return times.parse(value) if isinstance(value, str) and value else None
    except InputError:
        return None
