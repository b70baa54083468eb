"""Secrets and personal data leave no export; ids and digests stay."""

import gzip
import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import jsonschema
import pytest
import redaction_samples
from hypothesis import given, settings
from hypothesis import strategies as st

from incidentnb import cli, places, sinks
from incidentnb.exceptions import InputError
from incidentnb.publish.hiding import names as field_names
from incidentnb.publish.hiding import quick, values
from incidentnb.publish.redaction import AUDIENCES, Eyes, Names, redact, redact_html, redact_markdown, rules_for
from incidentnb.record import pseudonyms

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
    assert redact_html(page)[0] == ('<style>a{}</style><img src="data:image/png;base64,AKIA1234567890123456" alt="from ⟦ipv4:2⟧">'
                                    '<b title="⟦email:1⟧">x</b>')


PIECES = ["eyJ", "password=", "a@", "1.1.", "4 ", "+1", ":", "-----BEGIN PRIVATE KEY-----", "cookie: ", "a://", "x", "authorization:",
    'password="a', "ab:",
          "token  ", "Cookie: a=", "https://hooks.slack.com/services/", "[a](", "user=", "key:", "token:", "DE89 3704 0044 ", "insert into t (",
          "a:b@tcp(",
          "mysql -p", " --password ", '\\"', '"user":{', "Basic ", "code=", "code%3D", "%40", "user=(", "::", "sk-", "4111-", "<user>", "'pass', '",
          "cookie=a=b;",
          "authorization: digest a=b,", "pin=1|", "-----BEGIN PRIVATE KEY-----\n"]


@pytest.mark.parametrize("piece", PIECES)
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


def shares(each: int, seed: int) -> dict[str, float]:
    """Kind → the share of made-up secrets that are gone."""
    found, total = Counter(), Counter()
    for kind, text, secret in redaction_samples.secrets(each, seed):
        total[kind] += 1
        found[kind] += secret not in redact(text)[0]
    return {kind: found[kind] / total[kind] for kind in total}


def test_secrets_of_every_kind_are_found_where_they_turn_up():
    """Of secrets made up in all the places of logs, commands, dumps and code at least 97 in 100 of each kind are gone."""
    assert {kind: share for kind, share in shares(60, 1).items() if share < 0.97} == {}


def test_no_line_without_a_secret_is_touched():
    """Thousands of lines as logs have them, with ids, digests, versions, times and prose, come out as they are."""
    for line in redaction_samples.clean(40):
        assert redact(line) == (line, Counter())


LINES = st.one_of(st.sampled_from([text for _, text, _ in redaction_samples.secrets(6, 3)] + redaction_samples.clean(2, 3) + CLEAN),
    st.text(max_size=60),
                  st.lists(st.sampled_from([piece for piece in PIECES if "BEGIN" not in piece] + ["=", "'", '"', "ghp_", "secret", "@b.example",
                      " ", "7", "Ab9"]), max_size=12).map("".join))


@settings(max_examples=150, deadline=None)
@given(st.lists(LINES, min_size=1, max_size=8), st.sampled_from(AUDIENCES), st.integers(20, 400))
def test_the_quick_way_is_the_plain_one(lines, audience, block):
    """Blocks, hints and anchors change nothing: the result is that of every rule asked everywhere, one after the other."""
    text, rules = "\n".join(lines), rules_for(audience)

    def hide(rule, value, at):
        return value if "⟦" in value else f"⟦{rule.kind}:{len(value)}⟧"

    was = quick.BLOCK, quick._LARGE
    quick.BLOCK, quick._LARGE = block, block // 2
    try:
        assert quick.redacted(text, rules, hide) == quick.plain(text, rules, hide)
    finally:
        quick.BLOCK, quick._LARGE = was


def test_different_values_never_share_a_pseudonym(monkeypatch):
    """Where the digits of two values would agree, the later one is longer; mail addresses are equal whatever their case."""
    monkeypatch.setattr(values, "DIGITS", 2)
    names = Names()
    made = {values.pseudonym(names, "user", f"user{n}", b"k") for n in range(2000)}
    assert len(made) == 2000
    assert values.pseudonym(names, "email", "Ann@B.example", b"k") == values.pseudonym(names, "email", "ann@b.example", b"k")
    assert values.pseudonym(Names(), "user", "user5", b"k") == values.pseudonym(Names(), "user", "user5", b"k")


