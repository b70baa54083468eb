"""How right the analyses are on real labelled cases: ``python tests/bench/accuracy.py`` prints a table; the tests hold floors on a part."""

from __future__ import annotations

import json
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def onset_cases(folder: Path, every: int = 1) -> dict[str, float]:
    """``data/onset/rs_rate``: exact and within a minute, on clean labels and all; false spikes before the label; the partial minute cut."""
    from incidentnb import times
    from incidentnb.analysis.onset import onset_of_series
    from incidentnb.evidence.series import read_series

    rows, calm = [], []
    for label in json.loads((folder / "labels.json").read_text(encoding="utf-8"))[::every]:
        series, truth = read_series(folder / label["file"]), times.epoch(label["onset_minute_unix"])
        found, cut = onset_of_series(series).numbers, onset_of_series(series.iloc[:-1]).numbers
        off = None if found["onset"] is None else round((found["onset"].at - truth) / timedelta(minutes=1))
        same = found["onset"] == cut["onset"] or not label["last_minute_partial"]
        rows.append((label["onset_label_clean"], off, same))
        before = series[series["time"] < truth]
        if label["onset_label_clean"] and len(before) >= 4:
            calm.append(onset_of_series(before).verdict == "spike")
    clean = [off for is_clean, off, _ in rows if is_clean]
    fired, all_fired = [o for o in clean if o is not None], [o for _, o, _ in rows if o is not None]
    return {"cases": len(rows), "clean cases that fire": len(fired) / len(clean), "exact minute, clean that fire": _share(o == 0 for o in fired),
            "exact minute, all clean": _share(o == 0 for o in clean), "within a minute, all that fire": _share(abs(o) <= 1 for o in all_fired),
            "same answer without the partial minute": _share(same for *_, same in rows), "false spikes on calm stretches": _share(calm)}


def scope_cases(folder: Path, every: int = 1) -> dict[str, float]:
    """``data/attribution/rs``: F1 of the exact conjunctions, and how often the cause is among the first three descriptions."""
    from incidentnb import times
    from incidentnb.analysis.scope import scope
    from incidentnb.evidence.series import read_rows
    from incidentnb.evidence.table import table_of
    from incidentnb.times import Interval

    right = wrong = missed = top = causes = 0
    for label in json.loads((folder / "labels.json").read_text(encoding="utf-8"))[::every]:
        at = times.epoch(label["onset_minute_unix"])
        answer = scope(table_of(read_rows(folder / label["file"])), Interval(at, at, at), at + timedelta(minutes=1))
        subsets, truth = answer.numbers["subsets"], label["root_cause"]
        named = [_alike(s) for s in subsets if s["cause"]]
        hits = [any(t in alike for t in truth) for alike in named]
        right, wrong = right + sum(hits), wrong + len(hits) - sum(hits)
        missed += sum(not any(t in alike for alike in named) for t in truth)
        top += sum(any(t in _alike(s) for s in subsets[:3]) for t in truth)
        causes += len(truth)
    return {"causes": causes, "F1 of exact conjunctions": 2 * right / (2 * right + wrong + missed), "among the first three": top / causes}


def _alike(subset: dict[str, Any]) -> list[dict[str, Any]]:
    return [subset["where"], *subset["same_as"]]


def pattern_cases(folder: Path, systems: tuple[str, ...] = ()) -> dict[str, float]:
    """``data/templates/loghub2k``: grouping accuracy per system (the share of lines whose group is exactly a true one), one configuration."""
    import csv
    from collections import Counter, defaultdict

    from incidentnb.analysis import masks, mining

    scores = {}
    for path in sorted(folder.glob("*_structured.csv")):
        name = path.name.split("_")[0]
        if systems and name not in systems:
            continue
        with path.open(encoding="utf-8", newline="") as file:
            rows = [(row["EventId"], masks.mask(row["Content"])) for row in csv.DictReader(file)]
        counts = Counter(masked for _, masked in rows)
        shape = dict(zip(counts, mining.shapes(list(counts), list(counts.values())), strict=True))
        truth, found = Counter(event for event, _ in rows), defaultdict(Counter)
        for event, masked in rows:
            found[shape[masked]][event] += 1
        good = sum(sum(events.values()) for events in found.values()
                   if len(events) == 1 and truth[next(iter(events))] == sum(events.values()))
        scores[name] = good / len(rows)
    return scores | {"mean": sum(scores.values()) / len(scores)}


def _share(values: Any) -> float:
    values = list(values)
    return sum(bool(v) for v in values) / len(values) if values else float("nan")


def main() -> int:
    for title, score in (("onset", lambda: onset_cases(SHARED / "onset" / "rs_rate")), ("scope", lambda: scope_cases(SHARED / "attribution" / "rs")),
                         ("patterns", lambda: pattern_cases(SHARED / "templates" / "loghub2k"))):
        began = time.perf_counter()
        found = score()
        print(f"{title}  ({time.perf_counter() - began:.1f} s)")  # noqa: T201  a bench prints its table
        for name, value in found.items():
            print(f"  {name:42s} {value:8.3f}" if isinstance(value, float) else f"  {name:42s} {value:8d}")  # noqa: T201  as above
    return 0


if __name__ == "__main__":
    sys.exit(main())
