"""Layer types, one module per family; importing this package registers them all."""

from . import (
    arithmetic,
    convolution,
    data,
    image_seg_data,
    loss,
    neuron,
    normalization,
    pooling,
    python,
    resampling,
    segmentation,
)

__all__ = [
    "arithmetic",
    "convolution",
    "data",
    "image_seg_data",
    "loss",
    "neuron",
    "normalization",
    "pooling",
    "python",
    "resampling",
    "segmentation",
]
