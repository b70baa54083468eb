"""The shop that drills happen in: its routes, hosts, people, and what its code says when it breaks. Facts only; all of it is invented."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Route:
    """One route: how often it is called, how long it takes (median), what it answers, what it calls."""

    method: str
    path: str  # ``{n}`` a number, ``{uuid}``, ``{hex}`` stand for ids
    weight: float
    median_ms: float
    status: int = 200
    upstream: str = ""
    part: str = "web"  # of the code: a logger, a folder

    @property
    def folded(self) -> str:
        """The route as a log table has it: every id is ``{id}``."""
        path = self.path.partition("?")[0]
        for mark in ("{n}", "{uuid}", "{hex}"):
            path = path.replace(mark, "{id}")
        return path


ROUTES = (
    Route("GET", "/", 9, 14, upstream="catalog-db", part="home"),
    Route("GET", "/products", 11, 28, upstream="catalog-db", part="catalog"),
    Route("GET", "/products/{n}", 17, 19, upstream="catalog-db", part="catalog"),
    Route("GET", "/products/{n}/reviews", 5, 24, upstream="reviews-db", part="reviews"),
    Route("GET", "/search?q={word}&page={n}", 10, 64, upstream="search-es", part="search"),
    Route("GET", "/cart", 6, 11, upstream="cart-redis", part="cart"),
    Route("POST", "/cart/items", 6, 18, 201, upstream="cart-redis", part="cart"),
    Route("DELETE", "/cart/items/{n}", 1.5, 13, 204, upstream="cart-redis", part="cart"),
    Route("POST", "/orders", 6.5, 92, 201, upstream="payments-gw", part="orders"),
    Route("GET", "/orders/{n}", 4, 21, upstream="orders-db", part="orders"),
    Route("GET", "/orders/{n}/invoice.pdf", 0.8, 180, upstream="orders-db", part="orders"),
    Route("POST", "/payments", 3, 130, 201, upstream="payments-gw", part="payments"),
    Route("GET", "/payments/{uuid}", 3.5, 35, upstream="payments-gw", part="payments"),
    Route("POST", "/login", 3, 48, upstream="users-db", part="accounts"),
    Route("GET", "/users/{n}/profile", 4, 16, upstream="users-db", part="accounts"),
    Route("PUT", "/users/{n}/profile", 0.7, 31, upstream="users-db", part="accounts"),
    Route("POST", "/products/{n}/reviews", 0.6, 40, 201, upstream="reviews-db", part="reviews"),
    Route("GET", "/recommendations/{n}", 5, 55, upstream="recommender", part="recommendations"),
    Route("GET", "/static/{hex}.js", 4, 3, part="web"),
    Route("GET", "/static/img/{hex}.webp", 6, 3, part="web"),
    Route("GET", "/admin/reports/{n}", 0.2, 420, upstream="orders-db", part="admin"),
    Route("GET", "/healthz", 0, 1, part="web"),  # only the probes
)
HEALTH = len(ROUTES) - 1
REGIONS = ("eu-west-1", "us-east-1", "ap-south-1")
REGION_SHARES = (0.45, 0.35, 0.20)
HOSTS = tuple(f"web-{n:02}" for n in range(1, 10))  # three a region, in the order of REGIONS
ADDRESSES = tuple(f"10.20.{n // 3}.{11 + n % 3}" for n in range(9))
VHOSTS = ("eu.shop.example", "us.shop.example", "ap.shop.example")
TENANT_GROUPS = ("free", "team", "enterprise", "beta")
TENANT_SHARES = (0.50, 0.26, 0.16, 0.08)
TENANTS = 40
PLATFORMS = ("web", "android", "ios")
PLATFORM_SHARES = (0.5, 0.28, 0.22)
AGENTS = {
    "web": ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Safari/605.1.15",
            "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"),
    "android": ("ShopApp/7.2.1 (Android 16; Pixel 9)", "ShopApp/7.1.0 (Android 15; SM-S921B)", "ShopApp/6.9.4 (Android 13; moto g54)"),
    "ios": ("ShopApp/7.2.0 (iPhone16,1; iOS 19.1)", "ShopApp/7.1.3 (iPhone14,5; iOS 18.6)", "ShopApp/7.2.0 (iPad14,3; iPadOS 19.1)"),
}
PROBE_AGENT = "kube-probe/1.33"
WORDS = ("red+shoes", "lamp", "usb-c+cable", "desk", "tea", "rain+jacket", "bike+light", "notebook", "mug", "headphones")
PEOPLE = ("Mara Lindqvist", "Tomas Okafor", "Ines Carvalho", "Yuki Tanabe", "Rafael Stein", "Aisha Rahman", "Jonas Weber")
OTHER_SERVICES = ("mailer", "search-indexer", "recommender", "warehouse-sync", "image-resizer")

# what breaks → (exception, message, innermost place); {id} varies from record to record
FAULTS = {
    "null": ("TypeError", "cannot read property 'amount' of undefined", "total"),
    "disk": ("IOError", "write /var/lib/shop/spool/{id}.tmp: no space left on device", "spool"),
    "refused": ("ConnectionError", "connect to db-replica-{region} port 5432 failed: connection refused", "connect"),
    "timeout": ("TimeoutError", "{upstream} did not answer within 5000 ms, request {id}", "call"),
    "plan": ("LookupError", "no price for plan 'v2' of tenant {tenant}", "price"),
    "decode": ("DecodeError", "unexpected field 'delivery_slot' at offset {id}", "decode"),
    "pool": ("PoolTimeout", "no connection from pool shop-main within 3000 ms (active 8, idle 0, waiting {id})", "acquire"),
}
USUAL = (("ConnectionReset", "upstream {upstream} closed the connection before the answer was complete", "read"),
         ("DeadlockDetected", "deadlock detected, process {id} waits for ShareLock", "execute"),
         ("Cancelled", "context deadline exceeded while reading the body of {id}", "body"))
CHATTER = (("INFO", "cache refreshed: {id} entries in {small} ms"), ("INFO", "gc pause {small} ms, heap {id} kB"),
           ("DEBUG", "pool shop-main: active {small}, idle {small}, waiting 0"), ("INFO", "flushed {id} metrics"),
           ("WARN", "slow query: {id} ms on catalog.products"), ("INFO", "session {id} expired"))
HARMLESS = (("WARN", "client {id} still sends the header X-Shop-Token; it will be ignored from March"),
            ("INFO", "experiment sort-by-rating: bucket {small} assigned to session {id}"),
            ("WARN", "locale of request {id} unknown, using en"))
