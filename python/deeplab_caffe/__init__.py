"""DeepLab and the Caffe it needs, on PyTorch."""

from typing import Any

__version__ = "0.1.0"
__all__ = ["Segmentation", "Segmenter", "install_as_caffe"]


def __getattr__(name: str) -> Any:
    if name == "install_as_caffe":  # late, so that a command which needs no Caffe starts at once
        from .engine import install_as_caffe

        return install_as_caffe
    if name in ("Segmenter", "Segmentation"):  # late as well: they import PyTorch
        from . import prediction

        return getattr(prediction, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
