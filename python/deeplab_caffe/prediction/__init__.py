"""Labels for images without a list or a label: a trained model on photos, folders and videos. Knows experiments."""

from .segmentation import Segmentation
from .segmenter import Segmenter

__all__ = ["Segmentation", "Segmenter"]
