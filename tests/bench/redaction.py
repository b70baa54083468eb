"""How quickly secrets are hidden: ``python tests/bench/redaction.py``; beside it ``sed -E`` with a handful of like patterns.

Lines a second of ``redact`` on one core by kind of log and audience, and of the whole command on 200,000 lines, which takes every core; 50,000
are wanted, which dense lines do not reach; fewer than 10,000 fail.
``scrubadub`` has a column where it is installed; it is no dependency.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WANTED, LEAST, LINES = 50_000, 10_000, 40_000
SED = (r"s/(password|token|secret|api_key)[\"']?[=:][\"']?[^ \"',&]+/\1=***/g; "
       r"s/[Aa]uthorization[\"']?: ?[\"']?[A-Za-z]+ [^ \"',]+/Authorization: ***/g; "
       r"s/[A-Za-z0-9_.+-]+@[A-Za-z0-9-]+(\.[A-Za-z]{2,})+/***/g; s/\b[0-9]{1,3}(\.[0-9]{1,3}){3}\b/***/g; s/\"?user\"?[=:]\"?[^ \",]+/user=***/g; "
       r"s/gh[pousr]_[A-Za-z0-9]{36}/***/g; s/eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+/***/g")


def logs(count: int) -> dict[str, str]:
    """Three kinds of log: without anything to hide, and with an address, a user and an Authorization header in each line."""
    plain = (f"2026-11-23T14:03:{n % 60:02d}Z INFO shop-api GET /orders/{n} 200 {n % 90}ms trace_id=4bf92f3577b34da6a3ce929d0e0e4736 cart {n}"
             for n in range(count))
    access = (f'203.0.113.{n % 250} - bob{n % 900} [23/Nov/2026:14:03:{n % 60:02d} +0000] "POST /orders/{n} HTTP/1.1" 500 {n * 7} "-" '
              f'"Mozilla/5.0 (X11; Linux x86_64) Chrome/119.0.0.0" "Authorization: Bearer abcdef{n % 500:032d}" user=bob{n % 900}'
              for n in range(count))
    structured = (f'{{"time":"2026-11-23T14:03:{n % 60:02d}Z","level":"info","req":{{"method":"POST","url":"/orders/{n}","headers":{{"authorization":'
                  f'"Bearer abcdef{n % 500:032d}","user-agent":"Mozilla/5.0"}}}},"user":"u{n % 900}","client":"203.0.113.{n % 250}","msg":"done"}}'
                  for n in range(count))
    return {"plain": "\n".join(plain) + "\n", "access": "\n".join(access) + "\n", "JSON": "\n".join(structured) + "\n"}


def main() -> int:
    from incidentnb.publish.redaction import redact

    heads = "".join(f"{head:>11}" for head in ("public", "internal", "command", "sed -E", "scrubadub"))
    print(f"\nhiding secrets, lines a second (redact: one core, command: all); {WANTED:,} are wanted\n{'':10}{heads}")  # noqa: T201  a bench prints
    slow = 0
    for name, text in logs(LINES).items():
        row = [_speed(lambda text=text, audience=audience: redact(text, audience=audience), LINES) for audience in ("public", "internal")]
        slow += min(row) < LEAST
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "a.log"
            path.write_text(text * 5, encoding="utf-8")
            row.append(_command([sys.executable, "-m", "incidentnb", "redact", str(path)], 5 * LINES))
            row.append(_command(["sed", "-E", SED, str(path)], 5 * LINES))
        print(f"{name:10}" + "".join(f"{figure:>11,.0f}" for figure in row) + f"{_scrubadub(text):>11}")  # noqa: T201  as above
    return 1 if slow else 0


def _speed(call, lines: int) -> float:
    call()
    took = []
    for _ in range(3):
        began = time.process_time()
        call()
        took.append(time.process_time() - began)
    return lines / min(took)


def _command(words: list[str], lines: int) -> float:
    began = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return lines / (time.perf_counter() - began)


def _scrubadub(text: str) -> str:
    if importlib.util.find_spec("scrubadub") is None:
        return "not there"
    import scrubadub

    some = "\n".join(text.split("\n")[:300])
    return f"{_speed(lambda: scrubadub.clean(some), 300):,.0f}"


if __name__ == "__main__":
    sys.exit(main())
