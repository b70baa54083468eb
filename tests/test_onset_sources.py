"""Several sources in one log: a changed mix is no spike, one source's own rise is, and the end of a log is no recovery."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from incidentnb.analysis import sources
from incidentnb.analysis.onset import onset
from incidentnb.analysis.recovery import recovery
from incidentnb.evidence.table import table_of

START, SPAN = pd.Timestamp("2026-11-23 13:00", tz="UTC"), 5400


def made(seed, *, share=(0.03, 0.4), change=3000, spike=None, rows=30_000, column="service") -> pd.DataFrame:
    """Requests of a billing service, which fails 5 % at all times, and of three others, which fail 0.1 %; their mix changes."""
    draw = np.random.default_rng(seed)
    second = np.sort(draw.uniform(0, SPAN, rows))
    billing = draw.random(rows) < np.where(second >= change, share[1], share[0])
    rate = np.where(billing, 0.05, 0.001)
    name = np.where(billing, "billing", np.array(["web", "api", "cart"])[draw.integers(0, 3, rows)])
    if spike:
        who, times, since, until = spike
        hit = (name == who) & (second >= since) & (second < until)
        rate = np.where(hit, np.minimum(0.95, rate * times), rate)
    failed = draw.random(rows) < rate
    return pd.DataFrame({"time": (START + pd.to_timedelta(second, unit="s")).as_unit("us"), "http_status": np.where(failed, 502, 200), column: name})


def seconds(found) -> float:
    return (found.numbers["onset"].at - START).total_seconds()


@pytest.mark.parametrize("column", ["service", "source"])
def test_a_changed_mix_alone_is_no_spike(column):
    """Of 20 logs in which a source that always fails more is only logged more, at least 95 % are no spike, and say why."""
    quiet = [found for seed in range(20) if (found := onset(table_of(made(seed, column=column)))).verdict == "no spike"]
    assert len(quiet) >= 19
    assert any(f"{column} billing" in note for note in quiet[0].notes)
    assert quiet[0].numbers["mix"]["explained"] > 0.5


@pytest.mark.parametrize("who", ["web", "billing"])
def test_a_real_rise_of_one_source_is_found(who):
    """Of 20 logs in which one service fails more, at least 95 % are a spike within two minutes, changed mix or not."""
    near = 0
    for seed in range(20):
        share = (0.1, 0.1) if seed % 2 else (0.05, 0.4)
        found = onset(table_of(made(seed, share=share, change=1500, spike=(who, 60 if who == "web" else 6, 3600, SPAN))))
        near += found.verdict == "spike" and abs(seconds(found) - 3600) <= 120
    assert near >= 19


def test_a_source_that_was_never_seen_stays_a_spike():
    """A service that fails from its first request on is a spike, with a note that its log may merely start later."""
    found = onset(table_of(made(1, share=(0.0, 0.4))))
    assert found.verdict == "spike"
    assert any("billing, logged only in the spike" in note for note in found.notes)


def test_a_rotated_log_is_not_new():
    """A file that begins where another one ends is no source of its own to wonder about."""
    frame = made(2, share=(0.1, 0.1), spike=("billing", 8, 3000, SPAN)).drop(columns="service")
    frame["source"] = np.where(frame["time"] < START + timedelta(seconds=2950), "app.log.1", "app.log")
    found = onset(table_of(frame))
    assert found.verdict == "spike"
    assert not any("logged only" in note for note in found.notes)


def test_the_end_of_a_log_is_no_recovery():
    """Where the failing service stops logging the end of the spike is not known; where it logs on without failing it is."""
    frame = made(3, share=(0.3, 0.3), spike=("billing", 8, 2400, SPAN))
    gone = frame[(frame["service"] != "billing") | (frame["time"] < START + timedelta(seconds=4000))]
    found = onset(table_of(gone))
    assert found.verdict == "spike"
    assert found.numbers["end"] is None
    assert "whether it ended is not known" in found.sentence
    assert any(note.startswith("Service billing ends at") and "while others go on to" in note for note in found.notes)
    over = recovery(table_of(gone), found)
    assert over.verdict == "cannot tell" and over.numbers["state"] == "quiet but unproven" and "whose log ends with them" in over.why
    logs_on = table_of(made(3, share=(0.3, 0.3), spike=("billing", 8, 2400, 4000)))
    ended = onset(logs_on)
    assert recovery(logs_on, ended).verdict == "recovered"
    assert abs((ended.numbers["end"].at - START).total_seconds() - 4000) <= 120


def test_the_order_of_the_lines_changes_nothing():
    """The lines of a log shuffled give the same answer."""
    frame = made(4, spike=("web", 60, 3600, SPAN))
    plain, shuffled = onset(table_of(frame)), onset(table_of(frame.sample(frac=1, random_state=1)))
    assert plain.as_json() == shuffled.as_json()


def test_one_service_is_not_compared(monkeypatch):
    """With a single service nothing is counted by service, and the answer is that of a log without one."""
    frame = made(5, share=(0.1, 0.1), spike=("billing", 8, 3000, SPAN)).assign(service="shop")
    alone, without = onset(table_of(frame)), onset(table_of(frame.drop(columns="service")))
    assert alone.as_json() == without.as_json()
    monkeypatch.setattr(sources, "_by", None)
    assert onset(table_of(frame)).verdict == "spike"
