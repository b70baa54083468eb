"""What plain logs say about services: which fail more than before, which fell silent, which complain anew."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from incidentnb.analysis.masks import LONGEST, mask
from incidentnb.analysis.rates import percent, unit
from incidentnb.analysis.service_logs import SERVICE, TEXT, column, shown, unwrapped
from incidentnb.analysis.signs import Sign, best, more
from incidentnb.evidence.pods import fold

if TYPE_CHECKING:
    import pandas as pd

    from incidentnb.evidence.table import LogTable

TIMES = 2.0  # at least twice the failures, or half the records
MOST_LOUD = 5_000
LEAST_MINUTES = 3
_LOUD = "level IN ('WARN', 'ERROR', 'FATAL')"


def signs(table: LogTable, span: dict[str, Any]) -> list[Sign]:
    """Services that changed since the onset, from records alone.

    Method, minute by minute: failures against requests, and records against those of all other services, each as a one-sided test of
    counts that are divided by their overdispersion φ = max(1, median((k − n·p)² / (n·p·(1 − p))) / 0.455) over the minutes before;
    complaints (WARN and above) of a shape never seen before by the minutes in which they come, so that a burst counts once, by
    Fisher's exact test. Only what has at least doubled or halved. Complexity: two scans. Source: quasi-likelihood overdispersion as in the
    scan of the onset, here by service.

    Args:
        table: with a column that says whose a record is.
        span: as ``scope.spans`` gives it.
    """
    service = column(table, SERVICE)
    if not service:
        return []
    got = _minutes(table, span, service)
    if not len(got):
        return []
    several = got["service"].nunique() > 1  # one alone is at fault of nothing: its messages are told elsewhere
    return [*_counted(table, got), *(_loud(table, span, service, got) if several else [])]


def _minutes(table: LogTable, span: dict[str, Any], service: str) -> pd.DataFrame:
    """Each service's minutes, counted from the onset: ``minute`` (negative before), ``during``, ``records``, those that report an outcome (``n``),
    failures (``f``), complaints (``loud``). Minutes in which it may have begun already, and those after the end, are left out."""
    counts = "sum(total) AS records, sum(total) AS n, sum(failing) AS f" if table.outcome == "given" else \
        "count(*) AS records, count(failed) AS n, count(*) FILTER (failed) AS f"
    start = round(span["start"].timestamp() * 1e6)
    got = table.frame(f"""SELECT {service} AS service, CAST(floor((epoch_us(time) - {start}) / 6e7) AS BIGINT) AS minute, {counts},
