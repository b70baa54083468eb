"""The forms of the appendix: they tell the same, they are the same bytes each time, and hostile text is text in each of them."""

import csv
import functools
import io
import json
import os
import re
import time
from collections import Counter
from pathlib import Path

import needs
import pytest
from form_samples import KINDS, header, investigation, model
from publish_samples import code, markdown, notebook, save, stream
from test_appendix import Page
from test_confluence import parsed, texts

from incidentnb import sinks
from incidentnb.exceptions import InputError
from incidentnb.publish import account, appendix, forms, redaction, safe
from incidentnb.publish.forms import paper, pdf
from incidentnb.publish.forms.events import PLAIN, TIMESKETCH
from incidentnb.record import incident, journal, statements

GOLDEN = Path(__file__).parent / "golden"


def rendered(document: str) -> Page:
    import mistune

    return Page(mistune.create_markdown(escape=False, plugins=["table", "strikethrough", "url"])(document))


def payloads(shared) -> list[str]:
    """Every hostile text of the shared sets: of markup, and of spreadsheets."""
    bad = shared / "bad"
    return [case["payload"] for case in json.loads((bad / "xss.json").read_text(encoding="utf-8"))] + [
        case["value"] for case in json.loads((bad / "csv_formula.json").read_text(encoding="utf-8"))]


def flat(text: str) -> str:
    return " ".join(text.split())


def seen(text: str) -> str:
    """A text as a form shows it: what nobody sees made visible, in one line."""
    return flat(sinks.visible(text, keep="\n\t"))


@functools.cache
def built(text: str) -> dict:
    return model(text)


def made(to: str, text: str = "trying again does not help") -> bytes:
    return forms.make(to, built(text), "appendix_files").data


def test_every_form_tells_the_same():
    """Title, severity, status, milestones, metrics and events, in the same order, in each form that has them."""
    page, told = model(), json.loads(made("json"))
    document, html = rendered(made("md").decode()).words, Page(made("html").decode()).words
    xml = flat(" ".join(texts(parsed(made("confluence").decode()))))
    for words in (document, xml, html):
        for fact in [page["title"], page["severity"], page["status"], *(f["text"] for f in page["facts"]), *(m["text"] for m in page["metrics"])]:
            assert flat(fact) in words, fact
    titles = [flat(section["title"]) for section in page["sections"]]
    assert re.findall("^## (.*)$", made("md").decode(), re.MULTILINE)[1:5] == titles
    assert [flat("".join(e.itertext())) for e in parsed(made("confluence").decode()).iter("h2")][:4] == titles
    assert (told["title"], told["severity"], told["status"]) == (page["title"], page["severity"], page["status"])
    assert [told["milestones"][f"{name}_at"]["at"] for name in ("started", "detected", "mitigated")] == [
        f["iso"] for f in page["facts"] if f.get("iso")]
    assert told["metrics"].keys() == header()["metrics"].keys()
    assert {name: m["seconds"] for name, m in told["metrics"].items()} == {name: m["value"] for name, m in header()["metrics"].items()}
    rows = {to: list(csv.DictReader(io.StringIO(made(to).decode(), newline=""))) for to in ("csv", "timesketch")}
    assert [r["what"] for r in rows["csv"]] == [r["message"] for r in rows["timesketch"]] == [e["what"] for e in told["timeline"]]
    assert [r["at"] or None for r in rows["csv"]] == [e["at"] for e in told["timeline"]]


@pytest.mark.parametrize("to", KINDS)
def test_the_same_gives_the_same_bytes(to):
    """Twice the same model is twice the same bytes and the same pictures."""
    first, second = (forms.make(to, model(), "appendix_files") for _ in range(2))
    assert first == second and first.data.endswith(b"\n")


def test_hostile_text_adds_no_element(shared):
    """With a payload in every text of record, header and notebook a form has the elements that it has with a harmless word; the words are shown."""
    plain = {"md": Counter(tag for tag, _ in rendered(made("md", "a harmless word").decode()).elements),
             "confluence": Counter((e.tag, *sorted(e.attrib)) for e in parsed(made("confluence", "a harmless word").decode()).iter())}
    for payload in payloads(shared):
        page = rendered(made("md", payload).decode())
        wrong = [w for w in page.wrong if not (w[0] == "img" and str(w[2]).startswith("appendix_files/")) and w[-1] != "text-align:right"
                 and not str(w[-1]).startswith("https://wiki.example/")]
        assert wrong == [] and Counter(tag for tag, _ in page.elements) == plain["md"], payload
        assert page.words.count(seen(payload)) >= 10, payload
        tree = parsed(made("confluence", payload).decode())
        assert Counter((e.tag, *sorted(e.attrib)) for e in tree.iter()) == plain["confluence"], payload
        assert sum(seen(payload) in flat(text) for text in texts(tree)) >= 10, payload


