"""Nets with random weights, such that what flows through keeps its size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.nets import GeneratorOptions, generate


def randomised(net: caffe.Net) -> caffe.Net:
    """Weights that keep the size of what flows through, positive statistics."""
    rng = np.random.default_rng(0)
    for layer in net.layers:
        for i, blob in enumerate(layer.blobs):
            fan_in = max(1, int(np.prod(blob.shape[1:])))
            blob.data[...] = rng.standard_normal(blob.shape) * (1.5 / fan_in) ** 0.5
            if layer.type in ("BatchNorm", "BN") and i >= 1:
                blob.data[...] = rng.random(blob.shape) + 1.5
    return net


@pytest.fixture
def model(tmp_path: Path) -> tuple[Path, Path]:
    """A deploy net and its weights."""
    net, weights = tmp_path / "deploy.prototxt", tmp_path / "w.caffemodel"
    net.write_text(generate("voc12/largefov", GeneratorOptions(width=1 / 16, test_crop=65))["deploy.prototxt"])
    randomised(caffe.Net(str(net), caffe.TEST)).save(str(weights))
    return net, weights
