"""Changes: every shape of change file gives the same facts, and a bad row costs itself."""

import base64
import gzip
import json
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidentnb.evidence.changes import KINDS, Change, changes_frame, kind_of, read_changes
from incidentnb.exceptions import InputError

T = datetime(2026, 11, 23, 14, 2, 31, tzinfo=UTC)
ROW = {"time": "2026-11-23T14:02:31Z", "kind": "deploy", "id": "d-1", "version": "4.18.0", "service": "shop-api", "author": "ci",
       "summary": "shop-api 4.18.0"}
SAME = Change(T, "deploy", "d-1", "shop-api 4.18.0", "shop-api", "4.18.0", "ci")


def read(tmp_path, text, name="deploys.jsonl", **how):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_changes([path], [], **how)


def bare(change):
    return (change.at, change.kind, change.id, change.summary, change.service, change.version, change.author)


def one(tmp_path, record, **how):
    changes, warnings = read(tmp_path, json.dumps(record), **how)
    assert (len(changes), warnings) == (1, [])
    return changes[0]


@pytest.mark.parametrize(("shape", "text", "line"), [
    ("lines", json.dumps(ROW) + "\n", 1), ("no final newline", json.dumps(ROW), 1), ("blank lines", "\n\n" + json.dumps(ROW) + "\n\n", 3),
    ("array", json.dumps([ROW]), 1), ("pretty array", json.dumps([ROW], indent=2), 2), ("pretty object", json.dumps(ROW, indent=2), 1),
    ("held", json.dumps({"total": 1, "items": [ROW]}), 1), ("held and pretty", json.dumps({"deployments": [ROW]}, indent=1), 3),
    ("bom", "\ufeff" + json.dumps(ROW), 1), ("crlf", json.dumps(ROW) + "\r\n", 1), ("utf-16", json.dumps(ROW).encode("utf-16"), 1),
    ("gz", gzip.compress(json.dumps(ROW).encode()), 1),
    ("csv", ",".join(ROW) + "\n" + ",".join(ROW.values()) + "\n", 2), ("semicolons", ";".join(ROW) + "\r\n" + ";".join(ROW.values()), 2),
    ("tabs", "\t".join(ROW) + "\n" + "\t".join(ROW.values()), 2), ("comment", "# export\n" + ",".join(ROW) + "\n" + ",".join(ROW.values()), 3),
    ("quoted", ",".join(f'"{n}"' for n in ROW) + "\n" + ",".join(f'"{v}"' for v in ROW.values()), 2)])
def test_every_shape_is_the_same_change(tmp_path, shape, text, line):
    """JSON lines, arrays, held lists, CSV of any delimiter, any newline, encoding or zip: the same change, with its file and line."""
    changes, warnings = read(tmp_path, text)
    assert [bare(c) for c in changes] == [bare(SAME)]
    assert changes[0].source == f"{tmp_path / 'deploys.jsonl'}:{line}"
    assert warnings == []


@pytest.mark.parametrize("written", [
    "2026-11-23T14:02:31Z", "2026-11-23 14:02:31+00:00", "2026-11-23T15:02:31+01:00", "2026-11-23T14:02:31.000000000Z", 1795442551,
    1795442551.0, "1795442551", 1795442551000, "1795442551000000", 1795442551000000000, "2026-11-23 14:02:31 UTC", "20261123T140231Z",
    "2026/11/23 14:02:31Z", "Mon, 23 Nov 2026 14:02:31 +0000", "2026-11-23T19:32:31 +05:30"])
def test_times_in_any_form(tmp_path, written):
    """ISO in its spellings, epochs in any unit, mail dates: the same instant."""
    assert one(tmp_path, {**ROW, "time": written}).at == T


@given(st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)), st.integers(-14 * 60, 14 * 60))
@settings(max_examples=50, deadline=None)
def test_an_instant_survives_its_zone(tmp_path_factory, moment, minutes):
    """Whatever offset a time is written with, the instant is the same."""
    at = moment.replace(tzinfo=UTC)
    written = at.astimezone(timezone(timedelta(minutes=minutes))).isoformat()
    assert one(tmp_path_factory.mktemp("t"), {**ROW, "time": written}).at == at


def test_a_time_without_a_zone_is_in_the_zone_given_and_said(tmp_path):
    """A naive time is taken in the zone of the caller, and one warning for the file says so."""
    changes, warnings = read(tmp_path, json.dumps({**ROW, "time": "2026-11-23 14:02:31"}), zone=timezone(timedelta(hours=2)))
    assert changes[0].at == T - timedelta(hours=2)
    assert ["1 of 1 times carry no zone" in w for w in warnings] == [True]


