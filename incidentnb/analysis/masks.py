"""What varies in a message by its look alone: numbers, ids, addresses, paths, quoted strings; as one expression for the engine and for Python."""

from __future__ import annotations

import re
import string
from functools import partial

WILD = "<*>"
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?\s+"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_TOP = r"(?:com|net|org|edu|gov|mil|int|info|biz|local|internal|lan|io|co|us|eu|uk|de|fr|nl|ch|se|it|es|ca|au|br|in|cn|hk|jp|kr|ru)"
_TO_DIGIT = r"\.?(?:[\w\-~@]+\.)*[\w\-~@]*\d"
_NUMBERED = _TO_DIGIT + r"[\w\-~@]*(?:\.[\w\-~@]+)*"  # a word with a digit in it; two dots in a row part words
# alternatives of one regular expression, tried in order at each place; RE2 and Python read them alike
_VARIABLES = [
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",  # UUID
    r"\b[a-z][a-z0-9+.\-]*://[^\s\"'<>,;)\]]+",  # URL
    r"[\w.+\-]+@[\w\-]+(?:\.[\w\-]+)+",  # e-mail address
    r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+\-]\d\d:?\d\d)?",  # instant
    rf"\b(?:{_DAY})?{_MONTH}\s+\d{{1,2}}(?:\s+\d\d:\d\d:\d\d)?(?:\s+\d{{4}})?\b",  # Mon Jul 3 10:00:00 2005
    r"\b(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F]{1,4}\b",  # IPv6
    rf"\b(?:[\w\-]+\.)+{_TOP}(?:/[\d.]+)?:\d+\b",  # host:port, host/address:port
    r"(?:/[\w.\-+@%$:~]+){2,}/?",  # path
    r"\b[A-Za-z]:\\[^\s\"'<>|]+",  # Windows path
    rf"[+\-<]?{_NUMBERED}(?:[:/]{_NUMBERED})*%?",  # a number, or a word with a digit: hosts, ids, versions, addresses
]
VARIABLE = "|".join(_VARIABLES)
LONGEST = 4096  # characters of a message that are looked at; what tells one message from another stands at its beginning
_PATTERN = re.compile(VARIABLE, re.ASCII)  # as RE2 reads \w and \d
SHORT = 200  # characters of a text that the one expression reads in no time, whatever is in it; at each place it may look at all that follows
_METHOD = r"(?:GET|HEAD|POST|PUT|DELETE|PATCH|OPTIONS|CONNECT|TRACE)"
_W = re.escape(WILD)
# a look behind keeps an expression from beginning anew at each character of a long word: all of them are linear
_SECOND = [
    (re.compile(rf"\"({_METHOD}) [^\"]*\""), rf'"\1 {WILD}"'),  # a quoted request line: its method says what was asked
    (re.compile(rf"\"(?!{_METHOD} {_W}\")[^\"]*\"|(?<![\w])'[^']*'(?!\w)"), f'"{WILD}"'),  # quoted
    (re.compile(r"(?<=[\w\]])=(?![=\s]|true\b|false\b)[^\s,;(){}\[\]\"]+(?:\{[^{}]*\})?"), f"={WILD}"),  # key=value; true and false say something
    # host, package or class name; one that ends in upper case names a constant, and an exception says what happened
    (re.compile(r"(?<![\w.\-$])(?![\w.\-$]*(?:\.[A-Z][A-Z_]+|Exception|Error)(?![\w.\-$/]))[A-Za-z_][\w\-$]*"
                r"(?:\.[\w\-$]+){2,}(?:/[\w.\-$]+)?"), WILD),
    (re.compile(r"(?<=\s)\(\s*\)"), f"({WILD})"),  # a value that is missing
    (re.compile(rf"{_W}\s?(?:[kKMGT]i?B|B|bytes|[mµun]?s|sec|secs|seconds|min|minutes|h|hours)\b"), WILD),  # with its unit
    # runs of them
    (re.compile(rf"(?:{_W}|(?<![\w.\-])(?:[\w\-]+\.)*[\w\-]*{_W}[\w.\-/]*)(?:[\s,;:/.\-+*#]*{_W})*"), WILD),
]


def mask(text: str) -> str:
    """A message with all that varies by its look replaced by ``<*>``."""
    return _PATTERN.sub(WILD, text[:LONGEST]) if len(text) <= SHORT else _masked(text[:LONGEST])


