"""The team file, ``incidentnb.toml``: what incidentnb need not be told again, and where each value of it stands."""

from __future__ import annotations

import fnmatch
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from incidentnb import times
from incidentnb.exceptions import InputError
from incidentnb.record import clocks, lines, toml_lines, words
from incidentnb.record.clocks import Calendar

FILE = "incidentnb.toml"
BUILT_IN = "built in"
ACTIONS = ("secret", "personal", "keep")


@dataclass(frozen=True)
class Person:
    """One of the team: ``name``, the ``roles`` that they take (``ic``, ``scribe``, ``communications`` …), and how they are reached."""

    name: str
    roles: tuple[str, ...] = ()
    contact: str = ""


@dataclass(frozen=True)
class Component:
    """A component of the status page: its ``name``, and its ``id`` there."""

    name: str
    id: str = ""


@dataclass(frozen=True)
class Stakeholder:
    """Who is told: ``name``, ``mail``, and the severities at which they want to know."""

    name: str
    mail: str = ""
    severities: tuple[str, ...] = words.SEVERITIES


@dataclass(frozen=True)
class Redaction:
    """A rule of the team: what matches ``pattern`` is ``secret`` (hidden from all), ``personal`` (customers, public) or to ``keep``."""

    name: str
    pattern: re.Pattern[str]
    action: str = "secret"


@dataclass(frozen=True)
class Team:
    """What the team file says; every field has an empty default, paths are absolute.

    Attributes:
        logs, repos, changes: what an incident reads: files, folders, globs.
        zone: in which people think and log times without one are meant; empty for UTC.
        ic: who commands an incident when nobody else is named.
        calendar: working hours and sprints; ``None`` leaves them to the runbook.
        roster: the people, by role.
        channels: name → where: ``chat`` (``slack`` or ``teams``), ``prefix`` of a channel's name, and whatever else a draft may name.
        components: of the status page.
        stakeholders: who is told, from which severity on.
        hosts: names that no public draft may hold: globs (``*.prod.example.com``), or regular expressions between slashes.
        redaction: rules beside the built-in ones.
        runbook: the team's own duties as data; ``None`` for the built-in ones.
        templates: a folder of the team's own wording; ``None`` for the built-in one.
        path: the file; ``None`` where there is none.
        origin: where each value comes from: ``file:line`` or ``built in``, by field, and by ``table.key`` for tables.
    """

    logs: tuple[str, ...] = ()
    repos: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    zone: str = ""
    ic: str = ""
    calendar: Calendar | None = None
    roster: tuple[Person, ...] = ()
    channels: dict[str, str] = field(default_factory=dict)
    components: tuple[Component, ...] = ()
    stakeholders: tuple[Stakeholder, ...] = ()
    hosts: tuple[str, ...] = ()
    redaction: tuple[Redaction, ...] = ()
    runbook: Path | None = None
    templates: Path | None = None
    path: Path | None = None
    origin: dict[str, str] = field(default_factory=dict)

    def people(self, role: str) -> tuple[Person, ...]:
        """Who takes a role, in the order of the file."""
        return tuple(person for person in self.roster if role.lower() in person.roles)

    def told_at(self, severity: str) -> tuple[Stakeholder, ...]:
        """Who is told at a severity."""
        return tuple(one for one in self.stakeholders if severity in one.severities)

    @property
    def host_patterns(self) -> tuple[re.Pattern[str], ...]:
        """``hosts`` as patterns to search a text with."""
        return tuple(_host(text) for text in self.hosts)


def find(*starts: Path | str) -> Path | None:
    """The team file nearest to the first of these folders that has one in it or above it."""
    for start in starts:
        folder = Path(start).absolute()
        for place in (folder, *folder.parents):
            try:
                if (place / FILE).is_file():
                    return place / FILE
            except OSError:  # a folder above that one may not look into
                continue
    return None


def load(*starts: Path | str) -> Team:
    """What the nearest team file says (``find``); where there is none, a team of which nothing is known.

    Raises:
        InputError: the file is not TOML, has an unknown key, or a value of another kind (file:line).
    """
    path = find(*starts)
    return Team(origin=dict.fromkeys(FIELDS, BUILT_IN)) if path is None else read(path)


