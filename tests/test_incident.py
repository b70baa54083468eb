"""An incident: its folder and name, and its state as a fold over the journal."""

import json
import re
import tempfile
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidentnb.exceptions import InputError, Refused
from incidentnb.findings import Finding
from incidentnb.record import folds, incident, journal, lines, milestones, names, statements, status
from incidentnb.times import Interval

T0 = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def minutes(n: float) -> timedelta:
    return timedelta(minutes=n)


def at(n: float) -> dict:
    """Happened and was recorded ``n`` minutes after the beginning, by Dana."""
    return {"at": T0 + minutes(n), "recorded_at": T0 + minutes(n), "actor": "Dana"}


@pytest.fixture
def folder(tmp_path) -> Path:
    return incident.create(tmp_path, "Checkout 5xx", "sev2", ic="Lee", **at(0))


def test_create_makes_the_folder_and_the_channel(tmp_path):
    """The folder is called by the day in the zone of the team and the title; the journal has begun; what it reads is kept absolute."""
    folder = incident.create(tmp_path / "new", "Checkout 5xx: EU!", "2", logs=["logs", "-", "loki://host/x"], repos=["."], ic="Lee",
                             zone="Asia/Tokyo", at=datetime(2026, 11, 23, 16, tzinfo=UTC), actor="Dana")
    assert folder == tmp_path / "new" / "2026-11-24-checkout-5xx-eu"
    assert {path.name for path in folder.iterdir()} >= {"journal.jsonl", "evidence", "runs", "exports"}
    found = incident.load(folder)
    assert (found.id, found.channel) == ("2026-11-24-checkout-5xx-eu", "#incident-2026-11-24-checkout-5xx-eu")
    assert (found.title, found.severity, found.status, found.ic) == ("Checkout 5xx: EU!", "SEV-2", "investigating", "Lee")
    assert found.sources == {"logs": [str(Path("logs").absolute()), "-", "loki://host/x"], "changes": [], "repos": [str(Path.cwd())],
                             "zone": "Asia/Tokyo"}


def test_collisions_get_a_number(tmp_path):
    """The second and third of a name on a day end in -2 and -3, folder and channel alike."""
    made = [incident.create(tmp_path, "Down", "1", **at(0)) for _ in range(3)]
    assert [folder.name for folder in made] == [f"2026-11-23-down{end}" for end in ("", "-2", "-3")]
    assert incident.load(made[2]).channel == "#incident-2026-11-23-down-3"


@settings(max_examples=150, deadline=None)
@given(title=st.text(max_size=300) | st.text("ab0-", min_size=20, max_size=60), taken=st.integers(0, 998))
def test_every_title_gives_a_valid_channel(title, taken):
    """Whatever the title, the channel is lower case letters, digits and single hyphens, at most 50 characters, so Slack and Teams take it."""
    name = names.folder_name(T0.date(), title, taken)
    assert re.fullmatch(r"#incident-2026-11-23(-[a-z0-9]+)+", names.channel(name)), name
    assert len(names.channel(name)) <= 51 and names.check(name) == name


def test_hostile_names(tmp_path, shared):
    """Every name of the hostile list is refused or accepted as the list says; nothing appears outside of the incidents' folder."""
    home = tmp_path / "incidents"
    home.mkdir()
    cases = json.loads((shared / "bad" / "ids.json").read_text())
    assert len(cases) > 20
    for case in cases:
        try:
            made = incident.create(home, "x", "4", name=case["value"], **at(0))
        except InputError as error:
            assert case["expect"] != "accept", case
            assert "\n" not in str(error) and not set("\0\x1b\u202e") & set(str(error))
        else:
            assert not case["expect"].startswith("refuse") and made.parent == home and made.name == case["value"], case
        with pytest.raises(InputError) as refused:
            incident.locate(case["value"], tmp_path)
        assert "\n" not in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["incidents"]
    accepted = {case["value"] for case in cases if case["expect"] == "accept"}
    assert accepted <= {path.name for path in home.iterdir()}
    with pytest.raises(InputError, match="already one of this name"):
        incident.create(home, "x", "4", name="ok-INC-2026-001")


