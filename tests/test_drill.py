"""Drills: what the answer says is what the lines bear, and the same seed is the same incident."""

import collections
import gzip
import hashlib
import itertools
import json
import re
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from incidentnb import drill
from incidentnb.drill.scenario import KINDS, PACKINGS, STYLES, plan
from incidentnb.drill.traffic import chunks
from incidentnb.evidence.changes import read_changes
from incidentnb.exceptions import InputError, Refused

CASES = [(kind, form) for kind, forms in KINDS.items() for form in forms]
LEVELS = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO|WARN|WARNING|ERROR)\b")


def lines_of(folder, answer):
    """Every line of every log file, envelopes taken off, in order of the files."""
    for name in answer.logs:
        data = (folder / name).read_bytes()
        for line in (gzip.decompress(data) if name.endswith(".gz") else data).decode().splitlines():
            if answer.packing == "docker" and line.startswith('{"log":'):
                yield name, json.loads(line)["log"].rstrip("\n")
            elif line.startswith("<13"):
                yield from ((name, part) for part in line.split(" - - ", 1)[1].replace("#011", "\t").split("#012"))
            else:
                yield name, line


def requests_of(folder, answer):
    """An independent tiny parser: (failed, line) of each record that reports an outcome."""
    for name, line in lines_of(folder, answer):
        if name.endswith("app.log"):
            continue
        if answer.outcome == "level":
            if found := LEVELS.match(line):
                yield found[1] == "ERROR", line
            continue
        if answer.formats[0] == "access":
            status = re.search(r'HTTP/1\.1" (\d{3}) ', line)
        elif answer.formats[0] == "logfmt":
            status = re.search(r" status=(\d{3}) ", line)
        else:
            status = re.search(r'"(?:status|statusCode|status_code)":(\d{3})\b', line)
            json.loads(line)
        if status:
            yield int(status[1]) >= 500, line


@pytest.mark.parametrize(("kind", "form"), CASES)
def test_the_answer_counts_what_the_lines_bear(tmp_path, kind, form):
    """In every kind and format, requests, failures and lines in the answer are those that another parser counts in the files."""
    answer = drill.make(tmp_path / "d", 5, kind, form, minutes=30, scale=0.5, repository=False)
    found = collections.Counter(failed for failed, _ in requests_of(tmp_path / "d", answer))
    raw = sum(1 for name in answer.logs for _ in (gzip.decompress((tmp_path / "d" / name).read_bytes()) if name.endswith(".gz")
                                                 else (tmp_path / "d" / name).read_bytes()).splitlines())
    assert (found.total(), found[True], raw) == (answer.requests, answer.failed, answer.lines)
    assert (answer.injected > 20) == (answer.verdict == "incident")
    assert (answer.onset is None) == (answer.verdict == "no incident")


@pytest.mark.parametrize(("kind", "form"), [c for c in CASES if c[0] not in ("surge", "nothing", "slow_ramp") and c[1] != "plain"])
def test_the_failing_subset_is_where_the_failures_are(tmp_path, kind, form):
    """Between onset and end the lines of the failing subset fail ten times as often as the others, and hold most of the failures."""
    answer = drill.make(tmp_path / "d", 11, kind, form, minutes=30, scale=0.6, recovered=False,
                        packing="hosts" if kind == "one_host" else None, repository=False)
    folder = tmp_path / "d"
    wanted = [re.compile(re.escape(value).replace(r"\{id\}", r"[^/\s\"?]+") + r"(?=[\"\s?:]|$)") for value in answer.where.values()]
    hosts = {name for name in answer.logs if any(name == f"logs/{v}" for v in answer.where.values())}
    inside, outside = collections.Counter(), collections.Counter()
    for (failed, line), name in zip(requests_of(folder, answer), (n for n, x in lines_of(folder, answer) if status_line(answer, x, n)),
                                    strict=True):
        if instant(line) >= answer.onset.replace(microsecond=0):
            hit = name in hosts if hosts else all(w.search(line) for w in wanted)
            (inside if hit else outside)[failed] += 1
    if answer.scope == "everyone":
        assert outside[True] > 0.05 * outside.total() or inside[True] > 0.05 * inside.total()
    else:
        assert inside[True] / inside.total() > 10 * outside[True] / outside.total()
        assert inside[True] > 0.75 * answer.injected