def read(path: Path) -> Team:
    """What this team file says.

    Raises:
        InputError: as ``load``.
    """
    name = shown(path)
    data, at = toml_lines.read(path, name)
    file = _File(path.parent, name, at)
    file.known(data, FIELDS, ())
    found = {field: getattr(file, _READERS.get(field, field))(data[field], (field,)) for field in FIELDS if field in data}
    if "calendar" not in data and found.get("zone") and "runbook" not in data:
        found["calendar"] = clocks.calendar({"zone": found["zone"]})
    elif "calendar" in data and found.get("zone") and "zone" not in data["calendar"]:
        found["calendar"] = clocks.calendar(data["calendar"] | {"zone": found["zone"]})
    origin = {field: file.place((field,)) if field in data else BUILT_IN for field in FIELDS}
    for table in ("calendar", "channels"):
        origin |= {f"{table}.{key}": file.place((table, key)) for key in data.get(table, ())}
    return Team(**found, path=path, origin=origin)


FIELDS = tuple(name for name in Team.__dataclass_fields__ if name not in ("path", "origin"))
_READERS = {"logs": "paths", "repos": "paths", "changes": "paths", "ic": "text", "runbook": "file", "templates": "folder"}


@dataclass(frozen=True)
class _File:
    """The file being read: its folder, what errors call it, and the line of each value."""

    home: Path
    shown: str
    at: dict[toml_lines.Path_, int]

    def place(self, path: toml_lines.Path_) -> str:
        while path and path not in self.at:
            path = path[:-1]
        return f"{self.shown}:{self.at.get(path, 1)}"

    def wrong(self, path: toml_lines.Path_, what: str, do: str = "") -> InputError:
        name = ".".join(part for part in path if isinstance(part, str))
        return InputError(self.place(path), f"{name}: {what}", do)

    def known(self, table: dict[str, Any], names: tuple[str, ...], path: toml_lines.Path_) -> None:
        for key in table:
            if key not in names:
                raise self.wrong((*path, key), "no such setting", lines.nearest(key, list(names)) or f"one of {', '.join(names)}")

    def text(self, value: Any, path: toml_lines.Path_) -> str:
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(path, f"must be text, not {_kind(value)}", 'put it in quotes: "…"')
        return value.strip()

    def texts(self, value: Any, path: toml_lines.Path_) -> tuple[str, ...]:
        several = value if isinstance(value, list) else [value]
        return tuple(self.text(one, (*path, i) if isinstance(value, list) else path) for i, one in enumerate(several))

    def paths(self, value: Any, path: toml_lines.Path_) -> tuple[str, ...]:
        return tuple(self._absolute(one) for one in self.texts(value, path))

    def _absolute(self, text: str) -> str:
        return text if "://" in text else os.path.normpath(self.home / Path(text).expanduser())

    def file(self, value: Any, path: toml_lines.Path_) -> Path:
        found = Path(self._absolute(self.text(value, path)))
        if not found.is_file():
            raise self.wrong(path, f"no such file: {value}", "paths are relative to the team file")
        return found

    def folder(self, value: Any, path: toml_lines.Path_) -> Path:
        found = Path(self._absolute(self.text(value, path)))
        if not found.is_dir():
            raise self.wrong(path, f"no such folder: {value}", "paths are relative to the team file")
        return found

    def zone(self, value: Any, path: toml_lines.Path_) -> str:
        name = self.text(value, path)
        try:
            times.zone(name)
        except InputError:
            import zoneinfo

            raise self.wrong(path, f"no such zone {name}", lines.nearest(name, sorted(zoneinfo.available_timezones()))
                             or "an IANA name such as Europe/Berlin, or +02:00") from None
        return name

    def calendar(self, value: Any, path: toml_lines.Path_) -> Calendar:
        self.known(self.table(value, path), tuple(Calendar.__dataclass_fields__), path)
        for key, one in value.items():
            if key == "zone":
                self.zone(one, (*path, key))
            several = list(enumerate(one)) if key in ("days", "holidays") and isinstance(one, list) and one else [(None, one)]
            for i, each in several:
                try:
                    clocks.calendar({key: one if i is None else [each]})
                except InputError as error:
                    raise self.wrong((*path, key) if i is None else (*path, key, i), f"{error.what}", _CALENDAR.get(key, "")) from None
        return clocks.calendar(value)

    def table(self, value: Any, path: toml_lines.Path_) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.wrong(path, f"must be a table, not {_kind(value)}", f"write [{path[0]}] and its settings below it")
        return value

    def tables(self, value: Any, path: toml_lines.Path_, names: tuple[str, ...]) -> list[tuple[toml_lines.Path_, dict[str, Any]]]:
        """Each table of an array, which has no other keys and all of the first of them."""
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise self.wrong(path, f"must be tables, not {_kind(value)}", f"write [[{path[0]}]] and its settings below it, once for each")
        for i, one in enumerate(value):
            self.known(one, names, (*path, i))
            if names[0] not in one:
                raise self.wrong((*path, i), f"{names[0]} is missing")
        return [((*path, i), one) for i, one in enumerate(value)]

    def roster(self, value: Any, path: toml_lines.Path_) -> tuple[Person, ...]:
        return tuple(Person(self.text(one["name"], (*at, "name")),
                            tuple(role.lower() for role in self.texts(one.get("roles", []), (*at, "roles"))),
                            self.text(one["contact"], (*at, "contact")) if "contact" in one else "")
                     for at, one in self.tables(value, path, ("name", "roles", "contact")))

    def channels(self, value: Any, path: toml_lines.Path_) -> dict[str, str]:
        return {key: self.text(one, (*path, key)) for key, one in self.table(value, path).items()}

    def components(self, value: Any, path: toml_lines.Path_) -> tuple[Component, ...]:
        return tuple(Component(*(self.text(one[key], (*at, key)) for key in ("name", "id") if key in one))
                     for at, one in self.tables(value, path, ("name", "id")))

    def stakeholders(self, value: Any, path: toml_lines.Path_) -> tuple[Stakeholder, ...]:
        found = []
        for at, one in self.tables(value, path, ("name", "mail", "severities")):
            wanted = one.get("severities", list(words.SEVERITIES))
            try:
                severities = tuple(words.severity(each) for each in (wanted if isinstance(wanted, list) else [wanted]))
            except InputError as error:
                raise self.wrong((*at, "severities"), f"{error.where}: {error.what}", error.do) from None
            mail = self.text(one["mail"], (*at, "mail")) if "mail" in one else ""
            if mail and not re.fullmatch(r"[^\s@<>]+@[^\s@<>]+", mail):
                raise self.wrong((*at, "mail"), f"not an address: {mail}")
            found.append(Stakeholder(self.text(one["name"], (*at, "name")), mail, severities))
        return tuple(found)

    def hosts(self, value: Any, path: toml_lines.Path_) -> tuple[str, ...]:
        found = self.texts(value, path)
        for i, text in enumerate(found):
            try:
                _host(text)
            except re.error as error:
                raise self.wrong((*path, i), f"not a regular expression: {text}: {error}") from None
        return found

    def redaction(self, value: Any, path: toml_lines.Path_) -> tuple[Redaction, ...]:
        found = []
        for at, one in self.tables(value, path, ("name", "pattern", "action")):
            name = self.text(one["name"], (*at, "name")).lower()
            if not re.fullmatch(r"[a-z]{1,20}", name):
                raise self.wrong((*at, "name"), f"not the name of a kind: {name}", "one word of letters, as in ⟦order:1⟧")
            if "pattern" not in one:
                raise self.wrong(at, "pattern is missing")
            try:
                pattern = re.compile(self.text(one["pattern"], (*at, "pattern")))
            except re.error as error:
                raise self.wrong((*at, "pattern"), f"not a regular expression: {error}",
                                 "write it in single quotes, so that a backslash is one") from None
            if pattern.match(""):
                raise self.wrong((*at, "pattern"), "matches the empty text", "it would match everywhere")
            action = one.get("action", "secret")
            if action not in ACTIONS:
                raise self.wrong((*at, "action"), f"no such action: {action}", f"one of {', '.join(ACTIONS)}")
            found.append(Redaction(name, pattern, action))
        return tuple(found)


_CALENDAR = {"days": 'write days = ["mon", "fri"]', "start": 'write start = "09:00"', "end": 'write end = "17:00"',
             "holidays": 'write holidays = ["2026-12-25"]', "sprint_start": 'write sprint_start = "2026-01-05"',
             "sprint_days": "write sprint_days = 14"}


def _host(text: str) -> re.Pattern[str]:
    """A regular expression between slashes, or a glob for a whole name."""
    if len(text) > 2 and text[0] == text[-1] == "/":
        return re.compile(text[1:-1])
    glob = fnmatch.translate(text).removeprefix("(?s:").removesuffix(")\\Z").removesuffix(")\\z").replace(".*", r"[\w.-]*")
    return re.compile(rf"(?<![\w.-])(?:{glob})(?![\w-])", re.IGNORECASE)


def _kind(value: Any) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "a table", str: "empty text"}
    return names.get(type(value), "a date or time")


def shown(path: Path) -> str:
    """A file as errors call it: as seen from here where that is no longer."""
    seen = os.path.relpath(path)
    return seen if len(seen) < len(str(path)) else str(path)
