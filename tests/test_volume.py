"""Did traffic drop: laws first, then outages, silent hosts, nights, surges, and how seldom a quiet day is called a drop."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from incidentnb.analysis.volume import volume, volume_of_series
from incidentnb.evidence.table import table_of

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def requests(rows=12_000, span=7200, hosts=4, seed=1) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    seconds = np.sort(draw.uniform(0, span, rows))
    return pd.DataFrame({"time": (pd.Timestamp(START) + pd.to_timedelta(seconds, unit="s")).as_unit("us"), "http_status": 200,
                         "host": [f"web-{i}" for i in draw.integers(1, hosts + 1, rows)], "second": seconds})


def day(seed: int, step=300, days=1, depth=0.7, spread=0.02) -> np.ndarray:
    """Overdispersed counts of whole days with a valley at night."""
    draw = np.random.default_rng(seed)
    at = np.arange(days * 86_400 // step) * step
    mean = 500 * (1 - depth * np.cos(2 * np.pi * (at - 10_800) / 86_400)) + 20
    return draw.poisson(draw.gamma(1 / spread, mean * spread)).astype(float)


def series(values, step=300) -> pd.DataFrame:
    return pd.DataFrame({"time": pd.date_range(START, periods=len(values), freq=f"{step}s").as_unit("us"), "total": values})


def test_buckets_sum_to_the_window():
    """Every request is in one bucket."""
    frame = requests()
    assert volume(table_of(frame)).frame["total"].sum() == len(frame)


def test_order_and_clock():
    """Shuffled rows change nothing; all times an hour later give all times an hour later."""
    frame = requests()
    frame = frame[(frame["second"] < 4000) | (frame["second"] > 5000)]
    plain = volume(table_of(frame))
    assert volume(table_of(frame.sample(frac=1, random_state=2))).numbers["onset"] == plain.numbers["onset"]
    later = volume(table_of(frame.assign(time=frame["time"] + timedelta(hours=1))))
    assert later.numbers["onset"].at - plain.numbers["onset"].at == timedelta(hours=1)


@pytest.mark.parametrize("left", [0.0, 0.3])
def test_an_outage_is_a_drop(left):
    """Traffic that stops, or falls to a third, for a quarter of an hour is a drop with its times, rates and what is missed."""
    frame = requests()
    gone = frame["second"].between(4000, 5000) & (np.random.default_rng(3).random(len(frame)) >= left)
    found = volume(table_of(frame[~gone]))
    assert found.verdict == "drop"
    assert abs(found.numbers["onset"].at - (START + timedelta(seconds=4000))) <= timedelta(seconds=60)
    assert abs(found.numbers["end"].at - (START + timedelta(seconds=5000))) <= timedelta(seconds=60)
    assert found.numbers["rate"]["baseline"] == pytest.approx(100, rel=0.1)
    assert found.numbers["rate"]["during"] == pytest.approx(100 * left, abs=15)
    assert found.numbers["spikes"][0]["excess"] == pytest.approx(gone.sum(), rel=0.2)


def test_a_silent_host_is_named():
    """One host of four that logs nothing more is named with its last record and what is missed, silent or late; traffic as a whole goes on."""
    frame = requests()
    frame = frame[~((frame["host"] == "web-3") & (frame["second"] > 5400))]
    found = volume(table_of(frame))
    (silent,) = found.numbers["silent"]
    assert (found.verdict, silent["column"], silent["value"]) == ("drop", "host", "web-3")
    assert abs(silent["last"] - (START + timedelta(seconds=5400))) < timedelta(seconds=30)
    assert silent["usual_per_minute"] == pytest.approx(25, rel=0.2)
    assert silent["missed"] == pytest.approx(750, rel=0.2)
    assert "late" in found.sentence


def test_the_end_of_the_data_is_no_silence():
    """All hosts that end at the same moment are the end of the data, though one record comes a little later."""
    frame = requests()
    assert volume(table_of(frame)).verdict == "no drop"
    assert volume(table_of(frame[frame["second"] < 6000])).verdict == "no drop"


def test_a_replaced_host_is_not_silent():
    """A host whose work another host takes over at that moment was replaced."""
    frame = requests()
    frame["host"] = np.where((frame["host"] == "web-3") & (frame["second"] > 4000), "web-9", frame["host"])
    assert volume(table_of(frame)).numbers["silent"] == []


def test_a_rare_host_is_not_silent():
    """A host that logs a record now and then is not called silent for a while without one."""
    frame = requests()
    frame.loc[(frame["host"] == "web-3") & (frame.index % 150 > 0), "host"] = "web-1"
    assert volume(table_of(frame)).numbers["silent"] == []


def test_a_surge_is_no_drop():
    """Traffic that doubles and comes back did not drop."""
    values = np.random.default_rng(4).poisson(400, 200).astype(float)
    values[80:120] *= 2
    assert volume_of_series(series(values)).verdict == "no drop"


def test_missing_steps_are_unknown():
    """Steps that the series lacks are no drop to zero; zeros that it holds are one."""
    values = np.random.default_rng(5).poisson(400, 200).astype(float)
    assert volume_of_series(series(values).drop(index=range(100, 120))).verdict == "no drop"
    values[100:120] = 0
    assert volume_of_series(series(values)).verdict == "drop"


def test_few_quiet_days_are_called_a_drop():
    """Of forty quiet days with their nights and their overdispersed counts at most one is called a drop; alone or several in a row."""
    assert sum(volume_of_series(series(day(seed))).verdict == "drop" for seed in range(30)) <= 1
    assert sum(volume_of_series(series(day(seed, days=5))).verdict == "drop" for seed in range(10)) <= 1


def test_a_drop_at_noon_of_the_fifth_day():
    """With earlier days known a drop to the level of the night is found at noon."""
    values = day(3, days=6)
    values[5 * 288 + 130:5 * 288 + 142] *= 0.3
    found = volume_of_series(series(values))
    assert abs(found.numbers["onset"].at - (START + timedelta(seconds=300 * (5 * 288 + 130)))) <= timedelta(minutes=10)
    assert found.numbers["days"] == 5


def test_too_little_cannot_be_told():
    """A handful of requests, or none, is "cannot tell"."""
    assert volume(table_of(requests(rows=20))).verdict == "cannot tell"
    assert volume_of_series(series([])).verdict == "cannot tell"
    assert volume(table_of(requests().iloc[:0])).verdict == "cannot tell"
