"""Pages for a terminal: the 20-second answer of ``triage``, the table of ``formats``, a line of progress. Text in, text out.

They speak from the plain contract dicts, so that a stored ``--json`` prints the same page. Colour is asked for, never guessed; every
text of a stranger goes through ``sinks.terminal``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from incidentnb import times
from incidentnb.publish.lines import Paint, instant, paint_with, safe, tail, thousands, wrap
from incidentnb.publish.style import percent

_LABEL = 11  # columns of the labels at the left
_BARS = "▁▂▃▄▅▆▇█"
_VERDICT = {"incident": ("INCIDENT", "bad"), "no incident": ("CALM", "good"), "cannot tell": ("UNSURE", "unsure")}


def triage_page(answer: Mapping[str, Any], *, color: bool = False, width: int = 100) -> str:
    """The whole answer on one page: verdict, rate, traffic and slowness where they tell something, who, scope, what is new, which service,
    what changed, recovery, what next, what was read.

    Args:
        answer: ``incidentnb/triage/1``; ``series`` ({bucket_s, start, rate[], complete[]}) gives the sparkline.
        color: whether the terminal takes colour.
        width: columns of the terminal; text wraps there.
    """
    paint = paint_with(color)
    width = max(40, width)
    rows: list[tuple[str, str, list[str]]] = [_headline(answer)]
    parts = {"rate": _rate(answer, paint, width), "traffic": _traffic(answer), "slow": _slow(answer), "who": _who(answer),
             "scope": _scope(answer, paint), "fails": _routes(answer), "new": _patterns(answer, paint), "service": _services(answer),
             "changed": _changes(answer), "recovery": _recovery(answer, paint), "next": _next(answer), "read": _read(answer, paint),
             "note": [safe(w) for w in answer.get("warnings") or ()]}
    for label, lines in parts.items():
        if lines:
            rows.append((label, "label", lines))
    return "\n".join(_row(label, style, lines, paint, width) for label, style, lines in rows) + "\n"


def _headline(answer: Mapping[str, Any]) -> tuple[str, str, list[str]]:
    word, style = _VERDICT.get(str(answer.get("verdict")), ("UNSURE", "unsure"))
    onset, end = answer.get("onset"), answer.get("end")
    if answer.get("verdict") != "incident" or not onset:
        return word, style, [_sentence(answer.get("why") or answer.get("verdict") or "")]
    suggested = (answer.get("severity") or {}).get("suggested")
    parts = [f"since {_span(onset)}, {'until ' + _span(end, onset) if end else 'still going on'}"]
    parts += {"traffic": ["traffic dropped"], "latency": ["requests are slow"]}.get(str(answer.get("impact")), [])
    return word, style, [" · ".join([*parts, *([f"{safe(suggested)} suggested"] if suggested else [])])]


def _rate(answer: Mapping[str, Any], paint: Paint, width: int) -> list[str]:
    rate, window = answer.get("rate") or {}, answer.get("window") or {}
    base, during = rate.get("baseline"), rate.get("during")
    words = f"{percent(base)} → {paint(percent(during), 'strong')}" if during is not None else percent(base) if base is not None else ""
    line, about = sparkline(answer.get("series"), max(12, min(60, width - _LABEL - 22)))
    counts = f"{thousands(window.get('failed'))} of {thousands(window.get('requests'))} requests failed" if window.get("requests") else ""
    first = "   ".join(part for part in (words, paint(line, "bad") if answer.get("verdict") == "incident" else line) if part)
    return [line for line in (first, " · ".join(p for p in (about, counts) if p)) if line]


def _traffic(answer: Mapping[str, Any]) -> list[str]:
    """A drop of traffic, and what fell silent while the others go on."""
    volume = answer.get("volume") or {}
    rate, lines = volume.get("rate") or {}, []
    if volume.get("verdict") == "drop" and rate.get("during") is not None:
        lines.append(f"{thousands(round(rate['baseline']))} → {thousands(round(rate['during']))} requests a minute, since {_span(volume['onset'])}, "
                     + (f"until {_span(volume['end'], volume['onset'])}" if volume.get("end") else "still so"))
    return lines + [f"{safe(one['column'])} {safe(one['value'], 60)} has logged nothing since {instant(one['last']):%H:%M:%S}Z while the others "
                    "go on, or its logs are late" for one in (volume.get("silent") or ())[:3]]


def _slow(answer: Mapping[str, Any]) -> list[str]:
    """That requests got slower, where they did."""
    latency = answer.get("latency") or {}
    if latency.get("verdict") != "slower":
        return []
    before, during = ([f"{thousands(round(latency[p][k]))} ms" if (latency.get(p) or {}).get(k) is not None else "unknown" for p in ("p50", "p95")]
                      for k in ("before", "during"))
    line = (f"95 % within {before[1]} → {during[1]}, half within {before[0]} → {during[0]}, since {_span(latency['onset'])}, "
            + (f"until {_span(latency['end'], latency['onset'])}" if latency.get("end") else "still so"))
    routes = ", ".join(safe(r["route"], 60) for r in (latency.get("routes") or ())[:3])
    return [line, *([f"most of it on {routes}"] if routes else [])]


def _services(answer: Mapping[str, Any]) -> list[str]:
    """The services that changed most, where some stand out of several."""
    found = answer.get("services") or {}
    if answer.get("verdict") == "no incident" or found.get("verdict") != "candidates":
        return []
    return [f"{entry['rank']}  {safe(entry['service'], 60)} – {safe('; '.join(entry['reasons'][:2]), 200)}"
            for entry in found.get("services") or () if entry.get("stands_out")][:3]


def sparkline(series: Any, width: int) -> tuple[str, str]:
    """The error rate as one line of blocks, at most ``width`` of them, and what it shows in words.

    Buckets of which nothing is known are blank; an incomplete bucket is left out and named. Several buckets that share a block show the
    highest of them.
    """
    points = _points(series)
    whole = [(at, rate) for at, rate, complete in points if complete]
    if len(whole) < 2:
        return "", ""
    group = -(-len(whole) // width)
    merged = [[rate for _, rate in whole[i:i + group] if rate is not None] for i in range(0, len(whole), group)]
    levels = [max(rates) if rates else None for rates in merged]
    top = max((rate for rate in levels if rate is not None), default=0) or 1
    line = "".join(" " if rate is None else _BARS[min(7, int(rate / top * 7.999))] for rate in levels)
    step = (whole[1][0] - whole[0][0]) * group
    day = "" if whole[0][0].date() == whole[-1][0].date() else "%d %b "
    words = f"{whole[0][0]:{day}%H:%M} – {whole[-1][0]:{day}%H:%M} UTC, {times.spell(step)} each"
    part = [f"{at:%H:%M}" for at, _, complete in points if not complete]
    return line, words + (f"; {' and '.join(part[:2])} incomplete" if part else "")


def _points(series: Any) -> list[tuple[datetime, float | None, bool]]:
    """(start, rate, complete) of each bucket, from the contract's columns or from a list of rows."""
    if isinstance(series, Mapping) and series.get("start") and series.get("bucket_s"):
        start, step = instant(series["start"]), timedelta(seconds=float(series["bucket_s"]))
        rates = series.get("rate") or []
        complete = series.get("complete") or [True] * len(rates)
        return [(start + step * i, rate, bool(complete[i])) for i, rate in enumerate(rates)] if start else []
    rows = series if isinstance(series, Sequence) and not isinstance(series, str) else []
    found = [(instant(r.get("time")), r["failing"] / r["total"] if r.get("total") else None, bool(r.get("complete", True)))
             for r in rows if isinstance(r, Mapping)]
    return [point for point in found if point[0] is not None]


