"""Proves a format by its own samples: each line must parse, by this format, to what the sample says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from incidentnb import times
from incidentnb.evidence.formats import Format
from incidentnb.evidence.lines import Parser
from incidentnb.evidence.plan import Plan
from incidentnb.exceptions import InputError

_LATEST = 4102444800_000_000  # 2100


def read_sample(fmt: Format, sample: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The records of a sample's ``line`` (which may hold several lines) as dicts of what is there; times as ISO 8601."""
    parser = Parser(Plan((), (fmt,), year=int(sample.get("year", 2026)), latest=_LATEST))
    if fmt.payload and "message" not in fmt.fields:
        parser = Parser(Plan((fmt,), (), year=int(sample.get("year", 2026)), latest=_LATEST))
    rows = []
    for table in parser.block(str(sample["line"]).strip("\n"), 1):
        for row in table.to_pylist():
            row = {k: v for k, v in row.items() if v is not None and k != "line"}
            if "time" in row:
                row["time"] = times.iso(row["time"].replace(tzinfo=UTC))
            rows.append(row)
    return rows


def prove(fmt: Format, path: Path) -> None:
    """Hold a format to its samples.

    Raises:
        InputError: at file:line of the sample that it does not read as the sample says.
    """
    text = path.read_text(encoding="utf-8").splitlines()
    at = [n for n, row in enumerate(text, 1) if row.strip() == "[[samples]]"]
    for i, sample in enumerate(fmt.samples):
        where = f"{path}:{at[i] if i < len(at) else 1}"
        wrong = mismatch(fmt, sample)
        if wrong:
            raise InputError(where, f"the sample does not hold: {wrong}")


def mismatch(fmt: Format, sample: Mapping[str, Any]) -> str:
    """What a sample promises and the format does not give; "" where all is right."""
    rows = read_sample(fmt, sample)
    if len(rows) != int(sample.get("records", 1)):
        return f"{len(rows)} records instead of {sample.get('records', 1)}"
    row = rows[0]
    if "time" in sample:
        wanted = sample["time"]
        wanted = wanted if isinstance(wanted, datetime) else times.parse(str(wanted))
        if "time" not in row or times.parse(row["time"]) != wanted:
            return f"time is {row.get('time')} instead of {times.iso(wanted)}"
    for name, value in sample.get("fields", {}).items():
        if row.get(name) != value:
            return f"{name} is {row.get(name)!r} instead of {value!r}"
    return ""
