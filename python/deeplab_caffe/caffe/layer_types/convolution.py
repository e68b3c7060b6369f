"""Convolution, its transpose and inner product.

Mirrors `base_conv_layer.cpp`, `conv_layer.cpp`, `deconv_layer.cpp`, `inner_product_layer.cpp`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from ...arrays import Shape
from ...formats import schema
from .. import mode
from ..blob import Blob
from .base import MANY, TensorLayer, register
from .window_layer import WindowLayer

_LARGE_MAP = 64 * 64  # pixels
_CONVOLVE = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


@register("Convolution")
class Convolution(WindowLayer):
    """N-D cross-correlation with zero padding, dilation (atrous convolution) and groups.

    Bottoms (N, C, spatial…), all of one shape and through the same weights; tops (N, num_output, spatial…) with
    size floor((in + 2 pad − (dilation (k − 1) + 1)) / stride) + 1. Blobs: weight (num_output, C / group, k…),
    bias (num_output). Any number of spatial axes, also none. The default filler is constant 0, for weights too.
    """

    bottoms = (1, MANY)
    tops = (1, MANY)
    any_precision = True
    takes_precision = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.convolution_param
        if len(bottom) != len(top):
            self.fail(f"has {len(bottom)} bottoms and {len(top)} tops, wanted equal numbers")
        self.read_windows(bottom[0].shape)
        if p.group < 1:
            self.fail("group is 0, wanted a positive number")
        if p.num_output == 0:
            self.fail("num_output is 0 or not stated, wanted a positive number")
        for what, count in (("input channels", self.channels), ("outputs (num_output)", p.num_output)):
            if count % p.group:
                self.fail(f"{count} {what} do not divide into {p.group} groups")
        self.add_param(0, self.weight_shape(p.num_output, p.group), p.weight_filler)
        rows = self.spatial == 2 and self._trains_in_rows(bottom[0].shape)
        if self.spatial == 2 and mode.device().type == "cpu" and self.fills and not rows:
            # The layout that they are computed in, and their gradient comes in; kept until the user wants a view.
            weight = self.blobs[0]
            weight.set_data(weight.data_tensor().contiguous(memory_format=torch.channels_last))
        if p.bias_term:
            self.add_param(1, (p.num_output,), p.bias_filler)

    def weight_shape(self, outputs: int, group: int) -> Shape:
        return (outputs, self.channels // group, *self.kernel)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        first = bottoms[0]
        if any(b != first for b in bottoms):
            self.fail(f"bottoms of different shapes: {bottoms}")
        self.check_bottom(first)
        outputs = self.param.convolution_param.num_output
        return [(*first[: self.channel_axis], outputs, *self.window_counts(first))] * len(bottoms)

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        dtype = self.precision or params[0].dtype
        weight, *bias = (p.to(dtype) for p in params)
        results = []
        for x in bottoms:
            batch = x.shape[: self.channel_axis]
            flat = x if len(batch) == 1 else x.reshape(-1, *x.shape[self.channel_axis :])
            y = self.convolve(flat.to(dtype), weight, bias[0] if bias else None)
            results.append(y if len(batch) == 1 else y.reshape(*batch, *y.shape[1:]))
        return results

    def multiply_adds(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> int:
        """Every element of a top is a sum over the weights of its output channel, padding included."""
        return sum(map(math.prod, tops)) * math.prod(self.blobs[0].shape[1:])

    def convolve(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """x (B, C, spatial…) to (B, num_output, spatial…)."""
        if self.spatial not in _CONVOLVE:
            return self._multiply(x, weight, bias)
        if x.dim() == 4 and (x.device.type == "cpu" or x.dtype == torch.bfloat16):
            # Whatever follows inherits the layout; convolution and pooling are up to several times faster in it.
            rows = x.dtype == torch.float32 and self._trains_in_rows(x.shape)
            layout = torch.contiguous_format if rows else torch.channels_last
            x, weight = x.contiguous(memory_format=layout), weight.contiguous(memory_format=layout)
        group = self.param.convolution_param.group
        function, weight, dilation = _CONVOLVE[self.spatial], self.added_up(weight), self.positive_dilation
        return function(self.filled(x), weight, bias, self.stride, self.pad, dilation, group)

    def _trains_in_rows(self, shape: Sequence[int]) -> bool:
        """Whether a bottom (N, C, H, W) on the CPU lies channel by channel: large maps in a TRAIN net, with AVX2.

        In channels_last the gradients of kernels beyond 1 × 1 take two to three times as long there; those of small
        maps do not, and with AVX-512 none do.
        """
        large = max(self.kernel) > 1 and math.prod(shape[2:]) >= _LARGE_MAP
        return large and self.phase == schema.TRAIN and torch.backends.cpu.get_cpu_capability() == "AVX2"

    def _multiply(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """The same as a product with the columns, for a number of spatial axes that PyTorch has no convolution for."""
        group, outputs = self.param.convolution_param.group, weight.shape[0]
        columns = self.columns(x).unflatten(1, (group, -1))
        y = torch.matmul(weight.reshape(group, outputs // group, -1), columns).flatten(1, 2)
        if bias is not None:
            y = y + bias.unsqueeze(1)
        return y.reshape(x.shape[0], outputs, *self.window_counts(tuple(x.shape)))


class _Depthwise(Convolution):
    """A Convolution of as many groups as there are channels, stated or not.

    Blobs: weight (C, 1, k…), bias (C). The number of groups is written into the layer's parameters.
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.convolution_param
        channels = bottom[0].shape[self.axis(p.axis, len(bottom[0].shape))]
        if p.num_output % max(channels, 1) or (p.HasField("group") and p.group not in (1, channels)):
            self.fail(
                f"num_output {p.num_output} and group {p.group} for {channels} channels; wanted num_output {channels}, "
                "and that group or none"
            )
        p.group = channels
        super().setup(bottom, top)


