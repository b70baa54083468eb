"""The way through a text: rule after rule over blocks of whole lines, each rule asked only where one of its hints stands.

The result is that of asking every rule's pattern everywhere, rule after rule (``everywhere``), only sooner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from incidentnb.publish.hiding.rules import FOLD, Rule, Span

BLOCK = 1 << 19  # characters; a block ends at the end of a line
_LARGE = 1 << 15  # characters from which it pays to ask the quick engine of pyarrow which rules have no hint where
_SMALL = 1 << 13  # characters of the pieces of a block that it is asked for
REACH = 6000  # characters that a match may have, so that no text is gone over again and again
_MANY = 6  # hints from which it does
Hide = Callable[[Rule, str, int], str]  # rule, value, place in the text as it is then → what to show in its stead


def pieces(text: str, size: int = BLOCK) -> Iterator[str]:
    """A text in blocks of whole lines."""
    at = 0
    while len(text) - at > size:
        end = text.find("\n", at + size) + 1 or len(text)
        yield text[at:end]
        at = end
    yield text[at:] if at else text


def redacted(text: str, rules: Sequence[Rule], hide: Hide) -> str:
    """A text of whole lines after every rule; those whose matches run over lines see all of it."""
    wide = [rule for rule in rules if rule.lines]
    narrow = [rule for rule in rules if not rule.lines]
    for rule in wide:
        text = _applied(text, rule, _folded(text), hide)
    return "".join(_block(piece, narrow, hide) for piece in pieces(text))


def _block(text: str, rules: Sequence[Rule], hide: Hide) -> str:
    if len(text) <= _LARGE:
        return _in_turn(text, _folded(text), rules, hide)
    small = list(pieces(text, _SMALL))
    folded = [_folded(piece) for piece in small]
    absent = _absent(folded, tuple(rules))
    return "".join(_in_turn(piece, fold, [rule for number, rule in enumerate(rules) if number not in none], hide)
                   for piece, fold, none in zip(small, folded, absent, strict=True))


def _in_turn(text: str, folded: bytes, rules: Sequence[Rule], hide: Hide) -> str:
    """A text after one rule after the other."""
    for rule in rules:
        shown = _applied(text, rule, folded, hide)
        if shown is not text:
            text, folded = shown, _folded(shown)
    return text


def _folded(text: str) -> bytes:
    return text.encode("ascii", "replace").translate(FOLD)  # a byte for each character, so that places agree


def _absent(folded: list[bytes], rules: tuple[Rule, ...]) -> list[set[int]]:
    """For each piece the rules of which no hint stands in it: all those that are rare here by one pass of an automaton, the others, and the rare
    ones where one of them stands, each by a pass of its own. Pseudonyms bring no hint.
    """
    import re

    import pyarrow as pa
    import pyarrow.compute as pc

    def there(where: Any, pattern: str) -> list[bool]:
        return pc.match_substring_regex(where, pattern).to_pylist()

    block, absent = pa.array(folded, pa.binary()), [set() for _ in folded]
    gates, sample = _gates(rules), folded[0] + folded[len(folded) // 2]
    probe = pa.array([sample], pa.binary())
    gated = {number: pattern for number, pattern in gates if not there(probe, pattern)[0]}
    every = {number for number, _ in gates}
    few = [number for number, rule in enumerate(rules) if number not in every and rule.needles and not rule.anchor
           and not any(needle in sample for needle in rule.needles)]
    rare = [*gated, *few]
    union = "|".join([*(f"(?:{pattern})" for pattern in gated.values()), *(re.escape(needle.decode()) for n in few for needle in rules[n].needles)])
    hit = [at for at, found in enumerate(there(block, union)) if found] if rare else []
    for at in {*range(len(folded))}.difference(hit):
        absent[at].update(rare)
    some = block.take(pa.array(hit, pa.int64()))
    for number, pattern in gates:
        places, where = (hit, some) if number in gated else (range(len(folded)), block)
        for at, found in zip(places, there(where, pattern) if len(places) else (), strict=True):
            if not found:
                absent[at].add(number)
    return absent


@lru_cache(64)
def _gates(rules: tuple[Rule, ...]) -> tuple[tuple[int, str], ...]:
    import re

    return tuple((number, rule.sight or "|".join(re.escape(needle.decode()) for needle in rule.needles)) for number, rule in enumerate(rules)
                 if rule.sight or len(rule.needles) >= _MANY)


def _applied(text: str, rule: Rule, folded: bytes, hide: Hide) -> str:
    """A text after one rule; the very same object where nothing was hidden."""
    out: list[str] = []
    done = 0
    if not rule.needles and not rule.anchor:
        for spans in everywhere(text, rule):
            for start, end in spans:
                out += (text[done:start], hide(rule, text[start:end], start))
                done = end
    else:
        starts = _starts(rule, text, folded)
        if starts:
            done = _hinted(text, rule, starts, hide, out)
    if not done:
        return text
    out.append(text[done:])
    return "".join(out)


def everywhere(text: str, rule: Rule) -> Iterator[list[Span]]:
    """What a rule hides, match by match, by asking its pattern at every place: the plain meaning of a rule."""
    at = 0
    while (match := rule.pattern.search(text, at)) is not None:
        if not rule.lines:
            match = rule.pattern.match(text, match.start(), match.start() + REACH) or match
        spans = rule.places(match) if rule.gate is None or rule.gate(text, match.start()) else []
        if spans:
            yield spans
        at = max(match.end(), match.start() + 1) if spans else match.start() + 1


def _hinted(text: str, rule: Rule, starts: Iterable[int], hide: Hide, out: list[str]) -> int:
    """The same, looking only where a hint stands: fills ``out`` and returns up to where; nothing is called that need not be, for this is the way
    of every line."""
    ask, gate, lead, accepts, several, last, group = rule.pattern.match, rule.gate, rule.lead, rule.accept, rule.spans, rule.last, rule.group
    first = rule.first
    reach = len(text) if rule.lines else REACH
    done = past = 0
    put = out.append
    for at in starts:
        if at < past:
            continue
        if lead:
            left = text[max(past, at - 64):at]
            at -= len(left) - len(left.rstrip(lead))
        if first and text[at] not in first and (text[at - 1:at] != "%" or text[at + 2:at + 3] not in first):
            continue
        if gate is not None and not gate(text, at):
            continue
        match = ask(text, at, at + reach)
        if match is None and lead and text[at - 1:at] == "%":  # behind %3D
            match = ask(text, at + 2, at + reach)
        if match is None or not accepts(match):
            continue
        if several is None:
            name = group if group is not None else match.lastgroup if last else None
            spans = (match.span(name),) if name is not None else rule.places(match)
        else:
            spans = several(match)
        for start, end in spans:
            put(text[done:start])
            put(hide(rule, text[start:end], start))
            done = end
        if spans:
            past = match.end()
    return done


def _starts(rule: Rule, text: str, folded: bytes) -> Iterable[int]:
    if rule.anchor is not None:
        where = text if isinstance(rule.anchor.pattern, str) else folded
        return [match.start() for match in rule.anchor.finditer(where)]  # type: ignore[arg-type]
    found: list[int] = []
    several = 0
    for needle in rule.needles:
        at = folded.find(needle)
        several += at >= 0
        while at >= 0:
            found.append(at)
            at = folded.find(needle, at + 1)
    if several > 1:
        found.sort()
    return found


def plain(text: str, rules: Sequence[Rule], hide: Callable[..., Any]) -> str:
    """What ``redacted`` must equal: each rule's pattern asked everywhere, rule after rule, without blocks and hints."""
    for rule in [*(r for r in rules if r.lines), *(r for r in rules if not r.lines)]:
        out, done = [], 0
        for spans in everywhere(text, rule):
            for start, end in spans:
                out += (text[done:start], hide(rule, text[start:end], start))
                done = end
        text = "".join([*out, text[done:]])
    return text
