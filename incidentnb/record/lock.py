"""Who may write: one process at a time, by ``flock``, and a time-out that names the one who holds it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from incidentnb import sinks, times
from incidentnb.exceptions import InputError

FILE = "journal.lock"


@contextlib.contextmanager
def held(folder: Path, timeout_s: float = 10.0) -> Iterator[None]:
    """Hold the writing lock of an incident folder. The system frees it when the process ends, however it ends.

    Raises:
        InputError: the folder cannot be written to, or the lock was not free within ``timeout_s`` seconds; names the holder.
    """
    path = folder / FILE
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise InputError(str(path), f"cannot be written to: {error.strerror}", "nothing was recorded") from None
    try:
        _wait(handle, path, timeout_s)
        _sign(handle)
        yield
    finally:
        os.close(handle)  # frees the lock too


def _wait(handle: int, path: Path, timeout_s: float) -> None:
    give_up, pause_s = time.monotonic() + timeout_s, 0.002
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= give_up:
                raise InputError(str(path), f"locked by {_holder(path)} for more than {timeout_s:g} s",
                                 "nothing was recorded; wait for that process or end it, then try again") from None
        except OSError as error:
            raise InputError(str(path), f"this file system cannot lock: {error.strerror}", "nothing was recorded") from None
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, 0.03)


def _sign(handle: int) -> None:
    """Leave the holder's process id and since when, for those who wait; a full disk must not stop the append itself."""
    with contextlib.suppress(OSError):
        text = json.dumps({"pid": os.getpid(), "since": times.iso(times.now(), precision="seconds")}) + "\n"
        os.ftruncate(handle, 0)
        os.pwrite(handle, text.encode(), 0)


def _holder(path: Path) -> str:
    try:
        found = json.loads(path.read_bytes()[:1000])
        return f"process {int(found['pid'])} since {sinks.terminal(found['since'], 40)}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
