"""The names of pydensecrf's `densecrf` module on this package's own inference.

A program with `import pydensecrf.densecrf as dcrf` runs with `import deeplab_caffe.crf.pydensecrf.densecrf as dcrf`.
The functions of `pydensecrf.utils` are in `deeplab_caffe.crf.pydensecrf.utils`. Matrices are numpy arrays.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...arrays import Float32
from ...errors import InputError
from ...kernels import mean_field_passes as passes
from ...kernels.vector import parts_of
from ..inference import check_image, check_unary, unlike_energies
from ..lanes import aligned, lanes_for
from ..lattice import Lattice, bilateral_lattice, build_lattice, position_lattice
from ..mean_field import MeanField
from ..pairwise import Pairwise


class KernelType(IntEnum):
    """How a kernel would be learned; inference is the same for all kinds."""

    CONST_KERNEL = 0
    DIAG_KERNEL = 1
    FULL_KERNEL = 2


class NormalizationType(IntEnum):
    """By what power of its mass a kernel is divided, before and after filtering."""

    NO_NORMALIZATION = 0
    NORMALIZE_BEFORE = 1
    NORMALIZE_AFTER = 2
    NORMALIZE_SYMMETRIC = 3


CONST_KERNEL, DIAG_KERNEL, FULL_KERNEL = KernelType
NO_NORMALIZATION, NORMALIZE_BEFORE, NORMALIZE_AFTER, NORMALIZE_SYMMETRIC = NormalizationType

_NORMALIZATIONS = dict(zip(NormalizationType, ("none", "before", "after", "symmetric"), strict=True))


class ConstUnary:
    """Energies (classes, variables) for `setUnary`."""

    def __init__(self, u: ArrayLike) -> None:
        self.energy = np.asarray(u, np.float32)


class LogisticUnary(ConstUnary):
    """Energies L f: weights L (classes, features) times features f (features, variables)."""

    def __init__(self, L: ArrayLike, f: ArrayLike) -> None:
        super().__init__(np.asarray(L, np.float32) @ np.asarray(f, np.float32))


@dataclass(frozen=True)
class _CompatibilityTerm:
    lattice: Lattice
    compat: Float32
    normalization: str

    def energy(self, q: Float32) -> Float32:
        """The term's part of each class's energy (classes, variables)."""
        message = gaussian_filter(self.lattice, q, self.normalization)
        if self.compat.ndim == 0:
            return -self.compat * message
        return self.compat[:, None] * message if self.compat.ndim == 1 else self.compat @ message


class DenseCRF:
    """A fully connected CRF over `nvar` variables of `nlabels` classes. Raises InputError for arrays that do not fit.

    Example:
        >>> model = DenseCRF2D(6, 4, 2)
        >>> model.setUnaryEnergy(np.zeros((2, 24), np.float32))
        >>> model.inference(5).shape
        (2, 24)
    """

    def __init__(self, nvar: int, nlabels: int) -> None:
        if min(nvar, nlabels) < 1:
            raise InputError(f"DenseCRF: {nvar} variables and {nlabels} classes, wanted at least one of each")
        self._shape = (int(nlabels), int(nvar))
        self._unary: Float32 | None = None
        self._terms: list[_CompatibilityTerm] = []

    def setUnary(self, u: ConstUnary) -> None:
        """Set the energies of a ConstUnary or LogisticUnary."""
        self.setUnaryEnergy(u.energy)

    def setUnaryEnergy(self, u: ArrayLike, f: ArrayLike | None = None) -> None:
        """Set energies (classes, variables), -log probability; with `f`, weights and features as in LogisticUnary."""
        energy = np.asarray(u) if f is None else LogisticUnary(u, f).energy
        if energy.shape != self._shape:
            raise InputError(
                f"DenseCRF: the unary energy has shape {energy.shape}, wanted {self._shape} (classes, variables)"
            )
        self._unary = self._checked(energy)

    def _checked(self, energy: NDArray) -> Float32:
        """Finite energies; pydensecrf's programs may use any, so what looks like probabilities is a warning only."""
        if energy.dtype.kind not in "fiu":
            raise InputError(f"DenseCRF: the unary energy has type {energy.dtype}, wanted float32")
        wrong = np.isnan(energy) | np.isneginf(energy)
        if wrong.any():
            label, variable = np.argwhere(wrong)[0]
            raise InputError(
                f"DenseCRF: the unary holds {energy[label, variable]} at class {label}, variable {variable}; energies "
                "must be finite, or +inf to exclude a class"
            )
        if (excluded := np.isposinf(energy).all(axis=0)).any():
            raise InputError(f"DenseCRF: the unary excludes every class at variable {int(excluded.argmax())}")
        if what := unlike_energies(energy[:, :, None]):
            warnings.warn(f"DenseCRF: the unary {what}", stacklevel=3)
        return check_unary(energy[:, None], any_values=True)[:, 0]

    def addPairwiseEnergy(
        self,
        features: ArrayLike,
        compat: ArrayLike,
        kernel: int = DIAG_KERNEL,
        normalization: int = NORMALIZE_SYMMETRIC,
    ) -> None:
        """Add a Gaussian term over `features` (d, variables), which are in standard deviations.

        `compat`: a number is the weight of a Potts term; a vector holds each class's energy with itself (negative
        attracts); a matrix holds the energy of each pair of classes.
        """
        features = np.asarray(features, np.float32)
        if features.ndim != 2 or features.shape[1] != self._shape[1] or not features.size:
            raise InputError(f"DenseCRF: features have shape {features.shape}, wanted (d, {self._shape[1]})")
        if not np.isfinite(features).all():
            raise InputError("DenseCRF: features hold NaN or infinite values")
        self._add(build_lattice(features.T), compat, kernel, normalization)

    def _add(self, lattice: Lattice, compat: ArrayLike, kernel: int, normalization: int) -> None:
        KernelType(kernel)
        weights = np.asarray(compat, np.float32)
        classes = self._shape[0]
        if weights.shape not in ((), (classes,), (classes, classes)):
            raise InputError(
                f"DenseCRF: compat has shape {weights.shape}, wanted a number, {classes} numbers or a matrix "
                f"{classes} x {classes}"
            )
        if not np.isfinite(weights).all():
            raise InputError(f"DenseCRF: compat is {compat!r}, wanted finite numbers")
        if weights.ndim == 2:
            weights = np.float32(0.5) * (weights + weights.T)
        self._terms.append(_CompatibilityTerm(lattice, weights, _NORMALIZATIONS[NormalizationType(normalization)]))

    def inference(self, n_iterations: int) -> Float32:
        """Beliefs Q (classes, variables) after `n_iterations` iterations; none for 0 or less, as in pydensecrf."""
        count = max(0, _whole(n_iterations))
        energy = self._energy()
        if self._terms and all(term.compat.ndim == 0 for term in self._terms):
            pairwise = Pairwise([term.lattice for term in self._terms])
            weights = [float(term.compat) for term in self._terms]
            kinds = [term.normalization for term in self._terms]
            beliefs = MeanField(energy[:, None]).run(pairwise, weights, count, kinds)
            return beliefs.probabilities()[:, 0]
        q, *buffers = self.startInference()
        for _ in range(count):
            self.stepInference(q, *buffers)
        return q

    def startInference(self) -> tuple[Float32, Float32, Float32]:
        """Q of the unary alone, and two buffers of its shape for `stepInference`."""
        q = _softmax(-self._energy())
        return q, np.empty_like(q), np.empty_like(q)

    def stepInference(self, Q: Float32, tmp1: Float32, tmp2: Float32) -> None:
        """One iteration; Q is changed in place."""
        np.negative(self._energy(), out=tmp1)
        for term in self._terms:
            tmp2[...] = term.energy(Q)
            tmp1 -= tmp2
        Q[...] = _softmax(tmp1)

    def klDivergence(self, Q: Float32) -> float:
        """The divergence of Q from the model's distribution, up to the constant log Z."""
        total = (Q * np.log(np.maximum(Q, 1e-20))).sum(dtype=float) + (Q * self._energy()).sum(dtype=float)
        return total + sum((Q * term.energy(Q)).sum(dtype=float) for term in self._terms)

    def _energy(self) -> Float32:
        if self._unary is None:
            raise InputError("DenseCRF: there is no unary energy; call setUnaryEnergy first")
        return self._unary


