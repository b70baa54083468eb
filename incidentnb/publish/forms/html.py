"""The appendix as one HTML page, by the same template that nbconvert uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from incidentnb import places
from incidentnb.publish.forms import Made

TEMPLATE = "incidentnb"


def make(model: Mapping[str, Any], folder: str = "", to: str = "html") -> Made:
    """The page; its pictures are in it."""
    return Made(render(model).encode("utf-8", "replace"))


def render(model: Mapping[str, Any]) -> str:
    """The model as HTML."""
    from jinja2 import Environment, FileSystemLoader

    loader = FileSystemLoader(places.templates() / TEMPLATE)
    environment = Environment(loader=loader, autoescape=True, keep_trailing_newline=True)
    return environment.get_template("index.html.j2").render(resources={"appendix": model})
