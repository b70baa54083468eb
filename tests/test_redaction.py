"""Secrets and personal data leave no export; ids and digests stay."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentnb import sinks
from incidentnb.publish.redaction import redact, redact_html, redact_markdown

SECRETS = [  # (text, what must be gone, kind); all made up
    ("key=ghp_" + "a1B2" * 9, "ghp_" + "a1B2" * 9, "token"),
    ("xoxb-123456789012-abcdefABCDEF", "xoxb-123456789012-abcdefABCDEF", "token"),
    ("https://bob:s3cr3t@host/x", "s3cr3t", "password"),
    ('{"client_secret": "abc def"}', "abc def", "password"),
    ("{\\\"api_key\\\":\\\"k-99\\\"}", "k-99", "password"),
    ("PGPASSWORD=hunter2 psql", "hunter2", "password"),
    ("x-api-key: 9f8e7d6c5b", "9f8e7d6c5b", "password"),
    ("Set-Cookie: sid=deadbeef01; Path=/; HttpOnly", "deadbeef01", "cookie"),
    ("authorization=Bearer abcdef0123456789abcdef", "abcdef0123456789abcdef", "authorization"),
    ("paid with 5500 0000 0000 0004", "5500 0000 0000 0004", "card"),
    ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXkt\nAAAA\n-----END OPENSSH PRIVATE KEY-----", "b3BlbnNzaC1rZXkt", "pem"),
    ("from 198.51.100.23:443", "198.51.100.23", "ipv4"),
    ("to fe80::1ff:fe23:4567:890a ok", "fe80::1ff:fe23:4567:890a", "ipv6"),
    ("by o'neil+x@mail.example.co.uk", "neil+x@mail.example.co.uk", "email"),
]
CLEAN = [
    "Mozilla/5.0 (X11; Linux x86_64) Chrome/119.0.0.0 Safari/537.36",
    "2026-11-23T14:03:20+0200 took 12:00:01 at 2026-11-23 14:03:20 +02:00",
    "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "commit 3f2a9bc1d4e5f60718293a4b5c6d7e8f90a1b2c3 in std::vector at a.b.c(Foo.java:12)",
    "unexpected token: end, expected signature: none; max_tokens=512 token_type=bearer tokenizer: fast",
    "password: *** pin=ok bypass=true compass: north passed=10",
    "listening on 127.0.0.1 and 0.0.0.0 and ::1",
    "span 1234567890123456789 request_id=4111111111111111",
    "git@github.com:shop/api.git left-pad@1.3.0",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 550e8400-e29b-41d4-a716-446655440000",
]


@given(st.text(max_size=300))
def test_redacting_twice_changes_nothing_more(text):
    """What was redacted stays as it is when it is redacted again."""
    once, _ = redact(text)
    assert redact(once)[0] == once


@given(st.lists(st.sampled_from([secret for secret, _, _ in SECRETS] + CLEAN), min_size=1, max_size=6))
def test_equal_values_have_equal_pseudonyms(lines):
    """However a text is cut into pieces, a value has one pseudonym in one export, and two values have two."""
    names = {}
    for line in lines:
        redact(line, names=names)
    assert len(set(names.values())) == len(names)
    before = dict(names)
    for line in lines:
        redact(line, names=names)
    assert names == before


def test_labelled_lines(shared):
    """Every labelled secret is gone, and every clean line is as it was."""
    for case in json.loads((shared / "bad" / "redact.json").read_text(encoding="utf-8")):
        text, counts = redact(case["text"])
        if case["secret"] is None:
            assert text == case["text"] and not counts
        else:
            assert case["secret"] not in text and counts, case["kind"]


@pytest.mark.parametrize(("text", "gone", "kind"), SECRETS)
def test_secrets_are_hidden(text, gone, kind):
    """A secret of each kind is gone, in text, in HTML and in Markdown, and is counted as what it is."""
    for hide, given_text in ((redact, text), (redact_html, f"<p>{sinks.html(text)}</p>"), (redact_markdown, sinks.markdown(text))):
        shown, counts = hide(given_text)
        assert gone not in shown and sinks.html(gone) not in shown and sinks.markdown(gone) not in shown
        assert counts[kind] == 1, counts


@pytest.mark.parametrize("text", CLEAN)
def test_no_false_alarm(text):
    """Versions, times, ids, digests, code and prose stay."""
    assert redact(text)[0] == text
    assert redact_html(f"<p>{sinks.html(text)}</p>")[0] == f"<p>{sinks.html(text)}</p>"
    assert redact_markdown(sinks.markdown(text))[0] == sinks.markdown(text)


def test_internal_readers_see_personal_data_and_no_secrets():
    """An internal reader sees who and where, but no secret; an unknown audience is refused."""
    text = "jane@example.org from 203.0.113.7 password=hunter2"
    assert redact(text, audience="internal")[0] == "jane@example.org from 203.0.113.7 password=⟦password:1⟧"
    assert redact(text)[0] == "⟦email:2⟧ from ⟦ipv4:3⟧ password=⟦password:1⟧"
    with pytest.raises(ValueError, match="friends"):
        redact(text, audience="friends")


def test_a_key_makes_pseudonyms_agree_between_exports():
    """With the key of an incident the same value has the same pseudonym in every export, with another key another."""
    alone, _ = redact("client 203.0.113.7", key=b"a")
    among, _ = redact("clients 203.0.113.9 and 203.0.113.7", key=b"a")
    assert alone.removeprefix("client ") in among
    assert redact("client 203.0.113.7", key=b"b")[0] != alone


def test_a_known_secret_is_hidden_without_its_context():
    """A value that was once seen to be a secret is hidden wherever it stands, also alone in a table cell."""
    names = {}
    redact("password=correct-horse-battery", names=names)
    assert "correct-horse" not in redact_html("<td>correct-horse-battery</td>", names=names)[0]
    assert "horse" not in redact_markdown(f"| {sinks.markdown('correct-horse-battery')} |", names=names)[0]


def test_html_keeps_its_structure_and_its_pictures():
    """Only what readers see is redacted: tags, style and image data stay byte for byte."""
    page = '<style>a{}</style><img src="data:image/png;base64,AKIA1234567890123456" alt="from 203.0.113.7"><b title="a@b.org">x</b>'
    assert redact_html(page)[0] == ('<style>a{}</style><img src="data:image/png;base64,AKIA1234567890123456" alt="from ⟦ipv4:1⟧">'
                                    '<b title="⟦email:2⟧">x</b>')


@pytest.mark.parametrize("piece", ["eyJ", "password=", "a@", "1.1.", "4 ", "+1", ":", "-----BEGIN PRIVATE KEY-----", "cookie: ", "a://", "x",
                                   "authorization:", 'password="a', "ab:", "token  ", "Cookie: a=", "https://hooks.slack.com/services/", "[a]("])
def test_time_is_linear(piece):
    """No repetition makes a rule slow: 400,000 characters take little, and twice as many about twice as much."""
    spent = []
    for size in (200_000, 400_000):
        text = piece * (size // len(piece))
        began = time.process_time()
        redact(text)
        spent.append(time.process_time() - began)
    assert spent[1] < 2.0 and spent[1] < 4 * spent[0] + 0.2, spent


def test_speed_on_log_lines():
    """Plain log lines go through at ten thousand a second at the very least."""
    text = "\n".join(["2026-11-23T14:03:20Z INFO shop-api GET /orders/123 200 12ms trace_id=4bf92f3577b34da6a3ce929d0e0e4736"] * 20_000)
    began = time.process_time()
    assert redact(text)[0] == text
    assert time.process_time() - began < 2
