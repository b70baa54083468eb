"""The appendix: one page that opens anywhere, tells the truth, runs nothing, loads nothing, and is the same bytes each time."""

import base64
import contextlib
import functools
import html.parser
import http.server
import json
import os
import re
import subprocess
import sys
import threading
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import needs
import pytest
from publish_samples import (
    END,
    ONSET,
    changes,
    code,
    data,
    error,
    investigation,
    markdown,
    minute,
    notebook,
    onset,
    png,
    save,
    shown,
    stream,
)

from incidentnb import places, sinks
from incidentnb.exceptions import InputError
from incidentnb.publish import appendix, page, safe
from incidentnb.publish.heading import heading
from incidentnb.record import incident, journal, milestones, statements

HEADER = {
    "incident": "2026-11-23-checkout", "title": "Checkout answers 500", "severity": "SEV-2", "status": "resolved", "ic": "Maja Lind",
    "zone": "Europe/Berlin", "scope": "Only version 4.18.0.", "summary": "Rolled back.",
    "milestones": {"started_at": ONSET, "detected_at": minute(66), "mitigated_at": END.at, "resolved_at": None},
    "metrics": {"TTD": {"value": timedelta(minutes=2, seconds=40), "from": ONSET, "to": minute(66), "provenance": "alert"}, "TTR": {"value": None}},
    "inputs": [{"path": "app.log", "format": "pino JSON", "lines": 1000, "parsed": 970, "continuation": 7, "rejected": 23, "zone": "UTC",
                "zone_source": "assumed", "sha256": "ab" * 32}],
    "journal": {"head": "cd" * 32, "entries": 12}, "versions": {"incidentnb": "0.1.0"},
}
SCRIPTING = re.compile(r"^on|^srcdoc$|^formaction$|^action$|^style$|^background$|^ping$")


class Page(html.parser.HTMLParser):
    """Elements in order, text per element id, and what could run, load or lead out."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.text, self.wrong = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.elements.append((tag, attrs))
        if tag in ("script", "iframe", "object", "embed", "form", "input", "button", "base", "video", "audio", "svg", "math", "template", "noscript"):
            self.wrong.append((tag, attrs))
        for name, value in attrs.items():
            ours = re.match(r"data:image/(png|svg\+xml);base64,|data:,$|#", value or "")
            outside = name in ("src", "href", "srcset", "data", "poster") and not ours
            if SCRIPTING.search(name) or outside:
                self.wrong.append((tag, name, value))

    handle_startendtag = handle_starttag

    def handle_data(self, data):
        self.text.append(data)

    def tags(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]

    @property
    def words(self):
        return " ".join("".join(self.text).split())


def exported(tmp_path, content, name="out.html", header=HEADER, **options):
    run = save(tmp_path / "run.ipynb", content)
    return appendix.export(run, tmp_path / name, header=header, **options).path.read_text(encoding="utf-8")


def test_the_page_is_in_the_readers_order(tmp_path):
    """Head, then contents, the timeline first of the sections, provenance last; set-up folded at the end."""
    text = exported(tmp_path, investigation())
    reader = Page(text)
    assert [s["id"] for s in reader.tags("section")] == ["s1-what-happened-in-order", "s2-is-there-a-spike", "s3-logs-by-hand", "provenance"]
    assert [a["href"] for a in reader.tags("a")] == ["#content", *(f"#{section['id']}" for section in reader.tags("section"))]
    assert text.index("14:03:20 it began") < text.index("Failures began at") < text.index("the incident folder")
    for fact in ("SEV-2", "resolved", "Maja Lind", "2026-11-23 14:03:20 UTC", "15:03:20 Europe/Berlin", "between 14:03:05 and 14:03:40",
                 "Only version 4.18.0.", "2 min 40 s", "14:03:20 → 14:06:00", "not recorded", "12 entries, head cdcd", "It cost $5, not $6."):
        assert fact in reader.words, fact


def test_nothing_in_the_page_runs_or_loads(tmp_path):
    """No script, no frame, no form, no request, no style attribute; a policy that allows none of them."""
    reader = Page(exported(tmp_path, investigation()))
    assert reader.wrong == []
    policy = next(m["content"] for m in reader.tags("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")


def test_the_page_can_be_used_by_everyone(tmp_path):
    """Language, landmarks, one h1, headings in order, unique ids, a scope on each header cell, words for each picture and each box."""
    reader = Page(exported(tmp_path, investigation()))
    assert reader.tags("html")[0]["lang"] == "en" and len(reader.tags("h1")) == 1
    assert all(len(reader.tags(landmark)) == 1 for landmark in ("main", "nav", "header", "footer"))
    levels = [int(tag[1]) for tag, _ in reader.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and all(later - sooner <= 1 for sooner, later in pairwise(levels))
    ids = [attrs["id"] for _, attrs in reader.elements if "id" in attrs]
    assert len(ids) == len(set(ids)) and {a["href"][1:] for a in reader.tags("a")} <= set(ids)
    assert reader.tags("th") and all(th["scope"] in ("col", "row") for th in reader.tags("th"))
    assert [img["alt"] for img in reader.tags("img")] == [onset().sentence]
    assert all(attrs.get("aria-label") for _, attrs in reader.elements if attrs.get("class") == "scroll")


def test_the_code_is_hidden_and_reachable(tmp_path):
    """Each section's code is there, folded, without a script."""
    text = exported(tmp_path, investigation())
    for source in ("show(case.onset)", "print(tail)", "show(case.timeline)"):
        folded = re.findall(r'<details class="code">.*?</details>', text, re.DOTALL)
        assert any(source in re.sub(r"<[^>]+>", "", part) for part in folded)
    assert "<details open" not in text and "<details class" in text


