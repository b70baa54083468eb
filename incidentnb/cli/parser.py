"""Words in: the verbs and their options, and one-line complaints with the nearest word where one is misspelt."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from incidentnb.exceptions import InputError
from incidentnb.publish.forms import FORMS

DUTY_STATES = ("done", "skipped", "not applicable")
STATUSES = ("investigating", "identified", "monitoring", "resolved")
STATES = ("proposed", "testing", "supported", "refuted", "inconclusive")
MILESTONES = ("started", "detected", "acknowledged", "mitigated", "resolved")
DRAFTS = ("channel", "first", "status-page", "findings", "stakeholders", "can", "handover", "resolution")
PAYLOADS = ("statuspage", "slack")
IMPACTS = ("failures", "traffic", "latency")
ACTION_FORMS = ("csv", "github")
AUDIENCES = ("internal", "customer", "public")


class Parser(argparse.ArgumentParser):
    """argparse with this project's manners: no abbreviations, errors as ``InputError``."""

    def __init__(self, *args, **kwargs):
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        where, what, do = self.prog.removeprefix("incidentnb ").strip(), message, f"{self.prog} --help"
        if found := re.match(r"arguments? ([^:]+): (.*)", message, re.DOTALL):
            where, what = found[1], found[2]
        if found := re.match(r"invalid choice: '?(.*?)'? \(choose from (.*)\)$", what):
            choices = [c.strip(" '\"") for c in found[2].split(",")]
            what, do = f"'{found[1]}' is none of {', '.join(choices)}", nearest(found[1], choices) or do
        elif found := re.match(r"the following arguments are required: (.*)", what):
            what = f"{found[1]} is missing"
            if found[1] == "PATH":
                do = "the log files come first, before --changes and --repo"
        raise InputError(where, what, do)


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser, *_: object) -> NoReturn:
        from importlib.metadata import version

        sys.stdout.write(f"incidentnb {version('incidentnb')}\n")
        parser.exit()


def nearest(word: str, words: Sequence[str]) -> str:
    """``did you mean X?`` for the nearest word, or nothing."""
    found = difflib.get_close_matches(word.lower(), words, n=1, cutoff=0.5)
    return f"did you mean {found[0]}?" if found else ""


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The verb and its options out of a command line.

    Raises:
        InputError: an unknown verb or option (with the nearest one), a missing or wrong value.
    """
    parser = build()
    verbs = verb_parsers(parser)
    if not words:
        parser.print_help()
        raise SystemExit(0)
    if not words[0].startswith("-") and words[0] not in verbs:
        raise InputError(words[0], "no such verb", nearest(words[0], list(verbs)) or "incidentnb --help lists them")
    args, extra = parser.parse_known_args(list(words))
    if extra:
        options = [o for action in verbs[args.verb]._actions for o in action.option_strings]
        if extra[0].startswith("-"):
            raise InputError(extra[0], f"{args.verb} has no such option",
                             nearest(extra[0].split("=")[0], options) or f"incidentnb {args.verb} --help")
        raise InputError(args.verb, f"one word too many: {extra[0]}", "put a text of several words in quotes")
    return args


def verb_parsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Verb → its parser."""
    action = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


def build() -> Parser:
    """The whole command line."""
    parser = Parser(prog="incidentnb", description="From the first alert to the appendix of the postmortem: answers from logs "
                    "and changes, a record of the incident, an executed notebook of both.",
                    epilog="[INCIDENT] is the folder you stand in, else the newest open one. Exit codes: 0 done, 2 bad input, "
                    "3 done in part, 4 refused.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and leave")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs")

    def verb(name: str, says: str, *more: Callable[[Parser], object], json: bool = True) -> Parser:
        made = verbs.add_parser(name, help=says, description=says[0].upper() + says[1:] + ".")
        for add in more:
            add(made)
        if json:
            made.add_argument("--json", action="store_true", help="print JSON for programs instead of text for people")
        return made

    _verbs_of_practice(verb)
    _verbs_of_analysis(verb)
    _verbs_of_an_incident(verb)
    _verbs_of_the_record(verb)
    return parser


def _verbs_of_practice(verb) -> None:
    verb("demo", "make an example incident, record it as a responder would, execute its notebooks and export the appendix",
         json=False).add_argument("dir", metavar="DIR", nargs="?", default="demo", help="folder to make it in (default: demo)")
    drill = verb("drill", "make an incident to practise on, or show the answer of one and how the responder did")
    drill.add_argument("dir", metavar="DIR", nargs="?", default="drill", help="folder to make it in (default: drill)")
    drill.add_argument("--seed", type=int, metavar="N", help="the same number makes the same incident")
    drill.add_argument("--kind", metavar="KIND", help="what went wrong (by default the seed decides)")
    drill.add_argument("--answer", metavar="DIR", help="the answer of the drill in DIR, and how the incident opened there did")


