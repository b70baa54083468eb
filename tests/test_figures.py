"""Figures: one style, the same bytes each time, nothing overlapping, hostile text drawn as text; show() in and out of a notebook."""

import base64
import itertools
import json
import random
import sys

import matplotlib
import pandas as pd
import pytest
from publish_samples import CHANGES, END, ONSET, changes, minute, onset, series

from incidentnb import times
from incidentnb.findings import Finding
from incidentnb.publish import answers, figures, levels, style
from incidentnb.publish.style import percent
from incidentnb.times import Interval

SUBSETS = [{"where": {"route": "POST /orders", "version": "4.18.0"}, "rate_inside": 0.41, "rate_outside": 0.003},
           {"where": {"version": "4.18.0"}, "rate_inside": 0.16, "rate_outside": 0.003}]
ROUTES = [{"method": "POST", "route": "/orders", "rate_before": 0.004, "rate_during": 0.086, "failed": 9, "total": 90},
          {"method": "GET", "route": "/a" * 60, "rate_before": 0.002, "rate_during": 0.0022, "failed": 9, "total": 90},
          {"method": None, "route": "/new", "rate_before": None, "rate_during": 0.02, "failed": 9, "total": 90},
          {"method": "PUT", "route": "/all", "rate_before": 0.97, "rate_during": 0.99, "failed": 9, "total": 90}]
PATTERNS = [{"pattern": "TypeError: $<n> of undefined", "count_before": 0, "count_during": 6204, "new": True},
            {"pattern": "a very long message " * 9, "count_before": 210, "count_during": 188, "new": False}]
KOLKATA = times.zone("Asia/Kolkata")
MILESTONES = {"started_at": ONSET, "detected_at": minute(66), "acknowledged_at": minute(67), "mitigated_at": Interval(
    minute(84), minute(83), minute(85)), "resolved_at": None}


def texts(axes):
    """(words, box in pixels) of each text that is drawn in the figure of these axes."""
    renderer = axes.figure.canvas.get_renderer()
    axes.figure.canvas.draw()
    found = []
    for each in axes.figure.axes:
        ticks = [tick.label1 for axis in (each.xaxis, each.yaxis) for tick in axis.get_major_ticks()
                 if min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())]
        for text in [*each.texts, *ticks, each.xaxis.label, each.yaxis.label]:
            box = text.get_window_extent(renderer)
            if text.get_visible() and text.get_text().strip() and box.width:
                found.append((text.get_text(), box))
    return found


def levels_frame():
    """Ninety minutes whose traffic falls and whose requests are slow for a while; the last minute is incomplete."""
    gone = [63 <= n < 84 for n in range(92)]
    return pd.DataFrame({"time": [minute(n) for n in range(92)], "total": [40 if off else 420 + 7 * (n % 5) for n, off in enumerate(gone)],
                         "expected": 425.0, "p50": [140.0 if off else 67.0 for off in gone], "p95": [930.0 if off else 188.0 for off in gone],
                         "complete": [n < 91 for n in range(92)], "during": gone})


def all_figures():
    events = pd.DataFrame([{"at": minute(n), "what": f"event {n}", "kind": "note"} for n in (1, 2, 3, 50, 63, 90)])
    return {
        "rate": figures.rate_figure(series(), onset=ONSET, end=END, rate={"baseline": 0.003, "during": 0.081}, changes=changes(),
                                    milestones=MILESTONES),
        "calm": figures.rate_figure(series(40)),
        "scope": figures.scope_figure(SUBSETS), "routes": figures.routes_figure(ROUTES), "patterns": figures.patterns_figure(PATTERNS),
        "volume": levels.volume_figure(levels_frame(), onset=ONSET, end=END, ended=[(minute(80), "service pay")]),
        "latency": levels.latency_figure(levels_frame(), onset=ONSET, end=END, slow_ms=190.0),
        "timeline": figures.timeline_figure(events, onset=ONSET, end=END), "changes": figures.changes_figure(CHANGES, ONSET),
        "rate in Kolkata": figures.rate_figure(series(), onset=ONSET, end=END, changes=changes(), milestones=MILESTONES, zone=KOLKATA),
        "timeline in Kolkata": figures.timeline_figure(events, onset=ONSET, end=END, zone=KOLKATA),
        "latency in Kolkata": levels.latency_figure(levels_frame(), onset=ONSET, end=END, slow_ms=190.0, zone=KOLKATA),
    }


