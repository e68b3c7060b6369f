"""Hinge, multinomial logistic, sigmoid cross-entropy, infogain and contrastive losses."""

from __future__ import annotations

import math

import numpy as np
import pytest

from deeplab_caffe.errors import InputError
from deeplab_caffe.formats import schema


def _run(layer, text: str, *arrays, weight: float = 1.0) -> tuple[float, np.ndarray]:
    """The loss, and the gradient of the first bottom."""
    built = layer(f"loss_weight: {weight:g} {text}", *(np.asarray(a, np.float32) for a in arrays), back=True)
    built.backward()
    return float(built.blobs["top"].data), built.blobs["in0"].diff


# -- HingeLoss

_HINGE = [[-2, -1, 3], [0.5, 0, 0]]


def test_hinge_by_hand(layer):
    # margins: item 0, label 2: 0, 0 (at -1 exactly), 0; item 1, label 0: 1 - 0.5, 1, 1
    loss, gradient = _run(layer, 'type: "HingeLoss"', _HINGE, [2, 0], weight=2)
    assert loss == pytest.approx(2.5 / 2)
    assert gradient.tolist() == [[0, 0, 0], [-1, 1, 1]]


def test_squared_hinge_by_hand(layer):
    loss, gradient = _run(layer, 'type: "HingeLoss" hinge_loss_param { norm: L2 }', _HINGE, [2, 0])
    assert loss == pytest.approx(2.25 / 2)
    assert gradient.tolist() == [[0, 0, 0], [-0.5, 1, 1]]


# -- MultinomialLogisticLoss


def test_multinomial_by_hand(layer):
    prob = [[0.5, 0.25, 0.25], [0, 1, 0]]
    loss, gradient = _run(layer, 'type: "MultinomialLogisticLoss"', prob, [1, 0])
    assert loss == pytest.approx((math.log(4) - math.log(1e-20)) / 2)
    np.testing.assert_allclose(gradient, [[0, -2, 0], [-0.5e20, 0, 0]], rtol=1e-5)


def test_multinomial_of_softmax_is_softmax_with_loss(layer, net):
    x, labels = np.random.default_rng(0).normal(size=(4, 5)), [0, 4, 2, 2]
    expected, _ = _run(layer, 'type: "SoftmaxWithLoss"', x, labels)
    prob = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    loss, _ = _run(layer, 'type: "MultinomialLogisticLoss"', prob, labels)
    assert loss == pytest.approx(expected, rel=1e-5)


# -- SigmoidCrossEntropyLoss

_SIGMOID = 1 / (1 + math.exp(-2))


def test_sigmoid_cross_entropy_by_hand(layer):
    x, target = [[2, -2], [0, 100]], [[1, 1], [0.25, 1]]
    loss, gradient = _run(layer, 'type: "SigmoidCrossEntropyLoss"', x, target)
    each = [-math.log(_SIGMOID), -math.log(1 - _SIGMOID), math.log(2), 0]
    assert loss == pytest.approx(sum(each) / 2)
    np.testing.assert_allclose(gradient, [[(_SIGMOID - 1) / 2, -_SIGMOID / 2], [0.125, 0]], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("param", "z"),
    [
        ("", 2),
        ("normalize: false", 2),
        ("normalize: true", 3),
        ("normalization: VALID", 3),
        ("normalization: FULL", 4),
        ("normalization: NONE", 1),
        ("normalization: FULL normalize: true", 4),
    ],
)
def test_sigmoid_cross_entropy_ignores_and_divides(layer, param, z):
    text = f'type: "SigmoidCrossEntropyLoss" loss_param {{ ignore_label: -1 {param} }}'
    loss, gradient = _run(layer, text, [[0, 0], [0, np.inf]], [[1, 0], [1, -1.5]])
    assert loss == pytest.approx(3 * math.log(2) / z)
    np.testing.assert_allclose(gradient, np.array([[-0.5, 0.5], [-0.5, 0]]) / z, rtol=1e-6)


def test_sigmoid_cross_entropy_of_nothing_is_zero(layer):
    text = 'type: "SigmoidCrossEntropyLoss" loss_param { ignore_label: 0 normalization: VALID }'
    loss, gradient = _run(layer, text, [[1, 2]], [[0, 0]])
    assert loss == 0 and (gradient == 0).all()


# -- InfogainLoss

_H = [[1, 0.5], [0, 2]]


def test_infogain_by_hand(layer):
    x, half = [[0, 0], [0, 0]], math.log(2)
    loss, gradient = _run(layer, 'type: "InfogainLoss"', x, [0, 1], _H, weight=2)
    assert loss == pytest.approx((1.5 * half + 2 * half) / 2)
    np.testing.assert_allclose(gradient, [[-0.25, 0.25], [1, -1]], rtol=1e-6)


def test_infogain_with_the_identity_is_softmax_with_loss(layer):
    random = np.random.default_rng(0)
    x, labels = random.normal(size=(2, 3, 2, 2)), random.choice([0, 1, 2, 255], (2, 1, 2, 2))
    param = "loss_param { ignore_label: 255 }"
    loss, gradient = _run(layer, f'type: "InfogainLoss" {param}', x, labels, np.eye(3))
    expected, theirs = _run(layer, f'type: "SoftmaxWithLoss" {param}', x, labels)
    assert loss == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(gradient, theirs, rtol=1e-5, atol=1e-7)


