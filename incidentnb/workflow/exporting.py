"""The appendix out of an executed notebook, and the check that record, evidence and exports are what they were."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from incidentnb import times
from incidentnb.exceptions import InputError, PartialError
from incidentnb.record import incident as records
from incidentnb.record import journal, pseudonyms, team
from incidentnb.workflow import running

_NO_NEWS = ("run", "export", "finding", "section_failed")  # entries that a new run of the notebook would not show otherwise


def export(folder: Path | str, to: Sequence[str] = ("html",), *, run: Path | str | None = None, audience: str = "public",
           cells: running.CellProgress | None = None, tell: Callable[[str], None] | None = None) -> list[Path]:
    """Write the appendix of an incident into its ``exports/``; what was there is replaced.

    Args:
        folder: the incident.
        to: keys of ``publish.forms.FORMS``.
        run: the executed notebook; by default the last run of the investigation, executed anew where something was recorded since.
        audience: whose eyes it is for: ``internal`` hides secrets, ``customer`` and ``public`` personal data too.
        cells: progress of executing, as ``notebook.execute`` takes it.
        tell: is told, in a line, what is missing of a run that did not complete.

    Returns:
        The files, ``appendix.html`` …; a given ``run`` keeps its own name, and for other eyes than the public's theirs is in it
        (``appendix.internal.html``), so that none is shared by mistake.

    Raises:
        InputError: no incident there, no such kind, no such run; the only kind that was asked for cannot be made.
        PartialError: a kind cannot be made, or not be put in its place; the others are there.
        Refused: a value that is known to be a secret would still be in one; it and those after it are not made, older exports stay.
    """
    from incidentnb.publish import appendix, forms, redaction

    folder = Path(folder)
    extra = redaction.rules_of(team.load(folder, Path.cwd()).redaction)
    for kind in to:
        if kind not in forms.FORMS:
            raise InputError("--to", f"{kind} is none of {', '.join(forms.FORMS)}")
    chosen = _given(folder, run) if run is not None else _latest(folder, cells)
    known = records.load(folder, _as_of(appendix.read(chosen)))
    written, head = [], header(known)
    stem = ("appendix" if run is None else chosen.stem) + ("" if audience == "public" else f".{audience}")
    page = {key: value for key, value in head.items() if key != "account"}  # what a form does not show is not counted as hidden in it
    key, private = pseudonyms.make(folder), _private(folder, chosen, head)
    missing: list[InputError] = []
    made = None
    for kind in dict.fromkeys(to):
        out = folder / "exports" / f"{stem}{forms.FORMS[kind][0]}"
        try:
            made = appendix.export(chosen, out, to=kind, header=head if kind in forms.DATA else page, audience=audience, key=key,
                                   extra=extra, known=private)
        except InputError as problem:
            missing.append(problem)
            continue
        body = {"path": str(out.relative_to(folder)), "sha256": made.digest, "run": chosen.name, "head": head["journal"]["head"],
                "audience": audience, "hidden": made.hidden}
        journal.append(folder, "export", body, occurred_at=times.now())
        written.append(out)
    if tell is not None and made is not None and made.missing:
        tell(made.missing)
    if missing and not written:
        raise missing[0]
    if missing:
        done = ", ".join(out.name for out in written)
        raise PartialError(missing[0].where, "; ".join(problem.what for problem in missing), f"{missing[0].do}; written: {done}".lstrip("; "))
    return written


def _private(folder: Path, run: Path, head: dict[str, Any]) -> dict[str, str]:
    """Value → kind of what the evidence says is secret or personal, as far as it could stand in this export."""
    from incidentnb.evidence import private
    from incidentnb.publish import redaction
    from incidentnb.publish.hiding import names, values

    text = re.sub(r"\\[nrt\"]", " ", f"{run.read_text(encoding='utf-8', errors='replace')} {head}")
    words = {word.strip(".,:;!?*_`") for word in re.findall(r"[^\s\"'<>|,;(){}\[\]=&\\]{6,200}", text)}
    words |= {part for word in words if ":" in word or "/" in word for part in re.split(r"[:/]", word)}
    try:
        return private.values(folder / "evidence", {word for word in words if values.stands_alone(word)}, names.kind_of, redaction.PERSONAL)
    except InputError:  # no evidence, or none that can be read: what the page itself says must do
        return {}


def header(known: records.Incident) -> dict[str, Any]:
    """What stands at the head of an export, from the record and what was read; a path tells nothing of the machine but its last folder."""
    from incidentnb.case import recorded
    from incidentnb.evidence import table
    from incidentnb.publish import account
    from incidentnb.publish.heading import heading

    try:
        manifest = table.read_manifest(known.folder / "evidence")
    except InputError:
        manifest = {"inputs": [], "digest": ""}
    inputs = [{**{k: v for k, v in entry.items() if k != "parts"}, "path": "/".join(Path(entry["path"]).parts[-2:])}
              for entry in manifest["inputs"]]
    answers = account.answers(known)
    return heading(known, inputs=inputs, evidence=manifest["digest"]) | {
        "journal": _stand(known), "account": account.account(known, recorded.changes(known, answers, inputs), answers)}


def _stand(known: records.Incident) -> dict[str, Any]:
    """How many entries the journal has, and the digest of the last; what only tells of exports does not count, else no two would be alike."""
    last = next((entry.seq for entry in reversed(known.entries) if entry.kind != "export"), 0)
    after = next((entry for entry in journal.read(known.folder, damaged="skip") if entry.seq > last), None)
    return {"entries": last, "head": after.prev if after is not None else journal.head(known.folder)}


def _as_of(notebook: dict[str, Any]) -> datetime | None:
    """As of when an executed notebook is: a replay's header says nothing that was not known then."""
    as_of = ((notebook.get("metadata", {}).get("incidentnb") or {}).get("parameters") or {}).get("as_of")
    return times.parse(str(as_of)) if as_of else None


