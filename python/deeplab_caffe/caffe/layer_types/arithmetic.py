"""Layers that combine blobs. Mirrors `eltwise_layer.cpp`, `concat_layer.cpp`, `split_layer.cpp`, `silence_layer.cpp`,
`argmax_layer.cpp`, and SENet's `axpy_layer.cpp`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce

import torch

from ...arrays import Shape
from .. import mode
from ..blob import Blob
from .base import MANY, Layer, TensorLayer, register
from .sharing import SharingLayer

_PROD, _SUM, _MAX = 0, 1, 2


@register("Eltwise")
class Eltwise(TensorLayer):
    """Sum (with coefficients), product or maximum of bottoms of one shape.

    A tie of the maximum's first two bottoms goes to the second, a later bottom wins only if it is greater: the
    gradient goes to the winner alone.
    """

    bottoms = (2, MANY)
    any_precision = True
    not_in_place = ": Caffe clears the top first and gets wrong sums"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.eltwise_param
        if len(p.coeff) not in (0, len(bottom)):
            self.fail(f"states {len(p.coeff)} coefficients for {len(bottom)} bottoms")
        if p.operation == _PROD and p.coeff:
            self.fail("coefficients are not supported with PROD")

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        if any(b != bottoms[0] for b in bottoms):
            self.fail(f"bottoms of different shapes: {', '.join(map(str, bottoms))}")
        return [bottoms[0]]

    def multiply_adds(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> int:
        """One for each factor or coefficient."""
        p = self.param.eltwise_param
        if p.operation == _PROD:
            return math.prod(tops[0]) * (len(bottoms) - 1)
        return math.prod(tops[0]) * sum(c != 1 for c in p.coeff) if p.operation == _SUM else 0

    def kept_beside(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        """Of the maximum which bottom won, a byte for each."""
        return (len(bottom) - 1) * top[0].count if self.param.eltwise_param.operation == _MAX else 0

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        p = self.param.eltwise_param
        if p.operation == _SUM:
            if p.coeff:
                bottoms = [x if c == 1 else x * c for x, c in zip(bottoms, p.coeff, strict=True)]
            return [reduce(torch.add, bottoms)]
        if p.operation == _PROD:
            # With stable_prod_grad false Caffe divides the product by each factor: the same, or NaN at zeros.
            return [reduce(torch.mul, bottoms)]
        first = torch.where(bottoms[0] > bottoms[1], bottoms[0], bottoms[1])
        return [reduce(lambda best, x: torch.where(x > best, x, best), bottoms[2:], first)]


@register("Axpy")
class Axpy(TensorLayer):
    """a · x + y: SENet's sum of a shortcut y and a branch x, each channel of which has its factor a.

    Bottoms: a (N, C) or (N, C, 1, 1), x (N, C, H, W), y like x. Mirrors `axpy_layer.cpp` of SENet.
    """

    bottoms = (3, 3)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        a, x, y = bottoms
        if x != y or a[:2] != x[:2] or len(x) != 4 or math.prod(a[2:]) != 1:
            self.fail(f"bottoms {a}, {x} and {y}, wanted (N, C) or (N, C, 1, 1), and two of (N, C, H, W)")
        return [x]

    def multiply_adds(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> int:
        return math.prod(tops[0])

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        a, x, y = bottoms
        return [a.reshape(*x.shape[:2], 1, 1) * x + y]


@register("Concat")
class Concat(SharingLayer):
    """Bottoms one after another along `axis` (default 1); all other sizes equal. One bottom shares its memory."""

    bottoms = (1, MANY)
    any_precision = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.concat_param
        if p.HasField("axis") and p.HasField("concat_dim"):
            self.fail("states both axis and concat_dim")
        stated = p.concat_dim if p.HasField("concat_dim") else p.axis
        self.at = self.axis(stated, len(bottom[0].shape))

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        rest = {(*b[: self.at], *b[self.at + 1 :]) for b in bottoms}
        if len(rest) > 1 or len({len(b) for b in bottoms}) > 1:
            self.fail(f"bottoms {', '.join(map(str, bottoms))} differ outside axis {self.at}")
        first = bottoms[0]
        return [(*first[: self.at], sum(b[self.at] for b in bottoms), *first[self.at + 1 :])]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        return [torch.cat(bottoms, self.at)] if len(bottoms) > 1 else [bottoms[0]]


@register("Split")
class Split(Layer):
    """The bottom under several names, sharing its memory; the gradient is the sum of the tops' gradients."""

    tops = (1, MANY)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for blob in top:
            blob.reshape(*bottom[0].shape)
            blob.share_data(bottom[0])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        pass

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            used = [b.diff_tensor() for b in top if not b.diff_memory.blank]
            total = reduce(torch.add, used) if used else torch.zeros(bottom[0].shape, device=mode.device())
            bottom[0].set_diff(total.clone() if len(used) == 1 else total)


@register("Silence")
class Silence(TensorLayer):
    """Takes its bottoms, so that they are not outputs of the net; their gradient is zero."""

    bottoms = (1, MANY)
    tops = (0, 0)
    any_precision = True

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        return []

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        return []


@register("ArgMax")
class ArgMax(TensorLayer):
    """Indices (or values) of the `top_k` largest entries, of an axis or of each whole item.

    With `axis` that axis becomes top_k long and holds indices, or values with `out_max_val`. Without, the top is
    (N, 1, top_k), or (N, 2, top_k) with indices and values. Of equal values the higher index comes first.
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.argmax_param
        shape = bottom[0].shape
        self.at = self.axis(p.axis, len(shape)) if p.HasField("axis") else None
        searched = shape[self.at] if self.at is not None else math.prod(shape[1:])
        if not 1 <= p.top_k <= searched:
            self.fail(f"top_k is {p.top_k}, wanted 1 to {searched}, the number of values searched")

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        p, shape = self.param.argmax_param, bottoms[0]
        searched = shape[self.at] if self.at is not None else math.prod(shape[1:])
        if p.top_k > searched:
            self.fail(f"top_k is {p.top_k}, but bottom {shape} has {searched} values to search")
        if self.at is not None:
            return [(*shape[: self.at], p.top_k, *shape[self.at + 1 :])]
        return [(shape[0], 2 if p.out_max_val else 1, p.top_k, *(1,) * (len(shape) - 3))]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        p = self.param.argmax_param
        at = 1 if self.at is None else self.at
        x = bottoms[0].detach()
        values, index = top_k(x.reshape(x.shape[0], -1) if self.at is None else x, p.top_k, at)
        if self.at is not None:
            return [values if p.out_max_val else index.to(x.dtype)]
        parts = [index.to(x.dtype)] + ([values] if p.out_max_val else [])
        return [torch.stack(parts, 1).view(self.top_shapes(tuple(x.shape))[0])]


def top_k(x: torch.Tensor, k: int, axis: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The k largest values along an axis and their indices, descending; of equal values the higher index first."""
    flipped = x.flip(axis)
    if k == 1:
        values, index = flipped.max(axis, keepdim=True)
    else:
        values, index = (t.narrow(axis, 0, k) for t in flipped.sort(dim=axis, descending=True, stable=True))
    return values, x.shape[axis] - 1 - index
