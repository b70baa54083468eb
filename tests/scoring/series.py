"""How right the shift of a value is on real labelled series: is the largest deviation where people marked one? Simple rivals in the same run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from incidentnb.analysis.onset import onset_of_series
from scoring import Figure, share

NEAR = 3  # steps by which a deviation may miss a marked segment
FAMILIES = ("nab/realAWSCloudwatch", "nab/realTraffic", "mscloud/application-crash-rate-1", "mscloud/consumer-purchase-rate",
            "mscloud/data-ingress-rate")
Span = tuple[pd.Timestamp, pd.Timestamp]
MOST_POINTS = 400  # both searches of ruptures are slow in Python: longer series are thinned for them to the farthest of each few points


@dataclass(frozen=True)
class Case:
    """One series and the stretches that people marked; none where nothing was marked."""

    name: str
    frame: pd.DataFrame
    marked: tuple[Span, ...]

    def hit(self, found: Span | None) -> bool:
        """Whether a named stretch touches a marked one; where nothing is marked, naming nothing is right."""
        if found is None or not self.marked:
            return found is None and not self.marked
        slack = NEAR * self.frame["time"].diff().mode().iloc[0]
        return any(found[0] <= end + slack and found[1] >= start - slack for start, end in self.marked)


def score(data: Path, every: int = 1) -> list[Figure]:
    """The largest deviation in a marked stretch, family by family; latency of PetShop; false shifts of made even series."""
    folder = Path(data) / "onset"
    figures = []
    rivals = {"largest distance from the median": farthest, "rolling z, 3 sigma": rolling, "PELT (rbf)": pelt, "binary segmentation (l2)": binseg}
    cases = list(read(folder))
    for family in sorted({c.name.rsplit("/", 1)[0] for c in cases}):
        some = [c for c in cases if c.name.startswith(family + "/")][::every]
        figures.append(Figure("largest deviation lies in a marked stretch, or none where none is marked", f"onset/{family}", share(
            c.hit(ours(c.frame)) for c in some), len(some), 0.8, rivals={n: share(c.hit(f(c.frame)) for c in some) for n, f in rivals.items()}))
    return [*figures, _petshop(folder / "petshop", every), _even(max(20, 100 // every))]


def read(folder: Path) -> Iterator[Case]:
    """The series of ``nab`` and ``mscloud`` with their marked stretches."""
    for kind in ("nab", "mscloud"):
        path = folder / kind / "labels.json"
        for name, label in sorted(json.loads(path.read_text(encoding="utf-8")).items()) if path.is_file() else ():
            frame = pd.read_csv(folder / kind / name).iloc[:, :2]
            frame.columns = ["time", "value"]
            frame["time"] = pd.to_datetime(frame["time"], utc=True)
            spans = label["windows"] if kind == "nab" else [segment[:2] for segment in label["anomalous_segments"]]
            yield Case(f"{kind}/{name}", frame.dropna().sort_values("time").drop_duplicates("time").reset_index(drop=True),
                       tuple((pd.Timestamp(a, tz="UTC"), pd.Timestamp(b, tz="UTC")) for a, b in spans))


def ours(frame: pd.DataFrame) -> Span | None:
    """The largest deviation that is named."""
    numbers = onset_of_series(frame).numbers
    if numbers["onset"] is None:
        return None
    end = frame["time"].iloc[-1] if numbers["end"] is None else pd.Timestamp(numbers["end"].earliest)
    return pd.Timestamp(numbers["onset"].at), end


def farthest(frame: pd.DataFrame) -> Span | None:
    """The point farthest from the median, where it is more than 3.5 robust deviations away (Iglewicz and Hoaglin 1993)."""
    far = (frame["value"] - frame["value"].median()).abs()
    return _point(frame, far.to_numpy(), 3.5 * 1.4826 * float(far.median()))


def rolling(frame: pd.DataFrame) -> Span | None:
    """The point with the largest z over the 288 points before it, where it is more than three."""
    before = frame["value"].rolling(288, min_periods=12)
    far = ((frame["value"] - before.mean().shift()) / before.std().shift()).abs().replace(np.inf, np.nan).fillna(0)
    return _point(frame, far.to_numpy(), 3.0)


def pelt(frame: pd.DataFrame) -> Span | None:
    """The segment of PELT (rbf, penalty 10) whose mean is farthest from the median."""
    import ruptures

    return _segment(frame, lambda x: ruptures.Pelt(model="rbf", min_size=2, jump=1).fit(x).predict(pen=10))


def binseg(frame: pd.DataFrame) -> Span | None:
    """The same of binary segmentation (l2, penalty of the BIC)."""
    import ruptures

    return _segment(frame, lambda x: ruptures.Binseg(model="l2", min_size=1, jump=1).fit(x).predict(pen=2 * np.log(len(x)) * max(np.var(x), 1e-12)))


def _point(frame: pd.DataFrame, far: np.ndarray, least: float) -> Span | None:
    at = int(np.argmax(far))
    return (frame["time"].iloc[at], frame["time"].iloc[at]) if far[at] > least else None


def _segment(frame: pd.DataFrame, cut: Callable[[np.ndarray], list[int]]) -> Span | None:
    thin = int(np.ceil(len(frame) / MOST_POINTS))
    x = frame["value"].to_numpy(float)
    x = x[:len(x) // thin * thin].reshape(-1, thin)
    x = x[np.arange(len(x)), np.argmax(np.abs(x - np.median(x)), axis=1)]
    edges = [0, *cut((x - np.median(x)) / (np.std(x) or 1))]
    parts = [(abs(x[a:b].mean() - np.median(x)), a, b) for a, b in pairwise(edges)]
    if len(parts) < 2:
        return None
    _, a, b = max(parts)
    return frame["time"].iloc[a * thin], frame["time"].iloc[min(len(frame), b * thin) - 1]


def _petshop(folder: Path, every: int) -> Figure:
    """Injected faults that slow the shop down: five bins each, after the last five hours of the fault-free bins."""
    labels = [entry for entry in json.loads((folder / "labels.json").read_text(encoding="utf-8")) if entry["metric"] == "latency"][::every]
    calm = pd.concat([pd.read_csv(path) for path in sorted(folder.glob("*.csv"))]).query("segment == 'noissue'")["latency_p95"].dropna()[-60:]
    right, rival = [], []
    for entry in labels:
        rows = pd.read_csv(folder / entry["file"])
        rows = rows[(rows["segment"] == "issue") & (rows["case"] == entry["case"])].sort_values("bin_unix")
        times = [*(rows["bin_unix"].iloc[0] - 300 * np.arange(len(calm), 0, -1)), *rows["bin_unix"]]
        frame = pd.DataFrame({"time": pd.to_datetime(times, unit="s", utc=True), "value": [*calm, *rows["latency_p95"]]}).dropna()
        visible = pd.Timestamp(int(rows["bin_unix"][rows["bin_unix"] >= entry["onset_unix"]].iloc[0]), unit="s", tz="UTC")
        right.append(_near(ours(frame), visible))
        rival.append(_near(farthest(frame), visible))
    return Figure("latency: onset within one bin of the first that ends after the fault was injected", "onset/petshop", share(right), len(right),
                  rivals={"largest distance from the median": share(rival)})


def _near(found: Span | None, bin_time: pd.Timestamp) -> bool:
    return found is not None and abs(found[0] - bin_time) <= pd.Timedelta(minutes=5)


def _even(count: int) -> Figure:
    """Made series in which nothing happens: even and wandering noise, with and without a daily wave."""
    alarms = []
    for seed in range(count):
        draw = np.random.default_rng(seed)
        noise = draw.normal(0, 1, 1440)
        for i in range(1, 1440 if seed % 2 else 0):
            noise[i] += 0.7 * noise[i - 1]
        wave = 8 * np.sin(2 * np.pi * np.arange(1440) / 288) if seed % 4 > 1 else 0.0
        frame = pd.DataFrame({"time": pd.date_range("2026-11-02", periods=1440, freq="300s", tz="UTC"), "value": 50 + noise + wave})
        alarms.append(onset_of_series(frame).verdict == "spike")
    return Figure("even series called shifted", "made series", share(alarms), count, 0.1, at_most=True)
