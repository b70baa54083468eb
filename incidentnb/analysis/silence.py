"""Which sources ended before the others? A dead source logs nothing, a late one not yet: the log alone cannot tell which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

LEAST_MISSED, LONGER = 20, 3.0


def ended(counts: pd.DataFrame) -> list[dict[str, Any]]:
    """The values that ended before the others: not all of them, not replaced by others that began then, and missed.

    Args:
        counts: ``value``, ``slot`` (number of an even bucket of time) and ``n`` (records), a row where there are any.

    Method: the empty end of a value is more than three times longer than its longest gap before, and at its usual pace at least 20
    records are missed. Complexity: linear in the rows.

    Returns:
        ``value``, ``last_slot``, ``usual`` (records a bucket) and ``missed`` of each, in order of the values.
    """
    import numpy as np

    if not len(counts):
        return []
    end, rows = int(counts["slot"].max()), []
    start = int(counts["slot"].min())
    for value, part in counts.groupby("value", sort=True):
        slots = np.sort(part["slot"].to_numpy(np.int64))
        gaps = np.diff(slots)
        rows.append({"value": value, "first": int(slots[0]), "last_slot": int(slots[-1]), "gap": int(gaps.max(initial=1)), "n": int(part["n"].sum()),
                     "buckets": len(slots)})
    found = []
    for row in rows:
        quiet_for, lived = end - row["last_slot"], row["last_slot"] - row["first"] + 1
        usual = row["n"] / lived
        missed = usual * (quiet_for - 0.5)
        gone = sum(abs(r["last_slot"] - row["last_slot"]) <= 2 and r["last_slot"] < end - 2 for r in rows)
        came = sum(abs(r["first"] - row["last_slot"]) <= 3 and r["first"] > start + 2 for r in rows)
        if quiet_for > LONGER * row["gap"] and missed >= LEAST_MISSED and lived >= quiet_for / 2 and row["buckets"] >= 5 and gone > came \
                and gone < len(rows):
            found.append({"value": row["value"], "last_slot": row["last_slot"], "usual": usual, "missed": missed})
    return found
