"""What holds for a team and where it comes from, as data and as a page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from incidentnb import sinks
from incidentnb.record import runbook, team
from incidentnb.record.clocks import DAYS, Calendar
from incidentnb.record.team import Team

SCHEMA = "incidentnb/config/1"


def example() -> str:
    """A team file to begin with, every line of it a comment."""
    return Path(__file__).with_name("incidentnb.example.toml").read_text(encoding="utf-8")


def config(found: Team) -> dict[str, Any]:
    """What holds, in plain JSON: ``schema``, ``file`` (or null), ``values`` (name → ``value``, ``from``), ``warnings``.

    The calendar is the one that deadlines are counted in: that of the team file, else of the runbook.

    Raises:
        InputError: the runbook that the file names is wrong (file:line).
    """
    book = runbook.rules(found.runbook or runbook.FILE)
    values: dict[str, Any] = {}

    def put(name: str, value: Any, origin: str = "") -> None:
        values[name] = {"value": value, "from": origin or found.origin.get(name, team.BUILT_IN)}
    for name in ("logs", "repos", "changes"):
        put(name, list(getattr(found, name)))
    for name in ("zone", "ic"):
        put(name, getattr(found, name))
    days, whence = found.calendar or book.calendar, found.origin.get("calendar", team.BUILT_IN)
    if whence == team.BUILT_IN and found.runbook:
        whence = team.shown(found.runbook)
    for key, value in _calendar(days).items():
        inherited = found.origin["zone"] if key == "zone" and found.calendar and found.zone else whence if not found.calendar else team.BUILT_IN
        put(f"calendar.{key}", value, found.origin.get(f"calendar.{key}", inherited))
    put("roster", [{"name": one.name, "roles": list(one.roles), "contact": one.contact} for one in found.roster])
    for key, value in found.channels.items():
        put(f"channels.{key}", value)
    put("components", [{"name": one.name, "id": one.id} for one in found.components])
    put("stakeholders", [{"name": one.name, "mail": one.mail, "severities": list(one.severities)} for one in found.stakeholders])
    put("hosts", list(found.hosts))
    put("redaction", [{"name": one.name, "pattern": one.pattern.pattern, "action": one.action} for one in found.redaction])
    put("runbook", str(found.runbook) if found.runbook else f"{len(book.duties)} duties")
    put("templates", str(found.templates) if found.templates else "")
    return {"schema": SCHEMA, "file": str(found.path) if found.path else None, "values": values, "warnings": _warnings(found)}


def config_text(shown: dict[str, Any]) -> str:
    """What ``config`` returned, for people: one line a value with where it comes from; without a file, how to make one."""
    rows = [(name, _spell(one["value"]), one["from"]) for name, one in shown["values"].items()]
    wide = max(len(name) for name, _, _ in rows)
    middle = min(max(len(text) for _, text, _ in rows), 60)
    lines = [f"{name:{wide}}  {sinks.terminal(text, 160):{middle}}  {sinks.terminal(origin)}" for name, text, origin in rows]
    lines += [f"warning: {sinks.terminal(warning)}" for warning in shown["warnings"]]
    if shown["file"] is None:
        lines = [f"no {team.FILE} here or above: nothing is set", "", *lines, "",
                 f"to begin: incidentnb config --example > {team.FILE}, then take away the # of what you set:", "", example()]
    return "\n".join(lines)


def _calendar(days: Calendar) -> dict[str, Any]:
    return {"zone": str(days.zone), "days": [DAYS[day] for day in sorted(days.days)], "start": f"{days.start:%H:%M}",
            "end": f"{days.end:%H:%M}", "holidays": sorted(day.isoformat() for day in days.holidays),
            "sprint_start": days.sprint_start.isoformat(), "sprint_days": days.sprint_days}


def _warnings(found: Team) -> list[str]:
    """What is no mistake in the file, and still finds nothing."""
    import glob

    gone = [f"{found.origin[name]}: {name}: nothing is there: {path}" for name in ("logs", "repos", "changes") for path in getattr(found, name)
            if not re.match(r"[a-z0-9+]+://", path) and not (Path(path).exists() or glob.glob(path, recursive=True))]  # noqa: PTH207 - any pattern
    names = {person.name for person in found.roster}
    if found.ic and names and found.ic not in names:
        gone.append(f"{found.origin['ic']}: ic: {found.ic} is not in the roster")
    return gone


def _spell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(text for text in map(_spell, value.values()) if text != "–")
    if isinstance(value, list):
        return ("; " if value and isinstance(value[0], dict) else ", ").join(map(_spell, value)) or "–"
    return str(value) if value not in ("", None) else "–"
