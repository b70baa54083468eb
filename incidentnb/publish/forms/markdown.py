"""The appendix as Markdown that GitHub, GitLab and wikis render: pipe tables, pictures beside it, no HTML."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from incidentnb import findings, sinks
from incidentnb.publish import safe
from incidentnb.publish.forms import Made

_CODE = re.compile(r"(^```.*?^```|^~~~.*?^~~~|`[^`\n]*`)", re.MULTILINE | re.DOTALL)


def make(model: Mapping[str, Any], folder: str, to: str = "md") -> Made:
    """The document and its pictures.

    Args:
        model: as ``page.page`` makes it.
        folder: the folder beside the document that the pictures will lie in.
    """
    files: dict[str, bytes] = {}
    parts = [f"# {sinks.markdown(model['title'])}", sinks.markdown(model["kicker"])]
    badges = [sinks.markdown(model[key]) for key in ("severity", "status") if model[key]]
    parts += [f"**{' · '.join(badges)}**"] if badges else []
    parts += [f"As known at {sinks.markdown(model['as_of']['text'])}."] if model["as_of"] else []
    if model["banner"]:
        groups = [f"> - {sinks.markdown(g['state'])}: {sinks.markdown(g['names'])}" for g in model["banner"]["groups"]]
        parts.append("\n".join([f"> **{sinks.markdown(model['banner']['head'])}**", ">", *groups, ">",
                                f"> {sinks.markdown(model['banner']['count'])}"]))
    parts += [f"> {sinks.markdown(notice)}" for notice in model["notices"]]
    parts += [sinks.markdown(model["summary"])] if model["summary"] else []
    parts += [_head_table(model)] if model["facts"] or model["metrics"] else []
    parts.append("## Contents\n\n" + "\n".join(f"{n}. {sinks.markdown(s['title'])}" for n, s in enumerate(model["sections"], 1)))
    for section in model["sections"]:
        parts.append(f"## {sinks.markdown(section['title'])}")
        if section["state"] != "completed":
            parts.append(f"> {sinks.markdown(section['state'])}{': ' + sinks.markdown(section['why'], 500) if section['why'] else ''}")
        parts += [_safely(part, folder, files) for part in section["parts"]]
    parts.append(_provenance(model))
    code = [(s["title"], c["source"]) for s in [*model["sections"], model["setup"]] for c in s["code"]]
    if code:
        parts.append("## Code")
        parts += [f"{sinks.markdown(title)}:\n\n{fenced(source, 'python')}" for title, source in code]
    return Made(("\n\n".join(part for part in parts if part.strip()) + "\n").encode("utf-8", "replace"), files)


def _head_table(model: Mapping[str, Any]) -> str:
    rows = []
    for fact in model["facts"]:
        more = [fact.get("note") or "", f"{fact['local']} {fact['zone']}" if fact.get("local") else ""]
        rows.append((fact["name"], "; ".join([fact["text"], *(m for m in more if m)])))
    rows += [(f"{m['name']} {m['long']}".strip(), "; ".join(p for p in (m["text"], m["span"], m["provenance"]) if p))
             for m in model["metrics"]]
    return "\n".join(["| | |", "| --- | --- |", *(f"| {sinks.markdown(name)} | {sinks.markdown(text)} |" for name, text in rows)])


def _safely(part: Mapping[str, Any], folder: str, files: dict[str, bytes]) -> str:
    try:
        return _part(part, folder, files)
    except Exception as problem:  # noqa: BLE001  one hostile output must not cost the export
        return f"*An output could not be shown: {type(problem).__name__}.*"


def _part(part: Mapping[str, Any], folder: str, files: dict[str, bytes]) -> str:
    if part["kind"] == "words":
        return inert(part["markdown"], links=True)
    output = part["output"]
    if output.get("output_type") == "stream":
        return fenced(sinks.clip(_shown(safe.joined(output.get("text"))), safe.TEXT_LIMIT))
    if output.get("output_type") == "error":
        return f"**{sinks.markdown(output.get('ename'))}: {sinks.markdown(output.get('evalue'), 1000)}**"
    data, metadata = output.get("data") or {}, output.get("metadata") or {}
    for mime, ending in (("image/svg+xml", "svg"), ("image/png", "png")):
        content = safe.picture_bytes(mime, safe.joined(data[mime])) if mime in data else None
        if content is not None:
            name = f"figure-{len(files) + 1:02d}-{hashlib.sha256(content).hexdigest()[:8]}.{ending}"
            files[name] = content
            alt = (metadata.get(mime) or {}).get("alt") or "A figure without a description"
            return f"![{sinks.markdown(alt, 1000)}]({folder}/{name})"
    if "text/markdown" in data:
        return inert(safe.joined(data["text/markdown"]))
    return fenced(sinks.clip(_shown(safe.joined(data["text/plain"])), safe.TEXT_LIMIT)) if "text/plain" in data else ""


def _provenance(model: Mapping[str, Any]) -> str:
    lines = ["## Provenance", "\n".join(f"- {line['name']}: {sinks.markdown(line['text'])}" for line in model["provenance"]["lines"])]
    inputs = model["provenance"]["inputs"]
    if inputs:
        names = ("path", "format", "lines", "parsed", "continuation", "rejected", "zone", "zone_source", "digest")
        cells = [[sinks.markdown(findings.cell(i[n])) for n in names] for i in inputs]
        rows = [[n.replace("_", " ") for n in names], ["---"] * len(names), *cells]
        lines.append("\n".join(f"| {' | '.join(row)} |" for row in rows))
    if model["hidden"]:
        lines.append("Hidden in this export: " + ", ".join(f"{h['count']:,} × {h['kind']}" for h in model["hidden"]) + ".")
    lines += [inert(part["markdown"], links=True) for part in model["about"]]
    return "\n\n".join(line for line in lines if line)


def inert(source: str, *, links: bool = False) -> str:
    """Markdown whose raw HTML, pictures and (without ``links``) links are text; what stands in code stays."""
    pieces = _CODE.split(source)
    for n in range(0, len(pieces), 2):
        piece = re.sub(r"<(?=[A-Za-z/!?])", "&lt;", pieces[n]).replace("![", "!\\[")
        pieces[n] = piece.replace("](", "]\\(") if not links else re.sub(r"\]\((?!\s*(?:https?://|#))", r"]\\(", piece)
        pieces[n] = re.sub(r"^(\s{0,3}\[[^\]\n]*\]):", r"\1&#58;", pieces[n], flags=re.MULTILINE) if not links else pieces[n]
    return "".join(pieces).strip()


def fenced(text: str, language: str = "") -> str:
    """Text as a code block whose fence is longer than any in it."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _shown(text: str) -> str:
    return sinks.visible(re.sub(r"\x1b\[[0-9;]{0,40}m", "", text), keep="\n\t")
