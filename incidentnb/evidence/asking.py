"""One number out of the log table, by a query that somebody wrote: it reads the log and nothing else."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import TYPE_CHECKING

from incidentnb.evidence import table as tables
from incidentnb.exceptions import InputError

if TYPE_CHECKING:
    from incidentnb.evidence.table import LogTable

SECONDS = 20.0  # that a query may take


def number(log: LogTable, sql: str, seconds: float = SECONDS) -> float | None:
    """What one SELECT over ``log`` and ``outcomes`` says, as of the table's ``as_of``; ``None`` where it is NULL.

    The query runs on a connection of its own, which may read the parts of the evidence and no other file, and cannot be told otherwise.

    Args:
        log: the log table; its folder's evidence is opened anew.
        sql: one SELECT that gives one row of one number.
        seconds: how long it may take.

    Raises:
        InputError: it is no single SELECT, fails, takes too long, or gives anything but one number.
    """
    import duckdb

    if log.folder is None:
        raise InputError("query", "this table lies in no folder", "read the logs first")
    with tables.locked(log.folder, log.as_of) as connection:
        try:
            statements = connection.extract_statements(sql)
        except duckdb.Error as error:
            raise InputError("query", _first_line(error), "one SELECT over log and outcomes") from None
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise InputError("query", "is not one SELECT", "one SELECT over log and outcomes that gives one number")
        timer = threading.Timer(seconds, connection.interrupt)
        timer.start()
        try:
            rows = connection.execute(sql).fetchmany(2)
        except duckdb.InterruptException:
            raise InputError("query", f"took longer than {seconds:g} s", "ask for less") from None
        except duckdb.Error as error:
            raise InputError("query", _first_line(error), "one SELECT over log and outcomes") from None
        finally:
            timer.cancel()
    if len(rows) != 1 or len(rows[0]) != 1:
        raise InputError("query", "does not give one number" if rows else "gives no row", "SELECT count(*) FROM outcomes WHERE …")
    value = rows[0][0]
    if value is None:
        return None
    if isinstance(value, bool | int | float | Decimal):
        return float(value)
    raise InputError("query", f"gives {type(value).__name__}, not a number", "count(*), avg(failed), …")


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:200]
