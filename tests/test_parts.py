"""A document that a program and people write together: what people wrote is never lost, and making it twice changes nothing."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidentnb.publish.review import parts
from incidentnb.publish.review.parts import Part

FIRST = [Part("head", "# Title\n\n- Date: 2026-11-23"), Part("times", "## Times\n\n| a | b |\n| --- | --- |\n| TTD | 4 min |"),
         Part("well", "## What went well", "*Blank: What was it?*"), Part("luck", "## Luck", "*Blank: Where?*"), Part("end", "Made from entry 3.")]
SECOND = [Part("head", "# Title\n\n- Date: 2026-11-24"), Part("times", "## Times\n\n| a | b |\n| --- | --- |\n| TTD | 9 min |\n| TTA | 1 min |"),
          *FIRST[2:4], Part("new", "## New\n\nA section that was not there."), Part("end", "Made from entry 8.")]


def merged(now, text: str) -> parts.Merged:
    return parts.merge(now, parts.read(text))


def written(now) -> str:
    return merged(now, "").text


def test_a_file_that_nobody_touched_is_what_the_record_says():
    """Made over an older file without edits, the document is the same as made anew."""
    assert merged(FIRST, written(FIRST)).text == written(FIRST)
    assert merged(SECOND, written(FIRST)) == merged(SECOND, "")


def test_an_edit_stays_while_the_record_stays():
    """A part that a person changed stays changed, and is named."""
    text = written(FIRST).replace("4 min", "about 4 min")
    again = merged(FIRST, text)
    assert again.text == text and again.edited == ("times",) and again.conflicts == ()


def test_an_edit_and_a_change_of_the_record_both_stand():
    """Where both changed the same part, both are in the file, marked, each time until a person removes one."""
    text = written(FIRST).replace("4 min", "about 4 min")
    both = merged(SECOND, text)
    assert both.conflicts == ("times",) and "about 4 min" in both.text and "9 min" in both.text and "**Conflict.**" in both.text
    assert merged(SECOND, both.text) == both
    begin, record = both.text.index("<!-- incidentnb:begin times"), both.text.index("<!-- incidentnb:record times")
    after = both.text.index("<!-- incidentnb:begin well")
    mine = both.text[:record] + both.text[after:]
    assert merged(SECOND, mine).text == mine and merged(SECOND, mine).conflicts == ()
    theirs = both.text[:begin] + both.text[record:]
    assert merged(SECOND, theirs) == merged(SECOND, "")
    third = [*SECOND[:1], Part("times", "## Times\n\nnone"), *SECOND[2:]]
    assert merged(third, both.text).conflicts == ("times",) and "9 min" not in merged(third, both.text).text


def test_an_edited_version_of_the_record_is_not_lost():
    """Whoever edits the record's version in a conflict finds that edit again after the record has changed once more."""
    both = merged(SECOND, written(FIRST).replace("4 min", "about 4 min")).text.replace("TTA | 1 min", "TTA | 1 min, as Ada says")
    third = [*SECOND[:1], Part("times", "## Times\n\nnone"), *SECOND[2:]]
    text = merged(third, both).text
    assert "as Ada says" in text and "about 4 min" in text and "none" in text
    assert merged([SECOND[0], *SECOND[2:]], both).text.count("as Ada says") == 1


def test_a_question_goes_when_it_is_answered_below_or_between_its_markers():
    """An answer below the heading or in the place of the question stays, and the question goes; it comes back with the blank."""
    text = written(FIRST)
    below = text.replace("<!-- incidentnb:end well -->", "<!-- incidentnb:end well -->\n\nThe page came at once.")
    inside = text.replace("*Blank: What was it?*", "The page came at once.")
    for edited in (below, inside):
        again = merged(FIRST, edited)
        assert "The page came at once." in again.text and "What was it?" not in again.text and "Where?" in again.text
        assert merged(FIRST, again.text) == again
        assert parts.answers(parts.read(again.text), FIRST) == {"well": "The page came at once.", "luck": ""}
        assert merged(FIRST, again.text.replace("The page came at once.", "")).text == text


