"""Eltwise, Concat, Split, Silence and ArgMax."""

from __future__ import annotations

import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError


def _out(built) -> list:
    return built.blobs["top"].data.tolist()


# -- Eltwise


def test_sum_with_coefficients(layer):
    text = 'type: "Eltwise" eltwise_param { coeff: [1, -2] }'
    assert _out(layer(text, [[1.0, 2.0]], [[3.0, 5.0]])) == [[-5, -8]]


def test_product_of_three(layer):
    assert _out(layer('type: "Eltwise" eltwise_param { operation: PROD }', [[2.0]], [[3.0]], [[-4.0]])) == [[-24]]


def test_ties_of_the_maximum_go_to_the_second_bottom(layer):
    text = 'type: "Eltwise" eltwise_param { operation: MAX coeff: 1 coeff: 5 coeff: 7 }'
    built = layer(text, [[1.0, 2, 0, 0]], [[1.0, 1, 0, 3]], [[1.0, 0, 0, 4]], back=True)
    assert _out(built) == [[1, 2, 0, 4]]
    built.backward(top=np.array([[1, 2, 3, 4]]))
    diffs = [built.blobs[f"in{i}"].diff.tolist() for i in range(3)]
    assert diffs == [[[0, 2, 0, 0]], [[1, 0, 3, 0]], [[0, 0, 0, 4]]]


@pytest.mark.parametrize(
    ("text", "shapes", "expected"),
    [
        ("", [(1, 2), (1, 3)], "bottoms of different shapes: (1, 2), (1, 3)"),
        ("eltwise_param { coeff: 1 }", [(1,), (1,)], "states 1 coefficients for 2 bottoms"),
        ("eltwise_param { operation: PROD coeff: [1, 2] }", [(1,), (1,)], "coefficients are not supported with PROD"),
        ("", [(1,)], "has 1 bottoms, wanted at least 2"),
        ('top: "in0"', [(1,), (1,)], "cannot work in place"),
    ],
)
def test_eltwise_errors(layer, text, shapes, expected):
    with pytest.raises(InputError) as caught:
        layer(f'type: "Eltwise" {text}', *map(np.zeros, shapes))
    assert "net.prototxt:" in str(caught.value)
    assert f"layer 'layer' (Eltwise): {expected}" in str(caught.value)


# -- Concat


def test_concat_along_channels_and_other_axes(layer):
    assert _out(layer('type: "Concat"', [[1.0], [2.0]], [[3.0, 4], [5, 6]])) == [[1, 3, 4], [2, 5, 6]]
    assert _out(layer('type: "Concat" concat_param { axis: 0 }', [[1.0]], [[2.0]])) == [[1], [2]]
    assert _out(layer('type: "Concat" concat_param { axis: -1 }', [[1.0]], [[2.0]])) == [[1, 2]]
    assert _out(layer('type: "Concat" concat_param { concat_dim: 0 }', [[1.0]], [[2.0]])) == [[1], [2]]


@pytest.mark.parametrize(
    ("text", "shapes", "expected"),
    [
        ("", [(1, 2, 3), (1, 2, 4)], "bottoms (1, 2, 3), (1, 2, 4) differ outside axis 1"),
        ("", [(1, 2), (1, 2, 1)], "bottoms (1, 2), (1, 2, 1) differ outside axis 1"),
        ("concat_param { axis: 2 }", [(1, 2), (1, 2)], "axis 2 is outside a bottom of 2 axes"),
        ("concat_param { axis: 1 concat_dim: 1 }", [(1, 2), (1, 2)], "states both axis and concat_dim"),
    ],
)
def test_concat_errors(layer, text, shapes, expected):
    with pytest.raises(InputError) as caught:
        layer(f'type: "Concat" {text}', *map(np.zeros, shapes))
    assert f"layer 'layer' (Concat): {expected}" in str(caught.value)


# -- Split and Silence


def test_split_shares_data_and_adds_diffs(layer):
    built = layer('type: "Split" top: "a" top: "b" top: "c"', [[1.0, 2.0]], back=True)
    built.blobs["in0"].data[...] = 7
    assert (built.blobs["b"].data == 7).all()
    for name, value in (("a", 1), ("b", 10)):
        built.blobs[name].diff[...] = value
    built.backward()
    assert built.blobs["in0"].diff.tolist() == [[11, 11]]
    built.blobs["c"].diff[...] = 100
    built.backward()
    assert built.blobs["in0"].diff.tolist() == [[111, 111]]


def test_silence_uses_up_its_bottoms(layer):
    built = layer('type: "Silence"', [[1.0]], [2.0], back=True)
    assert built.outputs == []
    built.blobs["in0"].diff[...] = 5
    built.backward()
    assert built.blobs["in0"].diff.tolist() == [[0]]
    with pytest.raises(InputError, match=r"layer 'layer' \(Silence\): has 1 tops, wanted 0"):
        layer('type: "Silence" top: "x"', [[1.0]])


# -- ArgMax


def test_argmax_ties_go_to_the_higher_index(layer):
    scores = np.zeros((1, 3, 1, 2))
    scores[0, :, 0, 1] = [5, 5, 1]
    assert _out(layer('type: "ArgMax" argmax_param { axis: 1 }', scores)) == [[[[2, 1]]]]


def test_argmax_with_an_axis_gives_indices_or_values(layer):
    scores = np.array([[3.0, 1, 2, 3]])
    assert _out(layer('type: "ArgMax" argmax_param { axis: 1 top_k: 3 }', scores)) == [[3, 0, 2]]
    assert _out(layer('type: "ArgMax" argmax_param { axis: -1 top_k: 2 out_max_val: true }', scores)) == [[3, 3]]


def test_argmax_without_an_axis_flattens_each_item(layer):
    scores = np.arange(24.0).reshape(2, 3, 4)
    built = layer('type: "ArgMax" argmax_param { top_k: 2 out_max_val: true }', scores)
    assert _out(built) == [[[11, 10], [11, 10]], [[11, 10], [23, 22]]]
    assert layer('type: "ArgMax"', scores[..., None]).blobs["top"].shape == (2, 1, 1, 1)
    assert layer('type: "ArgMax"', scores[:, 0, 0]).blobs["top"].shape == (2, 1, 1)


def test_argmax_inverts_one_hot_scores(layer):
    labels = np.random.default_rng(0).integers(5, size=(2, 4, 3))
    scores = np.moveaxis(np.eye(5)[labels], -1, 1)
    built = layer('type: "ArgMax" argmax_param { axis: 1 }', scores)
    np.testing.assert_array_equal(built.blobs["top"].data[:, 0], labels)


def test_argmax_of_too_many(layer):
    with pytest.raises(InputError, match=r"\(ArgMax\): top_k is 4, wanted 1 to 3, the number of values searched"):
        layer('type: "ArgMax" argmax_param { axis: 1 top_k: 4 }', np.zeros((1, 3)))


def test_concat_of_one_bottom_shares_it(layer):
    built = layer('type: "Concat"', [[1.0, 2.0]], phase=caffe.TRAIN)
    built.blobs["in0"].data[...] = 9
    assert built.blobs["top"].data.tolist() == [[9, 9]]
