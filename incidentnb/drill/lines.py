"""The requests of a drill as log lines, in the styles that programs write them in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from incidentnb.drill import shop
from incidentnb.drill.faults import Failure
from incidentnb.drill.scenario import Plan

Line = tuple[int, int, str]  # epoch ms, host, text (several lines for a stack trace)
_NOT_JSON = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"})


def writer(plan: Plan, style: str) -> Callable[[dict[str, Any], list[Failure | None]], Iterator[Line]]:
    """What makes lines of a chunk of traffic in a style: takes its columns as lists and, per request, how it failed."""
    make = {"pino": _pino, "zap": _zap, "ecs": _ecs, "logfmt": _logfmt, "extra": _access, "upstream": _access, "vhost": _access,
            "logback": _plain, "python": _plain}[style]
    return lambda rows, failures: make(plan, style, rows, failures)


def spoken(plan: Plan, style: str, t: int, host: int, level: str, part: str, text: str) -> Line:
    """One record of chatter: no request, no outcome of one."""
    if style == "pino":
        number = {"DEBUG": 20, "INFO": 30, "WARN": 40}[level]
        line = (f'{{"level":{number},"time":{t},"pid":{4100 + host},"hostname":"{shop.HOSTS[host]}","name":"shop-api",'
                f'"component":"{part}","msg":"{text.translate(_NOT_JSON)}"}}')
    elif style == "zap":
        line = (f'{{"level":"{level.lower()}","ts":{t // 1000}.{t % 1000:03},"logger":"shop.{part}","msg":"{text.translate(_NOT_JSON)}",'
                f'"service":"shop-api","host":"{shop.HOSTS[host]}"}}')
    elif style == "ecs":
        line = (f'{{"@timestamp":"{stamp(t)}Z","log.level":"{level}","message":"{text.translate(_NOT_JSON)}","ecs.version":"8.11.0",'
                f'"service.name":"shop-api","host.name":"{shop.HOSTS[host]}","log.logger":"shop.{part}"}}')
    elif style == "logfmt":
        line = (f'ts={stamp(t)}Z level={level.lower()} msg="{text.translate(_NOT_JSON)}" service=shop-api host={shop.HOSTS[host]} '
                f'component={part}')
    else:
        line = _head(style, t, level, part, host) + text
    return t, host, line


def stamp(t: int, form: str = "%Y-%m-%dT%H:%M:%S", mark: str = ".") -> str:
    """An epoch in ms as text in UTC with its milliseconds; none where ``mark`` is empty."""
    text = datetime.fromtimestamp(t // 1000, UTC).strftime(form)
    return f"{text}{mark}{t % 1000:03}" if mark else text


def paths(rows: dict[str, Any]) -> Iterator[str]:
    """The path of each request, its ids filled in."""
    for route, number, token in zip(rows["route"], rows["id"], rows["token"], strict=True):
        path = shop.ROUTES[route].path
        if "{" in path:
            if "{n}" in path:
                path = path.replace("{n}", str(number if "page" not in path else number % 7 + 1), 1)
            if "{word}" in path:
                path = path.replace("{word}", shop.WORDS[token % 10])
            if "{hex}" in path:
                path = path.replace("{hex}", f"{token % 997 * 2654435761 % 2**32:08x}{route:04x}")
            if "{uuid}" in path:
                h = f"{token:016x}{token * 0x9E3779B97F4A7C15 % 2**64:016x}"
                path = path.replace("{uuid}", f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}")
        yield path


def clients(rows: dict[str, Any]) -> Iterator[str]:
    """The address of each caller: one per number, those of the probes inside."""
    for number in rows["client"]:
        yield "10.20.250.9" if number < 0 else f"{81 + number // 16_194_277 % 90}.{number * 7 // 65025 % 249 + 1}." \
            f"{number * 7 // 255 % 255}.{number * 7 % 255}"


def _seconds(rows: dict[str, Any], form: str) -> Iterator[str]:
    """Each request's second as text; a second is spelled once."""
    last, text = -1, ""
    for t in rows["t"]:
        if t // 1000 != last:
            last = t // 1000
            text = datetime.fromtimestamp(last, UTC).strftime(form)
        yield text


