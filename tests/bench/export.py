"""What an export costs beyond executing, on an incident of a million log lines: ``python tests/bench/export.py``, beside stock nbconvert.

Run by ``make bench``; ``INCIDENTNB_BENCH_LINES`` sets the number of lines (1,000,000). Each form as a whole process, three times, the median
counts: HTML may take 3 s and 5 MB. The second export must be the same bytes as the first.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from speed import write

SECONDS, BYTES, TIMES = 3.0, 5_000_000, 3


def main() -> int:
    from incidentnb.publish import forms
    from incidentnb.workflow import exporting, running

    lines, failed = int(os.environ.get("INCIDENTNB_BENCH_LINES", 1_000_000)), 0
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch, "shop.log")
        write(log, "json", lines)
        began = time.perf_counter()
        folder = running.open_incident("Orders fail", "SEV-2", logs=[str(log)], parent=scratch)
        running.investigate(folder)
        opened = time.perf_counter() - began
        print(f"\nexport of an incident of {lines:,} lines; read and executed in {opened:.1f} s")  # noqa: T201  a bench prints
        print(f"{'':14}{'seconds':>9}{'bytes':>12}  same bytes twice")  # noqa: T201  as above
        for kind in forms.FORMS:
            path, = exporting.export(folder, [kind])
            first = path.read_bytes()
            took = _median([sys.executable, "-m", "incidentnb", "export", "--incident", str(folder), "--to", kind])
            same = path.read_bytes() == first
            failed += not same or (kind == "html" and (took > SECONDS or len(first) > BYTES))
            print(f"{kind:14}{took:9.2f}{len(first):12,}  {'yes' if same else 'NO'}")  # noqa: T201  as above
        run = str(sorted((folder / "runs").glob("*.ipynb"))[-1])
        took = _median([sys.executable, "-m", "nbconvert", "--to", "html", "--output-dir", scratch, "--output", "stock", run])
        print(f"{'stock nbconvert':14}{took:8.2f}{Path(scratch, 'stock.html').stat().st_size:12,}")  # noqa: T201  as above
    return 1 if failed else 0


def _median(words: list[str]) -> float:
    took = []
    for _ in range(TIMES):
        began = time.perf_counter()
        subprocess.run(words, check=True, capture_output=True)
        took.append(time.perf_counter() - began)
    return statistics.median(took)


if __name__ == "__main__":
    sys.exit(main())
