"""An incident: its folder, found or made, and its state, a fold over its journal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from incidentnb import sinks, times
from incidentnb.exceptions import InputError
from incidentnb.record import folds, hypotheses, journal, lines, milestones, moments, names, words
from incidentnb.record.folds import Action, Decision, Mitigation, Post, Role, Segment
from incidentnb.record.hypotheses import Hypothesis
from incidentnb.record.lines import Entry
from incidentnb.record.milestones import Metric, Milestone
from incidentnb.record.moments import Moment

FOLDERS = ("evidence", "runs", "exports")


@dataclass(frozen=True)
class Incident:
    """What is known of an incident, now or as of an instant. Instants are aware UTC; ``None`` and empty text mean not recorded.

    Attributes:
        folder: where it is; its name is the ``id``.
        channel: the name of its chat channel, with ``#``.
        title: in a few words.
        opened_at, opened_by: when and by whom it was opened.
        severity, severities: now, and in segments.
        status, statuses: investigating, identified, monitoring or resolved; now, and in segments.
        ic: the incident commander now.
        roles: everybody who held a role, with hand-overs (``folds.Role``), in order of time.
        notes: entries of kind ``note``, where they happened in time.
        hypotheses: the ledger, by number.
        milestones: the five, by name; ``metrics`` TTD, TTA, TTM, TTR and impact.
        mitigations, decisions, actions: by number.
        posts: messages sent, with their promises, in order of time.
        findings: entries of kind ``finding``, in the order in which they were recorded.
        runs, exports, failures: entries of kind ``run``, ``export``, ``section_failed``.
        sources: ``{logs, changes, repos, zone}``.
        active: spans in which it was going on.
        closed: the entry that closed it, while it is closed.
        reopened: entries that reopened it.
        entries: every entry that is known, corrected and retracted ones too; ``standing`` those that hold.
        as_of: the instant as of which this is; ``None`` for now.
    """

    folder: Path
    channel: str
    title: str
    opened_at: datetime
    opened_by: str
    severities: tuple[Segment, ...]
    statuses: tuple[Segment, ...]
    roles: tuple[Role, ...]
    notes: tuple[Entry, ...]
    hypotheses: tuple[Hypothesis, ...]
    milestones: dict[str, Milestone]
    metrics: dict[str, Metric]
    mitigations: tuple[Mitigation, ...]
    decisions: tuple[Decision, ...]
    posts: tuple[Post, ...]
    actions: tuple[Action, ...]
    findings: tuple[Entry, ...]
    runs: tuple[Entry, ...]
    exports: tuple[Entry, ...]
    failures: tuple[Entry, ...]
    sources: dict[str, Any]
    active: tuple[tuple[datetime, datetime | None], ...]
    closed: Entry | None
    reopened: tuple[Entry, ...]
    entries: tuple[Entry, ...]
    standing: tuple[Entry, ...]
    as_of: datetime | None

    @property
    def id(self) -> str:
        """The name of its folder."""
        return self.folder.resolve().name

    @property
    def severity(self) -> str:
        """The severity now."""
        return self.severities[-1].value

    @property
    def peak_severity(self) -> str:
        """The highest severity that it had; SEV-1 is the highest."""
        return min(segment.value for segment in self.severities)

    @property
    def status(self) -> str:
        """The status now."""
        return self.statuses[-1].value

    @property
    def ic(self) -> str:
        """The incident commander now."""
        return next(role.person for role in reversed(self.roles) if role.role == "ic")

    @property
    def ics(self) -> tuple[Role, ...]:
        """The incident commanders, one after the other."""
        return tuple(role for role in self.roles if role.role == "ic")

    @property
    def zone(self) -> tzinfo:
        """The zone in which its people think; UTC where none is recorded."""
        return times.zone(self.sources["zone"]) if self.sources["zone"] else UTC

    @property
    def root_cause(self) -> str:
        """The claim of the one supported hypothesis without a live rival, else ``not established``."""
        return hypotheses.root_cause(self.hypotheses)

    def time_in_severity(self, now: datetime) -> dict[str, timedelta]:
        """Time spent in each severity while the incident was going on, until ``now``."""
        return folds.time_in(self.severities, self.active, now)

    def finding(self, name: str) -> Entry | None:
        """The last recorded finding of a name: ``onset``, ``scope`` …"""
        return next((entry for entry in reversed(self.findings) if entry.body.get("name") == name), None)


def create(parent: Path | str, title: str, severity: str, *, logs: Iterable[str | Path] = (), changes: Iterable[str | Path] = (),
           repos: Iterable[str | Path] = (), ic: str | None = None, zone: str | None = None, at: Moment | str = None,
           name: str | None = None, actor: str | None = None, recorded_at: datetime | None = None,
           channel_prefix: str | None = None) -> Path:
    """Make the folder of a new incident, with its journal begun, and return it.

    Args:
        parent: where; made if need be.
        title: in a few words; the folder is called after it and the day it was opened (in ``zone``).
        severity: ``SEV-2``, ``sev2``, ``2``.
        logs, changes, repos: what it reads; kept as absolute paths, anything with ``://`` as it is.
        ic: the incident commander; by default who opens it.
        zone: the zone in which its people think; by default UTC.
        at: when it was opened, if not now.
        name: a name for the folder in place of the usual one.
        actor, recorded_at: as in ``journal.append``.
        channel_prefix: what the name of its channel begins with, where it is not ``incident-``.

    Raises:
        InputError: no title, no such severity or zone, a name that is refused or taken, a folder that cannot be made.
    """
    home = times.zone(zone) if zone else UTC
    body: dict[str, Any] = {"title": words.text(title, "title"), "severity": words.severity(severity),
                            "sources": {"logs": paths(logs), "changes": paths(changes), "repos": paths(repos), "zone": zone}}
    if commander := words.text(ic):
        body["ic"] = commander
    recorded = recorded_at or times.now()
    when = moments.moment(at, home, recorded)
    day = (moments.best(when) or recorded).astimezone(home).date()
    folder = _make(Path(parent), [names.check(name)] if name is not None else
                   (names.folder_name(day, body["title"], taken) for taken in range(1000)))
    try:
        for part in FOLDERS:
            (folder / part).mkdir()
        body["channel"] = names.channel(folder.name, channel_prefix or "incident-")
        journal.append(folder, "opened", body, occurred_at=when, actor=actor, recorded_at=recorded)
    except (OSError, InputError) as error:
        _remove(folder)
        raise error if isinstance(error, InputError) else InputError(str(folder), f"cannot be made: {error.strerror}") from None
    return folder


def load(folder: Path | str, as_of: datetime | None = None, *, damaged: str = "refuse") -> Incident:
    """The state of an incident, as known now or at ``as_of``. See ``journal.read`` for ``damaged``.

    Raises:
        InputError: no incident folder, a damaged journal, nothing recorded yet at ``as_of``.
    """
    return fold(folder, journal.read(folder, as_of, damaged=damaged), as_of)


def fold(folder: Path | str, entries: Iterable[Entry], as_of: datetime | None = None) -> Incident:
    """The state of an incident out of its entries, in order of ``seq``.

    Raises:
        InputError: none of them opens it.
    """
    folder, entries = Path(folder), list(entries)
    standing = lines.standing(entries)
    opened = next((entry for entry in standing if entry.kind == "opened"), None)
    if opened is None:
        when = f"nothing was recorded yet at {times.iso(as_of)}" if as_of else "the journal does not begin with an incident being opened"
        raise InputError(str(folder), when, "not an incident folder" if as_of is None else "a later time")
    in_time = lines.in_time(standing)

    def of(*kinds: str) -> tuple[Entry, ...]:
        return tuple(entry for entry in standing if entry.kind in kinds)
    gates = [entry for entry in in_time if entry.kind in ("closed", "reopened")]
    found = milestones.milestones(entries)
    return Incident(
        folder=folder, channel=str(opened.body.get("channel") or names.channel(folder.resolve().name)),
        title=str(opened.body.get("title", "")), opened_at=opened.at, opened_by=opened.actor,
        severities=folds.severities(standing), statuses=folds.statuses(standing), roles=folds.roles(standing),
        notes=tuple(entry for entry in in_time if entry.kind == "note"), hypotheses=hypotheses.hypotheses(entries), milestones=found,
        metrics=milestones.metrics(found), mitigations=folds.mitigations(standing), decisions=folds.decisions(standing),
        posts=folds.posts(standing), actions=folds.actions(standing), findings=of("finding"), runs=of("run"), exports=of("export"),
        failures=of("section_failed"), sources=folds.sources(standing), active=folds.active(standing),
        closed=gates[-1] if gates and gates[-1].kind == "closed" else None,
        reopened=tuple(entry for entry in gates if entry.kind == "reopened"), entries=tuple(entries), standing=tuple(standing), as_of=as_of)


def locate(given: str | Path | None = None, cwd: Path | str | None = None) -> Path:
    """The folder of the incident that is meant: the one given (a path, or a name in ``cwd``), else the one that ``cwd`` is in, else the
    newest open one in ``cwd``.

    Raises:
        InputError: there is none.
    """
    here = Path(cwd) if cwd is not None else Path.cwd()
    if given is not None:
        path = here / str(given)
        if str(given).strip() and _is_incident(path):
            return path
        raise InputError(sinks.terminal(given, 200) or "incident", "not an incident folder",
                         "a folder with a journal.jsonl; incidentnb open makes one")
    for folder in (here, *here.absolute().parents):
        if _is_incident(folder):
            return folder
    candidates = []
    for folder in sorted(here.iterdir()) if here.is_dir() else ():
        if _is_incident(folder):
            with contextlib.suppress(InputError):  # a damaged neighbour must not keep anyone from the incident at hand
                candidates.append(load(folder))
    running = [incident for incident in candidates if incident.closed is None]
    if not running:
        what = "every incident here is closed" if candidates else "no incident here"
        raise InputError(str(here), what, "name one, or make one with incidentnb open TITLE --severity SEV-2 --logs PATH")
    return max(running, key=lambda incident: (incident.opened_at, incident.folder.name)).folder


def paths(given: Iterable[str | Path]) -> list[str]:
    """Paths as the journal keeps them: absolute; what is no path (``-``, anything with ``://``) as it is."""
    several = [given] if isinstance(given, str | Path) else list(given or ())
    return [str(path) if "://" in str(path) or str(path) == "-" else str(Path(path).absolute()) for path in several]


def _is_incident(folder: Path) -> bool:
    try:
        return (folder / journal.FILE).is_file()
    except (OSError, ValueError):
        return False


def _make(parent: Path, candidates: Iterable[str]) -> Path:
    try:
        parent.mkdir(parents=True, exist_ok=True)
        name = ""
        for name in candidates:
            with contextlib.suppress(FileExistsError):
                (parent / name).mkdir()
                return parent / name
    except (OSError, ValueError) as error:
        raise InputError(str(parent), f"no folder can be made there: {getattr(error, 'strerror', None) or error}") from None
    raise InputError(str(parent / name), "there is already one of this name", "give another")


def _remove(folder: Path) -> None:
    """Take back a folder that was just made and in which nothing was recorded."""
    for part in (journal.FILE, journal.lock.FILE):
        (folder / part).unlink(missing_ok=True)
    for part in FOLDERS:
        with contextlib.suppress(OSError):
            (folder / part).rmdir()
    with contextlib.suppress(OSError):
        folder.rmdir()
