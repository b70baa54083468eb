"""Redaction: secrets and personal data out of text before anyone else sees it, each value under one pseudonym.

The rules are a table, ``RULES``: kind, a cheap test, a pattern, what of a match is the secret. Every pattern is bounded, so that the
time is linear in the text. Trace ids, UUIDs, commit hashes and digests are no secrets: the reader needs them.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from incidentnb import sinks
from incidentnb.record.team import Redaction

AUDIENCES = ("internal", "customer", "public")  # internal: secrets only; the others: personal data too
_MARK = re.compile(r"⟦[a-z]+:[0-9a-z]+⟧")


@dataclass(frozen=True)
class Rule:
    """One row of the table.

    Attributes:
        kind: what the secret is, as its pseudonym says: ``token``, ``password``, ``email`` …
        hint: lower-case texts of which one is in every text that the pattern can match; empty for none.
        pattern: finds it; the groups named ``v`` are the secret, without one the whole match is.
        accept: whether a match is one after all.
        personal: whether it is personal data, which an internal reader may see, and no secret.
        keep: whether what it matches stays readable, whatever another rule says of it.
    """

    kind: str
    hint: tuple[str, ...]
    pattern: re.Pattern[str]
    accept: Callable[[re.Match[str]], bool] = lambda match: True
    personal: bool = False
    keep: bool = False


def rules_of(given: Iterable[Redaction]) -> tuple[Rule, ...]:
    """The rules of a team file (``record.team``) as rules of this table."""
    return tuple(Rule(one.name, (), one.pattern, personal=one.action == "personal", keep=one.action == "keep") for one in given)


def redact(text: str, *, audience: str = "public", names: MutableMapping[str, str] | None = None, key: bytes | None = None,
           extra: Sequence[Rule] = ()) -> tuple[str, Counter[str]]:
    """Text as an audience may see it, and how many values of each kind were hidden.

    Args:
        text: any text; what is already a pseudonym stays.
        audience: ``internal`` hides secrets, ``customer`` and ``public`` personal data too.
        names: value → pseudonym so far; give the same mapping to every text of one export, so that counts and joins survive.
        key: makes the pseudonyms (HMAC-SHA-256), so that they agree between exports of one incident; without it they are numbered.
        extra: rules beside ``RULES``, asked before them; ``rules_of`` makes them of a team file.

    Raises:
        ValueError: no such audience.
    """
    if audience not in AUDIENCES:
        raise ValueError(f"no such audience: {audience}")
    names, counts, lower = {} if names is None else names, Counter(), text.lower()

    kept = [rule.pattern for rule in extra if rule.keep]

    def hide(kind: str, value: str) -> str:
        if any(pattern.fullmatch(value) for pattern in kept):
            return value
        counts[kind] += 1
        if value not in names:
            number = hmac.new(key, value.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:8] if key else str(len(names) + 1)
            names[value] = f"⟦{kind}:{number}⟧"
        return names[value]

    for rule in (*extra, *RULES):
        if rule.keep or (rule.personal and audience == "internal") or (rule.hint and not any(hint in lower for hint in rule.hint)):
            continue
        text = rule.pattern.sub(lambda match, rule=rule: _hidden(match, rule, hide), text)
    return text, counts


def _hidden(match: re.Match[str], rule: Rule, hide: Callable[[str, str], str]) -> str:
    if not rule.accept(match) or not match[0]:
        return match[0]
    if rule.kind == "cookie":
        pairs = _PAIR.sub(lambda pair: pair[0] if pair[1].strip().lower() in _COOKIE_ATTRIBUTES or _MARK.search(pair[2])
                          else f"{pair[1]}={hide('cookie', pair[2])}", match["v"])
        return match[0][:match.start("v") - match.start()] + pairs + match[0][match.end("v") - match.start():]
    for group in ("v", "w") if "v" in match.re.groupindex else ():
        if group in match.re.groupindex and match[group] is not None:
            value = match[group]
            if _MARK.search(value):
                return match[0]
            start, end = match.start(group) - match.start(), match.end(group) - match.start()
            return match[0][:start] + hide(rule.kind, value) + match[0][end:]
    return hide(rule.kind, match[0])


def redact_html(page: str, *, audience: str = "public", names: MutableMapping[str, str] | None = None, key: bytes | None = None,
                extra: Sequence[Rule] = ()) -> tuple[str, Counter[str]]:
    """A finished HTML page with what its readers see redacted: text between tags and attribute values, never image data.

    What an earlier text showed to be a secret (``names``) is hidden wherever it stands, also without its context.
    """
    names, counts = {} if names is None else names, Counter()
    known = known_values(names)

    def visible(match: re.Match[str]) -> str:
        if match["tag"] is not None:
            return match[0] if "data:image" in match[0] and 'alt="' not in match[0] else _ATTRIBUTE.sub(value, match[0])
        return cleaned(match[0])

    def value(match: re.Match[str]) -> str:
        return match[0] if match[2].startswith("data:image/") else f'{match[1]}"{cleaned(match[2])}"'

    def cleaned(escaped: str) -> str:
        if len(escaped) < 4 or escaped.isspace():
            return escaped
        plain = html.unescape(escaped)
        text, found = redact(plain, audience=audience, names=names, key=key, extra=extra)
        text, more = hide_known(text, known, names)
        counts.update(found)
        counts.update(more)
        return escaped if text == plain else html.escape(text)

    head, style, rest = page.partition("</style>")
    return (head + style + _PIECES.sub(visible, rest) if style else _PIECES.sub(visible, page)), counts


def redact_markdown(document: str, *, audience: str = "public", names: MutableMapping[str, str] | None = None, key: bytes | None = None,
                    extra: Sequence[Rule] = ()) -> tuple[str, Counter[str]]:
    """Markdown with what its readers see redacted, also where marks are written as character references (``sinks.markdown``)."""
    names = {} if names is None else names
    _, counts = redact(html.unescape(document), audience=audience, names=names, key=key, extra=extra)
    known = known_values(names)
    for value in [value for value in names if "\n" in value]:
        document = document.replace(value, names[value])
    lines = document.split("\n")
    for number, line in enumerate(lines):
        plain = html.unescape(line) if "&" in line else line
        shown, again = hide_known(redact(plain, audience=audience, names=names, key=key, extra=extra)[0], known, names)
        if shown == plain:
            continue
        counts.update(again)
        for value in [value for value in names if value in plain]:
            line = line.replace(sinks.markdown(value), names[value]).replace(value, names[value])
        left = hide_known(redact(html.unescape(line), audience=audience, names=dict(names), key=key, extra=extra)[0], known, names)[0]
        lines[number] = line if left == html.unescape(line) else sinks.markdown(shown, len(shown))
    return "\n".join(lines), counts


def known_values(names: MutableMapping[str, str]) -> re.Pattern[str] | None:
    """One pattern that finds each hidden secret by its value alone; ``None`` where there are none worth it (short, personal)."""
    worth = [value for value, name in names.items() if len(value) >= 8 and name[1:].split(":")[0] not in _PERSONAL]
    return re.compile("|".join(re.escape(value) for value in sorted(worth, key=len, reverse=True)[:1000])) if worth else None


def hide_known(text: str, known: re.Pattern[str] | None, names: MutableMapping[str, str]) -> tuple[str, Counter[str]]:
    """Text with every value that is known to be a secret under its pseudonym."""
    counts: Counter[str] = Counter()
    if known is None:
        return text, counts

    def hide(match: re.Match[str]) -> str:
        counts[names[match[0]][1:].split(":")[0]] += 1
        return names[match[0]]

    return known.sub(hide, text), counts


_PIECES = re.compile(r"(?P<tag><[^>]*>)|[^<]+")
_ATTRIBUTE = re.compile(r'((?:alt|title|content|href|aria-label|datetime)=)"([^"]*)"')
_COOKIE_ATTRIBUTES = {"path", "domain", "expires", "max-age", "samesite", "priority", "version"}
_PAIR = re.compile(r"([\w.-]{1,100})=([^;\s,\"']{1,4000})")
_PRODUCT = re.compile(r"(?:^|[\s(;,\"'])[A-Za-z][\w.-]{0,40}/$")
_EMPTY = {"true", "false", "null", "none", "undefined", "nil", "yes", "no", "ok", "on", "off", "redacted", "hidden", "masked", "removed",
          "filtered", "[redacted]", "[filtered]", "required", "missing", "invalid", "expired", "empty", "string", "str", "bytes"}


def _real_value(match: re.Match[str]) -> bool:
    """A value that could be a secret: no placeholder, no word that only tells of its state."""
    value = match["v"] if match["v"] is not None else match["w"]
    if match["v"] is None and value.isalpha() and not match["n"].lower().startswith("pass"):
        return False  # prose: "unexpected token: end", "signature: missing"
    return (value.strip("\\\"' ").lower() not in _EMPTY and not re.fullmatch(r"[*xX•.…_-]+|<[^>]*>|\$?\{[^}]*\}|%[sdr]|\$\w+", value)
            and not _MARK.match(value))


def _is_v4(match: re.Match[str]) -> bool:
    try:
        address = ipaddress.IPv4Address(match[0])
    except ValueError:
        return False
    before = match.string[max(0, match.start() - 44):match.start()]
    version = re.search(r"(?:\bv|\bversion[ =:]{1,3}|\brelease[ =:]{1,3})$", before, re.IGNORECASE) or _PRODUCT.search(before)
    return not (version or address.is_loopback or address.is_unspecified)


def _is_v6(match: re.Match[str]) -> bool:
    try:
        address = ipaddress.IPv6Address(match[0])
    except ValueError:
        return False
    return any(c.isdigit() for c in match[0]) and not (address.is_loopback or address.is_unspecified)


def _is_card(match: re.Match[str]) -> bool:
    """A payment card: a length that its issuer's prefix has, a right check digit (Luhn, ISO/IEC 7812-1), and no id by its name."""
    digits = re.sub(r"\D", "", match[0])
    lengths = next((lengths for prefix, lengths in _ISSUERS if re.match(prefix, digits)), ())
    total = sum(sum(divmod(int(d) * (1 + i % 2), 10)) for i, d in enumerate(reversed(digits)))
    before = match.string[max(0, match.start() - 24):match.start()].lower()
    named = re.search(r"(?:trace|span|request|req|correlation|parent|tx|transaction)[_.-]?id\W{0,4}$", before)
    return len(digits) in lengths and total % 10 == 0 and not named


