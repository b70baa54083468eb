"""What changed before it began? Known changes ranked against the onset and the failing subset. Candidates, never causes."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from incidentnb.analysis.ties import COLUMN, UNTIED, Ties, speaks_of_values
from incidentnb.analysis.weighing import LEAST, NEAR, Weighed, weighed
from incidentnb.findings import CANNOT_TELL, Finding
from incidentnb.times import Interval, at, spell

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from incidentnb.evidence.changes import Change
    from incidentnb.evidence.table import LogTable

SHOWN, FILES, MOST_VALUES = 50, 5, 200


def suspects(changes: Sequence[Change], onset: Finding | Interval, scope: Finding | None = None, *, patterns: Finding | None = None,
             table: LogTable | None = None) -> Finding:
    """The known changes, the likeliest to bear on the incident first.

    Method: a sum of bits, each the log2 of how much likelier one change is than another to be the one: its kind; its nearness before the
    onset (``nearness``: averaged over the interval of the onset, never after its latest instant); what it shares with the failing subset, or
    that it speaks of another one (``ties``): version 7, a value that it names 5, route or service 4, a shared word 1.5, nothing −2, another
    version, service or value −3.5, no live system −5. A certificate that ran out has 3 more; what runs again and again loses log2(1 + earlier
    runs), at most 3; trouble elsewhere or a job that was over before the onset loses 2.5. A commit counts by the deploy (else the merge) that
    holds it, less log2 of its part of that deploy (parts by what they touch); one that no known deploy holds loses 4. Candidates have −5 bits
    or more. The weights are judgement, not fitted: Bayes' rule with round numbers. Complexity: O(n log n) in the changes, linear in their text.

    Args:
        changes: known changes; the same one twice counts once.
        onset: the finding of ``onset``, or the interval itself.
        scope: the finding of ``scope``; without it, or where everyone is hit, only nearness and kind tell.
        patterns: the finding of ``patterns``; its new messages are compared with the words of the changes.
        table: the log table; it tells which services the logs are of and which values do not fail.

    Returns:
        Verdict ``candidates``, ``no known change explains it`` or ``cannot tell``; numbers ``changes`` [{at, kind, id, summary, source,
        rank, reasons, strength, score, service, version, author, authored_at, committed_at, deployed_at, files, files_total}], candidates
        first, then the rest without a rank (``None``), those after the onset last; ``known``, ``tied`` (how many share something with the
        failing subset). ``strength`` is ``strong`` (shares the version, the service or values, or ran out), ``near`` (within a quarter of
        an hour, by time alone) or ``weak``; ``None`` without a rank. Frame: the same with readable names.
    """
    began = onset if isinstance(onset, Interval) else onset.numbers.get("onset")
    known = _once(changes)
    if began is None:
        why = "no onset is known to rank them against"
        listed = [_entry(Weighed(c, Ties(0.0)), None, None) for c in known[:SHOWN]]
        return Finding("suspects", CANNOT_TELL, f"{_count(known)} cannot be ranked: {why}.", why, {"changes": listed}, _frame(listed))
    if not known:
        why = "no change was given: name checkouts with --repo and change files with --changes"
        return Finding("suspects", CANNOT_TELL, f"What changed cannot be told: {why}.", why, {"changes": []}, _frame([]))
    wheres = _wheres(scope)
    services, others = _context(table, wheres)
    scored = weighed(known, began, wheres, services=services, others=others, messages=_messages(patterns))
    scored.sort(key=lambda s: (s.after, -s.bits))
    ranked = [s for s in scored if not s.after and s.bits >= LEAST]
    entries = [_entry(s, began, i + 1 if i < len(ranked) else None) for i, s in enumerate(scored[:SHOWN])]
    notes = () if len(scored) <= SHOWN else (f"{len(scored) - SHOWN:,} further changes are not listed.",)
    tied = sum(s.ties.bits >= COLUMN - 1 and not s.after for s in scored)
    numbers = {"changes": entries, "known": len(known), "tied": tied}
    if not ranked:
        why = _why_none(scored, began, bool(wheres))
        return Finding("suspects", "no known change explains it", f"No known change explains it: {why}.", why, numbers, _frame(entries), notes=notes)
    sentence = _sentence(ranked, scored, began, bool(wheres))
    why = "ranked by nearness to the onset and by what they share with the failing subset" if wheres else \
        "ranked by nearness to the onset: no failing subset is known to compare them with"
    return Finding("suspects", "candidates", sentence, why, numbers, _frame(entries),
                   notes=(*notes, "Candidates, not causes: none is one before a hypothesis about it is supported."))


def _once(changes: Sequence[Change]) -> list[Change]:
    """Each change once, the latest first, in an order that does not hang on that of the input; of doubles the one that says most."""
    ordered = sorted(changes, key=lambda c: (c.at, c.kind, c.id, c.summary, c.service, c.version, len(c.details), c.source), reverse=True)
    once: dict[tuple[Any, ...], Change] = {}
    for change in ordered:
        once.setdefault((change.at, change.kind, change.id, change.service, change.version, change.summary), change)
    return list(once.values())


def _wheres(scope: Finding | None) -> list[dict[str, Any]]:
    if scope is None or scope.verdict != "subset":
        return []
    return [where for entry in scope.numbers.get("subsets", []) if entry.get("cause") for where in (entry["where"], *entry.get("same_as", []))]


def _messages(patterns: Finding | None) -> list[str]:
    found = patterns.numbers.get("patterns", []) if patterns is not None else []
    return [str(p.get("pattern") or "") for p in found if (p.get("new") or p.get("grown")) and p.get("level") not in ("DEBUG", "INFO", "TRACE")][:3]


def _context(table: LogTable | None, wheres: list[dict[str, Any]]) -> tuple[list[str], dict[str, list[str]]]:
    """The services that the logs are of, and the values of the subset's columns, in one query."""
    if table is None:
        return [], {}
    asked = [c for c in dict.fromkeys(["service", *(c for where in wheres for c in where if speaks_of_values(c))]) if c in table.columns]
    lists = [f'list(DISTINCT CAST("{c.replace(chr(34), 2 * chr(34))}" AS VARCHAR)) AS v{i}' for i, c in enumerate(asked)]
    found = table.row(f"SELECT {', '.join(lists)} FROM log") if lists else {}
    values = {c: sorted(v for v in found.get(f"v{i}") or () if v is not None)[:MOST_VALUES] for i, c in enumerate(asked)}
    return values.get("service", []), values


