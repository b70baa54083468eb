"""Whether what a pattern found is one after all: check digits, addresses, placeholders, prose. Each takes the match and looks at its line only."""

from __future__ import annotations

import base64
import binascii
import re

from incidentnb.publish.hiding import names

MARK = re.compile(r"⟦[a-z]+:(?:[0-9]{1,9}|[0-9a-f]{4,64})⟧", re.ASCII)
# of a value: in escaped quotes, double, single, bare, in references, percent-encoded, in XML, the second of a pair
GROUPS = ("v", "d", "s", "w", "h", "e", "x", "z")
_QUOTED = frozenset("vdshxz")
NAME_MARKS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
_NAME_SET = frozenset(NAME_MARKS)
_STATES = frozenset((  # noqa: SIM905  words are read more easily without their quotes
    "true false null none undefined nil yes no ok on off redacted hidden masked removed filtered required missing invalid expired empty"
    " string str bytes "
    "failed failure fail success succeeded successful error denied rejected not found unknown unset set changed updated reset disabled enabled valid "
    "default optional present absent n/a na is was has with for from to and or must should cannot can't could will the a an int integer text varchar "
    "char number any object optional[str] self this new old bearer basic digest granted revoked refreshed rotated created deleted issued used "
    "secret password token key user username accepted wrong incorrect correct bad good too in of by at").split())
_HOLDER = re.compile(r"[*xX•.…_#-]+|<.*|\$?\{.*|\[.*|%[sdrvq]|%\(\w+\)s|\$(?:[A-Z_][A-Z0-9_]*|[a-z_]{1,20}|\d)|\$\(.*|\(.*|[:@&][A-Za-z_]+|\?|"
    r"x{3,}.*|your[_-].*|example.*|&lt;.*|\\u003c.*|…+", re.ASCII | re.DOTALL)
_CODE = re.compile(r"(?:self|this|os|config|settings|process|req|request|args|params|env|ctx|options|opts|props|data|event|std|cls|new|await)"
                   r"(?:\.|->|::|\?\.|\[).*|[a-z_]\w*(?:\.[A-Za-z_]\w*)+|\w+::\w+.*|Optional\[.*|[A-Za-z_][\w.$]*@[0-9a-f]{3,8}(?:,.*)?|"
                   r"~?(?:/[\w.-]+){2,}/?", re.ASCII)
_SYSTEM_USERS = frozenset((  # noqa: SIM905  as above
    "root admin administrator system anonymous nobody guest - -- none null unknown daemon www-data nginx postgres mysql redis ubuntu service default "
    "nil undefined true false n/a na * ? anon anonymoususer apache httpd sys oracle sa ec2-user systemd kubelet kubernetes docker git localhost "
    "zookeeper hdfs hadoop spark kafka uucp cassandra elasticsearch rabbitmq consul 0 -1 ?0 ?1 user username login id name public "
    "internal test svc cron jenkins ci bot app application").split())
_PROSE = re.compile(r"[A-Za-z][A-Za-z'’-]*[.,!?]?", re.ASCII)
_CAMEL = re.compile(r"[a-z]*(?:[A-Z][a-z]{2,})+[.,!?]?|.*['’-].*", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)*(?:ns|us|µs|ms|s|m|h|%|kb|mb|gb|b|k)?", re.ASCII | re.IGNORECASE)
_WINDOWS_SID = re.compile(r"S-1-\d[\d-]*", re.ASCII)


def value_of(match: re.Match[str]) -> tuple[int, int]:
    """Where in the text the secret of a match stands: its first group of ``GROUPS`` that took part, else all of it."""
    for group in GROUPS:
        if group in match.re.groupindex and match[group] is not None:
            return match.span(group)
    return match.span()


def before(text: str, at: int, size: int) -> str:
    """What stands before a place, on its line."""
    return text[max(0, at - size):at].rpartition("\n")[2]


def full_name(text: str, at: int, tail: str) -> str:
    """The whole name of a field, of which ``tail``, which tells what it is, begins at ``at``."""
    if not at or text[at - 1] not in _NAME_SET:
        return tail
    left = text[max(0, at - 64):at]
    rest = left.rstrip(NAME_MARKS)
    begin = len(rest) + 2 if rest.endswith("%") and len(left) >= len(rest) + 2 else len(rest)  # behind %3F
    return left[begin:] + tail


