"""Batch normalisation in its three forms: Caffe's BatchNorm and Scale, PSPNet's BN, and folded into the convolution."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from ..errors import InputError
from ..formats.weight_fit import NetLayer
from ..formats.weights import BlobArray, LayerWeights
from . import surgery


def statistics(batch_norm: LayerWeights) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance (C) of a BatchNorm layer, which stores sums and the factor by which they are divided."""
    mean, variance, factor = (blob.data.reshape(-1) for blob in batch_norm.blobs)
    scale = np.float32(0 if factor[0] == 0 else 1 / factor[0])
    return mean * scale, variance * scale


def to_batch_norm(bn: LayerWeights, names: tuple[str, str]) -> list[LayerWeights]:
    """PSPNet's BN (slope, offset, mean, variance) as a BatchNorm and a Scale of these names."""
    slope, offset, mean, variance = (BlobArray(blob.data.reshape(-1)) for blob in _four(bn))
    factor = BlobArray(np.ones(1, np.float32))
    return [LayerWeights(names[0], "BatchNorm", [mean, variance, factor]),
            LayerWeights(names[1], "Scale", [slope, offset])]  # fmt: skip


def to_bn(batch_norm: LayerWeights, scale: LayerWeights, name: str) -> LayerWeights:
    """A BatchNorm and the Scale behind it as PSPNet's BN, four blobs (1, C, 1, 1)."""
    values = [*(blob.data for blob in scale.blobs), *statistics(batch_norm)]
    return LayerWeights(name, "BN", [BlobArray(value.reshape(1, -1, 1, 1)) for value in values])


def _four(bn: LayerWeights) -> list[BlobArray]:
    if len(bn.blobs) != 4:
        raise InputError(
            f"layer '{bn.name}' has {len(bn.blobs)} blobs; expected slope, offset, mean and variance of a BN"
        )
    return bn.blobs


def fold_where_wanted(
    layers: Mapping[str, LayerWeights], target: Mapping[str, NetLayer]
) -> tuple[dict[str, LayerWeights], dict[str, str]]:
    """Fold each normalisation that the target lacks into its convolution, if that has a bias in the target.

    Returns:
        The layers; and what was folded, by the convolution's name: `conv1 + bn_conv1 + scale_conv1`.
    """
    found, folded = dict(layers), {}
    for name, layer in layers.items():
        behind = [other for other in _behind(name) if other in layers]
        wanted = target.get(name)
        if not behind or wanted is None or len(wanted.shapes) != 2 or any(other in target for other in behind):
            continue
        bias = layer.blobs[1].data if len(layer.blobs) > 1 else None
        weight, offset = surgery.fold_normalisation(layer.blobs[0].data, bias, *_folded(layers, behind))
        found[name] = LayerWeights(name, layer.type, [BlobArray(weight), BlobArray(offset)])
        for other in behind:
            del found[other]
        folded[name] = " + ".join([name, *behind])
    return found, folded


def _folded(
    layers: Mapping[str, LayerWeights], names: list[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean, variance, slope and offset (C) of the normalisation behind a convolution."""
    first = layers[names[0]]
    if len(names) == 1 and len(first.blobs) == 4:
        slope, offset, mean, variance = (blob.data.reshape(-1) for blob in first.blobs)
        return mean, variance, slope, offset
    mean, variance = statistics(first)
    if len(names) == 1:
        return mean, variance, np.ones_like(mean), np.zeros_like(mean)
    slope = layers[names[1]].blobs[0].data
    offset = layers[names[1]].blobs[1].data if len(layers[names[1]].blobs) > 1 else np.zeros_like(slope)
    return mean, variance, slope, offset


def _behind(name: str) -> list[str]:
    """The names that the normalisation behind a convolution may have: ResNet's, our VGG's and PSPNet's."""
    key = re.sub("^res", "", name)
    own = f"_{name}" if key == name else key
    return [f"bn{own}", f"{name}/bn", f"scale{own}"]
