"""From parsed words to the workflow and back: each function carries out one verb and returns what to print."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from incidentnb import cli, sinks
from incidentnb.exceptions import InputError


class Answer(NamedTuple):
    """What a verb answers: ``value`` for ``--json``, ``text`` for people, the exit code."""

    value: Any
    text: str
    code: int = 0


def run(args: argparse.Namespace) -> int:
    """Carry out the verb, print its answer, return the exit code."""
    answer = VERBS[args.verb](args)
    if answer is None:
        return 0
    _print(args, answer)
    if answer.code == cli.INTERRUPTED:  # what there is of it was printed; the one line about Ctrl-C follows
        raise KeyboardInterrupt
    return answer.code


def _print(args: argparse.Namespace, answer: Answer) -> None:
    from incidentnb.cli import terminal

    terminal.clear()
    if getattr(args, "json", False):
        sys.stdout.write(json.dumps(answer.value, ensure_ascii=False, indent=2, allow_nan=False) + "\n")
    elif answer.text:
        sys.stdout.write(answer.text.rstrip("\n") + "\n")
    sys.stdout.flush()


def _warn(lines: Iterable[str]) -> None:
    """What went wrong on the way without stopping it: one line a problem, on stderr."""
    for line in lines:
        sys.stderr.write(f"incidentnb: {sinks.terminal(line)}\n")


# -- answers without an incident ----------------------------------------------------------------------------------------------------


def _triage(args: argparse.Namespace) -> Answer:
    from incidentnb.cli import terminal
    from incidentnb.workflow import analyses

    found = analyses.triage(args.paths, changes=args.changes, repos=args.repo, **_how(args)).as_json()
    if args.json:
        _warn(found["warnings"])
        return Answer(found, "")
    from incidentnb.publish.terminal import triage_page

    return Answer(found, triage_page(found, color=terminal.color(), width=terminal.width()))


def _onset(args: argparse.Namespace) -> Answer:
    from incidentnb.cli import pages
    from incidentnb.workflow import analyses

    return Answer(*pages.onset(analyses.onset(args.paths, of=args.of, **_how(args)), args.of))


def _scope(args: argparse.Namespace) -> Answer:
    from incidentnb.cli import pages
    from incidentnb.workflow import analyses

    return Answer(*pages.scope(analyses.scope(args.paths, began=args.onset, ended=args.end, **_how(args))))


def _patterns(args: argparse.Namespace) -> Answer:
    from incidentnb.cli import pages
    from incidentnb.workflow import analyses

    return Answer(*pages.patterns(analyses.patterns(args.paths, assign=args.assign, **_how(args))))


def _services(args: argparse.Namespace) -> Answer:
    from incidentnb.cli import pages
    from incidentnb.workflow import analyses

    return Answer(*pages.services(analyses.services(args.paths, baseline=args.baseline, at=args.at, **_how(args))))


def _formats(args: argparse.Namespace) -> Answer:
    from incidentnb.cli import pages, terminal
    from incidentnb.workflow import analyses

    if not args.paths:
        known = analyses.known_formats(args.formats)
        return Answer({"schema": "incidentnb/formats/1", "inputs": [], "formats": known}, pages.known_formats(known))
    found = {"schema": "incidentnb/formats/1", "inputs": analyses.formats(args.paths, **_how(args))}
    from incidentnb.publish.terminal import formats_page

    _warn(line for entry in found["inputs"] for line in entry["warnings"])
    return Answer(found, formats_page(found, color=terminal.color(), width=terminal.width(120)))


def _redact(args: argparse.Namespace) -> Answer | None:
    from incidentnb.cli import redacting

    redacting.run(args)
    return None


# -- an incident's life -------------------------------------------------------------------------------------------------------------


def _config(args: argparse.Namespace) -> Answer:
    from incidentnb.record import team, team_page

    if args.example:
        return Answer({"example": team_page.example()}, team_page.example())
    shown = team_page.config(team.load(os.curdir))
    return Answer(shown, team_page.config_text(shown))


def _open(args: argparse.Namespace) -> Answer:
    from incidentnb.cli import pages, terminal
    from incidentnb.record import incident
    from incidentnb.workflow import opening, running

    how = {key: value for key, value in _how(args).items() if key != "progress"}
    folder = opening.open_with_team(" ".join(args.title), args.severity, logs=args.logs, changes=args.changes, repos=args.repo, ic=args.ic,
                                    parent=args.parent, at=args.at, by=args.by, **how)
    if not incident.load(folder).sources["logs"]:
        return Answer(*pages.opened(folder, None))
    made = running.investigate(folder, reading=terminal.progress(), cells=terminal.cells())
    return Answer(*pages.opened(folder, made), made.exit_code)


def _investigate(args: argparse.Namespace) -> Answer | None:
    from incidentnb.cli import pages, terminal
    from incidentnb.workflow import running

    folder = _incident(args)
    if args.watch is not None and not 0 < args.watch <= 86400:
        raise InputError("--watch", f"{args.watch:g} is no number of seconds up to a day")
    running.add_sources(folder, logs=args.logs, changes=args.changes, repos=args.repo)
    if args.watch is None:
        made = running.investigate(folder, reading=terminal.progress(), cells=terminal.cells())
        return Answer(*pages.run(made), made.exit_code)
    for made in running.watch(folder, args.watch, reading=terminal.progress(), cells=terminal.cells()):
        _print(args, Answer(*pages.run(made)))
        if made.record.outcome == "interrupted":
            raise KeyboardInterrupt
    return None


def _lab(args: argparse.Namespace) -> Answer:
    import subprocess

    from incidentnb.workflow import running

    folder = _incident(args)
    words, environment, address = running.laboratory(folder, browser=not args.no_browser)
    sys.stdout.write(f"incident  {folder}\n{address}\nCtrl-C ends it.\n")
    sys.stdout.flush()
    with subprocess.Popen(words, env=environment) as server:
        try:
            code = server.wait()
        except KeyboardInterrupt:
            code = 0
        finally:
            server.terminate()
    return Answer(None, "", 0 if code == 0 else 3)


def _status(args: argparse.Namespace) -> Answer:
    from incidentnb.cli import terminal
    from incidentnb.record import incident, status

    folder = _incident(args)
    found = status.status(incident.load(folder))
    shown = {**found, "duties": [{**d, "verb": d["verb"] if d["verb"].split(" ")[0] in VERBS else ""} for d in found["duties"]]}
    page = status.status_page_text(shown, color=terminal.color(), width=terminal.width(), everything=args.all)
    return Answer(found, f"incident  {folder}\n{page}")


def _draft(args: argparse.Namespace) -> Answer:
    from incidentnb.cli import drafting

    return Answer(*drafting.run(args, _incident(args)))


def _resolve(args: argparse.Namespace) -> Answer:
    from incidentnb.cli import pages, terminal
    from incidentnb.workflow import running

    _named(args)
    folder = _incident(args)
    made, recovery = running.resolve(folder, by=args.by, at=args.at, override=args.override, reading=terminal.progress(), cells=terminal.cells())
    code = made.exit_code if made else 0
    return Answer(*pages.resolved(folder, made, recovery), code or (0 if recovery["verdict"] == "recovered" or args.override else 4))


def _replay(args: argparse.Namespace) -> Answer:
    from incidentnb.cli import pages, terminal
    from incidentnb.workflow import running

    made = running.replay(_incident(args), args.as_of, cells=terminal.cells())
    return Answer(*pages.run(made), made.exit_code)


def _export(args: argparse.Namespace) -> Answer:
    from incidentnb.cli import terminal
    from incidentnb.workflow import exporting

    folder = _incident(args)
    kinds = [kind.strip() for kind in args.to.split(",") if kind.strip()]
    missing: list[str] = []
    paths = exporting.export(folder, kinds, run=args.run, audience=args.audience, cells=terminal.cells(), tell=missing.append)
    lines = [f"incident  {folder}", *(f"missing   {sinks.terminal(line, 1000)}" for line in missing), *map(str, paths)]
    return Answer({"incident": str(folder), "exports": [str(path) for path in paths], "missing": missing}, "\n".join(lines), 3 if missing else 0)


def _postmortem(args: argparse.Namespace) -> Answer:
    from incidentnb.cli import pages
    from incidentnb.workflow import reviewing

    made = reviewing.postmortem(_incident(args), check=args.check, actions=args.actions, audience=args.audience, templates=args.templates)
    return Answer(*pages.reviewed(made), made.exit_code)


def _verify(args: argparse.Namespace) -> Answer:
    from incidentnb.cli import pages
    from incidentnb.workflow import exporting

    folder = _incident(args)
    checks = exporting.verify(folder)
    return Answer(*pages.verified(folder, checks), 3 if any(c.state in ("changed", "missing") for c in checks) else 0)


# -- the record ---------------------------------------------------------------------------------------------------------------------


def _record(args: argparse.Namespace) -> Answer:
    from incidentnb.cli import pages
    from incidentnb.record import hypotheses, milestones
    from incidentnb.record import statements as say
    from incidentnb.workflow import recording

    _named(args)
    folder = _incident(args)
    text = " ".join(getattr(args, "text", ()))
    now = {"at": getattr(args, "at", None), "actor": args.by, "supersedes": getattr(args, "supersedes", None)}
    calls: dict[str, Callable[[], Any]] = {
        "note": lambda: say.note(folder, text, **now),
        "hypothesis": lambda: hypotheses.propose(folder, text, because=args.because, prediction=args.predicts, disproof=args.disproof,
                                                 rivals=args.rivals.replace(",", " ").split(), check=args.check, expect=args.expect, **now),
        "evidence": lambda: recording.evidence(folder, args.hypothesis, args.side, text, source=args.source, **now),
        "verdict": lambda: hypotheses.set_verdict(folder, args.hypothesis, args.state, args.why, **now),
        "mitigate": lambda: say.observe(folder, args.observe, text, **now) if args.observe else
        say.mitigate(folder, text, args.expected, args.undo, **now),
        "decide": lambda: say.decide(folder, text, args.why, about=args.about, safe=args.safe, **now),
        "severity": lambda: say.set_severity(folder, args.severity, args.why, **now),
        "role": lambda: say.assign_role(folder, args.role, args.name, brief=args.brief, **now),
        "acknowledge": lambda: say.acknowledge(folder, args.role, **now),
        "milestone": lambda: milestones.set_milestone(folder, args.name, source=args.source, **now),
        "post": lambda: recording.post(folder, text, channel=args.channel, next_update=args.next, state=args.state, **now),
        "action": lambda: say.action(folder, text, args.owner, args.due, type=args.type, **now),
        "duty": lambda: say.duty(folder, args.duty, args.state, text, **now),
        "retract": lambda: say.retract(folder, args.entry, text, actor=args.by),
        "close": lambda: say.close(folder, text, false_alarm=args.false_alarm, override=args.override, **now),
        "reopen": lambda: say.reopen(folder, text, **now),
    }
    if getattr(args, "options", False):
        from incidentnb.workflow import options

        return Answer(*pages.options(folder, options.options(folder)))
    return Answer(*pages.entry(folder, calls[args.verb]()))


def _demo(args: argparse.Namespace) -> Answer:
    from incidentnb.workflow.demo import demo

    def tell(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    demo(args.dir, tell=tell)
    return Answer(None, "")


def _drill(args: argparse.Namespace) -> Answer:
    from incidentnb.cli import pages
    from incidentnb.workflow import practice

    if args.answer:
        return Answer(*pages.graded(practice.answer(args.answer)))
    return Answer(*pages.drilled(practice.drill(args.dir, seed=args.seed, kind=args.kind)))


def _named(args: argparse.Namespace) -> None:
    """An override is somebody's word, so it says whose."""
    if getattr(args, "override", "") and not args.by:
        raise InputError("--override", "says not who takes it upon them", "--by NAME")


def _incident(args: argparse.Namespace) -> Path:
    from incidentnb.record import incident

    return incident.locate(args.incident or getattr(args, "given", None), os.curdir)


def _how(args: argparse.Namespace) -> dict[str, Any]:
    """The reading options, as ``evidence.reader.read`` takes them."""
    from incidentnb.cli import terminal

    return {"format": args.format, "zone": args.zone, "year": args.year, "formats_dir": args.formats, "progress": terminal.progress()}


_RECORD = ("note", "hypothesis", "evidence", "verdict", "mitigate", "decide", "severity", "role", "acknowledge", "milestone", "post", "action",
           "duty", "retract", "close", "reopen")
VERBS: dict[str, Callable[[argparse.Namespace], Answer | None]] = {
    "demo": _demo, "drill": _drill, "triage": _triage, "onset": _onset, "scope": _scope, "patterns": _patterns, "services": _services,
    "formats": _formats, "redact": _redact, "config": _config, "open": _open, "investigate": _investigate, "lab": _lab, "status": _status,
    "draft": _draft, "resolve": _resolve, "replay": _replay, "export": _export, "postmortem": _postmortem,
    "verify": _verify, **dict.fromkeys(_RECORD, _record),
}
