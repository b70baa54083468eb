"""One value as written → as the log table has it: levels, routes, durations, statuses, text."""

from __future__ import annotations

import re

LEVELS = {name: canonical for canonical, names in {
    "TRACE": "trace trc finest verbose vrb silly t v debug5 debug4 debug3 spam",
    "DEBUG": "debug dbg dbug d fine finer debug1 debug2",
    "INFO": "info inf i information informational log stats default config success http",
    "NOTICE": "notice note n",
    "WARN": "warn warning wrn w warni",
    "ERROR": "error err eror erro e severe fail failed failure",
    "FATAL": "fatal ftl f critical crit crt c panic dpanic emerg emergency alert a",
}.items() for name in names.split()}
_SEGMENT = re.compile(
    r"(?<=/)(?:(?:\d+(?:[.,:_-]\d+)*"  # 42, 2026-11-23, 1.2.3
    r"|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"  # a UUID
    r"|(?=[a-fA-F]*[0-9])[0-9a-fA-F]{8,}"  # hexadecimal
    r"|[A-Za-z]{1,12}[-_:]?[0-9]{3,}[0-9A-Za-z-]*)"  # ord-12345, u123
    r"(?=/|\.[A-Za-z][A-Za-z0-9]{0,4}$|$)"  # each of these may be a file: 42.json, be1e08230013.webp
    r"|(?:(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{16,}"  # a long token with digits
    r"|[^/@]{1,64}@[^/]{1,64}"  # a mail address
    r"|[^/]{65,})(?=/|$))")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ns|nanoseconds?|us|µs|μs|micros?|microseconds?|ms|msecs?|millis|milliseconds?|"
                       r"s|secs?|seconds?|m|mins?|minutes?|h|hours?|d)", re.IGNORECASE)
_DURATIONS = re.compile(rf"(?:{_DURATION.pattern}[ ,]*)+", re.IGNORECASE)
_CLOCK = re.compile(r"(?:(\d{1,5})\.)?(\d{1,2}):(\d{2}):(\d{2}(?:\.\d{1,9})?)")
_SCALE = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "μs": 1e-3, "micro": 1e-3, "micros": 1e-3, "microsecond": 1e-3, "microseconds": 1e-3,
          "ms": 1.0, "msec": 1.0, "msecs": 1.0, "millis": 1.0, "millisecond": 1.0, "milliseconds": 1.0, "s": 1e3, "sec": 1e3,
          "secs": 1e3, "second": 1e3, "seconds": 1e3, "m": 6e4, "min": 6e4, "mins": 6e4, "minute": 6e4, "minutes": 6e4, "h": 3.6e6, "hour": 3.6e6,
          "hours": 3.6e6, "d": 8.64e7, "nanosecond": 1e-6, "nanoseconds": 1e-6}
PAIR = re.compile(r'(?:^|[ \t,;])([A-Za-z_@][\w.@/:-]*)=("(?:[^"\\\n]|\\.)*"|[^ \t"\n]*)')


def route_of(path: str) -> str:
    """The path with its ids folded and its query dropped: ``/orders/123?x=1`` → ``/orders/{id}``."""
    if "://" in path[:12]:
        path = "/" + path.split("://", 1)[1].partition("/")[2]
    for mark in "?#;":
        if mark in path:
            path = path[:path.index(mark)]
    return _SEGMENT.sub("{id}", path)[:200] or "/"


def level_of(written: str, own: dict[str, str]) -> str | None:
    """The canonical level of one as written; ``None`` where it is none."""
    word = written.strip().strip("[]<>:").lower()
    return own.get(word) or LEVELS.get(word) or LEVELS.get(word.rstrip("0123456789"))


def duration_ms(value, scale: float) -> float | None:
    """A duration in milliseconds. A unit that stands in the value (Go's ``1m2.5s``, .NET's ``00:00:01.25``) is believed; a bare
    number is of the format's unit, and nothing where the format has none (scale 0).
    """
    if value is None or value == "":
        return None
    try:
        number = float(value) * scale if scale else None
    except (ValueError, TypeError, OverflowError):
        number = None
    if number is not None:
        return number if number == number and abs(number) != float("inf") else None
    text = str(value).strip()
    if found := _CLOCK.fullmatch(text):
        return ((int(found[1] or 0) * 24 + int(found[2])) * 60 + int(found[3])) * 60_000.0 + float(found[4]) * 1000
    if len(text) > 40 or not _DURATIONS.fullmatch(text):
        return None
    return sum(float(n) * _SCALE[unit.lower()] for n, unit in _DURATION.findall(text))


def text_of(value) -> str | None:
    """Any scalar as the text of an extra column; missing, empty and not-a-scalar are ``None``."""
    if value is None or value == "":
        return None
    if type(value) is str:
        return value
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return None if value != value else str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return None


def status_of(value) -> int | None:
    """An HTTP status code, or ``None`` where it is none."""
    try:
        number = int(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return number if 100 <= number <= 599 else None
