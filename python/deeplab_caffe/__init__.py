"""DeepLab and the Caffe it needs, on PyTorch."""

__version__ = "0.1.0"
