"""Files written whole or not at all: a reader sees the old one or the new one, never half, also after a power cut."""

from __future__ import annotations

import os
from pathlib import Path


def write(path: Path, data: bytes | str) -> None:
    """Put data in place of a file at once; text as UTF-8, its folder is made.

    Raises:
        OSError: the disk is full or the folder cannot be written; the old file is untouched.
    """
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogateescape")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with temporary.open("wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync(path.parent)


def sync(folder: Path) -> None:
    """Make the names in a folder lasting."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
