"""Reshape, Flatten, Slice, Crop, Tile, BatchReindex, Filter, Reduction: by hand, properties, messages."""

from __future__ import annotations

import numpy as np
import pytest

from deeplab_caffe.errors import InputError

_X = np.arange(24.0).reshape(2, 3, 4)


def _gradient(built, **diffs) -> np.ndarray:
    for name, diff in diffs.items():
        built.blobs[name].diff[...] = diff
    built.backward(start="layer", end="layer")
    return built.blobs["in0"].diff


# -- Reshape and Flatten


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("shape { dim: [0, -1] }", (2, 12)),
        ("shape { dim: [6, 4] }", (6, 4)),
        ("shape { dim: -1 } axis: 1", (2, 12)),
        ("shape { dim: [2, 2] } axis: -1", None),
        ("shape { dim: [2, 2] } axis: 2", (2, 3, 2, 2)),
        ("shape { dim: [2, 2] } axis: -2", (2, 3, 2, 2)),
        ("shape { dim: [3, 2] } num_axes: 2", (3, 2, 4)),
        ("shape { dim: 1 } axis: -1 num_axes: 0", (2, 3, 4, 1)),
        ("shape { dim: [1, 1] } axis: 1 num_axes: 0", (2, 1, 1, 3, 4)),
        ("shape { dim: [0, 0] } axis: 1", (2, 3, 4)),
    ],
)
def test_reshape(layer, text, shape):
    text = f'type: "Reshape" reshape_param {{ {text} }}'
    if shape is None:
        with pytest.raises(InputError, match="24 elements cannot become"):
            layer(text, _X)
    else:
        top = layer(text, _X).blobs["top"]
        assert top.shape == shape
        assert top.data.ravel().tolist() == _X.ravel().tolist()


def test_reshape_to_a_scalar(layer):
    assert layer('type: "Reshape" reshape_param { shape {} }', np.ones((1, 1))).blobs["top"].shape == ()


@pytest.mark.parametrize(
    ("text", "shape"),
    [("", (2, 12)), ("axis: 0", (24,)), ("axis: 0 end_axis: 1", (6, 4)), ("axis: 2", (2, 3, 4)), ("axis: -2", (2, 12))],
)
def test_flatten(layer, text, shape):
    top = layer(f'type: "Flatten" flatten_param {{ {text} }}', _X).blobs["top"]
    assert top.shape == shape
    assert top.data.ravel().tolist() == _X.ravel().tolist()


@pytest.mark.parametrize(
    "text",
    ['type: "Reshape" reshape_param { shape { dim: -1 } }', 'type: "Flatten"', 'type: "Slice"', 'type: "Concat"'],
)
def test_one_memory_for_bottom_and_top(layer, text):
    built = layer(text, _X, back=True)
    bottom, top = built.blobs["in0"], built.blobs["top"]
    top.data.ravel()[5] = 100
    assert bottom.data.ravel()[5] == 100
    top.diff[...] = 3
    built.backward(start="layer", end="layer")
    assert (bottom.diff == 3).all()
    bottom.reshape(1, 2, 4)
    bottom.data[...] = 7
    assert (built.forward()["top"] == 7).all()


def test_gradient_passes_a_reshape_between_layers(net):
    """The same net with and without a detour through Reshape and Flatten."""
    head = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [2, 2, 3, 3] } } }'
    conv = (
        'layer { name: "conv" type: "Convolution" bottom: "x" top: "c" '
        "convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }"
    )
    detour = (
        'layer { name: "r" type: "Reshape" bottom: "c" top: "r" reshape_param { shape { dim: [0, 2, -1] } } }'
        'layer { name: "relu" type: "ReLU" bottom: "r" top: "r" }'
        'layer { name: "f" type: "Flatten" bottom: "r" top: "f" }'
    )
    straight = 'layer { name: "relu" type: "ReLU" bottom: "c" top: "c" }'
    tail = (
        'layer {{ name: "ip" type: "InnerProduct" bottom: "{}" top: "y" loss_weight: 1 '
        "inner_product_param {{ num_output: 3 }} }}"
    )
    diffs = []
    for text in (conv + detour + tail.format("f"), conv + straight + tail.format("c")):
        built = net("force_backward: true " + head + text)
        random = np.random.default_rng(0)
        for name in ("conv", "ip"):
            for blob in built.params[name]:
                blob.data[...] = random.standard_normal(blob.shape)
        built.blobs["x"].data[...] = random.standard_normal((2, 2, 3, 3))
        for _ in range(2):
            built.forward()
            built.clear_param_diffs()
            built.backward()
        diffs.append([built.blobs["x"].diff.copy(), *(b.diff.copy() for b in built.params["conv"])])
    for detoured, plain in zip(*diffs, strict=True):
        np.testing.assert_allclose(detoured, plain, rtol=1e-5, atol=1e-5)


