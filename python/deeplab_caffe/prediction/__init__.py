"""Labels for images without a list or a label: a trained model on photos, folders and videos. Knows experiments."""

from typing import TYPE_CHECKING

from ..lazy import import_on_use

if TYPE_CHECKING:
    from .segmentation import Segmentation
    from .segmenter import Segmenter

__all__ = ["Segmentation", "Segmenter"]

import_on_use(__name__)
