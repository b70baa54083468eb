"""The score of each change in bits, and its reasons in words; what the bits stand for is told by ``suspects``."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import log2
from typing import TYPE_CHECKING, Any

from incidentnb.analysis.holders import Holding, holding
from incidentnb.analysis.nearness import nearness
from incidentnb.analysis.ties import Ties, ties
from incidentnb.evidence.runs import ends
from incidentnb.times import Interval, at, spell

if TYPE_CHECKING:
    from incidentnb.evidence.changes import Change

# bits, as in ``ties`` and ``nearness``; what a change is worth by its kind alone
KINDS = {"deploy": 0.0, "config": 0.0, "flag": 0.0, "certificate": -1.0, "external": -0.5, "job": -1.0, "commit": -2.0}
RUN_OUT = 3.0  # a certificate that ran out: it breaks what uses it, and by chance hardly one ends in any given minute
OVER, SUPERSEDED, UNDEPLOYED, UNCLEAR, HELD, MOST_RUNS = -2.5, -6.0, -4.0, -1.5, -0.5, -3.0
LEAST = -5.0  # of a candidate: half an hour before the onset where nothing ties it, 4 hours with the failing service, 2 days with the version
NEAR = -4.0  # a quarter of an hour
_AGAIN = re.compile(r"\b(hourly|nightly|daily|weekly|monthly|every (hour|day|night|week|\d+ min\w*))\b", re.IGNORECASE)


@dataclass
class Weighed:
    """A change with its score in bits, its reasons, and what they rest on."""

    change: Change
    ties: Ties
    bits: float = 0.0
    near: float = 0.0
    after: bool = False
    reasons: list[tuple[str | timedelta, ...]] = field(default_factory=list)
    holder: Change | None = None
    told: str = ""

    def words(self, began: Interval) -> list[str]:
        """Its reasons as texts, in the order: time, how it ran or what holds it, what it shares, what speaks against it."""
        reasons = self.reasons
        if self.change.kind == "commit" and not self.after:
            held = f"in the {'merge' if self.holder.kind == 'commit' else self.holder.kind} {(self.holder.version or self.holder.id)[:60]}" \
                if self.holder else ""
            reasons = [_commit_times(self.change, self.holder, began), *((word,) for word in (held, self.told) if word)]
        told = ["".join(spell(part) if isinstance(part, timedelta) else part for part in reason) for reason in reasons]
        return [*told, *self.ties.words, *([self.ties.against] if self.ties.against else [])]


def weighed(known: Sequence[Change], began: Interval, wheres: Sequence[Mapping[str, Any]], *, services: Collection[str] = (),
            others: Mapping[str, Collection[str]] | None = None, messages: Iterable[str] = ()) -> list[Weighed]:
    """Every change with its score, in the order given (the latest first); those after the latest onset last, marked ``after``.

    Arguments as for ``ties``.
    """
    early = [c for c in known if c.at <= began.latest]
    near = nearness(began)
    scored = [Weighed(c, t) for c, t in zip(early, ties(early, wheres, services=services, others=others, messages=messages), strict=True)]
    held = holding(early, began.latest)
    for i, s in enumerate(scored):
        _tie_by_content(s, scored, held.contents.get(i, ()))
        _judge(s, began, near)
        s.bits += s.ties.bits
    _lift(scored, held)
    return scored + [Weighed(c, Ties(0.0), -100.0, after=True, reasons=_afterwards(c, began)) for c in reversed(known) if c.at > began.latest]


def _tie_by_content(s: Weighed, scored: list[Weighed], contents: Sequence[int]) -> None:
    """A deploy shares with what fails what the best of its commits does, a little less surely."""
    best = max((scored[i] for i in contents if scored[i].ties.bits > 0), key=lambda c: (c.ties.bits, c.change.at), default=None)
    if best is None or s.change.kind == "commit" or s.ties.against or 0.75 * best.ties.bits <= s.ties.bits:
        return
    told = f"brings {best.change.id[:12]}, which {best.ties.words[0]}" if best.ties.words else ""
    s.ties = Ties(0.75 * best.ties.bits, (*s.ties.words, *([told] if told else [])), versioned=s.ties.versioned)


def _judge(s: Weighed, began: Interval, near: Callable[[datetime], float]) -> None:
    """Bits for kind, nearness and what is known of how it ran; the reasons that speak of time."""
    change, details = s.change, s.change.details
    ended = details.get("ended_at") if isinstance(details.get("ended_at"), datetime) else None
    rolled = change.kind in ("deploy", "config", "flag") and ended is not None  # over a while: it may begin to matter in any part of it
    moment = min(ended, max(change.at, began.at)) if rolled else change.at
    s.near = near(moment)
    s.bits = s.near + KINDS.get(change.kind, -1.0)
    if rolled and ended > began.at:
        s.reasons = [("began ", began.at - change.at, " before the onset, ended ", ended - began.at, " after it")]
    else:
        s.reasons = [("expired " if details.get("expires") else "", *_before(moment, began))]
    _judge_certificate(s, began)
    if change.kind in ("job", "external"):
        _judge_run(s, began, ended)
    if runs := int(details.get("earlier") or 0):
        s.bits += max(MOST_RUNS, -log2(1 + runs))
        s.reasons.append((f"the same came {runs} {'time' if runs == 1 else 'times'} before in what was given",))
    elif change.kind == "job" and (often := _AGAIN.search(f"{change.summary} {details.get('kind', '')}")):
        s.bits += MOST_RUNS
        s.reasons.append((f"it runs again and again ({often[0].lower()})",))
    if details.get("rollback") and change.kind != "commit":
        s.reasons.append(("takes something back",))


def _before(moment: datetime, began: Interval) -> tuple[str | timedelta, ...]:
    return (began.at - moment, " before the onset") if moment < began.at else \
        ("within the interval of the onset",) if moment > began.at else ("at the onset",)


def _judge_certificate(s: Weighed, began: Interval) -> None:
    details = s.change.details
    if details.get("expires") and details.get("superseded"):
        s.bits += SUPERSEDED
        s.reasons.append(("another certificate of this name was valid then",))
    elif details.get("expires"):
        s.bits += RUN_OUT
    elif s.change.kind == "certificate" and isinstance(details.get("not_before"), datetime) and details["not_before"] > began.latest:
        s.bits += RUN_OUT
        s.reasons.append((f"not valid before {at(details['not_before'], began.at)}",))


def _judge_run(s: Weighed, began: Interval, ended: datetime | None) -> None:
    if ended is not None and ended >= began.earliest:
        s.reasons.append(("still going on at the onset",))
    elif ended is not None or ends(s.change):
        s.bits += OVER
        s.reasons.append(("over ", began.at - ended, " before the onset") if ended is not None else ("tells of an end",))


def _lift(scored: list[Weighed], held: Holding) -> None:
    """Commits by what holds them: the deploy, else the merge, each commit for its part of it."""
    own = [max(0.0, s.ties.bits) for s in scored]
    weight = [2.0 ** bits for bits in own]
    share = {h: log2(sum(weight[i] for i in contents)) for h, contents in held.contents.items()}
    loose: dict[int, float] = {}
    for i, deploy in held.unclear.items():
        loose[deploy] = loose.get(deploy, 0.0) + weight[i]
    order = sorted((i for i, s in enumerate(scored) if s.change.kind == "commit"), key=lambda i: (bool(scored[i].change.details.get("merged_by")), i))
    for i in order:  # merges and the main line first: what a merge brought goes by the merge
        s = scored[i]
        holders = held.within.get(i, [])
        if holders:
            others = [h for h in holders if scored[h].change.kind != "commit"]
            bits, chosen = max([(scored[h].bits - share[h], -h) for h in others or holders])
            s.bits, s.holder = bits + HELD + own[i], scored[-chosen].change
            s.told = "" if i not in held.undeployed else "in no known deploy before the onset"
        elif i in held.undeployed:
            s.bits, s.told = s.bits + UNDEPLOYED, "in no known deploy before the onset"
        elif i in held.unclear:
            deploy = scored[held.unclear[i]]
            s.bits = deploy.bits + UNCLEAR + own[i] - log2(loose[held.unclear[i]])
            s.told = f"before the deploy {(deploy.change.version or deploy.change.id)[:60]}, which does not say what it holds"


def _commit_times(change: Change, holder: Change | None, began: Interval) -> tuple[str | timedelta, ...]:
    """``written 3 d, merged 20 min, deployed 49 s before the onset``: the times of a commit that differ by a minute or more."""
    written, committed = change.details.get("authored_at"), change.details.get("committed_at")
    merged = bool(change.details.get("merged_by") or change.details.get("merge"))
    steps = [("written ", written)] if isinstance(written, datetime) else []
    steps += [("committed ", committed)] if merged and isinstance(committed, datetime) and committed != change.at else []
    steps += [("merged " if merged else "committed ", change.at)]
    steps += [("deployed ", holder.at)] if holder is not None and holder.kind == "deploy" else []
    told: list[tuple[str, datetime]] = []
    for name, moment in steps:
        if told and abs(moment - told[-1][1]) < timedelta(minutes=1) and name != "deployed ":
            told.pop()
        told.append((name, moment))
    words: list[str | timedelta] = []
    for name, moment in told:
        words += [", " if words else "", name, *((began.at - moment,) if moment < began.at else ("within the interval of the onset",))]
    return (*words, " before the onset") if told[-1][1] < began.at else tuple(words)


def _afterwards(change: Change, began: Interval) -> list[tuple[str | timedelta, ...]]:
    reasons: list[tuple[str | timedelta, ...]] = [("after the onset (", change.at - began.at, " later)")]
    if change.details.get("rollback") or "rollback" in change.summary.lower():
        reasons.append(("what was tried, no candidate",))
    elif change.kind == "external":
        reasons.append(("told after it; a provider may tell late",))
    return reasons
