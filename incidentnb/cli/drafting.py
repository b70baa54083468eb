"""The verb ``draft``: a message on stdout and nothing else there; which incident, blanks and flags on stderr."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incidentnb.exceptions import InputError
from incidentnb.sinks import terminal

if TYPE_CHECKING:
    from incidentnb.publish.drafting.draft_checks import Flag
    from incidentnb.publish.drafts import Draft
    from incidentnb.record.incident import Incident
    from incidentnb.record.team import Team

CLEAN, IN_PART, REFUSED = 0, 3, 4
_LONGEST = 2**20  # of a text to check


def run(args: argparse.Namespace, folder: Path) -> tuple[Any, str, int]:
    """Draft or check a message.

    Returns:
        The value for ``--json``, the text for stdout, and the exit code: 3 where blanks or flags are left, 4 where the check refuses; a refused
        draft is shown on stderr, so that no pipe takes it further.

    Raises:
        InputError: no such kind, a file that cannot be read, a time that is none.
        Refused: ``--payload`` of a draft that the check refuses or that has blanks.
    """
    from incidentnb.publish import drafts
    from incidentnb.publish.drafting import draft_checks
    from incidentnb.record import incident, team

    known, ours = incident.load(folder), team.load(folder, os.curdir)
    if args.check is not None:
        text = _read(args.check)
        state = drafts.state_of(known, args.kind, args.state)
        flags = draft_checks.check(text, known, args.kind, state=state, team=ours)
        value = {"schema": drafts.SCHEMA, "incident": str(folder), "kind": args.kind, "state": state, "text": text, "missing": [],
                 "flags": draft_checks.as_json(flags)}
        if args.payload:
            blanks = tuple(flag.where for flag in flags if flag.code == "blank")
            edited = drafts.Draft(args.kind, state, text.strip(), "", (), (), blanks, tuple(flags))
            return _payload(edited, args.payload, known, ours)
        page = "\n".join(_lines(flags)) or "nothing to object to"
        return value, f"incident  {folder}\n{page}", _code(flags, ())
    made = drafts.draft(known, args.kind, state=args.state, team=ours, next_update=args.next, ground=args.json)
    code = _code(made.flags, made.missing)
    if args.payload:
        return _payload(made, args.payload, known, ours)
    value = {**made.as_json(), "incident": str(folder)}
    if args.json:
        return value, "", code
    remarks = [f"incident  {folder}", *(f"blank: {terminal(what)}" for what in made.missing), *_lines(made.flags)]
    if made.refused:
        remarks = [remarks[0], made.text, "", *remarks[1:], "It is refused: mend the record, or edit the text and give it with --check FILE."]
    sys.stderr.write("\n".join(remarks) + "\n")
    return value, "" if made.refused else made.text, code


def _payload(made: Draft, place: str, known: Incident, ours: Team) -> tuple[Any, str, int]:
    from incidentnb.publish.drafting import payloads

    value = payloads.payload(made, place, known, ours)
    sys.stderr.write("".join(f"{line}\n" for line in _lines(made.flags)))
    return value, json.dumps(value, ensure_ascii=False, indent=2), _code(made.flags, ())


def _lines(flags: Sequence[Flag]) -> list[str]:
    words = {"refuse": "refused", "flag": "look"}
    return [f"{words[flag.level]}: {flag.code}: {flag.what}{f': “{flag.where}”' if flag.where else ''}" for flag in flags]


def _code(flags: Sequence[Flag], missing: Sequence[str]) -> int:
    return REFUSED if any(flag.level == "refuse" for flag in flags) else IN_PART if flags or missing else CLEAN


def _read(name: str) -> str:
    try:
        data = sys.stdin.buffer.read(_LONGEST + 1) if name == "-" else Path(name).read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(name, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > _LONGEST or b"\0" in data:
        raise InputError(name, "is no message", "name a text file")
    return data.decode("utf-8", "replace")
