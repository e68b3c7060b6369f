"""Winograd's algorithm beside the direct sum, in tiles of every size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from deeplab_caffe.caffe.plan import winograd
from deeplab_caffe.caffe.plan.folded import Folded, Geometry
from deeplab_caffe.kernels.winograd_matrices import matrices

#: of the largest output; the direct sum in float32 is up to 1e-6 from one in float64
NEAR = 6e-6


def _folded(
    channels: int, outputs: int, pad: tuple[int, int], dilation: tuple[int, int], slope: float | None, bias: bool = True
) -> Folded:
    geometry = Geometry(outputs, channels, (3, 3), (1, 1), pad, dilation, 1)
    weight = torch.randn(outputs, channels, 3, 3) * (2 / 9 / channels) ** 0.5
    return Folded(weight, torch.randn(outputs) if bias else None, geometry, slope)


def _direct(convolution: Folded, x: torch.Tensor) -> torch.Tensor:
    weight, bias, g, slope = convolution
    y = F.conv2d(x.double(), weight.double(), None if bias is None else bias.double(), g.stride, g.pad, g.dilation)
    return y if slope is None else F.leaky_relu(y, slope)


def _apart(found: torch.Tensor, wanted: torch.Tensor) -> float:
    assert found.shape == wanted.shape
    return float((found - wanted).abs().max() / wanted.abs().max())


def _image(*shape: int) -> torch.Tensor:
    return torch.randn(shape).to(memory_format=torch.channels_last)


@pytest.mark.parametrize("m", winograd.SIZES)
def test_the_matrices_give_the_filter(m):
    (a1, a2), (g1, g2), (b1, b2) = matrices(m)
    random = np.random.default_rng(m)
    d, g = random.normal(size=m + 2), random.normal(size=3)
    found = a1 @ a2 @ ((g1 @ g2 @ g) * (b1 @ b2 @ d))
    np.testing.assert_allclose(found, np.correlate(d, g, "valid"), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("m", winograd.SIZES)
def test_agrees_with_the_direct_sum_for_random_sizes(m):
    random = np.random.default_rng(m)
    for _ in range(12):
        images, channels, outputs = (int(random.integers(1, most)) for most in (4, 50, 70))
        pad, dilation = (tuple(int(n) for n in random.integers(*ends, 2)) for ends in ((0, 5), (1, 5)))
        least = [max(1, 2 * d + 1 - 2 * p) for p, d in zip(pad, dilation, strict=True)]
        size = [side + int(random.integers(0, 30)) for side in least]
        convolution = _folded(channels, outputs, pad, dilation, random.choice([None, 0.0, 0.2]), random.random() < 0.7)
        x = _image(images, channels, *size)
        found = winograd.Winograd(convolution, m)(x)
        assert _apart(found, _direct(convolution, x)) < NEAR, (x.shape, convolution.geometry)
        assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("channels", [16, 32, 48])
def test_whole_vectors_of_channels(channels):
    convolution, x = _folded(channels, channels + 16, (2, 2), (2, 2), 0.0), _image(1, channels, 30, 21)
    assert _apart(winograd.Winograd(convolution, 4)(x), _direct(convolution, x)) < NEAR


def test_the_kernel_reaches_over_all_of_a_small_image():
    convolution, x = _folded(8, 8, (12, 12), (12, 12), None), _image(1, 8, 5, 3)
    assert _apart(winograd.Winograd(convolution, 3)(x), _direct(convolution, x)) < NEAR


def test_threads_and_kept_weights_change_no_bit(monkeypatch):
    convolution, x = _folded(40, 70, (1, 1), (1, 1), 0.0), _image(2, 40, 45, 38)
    kept = winograd.Winograd(convolution, 4)
    alone = kept(x)
    monkeypatch.setattr(winograd, "_KEPT", 0)
    torch.set_num_threads(3)
    try:
        assert torch.equal(winograd.Winograd(convolution, 4)(x), alone)
        assert torch.equal(kept(x), alone)
    finally:
        torch.set_num_threads(1)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -3e38])
def test_what_is_not_finite_is_left_to_the_direct_sum(value):
    convolution, x = _folded(8, 8, (1, 1), (1, 1), 0.0), _image(1, 8, 9, 9)
    x[0, 3, 4, 4] = value
    assert winograd.Winograd(convolution, 4)(x) is None


def test_which_convolutions_fit():
    fitting = Geometry(8, 8, (3, 3), (1, 1), (1, 1), (2, 2), 1)
    assert winograd.fits(fitting)
    for other in ({"kernel": (3, 1)}, {"kernel": (5, 5)}, {"stride": (2, 1)}, {"group": 2}):
        assert not winograd.fits(fitting._replace(**other))


def test_tiles_are_counted_on_each_of_the_grids_of_a_dilation():
    geometry = Geometry(8, 8, (3, 3), (1, 1), (12, 12), (12, 12), 1)
    assert winograd.tile_count(geometry, (2, 8, 65, 65), 3) == 2 * (12 * 2) ** 2  # grids of five or six
    assert winograd.tile_count(geometry, (1, 8, 65, 60), 4) == (12 * 2) * (12 * 2)
    assert winograd.tile_count(geometry._replace(pad=(1, 1), dilation=(1, 1)), (1, 8, 9, 8), 4) == 3 * 2
