"""The synthetic sample: a small generated data set, to try everything without a download."""

from typing import TYPE_CHECKING

from ...lazy import import_on_use

if TYPE_CHECKING:
    from .sample import description, draw_sample
    from .scene import CLASSES, draw_image

__all__ = ["CLASSES", "description", "draw_image", "draw_sample"]

import_on_use(__name__)
