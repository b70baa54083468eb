"""Pages for a terminal: everything that matters in twenty seconds, aligned, wrapped, coloured only when asked, safe to print."""

import json
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from publish_samples import CHANGES, END, ONSET, START, minute, series

from incidentnb.findings import plain
from incidentnb.publish.terminal import formats_page, progress, sparkline, triage_page

CODE = re.compile(r"\x1b\[[0-9;]*m")
RATES = [None if rate != rate else rate for rate in series()["rate"].astype(float)]


def answer(**changed):
    whole = {
        "schema": "incidentnb/triage/1", "verdict": "incident", "why": "", "onset": ONSET, "end": None,
        "inputs": [{"path": "app.log", "format": "pino JSON", "lines": 1_240_332, "parsed": 1_240_101, "continuation": 208, "rejected": 23,
                    "first": START, "last": minute(91), "zone": "UTC", "zone_source": "from the data"}],
        "window": {"start": START, "end": minute(91), "requests": 78_204, "failed": 6_310}, "rate": {"baseline": 0.003, "during": 0.081},
        "series": {"bucket_s": 60, "start": START, "rate": RATES, "complete": [True] * 91 + [False]},
        "scope": {"verdict": "subset", "subsets": [{"where": {"route": "POST /orders", "version": "4.18.0"}, "cause": True, "rate_inside": 0.41,
                                                    "rate_outside": 0.003, "share_of_failures": 0.97, "same_as": [{"canary": "yes"}]}]},
        "users": {"affected": 1204, "total": 31_870, "by": "user"},
        "routes": [{"method": "POST", "route": "/orders", "failed": 9, "total": 90, "rate_before": 0.004, "rate_during": 0.086}],
        "patterns": [{"pattern": "TypeError of undefined", "count_before": 0, "count_during": 6204, "new": True,
                      "example": "app.log:88121  TypeError"}],
        "changes": CHANGES, "recovery": {"verdict": "not recovered", "since": None, "why": "8.0 % over the last 5 minutes"},
        "severity": {"suggested": "SEV-2", "why": ""}, "warnings": []}
    return plain({**whole, **changed})


def test_the_page_holds_the_whole_answer():
    """The page of an incident, in the order in which one asks; a sample to be read by people."""
    assert triage_page(answer(), width=120) == """\
INCIDENT   since 2026-11-23 14:03:20Z (14:03:05 – 14:03:40), still going on · SEV-2 suggested
rate       0.3 % → 8.1 %   ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁ ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁██████████▁▁▁▁
           13:00 – 14:30 UTC, 2 min each; 14:31 incomplete · 6,310 of 78,204 requests failed
who        1,204 of 31,870 users (3.8 %)
scope      only route = POST /orders and version = 4.18.0: 41 % fail there, 0.3 % elsewhere; 97 % of the failures
           indistinguishable from canary = yes
fails      POST /orders  0.4 % → 8.6 %, 9 of 90
new        6,204 ×  TypeError of undefined   app.log:88121
changed    1  deploy d1 shop-api 4.18.0, 14:02:31Z – 49 s before the onset
           2  commit 4f2a91c switch payment client to v3, 13:41:02Z
recovery   not recovered: 8.0 % over the last 5 minutes
next       deploy d1: can it be rolled back? · incidentnb open "…" --severity SEV-2 --logs …
read       1 file, 1,240,332 lines = 1,240,101 parsed + 208 continuation + 23 rejected · pino JSON · UTC from the data
"""


def test_an_end_and_a_recovery_are_told():
    """An incident that is over says until when, and since when it is recovered."""
    page = triage_page(answer(end=END, recovery={"verdict": "recovered", "since": END.at, "why": ""}), width=120)
    assert "until 14:24:30Z (14:24:00 – 14:25:50)" in page and "recovered since 14:24:30Z" in page and "still going on" not in page


