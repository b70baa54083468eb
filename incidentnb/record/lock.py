"""Who may write: one process at a time, by ``flock``, and a time-out that names the one who holds it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
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
    """Take the lock, or stand in the system's queue for it: one that asks again and again is overtaken by the others for seconds."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    except BlockingIOError:
        pass
    except OSError as error:
        raise InputError(str(path), f"this file system cannot lock: {error.strerror}", "nothing was recorded") from None
    same = os.dup(handle)  # the same lock, under a number that stays with the thread, also where the wait is given up
    taken = threading.Event()

    def queue() -> None:
        try:
            fcntl.flock(same, fcntl.LOCK_EX)
            taken.set()
        finally:
            os.close(same)  # frees the lock where the wait was given up: the other number is closed then
    threading.Thread(target=queue, daemon=True).start()
    if not taken.wait(timeout_s):
        raise InputError(str(path), f"locked by {_holder(path)} for more than {timeout_s:g} s",
                         "nothing was recorded; wait for that process or end it, then try again")


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
