"""Layers that put values at other places: Permute (SSD), ShuffleChannel (ShuffleNet), Reorg (YOLO)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ...arrays import Shape
from ..blob import Blob
from .base import TensorLayer, register
from .reach import Reaches, WholeReach, plane


@register("Permute")
class Permute(TensorLayer):
    """The axes in another `order`; those that it does not name follow. Mirrors `permute_layer.cpp` of SSD."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        stated, axes = list(self.param.permute_param.order), len(bottom[0].shape)
        if len(set(stated)) < len(stated) or any(axis >= axes for axis in stated):
            self.fail(f"order is {stated}, wanted different axes of the bottom {bottom[0].shape}, 0 to {axes - 1}")
        self.order = stated + [axis for axis in range(axes) if axis not in stated]

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        if len(bottoms[0]) != len(self.order):
            self.fail(f"bottom {bottoms[0]}, wanted {len(self.order)} axes")
        return [tuple(bottoms[0][axis] for axis in self.order)]

    def window_reach(self, top: int, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Reaches | None:
        return None if self.order[2:] == [2, 3] else _everywhere(bottoms[0])

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        return [bottoms[0].permute(self.order).clone(memory_format=torch.contiguous_format)]


@register("ShuffleChannel")
class ShuffleChannel(TensorLayer):
    """Channels of `group` groups taken in turn from each: channel i · group + g is channel i of group g.

    Zhang et al., ShuffleNet, CVPR 2018. Mirrors `shuffle_channel_layer.cpp`.
    """

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        group, shape = self.param.shuffle_channel_param.group, bottoms[0]
        if len(shape) < 2 or group < 1 or shape[1] % group:
            self.fail(f"bottom {shape} has no channels that divide into {group} groups")
        return [shape]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        groups = bottoms[0].unflatten(1, (self.param.shuffle_channel_param.group, -1))
        return [groups.transpose(1, 2).flatten(1, 2)]


@register("Reorg")
class Reorg(TensorLayer):
    """YOLO's reorganization: (N, C, H, W) to (N, C · s², H / s, W / s), s = stride; with `reverse` the other way.

    As in Darknet the memory is read as maps (C / s², H · s, W · s), whose s × s cells become channels, and the result
    is taken for the stated shape: a value does not stay near its place. Mirrors `reorg_layer.cpp` of YOLO v2.
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.param.reorg_param.stride < 1:
            self.fail("stride is 0 or not stated, wanted a positive number")

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        p, shape = self.param.reorg_param, bottoms[0]
        if len(shape) != 4:
            self.fail(f"bottom {shape} has {len(shape)} axes, wanted 4 (N, C, H, W)")
        n, c, h, w = shape
        s = p.stride
        if c % (s * s) or (not p.reverse and (h % s or w % s)):
            self.fail(f"bottom {shape} does not divide by stride {s}: channels by {s * s}, height and width by {s}")
        return [(n, c // (s * s), h * s, w * s) if p.reverse else (n, c * s * s, h // s, w // s)]

    def window_reach(self, top: int, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Reaches | None:
        return _everywhere(bottoms[0])

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        p, x = self.param.reorg_param, bottoms[0]
        return [reorganized(x, p.stride, p.reverse)]


def reorganized(x: torch.Tensor, stride: int, reverse: bool) -> torch.Tensor:
    """Darknet's reorganization of maps (N, C, H, W)."""
    n, c, h, w = x.shape
    if reverse:
        cells = x.reshape(n, stride, stride, c // stride**2, h, w).permute(0, 3, 4, 1, 5, 2)
        return cells.reshape(n, c // stride**2, h * stride, w * stride)
    cells = x.reshape(n, c // stride**2, h, stride, w, stride).permute(0, 3, 5, 1, 2, 4)
    return cells.reshape(n, c * stride**2, h // stride, w // stride)


def _everywhere(shape: Shape) -> Reaches:
    height, width = plane(shape)
    return WholeReach(height), WholeReach(width)
