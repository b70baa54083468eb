"""Drafts: their wording as golden files, what each sentence rests on, blanks, hostile text, and the hand-over that answers the next shift."""

import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest
from draft_samples import STAGES, told

from incidentnb import places
from incidentnb.exceptions import InputError
from incidentnb.publish import drafts
from incidentnb.publish.drafting import wording
from incidentnb.record import hypotheses, incident, statements
from incidentnb.record.team import Component, Stakeholder, Team

GOLDEN = Path(__file__).parent / "golden" / "drafts"
TEAM = Team(stakeholders=(Stakeholder("Head of sales", "sales@shop.example"),
                          Stakeholder("Support", "support@shop.example", ("SEV-1", "SEV-2"))),
            components=(Component("Checkout", "ftgks51sfs2d"),))
FIXED = {"title": "Checkout answers with errors", "severity": "SEV-2", "zone": "Europe/Berlin",
         "began": datetime(2026, 11, 23, 14, 3, 20, tzinfo=UTC), "before": 0.003, "during": 0.081, "total": 78204, "failed": 6310,
         "scope": "subset", "column": "region", "value": "eu-west-1",
         "other": "us-east-1", "users": 31870, "hit": 1204, "counted": True, "claim": "the new payment client drops the currency",
         "fix": "Took the latest release back", "undo": "deploy 4.18.0 again", "established": True, "rival": True, "stale": False, "rich": True,
         "people": ["Ines Correia", "Sam Okafor", "Noor Haddad"], "promise": "20m", "note": "Support reports that trying again does not help"}
UGLY = re.compile(r"\S  |None|nan\b|\bnull\b|[\x00-\x09\x0b-\x1f]|\.\.|,,| [.,;:](?!\w)|\n{3}|!|\bfault\b|\bblame\b|\bASAP\b")
KINDS = [(kind, stage) for kind in drafts.KINDS for stage in STAGES if kind in ("status-page", "handover") or stage == {
    "resolution": "resolved", "can": "identified", "stakeholders": "monitoring"}.get(kind, "investigating")]


def sample(parent: Path, stage: str):
    fixed = FIXED | {"established": stage != "investigating"}
    return told(parent, random.Random(1), stage, **fixed)