def test_the_same_drawing_gives_the_same_bytes():
    """Every figure is byte for byte the same from run to run, and holds no words about the machine."""
    first, second = ({name: style.png(axes) for name, axes in all_figures().items()} for _ in range(2))
    assert first == second
    assert all(b"Software" not in data and b"tEXt" not in data for data in first.values())


@pytest.mark.parametrize("name", ["rate", "calm", "volume", "latency", "scope", "routes", "patterns", "timeline", "changes", "rate in Kolkata",
                                  "timeline in Kolkata", "latency in Kolkata"])
def test_no_two_texts_touch(name):
    """In every figure no text lies on another, and none leaves the figure."""
    axes = all_figures()[name]
    found, whole = texts(axes), axes.figure.bbox
    for (one, a), (other, b) in itertools.combinations(found, 2):
        apart = a.x1 <= b.x0 + 1 or b.x1 <= a.x0 + 1 or a.y1 <= b.y0 + 2 or b.y1 <= a.y0 + 2
        assert apart, (one, other)
    for words, box in found:
        assert box.x0 >= -1 and box.x1 <= whole.x1 + 1 and box.y0 >= -1 and box.y1 <= whole.y1 + 1, words


@pytest.mark.parametrize("seed", range(6))
def test_marks_never_overlap_however_they_fall(seed):
    """Names of changes and milestones find lanes of their own wherever they fall; what finds none is counted."""
    chance = random.Random(seed)
    many = pd.DataFrame([{"at": minute(chance.uniform(0, 91)), "kind": chance.choice(["deploy", "flag", "commit"]), "id": f"{n}",
                          "summary": "word " * chance.randint(1, 12)} for n in range(12)])
    axes = figures.rate_figure(series(), onset=ONSET, changes=many, milestones=MILESTONES)
    named = [(words, box) for words, box in texts(axes) if box.y0 > axes.bbox.y1]
    assert named
    for (one, a), (other, b) in itertools.combinations(named, 2):
        assert a.x1 <= b.x0 + 1 or b.x1 <= a.x0 + 1 or a.y1 <= b.y0 + 2 or b.y1 <= a.y0 + 2, (one, other)


def test_the_onset_and_the_change_before_it_are_always_named():
    """However crowded the hour, onset, end and the change nearest before the onset are named; what is left out is counted."""
    crowd = [{"at": minute(63, n), "kind": "flag", "id": f"f{n}", "summary": "some flag"} for n in range(45, 80)]
    frame = pd.DataFrame([*crowd, {"at": minute(62, 50), "kind": "deploy", "id": "d", "summary": "the culprit"}])
    axes = figures.rate_figure(series(), onset=ONSET, end=END, changes=frame, milestones={
        "started": ONSET, **{f"m{n}_at": minute(64, n) for n in range(9)}})
    words = [text for text, _ in texts(axes)]
    assert not any(text.startswith("started") for text in words)
    assert "deploy the culprit" in words and "onset 14:03:20" in words and "end 14:24:30" in words
    assert any(text.startswith("and ") and text.endswith(" more in the table") for text in words)


def test_the_strip_does_not_squeeze_the_incident():
    """Events long before the onset are counted, not drawn: the incident keeps most of the width."""
    rows = [{"at": minute(-600 + n), "what": "long before", "kind": "commit"} for n in range(5)]
    rows += [{"at": minute(n), "what": f"event {n}", "kind": "note"} for n in (30, 62, 64, 70, 90)]
    axes = figures.timeline_figure(pd.DataFrame(rows), onset=ONSET)
    words = [text for text, _ in texts(axes)]
    assert "5 earlier in the table" in words and not any("long before" in text for text in words)
    assert (axes.get_xlim()[1] - axes.get_xlim()[0]) * 1440 < 90


