"""UniqueLabel, BiasChannel, AdaptiveBiasChannel: hand-worked results, properties, error messages."""

from __future__ import annotations

import numpy as np
import pytest

from cases import values
from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError


def _list(*rows):
    return np.array(rows, float)[:, :, None, None]


# -- UniqueLabel


def _unique(layer, more: str, maps, **fields):
    return layer(f'type: "UniqueLabel" unique_label_param {{ {more} }}', maps, **fields)


def test_labels_ascend_and_are_filled_up(layer):
    maps = np.array([[[[3.0, 255], [1, 3]]], [[[255.0, 255], [255, 255]]]])
    net = _unique(layer, "max_labels: 4 ignore_label: 255 force_label: 2", maps)
    np.testing.assert_array_equal(net.blobs["top"].data[:, :, 0, 0], [[1, 2, 3, -1], [2, -1, -1, -1]])
    assert net.blobs["top"].shape == (2, 4, 1, 1)


def test_a_forced_label_comes_even_if_ignored(layer):
    net = _unique(layer, "max_labels: 3 ignore_label: 0 force_label: 0", np.array([[[[0.0, 5]]]]))
    np.testing.assert_array_equal(net.blobs["top"].data.ravel(), [0, 5, -1])


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("max_labels: 2", "item 0 has 3 labels (1, 2, 3, …), more than max_labels: 2"),
        ("max_labels: 1 force_label: 0", "max_labels is 1, wanted more than the 1 forced labels"),
        ("max_labels: 0", "max_labels is 0, wanted more than the 0 forced labels"),
    ],
)
def test_unique_label_errors(layer, more, expected):
    with pytest.raises(InputError) as caught:
        _unique(layer, more, np.array([[[[1.0, 2, 3]]]]))
    assert "layer 'layer' (UniqueLabel): " + expected in str(caught.value)


def test_unique_label_wants_one_map(layer):
    with pytest.raises(InputError, match=r"bottom \(1, 2, 1, 3\), wanted label maps \(N, 1, H, W\)"):
        _unique(layer, "max_labels: 2", np.zeros((1, 2, 1, 3)))
    with pytest.raises(InputError, match="max_labels is missing"):
        layer('type: "UniqueLabel"', np.zeros((1, 1, 1, 3)))


def test_unique_label_has_no_gradient(layer):
    net = _unique(layer, "max_labels: 4", np.array([[[[1.0, 2, 3]]]]), back=True)
    with pytest.raises(InputError, match="bottom in0 has no gradient"):
        net.layer_dict["layer"].backward([net.blobs["top"]], [True], [net.blobs["in0"]])


# -- BiasChannel


def _bias(layer, more: str, *arrays, **fields):
    return layer(f'type: "BiasChannel" bias_channel_param {{ {more} }}', *arrays, **fields)


def test_listed_labels_raise_their_channels(layer):
    scores = np.zeros((2, 4, 1, 2))
    net = _bias(layer, "bg_bias: 1 fg_bias: 2", scores, _list([0, 2, -1], [3, 3, -1]))
    np.testing.assert_array_equal(net.blobs["top"].data[:, :, 0, 0], [[1, 0, 2, 0], [0, 0, 0, 4]])
    np.testing.assert_array_equal(net.blobs["top"].data[..., 0], net.blobs["top"].data[..., 1])


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("background_label: 0 bg_bias: 1", [[1, 1, 1, 0], [0, 2, 0, 0], [0, 0, 2, 0]]),
        ("bg_bias: 1", [[1, 1, 1, 0], [0, 2, 0, 0], [0, 0, 2, 0]]),
        ("background_label: 2", [[2, 0, 0, 0], [0, 2, 0, 0], [1, 1, 1, 0]]),
        ("fg_bias: 3", [[3, 0, 0, 0], [0, 3, 0, 0], [0, 0, 3, 0]]),
    ],
)
def test_pixels_raise_their_label_and_the_background(layer, more, expected):
    labels = np.array([0.0, 1, 2, 255]).reshape(1, 1, 1, 4)
    net = _bias(layer, f"label_type: PIXEL ignore_label: 255 {more}", np.zeros((1, 3, 1, 4)), labels)
    np.testing.assert_array_equal(net.blobs["top"].data[0, :, 0], expected)


def test_bias_channel_copies_the_gradient(layer):
    net = _bias(layer, "", values(2, 3, 2, 2), _list([0, 1], [2, -1]), back=True)
    diff = values(2, 3, 2, 2, seed=1)
    net.blobs["top"].diff[...] = diff
    net.backward()
    np.testing.assert_array_equal(net.blobs["in0"].diff, diff.astype(np.float32))
    with pytest.raises(InputError, match="bottom in1 has no gradient"):
        net.layer_dict["layer"].backward([net.blobs["top"]], [True, True], [net.blobs["in0"], net.blobs["in1"]])


