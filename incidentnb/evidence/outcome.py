"""What reading a file, or a stretch of it, gave: its Parquet parts, its counts, what was assumed and what was wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from incidentnb.evidence.fields import stored
from incidentnb.evidence.lines import Parser

ROWS_PER_PART = 125_000


@dataclass
class Parts:
    """Writes the records of one file as Parquet parts of a bounded number of rows."""

    folder: Path
    prefix: str
    source: str
    names: list[str] = field(default_factory=list)
    rows: int = 0
    _held: list[pa.Table] = field(default_factory=list)
    _count: int = 0

    def add(self, tables: list[pa.Table]) -> None:
        self._held += [stored(t, self.source) for t in tables]
        self._count += sum(map(len, tables))
        if self._count >= ROWS_PER_PART:
            self.flush()

    def flush(self) -> None:
        if not self._held:
            return
        name = f"{self.prefix}-{len(self.names):04d}.parquet"
        whole = pa.concat_tables(self._held, promote_options="permissive")
        pq.write_table(whole, self.folder / name, compression="zstd", compression_level=1)
        self.names.append(name)
        self.rows += len(whole)
        self._held, self._count = [], 0


@dataclass
class Outcome:
    """What reading a file, or a range of it, gave."""

    counts: dict[str, int] = field(default_factory=lambda: {"lines": 0, "parsed": 0, "continuation": 0, "rejected": 0})
    levels: dict = field(default_factory=dict)
    statuses: dict = field(default_factory=dict)
    offsets: dict = field(default_factory=dict)
    used: dict = field(default_factory=dict)
    first: int | None = None
    last: int | None = None
    disorder: int = 0
    implausible: int = 0
    implausible_at: int = 0
    ambiguous: int = 0
    nonexistent: int = 0
    yearless: bool = False
    rows: int = 0
    rejects: list = field(default_factory=list)
    dropped_fields: set = field(default_factory=set)
    parts: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, parser: Parser, parts: Parts) -> Outcome:
        tally, clocks = parser.tally, list(parser.clocks.values())
        offsets: dict[str, int] = {}
        used: dict[str, int] = {}
        for clock in clocks:
            _add(offsets, clock.offsets)
            _add(used, clock.used)
        return cls(dict(parser.counts), dict(tally.levels), dict(tally.statuses), offsets, used, tally.first, tally.last, tally.disorder,
                   tally.implausible, tally.implausible_at, sum(c.ambiguous for c in clocks), sum(c.nonexistent for c in clocks),
                   any(c.yearless for c in clocks), parts.rows, parser.rejects, tally.dropped_fields, parts.names)

    def join(self, after: Outcome) -> None:
        """Add the outcome of the next range of the same file."""
        for mine, more in ((self.counts, after.counts), (self.levels, after.levels), (self.statuses, after.statuses),
                           (self.offsets, after.offsets), (self.used, after.used)):
            _add(mine, more)
        if self.last is not None and after.first is not None and after.first < self.last:
            self.disorder += 1
        self.first = after.first if self.first is None else self.first
        self.last = after.last if after.last is not None else self.last
        self.disorder += after.disorder
        self.implausible += after.implausible
        self.implausible_at = self.implausible_at or after.implausible_at
        self.rows += after.rows
        self.rejects = (self.rejects + after.rejects)[:10_000]
        self.dropped_fields |= after.dropped_fields
        self.parts += after.parts


def _add(mine: dict, more) -> None:
    for key, n in more.items():
        mine[key] = mine.get(key, 0) + n
