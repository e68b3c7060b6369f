"""What SSD's transform_param does to an image and its boxes.

Mirrors `data_transformer.cpp` and `im_transforms.cpp` of SSD.

Only what its test nets use: resizing, then the crop in the middle, means and scale. What changes images at random for
training is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...arrays import Shape
from ...errors import InputError
from ...formats import schema
from ...lazy import imported_on_use
from .data_transformer import DataTransformer

if TYPE_CHECKING:
    import cv2
else:
    cv2 = imported_on_use("cv2")

#: fields that change images at random
_RANDOM = ("noise_param", "distort_param", "expand_param", "emit_constraint", "mirror")
_WARP, _LARGE = schema.ResizeParameter.WARP, schema.ResizeParameter.FIT_LARGE_SIZE_AND_PAD
_INTERPOLATIONS = {1: "INTER_LINEAR", 2: "INTER_AREA", 3: "INTER_NEAREST", 4: "INTER_CUBIC", 5: "INTER_LANCZOS4"}
_BORDERS = {1: "BORDER_CONSTANT", 2: "BORDER_REFLECT_101", 3: "BORDER_REPLICATE"}


class AnnotatedImageTransformer:
    """Resize, crop, subtract the mean and scale; boxes follow.

    Args:
        param: the TransformationParameter.
        phase: TRAIN or TEST.

    Raises:
        InputError: fields that are for training, exclude each other or have no size; an unreadable mean file.
    """

    def __init__(self, param: Any, phase: int) -> None:
        for field in _RANDOM:
            if param.HasField(field) and (field != "mirror" or param.mirror):
                raise InputError(
                    f"transform_param states {field}, which changes images at random for training; SSD is not trained "
                    "here: take the layer of the TEST phase, or remove the field"
                )
        plain = schema.TransformationParameter()
        plain.CopyFrom(param)
        self._set_crop(plain, phase)
        for field in ("resize_param", "crop_h", "crop_w"):
            plain.ClearField(field)
        self._plain = DataTransformer(plain, phase)
        self.crop = plain.crop_size
        self._resize = param.resize_param if param.HasField("resize_param") else None
        if self._resize is not None and min(self._resize.height, self._resize.width) < 1:
            raise InputError(
                f"resize_param states {self._resize.height} x {self._resize.width} (height x width), wanted both"
            )

    @staticmethod
    def _set_crop(param: Any, phase: int) -> None:
        if param.crop_h != param.crop_w or (param.crop_h and param.crop_size not in (0, param.crop_h)):
            raise InputError(
                f"transform_param states crop_h {param.crop_h}, crop_w {param.crop_w} and crop_size "
                f"{param.crop_size}; only square crops are supported: state crop_size alone"
            )
        param.crop_size = param.crop_size or param.crop_h
        if param.crop_size and phase == schema.TRAIN:
            raise InputError(
                "transform_param crops images at random in the TRAIN phase; SSD is not trained here: take the layer of "
                "the TEST phase"
            )

    def resized(self, image: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """The image (C, H, W) as resize_param says; with several interpolations one of them is drawn."""
        p = self._resize
        if p is None:
            return image
        if image.dtype != np.uint8:
            raise InputError("holds float_data; resize_param needs an image of 8 bits per channel")
        modes = list(p.interp_mode) or [1]
        how = getattr(cv2, _INTERPOLATIONS[modes[int(random.integers(len(modes)))] if len(modes) > 1 else modes[0]])
        pixels = np.ascontiguousarray(image.transpose(1, 2, 0))
        height, width = self._inner_size(image.shape[1:])
        found = cv2.resize(pixels, (width, height), interpolation=how)
        if p.resize_mode == _LARGE:
            top, left = (p.height - height) // 2, (p.width - width) // 2
            ends = top, p.height - height - top, left, p.width - width - left
            found = cv2.copyMakeBorder(found, *ends, getattr(cv2, _BORDERS[p.pad_mode]), value=self._border(image))
        found = found[:, :, None] if found.ndim == 2 else found
        return np.ascontiguousarray(found.transpose(2, 0, 1))

    def _inner_size(self, size: Shape) -> tuple[int, int]:
        """Height and width to which an image (height, width) is resized before it is padded."""
        p = self._resize
        assert p is not None
        aspect = np.float32(size[1]) / np.float32(size[0])
        wide = bool(aspect > np.float32(p.width) / np.float32(p.height))
        if p.resize_mode == _WARP:
            return p.height, p.width
        by_width = wide if p.resize_mode == _LARGE else not wide
        if by_width:
            return max(1, int(np.float32(p.width) / aspect)), p.width
        return p.height, max(1, int(aspect * np.float32(p.height)))

    def _border(self, image: np.ndarray) -> list[float]:
        assert self._resize is not None
        values = list(self._resize.pad_value) or [0.0]
        if len(values) not in (1, len(image)):
            raise InputError(f"resize_param states {len(values)} pad_value for {len(image)} channels, wanted 1 or each")
        return values * len(image) if len(values) == 1 else values

    def shape(self, image: Shape) -> Shape:
        """The shape (C, h, w) that a resized image (C, H, W) gets."""
        return self._plain.shape(image)

    def apply(self, image: np.ndarray, place: np.ndarray, random: np.random.Generator) -> None:
        """Crop a resized image (C, H, W), subtract the mean and scale, into `place` (C, h, w) float32."""
        self._plain.apply(image, place, random)

    def moved(self, boxes: np.ndarray, size: Shape, resized: Shape) -> tuple[np.ndarray, np.ndarray]:
        """Boxes in parts of what becomes of their image, cut to it: (n, 4), and which of them lie in it: (n).

        Args:
            boxes: x1, y1, x2, y2, parts of the image, (n, 4) float32.
            size: the image's height and width, pixels.
            resized: those of the resized image.
        """
        boxes = boxes.reshape(-1, 4)
        if self._resize is not None and self._resize.resize_mode == _LARGE:
            whole = np.array([self._resize.width, self._resize.height] * 2, np.float32)
            aspect = size[1] / size[0]
            inner = np.minimum(whole, whole[[1, 0, 1, 0]] * np.array([aspect, 1 / aspect] * 2, np.float32))
            boxes = ((whole - inner) / 2 + boxes * inner) / whole
        if self.crop:
            scale = np.array([resized[1], resized[0]] * 2, np.float32)
            corner = np.array([(resized[1] - self.crop) // 2, (resized[0] - self.crop) // 2] * 2, np.float32)
            boxes = (boxes * scale - corner) / np.float32(self.crop)
        boxes = np.clip(boxes, 0, 1).astype(np.float32)
        return boxes, np.all(boxes[:, 2:] > boxes[:, :2], axis=1)