def _is_phone(match: re.Match[str]) -> bool:
    return 9 <= sum(c.isdigit() for c in match[0]) <= 15


def _is_email(match: re.Match[str]) -> bool:
    return match["user"].lower() != "git"


_ISSUERS = ((r"4", (13, 16, 19)), (r"5[1-5]", (16,)), (r"2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)", (16,)), (r"3[47]", (15,)),
            (r"6(?:011|4[4-9]|5)", (16, 17, 18, 19)), (r"3(?:0[0-5]|6|8)", (14,)), (r"35", (16, 17, 18, 19)), (r"62", (16, 17, 18, 19)))
_SECRET_NAME = (r"(?<!⟦)(?P<n>pass(?:word|wd|phrase|code)|(?<![a-z])(?:pass|pwd)|secret(?:[_-]?access)?(?:[_-]?key(?:[_-]?base)?)?|"
                r"(?:api|access|account|private|signing|encryption|master|shared|auth|function)[_-]?key|token|credentials?|"
                r"session[_-]?id|(?<![a-z])sid|(?<![a-z])jsessionid|phpsessid|(?<![a-z])sig|signature|(?<![a-z])otp|(?<![a-z])cvv|"
                r"(?<![a-z])cvc|(?<![a-z])pin|x-api-key|client[_-]?assertion|code[_-]?verifier)")
