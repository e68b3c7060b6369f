"""Nets on single images: scales, mirroring, overlapping regions. Knows nets, no data set and no experiment."""

from .loading import grid_of, load
from .outputs import ScoreBlob, score_blob
from .predictor import Predictor
from .preprocessing import Preprocessing
from .protocol import Protocol, scaled_size
from .regions import Grid

__all__ = [
    "Grid",
    "Predictor",
    "Preprocessing",
    "Protocol",
    "ScoreBlob",
    "grid_of",
    "load",
    "scaled_size",
    "score_blob",
]