def test_the_key_of_an_incident_is_made_once(tmp_path):
    """The key is 32 random bytes, readable by its owner alone; whoever makes it at the same time gets the same; what is no key is refused."""
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: pseudonyms.make(tmp_path), range(16)))
    assert len(made) == 1 and len(made.pop()) == 32 and [path.name for path in tmp_path.iterdir()] == [pseudonyms.FILE]
    assert (tmp_path / pseudonyms.FILE).stat().st_mode & 0o777 == 0o600
    assert pseudonyms.read(tmp_path / "none") is None
    (tmp_path / pseudonyms.FILE).write_text("no key")
    with pytest.raises(InputError, match="holds no key"):
        pseudonyms.make(tmp_path)


@pytest.mark.parametrize(("value", "alone"), [
    ("hunter2!", True), ("correct-horse-battery", True), ("a1B2c3d4", True), ("ann.velvet77", True), ("u12345", True), ("completed", False),
        ("1234", False),
    ("checkout", False), ("-", False), ("eu-west-1", False), ("2026-11-23T14:03:20Z", False), ("v4.18.0", False), ("http500", False), ("shop-api",
        False),
    ("12345678", False), ("250ms", False), ("a1", False)])
def test_what_is_hidden_everywhere_is_no_ordinary_word(value, alone):
    """Only values that look like no word and no figure are hidden without what gave them away."""
    assert values.stands_alone(value) is alone


@pytest.mark.parametrize(("name", "kind"), [
    ("DB_PASSWORD", "password"), ("dbPassword", "password"), ("x-api-key", "password"), ("accessToken", "password"), ("set-cookie", "cookie"),
    ("authorization", "authorization"), ("user", "user"), ("customer_id", "user"), ("enduser.id", "user"), ("client", "client"), ("remote_addr",
        "client"),
    ("email", "email"), ("phone_number", "phone"), ("nextToken", ""), ("max_tokens", ""), ("token_type", ""), ("user_agent", ""), ("users", ""),
        ("key", ""),
    ("trace_id", ""), ("failed", ""), ("password_policy", "")])
def test_the_name_of_a_field_tells(name, kind):
    """One answer for text, tables, JSON and columns."""
    assert field_names.kind_of(name) == kind


def test_cells_below_a_telling_header_are_hidden_whatever_they_say():
    """In HTML, Markdown and plain tables, for whom the header says; ordinary words are hidden there and nowhere else."""
    page = "<p>completed</p><table><tr><th>user</th><th>password</th><th>n</th></tr><tr><td>checkout</td><td>completed</td><td>7</td></tr></table>"
    shown = redact_html(page)[0]
    assert "<p>completed</p>" in shown and "<td>completed" not in shown and "checkout" not in shown and "<td>7</td>" in shown
    assert "<td>checkout" in redact_html(page, audience="internal")[0]
    eyes = Eyes("public", b"k")
    for text in ("| user | pin |\n| --- | --- |\n| bob | 1234 |", "   user  password  n\n0   bob completed  7"):
        seen = eyes.see(text)
        assert "bob" not in seen and "1234" not in seen and "completed" not in seen


def test_it_explains_what_gave_a_value_away_and_never_the_value(capsys, tmp_path):
    """``--explain`` and ``--json`` name line, kind, reason and pseudonym; the JSON holds to its schema; a private key is one value on its line."""
    secret = "ghp_" + "a1B2" * 9
    body = "QUJD" * 16
    path = tmp_path / "app.log.gz"
    text = f"a\nuser=bob7 {secret}\n-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\npassword=hunter2x\n"
    path.write_bytes(gzip.compress(text.encode()))
    assert cli.main(["redact", str(path), "--explain"]) == 0
    out = capsys.readouterr().out
    assert "a1B2" not in out and "hunter" not in out and "bob7" not in out and body not in out
    assert [line.split()[0].rpartition(":")[2] for line in out.splitlines()] == ["2", "2", "3", "6"] and "ghp_…" in out
    assert cli.main(["redact", str(path), "--json", "--audience", "internal"]) == 0
    told = json.loads(capsys.readouterr().out)
    jsonschema.validate(told, json.loads((places.schemas() / "redact.schema.json").read_text(encoding="utf-8")))
    assert told["hidden"] == {"password": 1, "pem": 1, "token": 1} and [one["line"] for one in told["found"]] == [2, 3, 6]


