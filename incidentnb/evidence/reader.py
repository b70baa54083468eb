"""Reads logs into an evidence folder: finds the format of each file, parses it block by block in bounded memory, accounts for every line.

A file of more than ``SPLIT_FROM`` bytes whose lines can be read independently is cut at record starts and read by several processes.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from incidentnb import atomic, times
from incidentnb.evidence import detect
from incidentnb.evidence import formats as formats_room
from incidentnb.evidence.documents import Document, unfold
from incidentnb.evidence.files import Source, blocks, expand, open_source
from incidentnb.evidence.lines import Parser
from incidentnb.evidence.outcome import Outcome, Parts
from incidentnb.evidence.plan import Plan
from incidentnb.evidence.ranges import RANGE, cut_at, read_range
from incidentnb.evidence.repeats import Repeats
from incidentnb.evidence.table import MANIFEST, SCHEMA
from incidentnb.exceptions import InputError

SPLIT_FROM = 96 << 20
REJECTS = "rejects.jsonl"
Progress = Callable[[int, int | None, int], None]


def read(paths: list[str | Path], folder: Path, *, format: str | None = None, zone: str | None = None, year: int | None = None,
         formats_dir: str | Path | None = None, progress: Progress | None = None) -> dict[str, Any]:
    """Read logs into ``folder``: Parquet parts, ``rejects.jsonl`` and ``manifest.json``; return the manifest.

    Args:
        paths: files, directories, globs, ``-``.
        folder: is made; evidence that is in it is replaced once everything is read.
        format: name of a format, where detection is to be overruled.
        zone: of stamps without an offset.
        year: of the first stamp without a year.
        formats_dir: a folder with more formats.
        progress: called with bytes done, bytes in all (``None`` if unknown) and lines done.

    Returns:
        ``{schema, digest, inputs: [{path, format, family, lines, parsed, continuation, rejected, first, last, zone, zone_source,
        levels, http_statuses, rows, choice, warnings, sha256, parts}]}``. ``first`` and ``last`` are of the first and last record in
        file order, ISO 8601 UTC or ``None``; ``levels`` are as written; ``rows`` are the records in the log table (more than
        ``parsed`` where a line bundles several).

    Raises:
        InputError: a path is missing, holds no logs, is binary, or no format reads it.
    """
    known = formats_room.load([Path(formats_dir)] if formats_dir else [])
    sources = expand(list(paths))
    named = {str(Path(str(p)).expanduser()) for p in paths} | {"-"}
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    base = Plan((), (), zone=times.zone(zone) if zone else UTC, year=year,
                latest=int((datetime.now(UTC).timestamp() + 86400) * 1e6))
    total = sum(Path(s).stat().st_size for s in sources) if "-" not in sources else None
    ticker = _Ticker(progress, total)
    ticker.add(0, 0)  # say at once that it has begun
    generation = f"{os.getpid():x}-{int(datetime.now(UTC).timestamp()):x}"
    inputs, rejects, problems = [], [], []
    short = _short_names(sources)
    for number, path in enumerate(_without_copies(sources, problems)):
        job = _Job(path, short[path], folder, f"{number:03d}-{generation}", base, format, bool(zone), year is not None, known)
        try:
            entry, lost = job.run(ticker)
        except InputError as error:
            if path in named or len(sources) == 1:
                raise
            problems.append(str(error))  # one bad file among the many of a directory does not stop the others
            continue
        inputs.append(entry)
        rejects += lost
    if not inputs:
        raise InputError(str(paths[0]) if paths else "logs", "nothing could be read" + (f": {problems[0]}" if problems else ""))
    inputs[0]["warnings"] = problems + inputs[0]["warnings"]
    body = json.dumps([[e["sha256"], e["format"], e["zone"], e["parsed"]] for e in inputs])
    manifest = {"schema": SCHEMA, "digest": hashlib.sha256(body.encode()).hexdigest()[:16], "inputs": inputs}
    atomic.write(folder / REJECTS, "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rejects))
    atomic.write(folder / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
    kept = {part for e in inputs for part in e["parts"]}
    for stale in folder.glob("*.parquet"):
        if stale.name not in kept:
            stale.unlink()
    return manifest


def _short_names(sources: list[str]) -> dict[str, str]:
    """What records are said to be from: the path as given, or below the folder that all absolute ones share."""
    absolute = [path for path in sources if Path(path).is_absolute()]
    shared = os.path.commonpath([str(Path(path).parent) for path in absolute]) if absolute else ""
    return {path: str(Path(path).relative_to(shared)) if path in absolute else path for path in sources}


def _without_copies(sources: list[str], problems: list[str]) -> Iterator[str]:
    """The sources, less those with the very content of an earlier one (a copy in a directory would count everything twice)."""
    by_size: dict[int, list[str]] = {}
    for path in sources:
        size = Path(path).stat().st_size if path != "-" else -1
        twins = by_size.setdefault(size, [])
        if size > 0 and twins:
            mine = _digest(path)
            twin = next((t for t in twins if _digest(t) == mine), None)
            if twin is not None:
                problems.append(f"{path}: is a copy of {twin}; it was not read twice")
                continue
        twins.append(path)
        yield path


class _Ticker:
    """Adds up progress of several files and processes."""

    def __init__(self, progress: Progress | None, total: int | None):
        self._progress, self._total, self._bytes, self._lines = progress, total, 0, 0

    def add(self, size: int, lines: int) -> None:
        self._bytes += size
        self._lines += lines
        if self._progress:
            self._progress(self._bytes, self._total, self._lines)


@dataclass
class _Job:
    """Reading one file."""

    path: str
    source: str  # what the records are said to be from
    folder: Path
    prefix: str
    base: Plan
    wanted: str | None
    zone_given: bool
    year_given: bool
    formats: dict[str, formats_room.Format]

    def run(self, ticker: _Ticker) -> tuple[dict[str, Any], list[dict]]:
        source, stream = open_source(self.path)
        cut: list[Callable[[str], bool]] = [lambda line: bool(line) and line[0] not in " \t"]
        stretch = blocks(source, stream, lambda line: cut[0](line))
        text = next(stretch, None)
        head = [line for line in (text or "").split("\n") if line.strip()]
        if text is None or not head:
            return self._nothing(source, text, stretch)
        document, stretch = unfold(text, stretch)
        if document is not None:
            text = document.head
        base, how = self.base, ""
        if base.year is None:
            year, how = detect.year_of(head[:400], source.modified, datetime.now(UTC))
            base = replace(base, year=year)
        choice = detect.choose(text, self.formats, base=base, wanted=self.wanted, path=self.path)
        if document is not None:
            return self._document(source, choice, how, document, ticker)
        if self._may_split(source, choice.plan):
            stream.close()
            return self._in_stretches(source, choice, how, ticker)
        parser = Parser(choice.plan)
        if choice.plan.multiline or choice.plan.layers:
            cut[0] = parser.starts_record if not choice.plan.layers else lambda line: True
        else:
            cut[0] = lambda line: True
        parts, repeats, number, done = Parts(self.folder, self.prefix, self.source), Repeats(), 1, 0
        while text is not None:
            parts.add(parser.block(text, number))
            repeats.look(text)
            count = text.count("\n") + 1
            ticker.add(source.bytes_read - done, count)
            number, done = number + count, source.bytes_read
            text = next(stretch, None)
        parts.flush()
        stream.close()
        outcome = Outcome.of(parser, parts)
        return self._entry(source, choice, how, outcome, repeats.warning(), source.sha256 or _digest(self.path))

    def _document(self, source: Source, choice: detect.Choice, how: str, document: Document,
                  ticker: _Ticker) -> tuple[dict[str, Any], list[dict]]:
        parser, parts = Parser(choice.plan), Parts(self.folder, self.prefix, self.source)
        for tables in document.read_by(parser):
            parts.add(tables)
        parts.flush()
        ticker.add(source.bytes_read, document.lines)
        choice = replace(choice, why=f"one JSON document of {len(document.records):,} records; {choice.why}")
        return self._entry(source, choice, how, Outcome.of(parser, parts), "", source.sha256 or _digest(self.path))

    def _may_split(self, source: Source, plan: Plan) -> bool:
        """Whether the lines can be read apart from each other: no zone with summer time, every stamp with its year, no header."""
        stateless = all(f.kind != "columns" and not f.partial for f in (*plan.layers, *plan.formats))
        fixed = plan.zone is UTC or not hasattr(plan.zone, "key")
        whole = self.path != "-" and not source.compression and source.encoding == "utf-8"
        if not (whole and fixed and stateless and (source.size or 0) >= SPLIT_FROM):
            return False
        probe = Parser(plan)
        with Path(self.path).open("rb") as stream:
            probe.block(stream.read(64 << 10).rpartition(b"\n")[0].decode("utf-8", "replace"), 1)
        return not any(clock.yearless for clock in probe.clocks.values())

    def _in_stretches(self, source: Source, choice: detect.Choice, how: str, ticker: _Ticker) -> tuple[dict[str, Any], list[dict]]:
        digest: list[str] = []
        thread = threading.Thread(target=lambda: digest.append(_digest(self.path)))
        thread.start()
        results: dict[int, tuple[Outcome, Source]] = {}
        workers = max(1, min((source.size or 0) // RANGE, os.cpu_count() or 1, 8))
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            jobs = {}
            for i, (begin, end, line) in enumerate(cut_at(Path(self.path), Parser(choice.plan), choice.plan.multiline)):
                job = pool.submit(read_range, self.path, begin, end, line, choice.plan, self.folder, f"{self.prefix}-{i:04d}", self.source)
                jobs[job] = i, end - begin
            for job in as_completed(jobs):
                i, size = jobs[job]
                results[i] = job.result()
                ticker.add(size, results[i][0].counts["lines"])
        thread.join()
        whole = Outcome()
        for i in sorted(results):
            outcome, seen = results[i]
            whole.join(outcome)
            source.take(seen)
        return self._entry(source, choice, how, whole, "", digest[0])

    def _nothing(self, source: Source, text: str | None, stretch) -> tuple[dict[str, Any], list[dict]]:
        blank = 0 if text is None else text.count("\n") + 1 + sum(t.count("\n") + 1 for t in stretch)
        outcome = Outcome(counts={"lines": blank, "parsed": 0, "continuation": blank, "rejected": 0})
        return self._entry(source, detect.Choice(self.base, "", "", "no lines to read"), "", outcome, "", source.sha256 or _digest(self.path))

    def _entry(self, source: Source, choice: detect.Choice, year_how: str, outcome: Outcome, repeated: str,
               digest: str) -> tuple[dict[str, Any], list[dict]]:
        counts = outcome.counts
        if counts["lines"] and not counts["parsed"] and counts["continuation"] < counts["lines"]:
            line, why, _ = outcome.rejects[0]
            raise InputError(f"{self.path}:{line}", f"no line could be read: {why}", "incidentnb formats lists what is read; --format overrules")
        plan = choice.plan
        by_format = next((f.name for f in (*plan.layers, *plan.formats) if f.zone), "")
        zone, zone_source = detect.zone_words(outcome.offsets, plan.zone, self.zone_given, by_format)
        if outcome.yearless:
            zone_source += f"; year {plan.year} " + ("given with --year" if self.year_given else year_how)
        if outcome.used.get("d/m or m/d"):
            shown = "as the file shows" if plan.day_first is not None else "assumed, no day is above 12"
            zone_source += f"; {'day' if plan.day_first else 'month'} first, {shown}"
        return {
            "path": self.path, "format": choice.name, "family": choice.family, **counts,
            "first": _iso(outcome.first), "last": _iso(outcome.last), "zone": zone, "zone_source": zone_source,
            "levels": dict(outcome.levels), "http_statuses": {str(k): v for k, v in sorted(outcome.statuses.items())},
            "rows": outcome.rows, "choice": choice.why, "warnings": self._warnings(source, outcome, repeated),
            "sha256": digest, "parts": outcome.parts,
        }, [{"source": self.source, "line": line, "reason": why, "text": text} for line, why, text in outcome.rejects]

    def _warnings(self, source: Source, outcome: Outcome, repeated: str) -> list[str]:
        at = self.path
        out = [f"{at}: {w}" for w in source.warnings]
        if source.undecodable:
            out.append(f"{at}:{source.undecodable_at}: {_lines(source.undecodable)} not UTF-8, read as Windows-1252")
        if source.nul:
            out.append(f"{at}:{source.nul_at}: {source.nul:,} NUL bytes, shown as ␀")
        if source.clipped:
            out.append(f"{at}:{source.clipped_at}: {_lines(source.clipped)} too long, clipped")
        if outcome.counts["rejected"]:
            line, why, _ = outcome.rejects[0]
            out.append(f"{at}:{line}: {_lines(outcome.counts['rejected'])} rejected; the first: {why}")
        if outcome.implausible:
            out.append(f"{at}:{outcome.implausible_at}: {outcome.implausible:,} records have an impossible time (before 1995 or in the "
                       "future); kept without a time")
        if outcome.ambiguous or outcome.nonexistent:
            what = f"{outcome.ambiguous:,} stamps in the hour that stands twice, told apart by their order" if outcome.ambiguous else \
                f"{outcome.nonexistent:,} stamps in an hour that the zone skips, read with the offset before the change"
            out.append(f"{at}: {what}")
        if outcome.disorder > 0.02 * max(outcome.counts["parsed"], 1) and outcome.disorder > 3:
            out.append(f"{at}: {outcome.disorder:,} records are older than the one before them; sorted by time")
        if repeated:
            out.append(f"{at}: {repeated}")
        if outcome.dropped_fields:
            out.append(f"{at}: {len(outcome.dropped_fields):,} more field names than a table holds, left out "
                       f"(such as {sorted(outcome.dropped_fields)[0]!r})")
        return out


def _digest(path: str) -> str:
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _iso(micros: int | None) -> str | None:
    return None if micros is None else times.iso(times.epoch(micros) if abs(micros) >= 10**14 else datetime.fromtimestamp(micros / 1e6, UTC))


def _lines(n: int) -> str:
    return "1 line is" if n == 1 else f"{n:,} lines are"
