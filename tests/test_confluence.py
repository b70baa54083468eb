"""The Confluence page: well-formed storage format of allowed elements alone, readable in its order, its pictures named and described."""

import re
from xml.etree import ElementTree

import pytest
from form_samples import model

from incidentnb import sinks
from incidentnb.publish import safe
from incidentnb.publish.forms import confluence, storage

AC, RI = "{urn:ac}", "{urn:ri}"


def parsed(page: str) -> ElementTree.Element:
    """The page as XML, in a root that declares Confluence's two namespaces."""
    return ElementTree.fromstring(f'<root xmlns:ac="{AC[1:-1]}" xmlns:ri="{RI[1:-1]}">{page}</root>')


def texts(tree: ElementTree.Element) -> list[str]:
    """The texts of the page: of cells, paragraphs and the like with what is marked in them, of attributes, of parameters."""
    found = [value for e in tree.iter() for value in e.attrib.values()]
    return found + ["".join(e.itertext()) for e in tree.iter() if e.tag not in ("root", "table", "tbody", "tr")]


def macros(tree: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [e for e in tree.iter(f"{AC}structured-macro") if e.get(f"{AC}name") == name]


@pytest.fixture(scope="module")
def page():
    made = confluence.make(model(severity="SEV-1", as_of="2026-11-23T14:40:00Z"), "appendix_files")
    return parsed(made.data.decode()), made


def test_only_allowed_elements_and_attributes(page):
    """Every element and attribute is one that the storage format has, and entities are numeric."""
    for e in page[0].iter():
        name = e.tag.replace(AC, "ac:").replace(RI, "ri:")
        assert name == "root" or {key.replace(AC, "ac:").replace(RI, "ri:") for key in e.attrib} <= storage.ELEMENTS[name], (name, e.attrib)
    assert not re.search(rb"&(?!#\d+;)", re.sub(rb"<!\[CDATA\[.*?\]\]>", b"", page[1].data, flags=re.DOTALL))


def test_the_page_is_in_the_readers_order(page):
    """One h1, then the head, the contents, the timeline first of the sections, provenance and code last."""
    tree = page[0]
    titles = [(e.tag, "".join(e.itertext())) for e in tree if re.fullmatch("h[1-6]", e.tag)]
    assert [text for tag, text in titles if tag == "h2"] == ["What happened, in order", "Is there a spike?", "Which requests fail?",
                                                             "trying again does not help", "Provenance", "Code"]
    assert [tag for tag, _ in titles].count("h1") == 1 and titles[0][0] == "h1"
    tags = [e.get(f"{AC}name") or e.tag for e in tree]
    assert tags.index("toc") < tags.index("h2") and tags.index("table") < tags.index("toc")


def test_macros_say_how_bad_and_what_is_missing(page):
    """Severity and status are status macros with their colour, as-known-at is a notice, what the reader must know stands in panels."""
    tree = page[0]
    said = [{p.get(f"{AC}name"): p.text for p in m.iter(f"{AC}parameter")} for m in macros(tree, "status")]
    assert said == [{"colour": "Red", "title": "SEV-1"}, {"colour": "Blue", "title": "monitoring"}]
    assert "2026-11-23 14:40:00 UTC" in "".join(macros(tree, "info")[0].itertext())
    assert ["23 of 1,000" in "".join(m.itertext()) for m in macros(tree, "note")] == [True, False]
    warned = ["".join(m.itertext()) for m in macros(tree, "warning")]
    assert any("could be computed" in text for text in warned) and any("KeyError: trying again" in text for text in warned)


def test_pictures_are_attachments(page):
    """Each picture is a file to attach, with its alternative text and its width."""
    tree, made = page
    images = list(tree.iter(f"{AC}image"))
    assert [image.find(f"{RI}attachment").get(f"{RI}filename") for image in images] == list(made.files)
    assert [(image.get(f"{AC}alt"), image.get(f"{AC}width")) for image in images] == [
        ("A figure, trying again does not help", "3"), ("A drawing", "90")]
    assert b"script" not in made.files[list(made.files)[1]]


def test_tables_have_scopes_and_long_ones_are_folded(page):
    """Header cells say whose they are; a table of more than a dozen rows stands behind a title that counts them, the timeline stands open."""
    tree = page[0]
    assert {th.get("scope") for th in tree.iter("th")} == {"col", "row"}
    folded = ["".join(m.itertext()) for m in macros(tree, "expand")]
    assert any(text.startswith("The table, 15 rows") for text in folded) and not any("it began" in text for text in folded)
    right = [td for td in tree.iter("td") if td.find("p") is not None and td.find("p").get("style") == storage.RIGHT]
    assert {"412", "1,000"} <= {"".join(td.itertext()) for td in right}


def test_queries_and_code_are_code(page):
    """The query behind an answer is SQL behind a title; the notebook's code is Python; what would end a section of characters is kept."""
    found = {(next(p.text for p in m.iter(f"{AC}parameter")), m.find(f"{AC}plain-text-body").text) for m in macros(page[0], "code")}
    assert any(kind == "sql" and "FROM log WHERE time < 'trying" in text for kind, text in found)
    assert ("py", "print(tail)  # ]]>") in found
    assert any(kind == "text" and "ERROR trying again does not help ]]> ```" in text for kind, text in found)


def test_links_are_the_authors_alone():
    """A link of the notebook's author to http or https stays one; any other, and each link of an output, is its text."""
    words = safe.markdown("[a](https://a.example/x?y=1&z=2) [b](javascript:alert(1)) [c](//evil.example) [d](#top) ![e](https://a.example/p.png)",
                          links=True)
    tree = parsed(storage.blocks(words))
    assert [a.get("href") for a in tree.iter("a")] == ["https://a.example/x?y=1&z=2"]
    assert list(parsed(storage.blocks(safe.clean('<a href="https://a.example">out</a><img src="https://a.example/p.png">'))).iter("a")) == []


@pytest.mark.parametrize(("markup", "written"), [
    ("plain &amp; simple", "<p>plain &#38; simple</p>"),
    ("<div class='note'><p>a<br>b</p>tail</div>", "<p>a<br />b</p>\n<p>tail</p>"),
    ("<details><summary>More</summary><p>x</p></details>", storage.expand("More", "<p>x</p>")),
    ("<ul><li>a<ul><li>b</li></ul></li></ul>", "<ul><li><p>a</p><ul><li>b</li></ul></li></ul>"),
    ("<blockquote>a</blockquote>", "<blockquote><p>a</p></blockquote>"),
    ("<p><b>x</b><kbd>y</kbd><mark>z</mark><span class='num'>1</span></p>", "<p><strong>x</strong><code>y</code>z1</p>"),
    ("<dl><dt>a</dt><dd>b</dd></dl>", "<p><strong>a</strong></p>\n<p>b</p>"),
    ("<table><tr><th colspan=2>h</th></tr><tr><td>1</td></tr></table>",
     '<table><tbody><tr><th scope="col">h</th><th scope="col"></th></tr>\n<tr><td><p style="text-align: right;">1</p></td><td></td></tr></tbody>'
     "</table>"),
    ("<hr>", "<hr />"), ("<table></table>", ""), ("<ul></ul>", ""), ("", "")])
def test_what_is_let_through_has_its_counterpart(markup, written):
    """Each element that the sanitiser lets through is given its counterpart, or its text alone stays."""
    assert storage.blocks(safe.clean(markup)) == written


def test_sections_of_characters_end_where_they_should():
    """No text ends its section of characters early, and it is read back as it was."""
    for text in ("]]>", "a]]]>b", "]]", "]]>]]>", "<![CDATA[x]]>"):
        assert ElementTree.fromstring(f"<r>{sinks.cdata(text)}</r>").text == text


@pytest.mark.parametrize(("url", "kept"), [("https://a.example/x y(1)?q=<&r=|", "https://a.example/x%20y%281%29?q=%3C&r=%7C"),
                                           ("HTTP://a.example", "HTTP://a.example"),
                                           ("javascript:alert(1)", ""), ("data:text/html,x", ""), ("//a.example", ""), ("https:///x", ""), ("#a", ""),
                                           ("https://a.example/\ud83d", "https://a.example/%E2%80%B9U+D83D%E2%80%BA"), ("", "")])
def test_addresses_of_links(url, kept):
    """An address is http or https, and nothing in it can end the link that it stands in."""
    assert sinks.link(url) == kept
