"""The beliefs after chosen numbers of iterations are those of inference with so many."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deeplab_caffe.crf import CRFParameters, belief_maps, dense_crf
from deeplab_caffe.errors import InputError

PARAMETERS = CRFParameters(w1=4, sigma_alpha=20, sigma_beta=5)


def test_each_is_what_inference_with_so_many_iterations_gives() -> None:
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (16, 20, 3), dtype=np.uint8)
    unary = random.normal(size=(3, 16, 20)).astype(np.float32)
    found = [maps.copy() for maps in belief_maps(image, unary, PARAMETERS, (0, 2, 10))]
    np.testing.assert_allclose(found[0], np.exp(-unary) / np.exp(-unary).sum(0), rtol=1e-4)
    for maps, count in zip(found, (0, 2, 10), strict=True):
        np.testing.assert_array_equal(maps, dense_crf(image, unary, replace(PARAMETERS, iterations=count)))
    assert np.abs(found[1] - found[2]).max() > 0.01


def test_arrays_that_do_not_fit_together() -> None:
    with pytest.raises(InputError, match="CRF: "):
        list(belief_maps(np.zeros((4, 6, 3), np.uint8), np.zeros((2, 4, 7)), PARAMETERS, (1,)))
