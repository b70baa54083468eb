"""When a value left its usual level: laws of times, values and order first, then known shifts, spikes, drops and days."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from incidentnb.analysis import deviations
from incidentnb.analysis.onset import onset_of_series

START = datetime(2026, 11, 2, tzinfo=UTC)


def series(values, step=300, start=START) -> pd.DataFrame:
    return pd.DataFrame({"time": pd.date_range(start, periods=len(values), freq=f"{step}s").as_unit("us"), "value": np.asarray(values, float)})


def quiet(n=400, seed=1) -> np.ndarray:
    return np.random.default_rng(seed).normal(100, 5, n)


def raised(begin=250, end=290, by=40.0, n=400, seed=1) -> np.ndarray:
    values = quiet(n, seed)
    values[begin:end] += by
    return values


def times(found) -> list:
    return [(s["onset"], s["end"]) for s in found.numbers["spikes"]]


def test_a_later_start_is_a_later_answer():
    """All times shifted by a day shift every time of the answer by a day."""
    plain, later = onset_of_series(series(raised())), onset_of_series(series(raised(), start=START + timedelta(days=1)))
    assert later.numbers["onset"].at - plain.numbers["onset"].at == timedelta(days=1)
    assert later.numbers["end"].latest - plain.numbers["end"].latest == timedelta(days=1)


@pytest.mark.parametrize(("factor", "constant"), [(1000.0, 0.0), (0.001, 7.0), (3.0, -500.0)])
def test_units_change_no_time(factor, constant):
    """Values times a factor plus a constant give the same times, and rates in the new unit."""
    plain, other = onset_of_series(series(raised())), onset_of_series(series(raised() * factor + constant))
    assert times(plain) == times(other)
    assert other.numbers["rate"]["during"] == pytest.approx(plain.numbers["rate"]["during"] * factor + constant)


def test_a_drop_is_found_like_a_rise():
    """Mirrored values give the same times."""
    assert times(onset_of_series(series(raised()))) == times(onset_of_series(series(-raised())))


def test_order_of_rows_is_nothing():
    """Shuffled rows change nothing."""
    frame = series(raised())
    assert onset_of_series(frame.sample(frac=1, random_state=3)).as_json() == onset_of_series(frame).as_json()


def test_missing_is_unknown_not_zero():
    """A long gap is no drop to zero, and values that are not there are not counted."""
    frame = series(quiet())
    assert onset_of_series(frame.drop(index=range(150, 220))).verdict == "no spike"
    assert onset_of_series(frame.assign(value=frame["value"].where(frame.index % 3 > 0))).numbers["requests"] == 266


@pytest.mark.parametrize(("begin", "end", "by"), [(250, 290, 40.0), (250, 290, -40.0), (300, 400, 25.0), (200, 203, 60.0), (150, 151, 90.0),
                                                  (60, 200, 25.0)])
def test_known_shifts(begin, end, by):
    """Shifts of one point up to a third of the series, up and down, are found to the point, with their level; an open end is open."""
    found = onset_of_series(series(raised(begin, end, by)))
    assert found.verdict == "spike"
    onset, over = found.numbers["onset"], found.numbers["end"]
    assert abs(onset.at - (START + timedelta(seconds=300 * begin))) <= timedelta(seconds=300)
    assert onset.earliest <= START + timedelta(seconds=300 * begin) <= onset.latest + timedelta(seconds=300)
    assert over is None if end == 400 else abs(over.at - (START + timedelta(seconds=300 * end))) <= timedelta(seconds=600)
    assert found.numbers["rate"]["during"] == pytest.approx(100 + by, rel=0.15)
    assert found.numbers["rate"]["baseline"] == pytest.approx(100, rel=0.05)
    assert found.frame["during"].sum() == pytest.approx(end - begin, abs=3)


def test_several_are_told_apart():
    """Two shifts are both named in order of time; onset and rate are those of the larger, whose place is given."""
    values = raised()
    values[100:120] += 25
    found = onset_of_series(series(values))
    assert [round((s["onset"].at - START) / timedelta(seconds=300)) for s in found.numbers["spikes"]] == [100, 250]
    assert (found.numbers["largest"], found.numbers["onset"]) == (1, found.numbers["spikes"][1]["onset"])
    assert max(found.numbers["spikes"], key=lambda s: s["excess"]) is found.numbers["spikes"][1]


def test_what_comes_every_day_is_usual():
    """A job that raises the value every night is no spike; the day that it runs for hours is."""
    draw = np.random.default_rng(2)
    values = 10 + draw.normal(0, 1, 10 * 288)
    for day in range(10):
        values[day * 288 + 24:day * 288 + 30] += 50
    assert onset_of_series(series(values)).verdict == "no spike"
    values[7 * 288 + 24:7 * 288 + 70] += 50
    found = onset_of_series(series(values))
    assert abs(found.numbers["onset"].at - (START + timedelta(days=7, hours=2))) <= timedelta(minutes=45)


def test_a_daily_wave_is_taken_out():
    """A drop at noon to the level of the night is found, though the night is no drop; it says how many days it rests on."""
    draw = np.random.default_rng(4)
    at = np.arange(8 * 288)
    values = 100 - 60 * np.cos(2 * np.pi * at / 288) + draw.normal(0, 4, len(at))
    assert onset_of_series(series(values)).verdict == "no spike"
    values[5 * 288 + 140:5 * 288 + 160] -= 100
    found = onset_of_series(series(values))
    assert abs(found.numbers["onset"].at - (START + timedelta(seconds=300 * (5 * 288 + 140)))) <= timedelta(minutes=5)
    assert (found.numbers["days"], found.numbers["rate"]["baseline"] > 140) == (7, True)


def test_few_even_series_are_called_shifted():
    """Even series, and those that wander, are called shifted about as often as the p-value says; each says what would have been seen."""
    alarms = 0
    for seed in range(20):
        draw = np.random.default_rng(seed)
        noise = draw.normal(0, 1, 300)
        for i in range(1, 300 if seed % 2 else 0):
            noise[i] += 0.8 * noise[i - 1]
        found = onset_of_series(series(50 + noise))
        alarms += found.verdict == "spike"
        assert 0 < found.numbers["smallest_visible"] < 20
    assert alarms <= 5


@pytest.mark.parametrize("values", [[], [1.0] * 5])
def test_too_few_cannot_be_told(values):
    """Fewer than twelve values bear no answer."""
    assert onset_of_series(series(values)).verdict == "cannot tell"


def test_constant_is_no_spike():
    """Values that never move are no spike and no error."""
    assert onset_of_series(series([3.0] * 100)).verdict == "no spike"


def test_rare_counts_are_no_spike():
    """Ones among zeros, and a two where two fell together, are chance; a burst of twenty is not."""
    values = np.zeros(1000)
    values[np.random.default_rng(3).integers(0, 1000, 18)] = 1
    values[640] = 2
    assert onset_of_series(series(values)).verdict == "no spike"
    values[700] = 20
    assert onset_of_series(series(values)).numbers["onset"].at == START + timedelta(seconds=300 * 700)


def test_lengths_grow_from_one():
    """Windows reach from one point to a twelfth of the series, ascending, none twice."""
    found = deviations.lengths(5000)
    assert found[0] == 1
    assert found == sorted(set(found))
    assert 300 < found[-1] <= 5000 // 12
