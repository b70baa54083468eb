"""Answers without an incident: logs or a CSV in, one analysis or all of them out; nothing is left behind."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from incidentnb.analysis.triage import Triage
    from incidentnb.evidence.table import LogTable

Progress = Callable[[int, int | None, int], None]
# How long before the first log line a change may lie and still be looked at.
CHANGES_BEFORE = timedelta(days=1)


@contextmanager
def reading(paths: Sequence[str | Path], **how: Any) -> Iterator[LogTable]:
    """The log table of some files for as long as the block lasts; its folder is removed afterwards, also after an error.

    Args:
        paths: log files, folders, globs or ``-``.
        **how: ``format``, ``zone``, ``year``, ``formats_dir``, ``progress``, as ``evidence.reader.read`` takes them.

    Raises:
        InputError: a path is missing, or nothing there is a log.
    """
    from incidentnb.evidence import reader, table

    with tempfile.TemporaryDirectory(prefix="incidentnb-", ignore_cleanup_errors=True) as folder:
        reader.read(list(paths), Path(folder), **how)
        opened = table.open_table(folder)
        try:
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
        InputError: a path is missing, nothing there is a log, no line has a time.
    """
    from incidentnb.analysis import triage as analysis
    from incidentnb.evidence import changes as sources

    with reading(paths, **how) as table:
        span = table.span
        found, warnings = sources.read_changes(list(changes), list(repos), since=span and span.start - CHANGES_BEFORE,
                                               until=span and span.end)
        return analysis.triage(table, found, warnings)


def formats(paths: Sequence[str | Path], **how: Any) -> list[dict[str, Any]]:
    """What each file is: format, family, line counts, first and last time, zone and how it is known.

    Raises:
        InputError: a path is missing, or nothing there is a log.
    """
    from incidentnb.evidence import reader

    with tempfile.TemporaryDirectory(prefix="incidentnb-", ignore_cleanup_errors=True) as folder:
        manifest = reader.read(list(paths), Path(folder), **how)
    return [{k: v for k, v in entry.items() if k != "parts"} for entry in manifest["inputs"]]
