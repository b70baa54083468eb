"""Canaries: made-up secrets and people on every surface of an incident; none is in a byte of any export, and no figure of it changes."""

import base64
import functools
import html
import json
import random
import re
import struct
import zlib
from urllib.parse import unquote

import needs
import pandas as pd
import pytest
from publish_samples import ONSET, changes, code, data, error, markdown, minute, notebook, onset, save, shown, stream
from redaction_samples import ALNUM, HEX, NAMES, WORDS, some

from incidentnb import findings, places
from incidentnb.exceptions import Refused
from incidentnb.publish import appendix, forms
from incidentnb.publish.hiding import names as field_names
from incidentnb.publish.hiding import scan, values


class Planted:
    """Hands out a new value at each call, of a secret or of a person, or a harmless word in its stead."""

    def __init__(self, harmless: bool):
        self.rng, self.harmless, self.secrets, self.people = random.Random(7), harmless, [], []

    def secret(self) -> str:
        value = self.rng.choice([lambda: "ghp_" + some(self.rng, ALNUM, 36), lambda: some(self.rng, ALNUM, 20) + "7q", lambda: some(self.rng, HEX,
            30) + "a1",
                                 lambda: self.rng.choice(WORDS) + "!" + some(self.rng, ALNUM, 6) + "4z"])()
        self.secrets.append(value)
        return "word" if self.harmless else value

    def token(self) -> str:
        value = "ghp_" + some(self.rng, ALNUM, 36)
        self.secrets.append(value)
        return "word" if self.harmless else value

    def user(self) -> str:
        value = f"{self.rng.choice(NAMES)}.{self.rng.choice(WORDS)}{self.rng.randint(100, 9999)}"
        self.people.append(value)
        return "word" if self.harmless else value

    def mail(self) -> str:
        value = f"{self.rng.choice(NAMES)}{self.rng.randint(100, 9999)}@{self.rng.choice(WORDS)}.example"
        self.people.append(value)
        return "word" if self.harmless else value

    def address(self) -> str:
        value = ".".join(str(self.rng.randint(11, 250)) for _ in range(4))
        self.people.append(value)
        return "word" if self.harmless else value


@functools.cache
def figure() -> list[dict]:
    return shown(onset(), changes=changes())


def png(text: str) -> str:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    said = text.encode()
    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", struct.pack(">IIBBBBB", 3, 2, 8, 0, 0, 0, 0)), chunk(b"tEXt", b"Comment\x00" + said),
             chunk(b"zTXt", b"Title\x00\x00" + zlib.compress(said)), chunk(b"iTXt", b"Author\x00\x01\x00\x00\x00" + zlib.compress(said)),
             chunk(b"IDAT", zlib.compress(b"".join(b"\x00" + b"\x80" * 3 for _ in range(2)))), chunk(b"IEND", b"")]
    return base64.b64encode(b"".join(parts)).decode()


