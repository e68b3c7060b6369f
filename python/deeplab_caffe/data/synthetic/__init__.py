"""The synthetic sample: a small data set drawn by rule, so that everything can be tried without a download."""

from .sample import draw_sample
from .scene import CLASSES, draw_image

__all__ = ["CLASSES", "draw_image", "draw_sample"]
