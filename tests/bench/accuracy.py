"""How right the analyses are on labelled cases: ``python tests/bench/accuracy.py [DATA] [EVERY]`` prints one table.

``DATA`` is a folder laid out like ``../shared/data`` (the default); ``EVERY`` 4 takes every fourth case. Beside each figure: what it must
reach, what is published, and simple rivals measured on the same cases in the same run. The scoring of each question is in ``tests/scoring/``.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[2] / "shared" / "data"
sys.path.insert(0, str(HERE.parent))
QUESTIONS = ("onset", "series", "scope", "patterns", "suspects", "recovery", "services", "drills")


def main(words: list[str]) -> int:
    data, every = Path(words[0]) if words else SHARED, int(words[1]) if len(words) > 1 else 1
    if not data.is_dir():
        print(f"the labelled cases ({data}) are not on this machine: no figures")  # noqa: T201  a bench prints its table
        return 0
    missed = 0
    print(f"{'':2}{'question':84}{'on':24}{'cases':>6}{'measured':>10}{'reach':>8}  rivals in the same run; published")  # noqa: T201  as above
    for question in QUESTIONS:
        module, began = importlib.import_module(f"scoring.{question}"), time.perf_counter()
        figures = module.score(data, every) if "data" in inspect.signature(module.score).parameters else module.score(every=every)
        print(f"\n{question}  ({time.perf_counter() - began:.0f} s)")  # noqa: T201  as above
        for figure in figures:
            missed += not figure.reached
            reach = "" if figure.reach is None else f"{'≤' if figure.at_most else '≥'} {figure.reach:g}"
            beside = "; ".join([*(f"{name} {value:.3g}" for name, value in figure.rivals.items()), *([figure.published] if figure.published else [])])
            mark = " " if figure.reached else "!"
            print(f"{mark:2}{figure.question[:82]:84}{figure.data[:22]:24}{figure.cases:>6}{figure.measured:>10.3f}{reach:>8}  {beside}")  # noqa: T201  as above
    print(f"\n{missed} figures below what they must reach" if missed else "\nall figures reached")  # noqa: T201  as above
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
