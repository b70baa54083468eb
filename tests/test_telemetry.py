"""Logs, spans and metrics told apart, spans of every writer read alike, pods folded to services, and the verb on all of them."""

import gzip
import json
from datetime import UTC, datetime

import pandas as pd
import pytest
from test_services import T0, system

from incidentnb import places
from incidentnb.cli import main
from incidentnb.evidence import metrics, spans, telemetry
from incidentnb.evidence.pods import fold
from incidentnb.exceptions import InputError

START = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()) * 10**6  # microseconds
FLAT = [{"TraceID": "00123e5", "SpanID": "1", "ParentID": "root", "PodName": "front", "OperationName": "GET /", "StartTimeUnixNano": START * 1000,
         "EndTimeUnixNano": (START + 500) * 1000, "Duration": 500},
        {"TraceID": "00123e5", "SpanID": "2", "ParentID": "1", "PodName": "pay", "OperationName": "charge", "StartTimeUnixNano": (START + 100) * 1000,
         "EndTimeUnixNano": (START + 300) * 1000, "Duration": 200}]
JAEGER = {"data": [{"traceID": "00123e5", "processes": {"p1": {"serviceName": "front"}, "p2": {"serviceName": "pay"}}, "spans": [
    {"traceID": "00123e5", "spanID": "1", "operationName": "GET /", "references": [], "startTime": START, "duration": 500, "processID": "p1"},
    {"traceID": "00123e5", "spanID": "2", "operationName": "charge", "references": [{"refType": "CHILD_OF", "traceID": "00123e5", "spanID": "1"}],
     "startTime": START + 100, "duration": 200, "processID": "p2"}]}]}
ZIPKIN = [{"traceId": "00123e5", "id": "1", "name": "GET /", "timestamp": START, "duration": 500, "localEndpoint": {"serviceName": "front"}},
          {"traceId": "00123e5", "id": "2", "parentId": "1", "name": "charge", "timestamp": START + 100, "duration": 200,
           "localEndpoint": {"serviceName": "pay"}}]
OTLP = {"resourceSpans": [
    {"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": name}}]}, "scopeSpans": [{"spans": [
        {"traceId": "00123e5", "spanId": span, "parentSpanId": up, "name": operation, "startTimeUnixNano": str((START + begin) * 1000),
         "endTimeUnixNano": str((START + begin + took) * 1000), "status": {}}]}]}
    for name, span, up, operation, begin, took in (("front", "1", "", "GET /", 0, 500), ("pay", "2", "1", "charge", 100, 200))]}


def written(folder, name, text):
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return str(path)


@pytest.mark.parametrize(("name", "text"), [
    ("flat.csv", pd.DataFrame(FLAT).to_csv(index=False)),
    ("flat.csv.gz", pd.DataFrame(FLAT).to_csv(index=False)),
    ("flat.jsonl", "\n".join(map(json.dumps, FLAT))),
    ("jaeger.json", json.dumps(JAEGER, indent=1)),
    ("zipkin.json", json.dumps(ZIPKIN)),
    ("zipkin-pretty.json", json.dumps(ZIPKIN, indent=2)),
    ("otlp.jsonl", json.dumps(OTLP)),
])
def test_spans_of_every_writer_are_the_same_table(tmp_path, name, text):
    """CSV, JSON lines, Jaeger, Zipkin and OTLP of the same request give the same spans; an id that looks like a number stays as it is."""
    found = telemetry.sort_out([written(tmp_path, name, text)])
    assert found.logs == [] and found.metrics is None
    assert found.spans.to_dict("records") == [
        {"trace": "00123e5", "span": "1", "parent": "", "service": "front", "operation": "GET /", "start_ns": START * 1000, "duration_ns": 500_000,
         "failed": False},
        {"trace": "00123e5", "span": "2", "parent": "1", "service": "pay", "operation": "charge", "start_ns": (START + 100) * 1000,
         "duration_ns": 200_000, "failed": False}]


def test_logs_with_trace_ids_are_no_spans(tmp_path):
    """What lacks an operation, a parent and a duration is left to the reader of logs, in CSV and in JSON lines."""
    rows = [{"time": "2026-11-23T12:00:00Z", "service": "pay", "trace_id": "a", "span_id": "b", "message": "hello"}]
    paths = [written(tmp_path, "a.jsonl", json.dumps(rows[0])), written(tmp_path, "b.csv", pd.DataFrame(rows).to_csv(index=False)),
             written(tmp_path, "c.log", "2026-11-23T12:00:00Z INFO hello\n")]
    assert telemetry.sort_out(paths).logs == paths


