"""Coarse-to-fine search for the CRF's parameters on held-out images, and its heat map."""

from typing import TYPE_CHECKING

from ...lazy import import_on_use

if TYPE_CHECKING:
    from .grid_search import SCREENS, SearchOptions, coarse_to_fine
    from .heat_map import heat_map, search_figure
    from .items import ArrayItem, FileItem, Item, Sample, choose_evenly
    from .result import ScoredSetting, SearchResult
    from .space import PAPERS, SearchSpace, Setting, parse_range

__all__ = [
    "PAPERS",
    "SCREENS",
    "ArrayItem",
    "FileItem",
    "Item",
    "ScoredSetting",
    "Sample",
    "SearchOptions",
    "SearchResult",
    "SearchSpace",
    "Setting",
    "choose_evenly",
    "coarse_to_fine",
    "heat_map",
    "parse_range",
    "search_figure",
]

import_on_use(__name__)
