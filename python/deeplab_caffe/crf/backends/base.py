"""What all backends share: their options, and labels from beliefs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import Float32

#: an image (H, W) or (H, W, bands), and its unary energies (C, H, W)
Pair = tuple[NDArray, Float32]


class BackendOptions(NamedTuple):
    """What a backend gets besides the parameters: whether to return labels, the compaction, the device."""

    labels: bool
    compact: float
    device: str


def labels_of(q: Float32) -> NDArray[np.integer]:
    """The class of the largest belief of q (C, H, W), the first of equals; uint8 for up to 256 classes, else int32."""
    return q.argmax(axis=0).astype(np.uint8 if len(q) <= 256 else np.int32)
