"""Made-up secrets of every kind in the places where they turn up, and lines that hold none: a few thousand of each, the same for a seed."""

import base64
import json
import random
import string
from urllib.parse import quote

HEX, ALNUM, B64 = "0123456789abcdef", string.ascii_letters + string.digits, string.ascii_letters + string.digits + "+/"
UPPER = string.ascii_uppercase + string.digits
WORDS = ["alpha", "bravo", "cedar", "delta", "ember", "falcon", "garnet", "harbor", "indigo", "juniper", "kestrel", "lagoon", "maple",
    "nectar", "onyx", "pepper", "quartz", "raven", "saffron", "timber", "umber", "velvet", "walnut", "yarrow", "zephyr"]
NAMES = ["ann", "bea", "carl", "dora", "emil", "fritz", "greta", "hanno", "ines", "jonas", "karla", "liam", "mona", "nils", "oda", "paul",
    "rosa", "sven", "tilda", "ulf", "vera", "wim"]


def some(rng: random.Random, alphabet: str, size: int) -> str:
    return "".join(rng.choices(alphabet, k=size))


def _luhn(digits: str) -> str:
    total = sum(sum(divmod(int(d) * (2 - i % 2), 10)) for i, d in enumerate(reversed(digits)))
    return digits + str(-total % 10)


def _iban(rng: random.Random, country: str, size: int) -> str:
    body = some(rng, string.digits, size - 4)
    number = int("".join(str(int(c, 36)) for c in body + country + "00"))
    return f"{country}{98 - number % 97:02d}{body}"


def password(rng: random.Random) -> str:
    return rng.choice([
        lambda: some(rng, ALNUM, rng.randint(8, 24)) + rng.choice("123456789"),
        lambda: rng.choice(WORDS).capitalize() + rng.choice("!#$%*?") + str(rng.randint(10, 9999)),
        lambda: "-".join(rng.sample(WORDS, 3)) + str(rng.randint(1, 9)),
        lambda: rng.choice(WORDS) + str(rng.randint(10, 99999)),
        lambda: some(rng, ALNUM + "!#$%*?.^~_-", 14) + "7x",
    ])()


def jwt(rng: random.Random) -> str:
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
    return ".".join([part({"alg": "HS256", "typ": "JWT"}), part({"sub": some(rng, HEX, 12), "iat": rng.randint(10**9, 2 * 10**9)}), some(rng,
        ALNUM + "-_", 43)])


def pem(rng: random.Random) -> str:
    lines = [some(rng, B64, 64) for _ in range(rng.randint(1, 6))] + [some(rng, B64, rng.randint(4, 60)) + "=="]
    return "\n".join(lines)