def test_every_colour_of_words_can_be_read():
    """Words have a contrast of 4.5:1 on every ground that they stand on, in light and in dark (WCAG 2.2, AA)."""
    from test_figures import contrast

    style = (places.templates() / "incidentnb" / "style.css").read_text(encoding="utf-8")
    light, dark = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2])
    pairs = [(ink, ground) for ink in ("ink", "soft", "accent", "string", "keyword", "number") for ground in ("paper", "sheet", "wash")]
    pairs += [("ink", "bad-wash"), ("soft", "bad-wash"), ("ink", "warn-wash"), *((c, f"{c}-wash") for c in ("bad", "good", "warn")), ("bad", "paper")]
    for theme in (light, dark):
        assert all(contrast(theme[ink], theme[ground]) >= 4.5 for ink, ground in pairs), [
            (p, contrast(theme[p[0]], theme[p[1]])) for p in pairs if contrast(theme[p[0]], theme[p[1]]) < 4.5]


def test_the_same_notebook_gives_the_same_bytes(tmp_path):
    """Twice the same export is twice the same bytes, HTML and Markdown, whenever and wherever it is made."""
    (tmp_path / "elsewhere").mkdir()
    for to in ("html", "md"):
        first = exported(tmp_path, investigation(), f"a.{to}", to=to)
        second = exported(tmp_path / "elsewhere", investigation(), f"a.{to}", to=to)
        assert first == second


