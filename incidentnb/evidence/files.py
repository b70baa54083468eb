"""Files and streams of log lines: what a path means, decompression by first bytes, decoding, and blocks of whole lines.

Everything is bounded: memory by the block, a line by ``LONGEST_LINE``, a decompression bomb by ``HIGHEST_RATIO``.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import hashlib
import io
import lzma
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from incidentnb.exceptions import InputError

BLOCK = 4 << 20  # bytes of one block
LONGEST_LINE = 256 << 10  # a longer line is clipped, and its neighbours are not hurt
HIGHEST_RATIO, RATIO_FROM = 400, 48 << 20  # real logs compress 5 to 60 times; gzip cannot do more than 1,032
_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_NOT_LOGS = {".parquet", ".png", ".jpg", ".jpeg", ".gif", ".pdf", ".zip", ".tar", ".tgz", ".so", ".pyc", ".exe", ".db", ".sqlite",
             ".ipynb", ".html", ".py", ".toml", ".md", ".rst", ".lock", ".pid", ".sock"}
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[PX^_][^\x1b\n]*(?:\x1b\\)?|[ -/]*[0-~])")
_ROTATION = re.compile(r"^(?P<stem>.*?)(?:[.-](?P<n>\d{1,4}))?(?P<ending>\.(?:log|jsonl?|txt))?(?:\.(?:gz|bz2|xz|zst))?$")


@dataclass
class Source:
    """One file, or the standard input, while it is read.

    Attributes:
        path: as given; ``-`` for the standard input.
        compression: by the first bytes; "" for none.
        size: bytes on disk, ``None`` where that is not known.
        warnings: what was wrong with the bytes, with the line or byte it was at.
    """

    path: str
    compression: str = ""
    size: int | None = None
    encoding: str = "utf-8"
    warnings: list[str] = field(default_factory=list)
    bytes_read: int = 0  # of the file itself, compressed or not
    clipped: int = 0  # lines
    clipped_at: int = 0
    undecodable: int = 0
    undecodable_at: int = 0
    nul: int = 0
    nul_at: int = 0
    modified: float | None = None
    sha256: str = ""  # of the bytes as they are, where they could only be read once (the standard input)

    def take(self, other: Source) -> None:
        """Add what was wrong in another stretch of the same file."""
        self.warnings += other.warnings
        for name in ("clipped", "undecodable", "nul"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
            at = f"{name}_at"
            setattr(self, at, getattr(self, at) or getattr(other, at))


def expand(paths: list[str | Path]) -> list[str]:
    """The files that paths name: files, directories (searched to the bottom), globs, ``-``; rotated sets oldest first.

    Raises:
        InputError: a path is not there, or a directory holds no logs.
    """
    found: list[str] = []
    for given in paths:
        text = str(given)
        path = Path(text).expanduser()
        if text == "-":
            found.append("-")
        elif path.is_dir():
            inside = sorted((p for p in path.rglob("*") if p.is_file() and _may_be_log(p, path)), key=_rotation_key)
            if not inside:
                raise InputError(text, "no logs in this directory", "name the files, or a directory that holds some")
            found += [str(p) for p in inside]
        elif path.exists():
            found.append(str(path))
        elif re.search(r"[*?\[]", text) and (matches := _matches(path)):
            found += [str(p) for p in sorted(matches, key=_rotation_key)]
        elif re.match(r"[a-z][a-z0-9+.-]*://", text):
            raise InputError(text, "remote sources are not read", "download it, or pipe it in and read -")
        else:
            raise InputError(text, "no such file or directory")
    return list(dict.fromkeys(found))


def _matches(pattern: Path) -> list[Path]:
    """The files that a glob finds; it begins where its first wildcard is."""
    parts = pattern.parts
    first = next(i for i, part in enumerate(parts) if re.search(r"[*?\[]", part))
    return [p for p in Path(*parts[:first]).glob(str(Path(*parts[first:]))) if p.is_file()]


def _may_be_log(path: Path, root: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
    return not hidden and path.suffix.lower() not in _NOT_LOGS and path.stat().st_size > 0


def _rotation_key(path: Path) -> tuple:
    """Sorts app.log.2.gz before app.log.1 before app.log, which is the order in which they were written."""
    found = _ROTATION.match(path.name)
    number = int(found["n"]) if found and found["n"] and len(found["n"]) <= 4 else 0
    stem = re.sub(r"\.(?:log|jsonl?|txt)$", "", found["stem"] if found else path.name)
    return (str(path.parent), stem, -number, path.name)


def open_source(path: str) -> tuple[Source, io.BufferedIOBase | io.RawIOBase]:
    """A source and its stream of decompressed bytes.

    Raises:
        InputError: it cannot be opened, or it is binary.
    """
    source = Source(path)
    try:
        if path == "-":
            raw = io.BufferedReader(_Counting(sys.stdin.buffer, source), 1 << 20)
        else:
            real = Path(path)
            if not real.is_file():
                raise InputError(path, "is not a regular file" if real.exists() else "no such file or directory")
            stat = real.stat()
            source.size, source.modified = stat.st_size, stat.st_mtime
            raw = io.BufferedReader(_Counting(real.open("rb"), source), 1 << 20)
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}") from None
    head = raw.peek(16)[:16]
    source.compression = next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "")
    if source.compression == "gzip":
        return source, gzip.GzipFile(fileobj=raw)
    if source.compression == "bzip2":
        return source, bz2.BZ2File(raw)
    if source.compression == "xz":
        return source, lzma.LZMAFile(raw)
    if source.compression == "zstd":
        import zstandard

        return source, zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
    return source, raw


class _Counting(io.RawIOBase):
    """Counts the bytes that are read of a file, for progress and for the ratio of a bomb."""

    def __init__(self, inner, source: Source):
        self._inner, self._source = inner, source
        self._digest = hashlib.sha256() if inner is sys.stdin.buffer else None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        data = self._inner.read(len(buffer)) if not hasattr(self._inner, "read1") else self._inner.read1(len(buffer))
        buffer[:len(data)] = data
        self._source.bytes_read += len(data)
        if self._digest is not None:
            self._digest.update(data)
            self._source.sha256 = self._digest.hexdigest()
        return len(data)

    def close(self) -> None:
        if self._inner is not sys.stdin.buffer:
            self._inner.close()
        super().close()


def _chunks(source: Source, stream) -> Iterator[bytes]:
    """Decompressed bytes as they come; what is wrong with the compression is a warning, and what was read before it is kept."""
    total = 0
    read = stream.read1 if hasattr(stream, "read1") else stream.read
    while True:
        try:
            data = read(1 << 20)
        except EOFError:
            source.warnings.append(f"the {source.compression} stream ends too early, after {total:,} bytes; lines up to there were read")
            return
        except (gzip.BadGzipFile, zlib.error, lzma.LZMAError, OSError, ValueError) as error:
            what = "the check sum is wrong" if "CRC" in str(error) else "bytes that are not " + source.compression + " follow" \
                if "Not a gzipped" in str(error) else "the compressed stream is damaged"
            source.warnings.append(f"{what} after {total:,} bytes; lines up to there were read")
            return
        except Exception as error:  # noqa: BLE001 - zstandard raises a type of its own that must not be imported for plain files
            source.warnings.append(f"the compressed stream is damaged after {total:,} bytes ({type(error).__name__})")
            return
        if not data:
            return
        total += len(data)
        if source.compression and total > RATIO_FROM and total > HIGHEST_RATIO * max(source.bytes_read, 1):
            raise InputError(source.path, f"stopped after {total:,} bytes: it decompresses to over {HIGHEST_RATIO} times its size",
                             "no log does that; decompress it yourself if you trust it")
        yield data


def blocks(source: Source, stream, cut: Callable[[str], bool] | None = None, size: int = BLOCK, first_line: int = 1) -> Iterator[str]:
    """Text of whole lines, without the last line end, block by block.

    Args:
        source: is told what was wrong (line numbers from 1).
        stream: of ``open_source``.
        cut: whether a line begins a record; a block then ends before one, so that no record is torn (``None``: anywhere).
        size: of a block in bytes; the first is smaller, so that the reader can look at it soon.
        first_line: number of the first line, for messages.

    Raises:
        InputError: the content is binary, or a decompression bomb.
    """
    number = first_line  # of the first line of the next block
    rest, target, first = b"", min(size, 256 << 10), True
    skipping = 0  # bytes of an overlong line that were thrown away
    decoder = None
    carried = ""
    for data in _chunks(source, stream):
        if first:
            if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                source.encoding = "utf-16-le" if data.startswith(codecs.BOM_UTF16_LE) else "utf-16-be"
                decoder = codecs.getincrementaldecoder(source.encoding)(errors="replace")
                data = data[2:]
            elif data.startswith(codecs.BOM_UTF8):
                data = data[3:]
            if decoder is None:
                _refuse_binary(source, data)
            first = False
        if decoder is not None:
            data = decoder.decode(data).encode("utf-8", "surrogatepass")
        if skipping:
            end = data.find(b"\n")
            if end < 0:
                skipping += len(data)
                continue
            rest += _clip_mark(skipping + end)
            skipping, data = 0, data[end:]
        rest += data
        if len(rest) < target:
            continue
        end = rest.rfind(b"\n")
        if end < 0:
            if len(rest) > LONGEST_LINE:
                source.clipped += 1
                source.clipped_at = source.clipped_at or number + carried.count("\n") + (1 if carried else 0)
                skipping, rest = len(rest) - LONGEST_LINE, rest[:LONGEST_LINE]
            continue
        text = _decoded(source, rest[:end], number + (carried.count("\n") + 1 if carried else 0))
        if carried:
            text = carried + "\n" + text
        rest, target, carried = rest[end + 1:], size, ""
        if cut is not None:
            text, carried = _cut(text, cut)
        yield text
        number += text.count("\n") + 1
    if skipping:
        rest += _clip_mark(skipping)
    if rest or carried:
        text = _decoded(source, rest.removesuffix(b"\n"), number + (carried.count("\n") + 1 if carried else 0)) if rest else ""
        yield text if not carried else carried if not rest else carried + "\n" + text


def _cut(text: str, cut: Callable[[str], bool]) -> tuple[str, str]:
    """The text up to the last line that begins a record, and the rest; all of it where none is near the end."""
    end = len(text)
    for _ in range(3000):
        start = text.rfind("\n", 0, end)
        if start < 0 or len(text) - start > 1 << 20:
            return text, ""
        if cut(text[start + 1:end]):
            return text[:start], text[start + 1:]
        end = start
    return text, ""


def _clip_mark(size: int) -> bytes:
    return f"… [{size:,} bytes clipped]".encode()


def _refuse_binary(source: Source, data: bytes) -> None:
    head = data[:65536]
    control = [i for i, b in enumerate(head) if b < 32 and b not in (9, 10, 13, 27, 12, 8, 7)]
    if head and len(control) > max(8, 0.02 * len(head)):
        raise InputError(source.path, f"looks binary (byte {control[0]:,} is {head[control[0]]:#04x})", "name text logs, or leave this one out")


def _decoded(source: Source, data: bytes, number: int) -> str:
    """One block as text: UTF-8, else line by line; without carriage returns and escape sequences; NUL as a symbol."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        rows = []
        for i, row in enumerate(data.split(b"\n")):
            try:
                rows.append(row.decode("utf-8"))
            except UnicodeDecodeError:
                rows.append(row.decode("cp1252", "replace"))
                source.undecodable += 1
                source.undecodable_at = source.undecodable_at or number + i
        text = "\n".join(rows)
    if "\r" in text:
        text = text.replace("\r\n", "\n").removesuffix("\r").replace("\r", "␍")
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    if "\0" in text:
        source.nul += text.count("\0")
        source.nul_at = source.nul_at or number + text[:text.index("\0")].count("\n")
        text = text.replace("\0", "␀")
    if _has_overlong(text):
        rows = text.split("\n")
        for i, row in enumerate(rows):
            if len(row) > LONGEST_LINE:
                rows[i] = row[:LONGEST_LINE] + f"… [{len(row) - LONGEST_LINE:,} bytes clipped]"
                source.clipped += 1
                source.clipped_at = source.clipped_at or number + i
        text = "\n".join(rows)
    return text


def _has_overlong(text: str) -> bool:
    """Whether a line is longer than ``LONGEST_LINE``; looks at few characters."""
    at = 0
    while at + LONGEST_LINE < len(text):
        end = text.rfind("\n", at, at + LONGEST_LINE + 1)
        if end < 0:
            return True
        at = end + 1
    return False