def test_rows_are_counted_whether_read_or_left_out(tmp_path):
    """Rows read and rows left out add up to the rows of the file."""
    rows = [*FLAT, {**FLAT[1]}, {**FLAT[1], "SpanID": "3", "StartTimeUnixNano": "none"}]
    entry, = telemetry.sort_out([written(tmp_path, "s.csv", pd.DataFrame(rows).to_csv(index=False))]).read
    assert (entry["kind"], entry["rows"], entry["left_out"]) == ("spans", 2, 2)


def test_metrics_take_epochs_and_iso_times():
    """The same values in seconds since 1970 and in ISO 8601 are the same table; what is no number is left out."""
    iso = pd.DataFrame([{"time": "2026-11-23T12:00:00Z", "pod": "a", "metric": "cpu", "value": "1.5"},
                        {"time": "2026-11-23T12:01:00Z", "pod": "a", "metric": "cpu", "value": "NaN"}])
    epoch = iso.assign(time=[1795435200, 1795435260]).rename(columns={"time": "timestamp_unix", "pod": "source"})
    assert metrics.is_metrics(epoch.columns) and not spans.is_spans(epoch.columns)
    assert metrics.of_frame(iso).to_dict("records") == metrics.of_frame(epoch).to_dict("records") == [
        {"time": pd.Timestamp("2026-11-23T12:00:00Z"), "service": "a", "metric": "cpu", "value": 1.5}]


@pytest.mark.parametrize(("names", "folded"), [
    (["ts-food-service-f5756978c-k8vqf"], ["ts-food-service"]),
    (["shop-5dc8d4f9fd-46997", "shop-5dc8d4f9fd-x7k2p"], ["shop", "shop"]),
    (["db-0", "db-1", "db-2"], ["db", "db", "db"]),
    (["node-agent-x7k2p", "node-agent-9bq4d"], ["node-agent", "node-agent"]),
    (["web-1", "web-3", "order-service", "payments-v2-gateway", "cache-http2", "redis-0"],
     ["web-1", "web-3", "order-service", "payments-v2-gateway", "cache-http2", "redis-0"]),
])
def test_pods_are_folded_where_it_is_sure(names, folded):
    """Deployments by their look, DaemonSets and StatefulSets beside their like; everything else keeps its name."""
    found = fold(names)
    assert [found[name] for name in names] == folded
    assert fold(found.values()) == {name: name for name in found.values()}


def test_a_missing_path_and_a_damaged_file_are_said(tmp_path):
    """Bad input is one line that names the file."""
    with pytest.raises(InputError, match=r"no\.csv"):
        telemetry.sort_out([str(tmp_path / "no.csv")])
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(pd.DataFrame(FLAT * 999).to_csv(index=False).encode())[:-40])
    with pytest.raises(InputError, match=r"cut\.csv\.gz"):
        telemetry.sort_out([str(cut)])


def stored(folder, parts):
    folder.mkdir()
    logs, spanned, measured = parts
    logs.assign(time=[t.isoformat() for t in logs["time"]]).to_json(folder / "app.jsonl", orient="records", lines=True)
    names = {"trace": "traceId", "span": "spanId", "parent": "parentId", "start_ns": "startTime", "duration_ns": "durationNano"}
    spanned.rename(columns=names).to_csv(folder / "spans.csv", index=False)
    measured.assign(time=[t.isoformat() for t in measured["time"]]).to_csv(folder / "metrics.csv", index=False)
    return str(folder)


def test_the_verb_answers_people_and_programs(tmp_path, capsys):
    """``services`` on folders of all three kinds: JSON as its schema says, every file in ``read``, and the same first service in the text."""
    import jsonschema

    now, quiet = stored(tmp_path / "now", system(1, "stops", "pay")), stored(tmp_path / "quiet", system(2))
    assert main(["services", now, "--baseline", quiet, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    jsonschema.validate(answer, json.loads((places.schemas() / "services.schema.json").read_text(encoding="utf-8")))
    assert answer["verdict"] == "candidates" and answer["services"][0]["service"] == "pay"
    assert sorted((r["of"], r["kind"]) for r in answer["read"]) == sorted((of, kind) for of in ("baseline", "incident")
                                                                        for kind in ("logs", "metrics", "spans"))
    assert main(["services", now, "--baseline", quiet, "--at", T0.isoformat()]) == 0
    text = capsys.readouterr().out
    assert "pay changed most" in text and "Candidates, not causes" in text and "root cause" not in text


def test_the_verb_says_what_is_missing(tmp_path, capsys):
    """Metrics alone without a time, and logs in which nothing began, cannot tell."""
    now = stored(tmp_path / "now", system(2))
    assert main(["services", f"{now}/metrics.csv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "cannot tell"
    assert main(["services", f"{now}/app.jsonl", f"{now}/spans.csv", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["verdict"] == "cannot tell" and "no onset" in answer["why"]
