"""A finding as a cell's output: what is shown of it, in which order, in which forms (HTML, Markdown, plain text, PNG)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from incidentnb import findings, sinks
from incidentnb.findings import Finding

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_SHORT, _LONG = 12, 200  # rows of a table that stands open; rows of one that is folded
_SCALE = 104  # pixels of a page for an inch of a figure
_OPEN = ("timeline", "hypotheses")  # their table is the answer
_SHARES = ("rate", "share")


def bundles(finding: Finding, axes: Axes | None) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The displays of a finding, in order: its sentence, its figure, its table with what it rests on.

    Returns:
        (data, metadata) pairs as ``IPython.display.display(data, metadata=…, raw=True)`` takes them.
    """
    shown = [({"text/html": _answer_html(finding), "text/markdown": _answer_markdown(finding), "text/plain": plain(finding)}, {})]
    if axes is not None:
        shown.append(figure_bundle(axes, finding.sentence))
    rest = _rest_html(finding)
    if rest:
        shown.append(({"text/html": rest, "text/markdown": _rest_markdown(finding), "text/plain": _rest_plain(finding)}, {}))
    return shown


def figure_bundle(axes: Axes, alt: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A figure as PNG with its alternative text; sized for a screen of double density."""
    from incidentnb.publish import style

    data = style.png(axes)
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    meta = {"alt": sinks.visible(alt), "width": round(width * _SCALE / style.DPI), "height": round(height * _SCALE / style.DPI)}
    bundle = {"image/png": base64.b64encode(data).decode("ascii"), "text/plain": f"[figure] {sinks.terminal(alt)}"}
    return bundle, {"image/png": meta}


def display(shown: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    """Put bundles out as this cell's output; outside of a notebook as plain text."""
    import sys

    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    if shell is None:
        for data, _ in shown:
            sys.stdout.write(data["text/plain"] + "\n")
        return
    from IPython.display import display as put_out

    for data, metadata in shown:
        put_out(data, metadata=metadata, raw=True)


def plain(finding: Finding) -> str:
    """The sentence and its reason as two lines of plain text."""
    lines = [sinks.terminal(finding.sentence)]
    return "\n".join([*lines, sinks.terminal(finding.why)] if _why(finding) else lines)


def _why(finding: Finding) -> str:
    """The reason as a sentence; empty where the answer holds it already."""
    if not finding.why or finding.why.rstrip(".") in finding.sentence:
        return ""
    why = finding.why.strip()
    return why[:1].upper() + why[1:] + ("" if why[-1:] in ".!?…:" else ".")


def _answer_html(finding: Finding) -> str:
    unsure = " unsure" if finding.verdict == findings.CANNOT_TELL else ""
    why = f'\n<p class="why">{sinks.html(_why(finding))}</p>' if _why(finding) else ""
    return f'<p class="answer{unsure}"><strong>{sinks.html(finding.sentence)}</strong></p>{why}'


def _answer_markdown(finding: Finding) -> str:
    return "\n\n".join([f"**{sinks.markdown(finding.sentence)}**", *([sinks.markdown(_why(finding))] if _why(finding) else [])])


def presentable(frame: pd.DataFrame) -> tuple[pd.DataFrame, set[str]]:
    """The frame as people read it (rates and shares as percentages, column names in words, columns without any value left out), and its
    columns of percentages."""
    from incidentnb.publish import style

    shown, shares = frame[[name for name in frame.columns if any(findings.cell(value) for value in frame[name])]].copy(), set()
    for name in shown.columns:
        if str(name).replace("_", " ").split(" ")[0] in _SHARES:
            values = [None if v is None or v != v else v for v in frame[name]]
            if all(v is None or (hasattr(v, "__float__") and not isinstance(v, bool)) for v in values):
                shown[name] = [style.percent(v) for v in values]
                shares.add(str(name).replace("_", " "))
    return shown.rename(columns={name: str(name).replace("_", " ") for name in shown.columns}), shares


def _rest_html(finding: Finding) -> str:
    parts = []
    if finding.frame is not None and len(finding.frame):
        shown, shares = presentable(finding.frame)
        table, rows = findings.table_html(shown, _LONG, shares), len(finding.frame)
        parts.append(table if rows <= _SHORT or finding.name in _OPEN else f"<details><summary>The table, {rows:,} rows</summary>{table}</details>")
    parts += [f'<p class="note">{sinks.html(note)}</p>' for note in finding.notes]
    if finding.query or finding.evidence:
        query = f"<pre>{sinks.html(finding.query.strip(), 8000)}</pre>" if finding.query else ""
        digest = f'<p class="note">Evidence <code>{sinks.html(finding.evidence)}</code></p>' if finding.evidence else ""
        parts.append(f'<details class="query"><summary>How this was asked</summary>{query}{digest}</details>')
    return "\n".join(parts)


def _rest_markdown(finding: Finding) -> str:
    parts = []
    if finding.frame is not None and len(finding.frame):
        parts.append(findings.table_markdown(presentable(finding.frame)[0], _LONG if finding.name in _OPEN else _SHORT))
    parts += [f"*{sinks.markdown(note)}*" for note in finding.notes]
    if finding.evidence:
        parts.append(f"Evidence `{sinks.file_name(finding.evidence)}`")
    return "\n\n".join(parts)


def _rest_plain(finding: Finding) -> str:
    lines = []
    if finding.frame is not None and len(finding.frame):
        frame = presentable(finding.frame)[0].head(_SHORT)
        rows = [[findings.cell(v) for v in row] for row in frame.itertuples(index=False, name=None)]
        lines = columns([list(frame.columns), *rows])
    return "\n".join([*lines, *(sinks.terminal(note) for note in finding.notes)])


def columns(rows: list[list[Any]], gap: str = "  ", widest: int = 48) -> list[str]:
    """Rows of cells as lines of aligned columns of plain text, each cell of at most ``widest`` characters."""
    safe = [[sinks.terminal(cell, widest) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in safe) for i in range(len(safe[0]))] if safe else []
    return [gap.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in safe]


def figure_for(finding: Finding, context: Mapping[str, Any]) -> Axes | None:
    """The figure that belongs to a finding, by its name; ``None`` where its numbers or frame do not bear one.

    Args:
        context: ``changes`` (frame), ``milestones`` (name → instant), ``zone``, ``onset`` and ``end`` where the finding has none of its own.
    """
    from incidentnb.publish import figures

    numbers, frame, zone = finding.numbers, finding.frame, context.get("zone")
    onset = _interval(numbers.get("onset", context.get("onset")))
    end = _interval(numbers.get("end", context.get("end")))
    if finding.name in ("rates", "onset", "recovery"):
        if frame is None or len(frame) < 2 or not {"time", "total", "rate"} <= set(frame.columns):
            return None
        rate = numbers.get("rate") if isinstance(numbers.get("rate"), Mapping) else None
        drawn_in = {key: context.get(key) for key in ("changes", "milestones", "zone")}
        return figures.rate_figure(frame, onset=onset, end=end, rate=rate, **drawn_in)
    if finding.name in ("volume", "latency"):
        return _level_figure(finding, zone)
    if finding.name == "timeline":
        import pandas as pd

        events = _rows(numbers.get("events"), "at", "what")
        return figures.timeline_figure(pd.DataFrame(events), onset=onset, end=end, zone=zone) if len(events) > 1 else None
    if finding.name == "scope" and (rows := _rows(numbers.get("subsets"), "where", "rate_inside")):
        return figures.scope_figure(rows[:6])
    if finding.name == "routes" and (rows := _rows(numbers.get("routes"), "route", "rate_during")):
        return figures.routes_figure(rows[:10])
    if finding.name == "patterns" and (rows := _rows(numbers.get("patterns"), "pattern", "count_during")):
        telling = [row for row in rows if row.get("new") or row.get("grown") or row.get("vanished")]
        return figures.patterns_figure((telling or rows)[:8])
    if finding.name == "suspects" and onset and (rows := _rows(numbers.get("changes"), "at", "summary")):
        return figures.changes_figure(rows[:10], onset, zone=zone)
    return None


def _level_figure(finding: Finding, zone: Any) -> Axes | None:
    """The traffic, or how long requests take; its own onset and end are drawn in."""
    from incidentnb.publish import levels

    numbers, frame = finding.numbers, finding.frame
    shown = {"volume": {"total", "expected"}, "latency": {"p50", "p95"}}[finding.name]
    if frame is None or len(frame) < 2 or not {"time", "complete", *shown} <= set(frame.columns):
        return None
    ends = {name: _interval(numbers.get(name)) for name in ("onset", "end")}
    if finding.name == "latency":
        return levels.latency_figure(frame, **ends, slow_ms=numbers.get("slow_ms"), zone=zone)
    gone = [(entry["last"], f"{entry['column']} {entry['value']}") for entry in numbers.get("silent") or []]
    return levels.volume_figure(frame, **ends, ended=gone[:4], zone=zone)


def _interval(value: Any) -> Any:
    from incidentnb.times import Interval

    if isinstance(value, Finding):
        value = value.numbers.get("onset")
    return value if isinstance(value, Interval) else None


def _rows(value: Any, *keys: str) -> list[Mapping[str, Any]]:
    rows = value if isinstance(value, list | tuple) else []
    return [row for row in rows if isinstance(row, Mapping) and all(key in row and row[key] is not None for key in keys)]