def test_an_export_is_replaced_at_once(tmp_path, monkeypatch):
    """When writing fails the old export stands as it was, and nothing is left beside it."""
    before = exported(tmp_path, investigation())
    monkeypatch.setattr(os, "fsync", lambda fd: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(InputError, match="No space left"):
        exported(tmp_path, notebook([markdown("# other")]))
    assert (tmp_path / "out.html").read_text(encoding="utf-8") == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.html", "run.ipynb"]


def test_what_is_missing_is_said_first(tmp_path):
    """Failed, uncomputed and unrun sections are named at the top, in the contents and at their place; what ran is still there."""
    content = notebook([
        markdown("## Good"), code("1", [stream("fine\n")]),
        markdown("## Broken"), code("2", [error("KeyError", "'x' <b>", ["\x1b[31mTraceback\x1b[0m line"])]),
        markdown("## Told"), code("3", [data({"text/plain": "no column"}, {"incidentnb": {"section_failed": "no column"}})]),
        markdown("## Never"), code("4", [], count=None),
    ], outcome="killed", why="out of memory", notebook="investigation", versions={"python": "3.12"})
    reader = Page(exported(tmp_path, content))
    words = reader.words
    assert words.index("did not complete: killed, out of memory") < words.index("Contents")
    banner = words[words.index("did not complete"):words.index("Contents")]
    for state, section in (("failed", "Broken"), ("could not be computed", "Told"), ("not run", "Never")):
        assert f"{state}{section}" in banner.replace(" ", "").replace(state.replace(" ", ""), state) and words.count(state) >= 3
    assert "1 of 4 cells completed" in banner and "fine" in words and "KeyError: 'x' <b>" in words and "Traceback line" in words
    assert "23 of 1,000 lines could not be read" in words and "time zone of 1 of 1 files is assumed" in words


def test_states_come_from_the_run_record(tmp_path):
    """What the executing process wrote about a cell holds over what its outputs seem to say; its own banner cell is not repeated."""
    content = notebook([markdown("> **banner**", "banner"), markdown("## Slow"),
                        code("1", [stream("half\n")], incidentnb={"state": "timed out", "why": "after 600 s"})], outcome="timed out")
    words = Page(exported(tmp_path, content)).words
    assert "timed outSlow" in words.replace(" ", "").replace("timedout", "timed out") and "> **banner**" not in words and "half" in words


def test_a_whole_notebook_has_no_banner(tmp_path):
    """Where everything ran nothing is said to be missing."""
    assert 'class="banner"' not in exported(tmp_path, investigation())


def hostile(payloads, sections=None):
    """A notebook that holds each payload in every place that a notebook has; ``sections``: only so many of them have a section."""
    cells = [markdown("# " + payloads[0])]
    for n, payload in enumerate(payloads[:sections]):
        words = f"## {n} {payload}\n\n{payload}\n\n- {payload}\n\n```\n{payload}\n```"
        cells += [markdown(words), code(f"x = {payload!r}\n# {payload}", [
            stream(payload), stream(payload, "stderr"), data({"text/html": payload}),
            data({"text/html": f"<table><tr><th>{payload}</th></tr></table>"}),
            data({"text/markdown": payload}), data({"text/plain": payload}), error(payload, payload, [payload]),
            data({"application/javascript": payload}), data({"text/latex": payload}), data({payload: payload}),
            data({"image/svg+xml": f"<svg xmlns='http://www.w3.org/2000/svg'>{payload}</svg>"},
                 {"image/svg+xml": {"alt": payload, "width": payload}}),
            data({"image/png": payload, "text/plain": payload}), data({"image/png": png()}, {"image/png": {"alt": payload}}),
            *shown(onset(sentence=payload, why=payload, notes=(payload,), query=payload, frame=None, numbers={payload: payload}))])]
    cells[-1]["metadata"]["tags"] = ["timeline", payloads[1]]
    content = notebook(cells, outcome=payloads[0], why=payloads[1], notebook=payloads[2], versions={payloads[3]: payloads[4]})
    keys = ("incident", "title", "severity", "status", "ic", "zone", "scope", "summary", "as_of")
    header = {key: payloads[n % len(payloads)] for n, key in enumerate(keys)}
    header |= {"milestones": {"started_at": payloads[5]}, "metrics": {payloads[6]: {"value": payloads[7], "provenance": payloads[8]}},
               "journal": {"head": payloads[9]}, "inputs": [dict.fromkeys(("path", "format", "zone", "zone_source", "sha256"), payloads[10])]}
    return content, header


def payloads_of(shared):
    return [case["payload"] for case in json.loads((shared / "bad" / "xss.json").read_text(encoding="utf-8"))]


def test_hostile_text_is_text_in_every_place(tmp_path, shared):
    """Each payload in every place of a notebook and of its header: no element, no attribute, no link more than ours; the words shown."""
    payloads = payloads_of(shared)
    content, header = hostile(payloads)
    text = exported(tmp_path, content, header=header)
    reader = Page(text)
    assert reader.wrong == []
    for payload in payloads:
        plain = " ".join(sinks.visible(payload, keep="\n\t").split())
        assert plain in reader.words, payload


def test_hostile_markdown_renders_inert(tmp_path, shared):
    """The Markdown export, rendered with raw HTML allowed, shows every payload and runs none."""
    import mistune

    content, header = hostile(payloads_of(shared))
    text = exported(tmp_path, content, "out.md", header=header, to="md")
    rendered = mistune.create_markdown(escape=False, plugins=["table"])(text)
    ours = ("text-align:right",)  # how the renderer writes a column of numbers
    wrong = [w for w in Page(rendered).wrong if not (w[0] == "img" and str(w[2]).startswith("out_files/")) and w[-1] not in ours]
    assert wrong == []


@pytest.mark.parametrize("text", ["\ud83d lone", "<![", "<!DOCTYPE [", "\x00" * 50, "[" * 5000, ">" * 3000, "<b" * 5000, "&#x110000;", "`" * 999,
                                  "{{ 7*7 }}{% raw %}", "|" * 2000 + "\n|-|\n", "\ufeff\u202e", "a\r\nb\rc"])
def test_no_text_makes_the_export_fail(tmp_path, text):
    """The export is made whatever a text is made of."""
    content, header = hostile([text] * 11, sections=1)
    for to in ("html", "md"):
        assert exported(tmp_path, content, f"out.{to}", header=header, to=to)


@pytest.mark.parametrize("output", [{}, {"output_type": "display_data"}, {"output_type": "stream", "text": None}, {"output_type": "error"},
                                    data({"text/html": None}), data({"image/png": png()}, {"image/png": "x"}),
                                    data({"image/png": "AAAA"}), data({"image/png": png()[:40]}),
                                    {"output_type": "display_data", "data": [], "metadata": 3}, data({"text/html": ["<b>", "x"]})])
def test_no_output_makes_the_export_fail(tmp_path, output):
    """The export is made whatever an output lacks."""
    assert "x = 1" in Page(exported(tmp_path, notebook([markdown("## A"), code("x = 1", [output])]))).words
    assert exported(tmp_path, notebook([markdown("## A"), code("x = 1", [output])]), "out.md", to="md")


def test_secrets_leave_no_byte_of_any_export(tmp_path):
    """A secret in source, stream, table, traceback, alternative text, picture, metadata and header is in neither page nor document."""
    secret, mail = "ghp_" + "a1B2" * 9, "jane.doe@example.org"
    both = f"{secret} {mail}"
    content = notebook([
        markdown(f"## Section {both}\n\n{both}"),
        code(f"token = '{secret}'  # {mail}", [
            stream(f"a {both}\n"), data({"text/html": f"<td>{both}</td>"}), data({"text/markdown": f"| {both} |"}), error("E", both, [both]),
            data({"image/png": png(text=both.encode())}, {"image/png": {"alt": both}}),
            data({"image/svg+xml": f"<svg><text>{both}</text></svg>"}), *shown(onset(sentence=both, notes=(both,)))]),
    ], outcome="failed", why=both, parameters={"key": both})
    for to in ("html", "md"):
        text = exported(tmp_path, content, f"out.{to}", header={**HEADER, "title": both, "ic": both}, to=to)
        everything = text.encode() + b"".join(p.read_bytes() for p in tmp_path.glob("out_files/*"))
        pictures = b"".join(base64.b64decode(part) for part in re.findall(rb"base64,([A-Za-z0-9+/=]+)", everything))
        for value in (secret.encode(), mail.encode(), b"jane&#46;doe", b"a1B2a1B2"):
            assert value not in everything and value not in pictures, (to, value)
        assert "⟦token:" in text and "⟦email:" in text


def test_internal_readers_keep_personal_data(tmp_path):
    """For the audience internal mail addresses stay and secrets go; both are counted in what is returned."""
    content = notebook([markdown("## A"), code("x", [stream("jane@example.org password=hunter2\n")])])
    run = save(tmp_path / "run.ipynb", content)
    inside = appendix.export(run, tmp_path / "in.html", audience="internal")
    outside = appendix.export(run, tmp_path / "out.html")
    assert inside.hidden == {"password": 1} and outside.hidden == {"email": 1, "password": 1}
    assert "jane@example.org" in inside.path.read_text(encoding="utf-8") and "hunter2" not in inside.path.read_text(encoding="utf-8")


def test_markdown_has_tables_pictures_and_the_timeline_first(tmp_path):
    """The document has pipe tables, pictures beside it with alternative text, the code at its end; older pictures go."""
    (tmp_path / "out_files").mkdir()
    (tmp_path / "out_files" / "figure-09-00000000.png").write_bytes(b"old")
    (tmp_path / "out_files" / "mine.png").write_bytes(b"kept")
    text = exported(tmp_path, investigation(), "out.md", to="md")
    pictures = re.findall(r"!\[([^\]]+)\]\(out_files/([\w.-]+)\)", text)
    assert len(pictures) == 1 and (tmp_path / "out_files" / pictures[0][1]).read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in (tmp_path / "out_files").iterdir()) == sorted([pictures[0][1], "mine.png"])
    assert text.startswith("# Checkout answers 500\n") and "| time | total |" in text and "| --- | --- |" in text
    assert text.index("What happened, in order") < text.index("14:03:20 it began") < text.index("Failures began") < text.index("## Code")
    assert "<" not in re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def test_pictures_keep_their_pixels_and_lose_their_text():
    """A PNG is shown without its text chunks; what is no PNG is said to be unreadable."""
    kept = safe.picture_bytes("image/png", png(text=b"secret"))
    assert kept == base64.b64decode(png()) and b"secret" not in kept
    for broken in ("AAAA", "not base64!", png()[:44], base64.b64encode(b"GIF89a").decode()):
        assert safe.picture_bytes("image/png", broken) is None
    assert 'alt="a &lt;b&gt;" width="3" height="2"' in safe.picture("image/png", png(), {"alt": "a <b>"}, "")


