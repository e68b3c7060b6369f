"""Convolution, its transpose and inner product.

Mirrors `base_conv_layer.cpp`, `conv_layer.cpp`, `deconv_layer.cpp`, `inner_product_layer.cpp`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from ..blob import Blob
from .base import MANY, Shape, TensorLayer, register

_CONVOLVE = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


@register("Convolution")
class Convolution(TensorLayer):
    """N-D cross-correlation with zero padding, dilation (atrous convolution) and groups.

    Bottoms (N, C, spatial…), all of one shape and through the same weights; tops (N, num_output, spatial…) with
    size floor((in + 2 pad − (dilation (k − 1) + 1)) / stride) + 1. Blobs: weight (num_output, C / group, k…),
    bias (num_output). One to three spatial axes. The default filler is constant 0, for weights too.
    """

    bottoms = (1, MANY)
    tops = (1, MANY)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.convolution_param
        if len(bottom) != len(top):
            self.fail(f"has {len(bottom)} bottoms and {len(top)} tops, wanted as many of one as of the other")
        dims = len(bottom[0].shape)
        self.channel_axis = self.axis(p.axis, dims)
        self.spatial = dims - self.channel_axis - 1
        if self.spatial not in _CONVOLVE:
            self.fail(f"bottom {bottom[0].shape} has {self.spatial} spatial axes after axis {p.axis}, wanted 1 to 3")
        self.kernel = self._sizes("kernel_size", "kernel", None)
        self.stride = self._sizes("stride", "stride", 1)
        self.pad = self._sizes("pad", "pad", 0)
        self.dilation = self._sizes("dilation", "", 1)
        channels = bottom[0].shape[self.channel_axis]
        if p.group < 1:
            self.fail("group is 0, wanted a positive number")
        for what, count in (("input channels", channels), ("outputs (num_output)", p.num_output)):
            if count % p.group:
                self.fail(f"{count} {what} do not divide into {p.group} groups")
        if p.num_output == 0:
            self.fail("num_output is 0 or not stated, wanted a positive number")
        self.channels = channels
        self.add_param(0, self._weight_shape(p.num_output, p.group), p.weight_filler)
        if p.bias_term:
            self.add_param(1, (p.num_output,), p.bias_filler)

    def _weight_shape(self, outputs: int, group: int) -> Shape:
        return (outputs, self.channels // group, *self.kernel)

    def _sizes(self, field: str, stem: str, default: int | None) -> tuple[int, ...]:
        """Kernel, stride, pad or dilation of every spatial axis."""
        p = self.param.convolution_param
        stated = list(getattr(p, field))
        if stem and (p.HasField(f"{stem}_h") or p.HasField(f"{stem}_w")):
            if stated:
                self.fail(f"states both {field} and {stem}_h/{stem}_w")
            if self.spatial != 2:
                self.fail(f"{stem}_h/{stem}_w go with 2 spatial axes, the bottom has {self.spatial}")
            sizes: tuple[int, ...] = (getattr(p, f"{stem}_h"), getattr(p, f"{stem}_w"))
        elif len(stated) == 1:
            sizes = (stated[0],) * self.spatial
        elif not stated and default is not None:
            sizes = (default,) * self.spatial
        elif len(stated) == self.spatial:
            sizes = tuple(stated)
        else:
            self.fail(f"states {field} {len(stated)} times, wanted once, or once for each of {self.spatial} axes")
        if default != 0 and min(sizes) < 1:
            self.fail(f"{field} is {sizes}, wanted positive numbers")
        return sizes

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        first = bottoms[0]
        if any(b != first for b in bottoms):
            self.fail(f"bottoms of different shapes: {bottoms}")
        if len(first) != self.channel_axis + 1 + self.spatial or first[self.channel_axis] != self.channels:
            self.fail(f"bottom {first} does not fit weights for {self.channels} input channels")
        axes = zip(first[self.channel_axis + 1 :], self.kernel, self.stride, self.pad, self.dilation, strict=True)
        sizes = [self._out_size(first, size, d * (k - 1) + 1, s, p) for size, k, s, p, d in axes]
        return [(*first[: self.channel_axis], self.param.convolution_param.num_output, *sizes)] * len(bottoms)

    def _out_size(self, bottom: Shape, size: int, span: int, stride: int, pad: int) -> int:
        if size + 2 * pad < span:
            self.fail(f"bottom {bottom} with pad {pad} is smaller than the kernel's span of {span}")
        return (size + 2 * pad - span) // stride + 1

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        bias = params[1] if len(params) > 1 else None
        group = self.param.convolution_param.group
        results = []
        for x in bottoms:
            batch = x.shape[: self.channel_axis]
            flat = x if len(batch) == 1 else x.reshape(-1, *x.shape[self.channel_axis :])
            if flat.dim() == 4 and flat.device.type == "cpu":
                # Whatever follows inherits the layout; convolution and pooling are up to several times faster in it.
                flat = flat.contiguous(memory_format=torch.channels_last)
            y = self._convolve(flat, params[0], bias, group)
            results.append(y if len(batch) == 1 else y.reshape(*batch, *y.shape[1:]))
        return results

    def _convolve(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, group: int) -> torch.Tensor:
        return _CONVOLVE[self.spatial](x, weight, bias, self.stride, self.pad, self.dilation, group)


@register("Deconvolution")
class Deconvolution(Convolution):
    """The transpose of Convolution, with its parameters: upsampling by `stride`, summing what overlaps.

    Bottoms (N, C, spatial…); tops (N, num_output, spatial…) with size stride (in − 1) + dilation (k − 1) + 1 − 2 pad.
    Blobs: weight (C, num_output / group, k…), bias (num_output).
    """

    def _weight_shape(self, outputs: int, group: int) -> Shape:
        return (self.channels, outputs // group, *self.kernel)

    def _out_size(self, bottom: Shape, size: int, span: int, stride: int, pad: int) -> int:
        out = stride * (size - 1) + span - 2 * pad
        if out < 1:
            self.fail(f"of bottom {bottom} nothing is left: an axis of {size} becomes {out}, as pad {pad} cuts it")
        return out

    def _convolve(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, group: int) -> torch.Tensor:
        return _TRANSPOSED[self.spatial](x, weight, bias, self.stride, self.pad, 0, group, self.dilation)


@register("InnerProduct")
class InnerProduct(TensorLayer):
    """Fully connected: y = x Wᵀ + b over all axes from `axis` on. Blobs: weight (N, K), or (K, N) with `transpose`;
    bias (N)."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.inner_product_param
        if p.num_output == 0:
            self.fail("num_output is 0 or not stated, wanted a positive number")
        self.split = self.axis(p.axis, len(bottom[0].shape))
        self.inputs = math.prod(bottom[0].shape[self.split :])
        shape = (self.inputs, p.num_output) if p.transpose else (p.num_output, self.inputs)
        self.add_param(0, shape, p.weight_filler)
        if p.bias_term:
            self.add_param(1, (p.num_output,), p.bias_filler)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        inputs = math.prod(bottoms[0][self.split :])
        if inputs != self.inputs:
            self.fail(f"bottom {bottoms[0]} gives {inputs} inputs, the weights are for {self.inputs}")
        return [(*bottoms[0][: self.split], self.param.inner_product_param.num_output)]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        weight = params[0].t() if self.param.inner_product_param.transpose else params[0]
        return [F.linear(bottoms[0].flatten(self.split), weight, params[1] if len(params) > 1 else None)]
