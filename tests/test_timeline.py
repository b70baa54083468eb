"""The timeline: everything in the order in which it happened, each row with its evidence."""

from datetime import timedelta

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from publish_samples import END, ONSET, changes, entry, minute, onset

from incidentnb.findings import Finding
from incidentnb.publish.timeline import COLUMNS, sentence, timeline, timeline_finding
from incidentnb.record import hypotheses, incident, journal, milestones, statements
from incidentnb.times import Interval

MINUTES = st.one_of(st.none(), st.integers(0, 10_000))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(MINUTES, st.integers(0, 10_000)), max_size=12), st.lists(MINUTES, max_size=5))
def test_order_is_that_of_what_happened(entries, moved):
    """Whatever was typed when, rows are in order of the time at which things happened; every statement is there once."""
    journal = [entry(n, "note", {"text": f"note {n}"}, None if at is None else minute(at), minute(recorded))
               for n, (at, recorded) in enumerate(entries, 1)]
    frame = timeline(journal, pd.DataFrame([{"at": None if at is None else minute(at), "kind": "flag", "id": str(n), "summary": "x"}
                                            for n, at in enumerate(moved)]) if moved else None)
    known = frame["at"].dropna()
    assert list(frame.columns) == list(COLUMNS) and len(frame) == len(entries) + len(moved)
    assert known.is_monotonic_increasing and frame["at"].isna().sum() == sum(at is None for at in moved)
    assert frame["at"].iloc[len(known):].isna().all()
    assert sorted(row for row in frame["what"] if row.startswith("note")) == sorted(f"note {n + 1}" for n in range(len(entries)))


def test_a_late_note_stands_where_it_happened():
    """A note typed an hour later stands at its time, and its row says when it was written down."""
    journal = [entry(1, "opened", {"title": "Checkout", "severity": "SEV-2"}, minute(67)),
               entry(2, "note", {"text": "first complaint"}, minute(65), minute(125), "tom")]
    frame = timeline(journal)
    assert list(frame["what"]) == ["first complaint", "Incident opened: Checkout, SEV-2"]
    table = timeline_finding(frame).frame
    assert table.iloc[0].to_dict() == {"time (UTC)": "14:05:00", "what": "first complaint", "who": "tom",
                                       "evidence": "journal #2, written down 15:05:00"}
    assert table.iloc[1]["evidence"] == "journal #1"


def test_what_has_no_time_stands_where_it_was_recorded_or_last():
    """A statement without a time stands where it was recorded; a change without one stands last, and the sentence's note says so."""
    frame = timeline([entry(1, "note", {"text": "seen"}, None, minute(70)), entry(2, "note", {"text": "later"}, minute(80))],
                     pd.DataFrame([{"at": pd.NaT, "kind": "config", "id": "c", "summary": "timeout 5 s", "source": "x.csv:3"}]))
    assert list(frame["what"]) == ["seen", "later", "Config c: timeout 5 s"]
    finding = timeline_finding(frame)
    assert finding.frame["time (UTC)"].iloc[2] == "unknown" and finding.notes == ("1 of them stand last: when they happened is not known.",)


def test_findings_changes_and_entries_meet():
    """Onset and end, deploys and statements stand in one order, each with its own evidence."""
    frame = timeline([entry(1, "mitigation", {"id": "M1", "what": "roll back"}, minute(83))], changes(), [onset(), Finding("users", "counted", "x")])
    assert list(frame["what"]) == ["Commit 4f2a91c: switch payment client to v3", "Deploy shop-api 4.18.0", "Failures begin: 0.3 % → 8.1 %",
                                   "M1 done: roll back", "Failures end"]
    assert list(frame["evidence"]) == ["shop", "deploys.jsonl:14", onset().id, "journal #1", onset().id]
    assert frame["latest"].dropna().tolist() == [ONSET.latest, END.latest]


def test_a_recorded_finding_is_told_once():
    """A finding that is both in the journal and at hand is one row, and of several recorded answers to one question the last holds."""
    old = onset(numbers={"onset": minute(1)}).as_json()
    journal = [entry(1, "finding", old, None, minute(70)), entry(2, "finding", onset().as_json(), None, minute(75))]
    assert len(timeline(journal, None, [onset()])) == 2
    alone = timeline(journal)
    assert list(alone["what"]) == ["Failures begin: 0.3 % → 8.1 %", "Failures end"] and alone["at"].iloc[0] == ONSET.at
    assert "journal #2" in alone["evidence"].iloc[0]


def test_corrections_stand_in_place_and_retractions_take_away():
    """A corrected note shows the correction at the right time; a retracted one is gone."""
    first = entry(1, "note", {"text": "wrong"}, minute(10))
    frame = timeline([first, entry(2, "note", {"text": "right", "supersedes": first.id}, minute(20), minute(30)),
                      (gone := entry(3, "note", {"text": "gone"}, minute(5))),
                      entry(4, "retraction", {"reason": "mixed up", "supersedes": gone.id}, None, minute(40))])
    assert list(frame["what"]) == ["right"] and frame["at"].iloc[0] == minute(20)
    assert frame["evidence"].iloc[0] == "journal #2 (a correction)"


