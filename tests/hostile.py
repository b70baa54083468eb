"""An executed notebook and a header in which strangers wrote every text: each text in every sink that one can reach."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
from publish_samples import ONSET, code, data, entry, error, markdown, minute, notebook, png, series, shown, stream

from incidentnb import findings, sinks
from incidentnb.findings import Finding
from incidentnb.publish import answers, timeline

HEAD = ("incident", "title", "severity", "status", "ic", "zone", "scope", "summary", "as_of")  # texts of which an incident has one
ROWS = 150  # a table shows 200


def given(shared: Path) -> list[str]:
    """The payloads of the three lists of hostile values."""
    read = [json.loads((shared / "bad" / f"{name}.json").read_text(encoding="utf-8")) for name in ("xss", "csv_formula", "mathtext")]
    return [case.get("payload", case.get("value")) for cases in read for case in cases]


def harmless(texts: list[str]) -> list[str]:
    """As many texts, each as long as the other and broken at the same places, without a mark in them."""
    return [re.sub(r"\S", "w", sinks.visible(text, keep="\n\t")) for text in texts]


def body(texts: list[str], alone: bool = True) -> dict[str, Any]:
    """Every text as log message, route, user agent, service, note, hypothesis, parameter, column, traceback, change and alternative text.

    ``alone``: also as an answer, an output and an exception of its own, besides being a row of each table.
    """
    cells = [code("incident = '.'", [], "parameters"), markdown("## Every text by itself")]
    for text in texts if alone else ():
        unsure = Finding("onset", "cannot tell", text, f"because {text}", {text: text}, None, text, text, (text,))
        cells.append(code("show(it)", [
            stream(f"{text}\n"), stream(f"{text}\n", "stderr"), error(text, text, [text, text]), *shown(unsure), data({"text/plain": text}),
            data({"image/png": png(), "text/plain": text}, {"image/png": {"alt": text}}),
            data({"text/html": findings.table_html(table := pd.DataFrame({text: [text]})), "text/markdown": findings.table_markdown(table)}),
            data({"application/javascript": text, "text/latex": text}), data({"image/png": text})]))
    for start in range(0, len(texts), ROWS):
        cells += _tables(texts[start:start + ROWS])
    return notebook(cells, outcome="failed", why=texts[0], notebook=texts[-1], parameters={text: text for text in texts[:50]},
                    versions={text: text for text in texts[:50]})


def _tables(texts: list[str]) -> list[dict]:
    """The answers of the runbook whose rows are the texts."""
    entries = [entry(2 * n + i, kind, {"text": text, "id": f"H{n}", "claim": text, "because": text, "prediction": text}, minute(n % 60))
               for n, text in enumerate(texts) for i, kind in enumerate(("note", "hypothesis"))]
    changes = [{"at": minute(n % 60), "kind": "deploy", "id": text, "summary": text, "version": text, "service": text, "author": text, "source": text,
                "rank": n + 1, "reasons": [text]} for n, text in enumerate(texts)]
    order = timeline.timeline(entries, pd.DataFrame(changes[:20]))
    patterns = [{"pattern": text, "example": text, "count_before": n, "count_during": n + 9, "new": n % 2 == 0} for n, text in enumerate(texts)]
    routes = [{"method": text, "route": text, "failed": n, "total": 900, "rate_during": n / 900} for n, text in enumerate(texts)]
    subsets = [{"where": {text: text}, "rate_inside": 0.4, "rate_outside": 0.01} for text in texts]
    ranked = pd.DataFrame({"rank": range(1, len(texts) + 1), "user agent": texts, "file": texts})
    found = [Finding("patterns", "new", "Patterns.", numbers={"patterns": patterns}, frame=pd.DataFrame(patterns)),
             Finding("routes", "told", "Routes.", numbers={"routes": routes}, frame=pd.DataFrame(routes)),
             Finding("scope", "subset", "Scope.", numbers={"subsets": subsets}, frame=ranked),
             Finding("services", "told", "Services.", frame=pd.DataFrame({"service": texts, "why": texts})),
             Finding("suspects", "ranked", "Changes.", numbers={"changes": changes, "onset": ONSET},
                     frame=pd.DataFrame([{**change, "reasons": "; ".join(change["reasons"])} for change in changes])),
             Finding("onset", "spike", "Onset.", numbers={"onset": ONSET}, frame=series()),
             timeline.timeline_finding(order, ONSET)]
    told = [(markdown(f"## {one.name}"), code("show(it)", [data(bundle, more) for bundle, more in answers.bundles(one, None)])) for one in found]
    return [cell for pair in told for cell in pair]


def head(texts: list[str], one: int = 0) -> dict[str, Any]:
    """A header whose every text is one of the texts; what there is one of is the one of this number."""
    text = texts[one % len(texts)]
    rows = [{"at": "2026-11-23T13:00:00Z", "latest": None, "what": each, "kind": "note", "actor": each, "recorded_at": "2026-11-23T13:00:00Z",
             "evidence": each, "seq": n} for n, each in enumerate(texts)]
    return {**dict.fromkeys(HEAD, text), "milestones": {"started_at": text}, "metrics": {text: {"value": text, "from": text, "provenance": text}},
            "journal": {"head": text, "entries": 3}, "evidence": text, "versions": {text: text},
            "inputs": [dict.fromkeys(("path", "format", "zone", "zone_source", "sha256"), each) for each in texts],
            "account": {"timeline": rows}}
