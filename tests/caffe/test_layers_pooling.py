"""Pooling: Caffe's rounding, clipping, divisors and ties, by hand and against a plain loop."""

from __future__ import annotations

import math

import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError

_LOWEST = -np.finfo(np.float32).max


def _pool(layer, x, text: str, **arguments):
    return layer(f'type: "Pooling" pooling_param {{ {text} }}', x, **arguments)


def _sizes(layer, size: int, text: str) -> int:
    return _pool(layer, np.zeros((1, 1, size, size)), text, run=False).blobs["top"].shape[2]


@pytest.mark.parametrize(
    ("size", "text", "out"),
    [
        (6, "kernel_size: 3 stride: 2", 3),  # rounded up: the last window hangs over
        (6, "kernel_size: 3 stride: 2 round_mode: FLOOR", 2),
        (6, "kernel_size: 3 stride: 2 pad: 1", 4),
        (5, "kernel_size: 2 stride: 2 pad: 1", 3),  # the fourth would begin beyond the leading pad
        (7, "kernel_size: 1 stride: 4", 3),  # without pad nothing is clipped: the last window is empty
        (2, "kernel_size: 3 stride: 2", 1),
        (321, "kernel_size: 3 stride: 2 pad: 1", 161),
        (41, "kernel_size: 3 stride: 1 pad: 1", 41),
        (4, "global_pooling: true", 1),
    ],
)
def test_output_sizes(layer, size, text, out):
    assert _sizes(layer, size, text) == out


def test_average_divides_by_padding_but_not_by_the_overhang(layer):
    built = _pool(layer, np.ones((1, 1, 6, 6)), "pool: AVE kernel_size: 3 stride: 2 pad: 1")
    top = built.blobs["top"].data[0, 0]
    assert top.shape == (4, 4)
    assert top[0, 0] == pytest.approx(4 / 9)
    assert top[3, 3] == pytest.approx(1 / 4)
    assert top[1, 1] == 1


def test_empty_windows_give_the_lowest_number_and_no_index(layer):
    x = np.arange(49.0).reshape(1, 1, 7, 7)[:, :, :6, :6].copy()
    built = _pool(layer, x, "kernel_size: 1 stride: 4", run=False)
    assert built.blobs["top"].shape == (1, 1, 3, 3)
    built = layer('type: "Pooling" top: "y" top: "mask" pooling_param { kernel_size: 1 stride: 4 }', x)
    y, mask = built.blobs["y"].data[0, 0], built.blobs["mask"].data[0, 0]
    assert y[:2, :2].tolist() == [[0, 4], [28, 32]]
    assert mask[:2, :2].tolist() == [[0, 4], [24, 28]]
    assert (y[2] == _LOWEST).all()
    assert (y[:, 2] == _LOWEST).all()
    assert (mask[2] == -1).all()


def test_the_first_of_equal_maxima_wins(layer):
    x = np.zeros((1, 2, 3, 3))
    x[0, 1, 1:, 1:] = 4
    text = 'type: "Pooling" top: "y" top: "mask" pooling_param { kernel_size: 3 }'
    built = layer(text, x, back=True)
    assert built.blobs["mask"].data.ravel().tolist() == [0, 4]
    built.backward(y=np.ones((1, 2, 1, 1)), mask=np.zeros((1, 2, 1, 1)))
    expected = np.zeros((2, 9))
    expected[0, 0] = expected[1, 4] = 1
    assert built.blobs["in0"].diff.reshape(2, 9).tolist() == expected.tolist()


def _reference(x: np.ndarray, k: int, s: int, p: int, average: bool) -> np.ndarray:
    """Pooling of one square plane, straight from the definition."""
    size = len(x)
    out = math.ceil((size + 2 * p - k) / s) + 1
    if p and (out - 1) * s >= size + p:
        out -= 1
    y = np.zeros((out, out))
    for i, j in np.ndindex(y.shape):
        top, left = i * s - p, j * s - p
        bottom, right = min(top + k, size + p), min(left + k, size + p)
        window = x[max(top, 0) : min(bottom, size), max(left, 0) : min(right, size)]
        if average:
            y[i, j] = window.sum() / ((bottom - top) * (right - left))
        else:
            y[i, j] = window.max(initial=_LOWEST)
    return y


