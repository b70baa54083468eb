"""What a change shares with what fails: its version, its service, the values that it names, the files that it touches, the messages."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from incidentnb.evidence.changes import Change

# bits: how much likelier a change is to be the one, once it is seen to share this with what fails (log2 of a likelihood ratio)
VERSION, NAMES, ROUTE, COLUMN, SERVICE, LOGS, PART, WORDS, MOST = 7.0, 5.0, 4.0, 4.0, 4.0, 2.0, 1.5, 1.5, 8.0
UNTIED, ELSEWHERE, NOT_LIVE = -2.0, -3.5, -5.0  # shares nothing with a known subset; speaks of another one; went to no live system
COMMON_ABOVE, COMMON_FROM = 0.5, 8  # a word that more than half of at least eight changes use tells none from another
_VERSION = re.compile(r"(version|release|build|revision|image|tag|deployment|commit|sha)", re.IGNORECASE)
_SERVICE = re.compile(r"(^|[._-])(service|servicename|service_name|app|application|component)([._-]?name)?$", re.IGNORECASE)
_ROUTE = re.compile(r"(route|path|url|uri|endpoint|logger|operation|handler|method|rpc|resource|source)", re.IGNORECASE)
_HOST = re.compile(r"(host|node|instance|pod|machine|server)", re.IGNORECASE)
_NOT_LIVE = re.compile(r"(stag(e|ing)?|dev(elop(ment)?)?|test(ing)?|qa|uat|preview|sandbox|local|integration|pre-?prod(uction)?|ci)\b", re.IGNORECASE)
_TLS = re.compile(r"\b(certificate|certificates|x509|tls|ssl|handshake)\b", re.IGNORECASE)
_COMMON = frozenset(re.findall("[a-z]+", """
    the and for from with true false none null get post put delete patch head options api app web http https www com net org
    service prod production default new main master release version deploy log src lib index home id of in on to at by is it as or an be no
    not all us error failed failure exception cannot read write property undefined unexpected invalid request response value data code type
    server client message while during after before could does did this that has have was were"""))


@dataclass(frozen=True)
class Ties:
    """What ties a change to what fails: bits for it (negative: against), and the reasons in words."""

    bits: float
    words: tuple[str, ...] = ()
    against: str = ""
    versioned: bool = False


@dataclass(frozen=True)
class _Condition:
    column: str
    value: str
    words: tuple[str, ...]  # those that must all be there
    telling: tuple[str, ...]  # those of which one alone says something
    phrases: tuple[str, ...]  # one of which must stand there as it is; none for a route, whose parts may lie apart
    name: tuple[str, ...]  # the words of the column
    sort: str  # version, service, route, value


def tokens(text: str) -> list[str]:
    """The words of a text in lower case, parts of camelCase apart, without a plural s."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    return [w[:-1] if len(w) > 3 and w.endswith("s") and not w.endswith("ss") else w for w in re.findall(r"[a-z0-9]+", apart.lower())]


def ties(changes: Sequence[Change], wheres: Sequence[Mapping[str, Any]], *, services: Collection[str] = (),
         others: Mapping[str, Collection[str]] | None = None, messages: Iterable[str] = ()) -> list[Ties]:
    """What each change shares with the failing subset, in the order given; linear in their text.

    Args:
        changes: those that may be candidates; words that most of them use count for none.
        wheres: the descriptions of the failing subset, column → value; empty for everyone.
        services: those that the logs are of, where they say so.
        others: the values of the subset's columns that do not fail.
        messages: patterns that are new since the onset.
    """
    messages = list(messages)
    conditions = [[_condition(column, value) for column, value in where.items()] for where in wheres]
    said = list(dict.fromkeys(w for text in messages for w in tokens(text) if len(w) > 3 and w.isalpha() and w not in _COMMON))[:40]
    wanted = {w for group in conditions for c in group for w in (*c.words, *c.telling, *c.name)} | set(said)
    seen = [_present(change, frozenset(wanted)) for change in changes]
    often = _often(seen) if len(changes) >= COMMON_FROM else frozenset()
    elsewhere = _other_values(wheres, others or {})
    speaks_of_tls = any(_TLS.search(text) for text in messages)
    known = sorted({s.lower() for s in services if s})
    found = []
    for change, present in zip(changes, seen, strict=True):
        mine = _shared(change, conditions, present, often, known)
        mine = _said(change, mine, [w for w in said if w in present and w not in often], speaks_of_tls)
        against = _against(change, conditions, elsewhere) if mine.bits < SERVICE else ""
        mine = _of_the_logs(change, mine, known) if mine.bits < SERVICE and not against else mine
        against = against or mine.against
        bits = min(mine.bits, MOST) or (UNTIED if wheres else 0.0)
        if against:
            bits = ELSEWHERE if wheres else ELSEWHERE - UNTIED
        if live := _environment(change, conditions):
            bits, against = min(bits, 0.0) + NOT_LIVE, live
        found.append(Ties(bits, mine.words, against, mine.versioned and not against))
    return found


