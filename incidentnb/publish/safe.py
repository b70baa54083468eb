"""Untrusted notebook content as inert HTML: an allow-list of MIME types, of tags, of attributes; no script, no request, no link out.

Every function returns HTML that may stand in the page as it is, and none of them raises, whatever it is given.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from incidentnb import sinks
from incidentnb.publish import svg

TEXT_LIMIT, HTML_LIMIT, IMAGE_LIMIT = 20_000, 1_000_000, 4_000_000  # characters; beyond, text is clipped and the rest is told
_TAGS = {"abbr", "b", "blockquote", "br", "caption", "code", "dd", "del", "details", "div", "dl", "dt", "em", "h3", "h4", "h5", "h6", "hr",
         "i", "kbd", "li", "mark", "ol", "p", "pre", "s", "samp", "small", "span", "strong", "sub", "summary", "sup", "table", "tbody",
         "td", "tfoot", "th", "thead", "time", "tr", "u", "ul", "var"}
_ATTRIBUTES = {"td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan", "scope"}, "ol": {"start"}, "time": {"datetime"}, "*": {"class"}}
_CLASSES = {"answer", "unsure", "why", "note", "num", "query", "failed", "refuted", "supported", "late", "dataframe"}
_SGR = re.compile(r"\x1b\[[0-9;]{0,40}m")
_PNG_KEPT = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"sRGB", b"pHYs"}


def clean(markup: str, *, links: bool = False) -> str:
    """HTML with nothing but the allowed tags and classes; tables scroll by themselves and their header cells have a scope.

    Args:
        markup: HTML from anywhere.
        links: keep links to ``http``, ``https`` and into the page; only for what the notebook's own author wrote.
    """
    import nh3

    def kept(tag: str, attribute: str, value: str) -> str | None:
        if attribute == "class":
            return " ".join(name for name in value.split() if name in _CLASSES) or None
        if attribute == "scope":
            return value if value in ("col", "row", "colgroup", "rowgroup") else None
        return value if attribute != "href" or re.match(r"https?://|#(?!harmful-link)", value) else None

    safe = nh3.clean(_encodable(markup), tags=_TAGS | {"a"} if links else _TAGS,
                     attributes=_ATTRIBUTES | ({"a": {"href"}} if links else {}), attribute_filter=kept,
                     url_schemes={"http", "https"}, link_rel="noopener noreferrer nofollow")
    return _tables(safe)


def markdown(source: str, *, links: bool = False) -> str:
    """Markdown as HTML: raw HTML in it is text, pictures are their alternative text, ``$`` is money."""
    import mistune

    class Renderer(mistune.HTMLRenderer):
        def image(self, text: str, url: str, title: str | None = None) -> str:
            return f"<em>[picture not loaded: {sinks.html(text or url)}]</em>"

        def text(self, text: str) -> str:
            return mistune.safe_entity(text)  # character references stand for their characters, as CommonMark has it

    try:
        return clean(str(mistune.create_markdown(escape=True, renderer=Renderer(escape=True), plugins=["table", "strikethrough"])(source)),
                     links=links)
    except Exception:  # noqa: BLE001  a text that the parser chokes on must not cost the export
        return text(source)


def text(plain: str) -> str:
    """Plain text as a block; terminal colours are dropped, every other control character is shown."""
    return f"<pre>{sinks.html(_SGR.sub('', plain), TEXT_LIMIT)}</pre>"


def output(output: Mapping[str, Any]) -> str:
    """One output of a code cell, in the best form that is allowed; what has none is named."""
    try:
        kind = output.get("output_type")
        if kind == "stream":
            marked = ' class="stderr"' if output.get("name") == "stderr" else ""
            return f"<div{marked}>{text(joined(output.get('text')))}</div>"
        if kind == "error":
            return error(output)
        data, metadata = output.get("data") or {}, output.get("metadata") or {}
        for mime in ("image/svg+xml", "image/png"):
            if mime in data:
                return picture(mime, joined(data[mime]), metadata.get(mime) or {}, joined(data.get("text/plain")))
        if "text/html" in data and len(joined(data["text/html"])) <= HTML_LIMIT:
            return clean(joined(data["text/html"]))
        if "text/markdown" in data:
            return markdown(joined(data["text/markdown"]))
        if "text/plain" in data:
            return text(joined(data["text/plain"]))
        return f'<p class="note">An output of type {sinks.html(", ".join(sorted(map(str, data))) or "unknown", 200)} is not shown.</p>'
    except Exception as problem:  # noqa: BLE001  one hostile output must not cost the export
        return f'<p class="note">An output could not be shown: {sinks.html(type(problem).__name__)}.</p>'


def error(output: Mapping[str, Any]) -> str:
    """An exception as one line, its traceback folded behind it."""
    line = f"{output.get('ename')}: {output.get('evalue')}"
    trace = "\n".join(str(part) for part in output.get("traceback") or ())
    folded = f"<details><summary>Traceback</summary>{text(trace)}</details>" if trace else ""
    return f'<div class="error"><p><strong>{sinks.html(line, 1000)}</strong></p>{folded}</div>'


def picture(mime: str, data: str, metadata: Mapping[str, Any], fallback: str) -> str:
    """A PNG or SVG as an image with its alternative text and its size; data that are neither are named."""
    alt = sinks.html(metadata.get("alt") or fallback or "A figure without a description", 1000)
    content = picture_bytes(mime, data)
    if content is None:
        return f'<p class="note">A picture could not be read: {alt}</p>'
    width, height = (metadata.get(side) for side in ("width", "height"))
    if mime == "image/png" and not (isinstance(width, int) and isinstance(height, int)):
        width, height = int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    size = f' width="{width}" height="{height}"' if isinstance(width, int) and isinstance(height, int) else ""
    return f'<figure><img src="data:{mime};base64,{base64.b64encode(content).decode("ascii")}" alt="{alt}"{size}></figure>'


def picture_bytes(mime: str, data: str) -> bytes | None:
    """The bytes of a picture, without its text chunks; ``None`` where they are not of that kind, or too many."""
    if len(data) > IMAGE_LIMIT:
        return None
    if mime == "image/svg+xml":
        return svg.clean(data)
    try:
        raw = base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    if raw[:8] != b"\x89PNG\r\n\x1a\n":
        return None
    kept, at = [raw[:8]], 8
    while at + 12 <= len(raw):
        size, name = int.from_bytes(raw[at:at + 4], "big"), raw[at + 4:at + 8]
        if name in _PNG_KEPT:
            kept.append(raw[at:at + 12 + size])
        at += 12 + size
        if name == b"IEND":
            return b"".join(kept)
    return None


def code(source: str) -> str:
    """Python source as a block, its words marked for the style sheet."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    shown = sinks.clip(sinks.visible(source, keep="\n\t"), TEXT_LIMIT)
    return f'<pre class="source"><code>{highlight(shown, PythonLexer(), HtmlFormatter(nowrap=True)).rstrip()}</code></pre>'


