"""Series and rows exported from a dashboard as CSV: ``time`` with ``failing,total`` or one value, and attributes for the scope."""

from __future__ import annotations

import csv
import io
import math
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from incidentnb import times
from incidentnb.exceptions import InputError

if TYPE_CHECKING:
    import pandas as pd

_FAILING = ("failing", "failed", "failures", "fail", "errors", "error", "error_count", "errors_count", "5xx")
_TOTAL = ("total", "requests", "count", "all", "hits", "total_count", "request_count")
_LEAST_TIMES = 0.9  # a column holds times when so many of its first values read as times


def read_series(path: str | Path) -> pd.DataFrame:
    """A series: ``time`` (aware UTC) with ``failing`` and ``total`` (requests), or with ``value``; in order of time.

    Rows whose time or number cannot be read are left out and counted in ``frame.attrs["left_out"]``.

    Raises:
        InputError: no such file, no header, no column of times, no number beside it.
    """
    name, columns = _columns(path)
    time_column = _time_column(name, columns)
    failing, total = _pair(columns, time_column)
    if failing is not None and total is not None:
        return _frame(name, columns, time_column, {"failing": failing, "total": total}, {})
    numeric = [c for c in columns if c != time_column and _mostly_numbers(columns[c])]
    if "value" in numeric:
        numeric = ["value"]
    if not numeric:
        raise InputError(name, "holds no number beside its times", "give the columns time,failing,total or time,value")
    return _frame(name, columns, time_column, {"value": numeric[0]}, {})


def read_rows(path: str | Path) -> pd.DataFrame:
    """Rows for the scope: ``time``, ``failing``, ``total`` and every other column as text (empty is missing).

    A row without ``failing,total`` columns may say ``failed`` (true, false, 1, 0) or ``http_status``: then it stands for one request.

    Raises:
        InputError: as ``read_series``, or nothing says what failed.
    """
    name, columns = _columns(path)
    time_column = _time_column(name, columns)
    failing, total = _pair(columns, time_column)
    if failing is not None and total is not None:
        measures = {"failing": failing, "total": total}
    elif (status := next((c for c in columns if c.lower() in ("http_status", "status", "status_code")), None)) and _mostly_numbers(columns[status]):
        columns["failing"] = ["1" if (number(v) or 0) >= 500 else "0" for v in columns[status]]
        columns["total"] = ["1"] * len(columns[status])
        measures = {"failing": "failing", "total": "total"}
    elif failing is not None or "failed" in columns:
        source = failing or "failed"
        columns["_failing"] = ["1" if v.strip().lower() in ("1", "true", "yes", "t", "y") else "0" for v in columns[source]]
        columns["_total"] = ["1"] * len(columns[source])
        measures = {"failing": "_failing", "total": "_total"}
        columns.pop(source)
    else:
        raise InputError(name, "nothing says what failed", "give the columns failing,total, or failed, or http_status")
    attributes = {c: c for c in columns if c != time_column and c not in measures.values()}
    return _frame(name, columns, time_column, measures, attributes)


def _columns(path: str | Path) -> tuple[str, dict[str, list[str]]]:
    """The columns of a CSV as text, by name."""
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig", errors="replace")
    except FileNotFoundError:
        raise InputError(str(path), "no such file") from None
    except OSError as problem:
        raise InputError(str(path), f"cannot be read: {problem.strerror or problem}") from None
    if "\0" in text:
        raise InputError(str(path), "is not a text file", "give a CSV with a header")
    first = text.split("\n", 1)[0]
    mark = max(",;\t|", key=first.count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=mark) if any(cell.strip() for cell in row)]
    except csv.Error as problem:
        raise InputError(str(path), f"is no readable CSV: {problem}") from None
    if len(rows) < 2:
        raise InputError(str(path), "holds no rows", "give a CSV with a header and at least one row")
    header = [cell.strip() or f"column_{i + 1}" for i, cell in enumerate(rows[0])]
    if len(set(header)) != len(header):
        raise InputError(f"{path}:1", "two columns have the same name")
    if all(number(cell) is not None for cell in header):
        raise InputError(f"{path}:1", "the first line is no header", "name the columns: time,failing,total or time,value")
    columns: dict[str, list[str]] = {name: [] for name in header}
    for row in rows[1:]:
        for i, name in enumerate(header):
            columns[name].append(row[i].strip() if i < len(row) else "")
    return str(path), columns


def moment(text: str) -> datetime | None:
    """The instant of a cell: ISO, or an epoch in s, ms, µs or ns; ``None`` for anything else."""
    value = text.strip()
    if re.fullmatch(r"\d{9,10}(\.\d+)?|\d{13}(\.\d+)?|\d{16}|\d{19}", value):
        return times.epoch(float(value) if "." in value else int(value))
    if not re.match(r"\d{4}-\d\d?-\d\d?|\d{8}T", value):
        return None
    try:
        return times.parse(value)
    except InputError:
        return None


def number(text: str) -> float | None:
    """The number of a cell, percent signs and thousands marks aside; ``None`` for anything else."""
    value = text.strip().removesuffix("%").replace("_", "").strip()
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", value):
        value = value.replace(",", "")
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _time_column(name: str, columns: dict[str, list[str]]) -> str:
    """The column ``time``, else the first whose values read as times."""
    for candidate in sorted(columns, key=lambda c: c.lower() != "time"):  # stable: the others keep their order
        filled = [v for v in columns[candidate][:200] if v]
        if filled and sum(moment(v) is not None for v in filled) >= _LEAST_TIMES * len(filled):
            return candidate
    raise InputError(name, "no column holds times", "name it time; ISO 8601 or epoch seconds")


def _pair(columns: dict[str, list[str]], time_column: str) -> tuple[str | None, str | None]:
    lower = {c.lower(): c for c in columns if c != time_column}
    failing = next((lower[n] for n in _FAILING if n in lower), None)
    total = next((lower[n] for n in _TOTAL if n in lower), None)
    return failing, total


def _mostly_numbers(values: list[str]) -> bool:
    filled = [v for v in values[:500] if v]
    return bool(filled) and sum(number(v) is not None for v in filled) >= 0.9 * len(filled)


def _frame(name: str, columns: dict[str, list[str]], time_column: str, measures: dict[str, str], attributes: dict[str, str]) -> pd.DataFrame:
    import pandas as pd

    moments = [moment(v) for v in columns[time_column]]
    data = {"time": pd.Series(pd.to_datetime(moments, utc=True)).astype("datetime64[us, UTC]")}
    for out, source in measures.items():
        data[out] = pd.Series([number(v) for v in columns[source]], dtype="float64")
    for out, source in attributes.items():
        data[out] = pd.Series([v or None for v in columns[source]], dtype=object)
    frame = pd.DataFrame(data)
    kept = frame.dropna(subset=["time", *measures]).sort_values("time", kind="stable").reset_index(drop=True)
    if not len(kept):
        raise InputError(name, "no row holds both a time and a number")
    if {"failing", "total"} <= set(measures):
        wrong = (kept["failing"] < 0) | (kept["total"] < 0) | (kept["failing"] > kept["total"] + 1e-9)
        if wrong.any():
            row = int(wrong.idxmax())
            raise InputError(name, f"{int(wrong.sum())} rows have more failing than total requests, or fewer than 0, the first at "
                             f"{times.iso(kept['time'].iloc[row].to_pydatetime())}", "failing and total are counts of requests")
    kept.attrs["left_out"] = len(frame) - len(kept)
    return kept
