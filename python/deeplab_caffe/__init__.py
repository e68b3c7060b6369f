"""DeepLab and the Caffe it needs, on PyTorch."""

from typing import TYPE_CHECKING

from .lazy import import_on_use

if TYPE_CHECKING:
    from .engine import install_as_caffe
    from .prediction import Segmentation, Segmenter

__version__ = "0.1.0"
__all__ = ["Segmentation", "Segmenter", "install_as_caffe"]

import_on_use(__name__)
