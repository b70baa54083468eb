"""The 36 real log files with a known truth: each is recognised, and nothing in it is lost, miscounted or misdated."""

import itertools
import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from conftest import SHARED

from incidentnb.evidence import detect, formats, reader
from incidentnb.evidence.files import blocks, open_source
from incidentnb.evidence.lines import Parser
from incidentnb.evidence.plan import Plan

FOLDER = SHARED / "data" / "logformats"
TRUTH = {e["file"]: e for e in json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))} if FOLDER.is_dir() else {}
pytestmark = pytest.mark.skipif(not TRUTH, reason="the real log files (../shared/data/logformats) are not on this machine")

# the truth names envelope and payload, or the key of the time, in one word; here: family, and formats that the choice names
SPELT = {
    "haproxy_over_syslog_bsd": ("haproxy", "syslog-rfc3164 / haproxy"),
    "json_caddy_docker_compose_prefix": ("json_caddy", "docker-compose / caddy"),
    "logfmt_t_key": ("logfmt", "logfmt"),
    "logfmt_time_key": ("logfmt", "logfmt"),
    "json_generic_ts_lvl_msg": ("json_generic", "json"),
    "docker_compose_prefixed_ts": ("docker_compose_prefixed", "docker-compose"),
}


@pytest.fixture(scope="module", params=sorted(TRUTH))
def case(request, tmp_path_factory):
    """One file: its truth, and the manifest's account of it, read without a hint (but for the year, where lines have none)."""
    truth = TRUTH[request.param]
    year = 2020 if truth["year_missing"] else None
    manifest = reader.read([FOLDER / request.param], tmp_path_factory.mktemp("log"), year=year)
    return truth, manifest["inputs"][0]


def instant(written):
    """A stamp of the truth as an instant; one without an offset is UTC, one without a year is of 2020."""
    if written.startswith("--"):
        written = "2020" + written[1:]
    stamp = datetime.fromisoformat(written)
    return stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)


def test_recognised(case):
    """The family is found without a hint."""
    truth, got = case
    family, name = SPELT.get(truth["format_family"], (truth["format_family"], ""))
    assert got["family"] == family
    assert name in got["format"]


def test_records(case):
    """As many records are found as there are."""
    truth, got = case
    assert abs(got["parsed"] - truth["records"]) <= 0.01 * truth["records"]


def test_times(case):
    """First and last record, in file order, are at the right instant."""
    truth, got = case
    assert (instant(got["first"]), instant(got["last"])) == (instant(truth["first_ts"]), instant(truth["last_ts"]))


def test_counts(case):
    """Levels as written and HTTP statuses are counted exactly."""
    truth, got = case
    if truth["level_counts"] is not None:
        assert got["levels"] == truth["level_counts"]
    if truth["http_status_counts"] is not None:
        assert {str(k): n for k, n in got["http_statuses"].items()} == truth["http_status_counts"]


def test_every_line_is_accounted_for(case):
    """parsed + continuation + rejected = lines, and lines are the file's."""
    truth, got = case
    assert got["parsed"] + got["continuation"] + got["rejected"] == got["lines"] == truth["lines"]


def rows_of(tables):
    return sorted((row for t in tables for row in t.to_pylist()), key=lambda row: row["line"])


@pytest.mark.parametrize("name", sorted(TRUTH))
def test_cutting_changes_nothing(name):
    """Read in one block, or cut before any of its records: the same records, the same account."""
    source, stream = open_source(str(FOLDER / name))
    text = "\n".join(blocks(source, stream))
    stream.close()
    lines = text.split("\n")[:120]
    base = Plan((), (), year=2020, latest=4102444800_000_000)
    plan = detect.choose("\n".join(lines), formats.load(), base=base).plan
    whole = Parser(plan)
    expected = rows_of(whole.block("\n".join(lines), 1))
    starts = sorted({row["line"] for row in expected} - {1})
    pieces, tables, edges = Parser(plan), [], [1, *starts, len(lines) + 1]
    for begin, end in itertools.pairwise(edges):
        tables += pieces.block("\n".join(lines[begin - 1:end - 1]), begin)
    got = rows_of(tables)
    names = {k for row in expected for k, v in row.items() if v is not None}
    assert [{k: row.get(k) for k in names} for row in got] == [{k: row.get(k) for k in names} for row in expected]
    assert pieces.counts == whole.counts
    assert (pieces.tally.levels, pieces.tally.statuses) == (whole.tally.levels, whole.tally.statuses)
    assert isinstance(tables[0], pa.Table)
