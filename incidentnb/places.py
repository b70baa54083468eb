"""Where the project's own files are: in a checkout beside the package, in an installed wheel inside it."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _folder(name: str) -> Path:
    installed = _PACKAGE / "_data" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def notebooks() -> Path:
    """The folder of the stock notebooks (``triage.ipynb``, ``investigation.ipynb``, ``resolution.ipynb``)."""
    return _folder("notebooks")


def templates() -> Path:
    """The folder of the wording (Jinja) and of the nbconvert template ``incidentnb/``."""
    return _folder("templates")


def formats() -> Path:
    """The folder of the log formats that come with the package, one TOML file each."""
    return _PACKAGE / "evidence" / "formats"


def schemas() -> Path:
    """The folder of the JSON Schemas of what the verbs print with ``--json``."""
    return _PACKAGE / "schemas"


def user_configuration() -> Path:
    """The user's own folder (``$XDG_CONFIG_HOME/incidentnb`` or ``~/.config/incidentnb``); need not exist.

    Log formats dropped into its ``formats/`` are read after the project's own and win over them.
    """
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "incidentnb"
