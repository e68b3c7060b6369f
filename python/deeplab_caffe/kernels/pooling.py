"""Maxima of windows of images in channels_last, flat."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .kernel_cache import kernel
from .vector import filled16, larger, load16, store

_LOWEST = np.float32(-3.4028234663852886e38)


class Windows(NamedTuple):
    """Sizes of images and of the maxima, in pixels and channels; the windows."""

    height: int
    width: int
    channels: int
    out_height: int
    out_width: int
    kernel_y: int
    kernel_x: int
    stride_y: int
    stride_x: int
    pad_y: int
    pad_x: int


@kernel
def largest(x, first, last, w, y):
    """The maxima of rows `first` to `last`, counted over all images; NaN never wins, as in Caffe, nor −∞."""
    whole = w.channels // 16 * 16
    for line in range(first, last):
        image = line // w.out_height
        begin_y = (line - image * w.out_height) * w.stride_y - w.pad_y
        top, bottom = max(begin_y, 0), min(begin_y + w.kernel_y, w.height)
        for column in range(w.out_width):
            begin_x = column * w.stride_x - w.pad_x
            left, right = max(begin_x, 0), min(begin_x + w.kernel_x, w.width)
            to = (line * w.out_width + column) * w.channels
            for c in range(0, whole, 16):
                found = filled16(_LOWEST)
                for i in range(top, bottom):
                    for j in range(left, right):
                        found = larger(found, load16(x, ((image * w.height + i) * w.width + j) * w.channels + c))
                store(y, to + c, found)
            for c in range(whole, w.channels):
                value = _LOWEST
                for i in range(top, bottom):
                    for j in range(left, right):
                        other = x[((image * w.height + i) * w.width + j) * w.channels + c]
                        value = other if other > value else value
                y[to + c] = value
