"""The timeline alone, as rows of a table: for a spreadsheet (``csv``), and for Timesketch (``timesketch``).

RFC 4180: a header row, commas, quotation marks doubled, CRLF; UTF-8. What a spreadsheet would run as a formula begins with an apostrophe.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from incidentnb import sinks, times
from incidentnb.exceptions import InputError
from incidentnb.publish.forms import Made

PLAIN = ("at", "latest", "what", "kind", "actor", "recorded_at", "evidence")
TIMESKETCH = ("message", "datetime", "timestamp_desc", "kind", "actor", "recorded_at", "evidence", "latest")  # the first three it needs


def make(model: Mapping[str, Any], folder: str = "", to: str = "csv") -> Made:
    """The rows, in the order of the timeline; the header alone where no record is behind the notebook."""
    rows = model["account"].get("timeline") or []
    if to == "timesketch":
        return Made(_table(TIMESKETCH, _for_timesketch(rows, _read_at(model, rows))))
    return Made(_table(PLAIN, rows))


def _for_timesketch(rows: Iterable[Mapping[str, Any]], read: str) -> Iterable[dict[str, Any]]:
    """Rows that each have a ``datetime``, all spelled alike (the importer drops what it cannot read, by the first row's spelling), and a
    ``timestamp_desc`` that says what that moment is."""
    for row in rows:
        if row.get("at") and row.get("latest"):
            means = "Event (the most likely moment; it may have been until latest)"
        elif row.get("at"):
            means = "Event (at the time of recording)" if row["at"] == row.get("recorded_at") else "Event"
        elif row.get("recorded_at"):
            means = "Recorded (time of the event unknown)"
        else:
            means = "Read (time of the event unknown)"
        yield {**row, "message": row["what"] or row["kind"] or "An event", "datetime": _alike(row.get("at") or row.get("recorded_at") or read),
               "timestamp_desc": means}


def _read_at(model: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """When the rows were read, at the latest: the end of the run, else the last moment that is known."""
    known = [row[key] for row in rows for key in ("at", "recorded_at") if row.get(key)]
    return model["account"]["run"].get("finished") or max(map(_alike, known), default="1970-01-01T00:00:00Z")


def _alike(moment: str) -> str:
    """An instant with six digits of a second and its offset."""
    try:
        return times.parse(moment).astimezone(UTC).isoformat(timespec="microseconds")
    except InputError:
        return datetime(1970, 1, 1, tzinfo=UTC).isoformat(timespec="microseconds")


def _table(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([["" if row.get(name) is None else sinks.csv_cell(row[name]) for name in columns] for row in rows])
    return out.getvalue().encode("utf-8")
