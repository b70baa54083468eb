"""The journal: nothing acknowledged is lost, nothing is repaired in silence, the same statement twice is one entry."""

import errno
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from record_samples import begun

from incidentnb.exceptions import InputError
from incidentnb.record import journal, lines, lock
from incidentnb.times import Interval

T0 = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
TEXT = st.text(st.characters(min_codepoint=0, max_codepoint=0x10FFFF), max_size=40)
PLAIN = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
                     lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=8)


def say(folder, text, **how):
    return journal.append(folder, "note", {"text": text}, **{"actor": "Dana", **how})


def run_python(code: str, *args: str, **how) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", code, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)


@settings(max_examples=40, deadline=None)
@given(bodies=st.lists(st.dictionaries(TEXT, PLAIN, max_size=4), max_size=6))
def test_what_is_appended_is_what_is_read(bodies):
    """Any plain body, with any text in it, comes back as the entry that was acknowledged, and the chain holds."""
    with begun() as folder:
        bodies = [{key: value for key, value in body.items() if key != "supersedes"} for body in bodies]
        made = [journal.append(folder, "note", body, actor="Dana", recorded_at=T0) for body in bodies]
        known = {entry.seq: entry for entry in made}
        assert journal.read(folder) == [known[seq] for seq in sorted(known)]
        assert journal.verify(folder).ok
        again = [journal.append(folder, "note", body, actor="Dana", recorded_at=T0) for body in bodies]
        assert again == made, "said again, nothing is added"


@settings(max_examples=25, deadline=None)
@given(jumps=st.lists(st.integers(-100, 100), min_size=1, max_size=8), cut=st.integers(-100, 100))
def test_as_of_is_what_was_recorded_by_then(jumps, cut):
    """Read as of T gives the entries recorded until T, in order of seq, whatever the clock did; a prefix where it ran forward."""
    with begun() as folder:
        for n, jump in enumerate(jumps):
            say(folder, str(n), recorded_at=T0 + timedelta(seconds=jump))
        everything, as_of = journal.read(folder), T0 + timedelta(seconds=cut)
        then = journal.read(folder, as_of)
        assert then == [entry for entry in everything if entry.recorded_at <= as_of]
        if jumps == sorted(jumps):
            assert then == everything[:len(then)]


