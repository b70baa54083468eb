"""Spans of traces, whoever wrote them, as one small table: CSV or JSON lines with one span a row, Jaeger, Zipkin and OTLP JSON.

Names are compared without case, dots, dashes and underscores: ``TraceID``, ``trace_id`` and ``traceId`` are one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("trace", "span", "parent", "service", "operation", "start_ns", "duration_ns", "failed")
TRACE, SPAN = ("traceid",), ("spanid", "id")
_PARENT = ("parentid", "parentspanid", "parent", "parentspan")
_SERVICE = ("service", "servicename", "resourceservicename", "app", "podname", "pod", "k8spodname", "cmdbid", "process", "component", "container")
_OPERATION = ("operation", "operationname", "spanname", "name", "resource")
_START = ("starttimeunixnano", "starttime", "start", "timestamp", "time", "startns", "startus", "startms", "startedat")
_END = ("endtimeunixnano", "endtime", "end", "endns", "endedat")
_DURATION = ("duration", "durationns", "durationnano", "durationus", "durationms", "elapsed")
_FAILED = ("failed", "error", "iserror", "statuscode", "otelstatuscode", "status", "httpstatuscode", "grpcstatus")
_BAD = re.compile(r"^(?:true|error|status_code_error|failed|failure|5\d\d)$", re.IGNORECASE)
_ROOT = {"", "root", "0", "0000000000000000", "none", "null", "nan"}


def plain(name: str) -> str:
    """A column's name for comparing."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def is_spans(names: Iterable[str]) -> bool:
    """Whether a table with these columns holds spans: a trace, a span, an operation, and how long it took."""
    have = {plain(n) for n in names}
    timed = have & set(_DURATION) or (have & set(_START) and have & set(_END))
    return bool(have & set(TRACE) and have & set(SPAN) and have & set(_OPERATION) and have & set(_PARENT) and timed)


def of_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """The spans of a table with one span a row.

    Returns:
        ``trace``, ``span``, ``parent`` ("" for none), ``service``, ``operation`` (text), ``start_ns`` (since 1970, UTC), ``duration_ns`` (integers),
        ``failed``; rows without ids, start or duration are left out, and of two rows with one span id the first stays;
        ``frame.attrs["left_out"]`` counts both.
    """
    import pandas as pd

    by = {}
    for name in frame.columns:
        by.setdefault(plain(str(name)), name)

    def pick(names: tuple[str, ...]) -> Any:
        return next((frame[by[n]] for n in names if n in by), None)

    def text(names: tuple[str, ...]) -> pd.Series:
        found = pick(names)
        return pd.Series("", index=frame.index, dtype=object) if found is None else found.astype(object).where(found.notna(), "").map(str)

    start, end = _instants(pick(_START)), _instants(pick(_END))
    length = _lengths(pick(_DURATION), next(n for n in _DURATION if n in by)) if end is None else end - start
    made = pd.DataFrame({"trace": text(TRACE), "span": text(SPAN), "parent": text(_PARENT), "service": text(_SERVICE),
                         "operation": text(_OPERATION), "start_ns": start, "duration_ns": length,
                         "failed": text(_FAILED).map(lambda v: bool(_BAD.match(v)))})
    kept = made[(made["trace"] != "") & (made["span"] != "") & made["start_ns"].notna() & (made["duration_ns"] >= 0)]
    kept = kept.drop_duplicates(["trace", "span"])
    kept = kept.assign(parent=kept["parent"].map(lambda p: "" if p.lower() in _ROOT else p), start_ns=kept["start_ns"].astype("int64"),
                       duration_ns=kept["duration_ns"].astype("int64"))
    kept = kept.sort_values(["start_ns", "trace", "span"]).reset_index(drop=True)
    kept.attrs["left_out"] = len(frame) - len(kept)
    return kept


