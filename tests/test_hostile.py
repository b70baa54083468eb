"""Text of strangers in every place and every form: in a browser nothing runs, nothing is asked for, nothing is added, all of it can be read."""

import csv
import html
import io
import json
import re
import subprocess
import xml.etree.ElementTree as ET

import hostile
import needs
import pypdf
import pytest
from browser import Browser
from publish_samples import code, markdown, notebook, save, stream

from incidentnb import sinks
from incidentnb.publish import appendix, forms, redaction
from incidentnb.publish.forms import pdf

FORMS = [to for to in forms.FORMS if to != "pdf"]
EYES = [redaction.Rule("keep", (), re.compile(r"(?s).+"), keep=True)]  # text stays as it is, however much it looks like a secret
ACTIONS = {"/JS", "/JavaScript", "/AA", "/OpenAction", "/Launch", "/URI", "/SubmitForm", "/GoToR", "/GoToE", "/EmbeddedFiles", "/RichMedia",
           "/AcroForm"}
SHOWN = ("html", "md", "confluence")


@pytest.fixture(scope="module")
def texts(shared):
    return hostile.given(shared)


@pytest.fixture(scope="module")
def published():
    texts = json.loads(needs.web_tool("big-list-of-naughty-strings/blns.json").read_text(encoding="utf-8"))
    return [text for text in texts if text.strip() and len(text) < 1000 and re.search(r"[<>&\"'`$(\[{%=]|[^ -~]", text)]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def exports(tmp_path_factory, texts):
    """Folder → the exports in every form, with the payloads and with harmless words in their places."""
    made = {}
    for name, words in (("hostile", texts), ("harmless", hostile.harmless(texts))):
        folder = made[name] = tmp_path_factory.mktemp(name)
        run = save(folder / "run.ipynb", hostile.body(words))
        for to in FORMS:
            appendix.export(run, folder / f"out{forms.FORMS[to][0]}", to=to, header=hostile.head(words), audience="internal", extra=EYES)
    return made


def as_page(folder, to):
    """An export as a page for the browser: the page itself, Markdown with raw HTML allowed, Confluence's macros as plain boxes."""
    if to == "html":
        return folder / "out.html"
    source = (folder / f"out{forms.FORMS[to][0]}").read_text(encoding="utf-8")
    page = folder / f"rendered-{to}.html"
    if to == "md":
        from markdown_it import MarkdownIt

        rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(source)
        page.write_text(f"<!DOCTYPE html><meta charset=utf-8>{rendered}", encoding="utf-8")
    else:
        page.write_text(f"<!DOCTYPE html><meta charset=utf-8>{rendered_confluence(source)}", encoding="utf-8")
    return page


def rendered_confluence(source):
    """Storage format as HTML: attachments as pictures, macros as boxes, their text as text."""
    root = ET.fromstring(f'<root xmlns:ac="ac" xmlns:ri="ri">{source}</root>')
    for node in list(root.iter()):
        if node.tag == "{ac}image":
            node.attrib = {"alt": node.get("{ac}alt", ""), "src": f"out_files/{node[0].get('{ri}filename')}"}
            node.tag, node[:] = "img", []
        elif node.tag.startswith("{"):
            node.tag, node.attrib = "div", {}
    return ET.tostring(root, encoding="unicode", method="html")


def differences(one, other):
    """Elements and attributes of which one page has more than another; classes, and the words that colour a program, differ by right."""
    ignored = {"@class", "SPAN"}
    return {name: (one.get(name, 0), other.get(name, 0)) for name in {*one, *other} - ignored if one.get(name, 0) != other.get(name, 0)}


@pytest.mark.parametrize("to", SHOWN)
def test_nothing_runs_and_nothing_is_added(browser, exports, texts, to):
    """Loaded, pointed at and clicked, the page runs nothing, asks for nothing, has no element or attribute more; each text is shown as written."""
    visits = {name: browser.visit(as_page(folder, to)) for name, folder in exports.items()}
    bad = visits["hostile"]
    found, plain = bad.elements(), visits["harmless"].elements()
    if to == "md":  # what is said twice is written once there, so that counts differ by right
        assert found.keys() <= plain.keys() and all(found.get(name) == plain.get(name) for name in ("IMG", "A", "@href", "@src"))
    else:
        assert differences(found, plain) == {}
    seen = bad.text()
    bad.click_everything()
    happened = bad.happened
    happened["requests"] = [url for url in happened["requests"] if not re.search(r"/out_files/figure-[\w.-]+$", url)]
    assert happened == {"requests": [], "dialogs": [], "console": [], "navigations": []}
    shown = "".join(seen.split())
    missing = [text for text in texts if "".join(sinks.visible(text, keep="\n\t").split()) not in shown.replace("⏎", "")]
    assert missing == []


