"""From parsed words to the workflow and back: each function carries out one verb and returns what to print."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """What a verb answers: ``value`` for ``--json``, ``text`` for people, the exit code."""

    value: Any
    text: str
    code: int = 0


def run(args: argparse.Namespace) -> int:
    """Carry out the verb, print its answer, return the exit code."""
    answer = VERBS[args.verb](args)
    if getattr(args, "json", False):
        json.dump(answer.value, sys.stdout, ensure_ascii=False, indent=2, allow_nan=False)
        sys.stdout.write("\n")
    elif answer.text:
        sys.stdout.write(answer.text.rstrip("\n") + "\n")
    sys.stdout.flush()
    return answer.code


def _triage(args: argparse.Namespace) -> Answer:
    from incidentnb.cli import terminal
    from incidentnb.publish.terminal import triage_page
    from incidentnb.workflow import analyses

    found = analyses.triage(args.paths, changes=args.changes, repos=args.repo, **_how(args)).as_json()
    return Answer(found, triage_page(found, color=terminal.color(), width=terminal.width()))


def _formats(args: argparse.Namespace) -> Answer:
    from incidentnb.cli import pages
    from incidentnb.workflow import analyses

    inputs = analyses.formats(args.paths, **_how(args))
    return Answer({"schema": "incidentnb/formats/1", "inputs": inputs}, pages.formats(inputs))


def _note(args: argparse.Namespace) -> Answer:
    from incidentnb.cli import pages
    from incidentnb.record import incident
    from incidentnb.workflow import recording

    folder = incident.locate(args.incident, ".")
    entry = recording.note(folder, " ".join(args.text), at=args.at, by=args.by)
    return Answer(*pages.entry(folder, entry))


def _how(args: argparse.Namespace) -> dict[str, Any]:
    """The reading options, as ``evidence.reader.read`` takes them."""
    from incidentnb.cli import terminal

    return {"format": args.format, "zone": args.zone, "year": args.year, "formats_dir": args.formats,
            "progress": terminal.progress()}


VERBS: dict[str, Callable[[argparse.Namespace], Answer]] = {
    "triage": _triage, "formats": _formats, "note": _note,
}