def test_line_is_the_documented_object(folder):
    """A line has the nine fields; its checksum and its link to the line before can be computed with nothing but json and sha256."""
    say(folder, "first")
    say(folder, "zweite, äöü", occurred_at=Interval(T0, T0, T0 + timedelta(seconds=5)))
    first, second = (folder / "journal.jsonl").read_bytes().splitlines()
    fields = json.loads(second)
    assert list(fields) == ["seq", "id", "occurred_at", "recorded_at", "actor", "kind", "body", "prev", "sum"]
    assert fields["occurred_at"] == {"at": "2026-11-23T14:00:00Z", "earliest": "2026-11-23T14:00:00Z", "latest": "2026-11-23T14:00:05Z"}
    assert fields["prev"] == hashlib.sha256(first).hexdigest()
    total = fields.pop("sum")
    assert total == hashlib.sha256(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    assert journal.head(folder) == hashlib.sha256(second).hexdigest()
    assert "äöü" in second.decode(), "people can read it in a terminal"


def test_line_is_safe_to_print(folder):
    """No control, direction or lone surrogate character of any text reaches the file as itself."""
    text = "a\x1b[31m\x00\x7f\x9b\u202e\u2028\n\r\ud800\ufeff\U000e0041"
    assert say(folder, text).body["text"] == text
    assert journal.read(folder)[0].body["text"] == text
    written = (folder / "journal.jsonl").read_bytes()
    assert written.count(b"\n") == 1
    assert not set(written.decode()) & (set(text) - set("a[31m\n"))


def test_hostile_values(folder):
    """NaN is null, surrogate halves become their character, a long body is kept; what cannot be kept is refused in one line."""
    body = {"x": float("nan"), "y": [float("inf")], "z": "\ud83d\ude00", "t": T0, 1: "one", "long": "x" * 10**6}
    kept = journal.append(folder, "note", body, actor="Dana").body
    assert kept == {"x": None, "y": [None], "z": "😀", "t": "2026-11-23T14:00:00Z", "1": "one", "long": "x" * 10**6}
    assert journal.read(folder)[0].body == kept
    loop: dict = {}
    loop["me"] = loop
    for bad in (loop, {"n": 10**5000}, {"long": "x" * (journal.LIMIT_BYTES + 1)}, ["no object"], None):
        with pytest.raises(InputError) as error:
            journal.append(folder, "note", bad, actor="Dana")
        assert "\n" not in str(error.value)
    for how in ({"actor": " "}, {"actor": "x" * 201}, {"occurred_at": datetime(2026, 1, 1)}, {"occurred_at": "soon"}):
        with pytest.raises(InputError):
            say(folder, "x", **how)
    for kind in ("", "Note", "no te", "../x"):
        with pytest.raises(InputError):
            journal.append(folder, kind, {})
    assert len(journal.read(folder)) == 1


def test_same_statement_is_one_entry(folder):
    """Kind, body, time and actor alike: the entry that is there comes back; any of them different: a new one."""
    first = say(folder, "down", occurred_at=T0)
    assert say(folder, "down", occurred_at=T0) == first
    others = [say(folder, "down"), say(folder, "down", occurred_at=T0, actor="Kim"), say(folder, "up", occurred_at=T0),
              journal.append(folder, "decision", {"text": "down"}, occurred_at=T0, actor="Dana")]
    assert [entry.seq for entry in others] == [2, 3, 4, 5]


def test_state_said_again_after_another_is_news(folder):
    """SEV-2, SEV-1, SEV-2 are three entries; SEV-2 twice in a row is one; with its time it is one wherever it stands."""
    def severity(value, **how):
        return journal.append(folder, "severity", {"severity": value}, actor="Dana", **how).seq
    assert [severity(v) for v in ("SEV-2", "SEV-2", "SEV-1", "SEV-2", "SEV-2")] == [1, 1, 2, 3, 3]
    assert [severity("SEV-3", occurred_at=T0), severity("SEV-1", occurred_at=T0), severity("SEV-3", occurred_at=T0)] == [4, 5, 4]


def test_corrections_and_retractions(folder):
    """A correction takes the place and the time of what it corrects; a retraction takes away; both stay in the journal."""
    note = say(folder, "500s", occurred_at=T0)
    better = say(folder, "502s", supersedes="#1")
    best = say(folder, "503s", supersedes=note.id)
    assert (better.occurred_at, best.supersedes) == (T0, better.id)
    assert say(folder, "503s", supersedes=1) == best, "said again, nothing is added"
    assert lines.standing(journal.read(folder)) == [best]
    gone = journal.append(folder, "retraction", {"reason": "typo"}, actor="Dana", supersedes=best.id)
    assert journal.append(folder, "retraction", {"reason": "typo"}, actor="Dana", supersedes=best.id) == gone
    assert lines.standing(journal.read(folder)) == [better], "what the retracted correction had corrected holds again"
    with pytest.raises(InputError, match="was retracted by #4"):
        say(folder, "x", supersedes=best.id)
    journal.append(folder, "retraction", {"reason": "it was right"}, actor="Dana", supersedes=gone.id)
    assert lines.standing(journal.read(folder)) == [best]
    with pytest.raises(InputError, match="no such entry"):
        say(folder, "x", supersedes="#99")
    with pytest.raises(InputError, match="is a note"):
        journal.append(folder, "severity", {"severity": "SEV-1"}, supersedes=best.id)


def test_torn_tail_is_kept_aside(folder):
    """A line whose writing was cut off is no entry; the next append keeps it in journal.torn-<n> and goes on."""
    entries = [say(folder, "one"), say(folder, "two")]
    path = folder / "journal.jsonl"
    whole = path.read_bytes()
    for n, tail in enumerate((b'{"seq":3,"id":"no', b"\0" * 100, "ä".encode()[:1]), 1):
        path.write_bytes(path.read_bytes() + tail)
        assert journal.read(folder) == entries
        assert (journal.verify(folder).ok, journal.verify(folder).torn) == (True, len(tail))
        entries.append(say(folder, f"after {n}"))
        assert (folder / f"journal.torn-{n}").read_bytes() == tail
    assert journal.read(folder) == entries and path.read_bytes().startswith(whole)


def test_last_line_without_line_feed_is_an_entry(folder):
    """An editor that took the last line feed away costs nothing: the entry is read, and the next one does not glue to it."""
    first = say(folder, "one")
    path = folder / "journal.jsonl"
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert journal.read(folder) == [first]
    second = say(folder, "two")
    assert journal.read(folder) == [first, second] and journal.verify(folder).ok


def test_any_cut_of_the_last_line_is_healed(folder):
    """Wherever the last line is cut, all lines before it stay, and the journal goes on."""
    kept = say(folder, "kept")
    path = folder / "journal.jsonl"
    before = len(path.read_bytes())
    say(folder, "torn ä")
    whole = path.read_bytes()
    for cut in {*range(before, len(whole), 7), *range(len(whole) - 4, len(whole))}:
        path.write_bytes(whole[:cut])
        say(folder, "next")
        found = journal.read(folder)
        assert found[0] == kept and found[-1].body["text"] == "next" and journal.verify(folder).ok


def test_damage_stops_appends_and_is_never_repaired(folder):
    """Any change before the tail is told as file:line by read, append and verify, and the file stays as it is."""
    for n in range(5):
        say(folder, f"note {n}")
    path = folder / "journal.jsonl"
    good = path.read_bytes().splitlines(keepends=True)
    changed = {2: good[1].replace(b"note 1", b"note X"), 3: b"", 4: b"\n", 5: b"{}\n"}
    for number, line in changed.items():
        damaged = b"".join([*good[:number - 1], line, *good[number:]])
        path.write_bytes(damaged)
        at = f"journal.jsonl:{number}"
        for act in (lambda: say(folder, "more"), lambda: journal.read(folder)):
            with pytest.raises(InputError, match=at):
                act()
        assert not journal.verify(folder).ok and at in journal.verify(folder).problems[0]
        assert path.read_bytes() == damaged
        assert journal.read(folder, damaged="skip")[0].body["text"] == "note 0"


def test_respelled_line_breaks_the_chain(folder):
    """A line that says the same in other bytes is still found: the next line keeps its digest."""
    say(folder, "one")
    say(folder, "two")
    path = folder / "journal.jsonl"
    first, second = path.read_bytes().splitlines()
    path.write_bytes(first.replace(b'{"seq":1', b'{ "seq":1') + b"\n" + second + b"\n")
    assert "line before was changed" in journal.verify(folder).problems[0]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_flipped_byte_is_found(data):
    """Whatever single byte of the first lines is changed, verify does not say ok."""
    with begun() as folder:
        for n in range(3):
            say(folder, f"note {n}", recorded_at=T0)
        path = Path(folder, "journal.jsonl")
        whole = bytearray(path.read_bytes())
        at = data.draw(st.integers(0, len(whole) - 2))
        whole[at] ^= data.draw(st.integers(1, 255))
        path.write_bytes(whole)
        found = journal.verify(folder)
        assert not found.ok or found.entries < 3


def test_failed_fsync_is_a_failed_append(folder, monkeypatch):
    """When the disk refuses, the caller is told, nothing stays in the file, nothing is tried again, and the next append works."""
    say(folder, "one")
    before = (folder / "journal.jsonl").read_bytes()
    calls = []

    def refuse(handle):
        calls.append(handle)
        raise OSError(errno.EIO, "Input/output error")
    monkeypatch.setattr(journal.os, "fsync", refuse)
    with pytest.raises(InputError, match="nothing was recorded"):
        say(folder, "two")
    assert len(calls) == 1 and (folder / "journal.jsonl").read_bytes() == before
    monkeypatch.undo()
    assert say(folder, "two").seq == 2


def test_full_disk_leaves_the_file_as_it_was(folder, monkeypatch):
    """A write that stops half way is taken back."""
    say(folder, "one")
    before, write = (folder / "journal.jsonl").read_bytes(), os.write

    def short(handle, data):
        if len(data) > 300:
            return write(handle, data[:300])
        raise OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(journal.os, "write", short)
    with pytest.raises(InputError, match="No space left"):
        say(folder, "x" * 600)
    assert (folder / "journal.jsonl").read_bytes() == before


def test_lock_time_out_names_the_holder(folder):
    """Who waits in vain is told which process holds the lock and since when; nothing was recorded."""
    code = ("import sys, time; from incidentnb.record import lock; from pathlib import Path\n"
            "with lock.held(Path(sys.argv[1])): print('held', flush=True); time.sleep(30)")
    holder = run_python(code, str(folder))
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=rf"locked by process {holder.pid} since 20\d\d-.*Z"):
            say(folder, "me too", lock_timeout_s=0.1)
    finally:
        holder.kill()
        holder.communicate()
    assert say(folder, "free again").seq == 1, "the system frees the lock of a dead process"


