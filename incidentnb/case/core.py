"""``Case``: one incident, or some logs without one, as notebook cells see it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incidentnb import times
from incidentnb.case import sections, standing
from incidentnb.exceptions import IncidentnbError, InputError
from incidentnb.findings import CANNOT_TELL, Finding
from incidentnb.times import Interval

if TYPE_CHECKING:
    from incidentnb.evidence.changes import Change
    from incidentnb.evidence.table import LogTable
    from incidentnb.record.incident import Incident
    from incidentnb.record.journal import Entry

CHANGES_BEFORE = timedelta(hours=2)  # the runbook's look back, before the onset
WIDER = (timedelta(days=1), timedelta(days=7), timedelta(days=30))  # where nothing changed in it
CHANGES_AFTER = timedelta(hours=2)  # after the last record: the roll-back and what else was tried


class Case:
    """One incident as known at ``as_of``; or, by ``Case.of``, some logs without an incident.

    Attributes:
        folder: the incident folder; ``None`` without an incident.
        as_of: nothing recorded or logged after this instant is seen; ``None`` for all there is.
        untold: what could not be written into the journal, and why, a line each; shown at the end of the section.
    """

    def __init__(self, folder: str | Path = "", as_of: str | datetime | None = None, *, zone: str = ""):
        """Open a case.

        Args:
            folder: the incident folder; empty takes the one that the notebook stands in, else the newest open one below.
            as_of: an instant as people write it, for a replay; empty for now.
            zone: of log times that carry none, where the incident does not say.

        Raises:
            InputError: no incident there, or ``as_of`` is no time.
        """
        from incidentnb.record import incident

        self._temporary: tempfile.TemporaryDirectory | None = None
        self._given_zone, self._done = zone, {}
        self.untold: list[str] = []
        self.folder: Path | None = _standing_in(folder) or incident.locate(str(folder) or None, Path.cwd())
        self.as_of = None if as_of in (None, "") else as_of if isinstance(as_of, datetime) else times.parse(as_of, times.zone(zone or "UTC"))
        self.incident  # noqa: B018 - a folder that is no incident is told here, not in the first section

    @classmethod
    def of(cls, logs: str | Sequence[str], changes: str | Sequence[str] = (), repos: str | Sequence[str] = (), *, zone: str = "") -> Case:
        """A case made of logs alone; what it reads lies in a temporary folder and goes with it.

        Args:
            logs: files, folders or globs.
            changes: change files.
            repos: git checkouts.
            zone: of log times that carry none.

        Raises:
            InputError: no logs are given, or none of them can be read.
        """
        case = object.__new__(cls)
        case.folder, case.as_of, case.untold = None, None, []
        case._given_zone, case._done = zone, {}
        case._temporary = tempfile.TemporaryDirectory(prefix="incidentnb-", ignore_cleanup_errors=True)
        case.sources = {"logs": _listed(logs), "changes": _listed(changes), "repos": _listed(repos), "zone": zone}
        if not case.sources["logs"]:
            raise InputError("logs", "none are given", "name log files, folders or globs in the parameters")
        return case

    # -- the record ---------------------------------------------------------------------------------------------------------------

    @property
    def incident(self) -> Incident:
        """The incident as the journal tells it by now (or by ``as_of``).

        Raises:
            InputError: this case has no incident, or its journal cannot be read.
        """
        from incidentnb.record import incident

        if self.folder is None:
            raise InputError("this notebook", "has no incident", "incidentnb open makes one")
        return incident.load(self.folder, self.as_of)

    @property
    def entries(self) -> list[Entry]:
        """The entries of the journal, in order; none without an incident."""
        from incidentnb.record import journal

        return journal.read(self.folder, self.as_of) if self.folder else []

    @property
    def live(self) -> bool:
        """Whether what is found may be written into the journal: an incident, and no replay."""
        return self.folder is not None and self.as_of is None

    @cached_property
    def sources(self) -> dict[str, Any]:
        """Where the evidence comes from: ``logs``, ``changes``, ``repos`` (lists) and ``zone``."""
        return dict(self.incident.sources)

    # -- the evidence -------------------------------------------------------------------------------------------------------------

    @cached_property
    def log(self) -> LogTable:
        """The log table, as known at ``as_of``; logs that have not been read yet are read first.

        Raises:
            InputError: there is no evidence, and no logs to read.
        """
        from incidentnb.evidence import reader, table

        evidence = Path(self._temporary.name) if self._temporary else self.folder / "evidence"
        if not (evidence / table.MANIFEST).is_file():
            logs = list(self.sources.get("logs") or ())
            if not logs:
                raise InputError(str(evidence), "holds no evidence, and the incident names no logs", "incidentnb investigate --logs PATH")
            reader.read(logs, evidence, zone=self.sources.get("zone") or self._given_zone or None)
        return table.open_table(evidence, self.as_of)

    @cached_property
    def changes(self) -> list[Change]:
        """What changed from 2 hours before the onset on; where nothing did, further back (``changes_since`` says how far)."""
        return self._changes[0]

    @property
    def changes_since(self) -> datetime | None:
        """How far back ``changes`` reaches; ``None`` where no time is known to count from."""
        return self._changes[2]

    @cached_property
    def _changes(self) -> tuple[list[Change], list[str], datetime | None]:
        from incidentnb.evidence import changes as feeds

        files, repos = list(self.sources.get("changes") or ()), list(self.sources.get("repos") or ())
        span = self.log.span
        onset = _interval(self._try("onset"), "onset")
        start = onset.earliest if onset else span.start if span else None
        until = self.as_of or (span.end + CHANGES_AFTER if span else None)
        found, warnings, since = [], [], None
        for back in (CHANGES_BEFORE, *WIDER):
            since = start - back if start else None
            found, warnings = feeds.read_changes(files, repos, since=since, until=until)
            if since is None or any(change.at <= start and change.at >= since for change in found):
                break
        if self.as_of:
            found = [change for change in found if change.at <= self.as_of]
        return found, warnings, since

    # -- the answers --------------------------------------------------------------------------------------------------------------

    @property
    def reading(self) -> Finding:
        """What was read: every line of every file accounted for."""
        return self._answer("reading", lambda: standing.reading(self.log))

    @property
    def rates(self) -> Finding:
        """The error rate, bucket by bucket."""
        from incidentnb.analysis import rates

        return self._answer("rates", lambda: rates.rates(self.log))

    @property
    def onset(self) -> Finding:
        """Whether there is a spike, when it began, whether it ended."""
        from incidentnb.analysis import onset

        return self._answer("onset", lambda: onset.onset(self.log))

    @property
    def routes(self) -> Finding:
        """Which requests fail."""
        from incidentnb.analysis import routes

        return self._answer("routes", lambda onset: routes.routes(self.log, onset), "onset")

    @property
    def scope(self) -> Finding:
        """Everyone, or which subset."""
        from incidentnb.analysis import scope

        return self._answer("scope", lambda onset: scope.scope(self.log, onset), "onset")

    @property
    def users(self) -> Finding:
        """How many users of how many are hit."""
        from incidentnb.analysis import users

        return self._answer("users", lambda onset: users.users(self.log, onset), "onset")

    @property
    def patterns(self) -> Finding:
        """Which messages are new since the onset, and which have vanished."""
        from incidentnb.analysis import patterns

        return self._answer("patterns", lambda onset: patterns.patterns(self.log, onset), "onset")

    @property
    def suspects(self) -> Finding:
        """What changed, ranked against the onset and the scope."""
        from incidentnb.analysis import suspects

        def ranked(onset: Finding, scope: Finding) -> Finding:
            return standing.with_look(suspects.suspects(self.changes, onset, scope), onset, self.changes_since, CHANGES_BEFORE, self._changes[1])

        return self._answer("suspects", ranked, "onset", "scope")

    @property
    def recovery(self) -> Finding:
        """Whether it is over, for the affected subset too."""
        from incidentnb.analysis import recovery

        return self._answer("recovery", lambda onset, scope: recovery.recovery(self.log, onset, scope), "onset", "scope")

    @property
    def severity(self) -> Finding:
        """The severity that the data suggest; a person decides."""
        from incidentnb.analysis import severity

        return self._answer("severity", severity.severity, "onset", "scope", "users", "routes", "recovery")

    # -- where the incident stands: always as of now, never kept -------------------------------------------------------------------

    @property
    def hypotheses(self) -> Finding:
        """The ledger of hypotheses."""
        return standing.hypotheses(self.entries)

    @property
    def mitigations(self) -> Finding:
        """What was done against it, and what could be undone."""
        return standing.mitigations(self.entries, self._try("suspects"), self._known_changes())

    @property
    def milestones(self) -> Finding:
        """started_at … resolved_at, and TTD, TTA, TTM, TTR."""
        return standing.milestones(self.entries, self._try("onset"))

    @property
    def duties(self) -> Finding:
        """What the runbook asks for that is due, late or open."""
        return standing.duties(self.incident, self.as_of or times.now())

    @property
    def timeline(self) -> Finding:
        """Entries, changes and findings in order of when they happened."""
        return standing.timeline(self.entries, self._known_changes(), [f for f in self._done.values() if isinstance(f, Finding)])

    # -- recording ----------------------------------------------------------------------------------------------------------------

    def record(self, kind: str, body: dict[str, Any], *, at: str | datetime | None = None, by: str | None = None) -> Entry:
        """Write one entry into the journal; the same statement twice is one entry, so a notebook can be run again.

        Args:
            kind: ``note``, ``evidence``, ``verdict`` … as in the journal.
            body: plain JSON values.
            at: when it happened, as people write it; empty for now.
            by: who says so; by default the user.

        Raises:
            InputError: there is no incident; ``at`` is no time; the journal refuses.
            Refused: this is a replay.
        """
        from incidentnb.exceptions import Refused
        from incidentnb.record import journal

        if self.folder is None:
            raise InputError(kind, "cannot be recorded: this notebook has no incident", "incidentnb open makes one")
        if self.as_of is not None:
            raise Refused(kind, "a replay records nothing", "open the notebook without as_of")
        when = times.parse(at, times.zone(self.sources.get("zone") or "UTC")) if isinstance(at, str) and at else at or None
        return journal.append(self.folder, kind, body, occurred_at=when, actor=by)

    def note(self, text: str, *, at: str | datetime | None = None, by: str | None = None) -> Entry:
        """Record an observation; ``Raises`` as ``record``."""
        return self.record("note", {"text": text}, at=at, by=by)

    @contextmanager
    def section(self, title: str) -> Iterator[None]:
        """A part of the notebook that may fail by itself: then one plain line says so and why, and the rest runs.

        The failure is journaled as ``section_failed``. Ctrl-C passes.
        """
        try:
            yield
        except Exception as error:  # noqa: BLE001 - half an answer beats a traceback
            why = sections.reason(error)
            sections.tell(title, why)
            self._journal("section_failed", {"section": title, "why": why})
        finally:
            while self.untold:
                sections.remark(self.untold.pop(0))

    # -- inside -------------------------------------------------------------------------------------------------------------------

    def _answer(self, name: str, compute: Callable[..., Finding], *needs: str) -> Finding:
        """An answer, computed once; its failure is kept too. One that needs a failed answer is ``cannot tell`` and says why."""
        if name not in self._done:
            given = [self._try(need) for need in needs]
            missing = [f"“{need}” could not be computed: {got}" for need, got in zip(needs, given, strict=True) if isinstance(got, str)]
            if missing:
                self._done[name] = Finding(name, CANNOT_TELL, f"Cannot tell: {missing[0]}.", missing[0])
                return self._done[name]
            try:
                self._done[name] = compute(*given)
            except Exception as error:
                self._done[name] = error
                raise
            self._journal_finding(self._done[name])
        if isinstance(self._done[name], Exception):
            raise self._done[name]
        return self._done[name]

    def _try(self, name: str) -> Finding | str:
        """An answer, or one line why there is none."""
        try:
            return getattr(self, name)
        except Exception as error:  # noqa: BLE001 - told where it matters
            return sections.reason(error)

    def _known_changes(self) -> list[Change]:
        try:
            return self.changes
        except Exception:  # noqa: BLE001 - the section on changes tells why
            return []

    def _journal_finding(self, finding: Finding) -> None:
        """Keep an answer in the journal once; a new answer to the same question takes the place of the former one."""
        if not self.live or finding.name == "reading":
            return
        former = [e for e in self.entries if e.kind == "finding" and e.body.get("name") == finding.name]
        if former and former[-1].body.get("id") == finding.id:
            return
        at = _interval(finding, "onset") if finding.name == "onset" else finding.numbers.get("since") if finding.name == "recovery" else None
        self._journal("finding", finding.as_json(), at, former[-1].id if former else None)

    def _journal(self, kind: str, body: dict[str, Any], at: Any = None, supersedes: str | None = None) -> None:
        if not self.live:
            return
        from incidentnb.record import journal

        try:
            journal.append(self.folder, kind, body, occurred_at=at if isinstance(at, Interval | datetime) else None, actor="incidentnb",
                           supersedes=supersedes)
        except IncidentnbError as error:
            self.untold.append(f"This could not be written into the journal: {error}")


def _listed(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) and value else [str(v) for v in value]


def _interval(finding: Any, name: str) -> Interval | None:
    value = finding.numbers.get(name) if isinstance(finding, Finding) else None
    return value if isinstance(value, Interval) else None


def _standing_in(folder: str | Path) -> Path | None:
    """The incident that a notebook in its ``runs/`` or ``lab/`` stands in, where none is named."""
    from incidentnb.record import journal

    here = Path(folder or ".").resolve()
    found = [place for place in ((here, *here.parents[:2]) if not str(folder) else (here,)) if (place / journal.FILE).is_file()]
    return found[0] if found else None
