"""Inference: against recordings of other programs, brute force, hand work, and for bad input."""

from __future__ import annotations

import dataclasses
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe.crf import (
    CRFParameters,
    crf_batch,
    crf_labels,
    dense_crf,
    resize_scores,
    unary_from_probabilities,
    unary_from_scores,
)
from deeplab_caffe.data.synthetic import CLASSES, draw_image
from deeplab_caffe.errors import InputError

DATA = Path(__file__).parent.parent / "data" / "crf"
RNG = np.random.default_rng(0)
PARAMETERS = CRFParameters(w1=4, sigma_alpha=20, sigma_beta=10)


def recording(name: str, normalization: str) -> tuple[np.ndarray, np.ndarray, CRFParameters, dict[str, np.ndarray]]:
    with np.load(DATA / f"{name}.npz") as file:
        values = dict(file)
    names = ("bi_w", "bi_xy_std", "bi_rgb_std", "pos_w", "pos_xy_std")
    parameters = {field: values[field].item() for field in names}
    parameters |= {"max_iter": values["iterations"].item(), "normalization": normalization}
    return values["image"], unary_from_probabilities(values["prob"]), CRFParameters.from_caffe(**parameters), values


@pytest.mark.parametrize("program", ["deeplab", "pydensecrf_after", "pydensecrf_symmetric"])
@pytest.mark.parametrize("name", ["astronaut_60_5_5", "coffee_30_3_4", "rocket_100_6_3"])
def test_labels_are_those_that_other_programs_gave(name, program):
    normalization = "symmetric" if program == "pydensecrf_symmetric" else "after"
    image, unary, parameters, recorded = recording(name, normalization)
    q = dense_crf(image, unary, parameters)
    labels = crf_labels(image, unary, parameters)
    np.testing.assert_array_equal(labels, recorded[f"labels_{program}"])
    assert (labels != unary.argmin(axis=0)).sum() > 200
    np.testing.assert_array_equal(labels, q.argmax(axis=0))
    np.testing.assert_allclose(q.max(axis=0), recorded[f"max_q_{normalization}"], atol=1e-5)


@pytest.mark.parametrize("normalization", ["after", "symmetric"])
@pytest.mark.parametrize("classes", [2, 9, 24, 40])
@pytest.mark.parametrize("bands", [0, 3, 5])
def test_native_agrees_with_pydensecrf(normalization, classes, bands):
    pytest.importorskip("pydensecrf.densecrf")
    image = np.cumsum(RNG.normal(0, 3, (23, 31, max(bands, 1))), axis=1) % 256
    image = image if bands else image[:, :, 0]
    unary = resize_scores(RNG.normal(0, 2, (classes, 5, 7)), (23, 31))
    parameters = dataclasses.replace(PARAMETERS, normalization=normalization)
    native, other = (dense_crf(image, unary, parameters, backend) for backend in ("native", "pydensecrf"))
    assert np.abs(native - other).max() <= 1e-4


@pytest.mark.parametrize("index", range(3))
def test_native_agrees_with_pydensecrf_on_the_synthetic_sample(index):
    pytest.importorskip("pydensecrf.densecrf")
    image, label = draw_image(0, index)
    rng = np.random.default_rng(index)
    hot = (label[::8, ::8] == np.arange(len(CLASSES))[:, None, None]).astype(np.float32)
    unary = unary_from_scores(resize_scores(3 * hot + rng.normal(0, 1, hot.shape).astype(np.float32), label.shape))
    native, other = (crf_labels(image, unary, CRFParameters(4, 50, 5), name) for name in ("native", "pydensecrf"))
    share = (native == other).mean()
    assert share >= 0.99, f"the labels agree on {100 * share:.3f} % of the pixels"
    assert (native != unary.argmin(0)).mean() > 0.005


def test_very_small_deviations_agree_with_pydensecrf():
    pytest.importorskip("pydensecrf.densecrf")
    image = RNG.integers(0, 20, (16, 24, 3)).astype(np.uint8)
    unary = RNG.normal(0, 2, (3, 16, 24))
    parameters = CRFParameters(3, 10, 0.05)
    native, other = (dense_crf(image, unary, parameters, backend) for backend in ("native", "pydensecrf"))
    assert np.abs(native - other).max() <= 1e-4


@pytest.mark.parametrize("normalization", ["after", "symmetric"])
def test_close_to_brute_force(scene, brute_force, normalization):
    image, scores, _ = scene(1)
    unary = unary_from_scores(resize_scores(scores, image.shape[:2]))
    parameters = dataclasses.replace(PARAMETERS, normalization=normalization)
    exact = brute_force(image, unary, parameters)
    q = dense_crf(image, unary, parameters)
    assert (q.argmax(0) == exact.argmax(0)).mean() >= 0.98
    assert np.abs(q - exact).mean() < 0.02
    assert (exact.argmax(0) != unary.argmin(0)).mean() > 0.02


