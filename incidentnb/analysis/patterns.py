"""Which messages are new since the onset, which have vanished or grown? Message shapes, counted before and since."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from incidentnb.analysis.masks import first_line_sql, masked_sql
from incidentnb.analysis.newness import Counted, Exposure, change, judge
from incidentnb.analysis.scope import instant, spans
from incidentnb.findings import CANNOT_TELL, Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from incidentnb.analysis.newness import Judged
    from incidentnb.analysis.traces import Trace
    from incidentnb.evidence.table import LogTable

__all__ = ["assign", "change", "patterns"]

MOST_MASKED, SHOWN = 20_000, 40
ALL_UP_TO = 250_000  # so many records are all read; of more than that so many at WARN and above and so many below it:
MOST_LOUD, MOST_QUIET = 100_000, 60_000
MOST_SLOTS = 600  # of one time before the onset
_REQUEST = f"concat_ws(' ', method, coalesce(route, {masked_sql('path')}), CAST(http_status AS VARCHAR))"  # of a record without a message
_LOUD = ("WARN", "ERROR", "FATAL")
_IS_LOUD = "coalesce(level IN ('WARN', 'ERROR', 'FATAL'), false)"
_NEVER = "TIMESTAMP '9999-01-01'"


def patterns(table: LogTable, onset: Finding | None = None) -> Finding:
    """The message shapes, the new ones first.

    Method: what varies by its look is masked, distinct masked lines are grouped (a Brain-like grouping: Yu et al. 2023, "Brain: Log parsing
    with bidirectional parallel tree", with the masks of Drain: He et al. 2017), a record with a stack trace by its innermost exception and
    root frame (``traces``). Each pattern's count since the onset is judged against its count before, given exposure in time and in
    requests (``newness``: p = r^n for a new one, quasi-Poisson for grown and vanished ones, false discoveries at most 5 %).
    Complexity: one scan of the records; of more than 250,000 at most some 100,000 loud and 60,000 other ones are masked, chosen by a hash
    of their line, and counts are estimated from them; O(m) for m distinct masked lines of bounded length.

    Returns:
        Verdict ``new patterns``, ``no new pattern``, ``listed`` (without an onset) or ``cannot tell``; numbers ``patterns`` [{pattern,
        count_before, count_during, new, grown, vanished, ratio (of the rates, since to before), p_value, first, last, level, example,
        exception, frame}] with new ones first (those at WARN and above before the others), then grown, vanished and frequent ones;
        ``example`` is ``file:line  text`` of a real record, since the onset where there is one; ``exception`` and ``frame`` of a stack
        trace, else ``None``; ``count_before``, ``ratio`` and ``p_value`` are ``None`` without an onset; ``distinct`` shapes in all,
        ``new``, ``grown``, ``vanished`` of them; ``records`` with a message, ``ungrouped`` of them; ``sampled`` (one in so many);
        ``least``, from which count on a lone pattern is called new. Frame: the same with readable names.
    """
    span = _span(table, onset)
    read = _reading(table, span)
    if read is None:
        return _cannot("no record has a message", table)
    exposure = read.exposure
    query = _query(table, read, span)
    got = table.frame(query)
    if not len(got):
        return _cannot("no record with a message lies in the window", table)
    groups = _grouped(got)
    judged = judge([g["counted"] for g in groups], exposure) if exposure else [None] * len(groups)
    entries = _entries(groups, judged)
    grouped = sum((e["count_before"] or 0) + e["count_during"] for e in entries)
    ungrouped = read.records - grouped if read.loud == read.quiet == 1 else 0
    kinds = {kind: sum(bool(e[kind]) for e in entries) for kind in ("new", "grown", "vanished")}
    numbers = {"patterns": entries[:SHOWN], "distinct": len(entries), **kinds, "records": read.records, "ungrouped": ungrouped,
               "sampled": max(read.loud, read.quiet), "least": exposure.least if exposure else None}
    verdict, sentence, why = _answer(entries, kinds, exposure)
    return Finding("patterns", verdict, sentence, why, numbers, _frame(entries[:SHOWN]), query, table.digest, _notes(read, ungrouped))


def assign(table: LogTable) -> pd.DataFrame:
    """The pattern of every record.

    Method and sources as ``patterns``; every record is masked, in the engine. Complexity: O(records) in the engine, O(m) for m distinct
    masked lines in Python.

    Returns:
        A frame ``source``, ``line``, ``pattern``, in order of source and line.
    """
    import pandas as pd

    got = table.frame(f"SELECT source, line, {_keys(table)} FROM log ORDER BY source, line")
    traced = got["kept"].notna().any()
    codes, distinct = pd.factorize(pd.MultiIndex.from_frame(got[["masked", "request", "kept"]]) if traced else
                                   got["masked"].where(~got["request"], "\0" + got["masked"]))
    rows = list(distinct) if traced else [(line.removeprefix("\0"), line.startswith("\0"), None) for line in distinct]
    counts = pd.Series(codes).value_counts(sort=False).sort_index()
    shapes, _ = _shapes(rows, [int(n) for n in counts])
    return pd.DataFrame({"source": got["source"], "line": got["line"], "pattern": pd.Series(shapes).take(codes).to_numpy()})


def _keys(table: LogTable, messages: bool = False) -> str:
    """SQL of what a record is grouped by: ``masked`` (first line), whether it is a ``request`` without a message, ``kept`` of its trace or NULL.

    With ``messages`` all records have one, and the columns of a request need not be read.
    """
    from incidentnb.analysis import traces

    kept = traces.key_sql(traces.text_sql("message", traces.columns(table.columns)))
    if messages:
        return f"{masked_sql('message')} AS masked, false AS request, {kept} AS kept"
    masked = f"CASE WHEN message IS NULL THEN coalesce({_REQUEST}, '') ELSE {masked_sql('message')} END"
    return f"{masked} AS masked, message IS NULL AS request, {kept} AS kept"


def _shapes(rows: Sequence[tuple[str, bool, Any]], weights: Sequence[int]) -> tuple[list[str], list[Trace | None]]:
    """The shape of each distinct (masked, request, kept), and the folded traces; a request is its own shape, its route has no ids in it."""
    from incidentnb.analysis import masks, mining, traces

    folded = [traces.fold(kept) if isinstance(kept, str) else None for _, _, kept in rows]
    answer = [masked if trace is None else trace.shape(masks.second(masked)) for (masked, _, _), trace in zip(rows, folded, strict=True)]
    plain = [i for i, trace in enumerate(folded) if trace is None and not rows[i][1]]
    weight: dict[str, int] = {}
    for i in plain:
        weight[rows[i][0]] = weight.get(rows[i][0], 0) + weights[i]
    shape = dict(zip(weight, mining.shapes(list(weight), list(weight.values())), strict=True))
    for i in plain:
        answer[i] = shape[rows[i][0]]
    return answer, folded


@dataclass(frozen=True)
class _Reading:
    """What is read: the condition on records, how many there are, one in how many of the loud and of the other ones."""

    where: str
    messages: bool
    records: int
    loud: int
    quiet: int
    exposure: Exposure | None

    @property
    def worth(self) -> str:
        """How many records a read one stands for, in SQL."""
        return str(self.loud) if self.loud == self.quiet else f"CASE WHEN {_IS_LOUD} THEN {self.loud} ELSE {self.quiet} END"


def _reading(table: LogTable, span: dict[str, Any] | None) -> _Reading | None:
    """What there is, counted in one pass; ``None`` where there is nothing to read.

    Where levels decide the outcome, what did not fail stands for the requests: a flood of errors is no traffic. The counts are of CASE,
    which the engine takes in half the time of as many aggregates that each have a FILTER.
    """
    window, since = _window(span), span["in_during"] if span else "true"
    total = "total" if {"total", "failing"} <= table.columns.keys() else "1"
    traffic = "failed IS NOT NULL" + (" AND NOT failed" if table.outcome == "level" else "")
    got = table.row(f"""SELECT count(message) AS rows, count(CASE WHEN message IS NOT NULL AND {_IS_LOUD} THEN 1 END) AS loud,
        min(time) AS first, max(time) AS last, sum(CASE WHEN {traffic} THEN {total} ELSE 0 END) AS requests,
        sum(CASE WHEN {traffic} AND {since} THEN {total} ELSE 0 END) AS d
        FROM log WHERE {window}""")
    messages, said = bool(got["rows"]), "message IS NOT NULL"
    if not messages:
        said = "(method IS NOT NULL OR route IS NOT NULL)"
        got |= {"rows": table.row(f"SELECT count(*) AS n FROM log WHERE {window} AND {said}")["n"], "loud": 0}
    if not got["rows"]:
        return None
    rows, loud = got["rows"], got["loud"]
    every = [max(1, math.ceil(n / most)) if rows > ALL_UP_TO else 1 for n, most in ((loud, MOST_LOUD), (rows - loud, MOST_QUIET))]
    if not messages:
        every[0] = every[1]
    where = f"{window} AND {said}"
    if max(every) > 1:  # by a hash of the line, so that the same records are read each time
        low, high = ((2**64 - 1) // n for n in every)
        where += f" AND hash(line) <= CASE WHEN {_IS_LOUD} THEN {low}::UBIGINT ELSE {high}::UBIGINT END"
    return _Reading(where, messages, rows, *every, exposure=_exposure(got, span) if span else None)


def _window(span: dict[str, Any] | None) -> str:
    """Before or since as one condition: the plain one where nothing lies between the two and there is no end, as that is quick to tell."""
    if span is None:
        return "true"
    return "time IS NOT NULL" if span["stop"] is None and span["until"] == span["start"] else f"({span['in_before']} OR ({span['in_during']}))"


def _exposure(got: dict[str, Any], span: dict[str, Any]) -> Exposure:
    known = got["first"] is not None
    stop = min(span["stop"], got["last"]) if known and span["stop"] else got["last"] if known else span["start"]
    before = max(0.0, (span["until"] - got["first"]).total_seconds()) if known else 0.0
    during = max(1e-3, (stop - span["start"]).total_seconds()) if known and got["last"] >= span["start"] else 0.0
    since = float(got["d"] or 0)
    return Exposure(before, during, float(got["requests"] or 0) - since, since, max(1.0, during / 30, before / MOST_SLOTS))


def _span(table: LogTable, onset: Finding | None) -> dict[str, Any] | None:
    """As ``spans``, with ``until``, where the time before ends."""
    found = spans(table, onset) if onset is not None else None
    return found and {**found, "until": min(found["start"], onset.numbers["onset"].earliest)}


def _query(table: LogTable, read: _Reading, span: dict[str, Any] | None) -> str:
    """One row per masked line and trace: counts, the slots it came in and how often (once for each level), first and last times, one example."""
    since, at, until = (span["in_during"], instant(span["start"]), instant(span["until"])) if span else ("true", _NEVER, _NEVER)
    slot = f"CAST(floor((epoch_us(time) - epoch_us({at})) / {read.exposure.width * 1e6}) AS INTEGER)" if read.exposure else "0"
    said = first_line_sql("message") if read.messages else _REQUEST
    return f"""SELECT masked, request, kept, sum(n) AS n, list(slot) AS slots, list(level) AS levels, list(n) AS counts,
  min(first) AS first, max(last) AS last,
  coalesce(sum(worth) FILTER (NOT since), 0) AS before, coalesce(sum(worth) FILTER (since), 0) AS during,
  epoch_us(max(last)) / 1e6 - epoch_us({at}) / 1e6 AS last_s,
  epoch_us(max(last) FILTER (NOT since)) / 1e6 - epoch_us({until}) / 1e6 AS last_before_s,
  arg_min(one, rank) AS one, min(rank) AS rank
FROM (SELECT masked, request, kept, slot, since, count(*) AS n, sum(worth) AS worth, min(time) AS first, max(time) AS last, level,
    arg_min(one, rank) AS one, min(rank) AS rank
  FROM (SELECT {_keys(table, read.messages)}, {slot} AS slot, {since} AS since, {read.worth} AS worth, time, level,
      struct_pack(source, line, said := left({said}, 1000)) AS one,
      coalesce(time, {_NEVER}) + to_microseconds(coalesce(line, 0) % 1000) + CASE WHEN {since} THEN INTERVAL 0 DAY ELSE INTERVAL 36500 DAY END AS rank
    FROM log WHERE {read.where})
  GROUP BY masked, request, kept, slot, since, level)
GROUP BY masked, request, kept ORDER BY n DESC, masked, kept LIMIT {MOST_MASKED}"""


def _grouped(got: pd.DataFrame) -> list[dict[str, Any]]:
    """One dict per shape: ``pattern``, what ``newness`` judges (``counted``), weighted ``before`` and ``during``, times, example, trace."""
    rows = list(got[["masked", "request", "kept"]].itertuples(index=False, name=None))
    shapes, folded = _shapes(rows, [int(n) for n in got["n"]])
    groups: dict[str, list[int]] = {}
    for i, shape in enumerate(shapes):
        groups.setdefault(shape, []).append(i)
    columns = {name: got[name].tolist() for name in got.columns}
    return [_group(shape, rows, columns, folded) for shape, rows in groups.items()]


def _group(shape: str, rows: list[int], columns: dict[str, list], folded: list[Any]) -> dict[str, Any]:
    slots: dict[int, int] = {}
    levels: dict[str, int] = {}
    for i in rows:
        for slot, level, n in zip(columns["slots"][i], columns["levels"][i], columns["counts"][i], strict=True):
            slots[slot] = slots.get(slot, 0) + int(n)
            if isinstance(level, str):
                levels[level] = levels.get(level, 0) + int(n)
    chosen = min(rows, key=lambda i: (columns["rank"][i], columns["masked"][i], str(columns["kept"][i])))
    real = [i for i in rows if columns["last_s"][i] == columns["last_s"][i]]
    counted = Counted(sum(n for s, n in slots.items() if s < 0), sum(n for s, n in slots.items() if s >= 0), slots,
                      max((columns["last_before_s"][i] for i in real if columns["last_before_s"][i] == columns["last_before_s"][i]), default=0.0),
                      max((columns["last_s"][i] for i in real), default=0.0))
    one, dated = columns["one"][chosen], [i for i in rows if columns["first"][i] == columns["first"][i]]
    return {"pattern": shape, "counted": counted, "before": int(sum(columns["before"][i] for i in rows)),
            "during": int(sum(columns["during"][i] for i in rows)), "trace": folded[chosen],
            "level": max(levels, key=lambda level: (levels[level], level), default=None),
            "first": min((columns["first"][i] for i in dated), default=None), "last": max((columns["last"][i] for i in dated), default=None),
            "example": f"{one['source'] or ''}:{one['line'] if one['line'] is not None else ''}  {one['said'] or ''}"}


def _entries(groups: list[dict[str, Any]], judged: list[Judged | None]) -> list[dict[str, Any]]:
    ranked = []
    for group, j in zip(groups, judged, strict=True):
        loud = group["level"] in _LOUD
        order = (4, -group["during"] - group["before"])
        if j is not None and (j.new or j.grown or j.vanished):
            order = (0 if loud else 1, -group["during"]) if j.new else (2, -j.gain) if j.grown else (3, -group["before"])
        first, last = (None if t is None else t.to_pydatetime() for t in (group["first"], group["last"]))
        trace = group["trace"]
        ranked.append((order, {
            "pattern": group["pattern"], "count_before": None if j is None else group["before"], "count_during": group["during"],
            "new": j is not None and j.new, "grown": j is not None and j.grown, "vanished": j is not None and j.vanished,
            "ratio": None if j is None else round(j.ratio, 4), "p_value": None if j is None else j.p_value, "first": first, "last": last,
            "level": group["level"], "example": group["example"], "exception": trace.exception or None if trace else None,
            "frame": trace.frame.where if trace else None}))
    return [entry for _, entry in sorted(ranked, key=lambda item: (item[0], item[1]["pattern"]))]


def _answer(entries: list[dict[str, Any]], kinds: dict[str, int], exposure: Exposure | None) -> tuple[str, str, str]:
    """Verdict, sentence and what it rests on."""
    count, top = len(entries), entries[0]
    named = f"{top['count_during']:,} × {top['pattern']}"
    if exposure is None:
        return "listed", f"{count:,} message patterns; the most frequent, {named}.", "no onset to compare with"
    if exposure.before_s <= 0 or exposure.during_s <= 0:
        why = f"there is no record {'before' if exposure.before_s <= 0 else 'since'} the onset to compare with"
        return CANNOT_TELL, f"{count:,} message patterns, the most frequent {named}; which are new cannot be told: {why}.", why
    sentence = (f"{kinds['new']:,} of {count:,} message patterns are new since the onset, foremost {named}" if kinds["new"]
                else f"No message pattern of {count:,} is new since the onset")
    sentence += "".join(f"; {kinds[kind]:,} {words}" for kind, words in (("grown", "more than doubled"), ("vanished", "vanished")) if kinds[kind])
    why = (f"counted against {_minutes(exposure.before_s)} before and {_minutes(exposure.during_s)} since"
           + (f", {exposure.before_requests:,.0f} and {exposure.during_requests:,.0f} requests" if len(exposure.shares) > 1 else "")
           + f"; a pattern that came fewer than {exposure.least:,} times since the onset cannot be called new")
    return "new patterns" if kinds["new"] else "no new pattern", sentence + ".", why


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:,.0f} minutes" if seconds >= 120 else f"{seconds:,.0f} seconds"


def _notes(read: _Reading, ungrouped: int) -> tuple[str, ...]:
    notes = [f"Of the records {which} one in {n} was read; their counts are estimates." for which, n in
             (("at WARN and above", read.loud), ("below WARN", read.quiet)) if n > 1]
    if ungrouped > 0:
        notes.append(f"Only the {MOST_MASKED:,} most frequent masked messages were grouped; {ungrouped:,} of {read.records:,} records are in none.")
    return tuple(notes)


def _frame(entries: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    rows = [{"pattern": e["pattern"], "what": next((kind for kind in ("new", "grown", "vanished") if e[kind]), ""),
             "before": e["count_before"], "since": e["count_during"], "level": e["level"], "first": e["first"], "last": e["last"],
             "example": e["example"]} for e in entries]
    return pd.DataFrame(rows, columns=["pattern", "what", "before", "since", "level", "first", "last", "example"])


def _cannot(why: str, table: LogTable) -> Finding:
    return Finding("patterns", CANNOT_TELL, f"Message patterns cannot be told: {why}.", why, {"patterns": []}, _frame([]), evidence=table.digest)