def whole_name(text: str, at: int) -> str:
    """The whole name of the field whose telling part begins at ``at``."""
    return full_name(text, at, _TAIL.match(text, at)[0])  # type: ignore[index]


def system_user(value: str) -> bool:
    """Whether a user is an account that systems have, and nobody."""
    return value.lower() in _SYSTEM_USERS


def secret_field(text: str, at: int) -> bool:
    """Whether the field whose name has its telling part at ``at`` may be one of a secret."""
    return bool(names.secret(whole_name(text, at)))


def user_field(text: str, at: int) -> bool:
    """Whether the field whose name has its telling part at ``at`` may be one of a user."""
    return names.personal(whole_name(text, at)) == "user"


def phone_field(text: str, at: int) -> bool:
    """Whether the field whose name has its telling part at ``at`` may be one of a phone."""
    return names.personal(whole_name(text, at)) == "phone"


_TAIL = re.compile(r"[A-Za-z0-9_.-]{0,64}", re.ASCII)


def mixed(value: str, least: int = 8) -> bool:
    """Whether a value looks like no word and no number: letters with digits in them, or letters of both cases all over."""
    if len(value) < least or " " in value or _LETTER.search(value, 0, 400) is None:
        return False
    return _DIGIT.search(value, 0, 400) is not None or (
        len(value) >= 16 and not value.islower() and not value.isupper() and not value.istitle() and "." not in value)


_LETTER, _DIGIT = re.compile(r"[^\W\d_]"), re.compile(r"\d")


def placeholder(value: str) -> bool:
    """Whether a value stands for one or tells of its state: ``***``, ``<password>``, ``${TOKEN}``, ``expired``."""
    bare = value.strip("\\\"'` \t")
    if len(bare) > 30 and bare[0].isalnum():
        return False  # nor is a long text gone over
    return (not bare or bare.lower().rstrip(".,:;!?)") in _STATES or _HOLDER.fullmatch(bare) is not None)


def secret_value(match: re.Match[str]) -> bool:
    """Whether the value of a field is a secret: as much as its name leaves open, and no prose, code, placeholder or pseudonym."""
    text, start = match.string, match.start()
    name, shape = full_name(text, start, match["n"]), match.lastgroup or ""
    strength = names.secret(name)
    if not strength or (shape in "xz" and not _shaped(match, name, shape)):
        return False
    begin, end = match.span(shape)
    value = text[begin:end]
    if value == "$" or _in_arn(match, name):
        return False
    if value.isalnum() and value[0].isalpha() and not value.isalpha() and len(value) > 7 and strength in (names.SURE,
        names.LIKELY) and value.isascii():
        return names.words(name)[-1] != "authorization"
    if placeholder(value) or MARK.search(value) or names.words(name)[-1] == "authorization" or _in_mark(match, name):
        return False
    if len(value) > 1000:
        return True  # no word is as long; and it is gone over once
    quoted = shape in _QUOTED or text[begin - 1:begin] in ("'", '"')
    if strength == names.DIGITS:
        return bool(re.fullmatch(r"\d{3,8}", value, re.ASCII)) or (mixed(value, 6) and not _NUMBER.fullmatch(value))
    if not quoted and (text[end:end + 1] == "(" or _CODE.fullmatch(value)):
        return False
    if strength == names.MAYBE:
        return _maybe(value, name)
    if _prose(match, begin, end, quoted):
        return False
    if strength == names.LIKELY:
        if len(value) < 4 or (not quoted and re.fullmatch(r"[a-z0-9.-]+/[a-z0-9.-]+", value, re.ASCII)
                              and re.search("secret|cred", name, re.IGNORECASE)):
            return False
        return quoted or not value.isalpha() or len(value) >= 12
    short = len(value) < 5 and value.isdigit() and names.words(name)[-1] in ("pass", "pw")
    return not short and not (value.isdigit() and len(value) < 3)


def _in_mark(match: re.Match[str], name: str) -> bool:
    """Whether what looks like a field is the kind of a pseudonym."""
    begin = match.start() + len(match["n"]) - len(name)
    return match.string[begin - 1:begin] == "⟦"


def _in_arn(match: re.Match[str], name: str) -> bool:
    """Whether what looks like a field is a part of the name of a resource: ``arn:aws:secretsmanager:…:secret:db/x``."""
    begin = match.start() + len(match["n"]) - len(name)
    return match.string[begin - 1:begin] == ":" and re.search(r"\barn:[\w:/-]*$", match.string[max(0, begin - 120):begin]) is not None


