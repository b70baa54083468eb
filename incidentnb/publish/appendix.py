"""The appendix: an executed notebook in a form (``forms``) that anyone can open and nobody regrets sharing.

The order: mend and redact every text of the notebook, make the model (``page.py``), lay it out, redact what readers of a page will see once
more, look through every byte for what is known to be a secret, put the file in place of the old one at once. The same notebook and header
give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from incidentnb import atomic
from incidentnb.exceptions import InputError
from incidentnb.publish import forms, redaction
from incidentnb.publish import page as pages
from incidentnb.record import pseudonyms

_READERS = {"internal": "internal readers: secrets are hidden, personal data are not", "customer": "customers: secrets and personal data are hidden",
            "public": "the public: secrets and personal data are hidden"}


@dataclass(frozen=True)
class Export:
    """What was written.

    Attributes:
        path: the page or document.
        digest: SHA-256 of its bytes.
        files: the pictures beside it.
        hidden: kind of secret → how often one was hidden.
        missing: what the page says first of a run that did not complete; empty where all of it did.
    """

    path: Path
    digest: str
    files: tuple[Path, ...] = ()
    hidden: dict[str, int] = field(default_factory=dict)
    missing: str = ""


def export(run_notebook: Path | str, out: Path | str, *, to: str = "html", header: Mapping[str, Any] | None = None,
           audience: str = "public", key: bytes | None = None, extra: Sequence[redaction.Rule] = (),
           known: Mapping[str, str] | None = None) -> Export:
    """Write the appendix of an executed notebook, in place of an older one at once.

    Args:
        run_notebook: an executed notebook, complete or not.
        out: the file to write; pictures beside it go into ``<name>_files``.
        to: a key of ``forms.FORMS``.
        header: what stands at the head, as ``page.page`` takes it.
        audience: whose eyes it is for, as ``redaction.redact`` takes it.
        key: makes the pseudonyms agree between exports of one incident.
        extra: the team's own rules, as ``redaction.redact`` takes them.
        known: value → kind of what the evidence itself says is a secret or personal, by the names of its fields.

    Raises:
        InputError: the notebook cannot be read, an unknown ``to``, a place that cannot be written, a part that is not installed.
        Refused: a value that is known to be a secret is still there; nothing is written.
    """
    out = Path(out)
    if to not in forms.FORMS:
        raise InputError(f"export --to {to}", "no such form", f"one of {', '.join(forms.FORMS)}")
    eyes = redaction.Eyes(audience, key, extra, known or {})
    model = redacted_page(read(run_notebook), header, eyes)
    stem = out.name.removesuffix(forms.FORMS[to][0]).removesuffix(out.suffix)
    beside = out.parent / f"{stem}_files"
    made = forms.make(to, {**model, "over": eyes.over}, beside.name)
    made = replace(made, data=eyes.over(made.data, out.name))
    printed = {f"{out.name}, as a page.html": made.page} if made.page else {}
    eyes.check({out.name: made.data, **{f"{beside.name}/{name}": data for name, data in made.files.items()}, **printed})
    try:
        for name, data in made.files.items():
            atomic.write(beside / name, data)
        atomic.write(out, made.data)
        if to in forms.BESIDE:
            _remove_stale(beside, set(made.files))
    except OSError as problem:
        raise InputError(str(out), f"cannot be written: {problem.strerror or problem}", "name another place") from None
    return Export(out, hashlib.sha256(made.data).hexdigest(), tuple(beside / name for name in made.files), dict(sorted(eyes.hidden.items())),
                  _missing(model["banner"]))


def _missing(banner: Mapping[str, Any] | None) -> str:
    """The banner of a page in one line."""
    return " ".join([banner["head"], *(f"{group['state']}: {group['names']}." for group in banner["groups"])]) if banner else ""


def redacted_page(notebook: Mapping[str, Any], header: Mapping[str, Any] | None, eyes: redaction.Eyes) -> dict[str, Any]:
    """The model of ``page.page`` out of a notebook and a header in which nothing that these eyes may not see is left."""
    notebook = pages.one_text(notebook)
    eyes.learn(notebook)
    model = pages.page(eyes.redacted(notebook), eyes.redacted(dict(header)) if header is not None else None)
    model["provenance"]["lines"].append({"name": "Made for", "text": _READERS[eyes.audience]})
    return {**model, "hidden": eyes.told(), "audience": eyes.audience}


def read(path: Path | str) -> dict[str, Any]:
    """An executed notebook as nested dicts, without the machinery of nbformat.

    Raises:
        InputError: no such file, or it is no notebook of format 4.
    """
    try:
        notebook = json.loads(Path(path).read_bytes())
    except FileNotFoundError:
        raise InputError(str(path), "no such notebook", "incidentnb investigate makes one") from None
    except OSError as problem:
        raise InputError(str(path), f"cannot be read: {problem.strerror or problem}") from None
    except (ValueError, RecursionError):
        raise InputError(str(path), "is no notebook", "give an executed .ipynb file") from None
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list) or notebook.get("nbformat") != 4:
        raise InputError(str(path), "is no notebook of format 4", "save it in JupyterLab first")
    return notebook


def preprocessor(**_: Any) -> Callable[[Any, MutableMapping[str, Any]], tuple[Any, MutableMapping[str, Any]]]:
    """What ``conf.json`` of the template names, so that plain nbconvert makes the same page (for the audience ``public``)."""

    def prepare(notebook: Any, resources: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        place = Path(str((resources.get("metadata") or {}).get("path") or "."))
        key = pseudonyms.read(place.parent) if place.name == "runs" else None  # so that the page is that of ``incidentnb export``
        resources["appendix"] = redacted_page(json.loads(json.dumps(notebook)), None, redaction.Eyes("public", key))
        return notebook, resources

    return prepare


def _remove_stale(folder: Path, keep: set[str]) -> None:
    """Remove the pictures of an older export: only what bears a name that we give."""
    for old in folder.glob("figure-*.*") if folder.is_dir() else ():
        if old.name not in keep:
            old.unlink(missing_ok=True)