def _who(answer: Mapping[str, Any]) -> list[str]:
    users = answer.get("users")
    if not users or not users.get("total"):
        return []
    share = users["affected"] / users["total"]
    by = "users" if users.get("by") == "user" else "client addresses (no user is known)"
    return [f"{thousands(users['affected'])} of {thousands(users['total'])} {by} ({percent(share)})"]


def _scope(answer: Mapping[str, Any], paint: Paint) -> list[str]:
    scope = answer.get("scope") or {}
    if answer.get("verdict") != "incident" or answer.get("impact") in ("traffic", "latency"):
        return []
    if scope.get("verdict") == "everyone":
        return ["everyone: no value of any column stands out"]
    causes = [s for s in scope.get("subsets") or () if s.get("cause")]
    if scope.get("verdict") != "subset" or not causes:
        return [f"cannot tell: {safe(scope.get('why') or 'no subset stands out')}"]
    lines = []
    for n, subset in enumerate(causes):
        where = paint(" and ".join(f"{safe(c)} = {safe(v if v is not None else '(none)')}" for c, v in subset["where"].items()), "strong")
        share = f"; {percent(subset['share_of_failures'])} of the failures" if subset.get("share_of_failures") is not None else ""
        lines.append(f"{'only' if n == 0 and len(causes) == 1 else 'and' if n else 'first'} {where}: {percent(subset.get('rate_inside'))} fail "
                     f"there, {percent(subset.get('rate_outside'))} elsewhere{share}{_hit(subset.get('users'))}")
    same = causes[0].get("same_as") or []
    if same:
        lines.append("indistinguishable from " + "; ".join(" and ".join(f"{safe(c)} = {safe(v)}" for c, v in s.items()) for s in same[:2]))
    return [*lines, *(_pair(pair) for pair in scope.get("confounded") or () if pair.get("verdict") != "told apart")]


