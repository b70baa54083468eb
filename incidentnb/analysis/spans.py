"""Before and during as conditions of the engine, and descriptions of requests as such: what the analyses ask the log table with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from incidentnb.findings import Finding
from incidentnb.times import Interval

if TYPE_CHECKING:
    from incidentnb.evidence.table import LogTable


def spans(table: LogTable, onset: Finding | Interval | datetime, end: Interval | datetime | None = None) -> dict[str, Any] | None:
    """SQL conditions ``in_before`` and ``in_during`` (``before``, ``during``: with WHERE), ``start`` and ``stop``; ``None`` without an onset.

    Before is up to the earliest onset, during from the likeliest onset to the earliest end (or the last record). Records long after a known end
    are in neither.
    """
    if isinstance(onset, Finding):
        end = onset.numbers.get("end") if end is None else end
        onset = onset.numbers.get("onset")
    if onset is None:
        return None
    at, earliest = (onset.at, onset.earliest) if isinstance(onset, Interval) else (onset, onset)
    stop = end.at if isinstance(end, Interval) else end
    during, before = f"time >= {instant(at)}", f"time < {instant(min(earliest, at))}"
    if stop is not None:
        stop = max(stop, at + timedelta(seconds=1))
        during += f" AND time < {instant(stop)}"
    return {"during": f"WHERE {during}", "before": f"WHERE {before}", "in_during": during, "in_before": before, "start": at, "stop": stop}


def instant(moment: datetime) -> str:
    """An instant as a literal of the engine, so that the query kept with a finding can be asked again as it is."""
    return f"TIMESTAMP '{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}'"


def quoted(name: str) -> str:
    """A column's name as the engine takes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as a literal of the engine."""
    return "'" + text.replace("'", "''") + "'"


def where_sql(where: tuple[tuple[str, Any], ...] | Mapping[str, Any], prefix: str = "v") -> tuple[str, dict[str, Any]]:
    """A conjunction as SQL over ``log`` or ``outcomes`` and its parameters; NULL is a value."""
    parts, params = [], {}
    for i, (column, value) in enumerate(dict(where).items()):
        if value is None:
            parts.append(f"{quoted(column)} IS NULL")
        else:
            parts.append(f"CAST({quoted(column)} AS VARCHAR) = ${prefix}{i}")
            params[f"{prefix}{i}"] = str(value)
    return " AND ".join(parts) or "true", params


def words(where: Mapping[str, Any]) -> str:
    """A conjunction as a person reads it: ``region = eu and version = 2``."""
    return " and ".join(f"{c} = {'(none)' if v is None else v}" for c, v in where.items())
