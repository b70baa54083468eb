"""The appendix as a Confluence page in storage format, its pictures beside it as files to attach.

To put it into a space:

1. Make the page. ``POST /wiki/rest/api/content`` (Cloud) or ``/rest/api/content`` (Data Center) with ``{"type": "page", "title": …, "space":
   {"key": …}, "body": {"storage": {"value": <this file>, "representation": "storage"}}}``; a page that is there is updated by ``PUT`` to
   its id, with ``version.number`` one higher.
2. Attach each file of ``<name>_files`` to it: ``POST …/content/ID/child/attachment`` with the file as ``file`` and the header
   ``X-Atlassian-Token: nocheck``. The page names them, so they show as soon as they are there.

By hand: paste it in the page's source editor, then attach the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from incidentnb import findings
from incidentnb.publish.forms import Made, pictures, storage
from incidentnb.publish.forms.markdown import COUNTS, INPUTS, local
from incidentnb.publish.forms.storage import element, macro, text

_SEVERITY = {"SEV-1": "Red", "SEV-2": "Yellow", "SEV-3": "Blue", "SEV-4": "Grey"}
_STATUS = {"investigating": "Red", "identified": "Yellow", "monitoring": "Blue", "resolved": "Green"}


def make(model: Mapping[str, Any], folder: str, to: str = "confluence") -> Made:
    """The page and the pictures to attach.

    Args:
        model: as ``page.page`` makes it.
        folder: the folder beside the page that the pictures will lie in; on the wiki they are attachments, by their names alone.
        to: ``confluence``.
    """
    files: dict[str, bytes] = {}
    parts = [*_head(model), macro("toc", minLevel="2", maxLevel="2")]
    for section in model["sections"]:
        parts += _section(section, files)
    parts += _provenance(model)
    code = [(s["title"], c["source"]) for s in [*model["sections"], model["setup"]] for c in s["code"]]
    if code:
        held = "".join(element("p", element("strong", text(title))) + storage.code(source, "py") for title, source in code)
        parts += [element("h2", "Code"), storage.expand("The code of the notebook", held)]
    return Made(("\n".join(part for part in parts if part) + "\n").encode("utf-8", "replace"), files)


def _head(model: Mapping[str, Any]) -> list[str]:
    badges = [macro("status", colour=colours.get(model[key], "Grey"), title=" ".join(model[key].split()))
              for key, colours in (("severity", _SEVERITY), ("status", _STATUS)) if model[key]]
    parts = [element("h1", text(model["title"])), element("p", text(model["kicker"])), element("p", " ".join(badges)) if badges else ""]
    if model["as_of"]:
        parts.append(macro("info", element("p", f"As known at {text(model['as_of']['text'])}.")))
    if model["banner"]:
        groups = "".join(element("li", f"{text(group['state'])}: {text(group['names'])}") for group in model["banner"]["groups"])
        parts.append(macro("warning", element("p", element("strong", text(model["banner"]["head"]))) + (element("ul", groups) if groups else "")
                           + element("p", text(model["banner"]["count"]))))
    parts += [macro("note", element("p", text(notice))) for notice in model["notices"]]
    parts.append(element("p", text(" ".join(model["summary"]))) if model["summary"] else "")
    if model["facts"]:
        rows = [(fact["name"], "; ".join(part for part in (fact["text"], fact.get("note"), local(fact)) if part)) for fact in model["facts"]]
        parts.append(storage.table(("What", "Value"), rows, first=True))
    if model["metrics"]:
        rows = [(f"{m['name']} ({m['long']})" if m["long"] else m["name"], m["text"], m["span"], m["provenance"]) for m in model["metrics"]]
        parts.append(storage.table(("Metric", "Value", "From → to (UTC)", "By"), rows, first=True))
    return parts


def _section(section: Mapping[str, Any], files: dict[str, bytes]) -> list[str]:
    parts = [element("h2", text(section["title"]))]
    if section["state"] != "completed":
        why = f": {text(section['why'])}" if section["why"] else ""
        parts.append(macro("warning", element("p", element("strong", text(section["state"])) + why)))
    return parts + [_part(part, files, fold=not section["timeline"]) for part in section["parts"]]


def _part(part: Mapping[str, Any], files: dict[str, bytes], fold: bool) -> str:
    try:
        picture = pictures.keep(part["output"], files) if part["kind"] == "output" else None
        if picture is not None:
            return storage.image(picture.name, picture.alt, picture.width)
        return storage.blocks(part["html"], fold=fold)
    except Exception as problem:  # noqa: BLE001  one hostile output must not cost the export
        return element("p", element("em", f"An output could not be shown: {type(problem).__name__}."))


def _provenance(model: Mapping[str, Any]) -> list[str]:
    lines, inputs = model["provenance"]["lines"], model["provenance"]["inputs"]
    parts = [element("h2", "Provenance"), storage.table((), [(line["name"], line["text"]) for line in lines], numeric=(False,) * 2, first=True)
             if lines else ""]
    if inputs:
        parts.append(storage.table([name.replace("_", " ") for name in INPUTS], [[findings.cell(one[name]) for name in INPUTS] for one in inputs],
                                   numeric=[name in COUNTS for name in INPUTS]))
    if model["hidden"]:
        parts.append(element("p", "Hidden in this export: " + ", ".join(f"{h['count']:,} × {text(h['kind'])}" for h in model["hidden"]) + "."))
    return parts + [storage.blocks(part["html"]) for part in model["about"]]
