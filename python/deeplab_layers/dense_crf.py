"""The fully connected CRF as a layer, as DeepLab's DenseCRF has it (Kraehenbuehl, Koltun 2011)."""

from __future__ import absolute_import, division

import numpy as np

from .lattice import Lattice
from .layer import PythonLayer, shape_of

_FLT_MIN = np.float32(1.17549435e-38)
#: below it an exponential is 0
_LEAST_EXPONENT = -20


class DenseCRF(PythonLayer):
    """Scores (N, M, H, W), dims (N, 1, 1, 2) and BGR image (N, 3, H, W) to probabilities (N, M, H, W).

    The image is the data blob (a subtracted mean does not matter, a scale other than 1 does). An item's height and
    width by dims are refined, the whole map if it is not larger in either; 0 elsewhere. Standard deviations are in
    pixels and colour levels; each entry of the lists is a potential of its own. Without an image there are position
    terms only. "output_probability": false gives logarithms. No gradient: the diffs of the bottoms are left as they
    are. In numpy an image of 500 x 375 takes tens of seconds.
    """

    PARAMS = {
        "max_iter": (int, 10),
        "pos_w": ([float], []),
        "pos_xy_std": ([float], []),
        "bi_w": ([float], []),
        "bi_xy_std": ([float], []),
        "bi_rgb_std": ([float], []),
        "output_probability": (bool, True),
    }
    BOTTOMS = (2, 3)

    def prepare(self, bottom, top):
        p = self.p
        if p.max_iter < 0:
            self.refuse("max_iter is %d, expected 0 or more" % p.max_iter)
        for names in (("pos_w", "pos_xy_std"), ("bi_w", "bi_xy_std", "bi_rgb_std")):
            counts = [len(getattr(p, name)) for name in names]
            if len(set(counts)) > 1:
                self.refuse("has %s numbers of %s; expected one of each for every potential" % (counts, names))
            if not all(std > 0 for name in names[1:] for std in getattr(p, name)):
                self.refuse("%s must be positive" % (names[1:],))
        if bool(p.bi_w) != (len(bottom) == 3):
            self.refuse("bilateral potentials (bi_w) and an image, the third bottom, go together")

    def reshape(self, bottom, top):
        scores, dims = self.shape4(bottom[0], "scores"), shape_of(bottom[1])
        if dims[:1] != scores[:1] or np.prod(dims[1:], dtype=int) < 2:
            self.refuse("scores %s and dims %s; expected (N, M, H, W) and (N, 1, 1, 2)" % (scores, dims))
        wanted = (scores[0], 3) + scores[2:]
        if len(bottom) == 3 and shape_of(bottom[2]) != wanted:
            self.refuse("image %s for scores %s, expected %s" % (shape_of(bottom[2]), scores, wanted))
        top[0].reshape(*scores)

    def forward(self, bottom, top):
        scores, result = bottom[0].data, top[0].data
        dims = bottom[1].data.reshape(len(scores), -1)[:, :2].astype(np.int64)
        image = bottom[2].data if len(bottom) == 3 else None
        result[...] = 0
        for item in range(len(scores)):
            h, w = self._effective(item, dims[item], scores.shape[2:])
            colours = None if image is None else image[item, :, :h, :w]
            result[item, :, :h, :w] = self._refined(np.array(scores[item, :, :h, :w]), colours)

    def _effective(self, item, dims, size):
        if size[0] <= dims[0] and size[1] <= dims[1]:
            return size
        if not (0 < dims[0] <= size[0] and 0 < dims[1] <= size[1]):
            self.refuse(
                "item %d is %d x %d (height x width) by its dims, which neither fits into the map of %d x %d nor "
                "covers it" % (item, dims[0], dims[1], size[0], size[1])
            )
        return int(dims[0]), int(dims[1])

    def _refined(self, scores, image):
        """Probabilities, or their logarithms, from scores (M, h, w)."""
        shape = scores.shape
        terms = self._terms(shape[1], shape[2], image) if self.p.max_iter else []
        scores = scores.reshape(shape[0], -1)
        q = _softmax(scores)
        for _ in range(self.p.max_iter):
            energy = np.array(scores)
            for weight, lattice in terms:
                energy += np.float32(weight) * lattice.norm * lattice.filtered(q)
            q = _softmax(energy)
        q = q if self.p.output_probability else np.log(np.maximum(q, _FLT_MIN))
        return q.reshape(shape)

    def _terms(self, height, width, image):
        """Weight and lattice of every potential, positions first."""
        y, x = np.mgrid[:height, :width].astype(np.float32).reshape(2, -1)
        terms = []
        for weight, std in zip(self.p.pos_w, self.p.pos_xy_std):
            terms.append((weight, Lattice(np.column_stack([x, y]) / np.float32(std))))
        for weight, xy, rgb in zip(self.p.bi_w, self.p.bi_xy_std, self.p.bi_rgb_std):
            places = [x / np.float32(xy), y / np.float32(xy)]
            colours = [band.ravel() / np.float32(rgb) for band in image]
            terms.append((weight, Lattice(np.column_stack(places + colours))))
        return terms


def _softmax(scores):
    """Over the classes of (M, N)."""
    exponent = scores - scores.max(axis=0)
    e = np.where(exponent < _LEAST_EXPONENT, np.float32(0), np.exp(exponent))
    return e / e.sum(axis=0)