count(*) FILTER ({_LOUD}) AS loud, min(time) AS first, max(time) AS last FROM {'outcomes' if table.outcome == 'given' else 'log'}
WHERE {service} IS NOT NULL AND time IS NOT NULL GROUP BY ALL""")
    got["during"] = got["minute"] >= 0
    sure = ~got["during"] & (got["last"] < span["earliest"]) | got["during"] & (True if span["stop"] is None else got["first"] < span["stop"])
    got = got[sure].assign(service=got["service"].map(fold(got["service"].unique())))
    return got.groupby(["service", "minute", "during"], as_index=False)[["records", "n", "f", "loud"]].sum()


def _counted(table: LogTable, got: pd.DataFrame) -> list[Sign]:
    whole = got.groupby(["during", "minute"])["records"].sum()
    made = []
    for name, group in got.groupby("service"):
        before, since = group[~group["during"]], group[group["during"]]
        failing = _grown([(int(r.f), int(r.n)) for r in before.itertuples()], int(since["f"].sum()), int(since["n"].sum()))
        if failing is not None:
            p, old, new = failing
            now, then = (f"{int(part['f'].sum()):,} of {int(part['n'].sum()):,}" for part in (since, before))
            made.append(Sign(str(name), "failures", p, f"{percent(new)} of its {unit(table)} fail ({now}), before {percent(old)} ({then})"))
        made += _silent(str(name), group, whole)
    return made


def _silent(name: str, group: Any, whole: Any) -> list[Sign]:
    """A sign that a service fell silent while the others did not."""
    own = {(bool(r.during), r.minute): int(r.records) for r in group.itertuples()}
    cells = [(during, own.get((bool(during), minute), 0), int(total)) for (during, minute), total in whole.items()]
    before = [(total - mine, total) for during, mine, total in cells if not during]
    since = [(total - mine, total) for during, mine, total in cells if during]
    n0, n1 = sum(n for _, n in before), sum(n for _, n in since)
    mine0, mine1 = n0 - sum(k for k, _ in before), n1 - sum(k for k, _ in since)
    if not mine0 or not n1 or mine1 == n1 or mine1 * n0 * TIMES > mine0 * n1:
        return []
    found = _test(before, sum(k for k, _ in since), n1)
    if found is None:
        return []
    return [Sign(name, "silence", found, f"it writes {percent(mine1 / n1)} of all records ({mine1:,} of {n1:,}), "
                                         f"before {percent(mine0 / n0)} ({mine0:,} of {n0:,})")]


def _grown(before: list[tuple[int, int]], k1: int, n1: int) -> tuple[float, float, float] | None:
    n0, k0 = sum(n for _, n in before), sum(k for k, _ in before)
    if not n0 or not n1:
        return None
    old, new = k0 / n0, k1 / n1
    p = _test(before, k1, n1) if new >= TIMES * old and k1 else 1.0
    return None if p is None else (p, old, new)


def _test(before: list[tuple[int, int]], k1: int, n1: int) -> float | None:
    """P(so many of n1) by what the minutes before show, with their overdispersion; ``None`` where they are too few."""
    full = [(k, n) for k, n in before if n]
    n0, k0 = sum(n for _, n in full), sum(k for k, _ in full)
    if len(full) < LEAST_MINUTES or not n0:
        return None
    rate = k0 / n0
    spread = rate * (1 - rate)
    squares = sorted((k - n * rate) ** 2 / (n * spread) for k, n in full) if spread else [0.0]
    over = max(1.0, squares[len(squares) // 2] / 0.455)
    if max(k0, n0 - k0, k1) / over > 20_000:
        pooled = (k0 + k1) / (n0 + n1)
        variance = over * pooled * (1 - pooled) * (1 / n0 + 1 / n1)
        return 0.5 * math.erfc((k1 / n1 - rate) / math.sqrt(2 * variance)) if variance > 0 else 1.0
    return more(round(k0 / over), round(n0 / over), round(k1 / over), round(n1 / over))


def _loud(table: LogTable, span: dict[str, Any], service: str, minutes: pd.DataFrame) -> list[Sign]:
    """Complaints of a shape that the service never wrote before, by the minutes in which they come."""
    from incidentnb.analysis import mining

    rows = int(minutes["loud"].sum())
    text = column(table, TEXT) if rows else ""
    if not text:
        return []
    part = math.ceil(rows / MOST_LOUD)
    start = round(span["start"].timestamp() * 1e6)
    got = table.frame(f"""SELECT {service} AS service, CAST(floor((epoch_us(time) - {start}) / 6e7) AS BIGINT) AS minute,
left({text}, {LONGEST}) AS said FROM log
WHERE {_LOUD} AND {text} IS NOT NULL AND {service} IS NOT NULL AND time IS NOT NULL{f" AND hash(line) % {part} = 0" if part > 1 else ""}""")
    got = got[got["minute"].isin(set(minutes["minute"]))]
    got = got.assign(service=got["service"].map(fold(got["service"].unique())))
    said = {text: unwrapped(text) for text in got["said"].unique()}
    masked = {text: mask(inner.split("\n")[0]) for text, inner in said.items()}
    n0, n1 = (minutes.loc[minutes["during"] == during, "minute"].nunique() for during in (False, True))
    order = sorted(set(masked.values()))
    shape = dict(zip(order, mining.shapes(order, [1] * len(order)), strict=True)) if order else {}
    seen: dict[str, dict[str, tuple[set[int], set[int], list[str]]]] = defaultdict(lambda: defaultdict(lambda: (set(), set(), [])))
    for name, minute, text in zip(got["service"].tolist(), got["minute"].tolist(), got["said"].tolist(), strict=True):
        before, since, texts = seen[str(name)][shape[masked[text]]]
        (since if minute >= 0 else before).add(minute)
        texts.append(said[text])
    made = []
    for name, shapes in seen.items():
        tests = [(more(0, n0, len(since), n1), -len(since), min(texts)) for before, since, texts in shapes.values() if since and not before]
        if tests:
            p, minus, said = min(tests)
            made.append(Sign(name, "logs", best([p], len(shapes)),
                             f"new since then: {shown(said)!r} (in {-minus:,} of {n1:,} minutes, before in none of {n0:,})"))
    return made
