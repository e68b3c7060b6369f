"""The VGG-16 trunk as DeepLab uses it: pool4 and pool5 keep the resolution, and conv5 is atrous instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..caffe.net_spec import Top
from .blocks import Spec, conv_relu, pooling


class VGGPool(NamedTuple):
    """Kernel, stride and padding of one max pooling layer, in pixels of its bottom."""

    kernel_size: int
    stride: int
    pad: int


class VGGBlock(NamedTuple):
    """One block of 3x3 convolutions: how many, of how many channels, at which atrous rate."""

    convolutions: int
    channels: int
    dilation: int = 1


BLOCKS = (VGGBlock(2, 64), VGGBlock(2, 128), VGGBlock(3, 256), VGGBlock(3, 512), VGGBlock(3, 512, dilation=2))

#: pool1 to pool5 of LargeFOV and MSc (v1 release): sizes 8k + 1 become k + 1, corners staying on corners
POOLS = (VGGPool(3, 2, 1), VGGPool(3, 2, 1), VGGPool(3, 2, 1), VGGPool(3, 1, 1), VGGPool(3, 1, 1))


def trunk(
    n: Spec,
    data: Top,
    pools: tuple[VGGPool, ...] = POOLS,
    after_pool: Callable[[int, Top], None] | None = None,
    blocks: tuple[VGGBlock, ...] = BLOCKS,
    first_pad: int = 1,
) -> Top:
    """conv1_1 to pool5: (N, 3, 8k+1, 8l+1) to (N, 512, k+1, l+1) with DeepLab's blocks and pools.

    Args:
        n: the net.
        data: the images.
        pools: pool1 to pool5.
        after_pool: called with the number and the top of each pool, to write side branches there.
        blocks: conv1 to conv5.
        first_pad: padding of conv1_1 in pixels.
    """
    top = data
    for number, (layout, pool) in enumerate(zip(blocks, pools, strict=True), 1):
        top = block(n, number, top, layout, pool, first_pad if number == 1 else None)
        if after_pool:
            after_pool(number, top)
    return top


def block(n: Spec, number: int, bottom: Top, layout: VGGBlock, pool: VGGPool, first_pad: int | None = None) -> Top:
    """Block `number` from 1: its convolutions with their ReLUs, and `pool<number>`."""
    convolutions, channels, dilation = layout
    n.section(_comment(n, number, dilation))
    top = bottom
    for i in range(1, convolutions + 1):
        pad = first_pad if i == 1 and first_pad is not None else dilation
        top = conv_relu(n, f"conv{number}_{i}", top, channels, pad=pad, dilation=dilation)
    return pooling(n, f"pool{number}", top, pool.kernel_size, pool.stride, pool.pad)


def _comment(n: Spec, number: int, dilation: int) -> str:
    if dilation != 1:
        return f"conv{number}, atrous: rate {dilation} in place of the stride that pool{number - 1} gave up"
    if number == 1 and n.style.training and not n.style.fills_trunk:
        return "conv1; layers without fillers need weights to start from, else they start at 0"
    return f"conv{number}"
