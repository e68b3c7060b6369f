"""Training from weak labels: lists of the labels in an image, and biases for them.

Mirrors `unique_label_layer.cpp`, `bias_channel_layer.cpp` and `adaptive_bias_channel_layer.cpp` of DeepLab.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ...arrays import Shape
from .. import mode
from ..blob import Blob
from .base import TensorLayer, register
from .gradientless import SilentLayer
from .label_check import check_labels

#: fills up a list of labels
_NO_LABEL = -1
_PIXEL = 2


@register("UniqueLabel")
class UniqueLabel(TensorLayer):
    """Label maps (N, 1, H, W) to lists (N, max_labels, 1, 1) of the labels in each, ascending, filled up with −1.

    ignore_label is left out; force_label is always put in, even if ignored. Raises InputError for a map with more
    labels than max_labels.
    """

    no_gradient = (0,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.unique_label_param
        if not p.HasField("max_labels"):
            self.fail("max_labels is missing")
        self.forced = sorted(set(p.force_label))
        if p.max_labels <= len(self.forced):
            self.fail(f"max_labels is {p.max_labels}, wanted more than the {len(self.forced)} forced labels")

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        if len(bottoms[0]) != 4 or bottoms[0][1] != 1:
            self.fail(f"bottom {bottoms[0]}, wanted label maps (N, 1, H, W)")
        return [(bottoms[0][0], self.param.unique_label_param.max_labels, 1, 1)]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        p, maps = self.param.unique_label_param, bottoms[0].detach()
        lists = maps.new_full(self.top_shapes(tuple(maps.shape))[0], _NO_LABEL)
        ignored, forced = maps.new_tensor(list(p.ignore_label)), maps.new_tensor(self.forced)
        for i, labels in enumerate(maps):
            found = labels.unique()
            found = torch.cat([found[~torch.isin(found, ignored)], forced]).unique()
            if len(found) > p.max_labels:
                some = ", ".join(f"{v:g}" for v in found[:10].tolist())
                self.fail(f"item {i} has {len(found)} labels ({some}, …), more than max_labels: {p.max_labels}")
            lists[i, : len(found), 0, 0] = found
        return [lists]


def _check_shapes(layer: TensorLayer, scores: Shape, labels: Shape, per_pixel: bool) -> list[Shape]:
    if len(scores) != 4:
        layer.fail(f"scores {scores}, wanted (N, C, H, W)")
    if per_pixel and labels != (scores[0], 1, *scores[2:]):
        layer.fail(f"labels {labels} for scores {scores}, wanted {(scores[0], 1, *scores[2:])}, a map for each item")
    if not per_pixel and (labels[:1] != scores[:1] or len(labels) < 2 or any(d != 1 for d in labels[2:])):
        layer.fail(f"labels {labels} for scores {scores}, wanted ({scores[0]}, L, 1, 1), a list for each item")
    return [scores]


@register("BiasChannel")
class BiasChannel(TensorLayer):
    """Scores (N, C, H, W) with constants added to the channels of labels: fg_bias, for background bg_bias.

    label_type IMAGE: labels (N, L, 1, 1), lists filled up with −1; every label in the list raises its whole channel
    (a second time if it stands there twice), background being 0. PIXEL: labels (N, 1, H, W); a pixel raises the
    channel of its label, and where background_label or bg_bias is stated that of the background at every pixel.
    """

    bottoms = (2, 2)
    no_gradient = (1,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.bias_channel_param
        for field in ("bg_bias", "fg_bias"):
            if not getattr(p, field) >= 0:
                self.fail(f"{field} is {getattr(p, field):g}, wanted 0 or more")
        self.per_pixel = p.label_type == _PIXEL
        self.background: int | None = 0
        if self.per_pixel:
            self.background = p.background_label if p.HasField("background_label") or p.HasField("bg_bias") else None

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        scores, labels = bottoms
        if self.background is not None and not 0 <= self.background < (scores[1:2] or (0,))[0]:
            self.fail(f"background_label is {self.background}, but scores {scores} have no such channel")
        return _check_shapes(self, scores, labels, self.per_pixel)

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        p, scores = self.param.bias_channel_param, bottoms[0]
        labels = bottoms[1].detach().to(torch.int64)
        valid = check_labels(self, labels, scores.shape[1], [_NO_LABEL, *p.ignore_label], scores.shape[0])
        labels = torch.where(valid, labels, 0)
        foreground = labels != (-1 if self.background is None else self.background)
        bias = torch.where(foreground, p.fg_bias, 0.0).to(scores.dtype) * valid
        if not self.per_pixel:
            bias += p.bg_bias * (valid & ~foreground)
            added = scores.new_zeros(scores.shape[:2]).scatter_add_(1, labels.flatten(1), bias.flatten(1))
            return [scores + added[:, :, None, None]]
        added = scores.new_zeros(scores.shape).scatter_add_(1, labels, bias)
        if self.background is not None:
            added[:, self.background] += p.bg_bias * valid[:, 0]
        return [scores + added]


@register("AdaptiveBiasChannel")
class AdaptiveBiasChannel(SilentLayer):
    """Scores (N, C, H, W) biased so that each label in an image's list (N, L, 1, 1) wins a share of its pixels.

    Labels that are not in the list are first pushed below those that are (suppress_others). Then num_iter times, in
    random order but background first, each label's channel is raised until it reaches the largest score at
    bg_portion or fg_portion of the pixels. At last all channels are shifted so that the mean of the largest score is
    what it was. A portion of 1 means all pixels. No gradient: the diffs of the bottoms are left as they are.
    """

    bottoms = (2, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.adaptive_bias_channel_param
        for field in ("bg_portion", "fg_portion"):
            if not 0 <= getattr(p, field) <= 1:
                self.fail(f"{field} is {getattr(p, field):g}, wanted 0 to 1")
        if p.num_iter < 0 or not p.margin_others >= 0:
            self.fail(f"num_iter is {p.num_iter} and margin_others {p.margin_others:g}, wanted 0 or more")

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        scores, labels = bottoms
        if scores[1:2] < (2,):
            self.fail(f"scores {scores}, wanted at least 2 channels")
        return _check_shapes(self, scores, labels, per_pixel=False)

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        scores = bottoms[0].detach().clone()
        labels = bottoms[1].detach().to(torch.int64).flatten(1)
        check_labels(self, labels, scores.shape[1], [_NO_LABEL], scores.shape[0])
        for item, listed in zip(scores, labels.cpu().tolist(), strict=True):
            present = sorted(label for label in listed if label != _NO_LABEL)
            if present:
                self._bias(item, present)
        return [scores]

    def _bias(self, scores: torch.Tensor, present: list[int]) -> None:
        """Change the scores (C, H, W) of one image in place."""
        p = self.param.adaptive_bias_channel_param
        own = scores[present]
        if p.suppress_others:
            lowest = own.amin(0)
            absent = [c for c in range(scores.shape[0]) if c not in present]
            others = scores[absent]
            scores[absent] = torch.where(others > lowest, lowest - p.margin_others, others)
        largest = own.amax(0)
        mean = largest.mean()
        for _ in range(p.num_iter):
            for label in _shuffled(present):
                lack = (largest - scores[label]).flatten()
                share = np.float32(p.fg_portion if label else p.bg_portion)
                rank = min(int(share * np.float32(lack.numel())), lack.numel() - 1)
                scores[label] += lack.kthvalue(rank + 1).values
                largest = torch.maximum(largest, scores[label])
        scores += mean - largest.mean()


def _shuffled(labels: list[int]) -> list[int]:
    """The labels in random order, background first."""
    first = 1 if labels[0] == 0 else 0
    order = torch.randperm(len(labels) - first, generator=mode.generator(torch.device("cpu")))
    return labels[:first] + [labels[first + i] for i in order.tolist()]