def test_evidence_names_what_it_points_at():
    """Evidence for a hypothesis names the file and line that it points at."""
    body = {"hypothesis": "H1", "direction": "for", "text": "all on 4.18.0", "pointer": {"type": "line", "file": "app.log", "line": 88121}}
    row = timeline([entry(7, "evidence", body, minute(76))]).iloc[0]
    assert row["what"] == "Evidence for H1: all on 4.18.0" and row["evidence"] == "journal #7, app.log:88121"


def test_every_kind_of_statement_reads_as_a_sentence():
    """Each kind of entry is told in words, of one line, whatever its body lacks or holds."""
    bodies = {"opened": {"title": "T", "severity": "SEV-1"}, "severity": {"severity": "SEV-1", "why": "worse"},
              "role": {"role": "ic", "person": "Maja"},
              "status": {"status": "identified"}, "verdict": {"hypothesis": "H2", "verdict": "refuted", "why": "pool at 20 %"},
              "milestone": {"milestone": "detected", "source": "page"}, "decision": {"decision": "roll back", "why": "safer"},
              "post": {"channel": "chat", "text": "a\nb"}, "closed": {"reason": "probe", "false_alarm": True},
              "effect": {"mitigation": "M1", "undone": True},
              "section_failed": {"section": "Is it over?", "reason": "no column"}, "unheard_of": {"text": "still told"}}
    told = {kind: sentence(entry(1, kind, body, minute(1))) for kind, body in bodies.items()}
    assert told["role"] == "Maja takes over as incident commander" and told["verdict"] == "H2 refuted: pool at 20 %"
    assert told["closed"] == "Closed as a false alarm: probe" and told["effect"] == "M1 taken back"
    assert told["section_failed"] == "Could not be computed: Is it over? (no column)" and told["unheard_of"] == "Unheard of: still told"
    assert told["decision"] == "Decided: roll back, because safer"
    for kind in bodies:
        assert sentence(entry(1, kind, {}, minute(1))).strip() and "\n" not in told[kind]


def test_what_the_record_keeps_is_told(tmp_path):
    """Statements as the record really keeps them are told with their substance, each kind of them."""
    folder = incident.create(tmp_path, "Checkout 5xx", "SEV-2", ic="Maja", at="2026-11-23T14:07:00Z")
    hypotheses.propose(folder, "the payment client")
    statements.mitigate(folder, "roll back", "the rate falls")
    statements.observe(folder, "M1", "the rate fell")
    statements.decide(folder, "roll back", "safer")
    statements.post(folder, "more in 10 minutes", next_update="10m")
    statements.set_status(folder, "identified", "the release")
    statements.assign_role(folder, "scribe", "Sam")
    statements.action(folder, "add a test", "Noor", "2026-11-30")
    hypotheses.set_verdict(folder, "H1", "refuted", "not on that host")
    milestones.set_milestone(folder, "detected", "2026-11-23T14:06:10Z", source="page")
    statements.schedule_postmortem(folder, "2026-11-25")
    statements.section_failed(folder, "Scope", "no column")
    told = set(timeline(journal.read(folder))["what"])
    assert told >= {"Incident opened: Checkout 5xx, SEV-2", "H1 proposed: the payment client", "M1 done: roll back", "M1 seen: the rate fell",
                    "Decided: roll back, because safer", "Posted to chat: more in 10 minutes", "Status identified: the release",
                    "Sam takes over as scribe", "A1 to do: add a test, Noor", "H1 refuted: not on that host", "Detected: page",
                    "Postmortem planned for 2026-11-25", "Could not be computed: Scope (no column)"}


def test_no_path_of_a_machine_is_told():
    """A change is borne by its file, told by its last two parts, and not by a path that leads through somebody's home."""
    row = timeline([], pd.DataFrame([{"at": minute(1), "kind": "deploy", "id": "d", "version": "1.2", "service": "api",
                                      "summary": "api 1.2 to production", "source": "/home/jane/feeds/deploys.jsonl:7"}])).iloc[0]
    assert row["evidence"] == "feeds/deploys.jsonl:7" and row["what"] == "Deploy api 1.2 to production"


def test_the_answer_counts_and_spans():
    """The timeline as an answer says how many events over how long; an empty one says so and has no table."""
    frame = timeline([entry(1, "note", {"text": "a"}, minute(0)), entry(2, "note", {"text": "b"}, Interval(minute(60), minute(59), minute(61)))])
    finding = timeline_finding(frame, ONSET, END)
    assert finding.sentence == "2 events over 1 h, from 2026-11-23 13:00:00Z." and finding.numbers["onset"] is ONSET
    assert finding.numbers["events"][1]["latest"] - finding.numbers["events"][1]["at"] == timedelta(minutes=1)
    assert finding.as_json()["numbers"]["events"][0]["at"] == "2026-11-23T13:00:00Z"
    assert timeline_finding(timeline([])).frame is None