def joined(value: Any) -> str:
    """Text that a notebook keeps as one string or as a list of lines."""
    return "".join(map(str, value)) if isinstance(value, list | tuple) else "" if value is None else str(value)


def _encodable(markup: str) -> str:
    return sinks.visible(markup, keep="\n\t\r")


def _tables(safe: str) -> str:
    """Give each header cell a scope and each table a box of its own to scroll in; the input is what the sanitiser wrote."""
    pieces = re.split(r"(<thead\b[^>]*>.*?</thead>)", safe, flags=re.DOTALL)
    pieces = [re.sub(r"<th(?![^>]* scope=)(?=[ >])", '<th scope="col"' if piece.startswith("<thead") else '<th scope="row"', piece)
              for piece in pieces]
    pieces = [re.sub(r"<td>(?=\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ?</td>|\d\d:\d\d:\d\d( – \d\d:\d\d:\d\d)?</td>)", '<td class="when">', piece)
              for piece in pieces]
    pieces = [re.sub(r"<td>(?=[^<]{50})", '<td class="long">', piece) for piece in pieces]
    pieces = [re.sub(r"<td>(?=[^<]{0,49}?[^\s<]{25})", '<td class="token">', piece) for piece in pieces]
    boxed = re.sub(r"<table\b", '<div class="scroll" role="group" aria-label="Table" tabindex="0"><table', "".join(pieces))
    return boxed.replace("</table>", "</table></div>")