@pytest.mark.parametrize(("text", "value"), [("sev2", 2), ("2", 2), ("SEV-2", 2), ("Sev 2", 2), ("s2", 2), (1, 1), ("severity 4", 4)])
def test_severity_is_read_leniently(tmp_path, text, value):
    """What people write as a severity is one of the four."""
    assert incident.load(incident.create(tmp_path, "x", text)).severity == f"SEV-{value}"


@pytest.mark.parametrize("text", ["", "0", "5", "sev", "SEV-12", "high", None, True, "2.0"])
def test_no_severity_makes_no_folder(tmp_path, text):
    """Anything else is refused in one line before a folder is made."""
    with pytest.raises(InputError, match="one of SEV-1"):
        incident.create(tmp_path, "x", text)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_opening_leaves_nothing(tmp_path):
    """Where the journal cannot be begun, no half-made incident stays behind."""
    for bad in ({"title": " "}, {"zone": "Mars/Base"}, {"actor": " "}, {"at": "soon"}, {"title": "x" * (journal.LIMIT_BYTES + 1)}):
        with pytest.raises(InputError):
            incident.create(tmp_path, **{"title": "x", "severity": "1", **bad})
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="no folder can be made"):
        incident.create(tmp_path / "file", "x", "1")


def test_locate(tmp_path):
    """The folder given, else the one stood in, else the newest open one; closed and damaged neighbours do not count."""
    with pytest.raises(InputError, match="no incident here"):
        incident.locate(None, tmp_path)
    old, new, over, bad = (incident.create(tmp_path, title, "3", **at(n)) for n, title in enumerate(("old", "new", "over", "bad")))
    statements.close(over, "noise", false_alarm=True, **at(9))
    (bad / "journal.jsonl").write_bytes((bad / "journal.jsonl").read_bytes().replace(b"bad", b"bat"))
    assert incident.locate(None, tmp_path) == new
    assert incident.locate(None, old / "runs").resolve() == old
    assert incident.locate(old.name, tmp_path) == old and incident.locate(old, "/") == old
    for none in (tmp_path, tmp_path / "nothing", old / "journal.jsonl"):
        with pytest.raises(InputError, match="not an incident folder"):
            incident.locate(none, tmp_path)
    for folder in (old, new):
        statements.close(folder, "noise", false_alarm=True, **at(9))
    with pytest.raises(InputError, match="every incident here is closed"):
        incident.locate(None, tmp_path)