@pytest.mark.parametrize(
    ("more", "labels", "expected"),
    [
        ("", _list([3.0]), "label 3 is neither one of the 3 classes (0 to 2) nor ignored"),
        ("bg_bias: -1", _list([0.0]), "bg_bias is -1, wanted 0 or more"),
        ("", np.zeros((1, 1, 2, 2)), "labels (1, 1, 2, 2) for scores (1, 3, 2, 2), wanted (1, L, 1, 1), a list"),
        ("label_type: PIXEL", _list([0.0]), "wanted (1, 1, 2, 2), a map for each item"),
        ("label_type: PIXEL background_label: 3", np.zeros((1, 1, 2, 2)), "background_label is 3, but scores"),
    ],
)
def test_bias_channel_errors(layer, more, labels, expected):
    with pytest.raises(InputError) as caught:
        _bias(layer, more, np.zeros((1, 3, 2, 2)), labels)
    assert "layer 'layer' (BiasChannel): " in str(caught.value)
    assert expected in str(caught.value)


# -- AdaptiveBiasChannel


def _adaptive(layer, more: str, *arrays, **fields):
    return layer(f'type: "AdaptiveBiasChannel" adaptive_bias_channel_param {{ {more} }}', *arrays, **fields)


def test_one_step_by_hand(layer):
    """Labels 0 and 1 of three; 4 pixels, both portions 0.5, so k = 2: the third smallest lack."""
    scores = np.array([[4.0, 4, 4, 4], [0.0, 1, 2, 3], [9.0, 0, 9, 1]]).reshape(1, 3, 1, 4)
    more = "bg_portion: 0.5 fg_portion: 0.5 margin_others: 0.25"
    top = _adaptive(layer, more, scores, _list([0, 1, -1])).blobs["top"].data[0, :, 0]
    # label 2 comes below the smaller of the others where it is above; 0 lacks nothing; 1 lacks 4 3 2 1: + 3
    # the largest is then 4 4 5 6, 19 / 4 in the mean, and was 4
    expected = np.array([[4, 4, 4, 4], [3, 4, 5, 6], [-0.25, 0, 1.75, 1]]) - 0.75
    np.testing.assert_allclose(top, expected, rtol=1e-6)


def test_every_label_gets_its_share_and_the_mean_stays(layer):
    scores = values(3, 6, 9, 8)
    lists = _list([0, 2, 5], [3, -1, -1], [-1, -1, -1])
    net = _adaptive(layer, "bg_portion: 0.4 fg_portion: 0.2 num_iter: 4", scores, lists)
    top = net.blobs["top"].data
    np.testing.assert_array_equal(top[2], scores[2].astype(np.float32))  # no label: a copy
    for n, present in ((0, [0, 2, 5]), (1, [3])):
        assert set(np.unique(top[n].argmax(0))) <= set(present)
        # in the end the largest score has the mean that the largest among the labels had at first
        assert top[n].max(0).mean() == pytest.approx(scores[n][present].max(0).mean(), rel=1e-5, abs=1e-6)
    assert (top[1].argmax(0) == 3).all()


def test_a_portion_of_one_is_every_pixel(layer):
    scores = np.array([[5.0, 9], [1, 2]]).reshape(1, 2, 1, 2)
    more = "bg_portion: 1 fg_portion: 1 suppress_others: false"
    top = _adaptive(layer, more, scores, _list([0, 1])).blobs["top"].data[0, :, 0]
    assert (top[1] >= top[0]).all()


def test_the_order_of_the_labels_comes_from_the_seed(layer):
    scores, lists = values(1, 6, 9, 8), _list([1, 2, 3, 4, 5])
    tops = []
    for seed in (1, 1, *range(2, 8)):
        caffe.set_random_seed(seed)
        tops.append(_adaptive(layer, "", scores, lists).blobs["top"].data.copy())
    np.testing.assert_array_equal(tops[0], tops[1])
    assert any((tops[0] != other).any() for other in tops[2:])


def test_adaptive_backward_leaves_the_diffs(layer):
    net = _adaptive(layer, "", values(1, 3, 4, 4), _list([0, 2]), back=True)
    net.blobs["in0"].diff[...] = 5
    net.blobs["top"].diff[...] = 1
    net.backward()
    assert (net.blobs["in0"].diff == 5).all()


@pytest.mark.parametrize(
    ("more", "channels", "label", "expected"),
    [
        ("bg_portion: 1.5", 3, 0, "bg_portion is 1.5, wanted 0 to 1"),
        ("fg_portion: -0.5", 3, 0, "fg_portion is -0.5, wanted 0 to 1"),
        ("num_iter: -1", 3, 0, "num_iter is -1 and margin_others 1e-05, wanted 0 or more"),
        ("", 1, 0, "scores (1, 1, 2, 2), wanted at least 2 channels"),
        ("", 3, 3, "label 3 is neither one of the 3 classes (0 to 2) nor ignored (ignored: -1)"),
    ],
)
def test_adaptive_errors(layer, more, channels, label, expected):
    with pytest.raises(InputError) as caught:
        _adaptive(layer, more, np.zeros((1, channels, 2, 2)), _list([label]))
    assert "layer 'layer' (AdaptiveBiasChannel): " in str(caught.value)
    assert expected in str(caught.value)
