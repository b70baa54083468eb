"""The terminal itself: its width, whether it takes colour, and a line of progress on stderr while reading."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable


def color() -> bool:
    """Whether to colour stdout: only a terminal, and never with ``NO_COLOR`` set or ``TERM=dumb``."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width() -> int:
    """Columns of the terminal, 100 where there is none."""
    return shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else 100


def progress(every_s: float = 0.2) -> Callable[[int, int | None, int], None] | None:
    """A function that shows how far reading is, on one line of stderr; ``None`` where stderr is no terminal."""
    if not sys.stderr.isatty():
        return None
    last = 0.0

    def show(done_bytes: int, total_bytes: int | None, lines: int) -> None:
        nonlocal last
        if time.monotonic() - last < every_s:
            return
        last = time.monotonic()
        share = f"{min(done_bytes / total_bytes, 1):4.0%} of {total_bytes / 1e6:,.0f} MB" if total_bytes else f"{done_bytes / 1e6:,.0f} MB"
        sys.stderr.write(f"\r\x1b[Kreading {share}, {lines:,} lines")
        sys.stderr.flush()

    return show


def clear() -> None:
    """Wipe the line of progress."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
