"""The appendix out of an executed notebook, and the check that record, evidence and exports are what they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from incidentnb import times
from incidentnb.exceptions import InputError
from incidentnb.record import incident as records
from incidentnb.record import journal, team
from incidentnb.workflow import running

_NO_NEWS = ("run", "export", "finding", "section_failed")  # entries that a new run of the notebook would not show otherwise


def export(folder: Path | str, to: Sequence[str] = ("html",), *, run: Path | str | None = None, audience: str = "public",
           cells: running.CellProgress | None = None) -> list[Path]:
    """Write the appendix of an incident into its ``exports/``; what was there is replaced.

    Args:
        folder: the incident.
        to: keys of ``publish.forms.FORMS``.
        run: the executed notebook; by default the last run of the investigation, executed anew where something was recorded since.
        audience: whose eyes it is for: ``internal`` hides secrets, ``customer`` and ``public`` personal data too.
        cells: progress of executing, as ``notebook.execute`` takes it.

    Returns:
        The files, ``appendix.html`` …; a given ``run`` keeps its own name.

    Raises:
        InputError: no incident there, no such kind, no such run.
    """
    from incidentnb.publish import appendix, forms, redaction

    folder = Path(folder)
    extra = redaction.rules_of(team.load(folder, Path.cwd()).redaction)
    for kind in to:
        if kind not in forms.FORMS:
            raise InputError("--to", f"{kind} is none of {', '.join(forms.FORMS)}")
    chosen = _given(folder, run) if run is not None else _latest(folder, cells)
    known = records.load(folder, _as_of(appendix.read(chosen)))
    written = []
    for kind in dict.fromkeys(to):
        out = folder / "exports" / f"{'appendix' if run is None else chosen.stem}{forms.FORMS[kind][0]}"
        made = appendix.export(chosen, out, to=kind, header=header(known), audience=audience, extra=extra)
        body = {"path": str(out.relative_to(folder)), "sha256": made.digest, "run": chosen.name, "head": journal.head(folder),
                "audience": audience, "hidden": made.hidden}
        journal.append(folder, "export", body, occurred_at=times.now())
        written.append(out)
    return written


def header(known: records.Incident) -> dict[str, Any]:
    """What stands at the head of an export, from the record and what was read; a path tells nothing of the machine but its last folder."""
    from incidentnb.evidence import table
    from incidentnb.publish.heading import heading

    try:
        manifest = table.read_manifest(known.folder / "evidence")
    except InputError:
        manifest = {"inputs": [], "digest": ""}
    inputs = [{**{k: v for k, v in entry.items() if k != "parts"}, "path": "/".join(Path(entry["path"]).parts[-2:])}
              for entry in manifest["inputs"]]
    said = [found.body.get("sentence") for found in map(known.finding, ("onset", "recovery")) if found is not None]
    return heading(known, inputs=inputs, head=journal.head(known.folder), evidence=manifest["digest"],
                   summary=" ".join(str(sentence) for sentence in said if sentence))


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
