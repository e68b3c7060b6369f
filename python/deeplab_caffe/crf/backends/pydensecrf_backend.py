"""The same inference by pydensecrf, an optional package, to compare with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...arrays import Float32
from ...errors import InputError
from ..lattice import term_features
from ..params import CRFParameters
from .base import BackendOptions, Pair, labels_of


def infer(pairs: Sequence[Pair], parameters: CRFParameters, options: BackendOptions) -> list[NDArray]:
    """Labels (H, W) or probabilities (C, H, W) by DenseCRF2D. Raises InputError where pydensecrf is not installed."""
    beliefs = (_infer(image, unary, parameters) for image, unary in pairs)
    return [labels_of(q) if options.labels else q for q in beliefs]


def _infer(image: NDArray, unary: Float32, parameters: CRFParameters) -> Float32:
    densecrf = _densecrf()
    kinds = {"after": densecrf.NORMALIZE_AFTER, "symmetric": densecrf.NORMALIZE_SYMMETRIC}
    kind = kinds[parameters.normalization]
    classes, height, width = unary.shape
    model = densecrf.DenseCRF2D(width, height, classes)
    # Energies that are too large overflow in pydensecrf's softmax; 1e4 already means "never".
    energies = np.minimum(unary - unary.min(axis=0), np.float32(1e4))
    model.setUnaryEnergy(np.ascontiguousarray(energies.reshape(classes, -1), dtype=np.float32))
    for term in parameters.terms():
        # Not addPairwiseBilateral, which takes images of three bands of uint8 only.
        features = np.ascontiguousarray(term_features(term, image).T)
        model.addPairwiseEnergy(features, compat=term.weight, normalization=kind)
    q = np.asarray(model.inference(parameters.iterations), dtype=np.float32)
    return q.reshape(classes, height, width)


def _densecrf():
    try:
        from pydensecrf import densecrf
    except ImportError as error:
        raise InputError(
            f"CRF: backend 'pydensecrf' needs the package pydensecrf, which cannot be imported ({error}). Install it "
            "with: pip install pydensecrf2 (Python 3.12 or older), and do not run in the folder of its source; or use "
            "backend 'native'"
        ) from error
    if not hasattr(densecrf, "DenseCRF2D"):
        raise InputError(
            "CRF: the module 'pydensecrf' is not the compiled package; is its source in the working folder?"
        )
    return densecrf