def test_no_incident_folder_is_one_line(tmp_path):
    """A folder without a journal, with one of something else, or before anything was recorded: one line."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "journal.jsonl").touch()
    journal.append(tmp_path / "other", "note", {"text": "x"})
    made = incident.create(tmp_path, "x", "1", **at(0))
    for act in (lambda: incident.load(tmp_path), lambda: incident.load(tmp_path / "other"), lambda: incident.load(made, T0 - minutes(1))):
        with pytest.raises(InputError) as error:
            act()
        assert "\n" not in str(error.value)


def test_severity_in_segments(folder):
    """Severity up and down, with a late word about earlier: segments touch, and the times add up to the time it was going on."""
    statements.set_severity(folder, "SEV-1", **at(10))
    statements.set_severity(folder, "3", **at(70))
    statements.set_severity(folder, "SEV-2", "it was that bad already", at=T0 + minutes(40), recorded_at=T0 + minutes(90), actor="Kim")
    found = incident.load(folder)
    assert [(s.value, s.start - T0) for s in found.severities] == [
        ("SEV-2", minutes(0)), ("SEV-1", minutes(10)), ("SEV-2", minutes(40)), ("SEV-3", minutes(70))]
    assert (found.severity, found.peak_severity) == ("SEV-3", "SEV-1")
    spent = found.time_in_severity(T0 + minutes(100))
    assert spent == {"SEV-2": minutes(40), "SEV-1": minutes(30), "SEV-3": minutes(30)}


def test_time_stops_when_resolved_and_goes_on_when_reopened(folder):
    """The hours between resolving and reopening are spent in no severity; after closing nothing counts on."""
    statements.set_status(folder, "resolved", **at(60))
    statements.reopen(folder, "it is back", **at(180))
    statements.set_status(folder, "resolved", **at(200))
    statements.close(folder, "done", override="drill", **at(300))
    found = incident.load(folder)
    assert found.active == ((T0, T0 + minutes(60)), (T0 + minutes(180), T0 + minutes(200)))
    assert found.time_in_severity(T0 + timedelta(days=9)) == {"SEV-2": minutes(80)}
    assert [s.value for s in found.statuses] == ["investigating", "resolved", "investigating", "resolved"]
    assert found.closed.at == T0 + minutes(300) and len(found.reopened) == 1


ROLE = st.tuples(st.sampled_from(["ic", "ic", "commander", "scribe", "expert"]), st.sampled_from(["Ann", "Bob", "Cy"]),
                 st.integers(-30, 90), st.booleans())


@settings(max_examples=25, deadline=None)
@given(changes=st.lists(ROLE, max_size=7), moment=st.integers(0, 200))
def test_exactly_one_commander_at_any_instant(changes, moment):
    """Whoever takes whichever role whenever, on time or late, from the opening on there is one IC and the segments do not overlap."""
    with tempfile.TemporaryDirectory() as parent:
        folder = incident.create(parent, "x", "2", **at(0))
        for n, (role, person, when, released) in enumerate(changes):
            free = released and role in ("scribe", "expert")
            statements.assign_role(folder, role, person, released=free, at=T0 + minutes(when), recorded_at=T0 + minutes(100 + n))
        found = incident.load(folder)
    instant = T0 + minutes(moment) / 2
    holders = [role.person for role in found.ics if role.start <= instant and (role.end is None or instant < role.end)]
    assert len(holders) == 1
    assert all(a.end == b.start for a, b in pairwise(found.ics)) and found.ics[-1].end is None
    assert found.ic == found.ics[-1].person


def test_who_opens_commands_only_where_nobody_else_does(tmp_path):
    """Without a named IC it is who opened it, unless a late word says that somebody had it before; a named one takes it over."""
    def ics(**named) -> list[str]:
        folder = incident.create(tmp_path, "x", "2", **named, **at(0))
        first = incident.load(folder).ic
        statements.assign_role(folder, "ic", "Ann", at=T0 - minutes(10), recorded_at=T0 + minutes(5))
        return [first, *(role.person for role in incident.load(folder).ics)]
    assert ics() == ["Dana", "Ann"]
    assert ics(ic="Lee") == ["Lee", "Ann", "Lee"]


def test_hand_over(folder):
    """A hand-over keeps the brief, who had it before, and the acknowledgement by the taker's own word."""
    statements.assign_role(folder, "Incident Commander", "Kim", brief="roll-back is running", **at(30))
    assert incident.load(folder).ics[-1].acknowledged_at is None
    statements.assign_role(folder, "ic", "Kim", **{**at(35), "actor": "Kim"})
    first, second = incident.load(folder).ics
    assert (first.person, first.end, second.taken_from, second.brief) == ("Lee", T0 + minutes(30), "Lee", "roll-back is running")
    assert (second.start, second.acknowledged_at) == (T0 + minutes(30), T0 + minutes(35))
    with pytest.raises(InputError, match="exactly one IC"):
        statements.assign_role(folder, "ic", "Kim", released=True, **at(40))


