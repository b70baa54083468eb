"""Certificates: what they say of their time, and that bytes of any kind break nothing."""

import base64
import json
import subprocess
from datetime import UTC, datetime, timedelta

import needs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidentnb.analysis.suspects import suspects
from incidentnb.evidence import certificates
from incidentnb.evidence.changes import read_changes
from incidentnb.exceptions import InputError
from incidentnb.times import Interval

T = datetime(2026, 11, 23, 14, 3, 8, tzinfo=UTC)
BEGAN = T + timedelta(seconds=12)
ONSET = Interval(BEGAN, BEGAN - timedelta(seconds=5), BEGAN + timedelta(seconds=5))


def der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = bytes([len(body)]) if len(body) < 128 else (lambda n: bytes([0x80 | len(n)]) + n)(len(body).to_bytes(4, "big").lstrip(b"\0"))
    return bytes([tag]) + size + body


def certificate(after: datetime = T, *names: str, before: datetime = T - timedelta(days=90), common: str = "shop.example") -> bytes:
    """The DER of a certificate with these dates and names, as far as its time goes; nobody signed it."""
    def spell(moment: datetime) -> bytes:
        return der(0x17, f"{moment:%y%m%d%H%M%SZ}".encode()) if moment.year < 2050 else der(0x18, f"{moment:%Y%m%d%H%M%SZ}".encode())

    name = der(0x30, der(0x31, der(0x30, der(0x06, b"\x55\x04\x03"), der(0x0C, common.encode()))))
    other = der(0x30, *(der(0x82, n.encode()) for n in names)) if names else b""
    extensions = der(0xA3, der(0x30, der(0x30, der(0x06, b"\x55\x1d\x11"), der(0x04, other)))) if names else b""
    parts = [der(0xA0, der(0x02, b"\x02")), der(0x02, b"\x01"), der(0x30, b""), name, der(0x30, spell(before), spell(after)), name, der(0x30, b"")]
    return der(0x30, der(0x30, *parts, extensions), der(0x30, b""), der(0x03, b"\0"))


def pem(body: bytes) -> str:
    text = base64.b64encode(body).decode()
    return "-----BEGIN CERTIFICATE-----\n" + "\n".join(text[i:i + 64] for i in range(0, len(text), 64)) + "\n-----END CERTIFICATE-----\n"


@given(st.datetimes(datetime(1951, 1, 1), datetime(2300, 1, 1)),
       st.lists(st.from_regex(r"[a-z]{1,9}\.[a-z]{1,9}", fullmatch=True), max_size=5, unique=True))
@settings(max_examples=60, deadline=None)
def test_a_certificate_says_when_it_ends_and_whose_it_is(moment, names):
    """Dates of two and of four digits of a year, and all names, come out as they went in."""
    after = moment.replace(microsecond=0, tzinfo=UTC)
    found = certificates.parse(certificate(after, *names))
    assert (found.not_after, found.names) == (after, tuple(names) or ("shop.example",))


def test_what_openssl_makes_is_read(tmp_path):
    """A certificate of openssl reads as openssl itself prints it; the private key beside it is passed over."""
    key, file = tmp_path / "key.pem", tmp_path / "pay.pem"
    openssl = needs.program("openssl")
    subprocess.run([openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", file,
                    "-days", "3", "-subj", "/O=Shop/CN=pay.example", "-addext", "subjectAltName=DNS:pay.example,DNS:*.pay.example,IP:10.0.0.1"],
                   check=True, capture_output=True)
    both = tmp_path / "both.pem"
    both.write_text(key.read_text() + file.read_text())
    (found,), warnings = certificates.read_certificates(both)
    printed = subprocess.run([openssl, "x509", "-in", file, "-noout", "-enddate"], check=True, capture_output=True, text=True).stdout
    assert f"{found.not_after:%b %e %H:%M:%S %Y} GMT" == printed.strip().removeprefix("notAfter=")
    assert (found.names, warnings) == (("pay.example", "*.pay.example", "10.0.0.1"), [])
    assert "PRIVATE" not in repr(found) and found.source == f"{both}:{key.read_text().count(chr(10)) + 1}"


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_broken_bytes_are_said_to_be_none(data):
    """Whatever is done to the bytes of a certificate, it is one or a ValueError."""
    body = bytearray(certificate(T, "a.example", "b.example"))
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, len(body) - 1), st.integers(0, 255)), max_size=6)):
        body[place] = value
    cut = data.draw(st.integers(0, len(body)))
    try:
        found = certificates.parse(bytes(body[:cut]) + data.draw(st.binary(max_size=20)))
        assert found.not_after.tzinfo is UTC
    except ValueError:
        pass


