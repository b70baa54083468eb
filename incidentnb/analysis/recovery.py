"""Is it over? Still failing, recovering, quiet but unproven, recovered or relapsed: told from the minutes since the onset, the subset by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from incidentnb.analysis import limits, quiet, traffic_back
from incidentnb.analysis.rates import percent, unit
from incidentnb.findings import CANNOT_TELL, Finding
from incidentnb.times import Interval, at

if TYPE_CHECKING:
    import pandas as pd

    from incidentnb.evidence.table import LogTable

STATES = {"recovered": "recovered", "quiet but unproven": CANNOT_TELL, "recovering": "not recovered", "relapsed": "not recovered",
          "still failing": "not recovered"}  # state → verdict; the worse the later
RISE_LEFT = 0.1  # of the rise of a subset at most this share may be left, where twice its baseline is less
SPIKE_LEFT = 0.02  # of the rate in the spike at most this share may be left, where the baseline was counted on too little to tell twice of it
SHRINK = 200  # requests of all traffic that the baseline of a subset is mixed with
SHOWN = 60


@dataclass(frozen=True)
class Minutes:
    """Complete minutes (or wider steps) from the start of the data, without gaps.

    Attributes:
        start: of the first; ``step``: seconds of each; ``stop``: the last instant known.
        total, failing: requests of each, by the name of the traffic (``all traffic`` first).
        silent_since: the last request, where the log goes on without one for minutes; else ``None``.
    """

    start: datetime
    step: int
    stop: datetime
    total: dict[str, np.ndarray]
    failing: dict[str, np.ndarray]
    silent_since: datetime | None = None

    def place(self, moment: datetime) -> int:
        return math.floor((moment - self.start).total_seconds() / self.step)

    def time(self, place: int) -> datetime:
        return self.start + timedelta(seconds=self.step * place)


def recovery(table: LogTable, onset: Finding, scope: Finding | None = None, patterns: Finding | None = None) -> Finding:
    """Whether the data prove that the incident is over.

    Method: the complete minutes since the onset are walked one by one as they became known (``quiet.walk``). The quiet stretch begins after the last
    raised minute. It is proved when it lasts at least 10 minutes (twice the longest stretch that was broken), its traffic is at least half of the
    usual, the exact upper limit of its failing rate is at most 1.5 times the baseline (Clopper and Pearson 1934), and twice the baseline is excluded
    with what the count of the baseline leaves open (Przyborowski and Wilenski 1940; where that was counted on too little, a fiftieth of the
    spike's rate), at a level that is spent over all looks (Lan and DeMets 1983). Counts are divided by the spread of the quiet minutes.
    Each subset that the scope names as a cause is walked by itself: twice its baseline, or a tenth of its rise where that is more, must be
    excluded. An error pattern new since the onset must be absent for 10 minutes.
    Complexity: one query over the outcomes, then O(minutes).

    Args:
        table: the log table.
        onset: the finding of ``onset``; ``scope``: of ``scope``, for its causes; ``patterns``: of ``patterns``, for its new errors.

    Returns:
        Verdict ``recovered``, ``not recovered`` or ``cannot tell``. Numbers: ``state`` (one of ``STATES``; ``None`` where there is nothing to
        recover from), ``since`` (instant or ``None``), ``since_interval``, ``proved_at``, ``rate``, ``upper``, ``failing``, ``requests`` and
        ``minutes`` of the stretch judged, ``baseline`` (with ``baseline_failing``, ``baseline_requests``), ``more_requests`` and ``more_minutes``
        still needed (``None``: no traffic could prove it), ``relapses`` [{quiet_since, again}], ``compared`` (traffic with what),
        ``judged`` [{name, state, why, …}], ``patterns`` (new ones that still occur).
        Frame ``time``, ``total``, ``failing``, ``rate``: the last minutes.
    """
    from incidentnb.analysis import recovery_minutes

    if onset.verdict != "spike":
        return _nothing(onset, table.digest)
    causes = [e for e in scope.numbers.get("subsets", []) if e["cause"]] if scope is not None and scope.verdict == "subset" else []
    minutes, names, query = recovery_minutes.of_table(table, onset, causes)
    left = recovery_minutes.still_there(table, patterns, minutes) if patterns is not None else []
    return _answer(minutes, names, onset, left, unit(table), query, table.digest)


def recovery_of_series(frame: pd.DataFrame, onset: Finding | None = None) -> Finding:
    """Whether a series proves that the incident is over; as ``recovery``, without subsets and patterns.

    Args:
        frame: ``time`` (aware UTC), ``failing``, ``total``; steps wider than a minute are judged as they are, for as many minutes.
        onset: the finding of ``onset_of_series``; found anew where it is ``None``.
    """
    from incidentnb.analysis import recovery_minutes
    from incidentnb.analysis.onset import onset_of_series

    onset = onset_of_series(frame) if onset is None else onset
    if onset.verdict != "spike" or "total" not in onset.frame:
        return _nothing(onset, "")
    minutes, names = recovery_minutes.of_frame(onset)
    return _answer(minutes, names, onset, [], "requests", "", "")


def _nothing(onset: Finding, digest: str) -> Finding:
    why = {"no spike": "there is no spike to recover from", "spike": "a series of values holds no failing requests"}.get(
        onset.verdict, "no onset is known")
    return Finding("recovery", CANNOT_TELL, f"Recovery cannot be told: {why}.", why, {"state": None, "since": None}, evidence=digest)


def _answer(minutes: Minutes, names: dict[str, dict], onset: Finding, left: list[dict[str, Any]], unit_name: str, query: str, digest: str) -> Finding:
    import pandas as pd

    results = [judge(minutes, onset, name) for name in names]
    everyone = results[0]
    everyone = everyone | {"note": " ".join(x for x in (everyone["note"], names[everyone["name"]].get("note", "")) if x)}
    results[0] = everyone
    if left and everyone["state"] == "recovered":
        last = max(e["last"] for e in left)
        more = max(1, math.ceil(10 - (minutes.stop - last).total_seconds() / 60))
        several = "an error pattern new since the onset still occurs" if len(left) == 1 else f"{len(left)} new error patterns still occur"
        why = (f"{everyone['why']}; but {several}, last at {at(last, minutes.stop)} ({left[0]['pattern'][:160]})")
        results.append(everyone | {"name": "new errors", "state": "quiet but unproven", "why": why, "more_requests": 0, "more_minutes": more})
    if everyone["state"] == "recovered" and (unproved := onset.numbers.get("unproved")):
        results.append(everyone | {"name": "silent sources", "state": "quiet but unproven", "why": f"{everyone['why']}; but {_lowered(unproved)}",
                                   "more_requests": None, "more_minutes": None})
    worst = max(results, key=lambda r: (list(STATES).index(r["state"]), math.inf if r["more_minutes"] is None else r["more_minutes"]))
    state = worst["state"]
    of_subset = worst["name"] not in ("all traffic", "new errors", "silent sources")
    why = f"{worst['name']}: {worst['why']}" if of_subset else worst["why"]
    if state == "recovered":
        why = "; ".join([everyone["why"], *(f"{r['name']} by itself: {r['why']}" for r in results if r is not everyone)])
    since = max(r["since"] for r in results) if state == "recovered" else None
    interval = _interval(minutes, onset, since) if since is not None else None
    moment = interval.at if interval else None
    numbers = {"state": state, "since": moment, "since_interval": interval,
               "proved_at": max(r["proved_at"] for r in results) if state == "recovered" else None,
               **{k: everyone[k] for k in ("rate", "upper", "baseline", "minutes", "requests", "failing", "baseline_failing", "baseline_requests")},
               "more_requests": worst["more_requests"], "more_minutes": worst["more_minutes"],
               "relapses": worst["relapses"], "compared": everyone["compared"], "judged": [_plain(r) for r in results],
               "patterns": [e["pattern"] for e in left]}
    sentence = {"still failing": f"Still failing: {why}.", "recovering": f"Recovering, not back yet: {why}.",
                "quiet but unproven": f"Quiet but unproven: {why}{_missing(numbers)}.", "relapsed": f"Relapsed: {why}.",
                "recovered": f"Recovered since {at(moment)} ({_between(interval)}): {why}." if moment else ""}[state]
    first = max(0, min(len(everyone["total_"]) - SHOWN, everyone["since"] - 5))
    shown = slice(max(first, len(everyone["total_"]) - SHOWN), None)
    total, failing = everyone["total_"][shown], everyone["failing_"][shown]
    frame = pd.DataFrame({"time": [minutes.time(i) for i in range(shown.start, len(everyone["total_"]))], "total": total, "failing": failing,
                          "rate": np.where(total > 0, failing / np.maximum(total, 1), np.nan)})
    frame["time"] = pd.to_datetime(frame["time"], utc=True)
    note = (f"Counted in {unit_name} per complete {'minute' if minutes.step == 60 else f'{minutes.step} s'}. "
            f"Baseline: {everyone['baseline_failing']:,} of {everyone['baseline_requests']:,} before the onset. "
            f"Traffic is compared with {everyone['compared']}.")
    return Finding("recovery", STATES[state], sentence, why + _missing(numbers) * (state == "quiet but unproven"), numbers, frame, query, digest,
                   (note, *dict.fromkeys(r["note"] for r in results if r["note"])))


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")


def judge(minutes: Minutes, onset: Finding, name: str = "all traffic") -> dict[str, Any]:
    """The rules put to one traffic: all of it, or a subset by its name.

    Returns:
        ``name``, ``state``, ``why``, ``since`` (place), ``proved_at``, ``rate``, ``upper``, ``failing``, ``requests``, ``minutes`` of the stretch
        judged, ``baseline``, ``baseline_failing``, ``baseline_requests``, ``more_requests``, ``more_minutes``, ``relapses``, ``compared``, ``note``.
    """
    total, failing, wide = minutes.total[name], minutes.failing[name], minutes.step / 60
    start, known, forced = _forced(minutes, onset)
    before = slice(0, max(0, known))
    own = quiet.baseline(failing[before], total[before])
    base, note = _baseline(minutes, name, own, forced, before)
    usual = traffic_back.usual(total, known, wide)
    forced = quiet.settled(failing, total, forced, base, start) if onset.numbers["end"] is None else forced
    spike = float(failing[forced].sum() / max(1, total[forced].sum()))
    bound = max(limits.RELAPSE_RATIO * max(base.rate, limits.FLOOR), base.rate + RISE_LEFT * max(0.0, spike - base.rate))

    def proves(f: float, n: float, length: float, alpha: float | None = None) -> bool:
        f, n, alpha = f / base.phi, n / base.phi, limits.spent(length) if alpha is None else alpha
        if name != "all traffic":
            return limits.at_most(f, n, bound) <= alpha
        return limits.back(f, n, own.failing / base.phi, own.total / base.phi, alpha, max(limits.RELAPSE_RATIO * limits.FLOOR, SPIKE_LEFT * spike))

    back = traffic_back.ready(total, usual.expected, wide)
    course = quiet.walk(failing, total, forced, base, back, proves, wide, start)
    length = len(total) - course.since
    width, now_f, now_n = quiet.now(failing, total, wide)
    relapsed = bool(course.breaks) and course.proved is None and length * wide < quiet.NEED_MINUTES
    risen = forced.any() and course.since > np.flatnonzero(forced)[-1] + 1  # raised again after the spike's end, if too soon for a relapse
    result = {"name": name, "since": course.since, "proved_at": None if course.proved is None else minutes.time(course.proved + 1), "note": note,
              "baseline": max(base.rate, limits.FLOOR), "baseline_failing": int(own.failing), "baseline_requests": int(own.total),
              "compared": usual.compared,
              "more_requests": 0, "more_minutes": 0, "total_": total, "failing_": failing,
              "relapses": [{"quiet_since": minutes.time(a), "again": minutes.time(b)} for a, b in course.breaks]}
    usual_words = f"baseline {percent(base.rate)}"
    if length == 0 or relapsed or (length * wide < quiet.NEED_MINUTES and (risen or not quiet.calmer(failing, total, course, base, start))):
        result |= _counted(now_f, now_n, round(width * wide), base.phi)
        rate = (f"{percent(now_f / now_n if now_n else None)} over the last {width * wide:,.0f} complete minutes "
                f"({now_f:,.0f} of {now_n:,.0f}), {usual_words}")
        if course.breaks:
            a, b = course.breaks[-1]
            calm = f", and quiet again for {length * wide:,.0f} minutes only" if length else ""
            again = f"quiet from {at(minutes.time(a))}, raised again from {at(minutes.time(b), minutes.time(a))}{calm}; {rate}"
            return result | {"state": "relapsed", "why": again}
        worst = quiet.falling(failing, total, start, base, wide)
        if worst is not None:
            return result | {"state": "recovering", "why": f"{rate}, down from {percent(worst)}"}
        return result | {"state": "still failing", "why": rate}
    f, n = course.failing, course.total
    result |= _counted(f, n, round(length * wide), base.phi)
    counted = f"{f:,.0f} of {n:,.0f} failed in {length * wide:,.0f} complete minutes"
    told = f"{counted} ({percent(f / n if n else None)}, at most {percent(result['upper'])} with 95 % confidence; {usual_words})"
    silent = minutes.silent_since
    broke_off = traffic_back.gone(total, course.since, wide) if course.proved is not None else not back[-1]
    if broke_off or silent:
        there = float(total[-max(1, round(10 / wide)):].mean() / wide)
        lost = f"{_amount(there)} requests a minute, usually {_amount(usual.level)} ({usual.compared})"
        lost = f"no request since {at(silent)}" if silent else lost
        return result | {"state": "quiet but unproven", "why": f"traffic is not back: {lost}", "more_minutes": None, "more_requests": None}
    if course.proved is not None:
        return result | {"state": "recovered", "why": told}
    lacking = max(0, math.ceil((course.need - length) * wide))
    a_minute = n / max(length * wide, 1e-9)
    more = _more(proves, f, n, base, a_minute, length * wide)
    waits = None if more is None or (more and not a_minute) else max(lacking, math.ceil(more / a_minute) if more else 0)
    if more is None:
        told += f"; {own.failing:,.0f} failures in {own.total:,.0f} requests are too few to compare with: more of the time before the onset is needed"
    elif more:
        asked = bound if name != "all traffic" else limits.LIMIT_RATIO * max(base.rate, limits.FLOOR)
        over = limits.at_most(f / base.phi, n / base.phi, asked) > limits.spent(length * wide)
        told += f"; not sure enough yet to be below {percent(asked)}" if over else "; it may still be twice of what the baseline really is"
    return result | {"state": "quiet but unproven", "why": told, "more_requests": more, "more_minutes": waits}


def _more(proves: Any, f: float, n: float, base: quiet.Baseline, a_minute: float, length: float) -> int | None:
    """How many more requests at the baseline rate it takes; ``None`` where no traffic could prove it."""
    more: int | None = 0
    for _ in range(3):  # the later the look, the more it asks for
        later = max(limits.FIRST_LOOK, length + (more / a_minute if more and a_minute else 0))
        level = limits.spent(later)
        more = limits.more_until(lambda extra, level=level: proves(f + base.rate * extra, n + extra, 0, level), 1 / max(base.rate, limits.FLOOR))
        if more is None:
            return None
    return more


def _forced(minutes: Minutes, onset: Finding) -> tuple[int, int, np.ndarray]:
    """The first place of the spike, the first that it may reach, and which places the onset's finding holds for raised."""
    places = len(minutes.total["all traffic"])
    forced = np.zeros(places, bool)
    for spike in onset.numbers["spikes"]:
        a = minutes.place(spike["onset"].at)
        b = places if spike["end"] is None else -(-int((spike["end"].at - minutes.start).total_seconds() * 1e6) // int(minutes.step * 1e6))
        forced[max(0, a):max(0, b)] = True
    start = min(max(0, minutes.place(onset.numbers["onset"].at)), places)
    return start, min(max(0, minutes.place(onset.numbers["onset"].earliest)), start), forced


def _baseline(minutes: Minutes, name: str, own: quiet.Baseline, forced: np.ndarray, before: slice) -> tuple[quiet.Baseline, str]:
    """What is usual in this traffic, and what there is to say about it."""
    if name == "all traffic":
        if own.total >= 100:
            return own, ""
        other = quiet.baseline(minutes.failing[name][~forced], minutes.total[name][~forced])
        return other, "Too little is known of the time before the onset: the minutes outside of the spikes are taken for usual, and prove nothing."
    every = "all traffic"
    rate = minutes.failing[every][before].sum() / max(1, minutes.total[every][before].sum())
    return quiet.Baseline(own.failing + SHRINK * float(rate), own.total + SHRINK, own.phi), ""


def _counted(f: float, n: float, length: int, phi: float) -> dict[str, Any]:
    return {"failing": int(f), "requests": int(n), "rate": f / n if n else None, "upper": limits.upper(f / phi, n / phi), "minutes": length}


def _interval(minutes: Minutes, onset: Finding, since: int) -> Interval:
    """When the quiet began: the end of the last spike where that is it, else the minute after the last raised one."""
    place, end = minutes.time(since), onset.numbers["end"]
    if end is not None and abs((place - end.at).total_seconds()) <= minutes.step:
        return Interval(end.at, min(end.earliest, end.at - timedelta(seconds=onset.numbers["bucket_s"])), end.latest)
    return Interval(place, minutes.time(since - 1), place)


def _between(interval: Interval) -> str:
    return f"between {at(interval.earliest, interval.at)} and {at(interval.latest, interval.at)}"


def _amount(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.0f}" if value >= 10 or value == 0 else f"{value:.1f}"


def _missing(numbers: dict[str, Any]) -> str:
    requests, wait = numbers["more_requests"], numbers["more_minutes"]
    if wait is None:
        return ""
    if not requests:
        return f"; {wait:,} more quiet minutes are needed"
    return f"; about {requests:,} more requests are needed, some {wait:,} minutes at the present traffic"


def _plain(result: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in result.items() if not k.endswith("_") and k not in ("since", "note")}
