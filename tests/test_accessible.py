"""The page can be read by everyone and by every machine: accessibility in the browser, valid HTML, a tagged PDF, the look that was approved."""

import io
import json
import os
import re
import subprocess
from itertools import pairwise
from pathlib import Path

import needs
import pypdf
import pytest
from browser import Browser
from form_samples import asked, entries, header
from PIL import Image, ImageChops, ImageStat
from publish_samples import CHANGES, END, ONSET, changes, code, error, markdown, minute, notebook, onset, save, series, shown, stream

from incidentnb import times
from incidentnb.findings import Finding
from incidentnb.publish import appendix, timeline
from incidentnb.publish.forms import pdf

GOLDEN = Path(__file__).parent / "golden"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SCOPE = Finding("scope", "subset", "Only version 4.18.0: 41 % fail there, 0.3 % elsewhere; it explains 97 % of the excess.", numbers={"subsets": [
    {"where": {"version": "4.18.0"}, "rate_inside": 0.41, "rate_outside": 0.003},
    {"where": {"route": "POST /orders", "region": "eu-west-1"}, "rate_inside": 0.08, "rate_outside": 0.012}]})


def executed(broken: bool = False) -> dict:
    """An executed notebook with the figures of the house; ``broken``, a section failed and one never ran."""
    berlin = times.zone("Europe/Berlin")
    order = timeline.timeline_finding(timeline.timeline(entries("the page told us"), changes()), ONSET, END, berlin)
    marks = {"changes": changes(), "milestones": {"detected_at": minute(66), "mitigated_at": END}, "zone": berlin}
    cells = [
        markdown("# Checkout answers 500\n\nThe questions of the runbook, each answered from the logs."),
        code("incident = '.'  # the incident folder", [], "parameters"), code("from incidentnb import Case", [], "setup"),
        markdown("## Is there a spike, when did it start?\n\nA likelihood scan over all intervals."),
        code("show(case.onset)", shown(onset(), **marks)),
        markdown("## Everyone, or a subset?"), code("show(case.scope)", shown(SCOPE)),
        markdown("## What could have caused it?"), code("show(case.suspects)", shown(Finding(
            "suspects", "ranked", "The likeliest of 2 known changes is deploy shop-api 4.18.0, 49 s before the onset.",
            numbers={"changes": CHANGES, "onset": ONSET}), zone=berlin)),
        markdown("## Which routes fail?"), code("show(case.routes)", shown(asked())),
        markdown("## Logs by hand"), code("print(tail)", [stream("\x1b[31mERROR\x1b[0m payment failed for $5\n")]),
        markdown("## What happened, in order", "timeline"), code("show(case.timeline)", shown(order, zone=berlin), "timeline"),
        *([markdown("## Broken"), code("1 / 0", [error("ZeroDivisionError", "division by zero", ["Traceback", "1 / 0"])]),
           markdown("## Never"), code("after()", [], count=None)] if broken else []),
    ]
    fate = {"outcome": "killed", "why": "the kernel died"} if broken else {}
    return notebook(cells, **fate, notebook="investigation", versions={"incidentnb": "0.1.0"})


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Name → exported page: one that is whole, and one whose kernel died."""
    folder = tmp_path_factory.mktemp("pages")
    told = header("the page told us")
    return {name: appendix.export(save(folder / f"{name}.ipynb", executed(name == "broken")), folder / f"{name}.html", header=told).path
            for name in ("whole", "broken")}


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """Engine → the whole page as PDF."""
    needs.weasyprint()
    needs.program("chromium")
    folder = tmp_path_factory.mktemp("printed")
    run, told = save(folder / "run.ipynb", executed()), header("the page told us")
    made = {}
    for engine, other in (("weasyprint", "chromium"), ("chromium", "weasyprint")):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pdf, other, lambda page: None)
            made[engine] = appendix.export(run, folder / f"{engine}.pdf", to="pdf", header=told).path.read_bytes()
    return made


@pytest.mark.parametrize(("name", "window"), [
    ("whole", {}), ("whole", {"dark": True}), ("whole", {"width": 800}), ("broken", {}), ("broken", {"dark": True})])
def test_axe_finds_nothing(browser, pages, name, window):
    """axe-core finds no violation of WCAG 2.2 A and AA or of its best practices, folded parts opened, in light and dark, wide and narrow."""
    visit = browser.visit(pages[name], **window)
    visit.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    visit.evaluate(needs.web_tool("axe-core/axe.min.js").read_text(encoding="utf-8"))
    found = visit.evaluate(f"axe.run(document, {{runOnly: {json.dumps(RULES)}}}).then(r => ({{violations: r.violations.map("
                           "v => [v.id, v.nodes.map(n => n.html.slice(0, 200))]), passes: r.passes.length}))")
    assert found["violations"] == [] and found["passes"] > 25


def test_the_keyboard_reaches_everything_in_order(browser, pages):
    """Tab goes from the skip link through the contents to what is folded and what scrolls, in the page's order; nothing takes the focus away."""
    order = browser.visit(pages["whole"]).evaluate("""[...document.querySelectorAll('a[href], summary, [tabindex]')].filter(e => e.tabIndex >= 0)
        .map(e => [e.tabIndex, e.className || e.tagName])""")
    assert order[0] == [0, "skip"] and {index for index, _ in order} == {0} and len(order) > 15
    assert browser.visit(pages["whole"]).evaluate("document.activeElement.tagName") == "BODY"


