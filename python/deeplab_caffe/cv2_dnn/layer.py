"""A layer as `Net.getLayer` gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Layer:
    """OpenCV's `dnn.Layer`.

    Attributes:
        name: OpenCV's name of the layer; `_input` for the inputs.
        type: its type.
        blobs: copies of its parameters, in Caffe's shapes, but a vector is (C, 1), and (1, C) of an InnerProduct.
        preferableTarget: where it runs.
    """

    name: str
    type: str
    blobs: Sequence[NDArray[np.float32]]
    preferableTarget: int = 0

    def outputNameToIndex(self, name: str) -> int:
        """The number of an output: 0 for the only one that is named, else -1."""
        return 0 if name == self.name else -1
