"""The checks of the hypotheses, run on the evidence as it is now: each flip is recorded, none is a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from incidentnb.case import sections
from incidentnb.findings import CANNOT_TELL
from incidentnb.record import predictions
from incidentnb.record.predictions import Check, Result

if TYPE_CHECKING:
    from incidentnb.case.core import Case


def run(case: Case) -> dict[str, Result]:
    """What the check of each live hypothesis comes to, by its number; one that cannot be run says why and stops no other.

    A result that differs from the one before goes into the journal (``hypotheses.record_check``), in a replay nothing does.
    """
    from incidentnb.record import hypotheses

    found: dict[str, Result] = {}
    for one in case.incident.hypotheses:
        if one.check is None or not one.live:
            continue
        found[one.id] = result = answer(case, one.check)
        if one.checked is None or one.checked.result != result.result:
            case.keep(hypotheses.record_check, one.id, result, **_data(case))
    return found


def answer(case: Case, check: Check) -> Result:
    """What a check comes to on the evidence of a case; ``cannot tell`` with the reason where it cannot be run."""
    try:
        if check.is_query:
            from incidentnb.evidence import asking

            return predictions.of_number(check, asking.number(case.log, check.ask))
        return predictions.of_finding(check, getattr(case, check.ask))
    except Exception as error:  # noqa: BLE001 - a check that fails to run is a result too
        return Result(CANNOT_TELL, "", sections.reason(error))


def _data(case: Case) -> dict:
    try:
        return {"evidence": case.log.digest, "until": case.log.span.end if case.log.span else None}
    except Exception:  # noqa: BLE001 - the check has said that there is no evidence
        return {}