def test_hostile_text_is_data(shared):
    """With a payload in every text JSON has its own keys and the payload among its values; no cell of a table is a formula."""
    keys = structure(json.loads(made("json")))
    for payload in payloads(shared):
        told = json.loads(made("json", payload))
        assert structure(told) == keys and told["title"] == sinks.visible(payload, keep="\n\t")
        for to, columns in (("csv", PLAIN), ("timesketch", TIMESKETCH)):
            rows = list(csv.reader(io.StringIO(made(to, payload).decode(), newline="")))
            assert rows[0] == list(columns) and {len(row) for row in rows} == {len(columns)} and len(rows) == 1 + len(told["timeline"])
            assert not [cell for row in rows for cell in row if re.match(r"\s*[=+\-@\t\r|%]", cell) and not re.fullmatch(r"[+-]?\d+(\.\d+)?", cell)]


def structure(value):
    """The keys of an object and the number of its parts, without their values."""
    if isinstance(value, dict):
        return {key: structure(part) for key, part in value.items()}
    return [structure(part) for part in value] if isinstance(value, list) else None


@pytest.mark.parametrize("text", ["\ud83d lone", "\x00" * 50, "]]>" * 9, "`" * 99, "|" * 500, "\ufeff\u202e", "a\r\nb\rc", "&#x110000;",
                                  "<" * 900, " "])
@pytest.mark.parametrize("to", KINDS)
def test_no_text_makes_a_form_fail(to, text):
    """A form is made whatever a text is made of, and is what it says it is."""
    data = made(to, text)
    if to == "confluence":
        parsed(data.decode())
    elif to == "json":
        json.loads(data)


@pytest.mark.parametrize(("to", "name"), [("md", "appendix.md"), ("confluence", "appendix.confluence.xml"), ("json", "appendix.json"),
                                          ("csv", "appendix.timeline.csv"), ("timesketch", "appendix.timesketch.csv")])
def test_forms_are_the_golden_ones(to, name):
    """Each form of the incident told by hand, byte for byte but for the digest in a picture's name. ``UPDATE_GOLDEN=1`` writes them anew."""
    data = re.sub(rb"(figure-\d\d-)[0-9a-f]{8}", rb"\g<1>00000000", made(to))
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / name).write_bytes(data)
    assert data == (GOLDEN / name).read_bytes()


def test_exports_are_named_by_their_form(tmp_path):
    """Each form lies under its own name, its pictures in one folder beside it, and the digest is that of its bytes."""
    run = save(tmp_path / "run.ipynb", investigation())
    for to in KINDS:
        out = appendix.export(run, tmp_path / f"appendix{forms.FORMS[to][0]}", to=to, header=header())
        assert out.path.is_file() and all(picture.parent.name == "appendix_files" and picture.is_file() for picture in out.files)
    assert len(list((tmp_path / "appendix_files").iterdir())) == 2  # what another form shows is not taken away
    assert sorted(p.name for p in tmp_path.glob("appendix.*")) == sorted(f"appendix{forms.FORMS[to][0]}" for to in KINDS)


def test_the_account_is_as_known_then(tmp_path):
    """As of an instant the account holds nothing that was recorded later, and what is not known is None."""
    folder = incident.create(tmp_path, "Checkout 5xx", "SEV-2", ic="Maja", at="2026-11-23T14:07:00Z", recorded_at=journal_time("14:07"))
    statements.note(folder, "early", recorded_at=journal_time("14:10"))
    statements.note(folder, "late", recorded_at=journal_time("15:10"))
    then, now = (account.account(incident.load(folder, as_of)) for as_of in (journal_time("14:30"), None))
    assert [row["what"] for row in now["timeline"]] == ["Incident opened: Checkout 5xx, SEV-2", "early", "late"]
    assert now["timeline"][:2] == then["timeline"] and '"late"' not in json.dumps(then)
    assert then["metrics"]["TTD"] == {"seconds": None, "from": None, "to": None, "provenance": "started → detected",
                                      "problem": "started and detected missing"}
    assert then["milestones"]["started_at"] == {"at": None, "earliest": None, "latest": None, "provenance": None, "seq": None}
    assert len(journal.read(folder)) == 3


def journal_time(clock: str):
    from incidentnb import times

    return times.parse(f"2026-11-23T{clock}:00Z")


def test_answers_of_the_journal_are_the_answers_that_were():
    """An answer read back from the journal is the answer that was recorded, by its id; of several to one question the last stands."""
    from form_samples import asked, entries

    known = incident.fold(Path("x"), entries())
    found = account.answers(known)
    assert [finding.id for finding in found] == [asked("trying again does not help").id]


