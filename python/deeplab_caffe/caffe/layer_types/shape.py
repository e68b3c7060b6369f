"""Layers that reshape, cut, repeat or select. Mirrors `reshape_layer.cpp`, `flatten_layer.cpp`, `slice_layer.cpp`,
`crop_layer.cpp`, `tile_layer.cpp`, `batch_reindex_layer.cpp`, `filter_layer.cpp`, `reduction_layer.cpp`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ...arrays import Shape
from ..blob import Blob
from .base import MANY, TensorLayer, register
from .label_check import check_indices
from .reach import SAME_PLACE, Reaches, WindowReach
from .sharing import SharingLayer


@register("Reshape")
class Reshape(SharingLayer):
    """The bottom in another shape, sharing its memory.

    The axes [axis, axis + num_axes) are replaced by `shape`: a dim of 0 copies the bottom's at that place, one of
    −1 is inferred. A negative `axis` counts from behind the last: axis −1 with num_axes 0 appends.
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.reshape_param
        if list(p.shape.dim).count(-1) > 1 or any(d < -1 for d in p.shape.dim):
            self.fail(f"shape states dims {list(p.shape.dim)}, wanted sizes, 0 (copy), and -1 (infer) at most once")
        if p.num_axes < -1:
            self.fail(f"num_axes is {p.num_axes}, wanted -1 (all that follow) or more")

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        p, shape = self.param.reshape_param, bottoms[0]
        start = self.axis(p.axis, len(shape) + 1)
        end = len(shape) if p.num_axes == -1 else start + p.num_axes
        if end > len(shape):
            self.fail(f"num_axes {p.num_axes} from axis {start} reaches past the end of bottom {shape}")
        dims = list(p.shape.dim)
        for i, dim in enumerate(dims):
            if dim == 0:
                if start + i >= len(shape):
                    self.fail(f"dim {i} is 0 (copy), but bottom {shape} has no axis {start + i}")
                dims[i] = shape[start + i]
        if -1 in dims:
            i = dims.index(-1)
            known = math.prod(shape[:start] + shape[end:]) * math.prod(dims[:i] + dims[i + 1 :])
            if known == 0 or math.prod(shape) % known:
                self.fail(f"the {math.prod(shape)} elements of bottom {shape} do not divide by {known} to infer dim -1")
            dims[i] = math.prod(shape) // known
        result = (*shape[:start], *dims, *shape[end:])
        if math.prod(result) != math.prod(shape):
            self.fail(f"bottom {shape} of {math.prod(shape)} elements cannot become {result} of {math.prod(result)}")
        return [result]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        return [bottoms[0].reshape(self.top_shapes(tuple(bottoms[0].shape))[0])]


@register("Flatten")
class Flatten(SharingLayer):
    """The axes `axis` (default 1) to `end_axis` (−1), both included, as one; the top shares the bottom's memory."""

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        p, shape = self.param.flatten_param, bottoms[0]
        start, end = self.axis(p.axis, len(shape)), self.axis(p.end_axis, len(shape), "end_axis") + 1
        if start > end:
            self.fail(f"axis {p.axis} comes after end_axis {p.end_axis} of bottom {shape}")
        return [(*shape[:start], math.prod(shape[start:end]), *shape[end:])]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        return [bottoms[0].reshape(self.top_shapes(tuple(bottoms[0].shape))[0])]


