"""Layers on score maps and label maps: hand-worked results, properties, error messages."""

from __future__ import annotations

import numpy as np
import pytest

from cases import values
from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError


def _row(*numbers):
    """(1, 1, 1, W)"""
    return np.array(numbers, float).reshape(1, 1, 1, -1)


def _channels(*rows):
    """(1, C, 1, W)"""
    return np.array(rows, float)[None, :, None]


# -- SpatialProduct


def test_one_map_weighs_all_channels(layer):
    net = layer('type: "SpatialProduct"', _channels([1, 2], [3, 4]), _row(10, -1), back=True)
    np.testing.assert_array_equal(net.blobs["top"].data[0, :, 0], [[10, -2], [30, -4]])
    net.blobs["top"].diff[...] = _channels([1, 1], [1, 2])
    net.backward()
    np.testing.assert_array_equal(net.blobs["in0"].diff[0, :, 0], [[10, -1], [10, -2]])
    np.testing.assert_array_equal(net.blobs["in1"].diff.ravel(), [4, 10])


# -- Padding


def test_padding_and_cropping(layer):
    x = np.arange(1.0, 7).reshape(1, 1, 2, 3)
    net = layer('type: "Padding" padding_param { pad_beg: 1 pad_end: 0 }', x, back=True)
    np.testing.assert_array_equal(net.blobs["top"].data[0, 0], [[0, 0, 0, 0], [0, 1, 2, 3], [0, 4, 5, 6]])
    net.blobs["top"].diff[...] = np.arange(12).reshape(1, 1, 3, 4)
    net.backward()
    np.testing.assert_array_equal(net.blobs["in0"].diff[0, 0], [[5, 6, 7], [9, 10, 11]])
    net = layer('type: "Padding" padding_param { pad_beg: -1 }', x, back=True)
    np.testing.assert_array_equal(net.blobs["top"].data[0, 0], [[5, 6]])
    net.blobs["top"].diff[...] = 1
    net.backward()
    np.testing.assert_array_equal(net.blobs["in0"].diff[0, 0], [[0, 0, 0], [0, 1, 1]])


# -- ChannelAggregator


@pytest.fixture
def aggregate(layer, tmp_path):
    def build(lines: str, *arrays, **fields):
        (tmp_path / "map.txt").write_text(lines)
        text = f'type: "ChannelAggregator" channel_aggregator_param {{ label_map_file: "{tmp_path}/map.txt" }}'
        return layer(text, *arrays, **fields)

    return build


def test_channels_are_added_as_probabilities(aggregate):
    x = np.log(_channels([1, 5], [2, 6], [3, 7]))
    net = aggregate("0 2\n1\n", x, back=True)
    np.testing.assert_allclose(np.exp(net.blobs["top"].data[0, :, 0]), [[4, 12], [2, 6]], rtol=1e-6)
    net.blobs["top"].diff[...] = 1
    net.backward()
    np.testing.assert_allclose(net.blobs["in0"].diff[0, :, 0], [[1 / 4, 5 / 12], [1, 1], [3 / 4, 7 / 12]], rtol=1e-6)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("0\n3\n", "names channel 3, bottom (1, 3, 1, 2) has 0 to 2"),
        ("0\n\n", "map.txt:2: '', wanted numbers of channels, separated by blanks"),
        ("0 x\n", "map.txt:1: '0 x', wanted numbers"),
        ("", "is empty; wanted the channels of each output on a line of its own"),
    ],
)
def test_channel_aggregator_errors(aggregate, lines, expected):
    with pytest.raises(InputError) as caught:
        aggregate(lines, np.zeros((1, 3, 1, 2)))
    assert "layer 'layer' (ChannelAggregator): " in str(caught.value)
    assert expected in str(caught.value)


# -- Upsample


@pytest.mark.parametrize(
    "layer",
    ['type: "Upsample" upsample_param { scale: 2 }', 'type: "Unpooling" unpooling_param { kernel_size: 2 stride: 2 }'],
)
def test_what_is_below_an_unpooling_is_trained(net, layer):
    """The mask comes from a Pooling whose bottom is learned: the gradient of the mask is 0, not an error."""
    text = """layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [1, 2, 4, 4] } } }
        layer { name: "label" type: "Input" top: "label" input_param { shape { dim: [1, 1, 4, 4] } } }
        layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param { num_output: 3 kernel_size: 1 } }
        layer { name: "p" type: "Pooling" bottom: "c" top: "p" top: "mask"
        pooling_param { kernel_size: 2 stride: 2 } }"""
    text += f'layer {{ name: "u" bottom: "p" bottom: "mask" top: "u" {layer} }}'
    text += 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "u" bottom: "label" top: "loss" }'
    built = net(text, caffe.TRAIN)
    built.blobs["x"].data[...] = values(1, 2, 4, 4)
    built.params["c"][0].data[...] = values(3, 2, 1, 1)
    built.forward()
    built.backward()
    assert built.params["c"][0].diff.any() and not built.blobs["mask"].diff.any()


