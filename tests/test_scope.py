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


def named(found):
    """The causes of a finding, as conjunctions."""
    return [s["where"] for s in found.numbers["subsets"] if s["cause"]]


def counts(found):
    """All descriptions with their counts."""
    return [(s["where"], s["cause"], s["failed"], s["total"]) for s in found.numbers["subsets"]]


HOST = lambda f: f["host"] == "web-7"  # noqa: E731  said four times below
BOTH = lambda f: (f["region"] == "eu") & (f["version"] == "2")  # noqa: E731  as above


def test_shuffling_the_lines_changes_nothing():
    """The order of the rows is no evidence."""
    frame = traffic(BOTH)
    one, other = (scope(table_of(f), ONSET) for f in (frame, frame.sample(frac=1, random_state=3)))
    assert (one.sentence, counts(one), one.numbers["excluded"]) == (other.sentence, counts(other), other.numbers["excluded"])


def test_shifting_all_times_changes_no_subset():
    """An hour later it is the same subset with the same counts."""
    frame, hour = traffic(BOTH), timedelta(hours=1)
    later = scope(table_of(frame.assign(time=frame["time"] + hour)), Interval(BEGAN + hour, BEGAN + hour, BEGAN + hour))
    assert counts(later) == counts(scope(table_of(frame), ONSET))


@pytest.mark.parametrize("hit", [HOST, BOTH, lambda f: f["time"].notna()])
def test_ten_times_the_traffic_is_the_same_scope(hit):
    """Each row ten times, or each row standing for ten requests, keeps the verdict and the causes."""
    frame = traffic(hit, rate=0.4)
    plain = scope(table_of(frame), ONSET)
    repeated = scope(table_of(pd.concat([frame] * 10, ignore_index=True)), ONSET)
    weighted = scope(table_of(frame.assign(failing=frame["failed"] * 10, total=10).drop(columns="failed")), ONSET)
    assert plain.verdict == repeated.verdict == weighted.verdict
    assert named(plain) == named(repeated) == named(weighted)
    assert [10 * s["failed"] for s in plain.numbers["subsets"] if s["cause"]] == [s["failed"] for s in weighted.numbers["subsets"] if s["cause"]]


def test_rows_of_failing_and_total_are_as_good_as_requests():
    """The same traffic counted up per minute and attributes gives the same causes with the same counts."""
    frame = traffic(BOTH).drop(columns=["session", "err.kind", "outcome_class", "duration_ms", "req.tenant"])
    single = scope(table_of(frame), ONSET)
    keys = [frame["time"].dt.floor("min").rename("time"), *(frame[c] for c in ("region", "version", "host"))]
    rows = frame["failed"].groupby(keys, dropna=False).agg(failing="sum", total="size").reset_index()
    added = scope(table_of(rows.assign(failing=rows["failing"].astype(int))), ONSET)
    assert [(w, f, n) for w, c, f, n in counts(single) if c] == [(w, f, n) for w, c, f, n in counts(added) if c]


@pytest.mark.parametrize("hit", [HOST, BOTH])
def test_a_copy_of_a_column_is_indistinguishable(hit):
    """A column that says the same as another under other names is one description with it, never a cause or a rival of its own."""
    frame = traffic(hit)
    plain, column = scope(table_of(frame), ONSET), "host" if hit is HOST else "version"
    copied = scope(table_of(frame.assign(copied="as " + frame[column])), ONSET)
    first = copied.numbers["subsets"][0]
    assert named(copied) == named(plain)
    assert {"copied" if c == column else c: "as " + v if c == column else v for c, v in first["where"].items()} in first["same_as"]
    assert not any("copied" in pair[side] for pair in copied.numbers["confounded"] for side in "ab")
    assert "Indistinguishable" in copied.sentence


def test_a_near_copy_is_not_called_indistinguishable():
    """One request in which two columns differ is enough to tell that they do."""
    frame = traffic(HOST)
    near = frame["host"].str.replace("web", "rack").to_numpy(object).copy()
    near[np.flatnonzero((frame["time"] >= BEGAN) & (frame["host"] == "web-7"))[0]] = "rack-1"
    first = scope(table_of(frame.assign(rack=near)), ONSET).numbers["subsets"][0]
    assert {"rack": "rack-7"} not in first["same_as"]


def test_values_that_fail_together_are_all_named():
    """Three of twelve hosts are three causes, and the rate elsewhere is that of the nine others."""
    frame = traffic(lambda f: f["host"].isin(["web-1", "web-4", "web-7"]))
    found = scope(table_of(frame), ONSET)
    assert sorted(w["host"] for w in named(found)) == ["web-1", "web-4", "web-7"]
    failed, total = found.numbers["elsewhere"]
    others = frame[(frame["time"] >= BEGAN) & ~frame["host"].isin(["web-1", "web-4", "web-7"])]
    assert (failed, total) == (others["failed"].sum(), len(others))