def test_infogain_reads_its_matrix_from_a_file(layer, tmp_path):
    proto = schema.BlobProto(num=1, channels=1, height=2, width=2, data=[1, 0.5, 0, 2])
    (tmp_path / "h.binaryproto").write_bytes(proto.SerializeToString())
    text = f'type: "InfogainLoss" infogain_loss_param {{ source: "{tmp_path}/h.binaryproto" }}'
    x = [[1, 2], [0, -1]]
    assert _run(layer, text, x, [0, 1])[0] == _run(layer, 'type: "InfogainLoss"', x, [0, 1], _H)[0]


def test_infogain_with_two_tops_and_another_axis(layer):
    text = 'type: "InfogainLoss" top: "top" top: "prob" infogain_loss_param { axis: -1 }'
    built = layer(text, np.zeros((1, 2, 2)), np.zeros((1, 2)), np.array(_H))
    assert (built.blobs["prob"].data == 0.5).all()
    assert float(built.blobs["top"].data) == pytest.approx(1.5 * math.log(2))


def test_a_vanished_probability_counts_as_1e20(layer):
    loss, gradient = _run(layer, 'type: "InfogainLoss"', [[0, 1000]], [0], [[1, 0], [0, 1]])
    assert loss == pytest.approx(-math.log(1e-20))
    assert gradient.tolist() == [[-1, 1]]


# -- ContrastiveLoss

_A, _B, _Y = [[3, 4], [0.3, 0.4], [3, 4]], [[0, 0], [0, 0], [0, 0]], [1, 0, 0]


def test_contrastive_by_hand(layer):
    loss, gradient = _run(layer, 'type: "ContrastiveLoss"', _A, _B, _Y)
    assert loss == pytest.approx((25 + 0.25) / 6)
    apart = -0.5 / 0.5001 / 3
    np.testing.assert_allclose(gradient, [[1, 4 / 3], [0.3 * apart, 0.4 * apart], [0, 0]], rtol=1e-5)


def test_contrastive_of_old(layer):
    text = 'type: "ContrastiveLoss" contrastive_loss_param { legacy_version: true }'
    loss, gradient = _run(layer, text, _A, _B, _Y)
    assert loss == pytest.approx((25 + 0.75) / 6)
    np.testing.assert_allclose(gradient, [[1, 4 / 3], [-0.1, -0.4 / 3], [0, 0]], rtol=1e-5)


def test_contrastive_pushes_both_sides_alike(layer):
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 4, 3, 1, 1)) / 3
    built = layer('type: "ContrastiveLoss"', a, b, np.array([0.0, 1, 0, 1]), back=True)
    built.backward()
    np.testing.assert_array_equal(built.blobs["in0"].diff, -built.blobs["in1"].diff)
    assert built.layer_dict["layer"].propagate_down == [True, True, False]


def test_contrastive_of_equal_pairs_has_no_gradient(layer):
    loss, gradient = _run(layer, 'type: "ContrastiveLoss"', [[1, 1]], [[1, 1]], [0])
    assert loss == 0.5 and gradient.tolist() == [[0, 0]]


# -- messages


@pytest.mark.parametrize(
    ("text", "shapes", "message"),
    [
        ('type: "HingeLoss"', [(2, 3), (3,)], "differ in the number of items"),
        ('type: "HingeLoss"', [(2, 3), (2, 2)], r"4 labels \(2, 2\) for bottom \(2, 3\); wanted one for each item"),
        ('type: "SigmoidCrossEntropyLoss"', [(2, 3), (2, 4)], "differ in the number of elements"),
        ('type: "InfogainLoss"', [(2, 3), (2,)], "has no matrix H"),
        ('type: "InfogainLoss" infogain_loss_param { source: "none" }', [(2, 3), (2,)], "cannot read the matrix H"),
        ('type: "InfogainLoss"', [(2, 3), (2,), (2, 2)], "the matrix H has 4 elements, wanted 3 × 3"),
        ('type: "InfogainLoss"', [(2, 3), (2, 2), (3, 3)], r"4 labels \(2, 2\) for scores \(2, 3\)"),
        ('type: "InfogainLoss" loss_param { normalize: true }', [(2, 3), (2,), (3, 3)], "does not support 'normalize'"),
        ('type: "ContrastiveLoss"', [(2, 3), (2, 4), (2,)], r"bottoms \(2, 3\) and \(2, 4\), wanted both"),
        ('type: "ContrastiveLoss"', [(2, 3), (2, 3), (3,)], "wanted one for each of 2 pairs"),
    ],
)
def test_messages(layer, text, shapes, message):
    with pytest.raises(InputError, match=message):
        layer(text, *(np.zeros(shape) for shape in shapes))


@pytest.mark.parametrize("kind", ["HingeLoss", "MultinomialLogisticLoss"])
def test_a_label_that_is_no_class(layer, kind):
    with pytest.raises(InputError, match="label 3 is neither one of the 3 classes"):
        layer(f'type: "{kind}"', np.ones((2, 3)), np.array([0.0, 3]))


def test_infogain_of_a_label_that_is_no_class(layer):
    with pytest.raises(InputError, match="label 2 is neither one of the 2 classes"):
        layer('type: "InfogainLoss"', np.ones((1, 2)), np.array([2.0]), np.ones((2, 2)))


def test_a_file_that_is_no_blob(layer, tmp_path):
    (tmp_path / "h").write_bytes(b"\xff\xff\xff")
    with pytest.raises(InputError, match=r"cannot read the matrix H \(a BlobProto\), source: .*Error parsing message"):
        layer(
            f'type: "InfogainLoss" infogain_loss_param {{ source: "{tmp_path}/h" }}', np.ones((1, 2)), np.array([0.0])
        )
