"""What changed, when, by whom: the records of change files and the commits of checkouts, as one list in order of time.

Every text of a change is a stranger's; it is kept as written, and each sink escapes it.
"""

from __future__ import annotations

import email.utils
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incidentnb import times
from incidentnb.evidence import runs, validity
from incidentnb.evidence.certificates import is_certificate
from incidentnb.evidence.events import unwrap
from incidentnb.evidence.feeds import records
from incidentnb.evidence.git import Commit, Tag, read_git
from incidentnb.exceptions import InputError

if TYPE_CHECKING:
    import pandas as pd

# the first that matches the words of a record's kind decides
_KINDS = (("flag", r"flag|toggle|experiment|kill.?switch|launchdarkly|unleash|split\b"),
          ("certificate", r"cert|\btls\b|\bssl\b|x509"),
          ("deploy", r"deploy|roll.?(back|out|ed)|releas|upgrad|install|publish|promot|canary|\bship|\bservice\b|revision|\btag\b"),
          ("commit", r"commit|merge|\bpush|\bchange merged"),
          ("config", r"config|setting|environment|infra|terraform|scal|\bdns\b|secret|firewall|param|schema|migrat|quota"),
          ("job", r"\bjob|cron|batch|schedul|pipeline|task|backup|build|\btest|artifact|maintenance"),
          ("external", r"external|vendor|third|provider|upstream|status|outage|incident"))
KINDS = ("commit", "deploy", "flag", "config", "certificate", "job", "external")
# what a field of a record may be called, best first; letters and digits only, nested names joined by a dot
_NAMES = {name: tuple(aliases.split()) for name, aliases in {
    "time": """time at timestamp ts deployedat finishedat completedat effectiveat occurredat when eventtime datetime date
        publishedat mergedat createdat startedat starttime begin created updatedat""",
    "began": "startedat starttime startdate started begin scheduledfor",
    "ended": "finishedat completedat endedat endtime enddate ended end resolvedat scheduleduntil",
    "kind": "kind type eventtype changetype category action event task",
    "id": """id changeid deployid deploymentid releaseid eventid number ticket key sha headsha commit commitsha revision build
        buildid flag flagkey""",
    "version": """version newversion toversion appversion release tag imagetag image artifact ref to revision sha headsha commit""",
    "service": "service servicename app application component name project repo repository service.name repository.name system",
    "author": """author user username actor by deployer deployedby createdby triggeredby owner committer author.name user.name
        user.username user.login actor.login actor.name creator.login creator.name creator member.email email""",
    "summary": "summary message title displaytitle description subject externaldesc text comment note body change",
    "environment": "environment env stage environment.name environment.id",
    "sha": "sha headsha commit commitsha gitsha gitcommit revision",
}.items()}
_KEPT, _MOST_WARNINGS, _LONG = 40, 20, 4000  # details of one record; warnings of one file; characters of one text


@dataclass(frozen=True)
class Change:
    """One change that might matter.

    Attributes:
        at: when it took effect, aware UTC; for a commit when it came to the main line (its own committer time, or that of the merge
            that brought it), for what lasted when it began, for the end of a certificate its ``not_after``.
        kind: one of ``KINDS``.
        id: its name in its own system; the first 12 digits of a commit.
        summary: what it says of itself, as written.
        service, version, author: as far as they are known, else empty.
        source: where it was read: ``file:line``, or the checkout as it was named.
        files: paths that a commit touched, at most 200.
        details: everything else known. Always where it applies: ``before_window`` true for the most recent change before
            ``since``; ``rollback`` true; ``environment``; of a record ``sha``, ``kind`` as written and its other fields, ``ended_at``
            of what lasted, ``earlier`` (how many runs of the same job came before); of a certificate ``not_before``, ``not_after``,
            ``expires`` true where the change is its end, ``superseded`` true where another one of its names was valid then; of a
            commit ``sha``, ``parents``, ``merge``, ``authored_at``, ``committed_at``, ``merged_by`` (the merge that brought it),
            ``committer``, ``tags``, ``branches``, ``files_total``, ``body``, ``reverts``, ``repository``.
    """

    at: datetime
    kind: str
    id: str
    summary: str
    service: str = ""
    version: str = ""
    author: str = ""
    source: str = ""
    files: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)


