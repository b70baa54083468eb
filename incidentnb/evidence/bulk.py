"""Whole blocks at once: lines that keep to their format are cut into columns without looking at each in Python.

Two shortcuts, each with the very result of the line-by-line way (a test holds them to it) and each free to say "not me":
``cut`` splits lines at the literal marks of a format's ``split`` template; ``objects`` reads JSON lines of a steady shape.
"""

from __future__ import annotations

import re
from functools import reduce

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from incidentnb.evidence.formats import Format
from incidentnb.evidence.objects import has_value

_FIELD = re.compile(r"\{([\w-]+)\}")


def template(split: str) -> list[tuple[str, bytes]]:
    """The fields of a template and the literal after each: ``{a} [{b}]`` → ``[("a", b" ["), ("b", b"]")]``; ``-`` is thrown away."""
    pieces = _FIELD.split(split)
    return list(zip(pieces[1::2], (p.encode() for p in pieces[2::2]), strict=True))


def cut(fmt: Format, text: str) -> tuple[dict[str, pa.Array], np.ndarray] | None:
    """The fields of the lines that keep to the format's template.

    Args:
        fmt: a format with ``split``.
        text: whole lines.

    Returns:
        Columns of those lines, and for every line of the block whether it is one of them; ``None`` where hardly any is.
    """
    data = text.encode("utf-8", "surrogateescape")
    buffer = np.frombuffer(data, np.uint8)
    parts = template(fmt.split)
    wanted = {mark[0] for _, mark in parts if mark}
    special = (buffer == 10) | (buffer == 92)
    for code in wanted:
        special |= buffer == code
    places = np.flatnonzero(special)
    codes = buffer[places]
    ends = np.append(places[codes == 10], len(buffer))
    starts = np.append(0, ends[:-1] + 1)
    marks = {code: np.append(places[codes == code], len(buffer)) for code in wanted}
    good = np.ones(len(starts), bool)
    good[np.searchsorted(ends, places[codes == 92])] = False  # a backslash may hide a mark
    at, bounds = starts, []
    for _, mark in parts:
        if not mark:  # the rest of the line
            bounds.append((at, ends))
            continue
        found = marks[mark[0]]
        here = found[np.searchsorted(found, at)]
        good &= here + len(mark) <= ends
        for k in range(1, len(mark)):
            good &= buffer[np.minimum(here + k, len(buffer) - 1)] == mark[k]
        bounds.append((at, here))
        at = here + len(mark)
    if parts[-1][1]:
        good &= at == ends
    for (name, _), (first, after) in zip(parts, bounds, strict=True):
        if name == "http_status":
            good &= after - first == 3
        elif name == "method":
            good &= (buffer[np.minimum(first, len(buffer) - 1)] >= 65) & (after > first)
    if good.sum() < 0.3 * len(good):
        return None
    offsets = np.empty((int(good.sum()), 2 * len(parts)), np.int32)
    for k, (first, after) in enumerate(bounds):
        offsets[:, 2 * k], offsets[:, 2 * k + 1] = first[good], after[good]
    flat = offsets.reshape(-1)
    pieces = pa.StringArray.from_buffers(len(flat) - 1, pa.py_buffer(flat), pa.py_buffer(data))
    index = np.arange(len(offsets), dtype=np.int64) * 2 * len(parts)
    return {name: pieces.take(pa.array(index + 2 * k)) for k, (name, _) in enumerate(parts) if name != "-"}, good


def shape(lines: list[str]) -> pa.Schema | None:
    """The steady part of the shape of JSON lines, from a sample; ``None`` where they are not objects."""
    whole: dict = {}
    for line in lines:
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if not isinstance(value, dict):
            return None
        _learn(whole, value)
    return pa.schema(_fields(whole)) if whole else None


def _learn(known: dict, value: dict) -> None:
    for key, v in value.items():
        if type(v) is dict:
            inner = known.setdefault(key, {})
            if isinstance(inner, dict):
                _learn(inner, v)
        elif v is not None and type(v) is not list:
            kind = type(v)
            known[key] = float if {known.get(key, kind), kind} == {int, float} else kind if known.get(key, kind) is kind else "mixed"


def _fields(known: dict) -> list[tuple[str, pa.DataType]]:
    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    return [(k, pa.struct(_fields(v)) if isinstance(v, dict) else kinds[v]) for k, v in known.items()
            if isinstance(v, dict) or v in kinds]


def objects(fmt: Format, text: str, schema: pa.Schema, count: int) -> dict[str, pa.Array] | None:
    """The fields of JSON lines, nested keys joined by dots; ``None`` where a line is not like the others.

    Args:
        fmt: a JSON format; every line must have what it requires.
        text: whole lines.
        schema: of ``shape``.
        count: number of lines.
    """
    data = text.encode("utf-8", "surrogatepass")
    try:
        table = pyarrow.json.read_json(
            pa.BufferReader(data), read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=pyarrow.json.ParseOptions(explicit_schema=schema, newlines_in_values=False))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
        return None
    if len(table) != count:
        return None
    while any(pa.types.is_struct(kind) for kind in table.schema.types):
        table = table.flatten()
    if len(set(table.column_names)) != len(table.column_names):
        return None
    raw = {}
    for name, kind in zip(table.column_names, table.schema.types, strict=True):
        if pa.types.is_list(kind) and pa.types.is_struct(kind.value_type):
            return None  # OpenTelemetry's attributes: read one by one
        if pa.types.is_null(kind) or pa.types.is_list(kind):
            continue
        if not (pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
            return None  # a date that the engine recognised in a key of no sample
        raw[name] = table[name].combine_chunks()
    return raw if _all_recognised(fmt, raw) else None


def _all_recognised(fmt: Format, raw: dict[str, pa.Array]) -> bool:
    """Whether every record surely has what the format requires (a key whose value is null is left to the line-by-line way)."""
    if any(key not in raw or raw[key].null_count for key in fmt.needed):
        return False
    if any(key in raw and raw[key].null_count < len(raw[key]) for key in fmt.refused):
        return False
    for group in fmt.either:
        there = [pc.is_valid(raw[key]) for key in group if key in raw]
        if not there or not pc.all(reduce(pc.or_, there)).as_py():
            return False
    for test in fmt.where_tests:
        key = test[0]
        if key not in raw or raw[key].null_count or not all(has_value({key: value}, test) for value in raw[key].unique().to_pylist()):
            return False
    return True
