"""Cases of the shape layers, of normalization, and of layers with weights."""

from __future__ import annotations

import numpy as np

from cases import Case, simple, values

_X = values(2, 3, 4, 2)
_IMAGE = values(1, 2, 5, 4)
_FILLER = 'weight_filler { type: "xavier" } bias_filler { type: "uniform" }'
_UNIFORM = 'filler { type: "uniform" }'

SHAPE = [
    simple("reshape", "Reshape", "reshape_param { shape { dim: [0, -1, 2] } }", _X),
    simple("reshape_append", "Reshape", "reshape_param { shape { dim: 1 } axis: -1 num_axes: 0 }", _X),
    simple("flatten", "Flatten", "", _X),
    simple("flatten_part", "Flatten", "flatten_param { axis: -3 end_axis: 2 }", _X),
    simple("slice", "Slice", "", _X, tops=3),
    simple("slice_points", "Slice", "slice_param { axis: 2 slice_point: [1, 3] }", _X, tops=3),
    simple("slice_one", "Slice", "", _X),
    simple("concat_one", "Concat", "", _X),
    simple("crop", "Crop", "crop_param { offset: [1, 0] }", _X, values(1, 1, 2, 1), checked=1),
    simple("crop_axis", "Crop", "crop_param { axis: 1 offset: 1 }", _X, values(1, 2, 3, 1), checked=1),
    simple("tile", "Tile", "tile_param { tiles: 3 }", _X),
    simple("tile_last", "Tile", "tile_param { axis: -1 tiles: 2 }", _X),
    simple("batch_reindex", "BatchReindex", "", values(3, 2, 1, 2), np.array([2.0, 0, 2, 2]), checked=1),
    simple("filter", "Filter", "", values(4, 2), values(4, 1, 3), np.array([1.0, 0, 0, -1]), tops=2, checked=2),
    simple("reduction", "Reduction", "reduction_param { coeff: 2 }", _X),
    simple("reduction_asum", "Reduction", "reduction_param { operation: ASUM axis: 1 }", _X),
    simple("reduction_sumsq", "Reduction", "reduction_param { operation: SUMSQ axis: 2 coeff: 0.5 }", _X),
    simple("reduction_mean", "Reduction", "reduction_param { operation: MEAN axis: -1 }", _X),
]

NORMALIZATION = [
    simple("bias", "Bias", f"bias_param {{ {_UNIFORM} }}", _X),
    simple("bias_axes", "Bias", f"bias_param {{ axis: 2 num_axes: -1 {_UNIFORM} }}", _X),
    simple("bias_scalar", "Bias", f"bias_param {{ num_axes: 0 {_UNIFORM} }}", _X),
    simple("bias_two", "Bias", "bias_param { axis: 2 }", _X, values(4, 2)),
    simple("lrn", "LRN", "lrn_param { local_size: 3 alpha: 0.5 k: 2 }", values(2, 5, 2, 3)),
    simple("lrn_within", "LRN", "lrn_param { local_size: 3 norm_region: WITHIN_CHANNEL }", _IMAGE),
    simple("mvn", "MVN", "", _X),
    simple("mvn_mean", "MVN", "mvn_param { normalize_variance: false }", _X),
    simple("mvn_across", "MVN", "mvn_param { across_channels: true }", values(2, 5)),
]

WEIGHTED = [
    simple(
        "conv_no_axis", "Convolution", f"convolution_param {{ num_output: 4 kernel_size: 1 {_FILLER} }}", values(2, 3)
    ),
    simple(
        "conv_1_axis",
        "Convolution",
        f"convolution_param {{ num_output: 2 kernel_size: 3 stride: 2 pad: 1 {_FILLER} }}",
        values(2, 3, 5),
    ),
    simple(
        "conv_3_axes",
        "Convolution",
        f"convolution_param {{ num_output: 2 kernel_size: [2, 1, 3] pad: [0, 1, 1] group: 2 {_FILLER} }}",
        values(1, 2, 3, 2, 3),
    ),
    simple(
        "conv_4_axes",
        "Convolution",
        "convolution_param { num_output: 4 kernel_size: 2 stride: [1, 2, 1, 1] dilation: [1, 1, 2, 1] group: 2 "
        f"{_FILLER} }}",
        values(1, 2, 2, 3, 3, 2),
    ),
    simple("im2col", "Im2col", "convolution_param { kernel_size: 3 stride: 2 pad: 1 }", _IMAGE),
    simple("im2col_1_axis", "Im2col", "convolution_param { kernel_size: 2 dilation: 2 }", values(2, 3, 5)),
    simple(
        "embed",
        "Embed",
        f"embed_param {{ num_output: 3 input_dim: 4 {_FILLER} }}",
        np.array([[0.0, 3], [3, 1]]),
        checked=0,
    ),
    simple("spp", "SPP", "spp_param { pyramid_height: 3 }", values(2, 2, 9, 7)),
    simple("spp_ave", "SPP", "spp_param { pyramid_height: 2 pool: AVE }", values(1, 2, 5, 6)),
    simple("spp_one", "SPP", "spp_param { pyramid_height: 1 }", _X),
    Case(
        "parameter", 'layer { name: "layer" type: "Parameter" top: "y0" parameter_param { shape { dim: [2, 3] } } }', {}
    ),
]

CASES = SHAPE + NORMALIZATION + WEIGHTED
