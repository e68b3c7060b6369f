"""From an image to the input of a net: (pixel − mean) · scale, as the layer ImageSegData computes it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Size
from ..errors import InputError
from ..formats.definition import read_definition
from ..formats.python_layers import layer_type, parameters
from ..lazy import imported_on_use

if TYPE_CHECKING:
    import cv2
else:
    cv2 = imported_on_use("cv2")

_SIDES = ("height", "width")


@dataclass(frozen=True)
class Preprocessing:
    """What is subtracted from the pixels of an image, and by what the rest is multiplied.

    Attributes:
        mean: of blue, green and red, 0 to 255; one number for a net that reads grey images.
        scale: factor on the difference.

    Example:
        >>> grey = np.full((1, 2), 104, np.uint8)
        >>> Preprocessing((104.0, 117.0, 123.0)).blob(grey)[:, 0].tolist()
        [[0.0, 0.0], [-13.0, -13.0], [-19.0, -19.0]]
    """

    mean: tuple[float, ...]
    scale: float = 1.0

    @classmethod
    def of_net(cls, net_file: str | os.PathLike[str]) -> Preprocessing:
        """That of a net's layer ImageSegData, in either dialect: its mean_value and scale.

        Args:
            net_file: a train or test net.

        Raises:
            InputError: the net has no such layer, or the layer resizes its images.
        """
        for entry in read_definition(net_file).entries:
            if layer_type(entry.param) != "ImageSegData":
                continue
            stated = parameters(entry.param)
            if stated.get("new_height") or stated.get("new_width"):
                raise entry.error("resizes its images (new_height, new_width); images of any size are needed here")
            channels = 3 if stated.get("is_color", True) else 1
            return cls(_mean(stated, channels), float(np.float32(stated.get("scale", 1.0))))
        raise InputError(f"{net_file}: has no layer ImageSegData, which would state mean_value and scale")

    def blob(self, image: NDArray[Any]) -> Float32:
        """The image as a net reads it.

        Args:
            image: (H, W, 3) RGB, or (H, W) or (H, W, 1) grey; values 0 to 255.

        Returns:
            (3, H, W) float32, BGR; or (1, H, W).

        Raises:
            InputError: the array is no such image.
        """
        planes = _planes(image, len(self.mean))
        if image.dtype == np.uint8:
            return np.stack([table[plane] for table, plane in zip(self._tables(), planes, strict=True)])
        values = np.stack(planes).astype(np.float32)
        return np.asarray((values - np.array(self.mean, np.float32)[:, None, None]) * np.float32(self.scale))

    def _tables(self) -> Float32:
        """(channels, 256): what each value becomes, in double precision as in the layer."""
        means = np.array(self.mean, np.float32).astype(np.float64)[:, None]
        return ((np.arange(256.0) - means) * np.float32(self.scale)).astype(np.float32)


def _mean(stated: dict[str, Any], channels: int) -> tuple[float, ...]:
    """One number for each channel; the net itself refuses other counts."""
    given = stated.get("mean_value", ())
    listed = list(given) if hasattr(given, "__len__") else [given]
    values = [float(value) for value in np.array(listed, np.float32)]
    return tuple(values or [0.0]) * (channels if len(values) < 2 else 1)


def _planes(image: NDArray[Any], channels: int) -> list[NDArray[Any]]:
    """The channels that the net reads, blue first."""
    check_image(image)
    image = image[:, :, 0] if image.ndim == 3 and image.shape[2] == 1 else image
    if image.ndim == 2:
        return [image] * channels
    if channels == 1:
        return [cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)]
    return [image[:, :, 2], image[:, :, 1], image[:, :, 0]]


def crop_of_net(net_file: str | os.PathLike[str]) -> Size | None:
    """(height, width) of the crop of a test net's layer ImageSegData, which pads images to it; None without one.

    Raises:
        InputError: the file is no net.
    """
    for entry in read_definition(net_file).entries:
        if layer_type(entry.param) == "ImageSegData":
            stated = parameters(entry.param)
            height, width = (int(stated.get(f"crop_{side}") or stated.get("crop_size") or 0) for side in _SIDES)
            return (height, width) if height and width else None
    return None


def check_image(image: NDArray[Any]) -> None:
    """Raise InputError unless an array is an image: (H, W), (H, W, 1) or (H, W, 3), uint8 or float."""
    shape: tuple[int, ...] = getattr(image, "shape", ())
    kind = getattr(image, "dtype", None)
    fits = len(shape) in (2, 3) and 0 not in shape and (len(shape) == 2 or shape[2] in (1, 3))
    if not fits or kind is None or not (kind == np.uint8 or kind.kind == "f"):
        hint = "; remove the alpha channel: image[:, :, :3]" if len(shape) == 3 and shape[2] == 4 else ""
        raise InputError(
            f"image: {kind} of shape {tuple(shape)}; expected (H, W, 3) RGB or (H, W) grey, uint8 or float of 0 to 255"
            f"{hint}"
        )
