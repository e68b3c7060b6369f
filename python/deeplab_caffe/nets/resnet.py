"""The ResNet-50 and ResNet-101 trunks, atrous where they would lose resolution, with the original release's names.

A convolution `res3a_branch2a` goes with `bn3a_branch2a`, `scale3a_branch2a` and `res3a_branch2a_relu`. Parameters that
branches share are named after the layers without the branch's suffix: `res3a_branch2a_0`, `bn3a_branch2a_0` to `_2`,
`scale3a_branch2a_0` and `_1`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..caffe.net_spec import Top, layers
from .blocks import MSRA, Spec, convolution, pooling, relu


class ResNetStage(NamedTuple):
    """One of res2 to res5, or a further one.

    Attributes:
        blocks: names of the blocks, such as 3a, 3b1, 3b2.
        channels: within a block.
        out_channels: of the top.
        stride: of the first block.
        rates: atrous rates of the 3x3 convolution of each block; a shorter list is repeated, so (4,) is one rate for
            all and (4, 8, 16) a multi-grid.
        projects: whether the first block adds its bottom through a 1x1 convolution, as it must where channels change;
            otherwise the bottom itself is added, every second pixel of it at stride 2.
    """

    blocks: tuple[str, ...]
    channels: int
    out_channels: int
    stride: int = 1
    rates: tuple[int, ...] = (1,)
    projects: bool = True


def _names(number: int, blocks: int, numbered: bool) -> tuple[str, ...]:
    """3a, 3b, 3c, or 3a, 3b1, 3b2, … where the release numbers them."""
    letters = ["a", *(f"b{i}" for i in range(1, blocks))] if numbered else [chr(ord("a") + i) for i in range(blocks)]
    return tuple(f"{number}{letter}" for letter in letters)


def stages(
    depth: int, rates: Sequence[Sequence[int]] = ((2,), (4,)), strides: tuple[int, int] = (1, 1)
) -> list[ResNetStage]:
    """res2 to res5 of ResNet-50 or ResNet-101.

    Args:
        depth: 50 or 101.
        rates: atrous rates of res4 and of res5.
        strides: of res4 and res5; with the defaults the output stride is 8.

    Example:
        >>> [(stage.blocks[-1], stage.stride, stage.rates) for stage in stages(101)]
        [('2c', 1, (1,)), ('3b3', 2, (1,)), ('4b22', 1, (2,)), ('5c', 1, (4,))]
    """
    numbered = depth == 101
    return [
        ResNetStage(_names(2, 3, False), 64, 256),
        ResNetStage(_names(3, 4, numbered), 128, 512, stride=2),
        ResNetStage(_names(4, 23 if numbered else 6, numbered), 256, 1024, strides[0], tuple(rates[0])),
        ResNetStage(_names(5, 3, False), 512, 2048, strides[1], tuple(rates[1])),
    ]


def trunk(n: Spec, images: Top, body: Sequence[ResNetStage]) -> Top:
    """conv1, pool1 and the stages: (N, 3, h, w) to (N, 2048, h', w')."""
    n.section(f"conv1{n.suffix}")
    top = conv_bn(n, "conv1", "_conv1", images, n.style.channels(64), 7, pad=3, stride=2)
    top = relu(n, "conv1_relu", top)
    top = pooling(n, "pool1", top, 3, 2, 1)
    for stage in body:
        top = residual_stage(n, stage, top)
    return top


def residual_stage(n: Spec, stage: ResNetStage, bottom: Top) -> Top:
    """The bottlenecks of one stage, the first of which may reduce the resolution."""
    rates = " ".join(map(str, stage.rates))
    atrous = f", atrous: rate {rates}" if stage.rates != (1,) else ""
    n.section(f"res{stage.blocks[0][:-1]}{n.suffix}{atrous}")
    top = bottom
    for i, block in enumerate(stage.blocks):
        rate = stage.rates[i % len(stage.rates)]
        top = bottleneck(n, block, top, stage, rate, first=i == 0)
    return top


def bottleneck(n: Spec, block: str, bottom: Top, stage: ResNetStage, rate: int, first: bool) -> Top:
    """1x1, 3x3 at the rate, 1x1, added to the bottom, or in the first block of most stages to its projection."""
    name = f"res{block}"
    mid, out = n.style.channels(stage.channels), n.style.channels(stage.out_channels)
    stride = stage.stride if first else 1
    on_1x1, on_3x3 = (1, stride) if n.style.stride_on_3x3 else (stride, 1)
    shortcut = bottom
    if first and stage.projects:
        shortcut = conv_bn(n, f"{name}_branch1", f"{block}_branch1", bottom, out, 1, stride=stride)
    elif stride > 1:
        shortcut = pooling(n, f"{name}_branch1", bottom, 1, stride, 0)
    top = conv_bn(n, f"{name}_branch2a", f"{block}_branch2a", bottom, mid, 1, stride=on_1x1)
    top = relu(n, f"{name}_branch2a_relu", top)
    top = conv_bn(n, f"{name}_branch2b", f"{block}_branch2b", top, mid, 3, pad=rate, dilation=rate, stride=on_3x3)
    top = relu(n, f"{name}_branch2b_relu", top)
    slope = 0 if n.style.residuals_start_at_zero else 1
    top = conv_bn(n, f"{name}_branch2c", f"{block}_branch2c", top, out, 1, slope=slope)
    return relu(n, f"{name}_relu", n.put(name, layers.Eltwise(shortcut, top)))


def conv_bn(
    n: Spec, name: str, key: str, bottom: Top, channels: int, kernel_size: int, slope: int = 1, **geometry: Any
) -> Top:
    """Convolution without bias, BatchNorm `bn<key>` and Scale `scale<key>` in place.

    Statistics, slope and offset stay those of the initial weights (use_global_stats, multipliers 0), as in DeepLab
    v2's release. With the style's batch_norm or from_scratch they learn, and training normalises by the batch.

    Args:
        key: in the names of the two layers.
        slope: which the Scale layer starts from, if it has no initial weights.
        geometry: pad, dilation and stride, as in `convolution`.
    """
    learns = n.style.batch_norm or n.style.from_scratch
    filler = MSRA if n.style.from_scratch else None
    top = convolution(
        n, name, bottom, channels, kernel_size, bias_term=False, filler=filler, names=[f"{name}_0"], **geometry
    )
    own: dict[str, Any] = {} if learns else {"use_global_stats": True}
    if n.style.moving_average_fraction is not None:
        own["moving_average_fraction"] = n.style.moving_average_fraction
    statistics = n.param([(0, 0)] * 3, [f"bn{key}_{i}" for i in range(3)])
    top = n.put(f"bn{key}", layers.BatchNorm(top, in_place=True, batch_norm_param=own, **statistics))
    multipliers = [(1.0, 0.0), (1.0, 0.0)] if learns else [(0.0, 0.0), (0.0, 0.0)]
    learned = n.param(multipliers, [f"scale{key}_{i}" for i in range(2)])
    start = {} if slope == 1 else {"filler": {"value": slope}}
    return n.put(f"scale{key}", layers.Scale(top, in_place=True, bias_term=True, **start, **learned))
