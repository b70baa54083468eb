"""Which columns may say who is hit."""

import numpy as np
import pandas as pd
import pytest
from test_scope import BEGAN, ONSET, traffic

from incidentnb.analysis import columns
from incidentnb.analysis.columns import reason_by_name
from incidentnb.analysis.spans import spans
from incidentnb.evidence.table import table_of


@pytest.mark.parametrize("name", ["http_status", "level", "error.kind", "upstream_response_time", "bytes_sent", "requestId", "trace_id", "grpc_code",
                                  "statusCode", "code", "exceptionMessage", "elapsed_ms", "msg", "outcome", "responseTime"])
def test_names_of_what_comes_after(name):
    """A column that holds the outcome, follows from it or names one record is left out by its name, with a reason."""
    assert reason_by_name(name)


@pytest.mark.parametrize("name", ["region", "tenant", "req.headers.x-app", "version", "host", "route", "country_code", "currencyCode",
                                  "tenantGroup", "user", "az", "build", ""])
def test_names_of_who(name):
    """A column that may say who is hit is kept."""
    assert reason_by_name(name) is None


def leaves(frame):
    table = table_of(frame)
    failing = int((frame["failed"]).sum())
    return columns.leaves(table, spans(table, ONSET), len(frame) - failing, failing)


def test_leaves_hold_all_traffic():
    """Whatever columns are chosen, the leaves sum to the requests and failures of the incident, and to those before it."""
    frame = traffic(lambda f: f["host"] == "web-7")
    found, _ = leaves(frame)
    during = frame["time"] >= BEGAN
    assert (found.total.sum(), found.failing.sum()) == (during.sum(), frame["failed"][during].sum())
    assert found.base_total.sum() == pytest.approx((~during).sum(), rel=0.01)  # but for combinations that the incident did not see


def test_a_sample_stands_for_the_whole(monkeypatch):
    """Where rows are many a fixed part is taken with its weight, and the leaves are much the same."""
    frame = traffic(lambda f: f["host"] == "web-7", rows=40_000)
    frame["line"] = np.arange(len(frame))
    whole, _ = leaves(frame)
    monkeypatch.setattr(columns, "MOST_ROWS", 4000)
    monkeypatch.setattr(columns, "LEAST_ROWS", 4000)
    part, _ = leaves(frame)
    assert part.total.sum() == pytest.approx(whole.total.sum(), rel=0.1)
    assert part.failing.sum() == pytest.approx(whole.failing.sum(), rel=0.1)


def test_twins_are_found_before_they_take_a_place():
    """Ten copies of a column take the place of one."""
    frame = traffic(lambda f: f["host"] == "web-7").drop(columns=["err.kind", "outcome_class"])
    found, excluded = leaves(pd.concat([frame, *(frame[["host"]].rename(columns={"host": f"copy{i}"}) for i in range(10))], axis=1))
    assert len(found.twins["host"]) == 10
    assert not any(e["column"].startswith("copy") for e in excluded)
    assert found.twins["host"][0][1]["web-7"] == "web-7"
