"""The check of drafts: spoilt ones are caught, clean ones are left alone, each code by its own examples, long texts in linear time."""

import random
import time
from collections import Counter

import draft_mutations as mutations
import pytest
from draft_samples import STAGES, told

from incidentnb.publish import drafts
from incidentnb.publish.drafting import claims, draft_checks, quantities
from incidentnb.record import statements
from incidentnb.record.team import Team

SPOILT, CLEAN, INCIDENTS = 300, 100, 24


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """Clean drafts for the public of two dozen random incidents in every state: (told, record, kind, text)."""
    rng, found = random.Random(20261123), []
    for n in range(INCIDENTS):
        made = told(tmp_path_factory.mktemp("incident"), rng, STAGES[n % 4])
        for kind in drafts.PUBLIC:
            draft = drafts.draft(made.known, kind, now=made.now, ground=False)
            assert draft.flags == () and set(draft.missing) <= {"who is told"}
            found.append((made, made.known, kind, draft.text.replace("[who is told]", "Jo Lee <jo@example.org>")))
    return found


def codes(text, known, kind, made, **more) -> set[str]:
    return {flag.code for flag in draft_checks.check(text, known, kind, now=made.now, **more)}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_clean_drafts_raise_no_alarm(texts, seed):
    """A hundred drafts of random incidents, with up to three harmless sentences that a person added: not one flag."""
    rng, alarms = random.Random(seed), []
    for _ in range(CLEAN):
        made, known, kind, text = rng.choice(texts)
        edited = mutations.clean(text, rng)
        alarms += [(flag, edited) for flag in draft_checks.check(edited, known, kind, now=made.now)]
    assert alarms == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_spoilt_drafts_are_caught(texts, seed):
    """Of three hundred drafts spoilt in ten ways, at least 99 in 100 are caught for the right reason."""
    rng, done, missed = random.Random(seed), Counter(), []
    while sum(done.values()) < SPOILT:
        made, known, kind, text = rng.choice(texts)
        spoil = rng.choice(mutations.MUTATIONS)
        spoilt = spoil(text, made, made.stage, rng)
        if spoilt is None or done[spoil.__name__] >= SPOILT // 8:
            continue
        done[spoil.__name__] += 1
        if not spoilt[1] & codes(spoilt[0], known, kind, made):
            missed.append((spoil.__name__, spoilt[0]))
    assert len(missed) <= SPOILT // 100, missed
    assert len(done) == len(mutations.MUTATIONS) and min(done.values()) >= 5


@pytest.mark.parametrize("spoil", mutations.MUTATIONS, ids=lambda spoil: spoil.__name__)
def test_each_way_of_spoiling_is_caught(texts, spoil):
    """Each way alone, forty times: at least 95 in 100 are caught, so that no rare one hides among the others."""
    rng, done, caught = random.Random(spoil.__name__), 0, 0
    while done < 40:
        made, known, kind, text = rng.choice(texts)
        if spoilt := spoil(text, made, made.stage, rng):
            done += 1
            caught += bool(spoilt[1] & codes(spoilt[0], known, kind, made))
    assert caught >= 38


@pytest.mark.parametrize("sentence", mutations.REPAIR)
def test_a_time_of_repair_is_a_promise(sentence):
    """Each way to promise when it will be repaired is seen as one."""
    assert claims.repair_promise(sentence)


@pytest.mark.parametrize("sentence", ["The next update follows by 15:00 UTC.", "More in 10 minutes.", "We will say more within 20 minutes.",
                                      "We will post an update by 15:00, or earlier if there is news.", "It was resolved in 20 minutes.",
                                      "We restored the service at 13:56 UTC.", "Service has been back to normal since 13:56 UTC.",
                                      "We cannot say yet when it will be fixed.", "It lasted 41 minutes.", "The errors began 20 minutes ago."])
def test_an_update_or_the_past_is_no_promise_of_repair(sentence):
    """A promised update, what has happened, and what is expressly not promised are no promise of repair."""
    assert claims.repair_promise(sentence, lambda words: "13:56" not in words) == ""


