"""What the pages of this package share: their style, templates, and pictures that lie within the HTML file."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..lazy import imported_on_use
from . import figures
from .figures import Rgb

if TYPE_CHECKING:
    import cv2
    import jinja2
else:
    cv2 = imported_on_use("cv2")
    jinja2 = imported_on_use("jinja2")

#: of photos, 0 to 100
_JPEG_QUALITY = 88


def render(name: str, **values: Any) -> str:
    """A page as HTML.

    Args:
        name: of the template, a file beside this module, which may include others; its variable `style` is the common
            style sheet, `script` what lets a reader compare images.
        values: the other variables of the template.
    """
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    template = environment.get_template(name)
    return template.render(style=_resource("page.css"), script=_resource("image_viewer.js"), **values)


def page_sources() -> list[str]:
    """The texts of the templates, the style and the scripts of all pages."""
    files = (file for file in resources.files(__package__).iterdir() if file.name.endswith((".html", ".css", ".js")))
    return [file.read_text(encoding="utf-8") for file in sorted(files, key=lambda file: file.name)]


def _template(name: str) -> str:
    return re.sub(r"\n\s+(?={%)", "\n", _resource(name))


def _resource(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def svg_uri(content: bytes) -> str:
    """An SVG file as the address of a picture within a page."""
    return _data_uri(content, "svg+xml")


def png_uri(content: bytes) -> str:
    """A PNG file as the address of a picture within a page."""
    return _data_uri(content, "png")


def picture_uri(image: Rgb) -> str:
    """A picture (H, W, 3) of few colours, such as coloured labels, without loss."""
    return png_uri(figures.png(image))


def photo_uri(image: Rgb) -> str:
    """A photo or smooth map (H, W, 3), as JPEG."""
    bgr = np.ascontiguousarray(image[..., ::-1])
    return _data_uri(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes(), "jpeg")


def _data_uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def colour(row: NDArray[np.uint8]) -> tuple[int, ...]:
    """A colour (3,) as a page takes it: (128, 0, 0)."""
    return tuple(map(int, row))


def legend(
    class_names: Sequence[str], palette: Rgb, shown: Iterable[NDArray[np.integer[Any]]] | None
) -> list[tuple[str, tuple[int, ...]]]:
    """Names and colours of classes.

    Args:
        class_names: C names.
        palette: (K, 3) RGB, K >= C.
        shown: labels (H, W), of whose classes alone; None: all classes.
    """
    present = np.full(256, shown is None)
    for labels in shown or ():
        present[np.unique(labels)] = True
    return [(name, colour(palette[k])) for k, name in enumerate(class_names) if present[k]]
