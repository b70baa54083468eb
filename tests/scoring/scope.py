"""Which subset is failing: exact conjunctions on ``attribution/rs``, beside two simple rivals, and how often one is invented on shuffled labels."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scoring import Figure, share

FOLDER = "attribution/rs"
SHUFFLES = 200
MINUTE = timedelta(minutes=1)


def score(data: Path, every: int = 1) -> list[Figure]:
    """Micro F1 of the exact conjunctions, the cause among the first three, and no subset invented on permuted labels.

    Window: the labelled minute; baseline: the minutes before it. The shuffles, spread evenly over the cases, deal the failures of the window
    out over all requests of the window at random, and those of the baseline over all requests of the baseline, each keeping its count; the
    harder null, in which the baseline stays as it was, is a figure of its own.

    Args:
        data: a folder laid out like ``../shared/data``.
        every: take each so-manieth case, and so much fewer shuffles.
    """
    from incidentnb import times
    from incidentnb.evidence.series import read_rows

    labels = json.loads((data / FOLDER / "labels.json").read_text(encoding="utf-8"))[::every]
    answers: dict[str, list[tuple[list, list, list]]] = {"scope": [], "difference of shares": [], "chi-square": []}
    shuffles = max(1, SHUFFLES // every)
    invented: dict[str, list[str]] = {"both": [], "window": []}
    for i, label in enumerate(labels):
        at, rows = times.epoch(label["onset_minute_unix"]), read_rows(data / FOLDER / label["file"])
        _, named, ranked = _scope(rows, at)
        answers["scope"].append((label["root_cause"], named, ranked))
        for name, ranking in _rivals(rows, at, label["attributes"]).items():
            answers[name].append((label["root_cause"], ranking[:1], ranking))
        for turn in range(i, shuffles, len(labels)):
            for null in invented:
                invented[null].append(_scope(shuffled(rows, at, np.random.default_rng(turn), past=null == "both"), at)[0])
    f1 = {name: _f1(found) for name, found in answers.items()}
    three = {name: share(any(t in alike for alike in ranked[:3]) for truth, _, ranked in found for t in truth) for name, found in answers.items()}
    causes = sum(len(label["root_cause"]) for label in labels)
    rivals = ("difference of shares", "chi-square")
    return [
        Figure("failing subset, exact conjunction, F1", FOLDER, f1["scope"], causes, 0.78, published="subset scan 0.772, RobustSpot 0.432",
               rivals={name: f1[name] for name in rivals}),
        Figure("the cause among the first three", FOLDER, three["scope"], causes, 0.92, published="subset scan 0.908",
               rivals={name: three[name] for name in rivals}),
        Figure("no subset invented on permuted labels", FOLDER, share(v != "subset" for v in invented["both"]), len(invented["both"]), 0.95),
        Figure("the same with the real baseline", FOLDER, share(v != "subset" for v in invented["window"]), len(invented["window"]), 0.95),
    ]


def shuffled(rows: pd.DataFrame, at: datetime, draw: np.random.Generator, past: bool = True) -> pd.DataFrame:
    """The rows with the failures of the minute ``at`` dealt out over its requests; with ``past`` also those before it over theirs."""
    failing, total = rows["failing"].to_numpy(np.int64).copy(), rows["total"].to_numpy(np.int64)
    during = ((rows["time"] >= at) & (rows["time"] < at + MINUTE)).to_numpy()
    for part in (during, (rows["time"] < at).to_numpy()) if past else (during,):
        failing[part] = draw.multivariate_hypergeometric(total[part], int(failing[part].sum()), method="marginals")
    return rows.assign(failing=failing)


def _scope(rows: pd.DataFrame, at: datetime) -> tuple[str, list, list]:
    """The verdict, the causes and all descriptions; each as the list of its equal conjunctions."""
    from incidentnb.analysis.scope import scope
    from incidentnb.evidence.table import table_of
    from incidentnb.times import Interval

    table = table_of(rows)
    try:
        found = scope(table, Interval(at, at, at), at + MINUTE)
    finally:
        table.close()
    described = [(s["cause"], [s["where"], *s["same_as"]]) for s in found.numbers["subsets"]]
    return found.verdict, [alike for cause, alike in described if cause], [alike for _, alike in described]


def _rivals(rows: pd.DataFrame, at: datetime, attributes: list[str]) -> dict[str, list]:
    """All conjunctions of up to three conditions by two simple scores, the window alone looked at; conjunctions of the same rows are one.

    ``difference of shares`` (BubbleUp-like): their share of the failing requests less their share of the others; ``chi-square``: of the
    table failing or not by inside or not, where the rate inside is the higher.
    """
    from itertools import combinations

    now = rows[(rows["time"] >= at) & (rows["time"] < at + MINUTE)].astype(dict.fromkeys(attributes, str))
    all_failing, all_total = float(now["failing"].sum()), float(now["total"].sum())
    found: list[tuple[dict[str, str], float, float]] = []
    for depth in range(1, min(3, len(attributes)) + 1):
        for columns in combinations(attributes, depth):
            sums = now.groupby(list(columns))[["failing", "total"]].sum()
            found += [(dict(zip(columns, key if isinstance(key, tuple) else (key,), strict=True)), float(f), float(n))
                      for key, f, n in zip(sums.index, sums["failing"], sums["total"], strict=True)]
    f, n = (np.array([item[i] for item in found]) for i in (1, 2))
    rest = max(1.0, all_total - all_failing)
    difference = f / max(1.0, all_failing) - (n - f) / rest
    with np.errstate(divide="ignore", invalid="ignore"):
        chi = all_total * (f * (rest - (n - f)) - (all_failing - f) * (n - f)) ** 2 / (n * (all_total - n) * all_failing * rest)
    chi = np.where((difference > 0) & np.isfinite(chi), chi, -np.inf)
    return {name: [[found[i][0]] for i in np.argsort(-points, kind="stable")[:6]] for name, points in
            (("difference of shares", difference), ("chi-square", chi))}


def _f1(answers: list[tuple[list[dict[str, Any]], list, list]]) -> float:
    hits = [any(t in alike for t in truth) for truth, named, _ in answers for alike in named]
    missed = sum(not any(t in alike for alike in named) for truth, named, _ in answers for t in truth)
    return 2 * sum(hits) / max(1, 2 * sum(hits) + (len(hits) - sum(hits)) + missed)
