"""The ways back from what changed, on the terminal: from the answers that the last investigation recorded, without running it again."""

from __future__ import annotations

from pathlib import Path

from incidentnb import times
from incidentnb.exceptions import InputError
from incidentnb.findings import Finding
from incidentnb.record import incident


def options(folder: Path | str) -> list[dict[str, str]]:
    """How each of the changes that the last investigation ranked highest could be undone, as ``case.options`` says it. Nothing is run.

    Raises:
        InputError: no incident there, or nothing was investigated yet.
    """
    from incidentnb.case import options as room
    from incidentnb.evidence import changes as feeds

    known = incident.load(folder)
    found = known.finding("suspects")
    ranked = [{**change, "at": times.parse(str(change["at"]))} for change in (found.body.get("numbers") or {}).get("changes", ())] if found else []
    if found is None:
        raise InputError("mitigate --options", "what changed is not known yet", "incidentnb investigate")
    changes, _ = feeds.read_changes(known.sources["changes"], known.sources["repos"], since=min((one["at"] for one in ranked), default=None))
    return room.options_of(Finding("suspects", str(found.body["verdict"]), str(found.body["sentence"]), "", {"changes": ranked}), changes)