@pytest.mark.parametrize(("verdict", "head"), [("no incident", "CALM"), ("cannot tell", "UNSURE")])
def test_no_incident_claims_nothing(verdict, head):
    """Without an incident the page says why, and names no scope, no change, no severity."""
    page = triage_page(answer(verdict=verdict, why="the rate stayed at 0.3 %", onset=None, rate={"baseline": 0.003, "during": None}))
    assert page.startswith(f"{head.ljust(11)}The rate stayed at 0.3 %\n")
    assert not any(word in page for word in ("scope", "changed", "SEV-", "recover", "next", "fails", "→"))


@pytest.mark.parametrize("scope", [({"verdict": "everyone", "subsets": []}, "everyone"),
                                   ({"verdict": "cannot tell", "why": "too few"}, "cannot tell: too few")])
def test_everyone_and_cannot_tell_are_said(scope):
    """The scope may be everyone, or not to be told, in so many words."""
    assert f"scope      {scope[1]}" in triage_page(answer(scope=scope[0]))


def test_no_known_change_is_an_answer():
    """Without a ranked change the page says that none explains it; without any it says how to name them."""
    assert "no known change explains it" in triage_page(answer(changes=[{**CHANGES[0], "rank": None}], changes_verdict="no known change explains it"))
    assert "--changes" in triage_page(answer(changes=[]))


def test_colour_only_when_asked_and_it_changes_no_letter():
    """Without colour there is no escape sequence; with it the letters are the same."""
    for width in (60, 100, 140):
        bare, coloured = triage_page(answer(), width=width), triage_page(answer(), color=True, width=width)
        assert "\x1b" not in bare and "\x1b[1;31m" in coloured
        assert CODE.sub("", coloured) == bare
        assert all(line.count("\x1b[0m") == len(CODE.findall(line)) / 2 for line in coloured.splitlines())


@settings(max_examples=60, deadline=None)
@given(st.integers(40, 160), st.booleans(), st.text(st.characters(codec="utf-8"), max_size=300))
def test_nothing_is_wider_than_the_terminal(width, color, hostile):
    """Whatever a route, pattern, reason or column is called, no line is wider than the terminal and no control character is printed."""
    page = CODE.sub("", triage_page(answer(
        patterns=[{"pattern": hostile, "count_during": 3, "new": True, "example": hostile}], warnings=[hostile], why=hostile,
        routes=[{"method": hostile, "route": hostile, "failed": 2, "total": 3, "rate_before": 0, "rate_during": 1}],
        scope={"verdict": "subset", "subsets": [{"where": {hostile: hostile}, "cause": True, "rate_inside": 1, "rate_outside": 0}]},
        changes=[{"kind": hostile, "id": hostile, "summary": hostile, "rank": 1, "reasons": [hostile], "at": minute(1)}]), color=color, width=width))
    assert all(len(line) <= width for line in page.splitlines())
    assert not [c for c in page if c != "\n" and unicodedata.category(c) in ("Cc", "Zl", "Zp")]


def test_hostile_payloads_move_no_cursor(shared):
    """No payload of a log brings an escape sequence onto the terminal."""
    for case in json.loads((shared / "bad" / "xss.json").read_text(encoding="utf-8")):
        page = triage_page(answer(patterns=[{"pattern": case["payload"], "count_during": 3, "new": True}]))
        page += formats_page({"inputs": [{"path": case["payload"], "format": case["payload"], "zone": case["payload"]}]})
        assert not set(page) & {chr(n) for n in (*range(10), *range(11, 32), 127)}, case["id"]


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=2, max_size=400), st.integers(5, 80))
def test_sparkline_law(rates, width):
    """A sparkline is never wider than asked, its tallest block is the highest rate, and what is unknown is blank."""
    line, words = sparkline({"bucket_s": 60, "start": "2026-11-23T13:00:00Z", "rate": rates, "complete": [True] * len(rates)}, width)
    assert len(line) <= width and "13:00" in words and "incomplete" not in words
    assert (line.count(" ") == len(line)) is all(rate is None for rate in rates)
    if len(rates) <= width:
        assert [c == " " for c in line] == [rate is None for rate in rates]
        if any(rates):
            assert line[max(range(len(rates)), key=lambda n: rates[n] or 0)] == "█"


