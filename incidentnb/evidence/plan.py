"""How one file is read: its envelopes, its formats, and what its stamps lack."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, tzinfo

from incidentnb.evidence.formats import Format


@dataclass(frozen=True)
class Plan:
    """How one file is read. Can be sent to another process.

    Attributes:
        layers: envelopes, the outermost first.
        formats: of the payload, the main one first; a line is read by the first that it matches.
        zone: for stamps without an offset; ``year``: for stamps without a year; ``day_first``: order of day and month.
        latest: µs; no record can be later.
    """

    layers: tuple[Format, ...]
    formats: tuple[Format, ...]
    zone: tzinfo = UTC
    year: int | None = None
    day_first: bool | None = None
    short_order: str = "ymd"
    latest: int = 0

    @property
    def multiline(self) -> bool:
        return not self.layers and any(f.multiline for f in self.formats)
