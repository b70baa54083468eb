"""An incident's life: opened, investigated as often as one likes, replayed as it was known, resolved, exported, verified."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incidentnb import atomic, times
from incidentnb.exceptions import InputError
from incidentnb.record import incident as records
from incidentnb.record import journal, lines, lock, milestones, runbook, statements

if TYPE_CHECKING:
    from incidentnb.notebook import RunRecord

_RECOVERY = "Is it over?"  # the section of the resolution notebook that the verb resolve stands on
SEEN = "seen.json"  # in evidence/: size and time of each source when it was read
Progress = Callable[[int, int | None, int], None]
CellProgress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Run:
    """One execution of a notebook on an incident.

    Attributes:
        folder: the incident.
        record: what became of each cell, and where the executed notebook lies.
        warnings: what went wrong around it, a line each; the run was made all the same.
    """

    folder: Path
    record: RunRecord
    warnings: tuple[str, ...] = field(default=())

    @property
    def exit_code(self) -> int:
        """0 where every section was computed, 130 where it was interrupted, else 3: done in part."""
        if self.record.outcome == "interrupted":
            return 130
        return 0 if self.record.complete and self.record.outcome == "completed" and not self.warnings else 3

    def as_json(self) -> dict[str, Any]:
        return {"incident": str(self.folder), "run": str(self.record.path), "outcome": self.record.outcome, "why": self.record.why,
                "complete": self.record.complete, "warnings": list(self.warnings),
                "troubled": [{"section": c.title, "state": c.state, "why": c.why} for c in self.record.troubled]}


def open_incident(title: str, severity: str, *, logs: Sequence[str | Path], changes: Sequence[str | Path] = (),
                  repos: Sequence[str | Path] = (), ic: str | None = None, parent: Path | str = ".", at: Any = None, by: str | None = None,
                  zone: str | None = None, format: str | None = None, year: int | None = None, formats_dir: str | Path | None = None,
                  channel_prefix: str | None = None) -> Path:
    """Make the folder of a new incident, its sources checked and recorded; ``investigate`` does the rest.

    Args:
        title, severity: what is wrong in a few words, and how bad.
        logs, changes, repos: what it will read.
        ic: the incident commander; by default who opens it.
        parent: where the folder is made.
        at: when it was opened; by default now.
        by: who opens it.
        zone, format, year, formats_dir: how logs are read that do not say themselves.
        channel_prefix: what the name of its channel begins with, where it is not ``incident-``.

    Raises:
        InputError: no such severity or zone, a path that is not there; nothing was made then.
    """
    check_sources(logs, changes, repos)
    if format is not None:
        from incidentnb.evidence import formats

        known = formats.load([Path(formats_dir)] if formats_dir else [])
        if format not in known:
            raise InputError("--format", f"no such format: {format}", lines.nearest(format, sorted(known)))
    folder = records.create(parent, title, severity, logs=logs, changes=changes, repos=repos, ic=ic, zone=zone, at=at, actor=by,
                            channel_prefix=channel_prefix)
    reading = {"format": format, "year": year, "formats_dir": str(Path(formats_dir).absolute()) if formats_dir else None}
    if any(value is not None for value in reading.values()):
        journal.append(folder, "sources", {"reading": reading}, actor=by)
    return folder


def add_sources(folder: Path | str, *, logs: Sequence[str | Path] = (), changes: Sequence[str | Path] = (),
                repos: Sequence[str | Path] = ()) -> None:
    """Record more that the incident reads, where anything is given.

    Raises:
        InputError: a path is not there.
    """
    if logs or changes or repos:
        check_sources(logs, changes, repos)
        statements.add_sources(folder, logs=logs, changes=changes, repos=repos)


def check_sources(logs: Sequence[str | Path], changes: Sequence[str | Path], repos: Sequence[str | Path]) -> None:
    """See that each of these is there.

    Raises:
        InputError: one is not.
    """
    from incidentnb.evidence import files

    if logs:
        files.expand(list(logs))
    for given in (*changes, *repos):
        if not Path(given).exists():
            raise InputError(str(given), "no such file or directory")


def investigate(folder: Path | str, *, reading: Progress | None = None, cells: CellProgress | None = None) -> Run:
    """Read what is new of the incident's logs and execute the investigation notebook on it.

    Args:
        folder: the incident.
        reading: progress of reading, as ``evidence.reader.read`` takes it.
        cells: progress of executing, as ``notebook.execute`` takes it.

    Raises:
        InputError: no incident there, or it has no evidence and none of its logs can be read.
    """
    return _run(Path(folder), "investigation", reading=reading, cells=cells)


def resolve(folder: Path | str, *, by: str | None = None, at: Any = None, override: str = "", recorded_at: datetime | None = None,
            reading: Progress | None = None, cells: CellProgress | None = None) -> tuple[Run | None, dict[str, Any]]:
    """Execute the resolution notebook; where it proves recovery from the data, record that the incident is resolved.

    Args:
        folder: the incident.
        by: who resolves it.
        at: when it is declared resolved; by default now, and the milestone at the end of the logs where these end earlier.
        override: why it is resolved although the data do not prove it; who says so is on the record (``by``), and the proof is skipped.
        recorded_at: as in ``journal.append``.
        reading, cells: as ``investigate``.

    Returns:
        the run (``None`` where there are no logs and it is overridden), and ``{verdict, sentence, why, since, recorded}``; nothing is
        recorded unless the verdict is ``recovered``, or somebody overrides.

    Raises:
        InputError: as ``investigate``; an override without a name; a milestone on the record that lies after the recovery (names both).
    """
    folder = Path(folder)
    if override and not by:
        raise InputError("override", "says not who takes it upon them", "give a name")
    try:
        run = _run(folder, "resolution", reading=reading, cells=cells)
    except InputError:
        if not override or records.load(folder).sources["logs"]:
            raise
        run = None
    known = records.load(folder)
    found = known.finding("recovery")
    failed = "there are no logs" if run is None else next(
        (c.why or c.state for c in run.record.cells if c.title == _RECOVERY and c.state != "completed"), "" if found else "nothing was found")
    if failed or found is None:
        answer = {"verdict": "cannot tell", "sentence": f"Whether it is over could not be computed: {failed}.", "why": failed, "since": None}
    else:
        answer = {key: found.body.get(key) for key in ("verdict", "sentence", "why")}
        answer["since"] = (found.body.get("numbers") or {}).get("since")
    answer["recorded"] = ""
    if (answer["verdict"] == "recovered" or override) and known.status != "resolved":
        when = at or min(times.now(), _end_of_logs(known) or times.now())
        why = f"recovered since {answer['since']}, finding {found.body['id']}" if answer["verdict"] == "recovered" and found else (
            f"by the word of {by}, the data do not prove it: {override}")
        if known.milestones["resolved"].moment is None:
            milestones.set_milestone(folder, "resolved", when if answer["verdict"] == "recovered" else at, source=why, actor=by,
                                     recorded_at=recorded_at)
        statements.set_status(folder, "resolved", why, at=at, actor=by, recorded_at=recorded_at)
        if answer["verdict"] != "recovered" and any(duty.id == "recovered" for duty in runbook.book_of(folder).duties):
            statements.duty(folder, "recovered", "skipped", override, at=at, actor=by, recorded_at=recorded_at)
        answer["recorded"] = f"status resolved, resolved_at {records.load(folder).milestones['resolved'].text()}"
    return run, answer


def _end_of_logs(known: records.Incident) -> datetime | None:
    onset = known.finding("onset")
    end = (onset.body.get("numbers") or {}).get("window_end") if onset else None
    return times.parse(end) if end else None


def replay(folder: Path | str, as_of: str | datetime, *, cells: CellProgress | None = None) -> Run:
    """Execute the investigation notebook with only what was known at ``as_of``: no later entry, no later log record.

    The incident is left as it is: a replay is a file in ``runs/`` and nothing in the journal.

    Raises:
        InputError: no incident there, no such time, or one before the incident was opened.
    """
    folder = Path(folder)
    moment = as_of if isinstance(as_of, datetime) else times.parse(as_of, _zone(folder))
    if not journal.read(folder, moment):
        raise InputError("--as-of", f"nothing was recorded yet at {times.iso(moment)}", "name a later time")
    from incidentnb import notebook

    name = f"{times.now():%Y-%m-%dT%H%M%SZ}-replay-as-of-{moment:%Y-%m-%dT%H%M%SZ}.ipynb"
    return Run(folder, notebook.execute("investigation", {"as_of": times.iso(moment)}, folder / "runs" / name, cwd=folder, progress=cells))


def _run(folder: Path, name: str, *, reading: Progress | None, cells: CellProgress | None) -> Run:
    """Execute a stock notebook in the incident's folder: it finds the incident that it stands in, so that no path is kept in it."""
    from incidentnb import notebook

    records.load(folder)  # no incident there is told before a kernel is started
    with notebook.warm_kernel(folder) as kernel:  # starts while the logs are read
        warnings = refresh(folder, progress=reading)
        record = notebook.execute(name, {}, folder / "runs", kernel=kernel, cwd=folder, progress=cells)
    body = {key: value for key, value in record.as_json().items() if key not in ("cells", "parameters", "versions", "schema")}
    troubled = [{"section": c.title, "state": c.state, "why": c.why} for c in record.troubled]
    journal.append(folder, "run", {**body, "troubled": troubled, "evidence": evidence_digests(folder)}, occurred_at=record.finished)
    return Run(folder, record, tuple(warnings))


