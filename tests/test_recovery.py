"""Recovery is proved from complete minutes, or what is missing is said."""

import json
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from incidentnb.analysis import limits, quiet, recovery_minutes, traffic_back
from incidentnb.analysis import recovery as module
from incidentnb.analysis.onset import onset
from incidentnb.evidence.series import read_series
from incidentnb.evidence.table import table_of
from incidentnb.findings import Finding
from incidentnb.times import Interval

START = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)


def log(over=50.0, minutes=80, a_minute=800, quiet=0.01, tail=None, relapse=None, seed=3) -> pd.DataFrame:
    """A fault from minute 30 to ``over`` in half of the regions; ``tail`` thins the traffic after it, ``relapse`` raises two minutes again."""
    draw = np.random.default_rng(seed)
    minute = np.sort(draw.uniform(0, minutes, int(minutes * a_minute)))
    if tail is not None:
        minute = minute[(minute < over) | (draw.random(len(minute)) < tail)]
    region = draw.choice(["eu", "us"], len(minute))
    bad = (minute >= 30) & (minute < over) & (region == "eu")
    if relapse is not None:
        bad |= (minute >= relapse) & (minute < relapse + 2)
    failed = draw.random(len(minute)) < np.where(bad, 0.4, quiet)
    return pd.DataFrame({"time": (pd.Timestamp(START) + pd.to_timedelta(minute * 60, unit="s")).as_unit("us"), "region": region, "failed": failed})


def judged(frame: pd.DataFrame, told: Finding | None = None) -> Finding:
    """The answer with the onset as found, or as ``told``."""
    table = table_of(frame)
    return module.recovery(table, told or onset(table))


def test_over_is_over():
    """Thirty quiet minutes at good traffic after the end are recovery, since about the end."""
    found = judged(log())
    assert found.verdict == "recovered"
    assert abs(found.numbers["since"] - (START + timedelta(minutes=50))) <= timedelta(minutes=2)
    assert found.numbers["upper"] <= 1.5 * found.numbers["baseline"]


def test_going_on_is_not_recovered():
    """A fault that lasts to the end of the data is not recovered, and the current rate is told."""
    found = judged(log(over=99))
    assert (found.verdict, found.numbers["since"]) == ("not recovered", None)
    assert "last 5 complete minutes" in found.why


def test_too_short_says_how_long():
    """Five quiet minutes are not enough; the missing minutes are counted."""
    found = judged(log(minutes=55.0))
    assert found.verdict == "cannot tell"
    assert 4 <= found.numbers["more_minutes"] <= 7


def test_little_traffic_says_how_much_more():
    """Little traffic at a low baseline cannot prove it; the requests still needed are told."""
    found = judged(log(a_minute=120, quiet=0.002, minutes=75))
    assert found.verdict == "cannot tell"
    assert found.numbers["more_requests"] > 1000


def test_silence_is_no_recovery():
    """When the traffic is gone, no failures prove nothing."""
    found = judged(log(tail=0.1))
    assert found.verdict == "cannot tell"
    assert "requests a minute, usually 7" in found.why and "e+" not in found.why


def test_relapse_is_not_recovered():
    """Two raised minutes inside of the quiet stretch are a relapse."""
    assert judged(log(relapse=72)).verdict != "recovered"


def test_the_subset_is_judged_by_itself():
    """A small subset that still fails stops the proof although the total looks quiet."""
    frame = log(quiet=0.01)
    draw = np.random.default_rng(9)
    late = frame["time"] >= START + timedelta(minutes=50)
    frame["tenant"] = np.where(draw.random(len(frame)) < 0.01, "small", "others")
    frame.loc[late & (frame["tenant"] == "small"), "failed"] = draw.random(int((late & (frame["tenant"] == "small")).sum())) < 0.3
    table = table_of(frame)
    scope = Finding("scope", "subset", "", numbers={"subsets": [{"where": {"tenant": "small"}, "cause": True, "rate_before": 0.01}]})
    found = module.recovery(table, onset(table), scope)
    assert found.verdict == "not recovered"
    assert found.why.startswith("tenant = small")


