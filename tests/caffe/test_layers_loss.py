"""Losses and accuracies: normalization, ignored and wrong labels, ties; Softmax."""

from __future__ import annotations

import math

import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError

_RANDOM = np.random.default_rng(0)
_SCORES = _RANDOM.standard_normal((2, 5, 3, 2)).astype(np.float32)
_LABELS = _RANDOM.integers(5, size=(2, 1, 3, 2)).astype(np.float32)


def _softmax_loss(layer, scores, labels, text: str = "", **arguments) -> float:
    built = layer(f'type: "SoftmaxWithLoss" {text}', scores, labels, **arguments)
    return float(built.blobs["top"].data)


# -- SoftmaxWithLoss


def test_equal_scores_lose_the_logarithm_of_the_number_of_classes(layer):
    assert _softmax_loss(layer, np.zeros((2, 4)), [0, 3]) == pytest.approx(math.log(4))


def test_labels_may_have_any_shape_of_the_right_count(layer):
    losses = [_softmax_loss(layer, _SCORES, _LABELS.reshape(s)) for s in ((2, 1, 3, 2), (2, 3, 2), (2, 6))]
    assert losses[0] == losses[1] == losses[2]


@pytest.mark.parametrize(
    ("text", "divisor"),
    [
        ("", 9),  # VALID
        ("normalization: VALID", 9),
        ("normalization: FULL", 12),
        ("normalization: BATCH_SIZE", 2),
        ("normalization: NONE", 1),
        ("normalize: true", 9),
        ("normalize: false", 2),
        ("normalization: FULL normalize: false", 12),
    ],
)
def test_normalization(layer, text, divisor):
    labels = _LABELS.copy()
    labels.flat[[0, 5, 7]] = 255
    z = np.exp(_SCORES) / np.exp(_SCORES).sum(1, keepdims=True)
    picked = [-math.log(z[n, int(labels[n, 0, i, j]), i, j]) for n, _, i, j in np.argwhere(labels < 5)]
    text = f"loss_param {{ ignore_label: 255 {text} }}"
    assert _softmax_loss(layer, _SCORES, labels, text) == pytest.approx(sum(picked) / divisor, rel=1e-5)


def test_losses_that_ignore_one_of_the_labels_sum_to_all_but_one_full_losses(layer):
    none = "normalization: NONE"
    full = _softmax_loss(layer, _SCORES, _LABELS, f"loss_param {{ {none} }}")
    parts = [_softmax_loss(layer, _SCORES, _LABELS, f"loss_param {{ {none} ignore_label: {i} }}") for i in range(5)]
    assert sum(parts) == pytest.approx(4 * full, rel=1e-5)


def test_everything_ignored_is_no_loss_and_no_gradient(layer):
    text = 'type: "SoftmaxWithLoss" loss_param { ignore_label: 1 }'
    built = layer(text, [[1.0, 2]], [1.0], back=True)
    built.backward()
    assert built.blobs["top"].data == 0
    assert (built.blobs["in0"].diff == 0).all()


def test_gradient_is_probability_minus_label_and_zero_where_ignored(layer):
    text = 'type: "SoftmaxWithLoss" loss_weight: 3 loss_param { ignore_label: 9 normalization: FULL }'
    built = layer(text, [[0.0, 0], [5, 5], [1, 1]], [0, 9, 1], back=True)
    built.backward()
    np.testing.assert_allclose(built.blobs["in0"].diff, [[-0.5, 0.5], [0, 0], [0.5, -0.5]], rtol=1e-6)


def test_a_hopeless_score_costs_the_smallest_number_and_still_has_a_gradient(layer):
    built = layer('type: "SoftmaxWithLoss"', [[0.0, 1000]], [0.0], back=True)
    built.backward()
    assert float(built.blobs["top"].data) == pytest.approx(-math.log(1.17549435e-38), rel=1e-5)
    assert built.blobs["in0"].diff.tolist() == [[-1, 1]]


