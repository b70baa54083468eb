"""Floors under the accuracy on real labelled cases, on a part of them; ``tests/bench/accuracy.py`` prints all."""

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).parent / "bench" / "accuracy.py"


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("accuracy", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_onset_floor(bench, shared):
    """On every fourth real series: exact where the label is clean and a spike is called, few false alarms, no trust in the partial minute."""
    found = bench.onset_cases(shared / "data" / "onset" / "rs_rate", every=4)
    assert found["exact minute, clean that fire"] >= 0.9
    assert found["clean cases that fire"] >= 0.8
    assert found["false spikes on calm stretches"] <= 0.1
    assert found["same answer without the partial minute"] == 1.0


def test_scope_floor(bench, shared):
    """On every sixth real incident: the exact conjunction mostly, and nearly always among the first three."""
    found = bench.scope_cases(shared / "data" / "attribution" / "rs", every=6)
    assert found["F1 of exact conjunctions"] >= 0.7
    assert found["among the first three"] >= 0.85


def test_pattern_floor(bench, shared):
    """Lines of real systems are grouped as their templates group them, with one configuration."""
    found = bench.pattern_cases(shared / "data" / "templates" / "loghub2k")
    assert found["mean"] >= 0.9
    assert min(found.values()) >= 0.7
