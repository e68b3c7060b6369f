"""Windows cut out of images, as R-CNN trains on them. Mirrors `window_data_layer.cpp`."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...arrays import Shape
from ...data.lists import ListEntry, check_files
from ...errors import InputError
from ...formats.encoded_images import decode_image
from ...lazy import imported_on_use
from ...reading import read_bytes, reading
from .. import log
from ..blob import Blob
from .base import register
from .data_transformer import check_moved_fields, read_means
from .read_ahead import ReadAheadLayer
from .window_file import read_windows

if TYPE_CHECKING:
    import cv2
else:
    cv2 = imported_on_use("cv2")


class _Item(NamedTuple):
    """A window's pixels (h, w, 3) as they go into the crop, mirrored already, and the row and column they begin at."""

    pixels: np.ndarray
    top: int
    left: int
    label: int


@register("WindowData")
class WindowData(ReadAheadLayer):
    """Tops data (N, 3, crop, crop) BGR and label (N): windows drawn with replacement, background before foreground.

    Of a batch int(N · fg_fraction) windows have an overlap of fg_threshold or more; the others, with label 0, less than
    bg_threshold. A window is grown by `context_pad` pixels of the crop on each side and, with crop_mode "square", to a
    square; it is warped to crop_size and mirrored at random. Outside the image the data are 0, elsewhere
    (pixel − mean) · scale with window_data_param's scale. Deviation: a window beyond its image is an error.
    """

    tops = (2, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p, t = self.param.window_data_param, self.param.transform_param
        self._check()
        self._mean, self._mean_values = self._means()
        self.windows = self.guarded(lambda: read_windows(p.source))
        foreground = self.windows.overlap >= np.float32(p.fg_threshold)
        self._labels = np.where(foreground, self.windows.label, 0)
        self._foreground = np.flatnonzero(foreground)
        self._background = np.flatnonzero((self.windows.overlap < np.float32(p.bg_threshold)) & ~foreground)
        self._check_windows()
        entries = [ListEntry(image.path, None, image.line + 1) for image in self.windows.images]
        self.guarded(lambda: check_files(entries, p.root_folder, p.source, labels=False))
        self._bytes: dict[int, np.ndarray] = {}
        if p.cache_images:
            self._bytes = self.guarded(lambda: {i: self._file(i) for i in range(len(self.windows.images))})
        self.start(p.batch_size, [(3, t.crop_size, t.crop_size), ()])

    def shapes_without_data(
        self, bottoms: Sequence[Shape], tops: int, image: tuple[int, int] | None
    ) -> list[Shape] | None:
        n, crop = self.param.window_data_param.batch_size, self.param.transform_param.crop_size
        return [(n, 3, crop, crop), (n,)] if crop else None

    def _check(self) -> None:
        p, t = self.param.window_data_param, self.param.transform_param
        self.guarded(lambda: check_moved_fields(p, "window_data_param", own=("scale",)))
        if t.crop_size < 1:
            self.fail("transform_param has no crop_size")
        if 2 * p.context_pad >= t.crop_size:
            self.fail(f"context_pad {p.context_pad} on both sides leaves nothing of crop_size {t.crop_size}")
        if p.crop_mode not in ("warp", "square"):
            self.fail(f"crop_mode is '{p.crop_mode}', wanted warp or square")
        if not 0 <= p.fg_fraction <= 1:
            self.fail(f"fg_fraction is {p.fg_fraction:g}, wanted 0 to 1")
        if t.scale != 1:
            log.info(self.describe() + "transform_param's scale has no effect; window_data_param has its own")

    def _means(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        """The centre of the mean image, (3, crop, crop), its margins both reckoned from the width; the mean values."""
        t = self.param.transform_param
        mean, values = self.guarded(lambda: read_means(t, channels=3))
        if mean is None:
            return None, values
        margin = (mean.shape[2] - t.crop_size) // 2
        if len(mean) != 3 or margin < 0 or mean.shape[1] < margin + t.crop_size:
            self.fail(f"the mean of {t.mean_file} is {mean.shape}, too small for 3 channels of crop_size {t.crop_size}")
        return mean[:, margin : margin + t.crop_size, margin : margin + t.crop_size], None

    def _check_windows(self) -> None:
        p = self.param.window_data_param
        for image in self.windows.images:
            if image.size[0] != 3:
                self.fail(
                    f"{p.source}:{image.line}: an image of {image.size[0]} channels, wanted 3: they are read in colour"
                )
        for row in self._foreground[self.windows.label[self._foreground] <= 0][:1]:
            self.fail(
                f"{self.where(row)}a foreground window (overlap {self.windows.overlap[row]:g}) of class "
                f"{self.windows.label[row]}, wanted a class above 0"
            )
        count = self._foreground_count()
        for what, wanted, rows in (
            ("foreground", count, self._foreground),
            ("background", p.batch_size - count, self._background),
        ):
            if wanted and not len(rows):
                self.fail(
                    f"{p.source} has no {what} window, a batch needs {wanted} (fg_threshold, bg_threshold, fg_fraction)"
                )

    def _foreground_count(self) -> int:
        p = self.param.window_data_param
        return int(np.float32(p.batch_size) * np.float32(p.fg_fraction))

    # -- one item

    def entry(self, number: int) -> int:
        """The row of `windows` that is drawn for an item."""
        p = self.param.window_data_param
        background = number // self.sharers % p.batch_size < p.batch_size - self._foreground_count()
        rows = self._background if background else self._foreground
        return int(rows[self.random(2, number).integers(len(rows))])

    def read(self, entry: int, number: int) -> _Item:
        t = self.param.transform_param
        image = self._image(entry)
        mirrored = bool(t.mirror and self.random(3, number).integers(2))
        try:
            pixels, top, left = self._cut(image, self.windows.box[entry], mirrored)
        except InputError as error:
            raise InputError(self.where(entry) + str(error)) from None
        return _Item(pixels[:, ::-1] if mirrored else pixels, top, left, int(self._labels[entry]))

    def shapes(self, item: _Item) -> list[Shape]:
        crop = self.param.transform_param.crop_size
        return [(3, crop, crop), ()]

    def write(self, item: _Item, entry: int, number: int, places: list[np.ndarray]) -> None:
        data, label = places
        data[...] = 0
        height, width = item.pixels.shape[:2]
        window = np.s_[:, item.top : item.top + height, item.left : item.left + width]
        values = item.pixels.transpose(2, 0, 1).astype(np.float32)
        if self._mean is not None:
            values -= self._mean[window]
        elif self._mean_values is not None:
            values -= self._mean_values[:, None, None]
        data[window] = values * np.float32(self.param.window_data_param.scale)
        label[...] = item.label

    def contents(self) -> str:
        return f"{len(self.windows.box)} windows, checksum {zlib.crc32(self.windows.box.tobytes()):08x}"

    def where(self, entry: Any) -> str:
        image = self.windows.images[self.windows.image[entry]]
        p = self.param.window_data_param
        return f"{p.source}:{self.windows.line[entry]}: {p.root_folder}{image.path}: "

    def _file(self, index: int) -> np.ndarray:
        """The bytes of an image file."""
        p = self.param.window_data_param
        image = self.windows.images[index]
        path = p.root_folder + image.path
        try:
            return np.frombuffer(read_bytes(path, cannot="{path}: {reason}"), np.uint8)
        except InputError as error:
            raise InputError(f"{p.source}:{image.line}: {error}") from error

    def _image(self, entry: int) -> np.ndarray:
        index, p = int(self.windows.image[entry]), self.param.window_data_param
        data = self._bytes[index] if index in self._bytes else self._file(index)
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        with reading(p.root_folder + self.windows.images[index].path):
            image = decode_image(data, flags)
        if image is None:
            raise InputError(f"{self.where(entry)}is not an image that OpenCV can read")
        return image

    # -- geometry

    def _cut(self, image: np.ndarray, box: np.ndarray, mirrored: bool) -> tuple[np.ndarray, int, int]:
        """The pixels of a window, warped (not mirrored yet), and where they begin in the crop."""
        p, crop = self.param.window_data_param, self.param.transform_param.crop_size
        rows, columns = image.shape[:2]
        x1, y1, x2, y2 = (int(v) for v in box)
        if p.context_pad == 0 and p.crop_mode == "warp":
            if not (0 <= x1 <= x2 < columns and 0 <= y1 <= y2 < rows):
                raise InputError(f"the window ({x1}, {y1}) to ({x2}, {y2}) is not within {columns}×{rows} pixels")
            return cv2.resize(image[y1 : y2 + 1, x1 : x2 + 1], (crop, crop), interpolation=cv2.INTER_LINEAR), 0, 0
        x1, y1, x2, y2 = _grown(x1, y1, x2, y2, crop, p.context_pad, p.crop_mode == "square")
        across, down = _Span.of(x1, x2, columns, crop), _Span.of(y1, y2, rows, crop)
        if across is None or down is None:
            raise InputError(f"the window, grown to ({x1}, {y1}) to ({x2}, {y2}), lies outside {columns}×{rows} pixels")
        left = across.after if mirrored else across.before
        size = min(across.size, crop - left), min(down.size, crop - down.before)
        if min(size) < 1:
            return np.empty((0, 0, 3), np.uint8), 0, 0
        part = image[down.start : down.end + 1, across.start : across.end + 1]
        return cv2.resize(part, size, interpolation=cv2.INTER_LINEAR), down.before, left


class _Span(NamedTuple):
    """One axis of a window: first and last pixel within the image; in the crop, the margins and the size between."""

    start: int
    end: int
    before: int
    after: int
    size: int

    @classmethod
    def of(cls, first: int, last: int, length: int, crop: int) -> _Span | None:
        """The part of first to last that lies within `length` pixels, None if nothing does."""
        before, after = max(0, -first), max(0, last - length + 1)
        start, end = first + before, last - after
        if end < start or start >= length or end < 0:
            return None
        scale = np.float32(crop) / np.float32(last - first + 1)
        before, after, size = (_round(np.float32(v) * scale) for v in (before, after, end - start + 1))
        return cls(start, end, before, after, size)


def _grown(x1: int, y1: int, x2: int, y2: int, crop: int, pad: int, square: bool) -> tuple[int, int, int, int]:
    """The window with its surroundings: `pad` pixels of the crop on each side. In float32, as C++ does."""
    scale = np.float32(crop) / np.float32(crop - 2 * pad)
    half_height, half_width = np.float32(y2 - y1 + 1) / np.float32(2), np.float32(x2 - x1 + 1) / np.float32(2)
    centre_x, centre_y = np.float32(x1) + half_width, np.float32(y1) + half_height
    if square:
        half_height = half_width = max(half_height, half_width)
    left, right = centre_x - half_width * scale, centre_x + half_width * scale
    upper, lower = centre_y - half_height * scale, centre_y + half_height * scale
    return _round(left), _round(upper), _round(right), _round(lower)


def _round(value: Any) -> int:
    """C's round: halves away from zero."""
    return int(math.copysign(math.floor(abs(float(value)) + 0.5), float(value)))
