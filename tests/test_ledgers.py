"""The record against an independent reference, over a thousand random ledgers; and what each entry is answerable for."""

from collections import Counter
from datetime import timedelta
from itertools import pairwise

import ledgers
import pytest
from ledgers import MILESTONES, TIMES_BETWEEN, Reference

from incidentnb.publish import timeline
from incidentnb.record import hypotheses, incident, journal, lines, runbook, status

BOOK = runbook.rules()
THOUSAND, PIECES = 1000, 10
DUTIES = ("mitigated", "resolved", "postmortem-date", "status-page", "channel")


@pytest.mark.parametrize("piece", range(PIECES))
def test_a_thousand_ledgers_mean_what_the_reference_says(piece):
    """Severity, time in each, IC, milestones, times between, promises, duties and the place of each note agree, ledger by ledger."""
    for seed in range(piece, THOUSAND, PIECES):
        ledger = ledgers.make(seed)
        said = ledgers.entries(ledger)
        assert [e.at for e in said] == [s.at for s in ledger.said], seed
        known, reference = incident.fold(f"ledger-{seed}", said), Reference(ledger)
        assert [e.seq for e in known.standing] == sorted(s.seq for s in reference.said), seed
        spent = {name: length for name, length in known.time_in_severity(ledger.now).items() if length}
        assert spent == {name: length for name, length in reference.time_in_severity().items() if length}, seed
        opened = known.opened_at
        for edge in (edge for edge in reference.edges if edge >= opened):
            middle = edge + timedelta(microseconds=1)
            assert [r.person for r in known.ics if r.start <= middle and (r.end is None or middle < r.end)] == [reference.ic(edge)], (seed, edge)
            assert [s.value for s in known.severities if s.start <= edge and (s.end is None or edge < s.end)] == [reference.severity(edge)], seed
        assert known.peak_severity == reference.peak(), seed
        for name in MILESTONES:
            word = reference.milestone(name)
            assert (known.milestones[name].at, known.milestones[name].seq) == ((word.at, word.seq) if word else (None, None)), (seed, name)
        assert {name: known.metrics[name].value for name in TIMES_BETWEEN} == {name: reference.between(name) for name in TIMES_BETWEEN}, seed
        assert {post.seq: post.promise(ledger.now) for post in known.posts} == reference.promises(), seed
        states = {duty.id: duty.state for duty in runbook.duties(known, ledger.now, book=BOOK)}
        assert {name: states[name] for name in DUTIES} == {name: reference.duty(name) for name in DUTIES}, seed
        notes = [s.seq for s in reference.said if s.kind == "note"]
        assert [note.seq for note in known.notes] == notes, seed
        assert [row["seq"] for row in timeline.events(said) if row["kind"] == "note"] == notes, seed


def test_the_ledgers_are_of_every_kind():
    """Among the thousand there are late and corrected entries, retractions, intervals, unknown times, reopenings, days, severities both ways."""
    seen = Counter()
    for seed in range(0, THOUSAND, 4):
        ledger = ledgers.make(seed)
        first, last = ledger.said[0].at, ledger.said[-1].at
        reference = Reference(ledger)
        levels = [s.body["severity"] for s in reference.said if s.kind in ("opened", "severity")]
        offsets = {ledgers.offset(ledger.zone, s.at) for s in ledger.said}
        seen += Counter({
            "late": any(s.at < s.recorded - timedelta(minutes=5) for s in ledger.said),
            "corrected": any(s.target and s.kind != "retraction" for s in ledger.said),
            "retracted": any(s.kind == "retraction" for s in ledger.said), "interval": any(isinstance(s.when, tuple) for s in ledger.said),
            "unknown": any(s.when is None for s in ledger.said), "reopened": any(s.kind == "reopened" for s in reference.said),
            "over midnight": first.date() != last.date(), "more than a day": last - first > timedelta(days=1),
            "clocks changed": len(offsets) > 1, "up": any(b < a for a, b in pairwise(levels)),
            "down": any(b > a for a, b in pairwise(levels)), ledger.zone: True,
            "kept": "kept" in reference.promises().values(), "broken": "broken" in reference.promises().values(),
            "running": "running" in reference.promises().values()})
    assert len(seen) == 17 and min(seen.values()) >= 15, seen


def test_a_ledger_read_from_its_file_is_the_same(tmp_path):
    """Written into a journal and read back, a ledger means the same, also as of each instant at which something was written down."""
    for seed in range(20):
        ledger = ledgers.make(seed)
        said = ledgers.entries(ledger)
        folder = tmp_path / str(seed)
        folder.mkdir()
        prev, made = lines.GENESIS, []
        for e in said:
            made.append(lines.make(e.seq, e.occurred_at, e.recorded_at, e.actor, e.kind, e.body, prev)[1])
            prev = lines.digest(made[-1])
        (folder / journal.FILE).write_bytes(b"\n".join(made) + b"\n")
        assert incident.load(folder) == incident.fold(folder, said)
        for instant in {e.recorded_at for e in said}:
            upto = [e for e in said if e.recorded_at <= instant]
            assert incident.load(folder, instant) == incident.fold(folder, upto, instant)


def without(entries, one):
    """The ledger as if one entry had never been written; and the entries whose standing that changes."""
    left = [e for e in entries if e is not one]
    before, after = ({e.seq for e in lines.standing(several)} for several in (entries, left))
    return left, [e for e in entries if e.seq in before ^ after]


