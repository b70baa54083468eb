"""The appendix: an executed notebook as one page (HTML) or one document (Markdown) that anyone can open and nobody regrets sharing.

The order: mend and redact every text of the notebook, make the model (``page.py``), lay it out, redact what readers will see once
more, put the file in place of the old one at once. The same notebook and header give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from incidentnb import atomic, places, sinks
from incidentnb.exceptions import InputError
from incidentnb.publish import page as pages
from incidentnb.publish import redaction

TEMPLATE = "incidentnb"
_PICTURES = ("image/png", "image/jpeg", "image/gif")
_HOW = {"text/html": redaction.redact_html, "image/svg+xml": redaction.redact_html, "text/markdown": redaction.redact_markdown}


@dataclass(frozen=True)
class Export:
    """What was written.

    Attributes:
        path: the page or document.
        digest: SHA-256 of its bytes.
        files: the pictures beside it.
        hidden: kind of secret → how often one was hidden.
    """

    path: Path
    digest: str
    files: tuple[Path, ...] = ()
    hidden: dict[str, int] = field(default_factory=dict)


def export(run_notebook: Path | str, out: Path | str, *, to: str = "html", header: Mapping[str, Any] | None = None,
           audience: str = "public", key: bytes | None = None, extra: Sequence[redaction.Rule] = ()) -> Export:
    """Write the appendix of an executed notebook, in place of an older one at once.

    Args:
        run_notebook: an executed notebook, complete or not.
        out: the file to write; with ``md`` the pictures go into ``<name>_files`` beside it.
        to: ``html`` or ``md``.
        header: what stands at the head, as ``page.page`` takes it.
        audience: whose eyes it is for, as ``redaction.redact`` takes it.
        key: makes the pseudonyms agree between exports of one incident.
        extra: the team's own rules, as ``redaction.redact`` takes them.

    Raises:
        InputError: the notebook cannot be read, an unknown ``to``, a place that cannot be written.
    """
    out = Path(out)
    if to not in ("html", "md"):
        raise InputError(f"export --to {to}", "no such form", "html or md")
    eyes = _Eyes(audience, key, extra)
    notebook = redacted(read(run_notebook), eyes)
    model = pages.page(notebook, redacted(dict(header), eyes) if header is not None else None)
    model["hidden"] = eyes.told()
    files: dict[str, bytes] = {}
    if to == "html":
        text = eyes.see(render(model), redaction.redact_html)
    else:
        from incidentnb.publish import document

        text, files = document.markdown(model, f"{out.stem}_files")
        text = eyes.see(text, redaction.redact_markdown)
    data = text.encode("utf-8", "replace")
    try:
        written = tuple(_write_pictures(out.parent / f"{out.stem}_files", files)) if to == "md" else ()
        atomic.write(out, data)
    except OSError as problem:
        raise InputError(str(out), f"cannot be written: {problem.strerror or problem}", "name another place") from None
    if to == "md":
        _remove_stale(out.parent / f"{out.stem}_files", set(files))
    return Export(out, hashlib.sha256(data).hexdigest(), written, dict(sorted(eyes.hidden.items())))


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


def render(model: Mapping[str, Any]) -> str:
    """The model as HTML, by the same template that nbconvert uses."""
    from jinja2 import Environment, FileSystemLoader

    loader = FileSystemLoader(places.templates() / TEMPLATE)
    environment = Environment(loader=loader, autoescape=True, keep_trailing_newline=True)
    return environment.get_template("index.html.j2").render(resources={"appendix": model})


def preprocessor(**_: Any) -> Callable[[Any, MutableMapping[str, Any]], tuple[Any, MutableMapping[str, Any]]]:
    """What ``conf.json`` of the template names, so that plain nbconvert makes the same page (for the audience ``public``)."""

    def prepare(notebook: Any, resources: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        eyes = _Eyes("public", None)
        model = pages.page(redacted(json.loads(json.dumps(notebook)), eyes))
        model["hidden"] = eyes.told()
        resources["appendix"] = model
        return notebook, resources

    return prepare


@dataclass
class _Eyes:
    """One export's way of seeing text: its audience, its pseudonyms, and the count of what it hid."""

    audience: str
    key: bytes | None
    extra: Sequence[redaction.Rule] = ()
    names: dict[str, str] = field(default_factory=dict)
    hidden: Counter[str] = field(default_factory=Counter)

    def see(self, text: str, how: Callable[..., tuple[str, Counter[str]]] = redaction.redact) -> str:
        shown, found = how(text, audience=self.audience, names=self.names, key=self.key, extra=self.extra)
        self.hidden.update(found)
        return shown

    def told(self) -> list[dict[str, Any]]:
        return [{"kind": kind, "count": count} for kind, count in sorted(self.hidden.items())]


def redacted(value: Any, eyes: _Eyes, mime: str = "") -> Any:
    """Nested plain values with every text mended (nothing in it is invisible) and redacted; pictures stay as they are."""
    if isinstance(value, str):
        if mime in _PICTURES or len(value) < 4:
            return value
        return eyes.see(sinks.visible(value, keep="\n\t\r\x1b"), _HOW.get(mime, redaction.redact))
    if isinstance(value, Mapping):
        return {(sinks.visible(k) if isinstance(k, str) else k): redacted(v, eyes, str(k)) for k, v in value.items()}
    if isinstance(value, list | tuple):
        if value and (mime in ("source", "text") or "/" in mime) and all(isinstance(line, str) for line in value):
            return redacted("".join(value), eyes, mime)  # a secret may run over its lines
        return [redacted(part, eyes, mime) for part in value]
    return value


def _write_pictures(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    for name, data in files.items():
        atomic.write(folder / name, data)
    return [folder / name for name in files]


def _remove_stale(folder: Path, keep: set[str]) -> None:
    """Remove the pictures of an older export: only what bears a name that we give."""
    for old in folder.glob("figure-*.*") if folder.is_dir() else ():
        if old.name not in keep:
            old.unlink(missing_ok=True)