def _verbs_of_analysis(verb) -> None:
    triage = verb("triage", "the whole answer from logs, no incident needed: when, what, who, what changed", _paths, _reading)
    _changes(triage)
    onset = verb("onset", "when it began and ended, from logs or from a CSV with time and failing,total or one value column",
                 _paths, _reading)
    onset.add_argument("--of", metavar="WHAT", choices=IMPACTS, default=IMPACTS[0], help="failures (the default), traffic or latency")
    scope = verb("scope", "everyone or which subset, from logs or from a CSV with time, failing, total and attribute columns",
                 _paths, _reading)
    scope.add_argument("--onset", metavar="TIME", help="when it began (needed for a CSV; by default found in logs)")
    scope.add_argument("--end", metavar="TIME", help="when it ended (by default it is still going on)")
    patterns = verb("patterns", "the message patterns in logs, and which are new", _paths, _reading)
    patterns.add_argument("--assign", metavar="OUT.csv", help="write line,pattern for every record")
    services = verb("services", "which service is at fault, from logs, spans and metrics, told apart by their columns", _paths, _reading)
    services.add_argument("--baseline", metavar="PATH", nargs="+", default=[],
                          help="the same of a quiet time (by default what lies before the onset)")
    services.add_argument("--at", metavar="TIME", help="when it began (by default found in the logs, or with --baseline all of it)")
    formats = verb("formats", "what it reads; with PATH what each file is, line counts, zone and how it is known", _reading)
    formats.add_argument("paths", metavar="PATH", nargs="*", help="log files, folders, globs, or - for stdin")
    redact = verb("redact", "texts with secrets hidden, and on stderr how many of which kind")
    redact.add_argument("paths", metavar="PATH", nargs="+", help="text files, compressed ones too, folders, globs, or - for stdin")
    redact.add_argument("--audience", metavar="WHO", choices=AUDIENCES, default="public",
                        help="internal hides secrets; customer and public (the default) personal data too")
    redact.add_argument("--explain", action="store_true", help="print each hidden value's line, kind, pseudonym and what gave it away, not the text")


def _verbs_of_an_incident(verb) -> None:
    verb("config", "what holds for your team, and on which line of incidentnb.toml it stands").add_argument(
        "--example", action="store_true", help="a file to begin with: incidentnb config --example > incidentnb.toml")
    made = verb("open", "make the incident folder, read the evidence, execute the first investigation", _reading, _by)
    made.add_argument("title", metavar="TITLE", nargs="+", help="what is wrong, in a few words")
    made.add_argument("--severity", metavar="SEV", required=True, help="SEV-1, SEV-2, SEV-3 or SEV-4")
    _logs(made)
    _changes(made)
    made.add_argument("--ic", metavar="NAME", help="the incident commander")
    made.add_argument("--at", metavar="TIME", help="when it was opened (default: now)")
    made.add_argument("--in", dest="parent", metavar="DIR", default=".", help="where to make the folder (default: here)")
    investigate = verb("investigate", "read what is new and execute the investigation notebook", _incident)
    _logs(investigate)
    _changes(investigate)
    investigate.add_argument("--watch", metavar="SECONDS", type=float,
                             help="again whenever the logs have grown or something was recorded, looking this often")
    verb("lab", "JupyterLab on a working copy of the investigation notebook", _incident, json=False).add_argument(
        "--no-browser", action="store_true", help="print the address, open no browser")
    verb("status", "duties done, due and late, clocks, open hypotheses, the next promised update", _incident).add_argument(
        "--all", action="store_true", help="duties that do not apply, too")
    draft = verb("draft", "a message to send, filled from the record, with its blanks listed; it is checked and never sent")
    draft.add_argument("kind", metavar="KIND", choices=DRAFTS, help=", ".join(DRAFTS))
    _incident(draft)
    draft.add_argument("--state", metavar="STATE", choices=STATUSES, default="",
                       help=f"of a status page: {', '.join(STATUSES)} (default: the incident's)")
    draft.add_argument("--next", metavar="TIME", help="when the next update comes: 20m, or a time (default: the promise that is running)")
    draft.add_argument("--payload", metavar="PLACE", choices=PAYLOADS, help=f"the JSON that a place takes: {', '.join(PAYLOADS)}")
    draft.add_argument("--check", metavar="FILE", help="check this text instead, as a person edited it; - for stdin")
    resolve = verb("resolve", "prove recovery from the data with the resolution notebook, or say why it cannot", _incident, _by)
    resolve.add_argument("--at", metavar="TIME", help="when it is declared resolved (default: now, or the end of the logs where these end earlier)")
    resolve.add_argument("--override", metavar="WHY", default="", help="resolved all the same, for this reason; needs --by")
    replay = verb("replay", "execute the notebook with only what was known at a time", _incident)
    replay.add_argument("--as-of", metavar="TIME", required=True, help="nothing recorded or logged later is seen")
    export = verb("export", "the appendix: the executed notebook as one file that opens anywhere", _incident)
    export.add_argument("--to", metavar="KINDS", default="html", help=f"one or more of {', '.join(FORMS)}, with commas (default: html)")
    export.add_argument("--audience", metavar="WHO", choices=AUDIENCES, default="public",
                        help="internal hides secrets; customer and public (the default) personal data too")
    export.add_argument("--run", metavar="FILE",
                        help="this executed notebook (by default the last investigation, made anew if it is stale)")
    review = verb("postmortem", "the postmortem from the record, made again without losing what people wrote; blanks stay blank and are listed",
                  _incident)
    review.add_argument("--check", action="store_true", help="write nothing; say what the one that is there should say otherwise")
    review.add_argument("--actions", metavar="FORM", choices=ACTION_FORMS, help="write the action items too: csv, or github (one issue a file)")
    review.add_argument("--audience", metavar="WHO", choices=AUDIENCES, default="public",
                        help="internal hides secrets; customer and public (the default) personal data too")
    review.add_argument("--templates", metavar="DIR", help="a folder with a postmortem.md of your own wording (by default the team file's)")
    verb("verify", "check the journal's chain and the evidence against their digests", _incident)


