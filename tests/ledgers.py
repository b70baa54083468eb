"""Random ledgers, and a reference that knows what each of them means: no fold, only what held at an instant, asked instant by instant.

Written for the tests alone, from the words of the runbook and of the docstrings; it shares no code with the record.
"""

import random
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from incidentnb.record import lines, moments
from incidentnb.times import Interval

# zone → (offset in minutes, until when) as the clocks are set in 2026 and 2027: written down by hand, asked of no library
CLOCKS = {
    "Europe/Berlin": [(60, "2026-03-29T01:00"), (120, "2026-10-25T01:00"), (60, "2027-03-28T01:00")],
    "America/New_York": [(-300, "2026-03-08T07:00"), (-240, "2026-11-01T06:00"), (-300, "2027-03-14T07:00")],
    "Australia/Lord_Howe": [(660, "2026-04-04T15:00"), (630, "2026-10-03T15:30"), (660, "2027-04-03T15:00")],
}
MILESTONES = ("started", "detected", "acknowledged", "mitigated", "resolved")
TIMES_BETWEEN = {"TTD": ("started", "detected"), "TTA": ("detected", "acknowledged"), "TTM": ("detected", "mitigated"),
                 "TTR": ("detected", "resolved"), "impact": ("started", "resolved")}
MINUTE = timedelta(minutes=1)
KINDS = ("note", "severity", "status", "milestone", "post", "role", "closed", "reopened", "duty", "postmortem")
WEIGHTS = (6, 4, 4, 8, 5, 3, 1, 1, 2, 1)


@dataclass
class Said:
    """One statement as a person made it: ``when`` it happened (an instant, three of them, or nothing), and when it was written down."""

    seq: int
    kind: str
    body: dict[str, Any]
    when: datetime | tuple[datetime, datetime, datetime] | None
    recorded: datetime
    actor: str
    target: int | None = None

    @property
    def at(self):
        return self.recorded if self.when is None else self.when[0] if isinstance(self.when, tuple) else self.when

    @property
    def order(self):
        return self.at, self.seq


@dataclass
class Ledger:
    """What was said in one incident, its zone, and the instant at which one asks."""

    zone: str
    said: list[Said]
    now: datetime
    typed: dict[int, str] = field(default_factory=dict)  # seq → the time as it was typed, where it was


def offset(zone, instant):
    """Minutes that the clocks of a zone are ahead of UTC at an instant."""
    steps = [datetime.fromisoformat(until).replace(tzinfo=UTC) for _, until in CLOCKS[zone]]
    return CLOCKS[zone][min(bisect_right(steps, instant), len(steps) - 1)][0]


def typed(zone, instant, source):
    """An instant as somebody in the zone types it: without an offset where that is clear, else with it."""
    minutes = offset(zone, instant)
    wall = (instant + timedelta(minutes=minutes)).replace(tzinfo=None)
    clear = all(offset(zone, instant + timedelta(hours=h)) == minutes for h in (-2, 2))
    if clear and source.random() < 0.6:
        return f"{wall:%Y-%m-%d %H:%M:%S}" if source.random() < 0.5 else f"{wall:%Y-%m-%dT%H:%M:%S}"
    sign, size = "-" if minutes < 0 else "+", abs(minutes)
    return f"{wall:%Y-%m-%dT%H:%M:%S}{sign}{size // 60:02d}:{size % 60:02d}"


def make(seed):
    """A ledger out of a number; the same number makes the same one."""
    source = random.Random(seed)
    zone = source.choice(sorted(CLOCKS))
    turns = [*(until for _, until in CLOCKS[zone][:2]), "2026-11-23T23:30", "2026-12-31T22:00"]
    turn = datetime.fromisoformat(source.choice(turns)).replace(tzinfo=UTC)
    start = turn - source.randrange(0, 300) * MINUTE
    pace = source.choice([3, 20, 120, 900])  # minutes between two statements, about: from half an hour to ten days
    people = ["Ann", "Bo", "Cy"]
    opened = {"title": "x", "severity": f"SEV-{source.randrange(1, 5)}", "sources": {"logs": [], "changes": [], "repos": [], "zone": zone}}
    if source.random() < 0.5:
        opened["ic"] = source.choice(people)
    said = [Said(1, "opened", opened, start if source.random() < 0.7 else None, start + source.randrange(0, 20) * MINUTE, source.choice(people))]
    ledger = Ledger(zone, said, start)
    clock = said[0].recorded
    for seq in range(2, source.randrange(6, 32)):
        clock += timedelta(seconds=source.randrange(0, pace * 120))
        kind = source.choices(KINDS, WEIGHTS)[0]
        one = Said(seq, kind, _body(source, kind, seq, people), None, clock, source.choice(people))
        one.when = _when(source, one.recorded, start, pace)
        held = holding(said)
        if source.random() < 0.12 and (alike := [s for s in held if s.kind == kind]):
            one.target = source.choice(alike).seq
            one.when = one.when or said[one.target - 1].at
        elif source.random() < 0.09 and len(said) > 1:
            standing = [s for s in said[1:] if s in held or (s.kind == "retraction" and not _taken(said, s))]
            if standing:
                one = Said(seq, "retraction", {"reason": "no"}, None, clock, one.actor, source.choice(standing).seq)
                one.when = said[one.target - 1].at
        if isinstance(one.when, datetime) and one.when.microsecond == 0 and one.target is None:
            ledger.typed[seq] = typed(zone, one.when, source)
        said.append(one)
    ledger.now = clock + timedelta(seconds=source.choice([0, 60, 3600, 86400 * 3]))
    return ledger


