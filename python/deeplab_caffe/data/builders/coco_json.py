"""COCO's instances (`instances_*.json`): an index of images, categories and annotations, which stay in the file."""

from __future__ import annotations

import json
import os
import re
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...reading import reading
from .json_stream import Item, items

_WHAT = "the annotations"
_MOST_PIXELS = 1 << 26  # of an image; COCO's have at most 640×640


class ImageRow(NamedTuple):
    """An image: its number, the name of its file, and its size in pixels."""

    number: int
    name: str
    height: int
    width: int


@dataclass(frozen=True, eq=False)
class Instances:
    """The index of a file of instances.

    Attributes:
        path: the file.
        images: by number.
        categories: the name of each category number.
        image_ids, category_ids, crowds, areas: (N,), of each annotation, sorted by image, in the file's order within.
        places: (N, 2) the bytes of the file where each annotation begins and ends.
    """

    path: str
    images: Mapping[int, ImageRow]
    categories: Mapping[int, str]
    image_ids: NDArray[np.int64]
    category_ids: NDArray[np.int64]
    crowds: NDArray[np.bool_]
    areas: NDArray[np.float64]
    places: NDArray[np.int64]

    def of_image(self, number: int) -> slice:
        """Which annotations are an image's."""
        first, last = np.searchsorted(self.image_ids, [number, number + 1])
        return slice(int(first), int(last))

    def segmentation(self, handle: int, index: int) -> Any:
        """The `segmentation` of an annotation, read from the file that is open as `handle`."""
        start, end = map(int, self.places[index])
        with reading(self.path, _WHAT, f"changed while it was read, at byte {start}"):
            return json.loads(os.pread(handle, end - start, start))["segmentation"]

    def where(self, index: int) -> str:
        """An annotation in messages."""
        return f"{self.path}: annotation of image {self.image_ids[index]} at byte {self.places[index, 0]}"


def read_instances(path: str | os.PathLike[str]) -> Instances:
    """Read a file of instances once, item by item: it has 450 MB, and five times as much as objects of Python.

    Raises:
        InputError: the file is missing, damaged, or has no images, categories or annotations; names the byte.
    """
    index = _Index(os.fspath(path))
    for item in items(path, _WHAT):
        if add := _ADD.get(item.key):
            add(index, item)
    return index.finished()


class _Index:
    def __init__(self, path: str) -> None:
        self.path = path
        self.images: dict[int, ImageRow] = {}
        self.names: set[str] = set()  # of the images' files
        self.categories: dict[int, str] = {}
        self.numbers, self.areas = array("q"), array("d")  # numbers: five of each annotation

    def image(self, item: Item) -> None:
        number, name, height, width = (self._field(item, key) for key in ("id", "file_name", "height", "width"))
        good = type(number) is type(height) is type(width) is int and height > 0 < width and _is_name(name)
        if not good or height * width > _MOST_PIXELS or abs(number) >> 62:
            raise self._fault(item, "id, file_name, height and width of an image")
        if number in self.images or name in self.names:
            raise self._fault(item, "an id and a file_name that no other image has")
        self.images[number] = ImageRow(number, name, height, width)
        self.names.add(name)

    def category(self, item: Item) -> None:
        number, name = self._field(item, "id"), self._field(item, "name")
        if type(number) is not int or not isinstance(name, str):
            raise self._fault(item, "id and name of a category")
        if number in self.categories or name in self.categories.values():
            raise self._fault(item, "an id and a name that no other category has")
        self.categories[number] = name

    def annotation(self, item: Item) -> None:
        image, category, area = (self._field(item, key) for key in ("image_id", "category_id", "area"))
        crowd, segmentation = self._field(item, "iscrowd") or 0, self._field(item, "segmentation")
        if not (type(image) is type(category) is int and crowd in (0, 1) and segmentation is not None):
            raise self._fault(item, "image_id, category_id, iscrowd (0 or 1) and segmentation of an annotation")
        if type(area) not in (int, float) or not 0 <= area < _MOST_PIXELS or max(abs(image), abs(category)) >> 62:
            raise self._fault(item, "a number of pixels as area")
        self.numbers.extend((image, category, int(crowd), item.start, item.end))
        self.areas.append(area)

    def _field(self, item: Item, key: str) -> Any:
        return item.value.get(key) if isinstance(item.value, dict) else None

    def _fault(self, item: Item, wanted: str) -> InputError:
        shown = repr(item.value)[:80]
        return InputError(f"{self.path}: byte {item.start}, in '{item.key}': expected {wanted}, got {shown}")

    def finished(self) -> Instances:
        for key, found in (("images", self.images), ("categories", self.categories), ("annotations", self.areas)):
            if not found:
                raise InputError(
                    f"{self.path}: has no '{key}'; expected COCO's instances, such as instances_val2017.json"
                )
        rows: NDArray[np.int64] = np.array(self.numbers, np.int64).reshape(-1, 5)
        order = np.argsort(rows[:, 0], kind="stable")
        rows, areas = rows[order], np.array(self.areas)[order]
        unknown = ~np.isin(rows[:, 0], list(self.images)) | ~np.isin(rows[:, 1], list(self.categories))
        if unknown.any():
            row = rows[int(np.argmax(unknown))]
            raise InputError(
                f"{self.path}: byte {row[3]}: annotation of image {row[0]}, category {row[1]}, which the file does not "
                "have; it is damaged"
            )
        crowds = rows[:, 2].astype(bool)
        return Instances(self.path, self.images, self.categories, rows[:, 0], rows[:, 1], crowds, areas, rows[:, 3:])


def _is_name(name: Any) -> bool:
    """Whether a name is that of a file alone: no folder, no way out of one."""
    return isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name) is not None


_ADD = {"images": _Index.image, "categories": _Index.category, "annotations": _Index.annotation}