def test_unpooling_puts_maxima_back(net):
    """The maxima of 2 x 2 windows return to where they were, zeros elsewhere; so do their diffs."""
    x = values(2, 3, 6, 8, low=0.1)
    text = (
        'force_backward: true layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [2, 3, 6, 8] } } }'
        'layer { name: "pool" type: "Pooling" bottom: "x" top: "p" top: "mask" '
        "pooling_param { kernel_size: 2 stride: 2 } }"
        'layer { name: "layer" type: "Upsample" bottom: "p" bottom: "mask" top: "y" upsample_param { MORE } }'
    )
    for more in ("", "scale: 2", "scale_h: 2 scale_w: 2", "upsample_h: 6 upsample_w: 8"):
        built = net(text.replace("MORE", more))
        built.blobs["x"].data[...] = x
        y = built.forward(blobs=["y"])["y"].copy()
        assert y.shape == x.shape
        np.testing.assert_array_equal(y[y != 0], x.astype(np.float32)[y != 0])
        assert (y != 0).sum() == x.size / 4
        built.blobs["y"].diff[...] = x
        built.backward(start="layer", end="layer")
        np.testing.assert_array_equal(built.blobs["p"].diff, built.blobs["p"].data)


def test_pad_out_leaves_the_last_row_or_column_out(layer):
    text = 'type: "Upsample" upsample_param { pad_out_w: true }'
    top = layer(text, np.array([[[[7.0, 8]]]]), np.array([[[[4.0, 2]]]])).blobs["top"].data
    np.testing.assert_array_equal(top[0, 0], [[0, 0, 8], [0, 7, 0]])


@pytest.mark.parametrize(
    ("more", "mask", "expected"),
    [
        (
            "",
            (9.0, 2),
            "the mask holds indices 2 to 9, but the top has 0 to 7 (2 x 4); state upsample_h and upsample_w",
        ),
        ("", (-1.0, 2), "the mask holds indices -1 to 2"),
        ("upsample_h: 3", (0.0, 2), "states only one of upsample_h and upsample_w"),
        ("scale_w: 3", (0.0, 2), "states only one of scale_h and scale_w"),
        ("scale: 3 pad_out_h: true", (0.0, 2), "pad_out_h and pad_out_w need a scale of 2, got (3, 3)"),
        ("scale: 0", (0.0, 2), "the size becomes (0, 0), wanted positive numbers"),
        ("", (0.0, 2, 3), "mask (1, 1, 1, 3) for bottom (1, 1, 1, 2), wanted the same shape"),
    ],
)
def test_upsample_errors(layer, more, mask, expected):
    with pytest.raises(InputError) as caught:
        layer(f'type: "Upsample" upsample_param {{ {more} }}', _row(1, 2), _row(*mask))
    assert "layer 'layer' (Upsample): " in str(caught.value)
    assert expected in str(caught.value)


# -- label maps


def test_labels_that_are_not_listed_are_ignored(layer):
    labels = np.array([[[[0.0, 1, 2, 9]]], [[[0.0, 1, 2, 9]]]])
    listed = np.array([[2.0, 9, -1], [0, -1, -1]])[:, :, None, None]
    top = layer('type: "CensorLabel" censor_label_param { ignore_label: 255 }', labels, listed).blobs["top"].data
    np.testing.assert_array_equal(top[:, 0, 0], [[255, 255, 2, 9], [0, 255, 255, 255]])


def test_dominant_channels(layer):
    """Channel 2 is largest at three pixels; 1 and 3 at one each, but 3 is second more often; 0 never."""
    order = np.array([[2, 3, 1, 0], [2, 3, 1, 0], [2, 1, 3, 0], [1, 3, 2, 0], [3, 1, 2, 0]])
    scores = np.zeros((1, 4, 1, 5))
    for pixel, channels in enumerate(order):
        scores[0, channels, 0, pixel] = [4, 3, 2, 1]
    top = layer('type: "DominantChannel" dominant_channel_param { top_k: 3 }', scores).blobs["top"].data
    assert top.shape == (1, 3, 1, 1)
    np.testing.assert_array_equal(top.ravel(), [2, 3, 1])