def refresh(folder: Path, *, progress: Progress | None = None) -> list[str]:
    """Read the incident's logs into its evidence where they have changed since; say in a line each what could not be read.

    Raises:
        InputError: nothing can be read and there is no evidence from before.
    """
    known = records.load(folder)
    logs, evidence = list(known.sources["logs"]), folder / "evidence"
    there = (evidence / "manifest.json").is_file()
    if not logs:
        if there:
            return []
        raise InputError(str(folder), "names no logs to read", "incidentnb open … --logs PATH")
    from incidentnb.evidence import files, reader

    try:
        seen = _sizes(files.expand(logs))
        if there and seen == _seen(evidence):
            return []
        with lock.held(evidence, timeout_s=600):
            reader.read(logs, evidence, progress=progress, **reading_options(known))
    except InputError as problem:
        if not there:
            raise
        return [f"the logs were not read again, the evidence is as it was: {problem}"]
    atomic.write(evidence / SEEN, json.dumps(seen, indent=1) + "\n")
    return []


def reading_options(known: records.Incident) -> dict[str, Any]:
    """How the incident's logs are read: ``format``, ``zone``, ``year``, ``formats_dir``, as they were given when it was opened."""
    given: dict[str, Any] = {}
    for entry in known.standing:
        if entry.kind in ("opened", "sources"):
            given |= {key: value for key, value in (entry.body.get("reading") or {}).items() if value is not None}
    return {"zone": known.sources["zone"], **{name: given.get(name) for name in ("format", "year", "formats_dir")}}


