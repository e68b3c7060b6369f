"""Images with a number as label, from a list file. Mirrors `image_data_layer.cpp`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...arrays import Shape
from ...data.images import read_pixels
from ...data.lists import ListEntry, check_files, full_path, list_contents, read_numbered_list
from ...errors import InputError
from ...lazy import imported_on_use
from .. import log
from ..blob import Blob
from .base import register
from .data_transformer import DataTransformer, check_moved_fields
from .read_ahead import ReadAheadLayer

if TYPE_CHECKING:
    import cv2
else:
    cv2 = imported_on_use("cv2")


class _Item(NamedTuple):
    image: np.ndarray
    shape: Shape


@register("ImageData")
class ImageData(ReadAheadLayer):
    """Tops data (N, C, h, w) BGR, or one channel with is_color false, and label (N).

    Each line of `source` is a path, which may contain blanks, a blank, and a number; root_folder goes before the path
    as it is. Each batch has the shape of its first image. Deviations from the original: a line without a number
    is an error rather than label 0; rand_skip may exceed the list.
    """

    tops = (2, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p, t = self.param.image_data_param, self.param.transform_param
        if bool(p.new_height) != bool(p.new_width):
            self.fail("states only one of new_height and new_width")
        if t.force_color or t.force_gray:
            log.info(self.describe() + "force_color and force_gray are for encoded datums; is_color decides here")
        self.guarded(lambda: check_moved_fields(p, "image_data_param"))
        self._transformer = self.guarded(lambda: DataTransformer(t, self.phase))
        log.detail(f"Opening file {p.source}", "image_data_layer.cpp:38")
        self._entries = self.guarded(lambda: read_numbered_list(p.source))
        log.detail(f"A total of {len(self._entries)} images.", "image_data_layer.cpp:53")
        self.guarded(lambda: check_files(self._entries, p.root_folder, p.source, labels=False))
        self.start(p.batch_size)
        log.detail(f"output data size: {self.size_text()}", "image_data_layer.cpp:83")

    def shapes_without_data(
        self, bottoms: Sequence[Shape], tops: int, image: tuple[int, int] | None
    ) -> list[Shape] | None:
        p, size = self.param.image_data_param, self.stated_size(image)
        return size and [(p.batch_size, 3 if p.is_color else 1, *size), (p.batch_size,)]

    def entry(self, number: int) -> ListEntry:
        p = self.param.image_data_param
        return self._entries[self.place(number, len(self._entries), p.shuffle, p.rand_skip)]

    def read(self, entry: ListEntry, number: int) -> _Item:
        p = self.param.image_data_param
        path = full_path(p.root_folder, entry.image)
        try:
            image = read_pixels(path, p.is_color, p.apply_exif)
            if p.new_height:
                image = np.asarray(cv2.resize(image, (p.new_width, p.new_height), interpolation=cv2.INTER_LINEAR))
            planes = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)
            return _Item(planes, self._transformer.shape(planes.shape))
        except InputError as error:
            raise InputError(self.where(entry) + str(error).removeprefix(f"{path}: ")) from None

    def shapes(self, item: _Item) -> list[Shape]:
        return [item.shape, ()]

    def write(self, item: _Item, entry: ListEntry, number: int, places: list[np.ndarray]) -> None:
        try:
            self._transformer.apply(item.image, places[0], self.random(2, number))
        except InputError as error:
            raise InputError(self.where(entry) + str(error)) from None
        places[1][...] = int(entry.label or 0)

    def contents(self) -> str:
        return list_contents(self._entries)

    def where(self, entry: Any) -> str:
        p = self.param.image_data_param
        return f"{p.source}:{entry.line}: {full_path(p.root_folder, entry.image)}: "
