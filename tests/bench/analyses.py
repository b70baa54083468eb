"""How fast each analysis answers on the evidence of millions of lines, already read: ``python tests/bench/analyses.py``.

Run by ``make bench``; ``INCIDENTNB_BENCH_LINES`` sets the number of lines (5,000,000), ``INCIDENTNB_BENCH_EVIDENCE`` a folder to keep the
evidence in, so that a second run need not make it again. Beside each analysis stands one plain count over the same table: the least that a
question can cost.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

BEGIN = datetime(2026, 11, 22, 10, tzinfo=UTC)
HOURS, CHUNK = 4, 100_000
ROUTES = ("/", "/login", "/cart", "/orders/{}", "/products/{}", "/api/v1/users/{}/profile", "/search?q={}", "/checkout/{}/pay")
TEMPLATES = ("request completed in {} ms", "cache miss for key k{}", "retrying upstream pay-{}", "order {} stored", "session {} renewed",
             "user {} not found", "slow query took {} ms", "connection {} reused")
# twenty columns that might say who is hit; the fault is in the first value of region together with the second of version
ATTRIBUTES = {"region": 3, "version": 2, "host": 24, "tenant": 150, "platform": 4, "app.build": 6, "az": 9, "plan": 5, "shard": 32, "browser": 7,
              "country": 60, "currency": 12, "lb": 4, "node": 80, "pool": 10, "experiment": 16, "cdn": 3, "api.client": 25, "tier": 3, "cluster": 5}


def write(path: Path, lines: int) -> None:
    """JSON lines of four hours; from 70 % of the time on, 40 % of the requests of one version in one region fail."""
    draw = np.random.default_rng(1)
    with path.open("w", encoding="utf-8") as out:
        for start in range(0, lines, CHUNK):
            out.writelines(_lines(draw, start, min(CHUNK, lines - start), lines))


def _lines(draw: np.random.Generator, start: int, count: int, lines: int) -> Iterator[str]:
    at = (np.arange(start, start + count) * (HOURS * 3_600_000 / lines)).astype(np.int64)
    values = {name: draw.integers(0, many, count) for name, many in ATTRIBUTES.items()}
    late = at >= HOURS * 3_600_000 * 0.7
    values["version"] = np.where(late, values["version"], 0)
    hit = late & (values["region"] == 0) & (values["version"] == 1)
    failed = draw.random(count) < np.where(hit, 0.4, 0.003)
    columns = [values[name].tolist() for name in ATTRIBUTES]
    rows = zip(at.tolist(), failed.tolist(), draw.integers(0, len(ROUTES), count).tolist(), draw.integers(0, 10**6, count).tolist(),
               draw.integers(0, 50_000, count).tolist(), draw.gamma(2.0, 40.0, count).tolist(), zip(*columns, strict=True), strict=True)
    for ms, bad, route, number, user, took, attributes in rows:
        moment = (BEGIN + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds")[:-6]
        said = f"cannot read property amount of order {number}" if bad else TEMPLATES[number % len(TEMPLATES)].format(number)
        pairs = "".join(f',"{name}":"{name[:2]}-{value}"' for name, value in zip(ATTRIBUTES, attributes, strict=True))
        yield (f'{{"level":"{"error" if bad else "info"}","time":"{moment}Z","service":"shop","method":"GET","path":"{ROUTES[route].format(number)}",'
               f'"status":{500 if bad else 200},"duration_ms":{took:.1f},"user_id":"u{user}"{pairs},"msg":"{said}"}}\n')


def evidence(folder: Path, lines: int) -> Path:
    """The evidence of so many lines in ``folder``, read there unless it is there already."""
    from incidentnb.evidence import reader, table

    if not (folder / table.MANIFEST).is_file():
        with tempfile.TemporaryDirectory() as scratch:
            log = Path(scratch) / "shop.jsonl"
            write(log, lines)
            reader.read([log], folder)
    return folder


def changes(count: int = 1000) -> list:
    """So many deploys and settings over the day before the onset and since."""
    from incidentnb.evidence.changes import Change

    kinds = ("deploy", "config", "flag")
    return [Change(BEGIN + timedelta(hours=HOURS) - timedelta(minutes=1.5 * i), kinds[i % 3], f"change-{i}", f"a change of version ve-{i % 7}",
                   service="shop" if i % 2 else "mailer", version=f"ve-{i % 7}") for i in range(count)]


def questions(table) -> Iterator[tuple[str, float, Callable[[], object]]]:
    """Name, seconds allowed, and the call, in the order of the runbook; each may use what came before."""
    from incidentnb.analysis import latency, onset, patterns, rates, recovery, routes, scope, services, severity, suspects, users, volume

    found: dict[str, object] = {}

    def keep(name: str, call: Callable[[], object]) -> Callable[[], object]:
        def run() -> object:
            found[name] = call()
            return found[name]
        return run

    yield "one count", 1.0, lambda: table.row("SELECT count(*) AS n, sum(failing) AS f FROM outcomes")
    yield "rates", 1.0, keep("rates", lambda: rates.rates(table))
    yield "onset", 1.0, keep("onset", lambda: onset.onset(table))
    yield "volume", 1.0, keep("volume", lambda: volume.volume(table))
    yield "latency", 1.0, keep("latency", lambda: latency.latency(table))
    yield "routes", 1.0, keep("routes", lambda: routes.routes(table, found["onset"]))
    yield "scope, 20 columns", 3.0, keep("scope", lambda: scope.scope(table, found["onset"]))
    yield "users", 1.0, keep("users", lambda: users.users(table, found["onset"]))
    yield "patterns", 1.0, keep("patterns", lambda: patterns.patterns(table, found["onset"]))
    yield "services", 1.0, keep("services", lambda: services.services(table, found["onset"]))
    yield "suspects", 1.0, keep("suspects", lambda: suspects.suspects(changes(), found["onset"], found["scope"], patterns=found["patterns"],
                                                                      table=table))
    yield "recovery", 1.0, keep("recovery", lambda: recovery.recovery(table, found["onset"], found["scope"]))
    yield "severity", 1.0, keep("severity", lambda: severity.severity(found["onset"], found["scope"], found["users"], found["routes"],
                                                                    found["recovery"]))


def main() -> int:
    lines = int(os.environ.get("INCIDENTNB_BENCH_LINES", "5000000"))
    kept = os.environ.get("INCIDENTNB_BENCH_EVIDENCE")
    with tempfile.TemporaryDirectory() as scratch:
        from incidentnb.evidence.table import open_table

        table = open_table(evidence(Path(kept) if kept else Path(scratch) / "evidence", lines))
        print(f"\neach analysis on the evidence of {lines:,} lines, {len(table.columns)} columns")  # noqa: T201  a bench prints its table
        print(f"{'':22}{'seconds':>9}{'allowed':>9}{'× one count':>13}")  # noqa: T201  as above
        slow, base = 0, None
        for name, allowed, call in questions(table):
            began = time.perf_counter()
            answer = call()
            took = time.perf_counter() - began
            base = base or took
            slow += took > allowed
            print(f"{name:22}{took:9.2f}{allowed:9.1f}{took / base:13.1f}   {getattr(answer, 'verdict', '')}")  # noqa: T201  a bench prints its table
        table.close()
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
