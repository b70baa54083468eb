"""Who a text says is hit, held against the finding of the scope."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from incidentnb.publish.drafting import quantities
from incidentnb.publish.drafting.claims import said
from incidentnb.record.incident import Incident

_WHO = (r"(?:users?|customers?|visitors?|people|shoppers?|accounts?|members?|requests?|orders?|payments?|traffic|regions?|countries|services?|"
        r"tenants?|clients?|devices|browsers|platforms)")
_HIT = said(r"\b(?:affect\w*|impact\w*|fail\w*|errors?|hits?|unable|cannot|can't|can’t|down|unavailable|broken|slow\w*|experienc\w+|outage|suffer\w*|"
            r"problems?|concern\w*|no one can|nobody can|see|get|lose|lost)\b")
_FINE = said(r"\b(?:again|recovered|normal\w*|back|no longer|resolved|as usual|succeed\w*|answered|restored|works?|working|unaffected)\b")
_ALL = said(rf"\b(?:all|every|each) (?:of )?(?:our |the |your )?(?:\w+ )?{_WHO}\b|\b(?:everyone|everybody|nobody|no one|no (?:user|customer|"
            rf"request|order)s?)\b|"
          r"\b(?:complete|total|full|global|worldwide|site-wide|sitewide|entire) (?:outage|failure|loss|service|site|platform|system|user base|"
          r"shop)\b|"
          rf"\b(?:the )?(?:whole|entire) (?:\w+ )?(?:{_WHO}|site|shop|service|system|platform|base)\b|\b(?:100|hundred)\s*(?:%|"
          rf"per\s?cent) of (?:our |the |all )?{_WHO}|"
          r"\bworldwide\b|\bglobally\b|\bacross all\b")
_ANY = said(r"\b(?:all|every|each|everywhere|anyone|completely|entirely|totally)\b[^.;,]{0,40}\b(?:affected|fails?|failing|down|unavailable|broken|"
            r"errors?|impacted|slow|hit|unable|stopped)\b|\busers everywhere\b")
_NOT_ALL = said(r"\bnot (?:all|every|each|everyone|everybody)\b|\b(?:may|might|could)\b[^.]{0,20}\b(?:see|notice) this\b")
_NONE = said(r"\bnot a single\b|\bno (?:request|order|user|customer)s?\b")
_SPARED = said(r"\b(?:do|does|is|are|will) not affect")
_FEW = said(rf"\b(?:hardly (?:anyone|any)|very few|minority|scarcely)\b|\b(?:only|just|solely|exclusively|merely)\b|\b(?:limited|restricted|"
            rf"confined) to\b|\b(?:a )?(?:small|tiny|minor|"
            rf"limited) (?:\w+ )?(?:number|subset|share|fraction|part|group|portion|percentage)\b|\ba (?:few|handful of) {_WHO}|\ba (?:subset|"
            rf"fraction|handful) of\b")
_LIMITED = said(rf"\b(?:limited|restricted|confined) to (?:\w+ ){{0,3}}{_WHO}")
_VAGUE = said(r"\b(?:some|part of|a subset|certain|a (?:limited |small )?(?:number|share|fraction)|those|several|a portion)\b")
_MOST = (("nearly all|almost all|virtually all", 0.9, 1.0), ("most|the\\s+(?:vast\\s+)?majority", 0.5, 1.0), ("half", 0.4, 0.6),
         ("(?:a|one)\\s+third", 0.28, 0.4), ("(?:a|one)\\s+quarter", 0.2, 0.3), ("two\\s+thirds", 0.6, 0.75), ("three\\s+quarters", 0.68, 0.82))
_SHARE = tuple((said(rf"\b(?:{words}) (?:of )?(?:all |our |the )*{_WHO}\b"), low, high) for words, low, high in _MOST)
_VALUE = re.compile(r"\b(?:us|eu|ap|sa|ca|me|af|il|cn|asia|europe)-[a-z]+-?\d[a-z]?\b|\bv?\d+\.\d+(?:\.\d+)+\b|(?<![\w/:.])/(?:[\w{}.:-]+/?)+|"
                    r"\b[\w.]{2,30}\s=\s[\w.:/+-]+")


def check(told: list[str], incident: Incident, flag: Callable[..., Any]) -> Iterator[Any]:
    """Flags of code ``scope``: everyone where a subset is hit, few where all are, values and shares that the finding does not name."""
    scope = incident.finding("scope")
    verdict = str(scope.body.get("verdict")) if scope else ""
    numbers = (scope.body.get("numbers") or {}) if scope else {}
    causes, rest = ([s for s in numbers.get("subsets") or [] if bool(s.get("cause")) is cause] for cause in (True, False))
    named = _values(*(s.get("where") for s in causes), *(where for s in causes for where in s.get("same_as") or []))
    others = _values(*(s.get("where") for s in rest)) - named
    spoken = " ".join([*quantities.written(incident), *(str(e.body.get("sentence", "")) for e in _last(incident))]).lower()
    share = _users_share(incident)
    for sentence in told:
        low = sentence.lower()
        strange = [m[0] for m in _VALUE.finditer(sentence) if m[0].lower() not in spoken and m[0].lower() not in named]
        strange += [value for value in sorted(others) if len(value) > 2 and value not in spoken
                    and re.search(rf"(?<![\w.-]){re.escape(value)}(?![\w-])", low)]
        yield from (flag("scope", "names what the finding of the scope does not", words) for words in strange)
        hit = (_HIT.search(sentence) or _LIMITED.search(sentence)) and (not _FINE.search(sentence) or _NONE.search(sentence))
        if not hit:
            continue
        found = _ALL.search(sentence) or _ANY.search(sentence)
        if found and not _FEW.search(sentence) and not _NOT_ALL.search(sentence) and not _SPARED.search(sentence):
            if verdict == "subset":
                yield flag("scope", f"says everyone; the finding is: {scope.body.get('sentence', '')}", found[0])
            elif verdict != "everyone" and not (share is not None and share >= 0.95):
                yield flag("scope", "says everyone; no finding says so", found[0])
        elif found := _FEW.search(sentence):
            if verdict == "everyone":
                yield flag("scope", f"says a part; the finding is: {scope.body.get('sentence', '')}", found[0])
            elif verdict != "subset":
                yield flag("scope", "says a part; no finding says which", found[0])
            elif not any(value in low for value in named) and not _VAGUE.search(sentence) and not _is_part(low):
                yield flag("scope", f"names another part; the finding is: {scope.body.get('sentence', '')}", sentence)
        for pattern, least, most in _SHARE:
            if (found := pattern.search(sentence)) and not any(least <= one <= most for one in _shares(incident, found[0], share)):
                yield flag("scope", "is no share that a finding gives", found[0])


def _values(*wheres: Mapping[str, Any] | None) -> set[str]:
    return {str(value).lower() for where in wheres for value in (where or {}).values() if value is not None}


def _is_part(low: str) -> bool:
    return bool(re.search(r"\bonly\s+(?:\d|users\s+who|when|if|while|after|a\s+few|once|the\s+next|for)", low))


def _last(incident: Incident) -> list[Any]:
    return [entry for entry in incident.findings if incident.finding(str(entry.body.get("name"))) is entry]


def _users_share(incident: Incident) -> float | None:
    users = incident.finding("users")
    numbers: Mapping[str, Any] = (users.body.get("numbers") or {}) if users else {}
    return numbers["affected"] / numbers["total"] if numbers.get("total") and numbers.get("affected") is not None else None


def _shares(incident: Incident, words: str, share: float | None) -> list[float]:
    """The shares that words such as ``half of our users`` may mean."""
    if re.search(r"users?|customers?|people|visitors?|shoppers?|accounts?|members?", words, re.IGNORECASE):
        return [share] if share is not None else []
    return [one.value for one in quantities.borne(incident) if one.share and one.unit != "users"]