def _access(plan: Plan, style: str, rows: dict[str, Any], failures: list[Failure | None]) -> Iterator[Line]:
    agents = [shop.AGENTS[p] for p in shop.PLATFORMS]
    methods = [r.method for r in shop.ROUTES]
    for t, when, client, path, route, status, size, took, host, platform, agent, token in zip(
            rows["t"], _seconds(rows, "%d/%b/%Y:%H:%M:%S +0000"), clients(rows), paths(rows), rows["route"], rows["status"],
            rows["bytes"], rows["duration_ms"], rows["host"], rows["platform"], rows["agent"], rows["token"], strict=True):
        program = agents[platform][agent] if platform >= 0 else shop.PROBE_AGENT
        referer = "-" if token % 3 or platform else "https://shop.example/"
        line = f'{client} - - [{when}] "{methods[route]} {path} HTTP/1.1" {status} {size} "{referer}" "{program}"'
        if style == "extra":
            line += f" {took / 1000:.3f} {token:014x}"
        elif style == "upstream":
            line += f' rt={took / 1000:.3f} uct="0.001" urt="{took / 1000:.3f}" upstream="{shop.ADDRESSES[host]}:8080" rid={token:014x}'
        else:
            line = f"{shop.VHOSTS[host // 3]}:443 {line}"
        yield t, host, line


def _facts(plan: Plan, rows: dict[str, Any]) -> Iterator[tuple]:
    """What the structured styles say of each request."""
    return zip(rows["t"], rows["host"], rows["route"], paths(rows), rows["status"], rows["duration_ms"], rows["bytes"], clients(rows),
               rows["user"], rows["tenant"], rows["group"], rows["platform"], rows["agent"], rows["new"], rows["token"], strict=True)


def _pino(plan: Plan, style: str, rows: dict[str, Any], failures: list[Failure | None]) -> Iterator[Line]:
    versions = (plan.old, plan.new)
    for (t, host, route, path, status, took, _, client, user, tenant, group, platform, agent, new, token), failure in zip(
            _facts(plan, rows), failures, strict=True):
        r = shop.ROUTES[route]
        common = f'"time":{t},"pid":{4100 + host},"hostname":"{shop.HOSTS[host]}","name":"shop-api","version":"{versions[new]}",'
        if failure:
            err = json.dumps({"type": failure.type, "message": failure.message, "stack": failure.trace("js")})
            yield t, host, (f'{{"level":50,{common}"component":"{r.part}","traceId":"{token:016x}","err":{err},'
                            f'"msg":{json.dumps(failure.message)}}}')
        who = (f'"userId":{user},' if user >= 0 else "") + (
            f'"tenant":"t-{tenant:03}","tenantGroup":"{shop.TENANT_GROUPS[group]}","platform":"{shop.PLATFORMS[platform]}",'
            if platform >= 0 else "")
        program = shop.AGENTS[shop.PLATFORMS[platform]][agent] if platform >= 0 else shop.PROBE_AGENT
        upstream = f'"upstream":"{r.upstream}",' if r.upstream else ""
        yield t, host, (
            f'{{"level":{50 if status >= 500 else 40 if status >= 400 else 30},{common}"region":"{shop.REGIONS[host // 3]}",{who}{upstream}'
            f'"req":{{"id":"{token:014x}","method":"{r.method}","url":"{path}","headers":{{"user-agent":"{program}"}},'
            f'"remoteAddress":"{client}"}},"res":{{"statusCode":{status}}},"responseTime":{took},"traceId":"{token:016x}",'
            f'"msg":"request {"errored" if status >= 500 else "completed"}"}}')


def _zap(plan: Plan, style: str, rows: dict[str, Any], failures: list[Failure | None]) -> Iterator[Line]:
    versions = (plan.old, plan.new)
    for (t, host, route, path, status, took, size, client, user, tenant, group, platform, _, new, token), failure in zip(
            _facts(plan, rows), failures, strict=True):
        r = shop.ROUTES[route]
        common = f'"service":"shop-api","version":"{versions[new]}","host":"{shop.HOSTS[host]}","trace_id":"{token:016x}"'
        if failure:
            yield t, host, (f'{{"level":"error","ts":{t // 1000}.{t % 1000:03},"logger":"shop.{r.part}","caller":"{r.part}/handler.go:88",'
                            f'"msg":"handler failed","error":{json.dumps(failure.said)},{common},'
                            f'"stacktrace":{json.dumps(failure.trace("go"))}}}')
        who = (f',"user":"u{user}"' if user >= 0 else "") + (
            f',"tenant":"t-{tenant:03}","tenant_group":"{shop.TENANT_GROUPS[group]}","platform":"{shop.PLATFORMS[platform]}"'
            if platform >= 0 else "")
        upstream = f',"upstream":"{r.upstream}"' if r.upstream else ""
        yield t, host, (
            f'{{"level":"{"error" if status >= 500 else "info"}","ts":{t // 1000}.{t % 1000:03},"logger":"shop.http",'
            f'"caller":"http/log.go:41","msg":"request","method":"{r.method}","path":"{path}","route":"{r.folded}","status":{status},'
            f'"duration_ms":{took},"bytes":{size},"remote_addr":"{client}","region":"{shop.REGIONS[host // 3]}",{common}{who}{upstream}}}')