PREFIXED = {
    "aws": lambda r: "AKIA" + some(r, string.ascii_uppercase + "234567", 16), "aws_temporary": lambda r: "ASIA" + some(r, UPPER, 16),
    "github": lambda r: r.choice(["ghp_", "gho_", "ghs_", "ghu_", "ghr_"]) + some(r, ALNUM, 36),
    "github_fine": lambda r: "github_pat_" + some(r, ALNUM, 22) + "_" + some(r, ALNUM, 59), "gitlab": lambda r: "glpat-" + some(r, ALNUM + "-_", 20),
    "slack": lambda r: r.choice(["xoxb-", "xoxp-", "xoxa-2-"]) + some(r, string.digits, 12) + "-" + some(r, string.digits, 12) + "-" + some(r,
        ALNUM, 24),
    "slack_app": lambda r: "xapp-1-" + some(r, UPPER, 11) + "-" + some(r, string.digits, 13) + "-" + some(r, HEX, 64),
    "stripe": lambda r: r.choice(["sk_live_", "sk_test_", "rk_live_"]) + some(r, ALNUM, 24), "stripe_hook": lambda r: "whsec_" + some(r, ALNUM, 32),
    "google": lambda r: "AIza" + some(r, ALNUM + "-_", 35), "google_oauth": lambda r: "ya29." + some(r, ALNUM + "-_", 60),
    "google_secret": lambda r: "GOCSPX-" + some(r, ALNUM + "-_", 28), "sendgrid": lambda r: "SG." + some(r, ALNUM, 22) + "." + some(r, ALNUM, 43),
    "twilio": lambda r: "SK" + some(r, HEX, 32), "npm": lambda r: "npm_" + some(r, ALNUM, 36), "pypi": lambda r: "pypi-AgEIcHlwaS5vcmc" + some(r,
        ALNUM + "-_", 80),
    "openai": lambda r: "sk-proj-" + some(r, ALNUM, 48), "anthropic": lambda r: "sk-ant-api03-" + some(r, ALNUM + "-_", 90) + "7A",
    "digitalocean": lambda r: "dop_v1_" + some(r, HEX, 64), "vault": lambda r: "hvs." + some(r, ALNUM, 24), "shopify": lambda r: "shpat_" + some(r,
        HEX, 32),
    "databricks": lambda r: "dapi" + some(r, HEX, 32), "huggingface": lambda r: "hf_" + some(r, ALNUM, 34),
    "docker": lambda r: "dckr_pat_" + some(r, ALNUM, 27),
    "grafana": lambda r: "glsa_" + some(r, ALNUM, 32) + "_" + some(r, HEX, 8), "square": lambda r: "sq0atp-" + some(r, ALNUM, 22),
    "atlassian": lambda r: "ATATT3xFfGF0" + some(r, ALNUM + "-_", 160) + "=" + some(r, UPPER, 8), "telegram": lambda r: some(r, "123456789",
        10) + ":AA" + some(r, ALNUM, 33),
    "new_relic": lambda r: "NRAK-" + some(r, UPPER, 27), "azure_secret": lambda r: some(r, ALNUM, 3) + "8Q~" + some(r, ALNUM + "_-", 34),
    "mailchimp": lambda r: some(r, HEX, 32) + "-us" + str(r.randint(1, 21)), "linear": lambda r: "lin_api_" + some(r, ALNUM, 40),
    "doppler": lambda r: "dp.pt." + some(r, ALNUM, 43), "pulumi": lambda r: "pul-" + some(r, HEX, 40), "jwt": jwt,
}
# where any token may stand, without a name that tells what it is
ANYWHERE = [
    "retrying with {v} after 401", '{{"level":"error","msg":"upstream rejected {v}"}}', "level=warn msg=\"bad key {v}\"",
    "GET /v1/x?k={v}&page=2 HTTP/1.1",
    "    raise AuthError('{v}')", "curl -H 'X-Thing: {v}' https://api.example.com/", "export THING={v}", "thing: {v}", "<thing>{v}</thing>",
    '{{"body":"{{\\"thing\\":\\"{v}\\"}}"}}', "SELECT * FROM t WHERE k = '{v}'", "id%3D{v}%26x%3D1", "[{v}]", "({v})", "{v}", "thing={v}, other=1",
        "at {v}.",
]
# name, value: where a value is known by the name of its field
NAMED = [
    '{{"time":"2026-11-23T14:03:20Z","level":"info","{n}":"{v}","status":500}}', '{{"body":"{{\\"{n}\\":\\"{v}\\",\\"x\\":1}}"}}',
    "time=2026-11-23T14:03:20Z level=info {n}={v} status=500", 'level=info {n}="{v}" status=500',
    '203.0.113.9 - - [23/Nov/2026:14:03:20 +0000] "GET /x?a=1&{n}={v} HTTP/1.1" 200 12', "https://api.example.com/v1?{n}={v}&b=2",
    "{n}: {v}", "  {n}: '{v}'", "- {n}: \"{v}\"  # from the vault", "{n}={v}", "export {n}={v}", "ENV {n} {n}={v}",
    "requests.post(url, data={{'{n}': '{v}'}})", "  File \"app.py\", line 3, in connect\n    connect(host, {n}='{v}', port=5432)",
    "UPDATE accounts SET {n} = '{v}' WHERE id = 7", "tool --{n} {v} --verbose", "tool --{n}={v}", "<{n}>{v}</{n}>", '<add key="{n}" value="{v}"/>',
    '{{"name":"{n}","value":"{v}"}}', "redirect=https%3A%2F%2Fexample.com%2F%3F{n}%3D{q}%26x%3D1", "config {{{n}:{v} host:db}}", ":{n}=>\"{v}\"",
    "[('{n}', '{v}')]", "Server=db;Database=x;{n}={v};Timeout=30", "{{&quot;{n}&quot;:&quot;{v}&quot;}}", "Params({n}={v!r}, retries=3)",
    "\\\\\\\"{n}\\\\\\\":\\\\\\\"{v}\\\\\\\"", "map[host:db {n}:{v}]", "setting {n} = {v}",
]
PASSWORD_NAMES = ["password", "passwd", "pwd", "db_password", "DB_PASSWORD", "mysqlPassword", "spring.datasource.password", "passphrase",
    "client_secret", "CLIENT_SECRET", "secret_key", "api_key", "apiKey", "API_KEY", "x-api-key", "access_token", "accessToken",
    "refresh_token", "auth_token", "secret", "aws_secret_access_key", "private_key", "signing_key", "webhook_secret", "encryption_key",
    "admin_password", "SECRET_KEY_BASE", "appSecret", "consumer_secret"]