@register("Slice")
class Slice(SharingLayer):
    """The bottom cut along `axis` (default 1) at the `slice_point`s, or into equal pieces; one top shares memory."""

    tops = (1, MANY)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.slice_param
        if p.HasField("axis") and p.HasField("slice_dim"):
            self.fail("states both axis and slice_dim")
        self.at = self.axis(p.slice_dim if p.HasField("slice_dim") else p.axis, len(bottom[0].shape))
        if len(p.slice_point) not in (0, len(top) - 1):
            self.fail(f"states {len(p.slice_point)} slice points for {len(top)} tops, wanted none or {len(top) - 1}")

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        shape = bottoms[0]
        return [(*shape[: self.at], size, *shape[self.at + 1 :]) for size in self._sizes(shape)]

    def _sizes(self, shape: Shape) -> list[int]:
        points, count = list(self.param.slice_param.slice_point), len(self.param.top)
        if len(shape) <= self.at:
            self.fail(f"bottom {shape} has no axis {self.at}")
        size = shape[self.at]
        if points:
            edges = [0, *points, size]
            if any(a >= b for a, b in zip(edges, edges[1:], strict=False)):
                self.fail(f"slice points {points} must rise from above 0 to below {size}, the size of axis {self.at}")
            return [b - a for a, b in zip(edges, edges[1:], strict=False)]
        if size % count or size == 0:
            self.fail(f"axis {self.at} of bottom {shape} does not divide into {count} tops; state slice_point")
        return [size // count] * count

    def window_reach(self, top: int, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Reaches | None:
        offset = WindowReach(pad=-sum(shape[self.at] for shape in tops[:top]))
        return (offset if self.at == 2 else SAME_PLACE), (offset if self.at == 3 else SAME_PLACE)

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        return list(bottoms[0].split(self._sizes(tuple(bottoms[0].shape)), self.at))


@register("Crop")
class Crop(TensorLayer):
    """The window of bottom 0 that has bottom 1's sizes from `axis` (default 2) on, beginning at `offset`.

    `offset`: none (0), one for all axes, or one for each. The second bottom gives its shape only.
    """

    bottoms = (2, 2)
    shape_only = (1,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.at = self.axis(self.param.crop_param.axis, len(bottom[0].shape))
        cropped = len(bottom[0].shape) - self.at
        stated = list(self.param.crop_param.offset)
        if len(stated) not in (0, 1, cropped):
            self.fail(f"states {len(stated)} offsets, wanted none, one, or one for each of the {cropped} axes")
        self.offset = stated if len(stated) == cropped else (stated or [0]) * cropped

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        shape, wanted = bottoms
        if len(wanted) < len(shape):
            self.fail(f"bottom {wanted}, which states the size, has fewer axes than {shape}")
        for axis, offset in enumerate(self.offset, self.at):
            if offset + wanted[axis] > shape[axis]:
                self.fail(f"offset {offset} and size {wanted[axis]} reach past axis {axis} of bottom {shape}")
        return [(*shape[: self.at], *wanted[self.at : len(shape)])]

    def window_reach(self, top: int, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Reaches | None:
        offsets = dict(enumerate(self.offset, self.at))
        return WindowReach(pad=-offsets.get(2, 0)), WindowReach(pad=-offsets.get(3, 0))

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        x = bottoms[0]
        for axis, offset in enumerate(self.offset, self.at):
            x = x.narrow(axis, offset, bottoms[1].shape[axis])
        return [x]


@register("Tile")
class Tile(TensorLayer):
    """The bottom `tiles` times one after another along `axis` (default 1)."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.at = self.axis(self.param.tile_param.axis, len(bottom[0].shape))
        if self.param.tile_param.tiles < 1:
            self.fail(f"tiles is {self.param.tile_param.tiles} or not stated, wanted a positive number")

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        shape = bottoms[0]
        return [(*shape[: self.at], shape[self.at] * self.param.tile_param.tiles, *shape[self.at + 1 :])]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        return [torch.cat([bottoms[0]] * self.param.tile_param.tiles, self.at)]


@register("BatchReindex")
class BatchReindex(TensorLayer):
    """The items of bottom 0 that the indices in bottom 1 (one axis) name, in that order, repeated or left out."""

    bottoms = (2, 2)
    no_gradient = (1,)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        shape, indices = bottoms
        if len(indices) != 1 or not shape:
            self.fail(f"bottoms {shape} and {indices}, wanted (N, …) and indices of one axis")
        return [(indices[0], *shape[1:])]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        items = bottoms[0].shape[0]
        index = check_indices(
            self,
            bottoms[1].detach().to(torch.int64),
            items,
            lambda first, *_: f"index {first} is not within the {items} items, 0 to {items - 1}",
        )
        return [bottoms[0].index_select(0, index)]


@register("Filter")
class Filter(TensorLayer):
    """The items of each bottom but the last whose entry in the last, the selector (N, 1, …), is not 0.

    When the net is set up the tops have all N items, as nothing was selected yet; later, as many as are selected.
    """

    bottoms = (2, MANY)
    tops = (1, MANY)
    no_gradient = (-1,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(top) != len(bottom) - 1:
            self.fail(f"has {len(bottom)} bottoms and {len(top)} tops, wanted one bottom, the selector, more than tops")
        self._fresh = True
        self._selected: torch.Tensor | None = None

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not self._fresh:
            self._selected = bottom[-1].data_tensor().detach().reshape(-1).nonzero().squeeze(1)
        self._fresh = False
        super().reshape(bottom, top)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        *items, selector = bottoms
        if math.prod(selector) != (*selector, 0)[0]:
            self.fail(f"the selector {selector} must have one entry for each item, (N, 1, …)")
        if any(shape[:1] != selector[:1] for shape in items):
            self.fail(f"bottoms {', '.join(map(str, items))} and the selector {selector} differ in the number of items")
        count = selector[0] if self._selected is None else len(self._selected)
        return [(count, *shape[1:]) for shape in items]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        index = self._selected
        if index is None:
            index = bottoms[-1].detach().reshape(-1).nonzero().squeeze(1)
        return [x.index_select(0, index) for x in bottoms[:-1]]


_ASUM, _SUMSQ, _MEAN = 2, 3, 4


@register("Reduction")
class Reduction(TensorLayer):
    """SUM, ASUM (of |x|), SUMSQ (of x²) or MEAN over all axes from `axis` (default 0) on, times `coeff`."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.at = self.axis(self.param.reduction_param.axis, len(bottom[0].shape))

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        return [bottoms[0][: self.at]]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        p, x = self.param.reduction_param, bottoms[0]
        count = math.prod(x.shape[self.at :])
        terms = x.abs() if p.operation == _ASUM else x * x if p.operation == _SUMSQ else x
        total = terms.sum(tuple(range(self.at, x.dim())))
        return [total * (p.coeff / max(count, 1) if p.operation == _MEAN else p.coeff)]
