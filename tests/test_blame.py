"""The blame lint: what it finds, how rarely it is wrong, where it does not look."""

from datetime import date
from pathlib import Path

import pytest
from postmortem_samples import story

from incidentnb.publish import postmortem
from incidentnb.publish.review import blame
from incidentnb.publish.review.blame import Context
from incidentnb.record import incident

SENTENCES = [line.split("\t") for line in (Path(__file__).parent / "blame_sentences.txt").read_text(encoding="utf-8").splitlines()]
KNOWN = Context(("Ines Correia", "Noor Haddad", "Sam Okafor"), "deploy 4.18.0 sends no region; 4.17 hosts do not fail", "a full disk", True)


def test_precision_and_recall_on_labelled_sentences():
    """Of the labelled sentences at least 95 % of the flags are right and at least 95 % of what is to be flagged is flagged."""
    assert len(SENTENCES) >= 120
    flagged = {sentence: {flag.kind for flag in blame.judge(sentence, KNOWN)} for _, sentence in SENTENCES}
    wrong = [sentence for label, sentence in SENTENCES if label == "fine" and flagged[sentence]]
    missed = [sentence for label, sentence in SENTENCES if label != "fine" and label not in flagged[sentence]]
    right = sum(label in flagged[sentence] for label, sentence in SENTENCES)
    bad = sum(label != "fine" for label, _ in SENTENCES)
    assert right / (right + len(wrong)) >= 0.95 and right / bad >= 0.95, (wrong, missed)


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    return incident.load(story(tmp_path_factory.mktemp("story")))


@pytest.fixture(scope="module")
def made(known):
    return postmortem.postmortem(known)


def answered(text: str, key: str, words: str) -> str:
    return text.replace(f"<!-- incidentnb:end {key} -->", f"<!-- incidentnb:end {key} -->\n\n{words}")


def test_what_was_generated_is_not_read(known, made):
    """A fresh document has one flag: its action item without owner, date and kind; posts and notes in the timeline are quotes."""
    flags = blame.lint(made.text, blame.context_of(known), generated=made.parts)
    assert {(flag.kind, flag.words) for flag in flags} == {("action", "Page on each region by itself")}
    assert {flag.why for flag in flags} == {"has no owner", "has no due date", "has no kind"}


def test_a_flag_names_line_words_reason_and_another_way(known, made):
    """Each flag stands at the line of its words and says why and how it might be said."""
    text = answered(made.text, "luck", "It went well.\n\nCleo should\nhave asked, and it will be\nfixed soon.")
    flags = [flag for flag in blame.lint(text, blame.context_of(known), generated=made.parts) if flag.kind != "action"]
    rows = text.split("\n")
    assert [(flag.kind, flag.words) for flag in flags] == [("blame", "should have"), ("vague", "soon")]
    assert "Cleo should" in rows[flags[0].line - 1] and "fixed soon" in rows[flags[1].line - 1]
    assert all(flag.why and flag.instead for flag in flags)


def test_quotes_code_and_our_own_heading_are_not_read(known, made):
    """A quoted message, code, a block quote, a link and the heading of the section on what could have gone better are no flags."""
    quiet = ('> they forgot to\n\n`should have`\n\n```\nhe forgot to\n```\n\n"somebody should have" and [x](https://a/if-only-various)\n\n'
             '## What could have gone better\n')
    assert blame.judge(quiet) == []


def test_an_edited_part_is_read_where_it_was_edited(known, made):
    """In a part that a person edited only the lines that are theirs are read."""
    row = next(row for row in made.text.split("\n") if "We are looking into it" in row)
    theirs = row.replace("We are looking into it.", "Ben forgot to post.")
    text = made.text.replace(row, f"{row}\n{theirs}")
    flags = [flag for flag in blame.lint(text, blame.context_of(known), generated=made.parts) if flag.kind != "action"]
    assert [flag.words for flag in flags] == ["Ben forgot to"] or [flag.words for flag in flags] == ["Ben forgot"]
    assert text.split("\n")[flags[0].line - 1] == theirs


def test_a_cause_is_held_against_the_record(known, made):
    """A cause that is refuted or unknown is flagged, the supported one is not; without an established one every cause is."""
    context = blame.context_of(known)
    for words, kinds in (("The root cause was a full disk.", ["cause"]), ("The failures were caused by the moon.", ["cause"]),
                         ("The root cause was that 4.18.0 sends no region.", [])):
        assert [flag.kind for flag in blame.judge(words, context)] == kinds
    nothing = Context(established=False)
    assert [flag.why for flag in blame.judge("It was caused by deploy 4.18.0.", nothing)] == [
        "names a cause, and the record has none: it is not established"]
    assert blame.judge("It was caused by deploy 4.18.0.") == []


