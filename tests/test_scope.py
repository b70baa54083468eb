"""Everyone or a subset: the exact conjunction over every column, and honesty where there is none."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from incidentnb.analysis.scope import scope, where_sql
from incidentnb.evidence.table import table_of
from incidentnb.times import Interval

START = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)
BEGAN = START + timedelta(minutes=40)
ONSET = Interval(BEGAN, BEGAN, BEGAN)


def traffic(hit, rate=0.5, rows=12_000, seed=1, quiet=0.005) -> pd.DataFrame:
    """An hour of requests; ``hit`` says, given the frame, whom the fault reaches after 40 minutes."""
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame({"time": (pd.Timestamp(START) + pd.to_timedelta(np.sort(draw.uniform(0, 3600, rows)), unit="s")).as_unit("us")})
    frame["region"] = draw.choice(["eu", "us", None], rows)
    frame["version"] = draw.choice(["1", "2"], rows)
    frame["host"] = [f"web-{i}" for i in draw.integers(0, 12, rows)]
    frame["req.tenant"] = [f"t{i}" for i in draw.integers(0, 40, rows)]
    frame["session"] = [f"s{i}" for i in draw.integers(0, 4000, rows)]
    frame["failed"] = draw.random(rows) < np.where((frame["time"] >= BEGAN) & hit(frame), rate, quiet)
    frame["err.kind"] = np.where(frame["failed"], "Timeout", None)
    frame["outcome_class"] = np.where(frame["failed"], "bad", "good")
    frame["duration_ms"] = draw.choice([1.0, 2.0, 3.0], rows)
    return frame


@pytest.mark.parametrize(("hit", "where"), [
    (lambda f: f["host"] == "web-7", {"host": "web-7"}),
    (lambda f: (f["region"] == "eu") & (f["version"] == "2"), {"region": "eu", "version": "2"}),
    (lambda f: (f["region"] == "eu") & (f["version"] == "2") & (f["host"].isin(["web-1", "web-2"])), {"region": "eu", "version": "2"}),
    (lambda f: f["region"].isna(), {"region": None}),
    (lambda f: f["req.tenant"] == "t3", {"req.tenant": "t3"}),
])
def test_subset_is_found(hit, where):
    """The cause is named by its columns and values, the missing value and dotted names included."""
    found = scope(table_of(traffic(hit, rate=0.7)), ONSET)
    first = found.numbers["subsets"][0]
    assert found.verdict == "subset"
    assert where.items() <= first["where"].items()
    assert first["cause"]
    assert first["rate_inside"] > 10 * first["rate_outside"]


def test_counts_are_exact():
    """The counts of a subset are those of the table, whatever the search used."""
    frame = traffic(lambda f: f["host"] == "web-7")
    first = scope(table_of(frame), ONSET).numbers["subsets"][0]
    inside = frame[(frame["time"] >= BEGAN) & (frame["host"] == "web-7")]
    assert (first["failed"], first["total"]) == (inside["failed"].sum(), len(inside))


def test_two_causes_are_both_accepted():
    """Two separate causes are both named when each explains its share."""
    found = scope(table_of(traffic(lambda f: (f["host"] == "web-7") | (f["req.tenant"].isin(["t3"])), rate=0.9, rows=24_000)), ONSET)
    named = [s["where"] for s in found.numbers["subsets"] if s["cause"]]
    assert sorted(named, key=str) == [{"host": "web-7"}, {"req.tenant": "t3"}]


@pytest.mark.parametrize("seed", range(5))
def test_everyone_is_everyone(seed):
    """When all requests fail alike no subset is called the cause."""
    found = scope(table_of(traffic(lambda f: f["time"].notna(), rate=0.2, seed=seed)), ONSET)
    assert found.verdict == "everyone"
    assert not any(s["cause"] for s in found.numbers["subsets"])


def test_columns_after_the_outcome_are_left_out():
    """Ids, durations, error fields and columns that the outcome decides take no part, and the reason is given."""
    found = scope(table_of(traffic(lambda f: f["host"] == "web-7")), ONSET)
    reasons = {e["column"]: e["reason"] for e in found.numbers["excluded"]}
    assert {"session", "err.kind", "outcome_class", "duration_ms"} <= reasons.keys()
    assert all(reasons.values())
    assert not {c for s in found.numbers["subsets"] for c in s["where"]} & reasons.keys()


def test_equal_descriptions_are_one():
    """Two columns that say the same are one line, with the other beside it."""
    frame = traffic(lambda f: f["host"] == "web-7")
    frame["rack"] = frame["host"].str.replace("web", "rack")
    first = scope(table_of(frame), ONSET).numbers["subsets"][0]
    assert sorted([first["where"], *[w for w in first["same_as"] if len(w) == 1]], key=str) == [{"host": "web-7"}, {"rack": "rack-7"}]


def test_too_little_cannot_be_told():
    """A few failures, or no onset, bear no answer."""
    frame = traffic(lambda f: f["host"] == "web-7", rows=150, rate=0.3)
    assert scope(table_of(frame), ONSET).verdict == "cannot tell"
    assert scope(table_of(frame.head(0)), ONSET).verdict == "cannot tell"


def test_hostile_names_and_values():
    """Quotes in column names and values are values, not SQL."""
    frame = traffic(lambda f: f["host"] == "web-7")
    frame = frame.assign(host=np.where(frame["host"] == "web-7", "a'; DROP \"x", frame["host"])).rename(columns={"host": "ho\"s't"})
    first = scope(table_of(frame), ONSET).numbers["subsets"][0]
    assert first["where"] == {"ho\"s't": "a'; DROP \"x"}
    assert where_sql({"a": None, "b": 1}) == ('"a" IS NULL AND CAST("b" AS VARCHAR) = $v1', {"v1": "1"})