@given(st.integers(0, 500), st.integers(1, 5000))
def test_limits_hold_the_rate(failing, extra):
    """The limits lie around the rate, and within 0 and 1."""
    total = failing + extra
    assert 0 <= limits.lower(failing, total) <= failing / total + 1e-12
    assert failing / total - 1e-12 <= limits.upper(failing, total) <= 1


@pytest.mark.parametrize(("base", "low", "high"), [(0.01, 1000, 3000), (0.001, 10_000, 30_000)])
def test_needed_traffic(base, low, high):
    """At 1 % some 2,000 requests are needed, at 0.1 % some 18,000."""
    assert low <= limits.needed(base * 1e6, 1e6) <= high


# states, as words


def sub(where: dict, **more) -> Finding:
    return Finding("scope", "subset", "", numbers={"subsets": [{"where": where, "cause": True, "rate_before": 0.01} | more]})


@pytest.mark.parametrize(("made", "state"), [
    ({"over": 99}, "still failing"), ({"minutes": 55.0}, "quiet but unproven"), ({}, "recovered"), ({"relapse": 78}, "relapsed"),
    ({"relapse": 72}, "relapsed"), ({"tail": 0.1}, "quiet but unproven")])
def test_the_state_is_told_in_words(made, state):
    """Each course of an incident has its state, its verdict, and a sentence that begins with the words."""
    found = judged(log(**made), onset(table_of(log())) if "relapse" in made else None)
    assert (found.numbers["state"], found.verdict) == (state, module.STATES[state])
    assert found.sentence.lower().startswith(state)


def test_falling_is_recovering():
    """A rate that has lost most of its rise but is not back is recovering: the worst rate is told beside the present one."""
    frame = log(over=99, minutes=70)
    draw = np.random.default_rng(1)
    late = frame["time"] >= START + timedelta(minutes=55)
    frame.loc[late, "failed"] = draw.random(int(late.sum())) < 0.03
    found = judged(frame)
    assert (found.numbers["state"], found.verdict) == ("recovering", "not recovered")
    assert "down from 2" in found.why


def test_a_relapse_names_both_times():
    """A relapse says from when it was quiet and when it rose again."""
    found = judged(log(relapse=72), onset(table_of(log())))
    (told,) = found.numbers["relapses"]
    assert abs(told["quiet_since"] - (START + timedelta(minutes=50))) <= timedelta(minutes=1)
    assert abs(told["again"] - (START + timedelta(minutes=72))) <= timedelta(minutes=1)
    assert "quiet from 2026-11-23 13:50:00Z, raised again from 14:12:00Z" in found.sentence


def test_after_a_relapse_twice_the_quiet_is_asked():
    """A stretch must last twice as long as the one that was broken."""
    states = [state(series(length, more={60: 300, 61: 300})) for length in range(23, 70)]
    assert states == ["relapsed"] * 9 + ["quiet but unproven"] * 30 + ["recovered"] * 8


def test_a_baseline_of_forty_requests_proves_little():
    """Where nothing but 40 requests is known of before, twice their rate cannot be excluded; the sentence asks for more of the time before."""
    frame = log(a_minute=300, quiet=0.02, minutes=120)
    early = np.random.default_rng(2).random(len(frame)) < np.where(frame["time"] < START + timedelta(minutes=30), 40 / 9000, 1.0)
    found = judged(frame[early].reset_index(drop=True))
    assert found.verdict != "recovered"


def test_the_missing_requests_are_told_with_their_minutes():
    """Unproven says how many more requests, and how long that takes at the present traffic."""
    found = judged(log(a_minute=120, quiet=0.01, minutes=62))
    assert found.numbers["state"] == "quiet but unproven"
    requests, minutes = found.numbers["more_requests"], found.numbers["more_minutes"]
    assert requests > 500 and abs(minutes - requests / 120) <= 0.2 * minutes + 1
    assert f"about {requests:,} more requests are needed, some {minutes:,} minutes at the present traffic" in found.sentence


