"""``Case``: one incident, as notebook cells see it. ``Logs``: logs without an incident."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incidentnb import times
from incidentnb.case import standing
from incidentnb.case.answers import Answers
from incidentnb.case.standing import ITSELF
from incidentnb.exceptions import IncidentnbError, InputError
from incidentnb.findings import Finding
from incidentnb.times import Interval

if TYPE_CHECKING:
    from incidentnb.record.incident import Incident
    from incidentnb.record.lines import Entry


class Logs(Answers):
    """Logs without an incident; what is read lies in a temporary folder and goes with it, and nothing is recorded."""

    def __init__(self, logs: str | Sequence[str], changes: str | Sequence[str] = (), repos: str | Sequence[str] = (), *, zone: str = ""):
        """Name the evidence.

        Args:
            logs: files, folders or globs.
            changes: change files.
            repos: git checkouts.
            zone: of log times that carry none; empty to tell it from the data.

        Raises:
            InputError: no logs are given.
        """
        self._named = {"logs": _listed(logs), "changes": _listed(changes), "repos": _listed(repos), "zone": zone}
        if not self._named["logs"]:
            raise InputError("logs", "none are given", "name log files, folders or globs in the parameters")
        self._temporary = tempfile.TemporaryDirectory(prefix="incidentnb-", ignore_cleanup_errors=True)
        super().__init__(Path(self._temporary.name), zone=zone)

    @cached_property
    def sources(self) -> dict[str, Any]:
        """As they were named."""
        return self._named

    def close(self) -> None:
        """Remove what was read; else it goes with the process."""
        if "log" in self.__dict__:
            self.log.close()
        self._temporary.cleanup()


class Case(Answers):
    """One incident as known at ``as_of``.

    Attributes:
        folder: the incident folder.
    """

    def __init__(self, folder: str | Path = "", as_of: str | datetime | None = None, *, zone: str = ""):
        """Open a case.

        Args:
            folder: the incident folder; empty takes the one that the notebook stands in, else the newest open one below.
            as_of: an instant as people write it (in the zone of the incident), for a replay; empty for now.
            zone: of log times that carry none, where the incident does not say.

        Raises:
            InputError: no incident there, or ``as_of`` is no time.
        """
        from incidentnb.record import incident

        self.folder = incident.locate(str(folder) or None, Path.cwd()).resolve()
        home = incident.load(self.folder).zone
        until = times.parse(as_of, home) if isinstance(as_of, str) and as_of else as_of or None
        super().__init__(self.folder / "evidence", until, zone)
        self.incident  # noqa: B018 - a folder that is no incident is told here, not in the first section

    @property
    def incident(self) -> Incident:
        """The incident as the journal tells it by now (or by ``as_of``).

        Raises:
            InputError: its journal cannot be read.
        """
        from incidentnb.record import incident

        return incident.load(self.folder, self.as_of)

    @property
    def entries(self) -> list[Entry]:
        """The entries of the journal, in order."""
        from incidentnb.record import journal

        return journal.read(self.folder, self.as_of)

    @cached_property
    def sources(self) -> dict[str, Any]:
        """As the journal names them."""
        return dict(self.incident.sources)

    def _reading(self) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for entry in self.incident.standing:
            if entry.kind in ("opened", "sources"):
                given |= {key: value for key, value in (entry.body.get("reading") or {}).items() if value is not None}
        return {name: given.get(name) for name in ("format", "year", "formats_dir")}

    @property
    def standing(self) -> Finding:
        """Title, severity, status and commander by now."""
        return standing.standing(self.incident)

    @property
    def hypotheses(self) -> Finding:
        """The ledger of hypotheses, after the check of each was run."""
        from incidentnb.case import predictions

        results = predictions.run(self)
        return standing.hypotheses(self.entries, results)

    @property
    def mitigations(self) -> Finding:
        """What was done against it, what the data show happened after, and what could be undone."""
        from incidentnb.case import effects

        seen = effects.run(self)
        return standing.mitigations(self.incident, self.answer("suspects"), self._known_changes(), seen)

    @property
    def milestones(self) -> Finding:
        """started_at … resolved_at, and TTD, TTA, TTM, TTR."""
        self.impact  # noqa: B018 - started_at stands on it where nobody says otherwise
        return standing.milestones(self.entries)

    @property
    def duties(self) -> Finding:
        """What the runbook asks for that is due, late or open."""
        return standing.duties(self.incident, self.as_of or times.now())

    @property
    def timeline(self) -> Finding:
        """Entries, changes and findings in order of when they happened."""
        marks, found = self.marks, [f for f in self._done.values() if isinstance(f, Finding)]
        return standing.timeline(self.entries, self._known_changes(), found, marks["onset"], marks["end"], self._home)

    def record(self, kind: str, body: dict[str, Any], *, at: str | datetime | None = None, by: str | None = None) -> Entry:
        """Write one entry into the journal; the same statement twice is one entry, so a notebook can be run again.

        Args:
            kind: ``note``, ``evidence``, ``verdict`` … as in the journal.
            body: plain JSON values.
            at: when it happened, as people write it; empty for now.
            by: who says so; by default the user.

        Raises:
            InputError: ``at`` is no time; the journal refuses.
            Refused: this is a replay, which records nothing.
        """
        from incidentnb.record import journal

        return journal.append(self._writable(kind), kind, body, occurred_at=at or None, actor=by)

    def note(self, text: str, *, at: str | datetime | None = None, by: str | None = None) -> Entry:
        """Record an observation; ``Raises`` as ``record``."""
        return self.record("note", {"text": text}, at=at, by=by)

    def propose(self, claim: str, *, because: str = "", prediction: str = "", disproof: str = "", **more: Any) -> Entry:
        """Put a hypothesis on the ledger: what it is, why, what it predicts, how it could be disproved. Its number is ``body["id"]``."""
        from incidentnb.record import hypotheses

        return hypotheses.propose(self._writable("hypothesis"), claim, because=because, prediction=prediction, disproof=disproof, **more)

    def evidence(self, hypothesis: str, direction: str, text: str, points_at: Any, **more: Any) -> Entry:
        """Record evidence ``for`` or ``against`` a hypothesis, and what bears it: a finding, ``FILE:LINE``, a query, a link."""
        from incidentnb.record import hypotheses

        return hypotheses.add_evidence(self._writable("evidence"), hypothesis, direction, text, points_at, **more)

    def verdict(self, hypothesis: str, verdict: str, why: str = "", **more: Any) -> Entry:
        """Record what a hypothesis came to: testing, supported, refuted or inconclusive."""
        from incidentnb.record import hypotheses

        return hypotheses.set_verdict(self._writable("verdict"), hypothesis, verdict, why, **more)

    def _writable(self, what: str) -> Path:
        from incidentnb.exceptions import Refused

        if self.as_of is not None:
            raise Refused(what, "a replay records nothing", "open the notebook without as_of")
        return self.folder

    # -- what the notebook itself writes down

    def _keep(self, finding: Finding) -> None:
        """Keep an answer in the journal once; a new answer to the same question takes the place of the former one."""
        if self.as_of is not None or finding.name == "reading":
            return
        from incidentnb.record import lines, statements

        former = [e for e in lines.standing(self.entries) if e.kind == "finding" and e.body.get("name") == finding.name]
        if former and former[-1].body.get("id") == finding.id:
            return
        at = finding.numbers.get({"onset": "onset", "volume": "onset", "latency": "onset", "recovery": "since"}.get(finding.name, ""))
        self.keep(statements.record_finding, finding, section=self._section, supersedes=former[-1].id if former else None,
                      occurred_at=at if isinstance(at, Interval | datetime) else None)

    def _keep_failure(self, title: str, why: str) -> None:
        from incidentnb.record import statements

        self.keep(statements.section_failed, title, why)

    def keep(self, say: Callable[..., Entry | None], *what: Any, **how: Any) -> None:
        """Write what the notebook itself found, but nothing in a replay; where the journal refuses, the section says so and its answer shows."""
        if self.as_of is None:
            try:
                say(self.folder, *what, actor=ITSELF, **how)
            except IncidentnbError as error:
                self.remarks.append(f"This could not be written into the journal: {error}")

    @property
    def _home(self) -> tzinfo:
        return self.incident.zone

    def _passed(self) -> dict[str, Any]:
        return standing.milestones(self.entries).numbers


def _listed(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) and value else [str(v) for v in value]