def test_lock_of_an_unknown_holder(folder):
    """A holder who left no name is another process."""
    with (folder / "journal.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="locked by another process"):
            say(folder, "x", lock_timeout_s=0.05)


def test_a_wait_that_was_given_up_holds_nothing(folder):
    """Whoever gave up waiting never gets the lock behind everybody's back: once it is free, others write at once."""
    with lock.held(folder):
        for _ in range(5):
            with pytest.raises(InputError, match=f"locked by process {os.getpid()}"):
                say(folder, "x", lock_timeout_s=0.01)
    assert [say(folder, f"{n}", lock_timeout_s=1).seq for n in range(20)] == list(range(1, 21))


def test_several_processes_lose_nothing(folder):
    """Four processes write at once: every acknowledged entry is there, numbered without a gap, and the chain holds."""
    code = ("import sys; from incidentnb.record import journal\n"
            "for n in range(25): print(journal.append(sys.argv[1], 'note', {'text': f'{sys.argv[2]}-{n}'}, actor='x').body['text'])")
    writers = [run_python(code, str(folder), str(n)) for n in range(4)]
    acknowledged = set()
    for writer in writers:
        out, err = writer.communicate(timeout=60)
        assert writer.returncode == 0, err
        acknowledged |= set(out.split())
    entries = journal.read(folder)
    assert [entry.seq for entry in entries] == list(range(1, 101))
    assert {entry.body["text"] for entry in entries} == acknowledged and len(acknowledged) == 100
    assert journal.verify(folder).ok


def test_numbers_are_given_once(folder):
    """Two processes that propose at once never get the same number."""
    code = ("import sys; from incidentnb.record import hypotheses\n"
            "for n in range(8): print(hypotheses.propose(sys.argv[1], f'{sys.argv[2]}-{n}', actor='x').body['id'])")
    writers = [run_python(code, str(folder), str(n)) for n in range(2)]
    ids = [name for writer in writers for name in writer.communicate(timeout=60)[0].split()]
    assert sorted(ids, key=lambda name: int(name[1:])) == [f"H{n}" for n in range(1, 17)]


def test_kill_9_loses_nothing_acknowledged(tmp_path):
    """Thirty times a writer is killed in the middle of its work: what it acknowledged is there, and the next writer goes on."""
    code = ("import os, sys; from incidentnb.record import journal\nprint('up', flush=True)\nsys.stdin.readline()\npid, n = os.getpid(), 0\n"
            "while True:\n n += 1; e = journal.append(sys.argv[1], 'note', {'text': f'{pid}-{n}', 'pad': 'x' * 3000}, actor='x')\n"
            " os.write(1, (e.body['text'] + '\\n').encode())")
    total = 0
    for batch in range(5):
        folder = tmp_path / str(batch)
        folder.mkdir()
        (folder / "journal.jsonl").touch()
        acknowledged: set[str] = set()
        writers = [run_python(code, str(folder), stdin=subprocess.PIPE) for _ in range(6)]
        for n, writer in enumerate(writers):
            assert writer.stdout.readline() == "up\n"
            writer.stdin.write("go\n")
            writer.stdin.flush()
            time.sleep(0.012 + n * 0.0037)
            writer.send_signal(signal.SIGKILL)
            acknowledged |= set(writer.communicate()[0].split())
        after = say(folder, "after")
        texts = [entry.body["text"] for entry in journal.read(folder)]
        assert acknowledged <= set(texts) and texts[-1] == "after" == after.body["text"]
        assert journal.verify(folder).ok
        total += len(acknowledged)
    assert total > 20, "the writers got as far as writing"


def test_not_a_journal(tmp_path):
    """No folder, no journal, a folder in its place, a link out of the incident: one line each, and nothing is made outside."""
    for act in (lambda: say(tmp_path / "none", "x"), lambda: say(tmp_path, "x"), lambda: journal.read(tmp_path), lambda: journal.head(tmp_path),
                lambda: journal.verify(tmp_path / "none")):
        with pytest.raises(InputError) as error:
            act()
        assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "journal.jsonl").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        say(tmp_path / "a", "x")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "journal.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="cannot be written"):
        say(tmp_path / "b", "x")
    assert not (tmp_path / "elsewhere").exists()


