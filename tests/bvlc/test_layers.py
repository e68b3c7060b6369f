"""The shipped Python layers against the native ones and against recordings of a C++ Caffe, value by value."""

from __future__ import annotations

import numpy as np
import pytest

import recordings
from bvlc.dialects import compare, in_bvlc, net_of, one_layer, run
from cases import Case, collect, simple, values
from deeplab_caffe import caffe
from deeplab_caffe.formats.bvlc_schema import PYTHON_TYPES

_CASES = [case for case in collect() if case.type in PYTHON_TYPES]
_RECORDED = [name for name in recordings.recorded() if recordings.layer_type(name) in PYTHON_TYPES]


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.name)
def test_as_the_native_layer(case: Case) -> None:
    phase = caffe.TRAIN if case.phase == "TRAIN" else caffe.TEST
    compare(case.text, dict(case.bottoms), case.differentiable, phase)


@pytest.mark.parametrize("name", _RECORDED)
def test_as_recorded(name: str) -> None:
    for comparison in recordings.compare(name, rewrite=in_bvlc):
        assert comparison.error <= comparison.tolerance, comparison


_INTERP = [
    ("shrink_factor: 2", (2, 3, 9, 7)),
    ("shrink_factor: 4", (1, 2, 17, 5)),
    ("zoom_factor: 8", (1, 2, 5, 4)),
    ("zoom_factor: 3", (2, 1, 1, 6)),
    ("shrink_factor: 4 zoom_factor: 3", (1, 2, 21, 13)),
    ("height: 7 width: 11", (2, 2, 5, 6)),
    ("height: 1 width: 1", (1, 3, 5, 6)),
    ("height: 3 width: 20", (1, 1, 9, 1)),
    ("height: 5 width: 6", (1, 2, 5, 6)),
    ("zoom_factor: 2 pad_beg: -1 pad_end: -2", (1, 2, 8, 7)),
    ("height: 9 width: 4 pad_beg: -2", (2, 1, 8, 7)),
    ("height: 4 width: 4 pad_end: -3", (1, 1, 7, 7)),
]


@pytest.mark.parametrize(("parameters", "shape"), _INTERP)
def test_interp_sizes(parameters: str, shape: tuple[int, ...]) -> None:
    case = simple("interp", "Interp", f"interp_param {{ {parameters} }}", values(*shape))
    compare(case.text, case.bottoms, case.differentiable)


@pytest.mark.parametrize("zoom", [1, 2, 8])
def test_interp_of_labels_is_exact(zoom: int) -> None:
    labels = np.random.default_rng(0).integers(0, 256, (1, 1, 8 * zoom + 1, 16 * zoom + 1)).astype(float)
    case = simple("shrink", "Interp", f"interp_param {{ shrink_factor: {8 * zoom} }}", labels)
    left = run(net_of(in_bvlc(one_layer(case.text, case.bottoms))), case.bottoms)
    assert np.array_equal(left["top y0"], labels[:, :, :: 8 * zoom, :: 8 * zoom])


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 3, 5, 4), (1, 4, 2, 9)])
@pytest.mark.parametrize("parameters", ["", "num_iter: 1 range_sigma: 0.5", "num_iter: 5 min_weight: 0.3"])
def test_domain_transform_settings(parameters: str, shape: tuple[int, ...]) -> None:
    edge, sizes = values(shape[0], 1, *shape[2:], low=0.1), np.tile(np.array(shape[2:], float), (shape[0], 1, 1, 1))
    text = f"domain_transform_param {{ spatial_sigma: 6 {parameters} }}"
    case = simple("dt", "DomainTransform", text, values(*shape), edge, sizes, checked=2 if shape[2:] != (1, 1) else 0)
    compare(case.text, case.bottoms, case.differentiable)


@pytest.mark.parametrize("parameters", ["", "ignore_label: 255 ignore_label: 2", "ignore_label: 255 reset: false"])
@pytest.mark.parametrize("classes", [1, 3, 21])
def test_seg_accuracy_settings(parameters: str, classes: int) -> None:
    random = np.random.default_rng(classes)
    labels = random.integers(0, classes, (2, 1, 6, 5)).astype(float)
    if parameters:
        labels[:, :, 1:3] = 255
    scores = random.integers(0, 3, (2, classes, 6, 5)).astype(float)  # with many ties
    case = simple("accuracy", "SegAccuracy", f"seg_accuracy_param {{ {parameters} }}", scores, labels, checked=0)
    compare(case.text, case.bottoms, forwards=3)


@pytest.mark.parametrize("parameters", ["bg_bias: 0.5 fg_bias: 3", "label_type: PIXEL", "label_type: PIXEL bg_bias: 2"])
def test_bias_channel_settings(parameters: str) -> None:
    random = np.random.default_rng(1)
    shape = (2, 1, 4, 3) if "PIXEL" in parameters else (2, 3, 1, 1)
    labels = random.integers(-1, 5, shape).astype(float)
    text = f"bias_channel_param {{ {parameters} }}"
    case = simple("bias", "BiasChannel", text, values(2, 5, 4, 3), labels, checked=1)
    compare(case.text, case.bottoms, case.differentiable)


@pytest.mark.parametrize(
    "parameters", ["num_iter: 3", "suppress_others: false fg_portion: 1", "bg_portion: 0 margin_others: 0.1"]
)
def test_adaptive_bias_channel_settings(parameters: str) -> None:
    lists = np.array([[0.0, 2, -1], [3, -1, -1]]).reshape(2, 3, 1, 1)  # one label each but background: no random order
    text = f"adaptive_bias_channel_param {{ {parameters} }}"
    case = simple("adaptive", "AdaptiveBiasChannel", text, values(2, 4, 5, 6), lists, checked=0)
    compare(case.text, case.bottoms)


def test_bn_keeps_its_statistics_over_several_batches() -> None:
    case = simple("bn", "BN", "bn_param { momentum: 0.7 }", values(3, 4, 2, 2))
    compare(case.text, case.bottoms, case.differentiable, caffe.TRAIN, forwards=3)


def test_dense_crf_without_and_with_all_of_the_map() -> None:
    scores, image = values(1, 3, 9, 7, high=3), values(1, 3, 9, 7, low=-90, high=120)
    for dims in ([9, 7], [20, 30], [5, 4]):
        sizes = np.array(dims, float).reshape(1, 1, 1, 2)
        text = "dense_crf_param { max_iter: 5 pos_w: 3 pos_xy_std: 2 bi_w: 4 bi_xy_std: 6 bi_rgb_std: 20 }"
        case = simple("crf", "DenseCRF", text, scores, sizes, image, checked=0)
        compare(case.text, case.bottoms)
