"""The check of a draft before a person sends it: what promises too much, tells too much, or says what the record does not bear.

It reads any text, also one that a person has edited. In what goes out to everybody (``drafts.PUBLIC``) most of it refuses; among colleagues it flags.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from incidentnb import sinks, times
from incidentnb.publish import redaction
from incidentnb.publish.drafting import claims, quantities, scope_claims
from incidentnb.publish.drafting.claims import said
from incidentnb.record import hypotheses
from incidentnb.record.incident import Incident

if TYPE_CHECKING:
    from incidentnb.record.team import Team

PUBLIC = ("status-page", "stakeholders")
_FOUND = said(r"\b(?:identified|pinpointed|isolated|located|found|discovered|determined|established|understood|traced|tracked down|know|knows|"
              r"known|clear)\b"
              r"[^.;]{0,40}\b(?:cause|causes|issues?|problem|source|root|fault|reason|culprit|what|why)\b|\b(?:cause|issue|problem|source|root|"
              r"fault|reason|"
              r"culprit)\b[^.;]{0,30}\b(?:identified|pinpointed|isolated|located|found|discovered|determined|established|understood|known|clear)\b")
_NOT = said(r"\b(?:not|n't|never|no|nothing|nobody|yet to|until|unless|once|when|as soon as|if|whether|before|trying to|working to)\b")
_DONE = said(r"\b(?:we|team|engineers?) (?:have |has )?(?:now |just )?(?:resolved|fixed|solved|repaired)\b|\b(?:is|are|was|were|has been|have been|"
             r"now|fully|completely) (?:now |fully )?(?:resolved|over|fixed|solved|closed)\b|^\W*resolved\b|"
             r"\b(?:everything|all (?:systems|services|requests))\b[^.]{0,30}\b(?:back|normal|again|operational)|\bback to normal\b")
_IN_PLACE = said(r"\b(?:fix|patch|change|remedy|workaround) (?:is|has been|was) (?:now )?(?:in place|applied|deployed|implemented|rolled out|"
                 r"released|live)|\bfix has been in place|\bmonitoring the (?:fix|results?|recovery)")
_LOOKING = said(r"\b(?:we|team|engineers?) (?:are|is) (?:still |currently |now |actively )*(?:investigating|looking into|look into)|"
                r"\bcontinues? to (?:investigate|look)|\bunder investigation\b|"
                r"\bcontinue to investigate|\bstill (?:investigating|failing|down|broken|affected|under investigation)")
_WORKING = said(r"\b(?:working|work) on (?:a|the) fix|\bfix is (?:under way|being)|\bwatching closely|\bwe are (?:still )?monitoring|\bnext update\b")
_SLACK_NAME, _TEAMS_NAME = re.compile(r"#[a-z0-9][a-z0-9_-]{0,78}"), re.compile(r"[^~#%&*{}+/\\:<>?|'\"._\s][^~#%&*{}+/\\:<>?|'\"\n]{0,49}")
_BLANK = re.compile(r"\[[a-z][^\[\]\n]{2,120}\](?!\()")


@dataclass(frozen=True)
class Flag:
    """Something that the check found.

    Attributes:
        code: ``repair-time``, ``host``, ``internal-id``, ``cause``, ``identified-early``, ``scope``, ``number``, ``time``, ``next-update``,
            ``state``, ``secret``, ``blank`` or ``channel-name``.
        what: what is wrong, in a sentence.
        where: the words that it is about; empty where it is about the whole.
        level: ``refuse`` (it must not go out so) or ``flag`` (a person should look).
    """

    code: str
    what: str
    where: str = ""
    level: str = "flag"

    def as_json(self) -> dict[str, str]:
        """The flag as an object."""
        return {"code": self.code, "what": self.what, "where": self.where, "level": self.level}


def check(text: str, incident: Incident, kind: str, *, state: str = "", now: datetime | None = None, team: Team | None = None,
          hosts: Iterable[str] = (), next_update: datetime | None = None, generated: bool = False) -> list[Flag]:
    """Everything that is wrong with a draft of a kind, held against the record.

    Args:
        text: the draft, as it was made or as a person edited it.
        incident: the record.
        kind: one of ``drafts.KINDS``.
        state: of a status page; by default the status of the incident.
        now: when it is to be sent.
        team: the team file, for its hosts and redaction rules.
        hosts: more names that must not go out.
        next_update: a promised next update that is not on the record yet.
        generated: whether it came out of a template, whose blanks are listed elsewhere.

    Returns:
        The flags, those that refuse first; each pair of code and words once.
    """
    now = now or incident.as_of or times.now()
    state = state or incident.status
    body = _body(text)
    found = list(_secrets(body, kind, team))
    if kind == "channel":
        found += _channel_name(text.strip(), team)
    if not generated:
        found += [Flag("blank", "a blank that nobody filled", match[0]) for match in _BLANK.finditer(body)]
    if kind in PUBLIC:
        found += [Flag(code, f"{what} that nobody outside needs", words) for code, what, words in claims.internals(body, incident, team, hosts)]
    if kind in (*PUBLIC, "first", "resolution"):
        spoken = body if kind in PUBLIC else _without_quotes(body, incident)
        told = [sentence for sentence in claims.sentences(spoken) if sentence]
        found += [*_claims(told, incident, kind, state, now), *_states(told, incident, kind, state), *scope_claims.check(told, incident, Flag),
                  *_numbers(spoken, incident, now, [next_update] if next_update else [])]
    owed = kind == "first" or (kind == "status-page" and state != "resolved") or (kind in ("stakeholders", "can") and incident.status != "resolved")
    if owed and not any(claims.promised_update(sentence) for sentence in claims.sentences(_BLANK.sub("", body))):
        found.append(Flag("next-update", "it does not say when the next update comes"))
    return _levelled(found, kind)


def _levelled(found: Iterable[Flag], kind: str) -> list[Flag]:
    soft = ("next-update", "number", "time", "blank")
    known = {}
    for flag in found:
        level = "refuse" if flag.code in ("secret", "channel-name") or (kind in PUBLIC and flag.code not in soft) else "flag"
        shown = Flag(flag.code, sinks.terminal(flag.what, 200), sinks.terminal(" ".join(flag.where.split()), 120), level)
        known.setdefault((shown.code, shown.where), shown)
    return sorted(known.values(), key=lambda flag: flag.level != "refuse")


def _body(text: str) -> str:
    """The text without the lines that say to whom it goes."""
    return "\n".join(line for line in text.splitlines() if not re.match(r"(?:to|cc|bcc):", line, re.IGNORECASE)).replace("\u2060", "")


def _secrets(body: str, kind: str, team: Team | None) -> Iterator[Flag]:
    audience = {"status-page": "public", "stakeholders": "customer"}.get(kind, "internal")
    _, counts = redaction.redact(body, audience=audience, extra=redaction.rules_of(team.redaction) if team else ())
    yield from (Flag("secret", f"{number} that must not go out: {name}", name) for name, number in counts.items())
    yield from (Flag("secret", "a value that was hidden; say it otherwise", match[0]) for match in re.finditer(r"⟦[a-z0-9]+:\w+⟧", body))


def _coming(words: str, incident: Incident, now: datetime) -> bool:
    """Whether a time of day in a text is later than now, as far as it can be told: a time that the record knows is not."""
    return not quantities.known_time(words, incident, now)


def _claims(told: list[str], incident: Incident, kind: str, state: str, now: datetime) -> Iterator[Flag]:
    missing = hypotheses.why_not(incident.hypotheses)
    for sentence in told:
        if words := claims.repair_promise(sentence, lambda words: _coming(words, incident, now)):
            yield Flag("repair-time", "promises when it will be repaired", words)
        if words := claims.cause(sentence):
            if missing:
                yield Flag("cause", f"names a cause; the record bears none: {missing}", sentence)
            elif not _same_cause(sentence, incident):
                yield Flag("cause", "names another cause than the one that the record bears", sentence)
        if missing and not _identified(incident) and _FOUND.search(sentence) and not _NOT.search(sentence):
            yield Flag("identified-early", f"says that it is identified; the record does not: {missing}", sentence)
    if kind == "status-page" and state == "identified" and missing and not _identified(incident):
        yield Flag("identified-early", f"the state identified is not borne yet: {missing}, and nobody set the status")


def _identified(incident: Incident) -> bool:
    """Whether a person said so: the status since the incident was (last) being investigated."""
    return incident.status in ("identified", "monitoring", "resolved")


def _same_cause(sentence: str, incident: Incident) -> bool:
    if _KNOWN.search(sentence):
        return True
    claim = _content(f"{incident.root_cause} {incident.title}")
    return bool((_content(sentence) & claim) - _content(incident.title)) or not _content(sentence) - _content(incident.title) - _EMPTY


_KNOWN = said(r"\bcause\b[^.]{0,40}\b(?:is|has been|was) (?:now )?(?:known|identified|found|understood|established|clear)")
_EMPTY = {"cause", "caused", "root", "because", "incident", "problem", "issue", "this", "that", "been", "have", "with", "were", "from", "triggered",
          "result", "into"}


def _content(text: str) -> set[str]:
    return {word for word in re.findall(r"[a-z0-9][a-z0-9.-]{3,}", text.lower().replace(".", " ")) if word not in _EMPTY}


def _states(told: list[str], incident: Incident, kind: str, state: str) -> Iterator[Flag]:
    """Words of another state than the draft's."""
    current = state if kind == "status-page" else "resolved" if kind == "resolution" else incident.status
    wrong = {"investigating": ((_DONE, "resolved"), (_IN_PLACE, "monitoring")), "identified": ((_DONE, "resolved"), (_IN_PLACE, "monitoring")),
             "monitoring": ((_DONE, "resolved"), (_LOOKING, "investigating")), "resolved": ((_LOOKING, "investigating"), (_WORKING, "not resolved"))}
    recovered = (found := incident.finding("recovery")) is not None and found.body.get("verdict") == "recovered"
    if current == "resolved" and incident.milestones["resolved"].at is None and not recovered:
        yield Flag("state", "says resolved; neither a finding nor a person says that it is over")
    for sentence in told:
        if _NOT.search(sentence):
            continue
        for pattern, says in wrong.get(current, ()):
            if match := pattern.search(sentence):
                yield Flag("state", f"says {says} where the state is {current}", match[0])
        if current == "investigating" and _identified(incident) and _FOUND.search(sentence):
            yield Flag("state", f"says identified where the state is {current}", sentence)


