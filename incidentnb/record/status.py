"""Where an incident stands at an instant: duties, clocks, open hypotheses, the next promised update; as data and as a page."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from incidentnb import sinks, times
from incidentnb.findings import plain
from incidentnb.record import hypotheses, runbook
from incidentnb.record.clocks import Calendar
from incidentnb.record.incident import Incident
from incidentnb.record.runbook import Rules

SCHEMA = "incidentnb/status/1"
_MARKS = {"late": ("late", "31"), "due": ("due", "33"), "done": ("done", "32"), "skipped": ("skipped", "2"),
          "missed": ("missed", "31"), "met": ("met", "32"), "running": ("running", "33"), "kept": ("kept", "32"),
          "broken": ("broken", "31"), "failed": ("failed", "31")}


def status(incident: Incident, now: datetime | None = None, *, book: Rules | None = None,
           calendar: Calendar | None = None) -> dict[str, Any]:
    """Where the incident stands at ``now``, in plain JSON: instants are ISO 8601 in UTC, lengths are seconds.

    Keys: ``schema, incident, folder, channel, title, severity, peak_severity, severities[], time_in_severity_s, status, ic, ic_acknowledged,
    roles[], opened_at, closed, now, zone``, ``duties[]`` (id, phase, what, state, by, at, seq, due, clock, reason, verb, gate), ``counts`` of
    their states, ``clocks[]`` (name, start, due, stopped, state), ``hypotheses`` (open[], refuted[], root_cause, why_not), ``promises``
    (next, kept, broken), ``milestones``, ``metrics``, ``mitigations[]``, ``failures[]`` (sections of notebooks that could not be computed).
    """
    now = now or times.now()
    book = book or runbook.book_of(incident.folder)
    duties = runbook.duties(incident, now, book=book, calendar=calendar)
    clocks = runbook.response_clocks(incident, book=book, calendar=calendar)
    fates = [(post, post.promise(now)) for post in incident.posts]
    running = [post for post, fate in fates if fate == "running" and post.answered_at is None]
    owed = [post for post, fate in fates if fate == "broken" and post.answered_at is None]
    following = min(owed or running, key=lambda post: post.due or now, default=None)
    return plain({
        "schema": SCHEMA, "incident": incident.id, "folder": str(incident.folder), "channel": incident.channel, "title": incident.title,
        "severity": incident.severity, "peak_severity": incident.peak_severity, "status": incident.status, "ic": incident.ic,
        "ic_acknowledged": not incident.ics[-1].taken_from or incident.ics[-1].acknowledged_at is not None,
        "roles": [{"role": r.role, "person": r.person, "since": r.start} for r in incident.roles if r.end is None],
        "severities": [{"severity": s.value, "from": s.start, "to": s.end} for s in incident.severities],
        "time_in_severity_s": {name: spent.total_seconds() for name, spent in incident.time_in_severity(now).items()},
        "opened_at": incident.opened_at, "closed": incident.closed.at if incident.closed else None, "now": now,
        "zone": incident.sources["zone"] or "UTC",
        "duties": [{"id": d.id, "phase": d.phase, "what": d.what, "state": d.state, "by": d.by, "at": d.at, "seq": d.seq, "due": d.due,
                    "clock": d.clock, "reason": d.reason, "verb": d.verb, "gate": d.gate} for d in duties],
        "counts": {state: sum(d.state == state for d in duties) for state in ("done", "due", "late", "skipped", "not applicable")},
        "clocks": [{"name": c.name, "start": c.start, "due": c.due, "stopped": c.stopped, "state": c.state(now)} for c in clocks],
        "hypotheses": {"open": [{"id": h.id, "claim": h.claim, "state": h.state, "for": len(h.evidence_for),
                                 "against": len(h.evidence_against), "check": h.checked.result if h.checked else ""}
                                for h in incident.hypotheses if h.live],
                       "refuted": [h.id for h in incident.hypotheses if not h.live], "root_cause": incident.root_cause,
                       "why_not": hypotheses.why_not(incident.hypotheses)},
        "promises": {"next": following and {"channel": following.channel, "due": following.due, "state": following.promise(now),
                                            "promised_at": following.at},
                     "kept": sum(fate == "kept" for _, fate in fates), "broken": sum(fate == "broken" for _, fate in fates)},
        "milestones": {name: {"at": m.moment, "provenance": m.provenance} for name, m in incident.milestones.items()},
        "metrics": {name: metric.as_json(incident.zone) for name, metric in incident.metrics.items()},
        "mitigations": [{"id": m.id, "what": m.what, "undo": m.undo, "effects": len(m.effects), "undone_at": m.undone_at}
                        for m in incident.mitigations],
        "failures": [{"section": e.body.get("section"), "reason": e.body.get("reason"), "at": e.at} for e in incident.failures]})


def status_page_text(found: dict[str, Any], *, color: bool = False, width: int = 100, everything: bool = False) -> str:
    """The page that ``incidentnb status`` prints, of what ``status`` returned. ``everything`` lists duties that do not apply, too.

    All text of people goes through ``sinks.terminal``; colour only where it is asked for.
    """
    now, zone = datetime.fromisoformat(found["now"]), times.zone(found["zone"])

    def paint(word: str) -> str:
        text, code = _MARKS.get(word, (word, ""))
        return f"\x1b[{code}m{text}\x1b[0m" if color and code else text

    def row(mark: str, text: str) -> str:
        return f"  {paint(mark)}{' ' * max(9 - len(mark), 1)}{_cut(text, max(width - 11, 20))}"

    def when(value: str | None) -> str:
        return "" if value is None else str(times.iso(datetime.fromisoformat(value), zone, "seconds"))

    def left(value: str) -> str:
        length = datetime.fromisoformat(value) - now
        return f"in {times.spell(length)}" if length.total_seconds() >= 0 else f"{times.spell(-length)} ago"
    state = f"closed {when(found['closed'])}" if found["closed"] else found["status"]
    taken = "" if found["ic_acknowledged"] else " (has not acknowledged)"
    lines = [_cut(f"{found['severity']}  {found['title']}", width),
             _cut(f"{state} · IC {found['ic']}{taken} · opened {when(found['opened_at'])} · {found['channel']}", width)]
    if following := found["promises"]["next"]:
        lines.append(_cut(f"next update in {following['channel']} {'due ' if following['state'] == 'running' else 'was promised for '}"
                          f"{when(following['due'])}, {left(following['due'])}", width))
    for phase in runbook.PHASES:
        shown = [d for d in found["duties"] if d["phase"] == phase and (everything or d["state"] != "not applicable")]
        if shown:
            lines += ["", phase]
        for d in sorted(shown, key=lambda d: ("late", "due", "done", "skipped", "not applicable").index(d["state"])):
            done = " ".join(part for part in (f"by {d['by']}" if d["by"] else "", when(d["at"])) if part)
            tail = {"done": done, "skipped": f"{d['reason']} ({done})"}.get(d["state"], "; ".join(
                part for part in (d["reason"], f"due {left(d['due'])}" if d["due"] else "", d["verb"]) if part))
            lines.append(row(d["state"], f"{d['what']}  {'[too late] ' if (d['state'], d['clock']) == ('done', 'missed') else ''}{tail}"))
    lines += ["", "clocks"] + [row(c["state"], f"{c['name']}, due {when(c['due'])}") for c in found["clocks"]]
    lines += [row(name, f"{found['promises'][name]} promised updates") for name in ("kept", "broken") if found["promises"][name]]
    lines += [f"  {_cut(metric['text'], width - 2)}" for metric in found["metrics"].values()]
    ledger = found["hypotheses"]
    lines += ["", "hypotheses"]
    lines += ["  " + _cut("{id}  {state}, {for} for, {against} against{checked}: {claim}".format_map(
        {**h, "checked": h["check"] and f", its check {h['check'] if h['check'] != 'cannot tell' else 'cannot be told'}"}), width - 2)
        for h in ledger["open"]]
    why = f" ({ledger['why_not']})" if ledger["why_not"] else ""
    lines.append(f"  {_cut('root cause: ' + ledger['root_cause'] + why, width - 2)}")
    lines += [row("failed", f"section {f['section']} could not be computed: {f['reason']}") for f in found["failures"][-5:]]
    return "\n".join(lines) + "\n"


def _cut(text: str, width: int) -> str:
    shown = sinks.terminal(text)
    return shown if len(shown) <= width else shown[:width - 1] + "…"
