"""Log formats are data: one TOML file each, with what it recognises, how its fields map, and samples that prove it.

The project's own formats lie in ``formats/``; a user adds one by dropping a file into a folder (``--formats DIR``, or
``formats/`` in the user's configuration folder). What a format file may say is described in ``formats/README.md``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from incidentnb import places
from incidentnb.evidence.table import COLUMNS
from incidentnb.exceptions import InputError

KINDS = ("text", "json", "logfmt", "columns")
UNITS_MS = {"s": 1000.0, "ms": 1.0, "us": 1e-3, "ns": 1e-6, "auto": 0.0}  # auto: the unit stands in the value ("1.5ms")
LEVEL_NAMES = ("TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "ERROR", "FATAL")
_TARGETS = {*COLUMNS, "request"} - {"time", "source", "line", "failed"}


@dataclass(frozen=True)
class Origin:
    """Where a canonical column comes from: groups or keys in order of preference, their unit (durations only), and where else
    (with another unit) it comes from in records that have none of these."""

    names: tuple[str, ...]
    unit: str = ""
    other: Origin | None = None


@dataclass(frozen=True)
class Format:
    """One log format.

    Attributes:
        name: unique; also the value of ``--format``.
        title: for people.
        family: the broader kind, as ``formats --json`` gives it.
        kind: ``text`` (a regular expression per line), ``json``, ``logfmt`` or ``columns`` (a header names the fields).
        pattern: text: the line that begins a record; its named groups are the fields.
        split: text: the same line as a template of fields and literal marks, for lines that keep to it; only a shortcut.
        time: groups or keys that hold the time, in order of preference; ``a + b`` joins two with a space.
        zone: zone of stamps without an offset, where the format itself says so; "" where it does not.
        multiline: lines that match nothing belong to the record before them (stack traces).
        payload: field that may hold a line of another format (an envelope); "" for none.
        partial: (field, value) of a line that the next one continues (CRI's ``P``); empty for none.
        joins: field → values that make a matching line a part of the record before it (PostgreSQL's ``DETAIL``).
        fields: canonical column → where it comes from.
        levels: level as written (lower case) → canonical, where the common table does not know it.
        requires: json, logfmt: keys that must be there for the format to be recognised; ``a|b`` either, ``!a`` must not be there.
        where: field → values, one of which it must have to be recognised; ``~…`` is a regular expression that begins the value.
        signs: field → values (``*``: any), as in ``where``: one record of a file's beginning must show one of them.
        records: json: path to a list of records inside one line (OTLP), ``""`` for none.
        pairs: field whose ``key=value`` and ``key="value"`` pairs become columns of their own; "" for none.
        separator: columns: between fields.
        header: columns: regular expression of the header line, group ``names`` holds the names.
        comment: prefix of lines that carry no record.
        missing: values that mean "not there".
        body: expressions searched in the whole text of a multi-line record; named groups become fields.
        weight: between formats that explain a file equally well, the heavier wins.
        samples: lines with what they must parse to.
        origin: file that it was read from.
    """

    name: str
    title: str
    family: str
    kind: str
    pattern: str = ""
    split: str = ""
    time: tuple[str, ...] = ()
    zone: str = ""
    multiline: bool = True
    payload: str = ""
    partial: tuple[str, str] | tuple[()] = ()
    joins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fields: Mapping[str, Origin] = field(default_factory=dict)
    levels: Mapping[str, str] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    signs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    records: str = ""
    pairs: str = ""
    separator: str = "\t"
    header: str = ""
    comment: str = ""
    missing: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    weight: int = 50
    samples: tuple[Mapping[str, Any], ...] = ()
    origin: str = ""

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """The pattern of one line, safe to run over a whole block: nothing in it can match a line end."""
        return re.compile(one_line(self.pattern))

    @cached_property
    def block_regex(self) -> re.Pattern[str]:
        """Finds every line of a block, in order: the groups of the pattern, or the last group for a line that does not match."""
        return re.compile(f"^(?:{one_line(self.pattern)}|(?P<rest_>.*))$", re.MULTILINE)

    @cached_property
    def groups(self) -> tuple[str, ...]:
        return tuple(self.block_regex.groupindex)[:-1]

    @cached_property
    def body_regexes(self) -> tuple[re.Pattern[str], ...]:
        return tuple(re.compile(p, re.MULTILINE) for p in self.body)

    @cached_property
    def header_regex(self) -> re.Pattern[str]:
        return re.compile(one_line(self.header))

    @cached_property
    def needed(self) -> frozenset[str]:
        """The keys of ``requires`` that must all be there."""
        return frozenset(r for r in self.requires if "|" not in r and not r.startswith("!"))

    @cached_property
    def either(self) -> tuple[tuple[str, ...], ...]:
        """The groups of keys of ``requires`` of which one must be there."""
        return tuple(tuple(r.split("|")) for r in self.requires if "|" in r)

    @cached_property
    def refused(self) -> frozenset[str]:
        """The keys of ``requires`` that must not be there."""
        return frozenset(r[1:] for r in self.requires if r.startswith("!"))

    @cached_property
    def where_tests(self) -> tuple[tuple[str, frozenset[str], re.Pattern[str] | None], ...]:
        return value_tests(self.where)

    @cached_property
    def sign_tests(self) -> tuple[tuple[str, frozenset[str], re.Pattern[str] | None], ...]:
        return value_tests(self.signs)


def value_tests(wanted: Mapping[str, tuple[str, ...]]) -> tuple[tuple[str, frozenset[str], re.Pattern[str] | None], ...]:
    """(field, values it may have, expression that may begin its value) of a ``where`` or ``signs`` table."""
    out = []
    for key, values in wanted.items():
        begins = "|".join(f"(?:{v[1:]})" for v in values if v.startswith("~"))
        out.append((key, frozenset(v for v in values if not v.startswith("~")), re.compile(begins) if begins else None))
    return tuple(out)


def one_line(pattern: str) -> str:
    """The same regular expression, kept from matching across a line end (``\\s``, ``\\D``, ``\\W`` and ``[^…]`` can)."""
    out, i, in_class = [], 0, False
    while i < len(pattern):
        c = pattern[i]
        if c == "\\":
            pair = pattern[i:i + 2]
            out.append({"\\s": " \\t" if in_class else "[ \\t]", "\\D": "\\D" if in_class else "[^\\d\\n]",
                        "\\W": "\\W" if in_class else "[^\\w\\n]"}.get(pair, pair))
            i += 2
            continue
        if c == "[" and not in_class:
            in_class = True
            if pattern[i + 1:i + 2] == "^":
                out.append("[^\\n")
                i += 2
                if pattern[i:i + 1] == "]":  # a leading ] is a member
                    out.append("\\]")
                    i += 1
                continue
            if pattern[i + 1:i + 2] == "]":
                out.append("[\\]")
                i += 2
                continue
        elif c == "]" and in_class:
            in_class = False
        out.append(c)
        i += 1
    return "".join(out)


def load(folders: Iterable[Path] = ()) -> dict[str, Format]:
    """All formats by name: the project's own, then the user's folder, then ``folders``; a later one of the same name wins.

    Raises:
        InputError: a format file is wrong, at file:line; a folder is none.
    """
    found = {f.name: f for path in sorted(places.formats().glob("*.toml")) for f in [load_file(path, checked=True)]}
    own = places.user_configuration() / "formats"
    for folder in [*([own] if own.is_dir() else []), *folders]:
        if not Path(folder).is_dir():
            raise InputError(str(folder), "no folder of formats", "--formats takes a folder that holds .toml files")
        for path in sorted(Path(folder).glob("*.toml")):
            added = load_file(path)
            from incidentnb.evidence.prove import prove  # the reader needs the formats first

            prove(added, path)
            found[added.name] = added
    return found


def load_file(path: Path, checked: bool = False) -> Format:
    """One format file, checked. ``checked`` spares the expressions, whose check is to compile them: the tests did it for the stock formats.

    Raises:
        InputError: with file:line and what is wrong there.
    """
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except UnicodeDecodeError:
        raise InputError(f"{path}:1", "is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        raise InputError(f"{path}:{line[1] if line else text.count(chr(10)) + 1}",
                         re.sub(r" \(at .*", "", str(error)), "it must be TOML") from None

    def wrong(key: str, what: str, do: str = "") -> InputError:
        at = next((n for n, row in enumerate(text.splitlines(), 1) if re.match(rf"\s*\[*\"?{re.escape(key)}\b", row)), 1)
        return InputError(f"{path}:{at}", what, do)

    return _checked(data, path, wrong, checked)


@lru_cache
def _stock(name: str) -> Format:
    return load_file(places.formats() / f"{name}.toml")


def _names(origin: Origin | None) -> tuple[str, ...]:
    return () if origin is None else (*origin.names, *_names(origin.other))


def _also(own: Origin, base: Origin) -> Origin:
    """What a format says itself, and after it what the format says that it is like."""
    if own.other is not None:
        return Origin(own.names, own.unit, _also(own.other, base))
    if own.unit == base.unit:
        return Origin((*own.names, *(n for n in base.names if n not in own.names)), own.unit, base.other)
    return Origin(own.names, own.unit, base)


def _checked(data: dict, path: Path, wrong, known_good: bool) -> Format:
    known = {"name", "title", "family", "kind", "like", "pattern", "split", "time", "zone", "multiline", "payload", "partial", "joins", "fields",
             "levels", "requires", "where", "signs", "records", "pairs", "separator", "header", "comment", "missing", "body", "weight", "samples"}
    for key in data:
        if key not in known:
            raise wrong(key, f"unknown key {key!r}", f"known: {', '.join(sorted(known))}")
    for key in ("name", "title", "family", "kind"):
        if not isinstance(data.get(key), str) or not data[key]:
            raise wrong(key, f"{key!r} is missing or not text")
    if data["kind"] not in KINDS:
        raise wrong("kind", f"kind {data['kind']!r} is not known", f"one of {', '.join(KINDS)}")
    base = None
    if "like" in data:
        if not (places.formats() / f"{data['like']}.toml").is_file() or data["like"] == data["name"]:
            raise wrong("like", f"no stock format called {data['like']!r}", "like names the stock format whose fields this one has too")
        base = _stock(data["like"])
        if "text" in (base.kind, data["kind"]):
            raise wrong("like", f"{base.name} is of kind {base.kind}", "formats of kind json, logfmt and columns can be like each other")
    groups: set[str] | None = None
    if data["kind"] == "text" and not known_good:
        try:
            compiled = re.compile(one_line(str(data.get("pattern", ""))))
        except re.error as error:
            raise wrong("pattern", f"not a regular expression: {error}") from None
        groups = set(compiled.groupindex)
        if not groups or compiled.groups != len(groups):
            raise wrong("pattern", "every group must have a name", "write (?:…) for those that you do not need")
        if extra := sorted(set(re.findall(r"\{(\w[\w-]*)\}", data.get("split", ""))) - groups):
            raise wrong("split", f"{extra[0]!r} is no group of the pattern")
    if data["kind"] == "columns":
        try:
            if "names" not in re.compile(data.get("header", "")).groupindex:
                raise wrong("header", "the header's expression needs a group called names")
        except re.error as error:
            raise wrong("header", f"not a regular expression: {error}") from None
    bodies = data.get("body", [])
    try:
        for body in () if known_good else bodies:
            compiled = re.compile(body)
            groups = groups | set(compiled.groupindex) if groups is not None else None
    except (re.error, TypeError) as error:
        raise wrong("body", f"not a regular expression: {error}") from None
    fields = {}
    for target, value in data.get("fields", {}).items():
        if target not in _TARGETS:
            raise wrong(target, f"{target!r} is no column of the log table", f"one of {', '.join(sorted(_TARGETS))}")
        several = value if isinstance(value, list) and value and isinstance(value[0], dict) else [value]
        for one in reversed(several):
            unit = one.get("unit", "") if isinstance(one, dict) else ""
            names = one.get("from", []) if isinstance(one, dict) else one
            names = (names,) if isinstance(names, str) else tuple(names)
            if not names or not all(isinstance(n, str) for n in names):
                raise wrong(target, f"{target!r} needs the name of a field, or a list of names")
            if unit and unit not in UNITS_MS:
                raise wrong(target, f"unit {unit!r} is not known", f"one of {', '.join(UNITS_MS)}")
            if target == "duration_ms" and not unit:
                raise wrong(target, "a duration needs its unit", 'write {from = "…", unit = "ms"}')
            fields[target] = Origin(names, unit, fields.get(target))
    if base is not None:
        for target, origin in base.fields.items():
            fields[target] = _also(fields[target], origin) if target in fields else origin
    times = data.get("time", [])
    times = (times,) if isinstance(times, str) else tuple(times)
    if groups is not None:
        used = {n for o in fields.values() for n in _names(o)} | {p.strip() for t in times for p in t.split("+")}
        for name in sorted(used - groups):
            raise wrong(name if name in str(times) else "fields", f"{name!r} is no group of the pattern")
    for name in ("where", "signs"):
        if not all(isinstance(v, list) and all(isinstance(x, str) for x in v) for v in data.get(name, {}).values()):
            raise wrong(name, f"{name!r} holds lists of texts", f'write {name} = {{key = ["value"]}}')
        try:
            value_tests({k: tuple(v) for k, v in data.get(name, {}).items()})
        except re.error as error:
            raise wrong(name, f"not a regular expression: {error}") from None
    own_levels = {str(k).lower(): v for k, v in data.get("levels", {}).items()}
    for written, level in data.get("levels", {}).items():
        if level not in LEVEL_NAMES:
            raise wrong(written, f"level {level!r} is not known", f"one of {', '.join(LEVEL_NAMES)}")
    if data["kind"] != "text" and not times and base is not None:
        times = base.time
    samples = data.get("samples", [])
    if not samples:
        raise wrong("samples", "a format needs at least one sample that proves it", "add [[samples]] with line and time")
    for sample in samples:
        if not isinstance(sample, dict) or "line" not in sample:
            raise wrong("samples", "a sample needs its line")
    return Format(
        name=data["name"], title=data["title"], family=data["family"], kind=data["kind"], pattern=data.get("pattern", ""),
        split=data.get("split", ""), time=times,
        zone=data.get("zone", ""), multiline=bool(data.get("multiline", data["kind"] == "text")), payload=data.get("payload", ""),
        partial=tuple(data.get("partial", ())), joins={k: tuple(v) for k, v in data.get("joins", {}).items()}, fields=fields,
        levels={**(base.levels if base else {}), **own_levels}, requires=tuple(data.get("requires", ())),
        where={k: tuple(v) for k, v in data.get("where", {}).items()}, signs={k: tuple(v) for k, v in data.get("signs", {}).items()},
        records=data.get("records", ""),
        pairs=data.get("pairs", ""), separator=data.get("separator", "\t"), header=data.get("header", ""), comment=data.get("comment", ""),
        missing=tuple(data.get("missing", ())), body=tuple(bodies), weight=int(data.get("weight", 50)), samples=tuple(samples),
        origin=str(path))
