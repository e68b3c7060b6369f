"""Unary energies and resized scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deeplab_caffe.crf import resize_scores, unary_from_labels, unary_from_probabilities, unary_from_scores
from deeplab_caffe.errors import InputError

RNG = np.random.default_rng(0)


def test_energies_of_a_hand_worked_pixel():
    scores = np.log(np.array([1.0, 3.0])).reshape(2, 1, 1)
    expected = -np.log([0.25, 0.75])
    np.testing.assert_allclose(unary_from_scores(scores).ravel(), expected, rtol=1e-6)
    probabilities = np.array([0.25, 0.75]).reshape(2, 1, 1)
    np.testing.assert_allclose(unary_from_probabilities(probabilities).ravel(), expected, rtol=1e-6)


def test_scores_are_not_clipped():
    energies = unary_from_scores(np.array([0.0, 500.0], np.float32).reshape(2, 1, 1))
    assert energies.dtype == np.float32
    np.testing.assert_array_equal(energies.ravel(), [500, 0])


def test_impossible_class_has_finite_energy():
    energies = unary_from_probabilities(np.array([0.0, 1.0]).reshape(2, 1, 1))
    np.testing.assert_allclose(energies.ravel(), [87.33655, 0], rtol=1e-6)


def test_energies_of_labels():
    energies = unary_from_labels(np.array([[0, 2, 255]]), 3, 0.8)
    expected = -np.log([[0.8, 0.1, 1 / 3], [0.1, 0.1, 1 / 3], [0.1, 0.8, 1 / 3]])
    np.testing.assert_allclose(energies[:, 0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("labels", "classes", "confidence", "message"),
    [
        ([[0, 3]], 3, 0.8, "label 3 at row 0, column 1; wanted 0 to 2 or 255 for a pixel without a known class"),
        ([[0, 1]], 3, 0.3, "3 classes and confidence 0.3; wanted"),
        ([[0, 1]], 3, 1.0, "confidence 1.0"),
        ([0, 1], 3, 0.8, r"labels have shape \(2,\)"),
        ([[0.5]], 3, 0.8, "type float64, wanted whole numbers"),
    ],
)
def test_bad_labels_are_refused(labels, classes, confidence, message):
    with pytest.raises(InputError, match=message):
        unary_from_labels(labels, classes, confidence)


@pytest.mark.parametrize(
    ("function", "values", "message"),
    [
        (unary_from_scores, np.zeros((2, 3)), r"scores have shape \(2, 3\), wanted \(classes, height, width\)"),
        (unary_from_scores, np.full((1, 1, 1), np.nan), "scores hold nan at class 0, row 0, column 0"),
        (unary_from_scores, np.full((1, 1, 1), "a"), "scores have type <U1"),
        (unary_from_probabilities, np.full((2, 1, 1), 0.6), "row 0, column 0 sum to 1.2, wanted 1"),
        (unary_from_probabilities, np.array([-1.0, 2.0]).reshape(2, 1, 1), "probabilities hold -1; wanted 0..1"),
        (unary_from_probabilities, np.full((2, 1, 1), np.nan), "probabilities hold nan"),
    ],
)
def test_bad_values_are_refused(function, values, message):
    with pytest.raises(InputError, match=message):
        function(values)


def test_resize_is_corner_aligned_by_hand():
    np.testing.assert_array_equal(resize_scores([[[0, 8]]], (1, 5)), [[[0, 2, 4, 6, 8]]])
    np.testing.assert_array_equal(resize_scores([[[0], [8]]], (3, 2)), [[[0, 0], [4, 4], [8, 8]]])
    np.testing.assert_array_equal(resize_scores([[[1, 2], [3, 4]]], (1, 1)), [[[1]]])


@pytest.mark.parametrize("size", [(65, 65), (33, 100), (5, 4), (1, 9)])
def test_resize_agrees_with_torch(size):
    scores = RNG.normal(size=(3, 9, 13)).astype(np.float32)
    expected = torch.nn.functional.interpolate(torch.tensor(scores)[None], size, mode="bilinear", align_corners=True)
    np.testing.assert_allclose(resize_scores(scores, size), expected[0], atol=2e-5)


def test_crop_is_the_top_left_window():
    scores = RNG.normal(size=(2, 65, 65)).astype(np.float32)
    whole = resize_scores(scores, (513, 513))
    np.testing.assert_array_equal(resize_scores(scores, (513, 513), (366, 500)), whole[:, :366, :500])
    np.testing.assert_array_equal(whole[:, ::8, ::8], scores)
    np.testing.assert_array_equal(resize_scores(scores, (65, 65), (3, 5)), scores[:, :3, :5])


@pytest.mark.parametrize(("size", "crop"), [((0, 5), None), ((5, 5), (6, 5)), ((5, 5), (5, 0))])
def test_impossible_sizes_are_refused(size, crop):
    with pytest.raises(InputError, match="the image must fit in the net's input"):
        resize_scores(np.zeros((1, 2, 2)), size, crop)
