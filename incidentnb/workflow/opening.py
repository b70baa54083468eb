"""Opening an incident where a team file says the rest: title and severity are enough."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from incidentnb.exceptions import InputError
from incidentnb.record import team
from incidentnb.workflow import running


def open_with_team(title: str, severity: str, *, logs: Sequence[str | Path] = (), changes: Sequence[str | Path] = (),
                   repos: Sequence[str | Path] = (), ic: str | None = None, zone: str | None = None, parent: Path | str = ".",
                   **more: Any) -> Path:
    """Make the folder of a new incident; what is not given comes from the team file nearest to ``parent`` or the working folder.

    Args:
        title, severity, logs, changes, repos, ic, zone, parent: as ``running.open_incident``; each that is given takes the place of the
            team's own.
        more: the rest of what ``running.open_incident`` takes.

    Raises:
        InputError: as ``running.open_incident``; the team file is wrong, or names what is not there (file:line).
    """
    known = team.load(parent, Path.cwd())
    given = {"logs": list(logs), "changes": list(changes), "repos": list(repos)}
    taken = {name: list(getattr(known, name)) for name, value in given.items() if not value}
    for name, value in taken.items():
        try:
            running.check_sources(**{"logs": [], "changes": [], "repos": [], name: value})
        except InputError as error:
            raise InputError(known.origin[name], f"{name}: {error.what}: {error.where}", "mend it, or name others on the command line") from None
    return running.open_incident(title, severity, **{**given, **taken}, ic=ic or known.ic or None, zone=zone or known.zone or None, parent=parent,
                                 channel_prefix=known.channels.get("prefix"), **more)
