"""VGG-16's fully connected layers as the convolutions of a DeepLab head: fc6 and fc7 with fewer taps and filters.

Source: DeepLab v1 (arXiv 1412.7062), section 3.1: fc6 is decimated in space, and in LargeFOV fc6 and fc7 keep 1024 of
their 4096 filters. The paper does not say which ones; here they are chosen at random, or by the greatest norm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..formats.weight_fit import NetLayer
from ..formats.weights import BlobArray, LayerWeights
from . import surgery

#: taps of VGG-16's fc6 are this far apart in pixels of DeepLab's scores: pool5's stride of 32 over the stride of 8
_TAP_DISTANCE = 4
_TAPS = 7


@dataclass(frozen=True)
class HeadReduction:
    """How fc6 and fc7 are reduced.

    kernel_size: taps of fc6 along each axis; filters: of fc6 and fc7; rate: atrous rate of fc6 (None: taps are spread
    evenly); how: "random", chosen with `seed`, or "norm", those of the greatest norm.
    """

    kernel_size: int
    filters: int
    rate: int | None = None
    how: str = "random"
    seed: int = 0

    def __str__(self) -> str:
        return f"{self.kernel_size} x {self.kernel_size} of 7 x 7 taps, {self.filters} filters by {self.how}"


def reduction_for(layers: Mapping[str, LayerWeights], target: Mapping[str, NetLayer]) -> HeadReduction | None:
    """How to reduce a VGG-16's fc6 to the target's `fc6` (or `fc6_1`); None if there is nothing to reduce."""
    wanted = target.get("fc6") or target.get("fc6_1")
    if wanted is None or wanted.type != "Convolution" or not _is_vgg16(layers):
        return None
    filters, _, kernel_size, _ = wanted.shapes[0]
    if (filters, kernel_size) == (len(layers["fc6"].blobs[0].data), _TAPS):
        return None
    return HeadReduction(kernel_size, filters, wanted.dilation)


def _is_vgg16(layers: Mapping[str, LayerWeights]) -> bool:
    """Whether fc6 reads 7x7 positions of conv5_3, and fc7 all of fc6."""
    if not {"conv5_3", "fc6", "fc7"} <= set(layers):
        return False
    conv5, fc6, fc7 = (_matrix(layers[name]) for name in ("conv5_3", "fc6", "fc7"))
    return fc6.shape[1] == _TAPS**2 * len(conv5) and fc7.shape[1] == len(fc6)


def reduce_head(layers: Mapping[str, LayerWeights], reduction: HeadReduction) -> dict[str, LayerWeights]:
    """The layers with fc6 and fc7 as convolutions of the reduced size; fc8 is cut to fc7's filters.

    Args:
        layers: of a VGG-16, by name; fc6 (4096, 25088), fc7 (4096, 4096) and fc8, in any number of axes.
    """
    fc6, fc7 = _matrix(layers["fc6"]), _matrix(layers["fc7"])
    weight = fc6.reshape(len(fc6), -1, _TAPS, _TAPS)
    step = max(1, reduction.rate // _TAP_DISTANCE) if reduction.rate else None
    weight = surgery.decimate_taps(weight, reduction.kernel_size, step)
    first = surgery.choose_filters(weight, reduction.filters, reduction.how, reduction.seed)
    middle = surgery.keep_inputs(fc7, first)
    second = surgery.choose_filters(middle, reduction.filters, reduction.how, reduction.seed + 1)
    reduced = {
        "fc6": _convolution(layers["fc6"], weight[first], first),
        "fc7": _convolution(layers["fc7"], middle[second, :, None, None], second),
    }
    if "fc8" in layers:
        fc8 = surgery.keep_inputs(_matrix(layers["fc8"]), second)
        reduced["fc8"] = _convolution(layers["fc8"], fc8[:, :, None, None], np.arange(len(fc8)))
    return {**layers, **reduced}


def _matrix(layer: LayerWeights) -> np.ndarray:
    """A layer's weights as (O, rest); in files of 2014 those of an inner product are (1, 1, O, rest)."""
    weight = layer.blobs[0].data
    rows = weight.shape[2] if weight.ndim == 4 and weight.shape[:2] == (1, 1) else weight.shape[0]
    return weight.reshape(rows, -1)


def _convolution(layer: LayerWeights, weight: np.ndarray, kept: np.ndarray) -> LayerWeights:
    bias = [BlobArray(blob.data.reshape(-1)[kept]) for blob in layer.blobs[1:]]
    return LayerWeights(layer.name, "Convolution", [BlobArray(np.ascontiguousarray(weight)), *bias])
