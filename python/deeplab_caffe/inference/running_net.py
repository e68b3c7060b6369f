"""A net that takes images of any size: pycaffe's public names alone, so an installed pycaffe does as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Size
from ..errors import InputError


class RunningNet:
    """A net for one image at a time, reshaped to each input.

    A net may have a second input (1, 1, 1, 2) for height and width of the image within the first (domain transform).

    Args:
        net: pycaffe's Net in the TEST phase, or the embedded one, with Input layers.
        blob: the name of the blob that `__call__` returns.
        run: runs the net and returns the blob's data; by default planned execution, or the net's own `forward`.

    Raises:
        InputError: the net has no input (N, C, H, W) for images, or inputs that nobody knows.
    """

    def __init__(self, net: Any, blob: str, run: Callable[[], NDArray[Any]] | None = None) -> None:
        self.net = net
        self.blob = blob
        self._run = run or _runner(net, blob)
        self._reshapes = not hasattr(net, "plan")  # a plan gives every layer its shape in each pass
        self._image, self._sizes = _inputs(net)

    def __call__(self, values: Float32, padded: Size) -> NDArray[Any]:
        """Run the net on an image at the top left of an input that is 0 elsewhere: the mean, as test crops are padded.

        Args:
            values: (C, h, w), as `Preprocessing.blob` makes them.
            padded: (H, W) of the input.

        Returns:
            The blob's data (C, h', w'), valid until the next call.
        """
        channels, height, width = values.shape
        blob = self.net.blobs[self._image]
        shape = (1, channels, int(padded[0]), int(padded[1]))
        if tuple(blob.data.shape) != shape:
            blob.reshape(*shape)
            if self._reshapes:
                self.net.reshape()
        data = self.net.blobs[self._image].data
        data[...] = 0
        data[0, :, :height, :width] = values
        for name in self._sizes:
            self.net.blobs[name].data[...] = np.array([height, width], np.float32).reshape(1, 1, 1, 2)
        return np.asarray(self._run()[0])


def _runner(net: Any, blob: str) -> Callable[[], NDArray[Any]]:
    if hasattr(net, "plan"):
        plan = net.plan(outputs=[blob])
        return lambda: plan.forward()[blob]

    def run() -> NDArray[Any]:
        net.forward()
        return np.asarray(net.blobs[blob].data)

    return run


def _inputs(net: Any) -> tuple[str, list[str]]:
    """The input for the image, and those for its size."""
    shapes = {name: tuple(net.blobs[name].data.shape) for name in net.inputs}
    images = [name for name, shape in shapes.items() if len(shape) == 4 and shape[1] in (1, 3) and shape[2:] != (1, 2)]
    sizes = [name for name, shape in shapes.items() if shape == (1, 1, 1, 2)]
    if len(images) != 1 or len(images) + len(sizes) != len(shapes):
        found = ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "none"
        raise InputError(
            f"the net's inputs are {found}; expected one for an image (1, 3, H, W), as a deploy net has, and at most "
            "one for its size (1, 1, 1, 2)"
        )
    return images[0], sizes
