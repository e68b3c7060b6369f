"""The lattice's geometry: properties that any correct one has."""

from __future__ import annotations

import numpy as np
import pytest

from deeplab_caffe.crf import bilateral_lattice, build_lattice, position_lattice
from deeplab_caffe.crf import lattice as lattice_module
from deeplab_caffe.errors import InputError

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dims", [1, 2, 3, 5, 12])
def test_weights_are_barycentric_and_neighbours_mutual(dims):
    lattice = build_lattice(RNG.normal(0, 3, (500, dims)).astype(np.float32))
    assert lattice.offsets.shape == lattice.weights.shape == (500, dims + 1)
    np.testing.assert_allclose(lattice.weights.sum(1), 1, atol=1e-5)
    assert lattice.weights.min() > -1e-5
    np.testing.assert_array_equal(np.unique(lattice.offsets), np.arange(lattice.size))
    for before, after in (lattice.neighbours()[j].T for j in range(dims + 1)):
        linked = np.flatnonzero(after >= 0)
        np.testing.assert_array_equal(before[after[linked]], linked)
        assert (before >= 0).sum() == linked.size


def test_vertices_grow_beyond_the_first_table():
    # Far apart, so that no vertex is shared: six for each of the pixels.
    lattice = build_lattice(RNG.uniform(0, 1000, (3000, 5)).astype(np.float32))
    assert lattice.size == 18000


def test_chains_are_the_neighbours_in_rows():
    lattice = build_lattice(RNG.normal(0, 2, (300, 2)).astype(np.float32))
    for direction in range(3):
        part = lattice.chains[lattice.chain_starts[direction] : lattice.chain_starts[direction + 1]] // 8
        pairs = {(a, b) for a, b in zip(part, part[1:], strict=False) if max(a, b) < lattice.size}
        after = lattice.neighbours()[direction, :, 1]
        assert pairs == {(int(v), int(after[v])) for v in np.flatnonzero(after >= 0)}


def test_blocks_of_pixels_know_the_vertices_touched_so_far():
    lattice = build_lattice(RNG.normal(0, 9, (300, 3)).astype(np.float32))
    ends = [lattice.offsets[:end].max() + 1 for end in (128, 256, 300)]
    np.testing.assert_array_equal(lattice.reached, ends)


def test_very_small_deviations_use_wide_keys():
    image = RNG.integers(0, 256, (20, 20, 3)).astype(np.uint8)
    lattice = bilateral_lattice(image, 0.1, 0.05)
    assert lattice.size == 400 * 6
    with pytest.raises(InputError, match="the standard deviations are too small for this image"):
        bilateral_lattice(image, 60, 1e-6)


def test_a_lattice_with_more_vertices_than_32_bits_number_is_refused(monkeypatch):
    features = RNG.uniform(0, 50, (40, 2)).astype(np.float32)
    vertices = build_lattice(features).size
    monkeypatch.setattr(lattice_module, "_PLACES", 8 * vertices)
    with pytest.raises(InputError, match=f"lattice of {vertices} vertices is too large; work on tiles of the image"):
        build_lattice(features)


def test_first_touch_numbers_the_vertices():
    lattice = position_lattice(5, 7, 3.0)
    _, first = np.unique(lattice.offsets.ravel(), return_index=True)
    assert (np.diff(first) > 0).all()


def test_position_lattices_are_cached_within_bounds():
    assert position_lattice(11, 13, 3.0) is position_lattice(11, 13, 3.0)
    assert position_lattice(11, 13, 3.0) is not position_lattice(13, 11, 3.0)
    assert position_lattice.cache_info().maxsize == 8
    with pytest.raises(ValueError, match="read-only"):
        position_lattice(11, 13, 3.0).simplices[0, 0] = 1


def test_deviations_may_differ_by_axis_and_band():
    image = RNG.integers(0, 256, (12, 9, 3)).astype(np.uint8)
    same = bilateral_lattice(image, (20, 20), (4, 4, 4))
    np.testing.assert_array_equal(same.weights, bilateral_lattice(image, 20, 4).weights)
    wide = bilateral_lattice(image.repeat(2, axis=2)[:, :, ::2], (40, 20), (4, 8, 2))
    assert not np.array_equal(wide.weights, same.weights)
