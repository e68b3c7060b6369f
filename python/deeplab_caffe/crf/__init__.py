"""The fully connected CRF: parameters, unary energies, inference.

The search for parameters is in `.search`, the CRF on folders in `.batch`; `.pydensecrf` has the names of that package.
"""

from typing import TYPE_CHECKING

from ..lazy import import_on_use

if TYPE_CHECKING:
    from .crf_rnn import CRFRNN
    from .image_crf import ImageCRF
    from .inference import BACKENDS, crf_batch, crf_labels, dense_crf
    from .iterations import belief_maps
    from .lattice import Lattice, bilateral_lattice, build_lattice, position_lattice, term_lattices
    from .mean_field import Beliefs, MeanField, active_classes
    from .pairwise import Pairwise
    from .params import PRESETS, CRFParameters, GaussianTerm, Preset, preset
    from .unary import (
        DEFAULT_CONFIDENCE,
        resize_scores,
        unary_from_labels,
        unary_from_probabilities,
        unary_from_scores,
        unary_from_sigmoids,
    )

__all__ = [
    "BACKENDS",
    "CRFRNN",
    "DEFAULT_CONFIDENCE",
    "PRESETS",
    "Beliefs",
    "CRFParameters",
    "GaussianTerm",
    "ImageCRF",
    "Lattice",
    "MeanField",
    "Pairwise",
    "Preset",
    "active_classes",
    "belief_maps",
    "bilateral_lattice",
    "build_lattice",
    "crf_batch",
    "crf_labels",
    "dense_crf",
    "position_lattice",
    "preset",
    "resize_scores",
    "term_lattices",
    "unary_from_labels",
    "unary_from_probabilities",
    "unary_from_scores",
    "unary_from_sigmoids",
]

import_on_use(__name__)
