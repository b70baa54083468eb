"""The whole answer, from files to the contract: drills whose truth is known, and real logs."""

import json

import jsonschema
import pytest

from incidentnb import drill, places
from incidentnb.exceptions import InputError
from incidentnb.findings import plain
from incidentnb.workflow import analyses

SEEDS = range(12)
CONTRACT = json.loads((places.schemas() / "triage.schema.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """A dozen drills of all kinds, in all formats, each with what triage says of it; the bench scores two hundred."""
    folder, found = tmp_path_factory.mktemp("drills"), {}
    for seed in SEEDS:
        place = folder / str(seed)
        truth = drill.make(place, seed, minutes=60)
        feeds = [p for p in place.iterdir() if p.is_file() and p.suffix in (".jsonl", ".csv", ".json") and not p.name.startswith(".")]
        said = analyses.triage([place / "logs"], changes=feeds, repos=[place / "shop"]).as_json()
        found[seed] = truth, json.loads(json.dumps(plain(said))), drill.grade(truth, said)
    return found


def test_every_kind_of_drill_is_among_them(answers):
    """The seeds cover all kinds of incidents, those that are none included."""
    assert {truth.kind for truth, _, _ in answers.values()} == set(drill.KINDS)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_answer_to_a_drill_is_right(answers, seed):
    """Verdict, onset within 2 minutes, failing subset first, culprit first; no incident in a surge or a quiet day."""
    truth, _, graded = answers[seed]
    assert graded["passed"], (truth.kind, graded)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_answer_to_a_drill_keeps_the_contract(answers, seed):
    """The JSON of triage is of schema incidentnb/triage/1, whatever the incident."""
    jsonschema.validate(answers[seed][1], CONTRACT)


def test_requests_and_failures_are_counted_to_the_last(answers):
    """Law: what triage counts is what the drill wrote."""
    for truth, said, graded in answers.values():
        assert graded["counts"]["ok"], (truth.kind, said["window"])


def test_real_logs_keep_the_contract(shared):
    """Every real log gives an answer of the schema, or one line that says why there is none."""
    refused = 0
    for path in sorted((shared / "data" / "logformats").iterdir()):
        if path.suffix not in (".log", ".jsonl"):
            continue
        try:
            said = analyses.triage([path]).as_json()
        except InputError as error:
            refused += 1
            assert str(path) in str(error)
            continue
        jsonschema.validate(json.loads(json.dumps(plain(said))), CONTRACT)
        assert "root cause" not in json.dumps(said).lower()
    assert refused == 0
