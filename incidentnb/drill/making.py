"""Make a drill: logs, a checkout, a change feed, the alert that wakes the responder, and the answer that is kept aside."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incidentnb import times
from incidentnb.drill.answer import Answer, write_answer
from incidentnb.drill.scenario import CALM, Plan, between, plan
from incidentnb.exceptions import InputError, Refused

if TYPE_CHECKING:
    from incidentnb.drill.lines import Line


def make(folder: str | Path, seed: int, kind: str | None = None, formats: str | tuple[str, ...] | None = None, *,
         style: str | None = None, packing: str | None = None, feed: str = "jsonl", until: datetime | None = None,
         minutes: float | None = None, scale: float = 1.0, recovered: bool | None = None, repository: bool = True,
         progress: Callable[[float, int], None] | None = None) -> Answer:
    """Write an incident with a known answer: ``logs/``, ``shop/`` (a git checkout), the change feed, ``alert.txt``.

    The same arguments give the same bytes. What is not given, the seed decides.

    Args:
        folder: is made; must be new or empty.
        seed: any whole number.
        kind: one of ``KINDS``.
        formats: one of ``jsonl``, ``logfmt``, ``access``, ``plain``, or two, of which the second is ``plain``: an application's log
            beside the requests.
        style: of the first format: pino, zap, ecs; extra, upstream, vhost; logback, python.
        packing: one, gz, rotated, hosts (a file each), syslog, docker (envelopes).
        feed: of the changes: jsonl, csv, cdevents.
        until: end of the traffic, by default a fixed instant.
        minutes: of traffic, by default 62 to 88.
        scale: of the traffic; 1 is about 40,000 requests, 120 about 5 million; memory does not grow with it.
        recovered: whether the fault is taken away in time to see it.
        repository: whether to make the checkout.
        progress: is called with the share done (0–1) and the lines written.

    Raises:
        InputError: an unknown name, or a kind that the format cannot show.
        Refused: the folder holds something.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Refused(str(folder), "exists and is not an empty folder", "name a new one")
    decided = plan(seed, kind, formats, style=style, packing=packing, until=until and until.astimezone(times.UTC), minutes=minutes,
                   scale=scale, recovered=recovered)
    from incidentnb.drill import repository as checkout
    from incidentnb.drill import story

    story.written([], feed)  # an unknown feed is told before anything is written
    try:
        folder.mkdir(parents=True, exist_ok=True)
        commits = checkout.build(folder / "shop", decided) if repository else {}
        rows, culprit, also = story.told(decided, commits)
        name, text = story.written(rows, feed)
        (folder / name).write_text(text, encoding="utf-8")
        counted = _write_logs(folder / "logs", decided, progress)
        (folder / "alert.txt").write_text(_alert(decided), encoding="utf-8")
    except OSError as problem:
        raise InputError(str(problem.filename or folder), f"cannot be written: {problem.strerror}") from None
    calm = decided.fault is None
    answer = Answer(
        seed, decided.kind, decided.formats, decided.style, decided.packing, scale, decided.start, decided.until,
        "no incident" if calm else "incident", counted.pop("onset"), decided.injected if decided.fault else None,
        None if calm else decided.end, None if calm else "subset" if decided.where else "everyone", decided.where, decided.same_as,
        culprit, also, **counted, changes=name, repository="shop" if commits else None)
    write_answer(folder, answer)
    return answer