def _shared(change: Change, conditions: Sequence[Sequence[_Condition]], words: frozenset[str], often: frozenset[str],
            services: Sequence[str]) -> Ties:
    """The conditions that a change meets: their bits added up within one description, the best description counts."""
    best, told, versioned = 0.0, [], False
    for group in conditions:
        points = 0.0
        for condition in group:
            got, why, exact = _met(change, condition, words, often, services)
            points, versioned = points + got, versioned or exact
            told += [why] if why else []
        best = max(best, points)
    whole = [why for why in told if not why.startswith("mentions ")]
    return Ties(best, tuple(dict.fromkeys(whole or told)), versioned=versioned)


def _said(change: Change, mine: Ties, hits: list[str], speaks_of_tls: bool) -> Ties:
    """Words that a change has in common with the messages that are new; a certificate where they speak of certificates."""
    hits = [w for w in hits if not any(w in reason for reason in mine.words)]
    bits, told = mine.bits, list(mine.words)
    if speaks_of_tls and change.kind == "certificate":
        bits, told = bits + COLUMN, [*told, "the new messages speak of certificates"]
    elif hits:
        bits, told = bits + WORDS * min(2, len(hits)), [*told, f"the new messages say {', '.join(hits[:3])} too"]
    return Ties(bits, tuple(told), versioned=mine.versioned)


def _of_the_logs(change: Change, mine: Ties, services: Sequence[str]) -> Ties:
    """A change of the one service that the logs are of; one of a service that they are not of speaks of something else."""
    if not services or not change.service:
        return mine
    same = any(_same_service(change.service, s) for s in services)
    if same and len(services) == 1:
        return Ties(mine.bits + LOGS, (*mine.words, f"same service as the logs ({change.service[:60]})"), versioned=mine.versioned)
    if not same and not mine.bits:
        return Ties(0.0, mine.words, "another service than that of the logs" if len(services) == 1 else "none of the services in the logs")
    return mine


def _environment(change: Change, conditions: Sequence[Sequence[_Condition]]) -> str:
    name = str(change.details.get("environment") or "")
    failing = {c.value.lower() for group in conditions for c in group}
    return f"to {name[:60]}, no live system" if _NOT_LIVE.match(name) and name.lower() not in failing else ""


def _condition(column: str, value: Any) -> _Condition:
    text = "" if value is None else str(value)
    sort = "version" if _VERSION.search(column) else "service" if _SERVICE.search(column) else "route" if _ROUTE.search(column) else "value"
    every = [] if text.lower() in ("true", "false", "none", "on", "off", "yes", "no") or not re.search("[a-zA-Z]", text) else tokens(text)
    label = text.split(".")[0].rpartition("/")[2] if column == "source" or _HOST.search(column) else ""  # web-05 of web-05.shop.log
    phrases = [" ".join(tokens(part)) for part in (text, label) if len(part) > 2 and re.search("[a-zA-Z]", part)]
    telling = [w for w in (tokens(label) if label else every) if w not in _COMMON and len(w) > 1 and not w.isdigit()]
    words = telling if sort == "route" and column != "source" else phrases[-1].split() if phrases else every
    name = [w for w in tokens(column.rpartition(".")[2]) if w not in _COMMON] if sort == "value" else []
    if sort == "version":
        words = telling = []
    return _Condition(column, text, tuple(dict.fromkeys(words)), tuple(dict.fromkeys(telling)), () if sort == "route" and column != "source" else
                      tuple(phrases), tuple(name), sort)


def _text(change: Change) -> str:
    details = [v for k, v in change.details.items() if isinstance(v, str) and k not in ("sha", "kind", "committer", "repository", "merged_by")]
    return "\n".join([change.summary, change.id, change.service, *details, *change.files])


def _present(change: Change, wanted: frozenset[str]) -> frozenset[str]:
    """Those of the wanted words that a change uses; the text is taken apart only where one can be in it."""
    text = _text(change)
    lower = text.lower()
    near = [w for w in wanted if w in lower]
    return frozenset(near).intersection(tokens(text)) if near else frozenset()


def _often(seen: Sequence[frozenset[str]]) -> frozenset[str]:
    count: dict[str, int] = {}
    for words in seen:
        for word in words:
            count[word] = count.get(word, 0) + 1
    return frozenset(w for w, n in count.items() if n > COMMON_ABOVE * len(seen))


