"""The appendix as Markdown that GitHub, GitLab and wikis render: pipe tables, pictures beside it, no HTML at all.

What stands in the sections is the sanitised HTML of the page, written anew (``marked``), so both tell the same. Code and queries come
last, and each answer leads to its query.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from incidentnb import findings, sinks
from incidentnb.publish.forms import Made, marked, pictures

INPUTS = ("path", "format", "lines", "parsed", "continuation", "rejected", "zone", "zone_source", "digest")
COUNTS = {"lines", "parsed", "continuation", "rejected"}


def make(model: Mapping[str, Any], folder: str, to: str = "md") -> Made:
    """The document and its pictures.

    Args:
        model: as ``page.page`` makes it.
        folder: the folder beside the document that the pictures will lie in.
        to: ``md``.
    """
    files: dict[str, bytes] = {}
    anchors = Anchors()
    head = [anchors.heading(model["title"], 1), *_head(model)]
    contents, body = [anchors.heading("Contents", 2)], []
    asked: list[tuple[str, list[str]]] = []
    for section in model["sections"]:
        body.append(anchors.heading(section["title"], 2))
        contents.append(anchors.last)
        body += _section(section, folder, files, anchors, asked)
    body.append(anchors.heading("Provenance", 2))
    contents.append(anchors.last)
    body += _provenance(model)
    if asked:
        body.append(anchors.heading("How each answer was asked", 2))
        contents.append(anchors.last)
        body += _queries(asked, anchors)
    if code := _code(model):
        body.append(anchors.heading("Code", 2))
        contents.append(anchors.last)
        body += code
    listed = "\n".join(f"{n}. {link}" for n, link in enumerate(contents[1:], 1))
    parts = [*head, contents[0], listed, *body]
    text = "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"
    return Made(anchors.resolve(text).encode("utf-8", "replace"), files)


class Anchors:
    """Headings and the links to them, by the rule that GitHub and GitLab share: lower case, words, hyphens; a number for the second of a name."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}
        self._kept: dict[str, str] = {}
        self._slug = ""
        self.last = ""  # a link to the last heading

    def heading(self, text: object, level: int) -> str:
        """A heading; ``last`` leads to it."""
        shown = " ".join(str(text).split())
        self._slug = self.slug(sinks.visible(shown))
        self.last = f"[{sinks.markdown(shown)}](#{self._slug})" if self._slug else sinks.markdown(shown)
        return f"{'#' * level} {sinks.markdown(shown)}"

    def slug(self, text: str) -> str:
        """The anchor that a heading gets, and each time another one."""
        kept = "".join(c for c in text.lower() if c in " -" or unicodedata.category(c)[0] in "LM" or unicodedata.category(c) in ("Nd", "Pc"))
        slug = kept.strip().replace(" ", "-")
        count = self._seen.get(slug, 0)
        self._seen[slug] = count + 1
        if not count or not slug:
            return slug
        numbered = f"{slug}-{count}"
        self._seen.setdefault(numbered, 1)
        return numbered

    def promise(self, key: int) -> str:
        """A mark for a link to a heading that comes later; no text that went through a sink can hold it."""
        return f"\x00{key}\x00"

    def keep(self, key: int) -> None:
        """The last heading is the one that was promised under this key."""
        self._kept[str(key)] = self._slug

    def resolve(self, document: str) -> str:
        """The document with each promised link in its place."""
        return re.sub("\x00(\\d+)\x00", lambda m: f"[How this was asked](#{self._kept.get(m[1], '')})", document)


def _head(model: Mapping[str, Any]) -> list[str]:
    """What stands before the contents: what it is, how bad, what is missing, the summary, milestones and metrics."""
    badges = [sinks.markdown(model[key]) for key in ("severity", "status") if model[key]]
    parts = [sinks.markdown(model["kicker"]), *([marked.around("**", " · ".join(badges))] if badges else [])]
    parts += [f"As known at {sinks.markdown(model['as_of']['text'], starts=False)}."] if model["as_of"] else []
    if banner := model["banner"]:
        groups = [f"> - {sinks.markdown(g['state'])}: {sinks.markdown(g['names'], starts=False)}" for g in banner["groups"]]
        parts.append("\n".join([f"> {marked.around('**', sinks.markdown(banner['head'], starts=False))}", ">", *groups, *([">"] if groups else []),
                                f"> {sinks.markdown(banner['count'])}"]))
    parts += [f"> {sinks.markdown(notice)}" for notice in model["notices"]]
    parts += [sinks.markdown(" ".join(model["summary"]))] if model["summary"] else []
    if model["facts"]:
        rows = [[fact["name"], "; ".join(part for part in (fact["text"], fact.get("note"), local(fact)) if part)] for fact in model["facts"]]
        parts.append(_table(("What", "Value"), rows))
    if model["metrics"]:
        rows = [[f"{m['name']} ({m['long']})" if m["long"] else m["name"], m["text"], m["span"], m["provenance"]] for m in model["metrics"]]
        parts.append(_table(("Metric", "Value", "From → to (UTC)", "By"), rows, [False, True]))
    return parts


