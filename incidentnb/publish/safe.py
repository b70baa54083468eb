"""Untrusted notebook content as inert HTML: an allow-list of MIME types, of tags, of attributes; no script, no request, no link out.

Every function returns HTML that may stand in the page as it is, and none of them raises, whatever it is given.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Mapping
from typing import Any

from incidentnb import sinks
from incidentnb.publish import raster, svg

TEXT_LIMIT, HTML_LIMIT, IMAGE_LIMIT = 20_000, 1_000_000, 4_000_000  # characters; beyond, text is clipped and the rest is told
_DEEPEST = 100  # elements in each other
_TALL = 60  # lines of a text, rows of a table from which on it scrolls in a box of its own
PICTURES = ("image/svg+xml", "image/png", "image/jpeg")
_TAGS = {"abbr", "b", "blockquote", "br", "caption", "code", "dd", "del", "details", "div", "dl", "dt", "em", "h3", "h4", "h5", "h6", "hr",
         "i", "kbd", "li", "mark", "ol", "p", "pre", "s", "samp", "small", "span", "strong", "sub", "summary", "sup", "table", "tbody",
         "td", "tfoot", "th", "thead", "time", "tr", "u", "ul", "var"}
_ATTRIBUTES = {"td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan", "scope"}, "ol": {"start"}, "time": {"datetime"}, "*": {"class"}}
_CLASSES = {"answer", "unsure", "why", "note", "num", "query", "failed", "refuted", "supported", "late", "dataframe"}
_SGR = re.compile(r"\x1b\[[0-9;]{0,40}m")
_PROGRESS = re.compile(r"\x1b\[[0-9;?]{0,40}[A-HJKhl]")  # where a bar moves the cursor and wipes its line
_REPEATED = 3  # a line that is written anew so often is a progress bar
_BARE = re.compile(r"\s*<[\w.]+( object)?( at 0x[0-9a-f]+)?>\s*|\s*")  # what Python says of an object that has nothing to say


def clean(markup: str, *, links: bool = False) -> str:
    """HTML with nothing but the allowed tags and classes; tables scroll by themselves and their header cells have a scope.

    What is nested so deep that nobody meant it is text alone: a browser takes minutes over it, a printer breaks.

    Args:
        markup: HTML from anywhere.
        links: keep links to ``http``, ``https`` and into the page; only for what the notebook's own author wrote.
    """
    import nh3

    def kept(tag: str, attribute: str, value: str) -> str | None:
        if "<" in value or ">" in value:
            return None
        if attribute == "class":
            return " ".join(name for name in value.split() if name in _CLASSES) or None
        if attribute == "scope":
            return value if value in ("col", "row", "colgroup", "rowgroup") else None
        return value if attribute != "href" or re.match(r"https?://|#(?!harmful-link)", value) else None

    safe = nh3.clean(_encodable(markup), tags=_TAGS | ({"h1", "h2", "a"} if links else {"h1", "h2"}),
                     attributes=_ATTRIBUTES | ({"a": {"href"}} if links else {}), attribute_filter=kept,
                     url_schemes={"http", "https"}, link_rel="noopener noreferrer nofollow")
    if _deep(safe):
        return text(re.sub(r"\s*\n\s*", "\n", html.unescape(re.sub(r"(<[^>]*>)+", "\n", safe))).strip())
    return _tables(re.sub(r"<(/?)h[12](?=[ >])", r"<\1h3", safe))  # above those stand the headings of the page itself


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
    """Plain text as a block; terminal colours are dropped, a progress bar is its last state, every other control character is shown."""
    shown = clipped(settled(plain), TEXT_LIMIT)
    tall = ' class="tall" role="group" aria-label="Output" tabindex="0"' if shown.count("\n") > _TALL or len(shown) > 100 * _TALL else ""
    return f"<pre{tall}>{sinks.html(shown, 10 * TEXT_LIMIT)}</pre>"


def settled(plain: str) -> str:
    """Text as a terminal shows it in the end: no colours, and of a line that was written anew again and again the last state and how often."""
    plain = _SGR.sub("", plain).replace("\r\n", "\n")
    if plain.count("\r") < _REPEATED:
        return plain

    def last(line: str) -> str:
        if line.count("\r") < _REPEATED:
            return line
        states = [state for state in _PROGRESS.sub("", line).split("\r") if state.strip()]
        return f"{states[-1].rstrip() if states else ''} [written anew {line.count(chr(13)):,} times]"

    return "\n".join(map(last, plain.split("\n")))


def clipped(plain: str, limit: int) -> str:
    """A long text as its beginning and its end, which is where most say what came of it; how much is left out between is told."""
    if len(plain) <= limit:
        return plain
    head, tail = limit * 7 // 10, limit * 2 // 10
    return f"{plain[:head]}\n… [{len(plain) - head - tail:,} more characters] …\n{plain[-tail:]}"


def output(output: Mapping[str, Any]) -> str:
    """One output of a code cell, in the best form that is allowed; what has none is named."""
    try:
        kind = output.get("output_type")
        if kind == "stream":
            marked = ' class="stderr"' if output.get("name") == "stderr" else ""
            return f"<div{marked}>{text(joined(output.get('text')))}</div>"
        if kind == "error":
            return error(output)
        return _display(output.get("data") or {}, output.get("metadata") or {})
    except Exception as problem:  # noqa: BLE001  one hostile output must not cost the export
        return f'<p class="note">An output could not be shown: {sinks.html(type(problem).__name__)}.</p>'


def _display(data: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
    """The richest form that shows anything here; what Python merely names is shown by its source, or said not to be."""
    plain = joined(data.get("text/plain"))
    for mime in PICTURES:
        if mime in data:
            return picture(mime, joined(data[mime]), metadata.get(mime) or {}, said(data))
    if "text/html" in data and (made := _page(joined(data["text/html"]))):
        return made
    if "text/markdown" in data:
        return markdown(joined(data["text/markdown"]))
    if not _BARE.fullmatch(plain[:500]):
        return text(plain)
    for mime in ("text/latex", "application/json", "application/geo+json", "text/csv"):
        if mime in data:
            value = data[mime]
            return text(joined(value) if mime.startswith("text/") else json.dumps(value, ensure_ascii=False, indent=1))
    kinds = sorted(str(mime) for mime in data if mime != "text/plain")
    if not kinds and plain.strip():
        return text(plain)
    return f'<p class="note">An output of type {sinks.html(", ".join(kinds) or "unknown", 200)} is not shown.</p>'


def _page(markup: str) -> str:
    """HTML of an output, of a table that is too long its first rows; empty where nothing of it can be seen."""
    more = 0
    if len(markup) > HTML_LIMIT:
        cut = markup.rfind("</tr>", 0, HTML_LIMIT)
        if cut < 0:
            return ""
        more, markup = len(re.findall(r"<tr[\s>]", markup[cut:])), markup[:cut + len("</tr>")]
    made = clean(markup)
    told = f'<p class="note">{more:,} more rows are not shown.</p>' if more else ""
    return made + told if re.sub(r"<(?!hr|table)[^>]*>", "", made).strip() else ""


def error(output: Mapping[str, Any]) -> str:
    """An exception as one line, its traceback folded behind it."""
    line = f"{output.get('ename')}: {output.get('evalue')}"
    trace = "\n".join(str(part) for part in output.get("traceback") or ())
    folded = f"<details><summary>Traceback</summary>{text(trace)}</details>" if trace else ""
    return f'<div class="error"><p><strong>{sinks.html(line, 1000)}</strong></p>{folded}</div>'


def picture(mime: str, data: str, metadata: Mapping[str, Any], fallback: str) -> str:
    """A PNG, JPEG or SVG as an image with its alternative text and its size; data that are none of them are named."""
    alt = sinks.html(metadata.get("alt") or fallback or "A figure without a description", 1000)
    content = picture_bytes(mime, data)
    if content is None:
        return f'<p class="note">A picture could not be read: {alt}</p>'
    width, height = (metadata.get(side) for side in ("width", "height"))
    if mime != "image/svg+xml" and not (isinstance(width, int) and isinstance(height, int)):
        width, height = raster.size(content)
    size = f' width="{width}" height="{height}"' if isinstance(width, int) and isinstance(height, int) else ""
    return f'<figure><img src="data:{mime};base64,{base64.b64encode(content).decode("ascii")}" alt="{alt}"{size}></figure>'


def picture_bytes(mime: str, data: str) -> bytes | None:
    """The bytes of a picture and of nothing else; ``None`` where they are damaged, not of that kind, or too many."""
    if len(data) > IMAGE_LIMIT:
        return None
    return svg.clean(data) if mime == "image/svg+xml" else raster.pixels(mime, data)


def code(source: str) -> str:
    """Python source as a block, its words marked for the style sheet."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    shown = sinks.clip(sinks.visible(source, keep="\n\t"), TEXT_LIMIT)
    return f'<pre class="source"><code>{highlight(shown, PythonLexer(), HtmlFormatter(nowrap=True)).rstrip()}</code></pre>'


