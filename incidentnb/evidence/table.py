"""The log table: one row per log record, on disk as Parquet, queried here and nowhere else.

No other module knows the engine. A question is one SQL query (DuckDB's dialect, kept to what translates: ``date_trunc``,
``count(*) FILTER``, ``regexp_replace``) over one of two views:

``log``
    every record: the columns of ``COLUMNS``, always all there, plus one VARCHAR column per other field of a structured log.
``outcomes``
    the records that report an outcome (``failed`` is not NULL), with ``total`` and ``failing``: how many requests a row stands
    for and how many of them failed. Rates are ``sum(failing) / sum(total)``.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incidentnb.exceptions import InputError
from incidentnb.times import Window

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

# name → engine type. What each means is in the glossary of the README.
COLUMNS = {
    "time": "TIMESTAMP",  # UTC
    "level": "VARCHAR",  # TRACE DEBUG INFO NOTICE WARN ERROR FATAL
    "service": "VARCHAR", "version": "VARCHAR", "host": "VARCHAR",
    "method": "VARCHAR", "route": "VARCHAR", "path": "VARCHAR", "http_status": "SMALLINT",
    "failed": "BOOLEAN",
    "duration_ms": "DOUBLE",
    "user": "VARCHAR", "client": "VARCHAR", "trace_id": "VARCHAR", "message": "VARCHAR",
    "source": "VARCHAR", "line": "BIGINT",
}
MANIFEST = "manifest.json"
KEPT, KEPT_ROWS = 4, 100_000  # answers that a table keeps for the next one who asks, and how many rows one may have
SCHEMA = "incidentnb/evidence/1"
# A table whose records carry HTTP statuses takes its outcomes from them alone: the level of an application's chatter beside
# an access log is no request. Fewer statuses than this share, and fewer than this many, are an accident of the text.
_STATUS_SHARE, _STATUS_ROWS = 0.01, 200


class LogTable:
    """A read-only view of evidence, as known at ``as_of``.

    Attributes:
        folder: where the Parquet parts and the manifest lie; ``None`` for a table made of a frame.
        inputs: what was read, as in ``formats --json`` (path, format, lines, parsed, continuation, rejected, zone …).
        columns: name → engine type of every column of ``log``.
        digest: digest of the evidence; the same evidence has the same digest on every machine.
        outcome: what decides ``failed``: ``http_status``, ``level``, ``given`` or ``None`` where nothing reports an outcome.
        as_of: no record after this instant is seen; ``None`` for all.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, *, folder: Path | None = None, inputs: list[dict] | None = None,
                 digest: str = "", as_of: datetime | None = None, outcome: str | None = None):
        self._connection = connection
        self.folder, self.inputs, self.digest, self.as_of, self.outcome = folder, inputs or [], digest, as_of, outcome
        self._kept: dict[tuple[str, str], pd.DataFrame] = {}
        described = connection.execute("SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'log'").fetchall()
        self.columns: dict[str, str] = dict(described)

    def frame(self, sql: str, params: Mapping[str, Any] | None = None, *, keep: bool = False) -> pd.DataFrame:
        """The answer to a query as a small pandas frame; instants come back aware UTC.

        Args:
            sql: one SELECT over ``log`` and ``outcomes``; values as ``$name``.
            params: the values; aware instants are taken as UTC.
            keep: several analyses ask just this: keep the answer for the next one. The table never changes, so it stays true.
        """
        asked = (sql, repr(sorted((params or {}).items())))
        if asked in self._kept:
            return self._kept[asked].copy()
        answer = self._connection.execute(sql, {k: _naive(v) for k, v in (params or {}).items()}).df()
        for name, kind in answer.dtypes.items():
            if kind.kind == "M" and getattr(kind, "tz", None) is None:
                answer[name] = answer[name].dt.tz_localize(UTC)
        if keep and len(answer) <= KEPT_ROWS:
            if len(self._kept) >= KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[asked] = answer.copy()
        return answer

    def row(self, sql: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The first row of an answer as a dict of Python values (missing is ``None``); empty where there is none."""
        cursor = self._connection.execute(sql, {k: _naive(v) for k, v in (params or {}).items()})
        names, first = [d[0] for d in cursor.description], cursor.fetchone()
        if first is None:
            return {}
        return {n: v.replace(tzinfo=UTC) if isinstance(v, datetime) else v for n, v in zip(names, first, strict=True)}

    @property
    def span(self) -> Window | None:
        """From the first to the last record's time; ``None`` where nothing is dated."""
        found = self.row("SELECT min(time) AS first, max(time) AS last FROM log")
        return Window(found["first"], found["last"]) if found.get("first") else None

    def __len__(self) -> int:
        return int(self.row("SELECT count(*) AS n FROM log")["n"])

    def close(self) -> None:
        self._connection.close()


def open_table(folder: Path | str, as_of: datetime | None = None) -> LogTable:
    """The log table of an evidence folder.

    Args:
        folder: holds ``manifest.json`` and the Parquet parts that it names.
        as_of: leave out records with a later time, and those without one.

    Raises:
        InputError: the folder holds no evidence, or a part that its manifest names is gone.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    connection = _connect()
    outcome, _ = _open(connection, folder, manifest, as_of)
    inputs = [{k: v for k, v in entry.items() if k != "parts"} for entry in manifest["inputs"]]
    return LogTable(connection, folder=folder, inputs=inputs, digest=manifest["digest"], as_of=as_of, outcome=outcome)


@contextmanager
def locked(folder: Path, as_of: datetime | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the same two views for a query of a stranger: it reads the parts of this evidence, no other file, and sets nothing.

    Raises:
        InputError: as ``open_table``.
    """
    connection = _connect()
    try:
        _, parts = _open(connection, Path(folder), read_manifest(Path(folder)), as_of)
        allowed = ", ".join("'" + str(part).replace("'", "''") + "'" for part in parts)
        for setting in (f"allowed_paths = [{allowed}]", "python_enable_replacements = false", "enable_external_access = false",
                        "lock_configuration = true"):
            connection.execute(f"SET {setting}")
        yield connection
    finally:
        connection.close()


def _open(connection: duckdb.DuckDBPyConnection, folder: Path, manifest: dict[str, Any], as_of: datetime | None
          ) -> tuple[str | None, list[Path]]:
    """Make the views over the parts of a manifest; what decides the outcome, and the parts."""
    parts = [folder / part for entry in manifest["inputs"] for part in entry["parts"]]
    for part in parts:
        if not part.is_file():
            raise InputError(str(part), "evidence named in the manifest is missing", "read the logs again")
    if parts:
        names = ", ".join("'" + str(p).replace("'", "''") + "'" for p in parts)
        connection.execute(f"CREATE VIEW stored AS SELECT * FROM read_parquet([{names}], union_by_name = true)")
    else:
        connection.execute("CREATE VIEW stored AS SELECT " + ", ".join(
            f'CAST(NULL AS {kind}) AS "{name}"' for name, kind in COLUMNS.items()) + " WHERE false")
    outcome = _make_views(connection, as_of, statuses=sum(sum(e["http_statuses"].values()) for e in manifest["inputs"]),
                          rows=sum(e["rows"] for e in manifest["inputs"]))
    return outcome, parts


def table_of(frame: pd.DataFrame, as_of: datetime | None = None) -> LogTable:
    """A log table made of a frame, for rows that come from a CSV and for tests.

    Args:
        frame: any columns; those of ``COLUMNS`` that it lacks are NULL. ``time`` aware UTC. With ``failing`` and ``total`` each
            row stands for ``total`` requests (``outcome`` is ``given``); else ``failed``, ``http_status`` or ``level`` decide.
    """
    connection = _connect()
    data = frame.copy()
    if "time" in data and getattr(data["time"].dtype, "tz", None) is not None:
        data["time"] = data["time"].dt.tz_convert(UTC).dt.tz_localize(None)
    connection.register("given_frame", data)
    connection.execute("CREATE TABLE stored AS SELECT * FROM given_frame")
    connection.unregister("given_frame")
    have = set(data.columns)
    given = {"failing", "total"} <= have or "failed" in have
    statuses = int(data["http_status"].notna().sum()) if "http_status" in have else 0
    outcome = _make_views(connection, as_of, statuses=statuses, rows=len(data), given=given)
    return LogTable(connection, as_of=as_of, outcome=outcome)


def _connect() -> duckdb.DuckDBPyConnection:
    import duckdb

    # never a download, never a surprise: extensions off, memory bounded, spills into a folder of its own
    connection = duckdb.connect(":memory:", config={
        "autoinstall_known_extensions": False, "autoload_known_extensions": False, "memory_limit": "400MB",
        "temp_directory": f"{tempfile.gettempdir()}/incidentnb-spill-{os.getpid()}", "preserve_insertion_order": False})
    connection.execute("SET parquet_metadata_cache = true")  # the footers of a hundred parts are read once, not at every question
    return connection


def _make_views(connection: duckdb.DuckDBPyConnection, as_of: datetime | None, *, statuses: int, rows: int,
                given: bool = False) -> str | None:
    """Create ``log`` and ``outcomes`` over ``stored``; return what decides the outcome."""
    have = {name: kind for name, kind, *_ in connection.execute("DESCRIBE stored").fetchall()}
    weighted = {"failing", "total"} <= have.keys()
    if given or weighted:
        outcome, failed = "given", "(failing > 0)" if weighted else "CAST(failed AS BOOLEAN)"
    elif statuses and (statuses >= _STATUS_ROWS or statuses >= _STATUS_SHARE * rows):
        outcome, failed = "http_status", "(http_status >= 500)"
    elif "level" in have:
        outcome, failed = "level", "(level IN ('ERROR', 'FATAL'))"
    else:
        outcome, failed = None, "CAST(NULL AS BOOLEAN)"
    chosen = []
    for name, kind in COLUMNS.items():
        source = failed if name == "failed" else f'"{name}"' if name in have else "NULL"
        chosen.append(f'CAST({source} AS {kind}) AS "{name}"')
    chosen += ['"' + name.replace('"', '""') + '"' for name in have if name not in COLUMNS]
    until = "" if as_of is None else f" WHERE time <= TIMESTAMP '{_naive(as_of):%Y-%m-%d %H:%M:%S.%f}'"
    connection.execute(f"CREATE VIEW log AS SELECT {', '.join(chosen)} FROM stored{until}")
    columns = "*" if weighted else "*, 1 AS total, CAST(failed AS INTEGER) AS failing"
    connection.execute(f"CREATE VIEW outcomes AS SELECT {columns} FROM log WHERE failed IS NOT NULL")
    return outcome


def _naive(value: Any) -> Any:
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) and value.tzinfo else value


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of an evidence folder.

    Raises:
        InputError: there is none, or it is not one of ours.
    """
    path = Path(folder) / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(str(folder), "holds no evidence", "run incidentnb investigate") from None
    except ValueError:
        raise InputError(str(path), "is damaged", "read the logs again") from None
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise InputError(str(path), f"is no manifest of schema {SCHEMA}", "read the logs again")
    return manifest


def remove(folder: Path) -> None:
    """Remove an evidence folder that was made for the moment."""
    shutil.rmtree(folder, ignore_errors=True)