def _strength(s: Weighed) -> str:
    if s.ties.bits >= COLUMN - 1 or (s.change.details.get("expires") and not s.change.details.get("superseded")):
        return "strong"
    return "near" if s.near >= NEAR and not s.ties.against and s.bits >= NEAR + UNTIED else "weak"


def _sentence(ranked: list[Weighed], scored: list[Weighed], began: Interval, subset: bool) -> str:
    first = ranked[0]
    count = _count([s.change for s in scored])
    summary = f": {first.change.summary}" if first.change.summary else ""
    told = f"{_name(first.change)}, {at(first.change.at)}{summary} ({'; '.join(first.words(began))})"
    if _strength(first) == "strong":
        rival = next((s for s in ranked[1:] if s.holder is not first.change and first.holder is not s.change), None)
        close = f" {_name(rival.change)} is about as likely." if rival is not None and first.bits - rival.bits < 1 else ""
        return f"The likeliest of {count} is {told}.{close}"
    nearest = all(s.after or s.change.at <= first.change.at for s in scored)
    which = "the nearest in time" if nearest else "the likeliest by nearness and kind"
    if subset:
        tie = "Hardly anything" if any(s.ties.bits > 0 for s in scored) else "Nothing"
        return f"{tie} ties any of {count} to the failing subset; {which} is {told}."
    return f"{which[0].upper()}{which[1:]} of {count} is {told}; no failing subset is known to tell them apart."


def _why_none(scored: list[Weighed], began: Interval, subset: bool) -> str:
    before = [s for s in scored if not s.after]
    if not before:
        return f"none of {_count([s.change for s in scored])} lies before the onset"
    first = max(before, key=lambda s: s.change.at)
    tie = "nothing ties one of them to the failing subset" if subset else "none lies near before the onset"
    return (f"of {_count([s.change for s in scored])} {len(before):,} lie{'s' if len(before) == 1 else ''} before the onset, and {tie}; "
            f"the last is {_name(first.change)}, {spell(began.at - first.change.at)} before it")


def _name(change: Change) -> str:
    return f"{change.kind} {change.id}".strip()


def _count(changes: Sequence[Change]) -> str:
    return f"{len(changes):,} known change{'' if len(changes) == 1 else 's'}"


def _entry(s: Weighed, began: Interval | None, rank: int | None) -> dict[str, Any]:
    change, details = s.change, s.change.details
    instants = {name: details[name] for name in ("authored_at", "committed_at", "ended_at") if isinstance(details.get(name), datetime)}
    files = {"files": list(change.files[:FILES]), "files_total": int(details.get("files_total") or len(change.files))} if change.files else {}
    held = {"in": f"{s.holder.kind} {s.holder.id}", "deployed_at": s.holder.at if s.holder.kind == "deploy" else None} if s.holder else {}
    return {"at": change.at, "kind": change.kind, "id": change.id, "summary": change.summary, "source": change.source, "rank": rank,
            "reasons": s.words(began) if began else [], "strength": _strength(s) if rank else None, "score": round(s.bits, 1) if rank else None,
            "service": change.service, "version": change.version, "author": change.author, **instants, **files, **held}


def _frame(entries: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    rows = [{"rank": e["rank"], "at": e["at"], "kind": e["kind"], "id": e["id"], "service": e["service"], "version": e["version"],
             "summary": e["summary"], "strength": e["strength"], "why": "; ".join(e["reasons"])} for e in entries]
    frame = pd.DataFrame(rows, columns=["rank", "at", "kind", "id", "service", "version", "summary", "strength", "why"])
    return frame.astype({"rank": "Int64"})
