"""Logs that are one JSON document instead of a line per record: exports of clouds, arrays, what ``jq`` prints over many lines.

``aws logs filter-log-events`` gives ``{"events": […]}``, CloudTrail ``{"Records": […]}``, ``gcloud logging read`` an array.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from incidentnb.evidence.lines import Parser
from incidentnb.evidence.objects import read_json

LARGEST = 64 << 20  # characters; a document is read whole, so a larger one is left to the line reader
_LISTS = "events|Records|records|entries|logs|logEvents|items|results|hits|value|data"
_WRAPPER = re.compile(rf'\{{(?:\s*"[^"\\]{{1,60}}"\s*:\s*(?:"[^"\\]{{0,300}}"|[\w.+-]{{1,40}})\s*,)*\s*"(?:{_LISTS})"\s*:\s*(?:\{{\s*"hits"\s*:\s*)?'
                      r"\[(?=\s*\{)")
_SPACE = re.compile(r"[\s,]*")
_ARRAY = re.compile(r"\[\s*\{")


@dataclass(frozen=True)
class Document:
    """The records of a document as JSON of a line each, the line that each begins on, and where the document breaks off (0: nowhere)."""

    records: list[str]
    numbers: list[int]
    lines: int
    broken: int = 0

    @property
    def head(self) -> str:
        """Enough of it to choose a format by."""
        return "\n".join(self.records[:1000])

    def read_by(self, parser: Parser) -> Iterator[list]:
        """The tables of its records. A line that holds several is parsed once; lines inside a record continue it."""
        for at in range(0, len(self.records), 20_000):
            yield parser.lines(self.records[at:at + 20_000], self.numbers[at:at + 20_000])
        counts, begun = parser.counts, len(set(self.numbers))
        if begun < len(self.numbers):
            counts["parsed"] = begun if counts["parsed"] else 0
            counts["rejected"] = begun - counts["parsed"]
        if self.broken:
            counts["rejected"] += self.broken not in self.numbers
            parser.rejects.append((self.broken, "the JSON document breaks off", ""))
        counts["lines"] = self.lines
        counts["continuation"] = self.lines - counts["parsed"] - counts["rejected"]


def unfold(text: str, rest: Iterator[str]) -> tuple[Document | None, Iterator[str]]:
    """The document that a file is, if it is one, and the blocks after ``text`` (as they were, if it is none).

    Args:
        text: the first block.
        rest: the blocks after it; they are looked at only where the first may begin a document.
    """
    if not _may_begin(text):
        return None, rest
    taken, size = [], len(text)
    for block in rest:
        taken.append(block)
        size += len(block)
        if size > LARGEST:
            return None, itertools.chain(taken, rest)
    whole = "\n".join([text, *taken])
    records, starts, end = _scan(whole)
    if not records:
        return None, iter(taken)
    numbers, line, at = [], 1, 0
    for start in [*starts, end]:
        line, at = line + whole.count("\n", at, start), start
        numbers.append(line)
    stopped = numbers.pop()
    return Document(records, numbers, whole.count("\n") + 1, stopped if end < len(whole) else 0), iter(())


def _may_begin(text: str) -> bool:
    start = text.lstrip()
    if start[:1] == "[":
        return _ARRAY.match(start) is not None
    if start[:1] != "{":
        return False
    first, _, more = start.partition("\n")
    if isinstance(read_json(first), dict):
        return not more.strip() and _WRAPPER.match(first) is not None
    return not first.rstrip("{[ \t,").strip() or re.match(r'\{?\s*"[^"\n]{1,60}"\s*:[^\n]{0,300}[,\[{]\s*$', first) is not None


def _scan(text: str) -> tuple[list[str], list[int], int]:
    """JSON and first character of each record, and the first character that is not understood (the length of the text: none)."""
    decoder, records, starts = json.JSONDecoder(), [], []
    at, ends = _SPACE.match(text).end(), 0  # ends: of the wrapper that we are in
    while at < len(text):
        try:
            if text[at] == "[":
                at += 1
            elif text[at] == "]":
                at = max(at + 1, ends)
            elif text[at] == "{" and at >= ends and (found := _WRAPPER.match(text, at)):
                try:
                    ends = decoder.raw_decode(text, at)[1]
                except ValueError:
                    ends = len(text)  # it breaks off: its records are read as far as they go
                at = found.end()
            elif text[at] == "{":
                value, end = decoder.raw_decode(text, at)
                records.append(json.dumps(value, ensure_ascii=False))
                starts.append(at)
                at = end
            else:
                break
        except (ValueError, RecursionError):
            break
        at = _SPACE.match(text, at).end()
    return records, starts, at
