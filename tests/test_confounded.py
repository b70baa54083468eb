"""Columns that go together: the four cells as they are, and "cannot be told apart" where these are too few."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from incidentnb.analysis.scope import scope
from incidentnb.analysis.spans import spans
from incidentnb.analysis.tally import tally
from incidentnb.evidence.table import table_of
from incidentnb.publish.terminal import triage_page
from incidentnb.times import Interval

START = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)
BEGAN = START + timedelta(minutes=40)
ONSET = Interval(BEGAN, BEGAN, BEGAN)


def traffic(fails, outside=0.0, inside=0.375, rows=12_000, seed=1) -> pd.DataFrame:
    """An hour of requests, a fifth of them v2; v2 runs in us with chance ``outside``, the other version in eu with chance ``inside``."""
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame({"time": (pd.Timestamp(START) + pd.to_timedelta(np.sort(draw.uniform(0, 3600, rows)), unit="s")).as_unit("us")})
    frame["version"] = draw.choice(["v1", "v2"], rows, p=[0.8, 0.2])
    frame["region"] = np.where(draw.random(rows) < np.where(frame["version"] == "v2", 1 - outside, inside), "eu", "us")
    frame["shard"] = draw.choice(["a", "b", "c"], rows)
    frame["failed"] = draw.random(rows) < np.where((frame["time"] >= BEGAN) & fails(frame), 0.6, 0.004)
    return frame


def version(frame):
    return frame["version"] == "v2"


def both(frame):
    return (frame["version"] == "v2") & (frame["region"] == "eu")


@pytest.mark.parametrize(("fails", "outside", "inside", "verdict", "possible"), [
    (version, 0.001, 0.0005, "cannot be told apart", {"a", "b"}),
    (both, 0.001, 0.375, "cannot be told apart", {"a", "a and b"}),
    (version, 0.04, 0.375, "told apart", {"a"}),
    (both, 0.04, 0.375, "told apart", {"a and b"}),
])
def test_what_the_cells_bear(fails, outside, inside, verdict, possible):
    """With requests off the diagonal the two are told apart, rightly; with hardly any they are not, and the finding says so."""
    frame = traffic(fails, outside, inside)
    found = scope(table_of(frame), ONSET)
    pair = next(p for p in found.numbers["confounded"] if {*p["a"].values(), *p["b"].values()} == {"v2", "eu"})
    if pair["a"] == {"region": "eu"}:
        possible = {{"a": "b", "b": "a"}.get(p, p) for p in possible}
    assert pair["verdict"] == verdict
    assert possible <= set(pair["possible"])
    assert (len(pair["possible"]) == 1) == (verdict == "told apart")
    assert ("cannot be told apart" in pair["sentence"]) == (verdict != "told apart")
    assert pair["sentence"] in found.notes


def test_cells_are_exact_and_sum_to_the_whole():
    """The four cells are those of the table, and together all requests of the incident."""
    frame = traffic(version, 0.04)
    pair = scope(table_of(frame), ONSET).numbers["confounded"][0]
    now = frame[frame["time"] >= BEGAN]
    a, b = (np.logical_and.reduce([now[c] == v for c, v in pair[side].items()]) for side in "ab")
    for name, rows in {"both": a & b, "a_only": a & ~b, "b_only": ~a & b, "neither": ~a & ~b}.items():
        assert pair["cells"][name] == {"failed": int(now["failed"][rows].sum()), "total": int(rows.sum())}
    assert sum(cell["total"] for cell in pair["cells"].values()) == len(now)


def test_independent_columns_are_no_pair():
    """Columns that go their own ways are not listed, nor is a group that merely holds the cause, as a region its hosts."""
    frame = traffic(lambda f: f["shard"] == "b", outside=0.5, inside=0.5)
    assert scope(table_of(frame), ONSET).numbers["confounded"] == []
    hosts = frame.assign(host=frame["region"] + frame["shard"], failed=False)
    draw = np.random.default_rng(3)
    hosts["failed"] = draw.random(len(hosts)) < np.where((hosts["time"] >= BEGAN) & (hosts["host"] == "eub"), 0.6, 0.004)
    found = scope(table_of(hosts.drop(columns="shard")), ONSET)
    assert found.numbers["subsets"][0]["where"] == {"host": "eub"}
    assert found.numbers["confounded"] == []


def test_parts_of_a_breakdown_sum_to_the_whole():
    """The values of a column, counted one by one in a pass, are together all requests and failures, before and during."""
    frame = traffic(version, 0.04)
    frame.loc[::7, "shard"] = None
    table = table_of(frame)
    exact = tally(table, spans(table, ONSET), [{"shard": s} for s in ("a", "b", "c", None)] + [{"region": "eu", "version": "v2"}])
    parts = [exact.inside(exact.meets({"shard": s})) for s in ("a", "b", "c", None)]
    during = frame["time"] >= BEGAN
    assert tuple(map(sum, zip(*parts, strict=True))) == (frame["failed"][during].sum(), during.sum(), frame["failed"][~during].sum(), (~during).sum())


def test_the_terminal_says_it_in_a_line():
    """The page shows the four cells of what cannot be told apart, and hostile values stay text."""
    frame = traffic(version, 0.001, 0.0005).replace({"eu": "e\x1b[31mu"})
    found = scope(table_of(frame), ONSET)
    page = triage_page({"verdict": "incident", "scope": {"verdict": found.verdict, **found.numbers}}, width=400)
    line = next(line for line in page.splitlines() if "cannot be told apart" in line)
    assert "version = v2" in line
    assert "only the second" in line
    assert "\x1b" not in page
