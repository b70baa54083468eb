"""The appendix as a plain model: what stands at its head, its sections in the reader's order, what it rests on.

Made of an executed notebook and a ``header``; the template only lays it out. Values named ``html`` are safe HTML (``safe.py``), all
others are text that the template escapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import groupby
from typing import Any

from incidentnb import sinks, times
from incidentnb.exceptions import InputError
from incidentnb.publish import account, safe
from incidentnb.times import Interval

SETUP = {"parameters", "injected-parameters", "setup"}
MILESTONES = (("started_at", "Onset"), ("detected_at", "Detected"), ("acknowledged_at", "Acknowledged"), ("mitigated_at", "Mitigated"),
              ("resolved_at", "Resolved"))
METRICS = {"TTD": "time to detect", "TTA": "time to acknowledge", "TTM": "time to mitigate", "TTR": "time to resolve"}
NAMES = {"impact": "Impact"}
_HEADING = re.compile(r"^(#{1,6})[ \t]+(.+?)(?:[ \t]+#+)?[ \t]*$", re.MULTILINE)
_UNDERLINED = re.compile(r"(?:\A|(?<=\n\n))([^\s#>|*+`~-][^\n]*)\n(={2,}|-{2,})[ \t]*$", re.MULTILINE)
_TROUBLE = ("failed", "killed", "timed out", "interrupted", "could not be computed", "not run")


def page(notebook: Mapping[str, Any], header: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The model of the appendix.

    Args:
        notebook: an executed notebook (nbformat 4) as nested mappings. ``metadata.incidentnb`` may hold its run record.
        header: everything optional: ``incident`` (folder name), ``title``, ``severity``, ``status``, ``ic``, ``zone`` (IANA name),
            ``summary`` (a text or a list of sentences), ``scope`` (a sentence), ``as_of``; ``milestones`` {``started_at`` …
            ``resolved_at``: instant, ``Interval``, ISO text or ``None``}; ``metrics`` {``TTD`` …: {value (``timedelta``, seconds or
            ``None``), from, to, provenance}}; ``inputs`` as in ``formats --json``; ``journal`` {head, entries}; ``versions`` {package:
            version}.

    Returns:
        ``title``, ``kicker``, ``severity``, ``status``, ``facts``, ``metrics``, ``banner``, ``notices``, ``sections``, ``setup``,
        ``about`` (what the notebook says of itself), ``provenance``.
    """
    facts = _mapping(_mapping(notebook.get("metadata")).get("incidentnb"))
    header = dict(header) if header is not None else _mapping(facts.get("header"))
    zone = _zone(header.get("zone"))
    sections, setup, title = _sections(notebook.get("cells") or [])
    given = header.get("summary") or ()
    summary = [str(sentence) for sentence in ([given] if isinstance(given, str) else given)]
    about = [s for s in sections if not s["title"] and not s["cells"]]
    sections = [{**s, "title": s["title"] or "Beginning"} for s in sections if s not in about]
    sections = [s for s in sections if s["timeline"]] + [s for s in sections if not s["timeline"]]
    for number, section in enumerate(sections, 1):
        section["id"] = f"s{number}-{sinks.file_name(section['title'], 40)}"
    return {
        "title": str(header.get("title") or title or facts.get("notebook") or "Incident"),
        "kicker": " · ".join(str(part) for part in ("Incident appendix", header.get("incident")) if part),
        "severity": str(header.get("severity") or ""), "status": str(header.get("status") or ""),
        "summary": summary, "facts": _facts(header, zone), "metrics": _metrics(header, zone),
        "as_of": _when(header.get("as_of"), zone), "banner": _banner(facts, sections, setup), "notices": _notices(header, sections),
        "sections": sections, "setup": setup, "about": [part for section in about for part in section["parts"]],
        "provenance": _provenance(header, facts, zone), "account": account.told(header, facts),
    }


def _sections(cells: Iterable[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, Any], str]:
    """Cells under their headings, the set-up apart, and the notebook's own title."""
    sections: list[dict[str, Any]] = []
    setup, title = _section("Set-up"), ""
    current: dict[str, Any] | None = None
    for cell in map(_shaped, cells):
        told = cell["metadata"].get("tags")
        tags, source = set(map(str, told)) if isinstance(told, list) else set(), safe.joined(cell.get("source"))
        if "banner" in tags:
            continue  # told again, from the run record
        if cell.get("cell_type") == "code":
            target = setup if tags & SETUP else current
            if target is None:
                target = current = _section("")
                sections.append(current)
            _add_code(target, cell, source)
            target["timeline"] |= "timeline" in tags
        elif cell.get("cell_type") == "markdown":
            for level, name, body in _headed(source):
                if level == 1 and not title and not any(section["title"] for section in sections):
                    title, current = name, None
                    name = ""
                elif level or current is None:
                    current = _section(name)
                    sections.append(current)
                if body.strip():
                    if current is None:
                        current = _section(name)
                        sections.append(current)
                    current["parts"].append({"html": safe.markdown(body, links=True), "markdown": body.strip(), "kind": "words"})
                if current is not None:
                    current["timeline"] |= "timeline" in tags
    return [s for s in sections if s["title"] or s["parts"] or s["code"]], setup, title