def test_one_pixel_by_hand():
    # Alone, a pixel's normalized message is its own belief: Q1 = softmax(-U + (w1 + w2) Q0).
    unary = np.array([0, np.log(3)]).reshape(2, 1, 1)
    q = dense_crf(np.zeros((1, 1, 3), np.uint8), unary, CRFParameters(1, 50, 3, w2=1, iterations=1))
    expected = np.exp([1.5, 0.5 - np.log(3)])
    np.testing.assert_allclose(q.ravel(), expected / expected.sum(), rtol=1e-5)


def test_no_iterations_is_softmax():
    scores = RNG.normal(0, 3, (21, 6, 5)).astype(np.float32)
    q = dense_crf(np.zeros((6, 5, 3), np.uint8), -scores, CRFParameters(5, 50, 3, iterations=0))
    np.testing.assert_allclose(q, np.exp(-unary_from_scores(scores)), rtol=1e-5, atol=1e-8)


def test_uniform_image_and_unary_stay_uniform():
    unary = np.broadcast_to(np.array([0.2, 0.9, 1.5], np.float32)[:, None, None], (3, 20, 30))
    q = dense_crf(np.full((20, 30), 77, np.uint8), unary, PARAMETERS)
    expected = np.array([0.2, 0.9, 1.5])
    belief = np.exp(-expected) / np.exp(-expected).sum()
    for _ in range(10):
        belief = np.exp(-expected + 7 * belief)
        belief /= belief.sum()
    np.testing.assert_allclose(q, np.broadcast_to(belief[:, None, None], q.shape), atol=1e-4)


def test_beliefs_sum_to_one_and_do_not_see_a_constant_per_pixel(scene):
    image, scores, _ = scene(2)
    unary = -resize_scores(scores, image.shape[:2])
    q = dense_crf(image, unary, PARAMETERS)
    np.testing.assert_allclose(q.sum(axis=0), 1, atol=1e-5)
    shifted = dense_crf(image, unary + RNG.normal(0, 5, image.shape[:2]), PARAMETERS)
    np.testing.assert_allclose(shifted, q, atol=1e-4)


def test_classes_have_no_order(scene):
    image, scores, _ = scene(3, classes=7)
    unary = -resize_scores(scores, image.shape[:2])
    order = RNG.permutation(7)
    np.testing.assert_allclose(
        dense_crf(image, unary[order], PARAMETERS), dense_crf(image, unary, PARAMETERS)[order], atol=1e-5
    )


def test_image_types_and_layouts_mean_the_same(scene):
    image, scores, _ = scene(4)
    unary = -resize_scores(scores, image.shape[:2])
    q = dense_crf(image, unary, PARAMETERS)
    np.testing.assert_array_equal(dense_crf(image.astype(np.float64), unary, PARAMETERS), q)
    np.testing.assert_array_equal(dense_crf(np.asfortranarray(image), np.asfortranarray(unary), PARAMETERS), q)
    grey = image[:, :, 0]
    np.testing.assert_array_equal(dense_crf(grey, unary, PARAMETERS), dense_crf(grey[:, :, None], unary, PARAMETERS))


@pytest.mark.parametrize("classes", [2, 8, 17, 48, 300])
def test_any_number_of_classes_and_any_size(classes, brute_force):
    image = RNG.integers(0, 256, (3, 5, 3)).astype(np.uint8)
    unary = RNG.normal(0, 1, (classes, 3, 5))
    parameters = CRFParameters(0.5, 20, 80, w2=0.5)
    q = dense_crf(image, unary, parameters)
    np.testing.assert_allclose(q, brute_force(image, unary, parameters), atol=0.05)
    labels = crf_labels(image, unary, parameters)
    assert labels.dtype == (np.uint8 if classes <= 256 else np.int32)
    np.testing.assert_array_equal(labels, q.argmax(axis=0))


def test_a_class_that_is_ruled_out_gets_no_belief():
    unary = np.zeros((3, 4, 4), np.float32)
    unary[1] = np.inf
    q = dense_crf(np.zeros((4, 4, 3), np.uint8), unary, PARAMETERS)
    np.testing.assert_allclose(q[:, 2, 2], [0.5, 0, 0.5], atol=1e-6)


def test_equal_beliefs_take_the_first_class():
    assert not crf_labels(np.zeros((4, 4, 3), np.uint8), np.zeros((5, 4, 4)), PARAMETERS).any()


def test_many_threads_give_what_one_gives(scene):
    scenes = [scene(seed, height=40 + seed) for seed in range(8)]
    jobs = [(image, -resize_scores(scores, image.shape[:2])) for image, scores, _ in scenes]
    alone = [dense_crf(*job, PARAMETERS) for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda job: dense_crf(*job, PARAMETERS), jobs))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


IMAGE, UNARY = np.zeros((4, 6, 3), np.uint8), np.zeros((2, 4, 6), np.float32)


