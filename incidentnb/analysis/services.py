"""Which service is at fault? Logs, spans and metrics of services before and since the onset, weighed together. Candidates, never causes."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from incidentnb.analysis import behaviour, service_logs, service_metrics, service_rates, service_spans
from incidentnb.analysis.scope import spans as windows
from incidentnb.analysis.signs import STANDS_OUT, Sign, Weighed, at_least_one, weigh
from incidentnb.evidence.pods import fold
from incidentnb.findings import CANNOT_TELL, Finding
from incidentnb.times import Interval, at

if TYPE_CHECKING:
    import pandas as pd

    from incidentnb.evidence.table import LogTable

SHOWN, REASONS, CUTS, MOST_SPANS = 20, 4, 8, 300_000
CANDIDATES, NOTHING = "candidates", "nothing stands out"
_SHOWN = ["rank", "service", "score", "reasons"]


@dataclass(frozen=True)
class Told:
    """What the systems said in some time: any of a log table, spans (``evidence.spans``) and metrics (``evidence.metrics``)."""

    table: LogTable | None = None
    spans: pd.DataFrame | None = None
    metrics: pd.DataFrame | None = None


def services(now: LogTable | Told, onset: Finding | Interval | datetime | None = None, before: Told | None = None,
             calls: Mapping[str, Iterable[str]] | None = None) -> Finding:
    """The services whose logs, spans or metrics changed for the worse, the likeliest to be at fault first.

    Method: signs with a p-value from each source (``behaviour``: what it does in one request; ``service_spans``: its own time;
    ``service_metrics``: records of its metrics; ``service_rates``: failures and silence), put together for each service by Fisher's
    method or by the strongest alone, whichever says more; what is not about its own work counts no more than the sign of a service that
    it calls (``signs.weigh``). A service stands out when its p, corrected for all services (Šidák), is at most 0.05.
    Complexity: O(n log n) in records and spans. Source: event patterns of several kinds of data compared with a quiet time, Yu et al.,
    "Nezha", ESEC/FSE 2023; metrics and a call graph, Hardt et al., "The PetShop Dataset", CLeaR 2024.

    Args:
        now: what was said around the incident.
        onset: when it began; without it all logs and spans of ``now`` are of the incident, and ``before`` is needed.
        before: a quiet time to compare with; without it, ``now`` before the onset.
        calls: caller → callees where no spans show them.

    Returns:
        Verdict ``candidates``, ``nothing stands out`` or ``cannot tell``. Numbers: ``services`` [{service, rank, score, p, stands_out, reasons}]
        best first (score: −log10 p), ``looked_at`` (services), ``since``, ``calls``. Frame: rank, service, score, reasons.
    """
    now = now if isinstance(now, Told) else Told(table=now)
    digest = now.table.digest if now.table is not None else ""
    span = _window(now, onset)
    if span is None:
        return _cannot("there are neither dated records nor spans, and no time since when to compare", digest)
    if before is None and not span["known"]:
        return _cannot("no onset is known and no quiet time was given to compare with", digest)
    notes: list[str] = []
    parts = [one for one in (now, before) if one is not None]
    alone = all(one.spans is None and one.metrics is None for one in parts)  # then one service has nothing to be compared with
    several = not alone or any(service_logs.of_several(one.table) for one in parts if one.table is not None)
    logs = {id(one): service_logs.traced(one.table) if several else None for one in parts if one.table is not None}
    notes += dict.fromkeys(f"Of the requests in the logs one in {frame.attrs['part']} was looked at." for frame in logs.values()
                           if frame is not None and frame.attrs["part"] > 1)
    spans = {id(one): _bounded(one.spans, notes) for one in parts if one.spans is not None and len(one.spans)}
    folded = fold(name for frame in (*logs.values(), *spans.values(), *(one.metrics for one in parts)) if frame is not None
                  for name in frame["service"].unique())
    spans = {key: frame.assign(service=frame["service"].map(folded)) for key, frame in spans.items()}
    known_calls = {caller: set(callees) for caller, callees in (calls or {}).items()}
    for frame in spans.values():
        for caller, callees in service_spans.calls(frame).items():
            known_calls.setdefault(caller, set()).update(callees)
    above = service_spans.above(spans[id(now)]) if id(now) in spans else None
    judged: dict[str, tuple[behaviour.Judged, dict[str, str], list[int]]] = {}
    found = [] if above is None else _of_spans(spans[id(now)], spans.get(id(before)), span, judged)
    if now.table is not None:
        events = [logs[id(one)] for one in parts if logs.get(id(one)) is not None and len(logs[id(one)])]
        found += _of_logs(now.table, events if id(now) in logs and len(events) == len(parts) else None, folded, span, judged, notes)
    for source, (bags, words, cuts) in judged.items():
        known = above if above and any(bag.span in above for bag in bags.now) else None
        elsewhere = [bag for other, (others, *_) in judged.items() if other != source for bag in others.bags]
        found += behaviour.signs(bags, source, words, cuts, known, elsewhere)
    if now.metrics is not None and len(now.metrics):
        found += _of_metrics(now.metrics, before.metrics if before else None, folded, span, notes)
    if not found:
        return _cannot("no service was seen both before and since then", digest, notes)
    return _finding(weigh(found, known_calls), span, known_calls, digest, notes)


def _window(now: Told, onset: Finding | Interval | datetime | None) -> dict[str, Any] | None:
    """``start``, ``earliest``, ``stop`` (or ``None``), ``last`` (of logs and spans), ``known`` (an onset was given)."""
    given = onset.numbers.get("onset") if isinstance(onset, Finding) else onset
    firsts, lasts = [], []
    if now.table is not None and (given is None or now.metrics is not None) and (whole := now.table.span):
        firsts.append(whole.start)
        lasts.append(whole.end)
    if now.spans is not None and len(now.spans):
        firsts.append(_moment(int(now.spans["start_ns"].min())))
        lasts.append(_moment(int((now.spans["start_ns"] + now.spans["duration_ns"]).max())))
    if given is None and not firsts:
        return None
    made = windows(now.table, onset if given is not None else min(firsts))
    earliest = min(given.earliest, made["start"]) if isinstance(given, Interval) else made["start"]
    return {**made, "earliest": earliest, "known": given is not None, "last": max(lasts) if lasts else None}


def _moment(ns: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ns // 1000)


def _bounded(spans: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """At most ``MOST_SPANS`` of them, as whole requests, chosen by their ids."""
    part = math.ceil(len(spans) / MOST_SPANS)
    if part <= 1:
        return spans
    notes.append(f"Of the requests in the spans one in {part} was looked at.")
    return spans[[zlib.crc32(trace.encode()) % part == 0 for trace in spans["trace"].tolist()]].reset_index(drop=True)


def _of_spans(now: pd.DataFrame, before: pd.DataFrame | None, span: dict[str, Any], judged: dict[str, Any]) -> list[Sign]:
    timed = service_spans.with_own_time(now)
    start, stop = _ns(span["start"]), _ns(span["stop"]) if span["stop"] else None
    if stop is not None:
        timed = timed[timed["began_ns"] < stop]  # a request belongs to the time in which it began
    quiet = service_spans.with_own_time(before) if before is not None else timed[timed["began_ns"] < start]
    met = timed if before is not None else timed[timed["began_ns"] >= start]
    usual, theirs = (behaviour.bags(service_spans.events(part)) for part in (quiet, met))
    cuts = _cuts(met["began_ns"], span, before is not None)
    judged["spans"] = behaviour.judge(usual, theirs), {}, cuts
    return service_spans.slow(quiet, met, cuts)


def _cuts(began: Iterable[int], span: dict[str, Any], compared: bool) -> list[int]:
    """The instants at which it may have begun: the onset; with a quiet time to compare with, others too, for alarms come late and faults creep."""
    start = _ns(span["start"])
    if not compared:
        return [start]
    times = sorted({int(b) for b in began})
    return [0, start, *(times[len(times) * i // CUTS] for i in range(1, CUTS) if times)]


def _of_logs(table: LogTable, traced: list[pd.DataFrame] | None, folded: Mapping[str, str], span: dict[str, Any],
             judged: dict[str, Any], notes: list[str]) -> list[Sign]:
    """Signs in the logs; ``traced`` are those of now and of the quiet time, or of now alone, ``None`` where the requests are not known."""
    found = service_rates.signs(table, span) if span["known"] else []
    if traced is None:
        if not found:
            notes.append("The logs do not say, now and in the time compared with, which service and which request a record belongs to.")
        return found
    (now, *base), words = service_logs.events(traced, folded)
    began = now.groupby("trace")["time_ns"].transform("min")
    start, stop = _ns(span["start"]), _ns(span["stop"]) if span["stop"] else None
    if stop is not None:
        now, began = now[began < stop], began[began < stop]
    met = behaviour.bags(now if base else now[began >= start])
    quiet = behaviour.bags(base[0] if base else now[began < start])
    judged["logs"] = behaviour.judge(quiet, met), words, _cuts((bag.began for bag in met), span, bool(base))
    strangers = sorted({bag.service for bag in met} - {bag.service for bag in quiet})
    if strangers and quiet:
        notes.append(f"Not in the time that was compared with, so not judged by their logs: {', '.join(strangers[:10])}.")
    return [s for s in found if s.source != "logs"]


def _of_metrics(now: pd.DataFrame, before: pd.DataFrame | None, folded: Mapping[str, str], span: dict[str, Any], notes: list[str]) -> list[Sign]:
    import pandas as pd

    now, before = (None if f is None else f.assign(pod=f["service"], service=f["service"].map(folded)) for f in (now, before))
    old, since = service_metrics.split(now, span["start"], span["stop"] or span["last"])
    if before is not None:
        old = pd.concat([before, old], ignore_index=True)
    if not len(old):
        notes.append(f"The metrics do not reach back before {at(span['start'])}: they were not compared.")
    return service_metrics.signs(old, since)


def _ns(moment: datetime) -> int:
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)) * 1000


def _finding(ranked: list[Weighed], span: dict[str, Any], calls: dict[str, set[str]], digest: str, notes: list[str]) -> Finding:
    import pandas as pd

    looked = len(ranked)
    entries = [{"service": w.service, "rank": i + 1, "score": round(-math.log10(max(w.p, 1e-300)), 2), "p": w.p,
                "stands_out": at_least_one(w.p, looked) <= STANDS_OUT, "reasons": [s.reason for s in w.signs[:REASONS]]}
               for i, w in enumerate(ranked) if w.p < 1][:SHOWN]
    frame = pd.DataFrame([{k: e[k] for k in _SHOWN} for e in entries], columns=_SHOWN)
    numbers = {"services": entries, "looked_at": looked, "since": span["start"], "calls": {k: sorted(v) for k, v in sorted(calls.items())}}
    if looked == 1:
        name = ranked[0].service
        why = f"all is of one service, {name}: there is no other to compare it with"
        did = f" It changed: {entries[0]['reasons'][0]}." if entries and entries[0]["stands_out"] else ""
        return Finding("services", CANNOT_TELL, f"Which service is at fault cannot be told: {why}.{did}", why, numbers, frame, evidence=digest,
                       notes=tuple(notes))
    out = [e for e in entries if e["stands_out"]]
    if not out:
        near = f"; the nearest is {entries[0]['service']} ({entries[0]['reasons'][0]})" if entries else ""
        why = f"none of {looked:,} services changed more than one of so many does by chance"
        return Finding("services", NOTHING, f"No service stands out of {looked:,}{near}.", why, numbers, frame, evidence=digest, notes=tuple(notes))
    first = out[0]
    others = f" After it: {', '.join(e['service'] for e in out[1:4])}." if out[1:] else ""
    sentence = f"Of {looked:,} services {first['service']} changed most: {first['reasons'][0]}.{others}"
    why = "compared with what each service did before, request by request and metric by metric"
    return Finding("services", CANDIDATES, sentence, why, numbers, frame, evidence=digest,
                   notes=(*notes, "Candidates, not causes: none is one before a hypothesis about it is supported."))


def _cannot(why: str, digest: str, notes: Iterable[str] = ()) -> Finding:
    import pandas as pd

    return Finding("services", CANNOT_TELL, f"Which service is at fault cannot be told: {why}.", why, {"services": [], "looked_at": 0},
                   pd.DataFrame(columns=_SHOWN), evidence=digest, notes=tuple(notes))
