"""When did a plain series of values (a latency, a queue, a temperature) leave its usual level, and did it come back?"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from incidentnb.findings import CANNOT_TELL, Finding
from incidentnb.times import Interval, at, spell

if TYPE_CHECKING:
    import pandas as pd

    from incidentnb.analysis.deviations import Deviation, Deviations
    from incidentnb.analysis.seasons import Profile


def shift(frame: pd.DataFrame, seed: int = 7) -> Finding:
    """When a series of values left its usual level, up or down, and whether it came back; several deviations are told apart.

    Method: what is usual is the middle half of the other days at the same time of day where at least three other days are there and a daily
    (weekly) wave is borne out (``seasons.expected``), else the median of all; what lies outside is scanned (``deviations.scan``: the furthest
    window of any length against the furthest that is usual at that length). Complexity O(n log n).
    Not to be trusted where the series is shorter than one of its own waves, or where bursts of any height are its nature.

    Args:
        frame: ``time`` (aware UTC), ``value``; missing points are unknown, not zero.
        seed: of the simulation behind the p-value.

    Returns:
        Verdict ``spike``, ``no spike`` or ``cannot tell``. Numbers: ``onset``, ``end`` (``Interval``; ``end`` ``None`` for still so) and
        ``rate`` {baseline, during} (values) of the *largest* deviation; ``spikes`` [{onset, end, rate, baseline, excess}] in order of time,
        where ``excess`` says how many times further it lies than the furthest stretch that is usual; ``largest`` (its place in ``spikes``),
        ``smallest_visible`` (a change of the value), ``days`` (that the season rests on; 0 where there is none), ``p_value``, ``bucket_s``,
        ``requests`` (values), ``window_start``, ``window_end``. Frame: ``time``, ``value``, ``expected``, ``during``, in order of time.
    """
    from incidentnb.analysis import deviations, seasons, steps

    data = frame[["time", "value"]].dropna().groupby("time", as_index=False)["value"].mean().sort_values("time").reset_index(drop=True)
    data = data.assign(expected=float("nan"), during=False)
    numbers: dict[str, Any] = {"onset": None, "end": None, "rate": {"baseline": None, "during": None}, "spikes": [], "largest": None,
                               "bucket_s": None, "requests": len(data), "failed": None, "window_start": None, "window_end": None}
    if len(data) < deviations.LEAST:
        why = f"{len(data)} values are too few: at least {deviations.LEAST} are needed"
        return Finding("onset", CANNOT_TELL, f"Whether the values rose or fell cannot be told: {why}.", why, numbers, data)
    x, width = data["value"].to_numpy(float), steps.step_of(data["time"])
    moments = [t.to_pydatetime() for t in data["time"]]
    seconds = data["time"].astype("datetime64[s, UTC]").astype("int64").to_numpy()
    season = seasons.expected(seconds, x, None, width)
    rest, usual = _rest(x, season)
    gaps = np.diff(np.unique(x))
    found = deviations.scan(rest, np.concatenate([[1], np.maximum(1, np.round(np.diff(seconds) / width))]),
                            float(gaps[gaps > 1e-9 * max(1e-300, float(np.abs(x).max()))].min(initial=np.inf)), deviations.spread(x - usual), seed)
    data["expected"] = usual
    days = int(np.median(season.periods)) if season else 0
    numbers |= {"bucket_s": width, "window_start": moments[0], "window_end": moments[-1], "days": days, "smallest_visible": found.smallest,
                "p_value": found.strongest.p_value if found.strongest else 1.0}
    notes = _notes(season, days)
    if not found.found:
        return _quiet(data, found, numbers, width, notes)
    spikes = [_spike(d, moments, x, usual) for d in found.found]
    for deviation in found.found:
        data.loc[deviation.start:deviation.end - 1, "during"] = True
    largest = found.found.index(found.strongest)
    main = spikes[largest]
    numbers |= {"onset": main["onset"], "end": main["end"], "rate": {"baseline": main["baseline"], "during": main["rate"]}, "spikes": spikes,
                "largest": largest}
    until = "still so at the end" if main["end"] is None else f"until {at(main['end'].at, main['onset'].at)}"
    sentence = f"The value went from {main['baseline']:.4g} to {main['rate']:.4g} at {at(main['onset'].at)}, {until}."
    if len(spikes) > 1:
        sentence += f" It is the largest of {len(spikes)} deviations"
        sentence += f"; the earliest began at {at(spikes[0]['onset'].at, main['onset'].at)}." if largest else " and the earliest."
    top = found.strongest
    why = (f"{top.end - top.start:,} of {len(x):,} values; it lies {top.strength:.1f} times as far from the usual as the furthest stretch "
           f"of its length elsewhere; {top.p_value:.1%} of even series, as long and as persistent, look like this")
    return Finding("onset", "spike", sentence, why, numbers, data, notes=notes)


def _rest(x: np.ndarray, season: Profile | None) -> tuple[np.ndarray, np.ndarray]:
    """Values less their usual level, and that level: the nearer edge of the usual band of the day, or the median."""
    middle = float(np.median(x))
    if season is None:
        return x - middle, np.full(len(x), middle)
    known = np.isfinite(season.expected)
    band = np.clip(x, np.where(known, season.low, middle), np.where(known, season.high, middle))
    return x - band, np.where(known, season.expected, middle)


def _spike(found: Deviation, moments: list, x: np.ndarray, usual: np.ndarray) -> dict[str, Any]:
    last = len(x) - 1
    began = Interval(moments[found.start], moments[max(0, min(found.start_low, found.start) - 1)], moments[found.start_high])
    over = None if found.end > last else Interval(moments[found.end], moments[found.end - 1], moments[min(last, found.end + 1)])
    inside = slice(found.start, found.end)
    return {"onset": began, "end": over, "rate": float(np.median(x[inside])), "baseline": float(np.median(usual[inside])), "excess": found.strength}


def _quiet(data: pd.DataFrame, found: Deviations, numbers: dict[str, Any], width: int, notes: tuple[str, ...]) -> Finding:
    middle = float(data["value"].median())
    numbers["rate"]["baseline"] = middle
    from incidentnb.analysis.deviations import AT_MOST_P

    held = spell(timedelta(seconds=width * max(1, len(data) // 12)))
    seen = f"; a shift by about {found.smallest:.3g} for {held} would have been seen" if np.isfinite(found.smallest) and found.smallest > 0 else ""
    why = ("the values never move" if found.strongest is None else
           "the furthest is one value alone, or within twice the usual spread" if found.strongest.p_value < AT_MOST_P else
           f"{found.strongest.p_value:.0%} of even series, as long and as persistent, look at least as shifted")
    return Finding("onset", "no spike", f"No shift is visible in {len(data):,} values around {middle:.4g}{seen}.", why, numbers, data, notes=notes)


def _notes(season: Profile | None, days: int) -> tuple[str, ...]:
    if season is None:
        return ("No daily wave is borne out by at least three other days: the usual level is the median of all values.",)
    what = "day" if season.period_s == 86_400 else "week"
    return (f"The usual level is that of {days} other {what}s at the same time of the {what}.",)