def test_a_folder_of_certificates_is_a_change_file(tmp_path):
    """Each certificate below a folder is a change at its end, once; a broken one is one warning with file and line; keys are none."""
    (tmp_path / "live" / "pay").mkdir(parents=True)
    chain = pem(certificate(T, "pay.example")) + pem(certificate(T + timedelta(days=900), common="Some CA"))
    (tmp_path / "live" / "pay" / "chain.pem").write_text(chain)
    (tmp_path / "live" / "pay.der").write_bytes(certificate(T, "pay.example"))
    bad = "x\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + "-----BEGIN CERTIFICATE-----" * 9
    (tmp_path / "live" / "bad.crt").write_text(bad)
    (tmp_path / "live" / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    changes, warnings = read_changes([tmp_path / "live"], [])
    assert (changes[0].at, changes[0].kind, changes[0].details["expires"]) == (T, "certificate", True)
    assert [c.id for c in changes] == ["pay.example", "Some CA"]
    assert warnings and all(w.startswith(str(tmp_path / "live" / "bad.crt")) and "\n" not in w for w in warnings)
    with pytest.raises(InputError, match="holds no certificate"):
        read_changes([tmp_path / "live" / "key.pem"], [])


def test_an_expiry_is_a_suspect_although_nobody_did_anything(tmp_path):
    """A certificate that ran out 12 s before the onset ranks before a deploy of another service two minutes before, and says so in words."""
    (tmp_path / "a.pem").write_text(pem(certificate(T, "pay.example")))
    other = {"time": (BEGAN - timedelta(minutes=2)).isoformat(), "kind": "deploy", "id": "d", "service": "mailer"}
    (tmp_path / "d.jsonl").write_text(json.dumps(other))
    changes, _ = read_changes([tmp_path / "a.pem", tmp_path / "d.jsonl"], [], since=BEGAN - timedelta(hours=2), until=BEGAN + timedelta(hours=1))
    first = suspects(changes, ONSET).numbers["changes"][0]
    assert (first["id"], first["rank"], first["strength"], first["reasons"]) == ("pay.example", 1, "strong", ["expired 12 s before the onset"])


@pytest.mark.parametrize(("after", "before", "said"), [
    (timedelta(days=3), timedelta(days=-80), "expires in 3 d"), (timedelta(days=40), timedelta(days=-80), None),
    (timedelta(days=-5), timedelta(days=-95), "expired 4 d 22 h before the span"), (timedelta(days=80), timedelta(hours=5), "is not valid before")])
def test_what_runs_out_soon_is_a_warning_and_no_suspect(tmp_path, after, before, said):
    """Soon after the span, shortly before it, not valid yet: a line each, and no change in the span; in forty days: nothing."""
    (tmp_path / "a.pem").write_text(pem(certificate(BEGAN + after, "pay.example", before=BEGAN + before)))
    changes, warnings = read_changes([tmp_path / "a.pem"], [], since=BEGAN - timedelta(hours=2), until=BEGAN)
    assert [c for c in changes if not c.details.get("before_window")] == []
    assert [said in w and "pay.example" in w for w in warnings] == ([True] if said else [])


def test_a_renewed_certificate_does_not_matter_when_the_old_one_ends(tmp_path):
    """Where another certificate of all its names was valid when one ended, the end is told as superseded and is no candidate."""
    renewed = certificate(T + timedelta(days=60), "pay.example", before=T - timedelta(days=30))
    (tmp_path / "a.pem").write_text(pem(certificate(T, "pay.example")) + pem(renewed))
    changes, _ = read_changes([tmp_path / "a.pem"], [], until=BEGAN)
    assert [c.details.get("superseded") for c in changes] == [True]
    assert suspects(changes, ONSET).verdict == "no known change explains it"


@pytest.mark.parametrize("record", [
    {"kind": "certificate", "host": "pay.example", "not_after": "2026-11-23T14:03:08Z"}, {"domain": "pay.example", "notAfter": 1795442588},
    {"type": "tls", "cn": "pay.example", "valid_until": "2026-11-23 14:03:08Z"},
    {"type": "cert", "common_name": "pay.example", "not_before": "Aug 25 14:03:08 2026 GMT", "not_after": "Nov 23 14:03:08 2026 GMT"},
    {"kind": "certificate", "host": "pay.example", "expires": "2026-11-23T14:03:08Z", "time": "2026-08-25T14:03:08Z", "summary": "issued"}])
def test_a_record_of_a_certificate_ends_too(tmp_path, record):
    """A record that says until when a certificate is valid is a change then, whatever the field is called, beside the event that it tells."""
    path = tmp_path / "certs.jsonl"
    path.write_text(json.dumps(record))
    changes, warnings = read_changes([path], [], since=BEGAN - timedelta(hours=2), until=BEGAN)
    (ends,) = [c for c in changes if c.at == T]
    assert (ends.kind, ends.details["expires"], ends.details["names"], warnings) == ("certificate", True, ["pay.example"], [])
    assert "pay.example" in ends.summary


def test_what_else_expires_is_no_certificate(tmp_path):
    """A flag that expires is a flag."""
    path = tmp_path / "flags.jsonl"
    path.write_text(json.dumps({"time": T.isoformat(), "kind": "flag", "id": "f", "expires": "2026-12-01T00:00:00Z"}))
    assert [(c.kind, c.at) for c in read_changes([path], [])[0]] == [("flag", T)]


@pytest.mark.parametrize("content", [b"-----BEGIN CERTIFICATE-----\n" * 20_000, b"-----BEGIN CERTIFICATE-----" + b"A" * 3_000_000,
                                     b"\x30\x82" + b"\x30\x80" * 9])
def test_hostile_files_cost_little(tmp_path, content):
    """Beginnings without ends and endless bodies are bad input in one line, soon."""
    (tmp_path / "x.pem").write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_changes([tmp_path / "x.pem"], [])
    assert len(str(caught.value)) < 300 + len(str(tmp_path))