def grown(folder: Path) -> bool:
    """Whether the incident's logs are other than when they were read last."""
    from incidentnb.evidence import files

    try:
        return _sizes(files.expand(records.load(folder).sources["logs"])) != _seen(folder / "evidence")
    except InputError:
        return False


def watch(folder: Path | str, every_s: float, *, reading: Progress | None = None, cells: CellProgress | None = None) -> Iterator[Run]:
    """Investigate now, and again each time the logs have grown or something was recorded, looking every ``every_s`` seconds."""
    folder = Path(folder)
    while True:
        run = investigate(folder, reading=reading, cells=cells)
        known = journal.head(folder)
        yield run
        if run.record.outcome == "interrupted":
            return
        while not grown(folder) and journal.head(folder) == known:
            time.sleep(every_s)


def evidence_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of the evidence by its name, as the journal keeps it with each run."""
    manifest = folder / "evidence" / "manifest.json"
    try:
        parts = [part for entry in json.loads(manifest.read_text(encoding="utf-8"))["inputs"] for part in entry["parts"]]
        return {name: sha256(folder / "evidence" / name) for name in ["manifest.json", *parts]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _sizes(paths: list[str]) -> dict[str, list[int]]:
    found = {}
    for path in paths:
        stat = Path(path).stat() if path != "-" else None
        found[path] = [stat.st_size, stat.st_mtime_ns] if stat else [0, 0]
    return found


def _seen(evidence: Path) -> dict[str, list[int]]:
    try:
        return json.loads((evidence / SEEN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _zone(folder: Path) -> Any:
    return records.load(folder).zone


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def laboratory(folder: Path | str, *, browser: bool = True) -> tuple[list[str], dict[str, str], str]:
    """JupyterLab on a fresh working copy of the investigation notebook: its command, its environment, its address.

    It listens on this machine alone and asks for a token, which is in the address and not in the list of processes.

    Raises:
        InputError: no incident there; JupyterLab is not installed.
    """
    import socket

    from incidentnb import notebook

    copy = notebook.prepare_lab(Path(folder))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words, token = notebook.lab_command(copy, port, browser=browser)
    return words, {**os.environ, "JUPYTER_TOKEN": token}, f"http://127.0.0.1:{port}/lab/tree/{copy.name}?token={token}"
