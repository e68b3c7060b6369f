"""Confusion matrix and scores against numbers worked by hand."""

import json
import math

import numpy as np
import pytest

from deeplab_caffe.errors import InputError
from deeplab_caffe.evaluation import Scores, confusion_matrix

LABEL = np.array([[0, 0, 1, 1], [1, 2, 255, 255]], np.uint8)
PREDICTION = np.array([[0, 1, 1, 1], [0, 1, 0, 9]], np.uint8)
MATRIX = [[1, 1, 0, 0], [1, 2, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]


def test_matrix_has_ground_truth_in_rows_and_skips_ignored_pixels():
    matrix = confusion_matrix(LABEL, PREDICTION, 4)
    assert matrix.dtype == np.int64
    assert matrix.tolist() == MATRIX


def test_matrices_of_parts_add_up():
    rng = np.random.default_rng(0)
    label, prediction = rng.integers(0, 21, (2, 40, 50)).astype(np.uint8)
    parts = sum(confusion_matrix(label[rows], prediction[rows], 21) for rows in (slice(10), slice(10, 40)))
    np.testing.assert_array_equal(parts, confusion_matrix(label, prediction, 21))
    assert parts.sum() == label.size


def test_everything_ignored_counts_nothing():
    matrix = confusion_matrix(np.full((3, 3), 255, np.uint8), np.zeros((3, 3), np.uint8), 2)
    assert matrix.tolist() == [[0, 0], [0, 0]]
    assert math.isnan(Scores.from_matrix(matrix).mean_iou)


def test_scores_by_hand():
    scores = Scores.from_matrix(np.array(MATRIX))
    np.testing.assert_allclose(scores.per_class_iou, [1 / 3, 2 / 5, 0, np.nan])
    assert scores.mean_iou == pytest.approx((1 / 3 + 2 / 5 + 0) / 3)
    assert scores.pixel_accuracy == pytest.approx(3 / 6)
    assert scores.mean_accuracy == pytest.approx((1 / 2 + 2 / 3 + 0) / 3)
    assert scores.frequency_weighted_iou == pytest.approx((2 / 3 + 3 * 2 / 5 + 0) / 6)


def test_class_that_is_only_predicted_counts_as_zero():
    scores = Scores.from_matrix(confusion_matrix(np.zeros((1, 4), int), np.array([[0, 0, 0, 1]]), 3))
    np.testing.assert_allclose(scores.per_class_iou, [0.75, 0, np.nan])
    assert scores.mean_iou == pytest.approx(0.375)
    assert scores.mean_accuracy == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("label", "prediction", "words"),
    [
        (LABEL[:1], PREDICTION, r"label is \(1, 4\), but prediction is \(2, 4\)"),
        ([[0, 4, 255]], [[0, 0, 0]], r"label values are 0 to 4, 1 of 2 pixels are outside 0\.\.3.*ignore_label 255"),
        ([[0, 1]], [[0, 7]], r"prediction values are 0 to 7"),
        ([[-1, 1]], [[0, 0]], r"label values are -1 to 1"),
    ],
)
def test_faults_are_named(label, prediction, words):
    with pytest.raises(InputError, match=words):
        confusion_matrix(np.asarray(label), np.asarray(prediction), 4)


def test_json_is_valid_and_has_null_for_absent_classes():
    text = json.dumps(Scores.from_matrix(np.array(MATRIX)).to_json(list("abcd")), allow_nan=False)
    assert json.loads(text)["per_class_iou"] == {"a": pytest.approx(1 / 3), "b": 0.4, "c": 0, "d": None}


def test_table_with_one_and_two_columns():
    scores, perfect = Scores.from_matrix(np.array(MATRIX)), Scores.from_matrix(np.eye(4, dtype=int))
    assert "b                            40.00" in scores.table(list("abcd"))
    first, differing, *both = scores.table(list("abcd"), perfect).splitlines()
    assert first == "IoU in %; the mean is over the classes that occur in the labels or the predictions " + (
        "(predicted but in no label: 0)"
    )
    assert differing == "the mean after CRF is over 4 classes, also d"
    assert both[0].split() == ["before", "CRF", "after", "CRF", "change"]
    assert both[1].split() == ["a", "33.33", "100.00", "+66.67"]
    assert both[4].split() == ["d", "-", "100.00", "-"]
    assert both[6].split() == ["mean", "IoU", "24.44", "100.00", "+75.56"]
    with pytest.raises(InputError, match="expected 4 class names, one for each IoU, but got 1"):
        scores.table(["a"])