def _hit(users: Any) -> str:
    """Of a subset: ``; 12 of 340 users there``."""
    if not users:
        return ""
    who = "users" if users.get("by") == "user" else "client addresses"
    return f"; {thousands(users['affected'])} of {thousands(users['total'])} {who} there"


def _pair(pair: Mapping[str, Any]) -> str:
    """Two conditions that cannot be told apart, with the cells that would: failed of all with both, with but one, with neither."""
    a, b = (" and ".join(f"{safe(c)} = {safe(v if v is not None else '(none)')}" for c, v in (pair.get(k) or {}).items()) for k in ("a", "b"))
    cells = {k: f"{thousands(v.get('failed'))}/{thousands(v.get('total'))}" for k, v in (pair.get("cells") or {}).items()}
    return (f"cannot be told apart: {a} | {b} – failed with both {cells.get('both')}, only the first {cells.get('a_only')}, "
            f"only the second {cells.get('b_only')}, neither {cells.get('neither')}")


def _routes(answer: Mapping[str, Any]) -> list[str]:
    if answer.get("verdict") != "incident":
        return []
    routes = [r for r in answer.get("routes") or () if r.get("failed") and (r.get("rate_during") or 0) >= 2 * (r.get("rate_before") or 0)][:3]
    return [f"{safe(' '.join(str(r[k]) for k in ('method', 'route') if r.get(k)), 70)}  {percent(r.get('rate_before'))} → "
            f"{percent(r.get('rate_during'))}, {thousands(r['failed'])} of {thousands(r.get('total'))}" for r in routes]


def _patterns(answer: Mapping[str, Any], paint: Paint) -> list[str]:
    if answer.get("verdict") != "incident":
        return []
    lines = []
    patterns = answer.get("patterns") or ()
    gone = [p for p in patterns if p.get("vanished") and p.get("count_before")][:1]
    for pattern in [p for p in patterns if p.get("new") and p.get("count_during")][:3] + gone:
        where = re.match(r"(\S+:\d+)(?:\s|$)", str(pattern.get("example") or ""))
        place = f"   {paint(safe(where[1], 60), 'soft')}" if where else ""
        what = f"{pattern['exception']} at {pattern['frame']}" if pattern.get("exception") and pattern.get("frame") else pattern.get("pattern")
        count = thousands(pattern["count_during"])
        if pattern in gone:
            last = instant(pattern.get("last"))
            count = f"silent{f' since {last:%H:%M:%S}Z' if last else ''}, before {thousands(pattern['count_before'])}"
        lines.append(f"{count} ×  {safe(what, 160)}{place}")
    return lines


