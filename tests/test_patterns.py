"""Message shapes: masked, grouped, counted before and since."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentnb.analysis import masks, mining
from incidentnb.analysis.patterns import assign, change, patterns
from incidentnb.evidence.table import table_of
from incidentnb.findings import Finding
from incidentnb.times import Interval

START = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)
BEGAN = START + timedelta(minutes=30)
ONSET = Finding("onset", "spike", "", numbers={"onset": Interval(BEGAN, BEGAN, BEGAN), "end": None})


def log() -> pd.DataFrame:
    rows = [(START + timedelta(seconds=s), "INFO", f"served order {s} to 10.0.0.{s % 200} in {s % 90} ms") for s in range(3600)]
    rows += [(BEGAN + timedelta(seconds=s), "ERROR", f"payment of '{s}' refused: upstream pay-{s % 7}.svc.local timed out")
             for s in range(0, 1800, 10)]
    rows += [(START + timedelta(seconds=s), "INFO", f"cache refreshed, {s} entries") for s in range(0, 1800, 20)]
    frame = pd.DataFrame(sorted(rows), columns=["time", "level", "message"])
    return frame.assign(source="app.log", line=range(1, len(frame) + 1))


def test_new_and_vanished_are_told():
    """What is new comes first with a real example at its file and line; what vanished is marked; counts are exact."""
    frame = log()
    found = patterns(table_of(frame), ONSET)
    first = found.numbers["patterns"][0]
    assert (first["new"], first["count_before"], first["count_during"]) == (True, 0, 180)
    assert first["pattern"].startswith("payment of ")
    row = frame[frame["message"].str.startswith("payment")].iloc[0]
    assert first["example"] == f"app.log:{row['line']}  {row['message']}"
    assert [p["pattern"] for p in found.numbers["patterns"] if p["vanished"]] == ["cache refreshed, <*> entries"]
    assert sum(p["count_before"] + p["count_during"] for p in found.numbers["patterns"]) == len(frame)


def test_every_record_is_assigned():
    """``assign`` gives each record its pattern, in order of its line, records without a message too."""
    frame = log()
    frame.loc[5, "message"] = None
    found = assign(table_of(frame))
    assert found["line"].tolist() == frame["line"].tolist()
    assert found["pattern"].notna().all()
    assert found["pattern"].nunique() == 4


def test_without_messages_requests_stand_in():
    """An access log without messages is grouped by method, route and status; nothing at all cannot be told."""
    frame = log().assign(message=None, method="GET", route="/orders/{id}", http_status=200)
    assert patterns(table_of(frame)).numbers["patterns"][0]["pattern"].startswith("GET /orders/{id}")
    assert patterns(table_of(log().drop(columns="message"))).verdict == "cannot tell"


@pytest.mark.parametrize(("text", "masked"), [
    ("took 12 ms", "took <*> ms"), ("from 10.0.0.1:8080 to db-3.prod", "from <*> to <*>"),
    ("id 6f1c2c1e-7a58-4b8e-9f5b-1a2b3c4d5e6f gone", "id <*> gone"), ("open /var/log/app/x.log failed", "open <*> failed"),
    ("Cart.total (120:12)", "Cart.total (<*>)"), ("no digits here", "no digits here")])
def test_masks(text, masked):
    """Numbers, addresses, ids and paths are masked, words stay."""
    assert masks.mask(text) == masked


def test_engine_and_python_mask_alike():
    """The expression masks the same in the engine as in Python."""
    texts = [*log()["message"].unique()[:300], "a@b.example", "http://x.example/y?z=1", "Mon Jul  3 10:00:00 2005", "é 1", "C:\\x\\y 0xff"]
    frame = pd.DataFrame({"time": [START] * len(texts), "message": texts, "line": range(len(texts)), "level": "INFO"})
    got = table_of(frame).frame(f"SELECT message, {masks.masked_sql('message')} AS masked FROM log ORDER BY line")
    assert got["masked"].tolist() == [masks.mask(t) for t in got["message"]]


def test_names_are_a_variable_and_verbs_are_not():
    """Many words at one place are a variable; two different words there are two shapes."""
    lines = [f"session opened for user {name} by root" for name in ("ann", "bob", "eve", "joe")] + ["disk sda is full", "disk sda is empty"]
    assert mining.shapes(lines, [5] * 6) == ["session opened for user <*> by root"] * 4 + ["disk sda is full", "disk sda is empty"]


@given(st.lists(st.text(max_size=40), min_size=1, max_size=20, unique=True))
def test_any_text_has_a_shape(lines):
    """Any lines at all get a shape each, and their order does not matter."""
    shapes = mining.shapes(lines, [1] * len(lines))
    assert len(shapes) == len(lines)
    assert dict(zip(lines, shapes, strict=True)) == dict(zip(lines[::-1], mining.shapes(lines[::-1], [1] * len(lines)), strict=True))


def test_change_is_measured_against_exposure():
    """Twice the count in twice the traffic is no change."""
    gain, ratio = change(100, 200, 1000, 2000)
    assert gain == pytest.approx(0, abs=1e-9)
    assert ratio == pytest.approx(1, rel=0.01)
    assert change(0, 50, 1000, 1000)[0] > 20
