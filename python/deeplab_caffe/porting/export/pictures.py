"""The test image of an export, preprocessed for the net, at any size."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from ...data import read_image
from ...data.synthetic import draw_image
from ...lazy import imported_on_use
from ..surgery import Preprocessing

if TYPE_CHECKING:
    import cv2
else:
    cv2 = imported_on_use("cv2")


class Pictures:
    """An image, resized to the sizes asked for: the user's, or by default a drawn scene."""

    def __init__(self, path: str | os.PathLike[str] | None, wants: Preprocessing) -> None:
        self.image = read_image(path) if path else draw_image(seed=0, index=0)[0]
        self.wants = wants

    def rgb(self, height: int, width: int) -> np.ndarray:
        """The image as (height, width, 3), uint8."""
        return np.asarray(cv2.resize(self.image, (width, height)), np.uint8)

    def __call__(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """An input of that shape, float32.

        (N, C, H, W) is the image for three channels, else its grey values; other shapes hold drawn numbers from 0 to 1.
        """
        if len(shape) != 4:
            return np.random.default_rng(0).random(shape, np.float32)
        pixels = self.rgb(*shape[2:]).astype(np.float32)
        if self.wants.order == "BGR":
            pixels = pixels[:, :, ::-1]
        mean, scale = (np.array(values, np.float32) for values in (self.wants.mean, self.wants.scale))
        ready = ((pixels - mean) * scale).transpose(2, 0, 1)
        if shape[1] != ready.shape[0]:
            ready = np.repeat(ready.mean(0, keepdims=True), shape[1], 0)
        return np.array(np.broadcast_to(ready, shape), np.float32, order="C")
