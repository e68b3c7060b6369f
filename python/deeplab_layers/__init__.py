"""Layers of DeepLab, PSPNet and SegNet that BVLC's Caffe lacks, as Python layers for a real pycaffe.

Put the folder that holds this package on PYTHONPATH, in the environment of whatever runs the net: a script that says
`import caffe`, or a `caffe` binary built with WITH_PYTHON_LAYER. A layer in a prototxt:

    layer { name: "fc8_interp" type: "Python" bottom: "fc8" top: "fc8_interp"
      python_param { module: "deeplab_layers" layer: "Interp" param_str: '{"zoom_factor": 8}' } }

param_str is JSON, or a Python dict; the names in it are the fields of the layer's own message in DeepLab's caffe.proto.
`deeplab prototxt convert FILE --dialect bvlc` writes nets so. Python 2.7 and 3, numpy; image files need OpenCV (cv2) or
Pillow. Each layer is compared with the embedded Caffe's, value by value, forward and backward.
"""

from __future__ import absolute_import

from .accuracy import SegAccuracy
from .bias import AdaptiveBiasChannel, BiasChannel
from .bn import BN
from .dense_crf import DenseCRF
from .domain_transform import DomainTransform, DomainTransformForwardOnly
from .image_seg_data import ImageSegData
from .interp import Interp
from .label_maps import CensorLabel, DominantChannel, Histogram, IgnoreOverlay, OneHot, RelativeError, UniqueLabel
from .layer import LayerError
from .maps import ChannelAggregator, Padding, SpatialProduct, Upsample
from .mat import MatRead, MatWrite
from .softmax_loss import WeightedSoftmaxWithLoss

__all__ = [
    "BN",
    "AdaptiveBiasChannel",
    "BiasChannel",
    "CensorLabel",
    "ChannelAggregator",
    "DenseCRF",
    "DomainTransform",
    "DomainTransformForwardOnly",
    "DominantChannel",
    "Histogram",
    "IgnoreOverlay",
    "ImageSegData",
    "Interp",
    "LayerError",
    "MatRead",
    "MatWrite",
    "OneHot",
    "Padding",
    "RelativeError",
    "SegAccuracy",
    "SpatialProduct",
    "UniqueLabel",
    "Upsample",
    "WeightedSoftmaxWithLoss",
]