def of_documents(documents: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """One row a span out of the JSON that Jaeger, Zipkin, OTLP exporters and flat writers make."""
    for document in documents:
        if isinstance(document, list):
            yield from of_documents(document)
        elif not isinstance(document, dict):
            continue
        elif "resourceSpans" in document:
            yield from _otlp(document["resourceSpans"])
        elif isinstance(document.get("data"), list):
            yield from of_documents(document["data"])
        elif isinstance(document.get("spans"), list):
            yield from _jaeger(document)
        elif isinstance(document.get("localEndpoint"), dict):
            yield _zipkin(document)
        else:
            yield {k: v for k, v in document.items() if not isinstance(v, dict | list)}


def _jaeger(trace: dict[str, Any]) -> Iterator[dict[str, Any]]:
    processes = trace.get("processes") or {}
    for span in trace["spans"]:
        parents = [r.get("spanID") for r in span.get("references") or [] if r.get("refType", "CHILD_OF") == "CHILD_OF"]
        process = span.get("process") or processes.get(span.get("processID")) or {}
        tags = {t.get("key"): t.get("value") for t in span.get("tags") or []}
        yield {"traceid": span.get("traceID") or trace.get("traceID"), "spanid": span.get("spanID"),
               "parentid": (parents or [span.get("parentSpanID")])[0], "service": process.get("serviceName"),
               "operation": span.get("operationName"), "startus": span.get("startTime"), "durationus": span.get("duration"), "failed": _wrong(tags)}


def _zipkin(span: dict[str, Any]) -> dict[str, Any]:
    return {"traceid": span.get("traceId"), "spanid": span.get("id"), "parentid": span.get("parentId"),
            "service": span["localEndpoint"].get("serviceName"), "operation": span.get("name") or "",
            "startus": span.get("timestamp"), "durationus": span.get("duration"),
            "failed": "error" in (span.get("tags") or {}) or _wrong(span.get("tags") or {})}


def _otlp(resources: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for resource in resources:
        given = (resource.get("resource") or {}).get("attributes") or []
        attributes = {a.get("key"): next(iter((a.get("value") or {}).values()), None) for a in given}
        for scope in resource.get("scopeSpans") or resource.get("instrumentationLibrarySpans") or []:
            for span in scope.get("spans") or []:
                yield {"traceid": span.get("traceId"), "spanid": span.get("spanId"), "parentid": span.get("parentSpanId"),
                       "service": attributes.get("service.name") or attributes.get("k8s.pod.name"), "operation": span.get("name"),
                       "starttimeunixnano": span.get("startTimeUnixNano"), "endtimeunixnano": span.get("endTimeUnixNano"),
                       "failed": (span.get("status") or {}).get("code") in (2, "STATUS_CODE_ERROR")}


def _wrong(tags: dict[str, Any]) -> bool:
    return any(_BAD.match(str(tags.get(key, ""))) for key in ("error", "otel.status_code", "http.status_code", "http.response.status_code"))


def _instants(values: Any) -> Any:
    """Instants as nanoseconds since 1970: ISO 8601, or an epoch in s, ms, µs or ns by its size; ``None`` where there is no such column."""
    import pandas as pd

    if values is None:
        return None
    number = pd.to_numeric(values, errors="coerce")
    if number.notna().mean() < 0.5:
        moments = pd.to_datetime(values, errors="coerce", utc=True, format="ISO8601")
        return (moments - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(1, "ns")
    size = number.abs().median()
    factor = 10**9 if size < 1e11 else 10**6 if size < 1e14 else 10**3 if size < 1e17 else 1
    if number.dtype.kind in "iu":
        return number * factor
    return (number * factor).round().astype("Int64") if number.notna().all() else number * factor


def _lengths(values: Any, name: str) -> Any:
    """Durations as nanoseconds: by the unit in the column's name, else microseconds, as Jaeger, Zipkin and most exports have them."""
    import pandas as pd

    factor = 1 if name.endswith(("ns", "nano")) else 10**6 if name.endswith("ms") else 10**3
    return pd.to_numeric(values, errors="coerce") * factor
