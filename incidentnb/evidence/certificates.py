"""Certificates read out of PEM and DER files, as far as a change of an incident needs it: whose they are, and from when until when.

A walk over DER's nested (tag, length, value) triples; nothing is verified, and a private key beside a certificate is passed over unread.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from incidentnb.exceptions import InputError

SUFFIXES = (".pem", ".crt", ".cer", ".cert", ".der")
MOST_BYTES, MOST_FILES, MOST_ITEMS, MOST_NAMES = 8 * 2**20, 1000, 5000, 20
_BEGIN, _END = re.compile(rb"-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----\s*"), b"-----END"
_COMMON_NAME, _ORGANISATION, _OTHER_NAMES = b"\x55\x04\x03", b"\x55\x04\x0a", b"\x55\x1d\x11"


@dataclass(frozen=True)
class Certificate:
    """One certificate.

    Attributes:
        name: its first name; hostile text.
        names: the names it is for (subject alternative names; else the common name), at most 20.
        not_before, not_after: from when until when it is valid, aware UTC.
        source: ``file:line`` of where it begins; the file alone for DER.
    """

    name: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    source: str


def is_certificate(path: str | Path) -> bool:
    """Whether a file begins as PEM does, or is DER by its ending and its first byte, or a folder that holds such files."""
    path = Path(path)
    if path.is_dir():
        return next(_inside(path), None) is not None
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return False
    return b"-----BEGIN " in head or (path.suffix.lower() in SUFFIXES and head[:2] in (b"\x30\x82", b"\x30\x81", b"\x30\x83"))


def read_certificates(path: str | Path) -> tuple[list[Certificate], list[str]]:
    """The certificates of a file or of all ``SUFFIXES`` files below a folder, and one warning for each that cannot be read.

    Raises:
        InputError: the file cannot be read or is too large.
    """
    path = Path(path)
    found, warnings = [], []
    for file in (_inside(path) if path.is_dir() else [path]):
        for source, der in _encoded(file):
            try:
                found.append(parse(der, source))
            except ValueError as problem:
                warnings.append(f"{source}: not a certificate that can be read: {problem}")
    return found, warnings


def parse(der: bytes, source: str = "") -> Certificate:
    """The certificate of its DER bytes (X.509, RFC 5280).

    Raises:
        ValueError: the bytes are none.
    """
    parts = _items(_items(_items(der)[0][1])[0][1])
    if parts and parts[0][0] == 0xA0:  # the version, absent in version 1
        parts = parts[1:]
    if len(parts) < 5 or parts[0][0] != 0x02 or any(tag != 0x30 for tag, _ in parts[1:5]):
        raise ValueError("its parts are out of order")
    span = _items(parts[3][1])
    if len(span) < 2:
        raise ValueError("it has no validity")
    other = [found for tag, value in parts[5:] if tag == 0xA3 for found in _alternatives(value)]
    hosts = [name for tag, name in other if tag != 0x86]
    named = hosts or [*_subject(parts[4][1], _COMMON_NAME), *_subject(parts[4][1], _ORGANISATION)][:1]
    names = tuple(dict.fromkeys([*named, *(name for tag, name in other if tag == 0x86)]))[:MOST_NAMES]
    return Certificate((names or ("a certificate without a name",))[0], names, _time(*span[0]), _time(*span[1]), source)


def _inside(folder: Path) -> Iterator[Path]:
    files = (p for p in sorted(folder.rglob("*")) if p.suffix.lower() in SUFFIXES and p.is_file())
    return (p for _, p in zip(range(MOST_FILES), files, strict=False))


def _encoded(path: Path) -> Iterator[tuple[str, bytes]]:
    """The DER of each certificate in a file, with where it begins."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as problem:
        raise InputError(str(path), f"cannot be read: {problem.strerror or problem}") from None
    if len(data) > MOST_BYTES:
        raise InputError(str(path), f"is larger than {MOST_BYTES // 2**20} MiB", "name the certificates themselves")
    if b"-----BEGIN " not in data[:4096]:
        yield str(path), data
        return
    line, counted = 1, 0
    for _, begin in zip(range(MOST_ITEMS), _BEGIN.finditer(data), strict=False):
        line, counted = line + data.count(b"\n", counted, begin.start()), begin.start()
        end = data.find(_END, begin.end(), begin.end() + 200_000)
        body = re.sub(rb"\s+", b"", data[begin.end():end if end >= 0 else begin.end()])
        try:
            der = base64.b64decode(body, validate=True)
        except ValueError:
            der = b""
        yield f"{path}:{line}", der


def _items(data: bytes) -> list[tuple[int, bytes]]:
    """The (tag, value) pairs of DER bytes, one level deep."""
    items, at = [], 0
    while at < len(data) and len(items) < MOST_ITEMS:
        if at + 2 > len(data) or data[at] & 0x1F == 0x1F:
            raise ValueError("broken DER")
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            width = length & 0x7F
            if not 1 <= width <= 4 or at + width > len(data):
                raise ValueError("broken DER")
            length, at = int.from_bytes(data[at:at + width], "big"), at + width
        if at + length > len(data):
            raise ValueError("it is cut short")
        items.append((tag, data[at:at + length]))
        at += length
    if not items:
        raise ValueError("it is empty")
    return items


def _subject(name: bytes, wanted: bytes) -> Iterator[str]:
    for _, group in (_items(name) if name else ()):
        for _, pair in _items(group):
            parts = _items(pair)
            if parts[0][1] == wanted and len(parts) > 1:
                yield _text(*parts[1])


def _alternatives(extensions: bytes) -> Iterator[tuple[int, str]]:
    """The names of the extension for other names with their tags: DNS and URI as text, addresses as numbers with dots."""
    for _, extension in _items(_items(extensions)[0][1]):
        parts = _items(extension)
        if parts[0][1] == _OTHER_NAMES and len(parts) > 1:
            for tag, value in _items(_items(parts[-1][1])[0][1]):
                if tag in (0x82, 0x86):
                    yield tag, _text(tag, value)
                elif tag == 0x87 and len(value) == 4:
                    yield tag, ".".join(str(byte) for byte in value)


def _text(tag: int, value: bytes) -> str:
    return value[:255].decode("utf-16-be" if tag == 0x1E else "utf-8", "replace")


def _time(tag: int, value: bytes) -> datetime:
    text = value.decode("ascii", "replace")
    if tag == 0x17 and re.fullmatch(r"\d{10}(\d\d)?Z", text):  # two digits of a year: 1950 to 2049
        text = ("19" if text[:2] >= "50" else "20") + text[:-1].ljust(12, "0") + "Z"
    if tag not in (0x17, 0x18) or not re.fullmatch(r"\d{14}Z", text):
        raise ValueError("its validity is no time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
