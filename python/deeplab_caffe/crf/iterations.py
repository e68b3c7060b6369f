"""The beliefs of the CRF after chosen numbers of iterations, as the figures of the papers show them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from numpy.typing import ArrayLike

from ..arrays import Float32
from .image_crf import ImageCRF
from .inference import check_inputs
from .params import CRFParameters


def belief_maps(
    image: ArrayLike, unary: ArrayLike, parameters: CRFParameters, iterations: Sequence[int]
) -> Iterator[Float32]:
    """The class probabilities Q (C, H, W) after each of several numbers of mean field iterations.

    Args:
        image: (H, W, 3), uint8; see `dense_crf`.
        unary: energies (C, H, W), -log probability up to a constant per pixel.
        parameters: the energy; its own number of iterations is not used.
        iterations: 0 gives the softmax of the unary, without the CRF.

    Raises:
        InputError: the arrays do not fit together or hold NaN.

    Source: DeepLab v2, Fig. 5.

    Example:
        >>> import numpy as np
        >>> image, unary = np.zeros((4, 6, 3), np.uint8), np.stack([np.zeros((4, 6)), np.eye(4, 6)])
        >>> parameters = CRFParameters(w1=4, sigma_alpha=67, sigma_beta=3)
        >>> [f"{q[1, 0, 0]:.2f}" for q in belief_maps(image, unary, parameters, (0, 1, 10))]
        ['0.27', '0.16', '0.00']
    """
    crf = ImageCRF(*check_inputs(image, unary, sigma_beta=parameters.sigma_beta))
    for count in iterations:
        yield crf.beliefs(replace(parameters, iterations=count)).probabilities()
