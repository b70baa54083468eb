"""Which service is at fault: laws and made incidents of a small system, then whole real ones."""

import random
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from incidentnb.analysis import behaviour, service_spans
from incidentnb.analysis.services import Told, services
from incidentnb.analysis.signs import Sign, at_least_one, more, together, weigh
from incidentnb.evidence import metrics as metric_room
from incidentnb.evidence import spans as span_room
from incidentnb.evidence.table import table_of

T0 = datetime(2026, 11, 23, 12, tzinfo=UTC)
NAMES = {name: name for name in ("front", "shop", "pay", "stock")}


def system(seed, fault="", at="pay", n=60, start=T0, names=NAMES, minutes=30):
    """Logs, spans and metrics of a system in which front calls shop, and shop calls pay and stock; with ``fault`` in the service ``at``."""
    rng = random.Random(seed)
    logs, spans = [], []

    def call(service, trace, parent, clock):
        span = f"{trace}-{service}"
        begun, broken = clock, fault == "stops" and service == at

        def say(level, message):
            logs.append({"time": start + timedelta(microseconds=clock), "service": names[service], "trace_id": trace, "span_id": span, "level": level,
                         "message": message})

        say("INFO", f"request {rng.randrange(10**6)} received")
        clock += round(1000 * rng.lognormvariate(1, 0.3)) * (10 if fault == "slow" and service == at else 1)
        if broken:
            say("ERROR", "nothing found for it")
        else:
            say("INFO", f"looked it up in {rng.randrange(50)} ms")
        wrong = broken
        for callee in {"front": ["shop"], "shop": ["pay", "stock"]}.get(service, []) if not broken else []:
            clock += 500
            clock, failed = call(callee, trace, span, clock)
            clock += 500
            wrong = wrong or failed
            if failed:
                say("ERROR", "the callee answered with an error")
                break
        if not wrong:
            say("INFO", "done, all is well")
        clock += 200
        spans.append({"trace_id": trace, "span_id": span, "parent_id": parent, "service": names[service], "operation": "serve",
                      "start_time": int((start - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 10**9 + begun * 1000,
                      "duration_ns": (clock - begun) * 1000})
        return clock, wrong

    for i in range(n):
        call("front", f"t{seed}-{i}", "", i * 2_000_000)
    values = [{"time": (start + timedelta(minutes=m)).isoformat(), "service": names[s], "metric": "cpu_percent",
               "value": (rng.uniform(90, 99) if fault == "cpu" and s == at and m >= 0 else rng.uniform(3, 9))}
              for s in NAMES for m in range(-minutes, 3)]
    return pd.DataFrame(logs), span_room.of_frame(pd.DataFrame(spans)), metric_room.of_frame(pd.DataFrame(values))


def told(parts, shuffled=0):
    logs, spans, metrics = (p.sample(frac=1, random_state=shuffled).reset_index(drop=True) if shuffled else p for p in parts)
    return Told(table_of(logs), spans, metrics)


def order(finding):
    return [(e["service"], round(e["p"], 12)) for e in finding.numbers["services"]]


@pytest.mark.parametrize("fault", ["stops", "slow", "cpu"])
@pytest.mark.parametrize("at", ["shop", "pay", "stock"])
def test_the_service_at_fault_comes_first(fault, at):
    """A service that stops half way, is slow or burns its CPU is named first, though its callers complain louder."""
    finding = services(told(system(1, fault, at)), None, told(system(2)))
    assert finding.verdict == "candidates"
    assert finding.numbers["services"][0]["service"] == at
    assert [e["service"] for e in finding.numbers["services"] if e["stands_out"]] == [at]
    assert "root cause" not in finding.sentence.lower()


def test_logs_alone_are_enough_for_one_that_stops():
    """Without spans the first in time of a request's complaints is held for the origin."""
    now, quiet = system(3, "stops", "pay"), system(4)
    finding = services(Told(table_of(now[0])), None, Told(table_of(quiet[0])))
    assert finding.numbers["services"][0]["service"] == "pay"
    assert "nothing found for it" in finding.numbers["services"][0]["reasons"][0]


def test_a_quiet_time_names_nobody():
    """Of 12 pairs of quiet times at most one names a service."""
    named = [services(told(system(2 * k)), None, told(system(2 * k + 1))).verdict for k in range(10, 22)]
    assert named.count("candidates") <= 1
    assert set(named) <= {"candidates", "nothing stands out"}


@pytest.mark.parametrize("fault", ["stops", "slow", "cpu", ""])
def test_the_order_of_rows_does_not_matter(fault):
    """Shuffled logs, spans and metrics give the same services with the same p-values and reasons."""
    first = services(told(system(5, fault)), None, told(system(6)))
    again = services(told(system(5, fault), shuffled=7), None, told(system(6), shuffled=8))
    assert first.numbers["services"] == again.numbers["services"]
    assert first.sentence == again.sentence


@pytest.mark.parametrize("fault", ["stops", "slow", "cpu"])
def test_renamed_services_are_renamed_in_the_answer(fault):
    """Nothing hangs on a name: other names give the same answer under these."""
    other = {"front": "zebra", "shop": "m", "pay": "a-1", "stock": "order-service"}
    first = services(told(system(5, fault)), None, told(system(6)))
    renamed = services(told(system(5, fault, names=other)), None, told(system(6, names=other)))
    assert {other[s]: p for s, p in order(first)} == dict(order(renamed))
    assert renamed.numbers["services"][0]["service"] == other["pay"]


@pytest.mark.parametrize("fault", ["stops", "slow", "cpu"])
def test_shifted_times_shift_nothing_but_times(fault):
    """A day later the same services have the same p-values."""
    later = T0 + timedelta(days=1, minutes=17)
    first = services(told(system(5, fault)), None, told(system(6)))
    shifted = services(told(system(5, fault, start=later)), None, told(system(6, start=later)))
    assert order(first) == order(shifted)
    assert shifted.numbers["since"] - first.numbers["since"] == later - T0


def test_without_an_onset_or_a_quiet_time_it_cannot_tell():
    """Nothing to compare with is said to be so, and no service is named."""
    finding = services(told(system(1, "stops")))
    assert finding.verdict == "cannot tell" and finding.numbers["services"] == []
    assert "no quiet time" in finding.why


def test_before_and_since_an_onset_in_one_file():
    """Without a baseline, what lies before the onset is the quiet time."""
    before, since = system(8, start=T0 - timedelta(minutes=3), minutes=30), system(9, "stops", "stock")
    whole = [pd.concat([a, b], ignore_index=True) for a, b in zip(before[:2], since[:2], strict=True)]
    finding = services(Told(table_of(whole[0]), whole[1]), T0)
    assert finding.verdict == "candidates" and finding.numbers["services"][0]["service"] == "stock"


def plain(failing=0.02, silent=False, minutes=20):
    """Records without requests: two services, of which one fails more or falls silent after ten minutes."""
    rng, rows = random.Random(3), []
    for m in range(minutes):
        for service in ("a", "b"):
            for _ in range(60):
                if silent and service == "b" and m >= 10 and rng.random() < 0.95:
                    continue
                bad = rng.random() < (failing if service == "b" and m >= 10 else 0.02)
                rows.append({"time": T0 + timedelta(minutes=m, seconds=rng.uniform(0, 59)), "service": service, "failed": bad,
                             "level": "ERROR" if bad else "INFO", "message": "it failed" if bad else "it went well"})
    return table_of(pd.DataFrame(rows))


def test_plain_logs_name_the_failing_service_and_the_silent_one():
    """Failures against requests and records against the others' do without traces; an even time names nobody."""
    onset = T0 + timedelta(minutes=10)
    failing, silent, even = services(plain(0.2), onset), services(plain(silent=True), onset), services(plain(), onset)
    assert failing.numbers["services"][0]["service"] == "b" and failing.verdict == "candidates"
    assert "of its" in failing.sentence and "before" in failing.sentence
    assert silent.numbers["services"][0]["service"] == "b" and "of all records" in silent.sentence
    assert even.verdict == "nothing stands out"


def test_blame_moves_to_the_service_that_is_called():
    """Waiting counts for a caller no more than its callee's own sign does; own work keeps its weight."""
    calls = {"front": ["shop"], "shop": ["pay"]}
    waiting = [Sign(name, "waiting", p, "slow", own=False) for name, p in (("front", 1e-8), ("shop", 1e-7), ("pay", 1e-3))]
    assert [w.service for w in weigh(waiting, calls)] == ["pay", "shop", "front"]
    own = [Sign("front", "metrics", 1e-8, "cpu"), *waiting[1:]]
    assert weigh(own, calls)[0].service == "front"


def test_p_values_are_those_of_the_textbook():
    """Fisher's exact test of 3 of 4 against 0 of 4 is 4/70; of one p-value nothing changes; two tests of 0.1 are 0.19."""
    assert more(0, 4, 3, 4) == pytest.approx(4 / 56)
    assert more(5, 5, 0, 5) == 1.0
    assert together([0.03]) == pytest.approx(0.03)
    assert at_least_one(0.1, 2) == pytest.approx(0.19)


@pytest.mark.parametrize("seed", range(5))
def test_own_times_sum_to_the_time_with_an_open_span(seed):
    """Each instant of a request is given to one open span, whatever their overlaps."""
    rng = random.Random(seed)
    rows = [{"trace": rng.choice("ab"), "start_ns": rng.randrange(1000), "duration_ns": rng.randrange(300)} for _ in range(60)]
    spans = pd.DataFrame(rows)
    own = service_spans.own_time(spans)
    for trace, group in spans.groupby("trace"):
        opened = {t for s, d in zip(group["start_ns"], group["duration_ns"], strict=True) for t in range(s, s + d)}
        assert own[group.index].sum() == len(opened), trace
    assert (own <= spans["duration_ns"]).all()


def test_what_was_seen_before_is_not_strange():
    """A bag whose set of events is known is usual; a new complaint or a missing step is not."""
    def bag(*events, loud=()):
        return behaviour.Bag("s", "t", "", events[0], frozenset(events), frozenset(loud), events[-1], 0, 0, {e: i for i, e in enumerate(events)})
    usual = behaviour.Usual([bag("a", "b", "c")] * 5 + [bag("a", "b", "c", "E", loud="E")])
    assert usual.strange(bag("a", "b", "c")) is None
    assert usual.strange(bag("a", "b")) == (frozenset(), frozenset("c"))
    assert usual.strange(bag("a", "b", "c", "F", loud="F")) == (frozenset("F"), frozenset())
    assert usual.strange(bag("a", "b", "c", "d")) is None  # more than usual, without a complaint


def test_whole_real_incidents(shared):
    """On every third of the real incidents the true service comes first, and no half of a quiet time names one."""
    from contextlib import ExitStack

    from scoring import services as scoring

    with ExitStack() as tables:
        figures = scoring.nezha(shared / "data" / scoring.NEZHA, 3, tables)
    assert all(figure.reached for figure in figures), figures
