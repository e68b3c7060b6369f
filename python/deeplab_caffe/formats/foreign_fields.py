"""Fields and words of enums that other Caffes added to messages: whose they are, what they do, and what to do here.

Tools for text keep them as they are written; lint says what stands here; building a net refuses them, but for those
that change no result (`is_idle`): it ignores them with a warning. A field that the schema has by now is only looked up
where it is stated more often than it allows.
`tests/foreign_fields_page.py` writes docs/foreign-fields.md from this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class ForeignFields(NamedTuple):
    """Some fields of one message that one Caffe added.

    Attributes:
        message: the message that they are in.
        caffe: whose Caffe, such as "SSD".
        names: the fields, separated by spaces.
        meaning: what they do there.
        advice: what to do to run the net here.
        resizes: whether the shapes of the layer's tops may depend on them.
        repeats: whether the schema has them too, but once only.
    """

    message: str
    caffe: str
    names: str
    meaning: str
    advice: str
    resizes: bool = False
    repeats: bool = False


_SPEED = "remove it: the results are the same"
_FLOAT = "remove it: values are float32 here"
#: advice about what a net can do without: building it ignores them
_IDLE = (_SPEED, _FLOAT)
_OWN_LAYER = "only layers of a type of that Caffe read it; see their type"
_DATA = "prepare the images beforehand, or read them with a Python layer"
_NV, _INTEL, _TSN = "NVIDIA", "Intel", "temporal segment networks (yjxiong)"
_C3D, _SYNOPSYS, _AUGMENTED = "C3D", "Synopsys", "caffe-augmentation (twtygqyy)"
_LAYER, _NET, _SOLVER, _IMAGES = "LayerParameter", "NetParameter", "SolverParameter", "TransformationParameter"

TABLE = (
    # nets
    ForeignFields(_NET, _INTEL, "engine", "the implementation of all layers, such as \"MKLDNN\"", _SPEED),
    ForeignFields(_NET, _INTEL, "bn_stats_batch_size", "how many items the statistics of BatchNorm are of",
        "remove it, and train with batches of that size: statistics are of the whole batch here"),
    ForeignFields(_NET, _INTEL, "compile_net_state", "which layers the optimiser joined", _SPEED),
    ForeignFields(_NET, _INTEL, "multinode", "how the net is split over machines", _SPEED),
    ForeignFields(_NET, _NV, "default_forward_type default_backward_type default_forward_math default_backward_math",
        "the precision of layers that state none", _FLOAT),
    ForeignFields(_NET, _NV, "global_grad_scale global_grad_scale_adaptive",
        "the factor of gradients in half precision", "remove it: gradients are float32 here"),
    ForeignFields(_NET, _NV, "reduce_buckets default_cudnn_math_override default_conv_algos_override "
        "eltwise_mem_sharing", "how cuDNN and NCCL are used", _SPEED),
    ForeignFields(_NET, "SSD", "item", "a name of a label: the file is a list of them, and no net", "it is not run"),
    ForeignFields(_NET, _TSN, "mem_param", "which blobs share memory", _SPEED),
    # solvers
    ForeignFields(_SOLVER, "SSD", "eval_type ap_version show_per_class_result",
        "tests compute the average precision of detections", "remove it, and compute the precision of the saved "
        "detections"),
    ForeignFields(_SOLVER, "SSD", "plateau_winsize", "after how many iterations without progress the rate falls",
        "set another lr_policy, such as multistep"),
    ForeignFields(_SOLVER, _INTEL, "engine", "the implementation of all layers", _SPEED),
    ForeignFields(_SOLVER, _INTEL, "disabled_update", "weights are not updated", "set lr_mult: 0 in the layers"),
    ForeignFields(_SOLVER, _INTEL, "warmup_iter warmup_start_lr", "the rate rises from warmup_start_lr during the "
        "first iterations", "train the first iterations with a solver of their own"),
    ForeignFields(_SOLVER, _INTEL, "local_lr_auto local_gw_ratio", "a rate for each layer by the norms of its "
        "weights and gradients", "it has no counterpart; choose lr_mult"),
    ForeignFields(_SOLVER, _NV, "larc larc_policy larc_eta larc_turbo local_lr_auto local_gw_ratio",
        "a rate for each layer by the norms of its weights and gradients (LARC)",
        "it has no counterpart; choose lr_mult"),
    ForeignFields(_SOLVER, _NV, "min_lr", "the rate that polynomial decay ends at", "remove it: the rate ends at 0"),
    ForeignFields(_SOLVER, _NV, "rampup_interval rampup_lr", "the rate rises from rampup_lr during the first "
        "iterations", "train the first iterations with a solver of their own"),
    ForeignFields(_SOLVER, _NV, "momentum_policy momentum_power max_momentum weight_decay_policy weight_decay_power",
        "momentum and decay change while training", "train in stages, each with a solver of its own"),
    ForeignFields(_SOLVER, _NV, "max_epoch epoch_size test_epoch_size test_interval_epoch", "lengths in epochs",
        "write them as iterations: max_iter, test_iter, test_interval"),
    ForeignFields(_SOLVER, _NV, "store_blobs_in_old_format solver_data_type per_parameter_reduce reduce_buckets "
        "global_grad_scale", "how weights are stored, reduced and scaled", _SPEED),
    ForeignFields(_SOLVER, _TSN, "device_id", "stated several times: devices that train together",
        "state one, and run `caffe train --gpu 0,1`", repeats=True),
    ForeignFields(_SOLVER, _TSN, "richness", "how much is logged", _SPEED),
    # layers of any type
    ForeignFields(_LAYER, _INTEL, "engine", "the implementation, such as \"MKLDNN\" or \"CAFFE\"", _SPEED),
    ForeignFields(_LAYER, _INTEL, "multinode mn_activation_param mn_grad_compress_param",
        "how the layer is split over machines", _SPEED),
    ForeignFields(_LAYER, "Ristretto, Intel", "quantization_param", "the number of bits of values and weights",
        "remove it: values are float32 here"),
    ForeignFields(_LAYER, _NV, "forward_type backward_type forward_math backward_math", "the layer's precision",
        _FLOAT),
    ForeignFields(_LAYER, _NV, "cudnn_math_override debug", "how cuDNN is used, and what is logged", _SPEED),
    ForeignFields(_LAYER, "FlowNet", "reshape_every_iter", "whether shapes are computed anew in each pass", _SPEED),
    # layers of types of their own
    ForeignFields(_LAYER, "SSD", "annotated_data_param multibox_loss_param permute_param prior_box_param norm_param "
        "detection_output_param detection_evaluate_param video_data_param", "parameters of its detection layers",
        _OWN_LAYER),
    ForeignFields(_LAYER, "Fast R-CNN", "roi_pooling_param smooth_l1_loss_param",
        "regions pooled to one size, and their loss", _OWN_LAYER),
    ForeignFields(_LAYER, "R-FCN", "psroi_pooling_param box_annotator_ohem_param",
        "position-sensitive pooling of regions", _OWN_LAYER),
    ForeignFields(_LAYER, "MNC", "roi_warping_param mask_pooling_param mask_resize_param "
        "roi_warping_test_param", "masks of regions", _OWN_LAYER),
    ForeignFields(_LAYER, "SegNet", "dense_image_data_param", "lists of images and label images (DenseImageData)",
        "write it as an ImageSegData with image_data_param"),
    ForeignFields(_LAYER, "DeconvNet", "unpooling_param", "values go back to where Pooling took them from",
        "use Upsample with the masks of Pooling"),
    ForeignFields(_LAYER, "FlowNet", "augmentation_param black_augmentation_param coeff_schedule_param "
        "correlation_param accum_param downsample_param flow_warp_param l1_loss_param lpq_loss_param "
        "mean_param reader_param resample_param writer_param", "optical flow", _OWN_LAYER),
    ForeignFields(_LAYER, "OpenPose", "cpm_transform_param op_transform_param nms_param imresize_param", "poses",
        _OWN_LAYER),
    ForeignFields(_LAYER, "YOLO", "region_loss_param eval_detection_param reorg_param yolo_detection_output_param "
        "yolov3_detection_output_param yolov3_param yolo_v2_loss_param yolo_v3_loss_param", "detections on a grid",
        _OWN_LAYER),
    ForeignFields(_LAYER, "DIGITS (NVIDIA)", "detectnet_groundtruth_param detectnet_augmentation_param",
        "boxes as maps of a grid", _OWN_LAYER),
    ForeignFields(_LAYER, "CRF-RNN", "multi_stage_meanfield_param", "the CRF as layers", "use DenseCRF for testing"),
    ForeignFields(_LAYER, "ShuffleNet", "shuffle_channel_param", "channels change places", _OWN_LAYER),
    ForeignFields(_LAYER, "face recognition", "center_loss_param triplet_loss_param margin_inner_product_param "
        "label_specific_add_param", "losses of face recognition", _OWN_LAYER),
    ForeignFields(_LAYER, _TSN, "shuffle_pool_param batch_reduction_param segment_consensus_param",
        "snippets of a video joined", _OWN_LAYER),
    ForeignFields(_LAYER, "several", "flip_param focal_loss_param relu6_param roi_align_param "
        "spatial_dropout_param spatial_transformer_param st_param split_param transpose_param "
        "bilinear_interpolation_param", "layers of types that BVLC's Caffe lacks", _OWN_LAYER),
    # images
    ForeignFields(_IMAGES, "SSD", "resize_param", "images are resized to a height and width", _DATA, True),
    ForeignFields(_IMAGES, "SSD", "noise_param distort_param expand_param emit_constraint",
        "images are distorted and enlarged, and their boxes with them", _DATA),
    ForeignFields(_IMAGES, "SSD, OpenPose", "crop_h crop_w", "height and width of the crop",
        "write crop_height and crop_width (ImageSegData), or crop_size", True),
    ForeignFields(_IMAGES, _INTEL, "random_resize_param random_aspect_ratio_param",
        "crops of a random scale and aspect", _DATA, True),
    ForeignFields(_IMAGES, _NV, "use_gpu_transform threads display num_bands", "where images are prepared", _SPEED),
    ForeignFields(_IMAGES, _NV, "img_rand_resize_lower img_rand_resize_upper rand_resize_ratio_lower "
        "rand_resize_ratio_upper vertical_stretch_lower vertical_stretch_upper allow_upscale interpolation_algo_up "
        "interpolation_algo_down", "images are resized at random before the crop", _DATA),
    ForeignFields(_IMAGES, _TSN, "fix_crop more_fix_crop multi_scale scale_ratios max_distort is_flow flow "
        "org_size_proc", "crops at fixed corners and of several scales; optical flow", _DATA, True),
    ForeignFields(_IMAGES, _AUGMENTED, "min_scaling_factor max_scaling_factor max_rotation_angle smooth_filtering "
        "contrast_brightness_adjustment min_contrast max_contrast max_brightness_shift max_smooth max_color_shift "
        "min_side min_side_min min_side_max apply_probability debug_params", "images are changed at random", _DATA),
    ForeignFields(_IMAGES, "OpenPose", "stride max_rotate_degree visualize crop_size_x crop_size_y scale_prob "
        "scale_min scale_max target_dist center_perterb_max do_clahe num_parts np_in_lmdb transform_body_joint sigma",
        "images of persons, with maps of their joints", _OWN_LAYER, True),
    # data
    ForeignFields("DataParameter", _NV, "threads parser_threads cache shuffle", "how records are read",
        "remove it: the order of records is that of the database"),
    ForeignFields("DataParameter", "YOLO", "side", "the size of the grid of labels", _OWN_LAYER, True),
    ForeignFields("DataParameter", "FlowNet", "disk_reader_threads huge_video_dataset limit_samples "
        "preselection_file preselection_label range_start range_end rand_permute rand_permute_order "
        "rand_permute_seed slice_point encoding verbose subtract permute_every_iter block_size",
        "samples of several blobs", _OWN_LAYER, True),
    # convolutions and pooling
    ForeignFields("PoolingParameter", "pull request 3057 and many forks", "ceil_mode", "whether sizes are rounded up",
        "write `round_mode: FLOOR` for `ceil_mode: false`; for true remove it", True),
    ForeignFields("PoolingParameter", _C3D, "kernel_depth kernel_d kernel_l stride_d pad_d temporal_stride "
        "temporal_pad pad_l", "the window along time", "BVLC's Pooling has no third axis; there is no counterpart",
        True),
    ForeignFields("PoolingParameter", _SYNOPSYS, "pad_t pad_b pad_r pad_type output_shift",
        "another padding on each side", "use a Padding layer before this one", True),
    ForeignFields("ConvolutionParameter", _C3D, "kernel_depth kernel_d stride_d pad_d temporal_stride temporal_pad",
        "the kernel along time", "state kernel_size, stride and pad once per axis: depth, height, width", True),
    ForeignFields("ConvolutionParameter", _SYNOPSYS, "pad_l pad_r pad_t pad_b pad_type",
        "another padding on each side", "use a Padding layer before this one", True),
    ForeignFields("ConvolutionParameter", _NV, "cudnn_convolution_algo_seeker conv_algos_override "
        "cudnn_math_override", "how cuDNN is used", _SPEED),
    ForeignFields("ConvolutionParameter", _INTEL, "relu negative_slope fusion_type",
        "the activation after it, joined by the optimiser", "write a ReLU layer after it"),
    ForeignFields("InnerProductParameter", "NormFace", "normalize", "weights are divided by their norm",
        "it has no counterpart in an InnerProduct"),
    # normalisation
    ForeignFields("BatchNormParameter", _NV, "scale_bias scale_filler bias_filler",
        "factor and offset within the layer", "write a Scale layer with bias_term after it"),
    ForeignFields("BatchNormParameter", _INTEL, "use_weight_bias bias_term filler relu",
        "factor, offset and activation within the layer", "write a Scale layer with bias_term, and a ReLU, after it"),
    ForeignFields("BatchNormParameter", _INTEL, "stats_batch_size", "how many items the statistics are of",
        "remove it, and train with batches of that size"),
    ForeignFields("BatchNormParameter", "NVIDIA, Intel", "engine", "the implementation", _SPEED),
    ForeignFields("BNParameter", "DeconvNet, ChenglongChen", "var_eps moving_average decay update_global_stats",
        "how the statistics are kept", "write eps and momentum"),
    ForeignFields("DenseImageDataParameter", "ENet", "label_divide_factor", "labels are made smaller by this factor",
        "make the labels smaller beforehand, or read them with a Python layer", resizes=True),
    # regularisation and losses
    ForeignFields("DropoutParameter", "Bayesian SegNet", "sample_weights_test",
        "dropout while testing, to measure how sure the net is", "remove it, or run the net in the phase TRAIN"),
    ForeignFields("DropoutParameter", "Fast R-CNN", "scale_train",
        "if false, all values are made smaller while testing, rather than those kept larger while training",
        "for testing, write a Power with scale: 1 - dropout_ratio in its place"),
    ForeignFields("SoftmaxParameter", "NormFace", "normalize_type", "what is done instead of a softmax",
        "remove it if it is \"Softmax\"; there is no counterpart of others"),
    ForeignFields("ParameterParameter", "NormFace", "blob_filler", "first values of the parameter",
        "set the values from Python: they start at 0 here"),
    ForeignFields("AccuracyParameter", "NormFace", "min_is_better", "the smallest score is the answer",
        "put a Power with scale: -1 before this layer"),
    ForeignFields("LossParameter", "SegNet", "class_weighting weight_by_label_freqs", "a weight for each class",
        "`deeplab prototxt upgrade FILE -o NEW` writes an InfogainLoss with these class weights"),
    ForeignFields("LossParameter", "R-FCN, Intel", "pre_fixed_normalizer", "the loss is divided by this number",
        "set `normalization: NONE`, and loss_weight to 1 over this number"),
    ForeignFields("LossParameter", _INTEL, "label_smoothing", "a part of each label goes to all classes",
        "remove it; there is no counterpart"),
    ForeignFields("FillerParameter", _TSN, "diag_val file", "values of the diagonal, or from a file",
        "set the weights from Python"),
    *(
        ForeignFields(message, _INTEL, "engine", "the implementation", _SPEED)
        for message in ("ConcatParameter", "EltwiseParameter", "InnerProductParameter", "FlattenParameter")
    ),
)  # fmt: skip

#: implementations of layers that an `engine` may name → whose
_ENGINES = {"MKL2017": _INTEL, "MKLDNN": _INTEL, "NNPACK": "NNPACK", "GREENTEA": "OpenCL", "LIBDNN": "OpenCL",
            "SPATIAL": "OpenCL", "INTEL_SPATIAL": "OpenCL", "RISTRETTO": "Ristretto"}  # fmt: skip

#: words of enums → whose, and what to do
WORDS: Mapping[str, tuple[str, str]] = {
    **{engine: (caffe, "remove the engine: the results are the same") for engine, caffe in _ENGINES.items()},
    "PRE_FIXED": ("R-FCN, Intel", "set NONE, and loss_weight to 1 over pre_fixed_normalizer"),
    "FLOAT16": (_NV, "values are float32 here"),
}

_FIELDS = {(row.message, name): row for row in TABLE for name in row.names.split()}


def repeats(message: str, name: str) -> bool:
    """Whether another Caffe lets a field be stated several times that the schema has once."""
    return (message, name) in _FIELDS and _FIELDS[message, name].repeats


def field_of(message: str, name: str) -> ForeignFields | None:
    """What is known of a field that the schema's message lacks; a layer of 2014 counts as one of today."""
    return _FIELDS.get((message.replace("V1Layer", "Layer"), name))


def is_idle(message: str, name: str) -> bool:
    """Whether a net computes the same without a field of another Caffe, so that building it may ignore the field."""
    row = field_of(message, name)
    return row is not None and row.advice in _IDLE


def about(message: str, name: str) -> str:
    """A sentence about such a field, "" if nothing is known of it.

    Example:
        >>> about("PoolingParameter", "ceil_mode").partition(":")[0]
        "'ceil_mode' is a field of pull request 3057 and many forks (whether sizes are rounded up)"
        >>> about("PoolingParameter", "kernal_size")
        ''
    """
    row = field_of(message, name)
    return f"'{name}' is a field of {_whose(row.caffe)} ({row.meaning}): {row.advice}" if row else ""


def is_idle_word(field: str, word: str) -> bool:
    """Whether a word of another Caffe only chooses an implementation."""
    return field == "engine" and word in _ENGINES


def about_word(word: str) -> str:
    """A sentence about a word that an enum lacks, "" if nothing is known of it."""
    caffe, advice = WORDS.get(word, ("", ""))
    return f"'{word}' is a word of {_whose(caffe)}: {advice}" if caffe else ""


def _whose(caffe: str) -> str:
    return caffe if "fork" in caffe or caffe == "several" else f"the Caffe of {caffe}"
