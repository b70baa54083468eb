"""PNG and JPEG pictures as nothing but their pixels: texts, places and profiles in them are left out, what is damaged or a bomb is refused."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterator

MOST_PIXELS = 50_000_000  # more would cost a reader's machine gigabytes
_PNG_KEPT = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"sRGB", b"pHYs"}
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_JPEG_KEPT = _FRAMES | {0xC4, 0xDA, 0xDB, 0xDD, 0xEE}  # frames, tables, scans; how the colours are meant
_JFIF = 16  # length of the first segment without a thumbnail


def pixels(mime: str, data: str) -> bytes | None:
    """The bytes of a picture (``image/png``, ``image/jpeg``) out of base64; ``None`` where they are not whole, not of that kind, or too many."""
    try:
        raw = base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    kept = b"".join(_png(raw) if mime == "image/png" else _jpeg(raw))
    width, height = size(kept)
    return kept if 0 < width * height <= MOST_PIXELS else None


def size(content: bytes) -> tuple[int, int]:
    """Width and height of what ``pixels`` gave; zeros where it is none."""
    if content[:4] == b"\x89PNG":
        return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    for kind, at, _ in _segments(content):
        if kind in _FRAMES:
            return int.from_bytes(content[at + 7:at + 9], "big"), int.from_bytes(content[at + 5:at + 7], "big")
    return 0, 0


def _png(raw: bytes) -> Iterator[bytes]:
    """The chunks that make the picture; nothing where one of them is damaged or the end is missing."""
    if raw[:8] != b"\x89PNG\r\n\x1a\n" or raw[12:16] != b"IHDR":
        return
    kept, at = [raw[:8]], 8
    while at + 12 <= len(raw):
        length, name = int.from_bytes(raw[at:at + 4], "big"), raw[at + 4:at + 8]
        end = at + 12 + length
        if name in _PNG_KEPT:
            if zlib.crc32(raw[at + 4:end - 4]) != int.from_bytes(raw[end - 4:end], "big"):
                return
            kept.append(raw[at:end])
        at = end
        if name == b"IEND":
            yield from kept
            return


def _jpeg(raw: bytes) -> Iterator[bytes]:
    """The segments that make the picture, up to its end; nothing where the end is missing."""
    if raw[:3] != b"\xff\xd8\xff":
        return
    kept, ended = [raw[:2]], False
    for kind, at, end in _segments(raw):
        if kind in _JPEG_KEPT or (kind == 0xE0 and end - at == _JFIF + 2):
            kept.append(raw[at:end])
        ended = kind == 0xD9
    if ended:
        yield from (*kept, b"\xff\xd9")


def _segments(raw: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of each segment of a JPEG; a scan reaches to the next marker."""
    at = 2
    while at + 2 <= len(raw) and raw[at] == 0xFF:
        kind = raw[at + 1]
        if kind == 0xD9:
            yield kind, at, at + 2
            return
        end = at + 2 + int.from_bytes(raw[at + 2:at + 4], "big")
        if end < at + 4 or end > len(raw):
            return
        if kind == 0xDA:
            while 0 <= (end := raw.find(b"\xff", end)) < len(raw) - 1 and (raw[end + 1] == 0 or 0xD0 <= raw[end + 1] <= 0xD7):
                end += 2
            if end < 0:
                return
        yield kind, at, end
        at = end