class DenseCRF2D(DenseCRF):
    """A CRF over the pixels of an image, row by row; `w` and `h` in pixels."""

    def __init__(self, w: int, h: int, nlabels: int) -> None:
        super().__init__(w * h, nlabels)
        self._size = (int(h), int(w))

    def addPairwiseGaussian(
        self,
        sxy: float | Sequence[float],
        compat: ArrayLike,
        kernel: int = DIAG_KERNEL,
        normalization: int = NORMALIZE_SYMMETRIC,
    ) -> None:
        """Add a term over position; `sxy` standard deviations in pixels, one or (x, y)."""
        across, down = map(float, deviations("DenseCRF2D: sxy", sxy, 2))
        self._add(position_lattice(*self._size, (across, down)), compat, kernel, normalization)

    def addPairwiseBilateral(
        self,
        sxy: float | Sequence[float],
        srgb: float | Sequence[float],
        rgbim: NDArray,
        compat: ArrayLike,
        kernel: int = DIAG_KERNEL,
        normalization: int = NORMALIZE_SYMMETRIC,
    ) -> None:
        """Add a term over position and colour of `rgbim` (h, w, bands); `srgb` in levels, one or one for each band."""
        image = check_image(rgbim, size=self._size)
        bands = 1 if image.ndim == 2 else image.shape[2]
        across, down = map(float, deviations("DenseCRF2D: sxy", sxy, 2))
        colour = deviations("DenseCRF2D: srgb", srgb, bands)
        if image.shape[:2] != self._size:
            raise InputError(
                f"DenseCRF2D: the image is {image.shape[0]} x {image.shape[1]} (H x W) and the model "
                f"{self._size[0]} x {self._size[1]}"
            )
        self._add(bilateral_lattice(image, (across, down), colour.tolist()), compat, kernel, normalization)


