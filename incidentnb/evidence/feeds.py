"""A change file taken apart into records: JSON lines, one JSON array or object, or CSV; nothing is known of changes here."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from incidentnb.exceptions import InputError

MOST_BYTES = 64 * 2**20
_LISTS = ("items", "deployments", "events", "changes", "records", "releases", "results", "values", "data", "rows", "history", "incidents",
          "scheduled_maintenances", "certificates", "jobs")


def records(path: str | Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Each record of a file with the number of the line that it begins at; in place of one that cannot be read, what is wrong.

    JSON: an object a line, an array, objects one after another, or one object that holds the list (``{"items": […]}``).
    CSV: a header row, fields parted by comma, semicolon, tab or bar.

    Raises:
        InputError: the file is missing, empty, binary, too large, or none of these.
    """
    text = _text(path)
    first = text.lstrip()[:1]
    if first == "[":
        yield from _array(text, text.index("["))
    elif first == "{":
        yield from _objects(text)
    else:
        yield from _rows(text, str(path))


def _text(path: str | Path) -> str:
    where, path = str(path), Path(path)
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            data = (gzip.GzipFile(fileobj=file) if zipped else file).read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise InputError(where, "no such file", "name a change file: JSON lines or CSV") from None
    except IsADirectoryError:
        raise InputError(where, "is a folder, not a change file", "a checkout is named by --repo") from None
    except (OSError, EOFError, zlib.error) as problem:
        raise InputError(where, f"cannot be read: {getattr(problem, 'strerror', None) or problem}") from None
    if len(data) > MOST_BYTES:
        raise InputError(where, f"is larger than {MOST_BYTES // 2**20} MiB", "is this a log? logs are named by --logs")
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = data.decode(encoding, "replace")
    if not text.strip():
        raise InputError(where, "is empty")
    if text.count("\0") * 100 > len(text):
        raise InputError(where, "is binary", "a change file is JSON lines or CSV")
    return text


def _objects(text: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """An object a line; where the first line is not whole, objects that run over lines."""
    lines = text.split("\n")
    start = next(n for n, line in enumerate(lines) if line.strip())
    whole = _load(lines[start])
    if isinstance(whole, str) and not isinstance(_load(text), str):
        yield from _unwrapped(text.count("\n", 0, text.index("{")) + 1, _load(text), text)
        return
    if isinstance(whole, str) and not any(isinstance(_load(line), dict) for line in lines[:50] if line.strip()):
        yield from _array(text, -1)
        return
    if sum(1 for line in lines if line.strip()) == 1 and isinstance(whole, dict):
        yield from _unwrapped(start + 1, whole, text)
        return
    for number, line in enumerate(lines, 1):
        if line.strip():
            value = _load(line)
            yield number, value if isinstance(value, dict) else value if isinstance(value, str) else "not a JSON object"


def _unwrapped(number: int, value: dict[str, Any], text: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """One object: the lists that it holds under known names, each item with its own line; else the object itself.

    What a page says of itself (``page`` of a status page) goes to each of its items.
    """
    lists = [n for n in _LISTS if isinstance(value.get(n), list) and all(isinstance(v, dict) for v in value[n])]
    page = {"page": value["page"]} if lists and isinstance(value.get("page"), dict) else {}
    if not lists:
        yield number, value
    for name in lists[:1] if not page else lists:
        key = text.find(json.dumps(name))
        opening = text.find("[", key) if key >= 0 else -1
        items = _array(text, opening) if opening >= 0 else ((number, item) for item in value[name])
        yield from ((line, {**page, **item} if isinstance(item, dict) else item) for line, item in items)


def _load(line: str) -> Any:
    """The value of a JSON text, a parsed string as a complaint; what is wrong with it as a string."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as problem:
        return f"not JSON: {_reason(problem)}"
    return "not a JSON object" if isinstance(value, str) else value


def _reason(problem: Exception) -> str:
    if isinstance(problem, json.JSONDecodeError):
        return f"{problem.msg} at column {problem.colno}"
    return "nested too deeply" if isinstance(problem, RecursionError) else "a number too large"


def _array(text: str, opening: int) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """The values after ``opening``, one by one, so that a broken one costs itself and each keeps its line."""
    decoder, position, number, counted = json.JSONDecoder(), opening + 1, 1, 0
    while True:
        while position < len(text) and text[position] in " \t\r\n,":
            position += 1
        if position >= len(text) or text[position] == "]":
            return
        number += text.count("\n", counted, position)
        counted = position
        try:
            value, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as problem:
            yield number, f"not JSON: {problem.msg if isinstance(problem, json.JSONDecodeError) else _reason(problem)}"
            following = text.find("\n{", position + 1), text.find("\n  {", position + 1)  # the next that begins a line
            position = min((f for f in following if f >= 0), default=len(text))
            continue
        yield number, value if isinstance(value, dict) else "not a JSON object"


def _rows(text: str, where: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    lines = text.splitlines()
    head = next(line for line in lines if line.strip() and not line.startswith("#"))
    delimiter = max(",;\t|", key=head.count)
    if not head.count(delimiter):
        raise InputError(where, "is neither JSON nor CSV", "a change file is JSON lines or CSV with a header: time,kind,id,summary")
    csv.field_size_limit(2**20)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    names: list[str] = []
    begins = 1
    while True:
        try:
            row = next(reader, None)
        except csv.Error as problem:
            yield begins, f"not CSV: {problem}"
            begins = reader.line_num + 1
            continue
        if row is None:
            return
        number, begins = begins, reader.line_num + 1
        if not any(cell.strip() for cell in row) or row[0].startswith("#"):
            continue
        if not names:
            names = [cell.strip() for cell in row]
        elif len(row) > len(names):
            yield number, f"{len(row)} fields under {len(names)} names"
        else:
            yield number, {name: cell.strip() for name, cell in zip(names, row, strict=False) if cell.strip()}
