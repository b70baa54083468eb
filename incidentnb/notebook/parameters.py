"""Which notebook, with which parameters: found, checked, and written as a fresh copy that has not been executed."""

from __future__ import annotations

import contextlib
import difflib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incidentnb import places, sinks
from incidentnb.exceptions import InputError
from incidentnb.notebook import store

if TYPE_CHECKING:
    from nbformat import NotebookNode

NOTEBOOKS = ("triage", "investigation", "resolution")


def find(name: str | Path) -> Path:
    """The file of a notebook: a stock one by its name, any other by its path.

    Raises:
        InputError: there is none.
    """
    given = Path(name)
    if given.suffix == ".ipynb":
        if given.is_file():
            return given
        raise InputError(str(name), "no such notebook")
    stock = places.notebooks() / f"{sinks.file_name(name)}.ipynb"
    if stock.is_file():
        return stock
    raise InputError(str(name), "no such notebook", f"one of {', '.join(NOTEBOOKS)}, or the path of an .ipynb file")


def inspect(name: str | Path) -> dict[str, dict[str, Any]]:
    """The parameters of a notebook: name → ``name``, ``inferred_type_name``, ``default``, ``help`` (the comment behind it).

    Raises:
        InputError: there is no such notebook, or the file is none.
    """
    with light_imports():
        import papermill

    path = find(name)
    try:
        with quiet():
            return papermill.inspect_notebook(_literal(path))
    except Exception as error:
        raise InputError(str(path), f"cannot be read as a notebook: {sinks.terminal(error, 200)}") from error


def check_parameters(name: str | Path, parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters as the notebook will get them, each known to it, of the type it declares, and plain JSON.

    Raises:
        InputError: the notebook has no such parameter (the nearest name is told), a value is of another type or no plain JSON, or
            the file is no notebook.
    """
    path, known = find(name), inspect(name)
    for key, value in parameters.items():
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1, 0.5)
            raise InputError(f"{path.name}: parameter {key!r}", "the notebook has none of that name",
                             f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(known) or 'none'}")
        wanted = str(known[key]["inferred_type_name"])
        if not _is_plain(value):
            raise InputError(f"{path.name}: parameter {key!r}", f"a {type(value).__name__} is no plain JSON value",
                             "give text, a number, true or false, or a list of these")
        if not _fits(value, wanted):
            raise InputError(f"{path.name}: parameter {key!r}", f"{value!r} is not of type {wanted}", known[key]["help"])
    return dict(parameters)


def _is_plain(value: Any) -> bool:
    if type(value) is list:
        return all(_is_plain(v) and type(v) is not list for v in value)
    return value is None or type(value) in (str, int, bool) or (type(value) is float and math.isfinite(value))


def _fits(value: Any, wanted: str) -> bool:
    kinds = {"str": (str,), "int": (int,), "float": (int, float), "bool": (bool,), "list": (list, str)}
    return type(value) in kinds.get(wanted.split("[")[0].lower(), (type(value),))


def _literal(path: Path) -> str:
    """A path that ``str.format`` leaves as it is."""
    return str(path).replace("{", "{{").replace("}", "}}")


def prepare(name: str | Path, parameters: dict[str, Any], out: Path) -> Path:
    """Write a fresh, not executed copy of a notebook with its parameters in it; an existing file is never overwritten.

    Args:
        name: stock name or path.
        parameters: as ``check_parameters`` takes them.
        out: the file to write; a collision gets ``-2``, ``-3`` …

    Raises:
        InputError: as ``find`` and ``check_parameters``.
    """
    node = parameterized(name, parameters)
    store.scrub(node)
    out.parent.mkdir(parents=True, exist_ok=True)
    return store.publish(store.text(node), out, out.parent)


def parameterized(name: str | Path, parameters: dict[str, Any]) -> NotebookNode:
    with light_imports():
        import papermill

    given = check_parameters(name, parameters)
    with quiet():
        return papermill.execute_notebook(_literal(find(name)), None, given, prepare_only=True, progress_bar=False)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Papermill's log lines are for its own command line."""
    import logging

    log = logging.getLogger("papermill")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


@contextlib.contextmanager
def light_imports() -> Iterator[None]:
    """Import papermill, nbformat and the like without the second that one grammar takes.

    jsonschema, where it finds ``rfc3987_syntax``, compiles the grammar of IRIs on import; no schema of a notebook asks for it.
    """
    import sys

    grammar = "rfc3987_syntax"
    if "jsonschema" in sys.modules or grammar in sys.modules:
        yield
        return
    sys.modules[grammar] = None  # type: ignore[assignment]  # what the import system takes for "not installed"
    try:
        yield
    finally:
        del sys.modules[grammar]
