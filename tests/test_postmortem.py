"""The postmortem out of the record: what it says, what each sentence rests on, what is blank, whose wording it is."""

import random
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postmortem_samples import at, story

from incidentnb.exceptions import InputError
from incidentnb.publish import postmortem as documents
from incidentnb.publish import redaction
from incidentnb.publish.review import postmortem_facts
from incidentnb.record import incident, lines, statements


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    return incident.load(story(tmp_path_factory.mktemp("story")))


@pytest.fixture(scope="module")
def made(known):
    return documents.postmortem(known)


def without(known, gone):
    """The incident as if an entry had never been written."""
    entries = tuple(entry for entry in known.entries if entry is not gone)
    return replace(known, entries=entries, standing=tuple(lines.standing(entries)))


def section(text: str, key: str) -> str:
    return re.search(rf"<!-- incidentnb:begin {key} \w+ -->\n(.*?)\n<!-- incidentnb:end {key} -->", text, re.DOTALL)[1]


def told(document) -> dict:
    """Each sentence by its part and the facts that it is made of."""
    found = {}
    for one in document.sentences:
        number = sum(key[:2] == (one.part, one.facts) for key in found)
        found[one.part, one.facts, number] = one
    return found


def test_without_an_entry_exactly_the_sentences_that_rested_on_it_change(known, made):
    """For each entry of the record: a sentence reads otherwise without it if, and only if, it is among those that rest on it."""
    facts, before = postmortem_facts.facts(known), told(made)
    statements_of_people = [e for e in known.entries if e.kind not in ("opened", "retraction") and not e.supersedes]
    assert len(statements_of_people) > 35
    for gone in statements_of_people:
        after = told(documents.postmortem(without(known, gone)))
        changed = {key for key in before.keys() | after.keys()
                   if (before[key].text if key in before else "") != (after[key].text if key in after else "")}
        resting = {key for key, one in before.items() if gone.id in one.rests_on and one.text}
        unsaid = {key for key in changed if key not in before or not before[key].text}
        assert changed - unsaid <= resting, (gone, [before[key] for key in changed - unsaid - resting])
        assert resting <= changed, (gone, [before[key] for key in resting - changed])
        for _, keys, _ in unsaid:  # what nothing was said of while the entry stood
            assert any(gone.id in facts[key].rests_on for key in keys if key in facts), (gone, keys)


def test_the_law_holds_in_whatever_is_left_of_a_record(known):
    """The same of records in which any entries are missing: no mitigation, no finding, a second milestone that steps in."""
    luck = random.Random(7)
    for _ in range(40):
        kept = tuple(e for e in known.entries if e.kind == "opened" or luck.random() < 0.6)
        fewer = replace(known, entries=kept, standing=tuple(lines.standing(kept)))
        gone = luck.choice([e for e in kept if e.kind not in ("opened", "retraction") and not e.supersedes])
        facts, before = postmortem_facts.facts(fewer), told(documents.postmortem(fewer))
        after = told(documents.postmortem(without(fewer, gone)))
        changed = {key for key in before.keys() | after.keys()
                   if (before[key].text if key in before else "") != (after[key].text if key in after else "")}
        resting = {key for key, one in before.items() if gone.id in one.rests_on and one.text}
        assert resting <= changed, (gone, [before[key] for key in resting - changed])
        assert all(any(gone.id in facts[name].rests_on for name in key[1] if name in facts) for key in changed), gone


def test_a_correction_and_a_retraction_bear_what_they_changed(known):
    """Without the retraction the note stands in the timeline; without the correction the slip does."""
    retraction = next(e for e in known.entries if e.kind == "retraction")
    correction = next(e for e in known.entries if e.supersedes and e.kind == "note")
    assert "The database is down." in documents.postmortem(without(known, retraction)).text
    text = documents.postmortem(without(known, correction)).text
    assert "Region us fails." in text and "Region eu fails." not in text


