"""What an incident is called: its folder, its channel, and which names are refused."""

from __future__ import annotations

import re
from datetime import date

from incidentnb import sinks
from incidentnb.exceptions import InputError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LONGEST = 26  # of the description: #incident-YYYY-MM-DD-… stays within Teams' 50 characters for a channel (Slack allows 80)


def describe(title: str) -> str:
    """The short description in a folder and channel name: lower case letters, digits and hyphens, cut between words."""
    words = re.sub(r"[^a-z0-9]+", "-", sinks.file_name(title, 400).removesuffix("-x")).strip("-")
    if not words or words == "untitled":
        return "incident"
    if len(words) > _LONGEST:
        cut = words[:_LONGEST + 1]
        words = (cut[:cut.rindex("-")] if "-" in cut[8:] else words[:_LONGEST]).strip("-")
    return words


def folder_name(day: date, title: str, taken: int = 0) -> str:
    """``YYYY-MM-DD-short-desc``; the second of its name ends in ``-2``, and so on."""
    return f"{day.isoformat()}-{describe(title)}" + (f"-{taken + 1}" if taken else "")


def channel(folder: str, prefix: str = "incident-") -> str:
    """The channel of an incident folder, ``#incident-…``: lower case letters, digits and hyphens, at most 80 with its ``#``."""
    plain = re.sub(r"[^a-z0-9]+", "-", f"{prefix}{folder}".lower()).strip("-")
    return f"#{plain}"[:80].rstrip("-")


def check(name: str) -> str:
    """The name that a person gave an incident, if it is safe as a folder, an option, a branch and a channel everywhere.

    Raises:
        InputError: anything but letters, digits, dot, hyphen and underscore, a leading or trailing mark, a device's name, too long.
    """
    text = name if isinstance(name, str) else ""
    device = sinks.file_name(text).endswith("-x") and not text.lower().endswith("-x")
    if not _NAME.fullmatch(text) or text.endswith((".", "-")) or ".." in text or device:
        raise InputError(f"name {sinks.terminal(text, 40)!r}" if text else "name", "not a name for an incident",
                         "use letters, digits, hyphens and dots, at most 64, beginning with a letter or digit")
    return text
