"""Score maps weighted, padded, merged and unpooled: SpatialProduct, Padding, ChannelAggregator, Upsample."""

from __future__ import absolute_import, division

import io

import numpy as np

from .layer import PythonLayer, shape_of


class SpatialProduct(PythonLayer):
    """Maps (N, C, H, W) times one map of weights (N, 1, H, W) for all channels."""

    BOTTOMS = (2, 2)

    def reshape(self, bottom, top):
        maps, weights = self.shape4(bottom[0], "maps"), shape_of(bottom[1])
        if weights != (maps[0], 1) + maps[2:]:
            self.refuse("weights %s for maps %s, expected %s" % (weights, maps, (maps[0], 1) + maps[2:]))
        top[0].reshape(*maps)

    def forward(self, bottom, top):
        np.multiply(bottom[0].data, bottom[1].data, out=top[0].data)

    def backward(self, top, propagate_down, bottom):
        d = top[0].diff
        if propagate_down[0]:
            bottom[0].diff[...] = d * bottom[1].data
        if propagate_down[1]:
            bottom[1].diff[...] = (d * bottom[0].data).sum(axis=1, keepdims=True)


class Padding(PythonLayer):
    """(N, C, H, W) with pad_beg rows and columns of zeros before and pad_end behind; negative numbers crop."""

    PARAMS = {"pad_beg": (int, 0), "pad_end": (int, 0)}

    def prepare(self, bottom, top):
        if self.p.pad_beg * self.p.pad_end < 0:
            self.refuse(
                "pad_beg %d and pad_end %d: one pads, the other crops; expected the same sign"
                % (self.p.pad_beg, self.p.pad_end)
            )

    def reshape(self, bottom, top):
        shape = self.shape4(bottom[0])
        sizes = tuple(size + self.p.pad_beg + self.p.pad_end for size in shape[2:])
        if min(sizes) < 1:
            self.refuse("of bottom %s nothing is left: its size becomes %s" % (shape, sizes))
        top[0].reshape(*(shape[:2] + sizes))

    def _windows(self, inner, outer):
        """What the bottom's map and the top's have in common, of each."""
        begin, end = self.p.pad_beg, self.p.pad_end
        if begin < 0 or end < 0:
            height, width = outer.shape[2:]
            return inner[:, :, -begin : height - begin, -begin : width - begin], outer
        height, width = inner.shape[2:]
        return inner, outer[:, :, begin : begin + height, begin : begin + width]

    def forward(self, bottom, top):
        y = top[0].data
        y[...] = 0
        source, place = self._windows(bottom[0].data, y)
        place[...] = source

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            diff = bottom[0].diff
            diff[...] = 0
            place, source = self._windows(diff, top[0].diff)
            place[...] = source


class ChannelAggregator(PythonLayer):
    """(N, C, H, W) to (N, K, H, W): y_k = log sum exp x_c over the channels in line k of the file label_map_file."""

    PARAMS = {"label_map_file": (str, "")}
    REQUIRED = ("label_map_file",)

    def prepare(self, bottom, top):
        path = self.p.label_map_file
        try:
            with io.open(path, encoding="utf-8") as lines:
                self.groups = [self._group(path, number, line) for number, line in enumerate(lines, 1)]
        except (IOError, UnicodeDecodeError) as error:
            self.refuse("cannot read the groups of channels, label_map_file: '%s': %s" % (path, error))
        if not self.groups:
            self.refuse("'%s' is empty; expected the channels of each output on a line of its own" % path)

    def _group(self, path, number, line):
        words = line.split()
        if not words or not all(word.isdigit() for word in words):
            self.refuse("%s:%d: expected numbers of channels, separated by blanks" % (path, number))
        return [int(word) for word in words]

    def reshape(self, bottom, top):
        shape = self.shape4(bottom[0])
        largest = max(max(group) for group in self.groups)
        if largest >= shape[1]:
            self.refuse(
                "'%s' names channel %d, bottom %s has 0 to %d" % (self.p.label_map_file, largest, shape, shape[1] - 1)
            )
        top[0].reshape(shape[0], len(self.groups), *shape[2:])

    def forward(self, bottom, top):
        x, y = bottom[0].data, top[0].data
        for k, group in enumerate(self.groups):
            own = x[:, group]
            largest = own.max(axis=1)
            y[:, k] = largest + np.log(np.exp(own - largest[:, None]).sum(axis=1))

    def backward(self, top, propagate_down, bottom):
        if not propagate_down[0]:
            return
        x, y, d = bottom[0].data, top[0].data, top[0].diff
        diff = bottom[0].diff
        diff[...] = 0
        for k, group in enumerate(self.groups):
            for channel in group:
                diff[:, channel] += d[:, k] * np.exp(x[:, channel] - y[:, k])


