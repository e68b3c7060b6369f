"""Counting many images, the bootstrap over them, and the pictures of scores."""

import csv
import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from deeplab_caffe.errors import InputError
from deeplab_caffe.evaluation import (
    Counts,
    Pair,
    Scores,
    Trimap,
    confusion_matrix,
    confusion_picture,
    count_pairs,
    gain_intervals,
    score_files,
    trimap_curves,
    trimap_picture,
)
from deeplab_caffe.evaluation.bootstrap import pixel_counts
from deeplab_caffe.evaluation.comparison import Compared, comparison_images_csv, comparison_text, lowest

CLASSES = ("none", "cat", "dog")
RANDOM = np.random.default_rng(0)
LABELS = [RANDOM.choice([0, 1, 2, 255], (12, 15), p=[0.6, 0.2, 0.1, 0.1]).astype(np.uint8) for _ in range(6)]


def guesses(right: float, seed: int) -> list[np.ndarray]:
    """Predictions of which a share is right."""
    random = np.random.default_rng(seed)
    noise = [random.integers(0, 3, label.shape).astype(np.uint8) for label in LABELS]
    return [
        np.where((random.random(label.shape) < right) & (label != 255), label, other)
        for label, other in zip(LABELS, noise, strict=True)
    ]


def count(predictions: list[np.ndarray], trimap: Trimap | None = None) -> Counts:
    pairs = [Pair(f"i{k}", Path(f"label{k}.png"), Path(f"{k}.png")) for k in range(len(LABELS))]

    def read(pair: Pair) -> tuple[np.ndarray, np.ndarray]:
        return LABELS[int(pair.id[1:])], predictions[int(pair.id[1:])]

    return count_pairs(pairs, read, 3, 255, trimap)


def test_one_matrix_over_all_images_and_a_row_for_each():
    predictions = guesses(0.7, 1)
    counts = count(predictions, Trimap((1, 3)))
    each = [confusion_matrix(label, guess, 3) for label, guess in zip(LABELS, predictions, strict=True)]
    np.testing.assert_array_equal(counts.matrix, sum(each))
    np.testing.assert_array_equal(counts.images, pixel_counts(each))
    for row, matrix, label in zip(counts.per_image(), each, LABELS, strict=True):
        scores = Scores.from_matrix(matrix)
        assert (row.pixels, row.ignored) == (matrix.sum(), (label == 255).sum())
        assert row[3:] == pytest.approx((scores.mean_iou, scores.pixel_accuracy, scores.mean_accuracy))
    assert [band.width for band in counts.band_scores()] == [1, 3]
    assert counts.band_scores()[-1].pixels <= counts.matrix.sum()


def test_every_problem_is_counted_and_the_first_are_named():
    predictions = guesses(0.7, 1)
    predictions[1] = predictions[1][:-1]
    predictions[4] = np.full_like(predictions[4], 255)
    with pytest.raises(InputError) as error:
        count(predictions)
    first, size, value = str(error.value).split("\n  ")
    assert first == "2 of 6 images cannot be scored:"
    assert size.startswith("1.png: 15×11 (width × height), but the label label1.png is 15×12; ")
    pixels = int((LABELS[4] != 255).sum())
    assert f"4.png: value 255 in {pixels} of the {pixels} pixels that are scored; expected classes 0..2" in value
    assert "255 is the ignore label, which a result must not have" in value
    with pytest.raises(InputError, match=r"6 of 6 images.*\n.*\n.*\n.*\n.*\n.*\n  and 1 more$"):
        count([guess[1:] for guess in guesses(0.5, 1)])


def test_values_where_nothing_is_scored_do_not_matter():
    pairs = zip(LABELS, guesses(1, 1), strict=True)
    predictions = [np.where(label == 255, 200, guess).astype(np.uint8) for label, guess in pairs]
    assert count(predictions).scores.mean_iou == 1


def test_a_trimap_needs_a_border(monkeypatch):
    monkeypatch.setattr(f"{__name__}.LABELS", [np.minimum(label, 2) for label in LABELS])
    with pytest.raises(InputError, match=r"no pixel beside one of the ignore label \(255\).*--trimap-from boundaries"):
        count(guesses(0.5, 1), Trimap((1, 3)))
    assert count(guesses(0.5, 1), Trimap((1, 3), "boundaries")).band_scores()[0].pixels
    monkeypatch.setattr(f"{__name__}.LABELS", [np.zeros_like(label) for label in LABELS])
    with pytest.raises(InputError, match="no label has two classes"):
        count(guesses(0.5, 1), Trimap((1, 3), "boundaries"))


