"""The filters of CRF-RNN: their values, and their gradients in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deeplab_caffe.crf.backends.torch_lattice import build_torch_lattice
from deeplab_caffe.crf.lattice import bilateral_features, position_features
from deeplab_caffe.crf.message_passing import MessagePassing, filtered


def _features(items: int, height: int, width: int) -> list[torch.Tensor]:
    images = np.random.default_rng(0).uniform(0, 255, (items, height, width, 3)).astype(np.float32)
    return [torch.from_numpy(bilateral_features(image, 3, 60)) for image in images]


def _maps(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).normal(0, 1, shape))


def test_a_constant_stays() -> None:
    for passing in (MessagePassing(_features(2, 5, 3)), MessagePassing([torch.from_numpy(position_features(5, 3, 2))])):
        np.testing.assert_allclose(passing(torch.full((2, 2, 5, 3), 7.0)), 7, rtol=1e-6)


def test_each_image_is_filtered_by_its_own_lattice() -> None:
    maps, features = _maps(2, 3, 5, 4), _features(2, 5, 4)
    both = MessagePassing(features)(maps)
    for i in (0, 1):
        np.testing.assert_allclose(both[i], MessagePassing(features[i : i + 1])(maps[i : i + 1])[0], rtol=1e-9)


@pytest.mark.parametrize("size", [(4, 4), (3, 3)])
def test_gradients_are_those_of_finite_differences(size: tuple[int, int]) -> None:
    for features in (_features(2, *size), [torch.from_numpy(position_features(*size, 2))]):
        assert torch.autograd.gradcheck(MessagePassing(features), _maps(2, 2, *size).requires_grad_())


def test_the_backward_blurs_in_the_reverse_order() -> None:
    """The lattice's filter is not symmetric where vertices are missing: its transpose is another."""
    (features,) = _features(1, 4, 5)
    lattice, one = build_torch_lattice([features]), torch.eye(20, dtype=torch.float64)
    matrix = lattice.filtered(one)
    values = one.clone().requires_grad_()
    (back,) = torch.autograd.grad(filtered(values, lattice), values, one)
    assert not torch.equal(matrix, matrix.T)
    np.testing.assert_allclose(back, matrix.T, atol=1e-12)
