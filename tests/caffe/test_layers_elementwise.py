"""ReLU, Dropout and Interp."""

from __future__ import annotations

import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError

# -- ReLU


@pytest.mark.parametrize(("slope", "out", "diff"), [(0, [0, 0, 2], [0, 0, 1]), (0.5, [-1, 0, 2], [0.5, 0.5, 1])])
@pytest.mark.parametrize("top", ["top", "in0"])
def test_relu_and_its_gradient_at_zero(layer, slope, out, diff, top):
    text = f'type: "ReLU" top: "{top}" relu_param {{ negative_slope: {slope} }}'
    built = layer(text, [[-2.0, 0, 2]], back=True)
    assert built.blobs[top].data.tolist() == [out]
    built.blobs[top].diff[...] = 1
    built.backward()
    assert built.blobs["in0"].diff.tolist() == [diff]


# -- Dropout


def test_dropout_in_test_copies(layer):
    x = np.arange(6.0).reshape(2, 3)
    built = layer('type: "Dropout"', x, back=True)
    assert built.blobs["top"].data.tolist() == x.tolist()
    built.backward(top=x)
    assert built.blobs["in0"].diff.tolist() == x.tolist()
    built.blobs["top"].data[...] = 9
    assert built.blobs["in0"].data.tolist() == x.tolist()


@pytest.mark.parametrize("ratio", [0.5, 0.3, 0.9])
def test_dropout_keeps_the_expectation_and_draws_anew(layer, ratio):
    x = np.ones((10, 2001))
    text = f'type: "Dropout" dropout_param {{ dropout_ratio: {ratio} }}'
    built = layer(text, x, phase=caffe.TRAIN, back=True)
    top = built.blobs["top"].data.copy()
    assert np.unique(top).tolist() == pytest.approx([0, 1 / (1 - ratio)], rel=1e-6)
    assert (top == 0).mean() == pytest.approx(ratio, abs=0.02)
    built.backward(top=2 * x)
    np.testing.assert_array_equal(built.blobs["in0"].diff, 2 * top)
    assert (built.forward()["top"] != top).any()


def test_dropout_draws_for_every_element_of_its_own(layer):
    built = layer('type: "Dropout"', np.ones((64, 64, 2, 2)), phase=caffe.TRAIN)
    kept = built.blobs["top"].data > 0
    for axis in range(4):
        neighbours = np.take(kept, range(1, kept.shape[axis]), axis) == np.take(kept, range(kept.shape[axis] - 1), axis)
        assert neighbours.mean() == pytest.approx(0.5, abs=0.03)


def test_dropout_of_nothing_is_the_identity(layer):
    built = layer('type: "Dropout" dropout_param { dropout_ratio: 0 }', [[1.0, 2]], phase=caffe.TRAIN)
    assert built.blobs["top"].data.tolist() == [[1, 2]]


@pytest.mark.parametrize("ratio", ["1", "-0.1", "nan"])
def test_dropout_ratios_that_cannot_be(layer, ratio):
    with pytest.raises(InputError, match=r"layer 'layer' \(Dropout\): dropout_ratio is .*, wanted 0 <= ratio < 1"):
        layer(f'type: "Dropout" dropout_param {{ dropout_ratio: {ratio} }}', [[1.0]])


# -- Interp


def _interp(layer, x, text: str, **arguments):
    return layer(f'type: "Interp" interp_param {{ {text} }}', x, **arguments)


@pytest.mark.parametrize(
    ("size", "text", "out"),
    [
        (321, "shrink_factor: 8", 41),
        (513, "shrink_factor: 8", 65),
        (65, "zoom_factor: 8", 513),
        (321, "shrink_factor: 4 zoom_factor: 3", 241),
        (321, "shrink_factor: 2", 161),
        (10, "height: 7 width: 7", 7),
        (10, "height: 7 width: 7 shrink_factor: 2", 5),
        (10, "height: 7 width: 7 shrink_factor: 2 zoom_factor: 3", 7),
        (10, "zoom_factor: 2 pad_beg: -1 pad_end: -2", 13),
        (1, "zoom_factor: 8", 1),
    ],
)
def test_sizes(layer, size, text, out):
    assert _interp(layer, np.zeros((1, 1, size, size)), text, run=False).blobs["top"].shape == (1, 1, out, out)