@pytest.mark.parametrize("aliases", [
    {"timestamp": "time"}, {"@timestamp": "time"}, {"deployed_at": "time", "type": "kind"}, {"deployedAt": "time", "user": "author"},
    {"finished_at": "time", "app": "service"}, {"Date": "time", "Title": "summary"}, {"at": "time", "message": "summary", "name": "service"},
    {"ts": "time", "deployment_id": "id", "tag": "version"}, {"created_at": "time", "deployed by": "author", "component": "service"}])
def test_common_names_of_fields(tmp_path, aliases):
    """The names that feeds give to the same facts are understood, whatever their case and spelling."""
    away = set(aliases.values())
    record = {k: v for k, v in ROW.items() if k not in away} | {alias: ROW[name] for alias, name in aliases.items()}
    assert bare(one(tmp_path, record)) == bare(SAME)


@pytest.mark.parametrize(("record", "expected"), [
    # GitHub's deployments
    ({"id": 7, "sha": "4f2a91c0de4f2a91c0de4f2a91c0de4f2a91c0de", "ref": "v4.18.0", "task": "deploy", "environment": "production",
      "creator": {"login": "octo"}, "created_at": "2026-11-23T14:02:31Z", "description": "ship it"},
     (T, "deploy", "7", "ship it", "", "v4.18.0", "octo")),
    # GitLab's
    ({"id": 41, "ref": "main", "sha": "4f2a91c0de", "created_at": "2026-11-23T14:02:31.000Z", "status": "success",
      "user": {"username": "root", "name": "Ada"}, "environment": {"id": 3, "name": "production"}},
     (T, "deploy", "41", "deploy main", "", "main", "Ada")),
    # an audit log of flags, times in ms
    ({"_id": "a1", "date": 1795442551000, "kind": "flag", "name": "pricing-v2", "title": "Ada turned on pricing-v2",
      "member": {"email": "ada@example"}}, (T, "flag", "a1", "Ada turned on pricing-v2", "pricing-v2", "", "ada@example")),
    # a release history
    ({"revision": "4f2a91c", "deployedAt": "2026-11-23T14:02:31Z", "id": 12}, (T, "deploy", "12", "deploy 4f2a91c", "", "4f2a91c", "")),
])
def test_records_of_known_systems(tmp_path, record, expected):
    """What deployment systems export is read as it is."""
    assert bare(one(tmp_path, record)) == expected


@pytest.mark.parametrize(("words", "kind"), [
    ("deploy", "deploy"), ("Deployment", "deploy"), ("ROLLBACK", "deploy"), ("rolled_back", "deploy"), ("release.published", "deploy"),
    ("dev.cdevents.service.deployed.0.1.1", "deploy"), ("dev.cdevents.service.upgraded.0.2.0", "deploy"),
    ("dev.cdevents.service.rolledback.0.1.1", "deploy"), ("dev.cdevents.environment.modified.0.1.1", "config"),
    ("dev.cdevents.featureflag.enabled.0.1.0", "flag"), ("dev.cdevents.change.merged.0.1.2", "commit"),
    ("dev.cdevents.pipelinerun.started.0.1.1", "job"), ("featureFlag", "flag"), ("feature_flag", "flag"), ("toggle", "flag"),
    ("config", "config"), ("ConfigMap", "config"), ("configuration change", "config"), ("scaling", "config"), ("migration", "config"),
    ("cert", "certificate"), ("TLS renewal", "certificate"), ("cron", "job"), ("batch job", "job"), ("scheduled task", "job"),
    ("push", "commit"), ("merge", "commit"), ("vendor", "external"), ("third-party", "external"), ("provider outage", "external"),
    ("", None), ("zzz", None)])
def test_kinds_have_one_name(words, kind):
    """What feeds call a kind becomes one of seven words; what is none of them is not guessed here."""
    assert kind_of(words) == kind
    assert kind is None or kind in KINDS


SUBJECT = {"id": "shop-api", "source": "/ci", "type": "service", "content": {
    "environment": {"id": "production"}, "artifactId": "pkg:oci/shop-api@sha256%3Aabc?tag=4.18.0"}}
CONTEXT = {"version": "0.4.1", "id": "271069a8", "source": "/ci", "type": "dev.cdevents.service.deployed.0.1.1",
           "timestamp": "2026-11-23T14:02:31Z"}