def option_value(match: re.Match[str]) -> bool:
    """Whether the option of a command has the name of a secret and a value of its own."""
    strength, value = names.secret(match["n"]), match["v"]
    return bool(strength) and not placeholder(value) and not MARK.search(value) and (strength == names.SURE or mixed(value, 4))


def option_user(match: re.Match[str]) -> bool:
    """Whether the option of a command has the name of a user."""
    value = match["v"]
    return names.personal(match["n"]) == "user" and value.lower() not in _SYSTEM_USERS and not placeholder(value) and not MARK.search(value)


def _shaped(match: re.Match[str], name: str, shape: str | None) -> bool:
    """Whether what stands before the name fits the way in which the value follows it."""
    text, start = match.string, match.start()
    left = before(text, start, 70)
    left = left[:len(left.rstrip(NAME_MARKS))]
    if shape == "x":  # <name>value</…, or <add key="name">value</…
        return left.endswith(("<", '"', "'")) or bool(re.search(r"<[A-Za-z0-9]{1,20}:$", left, re.ASCII))
    if shape == "z":  # "name", "value"; name="…" value="…"
        return left.endswith(('"', "'", "&quot;")) and (match["more"] is not None or mixed(match["z"], 6))
    return True


def _maybe(value: str, name: str) -> bool:
    least = 16 if names.words(name)[-1] in ("sig", "signature", "auth", "assertion") else 8
    return (mixed(value, least) and not value.startswith("0x") and not _WINDOWS_SID.fullmatch(value) and not _NUMBER.fullmatch(value)
            and not re.fullmatch(r"[\w.-]+\.(?:go|py|js|java|c|rb|rs|ts):\d+.*", value, re.ASCII))


def _prose(match: re.Match[str], begin: int, end: int, quoted: bool) -> bool:
    """Whether an unquoted word after a colon is the beginning of a sentence; alone on its line, as in YAML, it is a value."""
    text = match.string
    value = text[begin:end]
    gap = text[match.start():begin]
    if quoted or "=" in gap or "%" in gap or not gap.endswith((" ", "\t")) or match.lastgroup in ("x", "z"):
        return False
    line = text[end:end + 200].partition("\n")[0]
    if len(value) >= 16 and mixed(value, 16) and not _CAMEL.fullmatch(value):
        return False
    if _PROSE.fullmatch(value):
        left = before(text, match.start(), 64)
        alone = not left.rstrip(NAME_MARKS).strip(" \t-\"'") and not line.partition(" #")[0].strip(" \t\r,")
        return not alone
    return bool(re.fullmatch(r"\d{1,4}", value, re.ASCII) and re.match(r" [a-z]", line))


_CLOSING = (',"', "}", '"', "&", "\n")  # behind a number in a field, never in a sentence


def user_value(match: re.Match[str]) -> bool:
    """Whether the value of a user's field names one: no system account, no share of time, no sentence."""
    text, start = match.string, match.start()
    name, shape = full_name(text, start, match["n"]), match.lastgroup or ""
    kind = names.personal(name)
    if kind not in ("user", "phone") or (shape in "xz" and not _shaped(match, name, shape)):
        return False
    begin, end = match.span(shape)
    value = text[begin:end]
    if kind == "user" and value.isalnum() and value[0].isalpha() and not value.isalpha() and value.isascii() and len(value) > 2:
        return True
    if len(value) > 300 or (kind == "user" and value.isdigit() and value.strip("0") and text.startswith(_CLOSING, end)):
        return True
    bare = value.strip("\\\"'` \t")
    if not bare or MARK.search(value) or _in_mark(match, name):
        return False
    if kind == "phone":
        return 7 <= sum(c.isdigit() for c in value) <= 15 and not re.search(r"[A-Za-z]", value, re.ASCII)
    if bare.lower().partition(",")[0] in _SYSTEM_USERS or bare.lower().rstrip(".,:;!?)") in _STATES or _HOLDER.fullmatch(bare):
        return False
    gap = text[start:begin]
    if bare.isdigit():
        if re.search(r"\b(?:sys|system|nice|idle|iowait|real)[=:]", text[end:end + 40].partition("\n")[0], re.ASCII) or (
                ": " in gap and re.match(r" [A-Za-z]", text[end:end + 2])):
            return False
    elif _NUMBER.fullmatch(bare):
        return False
    quoted = shape in _QUOTED
    if shape == "w" and ":" in value and gap.endswith(":") and text[begin - 1] == ":":  # user:42:cart is a key
        return False
    if not quoted and (text[end:end + 1] == "(" or (" " in gap and "@" not in value and _CODE.fullmatch(value))):
        return False
    return not _prose(match, begin, end, quoted) and (len(bare) > 1 or bare.isdigit() or quoted)


