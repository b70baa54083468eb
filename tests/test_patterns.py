"""Message shapes: masked, grouped, counted before and since."""

import time
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentnb.analysis import masks, mining
from incidentnb.analysis.patterns import assign, patterns
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
    """An access log without messages is grouped by method, route and status, each its own pattern; nothing at all cannot be told."""
    frame = log().assign(message=None, method="GET", route="/orders/{id}", http_status=200)
    for i in range(8):
        frame.loc[frame.index[i::10], "route"] = f"/v1/shop/{'abcdefgh'[i]}/list"
    frame.loc[(frame["time"] >= BEGAN) & (frame["route"] == "/orders/{id}"), "http_status"] = 503
    found = patterns(table_of(frame), ONSET).numbers["patterns"]
    assert len(found) == 10
    assert [p["pattern"] for p in found if p["new"]] == ["GET /orders/{id} 503"]
    assert set(assign(table_of(frame))["pattern"]) == {p["pattern"] for p in found}
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


PIECES = ("a", "Z", "_", "1", "90", "-", ".", "..", "@", "~", ":", "://", "/", "+", "<", "%", " ", "  ", "com", ".co", ".com:80", "Jan", "Mon, ", "Z",
          "2020-01-01", "T10:00:00", "C:\\", "deadbeef", "-dead-beef-dead-", "abcd:", '"', ",", ")", "é", "\n", "http", "=", "<*>")


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join) | st.text(max_size=60))
def test_long_texts_are_masked_as_short_ones_are(text):
    """Looking for each kind of variable by itself, as in long texts, masks what the one expression of the engine masks."""
    assert masks._masked(text) == masks._PATTERN.sub(masks.WILD, text)


@pytest.mark.parametrize("piece", [
    "a", ".a", "a.", "a-", "-", "~", "@", "a@", "a@b.", "a@b.c+", "1:", "1%", "com.", "a.com/1", "x://", "://", "Sunny", "Mon ", "deadbeef",
    "deadbeef-", "abcd:", "/", "/a", "..1", "A.Exception", "C:\\", "2020-01-01 ", "<*>", "'", '"GET '])
def test_hostile_text_is_masked_in_no_time(piece):
    """No text drives the time of masking up: of 4,096 characters each takes less than a tenth of a second, where trying all places took one."""
    text, took = (piece * 4096)[:masks.LONGEST], []
    for _ in range(3):
        began = time.process_time()
        masks.second(masks.mask(text))
        took.append(time.process_time() - began)
    assert min(took) < 0.1


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


def counts(found: Finding) -> dict[str, tuple[int, int]]:
    return {p["pattern"]: (p["count_before"], p["count_during"]) for p in found.numbers["patterns"]}


def test_counts_sum_to_the_records():
    """The counts of all patterns sum to the records with a message, and so does what ``assign`` gives; records without one are not counted."""
    frame = log()
    frame.loc[frame.index[::7], "message"] = None
    found = patterns(table_of(frame), ONSET)
    assert sum(map(sum, counts(found).values())) == frame["message"].notna().sum() == found.numbers["records"]
    assert found.numbers["ungrouped"] == 0
    assigned = assign(table_of(frame))["pattern"].to_numpy()[frame["message"].notna()]
    assert pd.Series(assigned).value_counts().to_dict() == {name: b + d for name, (b, d) in counts(found).items()}


def test_order_of_lines_changes_nothing():
    """Shuffled lines have the same patterns and counts."""
    frame = log()
    shuffled = frame.sample(frac=1, random_state=3).assign(line=range(1, len(frame) + 1))
    assert counts(patterns(table_of(frame), ONSET)) == counts(patterns(table_of(shuffled), ONSET))
    assert assign(table_of(frame))["pattern"].value_counts().to_dict() == assign(table_of(shuffled))["pattern"].value_counts().to_dict()


def test_shifted_times_shift_the_first_and_last_alone():
    """A log of another day has the same answer with other times."""
    day = timedelta(days=1, hours=3)
    moved = Interval(BEGAN + day, BEGAN + day, BEGAN + day)
    one = patterns(table_of(log()), ONSET).numbers["patterns"]
    found = patterns(table_of(log().assign(time=lambda f: f["time"] + day)), Finding("onset", "spike", "", numbers={"onset": moved}))
    other = found.numbers["patterns"]
    assert [{**p, "first": p["first"] + day, "last": p["last"] + day} for p in one] == other


@given(st.text(max_size=200) | st.sampled_from(list(log()["message"].unique()[::400])))
def test_masking_twice_is_masking_once(text):
    """A masked line is masked already."""
    once = masks.mask(text)
    assert masks.mask(once) == once
    assert masks.second(masks.second(once)) == masks.second(once)


def test_example_is_a_real_line_of_its_pattern():
    """Each example is a line of its file as it stands there, belongs to its pattern, and lies since the onset where the pattern does."""
    frame = log()
    belongs = dict(zip(frame["line"], assign(table_of(frame))["pattern"], strict=True))
    for entry in patterns(table_of(frame), ONSET).numbers["patterns"]:
        place, _, text = entry["example"].partition("  ")
        line = int(place.removeprefix("app.log:"))
        assert frame.loc[frame["line"] == line, "message"].item() == text
        assert belongs[line] == entry["pattern"]
        assert not entry["count_during"] or frame.loc[frame["line"] == line, "time"].item() >= BEGAN