USER_NAMES = ["user", "username", "user_id", "userId", "login", "customer_id", "enduser.id", "usr", "user.name", "userName", "customerId", "user.id"]


def user(rng: random.Random) -> str:
    return rng.choice([lambda: rng.choice(NAMES), lambda: f"{rng.choice(NAMES)}.{rng.choice(WORDS)}", lambda: f"u{rng.randint(100, 99999)}",
                       lambda: f"{rng.choice(NAMES)}{rng.randint(1, 999)}", lambda: f"cus_{some(rng, ALNUM, 14)}", lambda: str(rng.randint(10,
                           10**7))])()


def _wrapped(rng, template: str, name: str, value: str) -> str:
    return template.format(n=name, v=value, q=quote(value, safe=""))


def _named(rng, name, value):
    template = rng.choice(NAMED)
    if name[0] == "-" or ("<{n}>" in template and not name.replace("_", "").isalnum()):
        template = NAMED[2]
    text = _wrapped(rng, template, name, value)
    return text, quote(value, safe="") if "{q}" in template else value


def _headers(rng):
    name = rng.choice(["Authorization", "authorization", "Proxy-Authorization", "AUTHORIZATION"])
    scheme, value = rng.choice([
        lambda: ("Bearer ", some(rng, ALNUM + "-_.", 32) + "x9"), lambda: ("Basic ",
            base64.b64encode(f"{user(rng)}:{password(rng)}".encode()).decode()),
        lambda: ("token ", some(rng, HEX, 40)), lambda: ("Negotiate ", "YII" + some(rng, B64, 80)), lambda: ("ApiKey ", some(rng, ALNUM, 40)),
        lambda: ("bearer ", some(rng, HEX, 32)), lambda: ("", some(rng, ALNUM, 40))])()
    template = rng.choice([
        "{n}: {v}", '{{"headers":{{"{n}":"{v}","accept":"*/*"}}}}', "level=debug {n}=\"{v}\"", "curl -H '{n}: {v}' https://x.example/", "{n}={v}",
        "{{'{n}': '{v}', 'Accept': '*/*'}}", '{{"m":"{{\\"{n}\\":\\"{v}\\"}}"}}', '"{n}":["{v}"]', "map[{n}:[{v}] Accept:[*/*]]", "> {n}: {v}",
        "<{n}>{v}</{n}>", "b'{n}', b'{v}'", "{n} => {v}", "req.headers.{n}={v}"])
    return template.format(n=name, v=scheme + value), value


