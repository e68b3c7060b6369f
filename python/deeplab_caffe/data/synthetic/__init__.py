"""The synthetic sample: a small generated data set, to try everything without a download."""

from .sample import description, draw_sample
from .scene import CLASSES, draw_image

__all__ = ["CLASSES", "description", "draw_image", "draw_sample"]
