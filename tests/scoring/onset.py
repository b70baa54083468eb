"""When did the error rate rise? ``onset/rs_rate`` (82 real incidents) and ``onset/petshop`` (availability), beside simple rivals."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from incidentnb import times
from incidentnb.analysis.onset import onset_of_series
from incidentnb.evidence.series import read_series
from incidentnb.findings import Finding
from scoring import Figure, share

STEP = timedelta(minutes=1)


def score(data: Path, every: int = 1) -> list[Figure]:
    """All figures of the onset, on every ``every``-th case."""
    return [*_rates(data / "onset" / "rs_rate", every), *_availability(data / "onset" / "petshop", every)]


def _rates(folder: Path, every: int) -> list[Figure]:
    clean, near, likely, calm, same = [], [], [], [], []
    rivals: dict[str, list[tuple[bool, int | None]]] = {}
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))[::every]
    for label in labels:
        series, truth = read_series(folder / label["file"]), times.epoch(label["onset_minute_unix"])
        found = onset_of_series(series)
        off = _off(found, truth)
        near.append(off)
        likely.append(off if off is not None else _off(found, truth, "likeliest"))
        if label["last_minute_partial"]:
            cut = onset_of_series(series.iloc[:-1])
            same.append((found.verdict, found.numbers["onset"]) == (cut.verdict, cut.numbers["onset"]))
        if label["onset_label_clean"]:
            clean.append(off)
            before = series[series["time"] < truth]
            if len(before) >= 4:
                calm.append(onset_of_series(before).verdict == "spike")
        for name, place in RIVALS.items():
            guess = place(series["failing"].to_numpy(float), series["total"].to_numpy(float))
            minute = None if guess is None else round((series["time"].iloc[guess].to_pydatetime() - truth) / STEP)
            rivals.setdefault(name, []).append((label["onset_label_clean"], minute))
    fired, all_fired = [o for o in clean if o is not None], [o for o in near if o is not None]
    exact = {name: share(o == 0 for is_clean, o in told if is_clean) for name, told in rivals.items()}
    within = {name: share(o is not None and abs(o) <= 1 for _, o in told) for name, told in rivals.items()}
    return [
        Figure("exact minute, clean labels, where a spike is called", "onset/rs_rate", share(o == 0 for o in fired), len(fired), 0.97,
               published="0.976, likelihood scan without a test; 0.929 Bayesian online; 0.643 three sigma", rivals=exact),
        Figure("exact minute, all clean labels (not called is wrong)", "onset/rs_rate", share(o == 0 for o in clean), len(clean), rivals=exact),
        Figure("within a minute, all labels, where a spike is called", "onset/rs_rate", share(abs(o) <= 1 for o in all_fired), len(all_fired), 0.80,
               published="0.79, the best of all methods without a test", rivals=within),
        Figure("the same, called or not: where a spike is likeliest", "onset/rs_rate", share(o is not None and abs(o) <= 1 for o in likely),
               len(likely), published="0.79, the best of all methods without a test", rivals=within),
        Figure("clean incidents that are called a spike", "onset/rs_rate", share(o is not None for o in clean), len(clean), 0.90),
        Figure("false spikes on the calm before a clean label", "onset/rs_rate", share(calm), len(calm), 0.05, at_most=True,
               published="0.59, a raw likelihood test"),
        Figure("the partial last minute changes nothing", "onset/rs_rate", share(same), len(same), 1.0),
    ]


def _off(found: Finding, truth, name: str = "onset") -> int | None:
    at = found.numbers.get(name)
    return None if at is None else round((at.at - truth) / STEP)


def _availability(folder: Path, every: int) -> list[Figure]:
    """A case is five bins of five minutes; one whose errors cannot be told from the fault-free day (p > 1e-4) is invisible."""
    rows: dict[str, list[dict[str, str]]] = {}
    quiet = {"errors": 0.0, "requests": 0.0}
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["segment"] == "noissue":
                    quiet["errors"] += float(row["errors_est"] or 0)
                    quiet["requests"] += float(row["requests"] or 0)
                else:
                    rows.setdefault(row["case"], []).append(row)
    base = quiet["errors"] / max(1.0, quiet["requests"])
    hits: list[bool] = []
    silent: list[bool] = []
    for label in [entry for entry in json.loads((folder / "labels.json").read_text(encoding="utf-8")) if entry["metric"] == "availability"][::every]:
        case = sorted(rows[label["case"]], key=lambda row: int(row["bin_unix"]))
        series = pd.DataFrame({"time": pd.to_datetime([int(row["bin_unix"]) for row in case], unit="s", utc=True),
                               "failing": [float(row["errors_est"]) for row in case], "total": [float(row["requests"]) for row in case]})
        found = onset_of_series(series)
        after = next(int(row["bin_unix"]) for row in case if int(row["bin_unix"]) > label["onset_unix"])  # bins look end-labelled
        if _visible(series, base):
            at = found.numbers["onset"]
            hits.append(at is not None and abs(at.at.timestamp() - after) <= 300)
        else:
            silent.append(found.verdict == "no spike")
    return [Figure("onset bin within 1 of the visible one", "onset/petshop", share(hits), len(hits), 1.0),
            Figure("no spike said where none is visible", "onset/petshop", share(silent), len(silent), 1.0)]


def _visible(series: pd.DataFrame, base: float, p: float = 1e-4) -> bool:
    """Whether two bins side by side hold more errors than a Poisson mean of the fault-free rate gives in one of 10,000."""
    failing, total = series["failing"].to_numpy(), series["total"].to_numpy()
    return any(_tail(failing[i] + failing[i + 1], base * (total[i] + total[i + 1])) < p for i in range(len(series) - 1))


def _tail(count: float, mean: float) -> float:
    term, below = float(np.exp(-mean)), 0.0
    for k in range(int(count)):
        below += term
        term *= mean / (k + 1)
    return max(0.0, 1 - below)


def _three_sigma(failing: np.ndarray, total: np.ndarray) -> int | None:
    """The first minute beyond three standard deviations of all before it."""
    rate = failing / np.maximum(total, 1)
    return next((i for i in range(4, len(rate)) if rate[i] > rate[:i].mean() + 3 * max(rate[:i].std(), 1e-9)), None)


def _steepest(failing: np.ndarray, total: np.ndarray) -> int | None:
    """The minute before which the rate rises most."""
    rate = failing / np.maximum(total, 1)
    return int(np.argmax(np.diff(rate))) + 1 if len(rate) > 1 else None


def _pelt(failing: np.ndarray, total: np.ndarray) -> int | None:
    """The first change upwards of PELT (Killick 2012) on the rate, by the package ruptures."""
    import ruptures

    rate = failing / np.maximum(total, 1)
    if len(rate) < 4:
        return None
    spread = float(np.median(np.abs(np.diff(rate)))) or float(rate.std()) or 1e-9
    marks = ruptures.Pelt(model="l2", min_size=1, jump=1).fit(rate / spread).predict(pen=3 * np.log(len(rate)))
    return _first_rise(rate, marks)


def _binary(failing: np.ndarray, total: np.ndarray) -> int | None:
    """The change of a two-segment split on the rate, by the package ruptures."""
    import ruptures

    rate = failing / np.maximum(total, 1)
    return None if len(rate) < 4 else _first_rise(rate, ruptures.Binseg(model="l2", min_size=1, jump=1).fit(rate).predict(n_bkps=1))


def _first_rise(rate: np.ndarray, marks: list[int]) -> int | None:
    return next(_rises(rate, marks), None)


def _rises(rate: np.ndarray, marks: list[int]) -> Iterator[int]:
    edges = [0, *marks]
    for low, middle, high in zip(edges, edges[1:], edges[2:], strict=False):
        if rate[middle:high].mean() > rate[low:middle].mean():
            yield middle


RIVALS: dict[str, Callable[[np.ndarray, np.ndarray], int | None]] = {
    "PELT (ruptures)": _pelt, "two segments (ruptures)": _binary, "three sigma": _three_sigma, "steepest rise": _steepest}
