"""What people give as text, states and severities, read leniently and kept strictly."""

from __future__ import annotations

import re
from collections.abc import Sequence

from incidentnb.exceptions import InputError
from incidentnb.record import lines

SEVERITIES = ("SEV-1", "SEV-2", "SEV-3", "SEV-4")
STATUSES = ("investigating", "identified", "monitoring", "resolved")


def text(value: object, needed_by: str = "") -> str:
    """Text without the blanks around it.

    Raises:
        InputError: it is empty and ``needed_by`` says who needs it, or it is not text.
    """
    if value is not None and not isinstance(value, str):
        raise InputError(needed_by or "text", f"must be text, not {type(value).__name__}")
    found = (value or "").strip()
    if needed_by and not found:
        raise InputError(needed_by, "the text is missing", "say it in a few words")
    return found


def one_of(value: object, names: Sequence[str], what: str) -> str:
    """One of a few words, whatever its case, or its beginning where that is clear.

    Raises:
        InputError: another word; says the nearest.
    """
    given = str(value).strip().lower()
    if given in names:
        return given
    close = [name for name in names if given and name.startswith(given)]
    if len(close) == 1:
        return close[0]
    raise InputError(f"{what} {given[:40]}", "no such word", f"{lines.nearest(given, names)}; one of {', '.join(names)}")


def severity(value: object) -> str:
    """``SEV-1`` … ``SEV-4`` of ``sev2``, ``2``, ``SEV-2``, ``S2``, ``severity 2``.

    Raises:
        InputError: none of these.
    """
    found = re.fullmatch(r"(?:s|sev|severity)?[\s_-]*([1-4])", str(value).strip(), re.IGNORECASE)
    if not found or isinstance(value, bool):
        raise InputError(f"severity {str(value)[:40]}", "no such severity",
                         "one of SEV-1 (everyone), SEV-2 (many), SEV-3 (some), SEV-4 (hardly any)")
    return f"SEV-{found[1]}"