def test_corners_stay_and_the_middle_is_interpolated(layer):
    built = _interp(layer, [[[[0.0, 2], [4, 6]]]], "height: 3 width: 3")
    assert built.blobs["top"].data[0, 0].tolist() == [[0, 1, 2], [2, 3, 4], [4, 5, 6]]


def test_one_row_comes_from_the_first(layer):
    built = _interp(layer, [[[[1.0, 3], [5, 7]]]], "height: 1 width: 2")
    assert built.blobs["top"].data.ravel().tolist() == [1, 3]


def test_shrinking_labels_subsamples_them(layer):
    labels = np.random.default_rng(0).integers(256, size=(1, 1, 17, 33)).astype(float)
    built = _interp(layer, labels, "shrink_factor: 8")
    np.testing.assert_array_equal(built.blobs["top"].data, labels[:, :, ::8, ::8])


def test_pads_crop(layer):
    x = np.arange(25.0).reshape(1, 1, 5, 5)
    built = _interp(layer, x, "zoom_factor: 1 pad_beg: -1 pad_end: -2", back=True)
    assert built.blobs["top"].data[0, 0].tolist() == [[6, 7], [11, 12]]
    built.backward(top=np.ones((1, 1, 2, 2)))
    assert built.blobs["in0"].diff.sum() == 4
    assert built.blobs["in0"].diff[0, 0, 1, 1] == 1


def test_a_crop_does_not_share_memory_with_its_bottom(layer):
    built = _interp(layer, np.ones((1, 1, 3, 3)), "zoom_factor: 1 pad_beg: -1 pad_end: -1")
    built.blobs["top"].data[...] = 9
    assert (built.blobs["in0"].data == 1).all()


@pytest.mark.parametrize(
    ("text", "shape", "expected"),
    [
        ("", (1, 1, 4, 4), "no size is stated; wanted shrink_factor, zoom_factor, or height and width"),
        ("height: 4", (1, 1, 4, 4), "no size is stated"),
        ("pad_beg: 1 zoom_factor: 2", (1, 1, 4, 4), "pad_beg 1 and pad_end 0 must be 0 or negative: they crop"),
        ("shrink_factor: 0", (1, 1, 4, 4), "shrink_factor is 0, wanted 1 or more"),
        ("zoom_factor: 2 pad_beg: -4", (1, 1, 4, 4), "after cropping to (0, 0)"),
        ("height: 0 width: 3", (1, 1, 4, 4), "bottom (1, 1, 4, 4) would become (0, 3)"),
        ("zoom_factor: 2", (1, 1, 1, 4, 4), "bottom (1, 1, 1, 4, 4) has 5 axes, expected at most 4 (N, C, H, W)"),
    ],
)
def test_interp_errors(layer, text, shape, expected):
    with pytest.raises(InputError) as caught:
        _interp(layer, np.zeros(shape), text)
    assert "net.prototxt:2:1: layer 'layer' (Interp): " in str(caught.value)
    assert expected in str(caught.value)


@pytest.mark.parametrize("shape", [(2, 3, 5), (2, 3), (4,)])
def test_axes_that_a_bottom_of_interp_lacks_count_as_one(layer, shape):
    """C++ reads (N, C, H) as (N, C, H, 1); the top has four axes."""
    x = np.arange(float(np.prod(shape))).reshape(shape)
    full = x.reshape(*shape, *(1,) * (4 - len(shape)))
    for text in ("zoom_factor: 3", "height: 4 width: 2", "shrink_factor: 2"):
        found, wanted = _interp(layer, x, text, back=True), _interp(layer, full, text, back=True)
        np.testing.assert_array_equal(found.blobs["top"].data, wanted.blobs["top"].data)
        for built in (found, wanted):
            built.backward(top=np.ones(built.blobs["top"].shape))
        assert found.blobs["in0"].diff.shape == shape
        np.testing.assert_array_equal(found.blobs["in0"].diff.ravel(), wanted.blobs["in0"].diff.ravel())


def test_interp_along_three_axes_by_hand(layer):
    built = _interp(layer, [[[0.0, 2, 6]]], "zoom_factor: 2")
    assert built.blobs["top"].shape == (1, 1, 5, 1)
    assert built.blobs["top"].data.ravel().tolist() == [0, 1, 2, 4, 6]
