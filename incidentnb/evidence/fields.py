"""From the fields of a format to the columns of the log table: levels, routes, statuses, durations, and everything else by its name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import repeat

import pyarrow as pa
import pyarrow.compute as pc

from incidentnb.evidence.formats import UNITS_MS, Format
from incidentnb.evidence.stamps import Clock, plausible
from incidentnb.evidence.table import COLUMNS
from incidentnb.evidence.values import PAIR, duration_ms, level_of, route_of, status_of, text_of

MOST_FIELDS = 200  # more distinct extra fields than this are ids used as keys, not columns
_KINDS = {"TIMESTAMP": pa.timestamp("us"), "VARCHAR": pa.string(), "SMALLINT": pa.int16(), "DOUBLE": pa.float64(), "BIGINT": pa.int64()}

_ADDRESS_PORT = re.compile(r"^\[?([0-9a-fA-F:.]+?)\]?:\d{1,5}$")


def routes_of(paths: pa.Array, memo: dict) -> pa.Array:
    """``route_of`` of many paths; query and plain numbers go first, in bulk, so that few distinct ones are left."""
    bare = pc.replace_substring_regex(paths, r"[?#;].*", "")
    for _ in range(2):  # neighbouring numbers share their slash
        bare = pc.replace_substring_regex(bare, r"/[0-9]+(/|$)", r"/0\1")
    return _mapped(bare, route_of, memo)


@dataclass
class Tally:
    """What one file's records were, as they come."""

    levels: Counter = field(default_factory=Counter)  # as written
    statuses: Counter = field(default_factory=Counter)
    first: int | None = None  # of the first dated record in file order, µs
    last: int | None = None
    first_line: int = 0
    last_line: int = 0
    disorder: int = 0  # records older than the one before them
    implausible: int = 0
    implausible_at: int = 0  # line of the first
    dropped_fields: set[str] = field(default_factory=set)
    memo: dict = field(default_factory=dict)


def assemble(fmt: Format, raw: dict[str, Sequence], lines: Sequence[int], clock: Clock, tally: Tally,
             given: pa.Array | None = None) -> tuple[pa.Table, list[tuple[int, str]]]:
    """Columns of the log table out of the fields of consecutive records.

    Args:
        fmt: whose mapping to use.
        raw: field → one value per record; "" and ``None`` are missing.
        lines: line number of each record.
        clock: of the file.
        tally: is kept up to date.
        given: times that the envelope around these records has, µs UTC; they win over the records' own.

    Returns:
        The records, and those that are rejected: (index, reason). A record is rejected when its time cannot be read.
    """
    n = len(lines)
    gone = pa.array(["", *fmt.missing])
    if fmt.pairs and fmt.pairs in raw:
        raw = {**_pairs_of(values_of(raw[fmt.pairs])), **{k: v for k, v in raw.items() if k != fmt.pairs}}
    raw = {k: column_of(values, gone) for k, values in raw.items()}
    micros, stamps = times_of(fmt, raw, n, clock)
    bad = []
    if stamps is not None and micros.null_count:
        for i in pc.indices_nonzero(pc.is_null(micros)).to_pylist():
            stamp = stamps[i].as_py() if isinstance(stamps, pa.Array) else stamps[i]
            if stamp is not None and stamp != "" and (given is None or not given[i].is_valid):
                bad.append((i, f"time not understood: {str(stamp)[:60]!r}"))
    if given is not None:
        micros = pc.coalesce(given, micros)
    keep = None
    if bad:
        mask = [True] * n
        for i, _ in bad:
            mask[i] = False
        keep = pa.array(mask)
    used = {p.strip() for t in fmt.time for p in t.split("+")}
    columns: dict[str, pa.Array] = {"line": pa.array(lines, pa.int64())}
    extras = {name: values for name, values in raw.items() if name not in used}
    for target, origin in fmt.fields.items():
        found: dict[str, pa.Array] = {}
        while origin is not None:  # a duration may have other names, in other units
            values = _first_of(raw, origin.names)
            if values is not None:
                more = _canonical(target, values, origin.unit, fmt, tally, keep, lines)
                _take(extras, raw, origin.names, next(iter(more.values())))
                found = {target: pc.coalesce(found[target], more[target])} if found else more
            origin = origin.other
        columns |= found
    folded = [routes_of(columns[name], tally.memo.setdefault("route", {})) for name in ("route", "path") if name in columns]
    if folded:  # a route that the log names wins, with its ids folded too
        columns["route"] = pc.coalesce(*folded)
    _extras(columns, extras, tally)
    micros = _plausible_times(micros, columns["line"], clock, tally, keep)
    columns["time"] = pc.cast(micros, pa.timestamp("us"))
    table = pa.table(columns)
    if keep is not None:
        table, micros = table.filter(keep), micros.filter(keep)
    _note_times(micros, table["line"], tally)
    return table, bad