def _cookies(rng):
    value = rng.choice([some(rng, HEX, 32), some(rng, ALNUM + "%-_", 40) + "a", "s%3A" + some(rng, ALNUM, 30), some(rng, ALNUM, 12) + "=="])
    name = rng.choice(["sid", "sessionid", "JSESSIONID", "connect.sid", "_ga", "remember_me", "PHPSESSID", "cart"])
    template = rng.choice([
        "Cookie: {n}={v}", "Cookie: theme=dark; {n}={v}", "Set-Cookie: {n}={v}; Path=/; HttpOnly", '{{"cookie":"{n}={v}; lang=en"}}',
        '{{"headers":{{"set-cookie":["{n}={v}; Path=/; Secure"]}}}}', "cookie=\"{n}={v}\" status=200", "curl --cookie '{n}={v}' https://x.example/",
        '{{"m":"{{\\"cookie\\":\\"{n}={v}\\"}}"}}', "< set-cookie: {n}={v}; Max-Age=3600", "'Cookie': '{n}={v}'",
            "curl -b '{n}={v}' https://x.example/",
        '{{"cookies":{{"{n}":"{v}"}}}}', "<Cookie>{n}={v}</Cookie>", "map[Cookie:[{n}={v}]]"])
    return template.format(n=name, v=value), value


def _urls(rng):
    value = password(rng).replace("%", "x").replace("#", "x").replace("?", "x")
    return rng.choice([
        "postgres://app:{v}@db:5432/x refused", "DATABASE_URL=mysql://root:{v}@10.0.0.7/shop", '{{"url":"amqp://guest:{v}@mq:5672/%2f"}}',
        "redis://:{v}@cache:6379/0", "git clone https://bob:{v}@git.example.com/x.git", "mongodb+srv://u:{v}@c.example.net/?retryWrites=true",
        "dial app:{v}@tcp(db:3306)/x", "curl -u bob:{v} https://x.example/", "curl --user bob:{v} https://x.example/", "mysql -u root -p{v} shop",
        "Server=db;User ID=sa;Password={v};Encrypt=true", "sshpass -p {v} ssh host", "CREATE USER bob IDENTIFIED BY '{v}'", "redis-cli -a {v} ping",
        "INSERT INTO users (id, password, age) VALUES (7, '{v}', 3)", "ALTER ROLE bob WITH PASSWORD '{v}'"]).format(v=value), value


def _pem(rng):
    value, kind = pem(rng), rng.choice(["RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY"])
    begin, end, escaped = f"-----BEGIN {kind}-----", f"-----END {kind}-----", value.replace("\n", "\\n")
    return rng.choice([(f"{begin}\n{value}\n{end}", value), (f"key follows\n{begin}\n{value}", value),
        (f'{{"private_key":"{begin}\\n{escaped}\\n{end}\\n"}}', escaped),
                       (f"KEY='{begin}\\n{escaped}", escaped), (f'{{"m":"{begin}\\\\n{escaped.replace(chr(92), chr(92) * 2)}\\\\n{end}"}}',
                           value.split("\n")[0]),
                       (f"tls.key: |\n  {begin}\n  " + value.replace("\n", "\n  ") + f"\n  {end}", value.split("\n")[0])])


def _card(rng):
    prefix, size = rng.choice([("4", 16), ("5" + rng.choice("12345"), 16), ("37", 15), ("34", 15), ("6011", 16), ("2720", 16)])
    digits = _luhn(prefix + some(rng, string.digits, size - 1 - len(prefix)))
    if rng.random() < .4:
        digits = rng.choice(" -").join([digits[:4], digits[4:8], digits[8:12], digits[12:]] if size == 16 else [digits[:4], digits[4:10],
            digits[10:]])
    return rng.choice(["card {v} declined", '{{"pan":"{v}"}}', "card_number={v} exp=12/29", "paid with {v}", "VALUES ('{v}', 12)",
        "<number>{v}</number>",
                       'msg="charge {v} failed"', "card%3D{v}%26", '\\"card\\":\\"{v}\\"', "number: {v}"]).format(v=digits), digits


def _iban_case(rng):
    iban = _iban(rng, *rng.choice([("DE", 22), ("AT", 20), ("ES", 24), ("BE", 16), ("DK", 18), ("PL", 28), ("PT", 25), ("NO", 15), ("HU", 28)]))
    if rng.random() < .5:
        iban = " ".join(iban[i:i + 4] for i in range(0, len(iban), 4))
    return rng.choice(["payout to {v} failed", '{{"iban":"{v}"}}', "iban={v}", "IBAN: {v}, BIC COBADEFF", "SET iban = '{v}'", "<IBAN>{v}</IBAN>",
                       '\\"iban\\":\\"{v}\\"', "to {v}"]).format(v=iban), iban


