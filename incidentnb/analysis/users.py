"""How many of how many users are hit? Distinct users with a failure, of distinct users seen, between onset and end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from incidentnb.analysis.rates import percent
from incidentnb.analysis.spans import literal, quoted, spans
from incidentnb.findings import CANNOT_TELL, Finding

if TYPE_CHECKING:
    from incidentnb.evidence.table import LogTable

KNOWN_SHARE = 0.1  # a user name on fewer records than this is an administrator's log-in, not the traffic


def users(table: LogTable, onset: Finding) -> Finding:
    """The users with a failed request between onset and end.

    Method: exact distinct counts, ``|{user: failing > 0}|`` of ``|{user}|``, in one pass grouped by user; client addresses stand in where fewer than
    a tenth of the requests name a user. Complexity: one pass over two columns, memory by the number of users. Source: counting.

    Returns:
        Verdict ``counted`` or ``cannot tell``; numbers ``affected``, ``total``, ``by`` (``user``, or ``client`` address where no user
        is known), ``share``, ``unknown`` (requests without one). No frame.
    """
    span = spans(table, onset)
    if span is None:
        return _cannot("no onset is known", table)
    by, rows, known = _by(table, span)
    if by is None:
        return _cannot("no record names a user or a client address", table)
    query = (f"SELECT count(*) AS total, count(*) FILTER (hit) AS affected FROM (SELECT {quoted(by)} AS who, bool_or(failing > 0) AS hit "
             f"FROM outcomes {span['during']} AND {quoted(by)} IS NOT NULL GROUP BY {quoted(by)})")
    got = table.row(query)
    affected, total = int(got["affected"]), int(got["total"])
    share = affected / total if total else 0.0
    who = "users" if by == "user" else "client addresses (no user is known)"
    notes = [f"{rows - known:,} of {rows:,} requests name no {'user' if by == 'user' else 'client'}."] if known < rows else []
    if by == "client":
        notes.append("A client address is not a person: several people may share one, and one person may have several.")
    return Finding("users", "counted", f"{affected:,} of {total:,} {who} had at least one failure ({percent(share)}).",
                   f"distinct {by}s between onset and end", {"affected": affected, "total": total, "by": by, "share": share,
                                                             "unknown": rows - known}, None, query, table.digest, tuple(notes))


def users_in(table: LogTable, span: Mapping[str, Any], wheres: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | None]:
    """Per description the distinct users with a failure in it, of the distinct users seen in it, between onset and end.

    Returns:
        ``affected``, ``total``, ``by`` as of ``users`` for each; ``None`` where no record names a user or a client.
    """
    by, _, _ = _by(table, span) if wheres else (None, 0, 0)
    if by is None:
        return [None] * len(wheres)
    asked = [" AND ".join(f"{quoted(c)} IS NULL" if v is None else f"CAST({quoted(c)} AS VARCHAR) = {literal(str(v))}" for c, v in where.items())
             for where in wheres]
    bits = " + ".join(f"CASE WHEN {w} THEN {1 << i} ELSE 0 END" for i, w in enumerate(asked))
    sums = ", ".join(f"count(*) FILTER (seen & {1 << i} > 0) AS total{i}, count(*) FILTER (hit & {1 << i} > 0) AS affected{i}"
                     for i in range(len(asked)))
    got = table.row(f"SELECT {sums} FROM (SELECT bit_or(mask) AS seen, bit_or(CASE WHEN failing > 0 THEN mask ELSE 0 END) AS hit "
                    f"FROM (SELECT {quoted(by)} AS who, failing, {bits} AS mask FROM outcomes {span['during']} AND {quoted(by)} IS NOT NULL) "
                    "GROUP BY who)")
    return [{"affected": int(got[f"affected{i}"]), "total": int(got[f"total{i}"]), "by": by} for i in range(len(asked))]


def _by(table: LogTable, span: Mapping[str, Any]) -> tuple[str | None, int, int]:
    """``user``, or ``client`` where hardly one is named, or ``None``; the records of the span, and how many name it."""
    got = table.row(f'SELECT count(*) AS n, count("user") AS named, count(client) AS addressed FROM outcomes {span["during"]}')
    if got["named"] and got["named"] >= KNOWN_SHARE * got["n"]:
        return "user", got["n"], got["named"]
    return ("client", got["n"], got["addressed"]) if got["addressed"] else (None, got["n"], 0)


def _cannot(why: str, table: LogTable) -> Finding:
    return Finding("users", CANNOT_TELL, f"How many users are hit cannot be told: {why}.", why,
                   {"affected": None, "total": None, "by": None}, evidence=table.digest)
