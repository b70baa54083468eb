"""Did the error rate rise, when did it start, did it end? The likelihood scan of ``scan.py`` put to a log table or a plain series."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from incidentnb.analysis.rates import buckets, outcome_note, percent, unit
from incidentnb.findings import CANNOT_TELL, Finding
from incidentnb.times import Interval, at, spell

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from incidentnb.analysis.scan import Rise, Scan
    from incidentnb.analysis.sources import Mix, Sources
    from incidentnb.evidence.table import LogTable

LEAST_BUCKETS, LEAST_REQUESTS = 5, 50
MOST_STEPS = 2000  # of a series; more are taken together


def onset(table: LogTable, bucket_s: int | None = None) -> Finding:
    """When impact began, from the requests of a log table.

    Method: the likelihood scan over buckets of time (``scan.find``; Kulldorff 1997), against what is usual at that time of day or week
    where enough other days bear a rhythm out (``exposure.usual``). A rise is put to the services and files by indirect standardisation
    (``sources.mix``; Keiding 1987): one of their mix alone is no spike; and a spike's end is told only where the failing sources logged on.
    The onset is then refined on single requests (Smith 1975). Complexity: one pass over the log, one more where a rise was found, then
    the square of the number of buckets.

    Returns:
        Verdict ``spike``, ``no spike`` or ``cannot tell``. Numbers: ``onset`` (``Interval``, refined on single requests) or ``None``,
        ``end`` (``Interval``; ``None`` for still going on), ``rate`` {baseline, during}, ``spikes`` [{onset, end, rate, excess}] in
        order of time, ``bucket_s``, ``requests``, ``failed``, ``window_start``, ``window_end``, ``p_value``. Frame as of
        ``rates.buckets`` with the column ``during``. Where it applies also: ``days`` (other days, or weeks, that what is usual rests on),
        ``mix`` {column, explained, risen} (share of the failures above the usual that a changed mix explains; the one value whose own rate
        rose, where the answer is of it alone), ``likeliest`` (``Interval``: where the most raised stretch began that was not called),
        ``unproved`` (why the end is not known although nothing fails any more).
    """
    from incidentnb.analysis import onset_moments, sources

    frame, facts = buckets(table, bucket_s)
    if facts["start"] is None:
        return _cannot(frame, "no record reports an outcome (an HTTP status or a level) at a known time", evidence=table.digest)

    def refine(rise: Rise, level: np.ndarray, width: int) -> Interval:
        return onset_moments.refined(table, frame, rise, level, width)

    def split() -> list[Sources]:
        return sources.read(table, facts["start"], facts["stop"], frame["time"].iloc[0].to_pydatetime(), len(frame), facts["bucket_s"])

    notes = [outcome_note(table)]
    if facts["outside"]:
        notes.append(f"{facts['outside']:,} records lie far outside of the window by their clock and are left out.")
    return _judge(frame, facts["bucket_s"], facts["start"], facts["stop"], (refine, split), unit(table), facts["query"], table.digest, notes)


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


def _judge(frame: pd.DataFrame, width: int, start: datetime, stop: datetime, of_table: Any, unit_name: str, query: str, digest: str,
           notes: list[str]) -> Finding:
    import numpy as np

    from incidentnb.analysis import exposure, onset_moments, scan

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
    season = exposure.usual(frame["time"].astype("datetime64[s, UTC]").astype("int64").to_numpy(), failing, total, width)
    weight = total * (1.0 if season is None else season.factor)
    if season is not None:
        notes.append(season.note)
        numbers["days"] = season.periods
    share = np.ones(len(total)) if season is None else season.share
    found = scan.find(failing / share, weight / share)
    compared: list[tuple[Sources, Mix]] = []
    if found.rises and of_table:
        found, failing, total, weight, compared = _by_source(of_table[1](), found, failing, total, weight, share, use, numbers, notes)
        of_table = of_table if "risen" not in numbers.get("mix", {}) else None  # single requests tell of all sources only
    numbers["p_value"] = found.p_value
    found = replace(found, smallest=min(1.0, found.smallest * ((weight / share).sum() / total.sum())),  # of requests, where it was of exposure
                    rises=tuple(_of_requests(r, failing, total, weight * found.p0) for r in found.rises))
    if not found.rises:
        return _quiet(frame, found, numbers, unit_name, query, digest, notes)
    level = found.p0 * np.where(total > 0, weight / np.where(total > 0, total, 1.0), 1.0)
    spikes = []
    for rise in found.rises:
        began = of_table[0](rise, level, width) if of_table else onset_moments.plain(frame, rise, width)
        spikes.append({"onset": began, "end": onset_moments.end(frame, rise, width, found.rises, began), "rate": rise.failing / rise.total,
                       "excess": round(rise.excess)})
        frame.loc[rise.start:rise.end - 1, "during"] = True
    unproved = _unproved(compared, found.rises[-1], len(frame)) if spikes[-1]["end"] is not None else ""
    if unproved:
        spikes[-1]["end"], numbers["unproved"] = None, unproved
        notes.append(unproved)
    elif spikes[-1]["end"] is None:
        frame.loc[found.rises[-1].start:, "during"] = True
    largest = max(spikes, key=lambda s: s["excess"])
    numbers |= {"onset": spikes[0]["onset"], "end": spikes[-1]["end"], "spikes": spikes}
    inside = frame["during"].to_numpy(bool) & use
    before = ~frame["during"].to_numpy(bool) & use
    before[found.rises[0].start:] &= before[found.rises[0].start:] if total[:found.rises[0].start].sum() < 100 else False
    usual = float(weight[inside].sum() / max(1.0, total[inside].sum()))  # then, over the quiet rate
    numbers["rate"] = {"baseline": usual * _ratio(failing[before].sum(), weight[before].sum(), found.p0),
                       "during": _ratio(failing[inside].sum(), total[inside].sum(), None)}
    return _spike(frame, found, numbers, largest, unit_name, query, digest, notes, bool(unproved))


def _of_requests(rise: Rise, failing: np.ndarray, total: np.ndarray, expected: np.ndarray) -> Rise:
    inside = slice(rise.start, rise.end)
    return replace(rise, failing=float(failing[inside].sum()), total=float(total[inside].sum()), expected=float(expected[inside].sum()))


def _by_source(split: list[Sources], found: Scan, failing: np.ndarray, total: np.ndarray, weight: np.ndarray, share: np.ndarray,
               use: np.ndarray, numbers: dict[str, Any], notes: list[str]) -> tuple[Scan, Any, Any, Any, list[tuple[Sources, Mix]]]:
    """The scan again where a changed mix of the sources matters: with their usual rates, or of the one source whose own rate rose.

    Returns:
        The scan, the failing and total requests and the exposure that it is of, and the sources compared; notes what there is to note.
    """
    import numpy as np

    from incidentnb.analysis import scan, sources

    def inside() -> np.ndarray:
        return np.any([(np.arange(len(total)) >= r.start) & (np.arange(len(total)) < r.end) for r in found.rises], axis=0)

    factor = weight / np.where(total > 0, total, 1.0)
    compared = sources.compare(split, factor, use, inside())
    if compared and compared[0][1].explained >= sources.MATTERS:
        one, mix = compared[0]
        numbers["mix"] = {"column": one.column, "explained": min(1.0, mix.explained)}
        notes.append(mix.note)
        weight = mix.exposure * use
        found = scan.find(failing / share, weight / share)
        if mix.risen is None and not sources.new_note(one, mix):
            found = replace(found, rises=())
        elif mix.risen is not None and (not found.rises or mix.own[mix.risen] >= sources.MOST_OF * np.maximum(mix.own, 0).sum()):
            alone = [part[mix.risen] * use for part in (one.failing, one.total)]  # what the others fail at all times would drown it
            by_itself = scan.find(alone[0] / share, alone[1] * factor / share)
            if by_itself.rises:
                found, (failing, total), weight = by_itself, alone, alone[1] * factor
                numbers["mix"]["risen"] = one.values[mix.risen]
                notes.append(f"The rise told here is that of {one.column} {one.values[mix.risen]} alone.")
        compared = sources.compare(split, factor, use, inside()) if found.rises else []
    if found.rises:
        notes += [note for one, mix in compared if (note := sources.new_note(one, mix))][:1]
    notes += next((told for one in split if (told := sources.ended_notes(one))), [])
    return found, failing, total, weight, compared


def _unproved(compared: list[tuple[Sources, Mix]], rise: Rise, places: int) -> str:
    import numpy as np

    from incidentnb.analysis import sources

    inside = (np.arange(places) >= rise.start) & (np.arange(places) < rise.end)
    return next((told for one, mix in compared if (told := sources.unproved_end(one, mix, inside, rise.end))), "")


def _ratio(part: float, whole: float, otherwise: Any) -> Any:
    return float(part / whole) if whole > 0 else otherwise


def _spike(frame: pd.DataFrame, found: Scan, numbers: dict[str, Any], largest: dict, unit_name: str, query: str, digest: str,
           notes: list[str], unproved: bool) -> Finding:
    began, end, rate = numbers["onset"], numbers["end"], numbers["rate"]
    until = "and whether it ended is not known" if unproved else "still going on" if end is None else f"until {at(end.at, began.at)}"
    earliest, latest = at(began.earliest, began.at), at(began.latest, began.at)
    between = f" (between {earliest} and {latest})" if earliest != latest else ""
    sentence = f"The error rate rose from {percent(rate['baseline'])} to {percent(rate['during'])} at {at(began.at)}{between}, {until}."
    if len(numbers["spikes"]) > 1:
        sentence += f" There are {len(numbers['spikes'])} spikes; the largest began at {at(largest['onset'].at, began.at)}."
    excess, failing, total, expected = (sum(getattr(r, name) for r in found.rises) for name in ("excess", "failing", "total", "expected"))
    why = (f"{failing:,.0f} of {total:,.0f} {unit_name} failed in it, {excess:,.0f} more than "
           f"the {'usual' if {'days', 'mix'} & numbers.keys() else 'quiet'} rate of {percent(expected / total)} lets one expect; "
           f"{percent(found.p_value)} of quiet series look like this")
    return Finding("onset", "spike", sentence, why, numbers, frame, query, digest, tuple(notes))


def _quiet(frame: pd.DataFrame, found: Scan, numbers: dict[str, Any], unit_name: str, query: str, digest: str, notes: list[str]) -> Finding:
    from incidentnb.analysis import onset_moments, scan

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
    if "mix" in numbers:
        sentence = (f"No {numbers['mix']['column']} failed more than it does at all times, though the error rate of all of them rose with their mix: "
                    f"{numbers['failed']:,} of {numbers['requests']:,} {unit_name} failed ({percent(overall)}); {seen}.")
        why = (f"{percent(numbers['mix']['explained'])} of the failures above the usual are those that the {numbers['mix']['column']}s which are "
               "logged more then have at all times")
    elif found.strongest is None or found.strongest.excess < scan.AT_LEAST_EXCESS:
        why = "no stretch has 10 failures more than the quiet rest lets one expect"
    elif found.strongest.ratio < scan.AT_LEAST_RATIO:
        why = f"the highest stretch is {found.strongest.ratio:.1f} times the baseline: less than twice"
    else:
        why = f"{percent(found.p_value)} of quiet series with this spread look at least as raised"
    if "mix" not in numbers and found.strongest is not None and found.strongest.excess >= scan.AT_LEAST_EXCESS:
        likeliest = onset_moments.plain(frame, found.strongest, numbers["bucket_s"])
        numbers["likeliest"] = likeliest
        why += f"; if something began at all, then most likely at {at(likeliest.at)}"
    return Finding("onset", "no spike", sentence, why, numbers, frame, query, digest, tuple(notes))


def _cannot(frame: pd.DataFrame, why: str, numbers: dict[str, Any] | None = None, query: str = "", evidence: str = "",
            notes: list[str] | None = None) -> Finding:
    empty = {"onset": None, "end": None, "rate": {"baseline": None, "during": None}, "spikes": [], "bucket_s": None, "requests": 0,
             "failed": 0, "window_start": None, "window_end": None}
    return Finding("onset", CANNOT_TELL, f"Whether the error rate rose cannot be told: {why}.", why, numbers or empty, frame, query, evidence,
                   tuple(notes or ()))
