"""How a section that cannot be computed says so: one plain line, the same in every form that a page may show."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Any

from incidentnb import sinks
from incidentnb.exceptions import IncidentnbError


def reason(error: BaseException) -> str:
    """Why, in one line: the words of an error of ours as they are; of any other its type, its words and where it arose."""
    if isinstance(error, IncidentnbError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames and not frames[-1].filename.startswith("<") else ""
    words = " ".join(sinks.visible(error, keep="\n\t").split())
    return sinks.clip(f"{type(error).__name__}: {words}" if words else type(error).__name__, 300) + where


def tell(title: str, why: str) -> None:
    """Show that a section could not be computed; the run record reads it from the output's metadata."""
    line = f"This section could not be computed: {why}"
    show({"text/html": f'<p class="answer unsure failed">{sinks.html(line)}</p>', "text/markdown": f"*{sinks.markdown(line)}*",
          "text/plain": sinks.terminal(line)}, {"incidentnb": {"section_failed": why, "section": title}})


def remark(line: str) -> None:
    """Show a remark that concerns a section's record and not its answer."""
    show({"text/html": f'<p class="note">{sinks.html(line)}</p>', "text/markdown": f"*{sinks.markdown(line)}*",
          "text/plain": sinks.terminal(line)}, {})


def show(data: dict[str, Any], metadata: dict[str, Any]) -> None:
    """Put one output out: as the cell's, or as plain text outside of a notebook."""
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    if shell is None:
        sys.stdout.write(data["text/plain"] + "\n")
        return
    from IPython.display import display

    display(data, metadata=metadata, raw=True)