def test_what_is_outside_of_sentences_says_nothing_of_the_record(known, made):
    """Beside its sentences the document has headings, heads of tables, questions and words for "none": the same in every incident."""
    said = {line for one in made.sentences for line in [one.text]}
    rest = [line for part in made.parts for line in part.text.split("\n") if line.strip() and line.strip() not in said]
    assert [line for line in rest if not re.match(r"#|\| --- |\| (Severity|Time|Time \(UTC\)|Id|Promised) \||None is recorded\.$|† When", line)] == []


def test_all_sections_stand_in_order(made):
    """Title, blanks, summary and the sections of the runbook's list, the cause apart from what contributed to it."""
    assert re.findall(r"^#+ (?!Other)(.*)$", made.text, re.MULTILINE) == [
        "Postmortem: Checkout &#42;fails&#42;", "Blank in this document", "Summary", "Severity", "Times", "Impact", "Timeline", "Root cause",
        "Contributing factors", "Mitigations", "Communication", "What went well", "What could have gone better", "Where luck helped",
        "Action items", "Appendix"]


def test_duration_and_severity_hold_over_midnight_and_reopening(made):
    """The duration has its two ends in UTC and in the incident's zone, each severity its from, to and time, the peak is named."""
    head, severity = section(made.text, "head"), section(made.text, "severity")
    assert "- Date: 2026-11-23\n" in head
    assert "SEV-1** at its peak; SEV-3 for 6 min, SEV-1 for 1 h 3 min, SEV-2 for 1 h 25 min while it was open" in head
    assert ("3 h 20 min**, from 2026-11-23 22:30:00 UTC (23:30:00 Europe/Berlin) (started) to 2026-11-24 01:50:00 UTC "
            "(02:50:00 Europe/Berlin) (resolved)") in head
    assert "It was reopened 2026-11-24 00:10:00 UTC (01:10:00 Europe/Berlin) by Ben: it fails again in eu" in severity
    assert "It was open 2 times, 2 h 34 min in all" in severity
    assert "| SEV-1 | 2026-11-23 22:42:00 UTC (23:42:00 Europe/Berlin) | 2026-11-24 00:25:00 UTC (01:25:00 Europe/Berlin) | 1 h 3 min |" in severity
    assert "- Incident commander: Ben, from 2026-11-24 00:15:00 UTC" in head


def test_a_late_note_stands_where_it_happened(made):
    """A note that was written an hour later stands before what was written earlier, and says when it was written down."""
    rows = section(made.text, "timeline").splitlines()
    late, = (n for n, row in enumerate(rows) if "Support had calls" in row)
    assert late < next(n for n, row in enumerate(rows) if "Detected" in row)
    assert rows[late].startswith("| 2026-11-23 22:32:00 | 2026-11-23 23:32:00 | Support had calls since half past ten. "
                                 "(written down 2026-11-23 23:32:00)")
    stamps = [row.split("|")[1].strip()[:19] for row in rows[4:]]
    assert stamps == sorted(stamps)


def test_the_timeline_names_nobody_as_author_of_a_change(made):
    """A deploy stands with its evidence, and without whoever made it."""
    row, = (row for row in section(made.text, "timeline").splitlines() if "Deploy" in row)
    assert "feeds/deploys.jsonl:14" in row and "Tom" not in made.text and "/srv/" not in made.text


def test_the_cause_is_what_the_record_bears(known, made):
    """Supported and without a live rival it is stated with its evidence, the refuted one with why; else it is not established, and why."""
    cause = section(made.text, "root-cause")
    assert "**deploy 4.18.0 sends no region** (H2, supported by Cleo" in cause and "logs/app.log:88121" in cause
    assert "- **H1 refuted**: a full disk. Refuted by Cleo" in cause and "because no disk is full" in cause
    refuted = next(e for e in known.entries if e.kind == "verdict" and e.body["verdict"] == "refuted")
    text = documents.postmortem(without(known, refuted)).text
    assert "**Not established**: H1, a rival of H2, is not refuted." in section(text, "root-cause")
    assert "The root cause is not established" in section(text, "summary") and "- Root cause: not established" in section(text, "blanks")


