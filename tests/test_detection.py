"""Which format a file is taken for."""

from __future__ import annotations

import time
from datetime import UTC
from itertools import product
from pathlib import Path

import pytest

from incidentnb import places
from incidentnb.evidence import detect, formats
from incidentnb.evidence.openings import may_begin, openings, shapes
from incidentnb.evidence.plan import Plan

KNOWN = formats.load()
BASE = Plan((), (), zone=UTC, year=2026, latest=4_102_444_800_000_000)
EQUALLY_RIGHT = {"general": {"log4j"}}  # what a sample of a catch-all may as well be


def seen_as(text: str) -> detect.Choice:
    return detect.choose(text, KNOWN, base=BASE)


def repeated(fmt: formats.Format, line: str, times: int) -> str:
    """A file of one sample: its header once, its records again and again."""
    if fmt.kind == "columns":
        head, _, row = line.rpartition("\n")
        return "\n".join([head, *[row] * times])
    return "\n".join([line] * times)


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_sample_alone_or_repeated_is_taken_for_its_own_format(name):
    """A file that holds one sample of a format, once or thirty times, is taken for that format and for no other."""
    fmt = KNOWN[name]
    for sample in fmt.samples:
        for times in (1, 30):
            choice = seen_as(repeated(fmt, str(sample["line"]).strip("\n"), times))
            outermost = (*choice.plan.layers, *choice.plan.formats)[0].name
            assert outermost in {name, *EQUALLY_RIGHT.get(name, ())}, f"{sample['line']!r} is taken for {choice.name}: {choice.why}"


@pytest.mark.parametrize("name", sorted(n for n, f in KNOWN.items() if f.kind == "text"))
def test_the_cheap_look_never_passes_over_a_line_that_a_pattern_matches(name):
    """What a pattern matches has one of the openings that were read off it."""
    fmt = KNOWN[name]
    for sample in fmt.samples:
        for line in str(sample["line"]).strip("\n").split("\n"):
            if fmt.regex.fullmatch(line):
                assert may_begin(fmt.pattern, shapes([line])), line


@pytest.mark.parametrize(("pattern", "line", "may"), [
    (r"\[?(?P<t>\d{4}-\d\d)", "[2026-02", True), (r"\[?(?P<t>\d{4}-\d\d)", "2026-02", True), (r"\[?(?P<t>\d{4}-\d\d)", "x", False),
    (r"(?:<\d{1,3}>)?[A-Z][a-z]{2} ", "<13>Feb  3", True), (r"(?:<\d{1,3}>)?[A-Z][a-z]{2} ", "Feb  3", True),
    (r"(?:<\d{1,3}>)?[A-Z][a-z]{2} ", "feb  3", False), (r"a|\d", "7", True), (r"a|\d", "!", False), (r"[^ ]+ x", "anything", True),
    (r"(?!x)[\]\[-] ", "] ", True), (r"(?!x)[\]\[-] ", "x ", False), (r"\t+a", "\ta", True), (r"\t+a", "a", False), (r"\w+", "é", True),
])
def test_openings_are_what_a_pattern_can_begin_with(pattern, line, may):
    """Optional parts, alternatives, repeats, classes and look-aheads are followed; what cannot be told stands for any line."""
    assert may_begin(pattern, shapes([line])) is may
    assert openings(pattern)


@pytest.mark.parametrize("name", sorted(n for n, f in KNOWN.items() if f.kind == "text"))
def test_a_hostile_line_costs_no_more_than_its_length(name):
    """A sample cut short and gone on with backslashes, quotes, blanks or one letter is read or refused in linear time."""
    fmt = KNOWN[name]
    line = str(fmt.samples[0]["line"]).strip("\n").split("\n")[0]
    for tenth, run in product(range(11), ("\\x", '" ', "a", " ", "0.")):
        hostile = line[:len(line) * tenth // 10] + run * 1000
        begun = time.process_time()
        fmt.regex.fullmatch(hostile)
        assert time.process_time() - begun < 0.25, hostile[:120]


def test_stock_formats_are_right_though_loading_them_does_not_check_them():
    """Each stock format passes the check that a user's format passes, which loading spares."""
    for path in sorted(Path(places.formats()).glob("*.toml")):
        assert formats.load_file(path).name == path.stem


def test_no_format_is_needed_to_read_a_line_with_a_time():
    """A line of no known program is read by its time."""
    choice = seen_as("\n".join(f"zz 03.02.2026 11:12:{n:02d} ~ something {n}" for n in range(30)))
    assert choice.plan.formats[0].name == "general"


@pytest.mark.parametrize(("line", "family"), [
    ("2026-02-03 11:12:13,250 [ERROR] shop.pay: declined", "log4j_iso_comma_millis"),
    ("2026-02-03 11:12:13.250 [http-nio-1] WARN  c.s.Pay - slow", "log4j_iso_comma_millis"),
    ("2026-02-03T11:12:13Z INFO starting worker", "log4j_iso_comma_millis"),
    ("2026-02-03T11:12:13.250123+00:00 web-1 CRON[17]: (root) CMD (run-parts)", "syslog_iso"),
    ("Feb  3 11:12:13 web-1 com.apple.xpc.launchd[1] (com.apple.mdworker[12]): Service exited", "syslog_rfc3164"),
    ("10.1.2.3 - - [03/Feb/2026:11:12:13 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"curl/8\" 1234", "http_access_combined"),
    ("10.1.2.3 - - [03/Feb/2026:11:12:13 +0000] \"\\x16\\x03\\x01\" 400 157 \"-\" \"-\"", "http_access_combined"),
    ("www.a.example:80 10.1.2.3 - - [03/Feb/2026:11:12:13 +0000] \"GET / HTTP/1.1\" 200 5", "http_access_vhost"),
])
def test_usual_variants_are_taken_for_their_family(line, family):
    """Layouts that come up daily are read by the family they belong to."""
    assert seen_as("\n".join([line] * 5)).family == family
