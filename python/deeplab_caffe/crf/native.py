"""The default backend: compiled loops on one core of the CPU."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .inference import Options
from .lattice import bilateral_lattice, position_lattice
from .mean_field import MeanField, Pairwise
from .params import CRFParameters


def infer(
    pairs: Sequence[tuple[NDArray, NDArray[np.float32]]], parameters: CRFParameters, options: Options
) -> list[NDArray]:
    """Labels (H, W) or probabilities (C, H, W) for each pair of image and unary, one after the other."""
    return [_infer(image, unary, parameters, options) for image, unary in pairs]


def _infer(image: NDArray, unary: NDArray[np.float32], parameters: CRFParameters, options: Options) -> NDArray:
    height, width = image.shape[:2]
    lattices = [
        position_lattice(height, width, parameters.sigma_gamma),
        bilateral_lattice(image, parameters.sigma_alpha, parameters.sigma_beta),
    ]
    weights = (parameters.w2, parameters.w1)
    field = MeanField(unary, options.compact)
    beliefs = field.run(Pairwise(lattices), weights, parameters.iterations, parameters.normalization)
    return beliefs.labels() if options.labels else beliefs.probabilities()
