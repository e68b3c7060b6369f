"""The library onnx, which is optional."""

from ...errors import InputError

try:
    import onnx
    from onnx import checker, external_data_helper, helper, inliner, numpy_helper, reference, shape_inference
except ImportError:  # pragma: no cover - an optional library
    raise InputError("ONNX import needs the library onnx: pip install 'deeplab-caffe[onnx]'") from None

__all__ = [
    "checker",
    "external_data_helper",
    "helper",
    "inliner",
    "numpy_helper",
    "onnx",
    "reference",
    "shape_inference",
]