def test_the_taker_acknowledges(folder):
    """Only who was given the role can acknowledge it, once; the same word twice is one entry; a hand-over taken back leaves who had it before."""
    statements.assign_role(folder, "scribe", "Ann", **{**at(1), "actor": "Ann"})
    with pytest.raises(InputError, match="Ann has had it since"):
        statements.acknowledge(folder, "scribe", **{**at(2), "actor": "Ann"})
    given = statements.assign_role(folder, "ic", "Kim", brief="roll-back is running", **at(30))
    assert not status.status(incident.load(folder), T0 + minutes(31))["ic_acknowledged"]
    with pytest.raises(InputError, match="Kim holds it, and Dana says so"):
        statements.acknowledge(folder, **at(32))
    said = statements.acknowledge(folder, "Incident Commander", **{**at(33), "actor": "Kim"})
    assert statements.acknowledge(folder, **{**at(33), "actor": "Kim"}) == said
    second = incident.load(folder).ics[-1]
    assert (second.person, second.start, second.acknowledged_at, second.brief) == ("Kim", T0 + minutes(30), T0 + minutes(33), "roll-back is running")
    assert status.status(incident.load(folder), T0 + minutes(34))["ic_acknowledged"]
    statements.retract(folder, given.seq, "too early", recorded_at=T0 + minutes(40), actor="Dana")
    assert [role.person for role in incident.load(folder).ics] == ["Lee"]
    with pytest.raises(InputError, match="nobody holds it"):
        statements.acknowledge(folder, "communications", **at(50))


@settings(max_examples=20, deadline=None)
@given(times=st.lists(st.integers(0, 600), min_size=1, max_size=8), order=st.randoms(use_true_random=False))
def test_late_notes_stand_where_they_happened(times, order):
    """Notes of known times stand in the order of those times, in whatever order they were typed."""
    shuffled = list(enumerate(times))
    order.shuffle(shuffled)
    with tempfile.TemporaryDirectory() as parent:
        folder = incident.create(parent, "x", "2", **at(0))
        for n, (name, when) in enumerate(shuffled):
            statements.note(folder, f"note {name}", at=T0 + minutes(when), recorded_at=T0 + minutes(700 + n), actor="Dana")
        found = [entry.at - T0 for entry in incident.load(folder).notes]
    assert found == sorted(minutes(when) for when in times)


STEP = st.one_of(
    st.tuples(st.just("note"), st.integers(-5, 50)), st.tuples(st.just("severity"), st.sampled_from("1234")),
    st.tuples(st.just("status"), st.sampled_from(["investigating", "identified", "monitoring", "resolved"])),
    st.tuples(st.just("post"), st.sampled_from([None, "10m", "1h"])), st.tuples(st.just("action"), st.text(min_size=1, max_size=5)),
    st.tuples(st.just("retract"), st.integers(2, 9)), st.tuples(st.just("mitigate"), st.sampled_from(["roll back", "flag off"])),
    st.tuples(st.just("milestone"), st.sampled_from(milestones.NAMES)))


def do(folder: Path, step: str, value, n: int) -> None:
    how = {"recorded_at": T0 + minutes(n), "actor": "Dana"}
    acts = {"note": lambda: statements.note(folder, "seen", at=T0 + minutes(value), **how),
            "severity": lambda: statements.set_severity(folder, value, **how), "status": lambda: statements.set_status(folder, value, **how),
            "post": lambda: statements.post(folder, "on it", next_update=value, **how),
            "action": lambda: statements.action(folder, value, **how), "retract": lambda: statements.retract(folder, value, "no", **how),
            "mitigate": lambda: statements.mitigate(folder, value, **how), "milestone": lambda: milestones.set_milestone(folder, value, **how)}
    try:
        acts[step]()
    except InputError as error:
        assert "\n" not in str(error)


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(STEP, max_size=10), cut=st.integers(0, 12))
def test_fold_replayed_is_the_same(steps, cut):
    """The state as of T is the state that was loaded at T, whatever was recorded after; and loading twice gives the same."""
    with tempfile.TemporaryDirectory() as parent:
        folder = incident.create(parent, "x", "2", **at(0))
        then = incident.load(folder)
        for n, (step, value) in enumerate(steps, 1):
            do(folder, step, value, n)
            then = incident.load(folder) if n <= cut else then
        replayed = incident.load(folder, T0 + minutes(cut))
        assert incident.load(folder) == incident.load(folder)
    fields = [name for name in incident.Incident.__dataclass_fields__ if name != "as_of"]
    assert [getattr(replayed, name) for name in fields] == [getattr(then, name) for name in fields]
    assert replayed.entries == tuple(lines.find(replayed.entries, entry.seq) for entry in replayed.entries)


