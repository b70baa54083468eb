"""What a sentence claims, told by its words: a time of repair, a cause, a state, names of machines and internal ids.

Patterns over single clauses of plain English; each says what it found, ``draft_checks`` holds it against the record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from incidentnb.record.incident import Incident

if TYPE_CHECKING:
    from incidentnb.record.team import Team


def said(pattern: str) -> re.Pattern[str]:
    """A pattern of words: a space in it stands for any blanks, and case does not matter."""
    return re.compile(pattern.replace(" ", r"\s+"), re.IGNORECASE)


CLOCK = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?(?:\s?(?:Z|UTC|[A-Z]{3,5}|[ap]\.?m\.?))?|(?:[1-9]|1[0-2])\s?[ap]\.?m\.?(?!\w)"
SPAN = (r"(?:an?|the|one|two|three|four|five|ten|fifteen|twenty|thirty|few|couple(?: of)?|next|several|\d+(?:[.,–-]\d+)?)(?: (?:next|few|couple of|"
        r"more|hour|half|or two))*\s*-?(?:min(?:ute)?s?|m(?!\w)|h(?:ours?|rs?)?(?!\w)|days?|seconds?|hour|moments?)")
_LATER = (r"tomorrow|tonight|today|noon|midnight|(?:the )?end of (?:the )?(?:day|hour|week)|this (?:morning|afternoon|evening)|the hour|eod|monday")
_WHEN = (rf"(?:\b(?:by|before|until|till|within|in|not later than|no later than) (?:about |around |roughly )?(?:{CLOCK}|{SPAN}|{_LATER})|"
          r"\b(?:soon|shortly|momentarily|any (?:minute|moment)|in no time|imminently)\b|\b(?:later )?(?:today|tonight|tomorrow)\b)")
_REPAIR = (r"\b(?:fix(?:ed)?|resol(?:ved?|ution)|repair(?:ed)?|restor(?:ed?|ation)|recover(?:ed|y)?|solved?|mitigat\w+|back(?: (?:up|online|"
           r"to normal|in service))?|working(?: (?:again|normally))|normal(?:ly)?|available|operational|online|over|gone|rolled (?:back|out)|"
           r"deployed|complete[d]?|sorted(?: out)?|end(?:s|ed)?)\b")
_PAST = said(r"\b(?:was|were|has been|have been|had been|is (?:now )?(?:resolved|fixed|over|back|restored) since|since|ended|lasted|took|(?:we|"
             r"team|engineers?) (?:have )?(?:resolved|fixed|restored|rolled|deployed|repaired|mitigated|solved)|recovered (?:at|within))\b")
_FUTURE = said(r"\b(?:will|shall|should|'ll|’ll|expect(?:s|ed)?|going to|hop(?:e|ing)|plan(?:s|ned|ning)?|aim(?:s|ing)?|estimat\w+|anticipat\w+|"
               r"promis\w+|guarantee\w*|likely|to be|can be|be back)\b")
_ETA = said(r"\bETAs?\b|\bestimated (?:time|resolution|fix|recovery|repair)|\btime (?:to|of) (?:repair|fix|resolution|recovery)\s*(?:is|:)|\bETR\b")
_AT = said(rf"{_REPAIR}.{{0,60}}?\b(?:at|around|about|from) (?:about |around )?(?:{CLOCK}|{_LATER})")
_PROMISE = (said(rf"{_REPAIR}.{{0,80}}?{_WHEN}"), said(rf"{_WHEN}.{{0,60}}?{_REPAIR}"))
UPDATE = said(r"\b(?:updates?|news|(?:more|further|next) (?:information|details?|word)|(?:say|tell|report|post|share|write|hear|know|speak|"
              r"inform)\b[^.;]{0,30}\b(?:more|again|back|you|here)|more (?:in|by|within|at|follows)|report (?:back|again)|next (?:message|report|"
              r"post))\b")
_UPDATE_TIME = said(rf"\b(?:by|in|within|at|before|around|every|until) (?:about |around |the next )?(?:\d{{4}}-\d\d-\d\d )?(?:{CLOCK}|{SPAN}|"
                    rf"half an hour|\d+\s*min)")
_CAUSE = said(r"\b(?:caused by|due to|because of|owing to|as a result of|resulted from|result of|triggered by|introduced by|brought (?:on|"
              r"about) by|traced (?:it |this )?(?:back )?to|stem(?:s|med|ming) from|to blame|blamed on|responsible for|at fault|fault of|led to|"
              r"broke\b|root[\s-]+cause|(?:the|its|underlying|likely|probable) cause\b|cause (?:is|was|of)|originat(?:es|ed) (?:in|from)|culprit|"
              r"behind this|the reason (?:is|was|for))")
_NO_CAUSE = said(r"inconvenience|(?:trouble|disruption) (?:this )?(?:may|might|has|have)?\s*(?:have )?caused?|\bcause\b[^.]{0,40}\b(?:not|unknown|"
                 r"unclear|yet|investigat|unestablished|under investigation)|\b(?:not|no|without|un)\b[^.]{0,40}\b(?:cause|established|known)|"
                 r"\b(?:investigat\w*|look\w* (?:for|into)|search\w*|find\w*|examin\w*|determin\w*|analys\w*|review\w*|understand\w*|"
                 r"learn)\b[^.]{0,40}\bcause|due to (?:follow|come|be posted|arrive)|(?:because of|due to|caused by) (?:this|the) (?:incident|"
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
INTERNALS: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    ("host", "an address", re.compile(r"(?<![\w.-])\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?(?![\w-]|\.\d)")),
    ("host", "an address", re.compile(r"(?<![\w:.])(?:[0-9a-f]{0,4}:){3,7}[0-9a-f]{0,4}(?![\w:])", re.IGNORECASE)),
    ("host", "a host name", re.compile(r"\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:internal|intra|intranet|local|localdomain|lan|corp|private|svc|cluster|"
                                       r"node|consul|home\.arpa)\b(?:\.[a-z.]+)?",
                                       re.IGNORECASE)),
    ("host", "a host name", re.compile(r"\bip-\d{1,3}(?:-\d{1,3}){3}\b", re.IGNORECASE)),
    ("host", "a pod name", re.compile(r"\b[a-z][a-z0-9]*(?:-[a-z0-9]+)*-[a-f0-9]{6,10}-[a-z0-9]{5}\b")),
    ("host", "a host name", re.compile(rf"\b(?:[a-z0-9]+-)*(?:{_STEM})[a-z]{{0,3}}(?:-[a-z0-9]+){{0,3}}-?\d{{1,4}}[a-z]?\b(?!\s*%)",
                                       re.IGNORECASE)),
    ("host", "a host name", re.compile(r"\b[a-z][a-z0-9]*(?:-[a-z][a-z0-9]*)*-?0\d{1,3}\b", re.IGNORECASE)),
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
    return [part.strip() for line in text.splitlines() for part in re.split(r"(?<=[.!?])\s+(?=[A-Z\[“\"(])", line) if part.strip()]


def clauses(sentence: str) -> list[str]:
    """A sentence in clauses, so that a promised update beside a claim does not hide it."""
    return [part for part in re.split(r"[;,]\s+|\s+(?:and|but|while|so|then)\s+|\s+[–—-]\s+", sentence) if part.strip()]


def repair_promise(sentence: str) -> str:
    """The words that promise when it will be repaired; empty where none do. A promised update is none."""
    if found := _ETA.search(sentence):
        return found[0]
    for part in (*clauses(sentence), sentence):
        if _FUTURE.search(part) and not UPDATE.search(part) and (found := _AT.search(part)):
            return found[0]
        if UPDATE.search(part) or (_PAST.search(part) and not _FUTURE.search(part)):
            continue
        for pattern in _PROMISE:
            if (found := pattern.search(part)) and (_FUTURE.search(part) or not re.search(r"\b(?:since|ago)\b", part)):
                return found[0]
    return ""


def promised_update(sentence: str) -> bool:
    """Whether it says when there will be news."""
    return bool(UPDATE.search(sentence) and _UPDATE_TIME.search(sentence))


def cause(sentence: str) -> str:
    """The words that name a cause; empty where none do, or where they say that it is not known."""
    found = _CAUSE.search(sentence)
    return found[0] if found and not _NO_CAUSE.search(sentence) else ""


def internals(text: str, incident: Incident, team: Team | None = None, hosts: Iterable[str] = ()) -> Iterator[tuple[str, str, str]]:
    """Names of machines and internal ids in a text: (code, what it is, the words)."""
    patterns = [*INTERNALS, *(("host", "a host name", re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", re.IGNORECASE))
                              for name in {*known_hosts(incident), *hosts} if len(name) > 2)]
    patterns += [("host", "a host name of the team file", pattern) for pattern in (team.host_patterns if team else ())]
    seen: set[str] = set()
    for code, what, pattern in patterns:
        for match in pattern.finditer(text):
            if match[0] not in seen and not (code == "host" and _NO_HOST.fullmatch(match[0])):
                seen.add(match[0])
                yield code, what, match[0]


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
