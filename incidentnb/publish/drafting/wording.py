"""Wording out of templates: Jinja in, sentences out, each with what it rests on, and the blanks that nothing fills.

A line of a rendered template is a sentence. In prose the lines of a paragraph are joined by spaces, in lists they stay lines; a blank line
parts paragraphs. ``{{ fact }}`` prints a fact, ``{{ fact.mark }}`` only notes that the sentence rests on it, ``{{ blank("what") }}`` prints
``[what]`` and lists it as missing. A template of the team's own, of the same file name, wins over the built-in one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from incidentnb import places
from incidentnb.exceptions import InputError

_MARK = re.compile("\x02([0-9,]*)\x03")
_INLINE = re.compile(r"^((?!\s*\{%(?:(?!%\}).)*%\}$).*[^\s+-]\s?)%\}$", re.MULTILINE)
_BLANK = re.compile("\x04([^\x05]*)\x05")


@dataclass(frozen=True)
class Line:
    """One sentence as rendered: its ``text``, the numbers of the entries that it rests on, the blanks in it."""

    text: str
    rests_on: tuple[int, ...] = ()
    missing: tuple[str, ...] = ()


def render(name: str, facts: Mapping[str, Any], own: Path | None = None) -> list[Line]:
    """The lines of a template, empty ones between paragraphs kept (never two in a row, none at the ends).

    Args:
        name: file name of the template, ``first.txt``.
        facts: what it may name.
        own: the folder of a team's own templates.

    Raises:
        InputError: the template is not there or is no template (file:line).
    """
    import jinja2

    try:
        text = _environment(own).get_template(name).render(**facts, blank=blank)
    except jinja2.TemplateNotFound as error:
        raise InputError(name, f"no such template: {error.name}", f"there is {', '.join(sorted(known(own)))}") from None
    except jinja2.TemplateSyntaxError as error:
        raise InputError(f"{error.filename or error.name}:{error.lineno}", f"not a template: {error.message}") from None
    except jinja2.UndefinedError as error:
        raise InputError(name, f"names something that a draft does not know: {error.message}") from None
    return _lines(text)


@cache
def _environment(own: Path | None) -> Any:
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Loader(jinja2.FileSystemLoader):
        """A line that is more than a tag keeps its end, also where a tag stands last in it."""

        def get_source(self, environment: Any, template: str) -> Any:
            source, *rest = super().get_source(environment, template)
            return _INLINE.sub(r"\1+%}", source), *rest

    folders = [*([own] if own else []), places.templates() / "messages"]
    return ImmutableSandboxedEnvironment(loader=Loader(folders), trim_blocks=True, lstrip_blocks=True,
                                         undefined=jinja2.StrictUndefined, autoescape=False)  # facts are inert already


def known(own: Path | None = None) -> set[str]:
    """The names of the templates that there are."""
    folders = [*([own] if own else []), places.templates() / "messages"]
    return {path.name for folder in folders for path in folder.glob("*.txt")}


def blank(what: str) -> str:
    """A placeholder that nothing fills."""
    return f"\x04{what}\x05"


def shown_blank(what: str) -> str:
    """A blank as a draft shows it."""
    return f"[{what}]"


def prose(lines: list[Line]) -> str:
    """Paragraphs of sentences: the lines of each joined by spaces."""
    paragraphs, here = [], []
    for line in [*lines, Line("")]:
        if line.text:
            here.append(line.text.strip())
        elif here:
            paragraphs.append(" ".join(here))
            here = []
    return "\n\n".join(paragraphs)


def listed(lines: list[Line]) -> str:
    """Lines as they are."""
    return "\n".join(line.text for line in lines)


def _lines(text: str) -> list[Line]:
    found: list[Line] = []
    for raw in text.splitlines():
        rests = tuple(dict.fromkeys(int(seq) for mark in _MARK.findall(raw) for seq in mark.split(",") if seq))
        missing = tuple(dict.fromkeys(_BLANK.findall(raw)))
        bare = _BLANK.sub(r"[\1]", _MARK.sub("", raw))
        indent = bare[:len(bare) - len(bare.lstrip(" "))]
        shown = indent + " ".join(bare.split()) if bare.strip() else ""
        if shown or (found and found[-1].text):
            found.append(Line(shown, rests, missing))
    return found[:-1] if found and not found[-1].text else found