def _body(source, kind, seq, people):
    return {
        "note": lambda: {"text": f"note {seq}"},
        "severity": lambda: {"severity": f"SEV-{source.randrange(1, 5)}", "why": ""},
        "status": lambda: {"status": source.choice(["investigating", "identified", "monitoring", "resolved"]), "why": ""},
        "milestone": lambda: {"milestone": source.choice(MILESTONES)},
        "post": lambda: {"text": f"post {seq}", "channel": source.choice(["chat", "status page"]), "state": "",
                         "next_update_s": source.choice([None, 600.0, 3600.0, 86400.0])},
        "role": lambda: {"role": "ic", "person": source.choice(people), "brief": ""},
        "closed": lambda: {"reason": "over", "override": ""} | ({"false_alarm": True} if source.random() < 0.3 else {}),
        "reopened": lambda: {"reason": "again"},
        "duty": lambda: {"duty": source.choice(["mitigated", "postmortem-date"]), "state": source.choice(["done", "skipped"]), "reason": "r"},
        "postmortem": lambda: {"date": "2026-12-01", "owner": ""},
    }[kind]()


def _when(source, recorded, start, pace):
    how = source.random()
    if how < 0.2:
        return None
    if how < 0.4:
        return recorded
    best = (recorded - timedelta(seconds=source.randrange(0, pace * 600))).replace(microsecond=0)
    if how < 0.8:
        return best
    return best, best - source.randrange(0, 30) * MINUTE, best + source.randrange(0, 30) * MINUTE


def entries(ledger):
    """The ledger as entries of a journal, in the product's own form; times that somebody typed are read by the product."""
    from incidentnb import times

    made, prev = [], lines.GENESIS
    ids = {}
    for s in ledger.said:
        when = Interval(*s.when) if isinstance(s.when, tuple) else s.when
        if s.seq in ledger.typed:
            when = moments.moment(ledger.typed[s.seq], times.zone(ledger.zone), s.recorded)
        body = dict(s.body) | ({"supersedes": ids[s.target]} if s.target else {})
        entry, line = lines.make(s.seq, when, s.recorded, s.actor, s.kind, body, prev)
        ids[s.seq], prev = entry.id, lines.digest(line)
        made.append(entry)
    return made


# -- the reference ------------------------------------------------------------------------------------------------------------------


def _taken(said, one):
    """Whether a standing retraction takes a statement back."""
    return any(r.kind == "retraction" and r.target == one.seq and not _taken(said, r) for r in said)


def holding(said):
    """The statements that hold: not taken back, and not corrected by a correction that is not taken back."""
    def corrected(one):
        return any(c.kind != "retraction" and c.target == one.seq and not _taken(said, c) for c in said)
    return [s for s in said if s.kind != "retraction" and not _taken(said, s) and not corrected(s)]


