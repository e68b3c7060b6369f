"""Nets on single images: scales, mirroring, overlapping regions. Knows nets, no data set and no experiment."""

from typing import TYPE_CHECKING

from ..lazy import import_on_use

if TYPE_CHECKING:
    from . import size_rule
    from .loading import grid_of, load
    from .outputs import ScoreBlob, score_blob
    from .predictor import NetMaps, Predictor, softmax
    from .preprocessing import Preprocessing, crop_of_net
    from .protocol import Protocol, scaled_size
    from .regions import Grid

__all__ = [
    "Grid",
    "NetMaps",
    "Predictor",
    "Preprocessing",
    "Protocol",
    "ScoreBlob",
    "crop_of_net",
    "grid_of",
    "load",
    "scaled_size",
    "score_blob",
    "size_rule",
    "softmax",
]

import_on_use(__name__)
