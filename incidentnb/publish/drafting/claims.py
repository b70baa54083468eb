"""What a sentence claims, told by its words: a time of repair, a cause, a state, names of machines and internal ids.

Patterns over single clauses of plain English; each says what it found, ``draft_checks`` holds it against the record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from incidentnb.record.incident import Incident

if TYPE_CHECKING:
    from incidentnb.record.team import Team


def said(pattern: str) -> re.Pattern[str]:
    """A pattern of words: a space in it stands for any blanks, and case does not matter."""
    return re.compile(pattern.replace(" ", r"\s+"), re.IGNORECASE)


CLOCK = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?(?:\s?(?:Z|UTC|[A-Z]{3,5}|[ap]\.?m\.?))?|(?:[1-9]|1[0-2])\s?[ap]\.?m\.?(?!\w)"
_COUNT = (r"(?:an?|the|one|two|three|four|five|six|ten|fifteen|twenty|thirty|forty|fifty|few|couple(?: of)?|next|several|another|half an?|"
          r"\d+(?:[.,–-]\d+)?)")
_UNIT = r"(?:min(?:ute)?s?|m(?!\w)|h(?:ours?|rs?)?(?!\w)|hours?|days?|seconds?|moments?)"
SPAN = rf"(?:{_COUNT}(?: (?:next|few|couple of|more|hour|half|or two|half an?|\w+ty))*\s*-?{_UNIT})"
_LATER = (r"tomorrow|tonight|today|noon|midnight|lunch(?:time)?|dinner|(?:the )?end of (?:the )?(?:day|hour|week)|this (?:morning|afternoon|"
          r"evening)|eod")
# What may come: a length of time, a day, or soon. A time of day counts by itself, if it is still to come.
_COMING = said(rf"\b(?:in|within|for|take|takes|taking|another|than|about|around|roughly|next|last)(?: (?:about|around|roughly|less than|under|"
               rf"at most|up to))? "
               rf"{SPAN}|\b(?:the next|another) {SPAN}|\b(?:by|before|until|within|in|at|from|for|later|be|again|this|it|back|fixed|"
               rf"resolved) "
               rf"(?:{_LATER}|the hour)\b|\b(?:soon|shortly|momentarily|any (?:minute|moment)|in no time|imminently)\b|"
               rf"(?:fix|repair|recover\w*|resol\w+|ETA|time)\W{{1,3}}(?:about )?{SPAN}")
_LENGTH = said(rf"\b{SPAN}")
_ASIDE = said(r"\b(?:reviews?|postmortem|summary|refund\w*|contact|call|write to us|maintenance)\b")
_LATE = said(rf"\b(?:{_LATER})\b")
_ETA = said(r"\bETAs?\b|\bETR\b|\bestimated? (?:time|resolution|fix|recovery|repair)|\btime (?:to|of) (?:repair|fix|resolution|recovery)\s*(?:is|:)|"
            r"\b(?:expected|estimated) (?:resolution|fix|recovery|repair)\b|\b(?:resolution|fix|recovery|repair) (?:is )?(?:expected|planned|"
            r"estimated)\b")
_AGO = said(rf"\b(?:ago|earlier|lasted|took|(?:past|last|previous|first) {SPAN}|a day|every|each|per|wait|was|were|had|has been|have been|did|"
            rf"failed)\b")
_OVER = said(r"\b(?:fix\w*|resol\w+|repair\w*|restor\w+|recover\w*|solv\w+|mitigat\w+|back|work\w*|normal\w*|available|operational|online|over|"
             r"gone|rol\w+|deploy\w*|complet\w*|sorted|end\w*|resum\w+|return\w*|running|possible|finish\w*|be able|live|up|done|arriv\w*|give us|"
             r"reckon|confident)\b")
_FUTURE = said(r"\b(?:will|shall|should|'ll|’ll|won't|won’t|expect(?:s|ed)?|going to|hop(?:e|ing)|plan(?:s|ned|ning)?|aim(?:s|ing)?|target\w*|"
               r"estimat\w+|anticipat\w+|promis\w+|guarantee\w*|likely|to be|can be|be back|resumes?|confident)\b")
UPDATE = said(r"\b(?:updates?|updated|news|(?:more|further|next) (?:information|details?|word)|(?:say|tell|report|post|share|write|hear|know|speak|"
              r"inform)\b[^.;]{0,30}\b(?:more|again|back|you|here)|more (?:in|by|within|at|follows)|report (?:back|again)|next (?:message|report|"
              r"post))\b")
_UPDATE_TIME = said(rf"\b(?:by|in|within|at|before|around|every|until) (?:about |around |the next )?(?:\d{{4}}-\d\d-\d\d )?(?:{CLOCK}|{SPAN}|"
                    rf"\d+\s*min)")
_TIME_OF_DAY = said(CLOCK)
_BY = said(r"\b(?:by|before|until|till|at|around|after|from)(?: about| around)? $")
_CONDITION = said(r"\b(?:once|when|until|till|as soon as|if|whether|unless|before)\b")
_DENIED = said(r"\b(?:not|n't|n’t|cannot|no(?! time| longer)|never|nothing|without|unknown|unclear|too early|yet to)\b")
_TROUBLE = (r"(?:fail\w*|error\w*|problems?|outage|incident|issues?|trouble|slow\w*|happen\w*|broke\w*|down|unavailab\w+|disruption|"
            r"time-?outs?)")
_CAUSE = said(rf"\b(?:due to|owing to|as a result of|result(?:ed|s)? (?:of|from)|triggered? (?:by|was|is)|introduced by|brought (?:on|about) by|"
              rf"traced "
              rf"(?:it |this )?(?:back )?to|(?:stem|come|arise|originate|result)(?:s|med|ming|d)? (?:in|from)|came from|to blame|blamed? on|"
              rf"responsible for|at "
              rf"fault|fault (?:of|in|at)|led to|(?:broke|crashed|overloaded)\b|what broke|root[\s-]+cause|root of|caus(?:ed|es|ing)\b|provok\w+|"
              rf"consequences? of|goes back to|a bug\b|blame\b|happened after|made .{{2,40}}\bfail\b|(?:the|its|"
              rf"underlying|"
              rf"likely|probable) cause\b|cause (?:is|was|of)|culprit|behind (?:this|it|the {_TROUBLE})|the (?:reason|trigger) (?:is|was|for)|"
              rf"brought "
              rf".{{2,40}}down|took .{{2,40}} down|source of (?:the |this )?{_TROUBLE}|because of|{_TROUBLE}\b.{{0,40}}\b(?:because|"
              rf"since an? .{{2,40}} "
              rf"(?:was|is|has|were)\b)|because\b.{{0,60}}\b{_TROUBLE})")
_NO_CAUSE = said(r"inconvenience|(?:trouble|disruption|distress) (?:that )?(?:this|it)?\s*(?:may|might|has|have)?\s*(?:have )?caus\w+|apolog\w+|"
                 r"sorry|regret|"
                 r"\b(?:investigat\w*|look\w* (?:for|into)|search\w*|find\w*|examin\w*|determin\w*|analys\w*|review\w*|understand\w*|learn|"
                 r"work\w* out)\b[^.]{0,40}\bcause|due to (?:follow|come|be posted|arrive)|(?:because of|due to|caused by) (?:this|the) (?:incident|"
                 r"problem|issue|outage|disruption)|\bthe cause:?\s*\[")
_REGION = (r"(?:us|eu|ap|sa|ca|me|af|il|cn|asia|europe|northamerica|southamerica|australia)-(?:gov-)?(?:north|south|east|west|central|northeast|"
           r"southeast|northwest|southwest)+[a-z]*-?\d[a-z]?")
_NO_HOST = said(rf"(?:{_REGION}|(?:utf|sha|iso|rfc|covid|ipv|http|https|tls|top|mid|sev|pre|post|phase|step|level|tier|version|v|p|q|h|s|stage|"
                rf"part|day|week|"
          r"release|build|deploy|about|of|to|and|in|at)-?\d+)")
_STEM = (r"web|app|apps|api|db|node|host|server|srv|cache|redis|kafka|worker|pod|vm|proxy|lb|gw|gateway|nginx|mysql|pg|postgres|mongo|es|elastic|"
         r"queue|mq|edge|"
         r"ip|backend|frontend|prod|stage|stg|dev|master|replica|shard|broker|zk|etcd|k8s|box|machine|bastion|ldap|dns|ns|mail|mx|smtp|nfs|storage|"
         r"batch|cron|job")
_NAMES: tuple[tuple[str, re.Pattern[str]], ...] = (  # for one name or a part of it between dots
    ("a host name", re.compile(r"ip-\d{1,3}(?:-\d{1,3}){3}", re.IGNORECASE)),
    ("a pod name", re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*-[a-f0-9]{6,10}-[a-z0-9]{5}")),
    ("a host name", re.compile(rf"(?:[a-z0-9]+-)*(?:{_STEM})[a-z]{{0,3}}(?:-[a-z0-9]+){{0,3}}-?\d{{1,4}}[a-z]?", re.IGNORECASE)),
    ("a host name", re.compile(r"[a-z][a-z0-9]*(?:-[a-z][a-z0-9]*)+-\d{1,4}", re.IGNORECASE)),
    ("a host name", re.compile(r"[a-z][a-z0-9]*(?:-[a-z][a-z0-9]*)*-?0\d{1,3}", re.IGNORECASE)),
)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,98}[A-Za-z0-9])?")
_DOMAIN = re.compile(r"(?:.+\.)?(?:internal|intra|intranet|local|localdomain|lan|corp|private|svc|cluster|node|consul|arpa)(?:\.[a-z]+){0,2}",
                     re.IGNORECASE)
INTERNALS: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    ("host", "an address", re.compile(r"(?<![\w.-])\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?(?![\w-]|\.\d)")),
    ("host", "an address", re.compile(r"(?<![\w:.])(?:[0-9a-f]{0,4}:){3,7}[0-9a-f]{0,4}(?![\w:])", re.IGNORECASE)),
    ("internal-id", "an instance id", re.compile(r"\bi-[0-9a-f]{8,17}\b|\barn:[\w:/.-]+", re.IGNORECASE)),
    ("internal-id", "a UUID", re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)),
    ("internal-id", "a trace id or commit", re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\b")),
    ("internal-id", "a ticket", re.compile(r"\b(?!SEV-|UTF-|ISO-|RFC-|SHA-|COVID-|HTTP-|TLS-|CVE-|UTC-)[A-Z][A-Z0-9]{1,9}-\d{1,7}\b")),
    ("internal-id", "an id of the record", re.compile(r"(?<![\w#])#\d{1,5}\b|\b[HMD]\d{1,3}\b(?!\s*%)")),
    ("internal-id", "the id of a change", said(r"\b(?:deploy|build|run|job)-\d{2,}\b")),
)
_HOST_COLUMNS = {"host", "hostname", "pod", "instance", "node", "server", "container", "machine", "ip", "address", "pod_name", "instance_id"}


def sentences(text: str) -> list[str]:
    """A text in sentences; a line of a list is one."""
    return [part.strip() for line in text.splitlines() for part in re.split(r"(?<=[.!?])\s+(?=[A-Z0-9\[“\"(])", line) if part.strip()]


def clauses(sentence: str) -> list[str]:
    """A sentence in clauses, so that a promised update beside a claim does not hide it."""
    return [part for part in re.split(r"[;,]\s+|\s+(?:and|but|while|so|then)\s+|\s+[–—-]\s+", sentence) if part.strip()]


def repair_promise(sentence: str, coming: Callable[[str], bool] = lambda words: True) -> str:
    """The words that promise when it will be repaired; empty where none do. A promised update is none, what is denied is none.

    Args:
        sentence: one sentence.
        coming: whether a time of day is still to come.
    """
    if _DENIED.search(sentence) and not re.search(r"\b(?:longer|later|more) than\b", sentence):
        return ""
    if found := _ETA.search(sentence):
        return found[0]
    for part in (*clauses(sentence), sentence):
        if UPDATE.search(part) or _ASIDE.search(part):
            continue
        sure = bool(_FUTURE.search(part))
        times = [m for m in _TIME_OF_DAY.finditer(part) if coming(m[0]) or (sure and _BY.search(part[:m.start()]))]
        if times and (sure or (_OVER.search(part) and not _AGO.search(part))):
            return part.strip()
        found = _COMING.search(part) or (_LENGTH.search(part) or _LATE.search(part) if sure or not _AGO.search(part) else None)
        if found and (sure or (_OVER.search(part) and not _AGO.search(part))):
            return found[0]
    return ""


def promised_update(sentence: str) -> bool:
    """Whether it says when there will be news."""
    return bool(UPDATE.search(sentence) and _UPDATE_TIME.search(sentence))


def cause(sentence: str) -> str:
    """The words that name a cause; empty where none do, or where they say that it is not known."""
    found = _CAUSE.search(sentence)
    if not found or _NO_CAUSE.search(sentence):
        return ""
    noun = re.search(r"\bcause\b", found[0], re.IGNORECASE)
    return "" if noun and (_DENIED.search(sentence) or _CONDITION.search(sentence)) else found[0]


def internals(text: str, incident: Incident, team: Team | None = None, hosts: Iterable[str] = ()) -> Iterator[tuple[str, str, str]]:
    """Names of machines and internal ids in a text: (code, what it is, the words)."""
    patterns = [*INTERNALS, *(("host", "a host name", re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", re.IGNORECASE))
                              for name in {*known_hosts(incident), *hosts} if len(name) > 2)]
    patterns += [("host", "a host name of the team file", pattern) for pattern in (team.host_patterns if team else ())]
    seen: set[str] = set()
    for code, what, pattern in patterns:
        for match in pattern.finditer(text):
            if match[0] not in seen:
                seen.add(match[0])
                yield code, what, match[0]
    for name in dict.fromkeys(match[0] for match in _NAME.finditer(text)):
        if name not in seen and (what := _machine(name)):
            yield "host", what, name


def _machine(name: str) -> str:
    """What a name of a machine is; empty where it is none."""
    if "." in name and _DOMAIN.fullmatch(name):
        return "a host name"
    parts = [part for part in dict.fromkeys((name, *name.split("."))) if re.search(r"\d", part) and not _NO_HOST.fullmatch(part)]
    return next((what for part in parts for what, pattern in _NAMES if pattern.fullmatch(part)), "")


def internal(text: str, incident: Incident, team: Team | None = None) -> bool:
    """Whether a text holds what nobody outside may read."""
    return next(internals(text, incident, team), None) is not None


def known_hosts(incident: Incident) -> set[str]:
    """Names of machines that findings of the record tell of."""
    found: set[str] = set()
    for entry in incident.findings:
        numbers = entry.body.get("numbers") or {}
        for subset in numbers.get("subsets") or []:
            wheres = [subset.get("where") or {}, *(subset.get("same_as") or [])]
            found |= {str(v) for where in wheres for c, v in where.items() if str(c).lower().rsplit(".", 1)[-1] in _HOST_COLUMNS and v}
        found |= {str(one.get("value")) for one in numbers.get("silent") or [] if str(one.get("column", "")).lower() in _HOST_COLUMNS}
    return found