def test_labels_are_truncated(layer):
    assert _softmax_loss(layer, [[0.0, 3]], [1.9]) == _softmax_loss(layer, [[0.0, 3]], [1])
    assert _softmax_loss(layer, [[0.0, 3]], [-0.5]) == _softmax_loss(layer, [[0.0, 3]], [0])


def test_axis(layer):
    other = np.moveaxis(_SCORES, 1, 3).copy()
    text = "softmax_param { axis: -1 }"
    assert _softmax_loss(layer, other, _LABELS, text) == pytest.approx(_softmax_loss(layer, _SCORES, _LABELS))


def test_a_second_top_gives_the_probabilities(layer):
    built = layer('type: "SoftmaxWithLoss" top: "loss" top: "prob"', _SCORES, _LABELS)
    np.testing.assert_allclose(built.blobs["prob"].data.sum(1), 1, rtol=1e-5)
    assert built.blob_loss_weights["loss"] == 1
    assert built.blob_loss_weights["prob"] == 0


@pytest.mark.parametrize("kind", ["SoftmaxWithLoss", "SegAccuracy", "Accuracy"])
@pytest.mark.parametrize("label", [5, -1])
def test_a_label_that_is_no_class_is_refused(layer, kind, label):
    labels = _LABELS.copy()
    labels[1, 0, 2, 1] = label
    with pytest.raises(InputError, match=rf"layer 'layer' \({kind}\): label {label} is neither one of the 5 classes"):
        layer(f'type: "{kind}"', _SCORES, labels)


@pytest.mark.parametrize(
    ("scores", "labels", "expected"),
    [
        ((2, 5, 3, 2), (2, 1, 3, 3), "18 labels (2, 1, 3, 3) for 12 positions of scores (2, 5, 3, 2)"),
        ((2, 5), (3,), "bottoms (2, 5) and (3,) differ in the number of items"),
    ],
)
def test_shapes_that_do_not_fit(layer, scores, labels, expected):
    with pytest.raises(InputError) as caught:
        layer('type: "SoftmaxWithLoss"', np.zeros(scores), np.zeros(labels))
    assert "net.prototxt:3:1: layer 'layer' (SoftmaxWithLoss): " + expected in str(caught.value)


# -- Softmax and EuclideanLoss


def test_softmax_is_stable_and_sums_to_one(layer):
    assert layer('type: "Softmax"', [[1000.0, 1000]]).blobs["top"].data.tolist() == [[0.5, 0.5]]
    built = layer('type: "Softmax" softmax_param { axis: 2 }', _SCORES)
    np.testing.assert_allclose(built.blobs["top"].data.sum(2), 1, rtol=1e-5)
    with pytest.raises(InputError, match=r"\(Softmax\): axis 4 is outside a bottom of 4 axes"):
        layer('type: "Softmax" softmax_param { axis: 4 }', _SCORES)


def test_euclidean_loss_and_both_gradients(layer):
    built = layer('type: "EuclideanLoss"', [[1.0, 2], [3, 4]], [[0.0, 2], [3, 1]], back=True)
    assert built.blobs["top"].data == pytest.approx(10 / 4)
    built.backward()
    assert built.blobs["in0"].diff.tolist() == [[0.5, 0], [0, 1.5]]
    assert built.blobs["in1"].diff.tolist() == [[-0.5, 0], [0, -1.5]]
    with pytest.raises(InputError, match=r"bottoms \(2, 2\) and \(2, 3\) differ in the number of elements"):
        layer('type: "EuclideanLoss"', np.zeros((2, 2)), np.zeros((2, 3)))


# -- Accuracy


def _accuracy(layer, scores, labels, text: str = "") -> float:
    return float(layer(f'type: "Accuracy" {text}', scores, labels).blobs["top"].data)


def test_ties_count_as_wrong(layer):
    assert _accuracy(layer, [[1.0, 1]], [0]) == 0
    assert _accuracy(layer, [[1.0, 1]], [1]) == 0
    assert _accuracy(layer, [[1.0, 1]], [1], "accuracy_param { top_k: 2 }") == 1