_PREFIXES = (
    r"A(?:KIA|SIA|GPA|IDA|ROA|NPA)[A-Z2-7]{16}|A(?:KIA|SIA)[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_\w{22,255}|"
    r"gl(?:pat|rt|dt|cbt|ptt|agent|soat)-[\w-]{20,128}|xox[abeoprs]-[\w-]{10,250}|xapp-[\w-]{10,250}|"
    r"[spr]k_(?:live|test)_[A-Za-z0-9]{10,250}|whsec_[A-Za-z0-9+/=]{16,128}|sk-(?:ant-|proj-|or-)?[\w-]{20,250}|AIza[\w-]{30,45}|"
    r"ya29\.[\w-]{20,400}|GOCSPX-[\w-]{20,60}|npm_[A-Za-z0-9]{36}|pypi-[\w-]{40,400}|do[opr]_v1_[a-f0-9]{64}|"
    r"SG\.[\w-]{16,64}\.[\w-]{16,128}|hv[sb]\.[\w-]{20,400}|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|dapi[a-f0-9]{32}|"
    r"lin_api_[A-Za-z0-9]{30,60}|glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}|rubygems_[a-f0-9]{48}|hf_[A-Za-z0-9]{30,60}|dckr_pat_[\w-]{20,60}|"
    r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}|EAA[A-Za-z0-9]{40,400}|AGE-SECRET-KEY-1[A-Z0-9]{58}|sq0(?:atp|csp)-[\w-]{22,60}|"
    r"ntn_[A-Za-z0-9]{40,60}|secret_[A-Za-z0-9]{40,60}|tfp_\w{40,80}|key-[0-9a-f]{32}|nvapi-[\w-]{40,100}")
