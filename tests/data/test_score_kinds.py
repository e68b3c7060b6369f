"""What a score map contains: decided by its values, stated by hand, or refused."""

from __future__ import annotations

import pickle

import cv2
import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.data.score_kinds import kind_of
from deeplab_caffe.data.score_maps import open_score_map
from deeplab_caffe.errors import InputError

RNG = np.random.default_rng(0)
SCORES = RNG.normal(0, 3, (4, 10, 12)).astype(np.float32)
SOFTMAX = np.exp(SCORES) / np.exp(SCORES).sum(0)
SIGMOID = 1 / (1 + np.exp(-SCORES))
LABELS = SCORES.argmax(0)
ONE_HOT = (np.arange(4)[:, None, None] == LABELS).astype(np.float32)

DECIDED = {
    "scores": (SCORES, "scores"),
    "scores of 0 and more": (np.maximum(SCORES, 0), "scores"),
    "probabilities": (SOFTMAX, "probabilities"),
    "half precision": (SOFTMAX.astype(np.float16), "probabilities"),
    "tiny negatives": (SOFTMAX - 1e-4, "probabilities"),
    "log-probabilities": (np.log(SOFTMAX), "log-probabilities"),
    "one-hot": (ONE_HOT, "labels"),
    "one-hot of whole numbers": (ONE_HOT.astype(np.uint8), "labels"),
    "one-hot of truth values": (ONE_HOT.astype(bool), "labels"),
    "labels (H, W)": (LABELS.astype(np.uint8), "labels"),
    "labels (1, H, W), float": (LABELS[None].astype(np.float32), "labels"),
    "mask": (LABELS > 0, "labels"),
}


@pytest.mark.parametrize("form", DECIDED)
def test_the_values_decide(tmp_path, form):
    values, kind = DECIDED[form]
    np.save(tmp_path / "a.npy", values)
    assert kind_of(open_score_map(tmp_path / "a.npy"), "a.npy") == kind


REFUSED = {
    "sigmoid": (SIGMOID, r"a\.npy: values from .* that sum to .* are not probabilities, .* state --kind sigmoid"),
    "sigmoid, one channel": (SIGMOID[:1], r"a\.npy: has one channel, expected one for each class; .* --kind sigmoid"),
    "probability (H, W)": (SIGMOID[0], r"a\.npy: expected numbers \(classes, .* needs --kind sigmoid"),
    "scores, one channel": (SCORES[:1], "has one channel"),
    "energies": (-np.log(SOFTMAX), "contains energies, -log probability"),
    "classes last": (SOFTMAX.transpose(1, 2, 0), r"classes in the last axis.*\(classes, height, width\): transpose"),
    "percent": (100 * SOFTMAX, "sum to 100 at each pixel look like probabilities times a constant"),
    "bytes": (np.rint(255 * SOFTMAX).astype(np.uint8), "look like probabilities times a constant"),
    "whole numbers": (np.rint(9 * SCORES).astype(np.int8), "whole numbers from .* in 4 channels"),
    "labels beyond 255": (LABELS[None] + 300, "has one channel"),
}


@pytest.mark.parametrize("form", REFUSED)
def test_what_fits_nothing_is_refused(tmp_path, form):
    values, message = REFUSED[form]
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(InputError, match=message):
        kind_of(open_score_map(tmp_path / "a.npy"), tmp_path / "a.npy")


def test_what_is_stated_is_taken_but_one_channel_of_scores_is_refused():
    assert kind_of(SIGMOID, "a.npy", "scores") == "scores"
    assert kind_of(SIGMOID[:1], "a.npy", "sigmoid") == "sigmoid"
    with pytest.raises(InputError, match="a.npy: has one channel, expected probabilities of at least two classes"):
        kind_of(SIGMOID[:1], "a.npy", "probabilities")


def test_a_net_that_ends_in_a_softmax_gives_probabilities():
    assert kind_of(SOFTMAX, "a.npy", "net") == "probabilities"
    for scores in (SCORES, SIGMOID, np.zeros((3, 4, 5)), np.full((3, 4, 5), np.nan)):
        assert kind_of(scores, "a.npy", "net") == "scores"


