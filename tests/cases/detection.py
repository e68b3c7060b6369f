"""Cases of the layers of detectors and of small nets: SSD, R-CNN, R-FCN, YOLO, ShuffleNet, SENet."""

from __future__ import annotations

import numpy as np

from cases import simple, values

_X = values(2, 4, 4, 4)
_FILLER = 'weight_filler { type: "xavier" } bias_filler { type: "uniform" }'
_UNIFORM = 'scale_filler { type: "uniform" min: 0.5 }'
#: no two equal, and none so close that a difference quotient would cross it
_APART = np.random.default_rng(0).permutation(2 * 4 * 8 * 8).reshape(2, 4, 8, 8) / 100.0 - 2
_REGIONS = np.array([[0.0, 2, 3, 20, 25], [1, 0, 0, 31, 31], [1, 28, 9, 40, 12], [0, 5, 5, 5, 5]])
_INFO = np.array([[48.0, 64, 1]])
_ANCHORS = "proposal_param { ratio: 1 scale: 1 scale: 2 min_size: 4 post_nms_topn: 5 }"
#: two priors beside each other, decoded by CENTER_SIZE
_PRIORS = np.array([[0.1, 0.1, 0.5, 0.5, 0.5, 0.5, 0.9, 0.9], [0.1, 0.1, 0.2, 0.2] * 2])[None]


def _proposal(name: str, more: str, items: int = 1, **fields):
    shape = (items, 4, 3, 4)
    return simple(
        name,
        "Proposal",
        more,
        values(*shape, low=0, high=1),
        values(items, 8, 3, 4, low=-0.3, high=0.3),
        _INFO,
        checked=0,
        **fields,
    )


def _detections(name: str, more: str, offsets: np.ndarray, scores: np.ndarray, *refinement: np.ndarray):
    bottoms = offsets, scores, _PRIORS, *refinement
    return simple(name, "DetectionOutput", f"detection_output_param {{ {more} }}", *bottoms, checked=0)


REGIONS = [
    simple(
        "roi_pooling",
        "ROIPooling",
        "roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 0.25 }",
        _APART,
        _REGIONS,
        checked=1,
    ),
    simple(
        "roi_pooling_wide",
        "ROIPooling",
        "roi_pooling_param { pooled_h: 5 pooled_w: 1 }",
        _APART,
        _REGIONS / [1, 4, 4, 4, 4],
        checked=1,
    ),
    simple(
        "psroi_pooling",
        "PSROIPooling",
        "psroi_pooling_param { spatial_scale: 0.25 output_dim: 1 group_size: 2 }",
        values(2, 4, 8, 8),
        _REGIONS,
        checked=1,
    ),
    simple(
        "roi_align",
        "ROIAlign",
        "roi_align_param { pooled_h: 2 pooled_w: 3 spatial_scale: 0.25 }",
        values(2, 2, 8, 8),
        _REGIONS,
        checked=1,
    ),
    simple(
        "roi_align_sampled",
        "ROIAlign",
        "roi_align_param { pooled_h: 2 pooled_w: 2 spatial_scale: 0.25 sampling_ratio: 2 }",
        values(2, 2, 8, 8),
        _REGIONS,
        checked=1,
    ),
    simple(
        "roi_pooling_padded",
        "ROIPooling",
        "roi_pooling_param { pooled_h: 2 pooled_w: 2 spatial_scale: 0.25 pad_ratio: 0.25 }",
        _APART,
        _REGIONS,
        checked=1,
    ),
    simple(
        "roi_align_corners",
        "ROIAlign",
        "roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 0.25 pad_ratio: 0.1 }",
        values(2, 2, 8, 8),
        _REGIONS,
        checked=1,
    ),
    _proposal("proposal", _ANCHORS),
    _proposal("proposal_scores", _ANCHORS, items=2, tops=2),
    _proposal("proposal_train", _ANCHORS, phase="TRAIN"),
]

