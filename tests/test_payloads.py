"""Payloads: what Statuspage and Slack take, lengths kept, nobody notified or mentioned, markup of strangers inert."""

import html
import json
import random
import re

import pytest
from draft_samples import told
from test_drafts import FIXED, TEAM, sample

from incidentnb import sinks
from incidentnb.exceptions import InputError, Refused
from incidentnb.publish import drafts
from incidentnb.publish.drafting import payloads


def draft_of(made, kind="status-page", **more):
    return drafts.draft(made.known, kind, now=made.now, team=TEAM, ground=False, **more)


@pytest.mark.parametrize(("stage", "component"), [("investigating", "major_outage"), ("identified", "major_outage"), ("monitoring", "major_outage"),
                                                  ("resolved", "operational")])
def test_a_status_page_gets_its_incident(tmp_path, stage, component):
    """Name, status, body, impact by severity and components are there; notifications are off."""
    made = sample(tmp_path, stage)
    found = payloads.payload(draft_of(made), "statuspage", made.known, TEAM)["incident"]
    assert found["name"] == "Checkout answers with errors" and found["status"] == stage and found["deliver_notifications"] is False
    assert found["impact_override"] == "critical" and found["body"] == draft_of(made).text
    assert found["component_ids"] == ["ftgks51sfs2d"] and found["components"] == {"ftgks51sfs2d": component}


def test_a_chat_gets_blocks_of_plain_text(tmp_path):
    """Each kind is a header and sections of plain text within Slack's lengths, with a fallback, and nothing in it is parsed."""
    made = sample(tmp_path, "resolved")
    for kind in ("status-page", "first", "findings", "stakeholders", "can", "handover", "resolution", "channel"):
        draft = draft_of(made, kind)
        found = payloads.slack(draft, made.known)
        assert found["blocks"][0]["type"] == "header" and len(found["blocks"][0]["text"]["text"]) <= 150
        assert all(len(block["text"]["text"]) <= 3000 and block["text"]["type"] == "plain_text" for block in found["blocks"])
        assert (found["mrkdwn"], found["parse"], found["link_names"], found["unfurl_links"]) == (False, "none", False, False)
        assert 0 < len(found["text"]) <= 3000 and len(found["blocks"]) <= 50
        json.dumps(found)


def test_a_long_text_is_cut_within_the_lengths(tmp_path):
    """A text of a hundred thousand characters, ampersands among them, stays within every length and is never cut inside an escape."""
    made = sample(tmp_path, "resolved")
    for piece in ("& < > word ", "x" * 500 + " ", "&" * 7000 + "\n\n"):
        draft = drafts.Draft("status-page", "resolved", piece * (100_000 // len(piece)), "", (), (), ())
        found = payloads.statuspage(draft, made.known, TEAM)["incident"]
        chat = payloads.slack(draft, made.known)
        texts = [block["text"]["text"] for block in chat["blocks"]]
        assert len(found["body"]) <= 25_000 and len(found["name"]) <= 255
        assert len(texts) <= 50 and all(1 <= len(text) <= 3000 for text in texts) and len(chat["text"]) <= 3000
        for text in (found["body"], chat["text"], *texts):
            assert not re.search(r"&(?!#?\w{1,6};)", text), text[-40:]


def test_what_is_refused_or_blank_makes_no_payload(tmp_path):
    """A draft that the check refuses, one with a blank, and a place that takes no such kind give an error in one line."""
    made = sample(tmp_path, "investigating")
    with pytest.raises(Refused, match="identified-early"):
        payloads.payload(draft_of(made, state="identified"), "statuspage", made.known, TEAM)
    blank = told(tmp_path / "blank", random.Random(1), "investigating", **{**FIXED, "rich": False, "promise": ""})
    with pytest.raises(Refused, match="the time of the next update"):
        payloads.payload(draft_of(blank), "statuspage", blank.known, TEAM)
    with pytest.raises(InputError):
        payloads.payload(draft_of(made, "handover"), "statuspage", made.known, TEAM)
    with pytest.raises(InputError):
        payloads.payload(draft_of(made), "teams", made.known, TEAM)


def hostile(shared):
    for name in ("xss", "csv_formula", "mathtext"):
        for case in json.loads((shared / f"bad/{name}.json").read_text(encoding="utf-8")):
            yield case.get("payload", case.get("value")).encode("utf-8", "replace").decode()


MENTIONS = ("<!channel> down", "<!here>", "<@U024BE7LH> hi", "@here @channel @everyone", "<https://evil.example|click>", "*bold* _it_ ~no~ `code`",
            "```block```", "[a](http://evil.example)", "&lt;!channel&gt;", "<!subteam^S1|x>", "a_b_c and 2*3*4")


def test_text_of_strangers_is_inert_in_slack_and_on_the_status_page(shared):
    """Hostile lines open no mention, link, tag, picture or formatting, and stay readable."""
    for text in (*hostile(shared), *MENTIONS):
        chat, page = sinks.slack(text), sinks.status_page(text)
        assert not re.search(r"<|>|@(?!\u2060)|(?<![^\W_])[*_~]\S|`|://", chat), chat
        assert not re.search(r"<|>|(?<![^\W_])[*_]\S|`|://|(?<!&#91;)\[[^\]]*\]\(", page), page
    assert html.unescape(sinks.slack("a < b & c")) == "a < b & c"
    assert html.unescape(sinks.status_page("a < b & *c*")) == "a < b & *c*"


def test_a_title_of_strangers_is_inert_in_payloads(tmp_path):
    """Mentions and secrets in the title of an incident reach neither place."""
    made = told(tmp_path, random.Random(1), "investigating", **{**FIXED, "title": "<!channel> token=ghp_l6lb6jkx9Be4cyBMUPelAqcRHTRm4Q6gHOl4"})
    draft = draft_of(made)
    assert draft.refused
    for found in (payloads.statuspage(draft, made.known, TEAM), payloads.slack(draft, made.known)):
        assert "ghp_" not in json.dumps(found) and "<!channel" not in json.dumps(found)
