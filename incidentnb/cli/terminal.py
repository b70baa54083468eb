"""The terminal itself: its width, whether it takes colour, and a line of progress on stderr while reading."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable

from incidentnb import sinks


def color() -> bool:
    """Whether to colour stdout: only a terminal, and never with ``NO_COLOR`` set or ``TERM=dumb``."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width(otherwise: int = 100) -> int:
    """Columns of the terminal; ``otherwise`` where stdout is none."""
    return shutil.get_terminal_size((otherwise, 24)).columns if sys.stdout.isatty() else otherwise


def progress() -> Callable[[int, int | None, int], None] | None:
    """A function that shows how far reading is, on one line of stderr; ``None`` where stderr is no terminal."""
    if not sys.stderr.isatty():
        return None
    from incidentnb.publish import terminal

    line = _line()
    return lambda done, total, lines: line(terminal.progress(done, total, lines, width=shutil.get_terminal_size().columns))


def cells() -> Callable[[int, int, str], None] | None:
    """A function that shows which section of a notebook is being executed; ``None`` where stderr is no terminal."""
    if not sys.stderr.isatty():
        return None
    line = _line(every_s=0)
    return lambda done, total, title: line(f"\r\x1b[2Kexecuting {done} of {total}  {sinks.terminal(title, 60)}")


def _line(every_s: float = 0.2) -> Callable[[str], None]:
    last = -every_s

    def show(text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= every_s:
            last = time.monotonic()
            sys.stderr.write(text)
            sys.stderr.flush()

    return show


def clear() -> None:
    """Wipe the line of progress."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
