"""CSV from a dashboard: times in any form, failing and total or one value, attributes, and one line for what is wrong."""

from datetime import UTC, datetime

import pytest

from incidentnb.evidence.series import read_rows, read_series
from incidentnb.exceptions import InputError

AT = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)


def write(tmp_path, text: str):
    path = tmp_path / "series.csv"
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("stamp", ["2026-11-23T13:00:00Z", "2026-11-23 14:00:00+01:00", "1795438800", "1795438800000", "1795438800000000",
                                   "1795438800000000000", "1795438800.0"])
def test_times_in_any_form(tmp_path, stamp):
    """ISO with any offset and epochs in s, ms, µs and ns are the same instant."""
    frame = read_series(write(tmp_path, f"time,failing,total\n{stamp},1,10\n"))
    assert frame["time"].iloc[0] == AT
    assert frame[["failing", "total"]].iloc[0].tolist() == [1, 10]


def test_first_column_of_times_is_taken(tmp_path):
    """Without a column named time the first that holds times is it; other marks between cells and a byte-order mark are read."""
    frame = read_series(write(tmp_path, "\ufeffhost;when;value\na;2026-11-23T13:00:00Z;3,5\nb;2026-11-23T13:01:00Z;4\n".replace("3,5", "3.5")))
    assert frame["value"].tolist() == [3.5, 4.0]


def test_rows_keep_attributes_as_text(tmp_path):
    """Attribute columns stay text, empty is missing; a failed flag or a status stands for one request."""
    frame = read_rows(write(tmp_path, "time,region,code,failing,total\n1795438800,eu,007,1,10\n1795438860,,7,0,9\n"))
    assert frame["code"].tolist() == ["007", "7"]
    assert frame["region"].tolist() == ["eu", None]
    flags = read_rows(write(tmp_path, "time,failed,region\n1795438800,true,eu\n1795438860,0,us\n"))
    assert flags[["failing", "total"]].to_numpy().tolist() == [[1, 1], [0, 1]]
    status = read_rows(write(tmp_path, "time,http_status,region\n1795438800,503,eu\n1795438860,404,us\n"))
    assert status["failing"].tolist() == [1, 0]


def test_unreadable_rows_are_counted(tmp_path):
    """A row without a time or a number is left out and counted."""
    frame = read_series(write(tmp_path, "time,value\n" + "2026-11-23T13:00:00Z,1\n" * 20 + "yesterday,2\n2026-11-23T13:00:00Z,n/a\n"))
    assert (len(frame), frame.attrs["left_out"]) == (20, 2)


@pytest.mark.parametrize("text", ["", "time,value\n", "a,b\n1,2\n3,4\n", "time,host\n2026-11-23T13:00:00Z,a\n", "1795438800,2,3\n1795438860,2,3\n",
                                  "time,failing,total\n2026-11-23T13:00:00Z,5,2\n", "time,time\n1,1\n", "\0\0\0"])
def test_bad_input_is_one_line(tmp_path, text):
    """Anything that is no series is refused in one line that names the file."""
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=r"series\.csv") as caught:
        read_series(path)
    assert "\n" not in str(caught.value)


def test_missing_file():
    """A file that is not there is said so."""
    with pytest.raises(InputError, match="no such file"):
        read_series("nowhere.csv")
