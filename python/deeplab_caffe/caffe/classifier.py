"""caffe.Classifier: class scores of images. Mirrors the behaviour of BVLC Caffe's python/caffe/classifier.py."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from ..formats import schema
from . import io
from .net.net import Net


class Classifier(Net):
    """A net with one input, fed with (H, W, K) images: a TEST net and the Transformer for its input.

    image_dims: (height, width) that images are resized to before the crops (the net's own by default);
    mean, input_scale, raw_scale, channel_swap: see `caffe.io.Transformer`.
    """

    def __init__(
        self,
        model_file: str | os.PathLike[str],
        pretrained_file: str | os.PathLike[str],
        image_dims: Sequence[int] | None = None,
        mean: np.ndarray | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
    ) -> None:
        super().__init__(model_file, schema.TEST, weights=pretrained_file)
        self.transformer = image_transformer(self, mean, input_scale, raw_scale, channel_swap)
        self.crop_dims = np.array(self.blobs[self.inputs[0]].shape[2:])
        self.image_dims = np.array(self.crop_dims if image_dims is None else image_dims)

    def predict(self, inputs: Sequence[np.ndarray], oversample: bool = True) -> np.ndarray:
        """Scores (N, classes) of N images: the mean over ten crops, or (N, ...) of the centre crop."""
        images = np.stack([io.resize_image(image, tuple(self.image_dims)) for image in inputs])
        if oversample:
            crops = io.oversample(images, tuple(self.crop_dims))
        else:
            top, left = ((self.image_dims - self.crop_dims) / 2).astype(int)
            crops = images[:, top : top + self.crop_dims[0], left : left + self.crop_dims[1]]
        name = self.inputs[0]
        prepared = np.stack([self.transformer.preprocess(name, crop) for crop in crops])
        predictions = self.forward_all(None, **{name: prepared})[self.outputs[0]]
        return predictions.reshape(len(predictions) // 10, 10, -1).mean(1) if oversample else predictions


def image_transformer(
    net: Net,
    mean: np.ndarray | None,
    input_scale: float | None,
    raw_scale: float | None,
    channel_swap: Sequence[int] | None,
) -> io.Transformer:
    """The Transformer of a net's first input for (H, W, K) images, with what is given set."""
    name = net.inputs[0]
    transformer = io.Transformer({name: net.blobs[name].shape})
    transformer.set_transpose(name, (2, 0, 1))
    if mean is not None:
        transformer.set_mean(name, mean)
    if input_scale is not None:
        transformer.set_input_scale(name, input_scale)
    if raw_scale is not None:
        transformer.set_raw_scale(name, raw_scale)
    if channel_swap is not None:
        transformer.set_channel_swap(name, channel_swap)
    return transformer
