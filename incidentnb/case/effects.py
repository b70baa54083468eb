"""What the data show after each mitigation, kept as its effect: one entry each, corrected as more of the minutes after it are in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from incidentnb.case import sections
from incidentnb.case.standing import ITSELF
from incidentnb.findings import CANNOT_TELL, Finding

if TYPE_CHECKING:
    from incidentnb.case.core import Case
    from incidentnb.record.folds import Mitigation


def run(case: Case) -> dict[str, Finding]:
    """What the data show after each mitigation that was recorded, by its number; an effect that can be told is recorded.

    Where the log cannot be read, what people recorded still shows, with a remark.
    """
    from incidentnb.analysis import effect

    done = case.incident.mitigations
    if not done:
        return {}
    try:
        log = case.log
    except Exception as error:  # noqa: BLE001 - the record of what was done must show all the same
        case.remarks.append(f"What came of it cannot be told from the data: {sections.reason(error)}")
        return {}
    onset, scope = (found if isinstance(found := case.answer(name), Finding) else None for name in ("onset", "scope"))
    seen = {}
    for one in done:
        later = [(f"{other.id} ({other.what})", other.at) for other in done if other.id != one.id]
        if one.undone_at:
            later.append((f"the undoing of {one.id}", one.undone_at))
        seen[one.id] = effect.effect(log, one.at, onset, scope, name=one.id, later=later)
        if seen[one.id].verdict != CANNOT_TELL:
            _keep(case, one, seen[one.id])
    return seen


def _keep(case: Case, one: Mitigation, found: Finding) -> None:
    from incidentnb.record import lines, statements

    former = [e for e in lines.standing(case.entries) if e.kind == "effect" and e.actor == ITSELF and e.body.get("mitigation") == one.id]
    if not former or former[-1].body.get("finding") != found.id:
        case.keep(statements.observe, one.id, found.sentence, finding=found, at=found.numbers["until"],
                  supersedes=former[-1].id if former else None)
