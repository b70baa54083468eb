"""What the impact is and since when: failures, traffic that is gone, slow requests; and whether that is over."""

import json
from datetime import UTC, datetime, timedelta

import jsonschema
import numpy as np
import pandas as pd
import pytest

from incidentnb import places
from incidentnb.analysis import impact as module
from incidentnb.analysis.back import back
from incidentnb.analysis.latency import latency
from incidentnb.analysis.onset import onset
from incidentnb.analysis.triage import triage
from incidentnb.analysis.volume import volume
from incidentnb.cli import pages
from incidentnb.evidence.changes import Change
from incidentnb.evidence.table import table_of
from incidentnb.exceptions import InputError
from incidentnb.findings import Finding
from incidentnb.publish.terminal import triage_page
from incidentnb.times import Interval
from incidentnb.workflow import analyses

START = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)
CONTRACT = json.loads((places.schemas() / "triage.schema.json").read_text(encoding="utf-8"))


def shop(seed: int = 1, rows: int = 24_000, minutes: int = 80) -> pd.DataFrame:
    """Eighty minutes of four services without a failure; ``second`` is the time since the start."""
    draw = np.random.default_rng(seed)
    second = np.sort(draw.uniform(0, 60 * minutes, rows))
    frame = pd.DataFrame({"time": (pd.Timestamp(START) + pd.to_timedelta(second, unit="s")).as_unit("us"), "http_status": 200, "second": second})
    frame["service"], frame["route"] = draw.choice(["web", "cart", "pay", "mail"], rows), draw.choice(["/orders", "/items"], rows)
    frame["duration_ms"], frame["message"] = draw.gamma(2, 40, rows), [f"served {i}" for i in range(rows)]
    frame["source"], frame["line"] = frame["service"] + ".log", range(1, rows + 1)
    return frame


def gone(frame: pd.DataFrame, since: float, until: float = np.inf, left: float = 0.05) -> pd.DataFrame:
    """The same with a part of its traffic left in between."""
    return frame[~frame["second"].between(since, until) | (np.random.default_rng(5).random(len(frame)) < left)]


def slow(frame: pd.DataFrame, since: float, until: float = np.inf, times: float = 6.0) -> pd.DataFrame:
    return frame.assign(duration_ms=frame["duration_ms"] * np.where(frame["second"].between(since, until), times, 1))


def near(interval: Interval, second: float, within: float = 60) -> bool:
    return abs((interval.at - START).total_seconds() - second) <= within


def answered(frame: pd.DataFrame, changes=()) -> dict:
    """The JSON of a triage, held to its contract."""
    said = json.loads(json.dumps(triage(table_of(frame), changes).as_json(), allow_nan=False))
    jsonschema.validate(said, CONTRACT)
    return said


@pytest.mark.parametrize("seed", range(3))
def test_a_quiet_shop_is_no_incident(seed):
    """Even traffic, no failure, the usual durations: no impact of any kind."""
    said = answered(shop(seed))
    assert (said["verdict"], said["impact"], said["onset"]) == ("no incident", None, None)
    assert (said["volume"]["verdict"], said["latency"]["verdict"], said["volume"]["silent"]) == ("no drop", "no change", [])


def test_a_dead_service_is_an_incident_without_a_failure():
    """Traffic that is gone is an incident since it went, with its change ranked first, and it is not over."""
    deploy = Change(at=START + timedelta(seconds=2950), kind="deploy", id="d9", summary="deploy 7", version="7")
    said = answered(gone(shop(), 3000), [deploy, Change(at=START + timedelta(seconds=3600), kind="flag", id="f1", summary="banner on")])
    assert (said["verdict"], said["impact"], said["end"]) == ("incident", "traffic", None) and "Traffic dropped" in said["why"]
    assert abs(pd.Timestamp(said["onset"]["at"]) - pd.Timestamp(START) - timedelta(seconds=3000)) <= timedelta(seconds=60)
    assert [c["id"] for c in said["changes"] if c["rank"]] == ["d9"]
    assert (said["recovery"]["verdict"], said["severity"]["suggested"]) == ("not recovered", "SEV-1")
    page = triage_page(said, width=160)
    assert "traffic dropped" in page and "requests a minute, since" in page and "not back: " in page and "\nscope" not in page


def test_slow_requests_are_an_incident_without_a_failure():
    """Requests that take six times as long are an incident since then, until then, recovered after ten minutes."""
    said = answered(slow(shop(), 2400, 3300))
    assert (said["verdict"], said["impact"], said["recovery"]["verdict"]) == ("incident", "latency", "recovered")
    assert said["end"] is not None and said["recovery"]["since"] == said["end"]["at"]
    page = triage_page(said, width=160)
    assert "requests are slow" in page and "95 % within" in page and "recovered since" in page