def test_time_of_day_is_the_last_one(folder):
    """23:50 typed after midnight was yesterday, in the zone of the incident, also in the night when the clocks change."""
    journal.append(folder, "opened", {"sources": {"zone": "Europe/Berlin"}}, actor="Dana")
    late = say(folder, "x", occurred_at="23:50", recorded_at=datetime(2026, 10, 25, 23, 10, tzinfo=UTC))  # 00:10 on the 26th
    assert late.occurred_at == datetime(2026, 10, 25, 22, 50, tzinfo=UTC)
    spring = say(folder, "y", occurred_at="23:50", recorded_at=datetime(2026, 3, 29, 1, 30, tzinfo=UTC))  # 03:30, an hour was lost
    assert spring.occurred_at == datetime(2026, 3, 28, 22, 50, tzinfo=UTC)
    between = say(folder, "z", occurred_at="14:00..14:10", recorded_at=datetime(2026, 7, 1, 20, 0, tzinfo=UTC))
    assert between.occurred_at == Interval(*(datetime(2026, 7, 1, 12, m, tzinfo=UTC) for m in (5, 0, 10)))


def test_import_is_light():
    """A note pays for no table, figure or notebook library: importing the record loads none, and takes less than 60 ms of the processor.

    Where the machine is slow at importing, it takes at most half as much again as a dozen modules of the standard library do there and then.
    """
    usual = ("import time; start = time.process_time()\n"
             "import argparse, json, dataclasses, datetime, hashlib, zoneinfo, tomllib, typing, re, tempfile, email.utils, urllib.parse, logging\n"
             "print(time.process_time() - start)")
    code = ("import sys, time; start = time.process_time(); import incidentnb.record.journal; took = time.process_time() - start\n"
            "import incidentnb.record.statements, incidentnb.record.status, incidentnb.record.hypotheses\n"
            "heavy = {'pandas', 'numpy', 'duckdb', 'matplotlib', 'papermill', 'nbconvert', 'nbformat', 'jinja2', 'pyarrow'}\n"
            "print(took, sorted(heavy & sys.modules.keys()))")
    took: list[float] = []
    beside: list[float] = []
    while len(took) < 10 and min(took, default=1) >= max(0.060, 1.5 * min(beside, default=0)):  # a busy machine is asked again
        out, err = run_python(code).communicate(timeout=60)
        first, loaded = out.split(maxsplit=1)
        took.append(float(first))
        beside.append(float(run_python(usual).communicate(timeout=60)[0]))
        assert loaded.strip() == "[]", err
    assert min(took) < max(0.060, 1.5 * min(beside)), (took, beside)
