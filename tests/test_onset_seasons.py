"""A rhythm of the failing rate is usual: what fails every night is no spike, what goes beyond it is one."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from incidentnb.analysis import exposure, seasons
from incidentnb.analysis.onset import onset, onset_of_series
from incidentnb.evidence.table import table_of

HOUR, NIGHT = 3600, 2 * 3600
FIRST = 20_000 * seasons.DAY


def made(seed, days=8, total=20_000, base=0.004, night=0.08, spike=None, at=None) -> pd.DataFrame:
    """Hourly requests with a batch that fails at two every night, and a rise by five times for two hours."""
    draw = np.random.default_rng(seed)
    time = FIRST + np.arange(days * 24) * HOUR
    requests = draw.poisson(total * (1 + 0.5 * np.sin(2 * np.pi * time / seasons.DAY)))
    rate = np.where(time % seasons.DAY == NIGHT, night, base)
    if spike:
        begun = int(draw.integers(0, len(time) - 2)) if at is None else at
        rate[begun:begun + 2] *= spike
    frame = pd.DataFrame({"time": pd.to_datetime(time, unit="s", utc=True), "failing": draw.binomial(requests, rate), "total": requests})
    return frame if not spike else frame.assign(begun=frame["time"].iloc[begun])


def test_a_rhythm_alone_is_no_spike():
    """Of 40 series with a nightly batch and nothing else at least 95 % are no spike."""
    assert sum(onset_of_series(made(seed)).verdict == "no spike" for seed in range(40)) >= 38


def test_a_spike_on_top_of_a_rhythm_is_found():
    """Of 40 rises by five times, at any hour beside a nightly batch or in it, at least 95 % are found within two buckets."""
    near = 0
    for seed in range(40):
        frame = made(seed, spike=5)
        found = onset_of_series(frame).numbers["onset"]
        near += found is not None and abs(found.at - frame["begun"].iloc[0]) <= timedelta(hours=2)
    assert near >= 38


def test_the_same_rate_is_a_spike_at_another_hour():
    """The rate of every night at two is a spike at two in the afternoon, and only that one; the answer says what it rests on."""
    frame = made(3, spike=20, at=6 * 24 + 14)
    found = onset_of_series(frame)
    assert found.verdict == "spike"
    assert [s["onset"].at for s in found.numbers["spikes"]] == [frame["begun"].iloc[0]]
    assert found.numbers["days"] == 7
    assert "The usual rate at this time of day, from 7 other days, is taken into account." in found.notes


@pytest.mark.parametrize("days", [1, 2, 3])
def test_too_few_other_days_say_nothing(days):
    """With fewer than three other days nothing is taken into account."""
    frame = made(1, days)
    assert exposure.usual(frame["time"].astype("datetime64[s, UTC]").astype("int64"), frame["failing"], frame["total"], HOUR) is None
    assert "days" not in onset_of_series(frame).numbers


def test_without_a_rhythm_nothing_changes():
    """Even, noisy or with an incident: of 60 series without a rhythm at most one in twenty is given one."""
    given = 0
    for seed in range(60):
        frame = made(seed, night=0.004, spike=[None, 20][seed % 2])
        if seed % 3 == 0:
            noise = np.random.default_rng(seed).gamma(4, 0.25, len(frame))
            frame["failing"] = np.minimum((frame["failing"] * noise).round(), frame["total"])
        time = frame["time"].astype("datetime64[s, UTC]").astype("int64")
        given += exposure.usual(time, frame["failing"], frame["total"], HOUR) is not None
    assert given <= 3


def test_an_incident_does_not_explain_itself():
    """What is usual at the time of an incident comes from the other days: the same with the incident and without it."""
    frame = made(2)
    bad = frame.copy()
    bad.loc[100:101, "failing"] *= 15
    time = frame["time"].astype("datetime64[s, UTC]").astype("int64")
    plain, other = (exposure.usual(time, one["failing"], one["total"], HOUR).factor for one in (frame, bad))
    assert np.array_equal(plain[97:119], other[97:119])  # beside midnight another day's factor is heard as well
    assert np.abs(other / plain - 1).max() < 0.3


@pytest.mark.parametrize("days", [1, 7, 365])
def test_shifted_by_days_the_answer_is_shifted(days):
    """All times shifted by whole days, the onset and the end are shifted and nothing else changes."""
    frame = made(3, spike=20, at=6 * 24 + 14).drop(columns="begun")
    plain, other = onset_of_series(frame), onset_of_series(frame.assign(time=frame["time"] + timedelta(days=days)))
    assert other.numbers["onset"].at - plain.numbers["onset"].at == timedelta(days=days)
    assert other.numbers["end"].at - plain.numbers["end"].at == timedelta(days=days)
    assert (other.numbers["rate"], other.notes) == (plain.numbers["rate"], plain.notes)


def test_on_a_table_the_onset_is_refined_against_the_usual_rate():
    """On single requests a spike beside the nightly batch begins where it begins, not where the batch does."""
    draw = np.random.default_rng(4)
    second = FIRST + np.sort(draw.uniform(0, 6 * seasons.DAY, 120_000))
    begun = FIRST + 4 * seasons.DAY + 3 * HOUR + 1200
    rate = np.where(second % seasons.DAY // HOUR == 2, 0.08, 0.004)
    rate[(second >= begun) & (second < begun + 2 * HOUR)] = 0.3
    found = onset(table_of(pd.DataFrame({"time": pd.to_datetime(second, unit="s", utc=True).as_unit("us"),
                                         "http_status": np.where(draw.random(len(second)) < rate, 502, 200)})))
    assert found.numbers["days"] == 5
    assert abs(found.numbers["onset"].at.timestamp() - begun) < 120
