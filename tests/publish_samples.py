"""What the tests of publishing share: an incident told by hand, its findings, and an executed notebook made of them."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from incidentnb.findings import Finding
from incidentnb.publish import answers
from incidentnb.record.lines import Entry
from incidentnb.times import Interval

START = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)


def minute(minutes: float, seconds: float = 0) -> datetime:
    return START + timedelta(minutes=minutes, seconds=seconds)


ONSET = Interval(minute(63, 20), minute(63, 5), minute(63, 40))
END = Interval(minute(84, 30), minute(84), minute(85, 50))


def series(minutes: int = 92) -> pd.DataFrame:
    """Ninety-two minutes: calm at 0.3 %, 8 % between onset and end, two minutes without a request, the last one cut short."""
    rows = []
    for n in range(minutes):
        total = 0 if n in (30, 31) else 850
        failing = 0 if total == 0 else 70 if 64 <= n < 84 else 3
        rows.append({"time": minute(n), "total": total, "failing": failing, "rate": failing / total if total else None,
                     "complete": n < minutes - 1})
    return pd.DataFrame(rows)


def onset(**changed: Any) -> Finding:
    facts = {"name": "onset", "verdict": "spike", "sentence": "Failures began at 14:03:20Z; 0.3 % failed before, 8.1 % during.",
             "why": "The likelihood ratio is 412.", "numbers": {"onset": ONSET, "end": END, "rate": {"baseline": 0.003, "during": 0.081}},
             "frame": series(), "query": "SELECT 1 AS time < 2", "evidence": "sha256:" + "ab" * 32, "notes": ("Two minutes are unknown.",)}
    return Finding(**{**facts, **changed})


CHANGES = [
    {"at": minute(62, 31), "kind": "deploy", "id": "d1", "summary": "shop-api 4.18.0", "version": "4.18.0", "service": "shop-api",
     "author": "ci", "source": "deploys.jsonl:14", "rank": 1, "reasons": ["49 s before the onset"]},
    {"at": minute(41, 2), "kind": "commit", "id": "4f2a91c", "summary": "switch payment client to v3", "version": "", "service": "",
     "author": "tom", "source": "shop", "rank": 2, "reasons": []},
]


def changes() -> pd.DataFrame:
    return pd.DataFrame(CHANGES)


def entry(seq: int, kind: str, body: dict, occurred: Any, recorded: datetime | None = None, actor: str = "maja") -> Entry:
    return Entry(seq, f"{kind}-{seq:010d}", occurred, recorded or getattr(occurred, "latest", occurred) or START, actor, kind, body, "", "")


def stream(text: str, name: str = "stdout") -> dict:
    return {"output_type": "stream", "name": name, "text": text}


def data(bundle: dict, metadata: dict | None = None) -> dict:
    return {"output_type": "display_data", "data": bundle, "metadata": metadata or {}}


def error(name: str, value: str, trace: list[str] | None = None) -> dict:
    return {"output_type": "error", "ename": name, "evalue": value, "traceback": trace or []}


def shown(finding: Finding, **context: Any) -> list[dict]:
    """The outputs that ``show(finding)`` leaves in a cell."""
    return [data(bundle, metadata) for bundle, metadata in answers.bundles(finding, answers.figure_for(finding, context))]


def markdown(source: str, *tags: str) -> dict:
    return {"cell_type": "markdown", "source": source, "metadata": {"tags": list(tags)} if tags else {}}


def code(source: str, outputs: list[dict] | None = None, *tags: str, count: int | None = 1, **metadata: Any) -> dict:
    return {"cell_type": "code", "source": source, "outputs": outputs or [], "execution_count": count,
            "metadata": {**({"tags": list(tags)} if tags else {}), **metadata}}


def notebook(cells: list[dict], **incidentnb: Any) -> dict:
    for n, cell in enumerate(cells):
        cell["id"] = f"cell-{n}"
    return {"nbformat": 4, "nbformat_minor": 5, "cells": cells,
            "metadata": {"language_info": {"name": "python"}, **({"incidentnb": incidentnb} if incidentnb else {})}}


def investigation() -> dict:
    """A whole executed notebook: set-up, three sections, the timeline last."""
    return notebook([
        markdown("# Checkout answers 500\n\nThe runbook's questions."),
        code("incident = '.'  # the incident folder", [], "parameters"),
        code("from incidentnb import Case", [], "setup"),
        markdown("## Is there a spike?\n\nIt cost $5, not $6."),
        code("show(case.onset)", shown(onset(), changes=changes())),
        markdown("## Logs by hand"),
        code("print(tail)", [stream("\x1b[31mERROR\x1b[0m payment failed\n")]),
        markdown("## What happened, in order", "timeline"),
        code("show(case.timeline)", [stream("14:03:20 it began\n")], "timeline"),
    ])


def save(path: Any, content: dict) -> Any:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def png(width: int = 3, height: int = 2, text: bytes = b"") -> str:
    """A tiny PNG, with a text chunk if asked for."""
    import struct
    import zlib

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    raw = b"".join(b"\x00" + b"\x80" * width for _ in range(height))
    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))]
    parts += [chunk(b"tEXt", b"Comment\x00" + text)] if text else []
    return base64.b64encode(b"".join([*parts, chunk(b"IDAT", zlib.compress(raw)), chunk(b"IEND", b"")])).decode()
