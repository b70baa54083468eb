"""The last scan: no value that is known to be a secret is in any byte of what is about to be written, however it is spelt there."""

from __future__ import annotations

import base64
import binascii
import csv
import html
import io
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from incidentnb import places
from incidentnb.exceptions import Refused
from incidentnb.publish.hiding import accept, quick
from incidentnb.publish.hiding.rules import PERSONAL, Rule
from incidentnb.publish.hiding.values import Known, stands_alone

_DATA = re.compile(rb"data:([\w.+/-]{3,40})(?:;[\w=.-]{1,40})?;base64,([A-Za-z0-9+/=\s]{8,})")
_IN_LINE = re.compile(r"</?(?:a|abbr|b|code|del|em|i|kbd|mark|s|samp|small|span|strong|sub|sup|u|var|tspan)\b[^<>]*>", re.IGNORECASE)
_SAID = re.compile(r"\b(?:id|class|href|font-family|aria-label|title)=\"([^\"]*)\"")
_STYLE = re.compile(r"<style\b.*?</style>", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_ONLY_IN_LINES = {"card", "iban"}  # columns of figures may stand beside each other in the text of a PDF


def check(artefacts: Mapping[str, bytes], known: Known, rules: Sequence[Rule], kept: Sequence[re.Pattern[str]] = ()) -> None:
    """Look through everything that is about to be written.

    Args:
        artefacts: file name → bytes.
        known: the values that must be nowhere.
        rules: asked once more of what readers see, for a secret that nobody knew before.
        kept: what stays readable, as the team says.

    Raises:
        Refused: a value is still there: its kind and place, never the value.
    """
    if own := {value for _, _, value in known.found(_own())}:
        known = Known({value: kind for value, kind in known.kinds.items() if value not in own})
    squeezed: Known | None = None
    for name, data in artefacts.items():
        for place, text, seen in [(f"the name of {name[:80]}", name, False), *texts(name, data)]:
            for kind in _still_there(text, known):
                raise Refused(place, f"a value that is hidden as {kind} would still be in it, so nothing is written",
                              "incidentnb redact --explain shows what gives such values away; leave it out of the notebook")
            if seen and place.startswith("text of"):
                squeezed = squeezed or Known({"".join(value.split()): kind for value, kind in known.kinds.items()})
                for kind in _still_there("".join(text.split()), squeezed):
                    raise Refused(place, f"a value that is hidden as {kind} would still be in it, so nothing is written",
                        "leave it out of the notebook")
            kind = _unknown(text, rules, kept, pdf=place.startswith("text of")) if seen else ""
            if kind:
                raise Refused(place, f"what looks like a {kind} would be in it, so nothing is written",
                              "leave it out of the notebook, or let a rule of incidentnb.toml keep it")


@cache
def _own() -> bytes:
    """What every export holds by itself: templates, style sheets, the words of the forms. What is printed for all to see is no secret, and no
    line of a log that calls it one may stop an export."""
    sources = [*places.templates().glob("incidentnb/*"), *(Path(__file__).parents[1] / "forms").glob("*.py"), Path(__file__).parents[1] / "svg.py"]
    return b"\n".join(path.read_bytes() for path in sources if path.is_file())


def _still_there(text: str, known: Known) -> Iterator[str]:
    for _, _, value in known.found(text.encode("utf-8", "replace")):
        yield known.kinds[value]
        return


def _unknown(text: str, rules: Sequence[Rule], kept: Sequence[re.Pattern[str]], pdf: bool) -> str:
    """The kind of a secret that a rule finds in what readers see and that stands for itself; personal data are not put together here."""
    found: list[str] = []

    def tell(rule: Rule, value: str, at: int) -> str:
        if stands_alone(value) and not accept.MARK.search(value) and not any(pattern.fullmatch(value) for pattern in kept):
            found.append(rule.kind)
        return value

    wanted = [rule for rule in rules if rule.kind not in PERSONAL and not rule.personal and not (pdf and rule.kind in _ONLY_IN_LINES)]
    quick.redacted(text, wanted, tell)
    return found[0] if found else ""


def texts(name: str, data: bytes) -> Iterator[tuple[str, str, bool]]:
    """(place, text, whether readers see it so) of a file: as it is, and as each decoding of it is."""
    if data.startswith(b"%PDF-"):
        yield from pdf_texts(name, data)
        return
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        yield from ((f"a text of the picture {name}", text, False) for text in png_texts(data))
        return
    ending = name.rpartition(".")[2].lower()
    for number, part in enumerate(_DATA.finditer(data), 1):
        inner = _decoded(part[2])
        if inner:
            yield from texts(f"picture {number} of {name}", inner)
    shown = raw = _DATA.sub(b"data:", data).decode("utf-8", "replace")  # pictures are looked into, their coding says nothing
    if ending == "svg" or shown.startswith("<svg"):
        shown = raw = _TAG.sub(lambda tag: f"\n{' '.join(_SAID.findall(tag[0]))}\n", shown)  # what it draws is figures
    yield name, raw, False
    plain = html.unescape(shown) if "&" in shown else shown
    if ending in ("html", "htm", "xml", "svg") or shown.lstrip()[:200].startswith(("<svg", "<?xml", "<!DOCTYPE", "<html")):
        joined = _IN_LINE.sub("", _STYLE.sub("", shown))
        yield name, html.unescape(_TAG.sub("\n", joined)), True
        yield name, plain, False
    elif ending == "json":
        try:
            plain = "\n".join(_strings(json.loads(shown)))
        except (ValueError, RecursionError):
            plain = shown
        yield name, plain, True
    elif ending == "csv":
        try:
            plain = "\n".join(cell.removeprefix("'") for row in csv.reader(io.StringIO(shown)) for cell in row)
        except csv.Error:
            plain = shown
        yield name, plain, True
    else:
        yield name, plain, ending in ("md", "txt")
    if "%" in plain:
        yield name, unquote(plain, errors="replace"), False
    if "\\u" in raw or '\\"' in raw or "\\/" in raw:
        yield name, re.sub(r"\\u([0-9a-fA-F]{4})|\\([\"/\\])", lambda m: chr(int(m[1], 16)) if m[1] else m[2], plain), False


def _decoded(coded: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(coded.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def png_texts(data: bytes) -> Iterator[str]:
    """What the text chunks of a PNG say, packed or not."""
    at = 8
    while at + 12 <= len(data):
        size, kind = int.from_bytes(data[at:at + 4], "big"), data[at + 4:at + 8]
        body = data[at + 8:at + 8 + size]
        if kind in (b"tEXt", b"zTXt", b"iTXt", b"eXIf"):
            yield body.decode("utf-8", "replace")
            for start in range(len(body)) if kind in (b"zTXt", b"iTXt") else ():
                if body[start:start + 1] == b"\x78":
                    try:
                        yield zlib.decompressobj().decompress(body[start:], 1 << 20).decode("utf-8", "replace")
                        break
                    except zlib.error:
                        continue
        at += 12 + size
    if at < len(data):
        yield data[at:].decode("utf-8", "replace")


def pdf_texts(name: str, data: bytes) -> Iterator[tuple[str, str, bool]]:
    """What a PDF says: the text of its pages, and every string in it: title, outline, alternative texts, metadata."""
    import logging

    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = PdfReader(io.BytesIO(data))
        yield f"text of {name}", "\n".join(page.extract_text() or "" for page in reader.pages), True
        seen = []
        for number in range(1, len(reader.xref_objStm) + sum(map(len, reader.xref.values())) + 1):
            seen += _pdf_strings(reader, number)
        yield name, "\n".join(seen), False
    except Refused:
        raise
    except Exception as problem:  # noqa: BLE001  a PDF that cannot be read cannot be checked either
        raise Refused(name, f"the PDF cannot be read to check it ({type(problem).__name__}), so nothing is written",
            "export --to html instead") from None


def _pdf_strings(reader: object, number: int) -> list[str]:
    from pypdf.generic import ByteStringObject, IndirectObject, StreamObject, TextStringObject

    found: list[str] = []

    def walk(value: object, depth: int) -> None:
        if depth > 20 or isinstance(value, IndirectObject):
            return
        if isinstance(value, TextStringObject):
            found.append(str(value))
        elif isinstance(value, ByteStringObject):
            found.append(value.decode("latin-1"))
        elif isinstance(value, dict):
            for inner in value.values():
                walk(inner, depth + 1)
            if isinstance(value, StreamObject) and value.get("/Type") in ("/Metadata", "/EmbeddedFile"):
                found.append(value.get_data().decode("utf-8", "replace"))
        elif isinstance(value, list):
            for inner in value:
                walk(inner, depth + 1)

    walk(reader.get_object(IndirectObject(number, 0, reader)), 0)  # type: ignore[attr-defined]
    return found