def _met(change: Change, condition: _Condition, words: frozenset[str], often: frozenset[str], services: Collection[str],
         ) -> tuple[float, str, bool]:
    """Bits for one condition, the reason, whether the change is of this very version."""
    column, value = condition.column, condition.value
    shown = value if len(value) <= 60 else value[:59] + "…"
    if condition.sort == "version":
        if not value or not same_version(value, change):
            return 0.0, "", False
        if services and change.service and not any(_same_service(change.service, s) for s in services):
            return PART, f"has the number {shown} too, of another service", False
        return VERSION, f"the failing subset is this {column}" + ("" if column.lower() == "version" else f" ({shown})"), True
    if value and change.service and (value.lower() == change.service.lower()
                                     or (condition.sort == "service" and _same_service(change.service, value))):
        return SERVICE, f"same service ({shown})" if condition.sort == "service" else f"it is {shown}", False
    if condition.words and not often.issuperset(condition.words) and words.issuperset(condition.words) and _spoken(change, condition):
        file = next((f for f in change.files if set(condition.words) <= set(tokens(f))), None)
        full = ROUTE if condition.sort in ("route", "service") or len(value) < 3 else NAMES
        if file is not None and not set(condition.words) <= set(tokens(change.summary)):
            return ROUTE - 1, f"touches {file[:60]}", False
        return full, f"names {shown}", False
    some = [w for w in condition.telling if w in words and w not in often]
    if some:
        file = next((f for f in change.files if set(some) & set(tokens(f))), None)
        share = PART * len(some) / len(condition.telling)
        return share + (0.5 if file else 0.0), f"touches {file[:60]}" if file else f"mentions {', '.join(some)}", False
    if change.kind in ("flag", "config", "job") and len("".join(condition.name)) > 3 and (words - often).issuperset(condition.name):
        return (PART if condition.words else COLUMN), f"names {column}", False
    return 0.0, "", False


def _spoken(change: Change, condition: _Condition) -> bool:
    """Whether the words of a value stand beside each other in the text of a change; those of a route may stand apart."""
    if not condition.phrases:
        return True
    text = f" {' '.join(tokens(_text(change)))} "
    return any(f" {phrase} " in text for phrase in condition.phrases)


def same_version(text: str, change: Change) -> bool:
    """Whether a value of the logs is the version of a change: the same text but for a leading v, or one commit named at two lengths."""
    value = text.lower().removeprefix("v")
    mine = [x.lower().removeprefix("v") for x in (change.version, change.id, str(change.details.get("sha") or "")) if x]
    if any(value == m for m in mine):
        return True
    return len(value) >= 7 and any(len(m) >= 7 and (m.startswith(value) or value.startswith(m)) for m in mine if re.fullmatch(r"[0-9a-f]+", m))


def _same_service(one: str, other: str) -> bool:
    """Whether two names are of one service: equal, or one has the words of the other and more (``shop-api`` and ``shop-api-prod``)."""
    a, b = set(tokens(one)), set(tokens(other))
    return bool(a and b) and (a <= b or b <= a)


def _other_values(wheres: Sequence[Mapping[str, Any]], others: Mapping[str, Collection[str]]) -> list[tuple[str, re.Pattern[str]]]:
    """Per column of the subset: the failing value and a pattern of the values that do not fail."""
    found = []
    for column, value in {c: v for where in wheres for c, v in where.items()}.items():
        rest = sorted({str(o).lower() for o in others.get(column, ()) if o and str(o) != str(value) and len(str(o)) > 2
                       and str(o).lower() not in _COMMON})
        if value and rest and not _VERSION.search(column) and not _ROUTE.search(column):
            found.append((str(value), re.compile(r"(?<![a-z0-9])(" + "|".join(re.escape(o) for o in rest[:200]) + r")(?![a-z0-9])")))
    return found


def _against(change: Change, conditions: Sequence[Sequence[_Condition]], elsewhere: Sequence[tuple[str, re.Pattern[str]]]) -> str:
    """Why a change speaks of another part of the traffic than the one that fails, or nothing."""
    given = {re.sub(r"[^a-z0-9]", "", str(k).rpartition(".")[2].lower()): v for k, v in change.details.items() if isinstance(v, str)}
    for condition in (c for group in conditions for c in group):
        value, column = condition.value, condition.column
        if not value:
            continue
        if condition.sort == "version" and column.lower().endswith("version") and change.version and change.kind == "deploy":
            return f"another version than the failing {value[:60]}"
        if condition.sort == "service" and change.service:
            return f"another service than the failing {value[:60]}"
        field = given.get(re.sub(r"[^a-z0-9]", "", column.rpartition(".")[2].lower()))
        if field and condition.sort == "value" and value.lower() not in field.lower():
            return f"for {column} {field[:60]}, not the failing {value[:60]}"
    if elsewhere and change.kind != "commit":
        lower = _text(change).lower()
        for value, pattern in elsewhere:
            if (found := pattern.search(lower)) and value.lower() not in lower:
                return f"names {found[0]}, not the failing {value[:60]}"
    return ""