def _given(folder: Path, run: Path | str) -> Path:
    for path in (Path(run), folder / run, folder / "runs" / run):
        if path.is_file():
            return path
    raise InputError(str(run), "no such run", f"one of {folder / 'runs'}")


def _latest(folder: Path, cells: running.CellProgress | None) -> Path:
    """The last run of the investigation, made anew where there is none or where something was recorded after it."""
    entries = journal.read(folder)
    last = next((e for e in reversed(entries) if e.kind == "run" and e.body.get("notebook") == "investigation"), None)
    if last is not None:
        path = folder / "runs" / Path(str(last.body.get("run"))).name
        news = any(e.kind not in _NO_NEWS for e in entries if e.seq > last.seq)
        if path.is_file() and not news:
            return path
    return running.investigate(folder, cells=cells).record.path


@dataclass(frozen=True)
class Check:
    """One thing that ``verify`` looked at: what it is, ``ok``, ``edited``, ``changed``, ``missing`` or ``not recorded``, and why."""

    what: str
    state: str
    why: str = ""


def verify(folder: Path | str) -> list[Check]:
    """Check the journal's chain, and evidence and exports against the digests that the journal keeps of them. Repairs nothing.

    Raises:
        InputError: no incident there.
    """
    folder = Path(folder)
    found = journal.verify(folder)
    torn = f", and {found.torn} bytes of a line that was never finished" if found.torn else ""
    checks = [Check("journal.jsonl", "ok", f"{found.entries} entries, head {found.head[:16]}{torn}") if found.ok else
              Check("journal.jsonl", "changed", "; ".join(found.problems))]
    entries = journal.read(folder, damaged="skip")
    run = next((e for e in reversed(entries) if e.kind == "run"), None)
    digests = (run.body.get("evidence") or {}) if run else {}
    if not digests:
        checks.append(Check("evidence/", "not recorded", "no run has kept the digests of the evidence yet"))
    checks += [_check(folder, f"evidence/{name}", digest) for name, digest in digests.items()]
    exports = {str(e.body.get("path")): e.body for e in entries if e.kind == "export"}
    checks += [_check(folder, path, str(body.get("sha256")), body.get("document") == "postmortem") for path, body in exports.items()]
    return checks


def _check(folder: Path, name: str, digest: str, by_people: bool = False) -> Check:
    path = folder / name
    if not path.is_file():
        return Check(name, "missing", "the journal names it, it is not there")
    now = running.sha256(path)
    if by_people and now != digest:
        return Check(name, "edited", "people have written in it since it was made, as they are meant to")
    return Check(name, "ok", f"sha256 {now[:16]}") if now == digest else Check(
        name, "changed", f"sha256 is {now[:16]}, the journal says {digest[:16]}")
