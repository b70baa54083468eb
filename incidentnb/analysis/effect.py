"""What happened after something was done against it? The failing rate in the complete minutes before and after, in all and where it failed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from incidentnb.analysis import limits
from incidentnb.analysis.rates import percent
from incidentnb.analysis.spans import where_sql, words
from incidentnb.findings import CANNOT_TELL, Finding
from incidentnb.times import Interval, at, spell

if TYPE_CHECKING:
    from incidentnb.evidence.table import LogTable

BEFORE, AFTER = 10, 15  # complete minutes that are looked at, at most
LEAST = 3  # complete minutes after it, for an answer
SURE = 0.975
ALL = "all traffic"
_MINUTE, _SLACK = timedelta(minutes=1), timedelta(seconds=2)  # a minute whose last record came so shortly before its end is complete
_QUERY = """SELECT epoch_us(time) // 60000000 AS slot, sum(total) AS n0, sum(failing) AS f0{parts}
FROM outcomes WHERE time >= $start AND time < $stop GROUP BY slot ORDER BY slot"""


def effect(table: LogTable, done: datetime, onset: Finding | None = None, scope: Finding | None = None, *, name: str = "",
           later: Sequence[tuple[str, datetime]] = ()) -> Finding:
    """The failing rate before and after an instant, for all traffic and for each subset that the scope accepts as a cause.

    Method: up to 10 complete minutes before (from the onset on), up to 15 complete minutes after, as far as the log reaches. The rate *fell*
    (*rose*) where the exact 97.5 % limits of the two (Clopper and Pearson 1934) do not meet; the subset decides, where there is one. What
    comes after need not come from it: the sentence says what happened and not why. Complexity: one query over those minutes.

    Args:
        table: the log.
        done: when it was done.
        onset: the finding of ``onset``; without a spike the minutes before are whatever they are.
        scope: the finding of ``scope``.
        name: what was done, in short: ``M1``.
        later: other things done, ``(name, instant)``; those within the minutes after are told in a note.

    Returns:
        Verdict ``fell``, ``rose``, ``did not change`` or ``cannot tell``. Numbers ``at``, ``until`` (end of the last minute looked at),
        ``minutes_before``, ``minutes_after``, ``parts`` [{name, where, failed_before, total_before, rate_before, failed_after, total_after,
        rate_after, verdict}]. Frame the same, a row a part.
    """
    import pandas as pd

    called = name or "it"
    floor = done.replace(second=0, microsecond=0)
    first_after = floor if floor == done else floor + _MINUTE
    span = table.span
    start = max(floor - BEFORE * _MINUTE, _begin(onset), _whole(span.start) if span else floor)
    whole = int((span.end + _SLACK - first_after) / _MINUTE) if span else 0
    after, before = max(0, min(whole, AFTER)), max(0, int((floor - start) / _MINUTE))
    stop = first_after + after * _MINUTE
    numbers: dict[str, Any] = {"at": done, "until": stop, "minutes_before": before, "minutes_after": after, "parts": []}
    if after < LEAST or not before:
        ended = span is None or span.end <= done
        why = ("the log ends before it" if ended else f"the log reaches only {_minutes(after)} beyond it" if before else
               "the log has no complete minute before it")
        return Finding(f"effect-{name or 'it'}", CANNOT_TELL, f"What came of {called} cannot be told: {why}.", why, numbers, evidence=table.digest)
    causes = [entry["where"] for entry in (scope.numbers.get("subsets", ()) if scope else ()) if entry.get("cause")]
    parts, params = "", {}
    for i, where in enumerate(causes, 1):
        condition, given = where_sql(where, f"w{i}_")
        parts += f",\nsum(total) FILTER (WHERE {condition}) AS n{i}, sum(failing) FILTER (WHERE {condition}) AS f{i}"
        params |= given
    query = _QUERY.format(parts=parts)
    got = table.frame(query, {"start": start, "stop": stop, **params}).fillna(0)
    split, early = int(first_after.timestamp()) // 60, int(floor.timestamp()) // 60
    rows = []
    for i, where in enumerate([{}, *causes]):
        sides = [(int(side[f"f{i}"].sum()), int(side[f"n{i}"].sum())) for side in (got[got["slot"] < early], got[got["slot"] >= split])]
        rows.append(_part(words(where) if where else ALL, where, *sides))
    numbers["parts"] = rows
    verdict = next((row["verdict"] for row in rows[1:] if row["verdict"] != CANNOT_TELL), rows[0]["verdict"])
    how = "cannot be compared" if verdict == CANNOT_TELL else verdict.replace("not", "not clearly")
    sentence = f"Failures {how}: {'; '.join(_told(row) for row in rows)}; {_minutes(before)} before {at(done)} and {after} after."
    frame = pd.DataFrame([{key: value for key, value in row.items() if key != "where"} for row in rows])
    notes = [f"{other} was done {spell(moment - done)} later, within the minutes looked at." for other, moment in later if done < moment < stop]
    if verdict == CANNOT_TELL:
        return Finding(f"effect-{name or 'it'}", verdict, sentence, "too few requests to compare", numbers, frame, query, table.digest, tuple(notes))
    return Finding(f"effect-{name or 'it'}", verdict, sentence, f"the failing rate {verdict}; what came after need not have come from it", numbers,
                   frame, query, table.digest, tuple(notes))


def _part(name: str, where: dict[str, Any], before: tuple[int, int], after: tuple[int, int]) -> dict[str, Any]:
    (f0, n0), (f1, n1) = before, after
    if not n0 or not n1:
        verdict = CANNOT_TELL
    elif limits.upper(f1, n1, SURE) < limits.lower(f0, n0, SURE):
        verdict = "fell"
    else:
        verdict = "rose" if limits.lower(f1, n1, SURE) > limits.upper(f0, n0, SURE) else "did not change"
    return {"name": name, "where": where, "failed_before": f0, "total_before": n0, "rate_before": f0 / n0 if n0 else None, "failed_after": f1,
            "total_after": n1, "rate_after": f1 / n1 if n1 else None, "verdict": verdict}


def _told(row: dict[str, Any]) -> str:
    if not row["total_after"]:
        return f"{row['name']} has no request since ({row['total_before']:,} before)"
    if not row["total_before"]:
        return f"{row['name']} {percent(row['rate_after'])} ({row['failed_after']:,} of {row['total_after']:,}), no request before"
    return (f"{row['name']} {percent(row['rate_before'])} → {percent(row['rate_after'])} ({row['failed_before']:,} of {row['total_before']:,}, then "
            f"{row['failed_after']:,} of {row['total_after']:,})")


def _begin(onset: Finding | None) -> datetime:
    """The first whole minute of the impact; the beginning of time where none is known."""
    found = onset.numbers.get("onset") if onset and onset.verdict == "spike" else None
    return _whole(found.latest) if isinstance(found, Interval) else datetime.min.replace(tzinfo=UTC)


def _whole(moment: datetime) -> datetime:
    floor = moment.replace(second=0, microsecond=0)
    return floor if floor == moment else floor + _MINUTE


def _minutes(count: int) -> str:
    return "1 complete minute" if count == 1 else f"{count} complete minutes"