def said(data: Mapping[str, Any]) -> str:
    """What an output says of itself in plain words; empty where Python merely names the object."""
    plain = joined(data.get("text/plain"))
    return "" if _BARE.fullmatch(plain[:500]) else plain


def joined(value: Any) -> str:
    """Text that a notebook keeps as one string or as a list of lines."""
    return "".join(map(str, value)) if isinstance(value, list | tuple) else "" if value is None else str(value)


def _encodable(markup: str) -> str:
    return sinks.visible(markup, keep="\n\t\r")


def _deep(safe: str) -> bool:
    depth = 0
    for tag in re.finditer(r"<(/?)(\w+)", safe):
        depth += -1 if tag[1] else tag[2] not in ("br", "hr")
        if depth > _DEEPEST:
            return True
    return False


def _tables(safe: str) -> str:
    """Give each header cell a scope and each table a box of its own to scroll in; the input is what the sanitiser wrote."""
    pieces = re.split(r"(<thead\b[^>]*>.*?</thead>)", safe, flags=re.DOTALL)
    pieces = [re.sub(r"<th(?![^>]* scope=)(?=[ >])", '<th scope="col"' if piece.startswith("<thead") else '<th scope="row"', piece)
              for piece in pieces]
    pieces = [re.sub(r"<td>(?=\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ?</td>|\d\d:\d\d:\d\d( – \d\d:\d\d:\d\d)?</td>)", '<td class="when">', piece)
              for piece in pieces]
    pieces = [re.sub(r"<td>(?=[^<]{50})", '<td class="long">', piece) for piece in pieces]
    pieces = [re.sub(r"<td>(?=[^<]{0,49}?[^\s<]{25})", '<td class="token">', piece) for piece in pieces]
    tall = " tall" if safe.count("<tr") > _TALL * max(safe.count("</table>"), 1) else ""
    boxed = re.sub(r"<table\b", f'<div class="scroll{tall}" role="group" aria-label="Table" tabindex="0"><table', "".join(pieces))
    return boxed.replace("</table>", "</table></div>")
