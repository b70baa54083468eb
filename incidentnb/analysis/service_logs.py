"""Log records as events of services: who wrote it, in which request, which statement it came from."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from incidentnb.analysis.masks import mask, masked_sql

if TYPE_CHECKING:
    import pandas as pd

    from incidentnb.evidence.table import LogTable

MOST_RECORDS = 20_000  # a second's work; with more the answers on real incidents are the same
SERVICE = ("service", "service.name", "servicename", "k8s.deployment.name", "app", "application", "podname", "pod", "pod_name", "k8s.pod.name",
           "kubernetes.pod_name", "kubernetes.pod.name", "cmdb_id", "container_name", "container", "component")
TRACE = ("trace_id", "traceid", "trace.id", "dd.trace_id", "otel.trace_id", "x-b3-traceid")
SPAN = ("span_id", "spanid", "span.id", "dd.span_id", "otel.span_id", "x-b3-spanid")
TEXT = ("message", "log", "msg", "body", "text", "event")
_LEVEL = r"\b(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|SEVERE|FATAL|CRITICAL|PANIC|EMERG)\b"
# the statement itself where a line names it: a.b.Class#123, Class.java:123
_PLACE = r"(?:[\w$\[\]]+\.)+[\w$\[\]]+#\d+|[\w$]+\.(?:java|kt|scala|go|py|rb|js|ts|cs|cpp|cc|rs|php):\d+"
_LOUD = ("WARN", "ERROR", "FATAL")
_COMPLAINT = re.compile(r"\b(?:error|exception|fail(?:ed|ure|s)?|fatal|panic|traceback)\b", re.IGNORECASE)  # of a line without a level


def column(table: LogTable, names: tuple[str, ...]) -> str:
    """The first of these columns that holds something, quoted for the engine; "" where none does."""
    have = {name.lower(): name for name in table.columns}
    for name in names:
        if name in have:
            quoted = '"' + have[name].replace('"', '""') + '"'
            if table.row(f"SELECT 1 AS found FROM log WHERE {quoted} IS NOT NULL LIMIT 1").get("found"):
                return quoted
    return ""


def text_sql(quoted: str) -> str:
    """The message in a column; out of the JSON around it where a container engine put it there."""
    inner = ", ".join(f"json_extract_string({quoted}, '$.{key}')" for key in ("log", "message", "msg"))
    return f"CASE WHEN {quoted} LIKE '{{%' AND json_valid({quoted}) THEN coalesce({inner}, {quoted}) ELSE {quoted} END"


def unwrapped(text: str) -> str:
    """The same of one text."""
    if text.startswith("{"):
        try:
            inner = json.loads(text)
        except ValueError:
            return text
        return next((str(inner[key]) for key in ("log", "message", "msg") if inner.get(key)), text)
    return text


def traced(table: LogTable, condition: str = "true") -> pd.DataFrame | None:
    """The records that belong to a request, as events for ``behaviour.bags``.

    An event is the level and the place in the code that a line names, else the masked message (``masked`` and ``said`` help to group and to show
    it). Of more than ``MOST_RECORDS`` whole requests are left out, by the hash of their id.

    Returns:
        ``service``, ``trace``, ``span``, ``time_ns``, ``level``, ``place``, ``masked``, ``said``, and ``attrs["part"]``: one request in so many
        was read; ``None`` where no column says which service and which request.
    """
    service, trace, span, text = (column(table, names) for names in (SERVICE, TRACE, SPAN, TEXT))
    if not (service and trace and text):
        return None
    where = f"{service} IS NOT NULL AND {trace} IS NOT NULL AND {text} IS NOT NULL AND time IS NOT NULL AND ({condition})"
    rows = table.row(f"SELECT count(*) AS n FROM log WHERE {where}")["n"]
    if (part := math.ceil(rows / MOST_RECORDS)) > 1:
        where += f" AND hash({trace}) % {part} = 0"
    place = _PLACE.replace("'", "''")
    got = table.frame(f"""SELECT service, trace, span, epoch_ns(time) AS time_ns,
coalesce(level, regexp_extract(left(said, 160), '{_LEVEL}', 1)) AS level,
regexp_extract(left(said, 240), '({place})', 1) AS place, {masked_sql('said')} AS masked, left(said, 400) AS said
FROM (SELECT {service} AS service, {trace} AS trace, {f"coalesce({span}, '')" if span else "''"} AS span, time, level, {text_sql(text)} AS said
FROM log WHERE {where})""")
    got.attrs["part"] = part
    return got


def of_several(table: LogTable) -> bool:
    """Whether the records are of more than one service."""
    service = column(table, SERVICE)
    return bool(service) and (table.row(f"SELECT approx_count_distinct({service}) AS n FROM log")["n"] or 0) > 1


def events(frames: list[pd.DataFrame], services: Mapping[str, str]) -> tuple[list[pd.DataFrame], dict[str, str]]:
    """The events of several tables under the same names, and event → its text for people.

    Args:
        frames: as ``traced`` makes them.
        services: pod → service (``pods.fold``).

    Returns:
        For each table ``service``, ``trace``, ``span``, ``time_ns``, ``event``, ``loud``; an event without a place is named by its shape.
    """
    import pandas as pd

    from incidentnb.analysis import mining

    whole = pd.concat(frames, ignore_index=True)
    counts = whole.loc[whole["place"] == "", "masked"].value_counts()
    order = sorted(counts.index)
    shape = dict(zip(order, mining.shapes(order, [int(counts[m]) for m in order]), strict=True)) if order else {}
    level = whole["level"].str.upper().replace({"WARNING": "WARN", "SEVERE": "ERROR", "CRITICAL": "FATAL", "PANIC": "FATAL", "EMERG": "FATAL"})
    named = whole["place"].where(whole["place"] != "", whole["masked"].map(shape))
    loud = level.isin(_LOUD) | ((level == "") & whole["said"].str.contains(_COMPLAINT))
    whole = whole.assign(event=level + " " + named, loud=loud, service=whole["service"].map(services))
    said = whole.groupby("event")["said"].min()
    words = {event: shown(text) for event, text in said.items()}
    cuts, start = [], 0
    for frame in frames:
        cuts.append(whole.iloc[start:start + len(frame)][["service", "trace", "span", "time_ns", "event", "loud"]])
        start += len(frame)
    return cuts, words


_IDS = re.compile(r"\b(?:trace|span)[_ -]?id\s*[:=]\s*\S+\s*", re.IGNORECASE)
_CLOCK = re.compile(r"^\s*[\dT:.,/\-]+(?:Z|[+-]\d\d:?\d\d)?\s+")


def shown(text: Any) -> str:
    """A message as one shows it: without its own clock and ids, its variable parts masked, in at most 120 characters."""
    line = str(text).strip().split("\n")[0]
    place = re.search(_PLACE, line)
    line = _IDS.sub("", _CLOCK.sub("", line))
    line = " ".join(mask(line.replace(place[0], "\0") if place else line).split()).replace("\0", place[0] if place else "")
    return line if len(line) <= 120 else line[:119] + "…"
