"""Sanitised HTML as Markdown without any HTML: paragraphs, lists, pipe tables, fences; every text in it stays text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from incidentnb import sinks
from incidentnb.publish import tree
from incidentnb.publish.tree import Node

SHORT, LONG = 12, 200  # rows of a table; of one that is the answer itself
_SERIES, _SAMPLE = 50, 5  # a longer table is a series, which its figure shows; so many rows tell what is in it
_MANY, _LONG_TEXT = 7, 70  # columns and characters of a cell from which on a table is too wide for a page
_NAME = 20  # characters of a cell that can name its row
_MARKS = {"strong": "**", "b": "**", "em": "*", "i": "*", "del": "~~", "s": "~~"}
_CODE = {"code", "kbd", "samp"}
_NUMBERED = re.compile(r"^(\d{1,9})([.)])", re.MULTILINE)
_LEFT_OUT = re.compile(r"([\d,]+) more rows are not shown\.")


@dataclass
class Writer:
    """How a part of the appendix becomes Markdown.

    Attributes:
        rows: how many rows of a table are shown; how many are left out is said.
        heading: writes a heading of a text at a level; by default headings of outputs are paragraphs in bold.
        asked: takes a query that an answer rests on, and returns where it stands, as Markdown.
        deepest: the level of the last heading.
    """

    rows: int = SHORT
    heading: Callable[[str, int], str] | None = None
    asked: Callable[[str], str] | None = None
    deepest: int = field(default=2)

    def blocks(self, markup: str) -> list[str]:
        """The blocks of HTML as Markdown, to be parted by blank lines."""
        return [block for block in self._blocks(tree.parse(markup).children) if block.strip()]

    def _blocks(self, children: Iterable[Node | str]) -> Iterator[str]:
        found = list(tree.runs(children))
        skip = False
        for at, part in enumerate(found):
            if skip:
                skip = False
            elif isinstance(part, list):
                yield _paragraph(part)
            elif part.tag == "table":
                following = found[at + 1] if at + 1 < len(found) else None
                told = _LEFT_OUT.fullmatch(tree.text_of(following).strip()) if isinstance(following, Node) else None
                skip = told is not None
                yield from self._table(part, int(told[1].replace(",", "")) if told else 0)
            else:
                yield from self._block(part)

    def _block(self, node: Node) -> Iterator[str]:
        if node.tag == "pre":
            yield sinks.markdown_fence(tree.text_of(node))
        elif node.tag in ("ul", "ol"):
            yield self._list(node)
        elif node.tag == "blockquote":
            inner = "\n\n".join(self._blocks(node.children))
            yield "\n".join(f"> {line}".rstrip() for line in inner.split("\n"))
        elif node.tag == "hr":
            yield "---"
        elif re.fullmatch("h[1-6]", node.tag):
            yield self._heading(node)
        elif node.tag == "details":
            yield from self._details(node)
        elif node.tag == "p" and "note" in node.classes:
            yield around("*", _paragraph(node.children))
        elif node.tag == "p" or not node.is_block:
            yield _paragraph(node.children)
        else:
            boxed = {"div": node.children, "dt": [Node("strong", {}, node.children)]}.get(node.tag, node.children)
            yield from self._blocks(boxed)

    def _heading(self, node: Node) -> str:
        text = " ".join(tree.text_of(node).split())
        if self.heading is None or not text:
            return around("**", sinks.markdown(text))
        self.deepest = min(int(node.tag[1]), self.deepest + 1)
        return self.heading(text, self.deepest)

    def _details(self, node: Node) -> Iterator[str]:
        summary = next((child for child in node.children if isinstance(child, Node) and child.tag == "summary"), None)
        rest = [child for child in node.children if child is not summary]
        if "query" in node.classes and self.asked is not None:
            query = "\n\n".join(tree.text_of(child) for child in rest if isinstance(child, Node) and child.tag == "pre")
            digest = [inline(child.children).strip() for child in rest if isinstance(child, Node) and child.tag == "p"]
            yield " · ".join([*digest, *([self.asked(query)] if query else [])])
            return
        told = " ".join(tree.text_of(summary).split()) if summary is not None else ""
        if told and not re.fullmatch(r"The table, [\d,]+ rows", told):
            yield around("**", sinks.markdown(told))
        yield from self._blocks(rest)

    def _list(self, node: Node) -> str:
        items, start = [child for child in node.children if isinstance(child, Node) and child.tag == "li"], 1
        if node.tag == "ol" and re.fullmatch(r"\d{1,6}", node.attributes.get("start", "")):
            start = int(node.attributes["start"])
        lines = []
        for number, item in enumerate(items, start):
            mark = f"{number}. " if node.tag == "ol" else "- "
            inner = [block for block in self._blocks(item.children) if block.strip()]
            tight = all(isinstance(part, list) or part.tag in ("ul", "ol", "p") for part in tree.runs(item.children)) and len(inner) < 3
            body = ("\n" if tight else "\n\n").join(inner).split("\n")
            lines += [f"{mark if n == 0 else ' ' * len(mark)}{line}".rstrip() for n, line in enumerate(body)]
        return "\n".join(lines)

    def _table(self, node: Node, more: int) -> Iterator[str]:
        found = tree.table(node)
        if found.caption.strip():
            yield sinks.markdown(" ".join(found.caption.split()))
        if found.numeric:
            head = [_cell(cell) for cell in found.head] or [f"column {n}" for n in range(1, len(found.numeric) + 1)]
            shown = found.rows[:_SAMPLE if len(found.rows) > max(_SERIES, self.rows) else self.rows]
            yield from _fitting(head, shown, found.numeric)
            more += len(found.rows) - len(shown)
        if more:
            yield f"*{more:,} more row{' is' if more == 1 else 's are'} not shown.*"


def _fitting(head: list[str], nodes: list[list[Node]], numeric: list[bool]) -> Iterator[str]:
    """A pipe table; of one that is too wide for a page the columns of long texts, but the first, stand below it, by the number of the row."""
    rows = [[_cell(cell) for cell in row] for row in nodes]
    long = [n for n in range(1, len(head)) if any(len(row[n]) > _LONG_TEXT for row in rows)] if len(head) >= _MANY else []
    if not long or len(head) - len(long) < 2:
        yield table(head, rows, numeric)
        return
    short = [n for n in range(len(head)) if n not in long]
    names = [row[0] for row in rows]
    named = len(set(names)) == len(names) and all(0 < len(name) <= _NAME for name in names)
    first = [] if named else ["row"]
    yield table([*first, *(head[n] for n in short)], [[*([str(at)] if first else []), *(row[n] for n in short)] for at, row in enumerate(rows, 1)],
                [*(True for _ in first), *(numeric[n] for n in short)])
    for n in long:
        texts = [" ".join(_paragraph(row[n].children).split()) or "–" for row in nodes]
        yield f"{around('**', head[n])}, by {head[0] if named else 'row'}:"
        yield "\n".join(f"- {name}: {text}" if named else f"{at}. {text}" for at, (name, text) in enumerate(zip(names, texts, strict=True), 1))


def table(head: Iterable[str], rows: Iterable[Iterable[str]], numeric: Iterable[bool] = ()) -> str:
    """A pipe table of cells that are Markdown already; columns of numbers stand at the right."""
    head = list(head)
    right = [*numeric][:len(head)]
    right += [False] * (len(head) - len(right))
    lines = [head, ["---:" if number else "---" for number in right], *([*row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _paragraph(children: Iterable[Node | str]) -> str:
    """Children as a paragraph; a number and a full stop out of two of them begin no list."""
    return _NUMBERED.sub(lambda m: f"{m[1]}&#{ord(m[2])};", inline(children).strip())


def inline(children: Iterable[Node | str], *, cell: bool = False, starts: bool = True) -> str:
    """Children in one line (a line break in a paragraph stays one); ``starts``: at the beginning of a line."""
    found, children = "", list(children)
    for at, child in enumerate(children):
        begins = not cell and ((starts and not found.strip()) or found.endswith("\\\n"))
        if isinstance(child, str):
            flat = re.sub(r"\s+", " ", child)
            flat = flat.lstrip() if begins or found.endswith(" ") else flat
            found += sinks.markdown(flat, len(flat), starts=begins)
        elif child.tag == "br":
            found = found.rstrip(" ") + (" " if cell or not found.strip() else "\\\n")
        elif child.tag in _CODE:
            code = tree.text_of(child)
            if not code.strip():
                found += " " if code and not begins and not found.endswith(" ") else ""
                continue
            plain = (cell and "|" in code) or found.endswith("`")  # a bar parts cells in code too; two spans would be one
            found += sinks.markdown(code, starts=begins) if plain else sinks.markdown_code(code)
        elif child.tag in _MARKS:
            inner = inline(child.children, cell=cell, starts=begins)
            after = next((text for later in children[at + 1:] if (text := tree.text_of(later))), "")
            found += around(_MARKS[child.tag], inner) if _stands(found, inner, after) else inner
        elif child.tag == "a":
            words, target = inline(child.children, cell=cell, starts=begins).strip(), sinks.link(child.attributes.get("href", ""))
            found += f"[{words}]({target.replace('(', '%28').replace(')', '%29')})" if words and target else words
        elif child.tag == "summary":
            found += inline([*child.children, " "], cell=cell)
        else:
            inner = inline(child.children, cell=cell, starts=begins)
            found += f" {inner} " if child.is_block and found else inner
    return found


def _stands(before: str, inner: str, after: str) -> bool:
    """Whether marks around a text are marks where it stands: not beside other marks, not between a mark of the text and a letter."""
    core = inner.strip()
    sooner = (before + inner[:len(inner) - len(inner.lstrip())])[-1:]
    later = (inner[len(inner.rstrip()):] + after)[:1]
    return sooner not in ("*", "~") and not ((sooner.isalnum() and not core[:1].isalnum()) or (later.isalnum() and not core[-1:].isalnum()))


def _cell(node: Node) -> str:
    return " ".join(inline(node.children, cell=True).split())


def around(mark: str, text: str) -> str:
    """Text in bold, in italics or struck out; blanks at its ends stand outside, and marks are not nested in themselves."""
    inner = text.strip()
    if not inner:
        return text
    lead, trail = text[:len(text) - len(text.lstrip())], text[len(text.rstrip()):]
    if inner.startswith("*") or inner.endswith("*") or "\n\n" in inner:
        return text
    return f"{lead}{mark}{inner}{mark}{trail}"