@pytest.mark.parametrize(("markup", "clean"), [
    ("<p onclick=x style='color:red' class='answer evil'>a</p>", '<p class="answer">a</p>'),
    ("<a href='https://x.invalid'>a</a>", "a"), ("<img src=x>b", "b"), ("<script>x</script>c", "c"),
    ("<table><thead><tr><th>h</th></tr></thead><tbody><tr><th>r</th><td>1</td></tr></tbody></table>",
     '<div class="scroll" role="group" aria-label="Table" tabindex="0"><table><thead><tr><th scope="col">h</th></tr></thead>'
     '<tbody><tr><th scope="row">r</th><td>1</td></tr></tbody></table></div>')])
def test_markup_of_outputs_is_cut_to_what_is_allowed(markup, clean):
    """HTML of an output keeps its words and tables, and neither handler, style, link nor picture."""
    assert safe.clean(markup) == clean


def test_authors_may_link_and_strangers_may_not():
    """A link in the notebook's own prose stays, to http alone; in an output it is text."""
    assert 'href="https://example.org/" rel="noopener noreferrer nofollow"' in safe.markdown("[a](https://example.org/)", links=True)
    assert "href" not in safe.markdown("[a](javascript:alert(1)) [b](data:text/html,x)", links=True)
    assert "href" not in safe.markdown("[a](https://example.org/)") and "<em>" in safe.markdown("![p](http://x/p.png)")
    assert safe.markdown("it cost $5 and $6") == "<p>it cost $5 and $6</p>\n"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cells": 3}', '{"nbformat": 3, "cells": []}', '{"nbformat": 4}'])
