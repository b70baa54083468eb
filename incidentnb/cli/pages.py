"""Words out: what verbs print for people and for programs. Every word of a stranger passes through ``sinks.terminal``.

Each function returns ``(value, text)``: the JSON of the answer, and the same for people.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incidentnb import findings, times
from incidentnb.sinks import terminal

if TYPE_CHECKING:
    from incidentnb.findings import Finding

Page = tuple[Any, str]


def table(rows: Sequence[Sequence[Any]], head: Sequence[str]) -> str:
    """Rows under their heads, columns aligned; numbers to the right."""
    texts = [[f"{v:,}" if isinstance(v, int) else terminal(findings.cell(v), 80) for v in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(head), *texts]) for i in range(len(head))]
    numeric = [bool(rows) and all(isinstance(row[i], int) for row in rows) for i in range(len(head))]
    lines = ["  ".join(c.rjust(w) if n else c.ljust(w) for c, w, n in zip(line, widths, numeric, strict=True)).rstrip()
             for line in [list(head), *texts]]
    return "\n".join(lines)


def known_formats(known: list[dict[str, Any]]) -> str:
    """The formats that are read, by family."""
    return table([[one["name"], one["title"], one["family"]] for one in known], ["format", "what it is", "family"])


def onset(found: Finding, of: str = "failures") -> Page:
    """``incidentnb/onset/1``."""
    numbers = found.numbers
    value = {"schema": "incidentnb/onset/1", "of": of, "verdict": found.verdict, "why": found.why,
             **({"silent": numbers.get("silent", [])} if found.name == "volume" else {}),
             **{key: numbers.get(key) for key in ("onset", "end", "rate", "spikes", "bucket_s", "requests", "failed", "likeliest")}}
    return findings.plain(value), _answer(found)


def scope(found: Finding) -> Page:
    """``incidentnb/scope/1``: the object ``scope`` of ``triage`` with its schema."""
    from incidentnb.analysis import triage

    return findings.plain({"schema": "incidentnb/scope/1", **triage.scope_json(found)}), _answer(found)


def patterns(found: Finding) -> Page:
    """``incidentnb/patterns/1``."""
    value = {"schema": "incidentnb/patterns/1", "verdict": found.verdict, "why": found.why, "patterns": found.numbers.get("patterns", [])}
    return findings.plain(value), _answer(found)


def services(found: Finding) -> Page:
    """``incidentnb/services/1``."""
    numbers = found.numbers
    value = {"schema": "incidentnb/services/1", "verdict": found.verdict, "why": found.why, "since": numbers.get("since"),
             "looked_at": numbers.get("looked_at"), "services": numbers.get("services", []), "read": numbers.get("read", []),
             "notes": list(found.notes)}
    lines = [terminal(found.sentence)] + ([terminal(found.why)] if found.why not in found.sentence else [])
    for one in [s for s in value["services"] if s["stands_out"] or s["rank"] <= 3][:10]:
        mark = "stands out" if one["stands_out"] else "does not stand out"
        lines += ["", f"{one['rank']}  {terminal(one['service'], 80)}  ({mark}, score {one['score']:.1f})"]
        lines += [f"   {terminal(reason, 300)}" for reason in one["reasons"]]
    lines += [""] * bool(value["services"])
    return findings.plain(value), "\n".join([*lines, *[terminal(note) for note in found.notes]])


def _answer(found: Finding, rows: int = 20) -> str:
    """A finding as text: its sentence, what it rests on, its table."""
    lines = [terminal(found.sentence)]
    if found.why and found.why not in found.sentence:
        lines.append(terminal(found.why))
    frame = found.frame
    if frame is not None and len(frame) and found.name not in ("onset", "volume", "latency"):
        shown = frame.head(rows)
        lines += ["", table([list(row) for row in shown.itertuples(index=False, name=None)], [terminal(c) for c in shown.columns])]
        if len(frame) > rows:
            lines.append(f"{len(frame) - rows:,} more are not shown (--json has them)")
    return "\n".join([*lines, *[terminal(note) for note in found.notes]])


def entry(folder: Path, made: Any) -> Page:
    """The entry that was recorded."""
    value = {"incident": str(folder), **made.as_json()}
    number = made.body.get("id")
    said = next((made.body[key] for key in _SAID if made.body.get(key)), "")
    words = " ".join(str(part) for part in (made.kind.replace("_", " "), number, f"#{made.seq}") if part)
    when = _when(made.occurred_at) or f"{times.iso(made.recorded_at, precision='seconds')} (recorded)"
    return value, f"incident  {folder}\n{words}  {when}  {terminal(said, 200)}"


def options(folder: Path, found: Sequence[dict[str, str]]) -> Page:
    """The ways back from the changes that rank highest, to copy; nothing is run."""
    lines = [f"incident  {folder}"]
    for number, one in enumerate(found, 1):
        lines += ["", f"{number}  {terminal(one['what'], 200)}", f"   {terminal(one['how'], 1000)}"]
        lines += [f"   ({terminal(one['note'], 600)})"] if one["note"] else []
    told = ("none of these was run: incidentnb decide … --safe records the choice, incidentnb mitigate … what was done" if found else
            "no ranked change offers a way back")
    return {"incident": str(folder), "options": list(found)}, "\n".join([*lines, "", told])


def opened(folder: Path, made: Any) -> Page:
    """The incident that was opened, and its first run."""
    from incidentnb.record import incident

    known = incident.load(folder)
    value = {"incident": str(folder), "title": known.title, "severity": known.severity, "channel": known.channel, "ic": known.ic,
             "run": made.as_json() if made else None}
    head = f"incident  {folder}\n{known.severity}  {terminal(known.title)}  ·  IC {terminal(known.ic)}  ·  channel {known.channel}"
    rest = run(made)[1].split("\n", 1)[1] if made else "no logs were named: nothing to investigate yet"
    return value, f"{head}\n{rest}"


def run(made: Any) -> Page:
    """A run of a notebook: where it lies, and what could not be computed."""
    record = made.record
    lines = [f"incident  {made.folder}", *[f"warning   {terminal(w)}" for w in made.warnings]]
    if record.outcome != "completed":
        lines.append(f"{record.outcome}: {terminal(record.why)}")
    lines += [f"{cell.state}: {terminal(cell.title)}{': ' + terminal(cell.why) if cell.why else ''}" for cell in record.troubled]
    done = sum(cell.state == "completed" for cell in record.cells)
    return made.as_json(), "\n".join([*lines, f"{done} of {len(record.cells)} cells completed", str(record.path)])


def resolved(folder: Path, made: Any, recovery: dict[str, Any]) -> Page:
    """Whether recovery was proved, on what, and the run that shows it; ``made`` is ``None`` where there were no logs to prove it from."""
    told = f"{recovery['verdict']}: {terminal(recovery['sentence'])}"
    if recovery["recorded"]:
        told += f"\nrecorded: {terminal(recovery['recorded'])}"
    if made is None:
        return {"incident": str(folder), "run": None, "recovery": recovery}, f"incident  {folder}\n{told}"
    first, rest = run(made)[1].split("\n", 1)
    return {**made.as_json(), "recovery": recovery}, f"{first}\n{told}\n{rest}"


def verified(folder: Path, checks: Sequence[Any]) -> Page:
    """What was checked, a line each."""
    value = {"incident": str(folder), "ok": all(c.state not in ("changed", "missing") for c in checks),
             "checks": [{"what": c.what, "state": c.state, "why": c.why} for c in checks]}
    return value, f"incident  {folder}\n" + table([[c.state, c.what, c.why] for c in checks], ["state", "what", "why"])


def reviewed(made: Any) -> Page:
    """``incidentnb/postmortem/1``: where the postmortem is, what is blank, what is in conflict, what might be said otherwise."""
    flags = [{"line": f.line, "kind": f.kind, "words": f.words, "why": f.why, "instead": f.instead} for f in made.flags]
    value = {"schema": "incidentnb/postmortem/1", "incident": str(made.folder), "postmortem": str(made.path), "written": made.written,
             "stale": made.stale, "blanks": list(made.blanks), "flags": flags, "edited": list(made.edited), "conflicts": list(made.conflicts),
             "actions": [str(path) for path in made.actions], "hidden": made.hidden}
    state = "written" if made.written else "checked" if made.checked else "as it was"
    lines = [f"incident  {made.folder}", f"{state:<9} {made.path}", *[f"actions   {path}" for path in made.actions]]
    lines += [f"stale     {'the record says more than this file: make it again'}"] if made.stale else []
    lines += [f"edited    by people, and kept: {', '.join(made.edited)}"] if made.edited else []
    lines += [f"conflict  in {name}: a person edited it and the record changed; both are in the file" for name in made.conflicts]
    lines += ["", f"blank     {len(made.blanks)}" if made.blanks else "blank     nothing"]
    lines += [f"  {terminal(blank)}" for blank in made.blanks]
    lines += ["", f"to say otherwise  {len(flags)}" if flags else "to say otherwise  nothing"]
    for flag in flags:
        lines += [f"  {made.path.name}:{flag['line']}  {flag['kind']}: {terminal(flag['words'], 100)}",
                  f"      {flag['why']}; {flag['instead']}"]
    return value, "\n".join(lines)


_SAID = ("text", "claim", "what", "decision", "effect", "severity", "milestone", "verdict", "person", "reason", "duty")


def _when(moment: Any) -> str:
    if isinstance(moment, times.Interval):
        return " – ".join(str(times.iso(m, precision="seconds")) for m in (moment.earliest, moment.latest))
    return times.iso(moment, precision="seconds") or ""


def drilled(made: dict[str, Any]) -> Page:
    """The drill that was made, and what to type next."""
    import shlex

    head = f"{made['lines']:,} log lines, a checkout and a change file in {made['folder']} (seed {made['seed']})"
    return made, (f"{head}\n{terminal(made['alert'])}\nbegin with: {shlex.join(made['triage'])}\n"
                  f"then:       incidentnb drill --answer {shlex.quote(made['folder'])}")


def graded(found: dict[str, Any]) -> Page:
    """The answer of a drill, how triage does on it, and how the responder did."""
    truth = found["answer"]
    rows = [[{True: "right", False: "wrong", None: "–"}[one["ok"]], name, findings.cell(one["truth"]), findings.cell(one["found"])]
            for name, one in found["grade"].items() if isinstance(one, dict)]
    text = f"{truth['kind']}, seed {truth['seed']}: {truth['verdict']}\n\n" + table(rows, ["triage", "question", "truth", "found"])
    responder = found["responder"]
    if responder is None:
        return found, f"{text}\n\nno incident was opened on it: incidentnb open … --logs {terminal(found['folder'])}/logs"
    off = f"{responder['off_s']:+,.0f} s off" if responder["off_s"] is not None else "not comparable"
    culprit = {True: "yes", False: "no", None: "there is none to name"}[responder["names_the_culprit"]]
    lines = [f"responder  {responder['incident']}", f"  started    {responder['started'] or 'not recorded'} ({off})",
             f"  supported  {'; '.join(map(terminal, responder['supported'])) or 'no hypothesis'} · names the culprit: {culprit}",
             *[f"  {terminal(metric)}" for metric in responder["metrics"].values()]]
    return found, "\n".join([text, "", *lines])
