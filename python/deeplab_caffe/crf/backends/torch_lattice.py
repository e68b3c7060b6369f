"""The permutohedral lattice built with torch operations, of several images at once, so that it can stay on the GPU.

The arithmetic is that of `lattice_kernels`, operation by operation in float32. Vertices are numbered by their
coordinates, image after image; no two images share one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import InputError
from ..lattice import check_spread, feature_scale


@dataclass(frozen=True)
class TorchLattice:
    """The geometry of a filter over the N pixels of several images, which touch M vertices."""

    offsets: Tensor
    """(N, d + 1) int64: the vertices of each pixel's simplex."""
    weights: Tensor
    """(N, d + 1): their barycentric weights."""
    neighbours: Tensor
    """(d + 1, 2, M) int64: the vertices before and after; M where there is none."""
    order: Tensor
    """(N * (d + 1),) int64: the entries of `offsets`, sorted by vertex."""
    starts: Tensor
    """(M + 1,) int64: where each vertex's part of `order` begins."""

    def mass(self) -> Tensor:
        """(N, 1): what filtering a constant 1 gives."""
        return self.filtered(self.weights.new_ones(len(self.weights), 1))

    def filtered(self, values: Tensor) -> Tensor:
        """Each pixel's sum over all pixels of kernel times value; `values` and result (N, K).

        Sums have a fixed order, without atomic additions: every run gives the same result.
        """
        corners = self.offsets.shape[1]
        spread = values[torch.div(self.order, corners, rounding_mode="floor")]
        spread *= self.weights.reshape(-1, 1)[self.order]
        vertices = torch.segment_reduce(spread, "sum", offsets=self.starts, axis=0, unsafe=True)
        nothing = vertices.new_zeros(1, vertices.shape[1])
        for before, after in self.neighbours:
            padded = torch.cat([vertices, nothing])
            vertices = torch.add(vertices, padded[before] + padded[after], alpha=0.5)
        total = self.weights[:, :1] * vertices[self.offsets[:, 0]]
        for corner in range(1, corners):
            total += self.weights[:, corner, None] * vertices[self.offsets[:, corner]]
        return total / (1 + 2.0 ** (1 - corners))


def build_torch_lattice(features: Sequence[Tensor]) -> TorchLattice:
    """The lattice of the `features` (N_i, d) of each image, float32, in standard deviations.

    Raises InputError where the standard deviations are too small for float32, or for keys of 62 bits.
    """
    for each in features:
        if len(each):
            spread = (each.amax(0) - each.amin(0)).double().cpu().numpy()
            check_spread(spread * feature_scale(each.shape[1]))
    # DeepLab's program processes four pixels at a time and pads with points at the origin, whose vertices take part.
    phantoms = [rows.new_zeros(int(len(rows) % 4 > 0), rows.shape[1]) for rows in features]
    parts = [*features, *phantoms]
    images = [i % len(features) for i in range(len(parts))]
    rows = torch.cat(parts)
    image = torch.cat(
        [torch.full((len(part), 1), i, device=rows.device) for part, i in zip(parts, images, strict=True)]
    )
    base, rank, weights = _simplex(rows)
    keys, strides = _keys(base, rank, image)
    vertices, offsets = torch.unique(keys, return_inverse=True)
    count = sum(map(len, features))
    offsets = offsets[:count].contiguous()
    order = torch.argsort(offsets.ravel(), stable=True)
    starts = offsets.new_zeros(len(vertices) + 1)
    starts[1:] = torch.bincount(offsets.ravel(), minlength=len(vertices)).cumsum(0)
    return TorchLattice(offsets, weights[:count].contiguous(), _neighbours(vertices, strides), order, starts)


def _simplex(features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of each pixel the vertex (N, d + 1) nearest to it, the order of its remainders, and its barycentric weights."""
    elevated = _elevated(features)
    corners = elevated.shape[1]
    inverse = torch.tensor(1 / corners, dtype=torch.float32, device=features.device)
    rounded = torch.round(inverse * elevated)
    rest = elevated - rounded * corners
    rank = torch.zeros_like(rounded, dtype=torch.int64)
    for j in range(corners):
        for k in range(j + 1, corners):
            behind = (rest[:, j] < rest[:, k]).long()
            rank[:, j] += behind
            rank[:, k] += 1 - behind
    rank += rounded.sum(1, keepdim=True).long()
    turn = (rank < 0).long() - (rank >= corners).long()
    rank += corners * turn
    base = (rounded.long() + turn) * corners
    rest = (elevated - base.float()) * inverse
    ordered = torch.empty_like(rest).scatter_(1, corners - 1 - rank, rest)
    first = ordered[:, :1] + (1 - ordered[:, -1:])
    return base, rank, torch.cat([first, ordered[:, 1:] - ordered[:, :-1]], 1)


def _elevated(features: Tensor) -> Tensor:
    """Rotate (N, d) features into the plane of d + 1 coordinates that sum to 0."""
    scale = feature_scale(features.shape[1])
    total = torch.zeros_like(features[:, 0])
    coordinates = []
    for j in range(features.shape[1], 0, -1):
        scaled = features[:, j - 1] * float(scale[j - 1])
        coordinates.append(total - scaled * j)
        total = total + scaled
    return torch.stack([total, *coordinates[::-1]], 1)


def _keys(base: Tensor, rank: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
    """(N, d + 1): one number for each corner of the simplices; and its step along each coordinate."""
    corners = base.shape[1]
    dims = corners - 1
    low = base[:, :dims].amin(0) - 2 * corners
    ranges = (base[:, :dims].amax(0) - low + 2 * corners + corners).tolist()
    images = int(image.max()) + 1
    if math.prod(ranges) * images >= 2**62:
        raise InputError("CRF: the standard deviations are too small for backend 'torch'; use backend 'native'")
    steps = [images * math.prod(ranges[:j]) for j in range(dims)]
    strides = torch.tensor([*steps, 0], device=base.device)
    nearest = image[:, 0] + ((base[:, :dims] - low) * strides[:dims]).sum(1)
    keys = []
    for corner in range(corners):
        passed = (rank >= corners - corner).long() * corners
        keys.append(nearest + ((corner - passed) * strides).sum(1))
    return torch.stack(keys, 1), strides


def _neighbours(vertices: Tensor, strides: Tensor) -> Tensor:
    """(d + 1, 2, M): of each direction the vertices before and after, M where there is none."""
    steps = strides.sum() - len(strides) * strides
    found = []
    for step in torch.stack([-steps, steps], 1).ravel():
        wanted = vertices + step
        place = torch.searchsorted(vertices, wanted).clamp_(max=len(vertices) - 1)
        found.append(torch.where(vertices[place] == wanted, place, len(vertices)))
    return torch.stack(found).reshape(len(strides), 2, -1)