def test_what_is_no_notebook_is_refused_in_one_line(tmp_path, content):
    """A file that is no notebook, or is not there, costs one line."""
    (tmp_path / "run.ipynb").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="is no notebook"):
        appendix.export(tmp_path / "run.ipynb", tmp_path / "out.html")
    with pytest.raises(InputError, match="no such notebook"):
        appendix.export(tmp_path / "none.ipynb", tmp_path / "out.html")
    with pytest.raises(InputError, match="no such form"):
        appendix.export(tmp_path / "run.ipynb", tmp_path / "out.doc", to="doc")


def test_the_head_is_taken_from_the_record(tmp_path):
    """Title, severity, people, milestones and metrics of an incident stand at the head; what is missing is not recorded."""
    folder = incident.create(tmp_path, "Checkout 5xx", "SEV-2", ic="Maja", zone="Europe/Berlin", at="2026-11-23T14:07:00Z")
    milestones.set_milestone(folder, "detected", "2026-11-23T14:06:10Z")
    milestones.set_milestone(folder, "mitigated", "2026-11-23T14:24:00Z")
    statements.record_finding(folder, onset())
    header = heading(incident.load(folder), head=journal.head(folder))
    assert json.loads(json.dumps(header)) == header
    model = page.page(investigation(), header)
    assert (model["title"], model["severity"], model["status"]) == ("Checkout 5xx", "SEV-2", "investigating")
    assert {m["name"]: m["text"] for m in model["metrics"]} == {"TTD": "2 min 50 s", "TTA": "not recorded", "TTM": "17 min 50 s",
                                                                "TTR": "not recorded", "Impact": "not recorded"}
    assert {f["name"]: f.get("note") or f["text"] for f in model["facts"]}["Onset"] == "between 14:03:05 and 14:03:40"
    assert {f["name"]: f.get("missing", False) for f in model["facts"]}["Resolved"] is True


