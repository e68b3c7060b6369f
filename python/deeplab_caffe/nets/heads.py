"""What stands between a trunk and the scores."""

from __future__ import annotations

from ..caffe.net_spec import Top
from .blocks import Spec, conv_relu, dropout, pooling


def large_fov(n: Spec, bottom: Top) -> Top:
    """pool5a, fc6 (3x3 at rate 12: field of view 224), fc7: (N, 512, h, w) to (N, 1024, h, w).

    DeepLab v1, §4.1 and Table 1: the 7x7 fc6 of VGG-16 subsampled to 3x3, its 4096 channels to 1024.
    """
    n.section("head: 3x3 kernels at rate 12 give fc6 a field of view of 224 pixels")
    top = pooling(n, "pool5a", bottom, kernel_size=3, stride=1, pad=1, pool="AVE")
    for name, kernel_size, rate in (("fc6", 3, 12), ("fc7", 1, 0)):
        top = conv_relu(n, name, top, 1024, kernel_size, pad=rate, dilation=rate or 1)
        top = dropout(n, name.replace("fc", "drop"), top)
    return top
