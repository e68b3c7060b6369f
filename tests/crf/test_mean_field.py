"""Mean field on lattices: compaction, and several settings on one image."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from deeplab_caffe.crf import (
    CRFParameters,
    MeanField,
    Pairwise,
    active_classes,
    bilateral_lattice,
    crf_labels,
    dense_crf,
    mean_field,
    position_lattice,
    resize_scores,
    unary_from_scores,
)
from deeplab_caffe.errors import InputError

RNG = np.random.default_rng(0)
PARAMETERS = CRFParameters(w1=4, sigma_alpha=20, sigma_beta=10)


@pytest.mark.parametrize("normalization", ["after", "symmetric"])
def test_compaction_keeps_the_labels_and_the_classes_that_matter(scene, normalization):
    image, scores, _ = scene(6, classes=4)
    rare = RNG.normal(-7, 0.5, (20, *scores.shape[1:])).astype(np.float32)
    unary = unary_from_scores(resize_scores(np.concatenate([rare[:9], scores, rare[9:]]), image.shape[:2]))
    parameters = dataclasses.replace(PARAMETERS, normalization=normalization)
    everything, compacted = (dense_crf(image, unary, parameters, compact=eps) for eps in (0, 0.05))
    np.testing.assert_array_equal(active_classes(unary.reshape(24, -1), 0.05), [9, 10, 11, 12])
    assert np.abs(everything - compacted).max() < 5e-3
    np.testing.assert_allclose(compacted.sum(axis=0), 1, atol=1e-5)
    assert (compacted[:9] > 0).any()
    np.testing.assert_array_equal(crf_labels(image, unary, parameters, compact=0.05), everything.argmax(axis=0))


def test_classes_that_are_out_of_the_question_get_nothing(scene):
    image, scores, _ = scene(8, classes=3)
    unary = unary_from_scores(resize_scores(scores, image.shape[:2]))
    hopeless = np.concatenate([unary, np.full((2, *image.shape[:2]), 25, np.float32)])  # e^-25 of the most probable
    compacted = dense_crf(image, hopeless, PARAMETERS, compact=0.05)
    np.testing.assert_allclose(compacted[:3], dense_crf(image, unary, PARAMETERS), atol=1e-6)
    assert compacted[3:].max() < 1e-8


def test_compaction_by_hand():
    probabilities = np.array([[0.6, 0.9], [0.02, 0.01], [0.38, 0.09]])
    unary = -np.log(probabilities).astype(np.float32)
    np.testing.assert_array_equal(active_classes(unary, 0.05), [0, 2])
    np.testing.assert_array_equal(active_classes(unary, 0.03), [0, 1, 2])


@pytest.mark.parametrize(("eps", "w1"), [(0.05, 4.3), (0.01, 33.0)])
def test_what_compaction_leaves_out_stays_below_its_bound(eps, w1):
    image, classes = np.zeros((12, 12, 3), np.uint8), 40
    unary = np.full((classes + 1, 12, 12), 12, np.float32)  # the best by turns, and one just below eps everywhere
    np.put_along_axis(unary, RNG.integers(0, classes, (1, 12, 12)), 0, axis=0)
    unary[classes] = -np.log(0.999 * eps)
    parameters = dataclasses.replace(PARAMETERS, w1=w1)
    everything, compacted = (dense_crf(image, unary, parameters, compact=compact) for compact in (0, eps))
    assert everything[classes].max() <= np.e * eps and compacted[classes].max() <= eps


@pytest.mark.parametrize("compact", [-0.1, 1.0, np.nan])
def test_a_compaction_that_is_no_probability_is_refused(compact):
    with pytest.raises(InputError, match="wanted a probability from 0 to below 1"):
        MeanField(np.zeros((2, 3, 3), np.float32), compact)


def test_settings_in_turn_give_what_each_gives_alone(scene):
    image, scores, _ = scene(7)
    unary = unary_from_scores(resize_scores(scores, image.shape[:2]))
    pairwise = Pairwise([position_lattice(*image.shape[:2], 3.0), bilateral_lattice(image, 20, 10)])
    weights = [(3.0, w1) for w1 in (1.0, 4.0, 80.0)]
    field = MeanField(unary)
    for w, beliefs in zip(weights, field.run_each(pairwise, weights, 5, "after"), strict=True):
        parameters = dataclasses.replace(PARAMETERS, w1=w[1], iterations=5)
        np.testing.assert_array_equal(beliefs.probabilities(), dense_crf(image, unary, parameters))
        np.testing.assert_array_equal(beliefs.labels(), crf_labels(image, unary, parameters))
    field.run(pairwise, weights[0], 1, "after")
    with pytest.raises(RuntimeError, match="has run again since"):
        beliefs.labels()


def many_classes(scene, seed: int, present: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """An image and energies of 21 classes of which `present` are in it; the others are unlikely everywhere."""
    image, scores, _ = scene(seed, classes=present)
    rare = RNG.normal(-6, 1, (21 - present, *scores.shape[1:])).astype(np.float32)
    order = RNG.permutation(21)
    return image, unary_from_scores(resize_scores(np.concatenate([scores, rare])[order], image.shape[:2]))


def lattices(image: np.ndarray) -> Pairwise:
    return Pairwise([position_lattice(*image.shape[:2], 3.0), bilateral_lattice(image, 20, 10)])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("weights", [(3.0, 4.0), (0.5, 8.0), (9.0, 0.0)])
def test_merging_negligible_classes_changes_beliefs_by_rounding(scene, seed, weights):
    image, unary = many_classes(scene, seed, present=2 + seed % 3)
    field, pairwise = MeanField(unary), lattices(image)
    wanted = MeanField(unary, merge=False).run(pairwise, weights, 10, "after")
    beliefs = field.run(pairwise, weights, 10, "after")
    assert beliefs._results.lanes.merged
    np.testing.assert_array_equal(beliefs.labels(), wanted.labels())
    found, wanted = beliefs.probabilities(), wanted.probabilities()
    assert np.abs(found - wanted).max() < 1e-5
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-6)
    np.testing.assert_allclose(found[wanted > 1e-8], wanted[wanted > 1e-8], rtol=0.05)


@pytest.mark.parametrize("iterations", [2, 3, 4, 5])
def test_few_iterations_are_the_same_with_merging(scene, iterations):
    image, unary = many_classes(scene, 3)
    pairwise = lattices(image)
    found, wanted = (MeanField(unary, merge=m).run(pairwise, (3.0, 4.0), iterations, "after") for m in (True, False))
    assert np.abs(found.probabilities() - wanted.probabilities()).max() < 1e-5


def test_classes_that_become_important_again_end_the_merging(scene, monkeypatch):
    image, unary = many_classes(scene, 4)
    pairwise, field = lattices(image), MeanField(unary)
    monkeypatch.setattr(mean_field, "MOST_EFFECT", 1e-9)  # what was merged is found to be too much
    beliefs = field.run(pairwise, (3.0, 4.0), 10, "after")
    assert not beliefs._results.lanes.merged
    wanted = MeanField(unary, merge=False).run(pairwise, (3.0, 4.0), 10, "after")
    np.testing.assert_array_equal(beliefs.probabilities(), wanted.probabilities())


def test_classes_that_appear_in_the_last_step_end_the_merging():
    # Class 0 holds the middle by its neighbours' messages until the class around has taken these; then four classes
    # that were negligible before share the middle with a fifth one. Only the last messages tell them apart.
    unary = np.full((16, 41, 41), 60, np.float32)
    down, across = np.mgrid[-20:21, -20:21]
    island = np.hypot(down, across) < 2.4
    unary[0], unary[1] = np.where(island, 0, 20), np.where(island, 3.1, 0)
    for k in range(5):
        unary[:, :4, 8 * k : 8 * k + 8] = 60
        unary[2 + k, :4, 8 * k : 8 * k + 8] = 0
    unary[:, 20, 20] = 60
    unary[0, 20, 20], unary[2, 20, 20], unary[9:13, 20, 20] = 19.2, 0, 0.33
    pairwise = Pairwise([position_lattice(41, 41, 1.27)])
    found, wanted = (MeanField(unary, merge=m).run(pairwise, (57.0,), 5, "after") for m in (True, False))
    assert wanted.labels()[20, 20] == 2
    np.testing.assert_array_equal(found.labels(), wanted.labels())
    np.testing.assert_array_equal(found.probabilities(), wanted.probabilities())


def test_merging_that_failed_is_not_tried_again(scene, monkeypatch):
    image, unary = many_classes(scene, 4)
    tried = []
    monkeypatch.setattr(MeanField, "_finish_merged", lambda *arguments: tried.append(arguments))
    field = MeanField(unary)
    field.run(lattices(image), (3.0, 4.0), 10, "after")
    assert len(tried) == 1
    field.run(lattices(image), (3.0, 4.0), 10, "after")
    assert len(tried) == 2


def test_merged_classes_that_are_the_most_probable_keep_their_labels():
    # Where weights are tiny only the messages of the class that is nearly everywhere matter.
    image, unary = np.zeros((20, 30, 3), np.uint8), RNG.uniform(8, 14, (40, 20, 30)).astype(np.float32)
    unary[0] = 0
    unary[1:].reshape(39, -1)[np.arange(39), 15 * np.arange(39)] = -3
    beliefs, wanted = (
        MeanField(unary, merge=m).run(lattices(image), (1e-4, 1e-4), 10, "after") for m in (True, False)
    )
    assert beliefs._results.lanes.merged
    np.testing.assert_array_equal(beliefs.labels(), unary.argmin(axis=0))
    np.testing.assert_allclose(beliefs.probabilities(), wanted.probabilities(), rtol=1e-5, atol=1e-9)


def test_equal_beliefs_without_messages_give_the_first_class():
    unary = RNG.integers(0, 3, (21, 8, 9)).astype(np.float32)
    labels = MeanField(unary).run(lattices(np.zeros((8, 9, 3), np.uint8)), (0.0, 0.0), 10, "after").labels()
    np.testing.assert_array_equal(labels, unary.argmin(axis=0))


@pytest.mark.parametrize("normalization", ["symmetric", "before", "none"])
def test_nothing_is_merged_where_messages_are_no_means(scene, normalization):
    image, unary = many_classes(scene, 5)
    found = MeanField(unary).run(lattices(image), (0.3, 0.4), 6, normalization)
    assert not found._results.lanes.merged


def test_another_run_between_settings_changes_nothing(scene):
    image, scores, _ = scene(7, classes=21)
    unary = unary_from_scores(resize_scores(scores, image.shape[:2]))
    pairwise = Pairwise([position_lattice(*image.shape[:2], 3.0), bilateral_lattice(image, 20, 10)])
    small = Pairwise([position_lattice(*image.shape[:2], 9.0)])
    weights = [(3.0, w1) for w1 in (1.0, 4.0, 6.0)]
    field = MeanField(unary)
    for w, beliefs in zip(weights, field.run_each(pairwise, weights, 3, "after"), strict=True):
        alone = MeanField(unary).run(pairwise, w, 3, "after").probabilities()
        np.testing.assert_array_equal(beliefs.probabilities(), alone)
        field.run(small, [9.0], 1, "after")
