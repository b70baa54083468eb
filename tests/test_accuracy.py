"""Floors under the accuracy on real labelled cases, on a part of them; ``tests/bench/accuracy.py`` prints all."""

import pytest
from scoring import onset, patterns, scope


def measured(figures) -> dict[str, float]:
    return {figure.question: figure.measured for figure in figures}


@pytest.fixture(scope="module")
def found(shared):
    return measured(onset.score(shared / "data", every=3))


def test_onset_floor(found):
    """On every third real series: exact where the label is clean, nearly all are called, few false alarms, no trust in the partial minute."""
    assert found["exact minute, clean labels, where a spike is called"] >= 0.9
    assert found["within a minute, all labels, where a spike is called"] >= 0.75
    assert found["clean incidents that are called a spike"] >= 0.9
    assert found["false spikes on the calm before a clean label"] <= 0.08
    assert found["the partial last minute changes nothing"] == 1.0


def test_availability_floor(found):
    """Five bins around an injected fault are enough: the onset where errors show, and no spike where none do."""
    assert found["onset bin within 1 of the visible one"] >= 0.9
    assert found["no spike said where none is visible"] == 1.0


def test_scope_floor(shared):
    """On every twelfth real incident: the exact conjunction mostly, nearly always among the first three, nothing invented on shuffled labels."""
    figures = scope.score(shared / "data", every=12)
    assert all(figure.measured >= 0.7 for figure in figures if figure.reach is not None)


def test_pattern_floor(shared):
    """Lines of real systems are grouped as their templates group them, with one configuration."""
    figures = [figure for figure in patterns.score(shared / "data", every=1) if "accuracy" in figure.question]
    assert figures
    assert all(figure.reached for figure in figures if figure.reach is not None)