def test_the_html_validates(pages):
    """The Nu checker finds no error, in the whole page and in the one of a killed kernel."""
    jar = needs.web_tool("vnu-jar/build/dist/vnu.jar")
    done = subprocess.run([needs.program("java"), "-jar", jar, "--errors-only", "--format", "json", "--exit-zero-always", *map(str, pages.values())],
                          capture_output=True, text=True, timeout=120, check=True)
    assert [(m["message"], m.get("extract")) for m in json.loads(done.stderr)["messages"] if m["type"] != "info"] == []


def elements(node, depth=0):
    """The structure elements of a PDF below a node, in reading order."""
    kids = node.get("/K", [])
    for kid in kids if isinstance(kids, list) else [kids]:
        kid = kid.get_object()
        if isinstance(kid, dict) and "/S" in kid:
            yield kid
            yield from elements(kid, depth + 1)


def test_the_pdf_passes_the_checks_of_pdf_ua(printed):
    """PDF/UA-1 (ISO 14289-1), what a program can check: marked, titled, of a language, all of it tagged or decoration, every figure described,
    headings in order, cells that know their headings, fonts embedded with their characters, tab order of the structure."""
    reader = pypdf.PdfReader(io.BytesIO(printed["weasyprint"]))
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"] and root["/Lang"] == "en" and root["/ViewerPreferences"]["/DisplayDocTitle"]
    packet = root["/Metadata"].get_data().decode()
    assert re.search(r"pdfuaid:part\W+1\b", packet) and "the page told us" in packet
    found = list(elements(root["/StructTreeRoot"]))
    names = [str(one["/S"])[1:] for one in found]
    assert {"Document", "H1", "H2", "P", "Table", "TR", "TH", "TD", "Figure"} <= set(names)
    figures = [one for one in found if one["/S"] == "/Figure"]
    assert len(figures) >= 4 and all(str(one.get("/Alt", "")).strip() for one in figures)
    levels = [int(name[1]) for name in names if re.fullmatch(r"H\d", name)]
    assert levels[0] == 1 and all(later - sooner <= 1 for sooner, later in pairwise(levels))
    heads = {str(one["/ID"]) for one in found if one["/S"] == "/TH"}
    told = [list(map(str, one["/A"].get_object().get("/Headers", ()))) for one in found if one["/S"] == "/TD"]
    assert heads and all(names and heads.issuperset(names) for names in told)
    for page in reader.pages:
        assert page.get("/Tabs") == "/S" and "/StructParents" in page
        for font in page["/Resources"]["/Font"].values():
            font = font.get_object()
            inner = font["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object()
            assert "/ToUnicode" in font and any(key in inner for key in ("/FontFile2", "/FontFile3"))
        depth = 0
        for operands, operator in pypdf.generic.ContentStream(page.get_contents(), reader).operations:
            depth += (operator in (b"BDC", b"BMC")) - (operator == b"EMC")
            assert depth > 0 or operator not in (b"Tj", b"TJ", b"'", b'"', b"Do"), (operator, operands)


def test_the_pdf_of_a_browser_is_tagged_too(printed):
    """Without WeasyPrint the system's Chromium makes a PDF of the same page with tags, a language, a title and a description of each figure."""
    reader = pypdf.PdfReader(io.BytesIO(printed["chromium"]))
    root = reader.trailer["/Root"]
    found = list(elements(root["/StructTreeRoot"]))
    assert root["/MarkInfo"]["/Marked"] and root["/Lang"] == "en" and "the page told us" in reader.metadata.title
    assert all(str(one.get("/Alt", "")).strip() for one in found if one["/S"] == "/Figure")
    assert {"/H1", "/H2", "/Table", "/TH", "/Figure"} <= {one["/S"] for one in found}
    assert b"Mozilla" not in printed["chromium"] and b"20000101000000" in printed["chromium"]


def test_the_same_page_prints_to_the_same_bytes(tmp_path, printed):
    """Twice the same PDF, whichever program printed it."""
    run, told = save(tmp_path / "run.ipynb", executed()), header("the page told us")
    for engine, other in (("weasyprint", "chromium"), ("chromium", "weasyprint")):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pdf, other, lambda page: None)
            assert appendix.export(run, tmp_path / "again.pdf", to="pdf", header=told).path.read_bytes() == printed[engine], engine


