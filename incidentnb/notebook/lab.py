"""JupyterLab on a fresh working copy of a notebook, with the incident's parameters in it."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

from incidentnb import times
from incidentnb.exceptions import InputError
from incidentnb.notebook.parameters import find, prepare


def prepare_lab(folder: Path, name: str | Path = "investigation", *, as_of: str = "") -> Path:
    """Write a fresh working copy of a notebook into ``folder/lab`` and return it; what is there already stays.

    The incident is given as ``..``, so that the copy still works when the folder has moved.

    Raises:
        InputError: as ``notebook.prepare``.
    """
    parameters = {"incident": "..", **({"as_of": as_of} if as_of else {})}
    return prepare(name, parameters, folder / "lab" / f"{times.now():%Y-%m-%dT%H%M%SZ}-{find(name).stem}.ipynb")


def lab_command(path: Path, port: int = 0, *, browser: bool = True, token: str | None = None) -> tuple[list[str], str]:
    """The command that opens JupyterLab on a notebook, for this machine alone, and its token.

    Args:
        path: the notebook; its folder is all that the server shows.
        port: 0 takes any free one.
        token: by default a new random one.

    Returns:
        The words of the command, and the token; hand the token over in the environment as ``JUPYTER_TOKEN``, where other users
        of the machine cannot read it in the list of processes.

    Raises:
        InputError: JupyterLab is not installed.
    """
    from importlib.util import find_spec

    if find_spec("jupyterlab") is None:
        raise InputError("lab", "JupyterLab is not installed", "pip install jupyterlab")
    words = [sys.executable, "-m", "jupyterlab", str(path.resolve()), f"--ServerApp.root_dir={path.resolve().parent}", "--ServerApp.ip=127.0.0.1",
             f"--ServerApp.port={port}", "--ServerApp.allow_remote_access=False", "--KernelManager.transport=ipc",
             "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.news_url=None"]
    words += ["--allow-root"] if os.geteuid() == 0 else []  # in a container there is often no other user
    return [*words, *([] if browser else ["--no-browser"])], token or secrets.token_urlsafe(24)