def test_promises(folder):
    """A promise is running until it is due, kept by a post in its channel in time, else broken; void when it was over before."""
    statements.post(folder, "looking", next_update="10m", **at(0))
    statements.post(folder, "investigating", channel="status page", next_update="in 30 minutes", **at(1))
    assert [post.promise(T0 + minutes(10)) for post in incident.load(folder).posts] == ["running", "running"]
    assert [post.promise(T0 + minutes(11)) for post in incident.load(folder).posts] == ["broken", "running"]
    statements.post(folder, "still looking", next_update="14:22", **at(12))
    statements.set_status(folder, "resolved", **at(20))
    fates = {post.text: post.promise(T0 + minutes(90)) for post in incident.load(folder).posts}
    assert fates == {"looking": "broken", "investigating": "void", "still looking": "void"}
    assert incident.load(folder).posts[0].late_by(T0 + minutes(90)) == minutes(2)
    with pytest.raises(InputError, match="is over"):
        statements.post(folder, "x", next_update=T0, **at(30))


def test_same_post_later_is_another(folder):
    """The same words posted again ten minutes later are a second post and keep the promise of the first."""
    for n in (0, 10, 20):
        statements.post(folder, "still on it", next_update="10m", recorded_at=T0 + minutes(n), actor="Dana")
    posts = incident.load(folder).posts
    assert [post.promise(T0 + minutes(21)) for post in posts] == ["kept", "kept", "running"]


def test_mitigations_decisions_actions(folder):
    """What was done, expected, seen and undone; what was decided; what is to be done, by whom and when: by number, as recorded."""
    statements.mitigate(folder, "roll back 4.18", "rate below 1 %", "deploy 4.18 again", **at(5))
    statements.observe(folder, "m1", "8 % → 0.3 %", finding=Finding("recovery", "recovered", "Quiet."), **at(9))
    statements.decide(folder, "roll back", "safe within a minute", by="Lee", about="1", safe="safe now", **at(4))
    statements.action(folder, "test the cart", "Kim", "2026-12-01", type="prevent", **at(50))
    statements.finish_action(folder, "A1", **at(60))
    statements.mitigate(folder, "flag off", **at(11))
    statements.observe(folder, "M2", "on again", undone=True, **at(12))
    found = incident.load(folder)
    one, two = found.mitigations
    assert (one.id, one.expected, one.undo, one.effects[0]["effect"], one.undone_at) == (
        "M1", "rate below 1 %", "deploy 4.18 again", "8 % → 0.3 %", None)
    assert two.undone_at == T0 + minutes(12)
    assert (found.decisions[0].by, found.decisions[0].about, found.decisions[0].safe) == ("Lee", "M1", "safe now")
    assert (found.actions[0].owner, found.actions[0].due, found.actions[0].done_at) == ("Kim", "2026-12-01", T0 + minutes(60))
    for bad in (lambda: statements.observe(folder, "M9", "x"), lambda: statements.action(folder, "x", due="next week"),
                lambda: statements.decide(folder, "x", ""), lambda: statements.finish_action(folder, "A7")):
        with pytest.raises(InputError):
            bad()


def test_correction_keeps_the_number(folder):
    """A corrected mitigation is the same mitigation, with its effects; a retracted one is gone and its number is not used again."""
    statements.mitigate(folder, "rol back", **at(5))
    statements.observe(folder, "M1", "fell", **at(6))
    entry = statements.mitigate(folder, "roll back", supersedes=2, actor="Dana")
    assert [(m.id, m.what, m.at, len(m.effects)) for m in incident.load(folder).mitigations] == [("M1", "roll back", T0 + minutes(5), 1)]
    statements.retract(folder, entry.seq, "was only planned", actor="Dana")
    statements.retract(folder, 2, "was only planned", actor="Dana")
    assert incident.load(folder).mitigations == ()
    assert statements.mitigate(folder, "flag off").body["id"] == "M2"


