"""The default backend: compiled loops on one core of the CPU."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import NDArray

from ..lattice import term_lattices
from ..mean_field import MeanField, Pairwise
from ..params import CRFParameters
from .base import BackendOptions, Pair


def infer(pairs: Sequence[Pair], parameters: CRFParameters, options: BackendOptions) -> list[NDArray]:
    """Labels (H, W) or probabilities (C, H, W) for each pair of image and unary, one after the other."""
    return [_infer(pair, parameters, options) for pair in pairs]


def _infer(pair: Pair, parameters: CRFParameters, options: BackendOptions) -> NDArray:
    image, unary = pair
    terms = parameters.terms()
    pairwise = Pairwise(term_lattices(terms, image))
    field = MeanField(unary, options.compact)
    beliefs = field.run(pairwise, [t.weight for t in terms], parameters.iterations, parameters.normalization)
    return beliefs.labels() if options.labels else beliefs.probabilities()