def test_files_have_every_number_and_null_for_none():
    labels_without_dogs = count([np.minimum(guess, 1) for guess in guesses(0.7, 1)], Trimap((1, 2)))
    record = json.loads(score_files.to_json(score_files.score_record(labels_without_dogs, CLASSES, {"dataset": "toy"})))
    assert record["confusion"] == labels_without_dogs.matrix.tolist() and record["images"] == 6
    assert list(record["per_class_iou"]) == list(CLASSES)
    assert [set(row) for row in record["trimap"]] == [
        {"width", "mean_iou", "pixel_accuracy", "mean_accuracy", "pixels"}
    ] * 2
    empty = Counts(("a",), np.zeros((3, 3), np.int64), np.zeros((1, 3, 3), np.int64), np.array([4]))
    assert json.loads(score_files.to_json(score_files.score_record(empty, CLASSES, {})))["mean_iou"] is None
    rows = list(csv.reader(io.StringIO(score_files.confusion_csv(labels_without_dogs.matrix, CLASSES))))
    assert rows[0][1:] == list(CLASSES) and [int(v) for v in rows[2][1:]] == labels_without_dogs.matrix[1].tolist()
    assert list(csv.reader(io.StringIO(score_files.images_csv(empty))))[1] == ["a", "0", "4", "", "", ""]


# -- comparisons


def test_the_bootstrap_is_seeded_paired_and_finds_what_is_clear():
    worse, better = count(guesses(0.5, 1)), count(guesses(0.9, 2))
    intervals = gain_intervals(worse.images, better.images)
    assert intervals.shape == (4, 2) and (intervals[:, 0] < intervals[:, 1]).all() and (intervals > 0).all()
    np.testing.assert_array_equal(intervals, gain_intervals(worse.images, better.images))
    np.testing.assert_array_equal(gain_intervals(worse.images, worse.images), np.zeros((4, 2)))
    assert gain_intervals(worse.images[:1], better.images[:1]) is None
    low, high = intervals[-1]
    assert low < better.scores.mean_iou - worse.scores.mean_iou < high


def test_a_comparison_sorts_images_by_difference():
    first, second = guesses(0.7, 1), guesses(0.7, 1)
    second[2] = np.where(LABELS[2] == 255, 0, LABELS[2]).astype(np.uint8)
    second[5] = np.full_like(second[5], 2)
    compared = Compared.of(["a", "b"], [count(first), count(second)], CLASSES)
    difference = compared.differences[0]
    assert (difference.better(), difference.worse()) == ([2], [5])
    assert lowest(compared.counts[1])[0] == 5
    assert difference.verdict("a").endswith("better on 1 and worse on 1 of 6 images")
    rows = list(csv.reader(io.StringIO(comparison_images_csv(compared))))
    assert rows[0] == ["id", "pixels", "a", "b", "b - a"]
    assert float(rows[3][4]) == pytest.approx(1 - float(rows[3][2]))
    assert "it could be chance" in comparison_text(compared)


# -- pictures


def test_pictures_are_drawn_and_stay_the_same():
    counts = count(guesses(0.7, 1), Trimap((1, 2, 5)))
    names = ["none", "$x", "_y"]
    for content in (confusion_picture(counts.matrix, names), confusion_picture(np.zeros((3, 3), int), names)):
        assert cv2.imdecode(np.frombuffer(content.png, np.uint8), cv2.IMREAD_COLOR).size
    curves = {"_before $": counts.band_scores(), "after": counts.band_scores()}
    drawn, vector = trimap_curves(curves, "note")
    assert drawn.startswith(b"\x89PNG") and b"<svg" in vector
    assert trimap_curves(curves, "note")[1] == vector
    palette = np.array([[0, 0, 0], [200, 0, 0], [0, 200, 0]], np.uint8)
    for image in (None, np.full((12, 15, 3), 90, np.uint8)):
        sheet = trimap_picture(image, LABELS[0], palette, 255, Trimap((1,)))
        assert cv2.imdecode(np.frombuffer(sheet, np.uint8), cv2.IMREAD_COLOR).shape[1] > 600