def test_top_k_ignore_and_axis(layer):
    scores = [[3.0, 2, 1], [3, 2, 1], [1, 2, 3], [0, 9, 0]]
    labels = [0, 1, 0, 2]
    assert _accuracy(layer, scores, labels) == 0.25
    assert _accuracy(layer, scores, labels, "accuracy_param { top_k: 2 }") == 0.5
    assert _accuracy(layer, scores, labels, "accuracy_param { ignore_label: 0 }") == 0
    assert _accuracy(layer, scores, [255] * 4, "accuracy_param { ignore_label: 255 }") == 0
    assert _accuracy(layer, np.transpose(scores), labels, "accuracy_param { axis: 0 }") == 0.25


def test_recall_of_each_class(layer):
    text = 'type: "Accuracy" top: "all" top: "each"'
    built = layer(text, [[1.0, 0, 0], [0, 1, 0], [0, 1, 0]], [0, 0, 1])
    assert built.blobs["all"].data == pytest.approx(2 / 3)
    assert built.blobs["each"].data.tolist() == [0.5, 1, 0]


def test_accuracy_errors(layer):
    with pytest.raises(InputError, match=r"\(Accuracy\): top_k is 3, more than the 2 classes"):
        layer('type: "Accuracy" accuracy_param { top_k: 3 }', [[1.0, 1]], [0])
    with pytest.raises(InputError, match=r"2 labels \(2,\) for scores \(1, 2\)"):
        layer('type: "Accuracy"', [[1.0, 1]], [0, 1])


# -- SegAccuracy


def _one_hot(labels, classes: int = 3) -> np.ndarray:
    return np.moveaxis(np.eye(classes)[np.asarray(labels)], -1, 1)


def test_the_three_scores(layer):
    predicted, labels = [[[0, 0], [1, 2]]], [[[[0, 1], [1, 255]]]]
    built = layer('type: "SegAccuracy" seg_accuracy_param { ignore_label: 255 }', _one_hot(predicted), labels)
    # Classes 0 and 1 occur; 2 neither occurs nor is predicted where it counts, which makes its IoU 1.
    expected = [2 / 3, (1 + 1 / 2) / 2, (1 / 2 + 1 / 2 + 1) / 3]
    np.testing.assert_allclose(built.blobs["top"].data, np.reshape(expected, (1, 1, 1, 3)), rtol=1e-6)


def test_equal_scores_predict_the_last_class(layer):
    built = layer('type: "SegAccuracy"', np.zeros((1, 3, 1, 1)), [[[[2]]]])
    assert built.blobs["top"].data[0, 0, 0, 0] == 1


def test_reset_false_adds_up_over_forwards(layer):
    for reset, expected in (("true", [1, 0]), ("false", [1, 0.5])):
        built = layer(f'type: "SegAccuracy" seg_accuracy_param {{ reset: {reset} }}', _one_hot([[[1]]]), [[[[1]]]])
        first = built.blobs["top"].data[0, 0, 0, 0].item()
        built.blobs["in1"].data[...] = 0
        assert [first, built.forward()["top"][0, 0, 0, 0].item()] == expected


def test_nothing_but_ignored_pixels(layer):
    built = layer('type: "SegAccuracy" seg_accuracy_param { ignore_label: [254, 255] }', _one_hot([[[1]]]), [[[[254]]]])
    assert built.blobs["top"].data.ravel().tolist() == [0, 0, 1]


def test_segmentation_shapes_must_agree(layer):
    with pytest.raises(InputError, match=r"scores \(1, 3, 2, 2\) and labels \(1, 1, 2, 3\); wanted \(N, C, H, W\) and"):
        layer('type: "SegAccuracy"', np.zeros((1, 3, 2, 2)), np.zeros((1, 1, 2, 3)), phase=caffe.TEST)