@pytest.mark.parametrize("past", [True, False])
def test_no_subset_on_permuted_labels(past):
    """Failures dealt out at random over the requests of the incident (and, or not, of the baseline) make no subset, but for one in twenty."""
    frame, invented = traffic(BOTH), 0
    for seed in range(20):
        draw, failed = np.random.default_rng(seed), frame["failed"].to_numpy().copy()
        for part in (frame["time"] >= BEGAN, frame["time"] < BEGAN)[:1 + past]:
            failed[part] = draw.permutation(failed[part])
        invented += scope(table_of(frame.assign(failed=failed).drop(columns=["err.kind", "outcome_class"])), ONSET).verdict == "subset"
    assert invented <= 1


def test_users_of_a_subset():
    """Each subset has the distinct users hit in it of the distinct users seen in it; clients stand in and are named as such."""
    frame = traffic(HOST)
    frame["user"] = [f"u{i % 700}" for i in range(len(frame))]
    inside = frame[(frame["time"] >= BEGAN) & (frame["host"] == "web-7")]
    who = {"affected": inside.loc[inside["failed"], "user"].nunique(), "total": inside["user"].nunique()}
    found = scope(table_of(frame), ONSET)
    assert found.numbers["subsets"][0]["users"] == {**who, "by": "user"}
    assert f"{who['affected']:,} of {who['total']:,} users" in found.why
    assert scope(table_of(frame.rename(columns={"user": "client"})), ONSET).numbers["subsets"][0]["users"] == {**who, "by": "client"}
    assert scope(table_of(frame.drop(columns="user")), ONSET).numbers["subsets"][0]["users"] is None


def test_odd_columns():
    """Empty columns, columns of one value, names of any kind and three hundred columns are borne, each left out with its reason."""
    frame = traffic(HOST, rows=6000)
    draw = np.random.default_rng(0)
    more = pd.DataFrame({f"x{i}": draw.choice(["a", "b", "c"], len(frame)) for i in range(300)})
    odd = {"One": "one", "who": "one", "hit": None,
           "$v0": draw.choice(["$v0", "?"], len(frame)), "a;--\n{}%s": draw.choice(["'", '"', ""], len(frame)), "c0": "é", "mask": None,
           "during": draw.choice(["x", "y"], len(frame)), "nothing": pd.Series([None] * len(frame), dtype=object)}
    frame["user"] = [f"u{i % 90}" for i in range(len(frame))]
    found = scope(table_of(pd.concat([frame.assign(**odd), more], axis=1)), ONSET)
    assert found.numbers["subsets"][0]["users"]["total"] > 50
    reasons = {e["column"]: e["reason"] for e in found.numbers["excluded"]}
    assert named(found) == [{"host": "web-7"}]
    assert (reasons["One"], reasons["c0"], reasons["nothing"]) == ("one value only", "one value only", "empty")
    assert all(len(note) < 20_000 for note in found.notes)


def test_without_a_past():
    """With no record before the onset the subset is told from the rest of the traffic alone, and a note says so."""
    found = scope(table_of(traffic(HOST)[lambda f: f["time"] >= BEGAN]), ONSET)
    assert named(found) == [{"host": "web-7"}]
    assert any("no record before" in note for note in found.notes)


def test_huge_weights():
    """Rows that stand for a billion requests each are counted exactly."""
    frame = traffic(HOST, rows=4000)
    hit = (frame["time"] >= BEGAN) & (frame["host"] == "web-7")
    rows = frame.assign(failing=np.where(hit, 5 * 10**8, 5 * 10**6), total=10**9).drop(columns="failed")
    first = scope(table_of(rows), ONSET).numbers["subsets"][0]
    assert (first["where"], first["failed"], first["total"]) == ({"host": "web-7"}, int(hit.sum()) * 5 * 10**8, int(hit.sum()) * 10**9)


def test_real_incidents(shared):
    """On a part of the labelled incidents the exact conjunctions reach F1 0.78, above both simple rivals, and shuffles invent nothing."""
    from scoring import scope as scoring

    f1, three, permuted, harder = scoring.score(shared / "data", every=16)
    assert f1.reached
    assert f1.measured > max(f1.rivals.values())
    assert three.reached
    assert permuted.reached
    assert harder.reached


@pytest.mark.parametrize("many", [3, 5, 6])
def test_several_values_that_fail_together_are_all_named(many):
    """When some of the hosts fail alike, every one of them is named a cause, however many they are, and nothing else is."""
    hosts = [f"web-{i}" for i in range(many)]
    found = scope(table_of(traffic(lambda f: f["host"].isin(hosts), rate=0.4, rows=24_000)), ONSET)
    named = [s["where"] for s in found.numbers["subsets"] if s["cause"]]
    assert found.verdict == "subset"
    assert sorted(w["host"] for w in named) == hosts
    assert found.numbers["explained"] > 0.9