def test_what_an_incident_has_one_of_is_tried_with_each(browser, tmp_path, texts):
    """Title, severity, status, commander, zone, scope, file, milestone and metric: each payload alone at the head of a page of its own."""
    run = save(tmp_path / "run.ipynb", notebook([markdown("## A"), code("x", [stream("y")])]))
    pages = []
    for n in range(len(texts)):
        header = {**hostile.head(texts, n), "inputs": [], "account": {}}
        pages.append(appendix.export(run, tmp_path / f"{n}.html", header=header, audience="internal", extra=EYES).path)
    plain: dict[str, int] = {}
    for text, visit in zip(texts, browser.visit_all(pages), strict=True):
        plain = plain or visit.elements()
        assert differences(visit.elements(), plain) == {}, text
        assert "".join(sinks.visible(text, keep="\n\t").split()) in "".join(visit.text().split()), text
        visit.click_everything(wait=False)
        assert not any(visit.happened.values()), (text, visit.happened)


def test_a_published_list(browser, tmp_path, published):
    """A few hundred published strings, in every place of a page: nothing runs, nothing is asked for, nothing is added."""
    visits = []
    for name, words in (("hostile", published), ("harmless", hostile.harmless(published))):
        run = save(tmp_path / f"{name}.ipynb", hostile.body(words))
        made = appendix.export(run, tmp_path / f"{name}.html", header=hostile.head(words), audience="internal", extra=EYES)
        visits.append(browser.visit(made.path))
    assert len(published) > 300 and differences(visits[0].elements(), visits[1].elements()) == {}
    visits[0].click_everything()
    assert not any(visits[0].happened.values()), visits[0].happened


def test_no_cell_of_a_table_is_a_formula(exports, texts):
    """In CSV no field begins a formula, and each text can be had back from its field."""
    for to in ("csv", "timesketch"):
        rows = list(csv.reader(io.StringIO((exports["hostile"] / f"out{forms.FORMS[to][0]}").read_text(encoding="utf-8"), newline="")))
        cells = [cell for row in rows for cell in row]
        assert not [cell for cell in cells if re.match(r"\s*[=+\-@\t\r|%]", cell) and not re.fullmatch(r"[+-]?\d+(\.\d+)?", cell)]
        back = {*cells, *(cell.removeprefix("'") for cell in cells)}
        assert [text for text in texts if sinks.visible(text, keep="\n\t") not in back] == []


def test_the_data_hold_every_text(exports, texts):
    """The JSON parses and has each text, what nobody can see made visible."""
    told = json.loads((exports["hostile"] / "out.json").read_text(encoding="utf-8"))
    events = {event["what"] for event in told["timeline"]}
    assert [text for text in texts if sinks.visible(text, keep="\n\t") not in events] == []


@pytest.mark.parametrize("maker", ["chromium", "weasyprint"])
def test_a_pdf_holds_no_action(tmp_path, texts, maker, monkeypatch):
    """Printed, each text is text: the PDF has no script, no action, no link out, no attached file, and the words can be read."""
    if maker == "chromium":
        monkeypatch.setattr(pdf, "weasyprint", lambda page: None)
        needs.program("chromium")
    else:
        needs.weasyprint()
        monkeypatch.setattr(pdf, "chromium", lambda page: None)
    run = save(tmp_path / "run.ipynb", hostile.body(texts, alone=maker == "chromium"))  # the other takes a minute for all
    made = appendix.export(run, tmp_path / "out.pdf", to="pdf", header=hostile.head(texts[:3]), audience="internal", extra=EYES)
    reader = pypdf.PdfReader(io.BytesIO(made.path.read_bytes()))
    objects = [reader.get_object(pypdf.generic.IndirectObject(n, 0, reader)) for n in range(1, reader.trailer["/Size"])]
    assert not ACTIONS & {name for one in objects for name in names_of(one)}
    words = "".join(pdf_text(made.path).split())
    words = re.sub("[\ufb00-\ufb04]", lambda m: ("ff", "fi", "fl", "ffi", "ffl")[ord(m[0]) - 0xfb00], words)  # set as one letter
    assert [text for text in texts if len(text) < 200 and text.isprintable() and "\U0001f525" not in text
            and "".join(sinks.visible(text).split()) not in words] == []


def pdf_text(path):
    """The words of a PDF, as a reader copies them."""
    return subprocess.run([needs.program("pdftotext"), "-raw", path, "-"], capture_output=True, text=True, check=True, timeout=60).stdout


def names_of(value):
    """The names in an object of a PDF, keys and values."""
    if isinstance(value, dict):
        for key, inner in dict.items(value):
            yield str(key)
            yield from names_of(inner)
    elif isinstance(value, list):
        for inner in list.__iter__(value):
            yield from names_of(inner)
    elif type(value).__name__ == "NameObject":
        yield str(value)


def test_markdown_of_other_readers(exports):
    """A second reader of Markdown, with raw HTML and every extension on, sees no element that could run or load."""
    import mistune

    source = (exports["hostile"] / "out.md").read_text(encoding="utf-8")
    rendered = mistune.create_markdown(escape=False, plugins=["table", "strikethrough", "url", "footnotes", "task_lists", "math"])(source)
    tags = set(re.findall(r"<([a-zA-Z][\w-]*)", rendered))
    assert tags <= {"h1", "h2", "h3", "p", "table", "thead", "tbody", "tr", "th", "td", "strong", "em", "code", "pre", "img", "ul", "ol", "li",
                    "blockquote", "a", "hr"}, tags
    assert not [link for link in re.findall(r'(?:href|src)="([^"]*)"', rendered) if not re.match(r"#|out_files/figure-", html.unescape(link))]
