"""The fully connected CRF: parameters, unary energies, inference. The search for parameters is in `.search`."""

from .inference import crf_labels, dense_crf
from .lattice import Lattice, bilateral_lattice, build_lattice, position_lattice
from .mean_field import Beliefs, MeanField, Pairwise
from .params import PRESETS, CRFParameters, Preset, preset
from .unary import resize_scores, unary_from_probabilities, unary_from_scores

__all__ = [
    "PRESETS",
    "Beliefs",
    "CRFParameters",
    "Lattice",
    "MeanField",
    "Pairwise",
    "Preset",
    "bilateral_lattice",
    "build_lattice",
    "crf_labels",
    "dense_crf",
    "position_lattice",
    "preset",
    "resize_scores",
    "unary_from_probabilities",
    "unary_from_scores",
]
