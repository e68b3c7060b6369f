"""The CRF at many settings on one image: the results of `dense_crf`, and nothing computed again that is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deeplab_caffe.crf import CRFParameters, ImageCRF, dense_crf, image_crf

_START = CRFParameters(4, 20, 30, 3, 2, iterations=3)


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 255, (13, 17, 3), dtype=np.uint8), rng.normal(size=(5, 13, 17)).astype(np.float32)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """An entry for each lattice that is built."""
    found: list[int] = []
    build = image_crf.term_lattices
    monkeypatch.setattr(
        image_crf, "term_lattices", lambda terms, image: found.append(len(terms)) or build(terms, image)
    )
    return found


@pytest.mark.parametrize(
    ("change", "lattices"),
    [
        ({"w1": 9.0}, 0),
        ({"w2": 0.5}, 0),
        ({"iterations": 7}, 0),
        ({"normalization": "symmetric"}, 0),
        ({"sigma_alpha": 25.0}, 1),
        ({"sigma_beta": 25.0}, 1),
        ({"sigma_gamma": 4.0}, 1),
        ({"sigma_beta": 25.0, "sigma_gamma": 4.0}, 2),
    ],
)
def test_a_change_builds_only_the_lattices_that_it_changes(pair, built, change, lattices):
    crf = ImageCRF(*pair)
    crf.beliefs(_START)
    assert len(built) == 2
    changed = replace(_START, **change)
    assert np.array_equal(crf.beliefs(changed).probabilities(), dense_crf(*pair, changed))
    assert len(built) == 4 + lattices  # two were those of dense_crf
    assert np.array_equal(crf.beliefs(_START).probabilities(), dense_crf(*pair, _START))


def test_terms_may_come_and_go(pair):
    crf = ImageCRF(*pair)
    for w1, w2 in ((4, 3), (4, 0), (0, 3), (0, 0), (4, 3)):
        parameters = replace(_START, w1=w1, w2=w2)
        assert np.array_equal(crf.beliefs(parameters).labels(), dense_crf(*pair, parameters).argmax(0))


def test_its_memory_is_counted(pair):
    crf = ImageCRF(*pair)
    before = crf.nbytes
    crf.beliefs(_START)
    assert before >= sum(array.nbytes for array in pair) and crf.nbytes > before
