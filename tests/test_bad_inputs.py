"""Hostile and broken files: each has the outcome that its manifest asks for, through the command line."""

import json
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"

MANIFEST = SHARED / "bad" / "manifest.json"
CASES = json.loads(MANIFEST.read_text())["inputs"] if MANIFEST.is_file() else []


def run(*words):
    return subprocess.run([sys.executable, "-m", "incidentnb", *words], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["file"].removeprefix("inputs/"))
def test_every_bad_input_has_its_outcome(shared, case):
    """One line a problem, the right exit code, no traceback, the lines that can be read are read."""
    path = shared / "bad" / case["file"]
    began = time.perf_counter()
    done = run("formats", str(path), "--json", *(("--zone", case["tz"]) if "tz" in case else ()))
    assert "Traceback" not in done.stderr
    said = [line for line in done.stderr.splitlines() if line]
    if case["expect"] == "error":
        assert done.returncode == 2, done.stderr
        assert len(said) == 1
        assert str(path) in said[0]
        assert done.stdout == ""
        assert time.perf_counter() - began < 15
    else:
        assert done.returncode == 0, done.stderr
        (entry,) = json.loads(done.stdout)["inputs"]
        assert entry["parsed"] + entry["continuation"] + entry["rejected"] == entry["lines"]
        assert all(str(path) in line for line in said)
        if case["expect"] == "ok":
            assert said == []
        if "lines" in case:
            assert entry["parsed" if case["kind"] != "regex dos" else "lines"] == case["lines"]
        if "errors" in case:
            assert entry["levels"].get("ERROR", 0) == case["errors"]
        if "dups" in case:
            assert any(str(case["dups"]) in line for line in entry["warnings"])


def test_a_bomb_stays_small(shared, tmp_path):
    """A decompression bomb is refused within 300 MiB of memory."""
    done = subprocess.run([sys.executable, "-c", "import resource,sys; resource.setrlimit(resource.RLIMIT_AS, (3 << 30,) * 2);"
                           "from incidentnb.cli import main; sys.argv = ['incidentnb', 'formats', sys.argv[1]]; code = main();"
                           "peak = next(l for l in open('/proc/self/status') if l.startswith('VmHWM'));"  # ru_maxrss is the parent's, too
                           "print(int(peak.split()[1]) // 1024); sys.exit(code)",
                           str(shared / "bad/inputs/bomb_512MiB.log.gz")], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2, done.stderr
    assert int(done.stdout.split()[-1]) < 300


def test_broken_json_lines_are_named(shared, tmp_path):
    """Of a broken JSON file the rejected lines are the broken ones, by number."""
    from incidentnb.evidence import reader

    reader.read([shared / "bad/inputs/broken.jsonl"], tmp_path)
    lost = [json.loads(line)["line"] for line in (tmp_path / "rejects.jsonl").read_text().splitlines()]
    assert lost == [2, 3, 4]


def test_epoch_units_and_mixed_zones_are_one_instant(shared, tmp_path):
    """Six epochs in six units are one instant; four offsets are four seconds in a row."""
    from incidentnb.evidence import reader
    from incidentnb.evidence.table import open_table

    reader.read([shared / "bad/inputs/epoch_units.jsonl"], tmp_path / "a")
    assert {t.isoformat()[:19] for t in open_table(tmp_path / "a").frame("SELECT time FROM log")["time"]} == {"2026-03-01T12:00:00"}
    reader.read([shared / "bad/inputs/mixed_tz.log"], tmp_path / "b")
    seconds = open_table(tmp_path / "b").frame("SELECT time FROM log ORDER BY line")["time"].tolist()
    assert [(t - seconds[0]).total_seconds() for t in seconds] == [0, 1, 2, 3]
    assert seconds[0] == datetime.fromisoformat("2026-03-01T12:00:00+00:00")


def test_records_of_the_repeated_hour_never_go_back(shared, tmp_path):
    """In the night when clocks go back no record is an hour before the one above it."""
    from incidentnb.evidence import reader
    from incidentnb.evidence.table import open_table

    reader.read([shared / "bad/inputs/dst_fold_naive.log"], tmp_path, zone="Europe/Berlin")
    moments = open_table(tmp_path).frame("SELECT time FROM log ORDER BY line")["time"].tolist()
    assert moments == sorted(moments)
    assert len(moments) == 12
