"""Reading logs into the log table: every line accounted for, whatever the file is like."""

import bz2
import gzip
import io
import json
import lzma
import random
import sys
from pathlib import Path

import pytest
import zstandard

from incidentnb.evidence import files, lines, ranges, reader
from incidentnb.evidence.table import open_table
from incidentnb.exceptions import InputError

ACCESS = '10.0.0.{i} - - [23/Nov/2026:10:{m:02d}:{s:02d} +0000] "GET /orders/{i} HTTP/1.1" {status} 12 "-" "curl/8"'


def access(n, seed=0):
    dice = random.Random(seed)
    return [ACCESS.format(i=dice.randrange(200), m=k * 60 // n, s=k % 60, status=dice.choice((200, 200, 404, 503))) for k in range(n)]


def read(tmp_path, *paths, **options):
    manifest = reader.read(list(paths), tmp_path / "evidence", **options)
    for entry in manifest["inputs"]:
        assert entry["parsed"] + entry["continuation"] + entry["rejected"] == entry["lines"]
    return manifest


def rows(tmp_path, sql="SELECT * EXCLUDE (source) FROM log"):
    table = open_table(tmp_path / "evidence")
    try:
        frame = table.frame(sql)
    finally:
        table.close()
    return sorted(frame.astype(object).where(frame.notna(), None).to_dict("records"), key=lambda r: (r.get("line") or 0, str(r)))


PACKERS = {"plain": bytes, "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstandard.ZstdCompressor().compress}


@pytest.mark.parametrize("packing", PACKERS)
def test_compression_is_told_by_the_first_bytes(tmp_path, packing):
    """The same lines are the same records in every packing, whatever the file is called."""
    (tmp_path / "app.log").write_bytes(PACKERS[packing]("\n".join(access(300)).encode() + b"\n"))
    manifest = read(tmp_path, tmp_path / "app.log")
    assert manifest["inputs"][0]["parsed"] == 300
    assert sum(manifest["inputs"][0]["http_statuses"].values()) == 300


def test_bulk_and_line_by_line_reading_agree(tmp_path, monkeypatch):
    """Law: the shortcuts for steady lines give the very records of the line-by-line way."""
    odd = ['bad line', '1.1.1.1 - - [23/Nov/2026:10:00:00 +0000] "\\x16\\x03" 400 0 "-" "-"', ACCESS.format(i=1, m=1, s=1, status=500) + ' "x" 0.25',
           '1.1.1.1 - bob smith [23/Nov/2026:10:00:00 +0000] "GET /a?q=\\"z\\" HTTP/1.1" 200 5 "-" "say \\"hi\\""']
    mixed = access(500)
    for k, line in enumerate(odd):
        mixed.insert(90 * (k + 1), line)
    (tmp_path / "a.log").write_text("\n".join(mixed) + "\n")
    objects = [json.dumps({"time": f"2026-11-23T10:00:{k % 60:02d}.5Z", "level": "info", "n": k, "f": k / 3, "ok": k % 2 == 0,
                           "req": {"path": f"/o/{k}",
                           "hdr": {"x": "y"}}, "tags": ["a"], "msg": "café ☃"}, ensure_ascii=k % 2 == 0) for k in range(400)]
    (tmp_path / "b.jsonl").write_text("\n".join(objects) + "\n")
    for name in ("a.log", "b.jsonl"):
        quick = read(tmp_path, tmp_path / name)["inputs"][0], rows(tmp_path)
        monkeypatch.setattr(lines.Parser, "_quick", lambda *a: None)
        slow = read(tmp_path, tmp_path / name)["inputs"][0], rows(tmp_path)
        monkeypatch.undo()
        assert quick[1] == slow[1]
        assert {k: v for k, v in quick[0].items() if k != "parts"} == {k: v for k, v in slow[0].items() if k != "parts"}


def test_a_file_read_in_ranges_is_the_file_read_whole(tmp_path, monkeypatch):
    """Law: cutting a big file between processes changes no record, line number or count, stack traces included."""
    out = []
    for k in range(4000):
        out.append(f"2026-11-23 10:{k // 60 % 60:02d}:{k % 60:02d},{k % 1000:03d} {'ERROR' if k % 7 == 0 else 'INFO'} [main] c.e.App - message {k}")
        if k % 7 == 0:
            out += ["java.lang.IllegalStateException: boom", "\tat c.e.App.run(App.java:7)", "Caused by: java.io.IOException: disk"]
    (tmp_path / "app.log").write_text("\n".join(out) + "\n")
    whole = read(tmp_path, tmp_path / "app.log")["inputs"][0], rows(tmp_path)
    monkeypatch.setattr(reader, "SPLIT_FROM", 1000)
    monkeypatch.setattr(ranges, "RANGE", 60_000)
    split = read(tmp_path, tmp_path / "app.log")["inputs"][0], rows(tmp_path)
    assert len(split[0]["parts"]) > 2
    assert split[1] == whole[1]
    assert {k: v for k, v in split[0].items() if k != "parts"} == {k: v for k, v in whole[0].items() if k != "parts"}


def test_blocks_never_tear_a_record(tmp_path, monkeypatch):
    """A stack trace that lies across a block's end stays with its record."""
    monkeypatch.setattr(files, "BLOCK", 2000)
    monkeypatch.setattr(files.blocks, "__defaults__", (None, 2000, 1))
    trace = "\n".join(f"\tat c.e.Deep.call{k}(Deep.java:{k})" for k in range(60))
    (tmp_path / "app.log").write_text("\n".join(f"2026-11-23 10:00:{k:02d},000 ERROR [x] c.e.A - m{k}\n{trace}" for k in range(20)) + "\n")
    entry = read(tmp_path, tmp_path / "app.log")["inputs"][0]
    assert (entry["parsed"], entry["continuation"]) == (20, 1200)
    assert rows(tmp_path, "SELECT count(*) AS n FROM log WHERE message LIKE '%call59(%'") == [{"n": 20}]


def test_directories_globs_rotations_and_copies(tmp_path):
    """A directory is read to its bottom, rotated files oldest first, copies once; what is no log is left alone."""
    logs = tmp_path / "logs" / "deep"
    logs.mkdir(parents=True)
    half = access(100)
    (logs / "app.log").write_text("\n".join(half[50:]) + "\n")
    (logs / "app.log.1").write_text("\n".join(half[:50]) + "\n")
    (logs / "app.log.2.gz").write_bytes(gzip.compress("\n".join(access(30, 5)).encode() + b"\n"))
    (logs / "copy.log").write_text("\n".join(half[50:]) + "\n")
    (logs / "picture.png").write_bytes(b"\x89PNG")
    manifest = read(tmp_path, tmp_path / "logs")
    assert [Path(e["path"]).name for e in manifest["inputs"]] == ["app.log.2.gz", "app.log.1", "app.log"]
    assert any("copy" in w for w in manifest["inputs"][0]["warnings"])
    assert len(read(tmp_path, f"{tmp_path}/logs/**/*.gz")["inputs"]) == 1


def test_standard_input_is_read(tmp_path, monkeypatch):
    """`-` reads what is piped in, compressed or not, and its digest is of the bytes that came."""
    data = gzip.compress("\n".join(access(40)).encode() + b"\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    entry = read(tmp_path, "-")["inputs"][0]
    assert (entry["path"], entry["parsed"]) == ("-", 40)
    import hashlib

    assert entry["sha256"] == hashlib.sha256(data).hexdigest()


def test_rejected_lines_are_kept_with_file_line_and_reason(tmp_path):
    """What no format reads is in rejects.jsonl at file:line with its reason, and a warning counts it."""
    (tmp_path / "a.log").write_text("\n".join([*access(5), "????", *access(5)]) + "\n")
    entry = read(tmp_path, tmp_path / "a.log")["inputs"][0]
    lost = [json.loads(line) for line in (tmp_path / "evidence" / "rejects.jsonl").read_text().splitlines()]
    assert [(r["line"], r["text"]) for r in lost] == [(6, "????")]
    assert lost[0]["reason"]
    assert any(":6:" in w for w in entry["warnings"])


def test_columns_that_clash_keep_apart(tmp_path):
    """Fields that differ in case, or are called like a column of the table, are columns of their own."""
    (tmp_path / "a.jsonl").write_text('{"time":"2026-11-23T10:00:00Z","msg":"a","line":"L","Region":"x","region":"y","source":"s"}\n' * 3)
    read(tmp_path, tmp_path / "a.jsonl")
    (row, *_) = rows(tmp_path)
    assert (row["fields.line"], row["fields.source"], row["Region"], row["region_"], row["line"]) == ("L", "s", "x", "y", 1)


def test_the_format_the_zone_and_the_year_can_be_overruled(tmp_path):
    """--format, --zone and --year win over what was detected, and the manifest says so."""
    (tmp_path / "s.log").write_text("Nov 23 10:00:00 web sshd[1]: hello\n" * 3)
    entry = read(tmp_path, tmp_path / "s.log", zone="Europe/Berlin", year=2024, format="syslog-rfc3164")["inputs"][0]
    assert entry["first"] == "2024-11-23T09:00:00Z"
    assert "--zone" in entry["zone_source"]
    assert "--year" in entry["zone_source"]
    assert "--format" in entry["choice"]
    with pytest.raises(InputError, match="did you mean syslog-rfc3164"):
        read(tmp_path, tmp_path / "s.log", format="syslog-rfc3163")


def test_assumptions_are_said(tmp_path):
    """A zone or year that the lines do not have is stated as assumed, with how."""
    (tmp_path / "s.log").write_text("Nov 23 10:00:00 web sshd[1]: hello\n" * 3)
    assert "assumed" in read(tmp_path, tmp_path / "s.log")["inputs"][0]["zone_source"]
    (tmp_path / "d.log").write_text("03/04/2026 10:00:00 INFO a\n13/04/2026 10:00:00 INFO b\n")
    entry = read(tmp_path, tmp_path / "d.log")["inputs"][0]
    assert entry["first"] == "2026-04-03T10:00:00Z"
    assert "day first, as the file shows" in entry["zone_source"]


def test_the_same_evidence_has_the_same_digest(tmp_path):
    """The digest depends on what was read, not on where or when."""
    (tmp_path / "a.log").write_text("\n".join(access(50)) + "\n")
    (tmp_path / "b.log").write_text("\n".join(access(50)) + "\n")
    assert read(tmp_path, tmp_path / "a.log")["digest"] == read(tmp_path, tmp_path / "b.log")["digest"]


def test_shuffled_lines_are_the_same_records(tmp_path):
    """Law: the order of the lines changes no record's fields, only its line number."""
    mine = access(200)
    (tmp_path / "a.log").write_text("\n".join(mine) + "\n")
    read(tmp_path, tmp_path / "a.log")
    first = rows(tmp_path, "SELECT * EXCLUDE (line, source) FROM log ORDER BY ALL")
    random.Random(3).shuffle(mine)
    (tmp_path / "a.log").write_text("\n".join(mine) + "\n")
    read(tmp_path, tmp_path / "a.log")
    assert rows(tmp_path, "SELECT * EXCLUDE (line, source) FROM log ORDER BY ALL") == first


def test_one_bad_file_of_a_directory_does_not_stop_the_others(tmp_path):
    """A binary among logs is left out with a warning; named by itself it is an error."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.log").write_text("\n".join(access(20)) + "\n")
    (tmp_path / "logs" / "core").write_bytes(bytes(range(32)) * 200)
    manifest = read(tmp_path, tmp_path / "logs")
    assert len(manifest["inputs"]) == 1
    assert any("binary" in w for w in manifest["inputs"][0]["warnings"])
    with pytest.raises(InputError, match="binary"):
        read(tmp_path, tmp_path / "logs" / "core")


def test_reading_again_replaces_the_evidence(tmp_path):
    """Evidence that is read again leaves no parts of the time before."""
    (tmp_path / "a.log").write_text("\n".join(access(50)) + "\n")
    read(tmp_path, tmp_path / "a.log")
    manifest = read(tmp_path, tmp_path / "a.log")
    assert {p.name for p in (tmp_path / "evidence").glob("*.parquet")} == {p for e in manifest["inputs"] for p in e["parts"]}


def test_the_order_of_short_dates_is_the_one_that_fits(tmp_path):
    """17/06/09 is year first unless the file shows that it cannot be."""
    for stamps, first in ((["17/06/09", "17/06/10"], "2017-06-09"), (["31/12/25", "01/01/26"], "2025-12-31"),
                          (["12/31/25", "01/01/26"], "2025-12-31")):
        (tmp_path / "s.log").write_text("".join(f"{day} 23:59:59 ERROR x\n" for day in stamps))
        assert read(tmp_path, tmp_path / "s.log")["inputs"][0]["first"].startswith(first)


def test_an_access_log_inside_syslog_is_read_as_one(tmp_path):
    """The payload's fields are its own, the time is the envelope's, and its year and zone are what the envelope lacks."""
    (tmp_path / "s.log").write_text("".join(f"Nov 23 10:00:0{k} web1 nginx: {access(1)[0]}\n" for k in range(5)))
    entry = read(tmp_path, tmp_path / "s.log")["inputs"][0]
    assert entry["format"].startswith("syslog-rfc3164 / http-combined")
    (row, *_) = rows(tmp_path, "SELECT client, service, host, http_status FROM log")
    assert row["client"].startswith("10.0.0.")
    assert (row["service"], row["host"]) == ("nginx", "web1")


def test_csv_with_a_header_is_read_by_its_names(tmp_path):
    """An export with a header line is a log: quoted commas stay in their field, the header is no record."""
    (tmp_path / "a.csv").write_text('time,level,message,region\n2026-01-01T10:00:00Z,ERROR,"boom, again",eu\n2026-01-01T10:00:01Z,INFO,ok,us\n')
    entry = read(tmp_path, tmp_path / "a.csv")["inputs"][0]
    assert (entry["format"], entry["parsed"], entry["continuation"]) == ("csv", 2, 1)
    assert rows(tmp_path, "SELECT message, region FROM log WHERE level = 'ERROR'") == [{"message": "boom, again", "region": "eu"}]


def test_hostile_field_names_are_columns_all_the_same(tmp_path):
    """A key may be empty, a quote, SQL or a control character: its values can be asked for, and nothing is run."""
    keys = ["", " ", '"', "'; DROP TABLE log; --", "a\"b", "\u0000", "\n", "ключ", "x" * 199]
    record = {"time": "2026-11-23T10:00:00Z", "level": "ERROR", "msg": "m", **{k: f"v{i}" for i, k in enumerate(keys)}}
    (tmp_path / "a.jsonl").write_text((json.dumps(record) + "\n") * 3)
    assert read(tmp_path, tmp_path / "a.jsonl")["inputs"][0]["parsed"] == 3
    (row, *_) = rows(tmp_path)
    assert {f"v{i}" for i in range(len(keys))} <= set(row.values())
