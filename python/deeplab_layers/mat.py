"""Blobs as MATLAB files of version 5: MatWrite and MatRead.

Variable `data`, class single, MATLAB dims [W, H, C, N] column-major: the blob's memory as it is. MATLAB users permute
[2 1 3]; in Python `scipy.io.loadmat(path)["data"].transpose(3, 2, 1, 0)` is (N, C, H, W).
"""

from __future__ import absolute_import, division

import io
import os

import numpy as np

from .layer import MANY, PythonLayer, native, shape_of
from .mat_file import MatError, read_variable, write_variable


def _names(layer, source, strip):
    """The first word of each line of a list file, without its last `strip` characters."""
    if strip < 0:
        layer.refuse("strip is %d, expected 0 or more" % strip)
    try:
        with io.open(source, encoding="utf-8") as lines:
            words = [line.split()[0] for line in lines if line.strip()]
    except (IOError, UnicodeDecodeError) as error:
        layer.refuse("cannot read the list, source: '%s': %s" % (source, error))
    if not words:
        layer.refuse("the list '%s' is empty; expected a name on each line" % source)
    for word in words:
        if len(word) <= strip:
            layer.refuse("%s: '%s' is not longer than the %d characters to be stripped" % (source, word, strip))
    return [native(word[: len(word) - strip]) for word in words]


class MatWrite(PythonLayer):
    """Writes bottom i of every `period`-th forward to <prefix><name>_blob_<i>.mat; no tops.

    The name is that of the forward's entry in the list `source`, or iter_<count> without a list; forwards count
    from 0. A prefix that names a folder ends in a slash, and the folder must exist. A file is written whole or not
    at all.
    """

    PARAMS = {"prefix": (str, ""), "source": (str, ""), "strip": (int, 0), "period": (int, 1)}
    REQUIRED = ("prefix",)
    BOTTOMS = (1, MANY)
    TOPS = (0, 0)

    def prepare(self, bottom, top):
        if self.p.period < 1:
            self.refuse("period is %d, expected a positive number" % self.p.period)
        self.names = _names(self, self.p.source, self.p.strip) if self.p.source else []
        self.count = 0

    def reshape(self, bottom, top):
        for i in range(len(bottom)):
            if len(shape_of(bottom[i])) > 4:
                self.refuse("bottom %d has shape %s, expected at most 4 axes" % (i, shape_of(bottom[i])))

    def forward(self, bottom, top):
        count = self.count
        if count % self.p.period == 0:
            if self.names and count >= len(self.names):
                self.refuse(
                    "forward %d (from 0) has no name: the list '%s' has %d" % (count, self.p.source, len(self.names))
                )
            stem = self.p.prefix + (self.names[count] if self.names else "iter_%d" % count)
            for i in range(len(bottom)):
                self._write("%s_blob_%d.mat" % (stem, i), bottom[i].data)
        self.count += 1

    def _write(self, path, blob):
        if not os.path.isdir(os.path.dirname(path) or "."):
            self.refuse("cannot write '%s': there is no folder '%s'; make it first" % (path, os.path.dirname(path)))
        dims = (blob.shape + (1,) * (4 - blob.ndim))[::-1]
        try:
            write_variable(path, "data", dims, np.ascontiguousarray(blob, "<f4").tobytes())
        except (IOError, OSError) as error:
            self.refuse("cannot write '%s': %s" % (path, error.strerror))

    def backward(self, top, propagate_down, bottom):
        pass


class MatRead(PythonLayer):
    """Top i is read from <prefix><name>_blob_<i>.mat, one file for each item; the names of `source` wrap round.

    Tops (batch_size, C, H, W). Each file holds a variable `data`, single or double, with dims [W, H, C, 1]; all have
    the shape of the first.
    """

    PARAMS = {"prefix": (str, ""), "source": (str, ""), "strip": (int, 0), "batch_size": (int, 1)}
    REQUIRED = ("prefix", "source")
    BOTTOMS = (0, 0)
    TOPS = (1, MANY)

    def prepare(self, bottom, top):
        if self.p.batch_size < 1:
            self.refuse("batch_size is %d, expected a positive number" % self.p.batch_size)
        self.names = _names(self, self.p.source, self.p.strip)
        self.position = 0
        self.shapes = [self._read(0, i).shape for i in range(len(top))]

    def reshape(self, bottom, top):
        for i, shape in enumerate(self.shapes):
            top[i].reshape(self.p.batch_size, *shape)

    def forward(self, bottom, top):
        for i, shape in enumerate(self.shapes):
            place = top[i].data
            for item in range(self.p.batch_size):
                data = self._read(self.position + item, i)
                if data.shape != shape:
                    path = self._path(self.position + item, i)
                    self.refuse("'%s' is %s (C, H, W), the first was %s" % (path, data.shape, shape))
                place[item] = data
        self.position += self.p.batch_size

    def _path(self, item, top):
        return "%s%s_blob_%d.mat" % (self.p.prefix, self.names[item % len(self.names)], top)

    def _read(self, item, top):
        """(C, H, W), float32."""
        path = self._path(item, top)
        try:
            data = read_variable(path, "data")
        except MatError as error:
            self.refuse("'%s': %s" % (path, error))
        except (IOError, OSError) as error:
            self.refuse("cannot read '%s': %s" % (path, error.strerror))
        if data.ndim > 4 or data.shape[3:4] not in ((), (1,)):
            self.refuse("'%s' holds data of dims %s, expected [W, H, C, 1]" % (path, data.shape))
        data = data.reshape((data.shape + (1, 1))[:3], order="F")
        return np.ascontiguousarray(data.transpose(2, 1, 0), np.float32)
