"""DenseCRF: against brute force and the CRF library, windows, no iterations, error messages."""

from __future__ import annotations

import numpy as np
import pytest

from cases import values
from deeplab_caffe.crf import CRFParameters, dense_crf
from deeplab_caffe.errors import InputError
from tolerances import assert_same_sums

_PAIR = "pos_w: 3 pos_xy_std: 2 bi_w: 4 bi_xy_std: 8 bi_rgb_std: 20"


def _sizes(*sizes):
    return np.array(sizes, float).reshape(len(sizes), 1, 1, 2)


def _net(layer, more: str, *arrays, **fields):
    return layer(f'type: "DenseCRF" dense_crf_param {{ {more} }}', *arrays, **fields)


def _softmax(scores, axis):
    e = np.exp(scores - scores.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def test_no_iterations_are_softmax(layer):
    scores = values(1, 3, 4, 5, low=-3, high=3)
    image = values(1, 3, 4, 5, low=-100, high=100)
    for more in ("max_iter: 0 " + _PAIR, "max_iter: 0 output_probability: false " + _PAIR):
        top = _net(layer, more, scores, _sizes((4, 5)), image).blobs["top"].data
        expected = _softmax(scores, 1)
        np.testing.assert_allclose(np.exp(top) if "false" in more else top, expected, rtol=2e-5)


def test_it_is_the_inference_of_the_crf_library(layer):
    scores = values(2, 4, 10, 12, low=-2, high=2)
    image = values(2, 3, 10, 12, low=0, high=255)
    net = _net(layer, "max_iter: 5 " + _PAIR, scores, _sizes((10, 12), (500, 500)), image)
    for n in range(2):
        colours = image[n].transpose(1, 2, 0).astype(np.float32)
        expected = dense_crf(colours, -scores[n], CRFParameters(4, 8, 20, 3, 2, 5))
        np.testing.assert_allclose(net.blobs["top"].data[n], expected, rtol=1e-5, atol=1e-7)


def test_positions_only_against_brute_force(layer):
    """Mean field with an exact Gaussian over positions; the lattice is an approximation of it."""
    height, width, std, weight = 8, 7, 2.0, 1.5
    scores = values(1, 2, height, width, low=-1, high=1)
    top = _net(layer, f"max_iter: 4 pos_w: {weight} pos_xy_std: {std}", scores, _sizes((8, 7))).blobs["top"].data[0]
    places = np.stack(np.mgrid[:height, :width], -1).reshape(-1, 2) / std
    kernel = np.exp(-0.5 * ((places[:, None] - places[None]) ** 2).sum(-1))
    kernel /= kernel.sum(1, keepdims=True)
    start = scores[0].reshape(2, -1).T
    q = _softmax(start, 1)
    for _ in range(4):
        q = _softmax(start + weight * kernel @ q, 1)
    assert np.abs(top.reshape(2, -1).T - q).max() < 0.03
    assert np.abs(top.reshape(2, -1).T - _softmax(start, 1)).max() > 0.05


def test_the_window_is_refined_alone_and_zero_lies_outside(layer):
    scores, image = values(1, 3, 6, 8), values(1, 3, 6, 8, low=-50, high=50)
    for more in (_PAIR, "output_probability: false " + _PAIR):
        top = _net(layer, more, scores, _sizes((4, 5)), image).blobs["top"].data
        alone = _net(layer, more, scores[:, :, :4, :5], _sizes((4, 5)), image[:, :, :4, :5]).blobs["top"].data
        np.testing.assert_array_equal(top[:, :, :4, :5], alone)
        assert not top[:, :, 4:].any()
        assert not top[:, :, :, 5:].any()


def test_two_potentials_of_half_the_weight_are_one(layer):
    scores, image = values(1, 3, 6, 8), values(1, 3, 6, 8, low=-50, high=50)
    one = _net(layer, "pos_w: 2 pos_xy_std: 3 bi_w: 4 bi_xy_std: 9 bi_rgb_std: 20", scores, _sizes((6, 8)), image)
    more = "pos_w: [1, 1] pos_xy_std: [3, 3] bi_w: [1, 3] bi_xy_std: [9, 9] bi_rgb_std: [20, 20]"
    two = _net(layer, more, scores, _sizes((6, 8)), image)
    assert_same_sums(two.blobs["top"].data, one.blobs["top"].data)


def test_logarithms_are_bounded(layer):
    scores = np.zeros((1, 2, 1, 2))
    scores[0, 0] = 100
    top = _net(layer, "output_probability: false", scores, _sizes((1, 2))).blobs["top"].data
    np.testing.assert_allclose(top[0, :, 0, 0], [0, np.log(np.finfo(np.float32).tiny)], atol=1e-5)


def test_backward_leaves_the_diffs(layer):
    net = _net(layer, "pos_w: 1 pos_xy_std: 1", values(1, 2, 3, 3), _sizes((3, 3)), back=True)
    net.blobs["in0"].diff[...] = 5
    net.backward()
    assert (net.blobs["in0"].diff == 5).all()


@pytest.mark.parametrize(
    ("more", "dims", "image", "expected"),
    [
        ("max_iter: -1", (4, 5), None, "max_iter is -1, wanted 0 or more"),
        ("pos_w: 1", (4, 5), None, "states 1 pos_w, 0 pos_xy_std; wanted one of each for every potential"),
        ("bi_w: 1 bi_xy_std: 1", (4, 5), (1, 3, 4, 5), "states 1 bi_w, 1 bi_xy_std, 0 bi_rgb_std; wanted"),
        ("pos_w: 1 pos_xy_std: 0", (4, 5), None, "pos_xy_std is [0.0], wanted positive numbers"),
        ("pos_w: 1 pos_xy_std: 1", (4, 5), (1, 3, 4, 5), "has an image but no bilateral potential"),
        (_PAIR, (4, 5), None, "states bilateral potentials (bi_w) but has no image"),
        (_PAIR, (4, 5), (1, 1, 4, 5), "image (1, 1, 4, 5) for scores (1, 2, 4, 5), wanted (1, 3, 4, 5)"),
        (
            "",
            (9, 3),
            None,
            "item 0 is 9 x 3 (height x width) by bottom 'in1', which neither fits into the map of 4 x 5",
        ),
        ("bi_w: 1 bi_xy_std: 1 bi_rgb_std: 1e-9", (4, 5), (1, 3, 4, 5), "the standard deviations are too small"),
    ],
)
def test_errors(layer, more, dims, image, expected):
    with pytest.raises(InputError) as caught:
        _net(layer, more, values(1, 2, 4, 5), _sizes(dims), *([values(*image, high=99)] if image else []))
    assert "layer 'layer' (DenseCRF): " in str(caught.value)
    assert expected in str(caught.value)


def test_values_that_are_not_finite_are_refused(layer):
    with pytest.raises(InputError, match="bottom 'in0' holds NaN or infinite values"):
        _net(layer, "pos_w: 1 pos_xy_std: 1", np.full((1, 2, 2, 2), np.nan), _sizes((2, 2)))


# -- with a gradient, where the net asks for it

_ASKED = "propagate_down: true propagate_down: false propagate_down: false"


def _asked(layer, more: str, *arrays, **fields):
    return layer(f'type: "DenseCRF" {_ASKED} dense_crf_param {{ {more} }}', *arrays, **fields)


@pytest.mark.parametrize("more", ["", "output_probability: false", "max_iter: 0"])
def test_with_a_gradient_it_computes_the_same(layer, more):
    scores, image = values(2, 4, 10, 12, low=-2, high=2), values(2, 3, 10, 12, low=0, high=255)
    sizes = _sizes((10, 12), (7, 9))
    plain, asked = (
        make(layer, f"{_PAIR} {more}", scores, sizes, image).blobs["top"].data.copy() for make in (_net, _asked)
    )
    shown = plain if "false" not in more else np.exp(plain)
    np.testing.assert_allclose(asked if "false" not in more else np.exp(asked), shown, atol=2e-5)


def test_the_gradient_is_that_of_finite_differences(layer):
    scores, image = values(1, 3, 5, 4, low=-1, high=1), values(1, 3, 5, 4, low=0, high=255)
    net = _asked(layer, f"max_iter: 2 {_PAIR}", scores, _sizes((5, 4)), image, back=True)
    diff = values(1, 3, 5, 4, low=-1, high=1)
    net.blobs["top"].diff[...] = diff
    net.backward(start="layer", end="layer")
    found = net.blobs["in0"].diff.copy()
    for place in [(0, 0, 0, 0), (0, 2, 3, 1), (0, 1, 4, 3)]:
        sums = []
        for step in (1e-2, -1e-2):
            moved = np.array(scores, np.float32)
            moved[place] += step
            net.blobs["in0"].data[...] = moved
            net.forward_range(0, len(net.layers) - 1)
            sums.append(float((net.blobs["top"].data * diff).sum()))
        assert found[place] == pytest.approx((sums[0] - sums[1]) / 2e-2, rel=2e-2, abs=2e-3)


def test_without_being_asked_it_has_none(layer):
    scores, image = values(1, 3, 5, 4), values(1, 3, 5, 4, low=0, high=255)
    net = _net(layer, _PAIR, scores, _sizes((5, 4)), image, back=True)
    net.blobs["in0"].diff[...] = 7
    net.blobs["top"].diff[...] = 1
    net.backward(start="layer", end="layer")
    assert (net.blobs["in0"].diff == 7).all()


def test_the_image_has_no_gradient(layer):
    scores, image = values(1, 3, 5, 4), values(1, 3, 5, 4, low=0, high=255)
    text = f'type: "DenseCRF" {"propagate_down: true " * 3} dense_crf_param {{ {_PAIR} }}'
    net = layer(text, scores, _sizes((5, 4)), image, back=True)
    with pytest.raises(InputError, match="only the scores"):
        net.backward(start="layer", end="layer")
