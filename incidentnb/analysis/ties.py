"""What a change shares with what fails: its version, its service, the values that it names, the files that it touches, the messages."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from incidentnb.evidence.changes import Change

# bits: how much likelier a change is to be the one, once it is seen to share this with what fails (log2 of a likelihood ratio)
VERSION, NAMES, ROUTE, COLUMN, SERVICE, LOGS, PART, WORDS, MOST = 7.0, 5.0, 4.0, 4.0, 4.0, 2.0, 1.5, 1.5, 8.0
UNTIED, ELSEWHERE, NOT_LIVE = -2.0, -3.5, -5.0  # shares nothing with a known subset; speaks of another one; went to no live system
COMMON_ABOVE, COMMON_FROM, RARE = 0.5, 8, 0.2  # what half of at least eight changes say tells none from another; of messages, what a fifth says
_VERSION = re.compile(r"(version|release|build|revision|image|tag|deployment|commit|sha)", re.IGNORECASE)
_SERVICE = re.compile(r"(^|[._-])(service|servicename|service_name|app|application|component)([._-]?name)?$", re.IGNORECASE)
_ROUTE = re.compile(r"(route|path|url|uri|endpoint|logger|operation|handler|method|rpc|resource|source)", re.IGNORECASE)
_HEX = re.compile("[0-9a-f]+")
_WORD, _CAMEL = re.compile("[a-z0-9]+"), re.compile("(?<=[a-z0-9])(?=[A-Z])")
_NO_TEXT = frozenset(("sha", "kind", "committer", "repository", "merged_by", "reverts"))
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
    words: frozenset[str]  # those that must all be there
    telling: frozenset[str]  # those of which one alone says something
    phrases: tuple[str, ...]  # one of which must stand there as it is; none for a route, whose parts may lie apart
    name: frozenset[str]  # the words of the column
    sort: str  # version, service, route, value


_NONE, _NO_WORDS = Ties(0.0), frozenset()


def tokens(text: str) -> list[str]:
    """The words of a text in lower case, parts of camelCase apart, without a plural s."""
    return [w[:-1] if len(w) > 3 and w[-1] == "s" and w[-2] != "s" else w for w in _WORD.findall(_CAMEL.sub(" ", text).lower())]


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
    forms = {form: w for w in wanted for form in (w, f"{w}s")}
    paths: dict[str, frozenset[str]] = {}
    keys = {w for group in conditions for c in group for w in (*c.telling, *c.name, *sorted(c.words, key=lambda w: (len(w), w))[-1:])}
    seen = [_present(change, forms, tuple(sorted(keys | set(said))), paths) for change in changes]
    often = _often(seen, COMMON_ABOVE) if len(changes) >= COMMON_FROM else frozenset()
    said = sorted(set(said) - _often(seen, RARE))
    conditions = [[_telling(c, often) for c in group] for group in conditions]
    elsewhere = _other_values(wheres, others or {})
    speaks_of_tls = any(_TLS.search(text) for text in messages)
    known = sorted({s.lower() for s in services if s})
    plain = {c.value.lower().removeprefix("v") for group in conditions for c in group if c.value and c.sort in ("version", "service", "value")}
    services_meant = [c.value for group in conditions for c in group if c.value and c.sort == "service"]
    found, nothing = [], Ties(UNTIED if wheres else 0.0)
    for change, present in zip(changes, seen, strict=True):
        mine = _shared(change, conditions, present, known, paths) if present or _named(change, plain, services_meant) else _NONE
        if speaks_of_tls or not present.isdisjoint(said):
            mine = _said(change, mine, [w for w in said if w in present], speaks_of_tls)
        against = _against(change, conditions, elsewhere) if mine.bits < SERVICE else ""
        mine = _of_the_logs(change, mine, known) if known and mine.bits < SERVICE and not against else mine
        against = against or mine.against
        live = _environment(change, conditions) if change.details.get("environment") else ""
        if not (against or live or mine.bits):
            found.append(nothing)
            continue
        bits = min(mine.bits, MOST) + (nothing.bits * (1 - mine.bits / PART) if mine.bits < PART else 0.0)  # part of a word: part of a tie
        if against:
            bits = ELSEWHERE if wheres else ELSEWHERE - UNTIED
        if live:
            bits, against = min(bits or nothing.bits, 0.0) + NOT_LIVE, live
        found.append(Ties(bits, mine.words, against, mine.versioned and not against))
    return found


def _shared(change: Change, conditions: Sequence[Sequence[_Condition]], words: frozenset[str], services: Sequence[str],
            paths: Mapping[str, frozenset[str]]) -> Ties:
    """The conditions that a change meets: their bits added up within one description, the best description counts."""
    best, told, versioned = 0.0, [], False
    for group in conditions:
        points = 0.0
        for condition in group:
            got, why, exact = _met(change, condition, words, services, paths)
            points, versioned = points + got, versioned or exact
            told += [why] if why else []
        best = max(best, points)
    if not told:
        return _NONE
    whole = [why for why in told if not why.startswith("mentions ")]
    return Ties(best, tuple(dict.fromkeys(whole or told)), versioned=versioned)


def _named(change: Change, plain: set[str], services: Sequence[str]) -> bool:
    """Whether a change that uses none of the words may still be of the version, the service or a value of the failing subset."""
    if change.service and (change.service.lower().removeprefix("v") in plain or any(_same_service(change.service, s) for s in services)):
        return True
    if change.version.lower().removeprefix("v") in plain or change.id.lower().removeprefix("v") in plain:
        return True
    return any(len(value) >= 7 and _HEX.fullmatch(value) for value in plain)


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
    if not change.service:
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
    return _Condition(column, text, frozenset(words), frozenset(telling), () if sort == "route" and column != "source" else tuple(phrases),
                      frozenset(name) if len("".join(name)) > 3 else frozenset(), sort)


def _telling(condition: _Condition, often: frozenset[str]) -> _Condition:
    """A condition without the words that most changes use."""
    words = frozenset() if condition.words <= often else condition.words
    return replace(condition, words=words, telling=condition.telling - often, name=frozenset() if condition.name & often else condition.name)


def _text(change: Change, files: bool = True) -> str:
    details = [v for k, v in change.details.items() if isinstance(v, str) and k not in _NO_TEXT]
    return "\n".join([change.summary, change.id, change.service, *details, *(change.files if files else ())])


def _present(change: Change, forms: Mapping[str, str], wanted: tuple[str, ...], paths: dict[str, frozenset[str]]) -> frozenset[str]:
    """Those of the wanted words that a change uses; ``paths`` keeps what each path holds of them."""
    found = _words(_text(change, files=False), forms, wanted)
    for path in change.files:
        if (held := paths.get(path)) is None:
            held = paths[path] = _words(path, forms, wanted)
        found |= held
    return found


def _words(text: str, forms: Mapping[str, str], wanted: tuple[str, ...]) -> frozenset[str]:
    lower = text.lower()
    for word in wanted:  # most texts hold none of them, and a look is ten times cheaper than taking the text apart
        if word in lower:
            return frozenset([forms[w] for w in _WORD.findall(_CAMEL.sub(" ", text).lower()) if w in forms])
    return _NO_WORDS


def _often(seen: Sequence[frozenset[str]], share: float) -> frozenset[str]:
    """The words that more than a share of the changes, and more than one of them, use."""
    count: dict[str, int] = {}
    for words in seen:
        for word in words:
            count[word] = count.get(word, 0) + 1
    return frozenset(w for w, n in count.items() if n > max(1, share * len(seen)))


def _met(change: Change, condition: _Condition, words: frozenset[str], services: Collection[str], paths: Mapping[str, frozenset[str]],
         ) -> tuple[float, str, bool]:
    """Bits for one condition, the reason, whether the change is of this very version."""
    column, value = condition.column, condition.value
    if condition.sort == "version":
        if not value or not same_version(value, change):
            return 0.0, "", False
        if services and change.service and not any(_same_service(change.service, s) for s in services):
            return PART, f"has the number {_clip(value)} too, of another service", False
        return VERSION, f"the failing subset is this {column}" + ("" if column.lower() == "version" else f" ({_clip(value)})"), True
    if value and change.service and (value.lower() == change.service.lower()
                                     or (condition.sort == "service" and _same_service(change.service, value))):
        return SERVICE, f"same service ({_clip(value)})" if condition.sort == "service" else f"it is {_clip(value)}", False
    if words.isdisjoint(condition.words | condition.telling | condition.name):
        return 0.0, "", False
    if condition.words and condition.words <= words and _spoken(change, condition):
        spoken = "" if not change.files else change.summary.lower()
        file = next((f for f in change.files if paths[f].issuperset(condition.words)), None) if change.files else None
        full = ROUTE if condition.sort in ("route", "service") or len(value) < 3 else NAMES
        if file is not None and not all(w in spoken for w in condition.words):
            return ROUTE - 1, f"touches {file[:60]}", False
        return full, f"names {_clip(value)}", False
    some = sorted(condition.telling & words)
    if some:
        file = next((f for f in change.files if not paths[f].isdisjoint(some)), None)
        share = PART * len(some) / len(condition.telling)
        return share + (0.5 if file else 0.0), f"touches {file[:60]}" if file else f"mentions {', '.join(some)}", False
    if condition.name and condition.name <= words and change.kind in ("flag", "config", "job"):
        return (PART if condition.words else COLUMN), f"names {column}", False
    return 0.0, "", False


def _clip(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"


def _spoken(change: Change, condition: _Condition) -> bool:
    """Whether the words of a value stand beside each other in the text of a change; those of a route may stand apart."""
    if not any(" " in phrase for phrase in condition.phrases):
        return True
    text = f" {' '.join(tokens(_text(change)))} "
    return any(f" {phrase} " in text for phrase in condition.phrases)


def same_version(text: str, change: Change) -> bool:
    """Whether a value of the logs is the version of a change: the same text but for a leading v, or one commit named at two lengths."""
    value = text.lower().removeprefix("v")
    if change.kind == "commit" and not change.version and len(value) < 7:
        return False
    mine = [x.lower().removeprefix("v") for x in (change.version, change.id, str(change.details.get("sha") or "")) if x]
    if any(value == m for m in mine):
        return True
    return len(value) >= 7 and any(len(m) >= 7 and (m.startswith(value) or value.startswith(m)) for m in mine if _HEX.fullmatch(m))


@lru_cache(8192)
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
        if value and rest and speaks_of_values(column):
            found.append((str(value), re.compile(r"(?<![a-z0-9])(" + "|".join(re.escape(o) for o in rest[:200]) + r")(?![a-z0-9])")))
    return found


def speaks_of_values(column: str) -> bool:
    """Whether the other values of a column, named by a change, speak of another part of the traffic (a region does, a route does not)."""
    return not _VERSION.search(column) and not _ROUTE.search(column)


def _against(change: Change, conditions: Sequence[Sequence[_Condition]], elsewhere: Sequence[tuple[str, re.Pattern[str]]]) -> str:
    """Why a change speaks of another part of the traffic than the one that fails, or nothing."""
    if change.kind == "commit":
        return ""
    given = {_key(k): v for k, v in change.details.items() if isinstance(v, str)}
    for condition in (c for group in conditions for c in group):
        value, column = condition.value, condition.column
        if not value:
            continue
        if condition.sort == "version" and change.version and change.kind == "deploy" and column.lower().endswith("version"):
            return f"another version than the failing {_clip(value)}"
        if condition.sort == "service" and change.service:
            return f"another service than the failing {_clip(value)}"
        field = given.get(_key(column)) if condition.sort == "value" else None
        if field and value.lower() not in field.lower():
            return f"for {column} {_clip(field)}, not the failing {_clip(value)}"
    if elsewhere:
        lower = _text(change).lower()
        for value, pattern in elsewhere:
            if (found := pattern.search(lower)) and value.lower() not in lower:
                return f"names {found[0]}, not the failing {_clip(value)}"
    return ""


@lru_cache(4096)
def _key(name: Any) -> str:
    """The last part of the name of a column or field, without marks."""
    return re.sub(r"[^a-z0-9]", "", str(name).rpartition(".")[2].lower())
