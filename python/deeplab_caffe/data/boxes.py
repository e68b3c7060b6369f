"""Bounding boxes of objects: read from PASCAL VOC annotations, found in label maps, and drawn as label maps."""

from __future__ import annotations

import os
import xml.etree.ElementTree as xml
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..arrays import Label
from ..errors import InputError
from ..lazy import imported_on_use
from ..reading import reading

if TYPE_CHECKING:
    import cv2
else:
    cv2 = imported_on_use("cv2")

BACKGROUND = 0


class Box(NamedTuple):
    """An object of class `label` in rows top:bottom and columns left:right, in pixels; the ends are excluded."""

    label: int
    top: int
    left: int
    bottom: int
    right: int

    @property
    def area(self) -> int:
        return (self.bottom - self.top) * (self.right - self.left)

    @property
    def window(self) -> tuple[slice, slice]:
        """Its rows and columns, to index a label map (H, W)."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def core(self, share: float) -> Box:
        """The box with the same centre and shape and this share of the area (0..1), at least one pixel."""
        top, bottom = _middle(self.top, self.bottom, share**0.5)
        left, right = _middle(self.left, self.right, share**0.5)
        return Box(self.label, top, left, bottom, right)


def _middle(begin: int, end: int, share: float) -> tuple[int, int]:
    length = max(1, round((end - begin) * share))
    first = begin + (end - begin - length) // 2
    return first, first + length


def read_boxes(path: str | os.PathLike[str], classes: Sequence[str], size: tuple[int, int]) -> list[Box]:
    """The objects of a PASCAL VOC annotation file (XML).

    Args:
        path: the file.
        classes: the names of all classes; a label is an index into them.
        size: (height, width) of the image; boxes are cut to it.

    Raises:
        InputError: the file is missing or not such an XML file, or names an unknown class; names the file.
    """
    with reading(path, "the annotation", "damaged annotation"):
        objects = xml.parse(path).getroot().findall("object")
        boxes = [_box(path, item, classes, size) for item in objects]
    return [box for box in boxes if box.bottom > box.top and box.right > box.left]


def _box(path: str | os.PathLike[str], item: xml.Element, classes: Sequence[str], size: tuple[int, int]) -> Box:
    name = (item.findtext("name") or "").strip()
    if name not in classes:
        raise InputError(f"{os.fspath(path)}: unknown class '{name}'; the classes are {', '.join(classes)}")
    edges = {}
    for key in ("ymin", "xmin", "ymax", "xmax"):
        text = item.findtext(f"bndbox/{key}") or ""
        try:
            edges[key] = round(float(text))
        except (ValueError, OverflowError):
            raise InputError(f"{os.fspath(path)}: {name}: {key}: expected a number of pixels, got '{text}'") from None
    height, width = size
    # VOC counts pixels from 1 and includes the last one.
    top, left = max(0, edges["ymin"] - 1), max(0, edges["xmin"] - 1)
    return Box(classes.index(name), top, left, min(height, edges["ymax"]), min(width, edges["xmax"]))


def boxes_of_labels(label: Label, ignore_label: int | None) -> list[Box]:
    """A box around every connected region of a label map (H, W) that is neither background nor ignored."""
    boxes = []
    for value in np.unique(label):
        if value not in (BACKGROUND, ignore_label):
            stats = cv2.connectedComponentsWithStats((label == value).astype(np.uint8))[2]
            boxes += [Box(int(value), y, x, y + h, x + w) for x, y, w, h, _ in stats[1:].tolist()]
    return boxes


def rectangles(boxes: Sequence[Box], size: tuple[int, int]) -> Label:
    """Draw boxes as a label map (H, W): a pixel in several boxes gets the smallest one, a pixel in none is background.

    Example:
        >>> rectangles([Box(1, 0, 0, 2, 3), Box(2, 1, 1, 2, 2)], (2, 4)).tolist()
        [[1, 1, 1, 0], [1, 2, 1, 0]]
    """
    label = np.full(size, BACKGROUND, np.uint8)
    for box in sorted(boxes, key=lambda box: -box.area):
        label[box.window] = box.label
    return label
