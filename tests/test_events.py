"""The timeline as rows: read back they are the events, no cell runs, and Timesketch can place each of them."""

import csv
import io
from datetime import UTC, datetime

import pandas as pd
from form_samples import model
from hypothesis import given, settings
from hypothesis import strategies as st

from incidentnb import sinks, times
from incidentnb.publish.forms import events

TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
MOMENT = st.one_of(st.none(), st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(times.iso))
ROWS = st.lists(st.fixed_dictionaries({"at": MOMENT, "latest": MOMENT, "what": TEXT.filter(bool), "kind": st.sampled_from(["note", "deploy"]),
                                       "actor": st.one_of(st.none(), TEXT), "recorded_at": MOMENT, "evidence": TEXT}), max_size=5)


def read(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline=""), strict=True))


def made(rows: list[dict], to: str = "csv") -> bytes:
    return events.make({"account": {"timeline": rows, "run": {"finished": None}}}, "", to).data


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_what_is_read_back_is_what_was_written(rows):
    """Each event is one record of the file, in order, each text as the sink for cells has it, each instant as it is."""
    found = read(made(rows))
    assert len(found) == len(rows)
    for row, cells in zip(rows, found, strict=True):
        for name in events.PLAIN:
            assert cells[name] == ("" if row[name] is None else sinks.csv_cell(row[name]))
        assert times.iso(times.parse(cells["at"])) == row["at"] if row["at"] else cells["at"] == ""


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_every_row_has_a_time_for_timesketch(rows):
    """As its importer reads it every row has a moment, the one that is known best, and says which it is; none is dropped."""
    data = made(rows, "timesketch")
    found = read(data)
    assert [cells["message"] for cells in found] == [sinks.csv_cell(row["what"]) for row in rows]
    placed = pd.to_datetime(pd.Series([cells["datetime"] for cells in found], dtype=str), errors="coerce", utc=True)
    assert not placed.isna().any() and all(cells["timestamp_desc"] for cells in found)
    for row, cells, at in zip(rows, found, placed, strict=True):
        known = row["at"] or row["recorded_at"]
        assert known is None or at == pd.Timestamp(known)
        assert ("unknown" in cells["timestamp_desc"]) == (row["at"] is None)
        assert ("most likely" in cells["timestamp_desc"]) == bool(row["at"] and row["latest"])


def test_the_files_are_as_rfc_4180_has_them():
    """A header row, CRLF after each record, no byte-order mark; the columns that Timesketch needs stand first."""
    plain, sketch = (events.make(model(), "", to).data for to in ("csv", "timesketch"))
    assert plain.startswith(b"at,latest,what,kind,actor,recorded_at,evidence\r\n") and plain.endswith(b"\r\n")
    assert sketch.startswith(b"message,datetime,timestamp_desc,")
    assert plain.count(b"\n") == plain.count(b"\r\n") == 1 + len(read(plain)) == 19


def test_unknown_times_stand_last():
    """A row whose time is not known is blank there and last; for Timesketch it has the moment at which it was read, and says so."""
    last, sketched = (read(events.make(model(), "", to).data)[-1] for to in ("csv", "timesketch"))
    assert (last["at"], last["what"]) == ("", "Config c7: trying again does not help")
    assert (sketched["datetime"], sketched["timestamp_desc"]) == ("2026-11-23T14:35:20.000000+00:00", "Read (time of the event unknown)")
    recorded = read(made([{**dict.fromkeys(events.PLAIN), "what": "x", "kind": "note", "recorded_at": "2026-11-23T14:00:00Z"}], "timesketch"))[0]
    assert (recorded["datetime"], recorded["timestamp_desc"]) == ("2026-11-23T14:00:00.000000+00:00", "Recorded (time of the event unknown)")


def test_no_record_is_an_empty_table():
    """Where no record is behind the notebook there is the header row and nothing else."""
    assert made(None) == b"at,latest,what,kind,actor,recorded_at,evidence\r\n"