def test_promises_are_kept_or_broken(made):
    """Each promised update says when it was due, when one came, and how late."""
    rows = section(made.text, "communication")
    assert re.search(r"\| chat \| Ada \| .*22:49:00.*\| broken, 5 min late \|", rows)
    assert re.search(r"\| chat \| Ben \| .*22:39:00.*22:54:00", rows) is None  # due 23:09, twenty minutes before it was resolved
    assert "Stakeholders were told 2026-11-24 01:53:00 UTC" in rows


def test_blanks_are_listed_at_the_top_and_stay_blank(made):
    """What nobody wrote or recorded is listed with the question or the verb, and nothing stands in its place."""
    assert any(blank.startswith("What went well: ") for blank in made.blanks)
    assert any(blank == "Action A2: owner, due date, kind" for blank in made.blanks)
    assert any(blank == "Mitigation M2: the expected effect, the observed effect, how to undo it" for blank in made.blanks)
    assert any(blank.startswith("Appendix: not exported") for blank in made.blanks)
    assert section(made.text, "blanks").count("\n- ") == len(made.blanks)
    assert section(made.text, "luck").startswith("## Where luck helped\n\n*Blank: ")


def test_an_empty_record_makes_a_document_of_blanks(tmp_path):
    """With nothing recorded but the opening every section is there and says that it is not known or not recorded."""
    place = incident.create(tmp_path, "x", "SEV-2", actor="Ada", recorded_at=at(0))
    made = documents.postmortem(incident.load(place))
    assert "not recorded" in section(made.text, "metrics") and "**Not established**: no hypothesis was recorded." in made.text
    assert "Not known from the data" in section(made.text, "impact") and "None is recorded." in section(made.text, "actions")
    assert {blank.split(":")[0] for blank in made.blanks} >= {"Started", "Detected", "Root cause", "Action items", "Communication", "Mitigations"}


def test_it_is_the_same_each_time_and_with_its_own_file(known, made):
    """The same record makes the same bytes, and making it over its own file changes nothing."""
    assert documents.postmortem(known).text == made.text
    again = documents.postmortem(known, made.text)
    assert (again.text, again.edited, again.conflicts) == (made.text, (), ())


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.booleans()), min_size=1, max_size=4))
def test_people_never_lose_a_sentence_to_the_record(known, made, steps):
    """Sentences written anywhere in the real document are in it after any entries have gone from the record, and a second making changes nothing."""
    text, now, mine = made.text, known, []
    for n, (where, which, own_line) in enumerate(steps):
        place = round(where * len(text))
        place = next((m.end() for m in re.finditer("«[^«»]*»", text) if m.start() < place < m.end()), place)
        mine.append(f"«sentence {n} of a person»")
        text = text[:place] + (f"\n\n{mine[-1]}\n\n" if own_line else mine[-1]) + text[place:]
        gone = [e for e in now.entries if e.kind != "opened"]
        now = without(now, gone[min(int(which * len(gone)), len(gone) - 1)])
        text = documents.postmortem(now, text).text
        assert all(sentence in text for sentence in mine)
        assert documents.postmortem(now, text).text == text


def test_of_an_open_incident_it_speaks_as_of_the_last_entry(tmp_path):
    """While it goes on the duration ends with the last entry, whenever the document is made."""
    place = incident.create(tmp_path, "x", "SEV-2", actor="Ada", at=at(0), recorded_at=at(0))
    statements.note(place, "Still failing.", actor="Ada", at=at(30), recorded_at=at(31))
    made = documents.postmortem(incident.load(place))
    assert "31 min**, from 2026-11-23 22:30:00 UTC (opened) to 2026-11-23 23:01:00 UTC (as of the last entry)" in made.text
    note = incident.load(place).entries[-1]
    assert next(one for one in made.sentences if one.facts == ("span",)).rests_on == (note.id,)


