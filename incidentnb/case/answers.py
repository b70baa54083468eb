"""``Answers``: the questions of the runbook put to one body of evidence, each computed once, each failing by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incidentnb.case import sections, standing
from incidentnb.exceptions import InputError
from incidentnb.findings import CANNOT_TELL, Finding
from incidentnb.times import Interval

if TYPE_CHECKING:
    from incidentnb.evidence.changes import Change
    from incidentnb.evidence.table import LogTable

CHANGES_BEFORE = timedelta(hours=2)  # the runbook's look back, before the onset
WIDER = (timedelta(days=1), timedelta(days=7), timedelta(days=30))  # where nothing changed in it
CHANGES_AFTER = timedelta(hours=2)  # after the last record: the roll-back and what else was tried


class Answers:
    """What ``Case`` (an incident) and ``Logs`` (logs alone) have in common.

    Attributes:
        as_of: nothing logged after this instant is seen; ``None`` for all there is.
        remarks: what concerns the record of a section and not its answer, a line each; shown at the end of the section.
    """

    def __init__(self, evidence: Path, as_of: datetime | None = None, zone: str = ""):
        self.as_of, self.remarks = as_of, list[str]()
        self._evidence, self._zone = evidence, zone
        self._done: dict[str, Finding | Exception] = {}
        self._section = ""

    @cached_property
    def sources(self) -> dict[str, Any]:
        """Where the evidence comes from: ``logs``, ``changes``, ``repos`` (lists) and ``zone``."""
        raise NotImplementedError

    def _reading(self) -> dict[str, Any]:
        """How logs are read that do not say themselves: ``format``, ``year``, ``formats_dir``, where given."""
        return {}

    def _keep(self, finding: Finding) -> None:
        """Keep a new answer for others to read."""

    def _keep_failure(self, title: str, why: str) -> None:
        """Keep that a section could not be computed."""

    @cached_property
    def log(self) -> LogTable:
        """The log table, as known at ``as_of``; logs that have not been read yet are read first.

        Raises:
            InputError: there is no evidence, and no logs to read.
        """
        from incidentnb.evidence import reader, table

        evidence = self._evidence
        if not (evidence / table.MANIFEST).is_file():
            logs = list(self.sources.get("logs") or ())
            if not logs:
                raise InputError(str(evidence), "holds no evidence, and the incident names no logs", "incidentnb investigate --logs PATH")
            reader.read(logs, evidence, zone=self.sources.get("zone") or self._zone or None, **self._reading())
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
        span = self.log.span
        onset = _interval(self.impact, "onset")
        start = onset.earliest if onset else span.start if span else None
        return changes_around(self.sources, start, self.as_of or (span.end + CHANGES_AFTER if span else None), self.as_of)

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
    def volume(self) -> Finding:
        """Whether traffic dropped, and what fell silent."""
        from incidentnb.analysis import volume

        return self._answer("volume", lambda: volume.volume(self.log))

    @property
    def latency(self) -> Finding:
        """Whether requests got slower."""
        from incidentnb.analysis import latency

        return self._answer("latency", lambda: latency.latency(self.log))

    @property
    def impact(self) -> Finding:
        """The one of ``onset``, ``volume`` and ``latency`` that tells when impact began."""
        from incidentnb.analysis import impact

        known = {name: found for name in ("onset", "volume", "latency") if isinstance(found := self.answer(name), Finding)}
        onset = known.pop("onset", None) or Finding("onset", CANNOT_TELL, "", "", {"onset": None, "end": None})
        return impact.impact(onset, **known)

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

        return self._answer("patterns", lambda _: patterns.patterns(self.log, self.impact), "onset")

    @property
    def services(self) -> Finding:
        """Which service changed most since the onset."""
        from incidentnb.analysis import services

        return self._answer("services", lambda _: services.services(self.log, self.impact), "onset")

    @property
    def suspects(self) -> Finding:
        """What changed, ranked against the onset and the scope."""
        from incidentnb.analysis import impact, suspects

        def ranked(_: Finding, scope: Finding, patterns: Finding) -> Finding:
            found, warnings, since = self._changes
            hit = self.impact
            return standing.with_look(suspects.suspects(found, hit, impact.scope_of(hit, scope), patterns=patterns, table=self.log), hit, since,
                                      CHANGES_BEFORE, warnings)

        return self._answer("suspects", ranked, "onset", "scope", "patterns")

    @property
    def recovery(self) -> Finding:
        """Whether it is over, for the affected subset too."""
        from incidentnb.analysis import back, recovery

        def over(onset: Finding, scope: Finding, patterns: Finding) -> Finding:
            hit = self.impact
            return recovery.recovery(self.log, onset, scope, patterns) if hit is onset else back.back(hit)

        return self._answer("recovery", over, "onset", "scope", "patterns")

    @property
    def severity(self) -> Finding:
        """The severity that the data suggest; a person decides."""
        from incidentnb.analysis import severity

        def suggested(*known: Finding) -> Finding:
            volume, latency = (found if isinstance(found := self.answer(name), Finding) else None for name in ("volume", "latency"))
            return severity.severity(*known, volume, latency)

        return self._answer("severity", suggested, "onset", "scope", "users", "routes", "recovery")

    @property
    def marks(self) -> dict[str, Any]:
        """What a figure over time may draw in: ``onset``, ``end``, ``changes`` (frame), ``milestones`` (name → instant), ``zone``, if known."""
        from incidentnb.evidence import changes as feeds

        found = self.impact
        return {"onset": _interval(found, "onset"), "end": _interval(found, "end"), "milestones": self._passed(),
                "changes": feeds.changes_frame(self._known_changes()), "zone": self._home}

    @contextmanager
    def section(self, title: str) -> Iterator[None]:
        """A part of the notebook that may fail by itself: then one plain line says so and why, and the rest runs.

        In an incident the failure is journaled. Ctrl-C passes.
        """
        self._section = title
        try:
            yield
        except Exception as error:  # noqa: BLE001 - half an answer beats a traceback
            why = sections.reason(error)
            sections.tell(title, why)
            self._keep_failure(title, why)
        finally:
            self._section = ""
            while self.remarks:
                sections.remark(self.remarks.pop(0))

    @property
    def _home(self) -> tzinfo | None:
        """The zone in which people think; ``None`` where nobody said."""
        return None

    def _passed(self) -> dict[str, Any]:
        """The milestones that a figure may draw in, name → instant."""
        return {}

    def _answer(self, name: str, compute: Callable[..., Finding], *needs: str) -> Finding:
        """An answer, computed once; its failure is kept too. One that needs a failed answer is ``cannot tell`` and says why."""
        if name not in self._done:
            given = [self.answer(need) for need in needs]
            missing = [f"“{need}” could not be computed: {got}" for need, got in zip(needs, given, strict=True) if isinstance(got, str)]
            if missing:
                self._done[name] = Finding(name, CANNOT_TELL, f"Cannot tell: {missing[0]}.", missing[0])
                return self._done[name]
            try:
                self._done[name] = compute(*given)
            except Exception as error:
                self._done[name] = error
                raise
            self._keep(self._done[name])
        if isinstance(self._done[name], Exception):
            raise self._done[name]
        return self._done[name]

    def answer(self, name: str) -> Finding | str:
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


def _interval(finding: Any, name: str) -> Interval | None:
    value = finding.numbers.get(name) if isinstance(finding, Finding) else None
    return value if isinstance(value, Interval) else None


def changes_around(sources: Mapping[str, Any], start: datetime | None, until: datetime | None,
                   as_of: datetime | None = None) -> tuple[list[Change], list[str], datetime | None]:
    """What changed from 2 hours before ``start`` on, further back where nothing did; what could not be read; how far back it looked.

    Args:
        sources: ``changes`` (files) and ``repos`` (checkouts).
        start: when impact began, or the first record; ``None`` takes all that is known.
        until: nothing after it is read.
        as_of: nothing that came later is known.
    """
    from incidentnb.evidence import changes as feeds

    files, repos = list(sources.get("changes") or ()), list(sources.get("repos") or ())
    found, warnings, since = [], [], None
    for back in (CHANGES_BEFORE, *WIDER):
        since = start - back if start else None
        found, warnings = feeds.read_changes(files, repos, since=since, until=until)
        if since is None or any(change.at <= start and change.at >= since for change in found):
            break
    return [change for change in found if as_of is None or change.at <= as_of], warnings, since
