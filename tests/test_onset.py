"""When it began: on requests to the second, on a series to its step, and not at all where nothing is there."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from incidentnb.analysis.onset import onset, onset_of_series
from incidentnb.evidence.table import table_of

START = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)


def requests(rows=30_000, began=3000.0, ended=None, during=0.15, quiet=0.004, span=5400, seed=2) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    seconds = np.sort(draw.uniform(0, span, rows))
    hit = (seconds >= began) & (seconds < (ended or span))
    failed = draw.random(rows) < np.where(hit, during, quiet)
    return pd.DataFrame({"time": (pd.Timestamp(START) + pd.to_timedelta(seconds, unit="s")).as_unit("us"), "http_status": np.where(failed, 502, 200)})


def series(values, total=1000, step=60) -> pd.DataFrame:
    times = pd.date_range(START, periods=len(values), freq=f"{step}s").as_unit("us")
    return pd.DataFrame({"time": times, "failing": np.round(np.array(values) * total), "total": float(total)})


@pytest.mark.parametrize("began", [3000.0, 3007.5, 1234.0])
def test_onset_to_the_second(began):
    """On single requests the onset is right to seconds, and the truth lies in or beside its interval."""
    found = onset(table_of(requests(began=began)))
    truth = START + timedelta(seconds=began)
    assert found.verdict == "spike"
    assert abs(found.numbers["onset"].at - truth) < timedelta(seconds=10)
    assert found.numbers["onset"].earliest - timedelta(seconds=5) <= truth <= found.numbers["onset"].latest + timedelta(seconds=5)
    assert found.numbers["end"] is None
    assert found.numbers["rate"]["during"] == pytest.approx(0.15, rel=0.1)
    assert found.numbers["rate"]["baseline"] == pytest.approx(0.004, rel=0.4)


def test_end_is_told():
    """A spike that ends has an end near the truth, and the frame marks it."""
    found = onset(table_of(requests(began=2000, ended=2900)))
    assert abs(found.numbers["end"].at - (START + timedelta(seconds=2900))) <= timedelta(seconds=60)
    marked = found.frame[found.frame["during"]]
    assert abs(marked["time"].iloc[0] - (START + timedelta(seconds=2000))) <= timedelta(seconds=60)


@pytest.mark.parametrize("ratio", [1.0, 3.0])
def test_quiet_is_no_spike(ratio):
    """An even error rate is no spike, a surge of traffic at the same rate neither; it says what would have been seen."""
    frame = requests(during=0.004)
    if ratio > 1:
        frame = pd.concat([frame, requests(rows=20_000, during=0.004, seed=5).assign(
            time=lambda f: f["time"].where(f["time"] > START + timedelta(seconds=3000), f["time"] + timedelta(seconds=2400)))]).sort_values("time")
    found = onset(table_of(frame))
    assert found.verdict == "no spike"
    assert found.numbers["onset"] is None
    assert 0.004 < found.numbers["smallest_visible"] < 0.05


def test_too_little_cannot_be_told():
    """A handful of requests is "cannot tell", not "no spike"."""
    assert onset(table_of(requests(rows=20))).verdict == "cannot tell"
    assert onset_of_series(series([0.0, 0.1])).verdict == "cannot tell"


def test_partial_last_minute_changes_nothing():
    """A series with its partial last minute and without it gives the same onset."""
    draw = np.random.default_rng(4)
    whole = series([0.01] * 20 + [0.1] * 10).assign(failing=lambda f: draw.binomial(1000, f["failing"] / 1000))
    tail = pd.DataFrame({"time": [whole["time"].iloc[-1] + timedelta(minutes=1)], "failing": [9.0], "total": [30.0]})
    with_tail = onset_of_series(pd.concat([whole, tail.astype({"time": whole["time"].dtype})], ignore_index=True))
    assert with_tail.numbers["onset"] == onset_of_series(whole).numbers["onset"]
    assert with_tail.numbers["onset"].at == START + timedelta(minutes=20)


def test_missing_minutes_are_unknown():
    """Minutes that the series lacks are gaps, not quiet minutes: the onset after a gap is the minute after it."""
    draw = np.random.default_rng(4)
    frame = series([0.01] * 20 + [0.1] * 10).assign(failing=lambda f: draw.binomial(1000, f["failing"] / 1000)).drop(index=range(12, 20))
    assert onset_of_series(frame).numbers["onset"].at == START + timedelta(minutes=20)


def latencies(seed: int) -> pd.DataFrame:
    """Two hours of an even latency around 100 ms, a value a minute, with two outliers."""
    values = np.random.default_rng(seed).normal(100, 8, 120)
    values[[10, 33]] = 900
    return pd.DataFrame({"time": pd.date_range(START, periods=120, freq="60s").as_unit("us"), "value": values})


def test_even_values_are_seldom_a_shift():
    """Of forty even series with outliers at most one in ten is called a shift: the level at which one is called."""
    assert sum(onset_of_series(latencies(seed)).verdict == "spike" for seed in range(40)) <= 4


@pytest.mark.parametrize("seed", range(5, 10))
@pytest.mark.parametrize(("begin", "end"), [(60, 90), (70, 120)])
def test_value_series(begin, end, seed):
    """A latency that doubles for a while is found to the step."""
    frame = latencies(seed)
    frame.loc[begin:end - 1, "value"] += 100
    found = onset_of_series(frame)
    assert abs(found.numbers["onset"].at - (START + timedelta(minutes=begin))) <= timedelta(minutes=2)
    assert (found.numbers["end"] is None) == (end == 120)


def test_a_series_of_many_steps_is_taken_together():
    """A series of 15,000 steps is answered in bounded memory, and its onset is right to a few of them."""
    draw = np.random.default_rng(4)
    long = series([0.01] * 10_000 + [0.1] * 5_000).assign(failing=lambda f: draw.binomial(1000, f["failing"] / 1000))
    found = onset_of_series(long).numbers["onset"]
    assert abs(found.at - (START + timedelta(minutes=10_000))) <= timedelta(minutes=8)
