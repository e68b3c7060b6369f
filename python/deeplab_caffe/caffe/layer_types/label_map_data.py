"""Images with label maps from a list file, as SegNet and HED read them.

Mirrors `dense_image_data_layer.cpp` of SegNet and `image_labelmap_data_layer.cpp` of HED.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...arrays import Shape
from ...data.images import read_pixels
from ...data.labels import read_label
from ...data.lists import ListEntry, check_files, full_path, list_contents, read_list
from ...errors import InputError
from ...lazy import imported_on_use
from ..blob import Blob
from .base import register
from .data_transformer import DataTransformer, check_moved_fields
from .read_ahead import ReadAheadLayer

if TYPE_CHECKING:
    import cv2
else:
    cv2 = imported_on_use("cv2")


class _Item(NamedTuple):
    """(C, H, W) and (H, W), uint8."""

    image: np.ndarray
    label: np.ndarray


class _LabelMapData(ReadAheadLayer):
    """Tops data (N, C, h, w) BGR and label (N, 1, h, w).

    Each line of `source` is the path of an image, a blank, and that of its label map; root_folder goes before both.
    Images are resized to new_height x new_width if stated. Each batch has the shape of its first image. A crop and a
    mirror are refused, which would move images away from their labels.
    """

    tops = (2, 2)
    #: how label maps are resized, as a name of OpenCV, and the message with the parameters
    interpolation = "INTER_NEAREST"
    message = ""

    @property
    def turns(self) -> bool:
        """Whether images are turned as their EXIF says."""
        return bool(getattr(self._p, "apply_exif", False))

    @property
    def _p(self) -> Any:
        return getattr(self.param, self.message)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p, t = self._p, self.param.transform_param
        if bool(p.new_height) != bool(p.new_width):
            self.fail("states only one of new_height and new_width")
        for field in ("crop_size", "mirror"):
            if getattr(t, field):
                self.fail(f"does not support {field}, which would move images away from their labels; use ImageSegData")
        if self.message == "image_data_param":
            self.guarded(lambda: check_moved_fields(p, self.message))
        self._transformer = self.guarded(lambda: DataTransformer(t, self.phase))
        self._entries = self.guarded(lambda: read_list(p.source))
        self.guarded(lambda: check_files(self._entries, p.root_folder, p.source))
        self.start(p.batch_size)

    def shapes_without_data(
        self, bottoms: Sequence[Shape], tops: int, image: tuple[int, int] | None
    ) -> list[Shape] | None:
        p = self._p
        size = (p.new_height, p.new_width) if p.new_height and p.new_width else image
        return size and [(p.batch_size, 3 if p.is_color else 1, *size), (p.batch_size, 1, *size)]

    def entry(self, number: int) -> ListEntry:
        p = self._p
        return self._entries[self.place(number, len(self._entries), p.shuffle, p.rand_skip)]

    def read(self, entry: ListEntry, number: int) -> _Item:
        p = self._p
        try:
            image = read_pixels(full_path(p.root_folder, entry.image), p.is_color, self.turns)
            label = self.read_label(full_path(p.root_folder, entry.label or ""))
        except InputError as error:
            raise InputError(f"{self.where(entry)}{error}") from None
        if label.shape != image.shape[:2]:
            raise InputError(
                f"{self.where(entry)}label {entry.label} is {label.shape[1]}×{label.shape[0]} pixels, its image "
                f"{entry.image} {image.shape[1]}×{image.shape[0]}; they must have the same size"
            )
        if p.new_height:
            size = p.new_width, p.new_height
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR))
            label = np.asarray(cv2.resize(label, size, interpolation=getattr(cv2, self.interpolation)))
        return _Item(image[None] if image.ndim == 2 else image.transpose(2, 0, 1), label)

    def read_label(self, path: str) -> np.ndarray:
        """A label map (H, W), uint8."""
        return read_label(path)

    def encoded(self, label: np.ndarray) -> np.ndarray:
        """What a label map becomes in the top."""
        return label

    def shapes(self, item: _Item) -> list[Shape]:
        return [item.image.shape, (1, *item.label.shape)]

    def write(self, item: _Item, entry: ListEntry, number: int, places: list[np.ndarray]) -> None:
        try:
            self._transformer.apply(item.image, places[0], self.random(2, number))
        except InputError as error:
            raise InputError(self.where(entry) + str(error)) from None
        places[1][0] = self.encoded(item.label)

    def contents(self) -> str:
        return list_contents(self._entries)

    def where(self, entry: Any) -> str:
        return f"{self._p.source}:{entry.line}: "


@register("DenseImageData")
class DenseImageData(_LabelMapData):
    """SegNet's data: images and maps of class labels, which are resized to the nearest value.

    Tops data (N, C, h, w) BGR and label (N, 1, h, w). A palette PNG is read as its indices, not as grey values.
    """

    message = "dense_image_data_param"


@register("ImageLabelmapData")
class ImageLabelmapData(_LabelMapData):
    """HED's data: images and grey edge maps, which are resized bilinearly; 1 where one is 128 or more, else 0.

    Tops data (N, C, h, w) BGR and label (N, 1, h, w).
    """

    message = "image_data_param"
    interpolation = "INTER_LINEAR"

    def read_label(self, path: str) -> np.ndarray:
        return read_pixels(path, False, self.turns)

    def encoded(self, label: np.ndarray) -> np.ndarray:
        return label >= 128
