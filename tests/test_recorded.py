"""The changes of an incident by what its journal tells: as the notebook looks for them, without asking the log."""

import json

import pytest
from publish_samples import ONSET, minute

from incidentnb import times
from incidentnb.case import recorded
from incidentnb.findings import Finding
from incidentnb.record import incident

DEPLOYS = [(-400, "old"), (-20, "night"), (50, "before"), (62, "blamed"), (70, "after"), (400, "much later")]
INPUTS = [{"first": times.iso(minute(0)), "last": times.iso(minute(91))}]


def spike() -> Finding:
    return Finding("onset", "spike", "It began.", numbers={"onset": ONSET, "end": None})


@pytest.fixture
def folder(tmp_path):
    feed = tmp_path / "deploys.jsonl"
    feed.write_text("".join(json.dumps({"time": times.iso(minute(at)), "type": "deploy", "service": "shop", "version": name}) + "\n"
                            for at, name in DEPLOYS), encoding="utf-8")
    return incident.create(tmp_path, "Checkout 5xx", "SEV-2", changes=[feed], at=minute(66), recorded_at=minute(66))


def names(found: list[dict]) -> list[str]:
    return [change["version"] for change in sorted(found, key=lambda change: change["at"])]


def test_changes_are_those_around_the_impact(folder):
    """From two hours before the onset in the journal until two hours after the last record; without an onset from the first record on."""
    known = incident.load(folder)
    assert names(recorded.changes(known, [spike()], INPUTS))[-4:] == ["night", "before", "blamed", "after"]
    assert "much later" not in names(recorded.changes(known, [spike()], INPUTS)) and "after" in names(recorded.changes(known, [], INPUTS))
    assert names(recorded.changes(known, [], []))[-1] == "much later"


def test_nothing_later_than_what_was_known(folder):
    """As of an instant no later change is told."""
    known = incident.load(folder, minute(67))
    assert names(recorded.changes(known, [spike()], INPUTS))[-1] == "blamed"


def test_a_feed_that_is_gone_leaves_the_ranked_changes(folder, monkeypatch):
    """Where a feed cannot be read the changes are those that the ranking in the journal names; no export fails for it."""
    from incidentnb.evidence import changes as feeds

    monkeypatch.setattr(feeds, "read_changes", lambda *_, **__: (_ for _ in ()).throw(OSError("gone")))
    ranked = Finding("suspects", "candidates", "x", numbers={"changes": [
        {"at": "2026-11-23T14:02:00Z", "kind": "deploy", "id": "d", "summary": "s"}, {}]})
    known = incident.load(folder)
    assert recorded.changes(known, [spike(), ranked], INPUTS) == [{"at": minute(62), "kind": "deploy", "id": "d", "summary": "s"}]
    assert recorded.changes(known, [], []) == []


@pytest.mark.parametrize("numbers", [{}, {"onset": "soon"}, {"silent": [{"last": "x"}], "spikes": 3}, {"onset": ONSET.as_json()}])
def test_strange_answers_cost_no_export(folder, numbers):
    """An answer that another version wrote is no reason to fail."""
    known = incident.load(folder)
    for name in ("onset", "volume", "latency"):
        assert recorded.changes(known, [Finding(name, "spike", "x", numbers=numbers)], INPUTS)
