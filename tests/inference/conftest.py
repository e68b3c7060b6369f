"""Small nets for images of any size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from deeplab_caffe import caffe
from deeplab_caffe.caffe import NetSpec, layers, log

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    caffe.set_mode_cpu()
    log.set_stderr(False)
    yield
    log.set_stderr(True)


def _filled(spec: NetSpec) -> Any:
    net = caffe.Net.from_param(spec.to_proto(), caffe.TEST)
    random = np.random.default_rng(3)
    for blobs in net.params.values():
        for blob in blobs:
            blob.data[...] = random.normal(0, 1.2 / np.sqrt(np.prod(blob.shape[1:])), blob.shape)
    return net


@pytest.fixture(scope="module")
def eighth() -> Any:
    """Sizes 8k + 1, scores of 3 classes on each 8th pixel, which see 7 pixels to each side; enlarged by Interp."""
    spec = NetSpec()
    spec.data = layers.Input(shape={"dim": [1, 3, 17, 17]})
    top = layers.Power(spec.data, scale=0.02)
    for _ in range(3):
        top = layers.TanH(layers.Convolution(top, num_output=4, kernel_size=3, stride=2, pad=1))
    spec.fc8 = layers.Convolution(top, num_output=3, kernel_size=1)
    spec.fc8_interp = layers.Interp(spec.fc8, zoom_factor=8)
    return _filled(spec)


@pytest.fixture(scope="module")
def pixelwise() -> Any:
    """Scores of 4 classes at each pixel, from this pixel alone."""
    spec = NetSpec()
    spec.data = layers.Input(shape={"dim": [1, 3, 4, 4]})
    spec.scores = layers.Convolution(layers.Power(spec.data, scale=0.02), num_output=4, kernel_size=1)
    return _filled(spec)