@pytest.mark.parametrize(("kind", "stage"), KINDS)
def test_drafts_read_as_their_golden_files(tmp_path, kind, stage):
    """Each kind and each state of the status page reads word for word as agreed; INCIDENTNB_GOLDEN=write writes the files anew."""
    made = sample(tmp_path, stage)
    text = drafts.draft(made.known, kind, now=made.now, team=TEAM).text + "\n"
    path = GOLDEN / f"{kind}.{stage}.txt"
    if os.environ.get("INCIDENTNB_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("stage", STAGES)
def test_drafts_are_plain_calm_english(tmp_path, stage):
    """Over random incidents: no doubled space, no None, no stray mark, no blame, no shouting, paragraphs that end like sentences."""
    rng = random.Random(stage)
    for n in range(6):
        made = told(tmp_path / str(n), rng, stage)
        for kind in drafts.KINDS:
            text = drafts.draft(made.known, kind, now=made.now, team=TEAM, ground=False).text
            assert not UGLY.search(text), text
            if kind in ("status-page", "first", "resolution"):
                assert all(part.endswith((".", "]")) for part in text.split("\n\n")), text


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("kind", drafts.KINDS)
def test_without_an_entry_exactly_the_sentences_that_rest_on_it_change(tmp_path, kind, stage):
    """Law: retract any entry but the opening; the sentences that rest on it are gone, every other one stands word for word."""
    made = told(tmp_path, random.Random(f"{kind}{stage}"), stage, rich=True)
    known, state = made.known, stage if kind == "status-page" else ""
    before = drafts.draft(known, kind, state=state, now=made.now, team=TEAM)
    journal = (made.folder / "journal.jsonl").read_bytes()
    changed = 0
    for entry in known.standing:
        if entry.kind == "opened":
            continue
        statements.retract(made.folder, entry.id, "to see what rests on it", recorded_at=made.now)
        after = Counter(s.text for s in drafts.draft(made.known, kind, state=state, now=made.now, team=TEAM, ground=False).sentences)
        (made.folder / "journal.jsonl").write_bytes(journal)
        for sentence in before.sentences:
            stands = after[sentence.text] > 0
            after[sentence.text] -= stands
            assert stands is (entry.id not in sentence.rests_on), (entry.kind, entry.body, sentence)
            changed += not stands
    assert changed or kind == "channel"


def test_a_sentence_rests_only_on_entries_that_there_are(tmp_path):
    """Each id that a sentence names is an entry of the journal, and facts of findings name the finding's entry."""
    made = sample(tmp_path, "monitoring")
    known = made.known
    ids = {entry.id for entry in known.entries}
    made_of = drafts.draft(known, "status-page", now=made.now)
    assert all(set(s.rests_on) <= ids for s in made_of.sentences)
    scope = known.finding("scope")
    assert [scope.id in s.rests_on for s in made_of.sentences if "eu-west-1" in s.text] == [True]


def test_a_blank_record_gives_drafts_with_listed_blanks(tmp_path):
    """With nothing recorded but the opening, each draft stands, lists its blanks, shows each in brackets, and makes nothing up."""
    opened = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
    folder = incident.create(tmp_path, "Search is slow", "SEV-2", actor="maja", at=opened, recorded_at=opened)
    known = incident.load(folder)
    for kind in drafts.KINDS:
        for state in STAGES if kind == "status-page" else ("",):
            made = drafts.draft(known, kind, state=state, now=opened + timedelta(minutes=5))
            assert all(f"[{what}]" in made.text for what in made.missing)
            assert not re.search(r"\d+ ?%|\d+ of \d+|caused by|due to", made.text)
            assert bool(made.missing) is (kind not in ("channel", "first")), (kind, made.missing)
    early = drafts.draft(known, "status-page", state="identified", now=opened + timedelta(minutes=5))
    assert [flag.code for flag in early.refused] == ["identified-early"]


def test_the_next_update_is_the_running_promise_or_what_is_said(tmp_path):
    """A draft names the promise that runs in its channel; --next overrules it; one that is over is refused."""
    made = sample(tmp_path, "investigating")
    assert "The next update follows by 15:46 CET." in drafts.draft(made.known, "status-page", now=made.now).text
    assert "by 15:56 CET" in drafts.draft(made.known, "status-page", now=made.now, next_update="30m").text
    assert "by 16:30 CET" in drafts.draft(made.known, "status-page", now=made.now, next_update="16:30").text
    with pytest.raises(InputError):
        drafts.draft(made.known, "status-page", now=made.now, next_update=made.now - timedelta(minutes=1))
    with pytest.raises(InputError):
        drafts.draft(made.known, "status-pge", now=made.now)
    with pytest.raises(InputError):
        drafts.draft(made.known, "handover", state="resolved", now=made.now)


def test_a_cause_with_a_live_rival_is_not_told(tmp_path):
    """A supported hypothesis whose rival lives is no cause in any draft; once the rival is refuted it is one in all."""
    made = sample(tmp_path, "resolved")
    assert "The cause: the new payment client drops the currency." in drafts.draft(made.known, "status-page", now=made.now).text
    known = made.known
    refuted = next(e for e in known.standing if e.kind == "verdict" and e.body["verdict"] == "refuted")
    statements.retract(made.folder, refuted.id, "too early", recorded_at=made.now)
    for kind in ("status-page", "resolution", "stakeholders", "handover", "can"):
        text = drafts.draft(made.known, kind, now=made.now).text
        assert "cause is not established" in text or "Not established" in text
        assert "The cause: " not in text


def test_a_claim_with_internal_names_is_a_blank_for_the_public(tmp_path):
    """A cause that names a host or an id is left blank on the status page, and told among colleagues."""
    made = told(tmp_path, random.Random(2), "resolved", **{**FIXED, "claim": "deploy-4032 broke web-09"})
    public = drafts.draft(made.known, "status-page", now=made.now)
    assert "the cause in words for everybody" in public.missing and "web-09" not in public.text
    assert "deploy-4032 broke web-09" in drafts.draft(made.known, "resolution", now=made.now).text


def test_a_subset_is_named_only_by_columns_that_anybody_may_read(tmp_path):
    """A region is named to the public; a version, a tenant or a host is not: it says that a part is affected."""
    for column, value in (("region", "eu-west-1"), ("tenant", "acme"), ("host", "web-03"), ("geo.country", "Spain")):
        made = told(tmp_path / column, random.Random(3), "investigating", **{**FIXED, "column": column, "value": value})
        text = drafts.draft(made.known, "status-page", now=made.now, ground=False).text
        assert (value in text) is (column in ("region", "geo.country"))
        assert value in drafts.draft(made.known, "handover", now=made.now, ground=False).text


def questions(made) -> dict[str, str]:
    """Twenty questions of the next shift, and a pattern of the answer as the record has it."""
    facts, known = made.facts, made.known
    zone = known.zone

    def clock(at: datetime) -> str:
        return re.escape(f"{at.astimezone(zone):%H:%M}")
    mine = next(h for h in known.hypotheses if h.claim == facts["claim"])
    last = known.mitigations[-1]
    promised = [post for post in known.posts if post.due and post.promise(made.now) == "running" and post.answered_at is None]
    broken = [post for post in known.posts if post.due and post.promise(made.now) == "broken" and post.answered_at is None]
    return {
        "What is broken?": re.escape(facts["title"]),
        "How severe is it now?": rf"^{known.severity} since",
        "Since when is it that severe?": rf"since \S*\s?{clock(known.severities[-1].start)}|since {clock(known.severities[-1].start)}",
        "Was it ever worse?": rf"at its highest {known.peak_severity}" if known.peak_severity != known.severity else rf"^{known.severity} since",
        "What is the status, since when?": rf"^Status {known.status} since \S*\s?{clock(known.statuses[-1].start)}",
        "When did the impact begin?": rf"^Impact since \S*\s?{clock(facts['began'])}",
        "Is it still going on?": "still going on|until|Recovered",
        "Who is affected?": {"everyone": "Everyone is hit",
                             "subset": re.escape(f"{facts['column']} = {facts['value']}")}.get(facts["scope"], "The error rate"),
        "How many users?": f"{facts['hit']:,} of {facts['users']:,} users" if facts["counted"] else "The error rate",
        "How bad is the error rate?": r"rose from [\d.]+ % to [\d.]+ %",
        "Who commands?": rf"Incident commander: {known.ic}",
        "Who else is on it?": rf"scribe {facts['people'][1]}",
        "Is the cause known?": rf"Established: {re.escape(facts['claim'])}" if facts["established"] else "Not established: ",
        "Which hypotheses live?": rf"{mine.id} {mine.state}: {re.escape(facts['claim'])}",
        "What would disprove them?": "would be disproved by|predicts" if not facts["established"] or len(known.hypotheses) > 1 else "Established",
        "Which checks run by themselves, and what do they say?": "live check: SELECT count.* > 1000 → cannot tell",
        "Which were refuted, and why?": "refuted: the network between two rooms is full; transfers are as fast" if facts["rival"] else "CAUSE",
        "What was done, and when?": rf"{last.id} at \S*\s?{clock(last.at)} \w+: {re.escape(last.what)}|{last.id} at {clock(last.at)}",
        "What did it change?": "seen: ",
        "How is it undone?": rf"undo: {re.escape(last.undo)}" if last.undone_at is None else "taken back at",
        "When is the next update due?": rf"next update is promised by \S*\s?{clock(promised[0].due)}" if promised else
        "was promised for" if broken else "No update is promised",
        "Which duties are open?": r"^(?:late|due)\b.*: \w+",
        "Where do I look?": re.escape(known.channel),
    }


@pytest.mark.parametrize("seed", range(8))
def test_the_hand_over_answers_the_next_shift_on_one_page(tmp_path, seed):
    """Twenty-three questions are each answered from the hand-over alone, which is never longer than sixty lines."""
    made = told(tmp_path, random.Random(seed), STAGES[seed % 4], rich=True)
    text = drafts.draft(made.known, "handover", now=made.now, ground=False).text
    assert len(text.splitlines()) <= 60
    asked = questions(made)
    assert len(asked) >= 20
    assert [question for question, answer in asked.items() if not re.search(answer, text, re.MULTILINE)] == [], text


def test_a_hand_over_of_a_long_record_is_still_one_page(tmp_path):
    """Fifteen hypotheses, mitigations, roles and notes of many lines: at most sixty lines, and what is left out is counted."""
    made = sample(tmp_path, "monitoring")
    for n in range(15):
        who = {"actor": "maja", "recorded_at": made.now}
        claim = hypotheses.propose(made.folder, f"cause number {n} " + "x" * 300, disproof="y" * 300, **who)
        if n % 2:
            hypotheses.set_verdict(made.folder, claim.body["id"], "refuted", f"no\n\nsign of {n}", **who)
        statements.mitigate(made.folder, f"did {n}", "better", "undo it", **who)
        statements.assign_role(made.folder, f"expert {n}", f"Person {n}", **who)
        statements.note(made.folder, f"note {n}\n" * 20, **who)
        statements.post(made.folder, f"more {n}", channel=f"room {n}", next_update="10m", **who)
    made_of = drafts.draft(made.known, "handover", now=made.now)
    assert len(made_of.text.splitlines()) <= 60
    assert "and 14 more mitigations" in made_of.text and "more live hypotheses" in made_of.text
    assert max(map(len, made_of.text.splitlines())) <= 520


def hostile(shared: Path) -> list[str]:
    values = [case["payload"] for case in json.loads((shared / "bad/xss.json").read_text(encoding="utf-8"))]
    for name in ("csv_formula", "mathtext"):
        values += [case["value"] for case in json.loads((shared / f"bad/{name}.json").read_text(encoding="utf-8"))]
    return values


def dangers(text: str) -> list[str]:
    return re.findall(r"<(?=[A-Za-z/!?@#])|[\x00-\x08\x0b-\x1f\x7f]|@(?=\w)|://|\]\((?=\S)|[\u202a-\u202e]", text)


def test_hostile_text_is_inert_in_every_draft(tmp_path, shared):
    """Markup, formulas and control characters in any entry open no tag, link or mention in any draft."""
    payloads = [payload.encode("utf-8", "replace").decode().strip() or "x" for payload in hostile(shared)]
    for n in range(0, len(payloads), 6):
        one, two, three, four, five, six = (payloads + payloads)[n:n + 6]
        fixed = {**FIXED, "title": one[:2000], "claim": two, "fix": three, "note": f"Need {four}", "value": five, "undo": six,
                 "people": [six[:40].strip(), f"{one[:30]} 2", f"{two[:30]} 3"]}
        made = told(tmp_path / str(n), random.Random(n), STAGES[n % 4], **fixed)
        known = made.known
        for kind in drafts.KINDS:
            text = drafts.draft(known, kind, now=made.now, ground=False).text
            assert dangers(text) == [], (kind, payloads[n:n + 6])
            assert max(map(len, text.splitlines())) < 6000


def test_secrets_are_in_no_draft(tmp_path, shared):
    """A token or password in title, note, claim, fix or finding is hidden in every draft; addresses of people in what goes out."""
    for n, case in enumerate(json.loads((shared / "bad/redact.json").read_text(encoding="utf-8"))):
        if case["secret"] is None:
            continue
        fixed = {**FIXED, **dict.fromkeys(("title", "claim", "fix", "note", "undo", "value"), case["text"]), "rich": False}
        made = told(tmp_path / str(n), random.Random(n), STAGES[n % 4], **fixed)
        personal = case["kind"] in ("email", "ipv4", "ipv6", "phone", "ssn")
        for kind in drafts.KINDS:
            if personal and kind not in drafts.PUBLIC:
                continue
            made_of = drafts.draft(made.known, kind, now=made.now, team=TEAM, ground=False)
            assert case["secret"] not in made_of.text.replace("\u2060", ""), (kind, case)
            if kind in drafts.PUBLIC:
                assert made_of.refused


def test_a_team_words_it_its_own_way(tmp_path):
    """A template of the same name in the team's folder wins; one that is wrong is one line with file and line."""
    own = tmp_path / "templates"
    own.mkdir()
    (own / "first.txt").write_text("Looking at {{ title }}.\n{% if nothing_such is defined %}x{% endif %}\n", encoding="utf-8")
    made = sample(tmp_path, "investigating")
    team = Team(templates=own)
    assert drafts.draft(made.known, "first", now=made.now, team=team).text == "Looking at Checkout answers with errors."
    (own / "can.txt").write_text("a\n{% if %}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"can\.txt:2: not a template"):
        drafts.draft(made.known, "can", now=made.now, team=team)
    (own / "findings.txt").write_text("{{ nothing_such }}\n", encoding="utf-8")
    with pytest.raises(InputError, match="nothing_such"):
        drafts.draft(made.known, "findings", now=made.now, team=team)
    assert "first.txt" in wording.known(own)


def test_the_channel_keeps_the_rules_of_slack_and_teams(tmp_path):
    """The name is valid in the chat tool of the team: 80 lower-case characters with # in Slack, 50 without in Teams."""
    made = told(tmp_path, random.Random(4), "investigating", **{**FIXED, "title": "Ünïcödé & <b>very long</b> titles: " + "checkout " * 30})
    slack = drafts.draft(made.known, "channel", now=made.now)
    teams = drafts.draft(made.known, "channel", now=made.now, team=Team(channels={"chat": "teams"}))
    assert re.fullmatch(r"#[a-z0-9-]{1,79}", slack.text) and re.fullmatch(r"[a-z0-9-]{1,50}", teams.text)
    assert not slack.flags and not teams.flags


def cli(*words: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "incidentnb", *words], cwd=cwd, input=stdin, capture_output=True, text=True, check=False)


def test_the_verb_prints_the_message_alone(tmp_path):
    """stdout holds the message and nothing else; stderr the incident and the blanks; the exit code says whether anything is left to do."""
    folder = incident.create(tmp_path, "Search is slow", "SEV-2", actor="maja")
    done = cli("draft", "status-page", "--next", "20m", cwd=folder)
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert done.stdout.startswith("We are investigating a problem: Search is slow.")
    done = cli("draft", "status-page", cwd=folder)
    assert done.returncode == 3 and "blank: the time of the next update" in done.stderr and "incident  ." in done.stderr
    done = cli("draft", "status-page", "--state", "identified", "--next", "20m", cwd=folder)
    assert done.returncode == 4 and done.stdout == "" and "refused: identified-early" in done.stderr
    done = cli("draft", "nonsense", cwd=folder)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    found = json.loads(cli("draft", "handover", "--json", cwd=folder).stdout)
    jsonschema.validate(found, json.loads((places.schemas() / "draft.schema.json").read_text(encoding="utf-8")))
    assert any(sentence["rests_on"] for sentence in found["sentences"])


def test_the_verb_checks_a_text(tmp_path):
    """--check reads a file or stdin and says what is wrong; with --payload a clean one becomes JSON, a refused one does not."""
    folder = incident.create(tmp_path, "Search is slow", "SEV-2", actor="maja")
    good = "We are investigating a problem: Search is slow. The next update follows in 20 minutes.\n"
    (folder / "good.txt").write_text(good, encoding="utf-8")
    assert cli("draft", "status-page", "--check", "good.txt", cwd=folder).returncode == 0
    bad = cli("draft", "status-page", "--check", "-", cwd=folder, stdin=good + "It will be fixed by 15:00. See web-09.")
    assert bad.returncode == 4 and "repair-time" in bad.stdout and "web-09" in bad.stdout
    sent = cli("draft", "status-page", "--check", "good.txt", "--payload", "statuspage", cwd=folder)
    assert sent.returncode == 0 and json.loads(sent.stdout)["incident"]["status"] == "investigating"
    refused = cli("draft", "status-page", "--check", "-", "--payload", "statuspage", cwd=folder, stdin="All is caused by web-09.")
    assert refused.returncode == 4 and refused.stdout == ""
    jsonschema.validate(json.loads(cli("draft", "status-page", "--check", "good.txt", "--json", cwd=folder).stdout),
                        json.loads((places.schemas() / "draft.schema.json").read_text(encoding="utf-8")))
    assert cli("draft", "status-page", "--check", "none.txt", cwd=folder).returncode == 2
