"""Lines → records: peels envelopes, reads each payload by its format, joins the lines of one record, accounts for every line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from incidentnb.evidence import bulk
from incidentnb.evidence.fields import Tally, assemble, column_of, times_of
from incidentnb.evidence.formats import Format, Origin
from incidentnb.evidence.matching import HEADER, match
from incidentnb.evidence.plan import Plan
from incidentnb.evidence.stamps import Clock

MOST_JOINED = 300  # lines of one record that are kept with it; the rest is counted
# the second and later lines of what is one record: indented, or one of the heads and tails that stack traces have
TRACE = re.compile(r"[ \t]+\S|Caused by:|Traceback \(most recent|\s*\.\.\. \d+ (?:more|common)|goroutine \d+|panic:|\[stacktrace\]|"
                   r"#\d+\s|--- End of|During handling of|The above exception|stack backtrace:|"
                   r"[\w.$]*(?:Exception|Error)\b[:\s]|\)$|\}$|\]$|\"\}\s*$")
_INDENTED = re.compile(r"\t| {4,}\S|[ \t]+(?:at |File \"|\.\.\. \d+ |\d+: |\|)|Caused by:|Traceback \(most recent|#\d+ ")
Reject = tuple[int, str, str]  # line, reason, text


@dataclass
class Parser:
    """Reads the blocks of one file in order and keeps count.

    Attributes:
        counts: lines parsed, continuation (joined lines, headers, comments, blank lines) and rejected; they sum to the lines seen.
        tally: levels, statuses, first and last time, of the records.
        rejects: the first rejected lines, as (line, reason, text).
    """

    plan: Plan
    counts: dict[str, int] = field(default_factory=lambda: {"lines": 0, "parsed": 0, "continuation": 0, "rejected": 0})
    tally: Tally = field(default_factory=Tally)
    rejects: list[Reject] = field(default_factory=list)
    by_format: dict[str, int] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)  # of a columns format, from its header
    seen: bool = False  # a record was read: lines that match nothing may belong to one

    def __post_init__(self):
        self.clocks: dict[str, Clock] = {}
        self.shape: pa.Schema | bool | None = None  # of JSON lines, once a sample was looked at

    def clock(self, fmt: Format) -> Clock:
        if fmt.name not in self.clocks:
            plan = self.plan
            zone = plan.zone
            if fmt.zone and zone is UTC:
                from incidentnb import times

                zone = times.zone(fmt.zone)
            self.clocks[fmt.name] = Clock(zone=zone, year=plan.year, day_first=plan.day_first, short_order=plan.short_order,
                                          latest=plan.latest)
        return self.clocks[fmt.name]

    def starts_record(self, line: str) -> bool:
        """Whether a line begins a record (used to cut a stream between records)."""
        if not line:
            return False
        return any(f.kind != "text" or f.regex.fullmatch(line) for f in self.plan.formats)

    def block(self, text: str, first_line: int) -> list[pa.Table]:
        """The records of consecutive whole lines.

        Args:
            text: without a final line end.
            first_line: number of its first line in the file, from 1.

        Returns:
            One table per format that was found, columns of the log table without ``source``.
        """
        if not self.plan.layers and self.plan.formats:
            quick = self._quick(self.plan.formats[0], text, first_line)
            if quick is not None:
                return quick
        lines = text.split("\n")
        self.counts["lines"] += len(lines)
        return self._peel(lines, list(range(first_line, first_line + len(lines))), None, {}, 0)

    def _quick(self, main: Format, text: str, first_line: int) -> list[pa.Table] | None:
        """The block in one go where its lines keep to their format; ``None`` where they must be looked at one by one."""
        if "\n\n" in text or text[:1] == "\n" or text[-1:] == "\n" or not text:
            return None
        count = text.count("\n") + 1
        numbers = range(first_line, first_line + count)
        if main.kind == "json" and not main.records:
            if self.shape is None:
                self.shape = bulk.shape(text.split("\n", 400)[:400]) or False
            raw = bulk.objects(main, text, self.shape, count) if self.shape else None
            if raw is None:
                return None
            self.counts["lines"] += count
            return self._records(main, raw, numbers, None, {}, [], lambda i: text.split("\n")[i])
        if main.kind != "text" or main.joins or main.comment:
            return None
        if main.split and not main.multiline and (found := bulk.cut(main, text)) is not None:
            raw, good = found
            self.counts["lines"] += count
            tables = self._records(main, raw, np.flatnonzero(good) + first_line, None, {}, [],
                                   lambda i: text.split("\n")[int(np.flatnonzero(good)[i])])
            if not good.all():
                lines, others = text.split("\n"), np.flatnonzero(~good).tolist()
                tables += self._payload([lines[i] for i in others], [first_line + i for i in others], None, {})
            return tables
        columns = list(zip(*main.block_regex.findall(text), strict=True))
        if any(columns[-1]):
            return None
        self.counts["lines"] += count
        return self._records(main, dict(zip(main.groups, columns[:-1], strict=True)), numbers, None, {}, [], lambda i: text.split("\n")[i])

    def lines(self, lines: list[str], numbers: list[int]) -> list[pa.Table]:
        """The records of lines that are not consecutive, each with its number."""
        self.counts["lines"] += len(lines)
        return self._peel(list(lines), list(numbers), None, {}, 0)

    # ── envelopes ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _peel(self, lines: list[str], numbers: list[int], given: list | None, around: dict[str, list], depth: int) -> list[pa.Table]:
        if depth == len(self.plan.layers):
            return self._payload(lines, numbers, given, around)
        layer = self.plan.layers[depth]
        raw, matched, bad = match(layer, lines, self.names)
        tables = []
        if len(matched) < len(lines):
            hit = set(matched)
            outside = [i for i in range(len(lines)) if i not in hit]
            tables += self._outside(layer, [lines[i] for i in outside], [numbers[i] for i in outside], bad, outside)
        if not matched:
            return tables
        payload = [v if type(v) is str else "" if v is None else json.dumps(v) if isinstance(v, dict | list) else str(v)
                   for v in raw.pop(layer.payload)]
        here = [numbers[i] for i in matched]
        if given is not None:
            given = [given[i] for i in matched]
        around = {k: [v[i] for i in matched] for k, v in around.items()}
        if layer.partial:
            payload, keep = _joined_partials(payload, raw.pop(layer.partial[0]), layer.partial[1])
            self._count("continuation", len(here) - len(keep))
            here = [here[i] for i in keep]
            raw = {k: [v[i] for i in keep] for k, v in raw.items()}
            given = None if given is None else [given[i] for i in keep]
            around = {k: [v[i] for i in keep] for k, v in around.items()}
        if layer.time and given is None and any(t.strip() in raw for name in layer.time for t in name.split("+")):
            gone = pa.array(["", *layer.missing])
            micros, _ = times_of(layer, {k: column_of(v, gone) for k, v in raw.items()}, len(here), self.clock(layer))
            given = micros.to_pylist()
        stamps = {p.strip() for t in layer.time for p in t.split("+")}
        for target, origin in layer.fields.items():
            name = next((n for n in origin.names if n in raw), None)
            if name and target != "message":
                around[target] = list(raw[name])
                stamps.add(name)
        around |= {k: list(v) for k, v in raw.items() if k not in stamps and any(v)}
        self.seen = True
        return tables + self._peel(payload, here, given, around, depth + 1)

    def _outside(self, layer: Format, lines, numbers, bad: dict[int, str], indices) -> list[pa.Table]:
        """Lines that are not in the envelope: blank, joined to the record before, or rejected."""
        for line, number, i in zip(lines, numbers, indices, strict=True):
            if not line.strip() or (layer.comment and line.startswith(layer.comment)) or (self.seen and layer.kind != "json" and TRACE.match(line)):
                self._count("continuation")
            else:
                self._reject(number, bad.get(i, f"not in the {layer.name} envelope"), line)
        return []

    # ── payloads ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _payload(self, lines: list[str], numbers: list[int], given: list | None, around: dict[str, list]) -> list[pa.Table]:
        tails: dict[int, list[str]] = {}
        if self.plan.layers:
            for i, line in enumerate(lines):
                if "\n" in line:
                    head, _, tail = line.rstrip("\n").partition("\n")
                    lines[i] = head
                    if tail:
                        tails[i] = tail.split("\n")
        owner: list[int] = [-1] * len(lines)
        raws: list[dict] = []
        origin: list[list[int]] = []
        reasons: dict[int, str] = {}
        rest = list(range(len(lines)))
        for k, fmt in enumerate(self.plan.formats):
            raw, matched, bad = match(fmt, [lines[i] for i in rest], self.names)
            matched = [rest[i] for i in matched]
            reasons |= {rest[i]: why for i, why in bad.items() if why or rest[i] not in reasons}
            raws.append(raw)
            origin.append(matched)
            for i in matched:
                owner[i] = k
            hit = set(matched)
            rest = [i for i in rest if i not in hit and not (fmt.comment and lines[i].startswith(fmt.comment))]
            if not rest:
                break
        self._joins(raws, origin, owner, lines)
        leftover, joined = self._leftovers(lines, numbers, owner, reasons, given, tails)
        tables = []
        for k, raw in enumerate(raws):
            if origin[k]:
                fmt = self.plan.formats[k]
                at = origin[k]
                tables += self._records(fmt, raw, [numbers[i] for i in at], None if given is None else [given[i] for i in at],
                                        {n: [v[i] for i in at] for n, v in around.items()}, [joined.get(i) for i in at],
                                        lambda i, at=at: lines[at[i]] if i < len(at) else "")
        if leftover:
            plain = Format(name="message", title="the message of an envelope", family="text", kind="text", fields={}, time=())
            tables += self._records(plain, {"message_": [lines[i] for i in leftover]}, [numbers[i] for i in leftover],
                                    [given[i] for i in leftover], {n: [v[i] for i in leftover] for n, v in around.items()},
                                    [joined.get(i) for i in leftover])
        return tables

    def _joins(self, raws, origin, owner, lines) -> None:
        """Lines that match but belong to the record before them (``joins``) are taken out of their format's records."""
        for k, raw in enumerate(raws):
            for name, values in self.plan.formats[k].joins.items():
                if name not in raw:
                    continue
                stay = [j for j, v in enumerate(raw[name]) if v not in values]
                if len(stay) < len(origin[k]):
                    for j in set(range(len(origin[k]))) - set(stay):
                        owner[origin[k][j]] = -2
                    origin[k] = [origin[k][j] for j in stay]
                    raws[k] = raw = {n: [v[j] for j in stay] for n, v in raw.items()}

    def _leftovers(self, lines, numbers, owner, reasons, given, tails) -> tuple[list[int], dict[int, list[str]]]:
        """What becomes of the lines that no format matches: joined, counted, a bare message of a dated envelope, or rejected."""
        joined: dict[int, list[str]] = dict(tails)
        leftover: list[int] = []
        comments = tuple(f.comment for f in self.plan.formats if f.comment)
        multiline = any(f.multiline for f in self.plan.formats) or not self.plan.formats
        jsonish = any(f.kind in ("json", "columns") for f in self.plan.formats[:1])
        previous = -1
        for i, k in enumerate(owner):
            if k >= 0:
                previous = i
                self.seen = True
                continue
            line = lines[i]
            dated = given is not None and given[i] is not None
            if not line.strip() or (comments and line.startswith(comments)) or reasons.get(i) == HEADER:
                self._count("continuation")
                if previous >= 0 and joined.get(previous):
                    joined[previous].append(line)
            elif k == -2 or (not dated and not reasons.get(i) and (previous >= 0 or self.seen) and
                             ((multiline and not jsonish) or TRACE.match(line))) or (dated and previous >= 0 and _INDENTED.match(line)):
                self._count("continuation")
                if previous >= 0:
                    joined.setdefault(previous, []).append(line)
            elif dated:
                leftover.append(i)
                previous = i
            else:
                name = self.plan.formats[0].name if self.plan.formats else "any format"
                self._reject(numbers[i], reasons.get(i) or (f"does not match {name}" if self.seen or not multiline
                                                            else "no record before it that it could belong to"), line)
        return leftover, joined

    def _records(self, fmt: Format, raw: dict[str, Sequence], numbers: Sequence[int], given: list | None, around: dict[str, list],
                 joined: list, text_at: Callable[[int], str] = lambda i: "") -> list[pa.Table]:
        if fmt.records:  # several records of one line: what is around the line is around each
            raw, repeats = raw.pop("\0rows"), raw.pop("\0line")
            numbers = [numbers[i] for i in repeats]
            given = None if given is None else [given[i] for i in repeats]
            around = {n: [v[i] for i in repeats] for n, v in around.items()}
            joined = []
        for pattern in fmt.body_regexes:
            for i, more in enumerate(joined):
                if more and (found := pattern.search("\n".join(more))):
                    for name, value in found.groupdict().items():
                        if value:
                            column = raw.setdefault(name, [None] * len(numbers))
                            if not isinstance(column, list):
                                column = raw[name] = list(column)
                            column[i] = value
        message = [n for n in fmt.fields["message"].names if n in raw][:1] if "message" in fmt.fields else []
        if any(joined):
            target = message[0] if message else "message_"
            heads = list(raw.get(target) or [""] * len(numbers))
            raw[target] = ["\n".join([str(h), *more[:MOST_JOINED], *([f"… [{len(more) - MOST_JOINED} more lines]"]
                           if len(more) > MOST_JOINED else [])]).strip("\n") if more else h for h, more in zip(heads, joined, strict=True)]
        if "message_" in raw or around:
            fields = dict(fmt.fields)
            if "message_" in raw:
                fields["message"] = Origin((*(fields["message"].names if "message" in fields else ()), "message_"))
            for name, values in around.items():
                if name in raw or (name in fields and any(n in raw for n in fields[name].names)):
                    continue  # what the payload says itself is nearer to the truth
                raw[name] = values
                if name in ("service", "host", "version", "user", "client", "level"):
                    fields[name] = Origin((name,))
            fmt = replace(fmt, fields=fields)
        stamps = None if given is None else pa.array(given, pa.int64())
        before = len(numbers)
        table, bad = assemble(fmt, raw, numbers, self.clock(fmt), self.tally, stamps)
        lost = {}
        for i, why in bad:
            lost.setdefault(numbers[i], (why, i))
        for number, (why, i) in lost.items():
            self._reject(number, why, text_at(i))
        parsed = (len(set(numbers)) if fmt.records else before) - len(lost)
        self._count("parsed", parsed)
        self.by_format[fmt.name] = self.by_format.get(fmt.name, 0) + parsed
        self.seen = self.seen or parsed > 0
        return [table] if len(table) else []

    # ── accounts ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _count(self, what: str, n: int = 1) -> None:
        self.counts[what] += n

    def _reject(self, number: int, why: str, text: str) -> None:
        self.counts["rejected"] += 1
        if len(self.rejects) < 10_000:
            self.rejects.append((number, why, text[:2000]))


def _joined_partials(payload: list[str], flags: Sequence, partial: str) -> tuple[list[str], list[int]]:
    """Payloads whose flag says "continued" run together with the next; returns the whole ones and their indices."""
    whole, keep, open_ = [], [], None
    for i, (text, flag) in enumerate(zip(payload, flags, strict=True)):
        if open_ is not None:
            whole[-1] += text
        else:
            whole.append(text)
            keep.append(i)
        open_ = i if flag == partial else None
    return whole, keep


def dated(table: pa.Table) -> int:
    """How many records of a table have a time."""
    return len(table) - (pc.sum(pc.is_null(table["time"])).as_py() or 0)
