"""Files of a system's telemetry told apart by what they hold: logs, spans, metrics."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incidentnb.evidence import files, metrics, spans
from incidentnb.exceptions import InputError

if TYPE_CHECKING:
    import pandas as pd

HEAD = 256 << 10


@dataclass(frozen=True)
class Telemetry:
    """What some paths hold.

    Attributes:
        logs: the files that are read as logs.
        spans, metrics: as ``evidence.spans`` and ``evidence.metrics`` make them; ``None`` where no file holds any.
        read: {path, kind: ``spans`` or ``metrics``, rows, left_out} of each file that is no log.
    """

    logs: list[str] = field(default_factory=list)
    spans: pd.DataFrame | None = None
    metrics: pd.DataFrame | None = None
    read: list[dict[str, Any]] = field(default_factory=list)


def sort_out(paths: Sequence[str | Path]) -> Telemetry:
    """The logs, spans and metrics among files, folders and globs; what is neither spans nor metrics is left to the reader of logs.

    Spans: CSV or JSON lines with trace, span and parent ids, an operation and a duration, or JSON of Jaeger, Zipkin and OTLP. Metrics: CSV
    or JSON lines with time, service or pod, metric and value.

    Raises:
        InputError: a path is missing; a file of spans or metrics is damaged.
    """
    import pandas as pd

    logs, found, read = [], {"spans": [], "metrics": []}, []
    for path in files.expand(list(paths)):
        kind, frame = ("logs", None) if path == "-" else _table(path)
        if frame is None:
            logs.append(path)
            continue
        made = (spans if kind == "spans" else metrics).of_frame(frame)
        found[kind].append(made)
        read.append({"path": path, "kind": kind, "rows": len(made), "left_out": len(frame) - len(made)})
    whole = {kind: pd.concat(frames, ignore_index=True) if frames else None for kind, frames in found.items()}
    if whole["spans"] is not None:
        whole["spans"] = whole["spans"].drop_duplicates(["trace", "span"], ignore_index=True)
    return Telemetry(logs, whole["spans"], whole["metrics"], read)


def _table(path: str) -> tuple[str, pd.DataFrame | None]:
    """What a file holds, and its rows where they are spans or metrics."""
    import pandas as pd

    _, stream = files.open_source(path)
    try:
        with stream:
            head = stream.read(HEAD)
            text = head.decode("utf-8", "replace").lstrip("\ufeff \r\n\t")
            if text[:1] in ("{", "["):
                kind = _kind(_first_names(text))
                rows = _rows(head + (stream.read() if kind else b"")) if kind else []
                return (kind, pd.DataFrame(rows)) if rows else ("logs", None)
            names = next(csv.reader(io.StringIO(text.split("\n", 1)[0])), [])
            kind = _kind(names)
            if not kind:
                return "logs", None
            return kind, pd.read_csv(io.BytesIO(head + stream.read()), encoding_errors="replace", dtype=_text(names), on_bad_lines="skip")
    except (OSError, EOFError, ValueError) as problem:
        raise InputError(path, f"cannot be read: {str(problem)[:200]}", "give CSV with a header, or JSON") from None


def _kind(names: Iterable[str]) -> str:
    names = list(names)
    return "spans" if spans.is_spans(names) else "metrics" if metrics.is_metrics(names) else ""


def _text(names: Iterable[str]) -> dict[str, type]:
    """Ids are text, whatever they look like: 00123e5 is no number."""
    return {name: str for name in names if spans.plain(name).endswith(("id", "parent", "parentspan"))}


def _first_names(text: str) -> set[str]:
    """The names in the first object of a text of JSON, those of a whole document's spans included."""
    try:
        first = json.loads(text.split("\n", 1)[0])
    except ValueError:
        first = None
        if any(mark in text for mark in ('"resourceSpans"', '"localEndpoint"', '"processes"', '"operationName"', '"spanID"')):
            return {"traceid", "spanid", "parentid", "operation", "duration"}
    rows = list(spans.of_documents([first])) if first is not None else []
    return set().union(*(row.keys() for row in rows[:100]))


def _rows(data: bytes) -> list[dict[str, Any]]:
    text = data.decode("utf-8", "replace").lstrip("\ufeff")
    try:
        documents = [json.loads(text)]
    except ValueError:
        documents = []
        for line in text.split("\n"):
            try:
                documents.append(json.loads(line))
            except ValueError:
                continue
    return list(spans.of_documents(documents))
