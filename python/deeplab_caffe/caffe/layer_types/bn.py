"""Batch normalization with scale and shift in one layer: PSPNet's, and SegNet's of the same name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from ...arrays import Shape
from ...formats import schema
from ..blob import Blob
from .base import TensorLayer, register
from .normalization import standardised

_SEGNET_FIELDS = ("bn_mode", "scale_filler", "shift_filler")
_PSPNET_FIELDS = ("slope_filler", "bias_filler", "momentum", "frozen")
_SEGNET_EPS = 1e-9


@register("BN")
class BN(TensorLayer):
    """y = slope (x − mean) / √(variance + eps) + bias, for each channel of (N, C, …).

    PSPNet: blobs slope, bias, mean, variance (1, C, 1, 1). In TEST, or `frozen`, the stored statistics; in TRAIN the
    batch's, which also update the stored ones: momentum · stored + (1 − momentum) · batch, with the biased variance.
    They start at mean 0 and variance 1, slope and bias at 1 and 0 without a filler, and are not learned.
    SegNet (bn_mode, scale_filler or shift_filler stated): blobs scale and shift (1, C, 1, 1). LEARN uses the batch's
    statistics in both phases, INFERENCE none: scale and shift then contain them. eps is 1e-9 unless stated.
    """

    stateful = True
    any_precision = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.bn_param
        segnet, pspnet = ([f for f in fields if p.HasField(f)] for fields in (_SEGNET_FIELDS, _PSPNET_FIELDS))
        if segnet and pspnet:
            self.fail(f"states {segnet[0]}, which is SegNet's, and {pspnet[0]}, which is PSPNet's")
        if not p.eps >= 0:
            self.fail(f"eps is {p.eps:g}, wanted 0 or more")
        if len(bottom[0].shape) < 2:
            self.fail(f"bottom {bottom[0].shape} has no channel axis")
        self.segnet = bool(segnet)
        self.channels = bottom[0].shape[1]
        self.eps = _SEGNET_EPS if self.segnet and not p.HasField("eps") else p.eps
        stems = ("scale", "shift") if self.segnet else ("slope", "bias")
        self._add(0, getattr(p, f"{stems[0]}_filler") if p.HasField(f"{stems[0]}_filler") else 1.0)
        self._add(1, getattr(p, f"{stems[1]}_filler") if p.HasField(f"{stems[1]}_filler") else 0.0)
        if not self.segnet:
            self._add(2, 0.0)
            self._add(3, 1.0)
            self._fix_learning_rates()

    def _add(self, index: int, filler: Any) -> None:
        filler = schema.FillerParameter(value=filler) if isinstance(filler, float) else filler
        self.add_param(index, (1, self.channels, 1, 1), filler)

    def _fix_learning_rates(self) -> None:
        """The statistics are not learned: lr_mult 0, stated or not."""
        stated = self.param.param
        while len(stated) < 4:
            stated.add(**({} if len(stated) < 2 else {"lr_mult": 0}))
        if any(stated[i].lr_mult for i in (2, 3)):
            self.fail("the statistics (parameters 2 and 3) are not learned by gradient: state lr_mult: 0 for them")

    @property
    def by_batch(self) -> bool:
        """Whether the batch's own statistics are used; with given ones the layer is a factor and a shift."""
        p = self.param.bn_param
        return p.bn_mode != p.INFERENCE if self.segnet else not (p.frozen or self.phase == schema.TEST)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        if bottoms[0][1:2] != (self.channels,):
            self.fail(f"bottom {bottoms[0]} does not have the {self.channels} channels of the parameters")
        return [bottoms[0]]

    def multiply_adds(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> int:
        return sum(map(math.prod, tops))

    @property
    def is_affine(self) -> bool:
        return not self.by_batch

    def factor_and_shift(self, *params: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        scale, shift, *stored = (values.reshape(-1) for values in params)
        if not stored:
            return scale, shift
        factor, centre = standardised(stored[0], stored[1], self.eps)
        return scale * factor, scale * centre + shift

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        p, x = self.param.bn_param, bottoms[0]
        scale, shift, *stored = (blob.reshape(-1) for blob in params)
        if not self.by_batch and self.segnet:
            return [F.batch_norm(x, torch.zeros_like(scale), torch.ones_like(scale), scale, shift, eps=0.0)]
        if not self.by_batch:
            return [F.batch_norm(x, stored[0].detach(), stored[1].detach(), scale, shift, eps=self.eps)]
        y, *batch = self._by_batch(x, scale, shift)
        if stored:
            with torch.no_grad():
                for blob, value in zip(stored, batch, strict=True):
                    blob.detach().mul_(p.momentum).add_(value, alpha=1 - p.momentum)
        return [y]

    def _by_batch(self, x: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The top, and the batch's mean and biased variance."""
        mean, variance = torch.zeros_like(scale.detach()), torch.zeros_like(scale.detach())
        count = x.numel() // self.channels
        if count == 1:  # one value for each channel is its own mean
            y = (x - x).reshape(1, -1) * scale + shift
            return y.reshape(x.shape), x.detach().reshape(-1), variance
        # momentum 1 puts the batch's mean and unbiased variance into the two buffers
        eps = max(self.eps, torch.finfo(torch.float32).tiny)  # PyTorch refuses 0 here
        y = F.batch_norm(x, mean, variance, scale, shift, training=True, momentum=1, eps=eps)
        return y, mean, variance * ((count - 1) / count)
