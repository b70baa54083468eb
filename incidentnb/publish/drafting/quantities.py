"""Numbers with units in a text, and those that the record bears: a share, a count of users or requests, a time of day, a length."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from incidentnb import times
from incidentnb.publish.drafting import claims
from incidentnb.publish.drafting.claims import said
from incidentnb.publish.drafting.facts import _instant as instant_of
from incidentnb.record.incident import Incident

_USERS, _REQUESTS, _PART = "users", "requests", "requests of a part"
_UNITS = {**dict.fromkeys(("user", "users", "customer", "customers", "people", "visitor", "visitors", "account", "accounts", "member", "members",
                           "shopper", "shoppers"), _USERS),
          **dict.fromkeys(("request", "requests", "order", "orders", "call", "calls", "payment", "payments", "transaction", "transactions",
                           "checkouts", "searches", "failures", "errors"), _REQUESTS)}
_UNIT = rf"(?P<unit>{'|'.join(sorted(_UNITS, key=len, reverse=True))})\b"
_OF_FINDING = {"onset": _REQUESTS, "recovery": _REQUESTS, "scope": _REQUESTS, "routes": _REQUESTS, "users": _USERS}
_NUMBER = r"\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?"
_ROUGH = r"(?:(?P<rough>about|around|roughly|nearly|almost|over|approximately|more than|some|up to|close to) )?"
_OF = r"(?: of (?:all |the |our |these )*"
_PERCENT = said(rf"{_ROUGH}(?<![\w.,])(?P<n>\d{{1,3}}(?:[.,]\d+)?)\s*(?:%|per\s?cent\b){_OF}(?:\w+ )?{_UNIT})?")
_PAIR = said(rf"(?<![\w.,])(?P<a>{_NUMBER}) (?:out )?of (?:all |the |our )*(?P<b>{_NUMBER})(?![\w%]|\s*%)(?: (?:\w+ )?{_UNIT})?")
_COUNT = said(rf"{_ROUGH}(?<![\w.,:])(?P<n>{_NUMBER}) (?:\w+ )?{_UNIT}")
_TIME = re.compile(r"(?<![\d:.])(?:(?P<day>\d{4}-\d\d-\d\d)[ T])?(?P<h>[01]?\d|2[0-3]):(?P<m>[0-5]\d)(?::[0-5]\d)?(?P<z>\s?(?:Z|UTC|GMT))?(?![\d:])")
_LASTED = said(r"\b(?:lasted|for (?:about )?|took|duration(?: of)?|impact of)\s*(?:for |about )?((?:\d+\s*(?:d|days?|h|hours?|min|minutes?|s|"
               r"seconds?)\b[\s,and]*)+)")


@dataclass(frozen=True)
class Quantity:
    """A number in a text or in the record.

    Attributes:
        value: of a share 0 to 1, of a count the count.
        share: whether it is a share.
        unit: ``users``, ``requests`` (of all, or of a part), or empty where it is not said.
        slack: how far the true value may lie off, by its digits or by ``about``.
        words: as it stands in the text.
    """

    value: float
    share: bool
    unit: str = ""
    slack: float = 0.0
    words: str = ""


def quantities(text: str) -> Iterator[Quantity]:
    """Shares and counts with a unit in a text; plain numbers are none."""
    for match in _PERCENT.finditer(text):
        number = match["n"].replace(",", ".")
        digits = len(number.partition(".")[2])
        slack = max(0.5 * 10 ** -(digits + 2), 0.06 * float(number) / 100 if match["rough"] else 0.0)
        yield Quantity(float(number) / 100, True, _UNITS.get((match["unit"] or "").lower(), ""), slack + 1e-9, match[0].strip())
    for match in _PAIR.finditer(text):
        unit = _UNITS.get((match["unit"] or "").lower(), "")
        yield from (Quantity(float(match[name].replace(",", "")), False, unit, 0.0, match[0].strip()) for name in ("a", "b"))
    for match in _COUNT.finditer(_PAIR.sub(" ", text)):
        value = float(match["n"].replace(",", ""))
        yield Quantity(value, False, _UNITS[match["unit"].lower()], 0.06 * value if match["rough"] else 0.0, match[0].strip())


def borne(incident: Incident) -> list[Quantity]:
    """The shares and counts that the record bears now: the last finding of each name, and what people wrote down and did."""
    found: list[Quantity] = []
    for name in {str(entry.body.get("name")) for entry in incident.findings}:
        entry = incident.finding(name)
        if entry is not None:
            told = quantities(f"{entry.body.get('sentence', '')} {entry.body.get('why', '')}")
            unit = _PART if (name, entry.body.get("verdict")) == ("scope", "subset") else _OF_FINDING.get(name, "")
            found += [replace(one, unit=unit) if one.share and not one.unit else one for one in told]
            found += _numbers(name, entry.body.get("numbers") or {})
    for text in written(incident):
        found += quantities(text)
    return found


def written(incident: Incident) -> Iterator[str]:
    """What people wrote down: the title, notes, what was done, decided, seen and supposed; no messages that were sent before."""
    keys = {"note": ("text",), "mitigation": ("what", "expected", "undo"), "effect": ("effect",), "decision": ("decision", "why"),
            "hypothesis": ("claim",), "opened": ("title",), "severity": ("why",), "milestone": ("source",), "status": ("why",)}
    for entry in incident.standing:
        yield from (str(entry.body[key]) for key in keys.get(entry.kind, ()) if entry.body.get(key))


def stray(text: str, known: Iterable[Quantity]) -> Iterator[str]:
    """The shares and counts of a text that are none of the known ones, as they stand there."""
    known = list(known)
    for one in dict.fromkeys(quantities(text)):
        if not any(same(one, other) for other in known):
            yield one.words


def same(one: Quantity, other: Quantity) -> bool:
    """Whether two may be the same: both shares or both counts, no units that differ, values within what their digits allow."""
    return (one.share == other.share and abs(one.value - other.value) <= max(one.slack, other.slack)
            and (not one.unit or not other.unit or one.unit == other.unit))


def _numbers(name: str, numbers: Mapping[str, Any]) -> Iterator[Quantity]:
    if name == "users" and numbers.get("total"):
        yield from _counts(numbers, _USERS, "affected", "total")
        yield Quantity(numbers["affected"] / numbers["total"], True, _USERS)
    elif name == "scope":
        for subset in numbers.get("subsets") or []:
            if subset.get("cause"):
                yield from _counts(subset, _REQUESTS, "failed", "total")
                shares = _shares(subset, "rate_inside", "rate_outside", "rate_before", "share_of_failures", "share_of_traffic")
                yield from (replace(one, unit=_PART) for one in shares)
                yield from _counts(subset.get("users") or {}, _USERS, "affected", "total")
    elif name in ("onset", "recovery"):
        yield from _counts(numbers, _REQUESTS, "failed", "requests", "failing")
        yield from _shares(numbers.get("rate") if isinstance(numbers.get("rate"), Mapping) else numbers, "baseline", "during", "rate", "upper")
    elif name == "routes":
        for route in numbers.get("routes") or []:
            yield from _counts(route, _REQUESTS, "failed", "total")
            yield from _shares(route, "rate_before", "rate_during")


def _counts(numbers: Mapping[str, Any], unit: str, *keys: str) -> Iterator[Quantity]:
    yield from (Quantity(float(numbers[key]), False, unit) for key in keys if isinstance(numbers.get(key), int | float))


def _shares(numbers: Mapping[str, Any], *keys: str) -> Iterator[Quantity]:
    yield from (Quantity(float(numbers[key]), True, _REQUESTS) for key in keys if isinstance(numbers.get(key), int | float))


def stray_times(text: str, incident: Incident, now: datetime, more: Iterable[datetime] = ()) -> Iterator[tuple[str, bool]]:
    """Times of day that the record does not know, and whether each is a promised update that is over; in an update later times are free."""
    known = {_minute(moment) for moment in (*_moments(incident), *more, now)}
    spoken = {match[0] for one in written(incident) for match in _TIME.finditer(one)}
    for sentence in claims.sentences(text):
        update = claims.promised_update(sentence)
        for match in _TIME.finditer(sentence):
            meant = _meant(match, incident, now)
            if meant is None or match[0] in spoken:
                continue
            if update and min(meant, key=lambda moment: abs(moment - now)) >= now - timedelta(minutes=1):
                continue
            if not any(_minute(moment) in known for moment in meant):
                yield match[0], update
            elif update:
                yield match[0], True


def known_time(words: str, incident: Incident, now: datetime) -> bool:
    """Whether a time of day is one that the record knows and that is not to come."""
    known = {_minute(moment) for moment in (*_moments(incident), now) if moment <= now}
    match = _TIME.search(words)
    meant = _meant(match, incident, now) if match else None
    return bool(meant) and any(_minute(moment) in known for moment in meant)


def stray_lengths(text: str, incident: Incident) -> Iterator[str]:
    """Lengths of the impact that are none of those that the milestones give."""
    known = [metric.value for metric in incident.metrics.values() if metric.value is not None]
    spoken = " ".join(written(incident))
    for match in _LASTED.finditer(text):
        try:
            length = sum((times.duration(part) for part in re.findall(r"\d+\s*[a-z]+", match[1], re.IGNORECASE)), timedelta(0))
        except ValueError:
            continue
        if known and match[1].strip() not in spoken and not any(abs(length - one) <= max(timedelta(minutes=1), 0.05 * one) for one in known):
            yield match[0].strip()


def _moments(incident: Incident) -> Iterator[datetime]:
    yield incident.opened_at
    yield from (m.at for m in incident.milestones.values() if m.at)
    for segment in (*incident.severities, *incident.statuses):
        yield segment.start
    for one in (*incident.mitigations, *incident.decisions, *incident.posts):
        yield one.at
    yield from (post.due for post in incident.posts if post.due)
    yield from (effect["at"] for one in incident.mitigations for effect in one.effects)
    for entry in incident.findings:
        if incident.finding(str(entry.body.get("name"))) is entry:
            yield from _within(entry.body.get("numbers"))


def _within(value: Any) -> Iterator[datetime]:
    """Every instant in the numbers of a finding."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            if key not in ("changes", "patterns", "window_start", "window_end"):
                yield from _within(part)
    elif isinstance(value, list):
        for part in value:
            yield from _within(part)
    elif isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value) and (found := instant_of(value)):
        yield found


def _meant(match: re.Match[str], incident: Incident, now: datetime) -> list[datetime] | None:
    """The instants that a time of day may mean: of the day named, else of the days around now."""
    zone = UTC if (match["z"] or "").strip() else incident.zone
    base = now.astimezone(zone)
    try:
        days = [datetime.fromisoformat(match["day"]).date()] if match["day"] else [(base + timedelta(days=n)).date() for n in (-1, 0, 1)]
        return [datetime(day.year, day.month, day.day, int(match["h"]), int(match["m"]), tzinfo=zone).astimezone(UTC) for day in days]
    except ValueError:
        return None


def _minute(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)
