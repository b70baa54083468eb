"""CloudEvents and CDEvents taken out of their envelopes, so that they read like any other record of a change."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any


def unwrap(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """A CloudEvent (1.0, structured JSON) as its payload with the envelope's time, type and id; a CDEvent (0.1 to 0.4, alone or in
    a CloudEvent) as its subject with its context's; an incident of a status page as trouble elsewhere that lasts; any other as it is."""
    if "specversion" in record:
        data = _payload(record)
        if isinstance(data, Mapping) and isinstance(data.get("context"), Mapping):
            outer = {"timestamp": record.get("time"), "type": record.get("type"), "id": record.get("id")}
            return unwrap({**data, "context": {**outer, **data["context"]}})
    context, subject = record.get("context"), record.get("subject")
    if isinstance(context, Mapping) and isinstance(subject, Mapping):
        return _cdevent(context, subject)
    if "specversion" not in record:
        return _of_page(record) if "incident_updates" in record and "name" in record else record
    payload = data if isinstance(data, Mapping) else {} if data is None else {"text": data}
    envelope = {"time": record.get("time"), "type": record.get("type"), "id": record.get("id"),
                "event_source": record.get("source")}
    about = record.get("subject")
    named = {"service": about} if about and not {"service", "app", "name", "flag"} & payload.keys() else {}
    return {**payload, **named, **{name: value for name, value in envelope.items() if value is not None}}


def _of_page(record: Mapping[str, Any]) -> dict[str, Any]:
    """An incident or a maintenance of a status page (Statuspage's JSON, as many vendors serve it): who it is, from when until when."""
    maintenance = record.get("scheduled_for") is not None
    page, parts = record.get("page"), record.get("components")
    parts = [str(part.get("name")) for part in parts if isinstance(part, Mapping)] if isinstance(parts, list) else []
    found = {"time": record.get("scheduled_for") or record.get("started_at") or record.get("created_at"),
             "ended_at": record.get("resolved_at") or (record.get("scheduled_until") if maintenance else None), "kind": "external",
             "id": record.get("id"), "service": page.get("name") if isinstance(page, Mapping) else None, "summary": record.get("name"),
             "status": record.get("status"), "impact": record.get("impact"), "components": ", ".join(parts[:20]) or None}
    return {name: value for name, value in found.items() if value is not None}


def _payload(record: Mapping[str, Any]) -> Any:
    data = record.get("data")
    try:
        if isinstance(record.get("data_base64"), str):
            data = base64.b64decode(record["data_base64"]).decode()
        if isinstance(data, str) and data.lstrip().startswith("{"):
            return json.loads(data)
    except (ValueError, RecursionError):  # a payload that is no JSON is a text
        pass
    return data


def _cdevent(context: Mapping[str, Any], subject: Mapping[str, Any]) -> dict[str, Any]:
    """``dev.cdevents.SUBJECT.PREDICATE.VERSION``: the subject's name under its own kind, the version of what was deployed."""
    content = subject.get("content")
    content = dict(content) if isinstance(content, Mapping) else {}
    about = re.sub(r"^dev\.cdevents\.", "", str(context.get("type") or "")).split(".")[0].lower()
    name, artifact = content.pop("name", None) or subject.get("id"), content.pop("artifactId", None)
    found = {"time": context.get("timestamp"), "type": context.get("type"), "id": context.get("id"), "service": name}
    if about not in ("service", ""):
        found[f"{about}_id"] = subject.get("id")
    if artifact:  # a package URL: pkg:oci/shop-api@sha256:…?tag=4.18.0, pkg:generic/shop-api@4.18.0
        tag = re.search(r"[?&]tag=([^&#]+)", str(artifact))
        version = re.search(r"@([^?#]+)", str(artifact))
        found |= {"artifact_id": artifact, "version": tag[1] if tag else version[1] if version else None}
    return found | content