class Reference:
    """What a ledger means, instant by instant."""

    def __init__(self, ledger, without=()):
        self.now = ledger.now
        self.said = sorted((s for s in holding([s for s in ledger.said if s.seq not in without])), key=lambda s: s.order)
        self.edges = sorted({s.at for s in self.said} | {self.now})

    def last(self, instant, *wanted):
        """The last statement of some kind that had happened at an instant."""
        found = [s for s in self.said if s.at <= instant and any(match(s) for match in wanted)]
        return found[-1] if found else None

    def severity(self, instant):
        said = self.last(instant, lambda s: s.kind in ("opened", "severity"))
        return said.body["severity"] if said else None

    def going_on(self, instant):
        begun = next((s for s in self.said if s.kind in ("opened", "reopened")), None)
        if begun is None or instant < begun.at:
            return False
        last = self.last(instant, lambda s: s.order >= begun.order and s.kind in ("opened", "reopened", "closed", "status"),
                         lambda s: s.order >= begun.order and s.kind == "milestone" and s.body["milestone"] == "resolved")
        return not (last.kind in ("closed", "milestone") or (last.kind == "status" and last.body["status"] == "resolved"))

    def time_in_severity(self):
        """Each stretch between two edges has one severity, and goes on or does not, all along."""
        total = {}
        for left, right in zip(self.edges, self.edges[1:], strict=False):
            if right <= self.now and self.going_on(left) and self.severity(left):
                total[self.severity(left)] = total.get(self.severity(left), timedelta(0)) + (right - left)
        return total

    def ic(self, instant):
        holder = None
        for s in self.said:
            if s.at > instant:
                break
            if s.kind == "opened" and (holder is None or s.body.get("ic")):
                holder = s.body.get("ic") or s.actor
            elif s.kind == "role":
                holder = s.body["person"]
        return holder

    def reopened(self):
        return max((s.at for s in self.said if s.kind == "reopened"), default=None)

    def milestone(self, name):
        """The word on a milestone that was written down last; ``(statement, instant)`` or ``None``."""
        def counts(s):
            again = self.reopened()
            return again is None or s.at >= again or name not in ("mitigated", "resolved")
        words = [s for s in self.said if s.kind == "milestone" and s.body["milestone"] == name and counts(s)]
        if not words and name == "resolved":
            words = [s for s in self.said if s.kind == "status" and s.body["status"] == "resolved" and counts(s)]
        return max(words, key=lambda s: s.seq, default=None)

    def between(self, name):
        first, last = (self.milestone(end) for end in TIMES_BETWEEN[name])
        return last.at - first.at if first and last and last.at >= first.at else None

    def peak(self):
        return min(self.severity(s.at) for s in self.said if s.kind in ("opened", "severity"))

    def ends(self):
        """The instants at which it stopped going on."""
        return [s.at for before, s in zip([None, *self.said], self.said, strict=False)
                if not self._after(s) and before is not None and self._after(before)]

    def _after(self, said):
        """Whether it goes on right after a statement, of several at one instant too."""
        upto = [s for s in self.said if s.order <= said.order]
        state = False
        for s in upto:
            over = s.kind == "closed" or (s.kind == "status" and s.body["status"] == "resolved") or (
                s.kind == "milestone" and s.body["milestone"] == "resolved")
            if s.kind in ("opened", "reopened"):
                state = True
            elif over:
                state = False
            elif s.kind == "status" and any(b.kind in ("opened", "reopened") and b.order < s.order for b in upto):
                state = True
        return state

    def promises(self):
        """seq → what became of the promise of each post."""
        found = {}
        for post in (s for s in self.said if s.kind == "post"):
            length = post.body["next_update_s"]
            if length is None:
                found[post.seq] = "none"
                continue
            due = post.at + timedelta(seconds=length)
            answer = min((s.at for s in self.said if s.kind == "post" and s.body["channel"] == post.body["channel"] and s.order > post.order),
                         default=None)
            over = min((end for end in self.ends() if end >= post.at), default=None)
            by = min(due, self.now)
            found[post.seq] = ("kept" if answer is not None and answer <= by else "void" if over is not None and over <= by else
                               "running" if self.now <= due else "broken")
        return found

    def duty(self, name):
        """The state of a few duties, from the words of the runbook."""
        again = self.reopened() if name in ("mitigated", "resolved") else None

        def after(s):
            return again is None or s.at >= again
        resolved = [s for s in self.said if (s.kind, s.body.get("milestone")) == ("milestone", "resolved")
                    or (s.kind, s.body.get("status")) == ("status", "resolved")]
        done = {
            "mitigated": [s for s in self.said if (s.kind, s.body.get("milestone")) == ("milestone", "mitigated") and after(s)],
            "resolved": [s for s in resolved if after(s)],
            "postmortem-date": [s for s in self.said if s.kind == "postmortem"],
            "status-page": [s for s in self.said if s.kind == "post" and s.body["channel"] == "status page"],
            "channel": [s for s in self.said if s.kind == "post" and s.body["channel"] == "chat"],
        }[name]
        if done:
            return "done"
        words = [s for s in self.said if s.kind == "duty" and s.body["duty"] == name and after(s)]
        if words:
            return words[-1].body["state"]
        gates = [s for s in self.said if s.kind in ("closed", "reopened")]
        if gates and gates[-1].kind == "closed" and gates[-1].body.get("false_alarm"):
            return "not applicable"
        if name in ("status-page", "postmortem-date") and not self._applies(name):
            return "not applicable"
        if name == "postmortem-date" and not resolved:
            return "not applicable"
        due = self._due(name, resolved)
        return "late" if due is not None and self.now > due else "due"

    def _applies(self, name):
        level = self.peak() if name == "postmortem-date" else self.severity(datetime.max.replace(tzinfo=UTC))
        return level in ("SEV-1", "SEV-2")

    def _due(self, name, resolved):
        opened = next(s for s in self.said if s.kind == "opened")
        if name in ("mitigated", "resolved"):
            return None
        if name == "channel":
            return opened.at + 5 * MINUTE
        start, length = (resolved[0].at, timedelta(hours=48)) if name == "postmortem-date" else (opened.at, 5 * MINUTE)
        return max([start, *self._made()]) + length

    def _made(self):
        """When the last stretch of SEV-1 or SEV-2 began, if a change of severity began it."""
        big = [(edge, self.severity(edge) in ("SEV-1", "SEV-2")) for edge in self.edges if self.severity(edge)]
        starts = [edge for (edge, high), before in zip(big, [None, *(high for _, high in big)], strict=False) if high and before is False]
        ever_small_first = big and not big[0][1]
        return starts[-1:] if starts or ever_small_first else []