def _changes(answer: Mapping[str, Any]) -> list[str]:
    if answer.get("verdict") != "incident":
        return []
    ranked = [c for c in answer.get("changes") or () if c.get("rank")][:3]
    untied = len(ranked) > 0 and (answer.get("scope") or {}).get("verdict") == "subset" and all(c.get("strength") in ("near", "weak") for c in ranked)
    lines = ["nothing clearly ties a known change to the failing subset; by nearness in time:"] if untied else []
    for change in ranked:
        at = instant(change.get("at"))
        name = " ".join(safe(part, 60) for part in (change.get("kind"), change.get("id")) if part)
        when = f", {at:%H:%M:%S}Z" if at else ""
        summary = f" {safe(change['summary'], 90)}" if change.get("summary") and str(change["summary"]) != str(change.get("id")) else ""
        reasons = "; ".join(safe(reason, 90) for reason in (change.get("reasons") or ())[:3])
        lines.append(f"{change['rank']}  {name}{summary}{when}" + (f" – {reasons}" if reasons else ""))
    return lines or [safe(answer.get("changes_verdict") or ("no known change explains it" if answer.get("changes") else "no change was given"))
                     + (_last_change(answer) if answer.get("changes") else ": name checkouts with --repo and change files with --changes")]


def _last_change(answer: Mapping[str, Any]) -> str:
    """The last change before the onset, where none is a candidate."""
    latest = instant((answer.get("onset") or {}).get("latest"))
    before = [(at, c) for c in answer["changes"] if (at := instant(c.get("at"))) and latest and at <= latest]
    if not before:
        return ""
    at, change = max(before, key=lambda pair: pair[0])
    name = " ".join(safe(part, 60) for part in (change.get("kind"), change.get("id")) if part)
    return f"; the last before it is {name}, {at:%H:%M:%S}Z: {'; '.join(safe(reason, 90) for reason in (change.get('reasons') or ())[:3])}"


def _recovery(answer: Mapping[str, Any], paint: Paint) -> list[str]:
    recovery = answer.get("recovery") or {}
    if answer.get("verdict") != "incident" or not recovery.get("verdict"):
        return []
    since = instant(recovery.get("since"))
    verdict = str(recovery["verdict"])
    state = recovery.get("state") or verdict
    if answer.get("impact") in ("traffic", "latency") and state == "still failing":
        state = "not back"
    word = paint(safe(state), {"recovered": "good", "not recovered": "bad"}.get(verdict, "unsure"))
    return [f"{word}{f' since {since:%H:%M:%S}Z' if since and verdict == 'recovered' else ''}"
            + (f": {safe(recovery['why'], 300)}" if recovery.get("why") else "")]


def _next(answer: Mapping[str, Any]) -> list[str]:
    """What to look at next; only what the answer itself bears."""
    if answer.get("verdict") != "incident":
        return []
    first = next((c for c in answer.get("changes") or () if c.get("rank") == 1), None)
    suggested = (answer.get("severity") or {}).get("suggested") or "SEV-2"
    steps = []
    if first is not None:
        question = {"deploy": "can it be rolled back?", "flag": "can it be switched off?", "config": "can it be reverted?"}
        asked = question.get(first.get("kind")) if first.get("strength") in (None, "strong") else None
        steps.append(f"{safe(first.get('kind'))} {safe(first.get('id'), 40)}: {asked or 'does it explain this?'}")
    return [" · ".join([*steps, f'incidentnb open "…" --severity {safe(suggested)} --logs …'])]


def _read(answer: Mapping[str, Any], paint: Paint) -> list[str]:
    inputs = answer.get("inputs") or []
    total = {key: sum(int(i.get(key) or 0) for i in inputs) for key in ("lines", "parsed", "continuation", "rejected")}
    kinds = list(dict.fromkeys(safe(i.get("format"), 40) for i in inputs if i.get("format")))
    zones = list(dict.fromkeys(f"{safe(i.get('zone'), 30)} {safe(i.get('zone_source') or '', 60)}".strip() for i in inputs if i.get("zone")))
    files = f"{thousands(len(inputs))} file{'' if len(inputs) == 1 else 's'}"
    line = (f"{files}, {thousands(total['lines'])} lines = {thousands(total['parsed'])} parsed + "
            f"{thousands(total['continuation'])} continuation + {thousands(total['rejected'])} rejected")
    return [paint(" · ".join([line, *kinds[:3], *(["…"] if len(kinds) > 3 else []), *zones[:2]]), "soft")] if inputs else []


