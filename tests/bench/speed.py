"""How fast whole logs are read and answered: ``incidentnb triage`` on millions of lines, beside what else is at hand.

Run by ``make bench``; ``INCIDENTNB_BENCH_LINES`` sets the number of lines (5,000,000). Prints wall seconds, the highest memory of the
whole process tree, and the ratio to ``wc -l``, the least that reading a file can cost.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

ROUTES = ("/", "/login", "/cart", "/orders/%d", "/products/%d", "/api/v1/users/%d/profile", "/static/app.js", "/search?q=%d")
AGENTS = ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36",
          "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15", "curl/7.88.1")
PANDAS = r"""
import sys, pandas as pd
total = failing = 0
if sys.argv[2] == 'access':
    parts = pd.read_csv(sys.argv[1], sep=' ', header=None, usecols=[0, 3, 5, 6], names=range(10), chunksize=500_000, on_bad_lines='skip',
                        dtype=str, encoding_errors='replace')
else:
    parts = pd.read_json(sys.argv[1], lines=True, chunksize=500_000)
for part in parts:
    status = part[6].astype(int) if sys.argv[2] == 'access' else part['status']
    minute = pd.to_datetime(part[3], format='[%d/%b/%Y:%H:%M:%S') if sys.argv[2] == 'access' else pd.to_datetime(part['time'])
    total += len(part); failing += int((status >= 500).sum()); minute.dt.floor('min').value_counts()
print(total, failing)
"""


def write(path: Path, kind: str, lines: int) -> None:
    """An access log, or JSON lines, of four hours with a failing route from 70 % of the time on."""
    dice, begin, out = random.Random(1), datetime(2026, 11, 22, 10, tzinfo=UTC).timestamp(), []
    with path.open("w") as target:
        for i in range(lines):
            moment = begin + i * 14400 / lines
            route = dice.choice(ROUTES)
            route = route % dice.randrange(10**6) if "%" in route else route
            failing = dice.random() < (0.3 if i > lines * 0.7 and route.startswith("/orders") else 0.003)
            status = 500 if failing else dice.choice((200, 200, 200, 304, 404))
            if kind == "access":
                stamp = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(moment))
                out.append(f'10.0.{dice.randrange(256)}.{dice.randrange(256)} - - [{stamp}] "GET {route} HTTP/1.1" {status} {dice.randrange(90000)} '
                           f'"https://shop.example/{dice.randrange(100)}" "{dice.choice(AGENTS)}"\n')
            else:
                stamp = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
                out.append(f'{{"level":"{"error" if failing else "info"}","time":"{stamp}","service":"shop","version":"4.{17 + (i > lines * .69)}.0",'
                           f'"region":"{dice.choice(("eu", "us", "ap"))}","host":"web-{dice.randrange(12)}","method":"GET","path":"{route}",'
                           f'"status":{status},"duration_ms":{dice.randrange(900)}.{dice.randrange(9)},"user_id":"u{dice.randrange(50000)}",'
                           f'"trace_id":"{dice.getrandbits(64):016x}","msg":"request completed"}}\n')
            if len(out) > 50_000:
                target.write("".join(out))
                out = []
        target.write("".join(out))


def tree_memory(root: int) -> int:
    """Resident bytes of a process and its descendants (Linux; 0 elsewhere)."""
    parents, sizes = {}, {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(entry.name)], sizes[int(entry.name)] = int(fields[1]), int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    family, grown = {root}, True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in family} - family
        family, grown = family | more, bool(more)
    return sum(sizes.get(pid, 0) for pid in family)


def measure(command: list[str]) -> tuple[float, int, str]:
    """Wall seconds, highest memory of the tree in MB, and what was printed."""
    began, highest = time.perf_counter(), 0
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        waiter = threading.Thread(target=process.wait)
        waiter.start()
        while waiter.is_alive():
            highest = max(highest, tree_memory(process.pid))
            waiter.join(0.05)
        seconds = time.perf_counter() - began
        out.seek(0)
        text = out.read()
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return seconds, highest >> 20, text


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    lines = int(os.environ.get("INCIDENTNB_BENCH_LINES", "5000000"))
    with tempfile.TemporaryDirectory() as scratch:
        for kind in ("access", "json"):
            path = Path(scratch) / f"{kind}.log"
            write(path, kind, lines)
            measure(["wc", "-l", str(path)])  # the file is in the page cache for everyone
            rows = [("wc -l", measure(["wc", "-l", str(path)]))]
            rows.append(("incidentnb triage, the whole answer", measure([sys.executable, "-m", "incidentnb", "triage", str(path), "--json"])))
            answer = json.loads(rows[-1][1][2])
            if shutil.which("lnav"):
                query = ";SELECT count(*), sum(sc_status >= 500) FROM access_log" if kind == "access" else ";SELECT count(*) FROM all_logs"
                rows.append(("lnav, one count", measure(["lnav", "-n", "-c", query, "-c", ":write-csv-to -", str(path)])))
            rows.append(("pandas in chunks, one count", measure([sys.executable, "-c", PANDAS, str(path), kind])))
            base = rows[0][1][0]
            say(f"\n{lines:,} {kind} lines, {path.stat().st_size / 1e9:.2f} GB; read {answer['inputs'][0]['parsed']:,}; "
                  f"verdict {answer['verdict']}, onset {(answer['onset'] or {}).get('at')}")
            say(f"{'':38}{'seconds':>9}{'MB':>7}{'× wc -l':>9}{'× incidentnb':>14}")
            for name, (seconds, memory, _) in rows:
                say(f"{name:38}{seconds:9.2f}{memory:7d}{seconds / base:9.1f}{seconds / rows[1][1][0]:14.2f}")
            path.unlink()


if __name__ == "__main__":
    main()