def test_incomplete_buckets_are_lighter_and_unknown_ones_blank():
    """A bucket that was cut short is drawn lighter than the others; one of which nothing is known is not drawn at all."""
    frame = series()
    axes = figures.rate_figure(frame)
    bars = [patch for patch in axes.patches if patch.get_height() > 0]
    assert len(bars) == int((frame["rate"] > 0).sum())
    by_place = sorted(bars, key=lambda bar: bar.get_x())
    assert by_place[-1].get_alpha() < by_place[-2].get_alpha() == 1.0


def test_colours_are_told_apart_by_colour_blind_readers_and_on_white():
    """Every colour of a mark has a contrast of 3:1 on paper, every colour of words one of 4.5:1 (WCAG 2.2)."""
    for colour, least in ((style.FAILING, 4.5), (style.INK, 4.5), (style.SOFT, 4.5), (style.MARK, 4.5), (style.GOOD, 4.5), (style.CALM, 3.0)):
        assert contrast(colour, style.PAPER) >= least, colour


def contrast(one, other):
    lights = []
    for colour in (one, other):
        parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def test_drawing_leaves_the_process_as_it_was():
    """The house style is set for one figure, never for the process, and no figure stays open."""
    before = dict(matplotlib.rcParams)
    style.png(figures.rate_figure(series()))
    assert dict(matplotlib.rcParams) == before
    if "matplotlib.pyplot" in sys.modules:
        assert not sys.modules["matplotlib.pyplot"].get_fignums()


def test_a_figure_is_drawn_where_one_asks():
    """Each figure draws into axes that it is given, and returns them."""
    for draw in (lambda ax: figures.rate_figure(series(), ax, onset=ONSET), lambda ax: figures.scope_figure(SUBSETS, ax),
                 lambda ax: figures.routes_figure(ROUTES, ax), lambda ax: figures.patterns_figure(PATTERNS, ax),
                 lambda ax: figures.changes_figure(CHANGES, ONSET, ax)):
        with style.house():
            ax = style.canvas(3).subplots()
        assert draw(ax) is ax and style.png(ax)


def test_hostile_text_is_drawn(shared):
    """A change, a route, a pattern, an event of any name is drawn; no name costs a figure."""
    cases = [case["value"] for case in json.loads((shared / "bad" / "mathtext.json").read_text(encoding="utf-8"))]
    cases += [case["payload"] for case in json.loads((shared / "bad" / "xss.json").read_text(encoding="utf-8"))[::6]]
    rows = [{"at": minute(n), "kind": "deploy", "id": value, "summary": value, "what": value} for n, value in enumerate(cases)]
    drawn = [figures.rate_figure(series(), changes=pd.DataFrame(rows)), figures.timeline_figure(pd.DataFrame(rows)),
             figures.routes_figure([{"method": v, "route": v, "rate_before": 0.1, "rate_during": 0.2} for v in cases[:8]]),
             figures.patterns_figure([{"pattern": v, "count_before": 1, "count_during": 2, "new": True} for v in cases[:8]]),
             levels.volume_figure(levels_frame(), ended=[(minute(n), f"service {v}") for n, v in enumerate(cases)])]
    assert all(style.png(axes) for axes in drawn)


@pytest.mark.parametrize("finding", [
    Finding("onset", "cannot tell", "It cannot be told."), Finding("rates", "measured", "x", frame=series().drop(columns=["rate"])),
    Finding("rates", "measured", "x", frame=series().head(1)), Finding("scope", "everyone", "x", numbers={"subsets": []}),
    Finding("routes", "measured", "x", numbers={"routes": [{"route": "/x"}]}), Finding("suspects", "candidates", "x", numbers={"changes": CHANGES}),
    Finding("users", "counted", "x"), Finding("anything", "x", "x", frame=series())])
