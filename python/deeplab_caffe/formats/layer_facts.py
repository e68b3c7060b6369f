"""The table of layer types: what is known of each, one row a type. Every room reads it; it needs no PyTorch.

A new layer type gets its row here and its class in `caffe/layer_types`; neither is accepted without the other. What
depends on a layer's parameters (multiply-adds, receptive field, memory, export) is a method of the class.
`tests/caffe/test_layer_facts.py` holds each row against what its layer does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

# -- kinds of types

WEIGHTS = "weights"
DATA = "data"
POOLING = "pooling"
NORMALISATION = "normalisation"
#: nonlinearities that stand between weights
ACTIVATION = "activation"
#: functions of single values that are not used as activations
FUNCTION = "function"
#: several bottoms become one
MERGE = "merge"
#: values are moved, resampled or reshaped
ARRANGE = "arrange"
#: what a net is used for: probabilities, classes, refined scores
RESULT = "result"
LOSS = "loss"
METRIC = "metric"
#: bottoms are used up; there is no top
SINK = "sink"
OTHER = "other"

# -- where the values of a top lie

#: every position of a top is that of the bottom; the value may depend on others (see `whole_image`)
SAME = "same"
#: likewise, unless the layer's parameters name a spatial axis
BY_AXIS = "by axis"
ELSEWHERE = "elsewhere"

# -- what becomes of a type in a net for use

IDENTITY = "identity"
DROPPED = "dropped"

# -- which Caffe knows a type

BVLC, DEEPLAB_V1, DEEPLAB_V2, PSPNET, SEGNET = "BVLC", "DeepLab v1", "DeepLab v2", "PSPNet", "SegNet"
SSD, RCNN, RFCN, MASK_RCNN, YOLO = "SSD", "R-CNN", "R-FCN", "Mask R-CNN", "YOLO"
CASCADE_RCNN = "Cascade R-CNN"
MOBILENET, SHUFFLENET, SENET = "MobileNet", "ShuffleNet", "SENet"
DECONVNET, HED, CRF_RNN, ENET = "DeconvNet", "HED", "CRF-RNN", "ENet"
#: this package alone
HERE = "here"


@dataclass(frozen=True)
class LayerFacts:
    """One row of the table.

    Args:
        name: the type, as in a prototxt.
        kind: one of the kinds above.
        params: the fields of LayerParameter that hold its parameters, the main one first.
        known_to: the Caffes that know the type.
        twin: whether the package `deeplab_layers` has it as a Python layer, for Caffes that do not know it. A type that
            is neither BVLC's nor has a twin is refused by name when a net is written for BVLC's Caffe.
        in_place: whether it may work in place; a type that may not is refused.
        reads_top: whether its gradient reads the values of a top here.
        caffe_reads_top: whether it does so in C++ Caffe, whatever the layer's parameters.
        own_top: whether its top is always memory of its own, in place too.
        weighted: whether it multiplies by weights that are filled and learned; `params` begins with their message.
        weight_axes: the axes of parameter 0 for maps (N, C, H, W); 1 for a vector.
        ignores: for a type that compares scores with class labels, the field that holds its ignore_label.
        keeps_scores: whether its tops are scores of classes where its bottoms are.
        keeps_labels: whether its tops are labels (or probabilities) where its bottoms are: values are only moved.
        positions: SAME, BY_AXIS or ELSEWHERE.
        whole_image: whether every position may depend on the whole map although the map's size stays.
        in_use: IDENTITY where the top is the bottom in a net for use, DROPPED where such a net does without the layer.
    """

    name: str
    kind: str
    params: tuple[str, ...] = ()
    known_to: tuple[str, ...] = (BVLC,)
    twin: bool = False
    in_place: bool = False
    reads_top: bool = False
    caffe_reads_top: bool = False
    own_top: bool = True
    weighted: bool = False
    weight_axes: int = 1
    ignores: str = ""
    keeps_scores: bool = False
    keeps_labels: bool = False
    positions: str = ELSEWHERE
    whole_image: bool = False
    in_use: str = ""

    @property
    def is_bvlc(self) -> bool:
        """Whether BVLC's Caffe 1.0 knows the type."""
        return BVLC in self.known_to

    @property
    def top_is_free(self) -> bool:
        """Whether a layer in place on its top may write over it: it is its own memory, which no gradient reads."""
        return self.own_top and not self.reads_top


