"""Figures: each takes a small frame and optional axes, draws, returns the axes and computes nothing.

All text goes through ``sinks.figure``, instants are UTC (below the axis also in the zone of the incident), rates are fractions 0–1.
``show(finding)`` displays a finding: its sentence, its figure with the sentence as alternative text, its table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from incidentnb.findings import Finding
from incidentnb.publish import style
from incidentnb.times import Interval

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_KINDS = {  # which colour an event of the timeline has
    **dict.fromkeys(("finding", "onset", "end", "rates", "scope", "recovery", "patterns", "routes", "users"), style.FAILING),
    **dict.fromkeys(("commit", "deploy", "flag", "config", "certificate", "job", "external", "change"), style.MARK),
    **dict.fromkeys(("mitigation", "decision", "milestone", "closed"), style.GOOD),
}
_WORDS = (("seen in the data", style.FAILING), ("a change", style.MARK), ("decided, done, reached", style.GOOD), ("said", style.INK))


def rate_figure(frame: pd.DataFrame, ax: Axes | None = None, *, onset: Interval | None = None, end: Interval | None = None,
                rate: Mapping[str, float | None] | None = None, changes: pd.DataFrame | None = None,
                milestones: Mapping[str, Any] | None = None, zone: tzinfo | None = None) -> Axes:
    """The error rate per bucket, with onset, end, changes and milestones drawn in.

    Args:
        frame: ``time`` (start of the bucket, UTC), ``total``, ``rate`` (missing where unknown), optionally ``complete``; in order
            of time, one row at least. Incomplete buckets are drawn lighter, unknown ones are left blank.
        ax: where to draw; without it a new figure is made, with the traffic below the rate.
        onset: when the failing began; the incident is shaded from here.
        end: when it ended; ``None`` while it goes on.
        rate: ``baseline`` and ``during``, drawn as two named levels.
        changes: ``at`` and ``kind``, ``service``, ``version`` or ``summary``; the four nearest before the
            onset are named.
        milestones: name → instant or ``Interval``; missing ones are left out.
        zone: of the incident; its time stands below that in UTC.
    """
    with style.house():
        own = ax is None
        if own:
            ax, below = style.canvas(4.2).subplots(2, 1, sharex=True, height_ratios=[4, 1], gridspec_kw={"hspace": 0.12})
        starts = [moment.to_pydatetime() for moment in frame["time"]]
        step = min((later - sooner for sooner, later in pairwise(starts)), default=timedelta(minutes=1))
        last, days = starts[-1] + step, step.total_seconds() / 86400
        complete = [bool(c) for c in frame["complete"]] if "complete" in frame else [True] * len(frame)
        values = [None if r != r else float(r) for r in frame["rate"].astype(float)]
        for want, opacity in ((True, 1.0), (False, 0.42)):
            rows = [(at, value) for at, value, whole in zip(starts, values, complete, strict=True)
                    if value is not None and whole is want]
            ax.bar([at for at, _ in rows], [value for _, value in rows], width=days * 0.92, align="edge", alpha=opacity, zorder=2,
                   color=[style.FAILING if _during(at + step / 2, onset, end) else style.CALM for at, _ in rows], linewidth=0)
        levels = [v for v in (rate or {}).values() if v is not None]
        ax.set_ylim(0, min(max([*(v for v in values if v is not None), *levels, 0.001]) * 1.1, 1.03))
        _percent_axis(ax)
        ax.set_ylabel("failing")
        if own:
            below.bar(starts, frame["total"].astype(float), width=days * 0.92, align="edge", color=style.FAINT, linewidth=0)
            below.set_ylabel("requests")
            _count_axis(below)
            style.margins(ax.figure, 0.72, 0.25, 0.1, style.foot(zone, starts[0], last))
        for each in [ax, below] if own else [ax]:
            style.time_axis(each, starts[0], last, zone)
            style.band(each, onset, end, last)
        _levels(ax, rate, onset, end, last)
        near, *others = _changes(changes, onset) or [None]
        room = style.flags(ax, [*_ends(onset, end), *([near] if near else []), *_milestones(milestones), *others])
        if own:
            ax.set_xlabel("")
            ax.tick_params(axis="x", length=0, labelbottom=False)
            ax.figure.align_ylabels([ax, below])
            foot = style.foot(zone, starts[0], last)
            ax.figure.set_size_inches(8.6, 2.75 + foot + room)
            style.margins(ax.figure, 0.72, 0.25, 0.1 + room, foot)
    return ax


def _during(at: datetime, onset: Interval | None, end: Interval | None) -> bool:
    return onset is not None and at >= onset.at and (end is None or at < end.at)


def _levels(ax: Axes, rate: Mapping[str, float | None] | None, onset: Interval | None, end: Interval | None,
            last: datetime) -> None:
    """Draw the two levels and name them: the quiet one at the left edge, the failing one in the calm before the onset."""
    from matplotlib.dates import num2date

    if not rate or onset is None:
        return
    left = num2date(ax.get_xlim()[0])
    look = {"textcoords": "offset points", "fontsize": 8.6, "fontweight": "bold", "zorder": 7,
            "bbox": {"facecolor": style.PAPER, "edgecolor": "none", "alpha": 0.9, "pad": 1.0}}
    baseline, during = rate.get("baseline"), rate.get("during")
    if baseline is not None and onset.at > left:
        ax.hlines(baseline, left, onset.at, color=style.SOFT, linewidth=1.2, zorder=4)
        ax.annotate(f"{style.percent(baseline)} before", (left, baseline), xytext=(4, 5), color=style.SOFT, **look)
    if during is not None:
        ax.hlines(during, onset.at, end.at if end else last, color=style.INK, linewidth=1.2, zorder=4)
        early = onset.at - left < (last - left) * 0.16
        ax.annotate(f"{style.percent(during)} during", (onset.at, during), xytext=(5 if early else -5, 0), va="center",
                    ha="left" if early else "right", color=style.FAILING, **look)


def _ends(onset: Interval | None, end: Interval | None) -> list[tuple[datetime, str, str]]:
    marks = [(onset.at, f"onset {onset.at:%H:%M:%S}", style.FAILING)] if onset else []
    return marks + ([(end.at, f"end {end.at:%H:%M:%S}", style.GOOD)] if end else [])


def _milestones(milestones: Mapping[str, Any] | None) -> list[tuple[datetime, str, str]]:
    found = [(name, at.at if isinstance(at, Interval) else at) for name, at in (milestones or {}).items()]
    return [(at, f"{name.removesuffix('_at')} {at:%H:%M:%S}", style.INK) for name, at in found
            if isinstance(at, datetime) and name.removesuffix("_at") != "started"]  # that one is the onset


def _changes(changes: pd.DataFrame | None, onset: Interval | None, most: int = 4) -> list[tuple[datetime, str, str]]:
    if changes is None or "at" not in changes or not len(changes):
        return []
    rows = [row for row in changes.to_dict("records") if isinstance(row["at"], datetime) and row["at"] == row["at"]]
    if onset is not None:  # those before it first, the nearest first
        rows = sorted(rows, key=lambda row: (row["at"] > onset.latest, abs((row["at"] - onset.at).total_seconds())))
    return [(row["at"], change_name(row), style.MARK) for row in rows[:most]]


def change_name(change: Mapping[str, Any]) -> str:
    """A change in a few words: its kind, then service and version, or its summary where it has no version."""
    known = {key: str(value) for key, value in change.items() if value not in (None, "") and value == value}
    words = [known.get("kind", "change")]
    words += [known[key] for key in ("service", "version") if key in known] if "version" in known else []
    return " ".join(words if "version" in known else [*words, known.get("summary") or known.get("id", "")]).strip()


def pairs_figure(names: Sequence[str], quiet: Sequence[float | None], failing: Sequence[float | None], labels: tuple[str, str],
                 ax: Axes | None = None) -> Axes:
    """Two rates (0–1) a row as two dots joined by a line, the first row on top; ``labels`` name the quiet and the failing dots."""
    with style.house():
        own, shown = ax is None, [style.wrapped(name) for name in names]
        ax = ax or style.canvas(0.62 + 0.24 * len(shown) + 0.15 * sum(name.count("\n") + 1 for name in shown)).subplots()
        top = max([v for v in (*quiet, *failing) if v is not None and v == v] or [0.01])
        for y, (low, high) in enumerate(zip(quiet, failing, strict=True)):
            both = [v for v in (low, high) if v is not None and v == v]
            ax.plot(both, [y] * len(both), color=style.FAINT, linewidth=4, solid_capstyle="round", zorder=1)
            near = len(both) == 2 and abs(both[0] - both[1]) < 0.16 * top
            for value, colour, word in ((low, style.CALM, labels[0]), (high, style.FAILING, labels[1])):
                if value is None or value != value:
                    continue
                ax.plot([value], [y], "o", color=colour, markersize=7.5, zorder=3)
                if not near:
                    outer = value == max(both) and (len(both) > 1 or word == labels[1])
                    named = f"{style.percent(value)} {word}" if y == 0 or len(both) < 2 else style.percent(value)
                    _beside(ax, value, y, named, "left" if outer else "right", style.INK if word == labels[1] else style.SOFT)
            if near:
                side, edge = ("left", max(both)) if max(both) < 0.5 * top else ("right", min(both))
                _beside(ax, edge, y, f"{style.percent(high)} {labels[1]}, {style.percent(low)} {labels[0]}", side, style.INK)
        ax.set_ylim(len(shown) - 0.45, -0.55)
        _row_names(ax, shown, own)
        room = 1.2 / (ax.get_window_extent().width / ax.figure.dpi)  # inches at each side, for the words beside the dots
        ax.set_xlim(-room * top / (1 - 2 * room), top * (1 - room) / (1 - 2 * room))
    return ax


def _beside(ax: Axes, x: float, y: float, text: str, side: str, colour: str) -> None:
    ax.annotate(text, (x, y), textcoords="offset points", xytext=(9 if side == "left" else -9, 0), va="center", ha=side,
                fontsize=8.4, color=colour, zorder=5)


def _row_names(ax: Axes, names: Sequence[str], own: bool) -> None:
    """Name the rows at the left, without an axis below; a figure of its own gets the room that the names need."""
    ax.set_yticks(range(len(names)), names, fontsize=8.4)
    ax.tick_params(axis="y", labelcolor=style.INK, pad=6)
    ax.set_xticks([])
    ax.grid(False)
    ax.spines["bottom"].set_visible(False)
    if own:
        style.margins(ax.figure, style.widest(ax) + 0.25, 0.1, 0.12, 0.12)


def scope_figure(subsets: Sequence[Mapping[str, Any]], ax: Axes | None = None) -> Axes:
    """The failing rate inside each subset against outside of it.

    Args:
        subsets: ``where`` (column → value), ``rate_inside``, ``rate_outside`` (0–1), best first.
        ax: where to draw; without it a new figure is made.
    """
    names = [" and ".join(f"{column} = {value}" for column, value in subset["where"].items()) for subset in subsets]
    outside, inside = [s.get("rate_outside") for s in subsets], [s["rate_inside"] for s in subsets]
    return pairs_figure(names, outside, inside, ("elsewhere", "inside"), ax)


def routes_figure(routes: Sequence[Mapping[str, Any]], ax: Axes | None = None) -> Axes:
    """The failing rate of each route before and during.

    Args:
        routes: ``method``, ``route``, ``rate_before``, ``rate_during`` (0–1), worst first.
        ax: where to draw; without it a new figure is made.
    """
    names = [" ".join(str(r[key]) for key in ("method", "route") if r.get(key)) or "(no route)" for r in routes]
    before, during = [r.get("rate_before") for r in routes], [r["rate_during"] for r in routes]
    return pairs_figure(names, before, during, ("before", "during"), ax)


def patterns_figure(patterns: Sequence[Mapping[str, Any]], ax: Axes | None = None) -> Axes:
    """How often each message pattern came before and during.

    Args:
        patterns: ``pattern``, ``count_before``, ``count_during``, ``new``; the most telling first.
        ax: where to draw; without it a new figure is made.
    """
    with style.house():
        own = ax is None
        names = [style.wrapped(("NEW  " if p.get("new") else "GONE  " if p.get("vanished") else "") + str(p["pattern"]), 54, 2) for p in patterns]
        ax = ax or style.canvas(0.3 + 0.3 * len(names) + 0.14 * sum(name.count("\n") + 1 for name in names)).subplots()
        counts = [(float(p.get("count_before") or 0), float(p["count_during"] or 0)) for p in patterns]
        for y, (before, during) in enumerate(counts):
            for value, shift, colour, ink, word in ((during, -0.18, style.FAILING, style.INK, "during"),
                                                    (before, 0.18, style.CALM, style.SOFT, "before")):
                ax.barh(y + shift, value, height=0.32, color=colour, linewidth=0, zorder=2)
                ax.annotate(f"{value:,.0f} {word}" if y == 0 else f"{value:,.0f}", (value, y + shift), textcoords="offset points",
                            xytext=(5, 0), va="center", fontsize=8.2, color=ink)
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.set_xlim(0, max([1.0, *(max(pair) for pair in counts)]) * 1.28)
        _row_names(ax, names, own)
    return ax


def timeline_figure(frame: pd.DataFrame, ax: Axes | None = None, *, onset: Interval | None = None, end: Interval | None = None,
                    most: int = 40, zone: tzinfo | None = None) -> Axes:
    """One row an event from top to bottom: its words at the left, its dot at its time.

    Args:
        frame: ``at`` (UTC; events without one are left out), ``what``, ``kind``; optionally ``latest`` for an event known only to
            lie between the two. Rows in the order to draw.
        ax: where to draw; without it a new figure is made.
        onset: when the failing began; the incident is shaded from here.
        end: when it ended; ``None`` while it goes on.
        most: beyond so many rows the first two thirds and the last are drawn, and the rest is counted. So is what was long before the
            onset (more than an hour, and more than all that came after it): it would squeeze the rest.
        zone: of the incident; its time stands below that in UTC.
    """
    with style.house():
        rows = [row for row in frame.to_dict("records") if isinstance(row["at"], datetime) and row["at"] == row["at"]]
        since = onset.at - max(timedelta(hours=1), max((row["at"] for row in rows), default=onset.at) - onset.at) if onset else None
        early = sum(row["at"] < since for row in rows) if since and since < onset.at else 0
        rows = [row for row in rows if not early or row["at"] >= since] or rows
        cut = max(len(rows) - most, 0)
        if cut:
            rows = [*rows[:most - most // 3], None, *rows[len(rows) - most // 3:]]
        own = ax is None
        ax = ax or style.canvas(0.95 + 0.225 * max(len(rows), 2)).subplots()
        known = [row["at"] for row in rows if row] or [datetime.now(UTC)]
        first, last = min(known), max(known)
        room = max((last - first) * 0.04, timedelta(seconds=20))
        if own:
            foot = style.foot(zone, first, last) - 0.05
            ax.figure.set_size_inches(8.6, 0.45 + foot + 0.225 * max(len(rows), 2))
            style.margins(ax.figure, 4.75, 0.25, 0.4, foot)
        style.time_axis(ax, first - room, last + room, zone)
        ax.set_ylim(len(rows) - 0.4, -0.6)
        ax.set_yticks([])
        ax.grid(False, axis="y")
        style.band(ax, onset, end, last + room)
        days = first.date() != last.date()
        for y, row in enumerate(rows):
            if row is None:
                _row_words(ax, y, f"… {cut:,} more in the table …", style.SOFT)
                continue
            at, latest, colour = row["at"], row.get("latest"), _KINDS.get(str(row.get("kind")), style.INK)
            ax.axhline(y, color="#eceff3", linewidth=0.7, zorder=0.2)
            if isinstance(latest, datetime) and latest == latest and latest > at:
                ax.plot([at, latest], [y, y], color=colour, linewidth=4, alpha=0.3, solid_capstyle="butt", zorder=4)
            ax.plot([at], [y], "o", color=colour, markersize=6, zorder=5)
            when = f"{at:%d %b %H:%M}" if days else f"{at:%H:%M:%S}"
            _row_words(ax, y, f"{when}   {style.wrapped(row['what'], 58, 1)}", style.INK)
        if early and early < len(frame):
            _row_words(ax, -1, f"{early:,} earlier in the table", style.SOFT)
        style.flags(ax, _ends(onset, end), lanes=2)
        shown = {_KINDS.get(str(row.get("kind")), style.INK) for row in rows if row}
        if own and len(shown) > 1:
            style.key(ax, [(word, colour) for word, colour in _WORDS if colour in shown], y=0.13 + 0.4 * foot)
    return ax


def _row_words(ax: Axes, y: float, words: str, colour: str) -> None:
    """Words of a row at the left edge of the figure, outside of the axes."""
    left = ax.get_position().x0 * ax.figure.get_size_inches()[0]
    ax.annotate(words, (0, y), xycoords=("axes fraction", "data"), textcoords="offset points", xytext=(-72 * left + 9, 0), va="center",
                ha="left", fontsize=8.2, color=colour, annotation_clip=False)


def changes_figure(changes: Sequence[Mapping[str, Any]], onset: Interval, ax: Axes | None = None, *, zone: tzinfo | None = None) -> Axes:
    """Each change on its own row in the order of its rank ("–" for none), at its time, with the onset drawn in.

    Args:
        changes: ``at`` (UTC), ``kind``, ``summary``, ``version``, ``service``, ranked.
        onset: when the failing began.
        ax: where to draw; without it a new figure is made.
        zone: of the incident; its time stands below that in UTC.
    """
    import pandas as pd

    rows = [{"at": c["at"], "what": f"{c['rank']}.  {change_name(c)}" if c.get("rank") else f"–  {change_name(c)}",
             "kind": str(c.get("kind") or "change")} for c in changes]
    return timeline_figure(pd.DataFrame(rows), ax, onset=onset, zone=zone)


def show(finding: Finding, *, figure: bool = True, **context: Any) -> None:
    """Display a finding in a notebook: its sentence, its figure, its table and what it rests on; elsewhere print it.

    Args:
        finding: any finding.
        figure: ``False`` for none.
        context: what its figure may draw in: ``changes`` (frame), ``milestones`` (name → instant), ``onset`` and ``end``
            (``Interval``), ``zone`` (of the incident).
    """
    from incidentnb.publish import answers

    answers.display(answers.bundles(finding, answers.figure_for(finding, context) if figure else None))


def _percent_axis(ax: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.yaxis.set_major_locator(MaxNLocator(5))
    ax.yaxis.set_major_formatter(lambda value, _: style.percent(value))


def _count_axis(ax: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.yaxis.set_major_locator(MaxNLocator(2, integer=True))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