def gaussian_filter(lattice: Lattice, values: Float32, normalization: str = "after") -> Float32:
    """Each pixel's sum over all pixels of kernel times value; `values` and result (C, N), float32.

    `normalization` is one of `pairwise.POWERS`: "after" gives a mean, "none" the sum.
    """
    stride = lanes_for(len(values))
    parts, pairwise = parts_of(stride), Pairwise([lattice])
    given, taken = (pairwise.scale(pairwise.powers(normalization, side)) for side in (0, 1))
    splatted = pairwise.values(aligned(pairwise.rows[0] * stride), stride)
    maps = np.ascontiguousarray(values, np.float32)
    passes.splat_maps(parts, pairwise.corners, maps, pairwise.simplices, pairwise.reached, given, splatted)
    pairwise.blur(parts, splatted)
    strength = (np.full(stride, pairwise.gains[0], np.float32),)
    filtered = np.empty(maps.shape, np.float32)
    passes.slice_maps(parts, pairwise.corners, pairwise.simplices, taken, strength, splatted, filtered)
    return filtered


def deviations(what: str, given: ArrayLike, count: int) -> Float32:
    """`count` standard deviations, of one number or of as many. Raises InputError."""
    values = np.asarray(given, np.float32)
    if values.shape not in ((), (count,)):
        found = f"{values.size} numbers" if values.ndim == 1 else f"shape {values.shape}"
        raise InputError(f"{what} has {found}, wanted one number or {count}")
    if not (np.isfinite(values) & (values > 0)).all():
        raise InputError(f"{what} is {given!r}, wanted standard deviations above 0")
    return np.broadcast_to(values, count)


def _whole(iterations: int) -> int:
    try:
        return operator.index(iterations)
    except TypeError:
        raise InputError(f"DenseCRF: {iterations!r} iterations, wanted a whole number") from None


def _softmax(logits: Float32) -> Float32:
    q = np.exp(logits - logits.max(axis=0))
    return q / q.sum(axis=0)