def _pairs_of(texts: Sequence[str | None]) -> dict[str, list]:
    """The ``key=value`` pairs of one field of each record, as columns; what is left of the text is lost only where it was pairs."""
    columns: dict[str, list] = {}
    for i, text in enumerate(texts):
        for key, value in PAIR.findall(text) if text else ():
            column = columns.get(key)
            if column is None:
                if len(columns) >= MOST_FIELDS:
                    continue
                column = columns[key] = [None] * len(texts)
            column[i] = value[1:-1] if value[:1] == '"' else value
    if not columns:
        return {"extra": list(texts)}
    return columns


def column_of(values: Sequence | pa.Array, gone: pa.Array) -> pa.Array | list:
    """Values of one field as text (or numbers) in Arrow, missing ones null; a list where they are of mixed kinds."""
    if not isinstance(values, pa.Array):
        try:
            values = pa.array(values, pa.string())
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            kinds = {type(v) for v in values} - {type(None)}
            if kinds <= {int} or kinds <= {float}:
                try:
                    return pa.array(values)
                except (pa.ArrowInvalid, OverflowError):
                    pass
            return [None if v == "" else v for v in values]
        except UnicodeEncodeError:  # half of a surrogate pair, from a JSON escape
            values = pa.array([v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for v in values], pa.string())
    if pa.types.is_string(values.type):
        absent = pc.is_in(values, gone)
        if pc.any(absent).as_py():
            return pc.if_else(absent, None, values)
    return values


def values_of(column: pa.Array | list) -> list:
    """A column's values as Python objects."""
    return column.to_pylist() if isinstance(column, pa.Array) else column


def texts_of(column: pa.Array | list) -> pa.Array:
    """A column of any scalars as text."""
    if isinstance(column, pa.Array):
        if pa.types.is_string(column.type):
            return column
        if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
            return pc.cast(column, pa.string())
    return pa.array([text_of(v) for v in values_of(column)], pa.string())


def times_of(fmt: Format, raw: dict[str, pa.Array | list], n: int, clock: Clock) -> tuple[pa.Array, pa.Array | list | None]:
    """Microseconds UTC of the records, and the stamps as written (``None`` where the format has none here)."""
    found = None
    for name in fmt.time:
        parts = [p.strip() for p in name.split("+")]
        if not all(p in raw for p in parts):
            continue
        column = raw[parts[0]] if len(parts) == 1 else pc.binary_join_element_wise(*(texts_of(raw[p]) for p in parts), " ")
        found = column if found is None else _coalesced(found, column)
        if isinstance(found, pa.Array) and not found.null_count:
            break
    return (clock.column(found), found) if found is not None else (pa.nulls(n, pa.int64()), None)


def _coalesced(a: pa.Array | list, b: pa.Array | list) -> pa.Array | list:
    if isinstance(a, pa.Array) and isinstance(b, pa.Array) and a.type == b.type:
        return pc.coalesce(a, b)
    return [x if x is not None and x != "" else y for x, y in zip(values_of(a), values_of(b), strict=True)]


def _take(extras: dict, raw: dict, names: Sequence[str], column: pa.Array) -> None:
    """What went into a column is no extra field too; a value that did not (another name had one, it was not understood) stays one."""
    open_ = None  # records that no name so far has a value for
    here = [name for name in names if name in raw]
    for name in here:
        values = raw[name] if isinstance(raw[name], pa.Array) else texts_of(raw[name])
        if name in extras:
            if open_ is None and column.null_count == values.null_count and (len(here) == 1 or not values.null_count):
                del extras[name]
            else:
                consumed = pc.and_(pc.is_valid(values), pc.is_valid(column))
                extras[name] = pc.if_else(consumed if open_ is None else pc.and_(consumed, open_), None, texts_of(extras[name]))
        if not values.null_count:
            return
        open_ = pc.is_null(values) if open_ is None else pc.and_(open_, pc.is_null(values))


def _first_of(raw, names: Sequence[str]) -> pa.Array | list | None:
    here = [name for name in names if name in raw]
    if not here:
        return None
    column = raw[here[0]]
    for name in here[1:]:
        if isinstance(column, pa.Array) and not column.null_count:
            break
        column = _coalesced(column, raw[name])
    return column


