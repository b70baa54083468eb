"""What a hypothesis predicts, as something that can be run: a question to the data and the outcome that is expected of it.

A question is one SELECT that gives a number, or the name of an analysis. What may be expected:

=====================================  =======================================================================
of a query                             ``< 5``, ``<= 5``, ``> 5 %``, ``>= 5``, ``= 0``, ``!= 0``, ``between 5 and 10``
of an analysis: its verdict            ``recovered``, ``no spike``, ``not subset``
of an analysis: when                   ``after 14:02``, ``before 14:02``, ``between 14:00 and 14:05``: the onset; of ``recovery`` since when
of ``scope``: the failing subset       ``subset version = 4.18.0 and route = POST /orders``, ``no subset version = 4.18.0``
of an analysis: what it puts first     ``names TEXT``: a change ranked first, a service that stands out, a failing route, a new message
of an analysis: one of its numbers     ``rate.during < 5 %``, ``affected > 100``
=====================================  =======================================================================

Nothing is run here: ``case`` runs it, and what came of it is judged by ``of_number`` and ``of_finding``.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Any

from incidentnb import times
from incidentnb.exceptions import InputError
from incidentnb.findings import CANNOT_TELL, Finding, cell
from incidentnb.record import lines, moments
from incidentnb.times import Interval

PASSED, FAILED = "passed", "failed"
VERDICTS = {"onset": ("spike", "no spike"), "volume": ("drop", "no drop"), "latency": ("slower", "no change"), "scope": ("subset", "everyone"),
            "suspects": ("candidates", "no known change explains it"), "recovery": ("recovered", "not recovered"),
            "severity": ("SEV-1", "SEV-2", "SEV-3", "SEV-4"), "routes": (), "users": (), "patterns": (), "services": ()}
_TIMED = {"onset": "onset", "volume": "onset", "latency": "onset", "recovery": "since"}
_NAMED = {"suspects": ("changes", ("id", "summary", "version", "service", "kind")), "services": ("services", ("service",)),
          "routes": ("routes", ("method", "route")), "patterns": ("patterns", ("pattern",))}
_OPERATORS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "!=": operator.ne}
_NUMBER = r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?\s*%?"
_COMPARED = re.compile(rf"([a-z_][\w.]*)?\s*(<=|>=|==|!=|<|>|=)\s*({_NUMBER})", re.IGNORECASE)
_BETWEEN = re.compile(rf"([a-z_][\w.]*\s+)?between\s+({_NUMBER})\s+and\s+({_NUMBER})", re.IGNORECASE)
_WHEN = re.compile(r"(after|before)\s+(.+)|(between)\s+(.+?)\s+and\s+(.+)", re.IGNORECASE)
_SUBSET = re.compile(r"(no\s+)?(?:subset|has)\s+(.+)", re.IGNORECASE)
_QUERY = re.compile(r"\s*(select|with|from)\s", re.IGNORECASE)


@dataclass(frozen=True)
class Check:
    """A question to the data, ``ask`` (a SELECT, or the name of an analysis), and what is expected of it, ``expect``, in its one form."""

    ask: str
    expect: str

    @property
    def is_query(self) -> bool:
        """Whether it asks the log table itself."""
        return bool(_QUERY.match(self.ask))

    @property
    def text(self) -> str:
        """The check in one line."""
        return f"{self.ask}: {self.expect}"


@dataclass(frozen=True)
class Result:
    """What came of a check: ``result`` (passed, failed, cannot tell), the ``value`` found, ``why`` in words, the id of the ``finding``."""

    result: str
    value: str
    why: str
    finding: str = ""


def parse(ask: str, expect: str, zone: tzinfo, now: datetime) -> Check | None:
    """The check that a person wrote, its times as instants; ``None`` where nothing is asked.

    The expectation may follow the name of an analysis in one text: ``onset after 14:02``.

    Raises:
        InputError: no such analysis, an outcome that this question cannot have (says what it can), no time.
    """
    question, outcome = " ".join(ask.split()), " ".join(expect.split())
    if not question and not outcome:
        return None
    if not question:
        raise InputError("--check", "is missing", "the SELECT or the analysis that the outcome is expected of")
    if _QUERY.match(question):
        if not outcome:
            raise InputError("--expect", "is missing", "what the number should be: '< 5', '= 0', 'between 5 and 10'")
        return Check(ask.strip(), _of_query(outcome))
    name, _, rest = question.partition(" ")
    name, outcome = name.lower(), " ".join(part for part in (rest, outcome) if part)
    if name not in VERDICTS:
        raise InputError(f"--check {name[:40]}", "is neither a SELECT nor an analysis", lines.nearest(name, list(VERDICTS)))
    if not outcome:
        raise InputError("--expect", "is missing", f"for example: {_example(name)}")
    return Check(name, _of_analysis(name, outcome, zone, now))


def of_number(check: Check, value: float | None) -> Result:
    """Whether a number is what was expected; one that is missing cannot be told."""
    if value is None:
        return Result(CANNOT_TELL, "", "the query gives NULL: nothing in the data to count")
    return _compared(check.expect, value)


def of_finding(check: Check, finding: Finding) -> Result:
    """Whether an analysis found what was expected of it; where it cannot tell, neither can the check."""
    return replace(_judged(check, finding), finding=finding.id)


def _judged(check: Check, finding: Finding) -> Result:
    if finding.verdict == CANNOT_TELL:
        return Result(CANNOT_TELL, CANNOT_TELL, finding.why or finding.sentence)
    expect = check.expect
    if (when := _WHEN.fullmatch(expect)) and check.ask in _TIMED:
        return _timed(when, finding.numbers.get(_TIMED[check.ask]), finding)
    if subset := _SUBSET.fullmatch(expect):
        return _subset(_pairs(subset[2]), bool(subset[1]), finding)
    if expect.startswith("names "):
        found = _first_named(check.ask, finding)
        has = any(expect.removeprefix("names ").lower() in text.lower() for text in found)
        return Result(PASSED if has else FAILED, "; ".join(found)[:200] or "nothing", finding.sentence)
    if (compared := _COMPARED.fullmatch(expect) or _BETWEEN.fullmatch(expect)) and compared[1]:
        value = _number_of(finding.numbers, compared[1].strip())
        if value is None:
            return Result(CANNOT_TELL, "", f"{check.ask} gives no number {compared[1].strip()}")
        return _compared(expect[len(compared[1]):].strip(), value)
    other = expect.removeprefix("not ")
    as_said = finding.verdict == expect or (other != expect and finding.verdict != other)
    return Result(PASSED if as_said else FAILED, finding.verdict, finding.sentence)


def _subset(wanted: dict[str, str], absent: bool, finding: Finding) -> Result:
    """Whether an accepted cause has all of these values; one that the data cannot tell apart from a cause decides nothing."""
    def has(where: dict[str, Any]) -> bool:
        return wanted.items() <= {column: str(value) for column, value in where.items()}.items()
    causes = [one for one in finding.numbers.get("subsets", ()) if one.get("cause")]
    found = any(has(one["where"]) for one in causes)
    if not found and (twin := next((one for one in causes for other in one.get("same_as") or () if has(other)), None)):
        named = " and ".join(f"{column} = {value}" for column, value in twin["where"].items())
        return Result(CANNOT_TELL, finding.verdict, f"it cannot be told apart from {named}")
    return Result(PASSED if found != absent else FAILED, finding.verdict, finding.sentence)


def _of_query(outcome: str) -> str:
    found = _COMPARED.fullmatch(outcome) or _BETWEEN.fullmatch(outcome)
    if not found or found[1]:
        raise InputError(f"--expect {outcome[:60]}", "is no outcome of a query", "write '< 5', '= 0', '>= 5 %' or 'between 5 and 10'")
    return outcome.replace("==", "=")


def _of_analysis(name: str, outcome: str, zone: tzinfo, now: datetime) -> str:
    if name in _TIMED and (found := _WHEN.fullmatch(outcome)):
        def instant(text: str) -> str:
            moment = moments.moment(text, zone, now)
            if not isinstance(moment, datetime):
                raise InputError(f"--expect {text[:40]}", "is no instant", "write 14:02 or 2026-11-23T14:02:00Z")
            return str(times.iso(moment))
        if found[1]:
            return f"{found[1].lower()} {instant(found[2])}"
        return f"between {instant(found[4])} and {instant(found[5])}"
    if name == "scope" and (found := _SUBSET.fullmatch(outcome)):
        return f"{'no ' if found[1] else ''}subset {' and '.join(f'{k} = {v}' for k, v in _pairs(found[2]).items())}"
    if name in _NAMED and (found := re.fullmatch(r"names?\s+(.+)", outcome, re.IGNORECASE)):
        return f"names {found[1]}"
    if (found := _COMPARED.fullmatch(outcome) or _BETWEEN.fullmatch(outcome)) and found[1]:
        return outcome.replace("==", "=")
    known = {verdict.lower(): verdict for verdict in VERDICTS[name]}
    plain = outcome.lower()
    if plain in known:
        return known[plain]
    if plain.startswith("not ") and plain[4:] in known:
        return f"not {known[plain[4:]]}"
    raise InputError(f"--expect {outcome[:60]}", f"is no outcome of {name}", lines.nearest(plain, list(known)) + f" for example: {_example(name)}")


def _example(name: str) -> str:
    several = [f"'{verdict}'" for verdict in VERDICTS[name][:2]]
    several += ["'after 14:02'"] * (name in _TIMED) + ["'subset version = 4.18.0'"] * (name == "scope")
    several += ["'names TEXT'"] * (name in _NAMED) + ["'affected < 100'"] * (name == "users")
    return ", ".join(several)


def _pairs(text: str) -> dict[str, str]:
    found = {}
    for part in re.split(r"\s+and\s+(?=[^=]+=)", text):
        column, mark, value = part.partition("=")
        if not (mark and column.strip() and value.strip("= ")):
            raise InputError(f"--expect {text[:60]}", "is no subset", "write subset version = 4.18.0 and route = POST /orders")
        found[column.strip()] = value.strip("= ")
    return found


def _compared(expect: str, value: float) -> Result:
    shown = f"{100 * value:.4g} %" if "%" in expect else cell(value)
    if found := _BETWEEN.fullmatch(expect):
        right = _value(found[2]) <= value <= _value(found[3])
    elif found := _COMPARED.fullmatch(expect):
        right = _OPERATORS[found[2].replace("==", "=")](value, _value(found[3]))
    else:
        return Result(CANNOT_TELL, shown, f"{expect} is no outcome of a number")
    return Result(PASSED if right else FAILED, shown, f"{shown}, expected {expect}")


def _value(text: str) -> float:
    number = text.rstrip("% ")
    return float(number) / (100 if number != text.strip() else 1)


def _timed(when: re.Match[str], found: Any, finding: Finding) -> Result:
    moment = found if isinstance(found, datetime | Interval) else _read(found)
    if moment is None:
        return Result(CANNOT_TELL, finding.verdict, f"there is no such moment: {finding.sentence}")
    first, last = moments.bounds(moment)
    if when[1]:
        mark = times.parse(when[2])
        right, wrong = (first >= mark, last < mark) if when[1].lower() == "after" else (last <= mark, first > mark)
    else:
        begin, end = times.parse(when[4]), times.parse(when[5])
        right, wrong = begin <= first and last <= end, last < begin or first > end
    shown = f"{times.at(first)} – {times.at(last)}" if last > first else times.at(first)
    return Result(PASSED if right else FAILED if wrong else CANNOT_TELL, shown,
                  finding.sentence if right or wrong else f"it lies between {times.at(first)} and {times.at(last)}, too near to tell")


def _read(value: Any) -> datetime | Interval | None:
    try:
        return moments.from_json(value)
    except (ValueError, TypeError, KeyError):
        return None


def _first_named(name: str, finding: Finding) -> list[str]:
    """What an analysis puts first, each in one text."""
    key, fields = _NAMED[name]
    first = {"suspects": lambda one: one.get("rank") == 1, "services": lambda one: one.get("stands_out"),
             "routes": lambda one: True, "patterns": lambda one: one.get("new")}[name]
    several = list(finding.numbers.get(key, ()))[:finding.numbers.get("failing_routes") if name == "routes" else None]
    return [" ".join(str(one[field]) for field in fields if one.get(field)) for one in several if first(one)]


def _number_of(numbers: dict[str, Any], path: str) -> float | None:
    value: Any = numbers
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return float(value) if isinstance(value, int | float) else None