def test_a_probability_h_w_is_read_if_stated(tmp_path):
    np.save(tmp_path / "a.npy", SIGMOID[0])
    assert open_score_map(tmp_path / "a.npy", "sigmoid").shape == (1, 10, 12)


def grey(path, values):
    cv2.imwrite(str(path), np.asarray(values, np.uint8))
    return open_score_map(path)


def test_pngs_of_labels_are_not_read_as_probabilities(tmp_path):
    path = tmp_path / "a.png"
    np.testing.assert_array_equal(grey(path, 255 * (LABELS > 1)), [LABELS > 1])
    np.testing.assert_array_equal(grey(path, np.where(LABELS > 2, 255, LABELS)), [np.where(LABELS > 2, 255, LABELS)])
    with pytest.raises(InputError, match=r"a\.png: values from 0 to 3 are class indices or very small probabilities"):
        grey(path, LABELS)
    np.testing.assert_array_equal(open_score_map(path, "labels"), LABELS[None])
    assert open_score_map(path, "probabilities").max() == 1
    picture = Image.fromarray(LABELS.astype(np.uint8), "P")
    picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0])
    picture.save(path)
    np.testing.assert_array_equal(open_score_map(path, "labels"), LABELS[None])
    with pytest.raises(InputError, match=r"a\.png: a palette PNG, as label files are; .*--kind labels"):
        open_score_map(path)
    grey(path, 255 * (LABELS > 1))
    with pytest.raises(InputError, match="has only 0 and 255, which is a mask"):
        open_score_map(path, "labels")


def test_folders_of_independent_probabilities_need_the_kind(tmp_path):
    (tmp_path / "a").mkdir()
    for number in range(2):
        cv2.imwrite(str(tmp_path / "a" / f"{number}.png"), np.full((4, 5), 230, np.uint8))
    with pytest.raises(InputError, match="sum to 1.8.*state --kind sigmoid"):
        open_score_map(tmp_path / "a")
    np.testing.assert_allclose(open_score_map(tmp_path / "a", "sigmoid"), 230 / 255, rtol=1e-6)


class Trap:
    """Fails the test if it is unpickled."""

    def __reduce__(self):
        return pytest.fail, ("unpickled",)


@pytest.mark.parametrize("content", [{0: SIGMOID[0], 14: SIGMOID[1]}, {"keys": [1], "cam": Trap()}])
def test_dictionaries_are_named_and_never_unpickled(tmp_path, content):
    np.save(tmp_path / "a.npy", np.array(content, object), allow_pickle=True)
    with pytest.raises(InputError, match=r"a\.npy: .*a dictionary \{class: map\}, as a pickle.*np\.savez\('x\.npz'"):
        open_score_map(tmp_path / "a.npy")
    (tmp_path / "b.npy").write_bytes(pickle.dumps({0: 1}))
    with pytest.raises(InputError, match=r"b\.npy: cannot read scores: not a \.npy file"):
        open_score_map(tmp_path / "b.npy")


def test_an_npz_has_a_map_for_each_class(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, **{str(number): SOFTMAX[number] for number in range(4)})
    np.testing.assert_array_equal(open_score_map(path), SOFTMAX)
    np.savez(path, **{"0": SOFTMAX[0], "2": 1 - SOFTMAX[0]})
    assert kind_of(open_score_map(path), path) == "probabilities" and not open_score_map(path)[1].any()
    np.savez(path, **{"0": SCORES[0], "2": SCORES[1]})
    assert (open_score_map(path)[1] < SCORES.min() - 90).all()
    np.savez(path, **{"0": SCORES[0], "1": SCORES[0, 1:]})
    with pytest.raises(InputError, match=r"one shape \(height, width\), got 0: \(10, 12\), 1: \(9, 12\)"):
        open_score_map(path)
    np.savez(path, keys=np.array([1]), cam=SCORES)
    with pytest.raises(InputError, match="expected one array, or one for each class named 0, 1, ..., got keys, cam"):
        open_score_map(path)
