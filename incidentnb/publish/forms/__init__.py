"""The forms that the appendix is given out in: one module each, whose ``make`` turns the model of ``page.py`` into bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

FORMS = {  # --to → what the file's name ends in, module
    "html": (".html", "html"), "pdf": (".pdf", "pdf"), "md": (".md", "markdown"), "confluence": (".confluence.xml", "confluence"),
    "json": (".json", "data"), "csv": (".timeline.csv", "events"), "timesketch": (".timesketch.csv", "events"),
}
DATA = {"json", "csv", "timesketch"}  # forms that tell the account of the record, not the cells of the notebook
BESIDE = {"md", "confluence"}  # forms whose pictures lie in a folder beside them, which they share


@dataclass(frozen=True)
class Made:
    """One form of the appendix.

    Attributes:
        data: the bytes of the page or document.
        files: name → bytes of the pictures that belong into ``<name>_files`` beside it.
        page: the HTML that it was printed from, where its own bytes do not show their text to a scan.
    """

    data: bytes
    files: dict[str, bytes] = field(default_factory=dict)
    page: bytes = b""


def make(to: str, model: Mapping[str, Any], folder: str) -> Made:
    """The model in this form.

    Args:
        to: a key of ``FORMS``.
        model: as ``page.page`` makes it; ``over``, if it is there, sees a finished page once more before it is printed.
        folder: name of the folder beside the document in which its pictures will lie.

    Raises:
        InputError: a part that this form needs is not installed; the message names it.
    """
    return import_module(f"incidentnb.publish.forms.{FORMS[to][1]}").make(model, folder, to)
