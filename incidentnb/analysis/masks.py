"""What varies in a message by its look alone: numbers, ids, addresses, paths, quoted strings; as one expression for the engine and for Python."""

from __future__ import annotations

import re

WILD = "<*>"
# alternatives of one regular expression, tried in order at each place; RE2 and Python read them alike
VARIABLE = "|".join([
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",  # UUID
    r"[a-z][a-z0-9+.\-]*://[^\s\"'<>,;)\]]+",  # URL
    r"[\w.+\-]+@[\w\-]+(?:\.[\w\-]+)+",  # e-mail address
    r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+\-]\d\d:?\d\d)?",  # instant
    r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b",  # IPv4, with its port
    r"\b(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F]{1,4}\b",  # IPv6
    r"\b(?:[0-9A-Fa-f]{2}[:\-]){5}[0-9A-Fa-f]{2}\b",  # MAC
    r"\b0[xX][0-9a-fA-F]+\b",
    r"(?:/[\w.\-+@%$:]+){2,}/?",  # path
    r"\b[A-Za-z]:\\[^\s\"'<>|]+",  # Windows path
    r"\b[0-9a-fA-F]*[0-9][0-9a-fA-F]{7,}\b",  # hexadecimal id
    r"[+\-]?\d+(?:[.,:]\d+)*%?",  # number, alone or in a word
])
_PATTERN = re.compile(VARIABLE)


def mask(text: str) -> str:
    """A message with all that varies by its look replaced by ``<*>``."""
    return _PATTERN.sub(WILD, text)


def masked_sql(column: str) -> str:
    """The same in the engine's SQL, on the first line of a column's text."""
    expression = VARIABLE.replace("'", "''")
    return f"regexp_replace(split_part({column}, chr(10), 1), '{expression}', '{WILD}', 'g')"