def incident(harmless: bool, rounds: int = 6) -> tuple[dict, dict, dict[str, str], Planted]:
    """An executed notebook and a header with values planted on every surface, and what the columns of its evidence would say."""
    p = Planted(harmless)
    cells = [markdown("# Checkout answers 500"), code(f"token = '{p.token()}'\nuser = 'word'", [], "parameters")]
    known: dict[str, str] = {}
    for n in range(rounds):
        by_column, who = p.secret(), p.user()
        if not harmless:
            known |= {by_column: "password", who: "user"}
        frame = pd.DataFrame({"user": [p.user() for _ in range(8)], "client": [p.address() for _ in range(8)],
            "session_token": [p.secret() for _ in range(8)],
                              "failed": range(8)})
        lines = [f"level=error user={p.user()} password={p.secret()} status=500", f'{{"user":"{p.user()}","api_key":"{p.secret()}","ms":12}}',
                 f'{p.address()} - {p.user()} [23/Nov/2026:14:03:20 +0000] "GET /cart?access_token={p.secret()}&n=3 HTTP/1.1" 500 12 "-" '
                 f'"agent/{p.token()}"',
                 f"Authorization: Bearer {p.secret()}x1", f"Cookie: sid={p.secret()}", f"mail to {p.mail()}", f"postgres://app:{p.secret()}@db/x",
                 f"seen {who} again", by_column]
        pipes = "| user | password | n |\n| --- | --- | --- |\n" + "\n".join(f"| {p.user()} | {p.secret()} | {i} |" for i in range(4))
        told = onset(notes=(f"decided by {p.mail()}", f"command: deploy --token {p.token()}"), query=f"SELECT 1 -- {p.token()}")
        said = f"note by {p.mail()}: tried {p.token()}, secret={p.secret()}"
        cells += [
            markdown(f"## Section {n}\n\n{said}\n\n{pipes}"),
            code(f"key = '{p.token()}'  # {p.mail()}\napi_key = \"{p.secret()}\"", [
                stream("\n".join(lines)), stream(frame.to_string(), "stderr"), data({"text/html": findings.table_html(frame),
                    "text/plain": frame.to_string()}),
                data({"text/markdown": findings.table_markdown(frame)}), error("AuthError", f"token={p.token()}",
                    [f"File x, password='{p.secret()}'", p.token()]),
                data({"image/png": png(p.token()), "text/plain": p.mail()}, {"image/png": {"alt": f"failures of {p.mail()}, token {p.token()}"}}),
                data({"image/svg+xml": f"<svg xmlns='http://www.w3.org/2000/svg'><text>{p.mail()} {p.token()}</text></svg>"}),
                data({"application/json": {"password": p.secret(), "user": p.user()},
                    "text/plain": f"{{'password': '{p.secret()}', 'user': '{p.user()}'}}"}),
                data({"text/html": told._repr_html_(), "text/markdown": told._repr_markdown_()})])]
    cells.append(code("show(case.onset)", figure()))
    content = notebook(cells, outcome="failed", why=f"password={p.secret()}", parameters={"api_key": p.secret(), "note": p.mail()},
        notebook="investigation")
    header = {"incident": "2026-11-23-checkout", "title": f"Checkout 5xx {p.token()}", "severity": "SEV-2", "status": "resolved", "ic": p.mail(),
        "zone": "UTC",
              "scope": f"only user={p.user()} and route POST /orders", "summary": f"change {p.token()} by {p.mail()}",
              "milestones": {"started_at": ONSET, "detected_at": minute(66)},
              "inputs": [{"path": f"logs/{p.token()}.log", "format": "pino JSON", "lines": 1000, "parsed": 970, "continuation": 7, "rejected": 23,
              "zone": "UTC",
                          "zone_source": "data", "sha256": "ab" * 32}], "journal": {"head": "cd" * 32, "entries": 12}}
    return content, header, known, p


def everything(out: dict[str, bytes]) -> str:
    """Every text that is in the files, in each of its spellings."""
    found = []
    for name, content in out.items():
        for _, text, _ in scan.texts(name, content):
            found += [text, html.unescape(text), unquote(text)]
        found.append(content.decode("latin-1"))
    return "\n".join(found)


def export(tmp_path, harmless, form, audience, name, rounds=6):
    content, header, known, planted = incident(harmless, rounds)
    folder = tmp_path / name
    folder.mkdir()
    made = appendix.export(save(folder / "run.ipynb", content), folder / f"appendix{forms.FORMS[form][0]}", to=form, header=header, audience=audience,
                           known=known, key=b"k")
    return {made.path.name: made.path.read_bytes(), **{path.name: path.read_bytes() for path in made.files}}, planted


@pytest.mark.parametrize("audience", ["public", "internal"])
@pytest.mark.parametrize("form", forms.FORMS)
def test_no_canary_leaves(tmp_path, form, audience):
    """Hundreds of values planted on every surface (two thousand for a public page): no secret leaves, and nobody's data in what is public."""
    if form == "pdf":
        needs.weasyprint()
    rounds = 31 if form == "html" and audience == "public" else 1 if form == "pdf" else 4  # a page is laid out for a PDF, which takes its time
    out, planted = export(tmp_path, False, form, audience, "planted", rounds)
    text = everything(out)
    squeezed = "".join(text.split())
    wanted = planted.secrets + (planted.people if audience == "public" else [])
    assert len(planted.secrets) + len(planted.people) >= 65 * rounds
    left = [value for value in wanted if value in text or value in squeezed]
    assert left == [], (len(left), left[:5])