def _verbs_of_the_record(verb) -> None:
    verb("note", "record an observation", _text, _entry)
    hypothesis = verb("hypothesis", "record what might be the cause", _text, _entry)
    hypothesis.add_argument("--because", metavar="WHY", default="", help="what makes one think so")
    hypothesis.add_argument("--predicts", metavar="WHAT", default="", help="what one would see if it were true")
    hypothesis.add_argument("--disproof", metavar="WHAT", default="", help="what would disprove it")
    hypothesis.add_argument("--rivals", metavar="IDS", default="", help="those that cannot be true together with it, e.g. H1,H2")
    hypothesis.add_argument("--check", metavar="ASK", default="", help="what every investigation asks: a SELECT that gives one number, or the "
                            "name of an analysis")
    hypothesis.add_argument("--expect", metavar="OUTCOME", default="", help="what it says if the hypothesis is true: '< 5', 'after 14:02', "
                            "'subset version = 4.18.0', 'recovered'")
    evidence = verb("evidence", "record evidence for or against a hypothesis", _hypothesis, _text, _entry)
    side = evidence.add_mutually_exclusive_group(required=True)
    side.add_argument("--for", dest="side", action="store_const", const="for", help="it speaks for the hypothesis")
    side.add_argument("--against", dest="side", action="store_const", const="against", help="it speaks against it")
    evidence.add_argument("--source", metavar="REF",
                          help="what bears it: FILE:LINE, a finding, a query, a link, a file, an entry such as #12")
    verdict = verb("verdict", "record what became of a hypothesis", _hypothesis, _entry)
    verdict.add_argument("state", metavar="STATE", choices=STATES, help=", ".join(STATES))
    verdict.add_argument("--why", metavar="WHY", default="", help="the reason (needed for refuted and inconclusive)")
    mitigate = verb("mitigate", "record something done against the impact, or the effect that it was seen to have", _entry)
    mitigate.add_argument("text", metavar="TEXT", nargs="*", help="in your words")
    mitigate.add_argument("--options", action="store_true", help="instead, how to undo the changes that rank highest; nothing is run or recorded")
    mitigate.add_argument("--expected", metavar="WHAT", default="", help="the effect that it should have")
    mitigate.add_argument("--undo", metavar="HOW", default="", help="how to undo it")
    mitigate.add_argument("--observe", metavar="ID", help="TEXT is the effect that this mitigation was seen to have, e.g. M1")
    decide = verb("decide", "record a decision and why it was taken", _text, _entry)
    decide.add_argument("--why", metavar="WHY", required=True, help="why")
    decide.add_argument("--about", metavar="ID", default="", help="the mitigation that it is about, e.g. M1")
    decide.add_argument("--safe", metavar="WORD", default="", help="is the fix 'safe now' or 'riskier' than the incident")
    severity = verb("severity", "record a change of severity", _entry)
    severity.add_argument("severity", metavar="SEV", help="SEV-1, SEV-2, SEV-3 or SEV-4")
    severity.add_argument("--why", metavar="WHY", default="", help="why")
    role = verb("role", "record who takes a role; the incident commander (ic) changes hands", _entry)
    role.add_argument("role", metavar="ROLE", help="ic, scribe, communications or another role")
    role.add_argument("name", metavar="NAME", help="who takes it")
    role.add_argument("--brief", metavar="TEXT", default="", help="what is handed over, in words")
    verb("acknowledge", "the taker's word that a role was handed over to them", _entry).add_argument(
        "role", metavar="ROLE", nargs="?", default="ic", help="which role (default: ic, the incident commander)")
    milestone = verb("milestone", "record when it started, was detected, acknowledged, mitigated or resolved", _entry)
    milestone.add_argument("name", metavar="MILESTONE", choices=MILESTONES, help=", ".join(MILESTONES))
    milestone.add_argument("--source", metavar="REF", default="", help="how it is known: a page, a finding")
    post = verb("post", "record an update that was posted (nothing is sent)", _text, _entry)
    post.add_argument("--channel", metavar="WHERE", default="chat", help="chat, status page, stakeholders … (default: chat)")
    post.add_argument("--state", metavar="STATUS", default="",
                      help=f"the status that it told, which becomes the incident's: {', '.join(STATUSES)}")
    post.add_argument("--next", metavar="TIME", help="when the next update was promised: 10m, or a time")
    action = verb("action", "record an action item", _text, _entry)
    action.add_argument("--owner", metavar="NAME", default="", help="who does it")
    action.add_argument("--due", metavar="DATE", default="", help="by when, YYYY-MM-DD")
    action.add_argument("--type", metavar="TYPE", default="", help="prevent, detect, mitigate or process")
    duty = verb("duty", "record that a duty of the runbook is done, skipped or not applicable", _entry)
    duty.add_argument("duty", metavar="DUTY", help="its name, as incidentnb status shows it")
    duty.add_argument("state", metavar="STATE", choices=DUTY_STATES, help=", ".join(DUTY_STATES))
    duty.add_argument("text", metavar="REASON", nargs="*", help="why (needed unless it is done)")
    retract = verb("retract", "take an entry back; it stays in the journal", _by, _folder)
    retract.add_argument("entry", metavar="ENTRY", help="its number or id, e.g. #12")
    _reason(retract)
    close = verb("close", "close the incident; refused while duties that it waits for are open", _reason, _entry)
    close.add_argument("--false-alarm", action="store_true", help="it was none: nothing else is owed")
    close.add_argument("--override", metavar="WHY", default="", help="close all the same, for this reason; needs --by")
    verb("reopen", "reopen a closed or resolved incident", _reason, _entry)


