"""What sentences, commands and neighbouring lines tell: patterns and checks of the rules that do not go by one field."""

from __future__ import annotations

import base64
import binascii
import re

from incidentnb.publish.hiding import accept, names, numbers

Span = tuple[int, int]
_B64 = r"[A-Za-z0-9+/]"
PREFIXED_PEM = (r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----[ \t\r\"',]{0,8}"
                rf"(?P<v>(?:\n[^\n]{{0,200}}[ \t:\]|>\"']{_B64}{{16,}}+={{0,2}}[ \t\r\"',]{{0,8}}(?=\n|\Z)){{1,400}})"
                rf"(?P<s>\n[^\n]{{0,200}}[ \t:\]|>\"']{_B64}{{1,15}}={{0,2}}[ \t\r\"',]{{0,8}}(?=\n[^\n]{{0,200}}-----END))?")
_PEM_LINE = re.compile(rf"(?<=[ \t:\]|>\"']){_B64}+={{0,2}}(?=[ \t\r\"',]{{0,8}}(?:\n|\Z))")
NAME_AND_VALUE = (r"(?:name|key)\\?[\"']?[ ]?[:=][ ]?\\?[\"']?(?P<n>[A-Za-z0-9_.-]{2,80})\\?[\"']?[,;]?[ \t\r]{0,4}\n(?:[^\n\S]{0,80}\\?[\"']?"
                  r"value\\?[\"']?[ ]?[:=][ ]?(?:\\?[\"'](?P<d>[^\"'\\\r\n]{1,1000})|(?P<w>[^\s\"'|>&*{\[][^\r\n\"'#]{0,1000}?)"
                  r"(?=[ \t\r]{0,20}(?:\n|\Z| #)))"
                  r"|\r?\n(?P<v>[^\r\n]{1,1000}))")
LINKS = ("reset", "invit", "verif", "confirm", "activat", "magic", "password")
CODE_HINTS = ("verification ", "security ", "one-time ", "confirmation ", "login ", "sms ", "0fa ", "mfa ")
NAME_HINTS = ("firstname", "first_name", "first-name", "lastname", "last_name", "last-name", "fullname", "full_name", "surname", "familyname",
              "family_name", "givenname", "given_name", "holder")
_DATE = r"(?:\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{2,4}|(?:19|20)\d{6})"
_GAP = r"\\{0,7}[\"']?\]?[ \t]{0,3}(?:=>|[:=])[ \t]{0,3}"
_CAPITAL = r"(?-i:[A-Z\u00c0-\u00de])[^\s\"'\\,;&<>|()\[\]{}=:]{1,60}+(?![=:(])"
PERSON = (rf"(?:{'|'.join(NAME_HINTS)})[A-Za-z0-9_.-]{{0,30}}{_GAP}(?:\\{{0,7}}(?P<q>[\"'])(?P<d>[^\"'\\\r\n]{{2,120}})\\{{0,7}}(?P=q)|"
          rf"(?P<w>{_CAPITAL}(?:[ ]{_CAPITAL}){{0,3}}))")
BIRTH = rf"(?:dob|birth)[A-Za-z0-9_.-]{{0,30}}{_GAP}\\{{0,7}}[\"']?(?P<v>{_DATE})(?:T00:00:00)?(?![\w.-]\d)"
_PERSON = re.compile(r"[^\W\d_][^\W\d_'’.-]{0,40}(?:[ '’.-]{1,2}[^\W\d_]{1,40}){0,5}\.?")


def pem_lines(match: re.Match[str]) -> list[Span]:
    """The lines of a key, each behind what a log writes before its lines."""
    return [one.span() for one in _PEM_LINE.finditer(match.string, match.start("v"), match.end())]


def coded_pem(match: re.Match[str]) -> bool:
    """Base64 whose text begins as a private key does."""
    try:
        return b"PRIVATE KEY" in base64.b64decode(match[0][:80], validate=True)
    except (binascii.Error, ValueError):
        return False


def ends_soon(text: str, at: int) -> bool:
    """Whether the line ends soon: the value of this name may stand on the next."""
    return text.find("\n", at, at + 110) >= 0


def named_below(match: re.Match[str]) -> bool:
    """A value on the line below the name of its field, as YAML, JSON and forms write it."""
    begin, end = accept.value_of(match)
    value = match.string[begin:end]
    strength = names.secret(match["n"])
    return (strength in (names.SURE, names.LIKELY) and len(value) > 3 and not accept.placeholder(value) and not accept.MARK.search(value)
            and (strength == names.SURE or accept.mixed(value, 6)) and not value.startswith("--"))


def random(match: re.Match[str]) -> bool:
    """Small and capital letters and digits all over, as no word and no digest has them."""
    value = match["v"]
    return bool(re.search(r"\d", value) and re.search(r"[a-z][A-Z]|[A-Z]{2}[a-z]|\d[A-Z]", value) and re.search(r"[a-z]", value))


def protocol(match: re.Match[str]) -> bool:
    """What follows the command of a login is a value and no word that tells of it."""
    begin, end = accept.value_of(match)
    value = match.string[begin:end]
    return not accept.placeholder(value) and not accept.MARK.search(value) and (match["s"] is not None or accept.mixed(value, 6))


def changed(match: re.Match[str]) -> bool:
    """The new value of what was hidden as a password on its left."""
    return (re.search(r"⟦password:[0-9a-f]{1,64}⟧$", accept.before(match.string, match.start(), 80)) is not None
            and not accept.placeholder(match["v"]) and not accept.MARK.search(match["v"]))


def both(match: re.Match[str]) -> list[Span]:
    """Sender and receiver of a packet, where both are addresses."""
    return [match.span(group) for group in ("v", "s") if numbers.v4(match[group])] if max(
        int(part) for part in (match["v"] + "." + match["s"]).split(".")) < 256 else []


_THINGS = {"input", "data", "agent", "session", "request", "response", "profile", "record", "details", "info", "object", "type", "role", "group"}


def somebody(match: re.Match[str]) -> bool:
    """Who a sentence says it was: no account of the system and no word that tells of a state."""
    value = match["v"]
    if value.lower() in _THINGS:
        return False
    return not accept.system_user(value) and not accept.placeholder(value) and not accept.MARK.search(value) and "⟦" not in value


def name_field(text: str, at: int) -> bool:
    """Whether the field whose name has its telling part at ``at`` may be one of a person's name."""
    return names.personal(accept.whole_name(text, at)) == "name"


def birth_field(text: str, at: int) -> bool:
    """Whether the field whose name has its telling part at ``at`` may be one of a day of birth."""
    return names.personal(accept.whole_name(text, at)) == "birth"


def person(match: re.Match[str]) -> bool:
    """The name of a person: letters of any script, no path, no package."""
    begin, end = accept.value_of(match)
    return _PERSON.fullmatch(match.string[begin:end]) is not None and not accept.placeholder(match.string[begin:end])


def street(match: re.Match[str]) -> bool:
    """Where somebody lives, and no address of a machine: words and a number, with blanks between."""
    return re.search(r"[^\W\d_]{3}", match["v"]) is not None and re.search(r"\d", match["v"]) is not None and re.search(
        r"[^\W\d_]{2}.? \d|\d[a-z]? [^\W\d_]{3}", match["v"]) is not None and not re.search(r"://|[{}=<>]", match["v"])


def phone(match: re.Match[str]) -> bool:
    """Digits as many as a telephone number has, and no date, no address of a machine."""
    value = match["v"]
    return (7 <= sum(c.isdigit() for c in value) <= 15 and not re.match(r"\d{4}-\d\d-\d\d|\d{1,3}(?:\.\d{1,3}){3}$", value, re.ASCII)
            and "  " not in value and (not value.isdigit() or match.string[match.end():match.end() + 2].strip()[:1] not in ("m", "s")))
