"""Sanitised HTML in Confluence's storage format: XML of the elements that it allows, macros for what folds, warns or is code.

Everything is written here and nothing is passed through: an element of the page is either given its counterpart, or its text alone stays.
Reference: "Confluence Storage Format" in Atlassian's documentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from incidentnb import sinks
from incidentnb.publish import tree
from incidentnb.publish.tree import Node

ELEMENTS = {  # element → the attributes that it may have
    "h1": set(), "h2": set(), "h3": set(), "h4": set(), "h5": set(), "h6": set(), "p": {"style"}, "br": set(), "hr": set(), "strong": set(),
    "em": set(), "u": set(), "del": set(), "sub": set(), "sup": set(), "small": set(), "code": set(), "blockquote": set(), "ul": set(),
    "ol": set(), "li": set(), "a": {"href"}, "table": set(), "tbody": set(), "tr": set(), "th": {"scope", "colspan", "rowspan"},
    "td": {"colspan", "rowspan"}, "ac:structured-macro": {"ac:name", "ac:schema-version"}, "ac:parameter": {"ac:name"},
    "ac:rich-text-body": set(), "ac:plain-text-body": set(), "ac:image": {"ac:alt", "ac:width"}, "ri:attachment": {"ri:filename"}}
RIGHT = "text-align: right;"
OPEN_ROWS = 12  # a longer table is folded
_LINE = {"strong": "strong", "b": "strong", "em": "em", "i": "em", "u": "u", "del": "del", "s": "del", "sub": "sub", "sup": "sup",
         "small": "small", "code": "code", "kbd": "code", "samp": "code"}


def element(name: str, inner: str = "", **attributes: str) -> str:
    """An element; ``inner`` is storage format already, the values of attributes are text. A name like ``ac_image`` means ``ac:image``."""
    name = _name(name)
    given = "".join(f' {_name(key)}="{sinks.xml(" ".join(value.split()), 1000)}"' for key, value in attributes.items())
    return f"<{name}{given}>{inner}</{name}>" if inner or name not in ("br", "hr", "ri:attachment") else f"<{name}{given} />"


def _name(python: str) -> str:
    return re.sub("^(ac|ri)_", r"\1:", python).replace("_", "-")


def macro(name: str, body: str = "", plain: str | None = None, **parameters: str) -> str:
    """A macro with a rich body, or with a plain one (code)."""
    said = "".join(element("ac_parameter", sinks.xml(value, 1000), ac_name=key) for key, value in parameters.items())
    held = element("ac_rich-text-body", body) if body else ""
    held += f"<ac:plain-text-body>{sinks.cdata(plain)}</ac:plain-text-body>" if plain is not None else ""
    return element("ac_structured-macro", said + held, ac_name=name, ac_schema_version="1")


def code(source: str, language: str = "text") -> str:
    """A block of code or of what a program printed: ``py``, ``sql`` or ``text``."""
    return macro("code", plain=source.rstrip("\n"), language=language)


def expand(title: str, body: str) -> str:
    """What is folded behind a title."""
    return macro("expand", body, title=title)


def image(name: str, alt: str, width: int | None) -> str:
    """A picture that is attached to the page."""
    size = {"ac_width": str(width)} if width else {}
    return element("p", element("ac_image", element("ri_attachment", ri_filename=name), ac_alt=alt, **size))


def text(said: object) -> str:
    """Plain text in one line."""
    return sinks.xml(" ".join(str(said).split()))


def table(head: Iterable[str], rows: Iterable[Iterable[str]], *, numeric: Iterable[bool] = (), first: bool = False) -> str:
    """A table of plain texts; ``first``: the first cell of a row is its heading."""
    head, right = list(head), list(numeric)
    right += [False] * (len(head) - len(right))
    lines = [element("tr", "".join(element("th", text(name), scope="col") for name in head))] if any(head) else []
    for row in rows:
        cells = [element("th", text(cell), scope="row") if first and n == 0 else
                 element("td", element("p", text(cell), style=RIGHT) if right[n] else text(cell)) for n, cell in enumerate(row)]
        lines.append(element("tr", "".join(cells)))
    return element("table", element("tbody", "\n".join(lines)))


def blocks(markup: str, *, fold: bool = True) -> str:
    """HTML of ``safe`` in storage format; ``fold``: tables of more than a dozen rows stand behind a title."""
    return "\n".join(part for part in _flow(tree.parse(markup).children, fold) if part)


def _flow(children: Iterable[Node | str], fold: bool) -> Iterator[str]:
    for part in tree.runs(children):
        if isinstance(part, list):
            line = _inline(part).strip()
            yield element("p", line) if line else ""
        else:
            yield from _block(part, fold)


def _block(node: Node, fold: bool) -> Iterator[str]:
    if node.tag == "pre":
        query = node.attributes.get("class") == "query"
        yield code(tree.text_of(node), "sql" if query else "text")
    elif node.tag == "table":
        yield _table(node, fold)
    elif node.tag == "details":
        yield _details(node)
    elif node.tag == "hr":
        yield "<hr />"
    elif re.fullmatch("h[1-6]", node.tag):
        yield element(f"h{max(int(node.tag[1]), 3)}", _inline(node.children).strip())
    elif node.tag in ("ul", "ol"):
        items = [child for child in node.children if isinstance(child, Node) and child.tag == "li"]
        yield element(node.tag, "".join(element("li", _inside(item.children)) for item in items)) if items else ""
    elif node.tag == "blockquote":
        inner = "".join(_flow(node.children, fold))
        yield element("blockquote", inner) if inner else ""
    elif node.tag == "p":
        line = _inline(node.children).strip()
        yield element("p", element("em", line) if "note" in node.classes else line) if line else ""
    elif node.tag == "div" and "error" in node.classes:
        yield macro("warning", "".join(_flow(node.children, fold)))
    elif node.tag == "dt":
        yield element("p", element("strong", _inline(node.children).strip()))
    else:
        yield from _flow(node.children, fold)


def _details(node: Node) -> str:
    summary = next((child for child in node.children if isinstance(child, Node) and child.tag == "summary"), None)
    rest = [child for child in node.children if child is not summary]
    if "query" in node.classes:
        rest = [Node("pre", {"class": "query"}, child.children) if isinstance(child, Node) and child.tag == "pre" else child for child in rest]
    title = " ".join(tree.text_of(summary).split()) if summary is not None else ""
    return expand(title or "Details", "".join(_flow(rest, False)) or element("p"))


def _table(node: Node, fold: bool) -> str:
    found = tree.table(node)
    if not found.numeric:
        return ""
    lines = [element("tr", "".join(element("th", _inside(cell.children), scope="col") for cell in found.head))] if found.head else []
    for row in found.rows:
        lines.append(element("tr", "".join(_cell(cell, right) for cell, right in zip(row, found.numeric, strict=True))))
    caption = element("p", element("strong", text(found.caption))) if found.caption.strip() else ""
    made = caption + element("table", element("tbody", "\n".join(lines)))
    return expand(f"The table, {len(found.rows):,} rows", made) if fold and len(found.rows) > OPEN_ROWS else made


def _cell(cell: Node, right: bool) -> str:
    inner = _inside(cell.children)
    if cell.tag == "th":
        return element("th", inner, scope="row")
    return element("td", element("p", inner, style=RIGHT) if right and inner and not cell.is_block else inner)


def _inside(children: Iterable[Node | str]) -> str:
    """What a cell or an item holds: one line as it is, more as blocks."""
    children = list(children)
    if any(isinstance(child, Node) and child.is_block for child in children):
        return "".join(_flow(children, False))
    return _inline(children).strip()


def _inline(children: Iterable[Node | str]) -> str:
    found = ""
    for child in children:
        if isinstance(child, str):
            found += sinks.xml(re.sub(r"\s+", " ", child))
        elif child.tag == "br":
            found += "<br />"
        elif child.tag == "a":
            words, target = _inline(child.children), sinks.link(child.attributes.get("href", ""))
            found += f'<a href="{sinks.xml(target)}">{words}</a>' if target and words.strip() else words
        elif child.tag in _LINE:
            inner = _inline(child.children)
            found += element(_LINE[child.tag], inner) if inner else ""
        else:
            found += _inline(child.children)
    return found