@pytest.mark.parametrize("record", [
    {"context": CONTEXT, "subject": SUBJECT},
    {"specversion": "1.0", "id": "x", "source": "/ci", "type": CONTEXT["type"], "time": "2026-11-23T14:02:31Z",
     "datacontenttype": "application/json", "data": {"context": CONTEXT, "subject": SUBJECT}},
    {"specversion": "1.0", "id": "x", "source": "/ci", "type": CONTEXT["type"], "data": json.dumps({"context": CONTEXT, "subject": SUBJECT})},
    {"specversion": "1.0", "id": "x", "source": "/ci", "type": CONTEXT["type"],
     "data_base64": base64.b64encode(json.dumps({"context": CONTEXT, "subject": SUBJECT}).encode()).decode()}])
def test_a_cdevent_is_a_deploy(tmp_path, record):
    """A CDEvent, alone or in a CloudEvent with its data as object, text or base64, names service, version, environment and time."""
    change = one(tmp_path, record)
    assert (change.at, change.kind, change.id, change.service, change.version) == (T, "deploy", "271069a8", "shop-api", "4.18.0")
    assert (change.details["environment"], change.details["kind"]) == ("production", CONTEXT["type"])
    rolled = one(tmp_path, {"context": {**CONTEXT, "type": "dev.cdevents.service.rolledback.0.1.1"}, "subject": SUBJECT})
    assert rolled.details["rollback"] is True


def test_a_cloudevent_is_read_by_its_envelope(tmp_path):
    """A generic CloudEvent gives type, subject, time and id of its envelope, and the fields of its data."""
    change = one(tmp_path, {"specversion": "1.0", "id": "e-9", "source": "/flags", "type": "com.example.flag.toggled", "subject": "pricing-v2",
                            "time": "2026-11-23T14:02:31Z", "data": {"summary": "on for beta", "user": "ada", "share": 0.1}})
    assert bare(change) == (T, "flag", "e-9", "on for beta", "pricing-v2", "", "ada")
    assert (change.details["share"], change.details["event_source"]) == (0.1, "/flags")


def test_a_bad_row_costs_itself(tmp_path):
    """Each row that cannot be used is one warning with file and line, and every other row is read."""
    rows = [json.dumps(ROW), "{broken", "[1, 2]", '"text"', '{"kind": "deploy"}', json.dumps({**ROW, "time": "yesterday-ish"}),
            json.dumps({**ROW, "time": "14:03"}), json.dumps({**ROW, "time": 42}), json.dumps({**ROW, "time": None}),
            '{"time": ' + "9" * 5000 + "}", "[" * 100_000, json.dumps({**ROW, "time": True}), json.dumps({**ROW, "id": "d-2"})]
    changes, warnings = read(tmp_path, "\n".join(rows))
    assert [c.id for c in changes] == ["d-1", "d-2"]
    assert [w.removeprefix(f"{tmp_path / 'deploys.jsonl'}:").split(":")[0] for w in warnings] == [str(n) for n in range(2, 13)]
    assert all("\n" not in w and len(w) < 300 for w in warnings)


def test_a_broken_element_of_an_array_costs_itself(tmp_path):
    """In an array, what follows a broken element is still read, each with its own line."""
    text = "[\n" + json.dumps(ROW) + ",\n{broken},\n" + json.dumps({**ROW, "id": "d-3"}) + "\n]"
    changes, warnings = read(tmp_path, text)
    assert [(c.id, c.source.rpartition(":")[2]) for c in changes] == [("d-1", "2"), ("d-3", "4")]
    assert [w.split(":")[1] for w in warnings] == ["3"]


def test_rows_of_csv_keep_their_lines(tmp_path):
    """A CSV field over several lines moves the lines below it; a row of too many fields is one warning."""
    text = ('time,kind,id,summary\n2026-11-23T14:00:00Z,deploy,a,"two\nlines, one field"\n2026-11-23T14:01:00Z,deploy,b,x,y,z\n'
            "2026-11-23T14:02:00Z,deploy,c,\n,,,\nnever,deploy,d,x\n")
    changes, warnings = read(tmp_path, text, "deploys.csv")
    assert [(c.id, c.source.rpartition(":")[2]) for c in changes] == [("a", "2"), ("c", "5")]
    assert changes[0].summary == "two\nlines, one field"
    assert [w.split(":")[1] for w in warnings] == ["4", "7"]