def _canonical(target: str, values: pa.Array | list, unit: str, fmt: Format, tally: Tally, keep, lines) -> dict[str, pa.Array]:
    memo = tally.memo.setdefault((fmt.name, target, unit), {})
    if target == "level":
        texts = texts_of(values)
        counted = texts if keep is None else texts.filter(keep)
        if fmt.records:  # a line that bundles several records counts once, by its first
            fresh = [i == 0 or lines[i] != lines[i - 1] for i in range(len(lines))]
            counted = texts.filter(pa.array(fresh) if keep is None else pc.and_(pa.array(fresh), keep))
        _count_into(tally.levels, counted)
        return {"level": _mapped(texts, lambda t: level_of(t, fmt.levels), memo)}
    if target == "http_status":
        status = _mapped(values, status_of, memo, pa.int16())
        _count_into(tally.statuses, status if keep is None else status.filter(keep))
        return {"http_status": status}
    if target == "duration_ms":
        scale = UNITS_MS[unit]
        if isinstance(values, pa.Array) and scale and (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
            number = pc.multiply(pc.cast(values, pa.float64()), scale)
            return {"duration_ms": pc.if_else(pc.is_finite(number), number, None)}
        return {"duration_ms": _mapped(values, lambda v: duration_ms(v, scale), memo, pa.float64())}
    if target == "request":  # "GET /path HTTP/1.1"
        parts = [(v.split(" ") if type(v) is str else []) for v in values_of(values)]
        return {"method": pa.array([p[0] if len(p) > 1 else None for p in parts], pa.string()),
                "path": pa.array([p[1] if len(p) > 1 else None for p in parts], pa.string())}
    if target == "client":
        texts = texts_of(values)
        ported = pc.match_substring_regex(texts, r":\d{1,5}$")
        return {"client": _mapped(texts, lambda v: m[1] if (m := _ADDRESS_PORT.match(v)) else v, memo)
                if pc.any(ported).as_py() else texts}
    return {target: texts_of(values)}


def _count_into(counter: Counter, values: pa.Array) -> None:
    counts = pc.value_counts(values.drop_null())
    counter.update(dict(zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True)))


def _mapped(values: pa.Array | list, function, memo: dict, kind: pa.DataType | None = None) -> pa.Array:
    """Each value through a function that is asked once per distinct value."""
    if len(memo) > 100_000:
        memo.clear()
    kind = kind or pa.string()
    if isinstance(values, pa.Array):
        coded = values.dictionary_encode()
        distinct = [_asked(memo, function, v) for v in coded.dictionary.to_pylist()]
        return pa.array(distinct, kind).take(coded.indices) if distinct else pa.nulls(len(values), kind)
    return pa.array([None if v is None or v == "" else _asked(memo, function, v) for v in values], kind)


def _asked(memo: dict, function, value):
    known = memo.get(value, memo)
    if known is memo:
        known = memo[value] = None if value is None else function(value)
    return known


def _extras(columns: dict[str, pa.Array], extras: dict, tally: Tally) -> None:
    """Every other field under its own name; names that differ only in case, or that are the table's own, are told apart."""
    lower = {name.lower() for name in COLUMNS}
    n = len(columns["line"])
    for name, values in extras.items():
        if len(columns) - len(COLUMNS) >= MOST_FIELDS or len(name) > 200:
            tally.dropped_fields.add(name[:60])
            continue
        column = texts_of(values)
        if column.null_count == n:
            continue
        own = name
        if own.lower() in COLUMNS or not own.strip():
            own = f"fields.{name}"
        while own.lower() in lower:
            own += "_"
        lower.add(own.lower())
        columns[own] = column


def _plausible_times(micros: pa.Array, lines: pa.Array, clock: Clock, tally: Tally, keep) -> pa.Array:
    """Times that cannot be (before 1995, after now) are taken away and counted; the record stays, undated."""
    fine = pc.fill_null(plausible(micros, clock.latest), True)
    if not pc.all(fine).as_py():
        wrong = pc.indices_nonzero(pc.invert(fine)).to_pylist()
        wrong = [i for i in wrong if keep is None or keep[i].as_py()]
        tally.implausible += len(wrong)
        if wrong and not tally.implausible_at:
            tally.implausible_at = lines[wrong[0]].as_py()
        micros = pc.if_else(fine, micros, None)
    return micros


def _note_times(micros: pa.Array, lines: pa.ChunkedArray, tally: Tally) -> None:
    there = pc.is_valid(micros)
    dated, lines = micros.drop_null(), lines.filter(there)
    if not len(dated):
        return
    first, last, first_line, last_line = (a[i].as_py() for a in (dated, lines) for i in (0, -1))
    tally.disorder += int(pc.sum(pc.less(dated[1:], dated[:-1])).as_py() or 0) if len(dated) > 1 else 0
    if tally.last is None or first_line > tally.last_line:
        tally.disorder += int(tally.last is not None and first < tally.last)
    if tally.first is None or first_line < tally.first_line:
        tally.first, tally.first_line = first, first_line
    if tally.last is None or last_line >= tally.last_line:
        tally.last, tally.last_line = last, last_line


def stored(table: pa.Table, source: str) -> pa.Table:
    """The table with its source and the columns in the log table's order and types, ready for Parquet."""
    n = len(table)
    table = table.append_column("source", pa.array(repeat(source, n), pa.string(), size=n))
    names = [c for c in COLUMNS if c in table.column_names] + [c for c in table.column_names if c not in COLUMNS]
    return table.select(names).cast(pa.schema([(c, _KINDS.get(COLUMNS.get(c, "VARCHAR"), pa.string())) for c in names]))
