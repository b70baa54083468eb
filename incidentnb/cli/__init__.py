"""The command line: words in, words out. Each verb is a function of ``incidentnb.workflow``; nothing is computed here."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Sequence
from typing import Any

from incidentnb import sinks
from incidentnb.exceptions import IncidentnbError

INTERRUPTED, PIPE_CLOSED, TERMINATED, UNEXPECTED = 130, 141, 143, 1


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one command line and return its exit code: 0 done, 2 bad input, 3 done in part, 4 refused.

    An error is one line on stderr, ``incidentnb: WHERE: WHAT (WHAT TO DO)``; what nobody foresaw is one line too and exits 1
    (``INCIDENTNB_DEBUG=1`` shows where it came from). Ctrl-C exits 130, a reader that went away 141 in silence.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a mark must not stop the answer
    warnings.showwarning = _one_line_warning
    before = _ended_by_a_signal()
    try:
        from incidentnb.cli import parser, verbs

        return verbs.run(parser.parse(words))
    except IncidentnbError as problem:
        return _complain(str(problem), problem.exit_code)
    except KeyboardInterrupt:
        return _complain(f"{words[0] if words else 'incidentnb'}: interrupted", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # so that the interpreter's last flush has nowhere to fail
        return PIPE_CLOSED
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else 0
    except Exception as surprise:
        if os.environ.get("INCIDENTNB_DEBUG"):
            raise
        what = f"unexpected {type(surprise).__name__}: {surprise}"
        return _complain(f"{words[0] if words else 'incidentnb'}: {what} (set INCIDENTNB_DEBUG=1 to see where)", UNEXPECTED)
    finally:
        _flush()
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _ended_by_a_signal() -> Any:
    """Let SIGTERM unwind the stack as an exception, so that temporary folders and kernels go too; return what stood there before."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        return signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(TERMINATED))
    return None


def _complain(line: str, code: int) -> int:
    from incidentnb.cli import terminal

    _flush()
    terminal.clear()
    sys.stderr.write(f"incidentnb: {sinks.terminal(' '.join(line.split()), 1000)}\n")
    return code


def _one_line_warning(message, category, filename, lineno, file=None, line=None) -> None:
    sys.stderr.write(f"incidentnb: warning: {sinks.terminal(' '.join(str(message).split()), 1000)}\n")


def _flush() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
