"""Did the error rate rise, when did it start, did it end? The likelihood scan of ``scan.py`` put to a log table or a plain series."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from incidentnb.analysis.rates import buckets, outcome_note, percent, unit
from incidentnb.findings import CANNOT_TELL, Finding
from incidentnb.times import Interval, at, spell

if TYPE_CHECKING:
    import pandas as pd

    from incidentnb.analysis.scan import Rise, Scan
    from incidentnb.evidence.table import LogTable

LEAST_BUCKETS, LEAST_REQUESTS = 5, 50
MOST_STEPS = 2000  # of a series; more are taken together
HELD = 0.95  # of the posterior, by the interval of the onset


def onset(table: LogTable, bucket_s: int | None = None) -> Finding:
    """When impact began, from the requests of a log table.

    Returns:
        Verdict ``spike``, ``no spike`` or ``cannot tell``. Numbers: ``onset`` (``Interval``, refined on single requests) or ``None``,
        ``end`` (``Interval``; ``None`` for still going on), ``rate`` {baseline, during}, ``spikes`` [{onset, end, rate, excess}] in
        order of time, ``bucket_s``, ``requests``, ``failed``, ``window_start``, ``window_end``, ``p_value``. Frame as of
        ``rates.buckets`` with the column ``during``.
    """
    frame, facts = buckets(table, bucket_s)
    if facts["start"] is None:
        return _cannot(frame, "no record reports an outcome (an HTTP status or a level) at a known time", evidence=table.digest)

    def refine(rise: Rise, p0: float, width: int) -> Interval:
        return _refined(table, frame, rise, p0, width)

    notes = [outcome_note(table)]
    if facts["outside"]:
        notes.append(f"{facts['outside']:,} records lie far outside of the window by their clock and are left out.")
    return _judge(frame, facts["bucket_s"], facts["start"], facts["stop"], refine, unit(table), facts["query"], table.digest, notes)


def onset_of_series(frame: pd.DataFrame) -> Finding:
    """When impact began, from a series exported from a dashboard.

    Args:
        frame: ``time`` (aware UTC) with ``failing`` and ``total`` (requests), or with one column ``value``.

    Returns:
        As ``onset``; the interval is as wide as the series' own step allows.
    """
    from incidentnb.analysis import steps

    if "value" in frame.columns:
        return steps.shift(frame)
    import numpy as np
    import pandas as pd

    data = frame.dropna(subset=["time"]).groupby("time", as_index=False)[["failing", "total"]].sum().sort_values("time")
    if not len(data):
        return _cannot(frame, "the series is empty")
    width = steps.step_of(data["time"])
    place = steps.places(data["time"], width)
    if place[-1] >= MOST_STEPS:  # the scan looks at all pairs of steps
        together = place[-1] // MOST_STEPS + 1
        place, width = place // together, width * int(together)
    total, failing = np.zeros(place[-1] + 1), np.zeros(place[-1] + 1)
    np.add.at(total, place, data["total"].fillna(0).to_numpy(float))
    np.add.at(failing, place, data["failing"].fillna(0).to_numpy(float))
    failing = np.minimum(failing, total)
    first = data["time"].iloc[0].to_pydatetime()
    with np.errstate(invalid="ignore"):
        rate = failing / np.where(total > 0, total, np.nan)
    series = pd.DataFrame({"time": pd.to_datetime([first + timedelta(seconds=width * i) for i in range(len(total))], utc=True),
                           "total": total.astype(np.int64), "failing": failing.astype(np.int64), "rate": rate,
                           "complete": steps.complete(total)})
    return _judge(series, width, first, series["time"].iloc[-1].to_pydatetime() + timedelta(seconds=width), None, "requests", "", "", [])


def _judge(frame: pd.DataFrame, width: int, start: datetime, stop: datetime, refine: Any, unit_name: str, query: str, digest: str,
           notes: list[str]) -> Finding:
    from incidentnb.analysis import scan

    use = frame["complete"].to_numpy(bool)
    total, failing = frame["total"].to_numpy(float) * use, frame["failing"].to_numpy(float) * use
    seen = int((total > 0).sum())
    requests, failed = int(frame["total"].sum()), int(frame["failing"].sum())
    numbers: dict[str, Any] = {"onset": None, "end": None, "rate": {"baseline": None, "during": None}, "spikes": [], "bucket_s": width,
                               "requests": requests, "failed": failed, "window_start": start, "window_end": stop}
    frame = frame.assign(during=False)
    notes = [n for n in notes if n]
    if seen < LEAST_BUCKETS or requests < LEAST_REQUESTS:
        why = (f"{requests:,} {unit_name} in {seen} complete buckets of {spell(timedelta(seconds=width))} are too few: "
               f"at least {LEAST_REQUESTS} in {LEAST_BUCKETS} are needed")
        return _cannot(frame, why, numbers, query, digest, notes)
    found = scan.find(failing, total)
    numbers["p_value"] = found.p_value
    if not found.rises:
        return _quiet(frame, found, numbers, unit_name, query, digest, notes)
    spikes = []
    for rise in found.rises:
        began = refine(rise, found.p0, width) if refine else _plain(frame, rise, width)
        spikes.append({"onset": began, "end": _end(frame, rise, width, found.rises, began), "rate": rise.failing / rise.total,
                       "excess": round(rise.excess)})
        frame.loc[rise.start:rise.end - 1, "during"] = True
    last_seen = int((total > 0).nonzero()[0][-1])
    if spikes[-1]["end"] is None:
        frame.loc[found.rises[-1].start:, "during"] = True
    first, largest = spikes[0], max(spikes, key=lambda s: s["excess"])
    numbers |= {"onset": first["onset"], "end": spikes[-1]["end"], "spikes": spikes}
    inside = frame["during"].to_numpy(bool) & use
    before = ~frame["during"].to_numpy(bool) & use
    before[found.rises[0].start:] &= before[found.rises[0].start:] if total[:found.rises[0].start].sum() < 100 else False
    numbers["rate"] = {"baseline": _ratio(failing[before].sum(), total[before].sum(), found.p0),
                       "during": _ratio(failing[inside].sum(), total[inside].sum(), None)}
    return _spike(frame, found, numbers, first, largest, unit_name, query, digest, notes, last_seen)


def _ratio(part: float, whole: float, otherwise: float | None) -> float | None:
    return float(part / whole) if whole > 0 else otherwise


def _spike(frame: pd.DataFrame, found: Scan, numbers: dict[str, Any], first: dict, largest: dict, unit_name: str, query: str, digest: str,
           notes: list[str], last_seen: int) -> Finding:
    began, end, rate = numbers["onset"], numbers["end"], numbers["rate"]
    until = "still going on" if end is None else f"until {at(end.at, began.at)}"
    earliest, latest = at(began.earliest, began.at), at(began.latest, began.at)
    between = f" (between {earliest} and {latest})" if earliest != latest else ""
    sentence = f"The error rate rose from {percent(rate['baseline'])} to {percent(rate['during'])} at {at(began.at)}{between}, {until}."
    if len(numbers["spikes"]) > 1:
        sentence += f" There are {len(numbers['spikes'])} spikes; the largest began at {at(largest['onset'].at, began.at)}."
    excess, failing, total = (sum(getattr(r, name) for r in found.rises) for name in ("excess", "failing", "total"))
    why = (f"{failing:,.0f} of {total:,.0f} {unit_name} failed in it, {excess:,.0f} more than "
           f"the quiet rate of {percent(found.p0)} lets one expect; {percent(found.p_value)} of quiet series look like this")
    return Finding("onset", "spike", sentence, why, numbers, frame, query, digest, tuple(notes))


def _quiet(frame: pd.DataFrame, found: Scan, numbers: dict[str, Any], unit_name: str, query: str, digest: str, notes: list[str]) -> Finding:
    overall = numbers["failed"] / numbers["requests"]
    numbers["rate"] = {"baseline": overall, "during": None}
    numbers["smallest_visible"] = found.smallest
    seen = f"a rise to about {percent(found.smallest)} for a tenth of the window would have been seen"
    if found.smallest >= 0.5:
        why = (f"{numbers['requests']:,} {unit_name} with {numbers['failed']:,} failures bear no answer: only a rise to "
               f"{percent(found.smallest)} would have been seen")
        return _cannot(frame, why, numbers, query, digest, notes)
    sentence = (f"No spike is visible at this traffic: {numbers['failed']:,} of {numbers['requests']:,} {unit_name} failed ({percent(overall)}); "
                f"{seen}.")
    if found.strongest is None or found.strongest.excess < 10:
        why = "no stretch has 10 failures more than the quiet rest lets one expect"
    elif found.p_value >= 0.05:
        why = f"{percent(found.p_value)} of quiet series with this spread look at least as raised"
    else:
        why = f"the highest stretch is {found.strongest.ratio:.1f} times the baseline: less than twice"
    return Finding("onset", "no spike", sentence, why, numbers, frame, query, digest, tuple(notes))


def _cannot(frame: pd.DataFrame, why: str, numbers: dict[str, Any] | None = None, query: str = "", evidence: str = "",
            notes: list[str] | None = None) -> Finding:
    empty = {"onset": None, "end": None, "rate": {"baseline": None, "during": None}, "spikes": [], "bucket_s": None, "requests": 0,
             "failed": 0, "window_start": None, "window_end": None}
    return Finding("onset", CANNOT_TELL, f"Whether the error rate rose cannot be told: {why}.", why, numbers or empty, frame, query, evidence,
                   tuple(notes or ()))


def _at(frame: pd.DataFrame, index: int, width: int) -> datetime:
    return frame["time"].iloc[0].to_pydatetime() + timedelta(seconds=width * index)


def _plain(frame: pd.DataFrame, rise: Rise, width: int) -> Interval:
    """The onset to the bucket: it began somewhere in the first raised bucket."""
    at = _at(frame, rise.start, width)
    return Interval(at, _at(frame, min(rise.start_low, rise.start), width), max(at, _at(frame, rise.start_high, width) + timedelta(seconds=width)))


def _end(frame: pd.DataFrame, rise: Rise, width: int, rises: tuple[Rise, ...], began: Interval) -> Interval | None:
    """When the rise was over; ``None`` where it may go on: nothing but raised or unknown buckets follow."""
    total = (frame["total"] * frame["complete"]).to_numpy()
    after = [r.start for r in rises if r.start >= rise.end]
    limit = min(after, default=len(total))
    quiet_after = int((total[rise.end:limit] > 0).sum())
    if not after and (quiet_after == 0 or total[rise.end_high:].sum() == 0):
        return None
    at, low, high = (_at(frame, i, width) for i in (rise.end, rise.end_low, min(rise.end_high, limit)))
    at = max(at, began.at)
    return Interval(at, min(max(low, began.at), at), max(high, at))


def _refined(table: LogTable, frame: pd.DataFrame, rise: Rise, p0: float, width: int) -> Interval:
    """The onset on single requests: which failure around the first raised bucket is the first of the spike.

    Bayesian change point (Smith 1975) over all splits, the rate after it from a grid; the interval is the smallest set of failures with 95 %
    of the posterior. Complexity: linear in the requests around the onset.
    """
    import numpy as np

    p1 = rise.failing / rise.total
    low = max(0, min(rise.start_low, rise.start) - 2)
    high = min(len(frame), max(rise.start_high, rise.start) + 3)
    bounds = {"a": _at(frame, low, width), "b": _at(frame, min(high, max(rise.end, rise.start + 2)), width)}
    count = table.row("SELECT count(*) AS n FROM outcomes WHERE time >= $a AND time < $b", bounds)["n"]
    stamp = "time" if count <= 100_000 else "date_trunc('second', time)"
    got = table.frame(f"SELECT {stamp} AS moment, sum(total) AS total, sum(failing) AS failing FROM outcomes "
                      "WHERE time >= $a AND time < $b GROUP BY moment ORDER BY moment", bounds)
    p0 = min(max(p0, 1e-6), 0.999)
    p1 = min(max(p1, p0 * 1.5), 0.9999)
    if not len(got) or not (got["failing"] > 0).any():
        return _plain(frame, rise, width)
    failing, total = got["failing"].to_numpy(float), got["total"].to_numpy(float)
    moments = [t.to_pydatetime() for t in got["moment"]]
    # what the rate is right after the onset nobody knows (it may ramp up): all of a grid of rates, alike likely before
    weights = np.zeros(len(moments))
    for raised in np.geomspace(max(p0 * 1.5, p1 * 0.15), min(0.9999, max(p1 * 1.6, p0 * 2)), 9):
        gain = failing * np.log(raised / p0) + (total - failing) * np.log((1 - raised) / (1 - p0))
        after = np.cumsum(gain[::-1])[::-1]  # the gain when everything from here on belongs to the spike
        weights = np.logaddexp(weights, after) if weights.any() else after
    at = int(np.argmax(weights))
    chance = np.exp(weights - weights[at])
    # the first failure of the spike: whatever lies since the failure before it speaks for the same one
    fails = np.flatnonzero(failing > 0)
    mass = np.add.reduceat(chance[:fails[-1] + 1], np.concatenate([[0], fails[:-1] + 1]))
    order = np.argsort(-mass, kind="stable")
    held = order[:int(np.searchsorted(np.cumsum(mass[order]) / mass.sum(), HELD)) + 1]
    best = fails[int(np.argmax(mass))]
    step = timedelta(seconds=1) if all(not m.microsecond for m in moments) else timedelta(0)  # a stamp in whole seconds stands for all of it
    first, last = fails[held.min()], fails[held.max()]
    return Interval(moments[best], min(moments[first], moments[best]), max(moments[last], moments[best]) + step)