def formats_page(answer: Mapping[str, Any], *, color: bool = False, width: int = 120) -> str:
    """A row a file: its format, lines = parsed + continuation + rejected, first and last time, zone and how it is known.

    Up to three files are told in lines of their own, with why the format was chosen.

    Args:
        answer: ``incidentnb/formats/1``.
        color: whether the terminal takes colour.
        width: columns of the terminal; a table that does not fit becomes lines of its own for each file.
    """
    paint, head, rows = paint_with(color), ["file", "format", "lines", "parsed", "cont.", "rejected", "first", "last", "zone"], []
    reasons: list[str] = []
    for entry in answer.get("inputs") or ():
        first, last = (instant(entry.get(key)) for key in ("first", "last"))
        zone = " ".join(safe(entry.get(key) or "", 240) for key in ("zone", "zone_source")).strip()
        rows.append([tail(safe(entry.get("path")), 48), safe(entry.get("format") or "unknown", 120),
                     *(thousands(entry.get(key)) for key in ("lines", "parsed", "continuation", "rejected")),
                     f"{first:%Y-%m-%d %H:%M:%S}Z" if first else "undated", f"{last:%Y-%m-%d %H:%M:%S}Z" if last else "", zone])
        reasons.append(safe(entry.get("choice") or "", 400))
    if not rows:
        return "Nothing was read.\n"
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    if (len(rows) > 3 or not any(reasons)) and sum(widths) + 2 * len(widths) <= width:
        lines = ["  ".join(cell.rjust(w) if 2 <= i <= 5 else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))).rstrip()
                 for row in [head, *rows]]
        lines = [paint(lines[0], "soft"), *(paint(line, "unsure") if row[5] not in ("0", "") else line
                                            for line, row in zip(lines[1:], rows, strict=True))]
        return "\n".join(lines) + "\n"
    blocks = []
    for row, why in zip(rows, reasons, strict=True):
        told = [f"{row[1]} · {row[2]} lines = {row[3]} parsed + {row[4]} continuation + {row[5]} rejected",
                f"{row[6]}{' – ' + row[7] if row[7] else ''}{' · ' + row[8] if row[8] else ''}", *([why] if why and len(rows) <= 3 else [])]
        blocks.append([paint(row[0], "strong"), *(f"  {part}" for line in told for part in wrap(line, width - 2))])
    return "\n".join(line for block in blocks for line in block) + "\n"


def progress(done: int, total: int | None, lines: int, *, width: int = 80) -> str:
    """One line that says how far reading is, to be written over itself (it begins with a carriage return and erases what was there)."""
    share = f"{min(done / total, 1):>4.0%}" if total else f"{done / 1e6:,.0f} MB"
    filled = int(min(done / total, 1) * 20) if total else 0
    bar = f" {'━' * filled}{'╌' * (20 - filled)}" if total else ""
    return f"\r\x1b[2K{f'reading {share}{bar}  {lines:,} lines'[:max(10, width - 1)]}"


def _row(label: str, style: str, lines: Sequence[str], paint: Paint, width: int) -> str:
    """A label and its lines, wrapped at the width under their own beginning."""
    wrapped = [part for line in lines for part in wrap(line, width - _LABEL)]
    head = paint(label.ljust(_LABEL - 1), style) + " "
    return "\n".join((head if n == 0 else " " * _LABEL) + part for n, part in enumerate(wrapped))


def _sentence(value: Any) -> str:
    text = safe(value, 600)
    return text[:1].upper() + text[1:] if text else ""


def _span(interval: Any, other: Any = None) -> str:
    """``2026-11-23 14:03:20Z (14:03:05 – 14:03:40)``; without the day where ``other`` is on the same one."""
    at, beside = instant(interval), instant(other)
    if at is None:
        return safe(interval)
    day = "" if beside is not None and beside.date() == at.date() else f"{at:%Y-%m-%d} "
    early, late = (instant(interval.get(key)) if isinstance(interval, Mapping) else None for key in ("earliest", "latest"))
    uncertain = f" ({early:%H:%M:%S} – {late:%H:%M:%S})" if early and late and late > early else ""
    return f"{day}{at:%H:%M:%S}Z{uncertain}"
