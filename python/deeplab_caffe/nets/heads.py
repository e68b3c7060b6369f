"""Heads: the layers between a trunk and the scores, and the scores themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..caffe.net_spec import Top, layers, params
from .blocks import NEW, Multipliers, Spec, conv_relu, convolution, dropout, gaussian, pooling


class Fc6(NamedTuple):
    """fc6 as a convolution: kernel size, atrous rate and padding in pixels of its bottom, channels of fc6 and fc7."""

    kernel_size: int
    rate: int
    pad: int
    channels: int

    @property
    def field_of_view(self) -> int:
        """Side of the field of view in pixels of the image, as DeepLab v1's Table 2 counts them.

        Taps lie 8 * rate pixels apart and see 32 pixels each, as many as a pixel of pool5 covers in VGG-16, whose 7x7
        fc6 sees 7 * 32 = 224.

        Example:
            >>> FULL_7X7.field_of_view, SMALL_4X4.field_of_view, WIDE_4X4.field_of_view, LARGE_FOV.field_of_view
            (224, 128, 224, 224)
        """
        return (self.kernel_size - 1) * self.rate * 8 + 32


#: DeepLab v1, Table 2: the 7x7 fc6 of VGG-16 as it is, and subsampled to 4x4 and to 3x3
FULL_7X7 = Fc6(7, 4, 12, 4096)
SMALL_4X4 = Fc6(4, 4, 6, 4096)
WIDE_4X4 = Fc6(4, 8, 12, 4096)
LARGE_FOV = Fc6(3, 12, 12, 1024)


def fc6_fc7(n: Spec, bottom: Top, fc6: Fc6 = LARGE_FOV, suffix: str = "") -> Top:
    """fc6 and fc7, each with ReLU and dropout: (N, C, h, w) to (N, channels, h, w). suffix: of the names, as `_1`."""
    top = bottom
    for number, kernel_size, pad, rate in ((6, fc6.kernel_size, fc6.pad, fc6.rate), (7, 1, 0, 1)):
        top = conv_relu(n, f"fc{number}{suffix}", top, fc6.channels, kernel_size, pad=pad, dilation=rate)
        top = dropout(n, f"drop{number}{suffix}", top)
    return top


def average_pool5a(n: Spec, bottom: Top) -> Top:
    """pool5a: the average of 3x3 pixels, which the LargeFOV releases have before fc6."""
    return pooling(n, "pool5a", bottom, kernel_size=3, stride=1, pad=1, pool="AVE")


def aspp_vgg(n: Spec, bottom: Top, classifier: str, num_classes: int, rates: Sequence[int]) -> Top:
    """Atrous spatial pyramid pooling on VGG-16 (v2, §3.2): fc6_k, fc7_k, `<classifier>_k` per rate, summed."""
    branches = []
    for k, rate in enumerate(rates, 1):
        n.section(f"branch {k}: 3x3 kernels at rate {rate}")
        top = fc6_fc7(n, bottom, LARGE_FOV._replace(rate=rate, pad=rate), f"_{k}")
        branches.append(scores(n, f"{classifier}_{k}", top, num_classes))
    n.section("the sum of the branches")
    return n.put(classifier, layers.Eltwise(*branches, operation=params.Eltwise.SUM))


def aspp_resnet(n: Spec, bottom: Top, classifier: str, num_classes: int, rates: Sequence[int]) -> Top:
    """Atrous spatial pyramid pooling on ResNet (v2): a 3x3 classifier `<classifier>_c<k>` per rate, summed."""
    branches = [
        scores(n, f"{classifier}_c{k}", bottom, num_classes, kernel_size=3, rate=rate) for k, rate in enumerate(rates)
    ]
    return n.put(classifier, layers.Eltwise(*branches, operation=params.Eltwise.SUM))


def scores(
    n: Spec,
    name: str,
    bottom: Top,
    num_classes: int,
    *,
    kernel_size: int = 1,
    rate: int = 1,
    multipliers: Multipliers = NEW,
) -> Top:
    """The scores: a convolution that starts from random weights and learns ten times as fast as the rest.

    Args:
        n: the net.
        name: of the layer.
        bottom: the features, (N, C, h, w).
        num_classes: channels of the scores.
        kernel_size: 1 or 3.
        rate: the atrous rate; the padding keeps the resolution.
        multipliers: of weight and bias.

    Returns:
        The scores, (N, num_classes, h, w).
    """
    pad = rate * (kernel_size - 1) // 2
    filler = gaussian(0.01)
    return convolution(
        n, name, bottom, num_classes, kernel_size, pad=pad, dilation=rate, multipliers=multipliers, filler=filler
    )