def _paths(made: Parser) -> None:
    made.add_argument("paths", metavar="PATH", nargs="+", help="log files, folders, globs, or - for stdin")


def _reading(made: Parser) -> None:
    made.add_argument("--format", metavar="NAME", help="read the logs as this format (see incidentnb formats)")
    made.add_argument("--zone", metavar="ZONE", help="zone of times that have none, e.g. Europe/Berlin")
    made.add_argument("--year", metavar="YEAR", type=int, help="year of dates that have none")
    made.add_argument("--formats", metavar="DIR", help="a folder of your own log formats")


def _logs(made: Parser) -> None:
    made.add_argument("--logs", metavar="PATH", nargs="+", action="extend", default=[], help="log files, folders, globs to read")


def _changes(made: Parser) -> None:
    made.add_argument("--changes", metavar="FILE", nargs="+", action="extend", default=[],
                      help="deploys, flags, jobs and other changes as JSON lines or CSV, the JSON of a status page, certificates")
    made.add_argument("--repo", metavar="DIR", nargs="+", action="extend", default=[], help="git checkouts to look for commits in")


def _incident(made: Parser) -> None:
    made.add_argument("given", metavar="INCIDENT", nargs="?", help="the incident's folder")
    made.add_argument("--incident", metavar="DIR", help="the same, as an option")


def _entry(made: Parser) -> None:
    made.add_argument("--at", metavar="TIME", help="when it happened: 14:03, '10 minutes ago', ISO 8601, A..B for an interval")
    _by(made)
    made.add_argument("--supersedes", metavar="ENTRY", help="the entry that this corrects, e.g. #12")
    _folder(made)


def _folder(made: Parser) -> None:
    made.add_argument("--incident", metavar="DIR", help="the incident's folder")


def _by(made: Parser) -> None:
    made.add_argument("--by", metavar="NAME", help="who says so (default: $INCIDENTNB_ACTOR, else you)")


def _hypothesis(made: Parser) -> None:
    made.add_argument("hypothesis", metavar="ID", help="the hypothesis, e.g. H1")


def _reason(made: Parser) -> None:
    made.add_argument("text", metavar="REASON", nargs="+", help="why")


def _text(made: Parser) -> None:
    made.add_argument("text", metavar="TEXT", nargs="+", help="in your words")
