"""The names of pydensecrf on our inference: every call beside the original's, and bad arguments."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from deeplab_caffe.crf.pydensecrf import densecrf, utils
from deeplab_caffe.errors import InputError

HEIGHT, WIDTH, CLASSES = 13, 17, 4
RNG = np.random.default_rng(0)
IMAGE = np.ascontiguousarray(np.cumsum(RNG.normal(0, 4, (HEIGHT, WIDTH, 3)), axis=1) % 256).astype(np.uint8)
SOFTMAX = RNG.dirichlet(np.ones(CLASSES), HEIGHT * WIDTH).T.astype(np.float32)
UNARY = np.ascontiguousarray(-np.log(SOFTMAX))
ATTRACT = np.full(CLASSES, -3, np.float32)
MATRIX = (1 - np.eye(CLASSES)).astype(np.float32) * 2 + RNG.normal(0, 0.3, (CLASSES, CLASSES)).astype(np.float32)


def program(dcrf, setting: dict) -> object:
    """A usual pydensecrf program, written once for both modules."""
    model = dcrf.DenseCRF2D(WIDTH, HEIGHT, CLASSES)
    model.setUnaryEnergy(UNARY)
    keywords = {"kernel": getattr(dcrf, setting["kernel"]), "normalization": getattr(dcrf, setting["normalization"])}
    model.addPairwiseGaussian(sxy=(3, 2), compat=setting["compat"], **keywords)
    model.addPairwiseBilateral(sxy=(20, 25), srgb=(13, 12, 11), rgbim=IMAGE, compat=setting["compat"], **keywords)
    return model


def settings():
    for normalization in ("NO_NORMALIZATION", "NORMALIZE_BEFORE", "NORMALIZE_AFTER", "NORMALIZE_SYMMETRIC"):
        yield {"compat": 3, "kernel": "DIAG_KERNEL", "normalization": normalization}
    for kernel in ("CONST_KERNEL", "FULL_KERNEL"):
        yield {"compat": 3, "kernel": kernel, "normalization": "NORMALIZE_SYMMETRIC"}
    for compat in (ATTRACT, MATRIX):
        yield {"compat": compat, "kernel": "DIAG_KERNEL", "normalization": "NORMALIZE_SYMMETRIC"}


@pytest.mark.parametrize(
    "setting", settings(), ids=lambda s: f"{np.ndim(s['compat'])}-{s['kernel']}-{s['normalization']}"
)
def test_a_program_gives_the_same_under_both_imports(setting):
    original = pytest.importorskip("pydensecrf.densecrf")
    ours, theirs = program(densecrf, setting), program(original, setting)
    # Without normalization messages add up to a hundred and more, of which the rounding of a sum is some 1e-4.
    atol = 1e-4 if setting["normalization"] == "NO_NORMALIZATION" else 1e-5
    np.testing.assert_allclose(ours.inference(5), np.array(theirs.inference(5)), atol=atol)
    mine, other = ours.startInference(), theirs.startInference()
    np.testing.assert_allclose(mine[0], np.array(other[0]), atol=1e-6)
    for _ in range(3):
        ours.stepInference(*mine)
        theirs.stepInference(*other)
        np.testing.assert_allclose(mine[0], np.array(other[0]), atol=atol)
    assert ours.klDivergence(mine[0]) == pytest.approx(theirs.klDivergence(other[0]), rel=1e-4, abs=0.05)


@pytest.mark.parametrize("call", [(3, 3, 3), (2, (3, 5), (4, 5, 6)), (2, np.array([3, 5]), np.array([4, 5, 6]))])
def test_defaults_and_scalars_are_those_of_pydensecrf(call):
    original = pytest.importorskip("pydensecrf.densecrf")
    results = []
    for dcrf in (densecrf, original):
        model = dcrf.DenseCRF2D(WIDTH, HEIGHT, CLASSES)
        model.setUnaryEnergy(UNARY)
        model.addPairwiseGaussian(call[1], call[0])
        model.addPairwiseBilateral(call[1], call[2], IMAGE, call[0])
        results.append(np.array(model.inference(4)))
    np.testing.assert_allclose(*results, atol=1e-5)


def test_energies_from_zero_to_one_are_taken_as_pydensecrf_takes_them():
    original = pytest.importorskip("pydensecrf.densecrf")
    results = []
    for dcrf in (densecrf, original):
        model = dcrf.DenseCRF2D(WIDTH, HEIGHT, 2)
        model.setUnaryEnergy(np.stack([SOFTMAX[0], 1 - SOFTMAX[0]]))
        model.addPairwiseGaussian(3, 3)
        results.append(np.array(model.inference(4)))
    np.testing.assert_allclose(*results, atol=1e-5)


def test_a_strong_repulsion_is_that_of_pydensecrf():
    original = pytest.importorskip("pydensecrf.densecrf")
    results = []
    for dcrf in (densecrf, original):
        model = dcrf.DenseCRF2D(WIDTH, HEIGHT, CLASSES)
        model.setUnaryEnergy(UNARY)
        model.addPairwiseGaussian(5, -1000, normalization=dcrf.NO_NORMALIZATION)  # every class loses more than 10^4
        results.append(np.array(model.inference(1)))
    np.testing.assert_allclose(*results, atol=1e-4)


def test_features_in_any_dimension():
    original = pytest.importorskip("pydensecrf.densecrf")
    features = utils.create_pairwise_bilateral((4, 5), (9, 9, 9), IMAGE, chdim=2)
    results = []
    for dcrf in (densecrf, original):
        model = dcrf.DenseCRF(HEIGHT * WIDTH, CLASSES)
        model.setUnary(dcrf.ConstUnary(UNARY)) if dcrf is densecrf else model.setUnaryEnergy(UNARY)
        model.addPairwiseEnergy(features, compat=2)
        results.append(np.array(model.inference(4)))
    np.testing.assert_allclose(*results, atol=1e-5)


def test_logistic_unary():
    weights, features = RNG.normal(size=(CLASSES, 3)), RNG.normal(size=(3, HEIGHT * WIDTH))
    model = densecrf.DenseCRF2D(WIDTH, HEIGHT, CLASSES)
    model.setUnaryEnergy(weights, features)
    logits = -(weights @ features)
    expected = np.exp(logits) / np.exp(logits).sum(0)
    np.testing.assert_allclose(model.inference(3), expected, rtol=1e-4)  # no pairwise term: the softmax of the unary


def test_stepping_is_inference():
    model = program(densecrf, {"compat": 3, "kernel": "DIAG_KERNEL", "normalization": "NORMALIZE_AFTER"})
    q, *buffers = model.startInference()
    for _ in range(5):
        model.stepInference(q, *buffers)
    np.testing.assert_allclose(model.inference(5), q, atol=1e-5)


LABELS = RNG.integers(0, CLASSES, (HEIGHT, WIDTH))
UTILS = {
    "unary_from_labels": (LABELS, CLASSES, 0.7),
    "unary_from_softmax": (SOFTMAX.reshape(CLASSES, HEIGHT, WIDTH), 0.8, 1e-4),
    "softmax_to_unary": (SOFTMAX,),
    "compute_unary": (LABELS, CLASSES),
    "create_pairwise_gaussian": ((3, 4), (HEIGHT, WIDTH)),
    "create_pairwise_bilateral": ((3, 4), (7, 8, 9), IMAGE, 2),
}


@pytest.mark.parametrize("name", UTILS)
def test_utils_are_those_of_pydensecrf(name):
    original = pytest.importorskip("pydensecrf.utils")
    ours, theirs = (getattr(module, name)(*UTILS[name]) for module in (utils, original))
    assert ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_more_utils():
    original = pytest.importorskip("pydensecrf.utils")
    for function, arguments in (
        ("unary_from_labels", (LABELS, CLASSES, 0.7, False)),
        ("create_pairwise_bilateral", ((3, 4), 7, IMAGE[:, :, 0])),
        ("unary_from_softmax", (SOFTMAX,)),
    ):
        ours, theirs = (getattr(module, function)(*arguments) for module in (utils, original))
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.setUnaryEnergy(UNARY[:, :5]), r"unary energy has shape \(4, 5\), wanted \(4, 221\)"),
        (lambda m: m.setUnaryEnergy(np.full_like(UNARY, np.nan)), "unary holds nan"),
        (lambda m: m.addPairwiseGaussian(3, [1, 2]), r"compat has shape \(2,\), wanted a number, 4 numbers"),
        (lambda m: m.addPairwiseBilateral(3, 3, IMAGE[:5], 3), "the image is 5 x 17"),
        (lambda m: m.addPairwiseEnergy(np.zeros((2, 5)), 3), r"features have shape \(2, 5\), wanted \(d, 221\)"),
        (lambda m: m.addPairwiseEnergy(np.full((2, 221), np.nan), 3), "features hold NaN"),
        (lambda m: m.inference(3), "there is no unary energy"),
        (lambda m: densecrf.DenseCRF(0, 3), "0 variables and 3 classes"),
        (lambda m: utils.unary_from_labels(LABELS, 2, 0.5), "labels from 0 to 3, wanted 0 to 2"),
        (lambda m: utils.unary_from_labels(LABELS + 0.5, 9, 0.5), "type float64, wanted whole numbers"),
        (lambda m: utils.unary_from_labels(LABELS, 9, 1.0), "gt_prob is 1.0"),
        (lambda m: utils.unary_from_labels(LABELS, 1, 0.5), "n_labels is 1"),
        (lambda m: utils.unary_from_softmax(-SOFTMAX), "values from -.* wanted probabilities, 0 to 1"),
        (lambda m: utils.unary_from_softmax(np.full_like(SOFTMAX, np.nan)), r"probabilities hold nan at \(0, 0\)"),
        (lambda m: utils.unary_from_softmax(UNARY * 5), "scores need a softmax first"),
        (lambda m: utils.unary_from_softmax(LABELS), "class indices unary_from_labels"),
        (lambda m: utils.unary_from_softmax(SOFTMAX[:1]), "wanted .* two classes or more"),
        (lambda m: utils.create_pairwise_bilateral((3, 4), (7, 8, 9, 1), IMAGE, 2), "schan has 4 deviations"),
        (lambda m: utils.create_pairwise_bilateral((3, 4), (7, 0, 9), IMAGE, 2), r"schan is \(7, 0, 9\), wanted"),
        (lambda m: m.addPairwiseBilateral(3, 0, IMAGE, 3), "srgb is 0, wanted standard deviations above 0"),
        (lambda m: m.addPairwiseBilateral(3, (3, 3), IMAGE, 3), "srgb has 2 numbers, wanted one number or 3"),
        (lambda m: m.addPairwiseBilateral(0, 3, IMAGE, 3), "sxy is 0, wanted"),
        (lambda m: m.addPairwiseGaussian((3, 3, 3), 3), "sxy has 3 numbers, wanted one number or 2"),
        (lambda m: m.addPairwiseGaussian(3, np.nan), "compat is nan, wanted finite numbers"),
        (lambda m: m.setUnaryEnergy(np.full_like(UNARY, np.inf)), "excludes every class at variable 0"),
        (lambda m: (m.setUnaryEnergy(UNARY), m.inference(2.5)), "2.5 iterations, wanted a whole number"),
        (lambda m: utils.unary_from_softmax(SOFTMAX, scale=2), "scale is 2"),
        (lambda m: utils.create_pairwise_gaussian((3,), (4, 5)), "1 deviations for 2 axes"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call(densecrf.DenseCRF2D(WIDTH, HEIGHT, CLASSES))


def test_a_negative_number_of_iterations_is_none_as_in_pydensecrf():
    model = program(densecrf, {"compat": 3, "kernel": "DIAG_KERNEL", "normalization": "NORMALIZE_AFTER"})
    expected = np.exp(-UNARY) / np.exp(-UNARY).sum(0)
    np.testing.assert_allclose(model.inference(-1), expected, rtol=1e-5)


def test_channels_without_a_deviation_are_not_scaled_as_in_pydensecrf():
    features = utils.create_pairwise_bilateral((3, 4), (7, 8), IMAGE, 2)
    np.testing.assert_allclose(features[2:], utils.create_pairwise_bilateral((3, 4), (7, 8, 1), IMAGE, 2)[2:])


def test_what_interpolation_leaves_outside_of_0_to_1_is_clipped_as_in_pydensecrf():
    overshot = np.array([[-0.04, 0.5], [1.04, 0.5]])
    np.testing.assert_allclose(utils.unary_from_softmax(overshot), -np.log([[1e-5, 0.5], [1, 0.5]]), rtol=1e-5)
    assert np.isfinite(utils.unary_from_softmax(np.eye(2))).all()  # one-hot, softened by clip
    with pytest.warns(UserWarning, match="sum to 0.2..1.8, expected 1; they are used in proportion"):
        utils.unary_from_softmax(np.array([[0.9, 0.1], [0.9, 0.1]]))
    with pytest.raises(InputError, match="values from -0.04"):
        utils.unary_from_softmax(overshot, clip=None)


def test_probabilities_as_energies_are_a_warning():
    model = densecrf.DenseCRF2D(WIDTH, HEIGHT, CLASSES)
    with pytest.warns(UserWarning, match="it holds probabilities"):
        model.setUnaryEnergy(SOFTMAX)


def test_the_former_paths_have_the_same_functions():
    former = [importlib.import_module(f"deeplab_caffe.crf.{name}") for name in ("densecrf", "utils")]
    assert former[0].DenseCRF2D is densecrf.DenseCRF2D and former[0].NORMALIZE_AFTER == densecrf.NORMALIZE_AFTER
    assert former[1].unary_from_softmax is utils.unary_from_softmax