def read_changes(files: Iterable[str | Path], repos: Iterable[str | Path], *, since: datetime | None = None,
                 until: datetime | None = None, zone: tzinfo = UTC) -> tuple[list[Change], list[str]]:
    """The changes of change files and checkouts with ``since <= at <= until``, oldest first, the same one once.

    Of each file and checkout the most recent change before ``since`` comes too (``details["before_window"]``), so that "the
    last change was 3 days ago" can be said.

    Args:
        files: JSON lines, JSON arrays, CSV; CDEvents, CloudEvents and incidents of status pages among them; plain or gz; certificates
            (PEM, DER) and folders of them, of which each is a change at the end of its validity.
        repos: folders of git checkouts; a folder below the top stands for the commits that touch it.
        since, until: the span, both ends in it; ``None`` is open.
        zone: of times that carry none.

    Returns:
        the changes, and warnings of one line each (``file:line: what`` for a row that cannot be used).

    Raises:
        InputError: a file is missing or nothing in it can be used; a folder is no git repository.
    """
    found: list[Change] = []
    warnings: list[str] = []
    fed: list[Change] = []
    sizes: list[int] = []
    for path in files:
        changes, problems = validity.of_folder(path) if is_certificate(path) else _read_file(path, zone)
        fed += runs.seen(changes)
        sizes.append(len(changes))
        warnings += problems
    fed = validity.superseded(fed)
    warnings += validity.told(fed, since, until)[:_MOST_WARNINGS]
    for size in sizes:
        found += _within(fed[:size], since, until)
        fed = fed[size:]
    for repo in repos:
        commits, tags, problems = read_git(repo, since=since, until=until)
        found += [_of_commit(commit, str(repo)) for commit in commits] + [_of_tag(tag, str(repo)) for tag in tags]
        warnings += problems
    once: dict[tuple, Change] = {}
    for change in found:
        once.setdefault((change.at, change.kind, change.id, change.service, change.version, change.summary), change)
    return sorted(once.values(), key=lambda c: c.at), warnings


def changes_frame(changes: Iterable[Change]) -> pd.DataFrame:
    """A frame of changes in the order given: ``at`` (datetime, UTC), ``kind``, ``id``, ``summary``, ``service``, ``version``,
    ``author``, ``source`` (text; unknown is empty)."""
    import pandas as pd

    columns = ["at", "kind", "id", "summary", "service", "version", "author", "source"]
    frame = pd.DataFrame([[getattr(change, name) for name in columns] for change in changes], columns=columns)
    frame["at"] = pd.to_datetime(frame["at"], utc=True)
    return frame


def kind_of(words: str) -> str | None:
    """The kind that the words of a record's type speak of: ``dev.cdevents.service.rolledback.0.1.1`` is a deploy; else ``None``."""
    plain = re.sub(r"[^a-z0-9]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", words).lower().replace("dev.cdevents", ""))
    return next((kind for kind, pattern in _KINDS if re.search(pattern, plain)), None)


def _within(changes: list[Change], since: datetime | None, until: datetime | None) -> Iterator[Change]:
    earlier = [c for c in changes if since is not None and c.at < since]
    if earlier:
        last = max(earlier, key=lambda c: c.at)
        yield replace(last, details={**last.details, "before_window": True})
    yield from (c for c in changes if (since is None or c.at >= since) and (until is None or c.at <= until))


