"""Users and routes: who is hit, and which requests."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from incidentnb.analysis.routes import routes
from incidentnb.analysis.users import users
from incidentnb.evidence.table import table_of
from incidentnb.findings import Finding
from incidentnb.times import Interval

START = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)
BEGAN, OVER = START + timedelta(seconds=100), START + timedelta(seconds=200)
ONSET = Finding("onset", "spike", "", numbers={"onset": Interval(BEGAN, BEGAN, BEGAN), "end": Interval(OVER, OVER, OVER)})


def log() -> pd.DataFrame:
    """Three hundred seconds, one request each; between 100 and 200 every fourth fails on /pay, from one user in ten."""
    rows = [{"time": START + timedelta(seconds=s), "failed": 100 <= s < 200 and s % 4 == 0, "user": f"u{s % 10}", "client": f"10.0.0.{s % 20}",
             "method": "POST" if s % 4 == 0 else "GET", "route": "/pay" if s % 4 == 0 else "/list"} for s in range(300)]
    return pd.DataFrame(rows)


def test_users_between_onset_and_end():
    """Distinct users with a failure, of distinct users seen, in that span alone."""
    found = users(table_of(log()), ONSET)
    assert (found.numbers["affected"], found.numbers["total"], found.numbers["by"]) == (5, 10, "user")


@pytest.mark.parametrize("named", [0, 5])
def test_clients_stand_in(named):
    """Where hardly a user is known, client addresses are counted and it says so; without these it cannot be told."""
    frame = log()
    frame["user"] = [("admin" if i < named else None) for i in range(len(frame))]
    found = users(table_of(frame), ONSET)
    assert (found.numbers["affected"], found.numbers["total"], found.numbers["by"]) == (5, 20, "client")
    assert "client" in found.sentence
    assert users(table_of(frame.drop(columns=["user", "client"])), ONSET).verdict == "cannot tell"


def test_routes_before_and_during():
    """The route with the excess comes first, with its exact counts and both rates."""
    first = routes(table_of(log()), ONSET).numbers["routes"][0]
    assert first == {"method": "POST", "route": "/pay", "failed": 25, "total": 25, "rate_before": 0.0, "rate_during": 1.0}


def test_without_routes_or_onset():
    """Neither is guessed."""
    assert routes(table_of(log().drop(columns=["route", "method"])), ONSET).verdict == "cannot tell"
    assert users(table_of(log()), Finding("onset", "no spike", "", numbers={"onset": None})).verdict == "cannot tell"