#: makes a row; `params` may be one word
_Row = Callable[..., LayerFacts]


def _row(name: str, kind: str, params: str = "", **facts: object) -> LayerFacts:
    return LayerFacts(name, kind, tuple(params.split()), **facts)  # type: ignore[arg-type]


_weights: _Row = partial(_row, kind=WEIGHTS)
_data: _Row = partial(_row, kind=DATA, own_top=False)
_norm: _Row = partial(_row, kind=NORMALISATION, in_place=True, positions=SAME)
_activation: _Row = partial(_row, kind=ACTIVATION, in_place=True, positions=SAME)
_function: _Row = partial(_row, kind=FUNCTION, in_place=True, positions=SAME)
_arrange: _Row = partial(_row, kind=ARRANGE)
_loss: _Row = partial(_row, kind=LOSS)
_sink: _Row = partial(_row, kind=SINK, in_use=DROPPED)
_map: _Row = partial(_row, kind=OTHER, in_place=True, positions=SAME, twin=True)
_V1, _V2 = (DEEPLAB_V1,), (DEEPLAB_V2,)
_BOTH = (DEEPLAB_V1, DEEPLAB_V2)
_MOVES = {"keeps_scores": True, "keeps_labels": True}

_ROWS = (
    # layers with weights
    _weights("Convolution", params="convolution_param", weighted=True, weight_axes=4),
    _weights("Deconvolution", params="convolution_param", weighted=True, weight_axes=4),
    _weights("ConvolutionDepthwise", params="convolution_param", known_to=(SHUFFLENET,), weighted=True, weight_axes=4),
    _weights("DepthwiseConvolution", params="convolution_param", known_to=(MOBILENET,), weighted=True, weight_axes=4),
    _weights("DepthwiseConv", params="convolution_param", known_to=(MOBILENET,), weighted=True, weight_axes=4),
    _weights("InnerProduct", params="inner_product_param", weighted=True, weight_axes=2),
    _weights("Embed", params="embed_param", weighted=True, weight_axes=2),
    _weights("RNN", params="recurrent_param", weight_axes=2, reads_top=True, caffe_reads_top=True),
    _weights("LSTM", params="recurrent_param", weight_axes=2, caffe_reads_top=True),
    _weights("Parameter", params="parameter_param", own_top=False),
    # data
    _data("Input", params="input_param"),
    _data("Data", params="data_param transform_param"),
    _data("ImageData", params="image_data_param transform_param"),
    _data("ImageSegData", params="image_data_param transform_param", known_to=_BOTH, twin=True),
    _data("DenseImageData", params="dense_image_data_param transform_param", known_to=(SEGNET,)),
    _data("ImageLabelmapData", params="image_data_param transform_param", known_to=(HED,)),
    _data("HDF5Data", params="hdf5_data_param"),
    _data("MemoryData", params="memory_data_param transform_param"),
    _data("WindowData", params="window_data_param transform_param"),
    _data("DummyData", params="dummy_data_param"),
    _data("AnnotatedData", params="annotated_data_param data_param transform_param", known_to=(SSD,)),
    _data("MatRead", params="mat_read_param", known_to=_BOTH, twin=True),
    # pooling
    _row("Pooling", POOLING, "pooling_param", keeps_labels=True),
    _row("SPP", POOLING, "spp_param"),
    _row("ROIPooling", POOLING, "roi_pooling_param", known_to=(RCNN, SSD)),
    _row("ROIAlign", POOLING, "roi_align_param roi_pooling_param", known_to=(MASK_RCNN, CASCADE_RCNN)),
    _row("PSROIPooling", POOLING, "psroi_pooling_param", known_to=(RFCN,)),
    # normalisation
    _norm("BatchNorm", params="batch_norm_param"),
    _norm("Scale", params="scale_param", keeps_scores=True),
    _norm("Bias", params="bias_param"),
    _norm("BN", params="bn_param", known_to=(PSPNET, SEGNET), twin=True, weight_axes=4),
    _norm("LRN", params="lrn_param", in_place=False, caffe_reads_top=True),
    _norm("MVN", params="mvn_param", reads_top=True, caffe_reads_top=True, whole_image=True),
    _norm("Normalize", params="norm_param", known_to=(SSD,), whole_image=True),
    # activations
    _activation("ReLU", params="relu_param", reads_top=True),
    _activation("PReLU", params="prelu_param"),
    _activation("ELU", params="elu_param", caffe_reads_top=True),
    _activation("Sigmoid", params="sigmoid_param", reads_top=True, caffe_reads_top=True),
    _activation("TanH", params="tanh_param", reads_top=True, caffe_reads_top=True),
    _activation("Swish", params="swish_param", caffe_reads_top=True),
    _activation("HardSwish", known_to=(HERE,)),
    _activation("Mish", known_to=(YOLO,)),
    _activation("ReLU6", known_to=(MOBILENET,)),
    _activation("BNLL"),
    _activation("AbsVal", in_place=False),
    _activation("Clip", params="clip_param"),
    # other functions of single values; Caffe's gradient of Power reads the top for some powers only
    _function("Dropout", params="dropout_param", own_top=False, in_use=IDENTITY),
    _function("SpatialDropout", params="spatial_dropout_param", known_to=(ENET,), own_top=False, in_use=IDENTITY),
    _function("Power", params="power_param", reads_top=True, own_top=False),
    _function("Exp", params="exp_param", reads_top=True, caffe_reads_top=True),
    _function("Log", params="log_param"),
    _function("Threshold", params="threshold_param"),
    # several bottoms
    _row("Eltwise", MERGE, "eltwise_param", keeps_scores=True, positions=SAME),
    _row("Concat", MERGE, "concat_param", in_place=True, own_top=False, positions=BY_AXIS, **_MOVES),
    _row("SpatialProduct", MERGE, known_to=_V2, twin=True, in_place=True, positions=SAME),
    _row("Axpy", MERGE, known_to=(SENET,)),
    # values at other places
    _arrange("Interp", params="interp_param", known_to=(*_BOTH, PSPNET), twin=True, **_MOVES),
    _arrange("Crop", params="crop_param", **_MOVES),
    _arrange("Padding", params="padding_param", known_to=_V1, twin=True, **_MOVES),
    _arrange("Upsample", params="upsample_param", known_to=(SEGNET,), twin=True),
    _arrange("Unpooling", params="unpooling_param", known_to=(DECONVNET,)),
    _arrange("Slice", params="slice_param", own_top=False, positions=BY_AXIS, **_MOVES),
    _arrange("Reshape", params="reshape_param", own_top=False, keeps_labels=True),
    _arrange("Flatten", params="flatten_param", own_top=False),
    _arrange("Tile", params="tile_param", positions=BY_AXIS),
    _arrange("Permute", params="permute_param", known_to=(SSD,)),
    _arrange("ShuffleChannel", params="shuffle_channel_param", known_to=(SHUFFLENET,), in_place=True, positions=SAME),
    _arrange("Reorg", params="reorg_param", known_to=(YOLO,)),
    # results
    _row("Softmax", RESULT, "softmax_param", in_place=True, reads_top=True, caffe_reads_top=True, positions=BY_AXIS),
    _row("ArgMax", RESULT, "argmax_param", positions=BY_AXIS),
    _row("DenseCRF", RESULT, "dense_crf_param", known_to=_BOTH, twin=True, in_place=True, positions=SAME,
         whole_image=True),
    _row("MultiStageMeanfield", RESULT, "multi_stage_meanfield_param", known_to=(CRF_RNN,), positions=SAME,
         whole_image=True, weight_axes=4),
    _row("DetectionOutput", RESULT, "detection_output_param", known_to=(SSD,)),
    # losses
    _loss("SoftmaxWithLoss", params="softmax_param loss_param", ignores="loss_param", reads_top=True,
          caffe_reads_top=True),
    _loss("InfogainLoss", params="infogain_loss_param loss_param", ignores="loss_param", reads_top=True,
          caffe_reads_top=True),
    _loss("SigmoidCrossEntropyLoss", params="loss_param"),
    _loss("MultinomialLogisticLoss", params="loss_param"),
    _loss("HingeLoss", params="hinge_loss_param loss_param"),
    _loss("EuclideanLoss", params="loss_param"),
    _loss("SmoothL1Loss", params="smooth_l1_loss_param loss_param", known_to=(RCNN, SSD)),
    _loss("MultiBoxLoss", params="multibox_loss_param loss_param", known_to=(SSD,)),
    _loss("ContrastiveLoss", params="contrastive_loss_param loss_param"),
    # numbers for people
    _row("Accuracy", METRIC, "accuracy_param", ignores="accuracy_param"),
    _row("SegAccuracy", METRIC, "seg_accuracy_param", known_to=_BOTH, twin=True, ignores="seg_accuracy_param"),
    # no top
    _sink("Silence"),
    _sink("MatWrite", params="mat_write_param", known_to=_BOTH, twin=True),
    _sink("HDF5Output", params="hdf5_output_param"),
    # maps of scores and labels
    _map("BiasChannel", params="bias_channel_param", known_to=_BOTH),
    _map("AdaptiveBiasChannel", params="adaptive_bias_channel_param", known_to=_BOTH, whole_image=True),
    _map("DomainTransform", params="domain_transform_param", known_to=_V2, whole_image=True),
    _map("DomainTransformForwardOnly", params="domain_transform_param", known_to=_V2, whole_image=True),
    _map("CensorLabel", params="censor_label_param", known_to=_V1),
    _map("IgnoreOverlay", params="ignore_overlay_param", known_to=_V1),
    _map("OneHot", params="onehot_param", known_to=_V1, in_place=False),
    _map("ChannelAggregator", params="channel_aggregator_param", known_to=_V1, in_place=False),
    _row("UniqueLabel", OTHER, "unique_label_param", known_to=_BOTH, twin=True),
    _row("DominantChannel", OTHER, "dominant_channel_param", known_to=_V1, twin=True),
    _row("Histogram", OTHER, "histogram_param", known_to=_V1, twin=True),
    _row("RelativeError", OTHER, known_to=_V1, twin=True),
    # boxes
    _row("PriorBox", OTHER, "prior_box_param", known_to=(SSD,)),
    _row("Proposal", OTHER, "proposal_param", known_to=(RCNN,)),
    # the rest
    _row("Split", OTHER, own_top=False, keeps_scores=True, keeps_labels=True, positions=SAME, in_use=IDENTITY),
    _row("Filter", OTHER, positions=SAME),
    _row("BatchReindex", OTHER, positions=SAME),
    _row("Reduction", OTHER, "reduction_param"),
    _row("Im2col", OTHER, "convolution_param"),
    _row("LSTMUnit", OTHER, in_place=True, caffe_reads_top=True),
    _row("Python", OTHER, "python_param", in_place=True, reads_top=True, own_top=False, whole_image=True),
)  # fmt: skip