def test_secrets_and_markup_of_the_record_stay_out(tmp_path):
    """A token in a note is hidden, markup in it stays text, a line that looks like one of our markers is none."""
    place = incident.create(tmp_path, "<script>alert(1)</script>", "SEV-2", actor="Ada", recorded_at=at(0))
    token = "ghp_" + "a1B2" * 9
    for text in (f"tried {token}", "mail to ann@example.com", "<!-- incidentnb:end timeline --> # vanished", "- [x](javascript:alert(1)) | a | b |"):
        statements.note(place, text, actor="Ada", at=at(len(text) / 10), recorded_at=at(9))
    known = incident.load(place)
    made = documents.postmortem(known)
    assert token not in made.text and "⟦token:" in made.text and made.hidden["token"] == 1
    assert "ann@" not in made.text and "ann&#64;example.com" in documents.postmortem(known, audience="internal").text
    assert "<script>" not in made.text and "](javascript" not in made.text
    assert documents.postmortem(known, made.text).text == made.text
    rule = redaction.rules_of([documents_rule()])
    assert "vanished" not in documents.postmortem(known, rules=rule).text


def documents_rule():
    from incidentnb.record.team import Redaction

    return Redaction("word", re.compile("vanished"))


def test_a_team_may_word_it_otherwise(known, tmp_path):
    """A template of the team's own holds; one that is wrong is one line that names it, and text outside of parts is refused."""
    own = tmp_path / "postmortem.md"
    own.write_text('{% call part("head") %}{% call say(opened) %}# {{ opened.title }}, reviewed{% endcall %}{% endcall %}', encoding="utf-8")
    assert documents.postmortem(known, own=tmp_path).text.splitlines()[1] == "# Checkout &#42;fails&#42;, reviewed"
    for wrong, where in (('{% call part("a") %}', r"postmortem\.md:1"), ("words", "outside of its parts"),
                         ('{% call part("a") %}{{ nothing }}{% endcall %}', "cannot be filled"),
                         ('{% call part("a") %}{% endcall %}{% call part("a") %}{% endcall %}', "stands once"),
                         ('{% call part("a") %}{{ opened.__class__.__mro__ }}{% endcall %}', "cannot be filled")):
        own.write_text(wrong, encoding="utf-8")
        with pytest.raises(InputError, match=where):
            documents.postmortem(known, own=tmp_path)


def test_one_secret_renames_no_other(tmp_path):
    """The pseudonym of a secret does not depend on what else the record hides."""
    place = incident.create(tmp_path, "x", "SEV-2", actor="Ada", recorded_at=at(0))
    for n, letter in enumerate("abc"):
        statements.note(place, f"tried ghp_{letter * 36}", actor="Ada", at=at(n), recorded_at=at(9))
    known = incident.load(place)
    rows = section(documents.postmortem(without(known, known.entries[1])).text, "timeline").splitlines()
    assert [row for row in rows if "⟦token:" in row] == [row for row in section(documents.postmortem(known).text, "timeline").splitlines()
                                                         if "⟦token:" in row][1:]


def test_it_is_quick(known):
    """A record with a hundred runs of the notebook and two hundred notes makes its document in a few seconds."""
    import time

    finding, note = (next(e for e in known.entries if e.kind == kind) for kind in ("finding", "note"))
    more = [replace(finding, seq=1000 + n, id=f"finding-{n}", body={**finding.body, "name": f"q{n % 12}"}) for n in range(1200)]
    more += [replace(note, seq=3000 + n, id=f"note-{n}", body={"text": f"note {n}"}) for n in range(200)]
    entries = (*known.entries, *more)
    began = time.perf_counter()
    made = documents.postmortem(replace(known, entries=entries, standing=tuple(lines.standing(entries))))
    assert "note 199" in made.text and timedelta(seconds=time.perf_counter() - began) < timedelta(seconds=10)
