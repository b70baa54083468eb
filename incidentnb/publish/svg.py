"""An SVG picture as one that can do nothing but be seen: an allow-list of elements and attributes, references into itself alone.

Beside a document a picture is a file that somebody opens by itself, where a script in it would run. What matplotlib draws is kept.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from incidentnb import sinks
from incidentnb.publish import raster

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
DRAWN = {"svg", "g", "defs", "symbol", "use", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan", "title",
         "desc", "clipPath", "mask", "pattern", "marker", "linearGradient", "radialGradient", "stop", "image", "style"}
_UNWRAPPED = {"a", "switch"}
_TEXTS = {"text", "tspan", "title", "desc"}
_PRESENTATION = {
    "fill", "fill-opacity", "fill-rule", "clip-path", "clip-rule", "mask", "opacity", "stroke", "stroke-dasharray", "stroke-dashoffset",
    "stroke-linecap", "stroke-linejoin", "stroke-miterlimit", "stroke-opacity", "stroke-width", "stop-color", "stop-opacity", "color",
    "display", "visibility", "overflow", "font", "font-family", "font-size", "font-stretch", "font-style", "font-variant", "font-weight",
    "text-anchor", "text-decoration", "dominant-baseline", "alignment-baseline", "baseline-shift", "letter-spacing", "word-spacing",
    "writing-mode", "vector-effect", "shape-rendering", "text-rendering", "image-rendering", "paint-order", "marker-start", "marker-mid",
    "marker-end", "transform", "isolation", "mix-blend-mode"}
_GEOMETRY = {
    "id", "class", "d", "x", "y", "x1", "x2", "y1", "y2", "dx", "dy", "cx", "cy", "r", "rx", "ry", "fx", "fy", "width", "height", "points",
    "viewBox", "version", "preserveAspectRatio", "offset", "rotate", "orient", "refX", "refY", "textLength", "lengthAdjust", "pathLength",
    "gradientUnits", "gradientTransform", "spreadMethod", "clipPathUnits", "maskUnits", "maskContentUnits", "patternUnits",
    "patternContentUnits", "patternTransform", "markerUnits", "markerWidth", "markerHeight"}
ATTRIBUTES = _PRESENTATION | _GEOMETRY | {"style", "href"}
_FUNCTIONS = {"rgb", "rgba", "hsl", "hsla", "matrix", "translate", "translatex", "translatey", "scale", "scalex", "scaley", "rotate", "skewx",
              "skewy"}
_REFERENCE = re.compile(r"#[\w.:-]+")
_TARGET = re.compile(r"(?:url\(\s*['\"]?|^\s*)#([\w.:-]+)")
_LOCAL_URL = re.compile(r"url\(\s*(['\"]?)#[\w.:-]+\1\s*\)", re.IGNORECASE)
_PLAIN = re.compile(r"[\w\s.,:;#%()+*/'\"!-]*")
_RULE = re.compile(r"([^{}]*)\{([^{}]*)\}")
_DEEPEST, _MOST = 200, 4_000_000
_MOST_DRAWN = 1_000_000  # elements, those counted again that are used again


def clean(svg: str) -> bytes | None:
    """The picture with nothing but what is drawn; ``None`` where it is no SVG. The same picture gives the same bytes.

    Scripts, foreign content, animation, metadata, comments, handlers, and every reference that leads out of the picture are left out.
    A picture that declares entities is refused: they are only good for what has no place in one; so is one that uses itself, or a part so
    often that nobody's machine could draw it.
    """
    if len(svg) > _MOST or "<!ENTITY" in svg.upper():
        return None
    try:
        root = ElementTree.fromstring(sinks.visible(svg.lstrip("\ufeff \t\r\n"), keep="\n\t\r"))
    except (ElementTree.ParseError, ValueError, RecursionError):
        return None
    if _name(root.tag) != "svg" or _drawn(root) > _MOST_DRAWN:
        return None
    root.tail = None
    return ("".join(_written(root, 0, outermost=True)) + "\n").encode()


def _drawn(root: Any) -> float:
    """How many elements are drawn, with all that refers to others; infinite where a reference leads round in a circle."""
    named = {element.get("id"): element for element in root.iter() if element.get("id")}
    known: dict[Any, float] = {}

    def weight(element: Any, depth: int) -> float:
        if known.get(element) == -1:
            return math.inf
        if element not in known:
            known[element] = -1
            texts = [value for key, value in element.attrib.items() if key != "id"]
            targets = [found for text in texts for found in _TARGET.findall(text)] if any("#" in text for text in texts) else ()
            if depth > _DEEPEST:  # what is nested deeper is not written; a chain of references so long is refused
                known[element] = math.inf if targets else 1
                return known[element]
            known[element] = 1 + sum(weight(child, depth + 1) for child in element) + sum(weight(named[t], depth + 1) for t in targets if t in named)
        return known[element]

    return weight(root, 0)


def _written(element: Any, depth: int, *, outermost: bool = False, inside: str = "") -> Iterator[str]:
    """An element as text, with what may stay of it."""
    name = _name(element.tag)
    if depth > _DEEPEST:
        return
    if name == "style":
        rules = _style_sheet("".join(element.itertext()))
        if rules:
            yield f'<style type="text/css">{sinks.xml(rules, len(rules))}</style>'
    elif name in _UNWRAPPED and not outermost:
        yield from _content(element, depth, inside)
    elif name in DRAWN:
        attributes = dict(_attributes(element, name))
        if name == "image" and "xlink:href" not in attributes:
            return
        spaces = f' xmlns="{SVG}" xmlns:xlink="{XLINK}"' if outermost else ""
        yield f"<{name}{spaces}{''.join(f' {key}={chr(34)}{sinks.xml(value, _MOST)}{chr(34)}' for key, value in attributes.items())}>"
        yield from _content(element, depth, name)
        yield f"</{name}>"


def _content(element: Any, depth: int, inside: str) -> Iterator[str]:
    if inside in _TEXTS and element.text:
        yield sinks.xml(element.text)
    for child in element:
        if isinstance(child.tag, str):
            yield from _written(child, depth + 1, inside=inside)
        if inside in _TEXTS and child.tail:
            yield sinks.xml(child.tail)


def _name(tag: Any) -> str:
    """The local name of an element of SVG, also where no namespace is declared; empty for any other."""
    if not isinstance(tag, str):
        return ""
    space, _, name = tag.rpartition("}")
    return name if space in ("", "{" + SVG) else ""


def _attributes(element: Any, name: str) -> Iterator[tuple[str, str]]:
    for key, value in element.attrib.items():
        flat = " ".join(value.split())
        if key in ("href", f"{{{XLINK}}}href"):
            target = flat if _REFERENCE.fullmatch(flat) and name != "image" else _raster(value) if name == "image" else ""
            if target:
                yield "xlink:href", target
        elif key == "style":
            kept = _declarations(flat)
            if kept:
                yield key, kept
        elif key == "{http://www.w3.org/XML/1998/namespace}space" and flat in ("default", "preserve"):
            yield "xml:space", flat
        elif re.fullmatch(r"[\w.: -]{1,200}", flat) if key in ("id", "class") else key in ATTRIBUTES and _harmless(flat):
            yield key, flat


def _raster(value: str) -> str:
    """A PNG in the picture, without its text chunks."""
    found = re.fullmatch(r"\s*data:image/png;base64,([A-Za-z0-9+/=\s]+)", value)
    content = raster.pixels("image/png", found[1]) if found else None
    return f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}" if content else ""


def _harmless(value: str) -> bool:
    """Whether a value names no address, no function but of colours and of geometry, and holds no escape."""
    plain = _LOCAL_URL.sub("", value)
    if not _PLAIN.fullmatch(plain) or "/*" in plain or re.search(r"expression|javascript|behaviou?r|-moz-binding|import|://", plain, re.IGNORECASE):
        return False
    return all(function.lower() in _FUNCTIONS for function in re.findall(r"([\w-]*)\s*\(", plain))


def _declarations(style: str) -> str:
    """The declarations of a style that are presentation and harmless."""
    kept = []
    for declaration in style.split(";"):
        name, colon, value = (part.strip() for part in declaration.partition(":"))
        if colon and name.lower() in _PRESENTATION and value and _harmless(value):
            kept.append(f"{name.lower()}: {value}")
    return "; ".join(kept)


def _style_sheet(sheet: str) -> str:
    """The rules of a style sheet without those that could load anything; a sheet with an ``@`` rule or an escape loses it whole."""
    if re.search(r"[@\\<]|/\*", sheet):
        return ""
    rules = [(" ".join(selector.split()), _declarations(" ".join(body.split()))) for selector, body in _RULE.findall(sheet)]
    return " ".join(f"{selector} {{{body}}}" for selector, body in rules if body and re.fullmatch(r"[\w\s.#*,>:-]{1,200}", selector))