BOXES = [
    simple(
        "prior_box",
        "PriorBox",
        "prior_box_param { min_size: 8 max_size: 15 aspect_ratio: 2 clip: true variance: [0.1, 0.1, 0.2, 0.2] }",
        values(1, 2, 3, 2),
        values(1, 3, 24, 16),
        checked=0,
    ),
    simple(
        "prior_box_steps",
        "PriorBox",
        "prior_box_param { min_size: [4, 8] aspect_ratio: 3 flip: false step_h: 8 step_w: 10 img_size: 50 offset: 0 }",
        values(2, 2, 2, 3),
        values(2, 3, 16, 30),
        checked=0,
    ),
    _detections(
        "detection_output",
        "num_classes: 3 share_location: true background_label_id: 0 code_type: CENTER_SIZE confidence_threshold: 0.3",
        values(2, 8),
        np.array([[0.1, 0.8, 0.1, 0.2, 0.4, 0.4], [0.1, 0.2, 0.7, 0.9, 0.05, 0.05]]),
    ),
    _detections(
        "detection_output_objectness",
        "num_classes: 2 confidence_threshold: 0.1 objectness_score: 0.5",
        values(1, 8),
        np.array([[0.1, 0.8, 0.2, 0.7]]),
        np.array([[0.6, 0.4, 0.1, 0.9]]),
    ),
    _detections(
        "detection_output_refined",
        "num_classes: 3 confidence_threshold: 0.1 code_type: CENTER_SIZE nms_param { nms_threshold: 0.45 top_k: 400 }",
        values(2, 8),
        np.array([[0.1, 0.8, 0.1, 0.2, 0.4, 0.4], [0.1, 0.2, 0.7, 0.9, 0.05, 0.05]]),
        np.array([[0.2, 0.8, 0.1, 0.9], [0.995, 0.005, 0.1, 0.9]]),
        values(2, 8, seed=1),
    ),
    _detections("detection_output_none", "num_classes: 2 confidence_threshold: 2", values(2, 8), values(2, 4)),
    _detections(
        "detection_output_corner",
        "num_classes: 2 share_location: false background_label_id: -1 keep_top_k: 3 code_type: CORNER "
        "variance_encoded_in_target: true nms_param { top_k: 2 nms_threshold: 0.1 eta: 0.9 }",
        values(1, 16, low=-0.1, high=0.1),
        values(1, 4),
    ),
]

CASES = [
    *REGIONS,
    *BOXES,
    simple("permute", "Permute", "permute_param { order: [0, 2, 3, 1] }", values(2, 3, 4, 2)),
    simple("permute_some", "Permute", "permute_param { order: 1 }", values(2, 3, 4)),
    simple("shuffle_channel", "ShuffleChannel", "shuffle_channel_param { group: 2 }", _X),
    simple("reorg", "Reorg", "reorg_param { stride: 2 }", _X),
    simple("reorg_reverse", "Reorg", "reorg_param { stride: 2 reverse: true }", _X),
    simple("axpy", "Axpy", "", values(2, 3, 1, 1), values(2, 3, 4, 2), values(2, 3, 4, 2, seed=1)),
    simple("axpy_vector", "Axpy", "", values(2, 3), values(2, 3, 4, 2), values(2, 3, 4, 2, seed=1)),
    simple("relu6", "ReLU6", "", values(2, 3, 4, 2, low=-4, high=10)),
    simple("mish", "Mish", "", values(2, 3, 4, 2, low=-4, high=4)),
    simple("normalize", "Normalize", f"norm_param {{ {_UNIFORM} }}", _X),
    simple(
        "normalize_channels",
        "Normalize",
        f"norm_param {{ across_spatial: false channel_shared: false {_UNIFORM} }}",
        _X,
    ),
    simple("normalize_items", "Normalize", "norm_param { channel_shared: false eps: 0.1 }", values(3, 4)),
    simple(
        "convolution_depthwise",
        "ConvolutionDepthwise",
        f"convolution_param {{ num_output: 4 kernel_size: 3 pad: 1 stride: 2 {_FILLER} }}",
        _X,
    ),
    simple(
        "depthwise_convolution",
        "DepthwiseConvolution",
        f"convolution_param {{ num_output: 4 kernel_size: 3 pad: 2 dilation: 2 stride: 2 group: 4 {_FILLER} }}",
        _X,
    ),
    simple(
        "depthwise_conv",
        "DepthwiseConv",
        f"convolution_param {{ num_output: 8 kernel_h: 1 kernel_w: 2 {_FILLER} }}",
        _X,
    ),
    simple("smooth_l1", "SmoothL1Loss", "smooth_l1_loss_param { sigma: 1.5 }", 2 * values(3, 4), values(3, 4, seed=1)),
    simple("smooth_l1_weights", "SmoothL1Loss", "", *(2 * values(2, 3, 2, 2, seed=i) for i in range(4)), checked=2),
]
