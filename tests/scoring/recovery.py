"""How often "recovered" relapses: real series and made ones replayed minute by minute, as known at each minute; rivals in the same run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd

from incidentnb.analysis import limits, quiet
from incidentnb.analysis.onset import onset_of_series
from incidentnb.analysis.recovery import recovery_of_series
from incidentnb.evidence.series import read_series
from incidentnb.findings import Finding
from incidentnb.times import Interval
from scoring import Figure, share

GOOD, CHANCE = 1.5, np.log(100)  # a rival's good minute: at most so many baselines; a relapse: twice the baseline, 1 in 100 by chance
MINUTES = quiet.NEED_MINUTES
PUBLISHED = "25 % after 1 good minute, 23 % after 3, 8 % after 5, 3 % after 7 (measured before, on labelled onsets)"


@dataclass(frozen=True)
class Call:
    """One "recovered": after so many known minutes, how many complete ones came later, and whether one of them was a relapse."""

    after: int
    later: int
    relapsed: bool


def score(data: Path, every: int = 1) -> list[Figure]:
    """Relapses after "recovered" on the real series as they are, on those joined where their windows touch, and on made ones."""
    folder = Path(data) / "onset" / "rs_rate"
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))[::every]
    single = [(_complete(read_series(folder / label["file"]), label), label) for label in labels]
    known = [(frame, onsets(frame)) for frame, _ in single]
    rivals = {f"{k} good minutes": _relapses(good_minutes(frame, label, k) for frame, label in single) for k in (1, 3, 5, 10)}
    figures = []
    for need in (MINUTES, 7, 5):
        with patch.object(quiet, "NEED_MINUTES", need):
            calls = [next(replay(frame, told), None) for frame, told in known]
        name = "as it is" if need == MINUTES else f"were {need} minutes enough for it"
        said = [c for c in calls if c is not None]
        judged = sum(c.later > 0 for c in said)
        ours = need == MINUTES
        figures.append(Figure(f"\"recovered\" that relapses, {name} ({len(said)} called, {judged} with a later minute to judge)", "onset/rs_rate",
                              sum(c.relapsed for c in said) / max(1, len(said)), len(said), 0.05 if ours else None, True,
                              PUBLISHED if ours else "", rivals if ours else {}))
        if ours:
            over = [c is not None for c, (frame, label), (_, told) in zip(calls, single, known, strict=True)
                    if told and is_over(frame, label, told[-1][1])]
            figures.append(Figure("of the visible spikes that 10 good minutes follow, called recovered", "onset/rs_rate", share(over), len(over)))
    return [*figures, *_joined(single), *made(max(40, 300 // every))]


def _joined(single: list) -> list[Figure]:
    calls, over = [], []
    for frame, label in joined(single):
        known = onsets(frame)
        told = list(replay(frame, known))
        calls += told
        if known and is_over(frame, label, known[-1][1]):
            over.append(bool(told) and not told[-1].relapsed)
    judged = [c for c in calls if c.later > 0]
    return [Figure(f"\"recovered\" that relapses, windows of a stream joined ({len(judged)} of {len(calls)} with a later minute)", "onset/rs_rate",
                   sum(c.relapsed for c in calls) / max(1, len(calls)), len(calls), None, True),
            Figure("the same, windows of a stream joined", "onset/rs_rate", share(over), len(over))]


def _relapses(calls: Iterator[Call | None]) -> float:
    return share(c.relapsed for c in calls if c is not None)


def _complete(frame: pd.DataFrame, label: dict) -> pd.DataFrame:
    return frame.iloc[:-1] if label["last_minute_partial"] else frame


def onsets(frame: pd.DataFrame, first: int = 6) -> list[tuple[int, Finding]]:
    """What the product says of the onset after each minute, from the ``first`` on."""
    return [(k, onset_of_series(frame.iloc[:k])) for k in range(first, len(frame) + 1)]


def replay(frame: pd.DataFrame, known: list[tuple[int, Finding]]) -> Iterator[Call]:
    """Each turn to "recovered" as the minutes become known one by one."""
    before = ""
    for k, onset in known:
        found = recovery_of_series(frame.iloc[:k], onset) if onset.verdict == "spike" else onset
        if found.verdict == "recovered" and before != "recovered":
            later = frame.iloc[k:]
            yield Call(k, len(later), any(raised(f, n, found.numbers["baseline"]) for f, n in zip(later["failing"], later["total"], strict=True)))
        before = found.verdict


def raised(failing: float, total: float, base: float) -> bool:
    return limits.surprise(failing, total, 2 * base) >= CHANCE


def _base(frame: pd.DataFrame, label: dict) -> tuple[float, pd.DataFrame]:
    """The rate before the labelled onset, and the minutes from it on."""
    first = pd.Timestamp(label["onset_minute_unix"], unit="s", tz="UTC")
    before, since = frame[frame["time"] < first], frame[frame["time"] >= first]
    return max(before["failing"].sum() / max(1, before["total"].sum()), limits.FLOOR), since


def good_minutes(frame: pd.DataFrame, label: dict, k: int) -> Call | None:
    """The rival: recovered after ``k`` minutes in a row of at most 1.5 baselines since the labelled onset."""
    base, since = _base(frame, label)
    run = 0
    for i, (f, n) in enumerate(zip(since["failing"], since["total"], strict=True)):
        run = run + 1 if f <= GOOD * base * n else 0
        if run == k:
            later = since.iloc[i + 1:]
            relapsed = any(raised(f, n, base) for f, n in zip(later["failing"], later["total"], strict=True))
            return Call(i + 1, len(later), relapsed) if len(later) else None
    return None


def is_over(frame: pd.DataFrame, label: dict, onset: Finding) -> bool:
    """Whether a real series bears a recovery: a spike is seen at the end of it, and each of its last 10 complete minutes is at most 1.5 baselines."""
    base, since = _base(frame, label)
    last = since.iloc[1:].tail(10)
    return onset.verdict == "spike" and len(last) == 10 and all(
        f <= GOOD * base * n for f, n in zip(last["failing"], last["total"], strict=True))


def joined(single: list) -> Iterator[tuple[pd.DataFrame, dict]]:
    """The real series with those windows of a stream made one that overlap or follow each other; the first label of each."""
    streams: dict[str, list] = {}
    for frame, label in sorted(single, key=lambda item: item[0]["time"].iloc[0]):
        parts = streams.setdefault(label["stream"], [])
        if parts and frame["time"].iloc[0] - parts[-1][0]["time"].iloc[-1] <= pd.Timedelta(minutes=2):
            both = pd.concat([parts[-1][0], frame]).sort_values("total").drop_duplicates("time", keep="last").sort_values("time")
            parts[-1] = (both.reset_index(drop=True), parts[-1][1])
        else:
            parts.append((frame, label))
    return (item for parts in streams.values() for item in parts)


def made(count: int, seed: int = 20) -> list[Figure]:
    """Made incidents: of ten, four are over at once, one slowly, two relapse, one stays at twice the baseline, one flaps, one is dead."""
    draw = np.random.default_rng(seed)
    wrong, right, delays, busy = [], [], [], []
    for i in range(count):
        a_minute, base = int(draw.choice([60, 300, 2000, 20_000])), float(draw.choice([0.003, 0.01, 0.03]))
        kind = ("over", "over", "over", "over", "slow", "relapse", "relapse", "double", "flap", "dead")[i % 10]
        frame, onset, over = make(draw, kind, a_minute, base)
        call = next((k for k in range(45, len(frame) + 1) if recovery_of_series(frame.iloc[:k], onset(k)).verdict == "recovered"), None)
        if call is not None:
            wrong.append(over is None or call <= over)
        if over is not None:
            good = call is not None and call > over
            right.append(good)
            if a_minute * base >= 3:
                busy.append(good)
            if good:
                delays.append(call - over)
    return [Figure("\"recovered\" though it is not, or relapses", "made series", share(wrong), len(wrong), 0.05, True),
            Figure("of those over, called recovered within 80 minutes", "made series", share(right), len(right)),
            Figure("the same at 3 usual failures a minute and more", "made series", share(busy), len(busy)),
            Figure("minutes from the true end to \"recovered\", median", "made series", float(np.median(delays or [np.nan])), len(delays))]


def make(draw: np.random.Generator, kind: str, a_minute: int, base: float):
    """A series of 130 minutes with a spike from minute 30, what is known of its onset after k minutes, and the place where it is over for good."""
    places, length = 130, int(draw.integers(5, 20))
    rate, traffic, over = np.full(places, base), np.full(places, float(a_minute)), 30 + length
    spikes = [(30, over)]
    height = base * float(draw.choice([4, 10, 20]))
    if kind == "relapse":
        gap, again = max(1, int(draw.exponential(4))), int(draw.integers(2, 8))
        spikes.append((over + gap, over + gap + again))
        over = over + gap + again
    if kind == "flap":
        at = over
        for _ in range(6):
            at += int(draw.integers(2, 9))
            spikes.append((at, at + 2))
            at += 2
        over = at
    for a, b in spikes:
        rate[a:b] = height
    if kind == "slow":
        tail = height * 0.5 ** (np.arange(places - over) / 3.0)
        rate[over:] = np.maximum(base, tail)
        over += int(np.argmax(tail <= 1.5 * base))
    if kind == "double":
        rate[over:], over = 2 * base, None
    if kind == "dead":
        traffic[over:], over = 0.03 * a_minute, None
    rate = np.clip(rate * draw.gamma(200, 1 / 200, places), 0, 0.95)  # real minutes scatter more than chance
    total = draw.poisson(traffic)
    start = datetime(2026, 11, 23, 13, tzinfo=UTC)
    frame = pd.DataFrame({"time": pd.to_datetime([start + timedelta(minutes=i) for i in range(places)], utc=True), "total": total,
                          "failing": draw.binomial(total, rate)})
    began = Interval(start + timedelta(minutes=30), start + timedelta(minutes=29), start + timedelta(minutes=31))

    def onset(k: int) -> Finding:
        numbers = {"onset": began, "end": None, "spikes": [{"onset": began, "end": None, "rate": height}], "bucket_s": 60,
                   "rate": {"baseline": base, "during": height}}
        return Finding("onset", "spike", "", numbers=numbers, frame=frame.iloc[:k].assign(complete=True))

    return frame, onset, over