_PREFIX_HINTS = ("akia", "asia", "agpa", "aida", "aroa", "anpa", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "glrt-",
                 "gldt-", "glcbt-", "glptt-", "glagent-", "glsoat-", "xox", "xapp-", "_live_", "_test_", "whsec_", "sk-", "aiza", "ya29.",
                 "gocspx-", "npm_", "pypi-", "_v1_", "sg.", "hvs.", "hvb.", "shp", "dapi", "lin_api_", "glsa_", "rubygems_", "hf_",
                 "dckr_pat_", "pmak-", "eaa", "age-secret-key-1", "sq0", "ntn_", "secret_", "tfp_", "key-", "nvapi-")

RULES: tuple[Rule, ...] = (
    Rule("pem", ("private key",), re.compile(
        r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----(?P<v>[^-]{1,20000})(?:-----END [A-Z0-9 ]{0,30}-----)?")),
    Rule("password", ("://",), re.compile(r"(?<![\w+.-])[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@\"'<>]{0,100}:(?P<v>[^\s/@\"'<>]{1,300})@")),
    Rule("token", _PREFIX_HINTS, re.compile(rf"(?<![A-Za-z0-9_])(?:{_PREFIXES})(?![A-Za-z0-9_])")),
    Rule("webhook", ("hooks.", "webhook"), re.compile(
        r"(?:hooks\.slack\.com/(?:services|workflows|triggers)/|discord(?:app)?\.com/api/webhooks/|webhook\.office\.com/webhookb2/)"
        r"(?P<v>[\w/@.-]{8,300})")),
    Rule("token", ("eyj",), re.compile(r"(?<![A-Za-z0-9_-])eyJ[\w-]{5,4000}\.[\w-]{5,8000}(?:\.[\w-]{0,2000}){0,3}")),
    Rule("authorization", ("authorization",), re.compile(
        r"authorization\\?[\"']?\s{0,3}[:=]\s{0,3}\\?[\"']?(?:(?:basic|bearer|digest|token|negotiate|apikey|api-key)\s{1,3})?"
        r"(?P<v>[^\s\"',;\\]{4,8000})", re.IGNORECASE), lambda m: not m["v"].isalpha()),
    Rule("authorization", ("bearer",), re.compile(r"\bbearer\s{1,3}(?P<v>[A-Za-z0-9._~+/=-]{16,8000})", re.IGNORECASE)),
    Rule("cookie", ("cookie",), re.compile(
        r"(?:set-)?cookie\\?[\"']?\s{0,3}[:=]\s{0,3}\\?[\"']?(?P<v>[^\r\n\"'<>\\]{1,8000})", re.IGNORECASE)),
    Rule("password", ("pass", "pwd", "secret", "key", "token", "credential", "session", "sid", "sig", "otp", "cvv", "cvc", "pin", "code"),
         re.compile(rf"{_SECRET_NAME}\\?[\"']?\s{{0,3}}(?:=>|[:=])\s{{0,3}}"
                    r"(?:(?P<q>\\?[\"'])(?P<v>[^\r\n]{1,500}?)(?P=q)|(?P<w>[^\s,;&\"'<>()\]}|\\]{1,500}))", re.IGNORECASE), _real_value),
    Rule("email", ("@",), re.compile(r"(?<![\w.+-])(?P<user>[\w+-][\w.+-]{0,63})@(?:[A-Za-z0-9-]{1,63}\.){1,6}[A-Za-z]{2,24}(?![\w-])"),
         _is_email, True),
    Rule("ipv4", (".",), re.compile(r"(?<![\w.-])\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.\d)"), _is_v4, True),
    Rule("ipv6", (":",), re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])"), _is_v6, True),
    Rule("card", (), re.compile(r"(?<![\w.+-])\d(?:[ -]?\d){12,18}(?![\w-]|\.\d)"), _is_card),
    Rule("ssn", ("-",), re.compile(r"(?<![\w-])(?!000|666|9\d\d)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w-])"), personal=True),
    Rule("phone", ("+",), re.compile(r"(?<![\w+.=/])\+[1-9]\d{0,2}(?:[ .-]?\(?\d{1,4}\)?){2,6}(?![\w:])"), _is_phone, True),
)
_PERSONAL = {rule.kind for rule in RULES if rule.personal}


_PICTURES = ("image/png", "image/jpeg", "image/gif")
_HOW = {"text/html": redact_html, "image/svg+xml": redact_html, "text/markdown": redact_markdown}


@dataclass
class Eyes:
    """One export's way of seeing text: its audience, its pseudonyms, and the count of what it hid."""

    audience: str
    key: bytes | None = None
    extra: Sequence[Rule] = ()
    known: Mapping[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    hidden: Counter[str] = field(default_factory=Counter)

    def learn(self, notebook: Mapping[str, Any]) -> None:
        """Learn from the fields of a notebook's tables which values are secret."""

    def see(self, text: str, how: Callable[..., tuple[str, Counter[str]]] = redact) -> str:
        """A text as these eyes may see it."""
        shown, found = how(text, audience=self.audience, names=self.names, key=self.key, extra=self.extra)
        self.hidden.update(found)
        return shown

    def over(self, data: bytes, name: str) -> bytes:
        """A finished page or document seen once more, by the kind that its name tells."""
        if name.endswith(".html"):
            return self.see(data.decode("utf-8"), redact_html).encode("utf-8", "replace")
        if name.endswith(".md"):
            return self.see(data.decode("utf-8"), redact_markdown).encode("utf-8", "replace")
        return data

    def check(self, artefacts: Mapping[str, bytes]) -> None:
        """Refuse the export where a value that is known to be a secret is still in any byte of it."""

    def told(self) -> list[dict[str, Any]]:
        """Kinds and counts of what was hidden so far, by kind."""
        return [{"kind": kind, "count": count} for kind, count in sorted(self.hidden.items())]

    def redacted(self, value: Any, mime: str = "") -> Any:
        """Nested plain values with every text mended (nothing in it is invisible) and redacted; pictures stay as they are."""
        if isinstance(value, str):
            if mime in _PICTURES or len(value) < 4:
                return value
            return self.see(sinks.visible(value, keep="\n\t\r\x1b"), _HOW.get(mime, redact))
        if isinstance(value, Mapping):
            return {(sinks.visible(k) if isinstance(k, str) else k): self.redacted(v, str(k)) for k, v in value.items()}
        if isinstance(value, list | tuple):
            if value and (mime in ("source", "text") or "/" in mime) and all(isinstance(line, str) for line in value):
                return self.redacted("".join(value), mime)  # a secret may run over its lines
            return [self.redacted(part, mime) for part in value]
        return value