def status_line(answer, line, name):
    return next(iter(requests_in(answer, name, line)), None) is not None


def requests_in(answer, name, line):
    if name.endswith("app.log"):
        return
    if answer.formats[0] == "access" or re.search(r'"(?:status|statusCode|status_code)":\d{3}\b| status=\d{3} ', line):
        yield line


def instant(line):
    """The time of a line in any of the drill's layouts."""
    if found := re.search(r'"time":(\d{13})', line):
        return datetime.fromtimestamp(int(found[1]) / 1000, UTC)
    if found := re.search(r'"ts":(\d+\.\d+)', line):
        return datetime.fromtimestamp(float(found[1]), UTC)
    if found := re.search(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}", line):
        return datetime.fromisoformat(found[0] + "+00:00")
    return datetime.strptime(re.search(r"\[([^]]+)\]", line)[1], "%d/%b/%Y:%H:%M:%S %z")


def test_the_onset_is_the_first_request_that_the_fault_hit(tmp_path):
    """On one whole host, nothing that carries the fault's message is older than the onset, and one such record is exactly at it."""
    answer = drill.make(tmp_path / "d", 3, "one_host", "jsonl", style="pino", packing="one", minutes=30, repository=False)
    marked = [instant(line) for _, line in lines_of(tmp_path / "d", answer) if "no space left on device" in line]
    assert min(marked) == answer.onset
    assert answer.injected_at <= answer.onset <= answer.injected_at + timedelta(seconds=60)
    assert answer.end is None or max(marked) < answer.end


def test_users_are_those_with_a_failure_between_onset_and_end(tmp_path):
    """Affected and all users of the answer are the distinct ones that another parser sees between onset and end."""
    answer = drill.make(tmp_path / "d", 4, "flag_tenant", "logfmt", packing="one", minutes=30, recovered=True, repository=False)
    everyone, hit = set(), set()
    for failed, line in requests_of(tmp_path / "d", answer):
        user = re.search(r" user=(\S+)", line)
        if user and answer.onset <= instant(line) < answer.end:
            everyone.add(user[1])
            hit |= {user[1]} if failed else set()
    assert (answer.users_affected, answer.users_total, answer.users_by) == (len(hit), len(everyone), "user")


@pytest.mark.parametrize("packing", PACKINGS)
def test_every_packing_holds_the_same_requests(tmp_path, packing):
    """The same seed in another packing has the same requests and failures, in order of time within each file."""
    answer = drill.make(tmp_path / "d", 2, "one_host", "logfmt", packing=packing, minutes=30, repository=False)
    plain = drill.make(tmp_path / "e", 2, "one_host", "logfmt", packing="one", minutes=30, repository=False)
    assert (answer.requests, answer.failed, answer.onset) == (plain.requests, plain.failed, plain.onset)
    by_file = collections.defaultdict(list)
    for name, line in lines_of(tmp_path / "d", answer):
        by_file[name].append(instant(line))
    assert all(times == sorted(times) for times in by_file.values())
    assert len(by_file) == {"rotated": 3, "hosts": 9}.get(packing, 1)


def digest(folder):
    """All bytes outside of git's own folder, and the name of its last commit."""
    head = subprocess.run(["git", "-C", folder / "shop", "rev-parse", "HEAD"], capture_output=True, check=False).stdout
    files = sorted(p for p in folder.rglob("*") if p.is_file() and ".git" not in p.parts)
    return hashlib.sha256(head + b"".join(str(p.relative_to(folder)).encode() + p.read_bytes() for p in files)).hexdigest()


@pytest.mark.parametrize("seed", [0, 5, 13])
def test_a_seed_is_one_incident(tmp_path, seed):
    """The same seed writes the same bytes twice, checkout and zipped files included; the next seed writes others."""
    first = drill.make(tmp_path / "a", seed, minutes=31)
    assert drill.make(tmp_path / "b", seed, minutes=31) == first == drill.read_answer(tmp_path / "b")
    drill.make(tmp_path / "c", seed + 1, minutes=31)
    assert digest(tmp_path / "a") == digest(tmp_path / "b") != digest(tmp_path / "c")


