"""Which formats a file is written in: every candidate reads a sample, and the one that explains most of it with plausible times wins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo

from incidentnb.evidence.formats import Format
from incidentnb.evidence.lines import Parser, dated
from incidentnb.evidence.matching import match
from incidentnb.evidence.objects import flatten, has_value, read_json, read_logfmt, recognises
from incidentnb.evidence.openings import may_begin, shapes
from incidentnb.evidence.plan import Plan
from incidentnb.evidence.stamps import layout
from incidentnb.exceptions import InputError

SAMPLE_LINES = 400
GENERAL, PLAIN, JSON = "general", "plain", "json"  # the formats that read what no other knows


@dataclass(frozen=True)
class Choice:
    """How a file will be read, and why.

    Attributes:
        plan: for the parser.
        name: of the formats, as ``--format`` would name them, the envelope first: ``docker-json / pino``.
        family: of the main format.
        why: what the choice rests on.
    """

    plan: Plan
    name: str
    family: str
    why: str
    warnings: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class _Score:
    format: Format
    records: int
    dated: int
    matched: frozenset[int]

    @property
    def value(self) -> float:
        return (self.dated + 0.25 * (self.records - self.dated)) * (1 + self.format.weight / 100)


def choose(text: str, formats: Mapping[str, Format], *, base: Plan, wanted: str | None = None, path: str = "") -> Choice:
    """The plan for a file whose beginning is ``text``.

    Args:
        text: the first block.
        formats: all that are known.
        base: zone, year and latest time to use.
        wanted: name of the format that the user asked for.
        path: for messages.

    Raises:
        InputError: the format asked for is not known, or no format reads any line.
    """
    lines = [line for line in text.split("\n")[:SAMPLE_LINES * 3] if line.strip()][:SAMPLE_LINES]
    base = replace(base, day_first=_day_first(lines), short_order=_short_order(lines))
    if wanted:
        return _asked_for(wanted, formats, base, lines)
    layers, inner, why = _detect(lines, formats, base, 0)
    if not inner and not layers:
        raise InputError(path, f"no log format reads its lines (the first is {lines[0][:60]!r})" if lines else "no lines")
    if not layers and inner[0].name == PLAIN and 2 * sum(line.lstrip().startswith("{") for line in lines) > len(lines):
        why = next((why for line in lines if isinstance(why := read_json(line), str) and why), "no time, level or message in it")
        raise InputError(path, f"JSON lines that cannot be read: {why}", "--format overrules the choice")
    plan = replace(base, layers=tuple(layers), formats=tuple(inner))
    wrapper = next((f for f in layers if f.kind == "json" and "message" in f.fields), None)  # a log of its own around lines of another
    family = wrapper.family if wrapper else inner[0].family if inner and inner[0].name != PLAIN else (layers or inner)[-1].family
    name = " / ".join([f.name for f in layers] + ([" + ".join(f.name for f in inner)] if inner else []))
    return Choice(plan, name, family, why)


def _detect(lines: list[str], formats: Mapping[str, Format], base: Plan, depth: int) -> tuple[list[Format], list[Format], str]:
    candidates = _candidates(formats, lines)
    scores = [s for f in candidates if f.name != PLAIN and (s := _score(f, lines, base))]
    scores = [_with_payload(s, lines, formats, base) if _pure(s.format) and depth < 3 else s for s in scores]
    scores.sort(key=lambda s: -s.value)
    if not scores:
        plain = formats.get(PLAIN)
        return [], [plain] if plain and lines else [], "no line holds a time; read as undated text"
    best = scores[0]
    rivals = [s for s in scores[1:4] if s.value > 0.5 * best.value]
    why = f"{best.format.name} reads {best.records} of the first {len(lines)} lines, {best.dated} with a plausible time"
    if rivals:
        why += "; next best " + ", ".join(f"{s.format.name} {s.records}" for s in rivals[:2])
    if best.format.payload and depth < 3:
        inner = _inside(best.format, lines, formats, base, depth)
        if inner is not None:
            return [best.format, *inner[0]], inner[1], why + (f"; inside: {inner[2]}" if inner[1] else "; its payload has no format of its own")
    chosen = [best.format]
    comment = best.format.comment
    left = [line for i, line in enumerate(lines) if i not in best.matched and not (comment and line.startswith(comment))]
    others = [f for f in candidates if f.name not in (best.format.name, PLAIN)]
    while len(chosen) < 4 and len(left) > max(1, 0.01 * len(lines)):
        more = [s for f in others if not f.payload and (s := _score(f, left, base))]
        more = [s for s in more if s.records >= max(2, 0.1 * len(left)) and s.dated and s.format not in chosen]
        if not more:
            break
        second = max(more, key=lambda s: s.value)
        chosen.append(second.format)
        left = [line for i, line in enumerate(left) if i not in second.matched]
    if best.format.kind == "json" and JSON in formats and formats[JSON] not in chosen:
        chosen.append(formats[JSON])
    if best.format.multiline and best.format.kind == "text" and GENERAL in formats and formats[GENERAL] not in chosen:
        chosen.append(formats[GENERAL])
    if len(chosen) > 1 and chosen[1].name not in (JSON, GENERAL):
        why += "; other lines by " + ", ".join(f.name for f in chosen[1:] if f.name not in (JSON, GENERAL))
    return [], chosen, why


def _inside(envelope: Format, lines, formats, base, depth) -> tuple[list[Format], list[Format], str] | None:
    """What the payload of an envelope is written in; ``None`` where the envelope is best read as a plain format itself."""
    raw, _, _ = match(envelope, lines, [])
    payload = [p.partition("\n")[0] for p in raw.get(envelope.payload, []) if isinstance(p, str) and p.strip()]
    if not payload:
        return None
    pure = _pure(envelope)
    layers, inner, why = _detect(payload, formats, base, depth + 1)
    weak = {GENERAL, PLAIN} | ({JSON} if not pure and not any(p.lstrip().startswith("{") for p in payload) else set())
    head = inner[0] if inner else None
    share = 0.0
    if head is not None:
        score = None if layers else _score(head, payload, base)
        share = 1.0 if layers else score.records / len(payload) if score else 0.0
    if pure:
        stamped = bool(envelope.time)
        inner = [f for f in inner if f.name != GENERAL or not stamped]
        if inner and share < 0.8:  # only some of what it holds is of that format
            inner = [replace(inner[0], family=envelope.family), *inner[1:]]
        if PLAIN in formats and stamped and formats[PLAIN] not in inner:
            inner.append(formats[PLAIN])
        return layers, inner, why
    if head is None or (head.name in weak and not layers) or share < 0.3:
        return None
    plain = replace(formats[PLAIN], name=envelope.name, family=envelope.family) if PLAIN in formats else None
    return layers, [*(f for f in inner if f.name != GENERAL), *([plain] if plain else [])], why


def _pure(fmt: Format) -> bool:
    """Whether a format is an envelope that is no log format by itself (docker, CRI)."""
    return bool(fmt.payload) and "message" not in fmt.fields


def _candidates(formats: Mapping[str, Format], lines: list[str]) -> list[Format]:
    """The formats that can be meant: of those that read objects, the ones that recognise one; of texts, those whose pattern
    can begin like a line of it; and none whose signs are missing."""
    objects = {"json": [flatten(v) for line in lines if type(v := read_json(line)) is dict],
               "logfmt": [v for line in lines if type(v := read_logfmt(line)) is dict]}
    beginnings = shapes(lines)
    out = []
    for fmt in formats.values():
        if fmt.kind == "text" and not may_begin(fmt.pattern, beginnings):
            continue
        seen = objects.get(fmt.kind)
        if seen is not None and not fmt.records and not any(recognises(fmt, flat) for flat in seen):
            continue
        if fmt.signs and not any(has_value(flat, test) for flat in seen or () for test in fmt.sign_tests):
            continue
        out.append(fmt)
    return out


def _with_payload(score: _Score, lines: list[str], formats: Mapping[str, Format], base: Plan) -> _Score:
    """An envelope without times of its own (``web-1  | …``) is worth what its payload is: its times are there."""
    if score.dated == score.records:
        return score
    envelope = score.format
    raw, _, _ = match(envelope, lines, [])
    payload = [p.partition("\n")[0] for p in raw.get(envelope.payload, []) if isinstance(p, str) and p.strip()]
    inside = [s.dated / len(payload) for f in _candidates(formats, payload) if not _pure(f) and (s := _score(f, payload, base))]
    return replace(score, dated=max(score.dated, round(max(inside, default=0.0) * score.records)))


def _score(fmt: Format, lines: list[str], base: Plan) -> _Score | None:
    if fmt.kind == "json" and not any(line.lstrip().startswith("{") for line in lines[:50]):
        return None
    parser = Parser(replace(base, layers=(), formats=(fmt,)))
    if fmt.kind == "columns" and not any(fmt.header_regex.match(line) for line in lines[:50]):
        return None
    raw, matched, _ = match(fmt, lines, [])
    if not matched:
        return None
    tables = parser._records(fmt, raw, list(range(len(matched))), None, {}, [])
    records = parser.counts["parsed"]
    times = min(records, sum(dated(t) for t in tables))
    if not records or (times == 0 and fmt.time and fmt.kind == "text" and not _pure(fmt)):
        return None
    if fmt.name == JSON and not times and 2 * records < len(lines):
        return None
    return _Score(fmt, records, times, frozenset(matched))


def _asked_for(wanted: str, formats: Mapping[str, Format], base: Plan, lines: list[str]) -> Choice:
    import difflib

    names = [part.strip() for part in re.split(r"[/+]", wanted)]
    for name in names:
        if name not in formats:
            near = difflib.get_close_matches(name, formats, 1)
            raise InputError("--format", f"no format called {name!r}", f"did you mean {near[0]}?" if near else "incidentnb formats lists them")
    chosen = [formats[name] for name in names]
    layers = [f for f in chosen[:-1] if f.payload]
    if len(chosen) == 1 and chosen[0].payload and "message" not in chosen[0].fields:
        found = _inside(chosen[0], lines, formats, base, 0)
        layers, inner = [chosen[0], *found[0]], found[1]
    else:
        inner = [f for f in chosen if f not in layers]
    return Choice(replace(base, layers=tuple(layers), formats=tuple(inner)), wanted, inner[0].family if inner else layers[-1].family,
                  "asked for with --format")


def _day_first(lines: list[str]) -> bool | None:
    """Whether ``03/04/2026`` is day first, from the first stamp of the sample that shows it; ``None`` where none does."""
    pattern = re.compile(r"(?<!\d)(\d{1,2})[/-](\d{1,2})[/-]\d{4}[,T -]+\d{1,2}:\d{2}")
    for line in lines:
        if (found := pattern.search(line[:200])) and (int(found[1]) > 12) != (int(found[2]) > 12):
            return int(found[1]) > 12
    return None


def _short_order(lines: list[str]) -> str:
    """The order of year, month and day in ``17/06/09``: the one in which most stamps of the sample are dates of the last 20 years."""
    pattern, now, found = re.compile(r"(?<!\d)(\d{2})/(\d{2})/(\d{2})[ T]\d{2}:\d{2}"), datetime.now(UTC).year % 100, []
    for line in lines:
        if (stamp := pattern.search(line[:200])):
            found.append(tuple(map(int, stamp.groups())))
    def fits(order: str) -> int:
        dates = [dict(zip(order, triple, strict=True)) for triple in found]
        return sum(1 <= d["m"] <= 12 and 1 <= d["d"] <= 31 and 0 <= (now - d["y"]) % 100 <= 20 for d in dates)
    return max(("ymd", "dmy", "mdy"), key=fits)


def year_of(lines: list[str], modified: float | None, now: datetime) -> tuple[int, str]:
    """The year of the first stamp without one, and how it is known: a full date in the messages, else the file's last change."""
    pattern = layout("syslog")
    first = next((m for line in lines if (m := pattern.search(line[:120])) and not m["Y"]), None)
    wanted = None
    if first is not None:
        wanted = (first["mon"][:3].title(), int(first["d"]))
        for line in lines:
            for m in re.finditer(r"(\d{1,2})[/ -]([A-Z][a-z]{2})[/ -](\d{4})[: T]", line[:600]):
                if (m[2], int(m[1])) == wanted and 1995 <= int(m[3]) <= now.year + 1:
                    return int(m[3]), "told by a full date inside the messages"
    stamp = datetime.fromtimestamp(modified, UTC) if modified is not None else now
    how = "assumed, from the file's last change" if modified is not None else "assumed, the current one"
    if wanted is None:
        return stamp.year, how
    from incidentnb.evidence.stamps import MONTHS

    month, day = MONTHS[wanted[0].lower()], wanted[1]
    return (stamp.year if (month, day) <= (stamp.month, stamp.day + 1) else stamp.year - 1), how


def zone_words(offsets: Mapping[str, int], zone: tzinfo, given: bool, by_format: str) -> tuple[str, str]:
    """The zone of a file and how it is known, in words."""
    seen = [o for o, n in offsets.items() if n]
    named = getattr(zone, "key", None) or datetime(2026, 1, 1, tzinfo=zone).strftime("%Z")
    if not seen:
        return "", "no times"
    if "naive" not in seen:
        if len(seen) == 1:
            return ("UTC" if seen[0] == "+00:00" else seen[0]), "in the data"
        return ", ".join(sorted(seen)), "in the data, several offsets"
    how = "given with --zone" if given else f"defined by the format {by_format}" if by_format else "assumed, the lines have none"
    if len(seen) > 1:
        how += "; some lines have their own"
    return named, how
