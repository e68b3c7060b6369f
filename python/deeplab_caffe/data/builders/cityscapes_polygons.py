"""Cityscapes' annotations as polygons (`*_polygons.json`), drawn as label ids."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from ...arrays import Label
from ...errors import InputError
from ...lazy import imported_on_use
from ...reading import reading
from ..cityscapes import IDS

if TYPE_CHECKING:
    from PIL import Image, ImageDraw
else:
    Image = imported_on_use("PIL.Image")
    ImageDraw = imported_on_use("PIL.ImageDraw")

_MOST_BYTES = 1 << 24  # of a file: those of Cityscapes have less than 1 MB
_MOST_PIXELS = 1 << 26
_FARTHEST = 1 << 20  # pixels from the origin: polygons may end outside the image, but not there
_SUFFIX = "group"


def draw_polygons(path: str | os.PathLike[str]) -> Label:
    """The label ids (H, W) uint8 that a `*_polygons.json` describes.

    Polygons are drawn in the file's order, later ones over earlier ones, and with Pillow, whose edges are those of the
    official `*_labelIds.png`. 'cargroup' is drawn as 'car', unless a label has this name. Deleted objects and those
    without an id, such as license plates, are left out; what no polygon covers is 'unlabeled', 0.

    Raises:
        InputError: the file is missing or damaged, or has an unknown label; names the file and the object.
    """
    name = os.fspath(path)
    with reading(path, "the polygons", "not polygons of Cityscapes"):
        if os.path.getsize(path) > _MOST_BYTES:
            raise InputError(f"{name}: larger than {_MOST_BYTES >> 20} MB, which no polygons of Cityscapes are")
        with open(path, encoding="utf-8") as file:
            table = json.load(file)
    if not isinstance(table, dict) or not isinstance(table.get("objects"), list):
        raise InputError(f"{name}: not polygons of Cityscapes: expected imgHeight, imgWidth and a list 'objects'")
    canvas = Image.new("L", _size(name, table), IDS["unlabeled"])
    drawer = ImageDraw.Draw(canvas)
    for number, item in enumerate(table["objects"], 1):
        where = f"{name}: object {number}"
        if not isinstance(item, dict) or not isinstance(item.get("label"), str):
            raise InputError(f"{where}: expected a table with 'label' and 'polygon'")
        if item.get("deleted"):
            continue
        label = _id(where, item["label"])
        if label >= 0:
            drawer.polygon(_points(where, item.get("polygon")), fill=label)
    return np.asarray(canvas, np.uint8)


def _size(name: str, table: dict[str, Any]) -> tuple[int, int]:
    width, height = table.get("imgWidth"), table.get("imgHeight")
    if type(width) is not int or type(height) is not int or width < 1 or height < 1 or width * height > _MOST_PIXELS:
        raise InputError(
            f"{name}: imgWidth = {width!r:.40}, imgHeight = {height!r:.40}; expected the size of the image in pixels"
        )
    return width, height


def _id(where: str, label: str) -> int:
    base = label.removesuffix(_SUFFIX)
    found = IDS.get(label, IDS.get(base))
    if found is None:
        raise InputError(f"{where}: unknown label {label!r:.60}; expected a name of Cityscapes' labels, such as 'road'")
    return found


def _points(where: str, polygon: Any) -> list[tuple[float, float]]:
    if not isinstance(polygon, list) or len(polygon) < 2 or not all(map(_is_point, polygon)):
        raise InputError(f"{where}: expected a polygon [[x, y], …] of finite pixel coordinates, got {polygon!r:.60}")
    return [(x, y) for x, y in polygon]


def _is_point(point: Any) -> bool:
    return isinstance(point, list) and len(point) == 2 and all(map(_is_coordinate, point))


def _is_coordinate(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < _FARTHEST  # not true for NaN