@pytest.mark.parametrize("audience", ["public", "internal"])
def test_no_figure_changes(tmp_path, audience):
    """Counts, rates and times are those of the same incident with harmless words in the place of secrets and people."""
    def figures(harmless):
        out, _ = export(tmp_path, harmless, "md", audience, f"{audience}-{harmless}")
        text = html.unescape(next(iter(out.values())).decode())
        text = re.sub(r"Hidden in this export.*", "", re.sub(r"⟦[a-z]+:[0-9a-f]+⟧", "word", text))
        return re.findall(r"(?:Failures began|between|lines|rejected|completed|of 1,000)[^\n]{0,120}|\b\d\d:\d\d:\d\d\b|\b\d+[.,]\d+ ?%", text)

    planted, harmless = figures(False), figures(True)
    assert planted == harmless and len(planted) > 20


def test_columns_of_the_evidence_are_known(tmp_path):
    """What a column named for a secret holds is known, and of a personal one what the page has; an incident's export hides it without its context."""
    from incidentnb.evidence import private, table
    from incidentnb.publish import redaction

    log = table.table_of(pd.DataFrame({"message": ["a", "b"], "user": ["ann.velvet77", "bea.onyx12"], "req.api_key": ["k" + "9Zx" * 4, None],
        "http_status": [500, 200]}))
    found = private.values(log, {"ann.velvet77", "other"}, field_names.kind_of, redaction.PERSONAL)
    assert found == {"ann.velvet77": "user", "k" + "9Zx" * 4: "password"}
    eyes = redaction.Eyes("public", b"k", (), found)
    eyes.learn(notebook([]))
    shown_text = eyes.see(f"seen ann.velvet77 with k{'9Zx' * 4}")
    assert "velvet" not in shown_text and "9Zx" not in shown_text and "⟦user:" in shown_text
    inside = redaction.Eyes("internal", b"k", (), found)
    inside.learn(notebook([]))
    assert inside.see("seen ann.velvet77") == "seen ann.velvet77"


def test_an_incident_hides_what_its_evidence_knows(tmp_path):
    """The export of a real incident folder hides values of telling columns without their context, alike in every export; its key stays outside."""
    from incidentnb.evidence import reader
    from incidentnb.record import incident as records
    from incidentnb.record import pseudonyms
    from incidentnb.workflow import exporting

    folder = records.create(tmp_path, "Checkout fails", "SEV-2", actor="Ann", zone="UTC")
    log = tmp_path / "a.jsonl"
    log.write_text("".join(json.dumps({"time": f"2026-11-23T14:03:{n % 60:02d}Z", "level": "error", "user": f"ann.velvet{1000 + n}",
                                       "api_key": f"kk9Zx{n}Qw77", "msg": "x", "status": 500}) + "\n" for n in range(300)), encoding="utf-8")
    reader.read([str(log)], folder / "evidence")
    (folder / "runs").mkdir(exist_ok=True)
    run = save(folder / "runs" / "r.ipynb", notebook([markdown("## A"), code("x", [stream("seen ann.velvet1007 and kk9Zx3Qw77, GET 500\n")])]))
    page, = exporting.export(folder, ("md",), run=run)
    public = page.read_text(encoding="utf-8")
    page, = exporting.export(folder, ("md",), run=run, audience="internal")
    internal = page.read_text(encoding="utf-8")
    hidden = re.search(r"⟦password:[0-9a-f]{8}⟧", public)[0]
    assert "velvet1007" not in public and "⟦user:" in public and "seen ann.velvet1007" in internal and hidden in internal
    key = pseudonyms.read(folder).hex()
    assert "kk9Zx3" not in public + internal and key not in public + internal and "GET 500" in public
    assert {check.state for check in exporting.verify(folder)} <= {"ok", "not recorded"}


SECRET = "Zq7" + "xW9" * 4


@pytest.mark.parametrize(("name", "content"), [
    ("a.html", f"<p>{SECRET}</p>"), ("a.html", f"<p>{SECRET[:5]}<b>{SECRET[5:]}</b></p>"), ("a.html",
        "<p>" + "".join(f"&#{ord(c)};" for c in SECRET) + "</p>"),
    ("a.md", f"x {SECRET[:4]}&#{ord(SECRET[4])};{SECRET[5:]}"), ("a.json", json.dumps({"x": SECRET}).replace("x", "\\u0078")), ("a.csv",
        f'a,"{SECRET}"\n'),
    ("a.html", f"<a title='{SECRET[:3]}%{ord(SECRET[3]):02X}{SECRET[4:]}'>"), (f"{SECRET}.md", "nothing"),
    ("a.html", f'<img src="data:image/svg+xml;base64,{base64.b64encode(f"<svg><text>{SECRET}</text></svg>".encode()).decode()}">'),
    ("a.html", f'<img src="data:image/png;base64,{png(SECRET)}">')])