def _personal(kind):
    def make(rng):
        value = {
            "email": lambda: f"{user(rng)}{rng.choice(['', '+tag', '_x'])}@{rng.choice(WORDS)}.{rng.choice(['com', 'org', 'co.uk', 'example'])}",
            "ipv4": lambda: ".".join(str(rng.randint(1, 254)) for _ in range(4)).replace("127.", "128."),
            "ipv6": lambda: rng.choice([":".join(some(rng, HEX, 4) for _ in range(8)), "2001:db8::" + some(rng, "123456789abcdef", 3),
            "fe80::1ff:fe23:" + some(rng, "123456789", 4) + ":890a"]),
            "phone": lambda: rng.choice(["+49 30 ", "+1 415 555 ", "+44 20 7946 ", "+4917", "+1-212-555-", "+33 6 12 34 "]) + some(rng, "123456789",
                4) + "12",
            "ssn": lambda: f"{rng.randint(100, 665)}-{rng.randint(10, 99)}-{rng.randint(1000, 9999)}",
        }[kind]()
        template = rng.choice([
            "sent to {v} ok", '{{"x":"{v}","n":1}}', "level=info addr=\"{v}\"", "GET /x?q={v}&b=1", "addr: {v}", "<a>{v}</a>", "('{v}', 3)",
            "\\\"x\\\":\\\"{v}\\\"",
            "from {v}, retrying", "[{v}]", "{v} - - [23/Nov/2026:14:03:20 +0000] \"GET / HTTP/1.1\" 200 1", "WHERE a = '{v}'"])
        if kind == "email" and rng.random() < .15:
            value = value.replace("@", "%40")
        return template.format(v=value), value
    return make


def _user(rng):
    if rng.random() < .1:
        name = rng.choice(NAMES) + str(rng.randint(1, 99))
        return f'203.0.113.7 - {name} [23/Nov/2026:14:03:20 +0000] "GET / HTTP/1.1" 200 1', name
    value = user(rng)
    template = rng.choice([t for t in NAMED if "tool" not in t and "[('" not in t and "ENV" not in t and "name\"" not in t])
    name = rng.choice(USER_NAMES)
    if "<{n}>" in template:
        name = "user"
    return _wrapped(rng, template, name, value), quote(value, safe="") if "{q}" in template else value


def _webhook(rng):
    value = rng.choice([lambda: ("https://hooks.slack.com/services/", f"T{some(rng, UPPER, 8)}/B{some(rng, UPPER, 8)}/{some(rng, ALNUM, 24)}"),
                        lambda: ("https://discord.com/api/webhooks/", f"{some(rng, string.digits, 18)}/{some(rng, ALNUM + '-_', 68)}"),
                        lambda: ("https://acme.webhook.office.com/webhookb2/",
                            f"{some(rng, HEX, 8)}-{some(rng, HEX, 4)}@{some(rng, HEX, 12)}/IncomingWebhook/{some(rng, HEX, 32)}")])()
    return rng.choice(ANYWHERE[:9]).format(v="".join(value)), value[1]


def _azure(rng):
    key, signature = some(rng, B64, 86) + "==", some(rng, ALNUM, 43) + "%3D"
    return rng.choice([(f"DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={key};EndpointSuffix=core.windows.net", key),
                       (f"Endpoint=sb://x.example/;SharedAccessKeyName=Root;SharedAccessKey={key}", key),
                       (f"GET https://shop.blob.core.windows.net/c/b?sv=2022-11-02&sig={signature}&se=2026-11-30", signature),
                       (f"SharedAccessSignature sr=x.example&sig={signature}&se=1795430160&skn=Root", signature)])


def _oauth(rng):
    value = some(rng, ALNUM + "-_", 30) + "4"
    return rng.choice([f"GET /oauth/callback?code={value}&state=xyz HTTP/1.1", f"https://app.example/login/cb?state=1&code={value}",
                       f"grant_type=authorization_code&code={value}&redirect_uri=https%3A%2F%2Fx", f"GET /cb?code={value}&state=8 302"]), value