def test_sparkline_takes_rows_too_and_leaves_incomplete_ones_out():
    """A series as rows gives the same line; a bucket that was cut short is named and not drawn."""
    rows = [{"time": minute(n), "total": 10, "failing": n, "complete": n < 4} for n in range(5)]
    assert sparkline(rows, 40) == ("▁▃▆█", "13:00 – 13:03 UTC, 1 min each; 13:04 incomplete")
    assert sparkline(None, 40) == sparkline({"start": None, "rate": []}, 40) == ("", "")


def test_formats_page_accounts_for_every_line():
    """One line a file with its counts, times and zone; on a narrow terminal three lines a file."""
    inputs = [*answer()["inputs"], {"path": "b.log", "format": None, "lines": 3, "parsed": 0, "continuation": 0, "rejected": 3,
                                    "first": None, "last": None, "zone": None}]
    wide = formats_page({"inputs": inputs}, width=160)
    assert wide.splitlines() == [
        "file     format         lines     parsed  cont.  rejected  first                 last                  zone",
        "app.log  pino JSON  1,240,332  1,240,101    208        23  2026-11-23 13:00:00Z  2026-11-23 14:31:00Z  UTC from the data",
        "b.log    unknown            3          0      0         3  undated"]
    assert "1,240,332 lines = 1,240,101 parsed + 208 continuation + 23 rejected" in " ".join(formats_page({"inputs": inputs}, width=80).split())
    assert formats_page({"inputs": []}) == "Nothing was read.\n"


def test_progress_is_one_line():
    """Progress writes over itself: one line, a share where the total is known, never wider than the terminal."""
    assert progress(50, 200, 1234).startswith("\r\x1b[2Kreading  25% ━━━━━╌") and progress(50, 200, 1234).endswith("1,234 lines")
    assert progress(5_000_000, None, 7) == "\r\x1b[2Kreading 5 MB  7 lines"
    assert len(progress(300, 200, 10**12, width=30)) <= 30 + 5 and "100%" in progress(300, 200, 1)


def test_formats_page_says_why_a_format_was_chosen():
    """Of a few files the page tells in words what each choice rests on, and what had to be assumed, to the last word."""
    zone = "assumed, the lines have none; year 2026 assumed, from the file's last change"
    entry = {"path": "s.log", "format": "syslog-rfc3164 + general", "lines": 3, "parsed": 3, "continuation": 0, "rejected": 0,
             "first": "2026-11-23T13:00:00Z", "last": "2026-11-23T13:00:02Z", "zone": "UTC", "zone_source": zone,
             "choice": "syslog-rfc3164 reads 3 of the first 3 lines, 3 with a plausible time"}
    page = " ".join(formats_page({"inputs": [entry]}, width=60).split())
    assert zone in page
    assert entry["choice"] in page
    assert max(map(len, formats_page({"inputs": [entry]}, width=60).splitlines())) <= 60


def test_terminal_names_exception_frame_and_place():
    """The page of triage shows a new trace as exception, root frame and the place of one real example, and what fell silent with its last time."""
    new = {"pattern": "a.Lost at a.Cart.total (Cart.java)", "count_before": 0, "count_during": 12, "new": True, "example": "app.log:88  x",
           "exception": "a.Lost", "frame": "a.Cart.total (Cart.java:17)"}
    gone = {"pattern": "job <*> done", "count_before": 90, "count_during": 0, "new": False, "vanished": True, "last": "2026-11-23T13:29:40Z",
            "example": "app.log:7  job 1 done"}
    page = triage_page(answer(patterns=[new, gone]), width=120)
    assert "12 ×  a.Lost at a.Cart.total (Cart.java:17)   app.log:88" in page
    assert "silent since 13:29:40Z, before 90 ×  job <*> done   app.log:7" in page
