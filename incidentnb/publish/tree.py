"""Sanitised HTML as a tree, for the forms that are no HTML: what ``safe`` lets through, in nodes."""

from __future__ import annotations

import html.parser
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

VOID = {"br", "col", "hr", "img", "wbr"}
BLOCKS = {"blockquote", "dd", "details", "div", "dl", "dt", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "table", "ul"}
_NUMBER = re.compile(r"[+-]?[\d,]{0,30}\.?\d{1,30}(e[+-]?\d{1,3})?")
_DEEPEST = 100


@dataclass
class Node:
    """An element: its ``tag`` (empty for the root), ``attributes``, and ``children``, elements and texts."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Node | str] = field(default_factory=list)

    @property
    def classes(self) -> set[str]:
        """The names of its classes."""
        return set(self.attributes.get("class", "").split())

    @property
    def is_block(self) -> bool:
        """Whether it is, or holds, what stands on lines of its own."""
        return self.tag in BLOCKS or any(isinstance(child, Node) and child.is_block for child in self.children)


@dataclass(frozen=True)
class Table:
    """A table: ``head`` (cells of the first row, if they are headings), ``rows`` of cells, ``caption``, and whether each column is of numbers."""

    head: list[Node]
    rows: list[list[Node]]
    caption: str
    numeric: list[bool]


def parse(markup: str) -> Node:
    """The tree of HTML that ``safe`` made; what is nested beyond reason is flattened."""
    builder = _Builder()
    builder.feed(markup)
    builder.close()
    return builder.root


def text_of(node: Node | str) -> str:
    """All text in a node, as it is."""
    return node if isinstance(node, str) else "\n" if node.tag == "br" else "".join(map(text_of, node.children))


def runs(children: Iterable[Node | str]) -> Iterator[Node | list[Node | str]]:
    """Children as blocks, and lists of what stands in one line between them; blank lists are left out."""
    line: list[Node | str] = []
    for child in children:
        if isinstance(child, Node) and child.is_block:
            while child.tag == "div" and len(child.children) == 1 and isinstance(child.children[0], Node) and not child.classes & {"error"}:
                child = child.children[0]  # a box of one thing is that thing
            if any(not isinstance(part, str) or part.strip() for part in line):
                yield line
            line = []
            yield child
        else:
            line.append(child)
    if any(not isinstance(part, str) or part.strip() for part in line):
        yield line


def table(node: Node) -> Table:
    """The cells of a table element; rows are filled up to the widest."""
    rows = [[cell for cell in row.children if isinstance(cell, Node) and cell.tag in ("td", "th")] for row in _find(node, "tr")]
    rows = [[part for cell in row for part in (cell, *(Node("td") for _ in range(_span(cell) - 1)))] for row in rows if row]
    width = max(map(len, rows), default=0)
    rows = [[*row, *(Node("td") for _ in range(width - len(row)))] for row in rows]
    head = rows.pop(0) if rows and all(cell.tag == "th" or not cell.children for cell in rows[0]) else []
    numeric = [_numeric([row[n] for row in rows]) for n in range(width)]
    return Table(head, rows, " ".join(text_of(part) for part in _find(node, "caption")), numeric)


def _numeric(column: list[Node]) -> bool:
    """Whether a column is of numbers: by its class, which our own tables have, or because each of its texts is one."""
    texts = [text_of(cell).strip() for cell in column]
    told = [("num" in cell.classes) for cell in column]
    return (any(told) and all(num or not text for num, text in zip(told, texts, strict=True))) or (
        bool(texts) and all(_NUMBER.fullmatch(text) for text in texts))


def _span(cell: Node) -> int:
    given = cell.attributes.get("colspan", "1")
    return min(int(given), 50) if given.isdigit() and int(given) else 1


def _find(node: Node, tag: str) -> Iterator[Node]:
    """The elements of a name, not those inside an inner table."""
    for child in node.children:
        if isinstance(child, Node) and child.tag == tag:
            yield child
        elif isinstance(child, Node) and child.tag != "table":
            yield from _find(child, tag)


class _Builder(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("")
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs})
        if len(self._open) < _DEEPEST:
            self._open[-1].children.append(node)
            if tag not in VOID:
                self._open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in VOID:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        for depth in range(len(self._open) - 1, 0, -1):
            if self._open[depth].tag == tag:
                del self._open[depth:]
                return

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)