def _anywhere(make):
    def placed(rng):
        value = make(rng)
        return rng.choice(ANYWHERE).format(v=value), value
    return placed


KINDS = {
    **{f"token/{name}": _anywhere(make) for name, make in PREFIXED.items()},
    "password": lambda r: _named(r, r.choice(PASSWORD_NAMES), password(r).replace("%", "x") if r.random() < .9 else some(r, HEX, 32)),
    "url": _urls, "pem": _pem, "authorization": _headers, "cookie": _cookies, "card": _card, "iban": _iban_case, "webhook": _webhook, "azure": _azure,
    "oauth": _oauth, "user": _user, **{kind: _personal(kind) for kind in ("email", "ipv4", "ipv6", "phone", "ssn")},
}


def secrets(each: int = 100, seed: int = 1) -> list[tuple[str, str, str]]:
    """(kind, text, the secret in it), ``each`` of every kind."""
    rng = random.Random(seed)
    return [(kind, *make(rng)) for kind, make in KINDS.items() for _ in range(each)]


def clean(each: int = 60, seed: int = 1) -> list[str]:
    """Lines without a secret and without personal data, as logs have them."""
    rng = random.Random(seed)

    def n(low=0, high=9999):
        return rng.randint(low, high)

    def h(size):
        return some(rng, HEX, size)

    def uuid():
        return f"{h(8)}-{h(4)}-4{h(3)}-a{h(3)}-{h(12)}"

    def digest():
        return base64.b64encode(rng.randbytes(32)).decode()

    word = lambda: rng.choice(WORDS)  # noqa: E731  short on purpose, it stands in every line below
    makers = [
        lambda: f'- - [23/Nov/2026:14:{n(10, 59)}:20 +0000] "GET /static/{h(20)}.js?v={n()} HTTP/1.1" 200 {n()} "-" '
        '"Mozilla/5.0 (X11; Linux x86_64) Chrome/119.0.0.0"',
        lambda: f'{{"level":30,"time":{1795430160000 + n()},"pid":{n()},"hostname":"{word()}-{n()}",'
        f'"reqId":"{uuid()}","msg":"request completed","responseTime":{n()}}}',
        lambda: f"time=2026-11-23T14:03:20.{n()}Z level=info trace_id={h(32)} span_id={h(16)} msg=\"cart {word()} priced\" duration={n()}ms",
        lambda: f"traceparent: 00-{h(32)}-{h(16)}-01", lambda: f"\tat com.{word()}.shop.Cart${n(1, 9)}.total(Cart.java:{n()})",
        lambda: f"commit {h(40)}", lambda: f"{h(7)} {word()}: fix {word()} token bucket (#{n()})", lambda: f"index {h(7)}..{h(7)} 100644",
        lambda: f"Nov 23 14:03:20 {word()} kubelet[{n()}]: I1123 14:03:20.{n()}  {n()} pod.go:{n()}] "
        f"\"SyncLoop\" pod=\"shop/{word()}-{h(10)}-{some(rng, 'bcdfghjklm', 5)}\"",
        lambda: f"integrity sha256-{digest()}", lambda: f"sha512:{h(128)} sha256:{h(64)} md5={h(32)}",
            lambda: f"etag: W/\"{h(20)}\" x-request-id: {uuid()}",
        lambda: f"SELECT id, password_hash, token FROM users WHERE id = {n()} LIMIT 1",
            lambda: f"upgraded {word()} from v{n(0, 30)}.{n(0, 30)}.{n(0, 30)} to {n(0, 30)}.{n(0, 30)}.{n(0, 30)}-rc{n(1, 9)}",
        lambda: f"version {n(0, 99)}.{n(0, 99)}.{n(0, 99)}.{n(0, 99)} installed",
            lambda: f"{word()}/{n(1, 90)}.0.{n(1, 9000)}.{n(1, 200)} Safari/537.36",
        lambda: f"eth0 link up, mac {h(2)}:{h(2)}:{h(2)}:{h(2)}:{h(2)}:{h(2)}",
            lambda: f"ISBN 978-3-{n(10, 99)}-{n(100000, 999999)}-{n(0, 9)} EAN {n(4 * 10**12, 5 * 10**12)}",
        lambda: f"lat={n(0, 89)}.{n()} lon=-{n(0, 179)}.{n()} at {n(0, 89)}.{n(100000, 999999)},{n(0, 89)}.{n(100000, 999999)}",
            lambda: f"total €{n()}.{n(10, 99)}, tax 19.00 %, order {n(10**7, 10**8)}",
        lambda: f"took {n(10**12, 10**13)} ns, read {n(10**9, 10**12)} bytes at {n(1795430160, 1795439999)}",
            lambda: f"password policy updated for group {word()}", lambda: f"token bucket {word()} empty, {n()} left",
        lambda: f"user not found, session expired after {n()} s", lambda: f"unexpected token: '}}' at position {n()}",
            lambda: f"max_tokens={n()} token_count={n()} tokens: {n()} prompt_tokens={n()}",
        lambda: f"user=root uid={n()} cmd=\"systemctl restart {word()}\"",
            lambda: f"[Times: user=0.{n()} sys=0.0{n(0, 9)}, real=0.0{n(0, 9)} secs]", lambda: f"users: {n()} affected of {n()}, user_count={n()}",
        lambda: "password: must contain at least 8 characters", lambda: "password=*** token=<redacted> secret=${DB_SECRET} api_key=%s",
            lambda: f"cache key={word()}:{h(8)} miss",
        lambda: f"key: {word()}/{h(12)} partition={n(0, 99)} offset={n()}", lambda: f"code={n(100, 599)} pin=ok sid={n()} status={n(100, 599)}",
            lambda: f"grpc code = Unavailable desc = {word()} {n()}",
        lambda: f"listening on 127.0.0.1:{n()} and [::1]:{n()} and 0.0.0.0:{n()}", lambda: f"std::vector<{word()}::Item>::at {n()}",
            lambda: f"git@github.com:shop/{word()}.git @{word()}/core@{n(0, 9)}.{n(0, 9)}.{n(0, 9)}",
        lambda: f"https://shop.example.com:8443/orders/{n()}?page={n()}&sort=desc",
            lambda: f"secret \"{word()}-tls\" not found in namespace {word()}", lambda: f"Failed password for root from port {n()} ssh2",
        lambda: f"authorization failed for route /orders/{n()}: missing scope", lambda: "authorization: required",
            lambda: f"cookie consent banner shown {n()} times", lambda: f"order {4111111111111112 + 10 * n(0, 0)} queued at 12:00:01",
        lambda: f"snowflake 1{n(10**17, 10**18 - 1)} acked", lambda: f"{h(8)}-{h(4)}-1{h(3)}-8{h(3)}-{h(12)} done",
            lambda: f"GET /auth/callback 302 in {n()} ms", lambda: f"image registry.example.com/{word()}@sha256:{h(64)}",
        lambda: f"{word()}.service: Main process exited, code=exited, status={n(1, 255)}/FAILURE",
            lambda: f"pod/{word()}-{n()} phone home disabled, call {n(100, 999)}-{n(1000, 9999)}",
                lambda: f"2026-11-23 14:03:20,{n(100, 999)} [http-nio-{n()}-exec-{n()}] WARN c.s.{word()} - retry {n()}",
        lambda: f"LSN {h(1).upper()}/{h(8).upper()} xid {n(10**8, 10**9)} duration: {n()}.{n()} ms  statement: SELECT 1",
            lambda: f"serial {':'.join(h(2) for _ in range(16))}", lambda: f"login page rendered in {n()} ms; login: ok",
        lambda: f"E1123 14:03:20.000000 {n()} token.go:{n()}] token controller: {word()} not ready",
            lambda: f"x-amzn-trace-id: Root=1-{h(8)}-{h(24)};Parent={h(16)};Sampled=1",
                lambda: f"AWS request id {uuid().upper()} in eu-west-1 arn:aws:iam::{n(10**11, 10**12 - 1)}:role/{word()}",
    ]
    return [make() for make in makers for _ in range(each)]