@register("ConvolutionDepthwise")
class ConvolutionDepthwise(_Depthwise):
    """Each channel with filters of its own: the name in the Caffes of ShuffleNet."""


@register("DepthwiseConvolution")
class DepthwiseConvolution(_Depthwise):
    """Each channel with filters of its own: the name in the Caffes of MobileNet."""


@register("DepthwiseConv")
class DepthwiseConv(_Depthwise):
    """Each channel with filters of its own: a third name."""


@register("Im2col")
class Im2col(WindowLayer):
    """The windows that a convolution would see: (N, C, spatial…) to (N, C · Πk, counts…), zeros in the padding."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.read_windows(bottom[0].shape)
        if self.spatial == 0:
            self.fail(f"bottom {bottom[0].shape} has no spatial axis after axis {self.channel_axis}")

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        shape = bottoms[0]
        self.check_bottom(shape)
        rows = self.channels * math.prod(self.kernel)
        return [(*shape[: self.channel_axis], rows, *self.window_counts(shape))]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        x = bottoms[0]
        columns = self.columns(x.reshape(-1, *x.shape[self.channel_axis :]))
        return [columns.reshape(self.top_shapes(tuple(x.shape))[0])]


@register("InnerProduct")
class InnerProduct(TensorLayer):
    """Fully connected: y = x Wᵀ + b over all axes from `axis` on. Blobs: weight (N, K), or (K, N) with `transpose`;
    bias (N)."""

    any_precision = True
    takes_precision = True

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

    def multiply_adds(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> int:
        return sum(map(math.prod, tops)) * self.inputs

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        dtype = self.precision or params[0].dtype
        weight, *bias = (p.to(dtype) for p in params)
        if self.param.inner_product_param.transpose:
            weight = weight.t()
        x = bottoms[0].flatten(self.split).to(dtype)
        return [F.linear(x, weight, bias[0] if bias else None)]
