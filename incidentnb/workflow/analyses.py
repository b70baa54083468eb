"""Answers without an incident: logs or a CSV in, one analysis or all of them out; nothing is left behind."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incidentnb import sinks, times
from incidentnb.exceptions import InputError

if TYPE_CHECKING:
    from incidentnb.analysis.triage import Triage
    from incidentnb.evidence.table import LogTable
    from incidentnb.findings import Finding

# How long before the first log line a change may lie and still be looked at.
CHANGES_BEFORE = timedelta(days=1)


@contextmanager
def reading(paths: Sequence[str | Path], *, dated: bool = True, **how: Any) -> Iterator[LogTable]:
    """The log table of some files for as long as the block lasts; its folder is removed afterwards, also after an error.

    Args:
        paths: log files, folders, globs or ``-``.
        dated: whether records need a time.
        **how: ``format``, ``zone``, ``year``, ``formats_dir``, ``progress``, as ``evidence.reader.read`` takes them.

    Raises:
        InputError: a path is missing, nothing there is a log, or no record has a time.
    """
    from incidentnb.evidence import reader, table

    with tempfile.TemporaryDirectory(prefix="incidentnb-", ignore_cleanup_errors=True) as folder:
        manifest = reader.read(list(paths), Path(folder), **how)
        opened = table.open_table(folder)
        try:
            if dated and opened.span is None:
                lines = sum(entry["lines"] for entry in manifest["inputs"])
                if not lines:
                    raise InputError(str(paths[0]), "is empty", "name logs that hold something")
                raise InputError(str(paths[0]), f"no time found in {lines:,} line{'' if lines == 1 else 's'}",
                                 "name logs whose records have a time, or their format with --format")
            yield opened
        finally:
            opened.close()


def triage(paths: Sequence[str | Path], *, changes: Sequence[str | Path] = (), repos: Sequence[str | Path] = (),
           **how: Any) -> Triage:
    """Every question of the runbook's first minutes, answered from logs and changes.

    Args:
        paths: log files, folders, globs or ``-``.
        changes: change files (deploys, flags, configuration …), JSON lines or CSV.
        repos: git checkouts whose commits count as changes.
        **how: as for ``reading``.

    Raises:
        InputError: a path is missing, nothing there is a log, no record has a time.
    """
    from incidentnb.analysis import triage as analysis
    from incidentnb.evidence import changes as feeds

    with reading(paths, **how) as table:
        span = table.span
        found, warnings = feeds.read_changes(list(changes), list(repos), since=span.start - CHANGES_BEFORE, until=span.end,
                                             zone=times.zone(how.get("zone") or "UTC"))
        told = [warning for entry in table.inputs for warning in entry["warnings"]]
        return analysis.triage(table, found, [*told, *warnings])


def onset(paths: Sequence[str | Path], *, of: str = "failures", **how: Any) -> Finding:
    """When it began and ended, from logs, or from one CSV with ``time`` and ``failing,total`` or a value column.

    Args:
        paths: log files, folders, globs or ``-``, or one ``.csv``.
        of: ``failures`` (of a CSV of values, their shift), ``traffic`` (``total`` or the values) or ``latency`` (of a CSV the shift of its values).
        **how: as for ``reading``.

    Returns:
        The finding of ``analysis.onset``, of ``volume`` for traffic, of ``latency`` (from logs) for latency.

    Raises:
        InputError: as ``reading``; a CSV without a time column or without numbers.
    """
    from incidentnb.analysis import latency, volume
    from incidentnb.analysis import onset as analysis

    if _is_csv(paths):
        from incidentnb.evidence import series

        frame = series.read_series(paths[0])
        if of == "latency" and "value" not in frame:
            raise InputError(str(paths[0]), "holds counts and no durations", "give the columns time,value, or ask --of failures")
        return volume.volume_of_series(frame) if of == "traffic" else analysis.onset_of_series(frame)
    asked = {"failures": analysis.onset, "traffic": volume.volume, "latency": latency.latency}[of]
    with reading(paths, **how) as table:
        return asked(table)


def scope(paths: Sequence[str | Path], *, began: str | None = None, ended: str | None = None, **how: Any) -> Finding:
    """Everyone or which subset, from logs, or from one CSV with ``time``, ``failing``, ``total`` and attribute columns.

    Args:
        paths: log files, folders, globs or ``-``, or one ``.csv``.
        began: when it began, as a person says it; by default found in the data.
        ended: when it ended; by default found with the onset, and with ``began`` given it is still going on.
        **how: as for ``reading``.

    Raises:
        InputError: as ``reading``; a time that is none.
    """
    from incidentnb.analysis import onset as onsets
    from incidentnb.analysis import scope as analysis
    from incidentnb.evidence import series
    from incidentnb.evidence.table import table_of

    zone = times.zone(how.get("zone") or "UTC")
    start, stop = (at and times.parse(at, zone) for at in (began, ended))
    if start and stop and stop <= start:
        raise InputError("--end", f"{ended} is not after the onset {began}")

    def answer(table: LogTable) -> Finding:
        if start is None:
            return analysis.scope(table, onsets.onset(table))
        return analysis.scope(table, times.Interval(start, start, start), stop)

    if _is_csv(paths):
        table = table_of(series.read_rows(paths[0]))
        try:
            return answer(table)
        finally:
            table.close()
    with reading(paths, **how) as table:
        return answer(table)


def patterns(paths: Sequence[str | Path], *, assign: str | Path | None = None, **how: Any) -> Finding:
    """The message patterns of logs, and which are new since the onset where there is one.

    Args:
        paths: log files, folders, globs or ``-``.
        assign: a CSV to write: ``line,pattern`` for every record, and its ``source`` where there are several files.
        **how: as for ``reading``.

    Raises:
        InputError: as ``reading``; ``assign`` cannot be written.
    """
    from incidentnb.analysis import onset as onsets
    from incidentnb.analysis import patterns as analysis

    with reading(paths, dated=False, **how) as table:
        if assign is not None:
            frame = analysis.assign(table)
            frame["pattern"] = [sinks.csv_cell(pattern) for pattern in frame["pattern"]]
            try:
                frame.to_csv(assign, index=False, columns=["line", "pattern", *(["source"] if frame["source"].nunique() > 1 else [])])
            except OSError as error:
                raise InputError(str(assign), f"cannot be written: {error.strerror or error}") from None
        return analysis.patterns(table, onsets.onset(table))


def services(paths: Sequence[str | Path], *, baseline: Sequence[str | Path] = (), at: str | None = None, **how: Any) -> Finding:
    """The service at fault, from logs, spans and metrics told apart by their columns.

    Args:
        paths: files, folders and globs of logs, spans (CSV, JSON lines, Jaeger, Zipkin, OTLP) and metrics (CSV in long form).
        baseline: the same of a quiet time; without it what lies before the onset is compared with.
        at: when it began, as a person says it; by default found in the logs, and with ``baseline`` all of ``paths`` is of the incident.
        **how: as for ``reading``.

    Returns:
        The finding of ``analysis.services``; its numbers have ``read`` too: {path, kind, rows, left_out, of: ``incident`` or ``baseline``}.

    Raises:
        InputError: as ``reading``; spans or metrics that are damaged; a time that is none.
    """
    from dataclasses import replace

    from incidentnb.analysis import onset as onsets
    from incidentnb.analysis import services as analysis
    from incidentnb.evidence import telemetry

    start = times.parse(at, times.zone(how.get("zone") or "UTC")) if at else None
    read: list[dict[str, Any]] = []
    with ExitStack() as open_tables:
        told = []
        for given, of in ((paths, "incident"), (baseline, "baseline")):
            sorted_out = telemetry.sort_out(given) if given else telemetry.Telemetry()
            table = open_tables.enter_context(reading(sorted_out.logs, **how)) if sorted_out.logs else None
            logs = [{"path": e["path"], "kind": "logs", "rows": e["parsed"], "left_out": e["rejected"]} for e in (table.inputs if table else ())]
            read += [{**entry, "of": of} for entry in (*logs, *sorted_out.read)]
            told.append(analysis.Told(table, sorted_out.spans, sorted_out.metrics))
        now, before = told
        onset = start if start is not None or baseline or now.table is None else onsets.onset(now.table)
        found = analysis.services(now, onset, before if baseline else None)
    return replace(found, numbers={**found.numbers, "read": read})


def formats(paths: Sequence[str | Path], **how: Any) -> list[dict[str, Any]]:
    """What each file is: format, family, line counts, first and last time, zone and how it is known.

    Raises:
        InputError: a path is missing, or nothing there is a log.
    """
    from incidentnb.evidence import reader

    with tempfile.TemporaryDirectory(prefix="incidentnb-", ignore_cleanup_errors=True) as folder:
        manifest = reader.read(list(paths), Path(folder), **how)
    return [{k: v for k, v in entry.items() if k != "parts"} for entry in manifest["inputs"]]


def known_formats(formats_dir: str | Path | None = None) -> list[dict[str, Any]]:
    """The formats that are read, the user's own among them: name, family, what they are.

    Raises:
        InputError: a format file is wrong (file:line).
    """
    from incidentnb.evidence import formats as room

    known = room.load([Path(formats_dir)] if formats_dir else [])
    return [{"name": name, "title": known[name].title, "family": known[name].family} for name in sorted(known)]


def _is_csv(paths: Sequence[str | Path]) -> bool:
    return len(paths) == 1 and str(paths[0]).lower().endswith(".csv")
