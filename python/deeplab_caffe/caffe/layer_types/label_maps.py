"""Label maps and label lists of DeepLab v1, and its relative error.

Mirrors `censor_label_layer.cpp`, `dominant_channel_layer.cpp`, `histogram_layer.cpp`, `ignore_overlay_layer.cpp`,
`onehot_layer.cpp` and `relative_error_layer.cpp` of DeepLab v1. None of them has a gradient.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ...arrays import Shape
from ..blob import Blob
from .base import TensorLayer, register
from .label_check import check_labels
from .score_maps import check_maps


@register("CensorLabel")
class CensorLabel(TensorLayer):
    """Label map (N, 1, H, W), its labels that are not in the item's list (N, L, 1, 1) made ignore_label."""

    bottoms = (2, 2)
    no_gradient = (0, 1)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not self.param.censor_label_param.HasField("ignore_label"):
            self.fail("ignore_label is missing")

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        labels, listed = bottoms
        if len(labels) != 4 or labels[1] != 1 or listed != (labels[0], *listed[1:2], 1, 1):
            self.fail(f"map {labels} and list {listed}, wanted (N, 1, H, W) and (N, L, 1, 1)")
        return [labels]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        labels, listed = (b.detach() for b in bottoms)
        kept = (labels == listed).any(1, keepdim=True)
        return [labels.masked_fill(~kept, self.param.censor_label_param.ignore_label)]


@register("DominantChannel")
class DominantChannel(TensorLayer):
    """Scores (N, C, H, W) to the top_k channels (N, top_k, 1, 1) that are largest at the most pixels.

    Of channels that are largest equally often the one that is second largest more often comes first, and so on; of
    equals the lower one.
    """

    no_gradient = (0,)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        check_maps(self, bottoms[0])
        top_k = self.param.dominant_channel_param.top_k
        if not 0 < top_k < bottoms[0][1]:
            self.fail(f"top_k is {top_k}, wanted 1 to {bottoms[0][1] - 1}, less than the number of channels")
        return [(bottoms[0][0], top_k, 1, 1)]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        scores = bottoms[0].detach().flatten(2)
        order = scores.sort(dim=1, descending=True, stable=True).indices
        # (N, rank, channel): at how many pixels the channel has this rank
        counts = torch.zeros(*scores.shape[:2], scores.shape[1], dtype=torch.int64, device=scores.device)
        counts.scatter_add_(2, order, torch.ones_like(order))
        shape = self.top_shapes(tuple(bottoms[0].shape))[0]
        ranked = [_ranked(item, shape[1]) for item in counts.movedim(1, 2).tolist()]
        return [scores.new_tensor(ranked).reshape(shape)]


def _ranked(counts: list[list[int]], top_k: int) -> list[int]:
    """The channels with the most first places, of these with the most second places, and so on."""
    return sorted(range(len(counts)), key=lambda channel: [-count for count in counts[channel]])[:top_k]


@register("Histogram")
class Histogram(TensorLayer):
    """Labels (N, …) to how often each of num_labels occurs in an item (N, num_labels, 1, 1), without ignore_label.

    DeepLab v1 adds the counts of all items into the first item's row; here every item has its own.
    """

    no_gradient = (0,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.param.histogram_param.num_labels < 1:
            self.fail("num_labels is 0 or not stated, wanted a positive number")

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        return [(*bottoms[0][:1], self.param.histogram_param.num_labels, 1, 1)]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        p, count = self.param.histogram_param, self.param.histogram_param.num_labels
        labels = bottoms[0].detach().to(torch.int64).flatten(1)
        valid = check_labels(self, labels, count, p.ignore_label, labels.shape[0])
        histogram = bottoms[0].new_zeros(labels.shape[0], count)
        histogram.scatter_add_(1, torch.where(valid, labels, 0), valid.to(histogram.dtype))
        return [histogram[:, :, None, None]]


@register("IgnoreOverlay")
class IgnoreOverlay(TensorLayer):
    """The second of two label maps of one shape, with ignore_label wherever the first has it."""

    bottoms = (2, 2)
    no_gradient = (0, 1)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not self.param.ignore_overlay_param.HasField("ignore_label"):
            self.fail("ignore_label is missing")

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        if bottoms[0] != bottoms[1]:
            self.fail(f"bottoms of different shapes: {bottoms}")
        return [bottoms[1]]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        ignored = self.param.ignore_overlay_param.ignore_label
        return [bottoms[1].detach().masked_fill(bottoms[0].detach() == ignored, ignored)]


@register("OneHot")
class OneHot(TensorLayer):
    """Lists of labels at each pixel (N, L, H, W) to maps (N, num_labels, H, W), 1 where the label is in the list.

    Entries of −1 are no label. DeepLab v1 requires num_labels ≤ L; here it is not required.
    """

    no_gradient = (0,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.param.onehot_param.num_labels < 1:
            self.fail("num_labels is 0 or not stated, wanted a positive number")

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        check_maps(self, bottoms[0])
        return [(bottoms[0][0], self.param.onehot_param.num_labels, *bottoms[0][2:])]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        count = self.param.onehot_param.num_labels
        labels = bottoms[0].detach().to(torch.int64)
        valid = check_labels(self, labels, count, [-1], labels.shape[0])
        # what is no label goes to a map of its own, which is dropped
        maps = bottoms[0].new_zeros(labels.shape[0], count + 1, *labels.shape[2:])
        return [maps.scatter_(1, torch.where(valid, labels, count), 1.0)[:, :count].contiguous()]


@register("RelativeError")
class RelativeError(TensorLayer):
    """√(mean (a − b)² / max(mean b², 1e-6)) of two bottoms of one size, as (1, 1, 1, 1)."""

    bottoms = (2, 2)
    no_gradient = (0, 1)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        if math.prod(bottoms[0]) != math.prod(bottoms[1]):
            self.fail(f"bottoms {bottoms[0]} and {bottoms[1]} differ in size")
        return [(1, 1, 1, 1)]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        a, b = (x.detach().flatten() for x in bottoms)
        error = (a - b).square().mean() / b.square().mean().clamp(min=1e-6)
        return [error.sqrt().reshape(1, 1, 1, 1)]