def test_a_subset_that_vanished_is_not_recovered():
    """No request of the failing subset means that its users are gone: quiet, unproven, and it says what its traffic was."""
    frame = log()
    gone = (frame["region"] == "eu") & (frame["time"] >= START + timedelta(minutes=50))
    draw = np.random.default_rng(4)
    frame = frame[~gone | (draw.random(len(frame)) < 0.02)].reset_index(drop=True)
    table = table_of(frame)
    found = module.recovery(table, onset(table), sub({"region": "eu"}))
    assert found.numbers["state"] == "quiet but unproven"
    assert "region = eu: traffic is not back" in found.why


def test_a_version_that_was_rolled_back_is_no_loss():
    """A failing version whose requests are served by another now is over when those are quiet."""
    frame = log()
    during = (frame["time"] >= START + timedelta(minutes=30)) & (frame["time"] < START + timedelta(minutes=50))
    frame["version"] = np.where(during & (frame["region"] == "eu"), "2", "1")
    table = table_of(frame)
    found = module.recovery(table, onset(table), sub({"version": "2"}))
    assert found.verdict == "recovered"
    assert any("version = 2" in note and "served by the others" in note for note in found.notes)


def test_a_new_error_that_goes_on_is_not_over():
    """An error pattern new since the onset that still occurs at the end stops the proof, however quiet the rate is; one that is gone does not."""
    frame = log()
    told = (frame.index % 400 == 0) & (frame["time"] >= START + timedelta(minutes=31))
    frame["message"], frame["level"] = np.where(told, "cache 100% lost_of shard 7: rebuild", "ok"), "INFO"
    entry = {"pattern": "cache <*> lost_of shard <*> rebuild", "new": True, "count_during": 40, "level": "ERROR"}
    patterns = Finding("patterns", "new", "", numbers={"patterns": [entry]})
    table = table_of(frame)
    found = module.recovery(table, onset(table), None, patterns)
    assert found.numbers["state"] == "quiet but unproven" and found.numbers["patterns"] == [entry["pattern"]]
    frame.loc[frame["time"] >= START + timedelta(minutes=60), "message"] = "ok"
    table = table_of(frame)
    assert module.recovery(table, onset(table), None, patterns).verdict == "recovered"


def test_silence_beside_other_records_is_not_over():
    """Where other records go on for minutes without one request, the service may be dead."""
    frame = log()
    chatter = pd.DataFrame({"time": pd.date_range(frame["time"].iloc[-1], periods=9, freq="min").as_unit("us"), "failed": None, "region": None})
    table = table_of(pd.concat([frame.astype({"failed": object}), chatter], ignore_index=True))
    found = module.recovery(table, onset(table))
    assert found.numbers["state"] == "quiet but unproven" and "no request since" in found.why


def test_a_night_is_compared_with_the_night_before():
    """With a day before in the data traffic is held against the same hour of it, else against the time before the onset, and it says so."""
    hour = np.arange(2160) / 60
    total = np.round(1000 * (1.2 + np.cos(hour / 24 * 2 * np.pi))).astype(int)
    began = 2000
    for minutes, words, proved in ((total, "the same hour of the day before", True), (total[::-1].copy(), "the same hour of the day before", True)):
        usual = traffic_back.usual(minutes, began)
        assert usual.compared == words
        assert traffic_back.ready(minutes, usual.expected)[began:].all() == proved
    fading = np.concatenate([np.full(100, 1000), np.linspace(1000, 300, 60).astype(int)])
    usual = traffic_back.usual(fading, 90)
    assert "no earlier day is in the data" in usual.compared and not traffic_back.ready(fading, usual.expected)[-1]


# laws