# -- Slice, Crop, Tile


def test_slice_by_points(layer):
    text = 'type: "Slice" top: "a" top: "b" top: "c" slice_param { axis: -1 slice_point: [1, 3] }'
    built = layer(text, _X[:1, :1], back=True)
    assert [built.blobs[name].data.ravel().tolist() for name in "abc"] == [[0], [1, 2], [3]]
    assert _gradient(built, a=5, b=6, c=7).ravel().tolist() == [5, 6, 6, 7]


def test_slice_into_equal_parts(layer):
    built = layer('type: "Slice" top: "a" top: "b" slice_param { slice_dim: 0 }', _X)
    assert [built.blobs[name].data.tolist() for name in "ab"] == [_X[:1].tolist(), _X[1:].tolist()]
    built.blobs["a"].data[...] = -1
    assert built.blobs["in0"].data.min() == 0


def test_concat_puts_together_what_slice_cut(net):
    built = net(
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [2, 3, 4] } } }'
        'layer { name: "s" type: "Slice" bottom: "x" top: "a" top: "b" slice_param { slice_point: 1 } }'
        'layer { name: "c" type: "Concat" bottom: "a" bottom: "b" top: "y" }'
    )
    built.blobs["x"].data[...] = _X
    np.testing.assert_array_equal(built.forward()["y"], _X)


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("axis: 1", np.s_[:, 0:2, 0:3]),
        ("axis: 1 offset: 1", np.s_[:, 1:3, 1:4]),
        ("axis: 1 offset: [1, 0]", np.s_[:, 1:3, 0:3]),
        ("axis: -1 offset: 1", np.s_[:, :, 1:4]),
        ("", np.s_[:, :, 0:3]),
    ],
)
def test_crop(layer, text, window):
    built = layer(f'type: "Crop" crop_param {{ {text} }}', _X, np.zeros((9, 2, 3)), back=True)
    np.testing.assert_array_equal(built.blobs["top"].data, _X[window])
    expected = np.zeros_like(_X)
    expected[window] = 2
    np.testing.assert_array_equal(_gradient(built, top=2), expected)
    assert (built.blobs["in1"].diff == 0).all()


def test_tile_by_hand(layer):
    x = np.array([[1.0, 2], [3, 4]])
    built = layer('type: "Tile" tile_param { tiles: 2 }', x, back=True)
    assert built.blobs["top"].data.tolist() == [[1, 2, 1, 2], [3, 4, 3, 4]]
    assert _gradient(built, top=[[1, 2, 3, 4], [5, 6, 7, 8]]).tolist() == [[4, 6], [12, 14]]


# -- BatchReindex and Filter


def test_batch_reindex_by_hand(layer):
    built = layer('type: "BatchReindex"', np.array([[1.0], [2], [3]]), np.array([2.0, 0, 2.9, 2]), back=True)
    assert built.blobs["top"].data.ravel().tolist() == [3, 1, 3, 3]
    assert _gradient(built, top=[[1], [2], [3], [4]]).ravel().tolist() == [2, 0, 8]


def test_filter_by_hand(layer):
    selector = np.array([0.0, 1, -2]).reshape(3, 1)
    text = 'type: "Filter" top: "a" top: "b"'
    built = layer(text, np.array([[1.0, 2], [3, 4], [5, 6]]), np.array([7.0, 8, 9]), selector, back=True)
    assert built.blobs["a"].data.tolist() == [[3, 4], [5, 6]]
    assert built.blobs["b"].data.tolist() == [8, 9]
    assert _gradient(built, a=[[1, 2], [3, 4]], b=[5, 6]).tolist() == [[0, 0], [1, 2], [3, 4]]
    assert built.blobs["in1"].diff.tolist() == [0, 5, 6]


def test_filter_has_all_items_at_set_up_and_maybe_none_later(layer):
    built = layer('type: "Filter"', np.ones((3, 2)), np.zeros(3), back=True, run=False)
    assert built.blobs["top"].shape == (3, 2)
    built.forward()
    assert built.blobs["top"].shape == (0, 2)
    assert (_gradient(built) == 0).all()
    built.blobs["in1"].data[1] = 1
    built.reshape()
    assert built.blobs["top"].shape == (1, 2)


# -- Reduction