def test_a_section_of_ones_own_is_no_answer():
    """A heading that a person adds after a question leaves the question unanswered, and stays where it is."""
    text = written(FIRST).replace("<!-- incidentnb:begin end", "## Thanks\n\nTo all.\n\n<!-- incidentnb:begin end")
    again = merged(SECOND, text).text
    assert "*Blank: Where?*" in again and again.index("To all.") < again.index("## New") < again.index("Made from entry 8")


def test_text_added_at_the_end_of_a_part_leaves_the_part_to_the_record():
    """A paragraph that is written before the closing marker moves below it, and the part goes on following the record."""
    text = written(FIRST).replace("<!-- incidentnb:end times -->", "\nTTD is too long.\n<!-- incidentnb:end times -->")
    again = merged(SECOND, text)
    assert again.edited == again.conflicts == () and "9 min" in again.text and "TTD is too long." in again.text


@pytest.mark.parametrize("broken", [
    lambda text: text.replace("<!-- incidentnb:end times -->\n", ""), lambda text: text.replace("<!-- incidentnb:end well -->", ""),
    lambda text: re.sub(r"<!-- incidentnb:begin times \w+ -->\n", "", text), lambda text: text.replace("\n", "\r\n"), lambda text: "\ufeff" + text,
    lambda text: text.replace("4 min |", "4 min |   "), lambda text: text + text, lambda text: re.sub(r"<!--.*?-->", "", text),
    lambda text: text.replace("begin times", "begin other")])
def test_damaged_markers_cost_no_text(broken):
    """A marker that is gone, doubled or renamed, other line ends: the words of a person stay, and the second making changes nothing."""
    text = broken(written(FIRST).replace("<!-- incidentnb:begin luck", "Ada's words.\n\n<!-- incidentnb:begin luck"))
    again = merged(SECOND, text)
    assert "Ada's words." in again.text and merged(SECOND, again.text) == again
    assert "\r" not in again.text and "9 min" in again.text


WORDS = st.text(alphabet="abcdefg hij.,|#*>-`!\u00e4", min_size=1, max_size=12)


@st.composite
def edits(draw):
    """A random walk: the record changes, and a person inserts sentences anywhere, deletes lines, doubles and moves them."""
    steps = []
    for number in range(draw(st.integers(1, 4))):
        steps += [("insert", draw(st.floats(0, 1)), f"«{number}{draw(WORDS).strip()}x»", draw(st.booleans())) for _ in range(draw(st.integers(0, 3)))]
        steps += [(draw(st.sampled_from(["delete", "double"])), draw(st.floats(0, 1)), "", False) for _ in range(draw(st.integers(0, 2)))]
        steps.append(("record", draw(st.sampled_from([0, 1, 2])), draw(st.sampled_from(["", "r1", "r2"])), False))
    return steps


@settings(max_examples=500, deadline=None)
@given(edits())
def test_every_sentence_of_a_person_is_still_there(steps):
    """After any edits anywhere and any changes of the record each sentence that a person wrote is in the file; a second making changes nothing."""
    text, mine = written(FIRST), set()
    for what, where, words, own_line in steps:
        if what == "insert":
            at = round(where * len(text))
            at = next((m.end() for m in re.finditer("«[^«»]*»", text) if m.start() < at < m.end()), at)  # not into an older sentence
            text = text[:at] + (f"\n\n{words}\n\n" if own_line else words) + text[at:]
            mine.add(words)
        elif what == "record":
            now = [Part(part.key, f"{part.text}\n{words}" if words and not part.question else part.text, part.question)
                   for part in (FIRST, SECOND, SECOND[1:])[where]]
            once = merged(now, text)
            assert merged(now, once.text) == once
            text = once.text
        else:
            rows = text.split("\n")
            at = min(int(where * len(rows)), len(rows) - 1)
            if what == "delete" and not any(words in rows[at] for words in mine):
                del rows[at]
            elif what == "double":
                rows.insert(at, rows[at])
            text = "\n".join(rows)
        assert all(words in text for words in mine)