def series(quiet_minutes: int = 40, rate: float = 0.01, a_minute: int = 1000, more: dict[int, int] | None = None) -> pd.DataFrame:
    """30 usual minutes, 10 of a spike, then quiet ones exactly at the baseline; ``more`` failures in some minutes."""
    failing = np.array([rate * a_minute] * 30 + [0.3 * a_minute] * 10 + [rate * a_minute] * quiet_minutes).astype(int)
    for place, extra in (more or {}).items():
        failing[place] += extra
    time = pd.to_datetime([START + timedelta(minutes=i) for i in range(len(failing))], utc=True)
    return pd.DataFrame({"time": time, "total": a_minute, "failing": failing})


def known(frame: pd.DataFrame) -> Finding:
    """What is known of the onset of such a series, whatever comes after it."""
    began, end = (Interval(*[START + timedelta(minutes=m)] * 3) for m in (30, 40))
    numbers = {"onset": began, "end": end, "spikes": [{"onset": began, "end": end, "rate": 0.3}], "bucket_s": 60,
               "rate": {"baseline": 0.01, "during": 0.3}}
    return Finding("onset", "spike", "", numbers=numbers, frame=frame.assign(complete=True))


def state(frame: pd.DataFrame) -> str:
    return module.recovery_of_series(frame, known(frame)).numbers["state"]


@pytest.mark.parametrize(("rate", "a_minute"), [(0.01, 1000), (0.003, 1000), (0.02, 200), (0.0, 500), (0.05, 20_000)])
def test_more_quiet_never_unproves(rate, a_minute):
    """Once recovered, more minutes at the baseline stay recovered, and what is still missing shrinks until then."""
    states = [state(series(n, rate, a_minute)) for n in range(1, 90)]
    proved = states.index("recovered") if "recovered" in states else len(states)
    assert set(states[:proved]) <= {"quiet but unproven"} and set(states[proved:]) <= {"recovered"}
    assert proved >= 9


ORDER = ["still failing", "relapsed", "recovering", "quiet but unproven", "recovered"]
VERDICTS = ["not recovered", "cannot tell", "recovered"]


@settings(max_examples=40, deadline=None)
@example(7, [(5, 19)], 2, 11)  # the rise begins a minute earlier, too soon after the spike to be a relapse
@given(st.integers(1, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 60)), max_size=4), st.integers(0, 9), st.integers(1, 400))
def test_a_failure_more_never_makes_it_better(length, noise, back, extra):
    """Failures added to the last minutes never bring the verdict nearer to recovered."""
    more = {40 + place: count for place, count in noise if place < length}
    worse = dict(more)
    place = 40 + max(0, length - 1 - back)
    worse[place] = worse.get(place, 0) + extra
    one, other = (module.recovery_of_series(f, known(f)).verdict for f in (series(length, more=more), series(length, more=worse)))
    assert VERDICTS.index(other) <= VERDICTS.index(one)


def test_shuffled_lines_change_nothing():
    """The order of the lines is no matter."""
    frame = log()
    one, other = judged(frame), judged(frame.sample(frac=1.0, random_state=3).reset_index(drop=True))
    assert one.as_json() == other.as_json()


@pytest.mark.parametrize("shift", [timedelta(minutes=7), timedelta(days=3, hours=5)])
def test_shifted_times_shift_since(shift):
    """All times later by so much, recovered later by so much."""
    frame = log()
    one, other = judged(frame), judged(frame.assign(time=frame["time"] + shift))
    assert other.numbers["since"] - one.numbers["since"] == shift
    assert other.numbers["since_interval"].earliest - one.numbers["since_interval"].earliest == shift
    assert {k: v for k, v in one.numbers.items() if k in ("rate", "upper", "requests", "state")}.items() <= other.numbers.items()


