"""Cases of the layers of DeepLab, PSPNet and SegNet, and of deconvolution."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cases import simple, values

_GROUPS = Path(__file__).parent.parent / "data" / "layers" / "channel_groups.txt"
_FILLER = 'weight_filler { type: "uniform" min: -1 } bias_filler { type: "uniform" }'
_MAPS = values(2, 5, 4, 3)
_LISTS = np.array([[0.0, 2, -1], [3, 3, -1]]).reshape(2, 3, 1, 1)
_LABELS = np.random.default_rng(0).integers(0, 5, (2, 1, 4, 3)).astype(float)
_LABELS[0, 0, 0] = 255
_EDGE = values(2, 1, 4, 3, low=0.1)
_SIZES = np.array([[4.0, 3], [3, 2]]).reshape(2, 1, 1, 2)
_IMAGE = values(2, 3, 4, 3, low=-100, high=150)
_PAIR = values(1, 2, 2, 3), values(1, 2, 2, 3, seed=1)
_MASK = np.array([[0.0, 3, 9], [12, 14, 23]]).reshape(1, 1, 2, 3).repeat(2, axis=1)


def _deconvolution(more: str) -> str:
    return f"convolution_param {{ num_output: 4 {more} {_FILLER} }}"


DECONVOLUTION = [
    simple("deconv", "Deconvolution", _deconvolution("kernel_size: 4 stride: 2 pad: 1"), values(2, 2, 3, 2)),
    simple("deconv_group", "Deconvolution", _deconvolution("kernel_size: 3 dilation: 2 group: 2"), values(1, 4, 3, 2)),
    simple("deconv_1d", "Deconvolution", _deconvolution("kernel_size: 3 stride: 2"), values(2, 2, 4)),
    simple("deconv_3d", "Deconvolution", _deconvolution("kernel_size: [2, 1, 3]"), values(1, 2, 2, 2, 3)),
    simple("deconv_0d", "Deconvolution", _deconvolution("group: 2"), values(3, 2)),
    simple("deconv_axis", "Deconvolution", _deconvolution("kernel_size: 2 axis: 2"), values(2, 3, 2, 2)),
    simple("deconv_two", "Deconvolution", _deconvolution("kernel_size: 2"), *_PAIR, tops=2),
]

MAPS = [
    simple("spatial_product", "SpatialProduct", "", _MAPS, values(2, 1, 4, 3)),
    simple("padding", "Padding", "padding_param { pad_beg: 1 pad_end: 2 }", _MAPS),
    simple("padding_crop", "Padding", "padding_param { pad_beg: -1 pad_end: -1 }", _MAPS),
    simple(
        "channel_aggregator", "ChannelAggregator", f'channel_aggregator_param {{ label_map_file: "{_GROUPS}" }}', _MAPS
    ),
    simple("upsample", "Upsample", "", _PAIR[0], _MASK, checked=1),
    simple("unpooling", "Unpooling", "unpooling_param { kernel_size: 2 stride: 2 }", _PAIR[0], _MASK, checked=1),
    simple("unpooling_size", "Unpooling", "unpooling_param { unpool_size: 5 }", _PAIR[0], _MASK, checked=1),
    simple("upsample_size", "Upsample", "upsample_param { upsample_h: 5 upsample_w: 5 }", _PAIR[0], _MASK, checked=1),
    simple(
        "domain_transform",
        "DomainTransform",
        "domain_transform_param { num_iter: 2 spatial_sigma: 4 range_sigma: 2 }",
        _MAPS, _EDGE, _SIZES, checked=2,
    ),
    simple(
        "domain_transform_forward_only",
        "DomainTransformForwardOnly",
        "domain_transform_param { spatial_sigma: 4 range_sigma: 2 }",
        _MAPS, _EDGE - 0.5, _SIZES, checked=0,
    ),
    simple(
        "dense_crf",
        "DenseCRF",
        "dense_crf_param { max_iter: 3 pos_w: [1, 2] pos_xy_std: [1, 3] bi_w: 2 bi_xy_std: 5 bi_rgb_std: 9 }",
        _MAPS, _SIZES, _IMAGE, checked=0,
    ),
    simple(
        "dense_crf_positions",
        "DenseCRF",
        "dense_crf_param { max_iter: 2 pos_w: 1 pos_xy_std: 2 output_probability: false }",
        _MAPS, _SIZES, checked=0,
    ),
]  # fmt: skip

_MEAN_FIELD = "num_iterations: 2 theta_alpha: 5 theta_beta: 9 theta_gamma: 2"
CRF_RNN = [
    simple(
        "multi_stage_meanfield",
        "MultiStageMeanfield",
        f"multi_stage_meanfield_param {{ {_MEAN_FIELD} spatial_filter_weight: 3 bilateral_filter_weight: 5 }}",
        _MAPS, 0.5 * _MAPS, _IMAGE, checked=2,
    ),
]  # fmt: skip

LABELS = [
    simple("bias_channel", "BiasChannel", "bias_channel_param { bg_bias: 0.5 }", _MAPS, _LISTS, checked=1),
    simple(
        "bias_channel_pixel",
        "BiasChannel",
        "bias_channel_param { label_type: PIXEL background_label: 1 ignore_label: 255 }",
        _MAPS, _LABELS, checked=1,
    ),
    simple("adaptive_bias_channel", "AdaptiveBiasChannel", "", _MAPS, _LISTS, checked=0, random=True),
    simple(
        "unique_label",
        "UniqueLabel",
        "unique_label_param { max_labels: 7 ignore_label: 255 force_label: 0 force_label: 255 }",
        _LABELS, checked=0,
    ),
    simple("censor_label", "CensorLabel", "censor_label_param { ignore_label: 255 }", _LABELS, _LISTS, checked=0),
    simple("dominant_channel", "DominantChannel", "dominant_channel_param { top_k: 3 }", _MAPS, checked=0),
    simple("histogram", "Histogram", "histogram_param { num_labels: 5 ignore_label: 255 }", _LABELS, checked=0),
    simple(
        "ignore_overlay",
        "IgnoreOverlay",
        "ignore_overlay_param { ignore_label: 255 }",
        _LABELS, _LABELS.clip(0, 4), checked=0,
    ),
    simple("one_hot", "OneHot", "onehot_param { num_labels: 6 }", _LABELS.clip(-1, 4), checked=0),
    simple("relative_error", "RelativeError", "", _MAPS, values(2, 5, 4, 3, seed=1), checked=0),
]  # fmt: skip

_SLOPES = 'slope_filler { type: "uniform" min: 1 max: 2 } bias_filler { type: "uniform" }'
_SCALES = 'scale_filler { type: "uniform" min: 1 max: 2 } shift_filler { type: "uniform" }'

BN = [
    simple("bn_stored", "BN", f"bn_param {{ {_SLOPES} }}", _MAPS, params=False),
    simple("bn_batch", "BN", f"bn_param {{ {_SLOPES} eps: 0.1 }}", _MAPS, phase="TRAIN", params=False),
    simple("bn_frozen", "BN", "bn_param { frozen: true }", _MAPS, phase="TRAIN", params=False),
    simple("bn_segnet", "BN", f"bn_param {{ {_SCALES} bn_mode: INFERENCE }}", _MAPS),
    simple("bn_segnet_learn", "BN", f"bn_param {{ {_SCALES} }}", values(3, 4)),
]

CASES = DECONVOLUTION + MAPS + CRF_RNN + LABELS + BN
