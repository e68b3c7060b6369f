"""Detections in OpenCV's order and number of rows, which differ from those of SSD's Caffe."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def opencv_detections(rows: NDArray[np.float32], layer: Any, items: int) -> NDArray[np.float32]:
    """The rows of a DetectionOutput as OpenCV 4.12 answers them.

    Args:
        rows: (1, 1, M, 7), as the layer gives them: by item, class and falling score; class -1 where there is none.
        layer: its LayerParameter.
        items: the number of images.

    Returns:
        (1, 1, items · keep_top_k, 7): by item and falling score, then rows of zeros. Without a keep_top_k, which OpenCV
        demands, there are no rows of zeros but one that stands for no detection.
    """
    found = rows[0, 0][rows[0, 0, :, 1] >= 0]
    found = found[np.lexsort((-found[:, 2], found[:, 0]))]
    most = items * max(layer.detection_output_param.keep_top_k, 0) or max(len(found), 1)
    padded = np.zeros((1, 1, most, 7), np.float32)
    padded[0, 0, : len(found)] = found
    return padded
