"""One look for every figure, and the few marks they share: the time axis, the onset band, labels that never overlap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

from incidentnb import sinks, times

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Vermilion, blue, green after Okabe and Ito (2008), darkened until each has a contrast of 3:1 and more on white: told apart by
# every common colour vision.
INK, SOFT, FAINT, PAPER = "#1c2430", "#5b6675", "#d9dee5", "#ffffff"
FAILING, CALM, MARK, GOOD = "#c2410c", "#8793a3", "#0b63a5", "#00795a"
BAND = "#fde3cf"
DPI = 160


def parameters() -> dict[str, Any]:
    """The matplotlib settings of the house, to be used for one figure at a time and never set for the process."""
    return {
        "font.family": ["DejaVu Sans"], "font.size": 9.0, "text.color": INK, "text.usetex": False,
        "axes.titlesize": 9.0, "axes.labelsize": 8.5, "axes.labelcolor": SOFT, "axes.edgecolor": FAINT, "axes.linewidth": 0.8,
        "axes.facecolor": PAPER, "axes.grid": True, "axes.grid.axis": "y", "axes.axisbelow": True, "axes.unicode_minus": True,
        "axes.spines.top": False, "axes.spines.right": False, "axes.spines.left": False,
        "grid.color": "#e9edf1", "grid.linewidth": 0.8, "xtick.color": SOFT, "ytick.color": SOFT, "xtick.labelsize": 8.5,
        "ytick.labelsize": 8.5, "xtick.major.size": 3, "ytick.major.size": 0, "figure.facecolor": PAPER, "savefig.facecolor": PAPER,
        "hatch.linewidth": 0.5, "figure.dpi": DPI, "savefig.dpi": DPI,
    }


@contextmanager
def house() -> Iterator[None]:
    """Draw in the house style within this block; the process's own settings are back afterwards."""
    import warnings

    import matplotlib

    with matplotlib.rc_context(parameters()), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # a box stands for it; log text may hold any script
        yield