def _ecs(plan: Plan, style: str, rows: dict[str, Any], failures: list[Failure | None]) -> Iterator[Line]:
    versions = (plan.old, plan.new)
    for (t, host, route, path, status, took, size, client, user, tenant, group, platform, _, new, token), failure in zip(
            _facts(plan, rows), failures, strict=True):
        r = shop.ROUTES[route]
        common = (f'"ecs.version":"8.11.0","service.name":"shop-api","service.version":"{versions[new]}",'
                  f'"host.name":"{shop.HOSTS[host]}","trace.id":"{token:016x}"')
        if failure:
            yield t, host, (f'{{"@timestamp":"{stamp(t)}Z","log.level":"ERROR","message":{json.dumps(failure.message)},'
                            f'"log.logger":"shop.{r.part}","error.type":"{failure.type}","error.message":{json.dumps(failure.message)},'
                            f'"error.stack_trace":{json.dumps(failure.trace("java"))},{common}}}')
        who = (f',"user":{{"id":"{user}"}}' if user >= 0 else "") + (
            f',"labels":{{"tenant":"t-{tenant:03}","tenant_group":"{shop.TENANT_GROUPS[group]}",'
            f'"platform":"{shop.PLATFORMS[platform]}","upstream":"{r.upstream or "none"}"}}' if platform >= 0 else "")
        yield t, host, (
            f'{{"@timestamp":"{stamp(t)}Z","log.level":"{"ERROR" if status >= 500 else "INFO"}","message":"{r.method} {path} {status}",'
            f'{common},"log.logger":"shop.http","cloud":{{"region":"{shop.REGIONS[host // 3]}"}},'
            f'"http":{{"request":{{"method":"{r.method}"}},"response":{{"status_code":{status},"body":{{"bytes":{size}}}}}}},'
            f'"url":{{"path":"{path.partition("?")[0]}"}},"client":{{"ip":"{client}"}},"event":{{"duration":{took * 1_000_000}}}{who}}}')


def _logfmt(plan: Plan, style: str, rows: dict[str, Any], failures: list[Failure | None]) -> Iterator[Line]:
    versions = (plan.old, plan.new)
    for (t, host, route, path, status, took, size, client, user, tenant, group, platform, _, new, token), failure in zip(
            _facts(plan, rows), failures, strict=True):
        r, when = shop.ROUTES[route], stamp(t)
        common = f"service=shop-api version={versions[new]} host={shop.HOSTS[host]} trace_id={token:016x}"
        if failure:
            yield t, host, (f"ts={when}Z level=error msg=\"handler failed\" error={json.dumps(failure.said)} component={r.part} {common}")
        who = (f" user=u{user}" if user >= 0 else "") + (
            f" tenant=t-{tenant:03} tenant_group={shop.TENANT_GROUPS[group]} platform={shop.PLATFORMS[platform]}" if platform >= 0 else "")
        upstream = f" upstream={r.upstream}" if r.upstream else ""
        quoted = f'"{path}"' if "=" in path else path
        yield t, host, (f"ts={when}Z level={'error' if status >= 500 else 'info'} msg=request method={r.method} path={quoted} "
                        f"status={status} duration={took}ms bytes={size} remote_addr={client} region={shop.REGIONS[host // 3]} "
                        f"{common}{who}{upstream}")


def _plain(plan: Plan, style: str, rows: dict[str, Any], failures: list[Failure | None]) -> Iterator[Line]:
    for t, host, route, path, status, took, user, token, failure in zip(
            rows["t"], rows["host"], rows["route"], paths(rows), rows["status"], rows["duration_ms"], rows["user"], rows["token"],
            failures, strict=True):
        r = shop.ROUTES[route]
        who = f" for user {user}" if user >= 0 else ""
        if failure:
            yield t, host, failed(style, t, host, r, path, failure, token)
        else:
            level = "WARN" if status >= 400 else "INFO"
            word = "rejected" if status >= 400 else "completed"
            yield t, host, f"{_head(style, t, level, r.part, token % 12)}{r.method} {path} {word} in {took} ms{who}"


def failed(style: str, t: int, host: int, route: shop.Route, path: str, failure: Failure, token: int) -> str:
    """A failed request as a plain application log has it: the ERROR line, then its stack trace."""
    text = f"{_head(style, t, 'ERROR', route.part, token % 12)}{route.method} {path} failed: {failure.said}"
    return text + "\n" + failure.trace("python" if style == "python" else "java")


def _head(style: str, t: int, level: str, part: str, thread: int) -> str:
    when = stamp(t, "%Y-%m-%d %H:%M:%S", ",")
    if style == "python":
        return f"{when} {'WARNING' if level == 'WARN' else level} shop.{part}: "
    return f"{when} {level:<5} [exec-{thread}] shop.{part} - "
