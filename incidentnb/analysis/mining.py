"""Message shapes out of distinct masked lines: a Brain-like grouping (Yu et al. 2023), one configuration for every system.

Lines of one length are grouped by their longest combination of words that are equally frequent at their places; inside a group a
place that holds few different words splits it, a place that holds many is a variable. Knows lists of strings and nothing of logs.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from incidentnb.analysis.masks import WILD, second

SPLITS_UP_TO = 2  # a place with at most so many different words tells shapes apart; more is a variable
WEAK, WEAK_SPLITS_UP_TO = 2, 8  # a shape of so few constant words says too little to be given more variables lightly
RECURS, RECURRING = 5, 500
_STAR = "\ue000"  # a mask while a line is taken apart, so that its own brackets part no words
_SPLIT = re.compile(r"([\s=:,;|()\[\]{}\"'<>]+)")
_WILDS = re.compile(rf"{re.escape(WILD)}(?:[\s,;:/.\-]*{re.escape(WILD)})+")
_DIGIT = re.compile(r"\d")
# what happened, what was asked, or the state that something is in: never the name of a thing
_HAPPENED = re.compile(r"(?i)\w+(?:ed|ing)|up|down|on|off|lost|found|ok|begin|end|start|stop|open|close|enter|exit|true|false|yes|no|success|failure"
                       r"|GET|HEAD|POST|PUT|DELETE|PATCH|OPTIONS|CONNECT|TRACE")


def shapes(lines: Sequence[str], weights: Sequence[int]) -> list[str]:
    """The shape of each distinct masked line, in the order given; variable places are ``<*>``.

    Args:
        lines: distinct masked lines.
        weights: how many records each stands for.
    """
    tokens = [_tokens(second(line)) for line in lines]
    by_length: dict[tuple, list[int]] = defaultdict(list)
    for i, words in enumerate(tokens):
        by_length[(words[0] == "", words[-1] == "", *[gap.strip() for gap in words[1::2]])].append(i)
    answer = [""] * len(lines)
    for members in by_length.values():
        _length_group(members, tokens, weights, answer)
    return answer


def _tokens(line: str) -> tuple[str, ...]:
    """Words and what is between them; the gaps are kept so that the shape can be written as the message was."""
    return tuple(_SPLIT.split(line.replace(WILD, _STAR)))


def _wild(word: str) -> bool:
    return word == _STAR or bool(_DIGIT.search(word))


def _length_group(members: list[int], tokens: list[tuple[str, ...]], weights: Sequence[int], answer: list[str]) -> None:
    frequency: list[Counter] = [Counter() for _ in tokens[members[0]]]
    for i in members:
        for place, word in enumerate(tokens[i]):
            frequency[place][word] += weights[i]
    groups: dict[tuple, list[int]] = defaultdict(list)
    for i in members:
        groups[_root(tokens[i], frequency)].append(i)
    for root, rows in groups.items():
        _split(rows, {place for place, _ in root}, tokens, weights, answer)


def _root(words: tuple[str, ...], frequency: list[Counter]) -> tuple[tuple[int, str], ...]:
    """The longest combination of equally frequent constant words of a line; of two as long, the more frequent one."""
    levels: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for place, word in enumerate(words):
        if place % 2 == 0 and word and not _wild(word):
            levels[frequency[place][word]].append((place, word))
    if not levels:
        return ()
    best = max(levels, key=lambda level: (len(levels[level]), level))
    return tuple(levels[best])


def _split(rows: list[int], fixed: set[int], tokens: list[tuple[str, ...]], weights: Sequence[int], answer: list[str]) -> None:
    width = len(tokens[rows[0]])
    different = {place: {tokens[i][place] for i in rows} for place in range(0, width, 2) if place not in fixed}
    constant = len(fixed) + sum(len(words) == 1 and not any(_wild(w) or not w for w in words) for words in different.values())
    most = WEAK_SPLITS_UP_TO if constant <= WEAK else SPLITS_UP_TO
    if not constant:  # the only words there are: constants if they recur
        most = max(most, min(RECURRING, sum(weights[i] for i in rows) // RECURS))
    splitting = [(len(words), place) for place, words in different.items()
                 if 1 < len(words) <= (WEAK_SPLITS_UP_TO if all(_HAPPENED.fullmatch(w) for w in words) else most)
                 and not any(_wild(w) or not w for w in words)]
    if splitting:
        place = min(splitting)[1]
        parts: dict[str, list[int]] = defaultdict(list)
        for i in rows:
            parts[tokens[i][place]].append(i)
        for part in parts.values():
            _split(part, fixed | {place}, tokens, weights, answer)
        return
    first = min(tokens[i] for i in rows)  # what stands between the words is written as in one of the lines, always the same one
    shape = []
    for place, word in enumerate(first):
        if place % 2:
            shape.append(word)
        else:
            words = different.get(place, {word})
            shape.append(word if len(words) == 1 and not _DIGIT.search(word) else WILD if word or len(words) > 1 else "")
    text = _WILDS.sub(WILD, "".join(shape).replace(_STAR, WILD))
    for i in rows:
        answer[i] = text
