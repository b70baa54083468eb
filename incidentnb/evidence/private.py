"""What the log table itself says is secret or personal, by the names of its columns: the values that no export may show without asking."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from incidentnb.evidence import table
from incidentnb.evidence.table import COLUMNS, LogTable

MOST = 20_000  # values of a column that are kept
_TEXTS = ("message", "path", "route", "source", "level", "method", "service", "version", "host", "trace_id")  # columns of ours that name nobody


def values(log: LogTable | Path | str, words: Iterable[str], kind_of: Callable[[str], str], personal: Iterable[str]) -> dict[str, str]:
    """Value → kind of what stands in columns whose names tell that it is secret or personal.

    Secrets are listed whatever they are, up to ``MOST`` of a column; of personal data only what occurs among the words of a page, so that a million
    lines are asked quickly.

    Args:
        log: the log table, or the folder of the evidence.
        words: what the page that is to be exported consists of.
        kind_of: the kind that the name of a field tells, empty for none.
        personal: the kinds that are personal data.

    Raises:
        InputError: the folder holds no evidence.
    """
    if not isinstance(log, LogTable):
        opened = table.open_table(log)
        try:
            return values(opened, words, kind_of, personal)
        finally:
            opened.close()
    kinds = {name: kind_of(name) for name, engine in log.columns.items() if engine == "VARCHAR" and not (name in COLUMNS and name in _TEXTS)}
    telling, found = set(personal), {}
    seen = sorted({word for word in words if 2 < len(word) <= 200})
    for name, kind in kinds.items():
        if not kind:
            continue
        column = '"' + name.replace('"', '""') + '"'
        if kind not in telling:
            sql, params = f"SELECT DISTINCT {column} AS value FROM log WHERE {column} IS NOT NULL LIMIT {MOST}", {}
        elif seen:
            sql = f"SELECT DISTINCT {column} AS value FROM log WHERE {column} IN (SELECT unnest($seen)) LIMIT {MOST}"
            params = {"seen": seen}
        else:
            continue
        found |= dict.fromkeys((str(value) for value in log.frame(sql, params)["value"]), kind)
    return found