def test_a_little_slower_is_told_and_is_no_incident():
    """Requests that take half as long again are told, and do not make an incident."""
    said = answered(slow(shop(), 2400, 3300, 1.6))
    assert (said["verdict"], said["impact"], said["latency"]["verdict"]) == ("no incident", None, "slower") and "got slower" in said["why"]


def test_a_service_that_fell_silent_cannot_be_told():
    """One of four services that ends while the others go on is dead or late: unsure, and a change of it is ranked against its last record."""
    frame = shop()
    changes = [Change(at=START + timedelta(seconds=s), kind="deploy", id=name, service=name, summary=f"deploy {name} 2", version="2")
               for s, name in ((2900, "web"), (2800, "pay"))]
    said = answered(frame[(frame["service"] != "pay") | (frame["second"] < 3000)], changes)
    assert (said["verdict"], said["impact"], said["onset"]) == ("cannot tell", None, None)
    assert {(s["column"], s["value"]) for s in said["volume"]["silent"]} == {("service", "pay"), ("source", "pay.log")}
    assert next(c["id"] for c in said["changes"] if c["rank"]) == "pay" and said["recovery"]["verdict"] == "cannot tell"
    assert "service pay has logged nothing since 13:" in triage_page(said, width=160)


def test_failures_come_first():
    """Where requests fail and traffic drops too, the failures tell since when."""
    frame = gone(shop(), 3000)
    frame = frame.assign(http_status=np.where((frame["second"] > 2600) & (np.random.default_rng(2).random(len(frame)) < 0.5), 500, 200))
    table = table_of(frame)
    found = {"onset": onset(table), "volume": volume(table), "latency": latency(table)}
    assert found["volume"].verdict == "drop" and module.impact(**found) is found["onset"] and module.kind(found["onset"]) == "failures"


def test_what_could_not_be_computed_is_no_impact():
    """A failed analysis of traffic or latency leaves the answer of the error rate."""
    failed = [Finding(name, "cannot tell", "", "", {}) for name in ("volume", "latency")]
    quiet = Finding("onset", "no spike", "Nothing.", "", {"onset": None})
    assert module.impact(quiet, *failed) is quiet and module.verdict(quiet, *failed) == ("no incident", "Nothing.")
    assert module.verdict(Finding("onset", "cannot tell", "?", "too little", {"onset": None}), *failed) == ("cannot tell", "too little")


@pytest.mark.parametrize(("until", "verdict", "state"), [(4000, "recovered", "recovered"), (4500, "cannot tell", "quiet but unproven"),
                                                         (np.inf, "not recovered", "still failing")])
def test_traffic_is_back_when_it_stays(until, verdict, state):
    """Ten complete minutes at the usual traffic prove that a drop is over; less asks for the minutes that are missing."""
    found = volume(table_of(gone(shop(), 3000, until)))
    told = back(found)
    assert (told.verdict, told.numbers["state"]) == (verdict, state)
    assert (told.numbers["since"] is not None) == (verdict == "recovered")
    if state == "quiet but unproven":
        assert 3 <= told.numbers["more_minutes"] <= 7
    if verdict == "recovered":
        assert near(found.numbers["end"], until) and told.numbers["minutes"] >= 10


@pytest.mark.parametrize(("of", "verdict"), [("failures", "no spike"), ("traffic", "drop"), ("latency", None)])
def test_the_onset_of_traffic_and_of_latency_by_themselves(tmp_path, of, verdict):
    """The verb ``onset`` tells of failures, traffic or latency, from logs and from a CSV, and keeps its contract; counts hold no durations."""
    frame = gone(shop(), 3000)
    minutes = frame.groupby(frame["time"].dt.floor("min")).size()
    series, log = tmp_path / "series.csv", tmp_path / "shop.jsonl"
    pd.DataFrame({"time": minutes.index.strftime("%Y-%m-%dT%H:%M:%SZ"), "failing": 0, "total": minutes.to_numpy()}).to_csv(series, index=False)
    if verdict is None:
        frame = slow(shop(), 2400)
        with pytest.raises(InputError, match="holds counts and no durations"):
            analyses.onset([series], of=of)
    log.write_text("".join(json.dumps({"time": t.isoformat(), "status": s, "duration_ms": d, "msg": m, "level": "info"}) + "\n" for t, s, d, m in zip(
        frame["time"], frame["http_status"], frame["duration_ms"], frame["message"], strict=True)), encoding="utf-8")
    contract = json.loads((places.schemas() / "onset.schema.json").read_text(encoding="utf-8"))
    for path in [log] if verdict is None else [log, series]:
        value, text = pages.onset(analyses.onset([path], of=of), of)
        jsonschema.validate(json.loads(json.dumps(value, allow_nan=False)), contract)
        assert (value["of"], value["verdict"]) == (of, verdict or "slower") and text.count("\n") <= 4