@pytest.mark.parametrize("sentence", ["The cause is not established yet.", "We are looking for the cause.",
                                      "We are sorry for the trouble this causes.",
                                      "We apologise for the inconvenience caused.", "Orders are late because of this incident.",
                                      "Once the cause is known, we will tell you."])
def test_no_cause_is_no_claim(sentence):
    """That the cause is unknown, an apology, and a consequence of the incident name no cause."""
    assert claims.cause(sentence) == ""


@pytest.mark.parametrize("words", ["web-09", "ip-10-0-1-2", "db3.prod.internal", "10.0.4.17", "2001:db8::7f3a:1:2",
                                   "checkout-7d9f8b6c5d-x2x4z", "OPS-1234",
                                   "i-0abc123def4567890", "550e8400-e29b-41d4-a716-446655440000", "4bf92f3577b34da6a3ce929d0e0e4736", "4f2a91c",
                                   "deploy-4032", "kafka-broker-2", "H2", "#12", "app01", "our-own-name", "blue.example"])
def test_internal_names_are_found(tmp_path, words):
    """Names of machines, addresses, pods, ids, tickets, and what the team adds are found in a sentence."""
    made = told(tmp_path, random.Random(1), "investigating")
    team = Team(hosts=("*.example",))
    found = [hit for _, _, hit in claims.internals(f"We look at {words} now.", made.known, team, ["our-own-name"])]
    assert words in found


@pytest.mark.parametrize("text", ["Requests in eu-west-1 and us-gov-east-1 fail.", "The version 4.18.0 is fine.",
                                  "UTF-8, SHA-256 and IPv6 are not the problem.", "It is SEV-2.",
                                  "Since 14:03 UTC, 8.1 % of requests have failed.", "On 2026-11-23 we had COVID-19 traffic.",
                                  "1,204 of 31,870 users.", "Top-10 pages, HTTP 500, 24 hours a day."])
def test_public_words_are_no_internal_names(tmp_path, text):
    """Regions, versions, severities, standards, dates and numbers are nobody's host."""
    made = told(tmp_path, random.Random(1), "investigating")
    assert list(claims.internals(text, made.known)) == []


def test_a_host_of_the_findings_is_known(tmp_path):
    """A host that a finding names is found wherever it stands, whatever it looks like."""
    made = told(tmp_path, random.Random(1), "investigating", scope="subset", column="host", value="gandalf", other="frodo")
    assert "host" in codes("Requests to gandalf fail. The next update follows in 10 minutes.", made.known, "status-page", made)


def test_a_number_that_was_true_once_says_so(tmp_path):
    """A share of an earlier finding is told apart from one that nobody ever found; words in front and rounding are no mistake."""
    made = told(tmp_path, random.Random(1), "investigating", stale=True, during=0.2, total=50000, failed=10000, before=0.003, scope="everyone",
                counted=True, users=31870, hit=1204)
    known = made.known

    def said(words: str) -> list[str]:
        return [flag.what for flag in draft_checks.check(f"{words}. More in 10 minutes.", known, "first", now=made.now) if flag.code == "number"]
    assert said("Now 20 % of requests fail") == said("About 1,200 users are hit") == said("1,204 of 31,870 users are hit") == []
    assert said("Now 8.0 % of requests fail") == ["was so in entry #6, and is not any more"]
    assert said("Now 47 % of requests fail") == ["is in no finding and in no entry"]
    assert said("20 % of users are hit") == ["is in no finding and in no entry"]


def test_colleagues_are_only_warned(tmp_path):
    """What is refused for the public is a remark among colleagues, who may name hosts; a secret is refused everywhere."""
    made = told(tmp_path, random.Random(1), "investigating")
    text = "It is caused by web-09 and fixed by 23:59. More in 10 minutes."
    found = draft_checks.check(text, made.known, "first", now=made.now)
    assert {flag.level for flag in found} == {"flag"} and {flag.code for flag in found} >= {"cause", "repair-time"}
    assert "host" not in {flag.code for flag in found}
    public = draft_checks.check(text, made.known, "status-page", now=made.now)
    assert {flag.code for flag in public if flag.level == "refuse"} >= {"cause", "repair-time", "host"}
    secret = draft_checks.check("The token is ghp_l6lb6jkx9Be4cyBMUPelAqcRHTRm4Q6gHOl4.", made.known, "handover", now=made.now)
    assert [(flag.code, flag.level) for flag in secret] == [("secret", "refuse")]


