"""A big file read by several processes: where it may be cut, and how one stretch of it is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from incidentnb.evidence.files import Source, blocks
from incidentnb.evidence.lines import Parser
from incidentnb.evidence.outcome import Outcome, Parts
from incidentnb.evidence.plan import Plan

RANGE = 24 << 20


def cut_at(path: Path, parser: Parser, multiline: bool) -> Iterator[tuple[int, int, int]]:
    """(first byte, byte after the last, number of the first line) of stretches that begin with a record, as lines are counted."""
    size, cuts = path.stat().st_size, [0]
    with path.open("rb") as stream:
        for at in range(RANGE, size - RANGE // 2, RANGE):
            stream.seek(at)
            stream.readline()
            for _ in range(5000):
                here, line = stream.tell(), stream.readline()
                if not line or not multiline or parser.starts_record(line.rstrip(b"\r\n").decode("utf-8", "replace")):
                    break
            if cuts[-1] < here < size:
                cuts.append(here)
        ends, number = [*cuts[1:], size], 1
        for begin, end in zip(cuts, ends, strict=True):
            yield begin, end, number
            if end == size:
                return
            stream.seek(begin)
            left = end - begin
            while left:
                data = stream.read(min(left, 4 << 20))
                number += data.count(b"\n")
                left -= len(data)


class Stretch:
    """The bytes of a file from ``begin`` to ``end``, as a stream."""

    def __init__(self, stream, begin: int, end: int):
        stream.seek(begin)
        self._stream, self._left = stream, end - begin

    def read1(self, size: int) -> bytes:
        data = self._stream.read(min(size, self._left))
        self._left -= len(data)
        return data


def read_range(path: str, begin: int, end: int, line: int, plan: Plan, folder: Path, prefix: str, name: str) -> tuple[Outcome, Source]:
    """One stretch of a file, in a process of its own."""
    pa.set_cpu_count(1)
    source, parser, parts = Source(path), Parser(plan), Parts(folder, prefix, name)
    parser.seen = begin > 0
    with Path(path).open("rb") as stream:
        for text in blocks(source, Stretch(stream, begin, end), parser.starts_record if plan.multiline else None, first_line=line):
            parts.add(parser.block(text, line))
            line += text.count("\n") + 1
    parts.flush()
    return Outcome.of(parser, parts), source
