"""MultiStageMeanfield: by hand, against the CRF library, what its parameters begin as, training, error messages."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cases import values
from deeplab_caffe.crf import CRFParameters, dense_crf
from deeplab_caffe.errors import InputError

_THETAS = "theta_alpha: 8 theta_beta: 20 theta_gamma: 2"
_WEIGHTS = "spatial_filter_weight: 3 bilateral_filter_weight: 5"
_SCORES = values(2, 4, 10, 12, low=-2, high=2)
_IMAGE = values(2, 3, 10, 12, low=0, high=255)


def _net(layer, more: str, *arrays, **fields):
    return layer(f'type: "MultiStageMeanfield" multi_stage_meanfield_param {{ {more} }}', *arrays, **fields)


def test_two_iterations_on_one_pixel_by_hand(layer):
    """A filter over one pixel is the pixel: S = U + (1 + 0.5) softmax(S) where M is −1 on the diagonal.

    U = (0, log 3): Q = (1/4, 3/4); S = (3/8, log 3 + 9/8), so Q = (1, 3 e^(3/4)) / (1 + 3 e^(3/4)).
    """
    unary = np.array([0, math.log(3)]).reshape(1, 2, 1, 1)
    more = "num_iterations: 2 spatial_filter_weight: 1 bilateral_filter_weight: 0.5"
    top = _net(layer, more, unary, unary, np.zeros((1, 3, 1, 1))).blobs["top"].data.ravel()
    second = 3 * math.exp(0.75) / (1 + 3 * math.exp(0.75))
    np.testing.assert_allclose(top, [1.5 * (1 - second), math.log(3) + 1.5 * second], rtol=1e-5)


def test_matrices_mix_the_classes_by_hand(layer):
    """One pixel and Q = (1/4, 3/4) throughout, as U undoes what is added: M (Wₛ + W_b) Q is subtracted."""
    net = _net(layer, "num_iterations: 2", *[np.zeros((1, 2, 1, 1))] * 2, np.zeros((1, 3, 1, 1)))
    for blob, matrix in zip(net.params["layer"], ([[1, 2], [0, 1]], [[0, 0], [1, 0]], [[1, 1], [1, 1]]), strict=True):
        blob.data[...] = matrix
    net.blobs["in1"].data[...] = np.log([1, 3]).reshape(1, 2, 1, 1)
    net.forward()
    # M (W_s + W_b) Q = (q1 + 2 q2 + q1 + q2) (1, 1), the same for both classes: then Q = (1/2, 1/2), and 5/2 stays
    np.testing.assert_allclose(net.blobs["top"].data.ravel(), [-2.5, -2.5], rtol=1e-6)


def test_with_potts_it_is_the_inference_of_the_crf_library(layer):
    net = _net(layer, f"num_iterations: 5 {_THETAS} {_WEIGHTS}", _SCORES, _SCORES, _IMAGE)
    scores = net.blobs["top"].data
    beliefs = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    for n in range(2):
        colours = _IMAGE[n].transpose(1, 2, 0).astype(np.float32)
        expected = dense_crf(colours, -_SCORES[n], CRFParameters(5, 8, 20, 3, 2, 5))
        np.testing.assert_allclose(beliefs[n], expected, rtol=1e-4, atol=1e-6)


def test_what_the_parameters_begin_as(layer):
    def blobs(more: str) -> list[np.ndarray]:
        net = _net(layer, f"num_iterations: 2 {more}", _SCORES, _SCORES, _IMAGE)
        return [blob.data[0, 0] for blob in net.params["layer"]]

    for found, wanted in zip(blobs(_WEIGHTS), (3, 5, -1), strict=True):
        np.testing.assert_array_equal(found, wanted * np.eye(4))
    listed = blobs('spatial_filter_weights_str: "1 2 3 4" bilateral_filter_weights_str: "7"')
    np.testing.assert_array_equal(listed[0], np.diag([1, 2, 3, 4]))
    np.testing.assert_array_equal(listed[1], 7 * np.eye(4))


def test_another_size_in_the_same_net(layer):
    more = f"num_iterations: 2 {_THETAS} {_WEIGHTS}"
    net = _net(layer, more, _SCORES, _SCORES, _IMAGE)
    small = [a[:1, :, :5, :7] for a in (_SCORES, _SCORES, _IMAGE)]
    for name, array in zip(("in0", "in1", "in2"), small, strict=True):
        net.blobs[name].reshape(*array.shape)
        net.blobs[name].data[...] = array
    net.forward()
    expected = _net(layer, more, *small).blobs["top"].data
    np.testing.assert_array_equal(net.blobs["top"].data, expected)


def test_it_learns(layer):
    """Steps against its gradient bring the result nearer to a wanted one."""
    more = f"num_iterations: 3 {_THETAS} {_WEIGHTS}"
    wanted = _net(layer, more, _SCORES, _SCORES, _IMAGE).blobs["top"].data.copy()
    net = _net(layer, more.replace("weight: 3", "weight: 2"), _SCORES, _SCORES, _IMAGE, back=True)
    errors = []
    for _ in range(20):
        net.forward()
        apart = net.blobs["top"].data - wanted
        errors.append(float((apart**2).mean()))
        net.clear_param_diffs()
        net.blobs["top"].diff[...] = apart
        net.backward()
        for blob in net.params["layer"]:
            blob.data[...] -= 1e-5 * blob.diff
    assert errors[-1] < 0.6 * errors[0]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", "num_iterations is 1, wanted 2 or more"),
        ("num_iterations: 2 theta_beta: 0", "theta_beta is 0, wanted a positive number"),
        ("num_iterations: 2 ho_potentials_enabled: true", "ho_potentials_enabled is not supported"),
        (
            'num_iterations: 2 spatial_filter_weights_str: "3 3"',
            "spatial_filter_weights_str is '3 3', wanted a number, or one for each of 4 classes",
        ),
        ('num_iterations: 2 bilateral_filter_weights_str: "much"', "bilateral_filter_weights_str is 'much', wanted"),
        ("num_iterations: 2 theta_beta: 1e-9", "the standard deviations are too small"),
    ],
)
def test_errors(layer, more, expected):
    with pytest.raises(InputError) as caught:
        _net(layer, more, _SCORES, _SCORES, _IMAGE)
    assert "layer 'layer' (MultiStageMeanfield): " in str(caught.value) and expected in str(caught.value)


def test_bottoms_that_do_not_fit_are_refused(layer):
    for arrays in ((_SCORES, _SCORES[:, :3], _IMAGE), (_SCORES, _SCORES, _IMAGE[:, :1]), (_SCORES, _SCORES, _SCORES)):
        with pytest.raises(InputError, match=r"wanted \(N, 4, H, W\) twice, and an image \(N, 3, H, W\)"):
            _net(layer, "num_iterations: 2", *arrays)
    bad = _IMAGE.copy()
    bad[0, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match="bottom 'in2' holds NaN or infinite values"):
        _net(layer, "num_iterations: 2", _SCORES, _SCORES, bad)
