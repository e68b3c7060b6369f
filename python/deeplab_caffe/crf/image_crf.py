"""The CRF on one image at many settings: what settings have in common is computed once."""

from __future__ import annotations

from numpy.typing import NDArray

from ..arrays import Float32
from .lattice import Lattice, term_lattices
from .mean_field import Beliefs, MeanField
from .pairwise import Pairwise
from .params import CRFParameters, GaussianTerm


class ImageCRF:
    """The CRF on one image. The unary is arranged once; a lattice is kept until its standard deviations change.

    Use one per thread. The results are those of `dense_crf`, to the last bit.

    Args:
        image: (H, W) or (H, W, bands), as `check_inputs` returns it.
        unary: energies (C, H, W), as `check_inputs` returns them.
        compact: see `dense_crf`.

    Example:
        >>> import numpy as np
        >>> image, unary = np.zeros((4, 6, 3), np.uint8), np.stack([np.zeros((4, 6)), np.eye(4, 6)])
        >>> crf = ImageCRF(image, unary.astype(np.float32))
        >>> [crf.beliefs(CRFParameters(w1, 67, 3)).labels().shape for w1 in (1, 2)]
        [(4, 6), (4, 6)]
    """

    def __init__(self, image: NDArray, unary: Float32, compact: float = 0.0) -> None:
        self._image = image
        self._field = MeanField(unary, compact)
        self._terms: list[GaussianTerm] = []
        self._pairwise = Pairwise([])

    def beliefs(self, parameters: CRFParameters) -> Beliefs:
        """The result of one setting; it can be asked until the next call."""
        terms = parameters.terms()
        self._build([term._replace(weight=1.0) for term in terms])
        weights = [term.weight for term in terms]
        return self._field.run(self._pairwise, weights, parameters.iterations, parameters.normalization)

    def _build(self, terms: list[GaussianTerm]) -> None:
        """Let the lattices be those of these terms."""
        if terms != self._terms:
            kept = dict(zip(self._terms, self._pairwise.lattices, strict=True))
            lattices = [kept.get(term) or self._lattice(term) for term in terms]
            self._terms, self._pairwise = terms, Pairwise(lattices)

    def _lattice(self, term: GaussianTerm) -> Lattice:
        return term_lattices([term], self._image)[0]

    @property
    def nbytes(self) -> int:
        """The bytes of memory that it holds."""
        return self._image.nbytes + self._field.nbytes + self._pairwise.nbytes