def _numbers(text: str, incident: Incident, now: datetime, more: list[datetime]) -> Iterator[Flag]:
    current = quantities.borne(incident)
    former = [(entry.seq, quantity) for entry in incident.findings if incident.finding(str(entry.body.get("name"))) is not entry
              for quantity in quantities.quantities(str(entry.body.get("sentence", "")))]
    for words in quantities.stray(text, current):
        value = next(quantities.quantities(words), None)
        old = next((seq for seq, one in former if value and quantities.same(value, one)), None)
        yield Flag("number", f"was so in entry #{old}, and is not any more" if old else "is in no finding and in no entry", words)
    for words, update in quantities.stray_times(text, incident, now, more):
        yield Flag("time", "promises an update for a time that is over" if update else "is a time that the record does not know", words)
    yield from (Flag("number", "is no length that the milestones give", words) for words in quantities.stray_lengths(text, incident))


def _without_quotes(body: str, incident: Incident) -> str:
    """Text without what the record says word for word: among colleagues that may be quoted."""
    told = [str(entry.body.get("sentence", "")) for entry in incident.findings] + list(quantities.written(incident))
    for quote in sorted({" ".join(one.split()).rstrip(" .;,") for one in told if len(one) > 12}, key=len, reverse=True):
        body = body.replace(quote, "…")
    return body


def _channel_name(name: str, team: Team | None) -> Iterator[Flag]:
    teams = bool(team) and team.channels.get("chat", "").lower() == "teams"
    if not (_TEAMS_NAME if teams else _SLACK_NAME).fullmatch(name):
        yield Flag("channel-name", f"no name for a channel of {'Teams' if teams else 'Slack'}", name)


def as_json(flags: Iterable[Flag]) -> list[dict[str, Any]]:
    """Flags as objects."""
    return [flag.as_json() for flag in flags]