def _shaped(cell: Any) -> dict[str, Any]:
    """A cell with mappings where mappings belong, whatever wrote it."""
    shaped = dict(_mapping(cell), metadata=_mapping(_mapping(cell).get("metadata")))
    given = shaped.get("outputs")
    outputs = [_mapping(output) for output in (given if isinstance(given, list) else ()) if isinstance(output, Mapping)]
    shaped["outputs"] = [{**output, "data": _mapping(output.get("data")), "metadata": _mapping(output.get("metadata"))} for output in outputs]
    return shaped


def one_text(notebook: Mapping[str, Any]) -> dict[str, Any]:
    """A notebook in which what a program wrote piece by piece is one text: of each run of pieces of a stream one output."""
    def outputs(given: list[Any]) -> Iterable[Any]:
        of_a_stream = [_mapping(o).get("name") if _mapping(o).get("output_type") == "stream" else at for at, o in enumerate(given)]
        for _, group in groupby(zip(of_a_stream, given, strict=True), key=lambda pair: pair[0]):
            pieces = [output for _, output in group]
            yield pieces[0] if len(pieces) == 1 else {**pieces[0], "text": "".join(safe.joined(piece.get("text")) for piece in pieces)}

    cells = [{**cell, "outputs": list(outputs(cell["outputs"]))} if isinstance(_mapping(cell).get("outputs"), list) else cell
             for cell in notebook.get("cells") or []]
    return {**notebook, "cells": cells}


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _section(title: str) -> dict[str, Any]:
    return {"title": title, "parts": [], "code": [], "timeline": False, "state": "completed", "why": "", "cells": []}


def _headed(source: str) -> Iterable[tuple[int, str, str]]:
    """(level 1 or 2, or 0; heading; Markdown below it) of each piece of a Markdown cell; code fences hide no headings here."""
    at, level, name = 0, 0, ""
    fences = [m.span() for m in re.finditer(r"^(```|~~~).*?^\1", source, re.MULTILINE | re.DOTALL)]
    source = _UNDERLINED.sub(lambda m: m[0] if any(a <= m.start() < b for a, b in fences) else f"{'#' if m[2][0] == '=' else '##'} {m[1]}", source)
    fences = [m.span() for m in re.finditer(r"^(```|~~~).*?^\1", source, re.MULTILINE | re.DOTALL)]
    for found in _HEADING.finditer(source):
        if len(found[1]) > 2 or any(start <= found.start() < end for start, end in fences):
            continue
        if level or source[at:found.start()].strip():
            yield level, name, source[at:found.start()]
        at, level, name = found.end(), len(found[1]), _words(found[2])
    yield level, name, source[at:]


def _words(heading: str) -> str:
    """A heading without its Markdown marks."""
    return re.sub(r"[*_`]|\[([^\]]*)\]\([^)]*\)", lambda m: m[1] or "", heading).strip()


def _add_code(section: dict[str, Any], cell: Mapping[str, Any], source: str) -> None:
    state = state_of(cell)
    section["cells"].append(state)
    if state[0] != "completed" and section["state"] == "completed":
        section["state"], section["why"] = state
    for output in cell["outputs"]:
        section["parts"].append({"html": safe.output(output), "output": output, "kind": "output"})
    if source.strip():
        section["code"].append({"html": safe.code(source), "source": source})


def state_of(cell: Mapping[str, Any]) -> tuple[str, str]:
    """State and reason of a code cell: what the run record wrote into it, else what its outputs and its count bear."""
    told = _mapping(cell["metadata"].get("incidentnb"))
    if told.get("state"):
        return str(told["state"]), str(told.get("why") or "")
    outputs = cell["outputs"]
    for output in outputs:
        if output.get("output_type") == "error":
            return "failed", f"{output.get('ename')}: {output.get('evalue')}"
    for output in outputs:
        failed = _mapping(output["metadata"].get("incidentnb"))
        if failed.get("section_failed"):
            return "could not be computed", str(failed["section_failed"])
    ran = cell.get("execution_count") is not None or outputs or not safe.joined(cell.get("source")).strip()
    return ("completed", "") if ran else ("not run", "")


def _banner(record: Mapping[str, Any], sections: list[dict[str, Any]], setup: dict[str, Any]) -> dict[str, Any] | None:
    """What did not run or could not be computed, said first; ``None`` where everything holds."""
    everything = [*sections, setup]
    groups = {state: list(dict.fromkeys(s["title"] for s in everything if any(c[0] == state for c in s["cells"]))) for state in _TROUBLE}
    groups = {state: names for state, names in groups.items() if names}
    outcome = str(record.get("outcome") or "completed")
    if not groups and outcome == "completed":
        return None
    states = [c[0] for s in everything for c in s["cells"]]
    why = str(record.get("why") or "")
    head = (f"The run behind this page did not complete: {outcome}{', ' + why if why else ''}." if outcome != "completed"
            else "Not every section of this page could be computed.")
    return {"head": head, "groups": [{"state": state, "names": ", ".join(names)} for state, names in groups.items()],
            "count": f"{sum(s == 'completed' for s in states)} of {len(states)} cells completed; what they show holds."}


