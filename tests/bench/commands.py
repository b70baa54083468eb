"""How soon a command of the record answers, whole process: ``python tests/bench/commands.py``; beside it an interpreter that does nothing.

Run by ``make bench``: each command five times on an incident of two hundred entries, the median counts; 0.3 s are allowed, 0.6 for drafts, which
load a template engine and the patterns of what they must not say.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ALLOWED, DRAFTS, TIMES = 0.3, 0.6, 5
COMMANDS = (("note", "the queue is draining"), ("hypothesis", "the pool is too small", "--predicts", "waiting grows"), ("severity", "SEV-2"),
            ("role", "scribe", "Sam"), ("milestone", "acknowledged"), ("post", "More in 10 minutes.", "--next", "10m"), ("status",),
            ("draft", "status-page", "--state", "investigating"), ("draft", "handover"), ("config",))


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        folder = _incident(Path(scratch))
        base = _median([sys.executable, "-c", "pass"], folder)
        print(f"\ncommands of the record, an incident of 200 entries\n{'':44}{'seconds':>9}{'allowed':>9}{'× python':>10}")  # noqa: T201  a bench prints
        print(f"{'python -c pass':44}{base:9.3f}")  # noqa: T201  as above
        slow = 0
        for words in COMMANDS:
            took = _median([sys.executable, "-m", "incidentnb", *words], folder)
            allowed = DRAFTS if words[0] == "draft" else ALLOWED
            slow += took > allowed
            print(f"{' '.join(words)[:42]:44}{took:9.3f}{allowed:9.1f}{took / base:10.1f}")  # noqa: T201  as above
    return 1 if slow else 0


def _incident(scratch: Path) -> Path:
    from incidentnb.record import incident, statements

    folder = incident.create(scratch, "Checkout answers 5xx", "SEV-2", actor="Ines")
    for number in range(200):
        statements.note(folder, f"observation {number}", actor="Ines")
    return folder


def _median(words: list[str], folder: Path) -> float:
    # compiled once, as an installed package is, and kept out of the checkout
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {"PYTHONPYCACHEPREFIX": str(folder.parent / "compiled")}
    subprocess.run(words, cwd=folder, check=False, capture_output=True, env=environment)
    took = []
    for _ in range(TIMES):
        began = time.perf_counter()
        subprocess.run(words, cwd=folder, check=False, capture_output=True, env=environment)
        took.append(time.perf_counter() - began)
    return statistics.median(took)


if __name__ == "__main__":
    sys.exit(main())
