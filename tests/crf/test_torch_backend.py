"""The torch backend on the CPU: the same numbers as the native one, in batches, and its errors."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from deeplab_caffe.crf import CRFParameters, build_lattice, crf_batch, crf_labels, dense_crf, resize_scores
from deeplab_caffe.crf.backends.base import BackendOptions
from deeplab_caffe.crf.backends.torch_backend import infer_weights
from deeplab_caffe.crf.backends.torch_lattice import build_torch_lattice
from deeplab_caffe.crf.pydensecrf.densecrf import gaussian_filter
from deeplab_caffe.errors import InputError

RNG = np.random.default_rng(0)
PARAMETERS = CRFParameters(w1=4, sigma_alpha=20, sigma_beta=10, iterations=5)


@pytest.fixture(name="pairs")
def _pairs(scene):
    """Three images of different sizes, one of them not a multiple of four pixels, with their energies."""
    scenes = [scene(seed, height=height, width=31) for seed, height in enumerate((20, 24, 27))]
    return [(image, -resize_scores(scores, image.shape[:2])) for image, scores, _ in scenes]


@pytest.mark.parametrize("dims", [1, 2, 5])
def test_the_lattice_filters_as_the_native_one(dims):
    features = RNG.normal(0, 3, (203, dims)).astype(np.float32)
    values = RNG.normal(0, 1, (7, 203)).astype(np.float32)
    lattice, native = build_torch_lattice([torch.from_numpy(features)]), build_lattice(features)
    assert lattice.neighbours.shape[2] == native.size
    filtered = lattice.filtered(torch.from_numpy(values.T.copy()))
    np.testing.assert_allclose(filtered.T.numpy(), gaussian_filter(native, values, "none"), atol=1e-4)
    np.testing.assert_allclose(lattice.mass()[:, 0].numpy(), native.mass, rtol=1e-5)


@pytest.mark.parametrize("normalization", ["after", "symmetric"])
@pytest.mark.parametrize("compact", [0.0, 0.2])
def test_a_batch_agrees_with_native(pairs, normalization, compact):
    parameters = dataclasses.replace(PARAMETERS, normalization=normalization)
    images, unaries = zip(*pairs, strict=True)
    together = crf_batch(images, unaries, parameters, "torch", compact=compact, labels=False)
    for (image, unary), q in zip(pairs, together, strict=True):
        # In a batch a class stays where any image needs it.
        expected = dense_crf(image, unary, parameters, compact=0.0)
        np.testing.assert_allclose(q, expected, atol=1e-5 if not compact else 0.1)
        np.testing.assert_allclose(q.sum(axis=0), 1, atol=1e-5)
    image, unary = pairs[0]
    alone = dense_crf(image, unary, parameters, "torch", compact=compact)
    np.testing.assert_allclose(alone, dense_crf(image, unary, parameters, compact=compact), atol=1e-5)


def test_several_weights_side_by_side(pairs):
    w1s = (0.0, 2.0, 90.0)
    results = infer_weights(pairs, PARAMETERS, w1s, BackendOptions(labels=True, compact=0.0, device="cpu"))
    for w1, labels in zip(w1s, results, strict=True):
        for one, (image, unary) in zip(labels, pairs, strict=True):
            assert one.dtype == np.uint8
            expected = crf_labels(image, unary, dataclasses.replace(PARAMETERS, w1=w1))
            assert (one != expected).sum() <= 1


def test_two_runs_are_equal_bit_for_bit(pairs):
    image, unary = pairs[2]
    first, second = (dense_crf(image, unary, PARAMETERS, "torch") for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_grey_and_many_bands(pairs):
    image, unary = pairs[1]
    for other in (image[:, :, 0], np.concatenate([image, image[:, ::-1]], axis=2)):
        q = dense_crf(other, unary, PARAMETERS, "torch")
        np.testing.assert_allclose(q, dense_crf(other, unary, PARAMETERS), atol=1e-5)


def test_what_it_cannot_do_is_refused(pairs, monkeypatch):
    (image, unary), (other, unaries) = pairs[:2]
    with pytest.raises(InputError, match="device is 'gpu', wanted cpu, cuda or cuda:N"):
        dense_crf(image, unary, PARAMETERS, "torch", device="gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="PyTorch sees no CUDA GPU here"):
        dense_crf(image, unary, PARAMETERS, "torch", device="cuda")
    with pytest.raises(InputError, match="the unaries have 3 and 4 classes"):
        crf_batch([image, other], [unary[:3], unaries], PARAMETERS, "torch")
    with pytest.raises(InputError, match="too small for backend 'torch'"):
        dense_crf(image, unary, CRFParameters(3, 0.01, 0.01), "torch")
