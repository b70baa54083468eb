"""From the scan to the causes: which conjunctions are accepted, one after the other, and which descriptions come next. Knows arrays only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from incidentnb.analysis import chance, subsets
from incidentnb.analysis.spans import words
from incidentnb.analysis.subsets import Cells, Leaves, Subset

EXPLAINS, STANDS_OUT, AT_MOST_P = 0.2, 2.0, 0.01
DOUBTFUL_P, MOST = 0.1, 0.5  # a candidate with most of the excess and a p between is neither named nor ruled out
MOST_CAUSES = 4
Described = tuple[Subset, list[Subset]]  # a subset, and its equal descriptions


@dataclass(frozen=True)
class Causes:
    """What a scan bears.

    Attributes:
        accepted: the causes, the first the strongest; ``ranked``: all descriptions, best first.
        p_value: of the strongest candidate, the larger of the two of ``chance``; ``explained``: share of the excess inside the causes.
        why_not: why nothing is accepted, in words; empty where something is. doubt: why a subset can be neither named nor ruled out, else empty.
    """

    accepted: list[Described]
    ranked: list[Described]
    p_value: float
    explained: float | None
    why_not: str = ""
    doubt: str = ""


def causes(leaves: Leaves) -> Causes:
    """Accept the best conjunction that stands out, peel it off, and look again.

    A candidate must fail above its past at least twice as much per request as the rest does, by more than chance (``chance``, p < 0.01 by both null
    models), and a further one must hold a fifth of the excess. Values of one column that fail together are accepted together.
    """
    mu, gathered = subsets.expected(leaves), subsets.cells(leaves)
    doubt = _too_few(leaves, gathered)
    failing = leaves.failing.copy()
    ranked = subsets.merge(subsets.search(leaves, gathered, failing, mu))
    merged, accepted, p_value, why_not, excess = ranked, [], 1.0, "", float((failing - mu).sum())
    alike: float | None = None
    while len(accepted) < MOST_CAUSES:
        group = _candidate(leaves, gathered, failing, mu, merged)
        if not group:
            why_not = why_not or "no value fails at least twice as much above its past as the rest does"
            break
        rows = np.logical_or.reduce([s.rows for s, _ in group])
        gain = float((failing - mu)[rows].sum())
        if accepted and (gain < EXPLAINS * excess or len(accepted) + len(group) > MOST_CAUSES):
            break
        if alike is None:
            alike = chance.p_alike_now(leaves, gathered)
        p = max(alike, chance.p_risen_alike(leaves, gathered, failing, mu, chance.stand(leaves, failing, mu, rows)))
        p_value = p_value if accepted else p
        if p >= AT_MOST_P:
            why_not = "since the onset all values fail alike" if alike >= AT_MOST_P else "what stands out may be chance"
            if p < DOUBTFUL_P and gain >= MOST * excess:
                doubt = f"{words(dict(group[0][0].where))} holds most of the failures above the usual, but that may be chance (p {p:.2f})"
            break
        accepted += group
        excess = max(excess, gain)
        failing[rows] = np.minimum(failing, mu)[rows]
        merged = subsets.merge(subsets.search(leaves, gathered, failing, mu))
    if not accepted:
        return Causes([], ranked, p_value, None, why_not, doubt)
    held = np.logical_or.reduce([s.rows for s, _ in accepted])
    return Causes(accepted, ranked, p_value, float((leaves.failing - mu)[held].sum() / excess) if excess > 0 else None)


def _too_few(leaves: Leaves, gathered: list[Cells]) -> str:
    """Says so where even a half of the traffic that holds all failures, ``F ln 2``, would not be told from chance over all cells."""
    needed = int(np.ceil(np.log(max(2, chance.number(leaves, gathered)) / AT_MOST_P) / np.log(2)))
    f = int(leaves.failing.sum())
    return "" if f >= needed else f"{f:,} failures are too few to name a subset or to rule one out: about {needed:,} are needed"


def _candidate(leaves: Leaves, gathered: list[Cells], failing: np.ndarray, mu: np.ndarray, merged: list[Described]) -> list[Described]:
    """The best conjunction that stands out without its needless conditions, or the values that fail together where these say more."""
    best = next(((s, same) for s, same in merged if stands_out(leaves, failing, mu, s.rows)), None)
    if best is None:
        return []
    known = {s.key: (s, same) for s, same in merged}
    values = subsets.together(leaves, gathered, failing, mu, best[0].score)
    if values and stands_out(leaves, failing, mu, np.logical_or.reduce([s.rows for s in values])):
        return [known.get(s.key, (s, [])) for s in values]
    wide = subsets.widened(leaves, failing, mu, best[0])
    if wide is best[0] or not stands_out(leaves, failing, mu, wide.rows):
        return [best]
    return [known.get(wide.key, (wide, []))]


def stands_out(leaves: Leaves, failing: np.ndarray, mu: np.ndarray, rows: np.ndarray) -> bool:
    """Whether some leaves fail above their past at least twice as much per request as the rest does (nothing left outside is none)."""
    n_in, n_out = leaves.total[rows].sum(), leaves.total[~rows].sum()
    if n_out <= 0:
        return False
    excess = failing - mu
    inside, outside = excess[rows].sum() / max(n_in, 1e-300), max(0.0, excess[~rows].sum()) / n_out
    return bool(excess[rows].sum() >= subsets.LEAST_EXCESS and inside >= STANDS_OUT * outside)
