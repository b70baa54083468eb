"""The verb ``redact``: texts as an audience would see them, or what would be hidden in them and what gave it away; block by block."""

from __future__ import annotations

import argparse
import json
import lzma
import os
import re
import secrets
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from incidentnb import sinks
from incidentnb.exceptions import InputError

SCHEMA = "incidentnb/redact/1"
_BLOCK, _LONGEST = 4 << 20, 64 << 20  # bytes; a longer line is torn
_KEY = re.compile(rb"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY")
_MOST = 200_000  # values that pseudonyms are numbered for; later ones get theirs of a key, so that nothing grows with the file


def run(args: argparse.Namespace) -> None:
    """Print each text redacted, or with ``--explain`` and ``--json`` what is hidden in it; how many of which kind on stderr.

    Raises:
        InputError: a path is not there, cannot be read, or is binary.
    """
    from incidentnb.evidence import files
    from incidentnb.publish import redaction
    from incidentnb.record import team

    given = team.load(os.curdir).redaction
    extra = redaction.rules_of(given)
    names, hidden = redaction.Names(most=_MOST), Counter[str]()
    found: list[dict[str, Any]] = []
    paths = files.expand(args.paths)
    if not (args.explain or args.json):
        for shown, counts in _shown((block for path in paths for block in _blocks(path)), args.audience, given):
            hidden.update(counts)
            sys.stdout.write(shown)
        paths = []
    for path in paths:
        line = 1
        for block in _blocks(path):
            text = block.decode("utf-8", "replace")
            for one in _explained(text, args.audience, names, extra):
                one = {"path": path, "line": line + one.pop("line"), **one}
                hidden[one["kind"]] += 1
                if args.json:
                    found.append(one)
                else:
                    _tell(one)
            line += text.count("\n")
    if args.json:
        value = {"schema": SCHEMA, "audience": args.audience, "hidden": dict(sorted(hidden.items())), "found": [
            {key: value for key, value in one.items() if key != "begins"} for one in found]}
        sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
    sys.stdout.flush()
    if not args.json:
        counted = ", ".join(f"{n:,} {kind}" for kind, n in sorted(hidden.items()))
        sys.stderr.write(f"incidentnb: hidden: {counted or 'nothing'}\n")


def _shown(blocks: Iterator[bytes], audience: str, given: Any) -> Iterator[tuple[str, Counter[str]]]:
    """Each block redacted, in order. A little text has its pseudonyms numbered; much is shared out among processes, which name them by one key."""
    import itertools
    import multiprocessing
    from concurrent.futures import Future, ProcessPoolExecutor

    begun: list[bytes] = []
    while sum(map(len, begun)) <= _BLOCK and (block := next(blocks, None)) is not None:
        begun.append(block)
    key = secrets.token_bytes(32) if sum(map(len, begun)) > _BLOCK else None
    workers = min(os.cpu_count() or 1, 8)
    if key is None or workers == 1:
        names = _redaction_names(key)
        for block in itertools.chain(begun, blocks):
            yield _one(block, audience, given, key, names)
        return
    waiting: list[Future[tuple[str, Counter[str]]]] = []
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        for block in itertools.chain(begun, blocks):
            waiting.append(pool.submit(_one, block, audience, given, key))
            if len(waiting) > workers + 1:
                yield waiting.pop(0).result()
        for one in waiting:
            yield one.result()


def _redaction_names(key: bytes | None) -> Any:
    from incidentnb.publish import redaction

    return redaction.Names(most=_MOST if key is None else 0)


def _one(block: bytes, audience: str, given: Any, key: bytes | None, names: Any = None) -> tuple[str, Counter[str]]:
    """A block as an audience may see it; with a key, a pseudonym depends on the key and the value alone."""
    from incidentnb.publish import redaction

    names = _redaction_names(key) if names is None else names
    return redaction.redact(block.decode("utf-8", "replace"), audience=audience, names=names, key=key, extra=redaction.rules_of(given))


def _tell(one: dict[str, Any]) -> None:
    begins = f" ({one['begins']}…)" if one["begins"] else ""
    sys.stdout.write(sinks.terminal(f"{one['path']}:{one['line']}  {one['kind']}  {one['why']}{begins}  {one['pseudonym']}", 1000) + "\n")


def _explained(text: str, audience: str, names: Any, extra: Any) -> Iterator[dict[str, Any]]:
    """What is hidden in a text, by line: line from 0, kind, rule, why, pseudonym, and what everybody knows such a token to begin with."""
    from incidentnb.publish import redaction
    from incidentnb.publish.hiding import quick, values

    found: list[dict[str, Any]] = []

    def keep(rule: redaction.Rule, value: str, name: str, line: int) -> None:
        known = rule.why.endswith("by its prefix") and re.match(r"[A-Za-z]{2,4}[_-]?", value)
        found.append({"line": line, "kind": rule.kind, "rule": re.sub(r"[^a-z]+", "-", rule.why.lower()).strip("-"), "why": rule.why,
                      "pseudonym": name, "begins": known[0][:4] if known else ""})

    kept = [rule.pattern for rule in extra if rule.keep]

    def whole(rule: redaction.Rule, value: str, at: int) -> str:
        if any(pattern.fullmatch(value) for pattern in kept):
            return value
        name = values.pseudonym(names, rule.kind, value, None)
        keep(rule, value, name, current.count("\n", 0, at))
        return name + "\n" * value.count("\n")  # so that lines keep their numbers

    current = text
    for rule in redaction.rules_for(audience, extra):
        if rule.lines:
            current = quick.redacted(current, [rule], whole)
    for number, line in enumerate(current.split("\n")):
        if len(line) > 3:
            redaction.redact(line, audience=audience, names=names, extra=extra, told=lambda rule, value, name, at, n=number: keep(rule, value, name,
                n))
    return iter(sorted(found, key=lambda one: one["line"]))


def _blocks(path: str) -> Iterator[bytes]:
    """A text in blocks of whole lines, decompressed as logs are; a private key is not torn."""
    stream, rest, first = _opened(path), b"", True
    try:
        while True:
            data = stream.read(1 << 20)
            if first and b"\0" in data[:65536]:
                raise InputError(path, "looks binary", "name a text file")
            first = False
            rest += data or b""
            if data and len(rest) < _BLOCK:
                continue
            end = len(rest) if not data else rest.rfind(b"\n") + 1 or (len(rest) if len(rest) > _LONGEST else 0)
            if data and end:
                end = _before_a_key(rest, end)
            if end:
                yield rest[:end]
                rest = rest[end:]
            if not data:
                return
    except (EOFError, OSError, zlib.error, lzma.LZMAError, ValueError) as problem:
        if isinstance(problem, BrokenPipeError):
            raise
        raise InputError(path, f"cannot be read: {getattr(problem, 'strerror', None) or problem}") from None
    finally:
        if path != "-":
            stream.close()


def _before_a_key(data: bytes, end: int) -> int:
    """Where to end a block so that no private key that begins in it goes on in the next."""
    at = max((one.start() for one in _KEY.finditer(data, max(0, end - (1 << 16)), end)), default=-1)
    if at < 0 or b"-----END" in data[at:end]:
        return end
    return data.rfind(b"\n", 0, at) + 1 or end


def _opened(path: str) -> Any:
    from incidentnb.evidence import files

    real = Path(path)
    if path == "-" or real.is_file():
        return files.open_source(path)[1]
    try:
        return real.open("rb")  # a pipe
    except OSError as problem:
        raise InputError(path, f"cannot be read: {problem.strerror or problem}") from None
