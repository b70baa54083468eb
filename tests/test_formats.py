"""Formats are data: each proves itself by its samples, none is slow, and a wrong one is told from a right one at file:line."""

import time

import pytest

from incidentnb import places
from incidentnb.evidence import detect, formats, prove
from incidentnb.evidence.lines import Parser
from incidentnb.evidence.plan import Plan
from incidentnb.exceptions import InputError

FILES = sorted(places.formats().glob("*.toml"))
KNOWN = {f.name: f for f in map(formats.load_file, FILES)}
LATEST = 4102444800_000_000  # 2100
SAMPLES = [(f.name, i) for f in KNOWN.values() for i in range(len(f.samples))]
GOOD = """
name = "mine"
title = "my format"
family = "mine"
kind = "text"
time = "time"
pattern = '''(?P<time>\\d+) (?P<level>[A-Z]+) (?P<message>.*)'''

[fields]
level = "level"
message = "message"

[[samples]]
line = "1772366400 INFO hello"
time = 2026-03-01T12:00:00Z
fields = {level = "INFO", message = "hello"}
"""


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_loads(path):
    """Each stock format loads, is called like its file, and has a sample."""
    fmt = formats.load_file(path)
    assert fmt.name == path.stem
    assert fmt.samples


@pytest.mark.parametrize("name, i", SAMPLES)
def test_samples_hold(name, i):
    """Each sample of each stock format parses to what it says."""
    assert prove.mismatch(KNOWN[name], KNOWN[name].samples[i]) == ""


@pytest.mark.parametrize("name, i", [(n, i) for n, i in SAMPLES if KNOWN[n].kind in ("json", "logfmt")])
def test_samples_are_recognised(name, i):
    """Among all formats, a sample of a structured one is taken for that one: no look-alike claims it."""
    line = KNOWN[name].samples[i]["line"].strip("\n")
    choice = detect.choose(line, KNOWN, base=Plan((), (), year=2026, latest=LATEST))
    assert name in [f.name for f in (*choice.plan.layers, choice.plan.formats[0])], choice.why


@pytest.mark.parametrize("name, i", SAMPLES)
def test_cutting_changes_nothing(name, i):
    """A sample seen three times in one block gives the very records of the same lines in a block of their own each time."""
    fmt, sample = KNOWN[name], KNOWN[name].samples[i]
    text = str(sample["line"]).strip("\n")
    pure = fmt.payload and "message" not in fmt.fields
    plan = Plan((fmt,), (), year=2026, latest=LATEST) if pure else Plan((), (fmt,), year=2026, latest=LATEST)
    whole, pieces, size = Parser(plan), Parser(plan), text.count("\n") + 1
    together = [row for t in whole.block("\n".join([text] * 3), 1) for row in t.to_pylist()]
    apart = [row for k in range(3) for t in pieces.block(text, 1 + k * size) for row in t.to_pylist()]
    clean = [[{k: v for k, v in row.items() if v is not None} for row in sorted(rows, key=lambda r: r["line"])] for rows in (together, apart)]
    assert clean[0] == clean[1]
    assert whole.counts == pieces.counts
    assert whole.counts["parsed"] + whole.counts["continuation"] + whole.counts["rejected"] == whole.counts["lines"]


HOSTILE = ["a", " ", "1", '"', "[", "\\", "a ", "1.", "- ", "a=", "::", "\\\"", "/", '" "', "[a]", ", "]


def seconds(regex, line):
    """How long an expression takes for a line."""
    begin = time.process_time()
    regex.fullmatch(line)
    return time.process_time() - begin


@pytest.mark.parametrize("name", [n for n, f in KNOWN.items() if f.kind == "text"])
def test_no_pattern_is_slow(name):
    """No pattern takes over 100 ms for a line of 50,000 characters, whatever is in it, also after a good beginning."""
    first = str(KNOWN[name].samples[0]["line"]).strip("\n").split("\n")[0]
    regex = KNOWN[name].regex
    for start in (first[:len(first) * k // 5] for k in (0, 3, 5)):
        for filler in HOSTILE:
            for size, most in ((1_000, 0.05), (50_000, 0.1)):  # a bad one is found before it takes minutes
                line = (start + filler * size)[:size] + "\x01"
                assert seconds(regex, line) < most or min(seconds(regex, line) for _ in range(3)) < most, \
                    f"{size:,} characters of {filler!r} after {start!r}"


def test_a_user_format_is_read(tmp_path):
    """A file dropped into a folder is a format like the stock ones; of the same name as one, it replaces it."""
    (tmp_path / "mine.toml").write_text(GOOD)
    (tmp_path / "json.toml").write_text(GOOD.replace('"mine"', '"json"'))
    known = formats.load([tmp_path])
    assert known["mine"].title == known["json"].title == "my format"


MISTAKES = {
    "not TOML": ('name = "mine"', "name = mine", 2),
    "unknown key": ('kind = "text"', 'kind = "text"\ncolour = "red"', 6),
    "no name": ('name = "mine"\n', "", 1),
    "unknown kind": ('kind = "text"', 'kind = "xml"', 5),
    "broken expression": (r"(?P<time>\d+)", r"(?P<time>\d+", 7),
    "group without a name": ("[A-Z]+)", "[A-Z]+)( )", 7),
    "no such group": ('level = "level"', 'level = "lvl"', 9),
    "no such column": ('message = "message"\n\n', 'messages = "message"\n\n', 11),
    "a duration without a unit": ('level = "level"', 'level = "level"\nduration_ms = "level"', 11),
    "an unknown unit": ('level = "level"', 'level = "level"\nduration_ms = {from = "level", unit = "week"}', 11),
    "an unknown level": ("[[samples]]", '[levels]\nX = "LOUD"\n\n[[samples]]', 14),
    "like a format that is none": ('kind = "text"', 'kind = "text"\nlike = "nothing"', 6),
    "like a format of another kind": ('kind = "text"', 'kind = "text"\nlike = "json"', 6),
    "no sample": (GOOD[GOOD.index("[[samples]]"):], "", 1),
    "a sample without a line": ('line = "1772366400 INFO hello"\n', "", 13),
    "a sample that does not match": ("1772366400 INFO hello", "hello", 13),
    "a sample with another time": ("time = 2026-03-01T12:00:00Z", "time = 2026-03-01T12:00:01Z", 13),
    "a sample with another field": ('level = "INFO", message', 'level = "WARN", message', 13),
    "where is no list": ('kind = "text"', 'kind = "text"\nwhere = {a = "b"}', 6),
    "where is no expression": ('kind = "text"', 'kind = "text"\nwhere = {a = ["~("]}', 6),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_format_is_told(tmp_path, mistake):
    """What is wrong with a user's format is one line that begins with file:line."""
    old, new, line = MISTAKES[mistake]
    assert GOOD.count(old) == 1
    (tmp_path / "mine.toml").write_text(GOOD.replace(old, new))
    with pytest.raises(InputError) as caught:
        formats.load([tmp_path])
    text = str(caught.value)
    assert text.startswith(f"{tmp_path / 'mine.toml'}:{line}:") or f"{tmp_path / 'mine.toml'}:{line} " in text, text
    assert "\n" not in text


def test_a_folder_that_is_none(tmp_path):
    """A folder of formats that is not there is said so."""
    with pytest.raises(InputError, match="no folder of formats"):
        formats.load([tmp_path / "nowhere"])
