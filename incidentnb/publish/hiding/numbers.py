"""Whether digits are what they look like: addresses of machines, cards, accounts, telephones. Each takes the match and looks at its line only."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

from incidentnb.publish.hiding.accept import NAME_MARKS, before


@lru_cache(4096)
def v4(address: str) -> bool:
    """Whether four numbers are the address of a machine, and no loopback and no mask."""
    parts = address.split(".")
    return parts[0] not in ("0", "127", "255") and not any((len(part) > 1 and part[0] == "0") or int(part) > 255 for part in parts)


def is_v4(match: re.Match[str]) -> bool:
    """An IPv4 address of a machine, and no version and no loopback."""
    if not v4(match[0]):
        return False
    text, start = match.string, match.start()
    left = text[max(0, start - 48):start]
    if left[-1:] == "/":  # Chrome/119.0.0.0 is a product with its version, http://203.0.113.7 and 10.0.0.1/10.0.0.2 are not
        rest = left[:-1].rstrip(NAME_MARKS)
        return not (left[len(rest):len(rest) + 1].isalpha() and (not rest or rest[-1] in " \t\n(;,\"'"))
    tail = left[-12:].rstrip(" =:\"'")
    return tail[-1:] not in _ENDS or (not tail.lower().endswith(("version", "release", "firmware", "section", "openssl", "oid",
                                                                     " ver", " v", "\tv", "\nv", "(v")) and tail.lower() != "v")


_ENDS = frozenset("nNeErRvVlLdD")


def is_v6(match: re.Match[str]) -> bool:
    """An IPv6 address, and no loopback and no scope operator."""
    return _v6(match[0])


@lru_cache(4096)
def _v6(text: str) -> bool:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return False
    first = text.partition(":")[0]
    return any(c.isdigit() for c in text) and (not first or int(first, 16) >= 0x64) and not (address.is_loopback or address.is_unspecified)


_ISSUERS = ((r"4", (16,)), (r"5[1-5]", (16,)), (r"2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)", (16,)), (r"3[47]", (15,)),
            (r"6(?:011|4[4-9]|5)", (16,)), (r"35", (16,)), (r"62", (16,)))
_SAID = ((r"4", (13, 16, 19)), (r"3(?:0[0-5]|6|8)", (14,)), (r"6(?:011|4[4-9]|5)|62|35|67|5[06-8]", (16, 17, 18, 19)))
_NO_CARD = re.compile(r"(?:(?:trace|span|request|req|correlation|parent|tx|transaction|event|message|msg|job|order|batch)[_.-]?id|timestamp|"
    r"duration|elapsed|"
                      r"offset|size|bytes|length|count|total|nanos|micros|epoch|seq|lsn)\W{0,4}$", re.IGNORECASE | re.ASCII)
_CARD = re.compile(r"card|\bpan\b|visa|master|maestro|amex|diners|payment|\bcc\b|credit", re.IGNORECASE)
_UNIT = re.compile(r" ?(?:ns|us|µs|ms|s|bytes?|[KMGT]i?B|B|rows|records|times)\b", re.ASCII)


def is_card(match: re.Match[str]) -> bool:
    """A payment card: a length that its issuer's prefix has, a right check digit (Luhn, ISO/IEC 7812-1), no id by its name and no measure.

    The lengths that numbers of other kinds often have count only where the line speaks of a card.
    """
    digits = re.sub(r"\D", "", match[0])
    left = before(match.string, match.start(), 40)
    if _NO_CARD.search(left[-24:]) or _UNIT.match(match.string, match.end()):
        return False
    issuers = (*_ISSUERS, *_SAID) if _CARD.search(left) else _ISSUERS
    if not any(re.match(prefix, digits) and len(digits) in lengths for prefix, lengths in issuers):
        return False
    total = sum(sum(divmod(int(d) * (1 + i % 2), 10)) for i, d in enumerate(reversed(digits)))
    return total % 10 == 0


IBAN_LENGTHS = {name: int(size) for name, size in (pair.split(":") for pair in ["AD:24", "AE:23", "AL:28", "AT:20", "AZ:28", "BA:20",
    "BE:16", "BG:22", "BH:22", "BR:29", "BY:28", "CH:21", "CR:22", "CY:28", "CZ:24", "DE:22", "DK:18", "DO:28", "EE:20", "EG:29", "ES:24",
    "FI:18", "FO:18", "FR:27", "GB:22", "GE:22", "GI:23", "GL:18", "GR:27", "GT:28", "HR:21", "HU:28", "IE:22", "IL:23", "IQ:23", "IS:26",
    "IT:27", "JO:30", "KW:30", "KZ:20", "LB:28", "LC:32", "LI:21", "LT:20", "LU:20", "LV:21", "LY:25", "MC:27", "MD:24", "ME:22", "MK:19",
    "MR:27", "MT:31", "MU:30", "NL:18", "NO:15", "PK:24", "PL:28", "PS:29", "PT:25", "QA:29", "RO:24", "RS:22", "SA:24", "SC:31", "SE:24",
    "SI:19", "SK:24", "SM:27", "ST:25", "SV:28", "TL:23", "TN:24", "TR:26", "UA:29", "VA:22", "VG:24", "XK:20"])}


def is_iban(match: re.Match[str]) -> bool:
    """An account number whose country has that length and whose check digits are right (ISO 13616, modulo 97)."""
    plain = re.sub(r"[ -]", "", match[0]).upper()
    return IBAN_LENGTHS.get(plain[:2]) == len(plain) and int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


def is_phone(match: re.Match[str]) -> bool:
    """A number with a country code, of the length that such have (ITU-T E.164); after ``=`` only where the name says so."""
    if not 9 <= sum(c.isdigit() for c in match[0]) <= 15:
        return False
    left = before(match.string, match.start(), 24)
    return not left.endswith("=") or bool(re.search(r"(?:phone|mobile|tel|msisdn|sms|fax|whatsapp|caller|callee|to|from|number|contact|recipient|"
        r"addr|q)=$",
                                                    left, re.IGNORECASE | re.ASCII))
