"""What `transform_param` does to one image. Mirrors `data_transformer.cpp`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...arrays import Shape
from ...errors import InputError
from ...formats import schema
from ...formats.datum import read_mean_file
from ...lazy import imported_on_use

if TYPE_CHECKING:
    import cv2
else:
    cv2 = imported_on_use("cv2")

#: fields of the old data parameters that moved to transform_param; Caffe reads them nowhere any more
_MOVED = ("scale", "mean_file", "crop_size", "mirror")
#: what SSD's Caffe does to images with boxes
_SSD = ("resize_param", "noise_param", "distort_param", "expand_param", "emit_constraint", "crop_h", "crop_w")


def check_moved_fields(param: Any, name: str, own: tuple[str, ...] = ()) -> None:
    """InputError for transformation fields stated in a layer's own message, where Caffe would not look at them."""
    for field in _MOVED:
        if field not in own and param.HasField(field):
            raise InputError(f"{name} states {field}, which has no effect there; state it in transform_param")


def read_means(param: Any, channels: int | None = None) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The mean image (C, H, W), or the mean values (1 or C), of a TransformationParameter; None for what is not stated.

    Raises InputError where both are stated, the file cannot be read, or the values do not fit `channels`; and for the
    fields of SSD, which no layer here applies.
    """
    for field in _SSD:
        if param.HasField(field):
            raise InputError(f"transform_param states {field}, of SSD's Caffe, which is not supported")
    if param.HasField("mean_file"):
        if param.mean_value:
            raise InputError("transform_param states both mean_file and mean_value")
        return read_mean_file(param.mean_file), None
    values = np.array(param.mean_value, dtype=np.float32)
    if channels is not None:
        check_mean_values(values, channels)
    return None, values if values.size else None


def check_mean_values(values: np.ndarray | None, channels: int) -> None:
    """InputError unless there are no mean values, one, or one for each channel."""
    if values is not None and values.size not in (0, 1, channels):
        raise InputError(
            f"transform_param states {values.size} mean values for {channels} channels; wanted 1 or one each"
        )


class DataTransformer:
    """Mirror, crop, (pixel − mean) · scale on images (C, H, W) of uint8 or float32.

    The mirror is drawn first, in TEST too; then the crop: in TRAIN at random, in TEST in the centre. A mean file is
    of the size of the whole image. Raises InputError for fields that exclude each other and an unreadable mean file.
    """

    def __init__(self, param: Any, phase: int) -> None:
        for field in ("crop_height", "crop_width", "scale_factors"):
            if getattr(param, field):
                raise InputError(f"transform_param states {field}, which only ImageSegData supports")
        self.param = param
        self.random_crop = phase == schema.TRAIN
        self.scale = np.float32(param.scale)
        self.mean, self.mean_values = read_means(param)
        self._tables: dict[int, np.ndarray] = {}

    def shape(self, image: Shape) -> Shape:
        """The shape (C, h, w) that an image (C, H, W) gets; InputError where it is smaller than the crop."""
        channels, height, width = image
        crop = self.param.crop_size
        if crop and min(height, width) < crop:
            raise InputError(f"is {width}×{height} pixels, smaller than the crop of {crop}×{crop}")
        return (channels, crop, crop) if crop else image

    def apply(self, image: np.ndarray, place: np.ndarray, random: np.random.Generator) -> None:
        """Transform `image` (C, H, W) into `place` (C, h, w) float32; InputError where the means do not fit."""
        self._check(image.shape)
        height, width = place.shape[1:]
        mirrored = bool(self.param.mirror and random.integers(2))
        room = image.shape[1] - height, image.shape[2] - width
        top, left = (int(random.integers(r + 1)) if self.random_crop else r // 2 for r in room)
        window = np.s_[:, top : top + height, left : left + width]
        if image.dtype == np.uint8 and self.mean is None:
            for channel, plane, table in zip(place, _planes(image[window]), self._table(len(image)), strict=True):
                cv2.LUT(cv2.flip(plane, 1) if mirrored else plane, table, channel)
            return
        if mirrored:
            place = place[:, :, ::-1]
        if self.mean is not None:
            np.subtract(image[window], self.mean[window], out=place)
        elif self.mean_values is not None:
            np.subtract(image[window], self.mean_values[:, None, None], out=place)
        else:
            place[...] = image[window]
        if self.scale != 1:
            place *= self.scale

    def _check(self, image: Shape) -> None:
        if self.mean is not None and self.mean.shape != image:
            stated, came = ("×".join(map(str, s)) for s in (self.mean.shape, image))
            raise InputError(
                f"is {came} (channels × height × width), the mean of {self.param.mean_file} {stated}; "
                "a mean file has the size of the whole image, before it is cropped"
            )
        check_mean_values(self.mean_values, image[0])

    def _table(self, channels: int) -> np.ndarray:
        """(channels, 256) float32: what each pixel value becomes."""
        table = self._tables.get(channels)
        if table is None:
            means = np.zeros(channels, np.float32)
            if self.mean_values is not None:
                means[:] = self.mean_values
            table = (np.arange(256, dtype=np.float32) - means[:, None]) * self.scale
            self._tables[channels] = table
        return table


def _planes(image: np.ndarray) -> Sequence[np.ndarray]:
    """The channels (H, W) of an image (C, H, W) of bytes, which may be one of OpenCV (H, W, C) seen sideways."""
    if image.strides[0] == 1 and len(image) > 1:
        return cv2.split(image.transpose(1, 2, 0))
    return [np.ascontiguousarray(plane) for plane in image]
