"""What an answer is: one frozen ``Finding`` per question, the only thing that the two wings share.

An analysis returns it, the journal keeps it (``as_json``), a document quotes it, a notebook shows it. By itself it shows as its
sentence and its table; ``show(finding)`` of ``publish/figures.py`` adds its figure.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from incidentnb import sinks, times

if TYPE_CHECKING:  # a journal entry must not pay for pandas
    import pandas as pd

CANNOT_TELL = "cannot tell"
_NUM = ' class="num"'


@dataclass(frozen=True)
class Finding:
    """One answer.

    Attributes:
        name: the runbook question, as its module is called: ``rates``, ``onset``, ``scope``, ``patterns``, ``suspects`` …
        verdict: the answer in a word or three; ``cannot tell`` where the data do not bear one.
        sentence: the answer in one sentence for a person, with its numbers.
        why: what the verdict rests on, or what is missing, in one sentence.
        numbers: the values behind the sentence; JSON-able except that instants are aware ``datetime`` and may be ``Interval``.
        frame: the small tidy table to show (tens to hundreds of rows), or ``None``; the analysis documents its columns.
        query: the SQL that was asked, so that anyone can ask again; empty where none was.
        evidence: digest of the evidence read (``table.digest``); empty where none was.
        notes: caveats for the reader, a sentence each (assumed zones, columns left out and why).
    """

    name: str
    verdict: str
    sentence: str
    why: str = ""
    numbers: dict[str, Any] = field(default_factory=dict)
    frame: pd.DataFrame | None = field(default=None, compare=False, repr=False)
    query: str = ""
    evidence: str = ""
    notes: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """A short stable name of this very answer: the same evidence and the same answer give the same id."""
        body = json.dumps([self.name, self.verdict, self.sentence, plain(self.numbers), self.evidence], sort_keys=True)
        return f"{self.name}-{hashlib.sha256(body.encode()).hexdigest()[:10]}"

    def as_json(self) -> dict[str, Any]:
        """The answer without its frame, in plain JSON values, as the journal keeps it."""
        return {"id": self.id, "name": self.name, "verdict": self.verdict, "sentence": self.sentence, "why": self.why,
                "numbers": plain(self.numbers), "query": self.query, "evidence": self.evidence, "notes": list(self.notes)}

    def _repr_html_(self) -> str:
        parts = [f'<p class="answer"><strong>{sinks.html(self.sentence)}</strong></p>']
        if self.why and self.why != self.sentence:
            parts.append(f'<p class="why">{sinks.html(self.why)}</p>')
        if self.frame is not None and len(self.frame):
            parts.append(table_html(self.frame))
        parts += [f'<p class="note">{sinks.html(note)}</p>' for note in self.notes]
        return "\n".join(parts)

    def _repr_markdown_(self) -> str:
        parts = [f"**{sinks.markdown(self.sentence)}**"]
        if self.why and self.why != self.sentence:
            parts.append(sinks.markdown(self.why))
        if self.frame is not None and len(self.frame):
            parts.append(table_markdown(self.frame))
        parts += [f"*{sinks.markdown(note)}*" for note in self.notes]
        return "\n\n".join(parts)


def plain(value: Any) -> Any:
    """A value in plain JSON: instants as ISO 8601, intervals as objects, NaN and missing as ``null``, numpy as Python."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, times.Interval):
        return value.as_json()
    if isinstance(value, datetime):
        return None if value != value else times.iso(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in value]
    if hasattr(value, "item"):  # numpy scalars
        return plain(value.item())
    return None if value != value else str(value)


def cell(value: Any) -> str:
    """One value as a person reads it in a table: blank for missing, thousands separated, times to the second in UTC."""
    if value is None or value is False or value is True:
        return "" if value is None else "yes" if value else "no"
    if isinstance(value, datetime):
        if value != value:
            return ""
        moment = value if value.tzinfo else value.replace(tzinfo=times.UTC)
        return f"{moment.astimezone(times.UTC):%Y-%m-%d %H:%M:%S}Z"
    if hasattr(value, "item"):
        return cell(value.item())
    if isinstance(value, float):
        if not math.isfinite(value):
            return ""
        return f"{value:,.0f}" if value == int(value) and abs(value) < 1e15 else f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, dict):
        return ", ".join(f"{k} = {v}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(cell(v) for v in value)
    return "" if str(value) in ("NaT", "<NA>") else str(value)


def table_html(frame: pd.DataFrame, limit: int = 50, right: Collection[str] = ()) -> str:
    """A frame as an accessible HTML table (header cells with scope), every cell escaped, rows beyond ``limit`` counted.

    Numbers stand at the right, and so do the columns named in ``right``.
    """
    numeric = [kind.kind in "iuf" or name in right for name, kind in zip(frame.columns, frame.dtypes, strict=True)]
    head = "".join(f'<th scope="col"{_NUM * n}>{sinks.html(name)}</th>' for name, n in zip(frame.columns, numeric, strict=True))
    body = "\n".join(
        "<tr>" + "".join(f"<td{_NUM * n}>{sinks.html(cell(v), 300)}</td>" for v, n in zip(row, numeric, strict=True)) + "</tr>"
        for row in frame.head(limit).itertuples(index=False, name=None))
    more = f'<p class="note">{len(frame) - limit:,} more rows are not shown.</p>' if len(frame) > limit else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>{more}"


def table_markdown(frame: pd.DataFrame, limit: int = 50) -> str:
    """A frame as a pipe table, every cell escaped, rows beyond ``limit`` counted."""
    lines = ["| " + " | ".join(sinks.markdown(name) for name in frame.columns) + " |",
             "|" + " --- |" * len(frame.columns)]
    lines += ["| " + " | ".join(sinks.markdown(cell(v), 300) for v in row) + " |"
              for row in frame.head(limit).itertuples(index=False, name=None)]
    if len(frame) > limit:
        lines.append(f"\n{len(frame) - limit:,} more rows are not shown.")
    return "\n".join(lines)