def log_user(match: re.Match[str]) -> bool:
    """The third field of an access log names somebody."""
    return match["v"].lower() not in _SYSTEM_USERS and not match["v"].startswith("⟦")


def url_password(match: re.Match[str]) -> bool:
    """What stands between user and host of an address is a password, and no port before a path with an ``@`` in it."""
    value = match["v"]
    return not placeholder(value) and not ("/" in value and (re.match(r"\d{1,5}(?:/|$)", value, re.ASCII) or "//" in value))


def looks_secret(match: re.Match[str]) -> bool:
    """A value that looks like no word."""
    begin, end = value_of(match)
    return mixed(match.string[begin:end], 6) and not placeholder(match.string[begin:end])


def told_value(match: re.Match[str]) -> bool:
    """What a sentence says the password is: with letters, digits, and no mark that fields and numbers have."""
    value = match["v"]
    return (mixed(value, 6) and _DIGIT.search(value) is not None and not placeholder(value) and not MARK.search(value) and "=" not in value
            and not _CODE.fullmatch(value) and not re.fullmatch(r"[a-z]+-?\d{1,4}|\d+[a-z-]*|[A-Z][A-Z0-9_-]*|[\w-]+:\S*|\w*\(.*|[\w.-]+/.*|"
                r"[0-9a-f-]{16,}", value, re.ASCII))


def bare_token(match: re.Match[str]) -> bool:
    """A token in the place of a user in an address: long, with digits in it, and no name of a system."""
    return mixed(match["v"], 20) and _DIGIT.search(match["v"]) is not None


def not_placeholder(match: re.Match[str]) -> bool:
    """A value that stands for itself."""
    begin, end = value_of(match)
    return not placeholder(match.string[begin:end]) and not MARK.search(match.string[begin:end])


def has_run(match: re.Match[str]) -> bool:
    """A prefixed token that goes on as tokens do: digits and letters, a long run of them."""
    begin, end = value_of(match)
    value = match.string[begin:end]
    return not value.startswith(("sk-", "pul-", "xai-")) or bool(mixed(value) and re.search(r"[A-Za-z0-9]{16}", value, re.ASCII))


def header_value(match: re.Match[str]) -> bool:
    """The value of an Authorization header: anything with its scheme before it, else what looks like a secret."""
    value = match["v"]
    if "⟦" in value or len(value) < 4 or placeholder(value) or match.string[match.start() - 1:match.start()] == "⟦":
        return False
    if len(value) > 1000:
        return True
    if match["scheme"]:
        return mixed(value, 4) or not (value.isalpha() and (value.islower() or value.istitle() or value.isupper()))
    return mixed(value) and (len(value) >= 16 or bool(re.search(r"\d", value)))


def basic_value(match: re.Match[str]) -> bool:
    """``Basic`` before Base64 of ``user:password``."""
    value = match["v"]
    try:
        return b":" in base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False


def is_email(match: re.Match[str]) -> bool:
    """A mail address, and no address of a git server and no package with its version."""
    return match["user"].lower() != "git" and not re.search(r"\.(?:js|css|png|svg|json|git|service|socket|target|so)$", match[0], re.IGNORECASE)


def oauth_code(match: re.Match[str]) -> bool:
    """A ``code`` in the address of a callback."""
    left, right = before(match.string, match.start(), 200), match.string[match.end():match.end() + 80].partition("\n")[0]
    if len(match["v"]) >= 40 and match.string[match.start() - 1] in "?&" and all(re.search(kind, match["v"]) for kind in ("[a-z]", "[A-Z]", "[0-9]")):
        return True
    return bool(mixed(match["v"], 8) and re.search(r"callback|oauth|/cb\b|/auth|login|redirect|grant_type|[?&]state=", left + " " + right,
        re.IGNORECASE | re.ASCII))