def test_the_subset_is_a_part_of_the_whole():
    """In each minute the subset has at most the requests and failures of all traffic, and the parts of a column sum to it."""
    table = table_of(log())
    found = onset(table)
    causes = [{"where": {"region": r}, "cause": True} for r in ("eu", "us")]
    minutes, names, _ = recovery_minutes.of_table(table, found, causes)
    assert list(names) == ["all traffic", "region = eu", "region = us"]
    for counts in (minutes.total, minutes.failing):
        assert (counts["region = eu"] + counts["region = us"] == counts["all traffic"]).all()


def test_since_lies_in_its_interval():
    """Since is within its interval, and the proof comes at least ten minutes later."""
    numbers = judged(log()).numbers
    assert numbers["since_interval"].earliest <= numbers["since"] <= numbers["since_interval"].latest
    assert numbers["proved_at"] - numbers["since"] >= timedelta(minutes=9)


def test_looking_every_minute_errs_seldom():
    """While the rate is in truth twice the baseline, "recovered" is said at any of 45 looks in at most 5 % of the cases."""
    draw, wrong, rounds = np.random.default_rng(5), 0, 100
    for _ in range(rounds):
        before, after = draw.poisson(8, 30), draw.poisson(16, 100)
        failing = np.concatenate([before, np.full(10, 300), after])
        own = quiet.baseline(before, np.full(30, 1000))
        forced = np.zeros(140, bool)
        forced[30:40] = True

        def proves(f, n, length, own=own):
            return limits.back(f / own.phi, n / own.phi, own.failing / own.phi, own.total / own.phi, limits.spent(length))

        looks = (quiet.walk(failing[:k], np.full(k, 1000), forced[:k], own, np.ones(k, bool), proves, start=30).proved is not None
                 for k in range(50, 141, 2))
        wrong += any(looks)
    assert wrong / rounds <= 0.05


# limits


@given(st.integers(0, 60), st.integers(1, 200), st.floats(0.001, 0.6))
def test_the_binomial_is_exact(failing, extra, rate):
    """The probability of at most so many failures is the sum of the binomial terms."""
    total = failing + extra
    exact = sum(math.comb(total, k) * rate ** k * (1 - rate) ** (total - k) for k in range(failing + 1))
    assert limits.at_most(failing, total, rate) == pytest.approx(exact, abs=1e-8)


def test_the_limits_are_exact_at_few_failures():
    """Of 0 failures in n the limit is 1 - 0.05^(1/n); a limit is where the probability is just 5 %."""
    assert limits.upper(0, 100) == pytest.approx(1 - 0.05 ** 0.01, rel=1e-6)
    assert limits.at_most(7, 900, limits.upper(7, 900)) == pytest.approx(0.05, abs=1e-5)


@given(st.integers(0, 200), st.integers(1, 20_000), st.integers(0, 300), st.integers(1, 50_000), st.integers(1, 50))
def test_one_failure_more_never_proves(failing, extra, before, before_extra, more):
    """What is not proved is not proved by failures."""
    total, before_total = failing + extra + more, before + before_extra
    if limits.back(failing + more, total, before, before_total):
        assert limits.back(failing, total, before, before_total)


def test_the_level_is_spent_once():
    """The shares of the looks that double sum to at most 5 %."""
    assert sum(limits.spent(10 * 2 ** k) for k in range(60)) <= 0.05


def test_a_pattern_is_taken_as_it_stands():
    """What stands in a pattern is no wild card of the engine."""
    assert recovery_minutes.like("100% of a_b <*>!") == "100!% of a!_b %!!"


def test_the_replay_of_real_series(shared):
    """On a part of the real series none that is called recovered relapses."""
    from scoring import recovery as scoring

    labels = json.loads((shared / "data" / "onset" / "rs_rate" / "labels.json").read_text(encoding="utf-8"))
    calls = []
    for label in [x for x in labels if x["minutes"] >= 20][::9]:
        frame = read_series(shared / "data" / "onset" / "rs_rate" / label["file"]).iloc[:-1]
        calls += scoring.replay(frame, scoring.onsets(frame, first=18))
    assert not any(c.relapsed for c in calls)