def _read_file(path: str | Path, zone: tzinfo) -> tuple[list[Change], list[str]]:
    changes, problems, naive = [], [], 0
    for number, record in records(path):
        if isinstance(record, str):
            problems.append(f"{path}:{number}: {record}")
            continue
        try:
            made, zoned = _of_record(record, f"{path}:{number}", zone)
        except InputError as problem:
            problems.append(f"{path}:{number}: {problem.what}")
            continue
        naive += not zoned
        changes += made
    if not changes and problems:
        what = problems[0].removeprefix(f"{path}:")
        raise InputError(str(path), f"no change in it can be used; line {what}",
                         "JSON lines or CSV with time, kind, id or version, service, author, summary")
    warnings = problems[:_MOST_WARNINGS]
    if len(problems) > _MOST_WARNINGS:
        warnings.append(f"{path}: {len(problems) - _MOST_WARNINGS:,} more rows cannot be used")
    if not changes:
        warnings.append(f"{path}: holds no change")
    if naive:
        warnings.append(f"{path}: {naive:,} of {len(changes):,} times carry no zone; taken as {zone}")
    return changes, warnings


def _of_record(record: Mapping[str, Any], source: str, zone: tzinfo) -> tuple[list[Change], bool]:
    """The change of one record (of a certificate also its end), and whether its time carried a zone."""
    fields = dict(_flat(unwrap(record)))
    names = {re.sub(r"[^a-z0-9.]", "", name.lower().lstrip("@")): name for name in reversed(fields)}
    used: set[str] = set()

    def take(what: str) -> str:
        for alias in _NAMES[what]:
            value = fields.get(names.get(alias, ""))
            if value not in (None, ""):
                used.add(names[alias])
                return _text(value)
        return ""

    written = take("kind")
    kind = kind_of(written) or ("flag" if names.keys() & {"flag", "flagkey"} else None)
    limits = validity.limits(names, kind)
    valid = [_moment(fields, name, zone) for name in limits]
    kind = "certificate" if valid[1] else kind
    used.update(filter(None, limits))
    try:
        at, zoned = _time(fields, names, used, zone)
    except InputError:
        if valid[1] is None:
            raise
        at = zoned = None
    service, version = take("service"), take("version")
    sha = take("sha")
    if kind is None:
        kind = kind_of(Path(source.rpartition(":")[0]).name) or ("deploy" if version else "external")
    author, environment, given = take("author"), take("environment"), take("summary")
    identity = take("id") or version
    summary = given or " ".join(filter(None, (written or kind, service, version or identity)))
    details: dict[str, Any] = {"kind": written} if written and written != kind else {}
    details |= {"environment": environment} if environment else {}
    details |= {"sha": sha} if re.fullmatch("[0-9a-fA-F]{7,64}", sha) else {}
    details |= {"rollback": True} if re.search(r"roll.?(ed.?)?back|revert", f"{written} {given}", re.IGNORECASE) else {}
    rest = {name: value for name, value in fields.items() if name not in used and name not in details}
    details |= dict(list(rest.items())[:_KEPT])
    began, ended = (next((m[0] for n in _NAMES[name] if (m := _moment(fields, names.get(n, ""), zone))), None) for name in ("began", "ended"))
    if at and ended and ended >= (began or at):
        at = began if began and at == ended else at  # what lasts begins to matter at its beginning
        details |= {"ended_at": ended} if ended > at else {}
    change = Change(at or valid[1][0], kind, identity, summary[:_LONG], service, version, author, source, details=details)
    if kind == "certificate" and valid[1]:
        return validity.expiry(change, valid[0] and valid[0][0], valid[1][0], at is not None), valid[1][1] if zoned is None else zoned
    return [change], zoned


def _time(fields: Mapping[str, Any], names: Mapping[str, str], used: set[str], zone: tzinfo) -> tuple[datetime, bool]:
    problem = None
    for alias in _NAMES["time"]:
        value = fields.get(names.get(alias, ""))
        if value in (None, "", True, False):
            continue
        try:
            found = _instant(value, zone)
        except InputError as wrong:
            problem = problem or wrong
            continue
        used.add(names[alias])
        return found
    for name, value in fields.items():  # no column is called a time: the first whose value has a date's form is one
        if isinstance(value, str) and name not in used and re.match(r"\d{4}-\d\d-\d\d", value):
            used.add(name)
            return _instant(value, zone)
    raise problem or InputError("", "has no time")