def test_plain_nbconvert_makes_the_same_page(tmp_path):
    """`jupyter nbconvert --template incidentnb` gives the page of `export`, sanitised and redacted by the same hands."""
    from bs4 import BeautifulSoup

    content = investigation()
    content["cells"][6]["outputs"] = [stream("<script>x</script> jane@example.org\n"), data({"text/html": "<script>y</script><b onclick=z>k</b>"})]
    run = save(tmp_path / "run.ipynb", content)
    appendix.export(run, tmp_path / "ours.html")
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--template", "incidentnb", "--output", "plain.html", str(run),
               f"--TemplateExporter.extra_template_basedirs={places.templates()}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    ours, plain = (BeautifulSoup((tmp_path / name).read_text(encoding="utf-8"), "html.parser").prettify() for name in ("ours.html", "plain.html"))
    assert ours == plain and "jane@" not in plain and "<script" not in plain


class Listener(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and remembers what was asked of any host."""

    asked: list[str]

    def log_message(self, *_):
        self.asked.append(f"{self.headers.get('Host') if hasattr(self, 'headers') else ''} {getattr(self, 'path', '')}")


@contextlib.contextmanager
def served(folder: Path):
    asked: list[str] = []
    handler = functools.partial(type("Handler", (Listener,), {"asked": asked}), directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1], asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_browser_runs_nothing_and_asks_for_nothing(tmp_path, shared):
    """In Chromium, with every host mapped to a listener: one request (the page), no script, no dialog, no message on the console."""
    browser = needs.program("chromium")
    canary = [payload.replace("alert('X')", "document.title='ran'") for payload in payloads_of(shared)]
    content, header = hostile(payloads_of(shared) + canary)
    exported(tmp_path, content, header={**header, "title": "canary"})
    with served(tmp_path) as (port, asked):
        done = subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-default-apps", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}",
             f"--host-resolver-rules=MAP * 127.0.0.1:{port}", "--enable-logging=stderr", "--virtual-time-budget=2000", "--dump-dom",
             f"http://appendix.invalid:{port}/out.html"], capture_output=True, text=True, timeout=60, check=False)
    reader = Page(done.stdout)
    assert "<title>canary (" in done.stdout and reader.wrong == []
    assert [line for line in asked if "invalid" in line] == [f"appendix.invalid:{port} /out.html"], asked
    assert "CONSOLE" not in done.stderr, done.stderr


def test_large_outputs_are_clipped_and_the_page_stays_small(tmp_path):
    """A cell that printed two megabytes is clipped, says by how much, and the page stays under five megabytes."""
    content = notebook([markdown("## A"), code("x", [stream("line of a log\n" * 150_000), data({"text/html": "<p>" + "y" * 1_100_000}),
                                                     data({"text/plain": "z" * 1_000_000})])])
    text = exported(tmp_path, content)
    assert len(text) < 5_000_000 and text.count("more characters]") == 2


def test_changes_are_drawn_in(tmp_path):
    """A figure with the changes drawn in differs from one without: the context of show() reaches the picture."""
    plain, drawn = shown(onset())[1], shown(onset(), changes=changes())[1]
    assert plain["data"]["image/png"] != drawn["data"]["image/png"]


def jpeg(width: int = 3, height: int = 2, extra: bytes = b"", end: bytes = b"\xff\xd9") -> str:
    """The bones of a JPEG: its frame, a scan with a stuffed byte, and what else is given."""
    def segment(kind: int, body: bytes) -> bytes:
        return bytes([0xFF, kind]) + (len(body) + 2).to_bytes(2, "big") + body

    frame = segment(0xC0, b"\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big") + b"\x01\x01\x11\x00")
    return base64.b64encode(b"\xff\xd8" + extra + frame + segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + b"\x12\xff\x00\x34\xff\xd0\x56" + end).decode()


def test_a_photograph_keeps_its_pixels_and_loses_its_place():
    """A JPEG is shown without the segments that say where and by whom it was taken; one without an end is said to be unreadable."""
    taken = b"\xff\xe1\x00\x10Exif\x00\x00GPS 52 N" + b"\xff\xfe\x00\x06Maja"
    kept = safe.picture_bytes("image/jpeg", jpeg(extra=taken))
    assert kept == base64.b64decode(jpeg()) and b"GPS" not in kept
    assert safe.picture_bytes("image/jpeg", jpeg(end=b"")) is None and safe.picture_bytes("image/jpeg", png()) is None
    assert 'width="3" height="2"' in safe.picture("image/jpeg", jpeg(), {}, "")


def test_a_damaged_picture_and_a_bomb_are_named():
    """A PNG whose check sum is wrong, and a picture of a thousand million pixels, stand as words."""
    raw = bytearray(base64.b64decode(png()))
    raw[-20] ^= 1
    for bad in (base64.b64encode(raw).decode(), _bomb()):
        assert "could not be read: a chart" in safe.picture("image/png", bad, {}, "a chart")
    assert safe.picture_bytes("image/jpeg", jpeg(width=40_000, height=40_000)) is None


def _bomb() -> str:
    import zlib

    raw = base64.b64decode(png())
    head = b"IHDR" + (30_000).to_bytes(4, "big") * 2 + raw[24:29]
    return base64.b64encode(raw[:12] + head + zlib.crc32(head).to_bytes(4, "big") + raw[33:]).decode()


def test_a_progress_bar_is_its_last_state():
    """A line that a program wrote anew thousands of times, in as many pieces, is one line that says how often; others stay as they are."""
    pieces = [stream(f"\r {n}%", "stderr") for n in range(3000)] + [stream("\rdone 100%\n", "stderr")]
    joined = page.one_text(notebook([code("x", pieces)]))["cells"][0]["outputs"]
    assert len(joined) == 1 and safe.output(joined[0]) == '<div class="stderr"><pre>done 100% [written anew 3,001 times]\n</pre></div>'
    assert safe.settled("a\r\nb\rc\n") == "a\nb\rc\n" and safe.settled("\x1b[2K\x1b[31mx") == "\x1b[2Kx"


def test_a_secret_in_two_pieces_is_one_text(tmp_path):
    """What a program wrote in pieces is joined before it is redacted, so that no secret is passed in halves."""
    content = notebook([code("x", [stream("password=hun"), stream("ter2 and more\n")])])
    made = appendix.export(save(tmp_path / "run.ipynb", content), tmp_path / "out.html", audience="internal")
    assert made.hidden == {"password": 1} and "hun" not in Page(made.path.read_text(encoding="utf-8")).text


@pytest.mark.parametrize(("bundle", "shown_as"), [
    ({"text/html": "<script>draw()</script>", "text/plain": "a chart of 3 lines"}, "<pre>a chart of 3 lines</pre>"),
    ({"text/html": "<div id='p'></div>"}, '<p class="note">An output of type text/html is not shown.</p>'),
    ({"text/latex": "$x^2$", "text/plain": "<IPython.core.display.Latex object>"}, "<pre>$x^2$</pre>"),
    ({"application/json": {"a": 1}, "text/plain": "<IPython.core.display.JSON object>"}, "<pre>{\n &quot;a&quot;: 1\n}</pre>"),
    ({"image/gif": "R0lG", "text/plain": "<IPython.core.display.Image object>"}, '<p class="note">An output of type image/gif is not shown.</p>'),
    ({"text/plain": "<a.B object at 0x7f>"}, "<pre>&lt;a.B object at 0x7f&gt;</pre>"),
    ({"text/html": "<h1>Big</h1><p>words</p>"}, "<h3>Big</h3><p>words</p>")])
def test_what_cannot_be_drawn_is_told_by_its_source(bundle, shown_as):
    """An output whose rich form cannot be shown gives its words, its formula or its data, and is never empty."""
    assert safe.output(data(bundle)) == shown_as


def test_long_texts_and_tables_keep_their_ends_and_say_what_is_left_out():
    """Of five megabytes of text both ends are shown; of a table beyond the limit the first rows, with the number of the others."""
    text = safe.text("first\n" + "x\n" * 500_000 + "the last line")
    assert "first" in text and "the last line" in text and "more characters] …" in text and len(text) < 40_000 and 'class="tall"' in text
    rows = "".join(f"<tr><td>{n}{'y' * 90}</td></tr>" for n in range(20_000))
    shown_rows = safe.output(data({"text/html": f"<table><tbody>{rows}</tbody></table>", "text/plain": "z" * 30_000}))
    more = re.search(r"([\d,]+) more rows are not shown", shown_rows)
    assert more and shown_rows.count("<tr>") + int(more[1].replace(",", "")) == 20_000 and "scroll tall" in shown_rows


def test_what_is_nested_beyond_reason_is_its_text():
    """Ten thousand boxes in each other cost neither the page nor a printer their time; their words stay."""
    shown = safe.clean("<div>" * 10_000 + "deep &amp;lt;")
    assert "deep &amp;lt;" in shown and "<div" not in shown and len(shown) < 200
    assert safe.clean("<table><tr><td>" * 3000 + "deep").count("<table") == 0


@pytest.mark.parametrize(("source", "title", "names"), [
    ("Big\n===\n\nwords\n\nSmall\n---\n\nmore", "Big", ["Small"]), ("## C#\n\nx\n\n## Done ##\n\ny", "Incident", ["C#", "Done"]),
    ("### Small print\n\n# Title\n\n## A\n\nx", "Title", ["A"]), ("```\nno\n---\n```\n\n## A\n\nx", "Incident", ["A"])])
def test_headings_of_every_kind(source, title, names):
    """Underlined headings are headings, a sharp in a name stays, and small print before the title does not take its place."""
    model = page.page(notebook([markdown(source)]))
    assert (model["title"], [section["title"] for section in model["sections"]]) == (title, names)


@pytest.mark.parametrize("odd", [{"tags": None}, {"tags": 3}, {"tags": "setup"}, {"incidentnb": "x"}])
def test_odd_metadata_cost_nothing(tmp_path, odd):
    """A cell whose tags are no list, as other editors write it, is shown like any other."""
    content = notebook([markdown("## A"), {**code("x", [stream("seen\n")]), "metadata": odd}])
    assert "seen" in exported(tmp_path, content)
