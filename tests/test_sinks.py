"""Hostile text reaches each sink inert, and readable as it was written."""

import csv
import html.parser
import io
import json
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidentnb import sinks

TEXT = st.text(alphabet=st.characters(codec=None, exclude_categories=()), max_size=200)


def bad(shared, name):
    return json.loads((shared / "bad" / name).read_text(encoding="utf-8"))


class Elements(html.parser.HTMLParser):
    """Counts elements and collects text."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.elements, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def parsed(markup):
    reader = Elements()
    reader.feed(markup)
    reader.close()
    return reader


@given(TEXT)
def test_html_adds_no_element_and_loses_no_letter(text):
    """In HTML any text is one text node, the same when read back."""
    reader = parsed(f"<p>{sinks.html(text)}</p>")
    assert [tag for tag, _ in reader.elements] == ["p"]
    assert "".join(reader.text) == sinks.clip(sinks.visible(text, keep="\n\t"), 4000)


@given(TEXT)
def test_html_stays_inside_of_an_attribute(text):
    """As an attribute value any text adds no attribute."""
    reader = parsed(f'<p title="{sinks.html(text)}">x</p>')
    assert [(tag, list(attrs)) for tag, attrs in reader.elements] == [("p", ["title"])]


@given(TEXT)
def test_terminal_text_is_one_line_without_a_control_character(text):
    """On a terminal nothing of any text can move the cursor, colour, break a line or turn the direction of reading."""
    shown = sinks.terminal(text)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Zl", "Zp", "Cs") or c in "\u202e\u2066\u200b\ufeff"]


@given(TEXT)
def test_csv_cell_never_begins_a_formula_and_is_recoverable(text):
    """A CSV field never begins with a formula mark, and the text is the field without one apostrophe."""
    cell = sinks.csv_cell(text)
    number = re.fullmatch(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", cell)
    assert number or not re.match(r"\s*[=+\-@\t\r|%]", cell)
    assert cell in (sinks.visible(text, keep="\n\t"), "'" + sinks.visible(text, keep="\n\t"))


@given(TEXT)
def test_file_name_is_portable(text):
    """A file name out of any text is plain, short, hidden nowhere and leads out of no folder."""
    name = sinks.file_name(text)
    assert re.fullmatch(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", name) and ".." not in name and len(name) <= 82


@given(TEXT)
def test_clip_tells_how_much_it_cut(text):
    """A clipped text says how many characters are missing."""
    shown = sinks.clip(text, 50)
    if len(text) <= 50:
        assert shown == text
    else:
        assert shown.startswith(text[:50]) and f"[{len(text) - 50:,} more characters]" in shown


def test_csv_formulas(shared):
    """Each known formula trick opens as text in a spreadsheet."""
    for case in bad(shared, "csv_formula.json"):
        line = io.StringIO()
        csv.writer(line).writerow([sinks.csv_cell(case["value"])])
        read_back = next(csv.reader(io.StringIO(line.getvalue())))[0]
        assert read_back[:1] not in set("=+-@\t\r"), case["value"]
        assert read_back.removeprefix("'") == sinks.visible(case["value"], keep="\n\t")


def test_markup_payloads_in_html_and_markdown(shared):
    """Each known payload is literal text in HTML, and in Markdown rendered with raw HTML allowed."""
    import mistune

    for case in bad(shared, "xss.json"):
        assert not parsed(sinks.html(case["payload"])).elements, case["id"]
        rendered = mistune.html("x " + sinks.markdown(case["payload"]) + " x")
        assert [tag for tag, _ in parsed(rendered).elements] == ["p"], (case["id"], rendered)


@settings(max_examples=300)
@given(st.one_of(TEXT, st.text(alphabet="-+=*_#>.)1 |:~`[]()<!w@&/\\\n$%^{}ah", max_size=30)))
def test_markdown_is_a_paragraph_of_the_very_words(text):
    """At the beginning of a line any text renders as one paragraph of its own words, with every extension on."""
    import mistune

    render = mistune.create_markdown(escape=False, plugins=["table", "strikethrough", "url", "footnotes", "task_lists", "math", "mark",
                                                            "superscript", "def_list", "abbr", "insert"])
    shown = " ".join(sinks.visible(text, keep="\n").replace("\n", " ⏎ ").split())
    reader = parsed(render(sinks.markdown(text).strip()))
    assert [tag for tag, _ in reader.elements] == (["p"] if shown else [])
    assert " ".join("".join(reader.text).split()) == shown


@pytest.mark.parametrize(("text", "written"), [
    ("2026-11-23 14:03:20Z, 0.3 % of POST /orders (4.18.0)", "2026-11-23 14:03:20Z, 0.3 % of POST /orders (4.18.0)"),
    ("see https://x.org/a", "see https&#58;//x.org/a"), ("www.x.org", "www&#46;x.org"), ("a@b.org #12 !3 %4", "a&#64;b.org &#35;12 &#33;3 &#37;4"),
    ("- item", "&#45; item"), ("1. item", "1&#46; item"), ("/close", "&#47;close"), (":+1: ok", "&#58;+1: ok")])
def test_markdown_stays_readable(text, written):
    """Times, numbers, paths and versions stay as they are; only what would be syntax or a link is a character reference."""
    assert sinks.markdown(text) == written


def test_markdown_is_written_as_meant(shared):
    """Markdown text is the payload's own words once its character references are read."""
    import html

    for case in bad(shared, "xss.json"):
        assert html.unescape(sinks.markdown(case["payload"])) == sinks.visible(case["payload"], keep="\n").replace("\n", " ⏎ ")


def test_figure_text_is_literal(shared):
    """Each known mathematics trick is drawn as the words it is, as title, label, legend and tick."""
    from matplotlib.text import Text

    from incidentnb.publish import style

    for case in bad(shared, "mathtext.json"):
        shown = sinks.figure(case["value"])
        with style.house():
            figure = style.canvas(2)
            axes = figure.subplots()
            axes.plot([0, 1], label=shown)
            axes.set(title=shown, xlabel=shown, ylabel=shown)
            axes.set_xticks([0, 1], [shown, shown])
            axes.legend()
            text = axes.title
            assert isinstance(text, Text)
            literal, mathematics = text._preprocess_math(text.get_text())
            assert not mathematics and "$$" not in literal.replace(case["value"], "")
            assert literal.count("$") == sinks.clip(case["value"], 120).count("$")
            assert style.png(axes).startswith(b"\x89PNG")


@pytest.mark.parametrize(("text", "seen"), [("a\x00b", "a␀b"), ("\x1b[31m", "␛[31m"), ("ad\u202emin", "ad‹U+202E›min"), ("\ud83d", "‹U+D83D›")])
def test_what_nobody_sees_is_shown(text, seen):
    """Control characters, direction marks and half characters are shown, not dropped."""
    assert sinks.visible(text) == seen


def test_chat_text_mentions_nobody():
    """In a chat message nothing of a log line pings, links or formats."""
    assert "<!channel>" not in sinks.chat("<!channel> & @here <https://x|y>")
    assert "@here" not in sinks.chat("@here")
