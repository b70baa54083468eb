"""A log that is one JSON document is read like one of a record a line, and its lines are accounted for all the same."""

import json

import pytest

from incidentnb.evidence import reader
from incidentnb.evidence.documents import unfold

EVENTS = [{"logStreamName": "web/1", "timestamp": 1772366400250 + i * 1000, "message": f"number {i}", "ingestionTime": 1772366409000}
          for i in range(30)]
WRITTEN = {
    "aws logs filter-log-events": json.dumps({"events": EVENTS, "searchedLogStreams": []}, indent=4),
    "an array over many lines": json.dumps(EVENTS, indent=1),
    "an array in one line": json.dumps(EVENTS),
    "an array, an element a line": "[\n" + ",\n".join(map(json.dumps, EVENTS)) + "\n]",
    "records in one line": json.dumps({"Records": EVENTS}),
    "objects over many lines (jq)": "\n".join(json.dumps(e, indent=2) for e in EVENTS),
    "hits of a search": json.dumps({"took": 3, "hits": {"hits": EVENTS}}),
}


def read(text, folder):
    (folder / "log.json").write_text(text + "\n")
    return reader.read([folder / "log.json"], folder / "out")["inputs"][0]


@pytest.mark.parametrize("how", WRITTEN)
def test_written_anyhow(how, tmp_path):
    """However the same records are laid out, the same records are read, and every line is accounted for."""
    got = read(WRITTEN[how], tmp_path)
    assert (got["family"], got["rows"]) == ("json_cloudwatch", 30)
    assert (got["first"], got["last"]) == ("2026-03-01T12:00:00.250Z", "2026-03-01T12:00:29.250Z")
    assert got["parsed"] + got["continuation"] + got["rejected"] == got["lines"] == WRITTEN[how].count("\n") + 1
    assert got["rejected"] == 0


def test_broken_off(tmp_path):
    """Of a document that breaks off, the records before that are kept, and the line where it does is rejected."""
    text = WRITTEN["an array over many lines"]
    got = read(text[:text.index("number 17")], tmp_path)
    assert (got["rows"], got["parsed"], got["rejected"]) == (17, 17, 1)
    assert got["parsed"] + got["continuation"] + got["rejected"] == got["lines"]


@pytest.mark.parametrize("text", ['{"a": 1}\n{"a": 2}', "[error] no\n[info] yes", "[1, 2]", "{not json", '{"resourceLogs": [{"a": 1}]}', ""])
def test_none(text):
    """JSON lines, and text that only looks like it, are no document; their blocks are as they were."""
    document, rest = unfold(text, iter(["more"]))
    assert document is None
    assert list(rest) == ["more"]
