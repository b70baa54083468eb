"""How failures read: exception, message and stack trace, in the manner of the language that a style of log is written by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from incidentnb.drill import shop
from incidentnb.drill.scenario import Plan


@dataclass(frozen=True)
class Failure:
    """What one failed request left behind."""

    type: str
    message: str
    part: str  # of the code
    place: str  # the innermost function

    @property
    def said(self) -> str:
        return f"{self.type}: {self.message}"

    def trace(self, language: str) -> str:
        """The stack trace, innermost as the language has it; begins with the exception except in Python, where it ends with it."""
        part, place, line = self.part, self.place, 20 + sum(map(ord, self.part + self.place)) % 180
        if language == "python":
            return ("Traceback (most recent call last):\n"
                    f'  File "/srv/shop/server/dispatch.py", line 112, in handle\n    return route.handler(request)\n'
                    f'  File "/srv/shop/{part}/handlers.py", line {line}, in {place}\n    return self.{place}_checked(request)\n'
                    f"{part}.errors.{self.said}")
        if language == "go":
            return (f"shop/{part}.(*Handler).{place}\n\t/build/{part}/handler.go:{line}\nshop/http.serve\n\t/build/http/serve.go:73\n"
                    "net/http.HandlerFunc.ServeHTTP\n\t/usr/local/go/src/net/http/server.go:2220")
        if language == "js":
            return (f"{self.said}\n    at {part.title()}.{place} (/srv/shop/src/{part}/{place}.js:{line}:17)\n"
                    f"    at handle (/srv/shop/src/{part}/route.js:31:9)\n"
                    "    at process.processTicksAndRejections (node:internal/process/task_queues:105:5)")
        return (f"example.shop.{part}.{self.said}\n\tat example.shop.{part}.Handler.{place}(Handler.java:{line})\n"
                "\tat example.shop.server.Dispatcher.handle(Dispatcher.java:112)\n"
                "\tat java.base/java.lang.Thread.run(Thread.java:1583)")


def failures(plan: Plan, rows: dict[str, Any]) -> Iterator[Failure | None]:
    """How each request failed: by the fault, by one of the usual mishaps, or not at all."""
    for failed, injected, route, number, token, host, tenant in zip(
            rows["failed"], rows["injected"], rows["route"], rows["id"], rows["token"], rows["host"], rows["tenant"], strict=True):
        if not failed:
            yield None
            continue
        r = shop.ROUTES[route]
        kind, text, place = shop.FAULTS[plan.fault.error] if injected else shop.USUAL[token % len(shop.USUAL)]
        message = text.format(id=number, upstream=r.upstream or "local", region=shop.REGIONS[host // 3], tenant=f"t-{max(tenant, 0):03}")
        yield Failure(kind, message, r.part, place)
