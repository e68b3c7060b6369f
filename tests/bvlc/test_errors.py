"""What the shipped layers say about settings and blobs that do not fit, with and without an engine that knows names."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bvlc.dialects import net_of, one_layer
from cases import values
from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError
from deeplab_caffe.permission import python_layers

_MAPS, _LABELS = values(1, 3, 4, 5), np.zeros((1, 1, 4, 5))
_LISTS = np.zeros((1, 2, 1, 1))


def _build(layer: str, param_str: str, *arrays: np.ndarray, tops: int = 1, phase: int = caffe.TEST) -> caffe.Net:
    bottoms = {f"x{i}": array for i, array in enumerate(arrays)}
    ends = " ".join([f'bottom: "{name}"' for name in bottoms] + [f'top: "y{i}"' for i in range(tops)])
    python = f'python_param {{ module: "deeplab_layers" layer: "{layer}" param_str: "{param_str}" }}'
    net = net_of(one_layer(f'layer {{ name: "layer" type: "Python" {ends} {python} }}', bottoms), phase)
    for name, array in bottoms.items():
        net.blobs[name].data[...] = array
    net.forward()
    return net


@pytest.mark.parametrize(
    ("layer", "param_str", "arrays", "message"),
    [
        ("Interp", "zoom", [_MAPS], "param_str is 'zoom', expected JSON or a Python dict"),
        ("Interp", "[1]", [_MAPS], "expected JSON or a Python dict"),
        ("Interp", "{'zoom': 8}", [_MAPS], "has 'zoom', which is not a parameter .*zoom_factor"),
        ("Interp", "{'zoom_factor': '8'}", [_MAPS], "zoom_factor: '8', expected a whole number"),
        ("Interp", "{'zoom_factor': True}", [_MAPS], "zoom_factor: True, expected a whole number"),
        ("Interp", "{'zoom_factor': 0}", [_MAPS], "zoom_factor is 0, expected 1 or more"),
        ("Interp", "{'zoom_factor': 2, 'pad_beg': 1}", [_MAPS], "must be 0 or negative"),
        ("Interp", "", [_MAPS], "has no size"),
        ("Interp", "{'zoom_factor': 2, 'pad_end': -9}", [_MAPS], "after cropping"),
        ("Interp", "{'zoom_factor': 2}", [_MAPS[None]], "has 5 axes, expected at most 4"),
        ("Interp", "{'zoom_factor': 2}", [_MAPS, _MAPS], "has 2 bottoms, expected 1"),
        ("SegAccuracy", "{'reset': 1}", [_MAPS, _LABELS], "reset: 1, expected true or false"),
        ("SegAccuracy", "{'metric': 'IOU'}", [_MAPS, _LABELS], "expected one of PixelAccuracy"),
        ("SegAccuracy", "", [_MAPS, _LABELS[:, :, 1:]], "scores .* and labels"),
        ("SegAccuracy", "", [_MAPS, _LABELS + 7], "item 0 has the label 7, .* 3 classes .* ignored .none."),
        ("SpatialProduct", "", [_MAPS, _MAPS], "weights .* for maps"),
        ("Padding", "{'pad_beg': 1, 'pad_end': -1}", [_MAPS], "expected the same sign"),
        ("Padding", "{'pad_beg': -2, 'pad_end': -2}", [_MAPS], "nothing is left"),
        ("ChannelAggregator", "", [_MAPS], "lacks 'label_map_file'"),
        ("ChannelAggregator", "{'label_map_file': 'gone.txt'}", [_MAPS], "cannot read the groups.*gone.txt"),
        ("Upsample", "{'scale_h': 2}", [_MAPS, _MAPS], "a height without a width"),
        ("Upsample", "{'pad_out_h': true, 'scale': 3}".replace("true", "True"), [_MAPS, _MAPS], "scale of 2"),
        ("Upsample", "", [_MAPS, _MAPS + 999], "the mask holds indices"),
        ("BiasChannel", "{'fg_bias': -1}", [_MAPS, _LISTS], "fg_bias is -1, expected 0 or more"),
        ("BiasChannel", "", [_MAPS, _LABELS], "expected .1, L, 1, 1., a list"),
        ("BiasChannel", "{'label_type': 'PIXEL'}", [_MAPS, _LISTS], "a map for each item"),
        ("BiasChannel", "{'label_type': 'PIXEL', 'background_label': 5}", [_MAPS, _LABELS], "no such channel"),
        ("AdaptiveBiasChannel", "{'bg_portion': 2}", [_MAPS, _LISTS], "expected 0 to 1"),
        ("AdaptiveBiasChannel", "{'num_iter': -1}", [_MAPS, _LISTS], "expected 0 or more"),
        ("AdaptiveBiasChannel", "", [_MAPS[:, :1], _LISTS], "at least 2 channels"),
        ("UniqueLabel", "", [_LABELS], "lacks 'max_labels'"),
        ("UniqueLabel", "{'max_labels': 1, 'force_label': [0, 1]}", [_LABELS], "more than the 2 forced"),
        ("UniqueLabel", "{'max_labels': 2}", [_MAPS[:, :1]], "item 0 has 20 labels"),
        ("CensorLabel", "{'ignore_label': 255}", [_LABELS, _LABELS], "map .* and list"),
        ("DominantChannel", "{'top_k': 3}", [_MAPS], "top_k is 3, expected 1 to 2"),
        ("Histogram", "", [_LABELS], "num_labels is not stated"),
        ("IgnoreOverlay", "{'ignore_label': 255}", [_LABELS, _MAPS], "different shapes"),
        ("OneHot", "{'num_labels': 2}", [_MAPS * 0 + 2], "has the label 2"),
        ("RelativeError", "", [_MAPS, _LABELS], "differ in size"),
        ("DomainTransform", "{'num_iter': 0}", [_MAPS, _LABELS, _LISTS], "num_iter is 0"),
        ("DomainTransform", "{'range_sigma': 0}", [_MAPS, _LABELS, _LISTS], "expected a positive number"),
        ("DomainTransform", "", [_MAPS, _LABELS, _LISTS], "item 0 is 0 x 0"),
        ("BN", "{'frozen': True, 'bn_mode': 'LEARN'}", [_MAPS], "SegNet's, and frozen, which is PSPNet's"),
        ("BN", "{'slope_filler': {'type': 'xavier'}}", [_MAPS], "expected constant, uniform or gaussian"),
        ("BN", "{'slope_filler': {'mode': 1}}", [_MAPS], "expected a dict of"),
        ("DenseCRF", "{'pos_w': [1]}", [_MAPS, _LISTS], "expected one of each"),
        ("DenseCRF", "{'bi_w': [1], 'bi_xy_std': [1], 'bi_rgb_std': [1]}", [_MAPS, _LISTS], "go together"),
        ("WeightedSoftmaxWithLoss", "{'weight_source': 'gone.txt'}", [_MAPS, _LABELS], "cannot read the weights"),
    ],
)
def test_refused(layer: str, param_str: str, arrays: list[np.ndarray], message: str) -> None:
    with pytest.raises(InputError, match=rf"(?s)layer 'layer' \(Python\): deeplab_layers\.{layer}: .*{message}"):
        _build(layer, param_str, *arrays)


def test_gradients_of_what_has_none_are_refused() -> None:
    text = (
        'layer {{ name: "in" type: "Input" top: "a" input_param {{ shape {{ dim: [1, 3, 2, 2] }} }} }}'
        'layer {{ name: "ip" type: "Convolution" bottom: "a" top: "b" '
        "convolution_param {{ num_output: {} kernel_size: 1 }} }}"
        'layer {{ name: "py" type: "Python" bottom: "b" top: "c" loss_weight: 1 '
        'python_param {{ module: "deeplab_layers" layer: "{}" param_str: "{}" }} }}'
    )
    for layer, param_str in (("UniqueLabel", "{'max_labels': 9}"), ("DominantChannel", "{'top_k': 1}")):
        net = net_of(text.format(1 if layer == "UniqueLabel" else 3, layer, param_str), caffe.TRAIN)
        net.forward()
        with pytest.raises(InputError, match="has no gradient; state propagate_down: false"):
            net.backward()


@pytest.mark.parametrize("param_str", ['{"zoom_factor": 2}', "{'zoom_factor': 2}", " {'zoom_factor': 2.0} "])
def test_json_and_python_literals(param_str: str) -> None:
    assert _build("Interp", param_str.replace('"', '\\"'), _MAPS).blobs["y0"].shape == (1, 3, 7, 9)


@pytest.fixture
def plain_pycaffe(monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    """deeplab_layers on a caffe that has no more than a bare Layer."""
    for name in [n for n in sys.modules if n.partition(".")[0] in ("caffe", "deeplab_layers")]:
        monkeypatch.delitem(sys.modules, name)
    bare = types.ModuleType("caffe")
    bare.Layer = type("Layer", (), {"__init__": lambda self, param: None})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "caffe", bare)
    import deeplab_layers

    yield deeplab_layers
    for name in [n for n in sys.modules if n.partition(".")[0] == "deeplab_layers"]:
        del sys.modules[name]  # monkeypatch puts those back that were there before


def test_a_layer_of_an_old_pycaffe(plain_pycaffe: types.ModuleType) -> None:
    """It neither knows its name nor, before 2016, its phase, and has param_str_ for param_str."""
    layer = plain_pycaffe.Interp(None)
    layer.param_str_ = "{'zoom_factor': 0}"
    with pytest.raises(plain_pycaffe.LayerError, match="^deeplab_layers.Interp: zoom_factor is 0"):
        layer.setup([None], [None])
    layer = plain_pycaffe.BN(None)
    layer.param_str = "{}"
    layer.p = layer._read_parameters()
    with pytest.raises(plain_pycaffe.LayerError, match="does not tell the phase; state it in param_str"):
        layer.phase_now()
    layer.param_str = "{'phase': 'TRAIN'}"
    layer.p = layer._read_parameters()
    assert layer.phase_now() == 0


def test_ours_need_no_permission_but_another_of_that_name_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with python_layers(False):
        assert _build("Interp", "{'zoom_factor': 2}", _MAPS).blobs["y0"].shape == (1, 3, 7, 9)
        (tmp_path / "deeplab_layers").mkdir()
        (tmp_path / "deeplab_layers/__init__.py").write_text("raise SystemExit('code of a stranger')\n")
        monkeypatch.syspath_prepend(tmp_path)
        for name in [n for n in sys.modules if n.partition(".")[0] == "deeplab_layers"]:
            monkeypatch.delitem(sys.modules, name)
        with pytest.raises(InputError, match="would import the module 'deeplab_layers', that is, run its code"):
            _build("Interp", "{'zoom_factor': 2}", _MAPS)
