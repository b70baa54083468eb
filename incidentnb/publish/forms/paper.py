"""The page as it is printed: nothing is folded, long tables are cut and say so, the code stands at the end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from incidentnb import sinks
from incidentnb.publish import safe, tree
from incidentnb.publish.forms import html
from incidentnb.publish.tree import Node

ROWS, OPEN_ROWS, TEXT = 12, 200, 3000  # of a table that is folded on the screen, of one that is not; characters of a block of text
_LINE, _WIDEST, _WORD = 100.0, 56, 24  # characters of a table's line, of a column's longest text, of its longest word
_CROWDED = 130.0  # characters of a line from which on a table is parted by its columns
_PICTURES = {code + 0x2400: f"‹U+{code:04X}›" for code in (*range(32), 0x21)} | {0x2421: "‹U+007F›"}  # few fonts have pictures of control characters
_TOUCHED = re.compile(r"<(?:details|figure|table|pre)\b")


def render(model: Mapping[str, Any]) -> str:
    """The model as HTML for paper, by the template of the page."""
    sections = [{**section, "parts": [_printed(part) for part in section["parts"]]} for section in model["sections"]]
    setup = {**model["setup"], "parts": [_printed(part) for part in model["setup"]["parts"]]}
    return html.render({**model, "sections": sections, "setup": setup, "paper": True}).translate(_PICTURES)


def _printed(part: Mapping[str, Any]) -> dict[str, Any]:
    if not _TOUCHED.search(part["html"]):
        return dict(part)
    root = tree.parse(part["html"])
    _lay_out(root)
    return {**part, "html": "".join(map(written, root.children))}


def _lay_out(node: Node, folded: bool = False) -> None:
    """Turn what is folded into a block under its name and cut its tables; clip long texts; give each table's columns their widths."""
    for child in [child for child in node.children if isinstance(child, Node)]:
        inside = folded or child.tag == "details"
        if child.tag == "details":
            child.tag, child.attributes = "div", {"class": "unfolded"}
        elif child.tag == "summary":
            child.tag, child.attributes = "p", {"class": "fold"}
        elif child.tag == "figure":  # a printer would make two figures of it and its picture, one of them without a description
            child.tag, child.attributes = "div", {"class": "figure"}
        elif child.tag == "pre" and len(text := tree.text_of(child)) > TEXT:
            child.children = [safe.clipped(text, TEXT)]
        elif child.tag == "table":
            _cut(node, child, ROWS if inside else OPEN_ROWS)
            for part in _parted(node, child):
                _widths(part)
        _lay_out(child, inside)


def _cut(parent: Node, table: Node, most: int) -> None:
    """Leave the first rows of a table and say below it how many are not printed."""
    rows = [(body, row) for body in table.children if isinstance(body, Node) and body.tag == "tbody"
            for row in body.children if isinstance(row, Node) and row.tag == "tr"]
    if len(rows) <= most + 5:
        return
    for body, row in rows[most:]:
        body.children = [child for child in body.children if child is not row]
    place = next(n for n, child in enumerate(parent.children) if child is table)
    told = f"{len(rows) - most:,} more rows are not printed; the page (HTML) and the executed notebook have them."
    parent.children.insert(place + 1, Node("p", {"class": "note"}, [told]))


def _parted(parent: Node, table: Node) -> list[Node]:
    """A table in as many tables, each with its first column, as it takes for the widest word of each column to find room; where cells span
    others it stays one."""
    cells = [[cell for cell in row.children if isinstance(cell, Node)] for row in _all(table, "tr")]
    widths = {len(row) for row in cells}
    if len(widths) != 1 or any({"colspan", "rowspan"} & cell.attributes.keys() for row in cells for cell in row):
        return [table]
    least = [min(max((len(word) for row in cells for word in tree.text_of(row[n]).split()), default=1), _WORD) + 2.5 for n in range(widths.pop())]
    if sum(least) <= _CROWDED:
        return [table]
    groups: list[list[int]] = [[]]
    for n, width in enumerate(least[1:], 1):
        if groups[-1] and least[0] + sum(least[m] for m in groups[-1]) + width > _LINE:
            groups.append([])
        groups[-1].append(n)
    parts = [_columns(table, {0, *group}) for group in groups]
    place = next(n for n, child in enumerate(parent.children) if child is table)
    parent.children[place:place + 1] = [part for n, one in enumerate(parts) for part in (
        *([Node("p", {"class": "note"}, [f"The table, its columns continued ({n + 1} of {len(parts)}):"])] if n else ()), one)]
    return parts


def _columns(node: Node, kept: set[int]) -> Node:
    """A copy of a table with some of its columns."""
    children = [child for n, child in enumerate(c for c in node.children if isinstance(c, Node)) if n in kept] if node.tag == "tr" else [
        _columns(child, kept) if isinstance(child, Node) else child for child in node.children]
    return Node(node.tag, dict(node.attributes), children)


def _all(node: Node, tag: str) -> list[Node]:
    return [found for child in node.children if isinstance(child, Node)
            for found in ([child] if child.tag == tag else [] if child.tag == "td" else _all(child, tag))]


def _widths(table: Node) -> None:
    """Write down how wide each column is, from the lengths of its texts: a printer that measures each text itself takes for ever."""
    cells = tree.table(table)
    rows = [row for row in (cells.head, *cells.rows) if row]
    if not rows:
        return
    columns = [[tree.text_of(row[n]) for row in rows] for n in range(len(rows[0]))]
    bold = [1.2 if cells.head and n == 0 else 1.0 for n in range(len(rows))]  # how wide the letters of a row are
    words = [max((len(word) * wide for wide, text in zip(bold, texts, strict=True) for word in text.split()), default=1) for texts in columns]
    wanted = [min(max(map(len, texts)), _WIDEST) for texts in columns]
    shares = [max(want, min(word, _WORD)) + 2.5 for want, word in zip(wanted, words, strict=True)]
    least = [min(word, _WORD) + 2.5 for word in words]
    total = sum(shares)
    if total > _LINE:  # what is wider than its longest word gives way
        spare, room = total - sum(least), max(_LINE - sum(least), 0.0)
        shares = [low + (share - low) * room / spare if spare else low for share, low in zip(shares, least, strict=True)]
        total = max(sum(shares), _LINE)
    columns_of = [Node("col", {"style": f"width: {100 * share / total:.2f}%"}) for share in shares]
    table.attributes["style"] = f"width: {min(100, 100 * total / _LINE):.1f}%"
    caption = [child for child in table.children if isinstance(child, Node) and child.tag == "caption"]
    table.children = [*caption, Node("colgroup", {}, columns_of), *(child for child in table.children if child not in caption)]


def written(node: Node | str) -> str:
    """A node of sanitised HTML as HTML again."""
    if isinstance(node, str):
        return sinks.html(node, len(node))
    names = "".join(f' {name}="{sinks.html(value, len(value))}"' for name, value in node.attributes.items())
    return f"<{node.tag}{names}>" + ("" if node.tag in tree.VOID else f"{''.join(map(written, node.children))}</{node.tag}>")
