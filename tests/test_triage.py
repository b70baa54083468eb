"""The whole answer at once: it keeps its contract, and one failing analysis never stops the others."""

import json
from datetime import UTC, datetime, timedelta

import jsonschema
import numpy as np
import pandas as pd
import pytest

from incidentnb import places
from incidentnb.analysis import triage as module
from incidentnb.evidence.changes import Change
from incidentnb.evidence.table import table_of
from incidentnb.findings import Finding

START = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)
BEGAN = START + timedelta(seconds=3800)


def shop(rows: int = 40_000, bad: bool = True, surge: bool = False, seed: int = 1) -> pd.DataFrame:
    """Ninety minutes of a shop whose POST requests fail on version 4.18.0 from 14:03:20."""
    draw = np.random.default_rng(seed)
    seconds = np.sort(draw.uniform(0, 5400, rows))
    if surge:
        seconds = np.sort(np.concatenate([seconds, draw.uniform(3800, 4700, rows)]))
    n = len(seconds)
    frame = pd.DataFrame({"time": (pd.Timestamp(START) + pd.to_timedelta(seconds, unit="s")).as_unit("us")})
    frame["method"] = draw.choice(["GET", "POST"], n, p=[0.8, 0.2])
    frame["route"] = draw.choice(["/orders", "/cart", "/items/{id}"], n)
    frame["version"] = np.where((seconds > 3751) & (draw.random(n) < 0.5), "4.18.0", "4.17.2")
    frame["region"] = draw.choice(["eu", "us", "ap"], n)
    hit = (seconds > 3800) & (frame["method"] == "POST") & (frame["version"] == "4.18.0") & bad
    failed = draw.random(n) < np.where(hit, 0.41, 0.003)
    frame["http_status"] = np.where(failed, 500, 200)
    frame["user"] = [f"u{i}" for i in draw.integers(0, 9000, n)]
    frame["message"] = [f"TypeError: no amount at Cart.total ({i}:12)" if f and h else f"served {i} in {i % 90} ms"
                        for i, (f, h) in enumerate(zip(failed, hit, strict=True))]
    frame["source"], frame["line"] = "app.log", range(1, n + 1)
    return frame


CHANGES = [Change(at=START + timedelta(seconds=100), kind="deploy", id="d1", summary="deploy 4.17.2", version="4.17.2"),
           Change(at=START + timedelta(seconds=3700), kind="config", id="c7", summary="raise the pool size"),
           Change(at=START + timedelta(seconds=3751), kind="deploy", id="d9", summary="deploy 4.18.0", version="4.18.0"),
           Change(at=START + timedelta(seconds=4000), kind="flag", id="f2", summary="banner on")]


@pytest.fixture(scope="module")
def answer():
    return module.triage(table_of(shop()), CHANGES)


def schema(name: str) -> dict:
    return json.loads((places.schemas() / f"{name}.schema.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["triage", "onset", "scope", "patterns", "formats"])
def test_schema_is_one(name):
    """Each schema is a valid JSON Schema and names its contract."""
    found = schema(name)
    jsonschema.Draft202012Validator.check_schema(found)
    assert found["properties"]["schema"]["const"] == f"incidentnb/{name}/1"


def test_contract_is_kept(answer):
    """What triage prints validates against its schema, in plain JSON without NaN."""
    text = json.dumps(answer.as_json(), allow_nan=False)
    jsonschema.validate(json.loads(text), schema("triage"))


@pytest.mark.parametrize("rows", [0, 3])
def test_contract_is_kept_without_data(rows):
    """Too little data is "cannot tell" in every part, and still the contract."""
    frame = shop(100).head(rows)
    answer = module.triage(table_of(frame))
    assert answer.verdict == "cannot tell"
    jsonschema.validate(answer.as_json(), schema("triage"))


def test_known_incident_is_told(answer):
    """Onset to the seconds, the subset exactly, the culprit first, the message new, the users counted."""
    assert answer.verdict == "incident"
    found = answer.as_json()
    assert abs(answer.findings["onset"].numbers["onset"].at - BEGAN) < timedelta(seconds=15)
    assert found["end"] is None
    assert found["scope"]["subsets"][0]["where"] == {"method": "POST", "version": "4.18.0"}
    assert found["changes"][0]["id"] == "d9"
    assert [p["pattern"] for p in found["patterns"] if p["new"]] == ["TypeError: no amount at Cart.total (<*>)"]
    assert found["users"]["by"] == "user"
    assert found["recovery"]["verdict"] == "not recovered"
    assert found["severity"]["suggested"] == "SEV-2"


@pytest.mark.parametrize("surge", [True, False])
def test_quiet_is_no_incident(surge):
    """Neither a quiet hour nor a surge of traffic without failures is an incident."""
    answer = module.triage(table_of(shop(bad=False, surge=surge)), CHANGES)
    assert answer.verdict == "no incident"
    assert answer.as_json()["onset"] is None


def test_one_failure_stops_nothing():
    """An analysis that raises becomes a finding that says why; a finding that succeeds passes through."""
    def broken() -> Finding:
        raise ZeroDivisionError("by\nnothing")

    found = module.guarded("scope", broken)
    assert (found.verdict, found.name) == ("cannot tell", "scope")
    assert "ZeroDivisionError: by nothing" in found.sentence
    good = Finding("scope", "everyone", "All.")
    assert module.guarded("scope", lambda: good) is good
