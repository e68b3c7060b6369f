"""DeepLab and the Caffe it needs, on PyTorch."""

from .engine import install_as_caffe

__version__ = "0.1.0"
__all__ = ["install_as_caffe"]
