"""What a draft may say: small pieces of text out of the record, each of which knows the entries that it rests on.

Text of people and of logs becomes a ``Fact`` in one function, ``Facts.fact``: secrets hidden, made inert, one line. A fact carries an invisible
mark with the numbers of its entries, so that a sentence knows what it rests on whatever the wording around it is (``wording.sentences``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from incidentnb import sinks, times
from incidentnb.publish import redaction
from incidentnb.publish.style import percent
from incidentnb.record import moments
from incidentnb.record.incident import Incident
from incidentnb.record.lines import Entry

# Columns whose values anybody may read; the last part of a nested name counts.
PUBLIC_COLUMNS = {"region": "region", "country": "country", "platform": "platform", "device": "device", "browser": "browser", "os": "system",
                  "language": "language", "locale": "language", "plan": "plan", "product": "product", "payment_method": "payment method"}
QUESTIONS = ("onset", "volume", "latency", "routes", "scope", "users", "patterns", "services", "suspects", "recovery", "severity")
_PLAIN_VALUE = re.compile(r"[\w][\w .+-]{0,39}")


@dataclass(frozen=True)
class Fact:
    """A piece of text and the numbers of the entries that it rests on; false where there is none. As text it carries its mark."""

    text: str = ""
    rests_on: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.text)

    def __str__(self) -> str:
        return f"{self.mark}{self.text}"

    @property
    def mark(self) -> str:
        """The mark alone: for a sentence that holds because of the fact without printing it."""
        return f"\x02{','.join(map(str, self.rests_on))}\x03"


@dataclass(frozen=True)
class Facts:
    """The facts of one incident at one instant, for one audience.

    Attributes:
        incident: the record.
        now: as of when the draft speaks.
        audience: whose eyes it is for, as ``redaction`` knows them.
        rules: redaction rules of the team.
        names: what was hidden so far, value → pseudonym.
        key: of the incident's pseudonyms, where it has one.
    """

    incident: Incident
    now: datetime
    audience: str = "internal"
    rules: tuple[redaction.Rule, ...] = ()
    names: dict[str, str] = field(default_factory=dict)
    key: bytes | None = None

    def fact(self, text: object, *rests_on: int | None, limit: int = 300) -> Fact:
        """Text of people or logs as a fact: secrets hidden, inert in a message, one line."""
        hidden, _ = redaction.redact(str(text or ""), audience=self.audience, names=self.names, key=self.key, extra=self.rules)
        return Fact(sinks.message(hidden, limit), tuple(dict.fromkeys(seq for seq in rests_on if seq is not None)))

    def phrase(self, text: object, *rests_on: int | None, limit: int = 300) -> Fact:
        """A fact without the full stop at its end, to stand inside a sentence."""
        made = self.fact(text, *rests_on, limit=limit)
        return Fact(made.text.rstrip(" .;,"), made.rests_on)

    def sentence(self, text: object, *rests_on: int | None, limit: int = 500) -> Fact:
        """A fact that is a sentence of its own: it ends like one."""
        made = self.fact(text, *rests_on, limit=limit)
        return Fact(made.text if made.text.endswith((".", "!", "?", "…")) else f"{made.text}.", made.rests_on) if made else made

    def name(self, text: str, *rests_on: int | None) -> Fact:
        """The name of a channel or folder, which was made of a title: hidden as a whole where that held a secret."""
        _, counts = redaction.redact(re.sub(r"[-_]", " ", text), audience="internal", names={}, extra=self.rules)
        return self.phrase("(its name is hidden)" if counts else text, *rests_on, limit=90)

    def clock(self, moment: datetime | None, *rests_on: int | None) -> Fact:
        """An instant for a sentence, to the minute in the zone of the incident, with the day where it is another than today."""
        if moment is None:
            return Fact()
        local, today = moment.astimezone(self.incident.zone), self.now.astimezone(self.incident.zone).date()
        text = f"{local:%H:%M %Z}" if local.date() == today else f"{local:%Y-%m-%d %H:%M %Z}"
        return Fact(text, tuple(seq for seq in rests_on if seq is not None))

    def finding(self, name: str, *verdicts: str) -> Entry | None:
        """The last finding of a name, if its verdict is one of these; without any, unless it cannot tell."""
        found = self.incident.finding(name)
        if found is None or (verdicts and found.body.get("verdict") not in verdicts):
            return None
        return found if verdicts or found.body.get("verdict") != "cannot tell" else None

    def said(self, name: str, *verdicts: str, limit: int = 500) -> Fact:
        """The sentence of the last finding of a name."""
        found = self.finding(name, *verdicts)
        text = str(found.body.get("sentence") or "") if found else ""
        if len(text) > limit and "; " in text[:limit]:
            text = text[:limit].rpartition("; ")[0]
        return self.sentence(text, found.seq, limit=limit) if found else Fact()


def basics(facts: Facts) -> dict[str, Any]:
    """Title, severity, status, people, the next promised updates, and the times that any draft may name."""
    incident = facts.incident
    opened = next(entry.seq for entry in incident.standing if entry.kind == "opened")
    severity, status, ic = incident.severities[-1], incident.statuses[-1], next(r for r in reversed(incident.roles) if r.role == "ic")
    started, resolved, mitigated = (incident.milestones[name] for name in ("started", "resolved", "mitigated"))
    scheduled = next((e for e in reversed(incident.standing) if e.kind == "postmortem"), None)
    return {
        "title": facts.phrase(incident.title, opened, limit=150), "severity": Fact(severity.value, (severity.seq,)),
        "severity_since": facts.clock(severity.start, severity.seq), "status": Fact(status.value, (status.seq,)),
        "status_since": facts.clock(status.start, status.seq), "ic": facts.phrase(ic.person, ic.seq, limit=60),
        "ic_since": facts.clock(ic.start, ic.seq), "channel": facts.name(incident.channel, opened),
        "folder": facts.name(incident.id), "now": Fact(f"{facts.now.astimezone(incident.zone):%Y-%m-%d %H:%M %Z}"),
        "since": facts.clock(started.at, started.seq),
        "started": facts.phrase(_span(started.moment, facts), started.seq), "mitigated": facts.clock(mitigated.at, mitigated.seq),
        "resolved": facts.clock(resolved.at, resolved.seq),
        "lasted": Fact(times.spell(resolved.at - started.at), tuple(dict.fromkeys(s for s in (started.seq, resolved.seq) if s)))
        if started.at and resolved.at and resolved.at >= started.at else Fact(),
        "review": facts.phrase(scheduled.body.get("date"), scheduled.seq) if scheduled else Fact(),
        "review_by": facts.phrase(scheduled.body.get("owner"), scheduled.seq, limit=60) if scheduled else Fact(),
        "reviewed": int(incident.peak_severity[-1]) <= 2,
    }


def impact(facts: Facts) -> dict[str, Any]:
    """Who and what is hit, in words for anybody: rates, users, and the scope where its columns are no business secrets."""
    found: dict[str, Any] = dict.fromkeys(("rate_before", "rate_during", "impact_ended", "users_hit", "users_seen", "users_share", "everyone",
                                           "subset", "part", "slower", "fewer", "over_since", "again_normal"), Fact())
    if onset := facts.finding("onset", "spike"):
        rate, seq = onset.body.get("numbers", {}).get("rate") or {}, onset.seq
        if isinstance(rate.get("during"), float | int) and isinstance(rate.get("baseline"), float | int):
            found["rate_before"], found["rate_during"] = Fact(percent(rate["baseline"]), (seq,)), Fact(percent(rate["during"]), (seq,))
        found["impact_ended"] = facts.clock(_instant(onset.body.get("numbers", {}).get("end")), seq)
    for name, verdict, key, text in (("latency", "slower", "slower", "slower than usual"), ("volume", "drop", "fewer", "fewer than usual")):
        if entry := facts.finding(name, verdict):
            found[key] = Fact(text, (entry.seq,))
    users = facts.finding("users", "counted")
    numbers = users.body.get("numbers", {}) if users else {}
    if users and numbers.get("by") == "user" and numbers.get("affected") and numbers.get("total"):
        found |= {"users_hit": Fact(f"{numbers['affected']:,}", (users.seq,)), "users_seen": Fact(f"{numbers['total']:,}", (users.seq,)),
                  "users_share": Fact(percent(numbers["affected"] / numbers["total"]), (users.seq,))}
    found |= _scope(facts)
    if recovery := facts.finding("recovery", "recovered"):
        found["over_since"] = facts.clock(_instant(recovery.body.get("numbers", {}).get("since")), recovery.seq)
    return found


def _scope(facts: Facts) -> dict[str, Fact]:
    scope = facts.finding("scope", "everyone", "subset")
    if scope is None:
        return {}
    if scope.body["verdict"] == "everyone":
        return {"everyone": Fact("everyone", (scope.seq,))}
    causes = [subset.get("where") or {} for subset in scope.body.get("numbers", {}).get("subsets", []) if subset.get("cause")]
    named = [_named(where) for where in causes]
    if named and all(named):
        return {"subset": facts.phrase(" and ".join(str(one) for one in named), scope.seq)}
    return {"part": Fact("part", (scope.seq,))}


def _named(where: Mapping[str, Any]) -> str:
    """A subset in words for anybody, ``the region eu-west-1``; empty where a column or value is nobody's business outside."""
    parts = []
    for column, value in where.items():
        word = PUBLIC_COLUMNS.get(str(column).lower().rsplit(".", 1)[-1])
        if word is None or not isinstance(value, str) or not _PLAIN_VALUE.fullmatch(value):
            return ""
        parts.append(f"the {word} {value}")
    return " with ".join(parts)


def narrated(facts: Facts) -> list[Fact]:
    """The sentence of the last finding of each question, in the runbook's order."""
    last = {str(entry.body.get("name")): entry for entry in facts.incident.findings}
    order = [*QUESTIONS, *(name for name in last if name not in QUESTIONS)]
    return [facts.sentence(last[name].body.get("sentence"), last[name].seq, limit=700) for name in order if name in last]


def grounds(entries: Sequence[Entry], rests_on: Iterable[int]) -> tuple[str, ...]:
    """The ids of entries by their numbers, each once, in the order of the journal."""
    wanted = set(rests_on)
    return tuple(entry.id for entry in entries if entry.seq in wanted)


def _instant(value: Any) -> datetime | None:
    try:
        return moments.best(moments.from_json(value))
    except (ValueError, TypeError):
        return None


def _span(moment: Any, facts: Facts) -> str:
    """A moment with the interval that it is known to lie in."""
    if moment is None:
        return ""
    best = facts.clock(moments.best(moment)).text
    first, last = (facts.clock(end).text for end in moments.bounds(moment))
    return best if first == last else f"{best} (between {first} and {last})"
