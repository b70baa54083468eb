"""What the name of a field says about its value: a secret, personal data, or nothing. One answer for text, tables, JSON and columns."""

from __future__ import annotations

import re
from functools import lru_cache

SURE, LIKELY, MAYBE, DIGITS = "sure", "likely", "maybe", "digits"  # how much the name alone says: see ``secret``
PERSONAL = ("user", "email", "client", "phone", "address", "name", "ssn", "birth")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", re.ASCII)
_SUFFIX = {"hash", "value", "val", "old", "new", "plain", "plaintext", "b64", "base64", "encrypted", "hex", "raw", "text", "string", "str",
           "current", "confirm", "confirmation", "digest", "header", "1", "2"}
_KEYS = {"api", "access", "secret", "private", "account", "signing", "signature", "encryption", "master", "shared", "auth", "function", "functions",
         "storage", "subscription", "ssh", "deploy", "consumer", "license", "webhook", "hmac", "aes", "rsa", "jwt", "integration", "appkey", "priv",
         "decryption", "crypto", "service", "admin", "app"}
_PAGES = {"next", "page", "continuation", "pagination", "sync", "last", "previous", "start", "end", "eos", "bos", "pad", "per", "unexpected", "first",
          "resume", "cancellation", "cancel", "invalid", "expected", "max", "min", "num", "no", "n"}
_SURE = ("password", "passwd", "passphrase", "passcode", "passwort", "pwd", "kennwort", "motdepasse")
_LIKELY = ("secret", "apikey", "accesskey", "secretkey", "privatekey", "accountkey", "sharedaccesskey", "signingkey", "encryptionkey", "masterkey",
           "accesstoken", "authtoken", "refreshtoken", "idtoken", "sessiontoken", "bearertoken", "securitytoken", "apitoken", "usertoken",
           "csrfmiddlewaretoken", "credentials", "credential", "secretaccesskey", "connectionstring", "cookie", "authorization", "samlresponse")
_MAYBE = {"token", "sid", "sig", "signature", "session", "sessionid", "sessid", "jsessionid", "phpsessid", "aspsessionid", "auth", "bearer", "csrf",
    "xsrf",
          "assertion", "verifier", "csrftoken", "xsrftoken", "sessionkey"}
_DIGITS = {"otp", "totp", "cvv", "cvc", "cvv2", "cvc2", "pin"}
CODES = {"verification", "mfa", "security", "otp", "totp", "sms", "auth", "authorization", "backup", "recovery", "login"}
_USERS = {"user", "username", "userid", "usr", "login", "customer", "customerid", "enduser", "subscriber", "uname", "userlogin", "loginname"}
_NOT_USERS = {"per", "max", "num", "super", "is", "new", "active", "total", "by", "cpu", "multi", "no", "each", "any", "every", "all", "n", "has",
    "min",
              "system", "fetch", "nr", "count", "allow", "unique", "concurrent", "db", "database", "run", "os"}
_OF_USERS = {"id", "name", "uuid", "login", "key", "handle", "ref", "number"}
_CLIENTS = {"client", "ip", "clientip", "remoteaddr", "ipaddress", "peer", "remoteip", "sourceip", "srcip", "clientaddr", "forwarded", "realip"}
_PHONES = {"phone", "mobile", "msisdn", "tel", "telephone", "phonenumber", "cellphone", "fax", "whatsapp"}


@lru_cache(8192)
def words(name: str) -> tuple[str, ...]:
    """The words of a field's name, lower case: ``dbPassword``, ``DB_PASSWORD`` and ``db.password`` have the same."""
    return tuple(word.lower() for word in _WORDS.findall(name[-200:]))


@lru_cache(8192)
def secret(name: str) -> str:
    """How surely a field of this name holds a secret: ``SURE`` (whatever it says), ``LIKELY`` (unless it is a word that tells of its state),
    ``MAYBE`` (if it looks like one), ``DIGITS`` (if it is a short number); empty where the name says nothing."""
    parts = list(words(name))
    while len(parts) > 1 and parts[-1] in _SUFFIX:
        parts.pop()
    if not parts:
        return ""
    last, before = parts[-1], parts[-2] if len(parts) > 1 else ""
    whole = "".join(parts)
    if whole.endswith(("existingsecret", "passwordsecret", "pullsecret", "publickeytoken")):  # the name of one, and the digest of a public key
        return ""
    if last in ("pass", "pw", "psk") or whole.endswith(_SURE) or (last in ("phrase", "word") and before in ("pass", "seed")):
        return SURE
    if (last == "key" and before in _KEYS) or (last == "base" and parts[-3:-1] == ["secret", "key"]):
        return LIKELY
    if last in ("id", "key") and before in ("session", "sess") and whole not in ("sessionid",):
        return MAYBE
    if last in ("token", "tokens") and (before in _PAGES or last == "tokens"):
        return ""
    if last == "token":
        return LIKELY if before else MAYBE
    if last in ("secret", "cookie", "authorization", "credential", "credentials", "creds") or (whole.endswith(_LIKELY) and before not in _PAGES):
        return LIKELY
    if last in _DIGITS:
        return DIGITS
    if last == "code" and before in CODES:
        return DIGITS
    return MAYBE if last in _MAYBE or whole in _MAYBE or whole.endswith(("sessionid", "sessid")) else ""


@lru_cache(8192)
def personal(name: str) -> str:
    """The kind of personal data in a field of this name (one of ``PERSONAL``); empty where the name says nothing."""
    parts = list(words(name))
    if not parts:
        return ""
    last, before, whole = parts[-1], parts[-2] if len(parts) > 1 else "", "".join(parts)
    if last in _USERS or whole in _USERS:
        return "" if before in _NOT_USERS else "user"
    if last in _OF_USERS and before in _USERS and (len(parts) < 3 or parts[-3] not in _NOT_USERS):
        return "user"
    if last in ("email", "mail", "emails") or whole.endswith(("emailaddress", "mailaddress")):
        return "email"
    if last in _CLIENTS or whole in _CLIENTS or (last in ("ip", "addr", "address") and before in ("client", "remote", "source", "src", "peer", "ip",
        "real")):
        return "client"
    if last in _PHONES or (last in ("number", "no", "nr") and before in _PHONES):
        return "phone"
    if last in ("address", "street", "postcode", "zipcode") and before in ("", "street", "home", "postal", "billing", "shipping", "customer", "user"):
        return "address"
    if (last == "name" and before in ("first", "last", "full", "family", "given", "sur", "customer", "person")) or whole in ("firstname", "lastname",
        "surname", "fullname") or (last == "holder" and before in ("account", "card")) or whole.endswith(("cardholder", "holdername")):
        return "name"
    if last in ("ssn", "dob", "birthdate", "birthday") or parts[-2:] in (["birth", "date"], ["of", "birth"]):
        return "ssn" if last == "ssn" else "birth"
    return ""


def kind_of(name: str) -> str:
    """The kind under which the values of a field of this name are hidden; empty where they are not."""
    if secret(name):
        return "cookie" if "cookie" in words(name) else "authorization" if "authorization" in words(name) else "password"
    return personal(name)