@pytest.mark.parametrize(("name", "window", "page"), [
    ("page-1280-light", {"width": 1280}, "whole"), ("page-1280-dark", {"width": 1280, "dark": True}, "whole"),
    ("page-800-light", {"width": 800}, "whole"), ("page-800-dark", {"width": 800, "dark": True}, "whole"),
    ("broken-1280-light", {"width": 1280}, "broken")])
def test_the_page_looks_as_approved(browser, pages, tmp_path, name, window, page):
    """The first screen of the page is the picture that people looked at, but for how a version of the browser sets its letters."""
    compare(browser.visit(pages[page], height=1400, **window).screenshot(tmp_path / f"{name}.png", 1400), name)


def test_the_print_looks_as_approved(printed, tmp_path):
    """The first page of the PDF is the picture that people looked at."""
    (tmp_path / "a.pdf").write_bytes(printed["weasyprint"])
    pdftoppm = needs.program("pdftoppm")
    subprocess.run([pdftoppm, "-r", "80", "-l", "1", "-singlefile", "-png", tmp_path / "a.pdf", tmp_path / "page"], check=True, timeout=60)
    compare(tmp_path / "page.png", "pdf-page-1")


def compare(picture: Path, name: str) -> None:
    """Fail where a picture is another than the golden one, seen from two steps away."""
    golden = GOLDEN / f"{name}.png"
    if os.environ.get("UPDATE_GOLDEN"):
        Image.open(picture).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(golden, optimize=True)
    new, old = (Image.open(path).convert("RGB") for path in (picture, golden))
    assert new.size == old.size
    far = [image.resize((image.width // 16, image.height // 16), Image.Resampling.BOX) for image in (new, old)]
    apart = ImageStat.Stat(ImageChops.difference(*far))
    assert max(apart.mean) < 4, f"{picture} differs from {golden.name}: {apart.mean}"


def test_the_figures_tell_both_zones():
    """The samples above draw the incident's zone below UTC, so that what is looked at shows it."""
    assert "time (Europe/Berlin)" in json.dumps(executed()) and len(series()) > 10
