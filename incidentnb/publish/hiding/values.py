"""Pseudonyms, one for each value of an export, and the values that are hidden wherever they stand."""

from __future__ import annotations

import hmac
import json
import re
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any
from urllib.parse import quote

from incidentnb.publish.hiding.rules import PERSONAL

DIGITS = 8  # of a pseudonym that a key makes; more where two values would share one
_LATER = 50_000  # later values that are remembered
_START = 6  # bytes by which a known value is looked for; ``stands_alone`` lets none pass that is shorter
_LARGE = 4096  # bytes from which numpy looks
_ORDINARY = re.compile(
    r"v?\d+(?:[._-]\w{1,8}){1,6}|\d[\d:TZ.,+/ -]*(?:UTC|GMT|Z)?|[\d.,]+ ?[A-Za-zµ%/]{1,5}|[A-Za-z]+(?:[-_./ ][A-Za-z]+)*(?:[-_./ ]\d{1,2}[a-z]?|\d?)|"
    r"(?:https?|HTTPS?|status|error|code|line|page|sha|md|base|utf|iso|ipv|win|x|h|p|i|log)[-_ ]?\d{1,5}(?:[-_]\d{1,3}|mb\d)?|\d+[a-z]{2,3}|"
    r"(?:[A-Z]+_)*[A-Z]+", re.ASCII)
_WORD_AND_NUMBER = re.compile(r"(?!(?i:https?|status|error|base|page|line))[A-Za-z]{5,}\d{1,2}", re.ASCII)


def stands_alone(value: str) -> bool:
    """Whether a value is so unlike a word and a number that it is hidden wherever it stands, also without what gave it away.

    A log may call any word a password (``password=completed``), any number a pin, any service a user: hidden everywhere, these would wreck the
    words and the figures of a page. So everywhere are hidden: letters with digits or marks in them from 6 characters on, one word from 12 letters
    on, words joined by hyphens from 16; never a number, a time, a version, a length with its unit, or a name with a number after it
    (``eu-west-1``, ``http500``). Everything else is hidden where its context stands: after its name, in its cell, in its field. ``hunter2`` is the
    shortest of its kind that is hidden everywhere.
    """
    if len(value) < _START or "⟦" in value or ("\n" in value and len(value) < 16):
        return False
    letters, digits = sum(c.isalpha() for c in value), sum(c.isdigit() for c in value)
    if not letters or (letters < 3 and digits < 4):
        return False
    if value.isalpha():
        return len(value) >= 12
    if not _ORDINARY.fullmatch(value):
        return True
    if re.search(r"[-_./ ]", value):
        return letters >= 12 and digits <= 2 and value[0].isalpha() and len(value) >= 16
    return bool(_WORD_AND_NUMBER.fullmatch(value))


class Names(dict[str, str]):
    """Value → pseudonym; no two values share one. With ``most``, later values are not kept: a key of this mapping alone makes their pseudonyms."""

    def __init__(self, *given: Any, most: int | None = None):
        super().__init__(*given)
        self.most, self.key = most, secrets.token_bytes(32) if most else b""
        self.later: dict[str, str] = {}  # made already, and made again alike when they are forgotten
        self.taken: dict[str, str] = {name: _same(name, value) for value, name in self.items()}

    def __setitem__(self, value: str, name: str) -> None:
        super().__setitem__(value, name)
        self.taken[name] = _same(name, value)


def _same(kind_or_name: str, value: str) -> str:
    """Values that are one: addresses of mail whatever their case."""
    return value.replace("%40", "@").lower() if kind_or_name.lstrip("⟦").startswith("email") else value


def pseudonym(names: MutableMapping[str, str], kind: str, value: str, key: bytes | None) -> str:
    """The pseudonym of a value, ``⟦kind:…⟧``, which ``names`` keeps: by the key of an incident, else by number.

    Equal values have equal pseudonyms, with a key in every export of the incident; different values have different ones: where the digits of two
    would agree, the later one is longer.
    """
    if value in names:
        return names[value]
    one = _same(kind, value)
    if isinstance(names, Names) and names.most is not None and len(names) >= names.most:
        if len(names.later) > _LATER:
            names.later.clear()
        if value not in names.later:
            names.later[value] = f"⟦{kind}:{hmac.digest(key or names.key, one.encode('utf-8', 'replace'), 'sha256').hex()[:12]}⟧"
        return names.later[value]
    taken: Mapping[str, str] = names.taken if isinstance(names, Names) else {name: _same(name, v) for v, name in names.items()}
    if key is None:
        made = f"⟦{kind}:{len(names) + 1}⟧"
        if one != value or kind == "email":
            made = next((name for name, known in taken.items() if known == one and name.startswith("⟦email:")), made)
    else:
        digest, size = hmac.digest(key, one.encode("utf-8", "replace"), "sha256").hex(), DIGITS
        made = f"⟦{kind}:{digest[:size]}⟧"
        while taken.get(made, one) != one and size < len(digest):
            size += 2
            made = f"⟦{kind}:{digest[:size]}⟧"
    names[value] = made
    return made