def _write_logs(folder: Path, decided: Plan, progress: Callable[[float, int], None] | None) -> dict[str, Any]:
    """Write the log files, a chunk of the traffic at a time, and count what they bear."""
    import numpy as np

    from incidentnb.drill.faults import failures
    from incidentnb.drill.lines import failed, paths, writer
    from incidentnb.drill.packing import Files
    from incidentnb.drill.shop import ROUTES
    from incidentnb.drill.traffic import chunks, ms

    level = decided.formats[0] == "plain"
    by = None if level else "client" if decided.formats[0] == "access" else "user"
    beside = decided.formats[1] if len(decided.formats) > 1 else None
    seen: dict[str, set[int]] = {"hit": set(), "all": set()}
    counts = {"requests": 0, "failed": 0, "injected": 0}
    onset, first, last = None, ms(decided.start), ms(decided.until)
    render = writer(decided, decided.style)
    chatter = _chatter(decided)
    with Files(folder, "shop" if not beside else "access", decided.packing, decided) as requests, \
            Files(folder, "app", "one", decided) as application:
        for columns in chunks(decided):
            if onset is None and columns["injected"].any():
                onset = int(columns["t"][columns["injected"]][0])
            if onset is not None and by:
                during = (columns["t"] >= onset) & (columns["t"] < (ms(decided.end) if decided.end else last + 1))
                during &= columns["user"] >= 0 if by == "user" else True
                seen["all"].update(np.unique(columns[by][during]).tolist())
                seen["hit"].update(np.unique(columns[by][during & columns["failed"]]).tolist())
            counts["requests"] += len(columns["t"])
            counts["failed"] += int(columns["failed"].sum())
            counts["injected"] += int(columns["injected"].sum())
            rows = {name: column.tolist() for name, column in columns.items()}
            found = list(failures(decided, rows))
            begin, finish = (rows["t"][0], rows["t"][-1]) if rows["t"] else (0, 0)
            speaker = decided.style if not beside else "python"
            spoken = chatter(begin, finish, speaker) if decided.formats[0] != "access" or beside else []
            own = list(render(rows, found))
            if beside:
                said = [failed("python", t, host, ROUTES[route], path, failure, token)
                        for t, host, route, path, failure, token in zip(rows["t"], rows["host"], rows["route"], paths(rows), found,
                                                                        rows["token"], strict=True) if failure]
                times_ = [(t, host) for t, host, failure in zip(rows["t"], rows["host"], found, strict=True) if failure]
                application.write(_merged([(t, host, text) for (t, host), text in zip(times_, said, strict=True)], spoken))
            else:
                own = _merged(own, spoken)
                counts["requests"] += len(spoken) if level else 0
            requests.write(own)
            if progress and rows["t"]:
                progress(min(1.0, (finish - first) / (last - first)), requests.lines + application.lines)
    return {"onset": None if onset is None else times.epoch(onset), "outcome": "level" if level else "http_status", **counts,
            "users_by": by, "users_affected": len(seen["hit"]) if by and onset else None,
            "users_total": len(seen["all"]) if by and onset else None, "lines": requests.lines + application.lines,
            "logs": tuple(f"logs/{name}" for name in requests.names + application.names)}


def _chatter(decided: Plan) -> Callable[[int, int, str], list[Line]]:
    """What the programs say beside their requests: a record every second or so, and from some minute on a new and harmless one."""
    from incidentnb.drill import shop
    from incidentnb.drill.lines import spoken
    from incidentnb.drill.traffic import ms

    source = decided.random
    pace = 1400.0 / max(1.0, decided.scale)  # ms from one to the next, on average
    new_from = ms(decided.harmless_from)
    following = [float(ms(decided.start))]

    def say(begin: int, finish: int, style: str) -> list[Line]:
        lines = []
        while following[0] <= finish:
            t = max(begin, int(following[0]))
            following[0] += pace * (0.2 + 1.6 * source.random())
            choice = source.random()
            known = t < new_from or choice < 0.85
            level, text = shop.CHATTER[int(choice * 60) % len(shop.CHATTER)] if known else shop.HARMLESS[decided.harmless]
            number, small = int(between(source, 1000, 90000)), int(between(source, 1, 60))
            part = shop.ROUTES[int(source.random() * (len(shop.ROUTES) - 1))].part
            lines.append(spoken(decided, style, t, int(source.random() * 9), level, part, text.format(id=number, small=small)))
        return lines

    return say


def _merged(one: list[Line], other: list[Line]) -> list[Line]:
    return sorted(one + other, key=lambda line: line[0]) if other else one


def _alert(decided: Plan) -> str:
    """What the responder is woken with: true, and little."""
    at = (decided.injected or decided.deployed or decided.start) + timedelta(minutes=4)
    symptom = "traffic is far above its usual band" if decided.kind == "surge" else \
        "a customer writes that the shop is slow" if decided.kind in CALM else "the share of failing requests is above its threshold"
    return (f"{times.iso(at.replace(microsecond=0))}  shop-api: {symptom}\n\n"
            "logs/    what the programs wrote\nshop/    the checkout\ndeploys  what was rolled out and switched\n")
