"""Layers whose tops are learned values. Mirrors `embed_layer.cpp`, `parameter_layer.hpp`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from ...arrays import Shape
from ...formats import schema
from ..blob import Blob
from .base import Layer, TensorLayer, register
from .label_check import check_indices


@register("Embed")
class Embed(TensorLayer):
    """Row i of the weights for each index i in a bottom of any shape: (…) to (…, num_output).

    Blobs: weight (input_dim, num_output), bias (num_output) unless `bias_term` is false. Indices are truncated to
    integers and have no gradient.
    """

    no_gradient = (0,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.embed_param
        for field in ("num_output", "input_dim"):
            if getattr(p, field) == 0:
                self.fail(f"{field} is 0 or not stated, wanted a positive number")
        self.add_param(0, (p.input_dim, p.num_output), p.weight_filler)
        if p.bias_term:
            self.add_param(1, (p.num_output,), p.bias_filler)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        return [(*bottoms[0], self.param.embed_param.num_output)]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        rows = params[0].shape[0]
        index = check_indices(
            self,
            bottoms[0].detach().to(torch.int64),
            rows,
            lambda first, *_: f"index {first} is not within the input_dim {rows}, 0 to {rows - 1}",
        )
        y = F.embedding(index, params[0])
        return [y + params[1] if len(params) > 1 else y]


@register("Parameter")
class Parameter(Layer):
    """No bottom; the top is a parameter of the stated `shape`, sharing data and diff with it."""

    bottoms = (0, 0)
    tops = (1, 1)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.add_param(0, tuple(self.param.parameter_param.shape.dim), schema.FillerParameter())

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].reshape(*self.blobs[0].shape)
        top[0].share_data(self.blobs[0])
        top[0].share_diff(self.blobs[0])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        pass

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        pass