class Upsample(PythonLayer):
    """SegNet's unpooling: x (N, C, h, w) put where the mask, the second top of a MAX Pooling layer, says; else 0.

    Top (N, C, upsample_h, upsample_w), or (h, w) times scale_h and scale_w, or times "scale" (2). With a scale of 2
    pad_out_h and pad_out_w leave the last row or column out. The size must be that of the map that was pooled.
    """

    PARAMS = {
        "scale": (int, 2),
        "scale_h": (int, None),
        "scale_w": (int, None),
        "pad_out_h": (bool, False),
        "pad_out_w": (bool, False),
        "upsample_h": (int, None),
        "upsample_w": (int, None),
    }
    BOTTOMS = (2, 2)

    def prepare(self, bottom, top):
        p = self.p
        for pair in ((p.scale_h, p.scale_w), (p.upsample_h, p.upsample_w)):
            if (pair[0] is None) != (pair[1] is None):
                self.refuse("states a height without a width, or a width without a height")
        self.scale = (p.scale, p.scale) if p.scale_h is None else (p.scale_h, p.scale_w)
        if (p.pad_out_h or p.pad_out_w) and self.scale != (2, 2):
            self.refuse("pad_out_h and pad_out_w go with a scale of 2, not %s" % (self.scale,))

    def reshape(self, bottom, top):
        shape = self.shape4(bottom[0])
        if shape_of(bottom[1]) != shape:
            self.refuse("mask %s for bottom %s, expected the same shape" % (shape_of(bottom[1]), shape))
        p = self.p
        size = (p.upsample_h, p.upsample_w)
        if p.upsample_h is None:
            size = (shape[2] * self.scale[0] - p.pad_out_h, shape[3] * self.scale[1] - p.pad_out_w)
        if min(size) < 1:
            self.refuse("the size becomes %s, expected positive numbers" % (size,))
        top[0].reshape(*(shape[:2] + size))

    def _places(self, bottom, top):
        """(planes, places in a plane) of each value, as an index of the top's planes."""
        mask = bottom[1].data.astype(np.int64)
        shape = shape_of(top[0])
        count = shape[2] * shape[3]
        if mask.size and (mask.min() < 0 or mask.max() >= count):
            self.refuse(
                "the mask holds indices %d to %d, but the top has 0 to %d (%d x %d); state upsample_h and upsample_w, "
                "the size of the map that was pooled" % (mask.min(), mask.max(), count - 1, shape[2], shape[3])
            )
        planes = mask.shape[0] * mask.shape[1]
        return np.arange(planes)[:, None], mask.reshape(planes, -1)

    def forward(self, bottom, top):
        y = top[0].data
        y[...] = 0
        places = self._places(bottom, top)
        y.reshape(len(places[0]), -1)[places] = bottom[0].data.reshape(len(places[0]), -1)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[1]:
            self.refuse("its mask has no gradient; state propagate_down: false for the second bottom")
        if propagate_down[0]:
            planes = self._places(bottom, top)
            d = top[0].diff.reshape(len(planes[0]), -1)[planes]
            bottom[0].diff[...] = d.reshape(shape_of(bottom[0]))
