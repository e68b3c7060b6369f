"""What BVLC's Caffe 1.0 knows, and what of ours it lacks: layer types, and fields of caffe.proto."""

from __future__ import annotations

from collections.abc import Mapping

#: the package of Python layers
MODULE = "deeplab_layers"

#: the layer types of BVLC's Caffe 1.0
BVLC_TYPES = frozenset((
    "AbsVal", "Accuracy", "ArgMax", "BNLL", "BatchNorm", "BatchReindex", "Bias", "Clip", "Concat", "ContrastiveLoss",
    "Convolution", "Crop", "Data", "Deconvolution", "Dropout", "DummyData", "ELU", "Eltwise", "Embed",
    "EuclideanLoss", "Exp", "Filter", "Flatten", "HDF5Data", "HDF5Output", "HingeLoss", "Im2col", "ImageData",
    "InfogainLoss", "InnerProduct", "Input", "LRN", "LSTM", "LSTMUnit", "Log", "MVN", "MemoryData",
    "MultinomialLogisticLoss", "PReLU", "Parameter", "Pooling", "Power", "Python", "RNN", "ReLU", "Reduction",
    "Reshape", "SPP", "Scale", "Sigmoid", "SigmoidCrossEntropyLoss", "Silence", "Slice", "Softmax", "SoftmaxWithLoss",
    "Split", "Swish", "TanH", "Threshold", "Tile", "WindowData",
))  # fmt: skip

#: the types that become Python layers of the same name, and the messages that hold their parameters
PYTHON_TYPES: Mapping[str, tuple[str, ...]] = {
    "AdaptiveBiasChannel": ("adaptive_bias_channel_param",),
    "BN": ("bn_param",),
    "BiasChannel": ("bias_channel_param",),
    "CensorLabel": ("censor_label_param",),
    "ChannelAggregator": ("channel_aggregator_param",),
    "DenseCRF": ("dense_crf_param",),
    "DomainTransform": ("domain_transform_param",),
    "DomainTransformForwardOnly": ("domain_transform_param",),
    "DominantChannel": ("dominant_channel_param",),
    "Histogram": ("histogram_param",),
    "IgnoreOverlay": ("ignore_overlay_param",),
    "ImageSegData": ("image_data_param", "transform_param"),
    "Interp": ("interp_param",),
    "MatRead": ("mat_read_param",),
    "MatWrite": ("mat_write_param",),
    "OneHot": ("onehot_param",),
    "Padding": ("padding_param",),
    "RelativeError": (),
    "SegAccuracy": ("seg_accuracy_param",),
    "SpatialProduct": (),
    "UniqueLabel": ("unique_label_param",),
    "Upsample": ("upsample_param",),
}

#: fields of our schema that BVLC's caffe.proto lacks, message by message
LACKING: Mapping[str, frozenset[str]] = {
    "LayerParameter": frozenset({name for names in PYTHON_TYPES.values() for name in names} | {"strict_dim"})
    - {"image_data_param", "transform_param"},
    "BatchNormParameter": frozenset({"update_global_stats"}),
    "ConvolutionParameter": frozenset({"hole", "hole_h", "hole_w"}),
    "ImageDataParameter": frozenset({"has_label", "ignore_label", "label_type", "max_labels"}),
    "TransformationParameter": frozenset({"crop_height", "crop_width", "scale_factors"}),
}
