"""The domain transform against the plain loops of its definition, forward and backward; error messages."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from cases import values
from deeplab_caffe.errors import InputError

#: (rows, columns) from a pixel to its neighbour, in the order of the passes
_NEIGHBOURS = ((0, -1), (0, 1), (-1, 0), (1, 0))


def _walk(h: int, w: int, step: tuple[int, int]) -> list[tuple[int, int]]:
    """The pixels that a pass changes, in its order."""
    rows = range(1, h) if step[0] == -1 else range(h - 2, -1, -1) if step[0] == 1 else range(h)
    columns = range(1, w) if step[1] == -1 else range(w - 2, -1, -1) if step[1] == 1 else range(w)
    return [(i, j) for i in rows for j in columns]


class _Loops:
    """The definition, pixel by pixel, for one item and one channel, in double precision."""

    def __init__(self, x, edge, size, k, sigma_s, sigma_r, low=0.0, high=1.0):
        self.size, self.steps = size, []
        self.y = x.copy()
        self.d_edge = np.zeros_like(edge)
        for i in range(k):
            sigma = sigma_s * math.sqrt(3) * 2 ** (k - (i + 1)) / math.sqrt(4**k - 1)
            factor = math.sqrt(2) / sigma
            weight = np.clip(np.exp(-factor * (1 + edge * sigma_s / sigma_r)), low, high)
            self.steps.append((factor * sigma_s / sigma_r, weight, [self._pass(weight, s) for s in _NEIGHBOURS]))

    def _pass(self, weight, step):
        kept = []
        for i, j in _walk(*self.size, step):
            near = (i + step[0], j + step[1])
            at = (i, j) if min(step) < 0 else near
            difference = self.y[near] - self.y[i, j]
            self.y[i, j] += weight[at] * difference
            kept.append(((i, j), near, at, difference))
        return kept

    def backward(self, d):
        d, h, w = d.copy(), *self.size
        for scale, weight, passes in reversed(self.steps):
            d_weight = np.zeros_like(weight)
            for kept in reversed(passes):
                for here, near, at, difference in reversed(kept):
                    d_weight[at] += d[here] * difference
                    d[near] += weight[at] * d[here]
                    d[here] *= 1 - weight[at]
            self.d_edge[:h, :w] -= (scale * d_weight * weight)[:h, :w]
        return d


def _net(layer, x, edge, sizes, kind: str = "DomainTransform", more: str = "", **fields):
    dims = np.array(sizes, float).reshape(len(sizes), 1, 1, 2)
    return layer(f'type: "{kind}" domain_transform_param {{ {more} }}', x, edge, dims, **fields)


def test_two_pixels_by_hand(layer):
    """K 1: σ is spatial_sigma √3 / √3; one weight e^(−√2 (1 + edge · 2)) with spatial_sigma 1, range_sigma 0.5."""
    more = "num_iter: 1 spatial_sigma: 1 range_sigma: 0.5"
    net = _net(layer, [[[[0.0, 1]]]], [[[[9.0, 0.25]]]], [(1, 2)], more=more)
    w = math.exp(-math.sqrt(2) * 1.5)
    right = 1 - w  # 1 + w (0 − 1)
    np.testing.assert_allclose(net.blobs["top"].data[0, 0, 0], [w * right, right], rtol=1e-6)


@pytest.mark.parametrize(("k", "low"), [(1, 0.0), (3, 0.0), (2, 0.2)])
def test_forward_and_gradient_are_those_of_the_loops(layer, k, low):
    """Edges below −range_sigma / spatial_sigma make weights above 1: clipped, yet their gradient flows."""
    x, edge, sizes = values(2, 3, 6, 5), values(2, 1, 6, 5, low=-0.8), [(6, 5), (4, 3)]
    more = f"num_iter: {k} spatial_sigma: 6 range_sigma: 3 min_weight: {low}"
    net = _net(layer, x, edge, sizes, more=more, back=True)
    diff = values(2, 3, 6, 5, seed=7)
    net.blobs["top"].diff[...] = diff
    net.backward(start="layer", end="layer")
    for n, size in enumerate(sizes):
        loops = [_Loops(x[n, c], edge[n, 0], size, k, 6, 3, low) for c in range(3)]
        expected = [loop.backward(diff[n, c]) for c, loop in enumerate(loops)]
        np.testing.assert_allclose(net.blobs["top"].data[n], [loop.y for loop in loops], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(net.blobs["in0"].diff[n], expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(
            net.blobs["in1"].diff[n, 0], sum(loop.d_edge for loop in loops), rtol=1e-4, atol=1e-5
        )


def test_pixels_beyond_the_effective_size_are_copied(layer):
    x = values(1, 2, 4, 5)
    top = _net(layer, x, np.zeros((1, 1, 4, 5)), [(3, 2)]).blobs["top"].data
    np.testing.assert_array_equal(top[:, :, 3:], x[:, :, 3:].astype(np.float32))
    np.testing.assert_array_equal(top[:, :, :, 2:], x[:, :, :, 2:].astype(np.float32))
    assert (top[:, :, :3, :2] != x[:, :, :3, :2]).all()


def test_a_constant_stays_and_strong_edges_keep_the_map(layer):
    top = _net(layer, np.full((1, 1, 5, 4), 3.0), values(1, 1, 5, 4, low=0), [(5, 4)]).blobs["top"].data
    np.testing.assert_allclose(top, 3, rtol=1e-6)
    x = values(1, 2, 5, 4)
    top = _net(layer, x, np.full((1, 1, 5, 4), 1e4), [(5, 4)]).blobs["top"].data
    np.testing.assert_array_equal(top, x.astype(np.float32))


def test_both_diffs_are_written_if_one_is_asked_for(layer):
    net = _net(layer, values(1, 2, 4, 3), values(1, 1, 4, 3, low=0), [(4, 3)], back=True)
    net.blobs["top"].diff[...] = 1
    for flags in ([True, False, False], [False, True, False]):
        for name in ("in0", "in1"):
            net.blobs[name].diff[...] = 7
        bottoms = [net.blobs[f"in{i}"] for i in range(3)]
        net.layer_dict["layer"].backward([net.blobs["top"]], flags, bottoms)
        assert (net.blobs["in0"].diff != 7).any()
        assert (net.blobs["in1"].diff != 7).any()


def test_a_layer_in_place_behind_it_does_not_spoil_the_gradient(net):
    """The user's view keeps the top's memory in use, and ReLU writes there."""
    inputs = "".join(
        f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ dim: [1, 1, {h}, {w}] }} }} }}'
        for name, h, w in (("x", 3, 3), ("g", 3, 3), ("d", 1, 2))
    )
    own = 'layer { name: "dt" type: "DomainTransform" bottom: "x" bottom: "g" bottom: "d" top: "y" }'
    relu = 'layer { name: "relu" type: "ReLU" bottom: "y" top: "y" relu_param { negative_slope: 0.5 } }'
    diffs = []
    for view in (False, True):
        built = net("force_backward: true " + inputs + own + relu)
        built.blobs["x"].data[...] = values(1, 1, 3, 3)
        built.blobs["d"].data[...] = 3
        if view:
            assert built.blobs["y"].data is not None
        built.forward()
        built.blobs["y"].diff[...] = 1
        built.backward()
        diffs.append(built.blobs["g"].diff.copy())
    np.testing.assert_array_equal(*diffs)
    assert diffs[0].any()


def test_dims_have_no_gradient(layer):
    net = _net(layer, values(1, 1, 2, 2), values(1, 1, 2, 2), [(2, 2)], back=True)
    assert net.layer_dict["layer"].propagate_down == [True, True, False]
    with pytest.raises(InputError, match=r"\(DomainTransform\): bottom in2 has no gradient"):
        net.layer_dict["layer"].backward(
            [net.blobs["top"]], [True, True, True], [net.blobs[f"in{i}"] for i in range(3)]
        )


def test_forward_only_does_not_clip_and_leaves_the_diffs(layer):
    x, edge = values(1, 2, 4, 5), values(1, 1, 4, 5, low=-0.7)
    more = "num_iter: 2 spatial_sigma: 6 range_sigma: 3"
    net = _net(layer, x, edge, [(4, 5)], kind="DomainTransformForwardOnly", more=more, back=True)
    expected = [_Loops(x[0, c], edge[0, 0], (4, 5), 2, 6, 3, 0, math.inf).y for c in range(2)]
    clipped = _Loops(x[0, 0], edge[0, 0], (4, 5), 2, 6, 3).y
    assert not np.allclose(expected[0], clipped)
    np.testing.assert_allclose(net.blobs["top"].data[0], expected, rtol=1e-5, atol=1e-6)
    net.blobs["in0"].diff[...] = 5
    net.blobs["top"].diff[...] = 1
    net.backward()
    assert (net.blobs["in0"].diff == 5).all()


def test_large_maps_take_no_loop_over_pixels(layer):
    """A map of the size of a training crop; a loop over its pixels would take minutes."""
    net = _net(layer, values(1, 21, 321, 321), values(1, 1, 321, 321, low=0), [(321, 321)], back=True)
    net.blobs["top"].diff[...] = 1
    begin = time.process_time()
    net.backward()
    assert time.process_time() - begin < 30


@pytest.mark.parametrize(
    ("shapes", "sizes", "more", "expected"),
    [
        ((2, 2), [(3, 2)], "", "item 0 is 3 x 2 (height x width) by bottom 'in2', wanted 1 x 1 to 2 x 2"),
        ((2, 2), [(0, 2)], "", "item 0 is 0 x 2"),
        ((2, 3), [(2, 2)], "", "feature (1, 2, 2, 2) and reference (1, 1, 2, 3); wanted (N, C, H, W)"),
        ((2, 2), [(2, 2)] * 2, "", "dims (2, 1, 1, 2) for 1 items; wanted height and width of each"),
        ((2, 2), [(2, 2)], "num_iter: 0", "num_iter is 0, wanted 1 or more"),
        ((2, 2), [(2, 2)], "spatial_sigma: 0", "spatial_sigma is 0, wanted a positive number"),
        ((2, 2), [(2, 2)], "range_sigma: -1", "range_sigma is -1, wanted a positive number"),
        ((2, 2), [(2, 2)], "min_weight: -0.5", "min_weight is -0.5, wanted 0 or more"),
    ],
)
def test_errors(layer, shapes, sizes, more, expected):
    with pytest.raises(InputError) as caught:
        _net(layer, np.zeros((1, 2, 2, 2)), np.zeros((1, 1, *shapes)), sizes, more=more)
    assert "layer 'layer' (DomainTransform): " in str(caught.value)
    assert expected in str(caught.value)