def test_what_bears_no_figure_shows_none(finding):
    """Where numbers or frame lack what a figure needs, there is no figure and no error."""
    assert answers.figure_for(finding, {}) is None
    assert all("image/png" not in bundle for bundle, _ in answers.bundles(finding, None))


def test_a_finding_is_its_sentence_then_its_figure_then_its_table():
    """In a notebook the answer comes first, the figure has the sentence as alternative text, the table and the query follow."""
    (first, _), (picture, meta), (rest, _) = answers.bundles(onset(), answers.figure_for(onset(), {"changes": changes()}))
    assert onset().sentence in first["text/html"] and "<table" not in first["text/html"]
    assert base64.b64decode(picture["image/png"]).startswith(b"\x89PNG") and meta["image/png"]["alt"] == onset().sentence
    assert "<table" in rest["text/html"] and "AS time &lt; 2" in rest["text/html"] and onset().evidence in rest["text/html"]
    assert rest["text/markdown"].startswith("| time") and set(first) == set(rest) == {"text/html", "text/markdown", "text/plain"}


def test_show_prints_outside_of_a_notebook(capsys):
    """In plain Python show() prints sentence and table as text, without a picture's bytes."""
    figures.show(onset(sentence="It \x1b[31mbegan"), changes=changes())
    printed = capsys.readouterr().out
    assert printed.startswith("It ␛[31mbegan\nThe likelihood ratio is 412.\n") and "\x1b" not in printed
    assert "baseline" not in printed and "iVBOR" not in printed and "time" in printed


def test_show_displays_in_a_notebook(monkeypatch):
    """In a notebook show() displays raw bundles through IPython."""
    import IPython
    import IPython.display

    put_out = []
    monkeypatch.setattr(IPython, "get_ipython", lambda: object())
    monkeypatch.setattr(IPython.display, "display", lambda data, metadata, raw: put_out.append((sorted(data), raw)))
    figures.show(onset())
    html = ["text/html", "text/markdown", "text/plain"]
    assert put_out == [(html, True), (["image/png", "text/plain"], True), (html, True)]
    put_out.clear()
    figures.show(onset(), figure=False)
    assert put_out == [(html, True), (html, True)]


def test_tables_are_for_people():
    """Rates and shares are percentages at the right, names are words, and a column without any value is left out."""
    frame = pd.DataFrame([{"rate_inside": 0.41, "share of failures": 0.97, "same_as": "", "rivals": None, "n": 0, "done": False}])
    shown, shares = answers.presentable(frame)
    assert shown.to_dict("records") == [{"rate inside": "41 %", "share of failures": "97 %", "n": 0, "done": False}]
    assert shares == {"rate inside", "share of failures"}
    assert '<td class="num">41 %</td>' in answers.bundles(onset(frame=frame), None)[1][0]["text/html"]


@pytest.mark.parametrize(("value", "words"), [(0, "0 %"), (0.41, "41 %"), (0.081, "8.1 %"), (0.0034, "0.3 %"), (0.00034, "0.03 %"),
                                              (1, "100 %"), (None, "–"), (float("nan"), "–"), (-0.02, "-2.0 %")])
def test_percentages_for_people(value, words):
    """A rate is told with the digits that matter; a missing one is never 0."""
    assert percent(value) == words


@pytest.mark.parametrize(("zone", "clock", "label"), [
    ("UTC", "14:00", "UTC, 23 November 2026"), ("Asia/Kolkata", "14:00\n19:30", "UTC, and Asia/Kolkata below it, 23 November 2026"),
    ("Pacific/Auckland", "14:00\n03:00", "UTC, 23 November 2026; below it Pacific/Auckland, 24 November 2026")])
def test_the_axis_tells_the_time_of_the_incident_too(zone, clock, label):
    """Below the time in UTC stands that in the incident's zone, also where its day is another; nothing where it is UTC."""
    axes = figures.rate_figure(series(), onset=ONSET, zone=times.zone(zone)).figure.axes[-1]
    axes.figure.canvas.draw()
    assert clock in [tick.get_text() for tick in axes.get_xticklabels()] and axes.get_xlabel() == label