def kind_in(name: str) -> str:
    """The kind that a pseudonym tells."""
    return name[1:].partition(":")[0]


def _spellings(value: str) -> set[str]:
    """A value as addresses, JSON and shells may spell it."""
    percent = quote(value, safe="")
    escaped = json.dumps(value)[1:-1]
    return {value, percent, re.sub(r"%[0-9A-F]{2}", lambda m: m[0].lower(), percent), escaped, json.dumps(value, ensure_ascii=False)[1:-1],
            escaped.replace("\\", "\\\\")}


class Known:
    """Values to look for in any text, all at once, in a time that does not grow with how many they are."""

    def __init__(self, kinds: Mapping[str, str]):
        self.kinds = dict(kinds)  # value → kind
        self._by_start: dict[bytes, list[tuple[bytes, str]]] = {}
        for value in self.kinds:
            for spelling in _spellings(value):
                data = spelling.encode("utf-8", "replace")
                self._by_start.setdefault(data[:_START], []).append((data, value))
        for several in self._by_start.values():
            several.sort(key=lambda pair: -len(pair[0]))
        self._table: Any = None

    def __bool__(self) -> bool:
        return bool(self.kinds)

    def found(self, data: bytes) -> Iterable[tuple[int, int, str]]:
        """(start, end, value) of every place in UTF-8 where one stands; the first, longest ones, that do not overlap."""
        done = 0
        for at in self._candidates(data) if self.kinds else ():
            if at < done:
                continue
            for spelling, value in self._by_start.get(data[at:at + _START], ()):
                if data.startswith(spelling, at):
                    done = at + len(spelling)
                    yield at, done, value
                    break

    def _candidates(self, data: bytes) -> list[int]:
        if len(data) < _LARGE:
            starts = self._by_start
            return [at for at in range(len(data) - _START + 1) if data[at:at + _START] in starts]
        import numpy as np

        mask, factor, shift = np.uint64((1 << 48) - 1), np.uint64(0x9E3779B97F4A7C15), np.uint64(44)
        if self._table is None:
            self._table = np.zeros(1 << 20, dtype=bool)
            starts = np.array([int.from_bytes(start, "little") for start in self._by_start], dtype=np.uint64)
            self._table[(starts * factor) >> shift] = True
        padded = data + bytes(16)
        places = []
        for offset in range(8):
            windows = np.frombuffer(padded, dtype="<u8", offset=offset, count=(len(padded) - offset) // 8) & mask
            places.append(np.flatnonzero(self._table[(windows * factor) >> shift]) * 8 + offset)
        return np.sort(np.concatenate(places)).tolist()

    def hidden(self, text: str, name: Callable[[str, str], str]) -> tuple[str, Counter[str]]:
        """A text with every known value under the pseudonym that ``name`` gives to kind and value, and how many of each kind there were."""
        counts: Counter[str] = Counter()
        if not self.kinds or len(text) < _START:
            return text, counts
        data, out, done = text.encode("utf-8", "surrogatepass"), [], 0
        for start, end, value in self.found(data):
            kind = self.kinds[value]
            counts[kind] += 1
            out += (data[done:start], name(kind, value).encode())
            done = end
        return (b"".join([*out, data[done:]]).decode("utf-8", "surrogatepass"), counts) if done else (text, counts)


def known_of(names: Mapping[str, str], audience: str, more: Mapping[str, str] | None = None) -> Known:
    """What an audience must see nowhere: of the values hidden so far (``names``) and of ``more`` (value → kind) those that stand alone."""
    kinds = {value: kind_in(name) for value, name in names.items()} | dict(more or {})
    return Known({value: kind for value, kind in kinds.items() if not (audience == "internal" and kind in PERSONAL) and stands_alone(value)})