def _masked(text: str) -> str:
    """The same in linear time, which hostile text cannot drive up.

    Each kind of variable is looked for by itself, from the mark that all of its kind have (``://``, ``@``, a top-level domain) back to where it
    begins; what begins first of all is masked, the first one of ``_VARIABLES`` where two begin at one place.
    """
    done, begins, parts = 0, [-1] * len(_KINDS), []
    while True:
        for i, (search, _) in enumerate(_KINDS):
            if begins[i] < done:
                begins[i] = search(text, done)
        start = min(begins)
        if start == len(text):
            return "".join(parts) + text[done:]
        parts += [text[done:start], WILD]
        done = _KINDS[begins.index(start)][1].match(text, start).end()


def _plain(text: str, done: int, expression: re.Pattern[str]) -> int:
    """Where the next one begins of a kind that is told by few characters."""
    found = expression.search(text, done)
    return found.start() if found else len(text)


def _back(text: str, done: int, mark: re.Pattern[str], before: str, begins: re.Pattern[str], parted: str = "\n") -> int:
    """Where the next one begins of a kind that has a mark: back from there over the characters ``before`` it, none of them ``parted``."""
    for found in mark.finditer(text, done):
        place = found.start()
        low = done + len(text[done:place].rstrip(before))
        parts = text.rfind(parted, low, place + 1)
        if begun := begins.search(text, low if parts < 0 else parts + len(parted), place):
            return begun.start()
    return len(text)


def _number(text: str, done: int) -> int:
    """Where the next word with a digit begins; where none begins at a place, none begins inside of the word and its dots from there on."""
    found = _NUMBER.match(text, done) or _NUMBER_INSIDE.search(text, done)
    return found.start() if found else len(text)


def _compiled(*expressions: str) -> re.Pattern[str]:
    return re.compile("|".join(expressions), re.ASCII)


_LETTERS = string.ascii_letters + string.digits + "_"
_NUMBER = _compiled(rf"[+\-<]?{_TO_DIGIT}")
_NUMBER_INSIDE = _compiled(rf"(?:[+<]|(?<![\w\-~@])(?:(?<!\.)|(?=\.))){_TO_DIGIT}")
_UUID, _DATED, _PATHS = _compiled(_VARIABLES[0]), _compiled(*_VARIABLES[3:6]), _compiled(*_VARIABLES[7:9])
_URL = {"mark": _compiled(r"://(?=[^\s\"'<>,;)\]])"), "before": string.ascii_lowercase + string.digits + "+.-", "begins": _compiled(r"\b[a-z]")}
_MAIL = {"mark": _compiled(r"@[\w\-]+(?:\.[\w\-]+)+"), "before": _LETTERS + ".+-", "begins": _compiled(r"[\w.+\-]")}
_PORT = {"mark": _compiled(rf"\.{_TOP}(?:/[\d.]+)?:\d+\b"), "before": _LETTERS + "-.", "begins": _compiled(r"\b[\w\-]"), "parted": ".."}
_KINDS = [  # how to look for one, and what all of it is; in the order of _VARIABLES
    (partial(_plain, expression=_UUID), _UUID), (partial(_back, **_URL), _compiled(_VARIABLES[1])),
    (partial(_back, **_MAIL), _compiled(_VARIABLES[2])), (partial(_plain, expression=_DATED), _DATED),
    (partial(_back, **_PORT), _compiled(_VARIABLES[6])), (partial(_plain, expression=_PATHS), _PATHS), (_number, _compiled(_VARIABLES[9]))]


def masked_sql(column: str) -> str:
    """The same in the engine's SQL, on the first line of a column's text."""
    expression = VARIABLE.replace("'", "''")
    return f"regexp_replace(left({first_line_sql(column)}, {LONGEST}), '{expression}', '{WILD}', 'g')"


def first_line_sql(column: str) -> str:
    """The first line of a column's text in the engine's SQL; most texts have one alone and need not be taken apart."""
    return f"CASE WHEN contains({column}, chr(10)) THEN split_part({column}, chr(10), 1) ELSE {column} END"


def second(masked: str) -> str:
    """What a second look at a masked line masks: quoted text, values of keys, dotted names, and runs of masks made one; until nothing changes."""
    for _ in range(8):
        before = masked
        for expression, by in _SECOND:
            masked = expression.sub(by, masked)
        if masked == before:
            break
    return masked
