"""The appendix as one HTML page, by the same template that nbconvert uses."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incidentnb import places
from incidentnb.publish.forms import Made

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATE = "incidentnb"


def make(model: Mapping[str, Any], folder: str = "", to: str = "html") -> Made:
    """The page; its pictures are in it."""
    return Made(render(model).encode("utf-8", "replace"))


def render(model: Mapping[str, Any]) -> str:
    """The model as HTML."""
    return _template(places.templates() / TEMPLATE).render(resources={"appendix": model})


@cache
def _template(folder: Path) -> Template:
    from jinja2 import Environment, FileSystemLoader

    return Environment(loader=FileSystemLoader(folder), autoescape=True, keep_trailing_newline=True).get_template("index.html.j2")