def test_title_is_corrected_and_the_opening_stays(folder):
    """The opening can be corrected, never retracted."""
    opened = incident.load(folder).entries[0]
    journal.append(folder, "opened", {**opened.body, "title": "Checkout and cart 5xx"}, supersedes=1)
    found = incident.load(folder)
    assert (found.title, found.opened_at, found.ic) == ("Checkout and cart 5xx", T0, "Lee")
    with pytest.raises(InputError, match="cannot be retracted"):
        statements.retract(folder, 1, "oops")


def test_findings_runs_and_failures(folder):
    """A finding is kept once per answer; runs, exports and failed sections are on the record."""
    finding = Finding("onset", "spike", "Since 14:03.", numbers={"onset": Interval(T0, T0, T0), "x": float("nan")}, evidence="ab12")
    first = statements.record_finding(folder, finding, section="onset", actor="notebook")
    assert statements.record_finding(folder, finding, section="onset", actor="notebook") == first
    statements.record_run(folder, {"notebook": "investigation.ipynb", "ok": True})
    statements.record_export(folder, {"path": "exports/appendix.html", "sha256": "00"})
    failed = statements.section_failed(folder, "patterns", "column message\nis missing")
    found = incident.load(folder)
    assert found.finding("onset").body["id"] == finding.id and found.finding("scope") is None
    assert (len(found.findings), len(found.runs), len(found.exports), found.failures) == (1, 1, 1, (failed,))
    assert failed.body["reason"] == "column message is missing"
    with pytest.raises(InputError, match="not a finding"):
        statements.record_finding(folder, {"name": "x"})


def test_sources_grow(folder):
    """More logs, changes and checkouts are added once each; a new zone holds from then on."""
    statements.add_sources(folder, logs=["/logs/a", "/logs/b"], zone="Europe/Berlin")
    statements.add_sources(folder, logs=["/logs/b", "/logs/c"], repos=["/src"])
    found = incident.load(folder)
    assert found.sources == {"logs": ["/logs/a", "/logs/b", "/logs/c"], "changes": [], "repos": ["/src"], "zone": "Europe/Berlin"}
    with pytest.raises(InputError):
        statements.add_sources(folder)


def test_closing(folder):
    """Closing is refused while duties are open and names them; a reason overrides; a closed incident takes no status until reopened."""
    with pytest.raises(Refused, match=r"mitigated: .*resolved: ") as refused:
        statements.close(folder, "done", **at(60))
    assert "\n" not in str(refused.value) and incident.load(folder).closed is None
    with pytest.raises(InputError, match="neither closed nor resolved"):
        statements.reopen(folder, "x", **at(61))
    closed = statements.close(folder, "done", override="drill", **at(62))
    assert incident.load(folder).closed == closed
    with pytest.raises(InputError, match="reopen first"):
        statements.set_status(folder, "monitoring", **at(63))
    statements.reopen(folder, "it is back", **at(64))
    assert (incident.load(folder).closed, incident.load(folder).status) == (None, "investigating")
    assert statements.close(folder, "done", override="drill", recorded_at=T0 + minutes(70), actor="Dana").seq > closed.seq


@settings(max_examples=60, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 20), st.sampled_from("abc")), min_size=1, max_size=8), instant=st.integers(0, 25))
def test_segments_hold_what_was_said_last(changes, instant):
    """At any instant the segment that covers it has the value of the last change until then; the segments touch."""
    parts = folds.segments([(T0 + minutes(when), value, "x", n) for n, (when, value) in enumerate(changes)])
    known = [value for _, _, value in sorted((when, n, value) for n, (when, value) in enumerate(changes) if when <= instant)]
    covering = [p.value for p in parts if p.start <= T0 + minutes(instant) and (p.end is None or T0 + minutes(instant) < p.end)]
    assert covering == known[-1:]
    assert all(a.end == b.start and a.value != b.value for a, b in pairwise(parts)) and parts[-1].end is None