def test_stack_traces_are_folded():
    """Two causes under one wrapper are two patterns, one cause under varying texts is one, wherever the trace stands; others keep their message."""
    def trace(cause: str, n: int) -> str:
        return (f"charge of user{n} 'x{n}' failed\njava.lang.RuntimeException: order {n}\n\tat com.shop.Web.post(Web.java:5)\n"
                f"Caused by: {cause}: no answer from {n}\n\tat java.base/java.net.Net.call(Net.java:1)\n\tat com.shop.Pay.charge(Pay.java:88)")

    rows = [("ERROR", trace("java.net.ConnectException", n), None) for n in range(40)]
    rows += [("ERROR", "charge failed", trace("java.io.EOFException", n)) for n in range(30)] + [("INFO", f"served {n}", None) for n in range(50)]
    frame = pd.DataFrame(rows, columns=["level", "message", "error.stack_trace"]).assign(source="a.log", line=range(1, 121))
    frame["time"] = [BEGAN + timedelta(seconds=10 * i) for i in range(70)] + [START + timedelta(seconds=60 * i) for i in range(50)]
    found = patterns(table_of(frame), ONSET)
    assert counts(found) == {"java.net.ConnectException at com.shop.Pay.charge (Pay.java)": (0, 40),
                             "java.io.EOFException at com.shop.Pay.charge (Pay.java)": (0, 30), "served <*>": (30, 20)}
    first = found.numbers["patterns"][0]
    assert (first["exception"], first["frame"]) == ("java.net.ConnectException", "com.shop.Pay.charge (Pay.java:88)")
    assert first["example"] == "a.log:1  charge of user0 'x0' failed"
    assert assign(table_of(frame))["pattern"].value_counts().to_dict() == {name: b + d for name, (b, d) in counts(found).items()}


def test_sampled_counts_are_told_and_near(monkeypatch):
    """Of many records some are read: counts are estimates near the truth, the note says so, and what is called new holds on what was read."""
    from incidentnb.analysis import patterns as room

    monkeypatch.setattr(room, "ALL_UP_TO", 1000)
    monkeypatch.setattr(room, "MOST_QUIET", 400)
    frame = log()
    found = patterns(table_of(frame), ONSET)
    served = next(p for p in found.numbers["patterns"] if p["pattern"].startswith("served"))
    assert found.numbers["sampled"] > 1
    assert "one in" in found.notes[0]
    assert abs(served["count_before"] + served["count_during"] - 3600) < 600
    assert counts(found)[found.numbers["patterns"][0]["pattern"]] == (0, 180)
    assert [p["pattern"][:7] for p in found.numbers["patterns"] if p["new"]] == ["payment"]


def test_nothing_before_cannot_be_told():
    """Without a record before the onset nothing is called new; the patterns are listed all the same."""
    found = patterns(table_of(log()[lambda f: f["time"] >= BEGAN]), ONSET)
    assert found.verdict == "cannot tell"
    assert found.numbers["patterns"]
    assert not any(p["new"] for p in found.numbers["patterns"])


def test_level_is_the_most_frequent_one():
    """A pattern has the level that most of its records have, whenever they came; a level that is missing is none."""
    frame = log()
    served = frame.index[frame["message"].str.startswith("served")]
    frame.loc[served[:600], "level"] = "WARN"
    frame.loc[served[::4], "level"] = None
    frame.loc[frame["message"].str.startswith("cache"), "level"] = None
    found = {p["pattern"][:5]: p["level"] for p in patterns(table_of(frame), ONSET).numbers["patterns"]}
    assert (found["serve"], found["cache"]) == ("INFO", None)


def test_undated_records_are_listed():
    """Records without a time have patterns and examples, and no first time."""
    found = patterns(table_of(log().assign(time=pd.Series([None] * len(log()), dtype="datetime64[us, UTC]"))))
    assert found.verdict == "listed"
    assert all(p["first"] is None and p["example"].startswith("app.log:") for p in found.numbers["patterns"])


def test_hostile_messages():
    """Megabytes, NULs, empty ones, markup, our own marks and very many shapes are patterns like others; what is left out is counted."""
    words = [f"{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}{chr(97 + i // 676 % 26)}" for i in range(17_576)]
    texts = [f"{w} went wrong in {v}" for w, v in zip(words, reversed(words), strict=True)] + [f"{w}{w}" for w in words[:6000]]
    texts += ["x" * 2_000_000, "a(" * 100_000, "", "\x00", "<script>alert(1)</script>", "<*> <*>", "\ue000", "at (((((\n  at (", "' OR 1=1 --"]
    frame = pd.DataFrame({"time": BEGAN, "level": "ERROR", "message": texts, "source": "a", "line": range(len(texts))})
    found = patterns(table_of(frame))
    every = found.numbers
    assert every["records"] == len(texts)
    assert every["ungrouped"] == max(0, len(set(texts)) - 20_000)
    assert len(assign(table_of(frame))) == len(texts)


def test_grouping_floor(shared):
    """Lines of real systems, and made ones of other kinds, are grouped as their templates are, better than by masks alone or a plain Drain."""
    from scoring import patterns as scoring

    mean, worst, f1, made, fast = scoring.score(shared / "data", every=4)
    assert mean.reached and made.reached and fast.reached
    assert worst.measured >= 0.7
    assert f1.measured >= 0.9
    assert mean.measured > max(mean.rivals.values())