def test_scale_multiplies_the_traffic_and_a_time_base_moves_it(tmp_path):
    """Ten times the scale is about ten times the requests; the traffic ends at the instant asked for."""
    until = datetime(2025, 3, 1, 8, 0, tzinfo=UTC)
    small = drill.make(tmp_path / "a", 7, "one_region", "access", minutes=30, scale=0.1, until=until, repository=False)
    large = drill.make(tmp_path / "b", 7, "one_region", "access", minutes=30, scale=1, until=until, repository=False)
    assert 9 < large.requests / small.requests < 11
    assert small.window_end == large.window_end == until
    assert until - timedelta(seconds=20) < max(instant(line) for _, line in requests_of(tmp_path / "b", large)) <= until


@pytest.mark.parametrize("feed", ["jsonl", "csv", "cdevents"])
def test_the_culprit_is_in_the_feed_and_in_the_history(tmp_path, feed):
    """Each feed reads without a warning; the culprit lies before the onset, a decoy too, another change after it."""
    answer = drill.make(tmp_path / "d", 21, "bad_deploy", "jsonl", feed=feed, minutes=40, recovered=True)
    changes, warnings = read_changes([tmp_path / "d" / answer.changes], [tmp_path / "d" / answer.repository])
    assert warnings == []
    at = {change.id: change.at for change in changes}
    assert at[answer.culprit] < answer.onset
    assert at[answer.culprit_also[0]] < at[answer.culprit]
    assert sum(c.kind == "deploy" and c.at < answer.onset and c.service != "shop-api" for c in changes) >= 2
    assert any(c.kind == "config" and c.at > answer.onset for c in changes)
    assert any(c.details.get("rollback") and c.at > answer.onset for c in changes)
    assert any(c.details.get("merge") for c in changes)


def found(answer, **fields):
    """A triage that says what the answer says, but for what is overruled."""
    at = answer.onset.isoformat() if answer.onset else None
    return {"verdict": answer.verdict, "onset": {"at": at, "earliest": at, "latest": at} if at else None, "end": None,
            "window": {"requests": answer.requests, "failed": answer.failed},
            "scope": {"verdict": answer.scope, "subsets": [{"where": answer.where}] if answer.where else []},
            "users": {"affected": answer.users_affected, "total": answer.users_total, "by": answer.users_by},
            "changes": [{"id": "other", "rank": 2}, {"id": answer.culprit, "rank": 1}]} | fields


@pytest.mark.parametrize("seed", range(9))
def test_the_truth_is_graded_as_right(tmp_path, seed):
    """On every kind, a triage that says the truth passes with no question wrong."""
    answer = drill.make(tmp_path / "d", seed, minutes=30, scale=0.3, recovered=False, repository=False)
    graded = drill.grade(answer, found(answer))
    assert graded["passed"]
    assert [q for q, g in graded.items() if q != "passed" and g["ok"] is False] == []


@pytest.mark.parametrize(("question", "wrong"), [
    ("verdict", {"verdict": "no incident"}),
    ("onset", {"onset": {"at": "2026-11-23T14:09:00Z"}}), ("onset", {"onset": None}),
    ("scope", {"scope": {"verdict": "everyone", "subsets": []}}),
    ("scope", {"scope": {"verdict": "subset", "subsets": [{"where": {"version": "1.0"}}, {"where": {"hostname": "web-02"}}]}}),
    ("culprit", {"changes": []}), ("culprit", {"changes": [{"id": "other", "rank": 1}]})])
def test_a_wrong_answer_is_graded_as_wrong(tmp_path, question, wrong):
    """One wrong statement makes its own question wrong and the whole not passed; the other questions stay right."""
    answer = drill.make(tmp_path / "d", 2, "one_host", "jsonl", style="pino", minutes=40, recovered=False, repository=False)
    assert answer.culprit
    graded = drill.grade(answer, found(answer, **wrong))
    assert (graded["passed"], graded[question]["ok"]) == (False, False)
    assert all(graded[q]["ok"] is not False for q in ("verdict", "onset", "scope", "culprit") if q != question)


def test_an_alarm_on_a_calm_drill_is_wrong(tmp_path):
    """Where nothing happened, an incident with an onset is a wrong verdict and a wrong onset."""
    answer = drill.make(tmp_path / "d", 8, "nothing", "access", minutes=30, repository=False)
    graded = drill.grade(answer, found(answer, verdict="incident", onset={"at": "2026-11-23T14:09:00Z"}))
    assert (graded["passed"], graded["verdict"]["ok"], graded["onset"]["ok"]) == (False, False, False)


