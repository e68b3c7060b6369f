"""Images with per-pixel labels from a list file. Mirrors `image_seg_data_layer.cpp` of DeepLab and its transformer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...arrays import Shape
from ...data.images import read_pixels
from ...data.labels import check_labels, read_label
from ...data.lists import ListEntry, check_files, full_path, list_contents, read_list
from ...errors import InputError
from ...formats import schema
from ...lazy import imported_on_use
from .. import log
from ..blob import Blob
from .base import register
from .read_ahead import ReadAheadLayer

if TYPE_CHECKING:
    import cv2
else:
    cv2 = imported_on_use("cv2")

_NONE, _IMAGE, _PIXEL = 0, 1, 2


class _Item(NamedTuple):
    """(H, W, channels) and (H, W), uint8."""

    image: np.ndarray
    label: np.ndarray


@register("ImageSegData")
class ImageSegData(ReadAheadLayer):
    """Tops data (N, C, h, w) BGR, label (N, 1, h, w), data_dim (N, 1, 1, 2): height and width before padding.

    One item: mirror (in TEST too), scale by one of scale_factors (image bilinear, label nearest), pad at the
    bottom and right up to the crop (data 0, label ignore_label), crop (TRAIN at random, TEST in the centre),
    (pixel − mean) · scale. Every draw depends on the seed and the item's number alone, so the order in which
    threads read does not matter and a resumed run goes on with the very items that were next.

    Deviations from the original: a palette PNG is read as its indices, not as grey values of its colours; an
    image and a label of different sizes, or without a crop an image smaller than the first, is an error.
    """

    tops = (3, 3)
    auto_top = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p, t = self.param.image_data_param, self.param.transform_param
        if bool(p.new_height) != bool(p.new_width):
            self.fail("states only one of new_height and new_width")
        if t.HasField("mean_file"):
            self.fail("takes mean_value, not mean_file")
        self.channels = 3 if p.is_color else 1
        if len(t.mean_value) not in (0, 1, self.channels):
            self.fail(f"states {len(t.mean_value)} mean values for {self.channels} channels")
        if any(not factor > 0 for factor in t.scale_factors):
            self.fail(f"scale_factors {list(t.scale_factors)} must be positive")
        self.entries = self._read_list()
        log.detail(f"A total of {len(self.entries)} images.")
        self.size = self._size()
        self.table = self._value_table()
        self.start(p.batch_size, self._shapes())
        log.detail(f"output data size: {self.size_text()}")

    def shapes_without_data(
        self, bottoms: Sequence[Shape], tops: int, image: tuple[int, int] | None
    ) -> list[Shape] | None:
        p, size = self.param.image_data_param, self.stated_size(image)
        n = p.batch_size
        return size and [(n, 3 if p.is_color else 1, *size), (n, 1, *size), (n, 1, 1, 2)]

    def _read_list(self) -> list[ListEntry]:
        p = self.param.image_data_param
        try:
            entries = read_list(p.source, needs_label=p.label_type != _NONE)
            check_files(entries, p.root_folder, p.source, labels=p.label_type == _PIXEL)
        except InputError as error:
            self.fail(str(error))
        return entries

    def _size(self) -> tuple[int, int]:
        """Height and width of the tops: the crop, or the size of the first image."""
        t = self.param.transform_param
        if t.crop_height or t.crop_width:
            if t.crop_size:
                self.fail("states both crop_size and crop_height/crop_width")
            if not (t.crop_height and t.crop_width):
                self.fail("states only one of crop_height and crop_width")
            return t.crop_height, t.crop_width
        if t.crop_size:
            return t.crop_size, t.crop_size
        image = self.guarded(lambda: self._read_image(self.entries[0]))
        return image.shape[0], image.shape[1]

    def _value_table(self) -> np.ndarray:
        """(channels, 256): what each pixel value becomes, computed in double precision like the original."""
        t = self.param.transform_param
        means = np.zeros(self.channels)
        means[:] = np.asarray(t.mean_value, dtype=np.float32) if t.mean_value else 0.0
        return ((np.arange(256.0) - means[:, None]) * np.float32(t.scale)).astype(np.float32)

    # -- one item

    def entry(self, number: int) -> ListEntry:
        p = self.param.image_data_param
        return self.entries[self.place(number, len(self.entries), p.shuffle, p.rand_skip)]

    def read(self, entry: ListEntry, number: int) -> _Item:
        image = self._read_image(entry)
        return _Item(image, self._read_label(entry, image))

    def shapes(self, item: _Item) -> list[Shape]:
        return self._shapes()

    def _shapes(self) -> list[Shape]:
        return [(self.channels, *self.size), (1, *self.size), (1, 1, 2)]

    def contents(self) -> str:
        return list_contents(self.entries)

    def where(self, entry: Any) -> str:
        return f"{self.param.image_data_param.source}:{entry.line}: "

    def _read_image(self, entry: ListEntry) -> np.ndarray:
        """(H, W, channels) uint8, BGR."""
        p = self.param.image_data_param
        try:
            image = read_pixels(full_path(p.root_folder, entry.image), p.is_color, p.apply_exif)
        except InputError as error:
            raise InputError(f"{self.where(entry)}{error}") from None
        if p.new_height:
            image = np.asarray(cv2.resize(image, (p.new_width, p.new_height), interpolation=cv2.INTER_LINEAR))
        return image if image.ndim == 3 else image[:, :, None]

    def _read_label(self, entry: ListEntry, image: np.ndarray) -> np.ndarray:
        """(H, W) uint8."""
        p = self.param.image_data_param
        if p.label_type != _PIXEL:
            value = p.ignore_label if p.label_type == _NONE else _leading_integer(entry.label or "")
            return np.full(image.shape[:2], min(max(value, 0), 255), np.uint8)
        path = full_path(p.root_folder, entry.label or "")
        try:
            label = read_label(path)
        except InputError as error:
            raise InputError(f"{self.where(entry)}{error}") from None
        if p.new_height:
            label = np.asarray(cv2.resize(label, (p.new_width, p.new_height), interpolation=cv2.INTER_LINEAR))
        if label.shape != image.shape[:2]:
            raise InputError(
                f"{self.where(entry)}label {path} is {label.shape[1]}×{label.shape[0]} pixels, its image "
                f"{entry.image} {image.shape[1]}×{image.shape[0]}; they must have the same size"
            )
        return label

    def write(self, item: _Item, entry: ListEntry, number: int, places: list[np.ndarray]) -> None:
        t = self.param.transform_param
        image, classes = item
        data, label, dim = places
        height, width = self.size
        dim[0, 0] = min(height, image.shape[0]), min(width, image.shape[1])
        random = self.random(2, number)
        mirrored = bool(t.mirror and random.integers(2))
        if t.scale_factors:
            factor = t.scale_factors[int(random.integers(len(t.scale_factors)))]
            if factor != 1:
                image, classes = _rescale(image, classes, factor)
        image, classes = self._crop(entry, image, classes, random)
        rows, columns = classes.shape
        if (rows, columns) != (height, width):
            data[...] = 0
            label[...] = self.param.image_data_param.ignore_label
        if mirrored:  # while they are bytes, and in the right place at once
            image, classes = cv2.flip(image, 1), cv2.flip(classes, 1)
            data, label = data[:, :, width - columns :], label[:, :, width - columns :]
        for channel, plane, table in zip(data, cv2.split(image), self.table, strict=True):
            cv2.LUT(plane, table, channel[:rows, :columns])
        label[0, :rows, :columns] = classes

    def _crop(
        self, entry: ListEntry, image: np.ndarray, classes: np.ndarray, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """The window that fits into the tops; smaller images stay whole (they are padded afterwards)."""
        t = self.param.transform_param
        room = [max(0, have - want) for have, want in zip(classes.shape, self.size, strict=True)]
        top = left = 0
        if not (t.crop_size or t.crop_height):
            if classes.shape < self.size or classes.shape[1] < self.size[1]:
                raise InputError(
                    f"{self.where(entry)}{entry.image} is {classes.shape[1]}×{classes.shape[0]} pixels, smaller than "
                    f"the first image ({self.size[1]}×{self.size[0]}); state crop_size to pad"
                )
        elif self.phase == schema.TRAIN:
            top, left = (int(random.integers(r + 1)) for r in room)
        else:
            top, left = (r // 2 for r in room)
        window = slice(top, top + self.size[0]), slice(left, left + self.size[1])
        return image[window], classes[window]

    # -- for messages

    def explain_label(self, index: int, num_classes: int, ignored: Sequence[int]) -> str:
        """What is wrong with the label file of an item of the present batch, and why that may be."""
        p = self.param.image_data_param
        if index >= len(self.present):
            return ""
        entry = self.present[index]
        if p.label_type != _PIXEL:
            return f"{self.where(entry)}the label of {entry.image}"
        path = full_path(p.root_folder, entry.label or "")
        try:
            check_labels(read_label(path), num_classes, ignored[0] if ignored else None, path)
        except InputError as error:
            return f"{self.where(entry)}{error}"
        return f"{self.where(entry)}{path}"


def _leading_integer(word: str) -> int:
    """C's atoi: the integer a word begins with, 0 where there is none."""
    digits = word[1:] if word[:1] in "+-" and word else word
    end = next((i for i, c in enumerate(digits) if not c.isdigit()), len(digits))
    return int(word[: len(word) - len(digits) + end]) if end else 0


def _rescale(image: np.ndarray, label: np.ndarray, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Image by bilinear interpolation, label by nearest neighbour, to the truncated size."""
    # In float32, as C++ does: 10 · 0.7 is 7 there, and 6.99… in double precision.
    width, height = (int(np.float32(size) * np.float32(factor)) for size in (label.shape[1], label.shape[0]))
    size = max(1, width), max(1, height)
    scaled = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR))
    labels = np.asarray(cv2.resize(label, size, interpolation=cv2.INTER_NEAREST))
    return (scaled if scaled.ndim == 3 else scaled[:, :, None]), labels