def test_what_is_still_there_is_refused(name, content):
    """A known secret is found in every spelling; the refusal names the kind and the place, and not the value."""
    with pytest.raises(Refused) as refused:
        scan.check({name: content.encode()}, values.Known({SECRET: "password"}), ())
    line = str(refused.value)
    assert "password" in line and "\n" not in line and (SECRET not in line or name.startswith(SECRET))


def test_a_pdf_is_read_before_it_is_written():
    """A secret in the text, the title or another string of a PDF is found; a file that is no PDF inside is refused."""
    weasyprint = needs.weasyprint()
    for page in (f"<p>{SECRET}</p>", f"<title>{SECRET}</title><p>x</p>", f"<h1>{SECRET}</h1>", f"<meta name=author content={SECRET}><p>x"):
        made = weasyprint.HTML(string=page).write_pdf()
        with pytest.raises(Refused, match="hidden as token"):
            scan.check({"a.pdf": made}, values.Known({SECRET: "token"}), ())
    scan.check({"a.pdf": weasyprint.HTML(string="<p>fine</p>").write_pdf()}, values.Known({SECRET: "token"}), ())
    with pytest.raises(Refused, match="cannot be read"):
        scan.check({"a.pdf": b"%PDF-1.7 nothing"}, values.Known({SECRET: "token"}), ())


def test_a_refused_export_leaves_the_old_one(tmp_path, monkeypatch):
    """Where the last scan finds a secret nothing is written, and the older export stays."""
    run = save(tmp_path / "run.ipynb", notebook([markdown("## A"), code("x", [stream("fine")])]))
    appendix.export(run, tmp_path / "a.html")
    before = (tmp_path / "a.html").read_bytes()
    monkeypatch.setattr(forms, "make", lambda *_: forms.Made(f"<p>{SECRET}</p>".encode()))
    monkeypatch.setattr("incidentnb.publish.redaction.Eyes.over", lambda self, made, name: made)
    with pytest.raises(Refused):
        appendix.export(run, tmp_path / "a.html", known={SECRET: "password"})
    assert (tmp_path / "a.html").read_bytes() == before


@pytest.mark.parametrize("word", ["completed", "500", "checkout", "eu-west-1", "2026-11-23", "14:03:20", "4.18.0", "http500", "-", "POST",
    "shop-api", "12ms"])
def test_no_log_can_make_an_export_impossible(tmp_path, word):
    """Lines that call an ordinary word a password or a user neither stop an export nor wreck the words and figures of the page."""
    content = notebook([markdown(f"## A {word}"), code("x", [stream(f"password={word}\nuser={word}\nthen {word} and {word}\n"), *figure()])])
    run = save(tmp_path / "run.ipynb", content)
    text = appendix.export(run, tmp_path / "a.md", to="md", known={word: "password"}).path.read_text(encoding="utf-8")
    assert f"then {word} and {word}" in html.unescape(text) and "14:03:20" in text


def test_templates_are_not_touched():
    """The style sheet of the page holds nothing that a rule hides."""
    from incidentnb.publish.redaction import redact

    style = (places.templates() / "incidentnb" / "style.css").read_text(encoding="utf-8")
    assert redact(style)[0] == style


@pytest.mark.parametrize("word", ["http://www.w3.org/2000/svg", "data:image/png;base64,", "iVBORw0KGgoAAAANSUhEUgAA", "max-width: 44rem", "#fbfaf8",
                                  "Content-Security-Policy", "ac:structured-macro", "M10,10L20,20", "width=device-width, initial-scale=1"])
@pytest.mark.parametrize("to", ["html", "md", "confluence"])
def test_what_a_page_is_made_of_is_no_secret(tmp_path, to, word):
    """A line that calls a piece of the page itself a password, or the code of its pictures, does not stop an export."""
    drawing = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M10,10L20,20"/></svg>'
    outputs = [stream(f'{{"password": "{word}"}}\n'), data({"image/svg+xml": drawing}), *figure()]
    run = save(tmp_path / "run.ipynb", notebook([markdown("## A"), code("x", outputs)]))
    assert appendix.export(run, tmp_path / f"a{forms.FORMS[to][0]}", to=to).path.is_file()