def test_a_column_of_dates_is_found_without_its_name(tmp_path):
    """A CSV whose time column is called something else is read by the first column whose values are dates."""
    changes, _ = read(tmp_path, "what,rolled,version\nshop,2026-11-23T14:02:31Z,4.18.0\n", "deploys.csv")
    assert (changes[0].at, changes[0].version) == (T, "4.18.0")


@pytest.mark.parametrize(("content", "said"), [
    (b"", "is empty"), (b"\n \n", "is empty"), (b"\x00\x01" * 500, "is binary"), (b"hello world\n", "neither JSON nor CSV"),
    (b'{"a": 1}\n{"b": 2}\n', "no change in it can be used"), (b"a,b\n1,2\n", "no change in it can be used"),
    (b'{"time": \n', "no change in it can be used"), (b"\x1f\x8bnot gz", "cannot be read"), (b"{" * 50_000, "no change in it can be used")])
def test_a_file_with_nothing_usable_is_bad_input(tmp_path, content, said):
    """Empty, binary, no feed, no times: one line that names the file, and no traceback."""
    with pytest.raises(InputError, match=said) as caught:
        read(tmp_path, content)
    assert str(caught.value).startswith(str(tmp_path / "deploys.jsonl"))
    assert len(str(caught.value)) < 400 + len(str(tmp_path))


def test_missing_files_and_folders_are_bad_input(tmp_path):
    """A path that is not there, and a folder, are told apart."""
    with pytest.raises(InputError, match="no such file"):
        read_changes([tmp_path / "nowhere.jsonl"], [])
    with pytest.raises(InputError, match="is a folder"):
        read_changes([tmp_path], [])


@pytest.mark.parametrize("text", ["[]", "time,kind,id\n", '{"items": []}'])
def test_a_feed_without_changes_is_no_error(tmp_path, text):
    """A feed that is well formed and holds no change says so, once."""
    changes, warnings = read(tmp_path, text)
    assert changes == []
    assert [w.split(": ")[-1] for w in warnings] == ["holds no change"]


def test_the_span_holds_both_ends_and_the_last_before_it(tmp_path):
    """Changes outside of the span are left out, but for the most recent one before it, which is marked."""
    rows = [{**ROW, "id": str(m), "time": (T + timedelta(minutes=m)).isoformat()} for m in (5, -200, 0, -130, 6, -120)]
    changes, _ = read(tmp_path, "\n".join(map(json.dumps, rows)), since=T - timedelta(minutes=120), until=T + timedelta(minutes=5))
    assert [(c.id, c.details.get("before_window", False)) for c in changes] == [("-130", True), ("-120", False), ("0", False), ("5", False)]


def test_several_files_are_one_list_in_order_without_doubles(tmp_path):
    """Changes of all files come in order of time; the same change in two feeds is there once."""
    (tmp_path / "a.jsonl").write_text(json.dumps(ROW) + "\n" + json.dumps({**ROW, "id": "late", "time": "2026-11-23T15:00:00Z"}))
    (tmp_path / "b.csv").write_text("time,kind,id,summary,service,version,author\n2026-11-23T14:30:00Z,config,c-1,x,y,,z\n"
                                    + ",".join(ROW[k] for k in ("time", "kind", "id", "summary", "service", "version", "author")))
    changes, _ = read_changes([tmp_path / "a.jsonl", tmp_path / "b.csv"], [])
    assert [c.id for c in changes] == ["d-1", "c-1", "late"]
    frame = changes_frame(changes)
    assert list(frame.columns) == ["at", "kind", "id", "summary", "service", "version", "author", "source"]
    assert (str(frame["at"].dt.tz), len(changes_frame([]))) == ("UTC", 0)


def test_very_many_bad_rows_are_counted_not_listed(tmp_path):
    """Beyond twenty bad rows of a file the rest is one number."""
    _, warnings = read(tmp_path, "\n".join([json.dumps(ROW)] + ["x"] * 500))
    assert (len(warnings), warnings[-1].split(": ")[1]) == (21, "480 more rows cannot be used")


def test_hostile_text_is_kept_as_written(tmp_path):
    """Scripts, escapes and formulas in a feed are data: kept raw for the sinks to escape, cut only where they are endless."""
    text = '<script>alert(1)</script> \x1b[31m =cmd|"/c calc" ‮ $x$'
    change = one(tmp_path, {**ROW, "summary": text, "author": "=1+1", "long": "x" * 10_000_000})
    assert (change.summary, change.author) == (text, "=1+1")
    assert all(len(str(v)) <= 4000 for v in change.details.values())


