"""The ledger: hypotheses that can lose, evidence that points at something, a root cause only where one is borne out."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from record_samples import begun

from incidentnb.exceptions import InputError
from incidentnb.findings import Finding
from incidentnb.record import hypotheses, journal, statements
from incidentnb.record.hypotheses import add_evidence, propose, root_cause, set_verdict, why_not

T0 = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def ledger(folder: Path):
    return hypotheses.hypotheses(journal.read(folder))


def supported(folder: Path, claim: str, **how) -> str:
    name = propose(folder, claim, **how).body["id"]
    add_evidence(folder, name, "for", "seen", "app.log:12")
    set_verdict(folder, name, "supported")
    return name


def test_a_hypothesis_and_its_fate(folder):
    """Claim, reason, prediction, disproof, rivals, evidence on both sides and every verdict are kept, in order of time."""
    propose(folder, "4.18.0 broke the cart", because="deployed 49 s before", prediction="only 4.18.0 fails", disproof="4.17 fails too",
            actor="Dana", at=T0)
    propose(folder, "the database is slow", rivals=["h1"], actor="Kim", at=T0 + timedelta(minutes=1))
    add_evidence(folder, "1", "for", "41 % fail there, 0.3 % elsewhere", "app.log:88121", at=T0 + timedelta(minutes=5))
    add_evidence(folder, "H1", "against", "one 4.17 host failed, too", "https://grafana.example/d/1", at=T0 + timedelta(minutes=3))
    set_verdict(folder, "H1", "testing", at=T0 + timedelta(minutes=2))
    set_verdict(folder, "H1", "supported", at=T0 + timedelta(minutes=6))
    set_verdict(folder, "H2", "refuted", "latency is flat", at=T0 + timedelta(minutes=7), actor="Kim")
    one, two = ledger(folder)
    assert (one.id, one.claim, one.prediction, one.disproof, one.rivals, one.state) == (
        "H1", "4.18.0 broke the cart", "only 4.18.0 fails", "4.17 fails too", ("H2",), "supported")
    assert [(e.direction, e.points_at) for e in (*one.evidence_for, *one.evidence_against)] == [
        ("for", "app.log:88121"), ("against", "https://grafana.example/d/1")]
    assert [v.state for v in one.history] == ["proposed", "testing", "supported"]
    assert (two.id, two.state, two.why, two.live, two.history[-1].actor) == ("H2", "refuted", "latency is flat", False, "Kim")


def test_root_cause_needs_one_supported_without_a_live_rival(folder):
    """Nothing is called the root cause before, and why not is said in words."""
    assert (root_cause(()), why_not(())) == ("not established", "no hypothesis was recorded")
    propose(folder, "the flag")
    assert why_not(ledger(folder)) == "no hypothesis is supported"
    supported(folder, "the deploy", rivals=["H1"])
    assert (root_cause(ledger(folder)), why_not(ledger(folder))) == ("not established", "H1, a rival of H2, is not refuted")
    set_verdict(folder, "H1", "refuted", "it was off")
    assert (root_cause(ledger(folder)), why_not(ledger(folder))) == ("the deploy", "")
    supported(folder, "the moon")
    assert root_cause(ledger(folder)) == "not established" and "H2, H3" in why_not(ledger(folder))


@settings(max_examples=25, deadline=None)
@given(verdicts=st.lists(st.tuples(st.integers(1, 3), st.sampled_from(hypotheses.STATES)), max_size=8),
       rivals=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), max_size=2))
def test_root_cause_is_the_rule(verdicts, rivals):
    """Over any course of verdicts: a claim if and only if exactly one is supported and each of its rivals is refuted; all stay listed."""
    with begun() as folder:
        for n in (1, 2, 3):
            propose(folder, f"claim {n}", rivals=[f"H{b}" for a, b in rivals if a == n and b < n])
            add_evidence(folder, f"H{n}", "for", "seen", f"app.log:{n}")
        states = dict.fromkeys((1, 2, 3), "proposed")
        for i, (n, state) in enumerate(verdicts):
            set_verdict(folder, f"H{n}", state, f"reason {i}")
            states[n] = state
        found = ledger(Path(folder))
    assert [h.state for h in found] == [states[n] for n in (1, 2, 3)]
    pairs = {frozenset(pair) for pair in rivals if pair[1] < pair[0]}
    winners = [n for n in states if states[n] == "supported"]
    beaten = len(winners) == 1 and all(states[m] == "refuted" for pair in pairs if winners[0] in pair for m in pair - {winners[0]})
    assert root_cause(found) == (f"claim {winners[0]}" if beaten else "not established")
    assert bool(why_not(found)) != beaten


def test_evidence_points_at_something(folder):
    """A finding, file:line, a query, a link, a file with its digest, an entry; nothing, or nothing known, is refused."""
    propose(folder, "the deploy")
    finding = Finding("scope", "subset", "Only 4.18.0.", evidence="ab12")
    statements.record_finding(folder, finding)
    (folder / "evidence").mkdir()
    (folder / "evidence" / "trace.txt").write_text("boom")
    outside = folder.parent / "outside.txt"
    outside.write_text("boom")
    cases = {finding.id: "finding", f"finding:{finding.id}": "finding", "logs/app.log:12": "line", "SELECT 1": "query", "select\n* from log": "query",
             "http://x/y": "link", "evidence/trace.txt": "file", str(outside): "file", "#1": "entry"}
    for given_as, kind in cases.items():
        pointer = add_evidence(folder, "H1", "for", "see", given_as).body["pointer"]
        assert pointer["type"] == kind, given_as
        if kind == "file":
            assert (pointer["sha256"], pointer["bytes"]) == (hashlib.sha256(b"boom").hexdigest(), 4)
    inside = add_evidence(folder, "H1", "for", "see", "evidence/trace.txt").body["pointer"]["path"]
    assert inside == "evidence/trace.txt", "the folder can be moved"
    assert add_evidence(folder, "H1", "for", "an answer at hand", Finding("onset", "spike", "x")).body["pointer"]["sentence"] == "x"
    for nothing in ("", "somewhere", "nofile.txt", "finding:scope-0000000000", "#99", "javascript:alert(1)", "/etc", {}):
        with pytest.raises(InputError) as error:
            add_evidence(folder, "H1", "for", "see", nothing)
        assert "\n" not in str(error.value)


def test_unknown_hypothesis_is_refused_with_the_nearest(folder):
    """Evidence and verdicts for a hypothesis that nobody proposed say which there are, and leave nothing behind."""
    with pytest.raises(InputError, match="none was proposed yet"):
        set_verdict(folder, "H1", "testing")
    propose(folder, "the deploy")
    before = journal.read(folder)
    for bad in (lambda: add_evidence(folder, "H2", "for", "x", "a:1"), lambda: set_verdict(folder, "HH1", "testing")):
        with pytest.raises(InputError, match="did you mean H1"):
            bad()
    for bad in (lambda: add_evidence(folder, "H1", "sideways", "x", "a:1"), lambda: add_evidence(folder, "H1", "for", " ", "a:1"),
                lambda: set_verdict(folder, "H1", "refuted"), lambda: set_verdict(folder, "H1", "proven"),
                lambda: set_verdict(folder, "H1", "supported"), lambda: propose(folder, ""), lambda: propose(folder, "x", rivals=["H7"])):
        with pytest.raises(InputError):
            bad()
    assert journal.read(folder) == before


def test_said_again_is_one(folder):
    """A notebook cell that proposes, cites and judges can be run again."""
    for _ in range(3):
        supported(folder, "the deploy")
    assert len(journal.read(folder)) == 3


def test_corrections_keep_the_number_and_retractions_free_none(folder):
    """A corrected claim keeps its number and its evidence; a retracted one leaves the ledger with all that hung on it."""
    supported(folder, "the deplyo")
    propose(folder, "the deploy", supersedes=1)
    one, = ledger(folder)
    assert (one.id, one.claim, one.state, len(one.evidence_for), one.seq) == ("H1", "the deploy", "supported", 1, 1)
    statements.retract(folder, 4, "no")
    statements.retract(folder, 1, "no")
    assert ledger(folder) == () and propose(folder, "the flag").body["id"] == "H2"


def test_as_of_knows_no_later_verdict(folder):
    """The ledger as known then shows the state of then, under the same number."""
    for n, claim in enumerate(("late clock", "first")):
        propose(folder, claim, recorded_at=T0 + timedelta(minutes=5 - 5 * n))
    set_verdict(folder, "H2", "refuted", "no", recorded_at=T0 + timedelta(minutes=9))
    then = hypotheses.hypotheses(journal.read(folder, T0 + timedelta(minutes=1)))
    assert [(h.id, h.claim, h.state) for h in then] == [("H2", "first", "proposed")]


def test_ledger_frame(folder):
    """The table has a row for each hypothesis, refuted ones too, and shows what each piece of evidence points at."""
    supported(folder, "the deploy")
    propose(folder, "the flag")
    set_verdict(folder, "H2", "refuted", "it was off")
    frame = hypotheses.ledger_frame(ledger(folder))
    assert list(frame.columns) == ["id", "claim", "state", "for", "against", "prediction", "disproof", "rivals", "check", "why"]
    assert list(frame["state"]) == ["supported", "refuted"] and frame["for"][0] == "seen [app.log:12]"
    assert len(hypotheses.ledger_frame(())) == 0
