"""Batches of maps of each kind: what is said of them, and the labels that they give."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from deeplab_caffe.cli import main
from deeplab_caffe.crf import (
    CRFParameters,
    crf_labels,
    dense_crf,
    resize_scores,
    unary_from_labels,
    unary_from_probabilities,
    unary_from_sigmoids,
)
from deeplab_caffe.crf.search import FileItem
from deeplab_caffe.crf.unary import input_size
from deeplab_caffe.data import read_label
from deeplab_caffe.errors import InputError

PARAMETERS = CRFParameters(4, 12, 5, iterations=5)
FLAGS = ["--w1", "4", "--sigma-alpha", "12", "--sigma-beta", "5", "--iterations", "5"]


@pytest.fixture
def case(scene, tmp_path, capsys):
    """The image, scores at its size, and a function: what the command makes of a map, and what it prints."""
    image, small, _ = scene(3)
    maps = resize_scores(small, image.shape[:2])
    for name in ("scores", "images"):
        (tmp_path / name).mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.png"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

    def refined(values, *flags):
        np.save(tmp_path / "scores" / "a.npy", values)
        folders = [f"--{name}={tmp_path / name}" for name in ("scores", "images")]
        code = main(["crf", *folders, "-o", str(tmp_path / "out"), *FLAGS, *flags])
        said = capsys.readouterr()
        return code, said.out + said.err, read_label(tmp_path / "out" / "a.png") if code == 0 else None

    return image, maps, refined


def test_the_command_says_what_the_maps_contain(case):
    image, maps, refined = case
    expected = crf_labels(image, -maps, PARAMETERS)
    softmax = np.exp(maps) / np.exp(maps).sum(0)
    for values, said in (
        (maps, "score maps contain scores (1 map)"),
        (softmax, "score maps contain probabilities (1 map)"),
        (np.log(softmax), "score maps contain log-probabilities (1 map)"),
    ):
        code, output, labels = refined(values)
        assert code == 0 and said in output
        np.testing.assert_array_equal(labels, expected)


def test_hard_labels_have_a_confidence(case):
    image, maps, refined = case
    hard = maps.argmax(0).astype(np.uint8)
    expected = crf_labels(image, unary_from_labels(hard, 4, 0.7), PARAMETERS)
    one_hot = hard == np.arange(4)[:, None, None]
    for values, flags in ((hard, []), (one_hot, []), (one_hot.astype(np.float32), ["--kind", "labels"])):
        code, output, labels = refined(values, *flags)
        assert code == 0 and "score maps contain labels (1 map, right with probability 0.7)" in output
        np.testing.assert_array_equal(labels, expected)
    _, _, surer = refined(hard, "--kind", "labels", "--confidence", "0.95", "--classes", "6")
    np.testing.assert_array_equal(surer, crf_labels(image, unary_from_labels(hard, 6, 0.95), PARAMETERS))
    assert refined(hard[:20])[0] == 2


def test_scores_of_another_number_of_classes_are_refused(case):
    _, maps, refined = case
    assert refined(maps, "--num-classes", "4")[0] == 0
    code, output, _ = refined(maps, "--num-classes", "3")
    assert code == 2 and "scores of 4 classes, but the data set has 3" in output
    assert "score maps contain" not in output


def test_independent_probabilities_are_used_in_proportion_if_stated(case):
    image, maps, refined = case
    sigmoid = 1 / (1 + np.exp(-maps))
    code, output, _ = refined(sigmoid)
    assert code == 2 and "state --kind sigmoid" in output and "refined 0 images" in output
    _, _, labels = refined(sigmoid, "--kind", "sigmoid")
    shares = unary_from_probabilities(sigmoid / sigmoid.sum(0))
    np.testing.assert_array_equal(labels, crf_labels(image, shares, PARAMETERS))


def test_one_channel_is_class_1_of_two_if_stated(case):
    image, maps, refined = case
    p = 1 / (1 + np.exp(-maps[:1]))
    code, output, _ = refined(p)
    assert code == 2 and "has one channel" in output
    expected = crf_labels(image, unary_from_probabilities(np.concatenate([1 - p, p])), PARAMETERS)
    for values, kind in ((p, "sigmoid"), (p[0], "sigmoid"), (maps[:1], "logits")):
        np.testing.assert_array_equal(refined(values, "--kind", kind)[2], expected)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--confidence", "1.5"], "--confidence: expected more than 0 and less than 1 but got 1.5"),
        (["--classes", "1"], "--num-classes: expected at least 2 but got 1"),
    ],
)
def test_flags_of_labels_are_checked(case, flags, message):
    code, output, _ = case[2](case[1], *flags)
    assert code == 2 and message in output


@pytest.mark.parametrize(
    ("maps", "stated", "image", "message"),
    [
        ((21, 46, 61), (481, 361), (360, 361), r"481 x 361 \(stated as height x width; are they exchanged\?\)"),
        ((21, 47, 63), (513, 513), (375, 500), "stride would be 10.91 down and 8.14 across; check --size"),
        ((21, 65, 65), (375, 500), (375, 500), "the map does not cover the image alone"),
    ],
)
def test_sizes_that_contradict_the_map_are_refused(maps, stated, image, message):
    with pytest.raises(InputError, match=message):
        input_size(maps, stated, image)


@pytest.mark.parametrize(
    ("maps", "stated", "image"),
    [
        ((21, 65, 65), (513, 513), (375, 500)),
        ((21, 46, 61), (361, 481), (360, 480)),
        ((21, 47, 63), (375, 500), (375, 500)),
        ((21, 1, 2), (5, 9), (5, 9)),
        ((21, 24, 32), (375, 500), (375, 500)),
    ],
)
def test_sizes_of_nets_are_taken(maps, stated, image):
    assert input_size(maps, stated, image) == stated


def test_the_search_reads_maps_as_the_batch_does(case, tmp_path):
    image, maps, refined = case
    refined(1 / (1 + np.exp(-maps)), "--kind", "sigmoid")
    cv2.imwrite(str(tmp_path / "label.png"), np.zeros(image.shape[:2], np.uint8))
    files = [str(tmp_path / name) for name in ("images/a.png", "scores/a.npy", "label.png")]
    sample = FileItem(*files, kind="sigmoid").load()
    np.testing.assert_array_equal(sample.unary, unary_from_sigmoids(1 / (1 + np.exp(-maps))))
    np.save(files[1], maps.argmax(0).astype(np.uint8))
    hard = FileItem(*files, kind="labels", classes=4).load()
    np.testing.assert_array_equal(hard.unary, unary_from_labels(maps.argmax(0), 4, 0.7))
    np.save(files[1], np.where(maps > 2, np.nan, maps))
    with pytest.raises(InputError, match=r"scores/a\.npy.*holds nan at class"):
        FileItem(*files).load()


# -- the library


IMAGE = np.zeros((8, 9, 3), np.uint8)


@pytest.mark.parametrize(
    ("image", "unary", "message"),
    [
        (IMAGE, np.zeros((1, 8, 9)), "the unary has one class; .*unary_from_sigmoids"),
        (IMAGE, np.full((2, 8, 9), np.log(0.5)), "holds log-probabilities; wanted energies, their negative"),
        (IMAGE, np.eye(2, dtype=np.int64)[np.ones((8, 9), int)].transpose(2, 0, 1), "it holds probabilities"),
        (IMAGE / 255 - 0.45, np.zeros((2, 8, 9)), "probably normalised for a net"),
        (np.linspace(0, 2.6, 72).reshape(8, 9), np.zeros((2, 8, 9)), "probably normalised for a net"),
    ],
)
def test_what_is_no_energy_or_no_image_is_refused(image, unary, message):
    for function in (dense_crf, crf_labels):
        with pytest.raises(InputError, match=message):
            function(image, unary, PARAMETERS)


def test_dark_images_in_whole_levels_are_taken():
    dark = np.tile([0.0, 1.0, 2.0], (8, 3))
    assert crf_labels(dark, np.zeros((2, 8, 9)), PARAMETERS).shape == (8, 9)


def test_hard_probabilities_and_one_class_are_refused():
    with pytest.raises(InputError, match="only 0 and 1, so they are hard labels"):
        unary_from_probabilities(np.eye(2)[:, :, None])
    with pytest.raises(InputError, match="probabilities of one class"):
        unary_from_probabilities(np.full((1, 2, 2), 0.5))
    np.testing.assert_allclose(unary_from_sigmoids([[[0.25]]]).ravel(), -np.log([0.75, 0.25]), rtol=1e-6)
    with pytest.raises(InputError, match="from 0 to 2; wanted 0 to 1"):
        unary_from_sigmoids([[[0.0, 2.0]]])
