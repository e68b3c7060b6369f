"""The default backend: compiled loops on one core of the CPU."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import NDArray

from ..image_crf import ImageCRF
from ..params import CRFParameters
from .base import BackendOptions, Pair


def infer(pairs: Sequence[Pair], parameters: CRFParameters, options: BackendOptions) -> list[NDArray]:
    """Labels (H, W) or probabilities (C, H, W) for each pair of image and unary, one after the other."""
    return [_infer(pair, parameters, options) for pair in pairs]


def _infer(pair: Pair, parameters: CRFParameters, options: BackendOptions) -> NDArray:
    beliefs = ImageCRF(*pair, options.compact).beliefs(parameters)
    return beliefs.labels() if options.labels else beliefs.probabilities()
