"""MAX pooling in a plan: the values of the layer's own, to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from deeplab_caffe.caffe.plan import largest_of_windows
from small_nets import blob, layer


@pytest.mark.parametrize("channels", [16, 35])
@pytest.mark.parametrize(
    "fields",
    [
        "kernel_size: 3 stride: 2 pad: 1",
        "kernel_size: 3 stride: 1 pad: 1",
        "kernel_h: 2 kernel_w: 3 stride_h: 3 stride_w: 2",
        "kernel_size: 2 stride: 2 round_mode: FLOOR",
        "global_pooling: true",
    ],
)
def test_the_values_are_the_layers(net, monkeypatch, channels, fields):
    monkeypatch.setattr(largest_of_windows, "_LEAST", 0)
    used = []
    maxima = largest_of_windows.maxima
    monkeypatch.setattr(largest_of_windows, "maxima", lambda *arguments: used.append(1) or maxima(*arguments))
    pointwise = layer("Convolution", "a", "data", f"convolution_param {{ num_output: {channels} kernel_size: 1 }}")
    made = net(blob("data", (2, 4, 13, 18)) + pointwise + layer("Pooling", "p", "a", f"pooling_param {{ {fields} }}"))
    made.params["a"][0].data[...] = np.random.default_rng(1).normal(size=made.params["a"][0].shape)
    values = np.random.default_rng(0).normal(size=(2, 4, 13, 18))
    values[0, 0, 3, 4], values[1, 1, 0, 0], values[1, 0, 12, 17] = np.nan, -np.inf, np.inf
    made.blobs["data"].data[...] = values
    plan = made.plan()
    found = plan.forward()["p"].copy()
    assert used
    np.testing.assert_array_equal(found, made.forward()["p"])