def local(fact: Mapping[str, Any]) -> str:
    """A moment of the head in the zone of the incident; empty where that is UTC."""
    return f"{fact['local']} {fact['zone']}" if fact.get("local") else ""


def _section(section: Mapping[str, Any], folder: str, files: dict[str, bytes], anchors: Anchors, asked: list[tuple[str, list[str]]]) -> list[str]:
    """What a section holds: words, answers, figures, tables. Its queries are collected for the end."""
    parts, queries = [], list[str]()
    key = len(asked)

    def ask(query: str) -> str:
        if query not in queries:
            queries.append(query)
        return anchors.promise(key)

    if section["state"] != "completed":
        why = f": {sinks.markdown(section['why'], 500, starts=False)}" if section["why"] else ""
        parts.append(f"> {marked.around('**', sinks.markdown(section['state'], starts=False))}{why}")
    words = marked.Writer(marked.LONG, anchors.heading)
    outputs = marked.Writer(marked.LONG if section["timeline"] else marked.SHORT, asked=ask)
    for part in section["parts"]:
        parts += _part(part, words if part["kind"] == "words" else outputs, folder, files)
    if queries:
        asked.append((section["title"], queries))
    return parts


def _part(part: Mapping[str, Any], writer: marked.Writer, folder: str, files: dict[str, bytes]) -> list[str]:
    try:
        picture = pictures.keep(part["output"], files) if part["kind"] == "output" else None
        if picture is not None:
            return [f"![{sinks.markdown(picture.alt, 1000, starts=False)}]({quote(folder)}/{picture.name})"]
        return writer.blocks(part["html"])
    except Exception as problem:  # noqa: BLE001  one hostile output must not cost the export
        return [f"*An output could not be shown: {type(problem).__name__}.*"]


def _provenance(model: Mapping[str, Any]) -> list[str]:
    lines, inputs = model["provenance"]["lines"], model["provenance"]["inputs"]
    parts = [_table(("What", "Value"), [[line["name"], line["text"]] for line in lines])] if lines else []
    if inputs:
        rows = [[findings.cell(one[name]) for name in INPUTS] for one in inputs]
        parts.append(_table([name.replace("_", " ") for name in INPUTS], rows, [name in COUNTS for name in INPUTS]))
    if model["hidden"]:
        hidden = ", ".join(f"{h['count']:,} × {sinks.markdown(h['kind'], starts=False)}" for h in model["hidden"])
        parts.append(f"Hidden in this export: {hidden}.")
    return parts + [block for part in model["about"] for block in marked.Writer(marked.LONG).blocks(part["html"])]


def _queries(asked: Iterable[tuple[str, list[str]]], anchors: Anchors) -> list[str]:
    """Each section's queries under a heading of its own, which the answers lead to."""
    parts = []
    for key, (title, queries) in enumerate(asked):
        parts.append(anchors.heading(title, 3))
        anchors.keep(key)
        parts += [sinks.markdown_fence(query, "sql") for query in queries]
    return parts


def _code(model: Mapping[str, Any]) -> list[str]:
    return [f"{marked.around('**', sinks.markdown(section['title'], starts=False))}\n\n{sinks.markdown_fence(code['source'], 'python')}"
            for section in [*model["sections"], model["setup"]] for code in section["code"]]


def _table(head: Iterable[str], rows: Iterable[Iterable[Any]], numeric: Iterable[bool] = ()) -> str:
    return marked.table([sinks.markdown(name, starts=False) for name in head],
                        [[sinks.markdown(value, starts=False) for value in row] for row in rows], numeric)