@pytest.mark.parametrize(("theirs", "right"), [
    ({"cloud.region": "eu-west-1", "labels.platform": "ios"}, True), ({"region": "EU-WEST-1", "platform": "ios"}, True),
    ({"region": "eu-west-1"}, False), ({"region": "eu-west-1", "platform": "ios", "method": "GET"}, False)])
def test_a_subset_is_told_by_its_values(theirs, right, tmp_path):
    """Columns may be called otherwise; a condition too few or too many is wrong."""
    answer = drill.make(tmp_path / "d", 3, "nothing", "jsonl", minutes=30, repository=False)
    truth = {**answer.as_json(), "verdict": "incident", "scope": "subset", "where": {"region": "eu-west-1", "platform": "ios"}}
    (tmp_path / "d" / drill.FILE).write_text(json.dumps(truth))
    graded = drill.grade(drill.read_answer(tmp_path / "d"), {"scope": {"verdict": "subset", "subsets": [{"where": theirs}]}})
    assert graded["scope"]["ok"] is right


@pytest.mark.parametrize(("options", "said"), [
    ({"kind": "earthquake"}, "no such kind"), ({"formats": "morse"}, "no such format"), ({"packing": "box"}, "no such packing"),
    ({"kind": "flag_tenant", "formats": "access"}, "cannot be seen in access lines"), ({"feed": "rss"}, "no such feed"),
    ({"formats": ("plain", "access")}, "not a pair"), ({"formats": "access", "style": "pino"}, "no style in which"),
    ({"kind": "one_host", "formats": "plain", "packing": "one"}, "do not show one_host"), ({"minutes": 3}, "at least 30 minutes"),
    ({"scale": 0}, "scale above 0")])
def test_what_cannot_be_made_is_refused_in_a_line(tmp_path, options, said):
    """An unknown name, or a kind that the format cannot show, is one line, and nothing is written."""
    with pytest.raises(InputError, match=said):
        drill.make(tmp_path / "d", 1, **options)
    assert not (tmp_path / "d").exists()


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    """A drill is never written over anything."""
    (tmp_path / "kept").write_text("mine")
    with pytest.raises(Refused):
        drill.make(tmp_path, 1)
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]


def test_an_answer_that_is_missing_or_damaged_is_one_line(tmp_path):
    """A folder without a drill, and an answer that is none of ours, are bad input."""
    with pytest.raises(InputError, match="holds no drill"):
        drill.read_answer(tmp_path)
    for text in ("{", "[]", '{"schema": "other/1"}', '{"schema": "incidentnb/drill/1"}'):
        (tmp_path / drill.FILE).write_text(text)
        with pytest.raises(InputError, match="damaged"):
            drill.read_answer(tmp_path)


def test_progress_rises_to_one(tmp_path):
    """Progress is a share that only grows, up to 1, and lines."""
    told = []
    answer = drill.make(tmp_path / "d", 1, "surge", "access", minutes=30, repository=False,
                        progress=lambda share, lines: told.append((share, lines)))
    assert told == sorted(told)
    assert 0.99 < told[-1][0] <= 1
    assert told[-1][1] == answer.lines


def test_memory_does_not_grow_with_the_scale():
    """At a thousand times the traffic, what is held at once is still some ten thousand requests, without gaps between the parts."""
    parts = [(len(c["t"]), int(c["t"][0]), int(c["t"][-1])) for c in itertools.islice(chunks(plan(3, "one_host", "access", scale=1000)), 4)]
    assert all(10_000 < n < 100_000 for n, _, _ in parts)
    assert all(0 <= later[1] - earlier[2] < 50 for earlier, later in itertools.pairwise(parts))


def test_seeds_alone_cover_every_kind_and_format():
    """Thirty-six seeds in a row make every kind in each format that shows it, and every style."""
    plans = [plan(seed) for seed in range(36)]
    assert {(p.kind, p.formats[0]) for p in plans} == set(CASES)
    assert {p.style for p in plans} == {style for styles in STYLES.values() for style in styles}
