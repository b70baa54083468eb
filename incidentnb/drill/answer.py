"""The answer of a drill: what was put into the logs, to the instant and to the request."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from incidentnb import times
from incidentnb.exceptions import InputError

SCHEMA = "incidentnb/drill/1"
FILE = ".drill-answer.json"
_INSTANTS = ("window_start", "window_end", "onset", "injected_at", "end")


@dataclass(frozen=True)
class Answer:
    """What a drill holds. Counts are of what the log lines bear, by the outcome that its format gives.

    Attributes:
        seed, kind, formats, style, packing, scale: how it was made.
        window_start, window_end: of the traffic, aware UTC.
        verdict: ``incident`` or ``no incident``.
        onset: of the first request that failed because of the fault; ``None`` without one.
        injected_at: when the fault began; the onset is the first request it hit.
        end: when the fault was taken away; ``None`` for still going on (or no incident).
        scope: ``everyone``, ``subset``, or ``None`` without an incident.
        where: the failing subset, column → value as this format calls them; empty for everyone.
        same_as: other descriptions of the same requests.
        culprit: id of the change that did it; ``None`` where none did.
        culprit_also: ids that name the same change (the commit in a deploy).
        outcome: what says that a record failed: ``http_status`` or ``level``.
        requests, failed: records that report an outcome; those that failed.
        injected: those that failed because of the fault.
        users_by: ``user``, ``client``, or ``None`` where the lines name neither.
        users_affected, users_total: distinct ones with a failure between onset and end, and seen then.
        lines: of all log files. ``logs``, ``changes``, ``repository``: paths below the drill's folder.
    """

    seed: int
    kind: str
    formats: tuple[str, ...]
    style: str
    packing: str
    scale: float
    window_start: datetime
    window_end: datetime
    verdict: str
    onset: datetime | None
    injected_at: datetime | None
    end: datetime | None
    scope: str | None
    where: dict[str, str]
    same_as: tuple[dict[str, str], ...]
    culprit: str | None
    culprit_also: tuple[str, ...]
    outcome: str
    requests: int
    failed: int
    injected: int
    users_by: str | None
    users_affected: int | None
    users_total: int | None
    lines: int
    logs: tuple[str, ...]
    changes: str
    repository: str | None
    schema: str = field(default=SCHEMA)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values; instants as ISO 8601."""
        body = dataclasses.asdict(self)
        return {"schema": body.pop("schema"), **{k: times.iso(v) if isinstance(v, datetime) else v for k, v in body.items()}}


def write_answer(folder: Path, answer: Answer) -> None:
    """Keep the answer in its folder, under a name that a listing does not show."""
    (folder / FILE).write_text(json.dumps(answer.as_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_answer(folder: str | Path) -> Answer:
    """The answer of the drill in a folder.

    Raises:
        InputError: there is no drill, or its answer is damaged.
    """
    path = Path(folder) / FILE
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        if body.pop("schema") != SCHEMA:
            raise ValueError
        for name in _INSTANTS:
            body[name] = times.parse(body[name]) if body[name] else None
        for name in ("formats", "same_as", "culprit_also", "logs"):
            body[name] = tuple(body[name])
        return Answer(**body)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(str(folder), "holds no drill", "make one: incidentnb drill DIR") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise InputError(str(path), "is damaged", "make the drill again") from None