def test_histogram_counts_each_item(layer):
    labels = np.array([[[[0.0, 1, 1, 255]]], [[[2.0, 2, 2, 0]]]])
    text = 'type: "Histogram" histogram_param { num_labels: 3 ignore_label: 255 }'
    top = layer(text, labels).blobs["top"].data
    np.testing.assert_array_equal(top[:, :, 0, 0], [[1, 2, 0], [1, 0, 3]])


def test_ignore_overlay(layer):
    text = 'type: "IgnoreOverlay" ignore_overlay_param { ignore_label: 255 }'
    top = layer(text, _row(255, 1, 0), _row(7, 255, 8)).blobs["top"].data
    np.testing.assert_array_equal(top, _row(255, 255, 8))


def test_one_hot(layer):
    lists = _channels([0, 2, -1], [2, 2, -1])
    top = layer('type: "OneHot" onehot_param { num_labels: 3 }', lists).blobs["top"].data
    np.testing.assert_array_equal(top[0, :, 0], [[1, 0, 0], [0, 0, 0], [1, 1, 0]])


def test_relative_error(layer):
    """√((1 + 4) / 2 / ((9 + 16) / 2)); against a vanishing second bottom the divisor is 1e-6."""
    top = layer('type: "RelativeError"', _row(2, 6), _row(3, 4)).blobs["top"].data
    assert top.shape == (1, 1, 1, 1)
    np.testing.assert_allclose(top.ravel(), [np.sqrt(5 / 25)], rtol=1e-6)
    np.testing.assert_array_equal(layer('type: "RelativeError"', _row(1), _row(0)).blobs["top"].data.ravel(), [1000])


@pytest.mark.parametrize(
    ("kind", "more", "arrays", "expected"),
    [
        ("SpatialProduct", "", (_channels([1], [2]), _channels([1], [2])), "weights (1, 2, 1, 1) for maps"),
        ("SpatialProduct", "", (np.zeros((2, 3)), _row(1)), "bottom (2, 3) has 2 axes, wanted 4 (N, C, H, W)"),
        ("Padding", "padding_param { pad_beg: 1 pad_end: -1 }", (_row(1),), "one pads, the other crops"),
        ("Padding", "padding_param { pad_beg: -1 }", (_row(1, 2),), "is left: its size becomes (0, 1)"),
        ("ChannelAggregator", "", (_row(1),), "cannot read the groups of channels, label_map_file: ''"),
        ("CensorLabel", "", (_row(1), _row(1)), "ignore_label is missing"),
        ("CensorLabel", "censor_label_param { ignore_label: 0 }", (_row(1), _row(1, 2)), "wanted (N, 1, H, W) and"),
        ("DominantChannel", "dominant_channel_param { top_k: 2 }", (_channels([1], [2]),), "top_k is 2, wanted 1 to 1"),
        ("Histogram", "", (_row(1),), "num_labels is 0 or not stated, wanted a positive number"),
        ("Histogram", "histogram_param { num_labels: 2 }", (_row(2),), "label 2 is neither one of the 2 classes"),
        ("IgnoreOverlay", "", (_row(1), _row(1)), "ignore_label is missing"),
        ("IgnoreOverlay", "ignore_overlay_param { ignore_label: 0 }", (_row(1), _row(1, 2)), "of different shapes"),
        ("OneHot", "", (_row(1),), "num_labels is 0 or not stated, wanted a positive number"),
        ("OneHot", "onehot_param { num_labels: 2 }", (_row(-2),), "label -2 is neither one of the 2 classes"),
        ("RelativeError", "", (_row(1), _row(1, 2)), "bottoms (1, 1, 1, 1) and (1, 1, 1, 2) differ in size"),
    ],
)  # fmt: skip
def test_errors(layer, kind, more, arrays, expected):
    with pytest.raises(InputError) as caught:
        layer(f'type: "{kind}" {more}', *arrays)
    assert f"layer 'layer' ({kind}): " in str(caught.value)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "more", "count"),
    [
        ("CensorLabel", "censor_label_param { ignore_label: 0 }", 2),
        ("Histogram", "histogram_param { num_labels: 2 }", 1),
        ("IgnoreOverlay", "ignore_overlay_param { ignore_label: 0 }", 2),
        ("OneHot", "onehot_param { num_labels: 2 }", 1),
        ("RelativeError", "", 2),
    ],
)
def test_no_gradient(layer, kind, more, count):
    net = layer(f'type: "{kind}" {more}', *[_row(1)] * count, back=True)
    made = net.layer_dict["layer"]
    assert not any(made.propagate_down)
    with pytest.raises(InputError, match=f"\\({kind}\\): bottom in0 has no gradient"):
        made.backward([net.blobs["top"]], [True] * count, [net.blobs[f"in{i}"] for i in range(count)])