@pytest.mark.parametrize(
    ("text", "value", "gradient"),
    [
        ("", 6, [1, 1, 1, 1]),
        ("operation: SUM coeff: 2", 12, [2, 2, 2, 2]),
        ("operation: ASUM", 10, [-1, 1, 0, 1]),
        ("operation: SUMSQ coeff: 0.5", 22, [-2, 2, 0, 6]),
        ("operation: MEAN coeff: 2", 3, [0.5] * 4),
    ],
)
def test_reduction(layer, text, value, gradient):
    built = layer(f'type: "Reduction" reduction_param {{ {text} }}', np.array([[-2.0, 2], [0, 6]]), back=True)
    assert built.blobs["top"].shape == ()
    assert float(built.blobs["top"].data) == pytest.approx(value)
    assert _gradient(built, top=1).ravel().tolist() == gradient


def test_reduction_removes_the_tail(layer):
    top = layer('type: "Reduction" reduction_param { axis: -1 }', _X).blobs["top"]
    np.testing.assert_array_equal(top.data, _X.sum(-1))


# -- messages


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('type: "Reshape" reshape_param { shape { dim: [5, 5] } }', "of 24 elements cannot become .5, 5. of 25"),
        ('type: "Reshape" reshape_param { shape { dim: [-1, 5] } }', "24 elements .* do not divide by 5 to infer"),
        ('type: "Reshape" reshape_param { shape { dim: [-1, -1] } }', "-1 .infer. at most once"),
        ('type: "Reshape" reshape_param { shape { dim: -2 } }', "wanted sizes"),
        ('type: "Reshape" reshape_param { shape { dim: [2, 3, 4, 0] } }', "dim 3 is 0 .copy., but bottom .* no axis 3"),
        ('type: "Reshape" reshape_param { shape { dim: 1 } axis: 4 }', "axis 4 is outside"),
        ('type: "Reshape" reshape_param { shape { dim: 1 } axis: 1 num_axes: 3 }', "num_axes 3 from axis 1 reaches"),
        ('type: "Reshape" reshape_param { shape { dim: 1 } num_axes: -2 }', "num_axes is -2"),
        ('type: "Reshape" top: "in0" reshape_param { shape { dim: -1 } }', "cannot work in place"),
        ('type: "Flatten" top: "in0"', "cannot work in place"),
        ('type: "Flatten" flatten_param { axis: 2 end_axis: 0 }', "axis 2 comes after end_axis 0"),
        ('type: "Flatten" flatten_param { end_axis: 3 }', "end_axis 3 is outside a bottom of 3 axes"),
        ('type: "Slice" top: "a" top: "b"', r"axis 1 of bottom \(2, 3, 4\) does not divide into 2 tops"),
        ('type: "Slice" top: "a" top: "b" slice_param { slice_point: 3 }', "must rise from above 0 to below 3"),
        ('type: "Slice" top: "a" top: "b" slice_param { slice_point: 0 }', "must rise from above 0 to below 3"),
        ('type: "Slice" top: "a" top: "b" slice_param { slice_point: [1, 2] }', "2 slice points for 2 tops"),
        ('type: "Slice" top: "a" slice_param { axis: 1 slice_dim: 1 }', "both axis and slice_dim"),
        ('type: "Slice" top: "in0" top: "b"', "cannot work in place"),
        ('type: "Tile"', "tiles is 0 or not stated, wanted a positive number"),
        ('type: "Tile" top: "in0" tile_param { tiles: 2 }', "cannot work in place"),
        ('type: "Reduction" reduction_param { axis: 3 }', "axis 3 is outside a bottom of 3 axes"),
        ('type: "Crop"', "has 1 bottoms, wanted 2"),
    ],
)
def test_messages(layer, text, message):
    with pytest.raises(InputError, match=message):
        layer(text, _X)


@pytest.mark.parametrize(
    ("text", "second", "message"),
    [
        ('type: "Crop" crop_param { axis: 1 offset: [1, 1, 1] }', (2, 1, 1), "states 3 offsets"),
        (
            'type: "Crop" crop_param { offset: 2 }',
            (2, 3, 3),
            r"offset 2 and size 3 reach past axis 2 of bottom \(2, 3, 4",
        ),
        ('type: "Crop"', (2, 3), "has fewer axes than"),
        ('type: "BatchReindex"', (2, 1), "wanted .N, ….* and indices of one axis"),
        ('type: "Filter"', (2, 2), r"the selector \(2, 2\) must have one entry for each item"),
        ('type: "Filter"', (3,), r"\(2, 3, 4\) and the selector \(3,\) differ in the number of items"),
        ('type: "Filter" top: "a" top: "b"', (2,), "has 2 bottoms and 2 tops"),
    ],
)
def test_messages_of_two_bottoms(layer, text, second, message):
    with pytest.raises(InputError, match=message):
        layer(text, _X, np.zeros(second))


def test_an_index_beyond_the_items(layer):
    with pytest.raises(InputError, match="index 2 is not within the 2 items, 0 to 1"):
        layer('type: "BatchReindex"', _X, np.array([0.0, 2]))