def canvas(height: float, width: float = 8.6) -> Figure:
    """An empty figure with its own canvas (inches); it is in no global list of figures and no one need close it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def margins(figure: Figure, left: float, right: float, top: float, bottom: float) -> None:
    """Set the room around the axes of a figure in inches."""
    width, height = figure.get_size_inches()
    figure.subplots_adjust(left=left / width, right=1 - right / width, top=1 - top / height, bottom=bottom / height)


def widest(axes: Axes) -> float:
    """The width of the widest label of the y axis in inches."""
    renderer = axes.figure.canvas.get_renderer()
    return max((label.get_window_extent(renderer).width for label in axes.get_yticklabels()), default=0.0) / axes.figure.dpi


def png(axes: Axes) -> bytes:
    """The figure of these axes as PNG; the same drawing gives the same bytes."""
    import io

    data = io.BytesIO()
    with house():
        axes.figure.savefig(data, format="png", metadata={"Software": None})
    return data.getvalue()


def time_axis(axes: Axes, start: datetime, end: datetime, zone: tzinfo | None = None) -> None:
    """A time axis in UTC from ``start`` to ``end``, its day named once in the label; below it the time in ``zone`` where that is another."""
    from matplotlib.dates import AutoDateLocator, date2num, num2date

    left, right = float(date2num(start)), float(date2num(end))
    if right <= left:
        left, right = left - 30 / 86400, right + 30 / 86400
    axes.set_xlim(left, right)
    seconds = (right - left) * 86400
    locator = AutoDateLocator(tz=times.UTC, minticks=4, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    pattern = "%H:%M:%S" if seconds < 240 else "%H:%M" if seconds < 86400 else "%d %b %H:%M" if seconds < 4 * 86400 else "%d %b"
    local = zone if times.elsewhere(zone, start, end) and "%H" in pattern else None

    def tick(value: float, _: Any = None) -> str:
        at = num2date(value, tz=times.UTC)
        return f"{at:{pattern}}" + (f"\n{at.astimezone(local):{pattern}}" if local else "")

    axes.xaxis.set_major_formatter(tick)
    day = _days(start, end)
    if local is None:
        axes.set_xlabel(f"UTC, {day}", loc="left")
        return
    there = _days(start.astimezone(local), end.astimezone(local))
    name = sinks.figure(local, 40)
    axes.set_xlabel(f"UTC, and {name} below it, {day}" if there == day else f"UTC, {day}; below it {name}, {there}", loc="left")


def foot(zone: tzinfo | None, start: datetime, end: datetime) -> float:
    """The room below the axes that a time axis takes, in inches."""
    return 0.71 if times.elsewhere(zone, start, end) else 0.55


def _days(start: datetime, end: datetime) -> str:
    first, last = f"{start:%d %B %Y}".lstrip("0"), f"{end:%d %B %Y}".lstrip("0")
    return first if first == last else f"{first} to {last}"


def band(axes: Axes, onset: times.Interval | None, end: times.Interval | None, until: datetime) -> None:
    """Shade the incident from onset to end (or to ``until`` while it goes on), the uncertain parts darker."""
    if onset is None:
        return
    last = end.latest if end else until
    if last > onset.earliest:
        axes.axvspan(onset.earliest, last, color=BAND, alpha=0.45, linewidth=0, zorder=0)
    for interval in (onset, end):
        if interval is not None and interval.latest > interval.earliest:
            axes.axvspan(interval.earliest, interval.latest, color=BAND, linewidth=0, zorder=0.1)
    axes.axvline(onset.at, color=FAILING, linewidth=1.2, zorder=3)
    if end is not None:
        axes.axvline(end.at, color=GOOD, linewidth=1.2, zorder=3)


def flags(axes: Axes, marks: Sequence[tuple[datetime, str, str]], lanes: int = 7) -> float:
    """Name instants above the axes, each at its own line, in lanes so that no two names touch and no line strikes one out.

    Args:
        marks: (instant, name, colour), the most important first; those outside of the axis are left out. Where the lanes do
            not suffice the last ones are left out, and counted.
        lanes: how many names may stand above each other.

    Returns:
        The height above the axes that the names take, in inches.
    """
    from matplotlib.dates import date2num

    left, right = axes.get_xlim()
    at = axes.transData.transform
    edge, scale = at((right, 0))[0], axes.figure.dpi / 72
    inside = []
    for moment, name, colour in marks:
        x = float(date2num(moment))
        if left <= x <= right:
            text = axes.annotate(wrapped(name, 44, 1), (x, 1.0), xycoords=("data", "axes fraction"), textcoords="offset points",
                                 xytext=(4, 0), fontsize=7.8, color=colour, va="bottom", annotation_clip=False, zorder=8,
                                 bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.8})
            inside.append((x, at((x, 0))[0], text.get_window_extent().width + 8 * scale, text, colour))
    shown = list(inside)
    while (placed := _lanes([(stem, min(stem, edge - width), width) for _, stem, width, *_ in shown])) and max(placed) >= lanes:
        shown.pop()[3].remove()  # the least important of those left
    dropped = len(inside) - len(shown)
    for lane, (x, stem, width, text, colour) in zip(placed, shown, strict=True):
        begin = min(stem, edge - width)
        text.set_position(((begin - stem) / scale + 4, 5 + 12.5 * lane))
        line = {"arrowstyle": "-", "color": colour, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", (x, 0), xycoords=("data", "axes fraction"), xytext=(x, 1.0), textcoords=("data", "axes fraction"),
                      annotation_clip=False, arrowprops={**line, "linestyle": (0, (3, 2))})
        rise = (15 if begin == stem else 4) + 12.5 * lane  # beside its name, or up to it where the name had to move left
        axes.annotate("", (x, 1.0), xycoords=("data", "axes fraction"), xytext=(0, rise), textcoords="offset points",
                      annotation_clip=False, arrowprops=line, zorder=1)
    used = max(placed, default=-1) + 1
    if dropped:
        axes.annotate(f"and {dropped} more in the table", (1.0, 1.0), xycoords="axes fraction", textcoords="offset points",
                      xytext=(0, 6 + 12.5 * used), fontsize=7.8, color=SOFT, ha="right", va="bottom", annotation_clip=False)
    return (12.5 * (used + bool(dropped)) + 8) / 72


def key(axes: Axes, words: Sequence[tuple[str, str]], y: float) -> None:
    """What the colours of the dots mean, at the left edge of the figure, ``y`` inches above its foot."""
    figure, x = axes.figure, 0.13
    width, height = figure.get_size_inches()
    for word, colour in words:
        figure.text(x / width, y / height, "●", color=colour, fontsize=7.0, va="center")
        text = figure.text((x + 0.14) / width, y / height, word, color=SOFT, fontsize=7.8, va="center")
        x += 0.14 + text.get_window_extent(figure.canvas.get_renderer()).width / figure.dpi + 0.18


def _lanes(names: Sequence[tuple[float, float, float]]) -> list[int]:
    """The lane of each name, from (place of its line, begin, width), so that none lies on another and no line crosses one."""
    lanes: dict[int, int] = {}
    for n in sorted(range(len(names)), key=lambda n: (-names[n][0], n)):
        _, begin, width = names[n]
        above = [lanes[m] for m in lanes if (begin < names[m][1] + names[m][2] and names[m][1] < begin + width)
                 or begin <= names[m][0] < begin + width]
        lanes[n] = 1 + max(above, default=-1)
    return [lanes[n] for n in range(len(names))]


def wrapped(text: Any, width: int = 46, lines: int = 3) -> str:
    """Text for a figure over several lines of at most ``width`` characters; what does not fit is cut with an ellipsis."""
    import textwrap

    parts = textwrap.wrap(sinks.figure(text, 2000).replace(r"\$", "$"), width) or [""]
    if len(parts) > lines:
        parts = [*parts[:lines - 1], parts[lines - 1][:width - 1].rstrip() + "…"]
    return "\n".join(part.replace("$", r"\$") for part in parts)


def percent(value: float | None) -> str:
    """A rate or share (0–1) for people: ``41 %``, ``8.1 %``, ``0.03 %``; missing is ``–``."""
    if value is None or value != value:
        return "–"
    size = abs(value) * 100
    digits = 0 if size >= 9.95 or size == 0 else 1 if size >= 0.095 else 2 if size >= 0.0095 else 3
    return f"{value * 100:.{digits}f} %"
