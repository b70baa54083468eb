"""The appendix as one JSON object, for programs: what the head of the page says, and the account behind it.

The contract is ``schemas/appendix.schema.json``. Instants are ISO 8601 text in UTC, lengths of time seconds; what is not known is ``null``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from incidentnb import sinks
from incidentnb.publish.forms import Made

SCHEMA = "incidentnb/appendix/1"
HEAD = ("incident", "title", "severity", "status", "ic", "zone", "as_of", "summary", "scope")
ACCOUNT = ("milestones", "metrics", "timeline", "findings", "hypotheses", "mitigations", "decisions", "actions", "roles", "severities", "statuses")


def make(model: Mapping[str, Any], folder: str = "", to: str = "json") -> Made:
    """The object as UTF-8 text, in a fixed order, one value a line."""
    text = json.dumps(_shown(appendix(model)), ensure_ascii=False, indent=1, allow_nan=False)
    return Made((text + "\n").encode("utf-8"))


def appendix(model: Mapping[str, Any]) -> dict[str, Any]:
    """The model as plain values, as the schema has them."""
    account = model["account"]
    head, run = account["head"], account["run"]
    told = {"title": model["title"], "summary": " ".join(model["summary"]) or None, **{key: model[key] or None for key in ("severity", "status")}}
    said = {key: told[key] if key in told else head[key] for key in HEAD}
    cells = [{"section": section["title"], "state": state, "why": why or None}
             for section in [*model["sections"], model["setup"]] for state, why in section["cells"]]
    return {
        "schema": SCHEMA, "audience": model.get("audience"), "hidden": {one["kind"]: one["count"] for one in model.get("hidden") or ()}, **said,
        **{name: account.get(name) for name in ACCOUNT},
        "run": {**run, "cells": cells}, "inputs": head["inputs"], "journal": head["journal"], "evidence": head["evidence"],
        "versions": head["versions"],
    }


def _shown(value: Any) -> Any:
    """A value whose texts hold no character that nobody sees, and whose numbers are numbers."""
    if isinstance(value, str):
        return sinks.visible(value, keep="\n\t")
    if isinstance(value, Mapping):
        return {sinks.visible(str(key)): _shown(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
