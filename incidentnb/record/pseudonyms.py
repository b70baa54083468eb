"""The key of an incident's pseudonyms: it stays beside the record, outside of every export, and makes equal values equal in all of them."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from incidentnb import atomic
from incidentnb.exceptions import InputError

FILE = "pseudonyms.key"


def read(folder: Path | str) -> bytes | None:
    """The key of an incident, ``None`` where it has none yet.

    Raises:
        InputError: the file is there and cannot be read, or holds no key.
    """
    path = Path(folder) / FILE
    try:
        text = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as problem:
        raise InputError(str(path), f"cannot be read: {getattr(problem, 'strerror', None) or 'no text'}") from None
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise InputError(str(path), "holds no key of 64 hexadecimal digits",
            "remove it; pseudonyms of later exports will then differ from earlier ones")
    return bytes.fromhex(text)


def make(folder: Path | str) -> bytes:
    """The key of an incident, made at the first export; of two processes that make it at once, both get the same.

    Raises:
        InputError: the folder cannot be written, or what is there is no key.
    """
    folder = Path(folder)
    known = read(folder)
    if known is not None:
        return known
    mine = folder / f".{FILE}.{os.getpid()}.{secrets.token_hex(4)}"
    try:
        handle = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(handle, (secrets.token_hex(32) + "\n").encode())
            os.fsync(handle)
        finally:
            os.close(handle)
        try:
            os.link(mine, folder / FILE)  # whole or not at all, and never in place of another's
            atomic.sync(folder)
        except FileExistsError:
            pass
    except OSError as problem:
        raise InputError(str(folder / FILE), f"cannot be written: {problem.strerror or problem}", "make the incident's folder writable") from None
    finally:
        mine.unlink(missing_ok=True)
    made = read(folder)
    if made is None:
        raise InputError(str(folder / FILE), "went away while it was made")
    return made
