"""The rules, one row a kind of secret: where to look, the pattern, the check. Every pattern is bounded, so that the time is linear in the text.

Trace ids, UUIDs, commit hashes, digests, versions and numbers are no secrets: the reader needs them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from incidentnb.publish.hiding import accept, numbers, prefixes, told
from incidentnb.record.team import Redaction

Span = tuple[int, int]
FOLD = bytes(c + 32 if 65 <= c <= 90 else 48 if 49 <= c <= 57 else c for c in range(256))  # capitals small, every digit 0
_DIGITS = "0123456789"
_WORD = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"


@dataclass(frozen=True)
class Rule:
    """One row of the table.

    Attributes:
        kind: what the secret is, as its pseudonym says: ``token``, ``password``, ``email`` …
        hint: lower-case texts of which one stands where each match begins, or ``lead`` before it; empty: the pattern is asked everywhere.
        pattern: finds it; the groups of ``accept.GROUPS`` are the secret, without one the whole match is.
        accept: whether a match is one after all.
        personal: whether it is personal data, which an internal reader may see, and no secret.
        keep: whether what it matches stays readable, whatever another rule says of it.
        why: what gave it away, in words.
        lead: the characters of which up to 64 may stand between the beginning of a match and its hint.
        anchor: finds the hints where they are no fixed texts: in the folded text (``FOLD``) if it is made for bytes, else in the text.
        gate: a quick look at the place of a hint before the pattern is asked.
        spans: the places to hide in an accepted match, where that is not one.
        lines: whether a match may run over several lines.
        first: the characters that a match may begin with; empty for any.
        sight: what the folded text of a piece must have for the rule to be asked, in RE2's language; by default one of many hints.
    """

    kind: str
    hint: tuple[str, ...]
    pattern: re.Pattern[str]
    accept: Callable[[re.Match[str]], bool] = lambda match: True
    personal: bool = False
    keep: bool = False
    why: str = ""
    lead: str = ""
    anchor: re.Pattern[bytes] | re.Pattern[str] | None = None
    gate: Callable[[str, int], bool] | None = None
    spans: Callable[[re.Match[str]], list[Span]] | None = None
    lines: bool = False
    sight: str = ""
    first: str = ""
    needles: tuple[bytes, ...] = field(default=(), compare=False)
    last: bool = field(default=False, compare=False)
    group: str | int | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "needles", tuple(hint.encode("ascii", "replace").translate(FOLD) for hint in self.hint))
        object.__setattr__(self, "last", "w" in self.pattern.groupindex)
        groups = [group for group in accept.GROUPS if group in self.pattern.groupindex]
        object.__setattr__(self, "group", groups[0] if len(groups) == 1 else 0 if not groups else None)

    def places(self, match: re.Match[str]) -> list[Span]:
        """What to hide of a match; nothing where it is none after all."""
        if not match[0] or not self.accept(match):
            return []
        if self.spans is not None:
            return self.spans(match)
        return [match.span(match.lastgroup)] if self.last and match.lastgroup else [accept.value_of(match)]


def rules_of(given: Iterable[Redaction]) -> tuple[Rule, ...]:
    """The rules of a team file (``record.team``) as rules of this table."""
    return tuple(Rule(one.name, (), one.pattern, personal=one.action == "personal", keep=one.action == "keep", why="a rule of the team file",
                      lines=True) for one in given)


_ATTRIBUTES = {"path", "domain", "expires", "max-age", "samesite", "priority", "version"}
_PAIR = re.compile(r"([\w.%$-]{1,100})[\"']?[=:]\s?[\"']?([^;\s,\"'<>\\\[\]{}]{1,4000})", re.ASCII)


def _cookies(match: re.Match[str]) -> list[Span]:
    """The value of every cookie of a header; of a lone value, that."""
    at, value = match.start("v"), match["v"]
    if match.string[match.start() - 1:match.start()] == "⟦":
        return []
    pairs = [(at + one.start(2), at + one.end(2)) for one in _PAIR.finditer(value)
             if one[1].lower() not in _ATTRIBUTES and not accept.MARK.search(one[2]) and not accept.placeholder(one[2])]
    lone = "=" not in value and ":" not in value and accept.mixed(value, 12)
    return pairs or ([match.span("v")] if lone else [])


_INNER = re.compile(r"[\"'](?:id|name|username|user_name|login|uuid|email)\\{0,7}[\"']\s?:\s?(?:\\{0,7}[\"'](?P<v>[^\"'\\\r\n]{1,200})|"
    r"(?P<w>\d{1,20}))", re.ASCII)


def _users(match: re.Match[str]) -> list[Span]:
    """Who a nested object says that somebody is."""
    at = match.start("o")
    found = [(at + start, at + end) for start, end in (accept.value_of(one) for one in _INNER.finditer(match["o"]))]
    return [(s, e) for s, e in found if not accept.placeholder(match.string[s:e]) and not accept.MARK.search(match.string[s:e])
            and match.string[s:e].lower() not in ("root", "admin", "system", "anonymous", "guest")]


_CELL = re.compile(r"\s*(?:'((?:[^'\\]|\\.|'')*)'|\"((?:[^\"\\]|\\.)*)\"|([^,'\"]*))\s*(?:,|$)", re.ASCII)


def _inserted(match: re.Match[str]) -> list[Span]:
    """The values of an INSERT whose columns have names of secrets."""
    columns = [name.strip(" `\"'[]") for name in match["columns"].split(",")]
    found, at = [], match.start("values")
    for name in columns:
        one = _CELL.match(match.string, at, match.end("values"))
        if one is None:
            break
        group = next((n for n in (1, 2, 3) if one[n]), 0)
        if group and accept.names.secret(name) and not accept.placeholder(one[group]) and not accept.MARK.search(one[group]):
            found.append(one.span(group))
        at = one.end()
    return found


_QUOTE = r"(?:\\{0,7}[\"'`]|%2[27]|&quot;|&\#3[49];|&apos;)"
_STOP = r"26|22|27|2[cC]|20|7[dD]|0[aAdD]|3[bBeE]"
# how the value follows the name of a field: = : => in quotes or without, percent-encoded, in XML, after an option, as the second of a pair
_BARE = r"(?-i:[^\s,;&\"'`<>()\[\]{}|\\])"  # letters are not folded in it: nothing else takes as long
_ON = r"[,;&|)](?=[A-Za-z0-9!@#$%^*])(?![\w.%-]{1,40}\s?[=:])"  # a mark inside a bare value, and no border to the next field
_VALUE = (
    rf"[A-Za-z0-9_.-]{{0,48}}+)(?:{_QUOTE}?(?:\]|%5[dD])?[ \t]{{0,40}}+(?:(?:=>|->|:=|===?|[:=])(?:\\t|[ \t]{{0,8}})"
    rf"(?:\[|\()?(?:[bBrRuUfF](?=[\"']))?(?:SecretStr\()?(?:"
    r"\"(?P<d>(?!\")[^\"\\\r\n]{0,4000}+(?:\\.[^\"\\\r\n]{0,4000}+){0,400}+)\"|'(?P<s>(?!')[^'\\\r\n]{0,4000}+(?:\\.[^'\\\r\n]{0,4000}+){0,400}+)'"
    r"|(?P<q>\\{1,7}[\"'`]|`)(?P<v>(?:(?!(?P=q))(?:\\.|[^\r\n\\])){1,4000}+)(?P=q)"
    r"|(?P<p>%2[27]|&quot;|&\#3[49];|&apos;)(?P<h>(?:(?!(?P=p))[^\s\"'<>]){1,4000}+)(?P=p)"
    rf"|(?:\\{{0,7}}[\"'`])?(?P<w>(?:{_BARE}{{1,4000}}+|{_ON}){{1,400}}+))"
    rf"|(?:%3[AaDd]|\\{{1,3}}u003[aAdD])(?:%20)?(?:%2[27])?(?P<e>(?:(?-i:[^\s&\"'<>%,;\\]){{1,4000}}+|%(?!{_STOP})|\\(?!u00)){{1,400}}+))"
    r"|(?:[\"'][^<>\r\n]{0,60}|[ \t][^<>\r\n]{0,100})?>(?:<!\[CDATA\[)?(?P<x>[^<>\r\n\]]{1,4000}+)(?=<|\]\]>)"
    rf"|{_QUOTE}[ \t]{{0,3}}[,;]?[ \t]{{0,3}}(?P<more>{_QUOTE}?(?:[vV]alue|val|"
    rf"v){_QUOTE}?[ \t]{{0,3}}[:=][ \t]{{0,3}})?b?{_QUOTE}(?P<z>[^\r\n\"'\\<>&]{{1,1000}}+)(?={_QUOTE}))")
# what may follow a field's name, folded
_SIGHT = r"[a-z0_.-]{0,48}(?:[\"'`\]\\]|&quot;|%00|%0d)*[ \t]{0,40}(?:[=:,;>]|->|%0[ad]|u000[ad]|&quot;|%00|[\"'` ]+val)"
_SECRET_HINTS = ("pass", "pw", "secret", "token", "key", "sess", "sid", "sig")
_RARER_HINTS = ("auth", "cred", "otp", "cvv", "cvc", "pin", "csrf", "xsrf", "code", "assertion", "verifier", "saml", "bearer", "psk",
                 "kennwort")
_CODE_SIGHT = f"(?:{'|'.join(sorted(accept.names.CODES))})[^a-z0]{{0,2}}code"
_RARER_SIGHT = "|".join(hint for hint in _RARER_HINTS if hint not in ("auth", "code"))
_USER_HINTS = ("user", "usr", "login", "customer", "subscriber")
_PHONE_HINTS = ("phone", "mobile", "msisdn", "tel", "fax", "whatsapp")
_SEPARATED = r"\\{0,7}[\"']?\]?[ \t]{0,3}(?:=>|[:=,>]|%3[AaDd])(?:[ \t]|%20){0,3}\[?(?:b(?=[\"']))?\\{0,7}[\"']?"
_PEM_BREAK = r"(?:\\+[rn]|[ \t\r\n\"',|⏎␊␍]){0,80}+"


def _pattern(text: str, flags: int = 0) -> re.Pattern[str]:
    return re.compile(text, re.ASCII | flags)


_I = re.IGNORECASE
RULES: tuple[Rule, ...] = (
    Rule("pem", ("-----begin",), _pattern(
        r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----(?P<v>"
        rf"(?:{_PEM_BREAK}(?:(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset): ?[^\n\\]{{1,80}}|[A-Za-z0-9+/]{{16,}}+={{0,2}}|=[A-Za-z0-9+/]{{4}}|"
        r"[A-Za-z0-9+/]{1,15}={0,2}(?=(?:\\+[rn]|[ \t\r\n\"',|⏎␊␍]){0,8}(?:-----|\Z)))){1,2000})"), why="a private key between its marks",
            lines=True),
    Rule("pem", ("-----begin",), _pattern(told.PREFIXED_PEM), spans=told.pem_lines, why="a private key between its marks", lines=True),
    Rule("pem", ("ls0tls0cru",), _pattern(r"(?<![A-Za-z0-9+/])LS0tLS1CRUdJTi(?!BD)[A-Za-z0-9+/]{20,20000}+={0,2}"), told.coded_pem,
         why="a private key in Base64", lines=True),
    Rule("password", ("name", "key\":", "key: "), _pattern(told.NAME_AND_VALUE, _I), told.named_below, why="the name of its field", lines=True,
         gate=told.ends_soon),
    Rule("password", ("://",), _pattern(r"://[^\s/:@\"'<>\[]{0,100}:(?P<v>[^\s\"'<>]{1,300})@"), accept.url_password,
         why="it stands before the @ of an address"),
    Rule("token", ("://",), _pattern(r"://(?P<v>[A-Za-z0-9_-]{20,200})(?::x-oauth-basic|:)?@"), accept.bare_token,
        why="it stands before the @ of an address"),
    Rule("password", ("@tcp(", "@unix("), _pattern(r"(?<![^\s\"'=(,])[\w.-]{1,60}:(?P<v>[^\s:@/\"'=(,]{1,60})@(?:tcp|unix)\("),
        why="a data source name", lead=_WORD + ".-:!#$%^&*+?~;|)[]{}<>"),
    Rule("webhook", ("hooks.", "webhook", "integration/", "bot/v2/hook/"), _pattern(
        r"(?:hooks\.slack\.com/(?:services|workflows|triggers)/|webhooks/(?=\d{15,20}/)|webhook\.office\.com/webhookb2/|"
        r"hooks\.zapier\.com/hooks/catch/|"
        r"outlook\.office\.com/webhook/|webhook/send\?key=|integration/(?=[0-9a-f]{32}/)|bot/v2/hook/)(?P<v>[\w/@.-]{8,300})"),
        lambda m: not accept.placeholder(m["v"]), why="the address of a webhook"),
    Rule("token", prefixes.HINTS, _pattern(rf"{prefixes.FREE}(?:{prefixes.PREFIXES})(?![A-Za-z0-9_])"), accept.has_run, why="a token by its prefix",
         sight=prefixes.SIGHT),
    Rule("token", (":aa",), _pattern(rf"{prefixes.FREE}(?:bot)?\d{{8,10}}:AA[\w-]{{32,34}}(?![\w-])"), why="a bot's token by its shape",
        lead=_DIGITS + "bot"),
    Rule("token", ("8q~", "7q~", "6q~"), _pattern(r"(?:(?<![\w~.])|(?<=%[0-9A-Fa-f]{2}))[\w~.]{3}\dQ~[\w~.-]{31,36}"),
        why="a client secret by its shape", lead=_WORD + "~."),
    Rule("token", ("-us",), _pattern(rf"{prefixes.FREE}[0-9a-f]{{32}}-us\d{{1,2}}(?![\w-])"), why="a key by its shape", lead="0123456789abcdef"),
    Rule("token", (), _pattern(rf"{prefixes.FREE}SK[0-9a-f]{{32}}(?![A-Za-z0-9_])"), why="a key by its prefix", anchor=re.compile(rb"sk[0a-f]{32}")),
    Rule("token", ("eyj",), _pattern(r"(?:(?<![A-Za-z0-9_-])|(?<=%[0-9A-Fa-f]{2})|"
        r"(?<=\\[nrt]))eyJ[\w-]{5,4000}\.[\w-]{5,8000}(?:\.[\w-]{0,2000}){0,3}"),
         why="a JSON Web Token"),
    Rule("authorization", ("authorization",), _pattern(
        rf"authorization{_SEPARATED}digest[ \t]{{1,3}}(?P<v>[a-z-]{{2,20}}=(?:\\?\"[^\"\\\r\n]{{0,500}}\\?\"|[^\s,\"]{{1,500}})"
        r"(?:,[ \t]?[a-z-]{2,20}=(?:\\?\"[^\"\\\r\n]{0,500}\\?\"|[^\s,\"]{1,500})){0,20})", _I), accept.not_placeholder,
            why="the header Authorization",
         gate=lambda text, at: "igest" in text[at:at + 40] or "IGEST" in text[at:at + 40]),
    Rule("authorization", ("authorization",), _pattern(
        rf"authorization{_SEPARATED}(?P<scheme>(?:basic|bearer|digest|token|negotiate|ntlm|apikey|api-key|key|hawk|hmac|aws4-hmac-sha256|"
        rf"sharedkey|sso-key|splunk|"
        r"genie-?key|bot|jwt|sharedaccesssignature|googlelogin|oauth|bearertoken)(?:\\?[ \t]|%20){1,3}(?:token=|auth=|oauth )?)?"
        r"(?P<v>(?:(?-i:[^\s\"',;\\<>\])&%]){1,8000}+|%(?!22|26|0[aAdD])|,[ ]?(?=[A-Za-z]{2,20}=)){1,400}+)", _I), accept.header_value,
            why="the header Authorization"),
    Rule("authorization", ("bearer",), _pattern(r"bearer(?:[ \t]|%20){1,3}(?P<v>[A-Za-z0-9._~+/=-]{16,8000}+)", _I), accept.looks_secret,
        why="it follows the word bearer"),
    Rule("authorization", ("basic ",), _pattern(r"(?<![A-Za-z])basic (?P<v>[A-Za-z0-9+/]{8,800}+={0,2})", _I), accept.basic_value,
        why="it follows the word basic"),
    Rule("cookie", ("cookie",), _pattern(
        r"cookies?\\{0,7}[\"']?\]?[ \t]{0,3}(?:=>|[:=,>]|%3[AaDd])[ \t]{0,3}(?:\[[ \t]?)?(?:\{[ \t]?)?\\{0,7}[\"']?(?P<v>"
        r"[\w.%$-]{1,100}=[^\r\n;\"'<>\\\s\]}]{1,4000}"
        r"(?:;[ \t]?[\w.%$-]{1,100}(?:=\"?[^\r\n;\"'<>\\\s]{0,4000}(?:\"(?=;|\s|\Z))?)?){0,60}"
        r"|[\w.%$-]{1,100}\\{0,7}[\"']?[ ]?:[ ]?\\{0,7}[\"'][^\r\n\"'\\}]{1,4000}"
        r"(?:\\{0,7}[\"'],[ ]?\\{0,7}[\"'][\w.%$-]{1,100}\\{0,7}[\"'][ ]?:[ ]?\\{0,7}[\"'][^\r\n\"'\\}]{1,4000}){0,60}"
        r"|[A-Za-z0-9+/%_.-]{12,4000})", _I), spans=_cookies, why="the value of a cookie"),
    Rule("cookie", (" -b ", "--cookie "), _pattern(r"(?: -b|--cookie) [\"']?(?P<v>[\w.%$-]{1,100}=[^\r\n\"']{1,4000})", _I), spans=_cookies,
        why="the value of a cookie"),
    Rule("password", ("insert into",), _pattern(
        r"insert into [^\s(]{1,100}\s?\((?P<columns>[^()\r\n]{1,1000})\)\s?values\s?\((?P<values>[^()\r\n]{1,4000})\)", _I), spans=_inserted,
        why="the column of an INSERT"),
    Rule("password", ("identified by ", "password '", "password('", "password \"", "password \\\"", "identified with "), _pattern(
        r"(?:identified by|password|identified with [\w']{1,40} (?:by|as)) (?:password )?(?:'(?P<v>[^'\r\n]{1,300})'|"
        r"(?P<q>\\?\")"
        r"(?P<d>[^\s\"\\]{4,300})(?P=q))|(?<![\w.>:])password\('(?P<s>[^'\r\n]{1,300})'\)", _I),
            accept.not_placeholder, why="it follows the word password"),
    Rule("password", (" -u ", "--user ", "--proxy-user "), _pattern(
        r"(?: -u|--user|--proxy-user) [\"']?[^\s:\"'/]{0,100}:(?P<v>[^\s\"'/@]{2,200})(?=[\s\"']|\Z)", _I),
            lambda m: not m["v"].isdigit() and accept.not_placeholder(m), why="user:password after an option"),
    Rule("password", ("mysql", "mariadb"), _pattern(
        r"(?:mysql|mariadb)(?:dump|admin|import)?[ \t](?:[^\s|;]{1,100}[ \t]){0,12}?-p(?P<v>[^\s\"'|;-][^\s\"'|;]{1,200})", _I),
            accept.not_placeholder, why="the option -p of mysql"),
    Rule("password", ("sshpass -p ", "redis-cli", "docker login", "ldapsearch", "smbclient", "mongo"), _pattern(
        r"(?:sshpass|redis-cli|docker login|ldapsearch|mongo(?:sh|dump)?)[ \t](?:[^\s|;]{1,100}[ \t]){0,12}?-[apw][ \t]?[\"']?(?P<v>[^\s\"'|"
        r";-][^\s\"'|;]{1,200})", _I),
        accept.not_placeholder, why="the option of a password"),
    Rule("password", _SECRET_HINTS, _pattern(rf"(?P<n>(?:{'|'.join(_SECRET_HINTS)}){_VALUE}", _I), accept.secret_value, gate=accept.secret_field,
         why="the name of its field", sight=f"(?:{'|'.join(_SECRET_HINTS)}){_SIGHT}"),
    Rule("password", _RARER_HINTS, _pattern(rf"(?P<n>(?:{'|'.join(_RARER_HINTS)})(?!orization[\"'\\ :=>\]]){_VALUE}", _I), accept.secret_value,
        gate=accept.secret_field,
         why="the name of its field", sight=f"(?:auth[a-np-z_.-]|auth[^a-z]|{_CODE_SIGHT}|{_RARER_SIGHT}){_SIGHT}"),
    Rule("password", (" --", " -"), _pattern(r" --?(?P<n>[A-Za-z][A-Za-z0-9_.-]{2,48}+)(?:[ \t]{1,3}|=)[\"']?(?P<v>[^\s\"'<>|;&=-][^\s\"'<>|"
        r";&]{1,4000}+)"),
         accept.option_value, why="the option of a secret"),
    Rule("password", ("password ", "password\t", "passphrase ", "passcode ", "secret ", "token "), _pattern(
        r"(?:pass(?:word|phrase|code)[ \t](?:for [^\s:]{1,60}:? |(?:is|was|(?:re)?set to|changed to|to)[ :]{1,2})?|(?:secret|token) (?:is|"
        r"was) )[\"'`]?(?P<v>[^\s\"'`]{6,200})(?<![.,;])", _I),
        accept.told_value, why="a sentence that tells it"),
    Rule("password", ("oracle:thin:", "oracle:oci:"), _pattern(r"oracle:(?:thin|oci):[^\s/@:\"']{1,60}/(?P<v>[^\s@/\"']{1,100})@", _I),
         accept.not_placeholder, why="it stands before the @ of an address"),
    Rule("password", ("$0$", "$0a$", "$0b$", "$0x$", "$0y$", "$y$", "$apr0$", "$argon0"), _pattern(
        r"(?<![\w$])\$(?:[156y]|2[abxy]|apr1|argon2(?:id|[id]))\$[\w./+=,$-]{20,300}"), why="a password's hash by its shape"),
    Rule("token", (".atlasv0.",), _pattern(rf"{prefixes.FREE}[A-Za-z0-9]{{14}}\.atlasv1\.[\w-]{{60,70}}"), why="a token by its shape", lead=_WORD),
    Rule("token", (":apa00b",), _pattern(r"(?<![\w-])[\w-]{8,30}:APA91b[\w-]{100,200}"), why="a token by its shape", lead=_WORD + "-"),
    Rule("token", ("ticket=",), _pattern(r"(?<=[?&])ticket=(?P<v>[SP]T-\d{1,9}-[\w.-]{10,200})"), why="a ticket by its shape"),
    Rule("token", ("key=",), _pattern(r"(?<=[?&])key=(?P<v>[A-Za-z0-9_-]{20,200})(?![\w./%:-])"), told.random, why="the key of a query"),
    Rule("token", told.LINKS, _pattern(rf"(?:{'|'.join(told.LINKS)})[a-z_-]{{0,20}}/(?P<v>[A-Za-z0-9_-]{{20,200}})(?![\w./%-])", _I),
         told.random, why="the link of a mail", sight=rf"(?:{'|'.join(told.LINKS)})[a-z_-]{{0,20}}/[a-z0_-]{{20}}"),
    Rule("password", ("requirepass ", "masterauth ", "\"auth\" \"", "auth plain ", "auth login ", "> pass ", "c: pass "), _pattern(
        r"(?:requirepass|masterauth|auth plain|auth login|> pass|c: pass) \"?(?P<v>[^\s\"]{4,300})|\"auth\" (?:\"[^\"\r\n]{1,60}\" )?"
        r"\"(?P<s>[^\"\r\n]{1,300})\"", _I), told.protocol, why="the command of a login"),
    Rule("password", ("\" -> \"",), _pattern(r"\" -> \"(?P<v>[^\"\r\n]{1,1000})\""), told.changed, why="what a password was changed to"),
    Rule("password", told.CODE_HINTS, _pattern(
        r"(?:verification|security|one-time|confirmation|login|sms|2fa|mfa) (?:pass)?code(?: is)?:? {1,2}\"?(?P<v>\d{4,8})(?![\w.:-])", _I),
         why="a sentence that tells it"),
    Rule("token", ("code=", "code%3d"), _pattern(r"(?<=[?&\s])code=(?P<v>[\w%~./+-]{8,500})"), accept.oauth_code, why="the code of a callback"),
    Rule("email", ("@", "%40"), _pattern(
        r"(?<![A-Za-z0-9_.+-])(?P<user>[A-Za-z0-9_+-][A-Za-z0-9_.+-]{0,63})(?:@|%40)(?:[A-Za-z0-9\u00c0-\u017f-]{1,63}\.){1,6}[A-Za-z]{2,24}(?![\w-])"),
        accept.is_email, True, why="a mail address", lead=_WORD + ".+-"),
    Rule("ipv4", (" > ",), _pattern(r"(?<![\w.-])(?P<v>\d{1,3}(?:\.\d{1,3}){3})\.\d{1,5} > (?P<s>\d{1,3}(?:\.\d{1,3}){3})(?:\.\d{1,5})?(?![\w.-])"),
         personal=True, why="an IPv4 address", lead=_DIGITS + ".", spans=told.both),
    Rule("ipv4", (), _pattern(r"(?<![\w.-])\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.\d)"), numbers.is_v4, True, why="an IPv4 address", lead=_DIGITS,
         anchor=re.compile(rb"\.0{1,3}\.0{1,3}\.0")),
    Rule("ipv6", (), _pattern(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])"), numbers.is_v6, True, why="an IPv6 address",
         lead="0123456789abcdefABCDEF:", anchor=re.compile(rb"::|:[0a-f]{1,4}:[0a-f]{1,4}:[0a-f]{1,4}:[0a-f]{1,4}:[0a-f]{1,4}:")),
    Rule("iban", (), _pattern(r"(?<![A-Za-z0-9_])[A-Z]{2}\d\d(?:[A-Z0-9]{11,30}|(?:[ -][A-Z0-9]{4}){2,7}(?:[ -][A-Z0-9]{1,3})?)(?![A-Za-z0-9_])"),
        numbers.is_iban,
         why="an account number with right check digits", anchor=re.compile(r"[A-Z][A-Z][0-9][0-9][ -]?[A-Z0-9]{4}[ -]?[A-Z0-9]{4}")),
    Rule("card", (), _pattern(rf"{prefixes.FREE}(?<![.+-])\d(?:[ -]?\d){{12,18}}(?![A-Za-z0-9_-]|\.\d)"), numbers.is_card,
        why="a card number with a right check digit", first="23456",
         lead=_DIGITS, anchor=re.compile(rb"0000(?:0{9}|[ -]0000[ -]0000|[ -]000000[ -]0000)")),
    Rule("ssn", (), _pattern(r"(?<![\w-])(?!000|666|9\d\d)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w-])"), personal=True,
        why="the shape of a social security number",
         lead=_DIGITS, anchor=re.compile(rb"-00-0000")),
    Rule("phone", ("+", "%2b"), _pattern(r"(?:(?<![\w+./])\+|%2[bB])[1-9]\d{0,2}(?:[ .-]?\(?\d{1,4}\)?){2,6}(?![\w:])"), numbers.is_phone, True,
        why="a number with a country code"),
    Rule("user", (" [00/",), _pattern(r"(?<![^\s])(?P<v>[^\s\"\[\]]{1,100}) \[\d\d/[A-Z][a-z]{2}/\d{4}:"), accept.log_user, True,
        why="the user of an access log",
         lead=_WORD + ".@-+\\%"),
    Rule("user", ("user", "usr", "customer", "account"), _pattern(
        r"(?:usr|user|customer|enduser|account)\\{0,7}[\"']\s?:\s?(?P<o>\{[^{}\r\n]{1,600})", _I), personal=True, spans=_users,
            why="the name of its field"),
    Rule("user", ("user '", "user \"", "user \\\"", "user \\'"), _pattern(
        r"(?<![A-Za-z0-9_-])user (?P<q>\\{0,3}[\"'])(?P<v>[^\s\"'\\]{1,100})(?P=q)", _I), told.somebody, True, why="a sentence that names somebody"),
    Rule("user", ("password for ", "publickey for ", "pam for ", "for user ", "invalid user ", "illegal user "), _pattern(
        r"(?:(?:password|publickey|pam) for (?:(?:invalid|illegal) user )?(?=[^\s]{1,64} from )|(?:invalid|illegal) user (?=[^\s]{1,64} from )|"
        r"for user (?=[^\s(]{1,64}(?:\(|,? (?:by|from) )))(?P<v>[^\s\"':;,()=]{1,64})(?=[\s(,])", _I), told.somebody, True,
         why="a sentence that names somebody"),
    Rule("user", (" : tty=",), _pattern(r"(?<![\w.-])(?P<v>[\w.-]{1,64}) : TTY="), told.somebody, True, why="who asked sudo", lead=_WORD + ".-"),
    Rule("name", told.NAME_HINTS, _pattern(told.PERSON, _I), told.person, True, gate=told.name_field, why="the name of its field",
         sight=f"(?:{'|'.join(told.NAME_HINTS)}){_SIGHT}"),
    Rule("birth", ("dob", "birth"), _pattern(told.BIRTH, _I), personal=True, gate=told.birth_field, why="the name of its field"),
    Rule("ssn", ("ssn", "social security"), _pattern(
        r"(?:ssn\\{0,7}[\"']?\s?[:=]\s?\\{0,7}[\"']?|social security (?:number|no\.?)[:=]? )(?P<v>\d{3}[ -]?\d\d[ -]?\d{4})(?![\w-])", _I),
         personal=True, why="the name of its field"),
    Rule("address", ("address",), _pattern(
        r"(?:(?<![A-Za-z0-9])|(?<=street[_-])|(?<=billing[_-])|(?<=shipping[_-])|(?<=home[_-])|(?<=postal[_-]))address\\{0,7}[\"']?\s?[:=]\s?"
        r"\\{0,7}[\"'](?P<v>[^\"'\\\r\n]{8,200})[\"'\\]", _I), told.street, True, why="the name of its field"),
    Rule("phone", _PHONE_HINTS, _pattern(
        rf"(?:{'|'.join(_PHONE_HINTS)})[a-z_.-]{{0,20}}\\{{0,7}}[\"']?[ ]?[:=][ ]?\\{{0,7}}[\"']?(?P<v>[(+]?\d[\d ()/.-]{{5,22}}\d)(?![\w:])", _I),
         told.phone, True, gate=accept.phone_field, why="the name of its field", sight=f"(?:{'|'.join(_PHONE_HINTS)}){_SIGHT}"),
    Rule("phone", _PHONE_HINTS, _pattern(rf"(?P<n>(?:{'|'.join(_PHONE_HINTS)}){_VALUE}", _I), accept.user_value, True, gate=accept.phone_field,
         why="the name of its field", sight=f"(?:{'|'.join(_PHONE_HINTS)}){_SIGHT}"),
    Rule("user", (" --",), _pattern(r" --(?P<n>[A-Za-z][A-Za-z0-9_.-]{2,48}+)[ \t]{1,3}[\"']?(?P<v>[^\s\"'<>|;&=-][^\s\"'<>|;&:]{1,200}+)(?!:)"),
         accept.option_user, True, why="the option of a user"),
    Rule("user", _USER_HINTS, _pattern(rf"(?P<n>(?:{'|'.join(_USER_HINTS)})(?![-_]?agent){_VALUE}", _I), accept.user_value, True,
        gate=accept.user_field,
         why="the name of its field", sight=f"(?:{'|'.join(_USER_HINTS)}){_SIGHT}"),
)
PERSONAL = frozenset(rule.kind for rule in RULES if rule.personal) | {"client", "address", "name", "birth"}
