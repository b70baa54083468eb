"""The pictures that lie beside a form of the appendix: files whose names tell their order and what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from incidentnb.publish import raster, safe

_ENDINGS = {"image/svg+xml": "svg", "image/png": "png", "image/jpeg": "jpg"}


@dataclass(frozen=True)
class Picture:
    """A picture beside the document: the ``name`` of its file, its alternative text, its width in pixels (``None`` where it is not known)."""

    name: str
    alt: str
    width: int | None


def keep(output: Mapping[str, Any], files: dict[str, bytes]) -> Picture | None:
    """The picture of an output, put into ``files``; ``None`` where the output has none that can be shown."""
    data, metadata = output.get("data") or {}, output.get("metadata") or {}
    for mime, ending in _ENDINGS.items():
        content = safe.picture_bytes(mime, safe.joined(data[mime])) if mime in data else None
        if content is None:
            continue
        name = f"figure-{len(files) + 1:02d}-{hashlib.sha256(content).hexdigest()[:8]}.{ending}"
        files[name] = content
        about = metadata.get(mime) if isinstance(metadata.get(mime), Mapping) else {}
        alt = about.get("alt") or safe.said(data) or "A figure without a description"
        width = about.get("width")
        if not isinstance(width, int) or isinstance(width, bool):
            width = raster.size(content)[0] if ending != "svg" else None
        return Picture(name, " ".join(str(alt).split()), width)
    return None
