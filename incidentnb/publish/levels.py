"""Figures of what has a level and no failures: the traffic against the usual, and how long requests take."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from typing import TYPE_CHECKING

from incidentnb.publish import style
from incidentnb.times import Interval

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


_NAMED = {"fontsize": 8.2, "fontweight": "bold", "zorder": 7, "bbox": {"facecolor": style.PAPER, "edgecolor": "none", "alpha": 0.85, "pad": 0.8}}


def volume_figure(frame: pd.DataFrame, ax: Axes | None = None, *, onset: Interval | None = None, end: Interval | None = None,
                  ended: Sequence[tuple[datetime, str]] = (), zone: tzinfo | None = None) -> Axes:
    """Requests a minute per bucket, and what is usual then.

    Args:
        frame: ``time`` (start of the bucket, UTC), ``total``, ``expected`` (requests; missing where unknown), ``complete``, ``during``; two rows
            at least. Incomplete buckets are drawn lighter.
        ax: where to draw; without it a new figure is made.
        onset: when the traffic dropped; ``end``: when it was back.
        ended: (instant, name) of what fell silent.
        zone: of the incident; its time stands below that in UTC.
    """
    with style.house():
        own, starts, step, last = ax is None, *_steps(frame)
        ax = ax or style.canvas(2.6).subplots()
        minute = 60 / step.total_seconds()
        for whole, opacity in ((True, 1.0), (False, 0.42)):
            rows = frame[frame["complete"].astype(bool) == whole]
            ax.bar([t.to_pydatetime() for t in rows["time"]], rows["total"].astype(float) * minute, width=step.total_seconds() / 86400 * 0.92,
                   align="edge", linewidth=0, alpha=opacity, zorder=2, color=[style.FAILING if d else style.FAINT for d in rows["during"]])
        expected = frame["expected"].astype(float) * minute
        ax.plot([at + step / 2 for at in starts], expected, color=style.SOFT, linewidth=1.3, zorder=4)
        known = expected.dropna()
        if len(known):
            ax.annotate("usual", (starts[int(known.index[0])] + step / 2, float(known.iloc[0])), textcoords="offset points", xytext=(2, 5),
                        color=style.SOFT, **_NAMED)
        ax.set_ylim(0, max(1.0, float(frame["total"].max()) * minute, float(known.max()) if len(known) else 0.0) * 1.15)
        ax.set_ylabel("requests a minute")
        _finish(ax, own, starts[0], last, onset, end, [(at, f"{name} ends", style.INK) for at, name in ended], zone)
    return ax


def latency_figure(frame: pd.DataFrame, ax: Axes | None = None, *, onset: Interval | None = None, end: Interval | None = None,
                   slow_ms: float | None = None, zone: tzinfo | None = None) -> Axes:
    """How long half of the requests, and 95 % of them, take at most, per bucket, on a logarithmic axis.

    Args:
        frame: ``time`` (start of the bucket, UTC), ``p50``, ``p95`` (ms; missing where nothing was timed), ``complete``; two rows at least.
        ax: where to draw; without it a new figure is made.
        onset: when requests got slower; ``end``: when they were as fast as before.
        slow_ms: what counts as slow, drawn as a level.
        zone: of the incident; its time stands below that in UTC.
    """
    from matplotlib.ticker import LogLocator

    with style.house():
        own, starts, step, last = ax is None, *_steps(frame)
        ax = ax or style.canvas(2.6).subplots()
        middles = [at + step / 2 for at in starts]
        for column, colour, name in (("p95", style.FAILING, "95 % within"), ("p50", style.CALM, "half within")):
            values = frame[column].astype(float).where(frame["complete"].astype(bool))
            ax.plot(middles, values, color=colour, linewidth=1.6, zorder=4)
            known = values.dropna()
            if len(known):
                ax.annotate(name, (middles[int(known.index[0])], float(known.iloc[0])), textcoords="offset points", xytext=(2, 6), color=colour,
                            **_NAMED)
        if slow_ms:
            ax.axhline(slow_ms, color=style.SOFT, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        ax.set_yscale("log")
        low, high = ax.get_ylim()
        ax.set_ylim(low / 1.3, high * 1.6)
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 60 * low else (1,)))
        ax.minorticks_off()
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f} ms" if value < 1000 else f"{value / 1000:,.0f} s")
        _finish(ax, own, starts[0], last, onset, end, [], zone)
    return ax


def _steps(frame: pd.DataFrame) -> tuple[list[datetime], timedelta, datetime]:
    starts = [moment.to_pydatetime() for moment in frame["time"]]
    step = min((later - sooner for sooner, later in pairwise(starts)), default=timedelta(minutes=1))
    return starts, step, starts[-1] + step


def _finish(ax: Axes, own: bool, first: datetime, last: datetime, onset: Interval | None, end: Interval | None,
            marks: list[tuple[datetime, str, str]], zone: tzinfo | None) -> None:
    """Time axis, the shaded incident and its names; a figure of its own gets the room that they need."""
    style.time_axis(ax, first, last, zone)
    style.band(ax, onset, end, last)
    ends = [(onset.at, f"onset {onset.at:%H:%M:%S}", style.FAILING)] if onset else []
    room = style.flags(ax, [*ends, *([(end.at, f"end {end.at:%H:%M:%S}", style.GOOD)] if end else []), *marks])
    if own:
        foot = style.foot(zone, first, last)
        ax.figure.set_size_inches(8.6, 1.8 + foot + room)
        style.margins(ax.figure, 0.82, 0.25, 0.1 + room, foot)