def _moment(fields: Mapping[str, Any], name: str, zone: tzinfo) -> tuple[datetime, bool] | None:
    """The instant of a field and whether it carried a zone; ``None`` where there is none or it cannot be read."""
    value = fields.get(name)
    if value in (None, "", True, False):
        return None
    try:
        return _instant(validity.plain_date(value) if isinstance(value, str) else value, zone)
    except InputError:
        return None


def _instant(value: Any, zone: tzinfo) -> tuple[datetime, bool]:
    text = _text(value).strip()
    wrong = InputError("", f"not a time: {text[:60]!r}")
    if isinstance(value, int | float) or re.fullmatch(r"-?\d+(\.\d+)?([eE]\+?\d+)?", text):
        try:
            number = value if isinstance(value, int | float) else float(text) if set(text) & set(".eE") else int(text)
            if abs(number) < 1e8:  # before 1973: a count or a version, no epoch
                raise wrong
            return times.epoch(number), True
        except (OverflowError, ValueError):
            raise wrong from None
    if not re.search(r"\d{4}", text):  # "14:03", "now", "an hour ago": what it means would depend on when it is read
        raise InputError("", f"a time without its date: {text[:60]!r}")
    try:
        spelled = re.sub(r"^(\d{4})/(\d\d?)/(\d\d?)", lambda m: f"{m[1]}-{int(m[2]):02}-{int(m[3]):02}", text)
        moment = times.parse(spelled, zone)
        return moment, bool(re.search(r"(Z|UTC|GMT|[T ]\d[\d:.,]*\s*[+-]\d\d:?\d\d)$", text, re.IGNORECASE))
    except InputError:
        try:
            moment = email.utils.parsedate_to_datetime(text)  # RFC 5322: Mon, 23 Nov 2026 14:03:20 +0000
        except (ValueError, TypeError, IndexError, OverflowError):
            raise wrong from None
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC), moment.tzinfo is not None


def _flat(record: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    for name, value in list(record.items())[:200]:
        if isinstance(value, Mapping) and depth < 4:
            yield from _flat(value, f"{prefix}{name}.", depth + 1)
        elif isinstance(value, Mapping | list):
            yield f"{prefix}{name}", json.dumps(value, default=str)[:_LONG]
        else:
            yield f"{prefix}{name}", value[:_LONG] if isinstance(value, str) else value


def _text(value: Any) -> str:
    return "" if value is None else str(value)[:_LONG]


def _of_commit(commit: Commit, repo: str) -> Change:
    version = next((tag for tag in commit.tags if re.search(r"\d+\.\d+", tag)), "")
    reverts = re.search(r"This reverts commit ([0-9a-f]{7,64})", commit.body)
    details = {"sha": commit.sha, "parents": list(commit.parents), "merge": len(commit.parents) > 1, "authored_at": commit.authored,
               "committed_at": commit.committed, "committer": commit.committer, "tags": list(commit.tags), "branches": list(commit.branches),
               "files_total": commit.files_total, "body": commit.body, "repository": Path(repo).absolute().name}
    details |= {"reverts": reverts[1], "rollback": True} if reverts else {}
    details |= {"before_window": True} if commit.before else {}
    details |= {"merged_by": commit.merge} if commit.merge else {}
    return Change(commit.merged or commit.committed, "commit", commit.sha[:12], commit.subject, version=version, author=commit.author, source=repo,
                  files=commit.files, details=details)


def _of_tag(tag: Tag, repo: str) -> Change:
    summary = f"tag {tag.name} on commit {tag.sha[:12]}" + (f": {tag.subject}" if tag.subject else "")
    return Change(tag.at, "deploy", tag.name, summary, "", tag.name, tag.tagger, repo,
                  details={"sha": tag.sha, "tag": True, "repository": Path(repo).absolute().name})