@pytest.mark.parametrize("seed", range(0, 60, 3))
def test_delete_one_entry_and_its_lines_of_the_timeline_change(seed):
    """The timeline is a line for each entry that stands, and each line rests on its own entry: deleting one changes no other line."""
    def told(several):
        return {row["seq"]: (row["at"], row["what"], row["actor"], row["evidence"]) for row in timeline.events(several)}
    entries = ledgers.entries(ledgers.make(seed))
    whole = told(entries)
    for one in entries:
        left, affected = without(entries, one)
        now, touched = told(left), {e.seq for e in affected}
        assert {seq for seq in whole.keys() | now.keys() if whole.get(seq) != now.get(seq)} == touched & (whole.keys() | now.keys())
        assert all(now[seq] == told([e])[seq] for e in affected if (seq := e.seq) in now)


# What a sentence of ``status`` may rest on: kinds of entries, beside those that the runbook's data name for a duty.
CHECKED = {"hand_over": {"role"}, "other_roles": {"role"}, "promises": {"post"}, "tested": {"hypothesis", "verdict", "evidence"},
           "expected": {"mitigation"}, "effect": {"mitigation", "effect"}, "action_items": {"action"}}
ENDS = {"status", "closed", "reopened", "milestone"}
RESTS_ON = {"severity": {"opened", "severity"}, "status": {"opened", "status", "reopened", "closed"}, "ic": {"opened", "role"},
            "time in severity": {"opened", "severity", *ENDS}, "promises": {"post", *ENDS}, "clocks": {"opened", "severity", "milestone"},
            **{name: {"milestone", "status", "reopened"} for name in TIMES_BETWEEN}}


def rests_on(line):
    """The kinds of entries that a duty may rest on, read off the runbook's data."""
    kinds = {pattern["kind"] for pattern in (*line.evidence, *line.when)} | {"duty", "closed", "opened"} | CHECKED.get(line.check, set())
    kinds |= {"severity"} if line.clock or line.severities != (1, 2, 3, 4) else set()
    kinds |= {"milestone"} if line.clock else set()
    return kinds | ({"reopened"} if line.again else set()) | (ENDS if line.check == "promises" else set())


def sentences(entries, now):
    """The sentences of ``status``, by what each is about, and the number of the entry that each of them names."""
    known = incident.fold("x", entries)
    found = status.status(known, now, book=BOOK)
    said = {"severity": found["severity"], "status": (found["status"], found["closed"]), "ic": (found["ic"], found["ic_acknowledged"]),
            "time in severity": found["time_in_severity_s"], "promises": found["promises"], "clocks": found["clocks"],
            **found["metrics"],
            **{f"duty {duty['id']}": duty for duty in found["duties"]}}
    named = {f"duty {duty.id}": {duty.seq} for duty in runbook.duties(known, now, book=BOOK) if duty.seq}
    for name, (first, last) in TIMES_BETWEEN.items():
        if known.metrics[name].value is not None:
            named[name] = {known.milestones[end].seq for end in (first, last)}
    return said, named


@pytest.mark.parametrize("seed", range(1, 36, 3))
def test_delete_one_entry_and_exactly_what_rested_on_it_changes(seed):
    """A sentence of the status changes only where an entry of a kind that it rests on came or went, and always where the one that it names went."""
    ledger = ledgers.make(seed)
    entries = ledgers.entries(ledger)
    supports = RESTS_ON | {f"duty {line.id}": rests_on(line) for line in BOOK.duties}
    whole, named = sentences(entries, ledger.now)
    assert whole.keys() == supports.keys()
    for one in entries[1:]:
        left, affected = without(entries, one)
        kinds, gone = {e.kind for e in affected}, {e.seq for e in affected if e not in left}
        now, _ = sentences(left, ledger.now)
        changed = {about for about in whole if whole[about] != now[about]}
        assert all(supports[about] & kinds for about in changed), (seed, one.seq, changed)
        assert {about for about in named if named[about] & gone} <= changed, (seed, one.seq)
        assert affected or not changed


def test_delete_one_entry_of_a_hypothesis_and_no_other_changes(tmp_path):
    """Evidence, verdicts and checks bear on their own hypothesis alone; what is called the root cause follows from the states."""
    folder = incident.create(tmp_path, "x", "SEV-2")
    for name in ("the deploy", "the flag", "the moon"):
        hypotheses.propose(folder, name, check="scope", expect="everyone")
    for number in (1, 2, 3):
        hypotheses.add_evidence(folder, f"H{number}", "for", "seen", f"app.log:{number}")
        hypotheses.record_check(folder, f"H{number}", hypotheses.Result("failed", "subset", "only some"))
        hypotheses.set_verdict(folder, f"H{number}", "supported" if number == 1 else "refuted", "so it is")
    entries = journal.read(folder)
    whole = {h.id: h for h in hypotheses.hypotheses(entries)}
    assert incident.fold(folder, entries).root_cause == "the deploy"
    for one in entries[1:]:
        left, _ = without(entries, one)
        now = {h.id: h for h in hypotheses.hypotheses(left)}
        about = one.body.get("hypothesis") or one.body["id"]
        assert {name for name in whole if whole[name] != now.get(name)} == {about}
        cause = incident.fold(folder, left).root_cause
        assert (cause == "the deploy") == (about != "H1" or one.kind in ("evidence", "check"))
