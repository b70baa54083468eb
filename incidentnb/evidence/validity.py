"""Certificates as changes: one runs out at its ``not_after`` although nobody does anything; one that soon will is a warning."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incidentnb.evidence.certificates import read_certificates
from incidentnb.exceptions import InputError
from incidentnb.sinks import terminal
from incidentnb.times import at, spell

if TYPE_CHECKING:
    from incidentnb.evidence.changes import Change

SOON = timedelta(days=14)  # a certificate that is used is renewed earlier than this, also by machines
AFTER = ("notafter", "validuntil", "validto", "expires", "expiresat", "expireson", "expiry", "expirydate", "expiration", "expirationdate",
         "expirationtime", "enddate")
BEFORE = ("notbefore", "validfrom", "startdate")
_NAMED = ("commonname", "cn", "domain", "fqdn", "hostname", "host", "dnsname", "san", "sans", "subject")
SURE = {"notafter", "notbefore"}  # names that only certificates have


def of_folder(path: str | Path) -> tuple[list[Change], list[str]]:
    """The certificates of a file or folder, each as the change that it makes when it runs out.

    Raises:
        InputError: it cannot be read, or holds none that can be used.
    """
    from incidentnb.evidence.changes import Change

    found, warnings = read_certificates(path)
    if not found:
        told = warnings[0] if warnings else f"{path}: holds no certificate"
        raise InputError(str(path), told.removeprefix(f"{path}: "), "a PEM or DER file, or a folder of .pem, .crt, .cer or .der files")
    changes = [Change(one.not_after, "certificate", one.name, f"certificate of {', '.join(one.names[:3]) or one.name} ends", source=one.source,
                      details={"expires": True, "not_before": one.not_before, "not_after": one.not_after, "names": list(one.names)})
               for one in found]
    return list({(c.id, c.at, str(c.details["names"])): c for c in reversed(changes)}.values())[::-1], warnings


def limits(names: Mapping[str, str], kind: str | None) -> tuple[str, str]:
    """The fields of a record that say from when and until when a certificate is valid; empty where it is no certificate."""
    if kind not in (None, "certificate") or (kind is None and not SURE & names.keys()):
        return "", ""
    return next((names[n] for n in BEFORE if n in names), ""), next((names[n] for n in AFTER if n in names), "")


def expiry(change: Change, before: datetime | None, after: datetime, dated: bool) -> list[Change]:
    """A record of a certificate as what it is: the event itself where it has a time of its own, and the end of the certificate."""
    given = {re.sub(r"[^a-z]", "", key.lower()): value for key, value in change.details.items() if isinstance(value, str) and value}
    named = [given[key] for key in _NAMED if key in given] or list(filter(None, (change.service, change.id)))[:1]
    name = named[0][:200] if named else "a name that is not told"
    change = replace(change, id=change.id or name)
    span: dict[str, Any] = {**({"not_before": before} if before else {}), "not_after": after, "names": named[:3]}
    ends = replace(change, at=after, kind="certificate", summary=f"certificate of {name} ends",
                   details={**change.details, **span, "expires": True})
    return [replace(change, kind="certificate", details={**change.details, **span}), ends] if dated else [ends]


def superseded(changes: Iterable[Change]) -> list[Change]:
    """The changes with ``details["superseded"]`` true on the end of each certificate whose name has another one that was valid then."""
    changes = list(changes)
    ends = [c for c in changes if c.details.get("expires")]
    if not ends:
        return changes
    spans: dict[str, list[tuple[datetime | None, datetime]]] = {}
    for change in ends:
        for name in _names(change):
            spans.setdefault(name, []).append((change.details.get("not_before"), change.at))

    def replaced(change: Change) -> bool:
        names = _names(change)
        return bool(names) and all(any(end > change.at and (begin is None or begin <= change.at) for begin, end in spans[name]) for name in names)

    return [replace(c, details={**c.details, "superseded": True}) if c.details.get("expires") and replaced(c) else c for c in changes]


def told(changes: Iterable[Change], since: datetime | None, until: datetime | None) -> list[str]:
    """A line for each certificate that runs out soon after ``until``, ran out shortly before ``since``, or is not valid yet at ``until``."""
    lines = []
    for change in changes:
        if until is None or not change.details.get("expires") or change.details.get("superseded"):
            continue
        name, begins = terminal(change.id or change.service, 80), change.details.get("not_before")
        if until < change.at <= until + SOON:
            lines.append(f"{change.source}: the certificate of {name} expires in {spell(change.at - until)}, {at(change.at)}")
        elif since is not None and since - SOON <= change.at < since:
            lines.append(f"{change.source}: the certificate of {name} expired {spell(since - change.at)} before the span looked at, {at(change.at)}")
        if isinstance(begins, datetime) and begins > until:
            lines.append(f"{change.source}: the certificate of {name} is not valid before {at(begins)}")
    return lines


def _names(change: Change) -> set[str]:
    given = change.details.get("names")
    return {str(n).lower() for n in given} if isinstance(given, list) and given else {n.lower() for n in (change.service, change.id)[:1] if n}


def plain_date(text: str) -> str:
    """The date that openssl prints (``Nov 23 14:03:08 2026 GMT``) as ISO; any other text as it is."""
    found = re.fullmatch(r"(?:not(?:After|Before)=)?([A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d \d{4}) GMT", text.strip())
    if not found:
        return text
    try:
        return f"{datetime.strptime(found[1], '%b %d %H:%M:%S %Y'):%Y-%m-%dT%H:%M:%SZ}"
    except ValueError:
        return text
