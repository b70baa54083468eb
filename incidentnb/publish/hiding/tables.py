"""Values known by the field that they stand in: cells of HTML, Markdown and plain tables, fields of JSON values."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator

from incidentnb.publish.hiding import accept, names
from incidentnb.publish.hiding.rules import PERSONAL, Span

Cell = tuple[int, int, str, str]  # start, end in the text, the kind that its header tells, the value
_TABLE = re.compile(r"<table\b.*?(?:</table>|\Z)", re.DOTALL | re.IGNORECASE)
_ROW = re.compile(r"<tr\b[^>]*>(.*?)(?=<tr\b|</tr>|</table>|\Z)", re.DOTALL | re.IGNORECASE)
_CELL = re.compile(r"<t[dh]\b([^>]*)>(.*?)(?=<t[dh]\b|</t[dh]>|</tr>|\Z)", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")
_RULE = re.compile(r"\s*\|?\s*:?-{2,}:?\s*(?:\|\s*:?-{2,}:?\s*)*\|?\s*")
_WORD = re.compile(r"[^\s|]+")
_NAME = r"[A-Za-z_][\w.@/%()#-]{0,60}+"
_HEADER = re.compile(rf"^[ \t|]*+{_NAME}(?:[ \t|]++{_NAME})++[ \t|\r]*+$", re.ASCII | re.MULTILINE)
_FIELDS, _VALUES = {"name", "key", "field", "variable", "setting", "parameter", "header", "column", "attribute", "option", "env"}, {"value", "val",
    "values", "content"}


def kind_under(header: str, audience: str) -> str:
    """The kind under which an audience must not see what stands below a header; empty where it may."""
    kind = names.kind_of(header.strip())
    return "" if kind in PERSONAL and audience == "internal" else kind


def hideable(value: str) -> bool:
    """A value there is something to hide of: no blank, no dash, no pseudonym."""
    bare = value.strip()
    return bool(bare) and bare not in ("-", "–", "—", "…", "...", "None", "NaN", "nan", "null", "NULL", "<NA>", "True", "False") and "⟦" not in bare


def html_cells(markup: str, audience: str) -> Iterator[Cell]:
    """The cells of HTML tables that their header hides."""
    if "<t" not in markup and "<T" not in markup:
        return
    for table in _TABLE.finditer(markup):
        heads: list[str] | None = None
        for row in _ROW.finditer(table[0]):
            cells = [(one[1], one[2], table.start() + row.start(1) + one.start(2)) for one in _CELL.finditer(row[1])]
            texts = [html.unescape(_TAG.sub("", inner)).strip() for _, inner, _ in cells]
            if heads is None:
                heads = texts if not any("span" in attributes for attributes, _, _ in cells) else []
                continue
            for number, kind in _hidden_columns(heads, texts, audience):
                _, inner, at = cells[number]
                yield at, at + len(inner), kind, texts[number]


def markdown_cells(text: str, audience: str) -> Iterator[Cell]:
    """The cells of Markdown's pipe tables that their header hides."""
    if "|" not in text:
        return
    at, heads, before = 0, None, ""
    for line in text.split("\n"):
        if "|" not in line:
            heads = None
        elif _RULE.fullmatch(line) and "-" in line and "|" in before:
            heads = [html.unescape(part).strip(" *_`\t") for _, part in _piped(before)]
        elif heads is not None:
            parts = list(_piped(line))
            texts = [html.unescape(part).strip() for _, part in parts]
            for number, kind in _hidden_columns(heads, texts, audience):
                start, part = parts[number]
                lead = len(part) - len(part.lstrip())
                yield at + start + lead, at + start + lead + len(part.strip()), kind, texts[number].strip("`*")
        before, at = line, at + len(line) + 1


def _piped(line: str) -> Iterator[tuple[int, str]]:
    start = 1 if line.startswith("|") else 0
    while start < len(line):
        end = next((n for n in range(start, len(line)) if line[n] == "|" and line[n - 1] != "\\"), len(line))
        yield start, line[start:end]
        start = end + 1


def plain_cells(text: str, audience: str) -> Iterator[Cell]:
    """The cells of a table set in plain columns, as pandas and psql print them, that their header hides."""
    done, innocent = 0, set[str]()
    for header in _HEADER.finditer(text):
        if header.start() < done or header[0] in innocent:
            continue
        heads = [(word.start(), word.end(), kind_under(word[0], audience)) for word in _WORD.finditer(header[0])]
        if not any(kind for _, _, kind in heads):
            innocent.add(header[0])
            continue
        done = header.end() + 1
        while done < len(text):
            end = text.find("\n", done)
            line = text[done:end if end >= 0 else len(text)]
            words = list(_WORD.finditer(line))
            if not words:
                break
            if line.strip("-+| "):
                yield from _columns(line, done, words, heads)
            done += len(line) + 1


def _columns(line: str, at: int, words: list[re.Match[str]], heads: list[tuple[int, int, str]]) -> Iterator[Cell]:
    if len(words) in (len(heads), len(heads) + 1):
        chosen: list[tuple[Span, str]] = [(word.span(), kind) for word, (_, _, kind) in zip(words[-len(heads):], heads, strict=True)]
    else:  # a value with blanks: by where the columns end
        ends = [0, *(end for _, end, _ in heads)]
        chosen = [((ends[n], ends[n + 1]), kind) for n, (_, _, kind) in enumerate(heads)]
    for (start, end), kind in chosen:
        value = line[start:end].strip(" |")
        if kind and hideable(value) and len(value) > 1:
            begin = line.index(value, start)
            yield at + begin, at + begin + len(value), kind, value


def _hidden_columns(heads: list[str], texts: list[str], audience: str) -> Iterator[tuple[int, str]]:
    """(column, kind) of what is hidden in a row: what stands below a telling header, and beside a telling name in a table of names and values."""
    for number, text in enumerate(texts):
        kind = kind_under(heads[number], audience) if number < len(heads) and hideable(text) else ""
        named = 0 < number < len(heads) and heads[number].lower() in _VALUES and heads[number - 1].lower() in _FIELDS
        if not kind and named and hideable(text):
            kind = kind_under(texts[number - 1], audience)
        if kind:
            yield number, kind


def replaced(text: str, cells: Iterator[Cell], hide: Callable[[str, str], str]) -> str:
    """A text with these cells replaced by what ``hide`` makes of kind and value."""
    out, done = [], 0
    for start, end, kind, value in cells:
        if start >= done and not accept.MARK.search(value):
            out += (text[done:start], hide(kind, value))
            done = end
    return "".join([*out, text[done:]]) if done else text
