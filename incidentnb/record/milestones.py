"""When impact started, was detected, acknowledged, mitigated and resolved, who says so, and the times in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from incidentnb import times
from incidentnb.exceptions import InputError
from incidentnb.record import journal, lines, moments, words
from incidentnb.record.lines import Entry
from incidentnb.record.moments import Moment
from incidentnb.times import Interval

NAMES = ("started", "detected", "acknowledged", "mitigated", "resolved")
METRICS = {"TTD": ("started", "detected"), "TTA": ("detected", "acknowledged"), "TTM": ("detected", "mitigated"),
           "TTR": ("detected", "resolved"), "impact": ("started", "resolved")}
NOT_RECORDED = "not recorded"


@dataclass(frozen=True)
class Milestone:
    """One milestone; ``moment`` is an aware UTC instant, an interval, or ``None`` where it is not recorded.

    Attributes:
        name: started, detected, acknowledged, mitigated or resolved.
        moment: when.
        provenance: who or what says so.
        seq: the entry that says so; ``None`` where none does.
    """

    name: str
    moment: Moment = None
    provenance: str = NOT_RECORDED
    seq: int | None = None

    @property
    def at(self) -> datetime | None:
        """The best single instant."""
        return moments.best(self.moment)

    def text(self, zone: tzinfo = UTC) -> str:
        """The milestone for people: its time with the zone, its interval where it has one."""
        if self.moment is None:
            return NOT_RECORDED
        best, *ends = (times.iso(part, zone, "seconds") for part in (self.at, *moments.bounds(self.moment)))
        return f"{best} ({ends[0]} – {ends[1]})" if isinstance(self.moment, Interval) else str(best)


@dataclass(frozen=True)
class Metric:
    """A time between two milestones.

    Attributes:
        name: TTD, TTA, TTM, TTR or impact.
        start, end: the milestones.
        value: ``end.at − start.at``; ``None`` where one is not recorded or where it would be negative.
        problem: why there is no value.
        negative: whether the end is certainly before the start.
    """

    name: str
    start: Milestone
    end: Milestone
    value: timedelta | None
    problem: str = ""
    negative: bool = False

    @property
    def bounds(self) -> tuple[timedelta, timedelta] | None:
        """The least and the most that the value may be, from the intervals of the two; ``None`` without a value."""
        if self.value is None or self.start.moment is None or self.end.moment is None:
            return None
        (first, last), (early, late) = moments.bounds(self.start.moment), moments.bounds(self.end.moment)
        return max(early - last, timedelta(0)), late - first

    def text(self, zone: tzinfo = UTC) -> str:
        """``TTD 3 min 5 s (started 2026-… → detected 2026-…)``, or ``TTD not recorded (…)``."""
        if self.value is None:
            return f"{self.name} {NOT_RECORDED} ({self.problem})"
        first, last = (times.iso(m.at, zone, "seconds") for m in (self.start, self.end))
        span = f"{self.start.name} {first} → {self.end.name} {last}"
        least, most = self.bounds or (self.value, self.value)
        between = f", between {times.spell(least)} and {times.spell(most)}" if most > least else ""
        return f"{self.name} {times.spell(self.value)} ({span}{between})"

    def as_json(self, zone: tzinfo = UTC) -> dict[str, Any]:
        """The time in plain JSON; its ``text`` in ``zone``."""
        return {"value_s": None if self.value is None else self.value.total_seconds(), "from": moments.to_json(self.start.moment),
                "to": moments.to_json(self.end.moment), "provenance": [self.start.provenance, self.end.provenance],
                "problem": self.problem, "text": self.text(zone)}


def set_milestone(folder: Path | str, name: str, at: Moment | str = None, *, source: str = "", actor: str | None = None,
                  supersedes: str | int | None = None, recorded_at: datetime | None = None) -> Entry:
    """Record when a milestone was passed; without ``at`` it is being passed now. ``source`` says how it is known (a page, a finding).

    Raises:
        InputError: no such milestone (says the nearest), or a time that makes a duration negative (names the two entries).
    """
    word = words.one_of(str(name).removesuffix("_at"), NAMES, "milestone")
    told = words.text(source)
    recorded = recorded_at or times.now()

    def body(entries: list[Entry]) -> dict[str, Any]:
        said: dict[str, Any] = {"milestone": word} | ({"source": told} if told else {})
        when = moments.moment(at, lines.zone_of(entries), recorded)
        if supersedes is not None:
            target = lines.find(entries, supersedes)
            when = when or target.at
            said_with = said | {"supersedes": target.id}
        else:
            said_with = said
        this = Entry(len(entries) + 1, "this", when, recorded, actor or "", "milestone", said_with, "", "")
        for metric in metrics(milestones([*entries, this])).values():
            if metric.negative and word in (metric.start.name, metric.end.name):
                raise InputError(f"milestone {word}", metric.problem.replace(f"#{this.seq} ", "this entry "),
                                 "correct the one that is wrong: --supersedes NUMBER")
        return said
    return journal.append(folder, "milestone", body, occurred_at=at, actor=actor, supersedes=supersedes, recorded_at=recorded)


def milestones(entries: Sequence[Entry]) -> dict[str, Milestone]:
    """All five, in their order; a fold over entries, the last word on each holds.

    ``started`` falls back on the onset of the last ``onset`` finding, else of ``volume`` or ``latency`` (a drop of traffic, slower requests);
    ``resolved`` on the status *resolved*. What was mitigated or resolved
    before the incident was reopened no longer holds.
    """
    found = {name: Milestone(name) for name in NAMES}
    standing = lines.standing(entries)
    reopened = max((e.at for e in standing if e.kind == "reopened"), default=None)
    shown = {entry.body.get("name"): entry for entry in standing if entry.kind == "finding"}
    for name in ("latency", "volume", "onset"):
        if name in shown and (onset := _onset(entry := shown[name])):
            found["started"] = Milestone("started", onset, f"finding {entry.body.get('id')} (entry #{entry.seq})", entry.seq)
    for entry in standing:
        if entry.kind == "status" and entry.body.get("status") == "resolved" and (reopened is None or entry.at >= reopened):
            found["resolved"] = Milestone("resolved", entry.occurred_at or entry.at, _provenance(entry), entry.seq)
    for entry in standing:
        name = entry.body.get("milestone")
        if entry.kind == "milestone" and name in found:
            undone = name in ("mitigated", "resolved") and reopened is not None and entry.at < reopened
            if not undone:
                found[name] = Milestone(name, entry.occurred_at or entry.at, _provenance(entry), entry.seq)
    return found


def metrics(found: dict[str, Milestone]) -> dict[str, Metric]:
    """TTD, TTA, TTM, TTR and the impact duration of five milestones; each value is the difference of its two ends."""
    return {name: _metric(name, found[start], found[end]) for name, (start, end) in METRICS.items()}


def _metric(name: str, start: Milestone, end: Milestone) -> Metric:
    missing = [m.name for m in (start, end) if m.moment is None]
    if missing:
        return Metric(name, start, end, None, f"{' and '.join(missing)} missing")
    if end.at >= start.at:
        return Metric(name, start, end, end.at - start.at)
    negative = moments.bounds(end.moment)[1] < moments.bounds(start.moment)[0]
    what = "before" if negative else "too near to tell from"
    return Metric(name, start, end, None, f"{end.name} (#{end.seq} {end.text()}) is {what} {start.name} (#{start.seq} {start.text()})",
                  negative)


def _provenance(entry: Entry) -> str:
    source = f", {entry.body['source']}" if entry.body.get("source") else ""
    how = "" if entry.occurred_at else ", at the time of recording"
    return f"{entry.actor}{source}{how} (entry #{entry.seq})"


def _onset(entry: Entry) -> Moment:
    onset = (entry.body.get("numbers") or {}).get("onset")
    try:
        return moments.from_json(onset) if isinstance(onset, str) else moments.from_json(
            {key: onset[key] for key in ("at", "earliest", "latest")}) if isinstance(onset, dict) else None
    except (ValueError, KeyError):
        return None
