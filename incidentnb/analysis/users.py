"""How many of how many users are hit? Distinct users with a failure, of distinct users seen, between onset and end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from incidentnb.analysis.rates import percent
from incidentnb.analysis.scope import spans
from incidentnb.findings import CANNOT_TELL, Finding

if TYPE_CHECKING:
    from incidentnb.evidence.table import LogTable

KNOWN_SHARE = 0.1  # a user name on fewer records than this is an administrator's log-in, not the traffic


def users(table: LogTable, onset: Finding) -> Finding:
    """The users with a failed request between onset and end.

    Returns:
        Verdict ``counted`` or ``cannot tell``; numbers ``affected``, ``total``, ``by`` (``user``, or ``client`` address where no user
        is known), ``share``, ``unknown`` (requests without one). No frame.
    """
    span = spans(table, onset)
    if span is None:
        return _cannot("no onset is known", table)
    query = f"""SELECT count(*) AS rows, count("user") AS named, count(client) AS addressed,
count(DISTINCT "user") AS users, count(DISTINCT "user") FILTER (WHERE failing > 0) AS users_hit,
count(DISTINCT client) AS clients, count(DISTINCT client) FILTER (WHERE failing > 0) AS clients_hit
FROM outcomes {span['during']}"""
    got = table.row(query)
    if got["named"] and got["named"] >= KNOWN_SHARE * got["rows"]:
        by, affected, total, known = "user", got["users_hit"], got["users"], got["named"]
    elif got["addressed"]:
        by, affected, total, known = "client", got["clients_hit"], got["clients"], got["addressed"]
    else:
        return _cannot("no record names a user or a client address", table)
    share = affected / total if total else 0.0
    who = "users" if by == "user" else "client addresses (no user is known)"
    notes = [f"{got['rows'] - known:,} of {got['rows']:,} requests name no {'user' if by == 'user' else 'client'}."] if known < got["rows"] else []
    if by == "client":
        notes.append("A client address is not a person: several people may share one, and one person may have several.")
    return Finding("users", "counted", f"{affected:,} of {total:,} {who} had at least one failure ({percent(share)}).",
                   f"distinct {by}s between onset and end", {"affected": affected, "total": total, "by": by, "share": share,
                                                             "unknown": got["rows"] - known}, None, query, table.digest, tuple(notes))


def _cannot(why: str, table: LogTable) -> Finding:
    return Finding("users", CANNOT_TELL, f"How many users are hit cannot be told: {why}.", why,
                   {"affected": None, "total": None, "by": None}, evidence=table.digest)