def test_many_files_are_read_and_binary_ones_refused_in_one_line(capsys, tmp_path):
    """Folders and several files are one text; what is no text is one line and exit 2."""
    (tmp_path / "a.log").write_text("password=hunter2x\n", encoding="utf-8")
    (tmp_path / "b.log").write_text("fine\n", encoding="utf-8")
    assert cli.main(["redact", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "password=⟦password:1⟧\nfine\n"
    (tmp_path / "c.bin").write_bytes(b"\x00\x01" * 100)
    (tmp_path / "d.gz").write_bytes(b"\x1f\x8b\x08broken")
    for name in ("c.bin", "d.gz"):
        assert cli.main(["redact", str(tmp_path / name)]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_much_text_has_one_pseudonym_a_value_too(capsysbinary, tmp_path):
    """More text than is looked at in one go: the lines stay in their order, equal values have equal pseudonyms from the first line to the last."""
    lines = [f"{n} request done in 12 ms" for n in range(170_000)]
    lines[7] = lines[-7] = "login failed password=hunter2x from 203.0.113.7"
    (tmp_path / "a.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert cli.main(["redact", str(tmp_path / "a.log")]) == 0
    shown = capsysbinary.readouterr().out.decode().splitlines()
    assert len(shown) == len(lines) and shown[7] == shown[-7] and shown[7].count("⟦") == 2 and "hunter" not in shown[7]
    assert [line for n, line in enumerate(shown) if n not in (7, len(lines) - 7)] == [line for n, line in enumerate(lines) if n not in (
        7, len(lines) - 7)]


TOLD = [  # (text, what must be gone); all made up
    ("- name: DB_PASSWORD\n  value: dragon-monkey-39", "dragon-monkey-39"), ('  + password             = "QCV1uKiW2xFC"', "QCV1uKiW2xFC"),
    ('  ~ password = "Abc12xyz" -> "rZ2el508HbbN"', "rZ2el508HbbN"), ("kennwort=Otter-Quartz-12", "Otter-Quartz-12"),
    ("mot_de_passe=MHeis0ACqLpu", "MHeis0ACqLpu"), ('Content-Disposition: form-data; name="password"\n\niJPiZZJafq3T', "iJPiZZJafq3T"),
    ("requirepass 9CygB7oy!uEPT1", "9CygB7oy!uEPT1"), ('[0 10.0.0.1:5000] "AUTH" "default" "8r51phJbAfcN"', "8r51phJbAfcN"),
    ("verification code: 954452", "954452"), ("WIFI_PSK=Zebra7731$", "Zebra7731"), ("creds=bob:8KlPwxgEZePk", "8KlPwxgEZePk"),
    ("SET PASSWORD FOR 'x'@'%' = PASSWORD('1mE0i3tBTOU7')", "1mE0i3tBTOU7"), ("GET /x?pw=PNmI7qmX5 200", "PNmI7qmX5"),
    ("GET /reset-password/Kq3Hf0OL3BmpFIWZvDc2tq2XhzPXwY4J 200", "Kq3Hf0OL3BmpFIWZvDc2"), ("mobile: 0151 23456789", "0151 23456789"),
    ("phone: (212) 555-0187", "555-0187"),
    ("IP 203.0.113.65.443 > 10.0.0.77.51234: Flags [R]", "203.0.113.65"), ("ssn=078051120", "078051120"),
    ("Failed password for mallory from 10.0.0.9 port 22 ssh2", "mallory"), ("Access denied for user 'shopper'@'db'", "shopper"),
    ('FATAL: password authentication failed for user "shop_rw"', "shop_rw"), ('"fullName":"Annegret Kowalski"', "Kowalski"),
    ("date_of_birth: 29.02.1984", "29.02.1984"), ('address="Hauptstr. 5, 10115 Berlin"', "Hauptstr"),
    ("maestro 6759653813396922 ok", "6759653813396922"),
]
INNOCENT = [
    "invalid user input from form",
    "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db/password-AbCdEf read", "Version=13.0.0.0, PublicKeyToken=30ad4fe6b2a6aeed",
    "password: ${DB_PASSWORD}", "passwordSecret: shop-db", "existingSecret: shop-db", "firmware 2.0.14.7 flashed", "section 3.1.2.4 of the runbook",
    "cache key=user:42:cart miss", "login: 200 OK", "255.255.255.0 netmask", "range 1::10", "openssl 3.0.13.0 loaded",
    "ALTER TABLE users ADD COLUMN password varchar(255) NOT NULL",
]


@pytest.mark.parametrize(("text", "gone"), TOLD)
def test_what_sentences_and_neighbouring_lines_tell_is_hidden(text, gone):
    """A secret or a person that a sentence, a command or the line before tells of is gone, and hiding it again changes nothing."""
    shown, counts = redact(text)
    assert gone not in shown and counts and redact(shown)[0] == shown


@pytest.mark.parametrize("text", INNOCENT)
def test_what_only_looks_alike_stays(text):
    """Names of secrets, references to them, columns, versions, masks and keys of caches stay as they are."""
    assert redact(text)[0] == text