def _notices(header: Mapping[str, Any], sections: list[dict[str, Any]]) -> list[str]:
    """What the reader must know of the data: lines that could not be read, zones and years that were assumed."""
    inputs = [i for i in header.get("inputs") or () if isinstance(i, Mapping)]
    rejected, lines = sum(int(i.get("rejected") or 0) for i in inputs), sum(int(i.get("lines") or 0) for i in inputs)
    found = [f"{rejected:,} of {lines:,} lines could not be read; they are kept with file, line and reason."] if rejected else []
    assumed = [str(i.get("path")) for i in inputs if "assumed" in str(i.get("zone_source") or "")]
    if assumed:
        found.append(f"The time zone of {len(assumed)} of {len(inputs)} files is assumed, not known: {', '.join(assumed[:5])}"
                     + (" …" if len(assumed) > 5 else "") + ".")
    return found + ([] if any(s["timeline"] for s in sections) or not sections else ["This notebook has no timeline."])


def _facts(header: Mapping[str, Any], zone: tzinfo) -> list[dict[str, Any]]:
    facts = []
    milestones = header.get("milestones")
    milestones = milestones if isinstance(milestones, Mapping) else {k: header[k] for k, _ in MILESTONES if k in header}
    for key, name in MILESTONES if milestones else ():
        facts.append({"name": name, **(_when(milestones.get(key), zone) or {"text": "not recorded", "missing": True})})
    if "ic" in header:
        facts.append({"name": "Incident commander", "text": str(header["ic"] or "not recorded"), "missing": not header["ic"]})
    if "scope" in header:
        facts.append({"name": "Scope", "text": str(header["scope"] or "not established"), "missing": not header["scope"], "wide": True})
    return facts


def _metrics(header: Mapping[str, Any], zone: tzinfo) -> list[dict[str, Any]]:
    found = []
    metrics = header.get("metrics") if isinstance(header.get("metrics"), Mapping) else {}
    for name, metric in metrics.items():
        metric = metric if isinstance(metric, Mapping) else {"value": metric}
        value = metric.get("value")
        value = timedelta(seconds=value) if isinstance(value, int | float) else value
        ends = [(_when(metric.get(side), zone) or {}).get("short") for side in ("from", "to")]
        source = (metric.get("problem") if value is None else "") or metric.get("provenance") or ""
        found.append({"name": NAMES.get(str(name), str(name)), "long": METRICS.get(str(name), ""), "missing": value is None,
                      "text": times.spell(value) if value is None or isinstance(value, timedelta) else str(value),
                      "span": " → ".join(e for e in ends if e) if all(ends) else "", "provenance": str(source)})
    return found


def _when(value: Any, zone: tzinfo) -> dict[str, Any] | None:
    """A moment for people: ``text`` in UTC, ``local`` in the incident's zone, ``note`` for an interval, ``iso`` for machines."""
    known = account.moment(value)
    if known is None:
        return None if value in (None, "") else {"text": str(value), "short": str(value)}
    at, uncertain = (known.at, known.latest > known.earliest) if isinstance(known, Interval) else (known, False)
    at, elsewhere = at.astimezone(UTC), times.elsewhere(zone, at)
    local = at.astimezone(zone)
    day = f"{local:%Y-%m-%d} " if local.date() != at.date() else ""
    return {"iso": times.iso(at), "text": f"{at:%Y-%m-%d} {_clock(at)} UTC", "short": _clock(at),
            "note": f"between {_clock(known.earliest)} and {_clock(known.latest)}" if uncertain else "",
            "local": f"{day}{local:%H:%M:%S}" if elsewhere else "", "zone": str(zone) if elsewhere else ""}


def _clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:%M:%S}"


def _zone(name: Any) -> tzinfo:
    try:
        return name if isinstance(name, tzinfo) else times.zone(str(name or "UTC"))
    except InputError:
        return UTC


def _provenance(header: Mapping[str, Any], record: Mapping[str, Any], zone: tzinfo) -> dict[str, Any]:
    journal = header.get("journal") if isinstance(header.get("journal"), Mapping) else {}
    versions = header.get("versions") or record.get("versions") or {}
    started, finished = ((_when(record.get(key), zone) or {}).get("text") for key in ("started", "finished"))
    lines = [("Notebook", record.get("notebook")), ("Run", record.get("run")), ("Started", started), ("Finished", finished),
             ("Outcome", record.get("outcome")), ("Evidence", header.get("evidence")),
             ("Journal", f"{journal.get('entries', '')} entries, head {journal['head']}".strip() if journal.get("head") else None),
             ("Versions", ", ".join(f"{name} {version}" for name, version in sorted(versions.items())))]
    inputs = [{**{key: i.get(key) for key in ("path", "format", "lines", "parsed", "continuation", "rejected", "zone", "zone_source")},
               "digest": str(i.get("sha256") or i.get("digest") or "")} for i in header.get("inputs") or () if isinstance(i, Mapping)]
    return {"lines": [{"name": name, "text": str(text)} for name, text in lines if text not in (None, "")], "inputs": inputs}
