"""The log table."""

from datetime import UTC, datetime

import pandas as pd
import pytest

from incidentnb.evidence.table import COLUMNS, open_table, table_of
from incidentnb.exceptions import InputError

TIMES = pd.to_datetime(["2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"])


def test_every_canonical_column_is_always_there():
    """A query may name any column of the log table; what no record has is NULL."""
    table = table_of(pd.DataFrame({"time": TIMES, "region": ["eu", "us", None]}))
    assert list(COLUMNS) == list(table.columns)[:len(COLUMNS)]
    assert table.frame("SELECT count(*) FILTER (region IS NULL) AS n, count(user) AS u FROM log").iloc[0].tolist() == [1, 0]


def test_instants_come_back_aware_in_utc():
    """Times leave the engine with their zone, and aware times can be asked with."""
    table = table_of(pd.DataFrame({"time": TIMES}))
    assert str(table.frame("SELECT time FROM log")["time"].dtype).endswith("UTC]")
    assert table.row("SELECT count(*) AS n FROM log WHERE time >= $t", {"t": datetime(2026, 1, 1, 0, 1, tzinfo=UTC)}) == {"n": 2}
    assert table.span.start == datetime(2026, 1, 1, tzinfo=UTC)


def test_statuses_decide_the_outcome_where_there_are_any():
    """With HTTP statuses a record without one is chatter, whatever its level; without any, the level decides."""
    both = table_of(pd.DataFrame({"time": TIMES, "http_status": [200, 503, None], "level": ["INFO", "INFO", "ERROR"]}))
    assert (both.outcome, both.frame("SELECT failed FROM log ORDER BY time")["failed"].tolist()) == ("http_status", [False, True, pd.NA])
    levels = table_of(pd.DataFrame({"time": TIMES, "level": ["INFO", None, "FATAL"]}))
    assert levels.outcome == "level"
    assert levels.frame("SELECT sum(failing) AS f, sum(total) AS n FROM outcomes").iloc[0].tolist() == [1, 2]


def test_weighted_rows_keep_their_weight():
    """Rows that stand for many requests count as many."""
    table = table_of(pd.DataFrame({"time": TIMES, "failing": [1, 0, 5], "total": [10, 10, 10]}))
    assert table.frame("SELECT sum(failing) AS f, sum(total) AS n FROM outcomes").iloc[0].tolist() == [6, 30]


def test_as_of_hides_what_came_later():
    """As known at an instant means: no later record, and none without a time."""
    table = table_of(pd.DataFrame({"time": [*TIMES[:2], pd.NaT]}), as_of=datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC))
    assert len(table) == 1


def test_a_folder_without_evidence_is_one_line(tmp_path):
    """Opening a folder that holds no evidence, or a damaged manifest, is an input error."""
    with pytest.raises(InputError, match="holds no evidence"):
        open_table(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        open_table(tmp_path)
    (tmp_path / "manifest.json").write_text('{"schema": "other"}')
    with pytest.raises(InputError, match="no manifest"):
        open_table(tmp_path)


def test_kept_answers_are_few_and_stay_what_they_were(monkeypatch):
    """An answer that is kept is the same for the next one who asks, whatever the first one did to it; other values are another question."""
    from incidentnb.evidence import table as room

    monkeypatch.setattr(room, "KEPT_ROWS", 2)
    table = table_of(pd.DataFrame({"time": pd.to_datetime(["2026-11-23T13:00Z"] * 3), "line": [1, 2, 3]}))
    for most in (1, 2, 3):
        frame = table.frame("SELECT line FROM log WHERE line <= $most ORDER BY line", {"most": most}, keep=True)
        frame["line"] = 0
    assert table.frame("SELECT line FROM log WHERE line <= $most ORDER BY line", {"most": 2}, keep=True)["line"].tolist() == [1, 2]
    for value in range(20):
        assert table.frame("SELECT $value AS n", {"value": value}, keep=True)["n"].tolist() == [value]
    assert len(table._kept) <= room.KEPT