@given(st.lists(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
                             lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                                 st.sampled_from(["time", "kind", "id", "data", "context", "subject", "specversion", "type", "x"]), inner,
                                 max_size=5),
                             max_leaves=12), min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
def test_no_record_of_any_shape_breaks_the_reader(tmp_path_factory, records):
    """Whatever JSON stands in a file, it is changes and one-line warnings, or one line of bad input; rows in = changes + warnings."""
    path = tmp_path_factory.mktemp("any") / "x.jsonl"
    path.write_text("\n".join(json.dumps(r) for r in [ROW, *records]))
    changes, warnings = read_changes([path], [])
    assert len(changes) >= 1
    assert len(changes) + len([w for w in warnings if w.startswith(f"{path}:")]) <= len(records) + 1 + 1
    assert all("\n" not in w for w in warnings)


PAGE = {"page": {"id": "p1", "name": "Payments Inc"}, "incidents": [
    {"id": "i1", "name": "Errors on charges", "status": "resolved", "impact": "major", "created_at": "2026-11-23T14:20:00Z",
     "started_at": "2026-11-23T14:02:31Z", "resolved_at": "2026-11-23T15:00:00Z", "incident_updates": [], "components": [{"name": "API"}]}],
    "scheduled_maintenances": [{"id": "m1", "name": "Move", "status": "completed", "impact": "maintenance", "incident_updates": [],
                                "created_at": "2026-11-01T00:00:00Z", "scheduled_for": "2026-11-23T12:00:00Z",
                                "scheduled_until": "2026-11-23T13:00:00Z"}]}


def test_a_status_page_is_trouble_elsewhere_that_lasts(tmp_path):
    """Incidents and maintenances of a vendor's page begin when they began, not when they were posted, and say until when they lasted."""
    changes, warnings = read(tmp_path, json.dumps(PAGE, indent=1), "status.json")
    assert warnings == []
    assert [(c.at, c.kind, c.id, c.service, c.summary) for c in changes] == [
        (T.replace(hour=12, minute=0, second=0), "external", "m1", "Payments Inc", "Move"),
        (T, "external", "i1", "Payments Inc", "Errors on charges")]
    assert [c.details["ended_at"] for c in changes] == [T.replace(hour=13, minute=0, second=0), T.replace(hour=15, minute=0, second=0)]
    assert changes[1].details["components"] == "API"


@pytest.mark.parametrize("names", [("started_at", "finished_at"), ("startTime", "endTime"), ("begin", "end")])
def test_what_lasts_begins_to_matter_at_its_beginning(tmp_path, names):
    """A record with a beginning and an end is a change at its beginning, with its end beside it; with its end alone it is one then."""
    record = {"kind": "deploy", "id": "d", names[0]: T.isoformat(), names[1]: (T + timedelta(minutes=4)).isoformat()}
    change = one(tmp_path, record)
    assert (change.at, change.details["ended_at"]) == (T, T + timedelta(minutes=4))
    assert one(tmp_path, {"kind": "deploy", "id": "d", "finished_at": T.isoformat()}).at == T


def test_a_job_knows_its_end_and_its_earlier_runs(tmp_path):
    """Records of the beginning and the end of a job are one run; how often it ran before is counted also where those runs lie before the span."""
    rows = [{"time": f"2026-11-{day}T14:{minute}:00Z", "kind": "job", "service": "db", "summary": f"vacuum {day} {what}"}
            for day in (20, 21, 22, 23) for minute, what in (("02", "started"), ("40", "finished"))]
    changes, _ = read(tmp_path, "\n".join(map(json.dumps, [*rows, rows[0]])), since=T - timedelta(hours=2), until=T + timedelta(hours=1))
    started = next(c for c in changes if c.summary == "vacuum 23 started")
    assert (started.details["earlier"], started.details["ended_at"]) == (3, started.at + timedelta(minutes=38))
    assert all("earlier" not in c.details for c in changes if "finished" in c.summary)


def test_a_feed_of_ten_megabytes_is_read(tmp_path):
    """A feed of 10 MB with long texts, and every record twice, is read in seconds; the doubles count once."""
    row = json.dumps({**ROW, "summary": "x" * 2000})
    rows = [row.replace("d-1", f"d-{n}") for n in range(2500)] * 2
    started = time.process_time()
    changes, warnings = read(tmp_path, "\n".join(rows))
    assert (len(changes), warnings, time.process_time() - started < 10) == (2500, [], True)