def test_a_claim_that_makes_a_person_the_cause_is_flagged(made):
    """The claim of the root cause stands in a generated part, and is read for blame all the same."""
    text = made.text.replace("**deploy 4.18.0 sends no region**", "**Cleo broke the region**")
    assert "Cleo broke" in [flag.words for flag in blame.lint(text, Context(("Cleo",)))]


@pytest.mark.parametrize(("item", "why"), [
    (("Monitoring of the queue", "Ada", "2026-12-04", "detect"), ["has no verb"]), (("Fix it", "Ada", "2026-12-04", "prevent"), ["says too little"]),
    (("Alert on the age of the queue", "", "2026-12-04", "detect"), ["has no owner"]),
    (("Alert on the age of the queue", "Ada", "", ""), ["has no due", "has no kind"]),
    (("Alert on the age of the queue", "Ada", "4 December", "detect"), ["has a due date that is none"]),
    (("Alert on the age of the queue", "Ada", "2026-02-30", "detect"), ["has a due date that is none"]),
    (("Alert on the age of the queue", "Ada", "2026-11-01", "detect"), ["was due on 2026-11-01"]),
    (("Alert on the age of the queue", "Ada", "2026-12-04", "someday"), ["has no kind"]),
    (("Alert on the age of the queue", "Ada", "2026-12-04", "detect"), [])])
def test_an_action_item_is_specific(item, why):
    """An action item has a verb, enough words, an owner, an ISO date that is not over, and a kind."""
    found = blame.action_flaws(*item, today=date(2026, 11, 25))
    assert len(found) == len(why) and all(reason.startswith(start) for (reason, _), start in zip(found, why, strict=True))


def test_a_finished_action_item_may_be_past_its_date():
    """What is done is not overdue."""
    assert blame.action_flaws("Alert on the age", "Ada", "2026-11-01", "detect", done=True, today=date(2026, 11, 25)) == []


def test_action_items_are_read_from_the_table_with_their_lines(known, made):
    """Rows that a person adds to the table are held to the same, and vague words in them are flagged."""
    row = next(row for row in made.text.split("\n") if row.startswith("| A2"))
    text = made.text.replace(row, f"{row}\n| A3 | Improve monitoring | Ada | soon | detect | open |")
    flags = [flag for flag in blame.lint(text, blame.context_of(known), generated=made.parts) if text.split("\n")[flag.line - 1].startswith("| A3")]
    assert {(flag.kind, flag.words) for flag in flags} == {("action", "Improve monitoring"), ("vague", "Improve monitoring")}


def test_a_secret_in_prose_and_an_open_conflict_are_flagged(known, made):
    """A token that a person pasted is flagged without being printed; a conflict that nobody settled is, too."""
    token = "ghp_" + "a1B2" * 9
    flags = blame.lint(answered(made.text, "luck", f"I used {token}."), blame.context_of(known), generated=made.parts)
    assert [flag.words for flag in flags if flag.kind == "secret"] == ["token"] and token not in repr(flags)
    text = made.text + "<!-- incidentnb:record summary 0123456789ab -->\nx\n<!-- incidentnb:end summary -->\n"
    assert "conflict" in [flag.kind for flag in blame.lint(text, Context())]


def test_names_are_asked_for_as_names():
    """A first name of three letters or more counts, an ordinary word in lower case is no name."""
    context = Context(("Will Mark",))
    assert blame.judge("Will broke it.", context) and not blame.judge("The deploy will mark it. It was caused by will power.", context)


@pytest.mark.parametrize("piece", ["<!--", "](", "`", '"', "the ", "a ", "badly ", "the engineer had quickly then ", "```\n", "~~~ ```", "| a |\n"])
def test_no_text_takes_long(piece):
    """A long line of anything is read in time that grows with its length, not with its square."""
    import time

    context, spent = Context(("Ines Correia", "Noor Haddad")), []
    for size in (20_000, 40_000):
        began = time.process_time()
        blame.lint(piece * (size // len(piece)), context)
        spent.append(time.process_time() - began)
    assert spent[1] < 3 * spent[0] + 0.5
