"""The same inference by pydensecrf, an optional package, to compare with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deeplab_caffe.errors import InputError

from .inference import Options, labels_of
from .params import CRFParameters


def infer(
    pairs: Sequence[tuple[NDArray, NDArray[np.float32]]], parameters: CRFParameters, options: Options
) -> list[NDArray]:
    """Labels (H, W) or probabilities (C, H, W) by DenseCRF2D. Raises InputError where pydensecrf is not installed."""
    beliefs = (_infer(image, unary, parameters) for image, unary in pairs)
    return [labels_of(q) if options.labels else q for q in beliefs]


def _infer(image: NDArray, unary: NDArray[np.float32], parameters: CRFParameters) -> NDArray[np.float32]:
    densecrf = _densecrf()
    kinds = {"after": densecrf.NORMALIZE_AFTER, "symmetric": densecrf.NORMALIZE_SYMMETRIC}
    kind = kinds[parameters.normalization]
    classes, height, width = unary.shape
    model = densecrf.DenseCRF2D(width, height, classes)
    # pydensecrf has no room for energies that overflow in its softmax; 1e4 already means "never".
    energies = np.minimum(unary - unary.min(axis=0), np.float32(1e4))
    model.setUnaryEnergy(np.ascontiguousarray(energies.reshape(classes, -1), dtype=np.float32))
    gamma = parameters.sigma_gamma
    model.addPairwiseGaussian(sxy=(gamma, gamma), compat=parameters.w2, normalization=kind)
    features = _bilateral_features(image, parameters)
    model.addPairwiseEnergy(features, compat=parameters.w1, normalization=kind)
    q = np.asarray(model.inference(parameters.iterations), dtype=np.float32)
    return q.reshape(classes, height, width)


def _bilateral_features(image: NDArray, parameters: CRFParameters) -> NDArray[np.float32]:
    """(2 + bands, N): position and colour in standard deviations, for images of any depth."""
    image = image[:, :, None] if image.ndim == 2 else image
    height, width, bands = image.shape
    features = np.empty((2 + bands, height, width), np.float32)
    features[0] = np.arange(width, dtype=np.float32) / np.float32(parameters.sigma_alpha)
    features[1] = (np.arange(height, dtype=np.float32) / np.float32(parameters.sigma_alpha))[:, None]
    np.divide(image.transpose(2, 0, 1), np.float32(parameters.sigma_beta), out=features[2:], dtype=np.float32)
    return features.reshape(2 + bands, height * width)


def _densecrf():
    try:
        from pydensecrf import densecrf
    except ImportError as error:
        raise InputError(
            "CRF: backend 'pydensecrf' is asked for, but it cannot be imported "
            f"({error}). Install it with: pip install pydensecrf2 (Python 3.12 or older), not in the folder of its "
            "source; or use backend 'native'"
        ) from error
    if not hasattr(densecrf, "DenseCRF2D"):
        raise InputError("CRF: the module 'pydensecrf' is not the built package; is its source in the working folder?")
    return densecrf
