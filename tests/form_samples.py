"""One incident told by hand for the forms of the appendix: its record, its header, its notebook; fixed times, no figure of matplotlib."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pandas as pd
from publish_samples import CHANGES, END, ONSET, code, data, entry, error, markdown, minute, notebook, png, stream

from incidentnb.findings import Finding
from incidentnb.publish import account, answers, page
from incidentnb.publish.heading import heading
from incidentnb.record import incident as records
from incidentnb.times import Interval

RECORD = "2026-11-23-checkout-answers-500"
KINDS = ("html", "md", "confluence", "json", "csv", "timesketch")
INPUTS = [{"path": "logs/app.log", "format": "pino JSON", "lines": 1000, "parsed": 970, "continuation": 7, "rejected": 23,
           "first": "2026-11-23T13:00:00Z", "last": "2026-11-23T14:31:00Z", "zone": "UTC", "zone_source": "assumed", "sha256": "ab" * 32}]
DRAWING = ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" width="90" height="90"><script>alert(1)</script>'
           '<circle cx="4" cy="4" r="3" fill="#c2410c"/></svg>')


def asked(text: str = "The error rate rose from 0.3 % to 8.1 % at 14:03:20Z.", **changed: Any) -> Finding:
    """An answer with a table, a note and the query behind it."""
    frame = pd.DataFrame({"route": ["POST /orders", "GET /cart|list", text[:40]], "failed": [412, 3, None], "rate": [0.41, 0.003, 0.0]},
                         dtype=object).astype({"failed": float, "rate": float})
    facts = {"name": "onset", "verdict": "spike", "sentence": text, "why": f"the likelihood ratio is 412, {text}",
             "numbers": {"onset": ONSET, "end": END, "rate": {"baseline": 0.003, "during": 0.081}, "said": text}, "frame": frame,
             "query": f"SELECT count(*) FROM log WHERE time < '{text}'", "evidence": "ab" * 8, "notes": (f"Two minutes are unknown, {text}",)}
    return Finding(**{**facts, **changed})


def entries(text: str = "trying again does not help") -> list:
    """A journal: a late note, an interval, an unknown time, a hypothesis with evidence and a check, a roll-back, an action item."""
    finding = asked(text)
    return [
        entry(1, "opened", {"title": text, "severity": "SEV-2", "ic": "Maja Lind", "channel": "#incident", "sources": {"zone": "Europe/Berlin"}},
              minute(67)),
        entry(2, "finding", finding.as_json(), ONSET, minute(68), "incidentnb"),
        entry(3, "note", {"text": f"Support reports customers who cannot pay: {text}"}, minute(65), minute(80), "sam"),
        entry(4, "milestone", {"milestone": "detected", "source": "page"}, Interval(minute(66), minute(65, 30), minute(66, 30)), minute(69)),
        entry(5, "note", {"text": text}, None, minute(71), "tom"),
        entry(6, "hypothesis", {"id": "H1", "claim": f"the payment client, {text}", "because": text, "prediction": "", "disproof": "",
                                "rivals": [], "check": {"ask": "recovery", "expect": "recovered"}}, minute(72)),
        entry(7, "evidence", {"hypothesis": "H1", "direction": "for", "text": text,
                              "pointer": {"type": "line", "file": "app.log", "line": 88121}}, minute(73)),
        entry(8, "verdict", {"hypothesis": "H1", "verdict": "supported", "why": text}, minute(75)),
        entry(9, "decision", {"id": "D1", "decision": "roll back", "why": text, "by": "maja", "about": "", "safe": "safe now"}, minute(76)),
        entry(10, "mitigation", {"id": "M1", "what": f"roll back, {text}", "expected": "", "undo": "deploy again", "command": ""}, minute(83)),
        entry(11, "effect", {"mitigation": "M1", "effect": text}, minute(86)),
        entry(12, "milestone", {"milestone": "mitigated", "source": text}, minute(84, 30)),
        entry(13, "status", {"status": "monitoring", "why": text}, minute(87)),
        entry(14, "action", {"id": "A1", "text": text, "owner": "Noor", "due": "2026-12-01", "type": "prevent"}, minute(90)),
    ]


def header(text: str = "trying again does not help") -> dict[str, Any]:
    """What ``workflow.exporting`` makes of such a record."""
    known = records.fold(Path(RECORD), entries(text))
    stand = account.answers(known)
    changes = [{**CHANGES[0], "summary": f"shop-api 4.18.0 {text}", "version": ""}, CHANGES[1],
               {"at": None, "kind": "config", "id": "c7", "summary": text, "source": "feeds/config.csv:3"}]
    made = heading(known, inputs=INPUTS, head="cd" * 32, evidence="ab" * 8, versions={"incidentnb": "0.1.0"})
    return made | {"summary": f"Rolled back; {text}.", "account": account.account(known, changes, stand)}


def investigation(text: str = "trying again does not help") -> dict:
    """An executed notebook: words of its author, an answer, a long table, pictures, what was printed, what failed, the timeline last."""
    answer = asked(text)
    long = pd.DataFrame({"n": range(15), "what": [f"row {n}" for n in range(15)]})
    shown = [data(*bundle) for bundle in answers.bundles(answer, None)]
    folded = [data(*bundle) for bundle in answers.bundles(Finding("routes", "found", "Fifteen routes fail.", frame=long), None)]
    return notebook([
        markdown("# The runbook\n\nMade by hand."),
        code("incident = '.'  # the incident folder", [], "parameters"),
        markdown("## Is there a spike?\n\nIt cost $5, not $6. See [the wiki](https://wiki.example/a_(b)) and `a|b`.\n\n- one\n  - two\n- three\n\n"
                 "1. first\n2. second\n\n> quoted\n\n### More of it\n\n| a | b |\n|---|--:|\n| x | 1 |"),
        code("show(case.onset)", shown),
        markdown("## Which requests fail?"),
        code("show(case.routes)", [*folded, data({"image/png": png(), "text/plain": "x"}, {"image/png": {"alt": f"A figure, {text}", "width": 3}}),
                                   data({"image/svg+xml": DRAWING}, {"image/svg+xml": {"alt": "A drawing", "width": 90}})]),
        markdown("## Logs by hand"),
        code("print(tail)  # ]]>", [stream(f"\x1b[31mERROR\x1b[0m {text} ]]> ```\n"), error("KeyError", text, ["Traceback", text])]),
        markdown("## What happened, in order", "timeline"),
        code("show(case.timeline)", [data({"text/html": "<table><thead><tr><th>time (UTC)</th><th>what</th></tr></thead><tbody>"
                                           "<tr><td>14:03:20</td><td>it began &lt;b&gt;</td></tr></tbody></table>"})], "timeline"),
    ], notebook="investigation", run="2026-11-23T143500Z-investigation.ipynb", started="2026-11-23T14:35:00Z", finished="2026-11-23T14:35:20Z",
        outcome="completed", versions={"python": "3.12"})


def model(text: str = "trying again does not help", **changed: Any) -> dict[str, Any]:
    """The model of the page; every text that is not its own is ``text`` or holds it, the titles of its sections too."""
    made = page.page(investigation(text), {**header(text), **changed})
    made |= {"hidden": [{"kind": "email", "count": 2}], "audience": "public"}
    for section in made["sections"]:
        if section["title"] == "Logs by hand":
            section["title"] = text
    return deepcopy(made)