def test_a_cause_is_allowed_once_it_is_borne(tmp_path):
    """With a supported hypothesis and no live rival its own cause may be told, and no other."""
    made = told(tmp_path, random.Random(1), "resolved", established=True, rival=False, claim="the connection pool is too small")
    good, other = "The cause was a connection pool of the wrong size.", "This was caused by a power cut."
    assert "cause" not in codes(good, made.known, "status-page", made)
    assert "cause" in codes(other, made.known, "status-page", made)
    supported = next(e for e in made.known.standing if e.kind == "verdict" and e.body["verdict"] == "supported")
    statements.retract(made.folder, supported.id, "too early", recorded_at=made.now)
    assert "cause" in codes(good, made.known, "status-page", made)


def test_everyone_and_a_part_are_held_against_the_finding(tmp_path):
    """Everyone where a part is hit, a part where all are, and either where nothing was found are flagged; vague words are not."""
    for scope, wrong, right in (("subset", "All users are affected.", "Only users in Spain are affected."),
                                ("everyone", "Only a few users are affected.", "All users are affected."),
                                ("", "All users are affected.", "Some requests fail.")):
        made = told(tmp_path / (scope or "none"), random.Random(2), "investigating", scope=scope, column="country", value="Spain",
                    other="Brazil", counted=False)
        assert "scope" in codes(wrong, made.known, "status-page", made), scope
        assert "scope" not in codes(right, made.known, "status-page", made), scope


def test_resolved_is_said_only_once_it_is_over(tmp_path):
    """A status page in the state resolved, and a resolution, are held back while nothing on the record says that it is over."""
    for stage in STAGES:
        made = told(tmp_path / stage, random.Random(1), stage)
        early = stage != "resolved"
        assert ("state" in codes("This incident is resolved.", made.known, "status-page", made, state="resolved")) is early
        assert ("state" in {flag.code for flag in drafts.draft(made.known, "resolution", now=made.now, ground=False).flags}) is early


def test_a_promise_that_is_over_is_no_promise(tmp_path):
    """A next update for a time that has passed is flagged."""
    made = told(tmp_path, random.Random(1), "investigating", zone="UTC")
    late = f"The next update follows by {made.known.opened_at:%H:%M} UTC."
    assert "time" in codes(late, made.known, "status-page", made)


def test_a_blank_is_flagged_in_an_edited_text(tmp_path):
    """A placeholder that a person left in is found; a link text is none."""
    made = told(tmp_path, random.Random(1), "investigating")
    assert "blank" in codes("The next update follows by [the time of the next update].", made.known, "status-page", made)


@pytest.mark.parametrize("piece", ["every ", "in the next ", "1,234 of ", "the cause of ", "web-", "a", "0:", "we have ", "é", "12 ",
                                   "\n", "not all "])
def test_a_long_text_is_checked_in_linear_time(tmp_path, piece):
    """A hundred thousand characters of whatever a pattern might dwell on are checked within seconds."""
    made = told(tmp_path, random.Random(1), "investigating", scope="subset")
    known, start = made.known, time.perf_counter()
    draft_checks.check(piece * (100_000 // len(piece)), known, "status-page", now=made.now)
    assert time.perf_counter() - start < 6


def test_quantities_are_read_with_their_units():
    """Shares, counts and pairs come with their units and the slack of their digits; versions and times of day are none."""
    found = list(quantities.quantities("8.1 % of all requests, 1,204 of 31,870 users, about 300 orders; version 4.18.0 at 14:03."))
    assert [(round(one.value, 3), one.share, one.unit) for one in found] == [
        (0.081, True, "requests"), (1204, False, "users"), (31870, False, "users"), (300, False, "requests")]
    assert found[0].slack == pytest.approx(0.0005, abs=1e-6) and found[3].slack == pytest.approx(18)
