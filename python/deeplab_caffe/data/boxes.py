"""Bounding boxes of objects: read from PASCAL VOC's annotations or measured on labels, and drawn as label maps."""

from __future__ import annotations

import os
import xml.etree.ElementTree as xml
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from ..arrays import Label
from ..errors import InputError

BACKGROUND = 0


class Box(NamedTuple):
    """An object of class `label` in rows top to bottom and columns left to right, the last ones excluded (pixels)."""

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
        """Its rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def core(self, share: float) -> Box:
        """The box of the same centre and shape with this share of the area, of one pixel at least."""
        top, bottom = _middle(self.top, self.bottom, share**0.5)
        left, right = _middle(self.left, self.right, share**0.5)
        return Box(self.label, top, left, bottom, right)


def _middle(begin: int, end: int, share: float) -> tuple[int, int]:
    length = max(1, round((end - begin) * share))
    first = begin + (end - begin - length) // 2
    return first, first + length


def read_boxes(path: str | os.PathLike[str], classes: Sequence[str], size: tuple[int, int]) -> list[Box]:
    """The objects in an annotation file of PASCAL VOC (XML), cut to an image of `size` (height, width).

    Raises InputError, which names the file, for one that is missing or no such XML, and for a class that is none of
    `classes`.
    """
    try:
        objects = xml.parse(path).getroot().findall("object")
    except OSError as error:
        raise InputError(f"{os.fspath(path)}: cannot read the annotation: {error.strerror}") from None
    except xml.ParseError as error:
        raise InputError(f"{os.fspath(path)}: damaged annotation: {error}") from None
    boxes = [_box(path, item, classes, size) for item in objects]
    return [box for box in boxes if box.bottom > box.top and box.right > box.left]


def _box(path: str | os.PathLike[str], item: xml.Element, classes: Sequence[str], size: tuple[int, int]) -> Box:
    name = (item.findtext("name") or "").strip()
    if name not in classes:
        raise InputError(f"{os.fspath(path)}: an object is called '{name}'; the classes are {', '.join(classes)}")
    edges = {}
    for key in ("ymin", "xmin", "ymax", "xmax"):
        text = item.findtext(f"bndbox/{key}") or ""
        try:
            edges[key] = round(float(text))
        except (ValueError, OverflowError):
            raise InputError(f"{os.fspath(path)}: {name}: {key} is '{text}', wanted a number of pixels") from None
    height, width = size
    # VOC counts pixels from 1 and includes the last one.
    top, left = max(0, edges["ymin"] - 1), max(0, edges["xmin"] - 1)
    return Box(classes.index(name), top, left, min(height, edges["ymax"]), min(width, edges["xmax"]))


def boxes_of_labels(label: Label, ignore_label: int | None) -> list[Box]:
    """A box around every connected part of a label map (H, W) that is neither background nor ignored."""
    boxes = []
    for value in np.unique(label):
        if value not in (BACKGROUND, ignore_label):
            stats = cv2.connectedComponentsWithStats((label == value).astype(np.uint8))[2]
            boxes += [Box(int(value), y, x, y + h, x + w) for x, y, w, h, _ in stats[1:].tolist()]
    return boxes


def rectangles(boxes: Sequence[Box], size: tuple[int, int]) -> Label:
    """Boxes as a label map (H, W): a pixel in several belongs to the smallest, one in none to the background."""
    label = np.full(size, BACKGROUND, np.uint8)
    for box in sorted(boxes, key=lambda box: -box.area):
        label[box.window] = box.label
    return label
