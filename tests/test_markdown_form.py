"""The Markdown of the appendix: what GitHub, GitLab and wikis render as it is meant, without a line of HTML."""

import re
from itertools import pairwise

import pytest
from form_samples import model
from hypothesis import given, settings
from hypothesis import strategies as st
from test_appendix import Page

from incidentnb import sinks
from incidentnb.publish import safe
from incidentnb.publish.forms import markdown, marked


@pytest.fixture(scope="module")
def text():
    return markdown.make(model(as_of="2026-11-23T14:40:00Z"), "a folder").data.decode()


def prose(text: str) -> str:
    """The document without its code blocks and code spans."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^(`{3,}).*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL))


def rendered(source: str) -> str:
    import mistune

    return str(mistune.create_markdown(escape=False, plugins=["table", "strikethrough"])(source)).strip()


def test_there_is_no_html(text):
    """No mark opens a tag, neither by itself nor when it is rendered with raw HTML allowed."""
    assert "<" not in prose(text)
    assert not {tag for tag, _ in Page(rendered(text)).elements} - {
        "h1", "h2", "h3", "p", "strong", "em", "code", "pre", "a", "img", "table", "thead", "tbody", "tr", "th", "td", "ul", "ol", "li", "blockquote"}


def test_headings_are_in_order(text):
    """One h1, first; no heading skips a level."""
    levels = [len(mark) for mark in re.findall(r"^(#{1,6}) ", prose(text), re.MULTILINE)]
    assert levels[0] == 1 and levels.count(1) == 1 and all(later - sooner <= 1 for sooner, later in pairwise(levels))


def test_every_link_into_the_page_leads_to_a_heading(text):
    """By the rule of GitHub each anchor is that of a heading; two headings of one name have two anchors."""
    slugs: list[str] = []
    for heading in re.findall(r"^#{1,6} (.*)$", prose(text), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        slugs.append(slug if slug not in slugs else f"{slug}-{slugs.count(slug)}")
    links = re.findall(r"\]\(#([^)]+)\)", text)
    assert set(links) <= set(slugs) and {"is-there-a-spike", "is-there-a-spike-1", "trying-again-does-not-help-1"} <= set(links)


@pytest.mark.parametrize(("title", "slug"), [("Is it over?", "is-it-over"), ("What happened, in order", "what-happened-in-order"),
                                             ("Zürich – 5xx", "zürich--5xx"), ("a_b-c", "a_b-c"), ("½ ✓ 5 %", "-5-"), ("!?", "")])
def test_anchors_are_those_of_github(title, slug):
    """Lower case; letters, digits, hyphens and underscores stay, blanks become hyphens, all else goes."""
    anchors = markdown.Anchors()
    assert anchors.slug(title).strip("-") == slug.strip("-")
    assert anchors.slug("Again") == "again" and anchors.slug("again") == "again-1" and anchors.slug("Again") == "again-2"


def test_tables_are_tables_everywhere(text):
    """A blank line before each, a rule of as many columns as its head, each row of as many cells; columns of numbers stand at the right."""
    lines = prose(text).split("\n")
    for number, line in enumerate(lines):
        if re.fullmatch(r"\|( -{3}:? \|)+", line):
            columns = line.count("|") - 1
            assert lines[number - 2] == "" and lines[number - 1].count("|") - 1 == columns and not re.fullmatch(r"[| ]*", lines[number - 1])
            rows = lines[number + 1:lines.index("", number)]
            assert rows and {row.count("|") - 1 for row in rows} == {columns}
    assert "| route | failed | rate |\n| --- | ---: | ---: |\n| POST /orders | 412 | 41 % |" in text


def test_long_tables_say_what_is_left_out(text):
    """A table is cut after a dozen rows, a series after five, and the rest is counted, together with what the notebook had cut already."""
    assert "| 11 | row 11 |\n\n*3 more rows are not shown.*" in text
    rows = "".join(f"<tr><td>{n}</td></tr>" for n in range(60))
    left = marked.Writer().blocks(safe.clean(f"<table><tr><th>n</th></tr>{rows}</table><p class='note'>1,040 more rows are not shown.</p>"))
    assert left[0].count("\n") == 6 and left[1:] == ["*1,095 more rows are not shown.*"]
    assert len(marked.Writer(marked.LONG).blocks(safe.clean(f"<table><tr><th>n</th></tr>{rows}</table>"))) == 1


def test_what_is_missing_stands_first(text):
    """The banner and what one must know of the data are quotations above the contents; as known at, too."""
    head = text[:text.index("## Contents")]
    assert "> **Not every section of this page could be computed.**" in head and "> 23 of 1,000 lines could not be read" in head
    assert "As known at 2026-11-23 14:40:00 UTC." in head and "| What | Value |" in head and "| Metric | Value |" in head


def test_money_stays_money(text):
    """A dollar is no formula."""
    assert "It cost &#36;5, not &#36;6." in text and "It cost $5, not $6." in Page(rendered(text)).words


def test_each_answer_leads_to_its_query(text):
    """Behind an answer stand the digest of what it read and a link to its query, which stands at the end as SQL."""
    assert "Evidence `abababababababab` · [How this was asked](#is-there-a-spike-1)" in text
    end = text[text.index("## How each answer was asked"):]
    assert "### Is there a spike?\n\n```sql\nSELECT count(*) FROM log WHERE time < 'trying" in end and "\x00" not in text
    assert "```python\nshow(case.onset)\n```" in end[end.index("## Code"):]


def test_pictures_lie_beside_it(text):
    """A picture is named with its folder, blanks in it encoded, and has its alternative text."""
    assert re.search(r"!\[A figure, trying again does not help\]\(a%20folder/figure-01-[0-9a-f]{8}\.png\)", text)


@pytest.mark.parametrize(("markup", "written"), [
    ("<p>a <b>b</b> <em>c</em> <del>d</del> <code>e</code></p>", "a **b** *c* ~~d~~ `e`"),
    ("<p>a<br>- b</p>", "a\\\n&#45; b"), ("<p>1. a</p>", "1&#46; a"), ("<p># a</p>", "&#35; a"), ("<p>0.3 %</p>", "0&#46;3 %"),
    ("<ol start=3><li>a<li>b</ol>", "3. a\n4. b"), ("<ul><li><p>a</p><pre>b</pre></li></ul>", "- a\n\n  ```\n  b\n  ```"),
    ("<blockquote><p>a</p><p>b</p></blockquote>", "> a\n>\n> b"), ("<pre>a ``` b</pre>", "````\na ``` b\n````"),
    ("<table><tr><td>a|b</td><td>1</td></tr></table>", "| column 1 | column 2 |\n| --- | ---: |\n| a&#124;b | 1 |"),
    ("<table><tr><th>a</th></tr><tr><td><code>x|y</code><br>0.3</td></tr></table>", "| a |\n| --- |\n| x&#124;y 0.3 |"),
    ("<details><summary>More</summary>x</details>", "**More**\n\nx"), ("<h3>a</h3>", "**a**"), ("<p><code>`</code></p>", "`` ` ``"),
    ("<p><b> a </b>b</p>", "**a** b"), ("<b></b>", ""), ("<p class='note'>*a</p>", "*&#42;a*"), ("", "")])
def test_what_is_let_through_is_written_anew(markup, written):
    """Each element that the sanitiser lets through is Markdown, or its text alone stays."""
    assert "\n\n".join(marked.Writer().blocks(safe.clean(markup))) == written


@settings(max_examples=150, deadline=None)
@given(st.text("ab1 \n<>&*_`~|[]()#!$@:/\\-+.=\"'{}^%wx;", max_size=40))
def test_any_text_is_text(text):
    """A paragraph, a cell, a list item, a heading and a code block of any text render as that text."""
    escaped = sinks.html(text)
    for markup in (f"<p>{escaped}</p>", f"<ul><li>{escaped}</li></ul>", f"<table><tr><th>{escaped}</th></tr><tr><td>{escaped}</td></tr></table>",
                   f"<p><strong>{escaped}</strong></p>", f"<pre>{escaped}</pre>", f"<blockquote>{escaped}</blockquote>"):
        page = Page(rendered("\n\n".join(marked.Writer().blocks(safe.clean(markup)))))
        wanted = Page(safe.clean(markup))
        assert "".join(page.words.split()) == "".join(wanted.words.split()), markup
        assert not {tag for tag, _ in page.elements} & {"a", "img", "script", "em", "del", "h1", "h2"}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["", "b", "em", "del", "code", "span"]), st.text("ab.()! 1,", min_size=1, max_size=5)), max_size=5),
       st.sampled_from(["p", "li", "td"]))
def test_marks_never_show(pieces, where):
    """Bold, italic and struck-out text beside and within words keeps its words; where marks would not be marks there are none."""
    inner = "".join(f"<{tag}>{text}</{tag}>" if tag else text for tag, text in pieces)
    markup = {"p": f"<p>{inner}</p>", "li": f"<ul><li>{inner}</li></ul>", "td": f"<table><tr><th>a</th></tr><tr><td>{inner}</td></tr></table>"}[where]
    page = Page(rendered("\n\n".join(marked.Writer().blocks(safe.clean(markup)))))
    assert "".join(page.words.split()) == "".join(Page(safe.clean(markup)).words.split())


def test_wide_tables_fit_a_page():
    """Of a table of many columns those of long texts stand below it, each by the name of its row, or its number; no text is lost."""
    def wide(*names: str) -> list[str]:
        cells = [[name, *(f"c{n}" for n in range(5)), f"- because of {name} " + "and so on " * 8] for name in names]
        rows = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in cells)
        return marked.Writer().blocks(safe.clean("<table><tr>" + "".join(f"<th>h{n}</th>" for n in range(7)) + f"</tr>{rows}</table>"))

    named, numbered = wide("H1", "H2"), wide("H1", "")
    assert named[0].startswith("| h0 | h1 | h2 | h3 | h4 | h5 |\n| --- |") and named[1] == "**h6**, by h0:"
    assert named[2].startswith("- H1: &#45; because of H1 and so on") and "\n- H2: &#45; because" in named[2]
    assert numbered[0].startswith("| row | h0 | h1 | h2 | h3 | h4 | h5 |\n| ---: | --- |") and numbered[1] == "**h6**, by row:"
    assert numbered[2].startswith("1. &#45; because of H1 and so on") and "\n2. &#45; because" in numbered[2]
    assert [rendered(blocks[2]).count("<li>") for blocks in (named, numbered)] == [2, 2]
