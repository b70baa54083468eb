"""A draft as the JSON that a status page or a chat takes. Nothing is sent: it is printed, and a person or their own tool sends it.

Statuspage: https://developer.statuspage.io (POST /pages/{page}/incidents). Slack: https://docs.slack.dev/reference/block-kit/blocks, text of a
section at most 3,000 characters, of a header 150, 50 blocks a message.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from incidentnb import sinks
from incidentnb.exceptions import InputError, Refused
from incidentnb.publish.drafts import Draft

if TYPE_CHECKING:
    from incidentnb.record.incident import Incident
    from incidentnb.record.team import Team

PLACES = ("statuspage", "slack")
NAME, BODY = 255, 25_000  # characters that a status page takes
SECTION, HEADER, FALLBACK, BLOCKS = 3000, 150, 3000, 50  # and Slack
_IMPACT = {"SEV-1": "critical", "SEV-2": "major", "SEV-3": "minor", "SEV-4": "minor"}
_COMPONENT = {"SEV-1": "major_outage", "SEV-2": "partial_outage", "SEV-3": "degraded_performance", "SEV-4": "degraded_performance"}


def payload(draft: Draft, place: str, incident: Incident, team: Team | None = None) -> dict[str, Any]:
    """The JSON of a draft for a place.

    Args:
        draft: as ``drafts.draft`` makes it.
        place: ``statuspage`` or ``slack``.
        incident: whose title and severity it tells.
        team: the team file, for the components of the status page.

    Raises:
        InputError: no such place, or a status page for what is no status page draft.
        Refused: the check refuses the draft, or a blank in it is not filled.
    """
    if place not in PLACES:
        raise InputError("--payload", f"{place} is none of {', '.join(PLACES)}")
    if place == "statuspage" and draft.kind != "status-page":
        raise InputError("--payload statuspage", f"not for a draft of kind {draft.kind}", "status-page is one")
    if draft.refused:
        raise Refused(f"draft {draft.kind}", "; ".join(f"{flag.code}: {flag.what}" for flag in draft.refused[:3]),
                      "mend the record, or edit the text and give it with --check FILE")
    if draft.missing:
        raise Refused(f"draft {draft.kind}", f"blanks that nothing fills: {', '.join(draft.missing[:4])}",
                      "record them, give --next TIME, or fill them in by hand: --check FILE")
    return statuspage(draft, incident, team) if place == "statuspage" else slack(draft, incident)


def statuspage(draft: Draft, incident: Incident, team: Team | None = None) -> dict[str, Any]:
    """An incident as Statuspage takes it: nobody is notified by it, markup in it is text, lengths are kept."""
    known = [component for component in (team.components if team else ()) if component.id]
    state = "operational" if draft.state == "resolved" else _COMPONENT[incident.severity]
    ids = [sinks.terminal(component.id, 64) for component in known]
    name, body = (sinks.status_page(text) for text in (_title(draft, incident), draft.text))
    return {"incident": {
        "name": _clipped(name, NAME), "status": draft.state, "body": _clipped(body, BODY), "impact_override": _IMPACT[incident.severity],
        "component_ids": ids, "components": dict.fromkeys(ids, state), "deliver_notifications": False}}


def slack(draft: Draft, incident: Incident) -> dict[str, Any]:
    """A message of blocks whose texts are plain text: no mention, no link, no formatting comes out of what a log line says."""
    head = f"{incident.severity} {draft.state or incident.status}: {_title(draft, incident)}"
    body = draft.text.split("\n\n", 1)[-1] if draft.kind == "stakeholders" else draft.text
    parts = [part for paragraph in body.split("\n\n") for part in _pieces(paragraph)]
    if len(parts) > BLOCKS - 1:
        parts = [*parts[:BLOCKS - 2], "…"]
    blocks = [{"type": "header", "text": _plain(sinks.slack(head, HEADER))}]
    blocks += [{"type": "section", "text": _plain(sinks.slack(part, SECTION))} for part in parts]
    return {"text": sinks.slack(f"{head}\n{body}", FALLBACK), "blocks": blocks, "mrkdwn": False, "parse": "none", "link_names": False,
            "unfurl_links": False, "unfurl_media": False}


def _title(draft: Draft, incident: Incident) -> str:
    """The title as the draft was allowed to say it: what was hidden there is hidden here."""
    from incidentnb.publish import redaction

    audience = "public" if draft.kind in ("status-page", "stakeholders") else "internal"
    return sinks.message(redaction.redact(incident.title, audience=audience)[0], 150)


def _clipped(text: str, limit: int) -> str:
    """Text of at most ``limit`` characters, never cut within a character reference."""
    return text if len(text) <= limit else re.sub(r"&[#\w]*$", "", text[:limit - 1]) + "…"


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text or "–", "emoji": False}


def _pieces(paragraph: str) -> list[str]:
    """A paragraph in pieces that a section holds after escaping, cut between lines or words."""
    pieces, here = [], ""
    for word in re.findall(r"\S+\s*", paragraph):
        if here and len(sinks.slack(here + word, 10**6)) > SECTION - 100:
            pieces, here = [*pieces, here.rstrip()], ""
        here += word
    return [*pieces, here.rstrip()] if here.strip() else pieces
