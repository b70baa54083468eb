"""Made incidents whose truth is known to the request, all kinds and formats: the whole answer at once, and no incident where there is none."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from incidentnb import drill, times
from incidentnb.drill.scenario import CALM, KINDS
from incidentnb.workflow import analyses
from scoring import Figure, share

SEEDS, CALM_DAYS, FIRST = 200, 50, 1000
NEAR = timedelta(minutes=2)


def score(data: Path | None = None, every: int = 1) -> list[Figure]:
    """``data`` is not used: 200 seeds from 1000 on, and further surges and quiet days until there are 50 of them."""
    with ProcessPoolExecutor(max_workers=min(2, os.cpu_count() or 1)) as workers:
        rows = list(workers.map(answered, cases(every)))
    hit, calm = [r for r in rows if r["incident"]], [r for r in rows if not r["incident"]]
    held = {"3 sigma": share(r["rival"] is not None and abs(r["rival"]) <= NEAR for r in hit)}
    spread = float(np.median([r["width_s"] for r in hit if r["width_s"] is not None])) if hit else float("nan")
    return [
        Figure(f"the onset lies in its interval (half are narrower than {spread:.0f} s)", "drills", share(r["held"] for r in hit), len(hit), 0.93),
        Figure("the onset within two minutes", "drills", share(r["onset"] for r in hit), len(hit), rivals=held),
        *(Figure(f"{words}", "drills", share(r[name] for r in hit if r[name] is not None), sum(r[name] is not None for r in hit), 0.95)
          for name, words in (("scope", "the failing subset first, or everyone"), ("culprit", "the change that did it first"),
                              ("verdict", "an incident is called one"))),
        Figure("false incidents in surges and quiet days", "drills", share(not r["verdict"] for r in calm), len(calm), 0.0, at_most=True,
               rivals={"3 sigma": share(r["rival"] is not None for r in calm)}),
    ]


def cases(every: int = 1) -> Iterator[tuple[int, str | None]]:
    """Seed and kind (``None``: the seed decides)."""
    seeds = range(FIRST, FIRST + SEEDS, every)
    yield from ((seed, None) for seed in seeds)
    kinds = list(KINDS)
    calm = sum(kinds[seed % len(kinds)] in CALM for seed in seeds)
    yield from ((FIRST + SEEDS + n, CALM[n % 2]) for n in range(max(0, CALM_DAYS // every - calm)))


def answered(case: tuple[int, str | None]) -> dict[str, Any]:
    """What triage says of one drill against its truth."""
    seed, kind = case
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        truth = drill.make(place, seed, kind=kind)
        feeds = [p for p in place.iterdir() if p.is_file() and p.suffix in (".jsonl", ".csv", ".json") and not p.name.startswith(".")]
        found = analyses.triage([place / "logs"], changes=feeds, repos=[place / "shop"])
        said = found.as_json()
    graded = drill.grade(truth, said)
    onset, rival = found.findings["onset"].numbers["onset"], three_sigma(found.findings["onset"].frame)
    known = truth.onset is not None and onset is not None
    return {"seed": seed, "kind": truth.kind, "formats": truth.formats, "incident": truth.verdict == "incident",
            "held": known and onset.earliest <= truth.onset <= onset.latest,
            "width_s": (onset.latest - onset.earliest).total_seconds() if onset else None,
            "off_s": (onset.at - truth.onset).total_seconds() if known else None,
            "rival": None if rival is None else rival - (truth.onset or rival), "sentence": found.findings["onset"].sentence,
            "truth": times.iso(truth.onset), **{name: graded[name]["ok"] for name in ("onset", "scope", "culprit", "verdict")},
            "named": graded["scope"]["found"], "where": truth.where}


def three_sigma(frame: pd.DataFrame) -> Any:
    """The rival: the first bucket whose rate is more than three standard deviations above the mean of the first quarter."""
    rate = (frame["failing"] / frame["total"].where(frame["total"] > 0)).to_numpy(float)
    quiet = rate[:max(4, len(rate) // 4)]
    quiet = quiet[np.isfinite(quiet)]
    above = np.flatnonzero(rate > quiet.mean() + 3 * quiet.std()) if len(quiet) else []
    above = [i for i in above if i >= len(rate) // 4]
    return frame["time"].iloc[int(above[0])].to_pydatetime() if len(above) else None
