"""The error rate in even buckets."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentnb.analysis import rates
from incidentnb.evidence.table import table_of

START = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)


def log(seconds, failed=None) -> pd.DataFrame:
    times = (pd.Timestamp(START) + pd.to_timedelta(np.asarray(seconds, float), unit="s")).as_unit("us")
    return pd.DataFrame({"time": times, "http_status": np.where(failed if failed is not None else np.zeros(len(times), bool), 500, 200)})


def test_buckets_sum_to_the_window():
    """No request is lost between buckets: their totals and failures sum to the table's, gaps are there as 0."""
    draw = np.random.default_rng(3)
    seconds = np.sort(np.concatenate([draw.uniform(0, 600, 900), draw.uniform(1800, 3600, 2500)]))
    failed = draw.random(3400) < 0.1
    frame, facts = rates.buckets(table_of(log(seconds, failed)))
    assert (frame["total"].sum(), frame["failing"].sum()) == (3400, failed.sum())
    assert set(frame["time"].diff().dropna().dt.total_seconds()) == {facts["bucket_s"]}
    assert frame.loc[frame["total"] == 0, "rate"].isna().all()


@given(st.floats(1, 1e9), st.integers(1, 10**9))
def test_width_is_whole_and_bounded(seconds, requests):
    """Any span at any traffic gives whole seconds and at most two thousand buckets."""
    width = rates.width_for(seconds, requests)
    assert isinstance(width, int)
    assert seconds / width <= rates.MOST_BUCKETS + 1


def test_one_wrong_clock_does_not_stretch_the_window():
    """A line from 2099 and one from 1970 are left out and counted; the window stays."""
    frame = log(np.linspace(0, 3600, 4000))
    frame.loc[4000] = [pd.Timestamp("2099-01-01", tz="UTC"), 500]
    frame.loc[4001] = [pd.Timestamp("1970-01-01", tz="UTC"), 200]
    found = rates.rates(table_of(frame))
    assert found.numbers["requests"] == 4000
    assert found.numbers["window_end"] == START + timedelta(hours=1)
    assert any("2 records" in note for note in found.notes)


@pytest.mark.parametrize(("hours", "asked"), [(1, None), (1, 7), (9, None), (9, 60), (9, 90), (9, 1800), (300, None)])
@pytest.mark.parametrize("told", [None, 1, 9, 3000])
def test_buckets_are_counted_right_by_whatever_slots(hours, asked, told):
    """What reading told of the times, rightly or wrongly, saves a pass and changes no bucket: each holds what a plain count finds in it."""
    draw = np.random.default_rng(hours)
    data = log(np.sort(draw.uniform(0, hours * 3600, 5000)), draw.random(5000) < 0.2)
    table = table_of(data)
    table.inputs = [{"first": "2026-11-23T13:00:00Z", "last": (START + timedelta(hours=told)).isoformat(), "rows": 5000}] if told else []
    frame, facts = rates.buckets(table, asked)
    width = facts["bucket_s"]
    assert width == (asked or width)
    slots = data["time"].dt.as_unit("s").astype("int64") // width
    plain = (data["http_status"] >= 500).groupby(slots).agg(["size", "sum"]).reindex(range(slots.min(), slots.max() + 1), fill_value=0)
    assert frame["total"].tolist() == plain["size"].tolist()
    assert frame["failing"].tolist() == plain["sum"].tolist()
    assert (facts["start"], facts["stop"], facts["outside"]) == (data["time"].min(), data["time"].max(), 0)


def test_rates_and_onset_count_once(monkeypatch):
    """A second analysis of the same table has the buckets without a question to the engine, and what a caller does to its frame stays its own."""
    table = table_of(log(np.linspace(0, 36_000, 4000)))
    frame, _ = rates.buckets(table)
    frame["total"] = 0
    monkeypatch.setattr(table, "_connection", None)
    assert rates.buckets(table)[0]["total"].sum() == 4000


def test_incomplete_edges_are_marked():
    """The first and last bucket are complete only when the data reach their edges."""
    frame, _ = rates.buckets(table_of(log(np.arange(20, 3610, 0.5))), 60)
    assert frame["complete"].tolist() == [False] + [True] * (len(frame) - 2) + [False]
    frame, _ = rates.buckets(table_of(log(np.arange(0, 3600, 0.5))), 60)
    assert frame["complete"].all()


def test_nothing_cannot_be_told():
    """A table without outcomes gives "cannot tell" and an empty frame."""
    found = rates.rates(table_of(log([]).assign(http_status=pd.Series(dtype="int64"))))
    assert found.verdict == "cannot tell"
    assert len(found.frame) == 0


@pytest.mark.parametrize(("rate", "text"), [(0.0, "0 %"), (0.0034, "0.3 %"), (0.41, "41 %"), (0.000042, "0.0042 %"),
                                            (1.0, "100 %"), (None, "unknown")])
def test_percent_reads_well(rate, text):
    """Rates are written with as many digits as they need."""
    assert rates.percent(rate) == text
