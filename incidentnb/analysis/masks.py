"""What varies in a message by its look alone: numbers, ids, addresses, paths, quoted strings; as one expression for the engine and for Python."""

from __future__ import annotations

import re

WILD = "<*>"
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?\s+"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_TOP = r"(?:com|net|org|edu|gov|mil|int|info|biz|local|internal|lan|io|co|us|eu|uk|de|fr|nl|ch|se|it|es|ca|au|br|in|cn|hk|jp|kr|ru)"
_NUMBERED = r"\.?(?:[\w\-~@]+\.)*[\w\-~@]*\d[\w\-~@]*(?:\.[\w\-~@]+)*"  # a word with a digit in it; two dots in a row part words
# alternatives of one regular expression, tried in order at each place; RE2 and Python read them alike
VARIABLE = "|".join([
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
])
LONGEST = 4096  # characters of a message that are looked at; what tells one message from another stands at its beginning
_PATTERN = re.compile(VARIABLE, re.ASCII)  # as RE2 reads \w and \d
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
    return _PATTERN.sub(WILD, text[:LONGEST])


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