#: by type
LAYER_FACTS: Mapping[str, LayerFacts] = {row.name: row for row in sorted(_ROWS, key=lambda row: row.name)}


def facts_of(layer_type: str) -> LayerFacts:
    """The row of a type; for an unknown type one that claims nothing.

    An unknown type whose name ends in Loss counts as a loss.

    Example:
        >>> facts_of("ReLU").kind, facts_of("ReLU").in_place
        ('activation', True)
        >>> facts_of("MyLoss").kind
        'loss'
    """
    if layer_type in LAYER_FACTS:
        return LAYER_FACTS[layer_type]
    return replace(_UNKNOWN, name=layer_type, kind=LOSS if layer_type.endswith("Loss") else OTHER)


_UNKNOWN = LayerFacts("", OTHER, known_to=(), own_top=False, reads_top=True)


def types_where(holds: Callable[[LayerFacts], bool]) -> frozenset[str]:
    """The types whose rows meet a condition.

    Example:
        >>> sorted(types_where(lambda row: row.kind == "pooling" and row.is_bvlc))
        ['Pooling', 'SPP']
    """
    return frozenset(name for name, row in LAYER_FACTS.items() if holds(row))


def params_beyond_bvlc(holds: Callable[[LayerFacts], bool]) -> frozenset[str]:
    """The fields of LayerParameter that types which meet a condition use, and no type of BVLC's Caffe does.

    Example:
        >>> sorted(params_beyond_bvlc(lambda row: SEGNET in row.known_to))
        ['bn_param', 'dense_image_data_param', 'upsample_param']
    """
    ours = {name for row in LAYER_FACTS.values() if row.is_bvlc for name in row.params}
    return frozenset(name for row in LAYER_FACTS.values() if holds(row) for name in row.params) - ours