def test_paths_of_answers_tell_nothing_of_the_machine():
    """Where the numbers of an answer name a file, the account keeps its last two parts."""
    from form_samples import asked, entries

    known = incident.fold(Path("x"), entries())
    finding = asked(numbers={"changes": [{"source": "/home/maja/feeds/deploys.jsonl:7"}, {"source": "https://a.example/b/c/d"}]})
    told = account.account(known, (), [finding])["findings"][0]["numbers"]["changes"]
    assert told == [{"source": "feeds/deploys.jsonl:7"}, {"source": "https://a.example/b/c/d"}]


def test_secrets_leave_no_byte_of_any_form(tmp_path):
    """A secret and a mail address in every text of record, header and notebook are in no form and in no picture beside it; a pseudonym is."""
    secret, mail = "ghp_" + "a1B2" * 9, "jane.doe@example.org"
    run = save(tmp_path / "run.ipynb", investigation(f"{secret} {mail}"))
    for to in KINDS:
        out = appendix.export(run, tmp_path / f"appendix{forms.FORMS[to][0]}", to=to, header=header(f"{secret} {mail}"))
        everything = out.path.read_bytes() + b"".join(picture.read_bytes() for picture in out.files)
        assert not [value for value in (secret, mail, "a1B2a1B2", "jane&#46;doe") if value.encode() in everything], to
        assert "⟦" in everything.decode("utf-8", "replace")


def test_a_wide_table_is_parted_on_paper():
    """On paper a table of sixty columns is several, each with the names of its rows; one that fits, or whose cells span others, stays one."""
    def printed(columns: int, span: str = "") -> str:
        head = "".join(f"<th>column_{n}</th>" for n in range(columns))
        body = "".join(f"<td{span}>{n}.123456</td>" for n in range(columns))
        markup = safe.clean(f"<table><thead><tr><th></th>{head}</tr></thead><tbody><tr><th>row 0</th>{body}</tr></tbody></table>")
        return paper._printed({"html": markup})["html"]

    wide = printed(60)
    assert wide.count("<table") == wide.count("row 0") > 4 and wide.count("continued (2 of") == 1
    assert all(wide.count(f">column_{n}<") == wide.count(f">{n}.123456<") == 1 for n in range(60))
    assert printed(8).count("<table") == 1 and printed(60, ' colspan="2"').count("<table") == 1


def test_what_one_printer_cannot_print_the_other_does(monkeypatch):
    """A printer that fails costs nothing while the other works; where both fail one line says why each did, and nothing is started twice."""
    started = []

    def printer(name, result):
        def print_it(page):
            started.append(name)
            if isinstance(result, str):
                raise InputError("export --to pdf", result, "export --to html")
            return result

        monkeypatch.setattr(pdf, name, print_it)

    printer("weasyprint", "WeasyPrint failed")
    printer("chromium", b"%PDF")
    assert pdf.make(model()).data == b"%PDF" and started == ["weasyprint", "chromium"]
    started.clear()
    printer("weasyprint", None)
    printer("chromium", "Chromium did not end")
    with pytest.raises(InputError, match="Chromium did not end"):
        pdf.make(model())
    assert started == ["weasyprint", "chromium"]
    printer("weasyprint", "WeasyPrint failed")
    with pytest.raises(InputError, match="WeasyPrint failed; Chromium did not end"):
        pdf.make(model())


def test_a_chromium_that_cannot_be_run_is_one_line(monkeypatch, tmp_path):
    """A browser that is no program, and one that never ends, are told in one line, and the second leaves no process."""
    broken, slow = tmp_path / "broken", tmp_path / "slow"
    broken.write_bytes(b"\x7fELF no program")
    slow.write_text(f"#!/bin/sh\n(while :; do echo x >> {tmp_path}/beats; sleep 0.05; done) &\nwait\n", encoding="utf-8")
    for path, why in ((broken, "cannot be run"), (slow, "did not end within 1 s")):
        path.chmod(0o755)
        monkeypatch.setattr(pdf, "browser", lambda path=path: str(path))
        with pytest.raises(InputError, match=why):
            pdf.chromium("<p>", seconds=1)
    beats = (tmp_path / "beats").stat().st_size
    time.sleep(0.3)
    assert (tmp_path / "beats").stat().st_size == beats > 0  # nothing that it started is alive


def test_no_heading_stands_alone_at_the_foot_of_a_page():
    """However much stands before it, the heading of the provenance is on the page of what it heads."""
    needs.weasyprint()
    import pypdf

    for lines in (42, 43, 44):
        cells = [markdown("# T"), markdown("## A"), code("x", [stream("l\n" * lines)])]
        shown = paper.render(appendix.redacted_page(notebook(cells), None, redaction.Eyes("public", None)))
        pages = [page.extract_text().splitlines() for page in pypdf.PdfReader(io.BytesIO(pdf.weasyprint(shown))).pages]
        assert [page for page in pages if any("Made for" in line for line in page) and "Provenance" in page], lines