@pytest.mark.parametrize("method", ["MAX", "AVE"])
def test_every_small_geometry(layer, method):
    """Sizes 1 to 7, kernels to 4, strides to 3, all pads below the kernel."""
    random = np.random.default_rng(0)
    seen = 0
    for size in range(1, 8):
        x = random.standard_normal((1, 1, size, size))
        for k in range(1, min(4, size) + 1):
            for s in range(1, 4):
                for p in range(k):
                    if s > k and not p and (math.ceil((size - k) / s)) * s >= size:
                        continue  # empty windows have a test of their own
                    built = _pool(layer, x, f"pool: {method} kernel_size: {k} stride: {s} pad: {p}")
                    expected = _reference(x[0, 0], k, s, p, method == "AVE")
                    np.testing.assert_allclose(built.blobs["top"].data[0, 0], expected, rtol=1e-5, atol=1e-6)
                    seen += 1
    assert seen > 100


def test_stochastic_in_test_is_the_expectation(layer):
    built = _pool(layer, [[[[1.0, 3], [0, 0]], [[0, 0], [0, 0]]]], "pool: STOCHASTIC kernel_size: 2")
    assert built.blobs["top"].data.ravel().tolist() == [2.5, 0]


def test_stochastic_in_train_draws_in_proportion(layer):
    x = np.tile(np.array([[1.0, 3], [0, 0]]), (1, 1, 40, 40))
    built = _pool(layer, x, "pool: STOCHASTIC kernel_size: 2 stride: 2", phase=caffe.TRAIN, back=True)
    top = built.blobs["top"].data
    assert set(np.unique(top)) == {1, 3}
    assert (top == 3).mean() == pytest.approx(0.75, abs=0.05)
    built.backward(top=np.ones_like(top))
    np.testing.assert_array_equal(built.blobs["in0"].diff.reshape(40, 2, 40, 2).sum((1, 3)), np.ones((40, 40)))


def test_another_size_in_the_next_forward(layer):
    built = _pool(layer, np.ones((1, 1, 4, 4)), "pool: AVE global_pooling: true")
    built.blobs["in0"].reshape(1, 1, 2, 6)
    built.blobs["in0"].data[...] = 3
    assert built.forward()["top"].tolist() == [[[[3]]]]


@pytest.mark.parametrize(
    ("text", "shape", "expected"),
    [
        ("", (1, 1, 4, 4), "kernel_size is missing"),
        ("kernel_size: 0", (1, 1, 4, 4), "kernel (0, 0) and stride (1, 1) must be positive"),
        ("kernel_size: 2 kernel_h: 2", (1, 1, 4, 4), "states both kernel_size and kernel_h/kernel_w"),
        ("kernel_h: 2", (1, 1, 4, 4), "states only one of kernel_h and kernel_w"),
        ("kernel_size: 2 pad: 2", (1, 1, 4, 4), "pad (2, 2) must be smaller than the kernel (2, 2)"),
        ("kernel_size: 2 stride: 0", (1, 1, 4, 4), "stride (0, 0) must be positive"),
        ("pool: STOCHASTIC kernel_size: 2 pad: 1", (1, 1, 4, 4), "padding is supported with MAX and AVE only"),
        ("global_pooling: true kernel_size: 2", (1, 1, 4, 4), "global_pooling does not allow a kernel size"),
        ("global_pooling: true stride: 2", (1, 1, 4, 4), "global_pooling requires pad 0 and stride 1"),
        ("kernel_size: 2", (1, 4, 4), "bottom (1, 4, 4) has 3 axes, wanted 4 (N, C, H, W)"),
        ("kernel_size: 5", (1, 1, 3, 3), "a bottom of size 3 with pad 0 is smaller than the kernel 5"),
        ("kernel_size: 3 stride: 2 round_mode: FLOOR", (1, 1, 2, 2), "size 2 with pad 0 is smaller than the kernel 3"),
    ],
)
def test_errors(layer, text, shape, expected):
    with pytest.raises(InputError) as caught:
        _pool(layer, np.zeros(shape), text)
    assert "net.prototxt:2:1: layer 'layer' (Pooling): " in str(caught.value)
    assert expected in str(caught.value)


def test_a_mask_goes_with_max_only(layer):
    with pytest.raises(InputError, match="a second top .* is supported with MAX only"):
        layer('type: "Pooling" top: "a" top: "b" pooling_param { pool: AVE kernel_size: 2 }', np.zeros((1, 1, 2, 2)))