@pytest.mark.parametrize(
    ("image", "unary", "message"),
    [
        (np.zeros((4, 7, 3), np.uint8), UNARY, r"the image is 4 x 7 \(H x W\) and the unary 4 x 6; resize the scores"),
        (IMAGE, np.zeros((4, 6)), r"unary has shape \(4, 6\), wanted \(classes, height, width\)"),
        (IMAGE, np.zeros((0, 4, 6)), r"unary has shape \(0, 4, 6\)"),
        (np.zeros((1, 4, 6, 3), np.uint8), UNARY, r"image has shape \(1, 4, 6, 3\), wanted \(height, width\)"),
        (np.zeros((3, 4, 6), np.uint8), UNARY, r"looks like \(3, H, W\); wanted \(H, W, 3\)"),
        (IMAGE, np.full((2, 4, 6), np.nan), "unary holds nan at class 0, row 0, column 0"),
        (IMAGE, np.full((2, 4, 6), -np.inf), "unary holds -inf at class 0"),
        (IMAGE, np.full((2, 4, 6), np.inf), "excludes every class at row 0, column 0"),
        (IMAGE, UNARY.astype(str), "unary has type <U"),
        (IMAGE.astype(str), UNARY, "image has type <U"),
        (np.full((4, 6, 3), np.nan), UNARY, "image holds NaN"),
        (np.full((4, 6, 3), 0.5), UNARY, "levels 0.5 to 0.5; it was probably divided by 255"),
        (IMAGE, np.full((2, 4, 6), 0.5), "so it holds probabilities; wanted energies: use unary_from_probabilities"),
    ],
)
def test_input_that_does_not_fit_is_refused(image, unary, message):
    for function in (dense_crf, crf_labels):
        with pytest.raises(InputError, match=message):
            function(image, unary, PARAMETERS)


def test_three_rows_of_many_bands_are_no_transposed_image():
    image, unary = np.zeros((3, 6, 5), np.uint8), np.zeros((2, 3, 6), np.float32)
    assert crf_labels(image, unary, PARAMETERS).shape == (3, 6)


def test_features_from_0_to_1_are_taken_with_a_deviation_of_their_own(scene):
    image, scores, _ = scene(5)
    unary = -resize_scores(scores, image.shape[:2])
    parameters = dataclasses.replace(PARAMETERS, sigma_beta=10 / 255)
    np.testing.assert_allclose(
        dense_crf(image / 255, unary, parameters), dense_crf(image, unary, PARAMETERS), atol=1e-3
    )


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"compact": 1.5}, "compact is 1.5, wanted a probability"),
        ({"compact": 0.1, "backend": "exact"}, "backend 'exact' does not support compaction"),
        ({"device": "cuda"}, "backend 'native' runs on the CPU only; use backend 'torch'"),
    ],
)
def test_options_that_a_backend_does_not_have_are_refused(keywords, message):
    keywords = {"backend": "native", **keywords}
    with pytest.raises(InputError, match=message):
        dense_crf(IMAGE, UNARY, PARAMETERS, **keywords)


def test_a_batch_is_its_images_one_by_one(scene):
    scenes = [scene(seed, height=20 + seed) for seed in range(3)]
    images, unaries = zip(*[(i, -resize_scores(s, i.shape[:2])) for i, s, _ in scenes], strict=True)
    for one, image, unary in zip(crf_batch(images, unaries, PARAMETERS), images, unaries, strict=True):
        np.testing.assert_array_equal(one, crf_labels(image, unary, PARAMETERS))
    assert crf_batch([], [], PARAMETERS) == []
    with pytest.raises(InputError, match="2 images and 3 unaries"):
        crf_batch(images[:2], unaries, PARAMETERS)


@pytest.mark.parametrize("normalization", ["after", "symmetric"])
def test_exact_is_brute_force(scene, brute_force, normalization):
    image, scores, _ = scene(1, height=23, width=31)
    unary = unary_from_scores(resize_scores(scores, image.shape[:2]))
    parameters = dataclasses.replace(PARAMETERS, normalization=normalization)
    expected = brute_force(image, unary, parameters)
    np.testing.assert_allclose(dense_crf(image, unary, parameters, "exact"), expected, atol=2e-6)


def test_exact_skips_what_is_far(brute_force):
    # Two halves far apart in colour, of which blocks of both hold thousands of pixels.
    image = np.where(np.arange(60)[:, None] < 30, 10, 240) + RNG.integers(0, 8, (40, 60, 1))[..., 0].T
    unary = RNG.normal(0, 1, (2, *image.shape))
    parameters = CRFParameters(2, 5, 4, iterations=2)
    expected = brute_force(image, unary, parameters)
    np.testing.assert_allclose(dense_crf(image, unary, parameters, "exact"), expected, atol=2e-6)


def test_unknown_backend_is_refused():
    with pytest.raises(InputError, match="backend is 'cuda', wanted one of auto, native, torch, exact, pydensecrf"):
        dense_crf(IMAGE, UNARY, PARAMETERS, "cuda")


def test_missing_pydensecrf_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydensecrf", None)
    with pytest.raises(InputError, match="pip install pydensecrf2"):
        dense_crf(IMAGE, UNARY, PARAMETERS, "pydensecrf")
    assert dense_crf(IMAGE, UNARY, PARAMETERS, "auto").shape == UNARY.shape
