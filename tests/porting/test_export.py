"""Nets exported to PyTorch and ONNX compute what they did in Caffe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from random_nets import randomised

from deeplab_caffe import caffe
from deeplab_caffe.caffe import log
from deeplab_caffe.cli import main
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats.weight_files import read_weight_file
from deeplab_caffe.nets import GeneratorOptions, generate
from deeplab_caffe.porting.difference import compare
from deeplab_caffe.porting.export import onnx_registry, torch_layers
from deeplab_caffe.porting.export.graph import graph_of
from deeplab_caffe.porting.export.runners import onnx_runner, torch_runner
from deeplab_caffe.porting.export.torch_source import TorchSource
from deeplab_caffe.porting.export.verification import fitting_sizes, verify

onnx_model = pytest.importorskip("onnx") and pytest.importorskip("deeplab_caffe.porting.export.onnx_model")
onnxruntime = pytest.importorskip("onnxruntime")
#: older ones count pixels outside of the image in windows that ceil_mode adds, against ONNX's definition
_COUNTS_WRONG = tuple(map(int, onnxruntime.__version__.split(".")[:2])) < (1, 29)

#: (layers between `data` (2, 3, 17, 17) and `y`): every type and option that is exported
LAYERS = {
    "convolution": 'type: "Convolution" convolution_param { num_output: 4 kernel_size: 3 pad: 2 dilation: 2 }',
    "groups": 'type: "Convolution" convolution_param { num_output: 6 group: 3 kernel_h: 3 kernel_w: 1 stride: 2 }',
    "deconvolution": 'type: "Deconvolution" convolution_param { num_output: 2 kernel_size: 4 stride: 2 pad: 1 }',
    "inner product": 'type: "InnerProduct" inner_product_param { num_output: 5 }',
    "batch norm": 'type: "BatchNorm" batch_norm_param { eps: 0.01 }',
    "bn": 'type: "BN"',
    "bn of segnet": 'type: "BN" bn_param { bn_mode: INFERENCE }',
    "scale": 'type: "Scale" scale_param { bias_term: true }',
    "scale of a pixel": 'type: "Scale" scale_param { axis: 2 num_axes: 1 }',
    "bias": 'type: "Bias"',
    "prelu": 'type: "PReLU"',
    "max pooling": 'type: "Pooling" pooling_param { kernel_size: 3 stride: 2 pad: 1 }',
    "max pooling, rounded up": 'type: "Pooling" pooling_param { kernel_size: 2 stride: 2 }',
    "average pooling": 'type: "Pooling" pooling_param { pool: AVE kernel_size: 3 stride: 1 pad: 1 }',
    "average, rounded up": 'type: "Pooling" pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }',
    "average of 2": 'type: "Pooling" pooling_param { pool: AVE kernel_size: 2 stride: 2 }',
    "floor": 'type: "Pooling" pooling_param { kernel_size: 2 stride: 2 round_mode: FLOOR }',
    "global average": 'type: "Pooling" pooling_param { pool: AVE global_pooling: true }',
    "global maximum": 'type: "Pooling" pooling_param { global_pooling: true }',
    "zoom": 'type: "Interp" interp_param { zoom_factor: 4 }',
    "shrink": 'type: "Interp" interp_param { shrink_factor: 2 }',
    "three quarters": 'type: "Interp" interp_param { shrink_factor: 4 zoom_factor: 3 }',
    "size": 'type: "Interp" interp_param { height: 9 width: 31 }',
    "crop and zoom": 'type: "Interp" interp_param { zoom_factor: 2 pad_beg: -1 pad_end: -2 }',
    "relu": 'type: "ReLU"',
    "leaky": 'type: "ReLU" relu_param { negative_slope: 0.1 }',
    "sigmoid": 'type: "Sigmoid"',
    "tanh": 'type: "TanH"',
    "hard swish": 'type: "HardSwish"',
    "absolute": 'type: "AbsVal"',
    "elu": 'type: "ELU" elu_param { alpha: 0.5 }',
    "clip": 'type: "Clip" clip_param { min: -0.5 max: 1 }',
    "power": 'type: "Power" power_param { power: 2 scale: 0.5 shift: 1 }',
    "constant": 'type: "Power" power_param { scale: 0 shift: 3 power: 2 }',
    "exp": 'type: "Exp" exp_param { base: 2 scale: 0.5 shift: 1 }',
    "log": 'type: "Log" log_param { scale: 0.01 shift: 5 }',
    "sum": 'type: "Eltwise" bottom: "data" eltwise_param { coeff: 0.5 coeff: -2 }',
    "product": 'type: "Eltwise" bottom: "data" eltwise_param { operation: PROD }',
    "maximum": 'type: "Eltwise" bottom: "data" eltwise_param { operation: MAX }',
    "concat": 'type: "Concat" bottom: "data"',
    "softmax": 'type: "Softmax"',
    "argmax": 'type: "ArgMax" argmax_param { axis: 1 }',
    "greatest": 'type: "ArgMax" argmax_param { axis: 1 out_max_val: true }',
    "lrn": 'type: "LRN" lrn_param { local_size: 3 alpha: 0.5 beta: 0.75 k: 2 }',
    "flatten": 'type: "Flatten"',
    "tile": 'type: "Tile" tile_param { tiles: 2 }',
    "depthwise": 'type: "ConvolutionDepthwise" convolution_param { num_output: 3 kernel_size: 3 pad: 1 stride: 2 }',
    "depthwise, grouped": 'type: "DepthwiseConvolution" convolution_param { num_output: 3 kernel_size: 3 group: 3 }',
    "depthwise, twice": 'type: "DepthwiseConv" convolution_param { num_output: 6 kernel_size: 1 }',
    "relu6": 'type: "ReLU6"',
    "mish": 'type: "Mish"',
    "normalize": 'type: "Normalize" norm_param { across_spatial: false channel_shared: false }',
    "normalize everywhere": 'type: "Normalize" norm_param { eps: 0.1 }',
    "permute": 'type: "Permute" permute_param { order: 0 order: 2 order: 3 order: 1 }',
    "shuffle channel": 'type: "ShuffleChannel" shuffle_channel_param { group: 3 }',
    "padding": 'type: "Padding" padding_param { pad_beg: 1 pad_end: 2 }',
}
_PRIORS = """layer { name: "map" type: "Convolution" bottom: "data" top: "map"
        convolution_param { num_output: 2 kernel_size: 3 } }
        layer { name: "prior" type: "PriorBox" bottom: "map" bottom: "data" top: "prior"
        prior_box_param { min_size: 5 max_size: 20 aspect_ratio: 2 clip: true variance: [0.1, 0.1, 0.2, 0.2] } }
        layer { name: "more" type: "PriorBox" bottom: "map" bottom: "data" top: "more"
        prior_box_param { min_size: [3, 4] aspect_ratio: 3 flip: false step: 2 img_h: 20 img_w: 30 offset: 0.25 } }"""
#: whole ends of nets for types that want more than one bottom or top
ENDS = {
    "slice": 'layer { name: "y" type: "Slice" bottom: "data" top: "y" top: "z" slice_param { slice_point: 1 } }',
    "crop": """layer { name: "big" type: "Interp" bottom: "data" top: "big" interp_param { zoom_factor: 2 } }
        layer { name: "y" type: "Crop" bottom: "big" bottom: "data" top: "y" crop_param { offset: 3 offset: 5 } }""",
    "spatial product": """layer { name: "s" type: "Slice" bottom: "data" top: "a" top: "b"
        slice_param { slice_point: 2 } }
        layer { name: "y" type: "SpatialProduct" bottom: "a" bottom: "b" top: "y" }""",
    "scale by a bottom": """layer { name: "g" type: "Pooling" bottom: "data" top: "g"
        pooling_param { pool: AVE global_pooling: true } }
        layer { name: "f" type: "Flatten" bottom: "g" top: "f" }
        layer { name: "s" type: "Scale" bottom: "data" bottom: "f" top: "s" scale_param { axis: 0 } }
        layer { name: "y" type: "Bias" bottom: "s" bottom: "f" top: "y" bias_param { axis: 0 } }""",
    "unpooling": """layer { name: "p" type: "Pooling" bottom: "data" top: "p" top: "mask"
        pooling_param { kernel_size: 2 stride: 2 } }
        layer { name: "y" type: "Upsample" bottom: "p" bottom: "mask" top: "y"
        upsample_param { scale: 2 pad_out_h: true pad_out_w: true } }
        layer { name: "z" type: "Unpooling" bottom: "p" bottom: "mask" top: "z"
        unpooling_param { unpool: MAX kernel_size: 3 stride: 2 pad: 1 } }
        layer { name: "fixed" type: "Unpooling" bottom: "p" bottom: "mask" top: "fixed"
        unpooling_param { kernel_size: 2 unpool_size: 40 } }""",
    "axpy": """layer { name: "g" type: "Pooling" bottom: "data" top: "g"
        pooling_param { pool: AVE global_pooling: true } }
        layer { name: "f" type: "Flatten" bottom: "g" top: "f" }
        layer { name: "a" type: "Axpy" bottom: "g" bottom: "data" bottom: "data" top: "a" }
        layer { name: "y" type: "Axpy" bottom: "f" bottom: "data" bottom: "a" top: "y" }""",
    "reorg": """layer { name: "c" type: "Convolution" bottom: "data" top: "c"
        convolution_param { num_output: 4 kernel_size: 2 } }
        layer { name: "y" type: "Reorg" bottom: "c" top: "y" reorg_param { stride: 2 } }
        layer { name: "z" type: "Reorg" bottom: "y" top: "z" reorg_param { stride: 4 reverse: true } }""",
    "roi pooling": """layer { name: "roi" type: "Input" top: "roi" input_param { shape { dim: 7 dim: 5 } } }
        layer { name: "y" type: "ROIPooling" bottom: "data" bottom: "roi" top: "y"
        roi_pooling_param { pooled_h: 3 pooled_w: 2 spatial_scale: 0.5 } }
        layer { name: "z" type: "ROIAlign" bottom: "data" bottom: "roi" top: "z"
        roi_align_param { pooled_h: 3 pooled_w: 2 spatial_scale: 0.5 } }
        layer { name: "padded" type: "ROIPooling" bottom: "data" bottom: "roi" top: "padded"
        roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 0.5 pad_ratio: 0.2 } }
        layer { name: "corners" type: "ROIAlign" bottom: "data" bottom: "roi" top: "corners"
        roi_pooling_param { pooled_h: 3 pooled_w: 2 spatial_scale: 0.5 pad_ratio: 0.2 } }""",
    "roi with axes": """layer { name: "roi" type: "Input" top: "roi" input_param { shape { dim: 7 dim: 5 } } }
        layer { name: "four" type: "Reshape" bottom: "roi" top: "four" reshape_param { shape { dim: [0, 0, 1, 1] } } }
        layer { name: "c" type: "Convolution" bottom: "data" top: "c"
        convolution_param { num_output: 8 kernel_size: 3 pad: 1 } }
        layer { name: "y" type: "PSROIPooling" bottom: "c" bottom: "four" top: "y"
        psroi_pooling_param { output_dim: 2 group_size: 2 spatial_scale: 0.5 } }
        layer { name: "z" type: "ROIAlign" bottom: "data" bottom: "four" top: "z"
        roi_align_param { pooled_h: 2 pooled_w: 2 spatial_scale: 0.5 sampling_ratio: 2 } }""",
    "detections": _PRIORS + """
        layer { name: "loc" type: "Convolution" bottom: "data" top: "loc"
        convolution_param { num_output: 16 kernel_size: 3 } }
        layer { name: "conf" type: "Convolution" bottom: "data" top: "conf"
        convolution_param { num_output: 12 kernel_size: 3 } }
        layer { name: "lp" type: "Permute" bottom: "loc" top: "lp" permute_param { order: [0, 2, 3, 1] } }
        layer { name: "lf" type: "Flatten" bottom: "lp" top: "lf" }
        layer { name: "cp" type: "Permute" bottom: "conf" top: "cp" permute_param { order: [0, 2, 3, 1] } }
        layer { name: "cr" type: "Reshape" bottom: "cp" top: "cr" reshape_param { shape { dim: [0, -1, 3] } } }
        layer { name: "cs" type: "Softmax" bottom: "cr" top: "cs" softmax_param { axis: 2 } }
        layer { name: "cf" type: "Flatten" bottom: "cs" top: "cf" }
        layer { name: "y" type: "DetectionOutput" bottom: "lf" bottom: "cf" bottom: "prior" top: "y"
        detection_output_param { num_classes: 3 code_type: CENTER_SIZE keep_top_k: 20 confidence_threshold: 0.4
        nms_param { nms_threshold: 0.45 top_k: 50 } } }
        layer { name: "none" type: "DetectionOutput" bottom: "lf" bottom: "cf" bottom: "prior" top: "none"
        detection_output_param { num_classes: 3 confidence_threshold: 2 } }
        layer { name: "all" type: "DetectionOutput" bottom: "lf" bottom: "cf" bottom: "prior" top: "all"
        detection_output_param { num_classes: 3 code_type: CORNER_SIZE background_label_id: -1
        variance_encoded_in_target: true keep_top_k: 40 nms_param { nms_threshold: 0.8 } } }
        layer { name: "object" type: "Convolution" bottom: "data" top: "object"
        convolution_param { num_output: 8 kernel_size: 3 } }
        layer { name: "op" type: "Permute" bottom: "object" top: "op" permute_param { order: [0, 2, 3, 1] } }
        layer { name: "or" type: "Reshape" bottom: "op" top: "or" reshape_param { shape { dim: [0, -1, 2] } } }
        layer { name: "os" type: "Softmax" bottom: "or" top: "os" softmax_param { axis: 2 } }
        layer { name: "of" type: "Flatten" bottom: "os" top: "of" }
        layer { name: "first" type: "Power" bottom: "lf" top: "first" power_param { scale: 0.5 } }
        layer { name: "harder" type: "DetectionOutput" bottom: "lf" bottom: "cf" bottom: "prior" bottom: "of"
        top: "harder" detection_output_param { num_classes: 3 confidence_threshold: 0.4 objectness_score: 0.5 } }
        layer { name: "refined" type: "DetectionOutput" bottom: "lf" bottom: "cf" bottom: "prior" bottom: "of"
        bottom: "first" top: "refined" detection_output_param { num_classes: 3 code_type: CENTER_SIZE keep_top_k: 20
        confidence_threshold: 0.4 objectness_score: 0.3 nms_param { nms_threshold: 0.45 top_k: 50 } } }""",
    "detections by class": _PRIORS.replace("max_size: 20 ", "").replace("aspect_ratio: 2 ", "") + """
        layer { name: "loc" type: "Convolution" bottom: "data" top: "loc"
        convolution_param { num_output: 12 kernel_size: 3 } }
        layer { name: "conf" type: "Convolution" bottom: "data" top: "conf"
        convolution_param { num_output: 3 kernel_size: 3 } }
        layer { name: "lp" type: "Permute" bottom: "loc" top: "lp" permute_param { order: [0, 2, 3, 1] } }
        layer { name: "lf" type: "Flatten" bottom: "lp" top: "lf" }
        layer { name: "cp" type: "Permute" bottom: "conf" top: "cp" permute_param { order: [0, 2, 3, 1] } }
        layer { name: "cf" type: "Flatten" bottom: "cp" top: "cf" }
        layer { name: "y" type: "DetectionOutput" bottom: "lf" bottom: "cf" bottom: "prior" top: "y"
        detection_output_param { num_classes: 3 share_location: false keep_top_k: 7
        nms_param { nms_threshold: 0.2 } } }""",
    "proposals": """layer { name: "info" type: "Input" top: "info" input_param { shape { dim: 1 dim: 3 } } }
        layer { name: "s" type: "Convolution" bottom: "data" top: "s"
        convolution_param { num_output: 12 kernel_size: 2 } }
        layer { name: "two" type: "Reshape" bottom: "s" top: "two" reshape_param { shape { dim: [0, 2, -1, 0] } } }
        layer { name: "p" type: "Softmax" bottom: "two" top: "p" }
        layer { name: "r" type: "Reshape" bottom: "p" top: "r" reshape_param { shape { dim: [0, 12, -1, 0] } } }
        layer { name: "o" type: "Convolution" bottom: "data" top: "o"
        convolution_param { num_output: 24 kernel_size: 2 } }
        layer { name: "d" type: "Power" bottom: "o" top: "d" power_param { scale: 0.1 } }
        layer { name: "y" type: "Proposal" bottom: "r" bottom: "d" bottom: "info" top: "y" top: "z" proposal_param {
        feat_stride: 1 base_size: 4 scale: [1, 2] min_size: 3 pre_nms_topn: 90 post_nms_topn: 12 } }
        layer { name: "all" type: "Proposal" bottom: "r" bottom: "d" bottom: "info" top: "all" proposal_param {
        feat_stride: 1 base_size: 4 scale: [1, 2] pre_nms_topn: 0 post_nms_topn: 0 nms_thresh: 0.3 } }""",
    "reshape": """layer { name: "y" type: "Reshape" bottom: "data" top: "y"
        reshape_param { shape { dim: 0 dim: -1 dim: 17 } } }""",
    "shared": """layer { name: "a" type: "Convolution" bottom: "data" top: "a" param { name: "w" }
        convolution_param { num_output: 2 kernel_size: 3 bias_term: false } }
        layer { name: "half" type: "Interp" bottom: "data" top: "half" interp_param { shrink_factor: 2 } }
        layer { name: "b" type: "Convolution" bottom: "half" top: "b" param { name: "w" }
        convolution_param { num_output: 2 kernel_size: 3 bias_term: false } }""",
    "in place": """layer { name: "c" type: "Convolution" bottom: "data" top: "c"
        convolution_param { num_output: 2 kernel_size: 1 } }
        layer { name: "r" type: "ReLU" bottom: "c" top: "c" } layer { name: "d" type: "Dropout" bottom: "c" top: "c" }
        layer { name: "sd" type: "SpatialDropout" bottom: "c" top: "c" }
        layer { name: "y" type: "Eltwise" bottom: "c" bottom: "c" top: "y" }
        layer { name: "unused" type: "Silence" bottom: "data" }""",
}  # fmt: skip
ENDS["a copy at the end"] = """layer { name: "c" type: "Convolution" bottom: "data" top: "c"
    convolution_param { num_output: 2 kernel_size: 1 } } layer { name: "d" type: "Dropout" bottom: "c" top: "d" }
    layer { name: "e" type: "SpatialDropout" bottom: "c" top: "e" }"""
NETS = {name: f'layer {{ name: "y" bottom: "data" top: "y" {text} }}' for name, text in LAYERS.items()} | ENDS


def build(folder: Path, layers: str) -> caffe.Net:
    data = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 17 dim: 17 } } }'
    (folder / "net.prototxt").write_text(f'name: "a-net"\n{data}\n{layers}\n')
    return randomised(caffe.Net(str(folder / "net.prototxt"), caffe.TEST))


def noise(name: str, shape: tuple[int, ...]) -> np.ndarray:
    random = np.random.default_rng(1)
    if name == "roi":  # item, x1, y1, x2, y2; some reach beyond the image
        regions = np.sort(random.uniform(-8, 60, (shape[0], 2, 2)), axis=2).transpose(0, 2, 1).reshape(-1, 4)
        return np.c_[np.arange(shape[0]) % 2, regions].astype(np.float32).reshape(shape)
    return random.standard_normal(shape, dtype=np.float32)


def runners(net: caffe.Net) -> list:
    from deeplab_caffe.porting.export.onnx_model import net_model

    graph = graph_of(net)
    source = TorchSource(graph, list(graph.values))
    model = net_model(graph, list(graph.values))
    return [torch_runner(source.text, source.class_name, source.state), onnx_runner(model.SerializeToString())]


@pytest.mark.parametrize("layers", NETS.values(), ids=NETS)
def test_layers_agree(tmp_path: Path, layers: str) -> None:
    if _COUNTS_WRONG and layers == NETS["average of 2"]:
        pytest.skip("this onnxruntime computes averages in windows at the border wrongly")
    net = build(tmp_path, layers)
    is_fixed = any(part in layers for part in ("InnerProduct", "dim: -1 dim: 17", "axis: 2 num_axes: 1"))
    sizes = [(17, 17)] if is_fixed else [(17, 17), (25, 33)]
    for runner in runners(net):
        result = verify(net, runner, noise, 1e-5, sizes)
        assert result.passed, str(result)
        assert {c.size for c in result.checks} == set(sizes)


def test_every_exported_type_has_a_case() -> None:
    text = " ".join(NETS.values())
    written = torch_layers.written_types()
    assert [kind for kind in written if f'"{kind}"' not in text] == []
    assert written == onnx_registry.written_types()


MODELS = {
    "voc12/largefov": 65, "voc12/aspp_l": 65, "voc12/resnet101_msc_aspp": 65, "voc12/v3_resnet50_aspp": 65,
    "voc12/fcn8s": 64, "voc12/scales2_attention": 65,
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_whole_nets_agree_at_three_sizes(tmp_path: Path, name: str) -> None:
    (tmp_path / "d.prototxt").write_text(
        generate(name, GeneratorOptions(width=1 / 16, test_crop=MODELS[name]))["deploy.prototxt"]
    )
    net = randomised(caffe.Net(str(tmp_path / "d.prototxt"), caffe.TEST))
    size = MODELS[name]
    for runner in runners(net):
        result = verify(net, runner, noise, 1e-4, [(size, size), (size + 32, size), (size + 32, size + 64)])
        assert result.passed, str(result)


def test_source_runs_alone_and_agrees(tmp_path: Path, model: tuple[Path, Path]) -> None:
    net, weights = model
    assert main(["export", "torch", str(net), "-w", str(weights), "-o", str(tmp_path / "exported")]) == 0
    script = """if True:
        import sys, json, torch
        from safetensors.torch import load_file
        import exported
        net = exported.Largefov()
        net.load_state_dict(load_file("exported.safetensors"))
        assert not any(name.startswith("deeplab_caffe") for name in sys.modules)
        torch.manual_seed(0)
        tops = net.eval()(torch.rand(1, 3, 65, 97) * 100)
        print(json.dumps([float(tops["fc8_interp"].sum()), float(tops["fc8_interp"].abs().max())]))
    """
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    total, greatest = json.loads(done.stdout)
    import torch

    torch.manual_seed(0)
    built = caffe.Net(str(net), str(weights), caffe.TEST)
    built.blobs["data"].reshape(1, 3, 65, 97)
    built.blobs["data"].data[...] = torch.rand(1, 3, 65, 97).numpy() * 100
    scores = built.forward()["fc8_interp"]
    assert greatest == pytest.approx(float(np.abs(scores).max()), rel=1e-5)
    assert total == pytest.approx(float(scores.sum(dtype=np.float64)), rel=1e-3, abs=1e-3 * greatest * scores.size**0.5)
    record = json.loads((tmp_path / "exported.json").read_text())
    assert record["passed"] and {"conv1_1", "pool5", "fc8_interp"} <= {c["blob"] for c in record["checks"]}


def test_an_export_leaves_the_log_as_it_was(
    tmp_path: Path, model: tuple[Path, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    net, weights = model
    with log.stderr_set(True):
        assert main(["export", "torch", str(net), "-w", str(weights), "-o", str(tmp_path / "x")]) == 0
        log.warning("still heard")
    assert "still heard" in capfd.readouterr().err


@pytest.mark.parametrize("kind", ["torch", "onnx"])
def test_nothing_is_written_without_what_the_comparison_needs(
    kind: str, tmp_path: Path, model: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    net, weights = model
    (tmp_path / "empty.jpg").touch()
    words = ["export", kind, str(net), "-w", str(weights), "-o", str(tmp_path / "x")]
    assert main([*words, "--image", str(tmp_path / "empty.jpg")]) == 2
    assert f"{tmp_path / 'empty.jpg'}: " in capsys.readouterr().err
    for value in ("-1", "nan", "inf", "small"):
        with pytest.raises(SystemExit, match="2"):
            main([*words, "--tolerance", value])
        assert f"--tolerance: got '{value}'; wanted a number, 0 or greater" in capsys.readouterr().err
    assert not list(tmp_path.glob("x*"))


def test_weights_come_back_bit_for_bit(tmp_path: Path, model: tuple[Path, Path]) -> None:
    net, weights = model
    assert main(["export", "torch", str(net), "-w", str(weights), "-o", str(tmp_path / "x"), "--no-verify"]) == 0
    back = tmp_path / "back.caffemodel"
    assert main(["weights", "port", str(tmp_path / "x.safetensors"), "--to", str(net), "-o", str(back)]) == 0
    assert compare(read_weight_file(weights), read_weight_file(back)).is_equal


def test_what_has_no_weights_is_refused(
    tmp_path: Path, model: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    net, _ = model
    for kind in ("torch", "onnx"):
        assert main(["export", kind, str(net), "-o", str(tmp_path / "x")]) == 2
        assert "for 16 layers, the first is 'conv1_1'" in capsys.readouterr().err
    assert not list(tmp_path.glob("x*"))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ('layer { name: "y" type: "MVN" bottom: "data" top: "y" }', r"net.prototxt:3:1: layer 'y' \(MVN\): has no"),
        (
            'layer { name: "y" type: "BN" bottom: "data" top: "y" bn_param { bn_mode: LEARN } }',
            "only bn_mode: INFERENCE",
        ),
        ('layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 1 } } }', "reads data, which"),
        ('layer { name: "y" type: "EuclideanLoss" bottom: "data" bottom: "data" top: "y" }', "use the deploy net"),
        (
            """layer { name: "a" type: "Convolution" bottom: "data" top: "a" param { name: "w" }
            convolution_param { num_output: 3 kernel_size: 3 } }
            layer { name: "b" type: "Convolution" bottom: "data" top: "b" param { name: "w" }
            convolution_param { num_output: 3 kernel_size: 3 } }""",
            "shares some of its parameters, but not all",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_exported_is_named(tmp_path: Path, layers: str, message: str) -> None:
    net = build(tmp_path, layers)
    with pytest.raises(InputError, match=message):
        TorchSource(graph_of(net))


def test_names_from_a_net_cannot_become_code(tmp_path: Path) -> None:
    net = build(tmp_path, r"""layer { name: "y\"\"\"; import os" type: "ReLU" bottom: "data" top: "y\"] + [\"" }""")
    net.name = '"""\nraise SystemExit\n"""'
    source = TorchSource(graph_of(net))
    torch_runner(source.text, source.class_name, source.state)
    assert "\nraise" not in source.text


def test_nets_that_train_are_refused(tmp_path: Path) -> None:
    build(tmp_path, 'layer { name: "y" type: "ReLU" bottom: "data" top: "y" }')
    with pytest.raises(InputError, match="is built for training"):
        graph_of(caffe.Net(str(tmp_path / "net.prototxt"), caffe.TRAIN))


FIXED = """
input: "data" input_shape { dim: 1 dim: 3 dim: 72 dim: 72 } input: "more" input_shape { dim: 1 dim: 2 }
layer { name: "pool" type: "Pooling" bottom: "data" top: "pool" pooling_param { pool: AVE kernel_size: 9 stride: 9 } }
layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "sum" type: "Eltwise" bottom: "fc" bottom: "more" top: "sum" }
"""


@pytest.mark.parametrize("kind", ["onnx", "torch"])
def test_a_net_that_takes_one_size_is_verified_at_that_size(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.prototxt").write_text(FIXED)
    net = caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)
    net.save(tmp_path / "net.caffemodel")
    output = tmp_path / ("out.onnx" if kind == "onnx" else "out")
    words = [str(tmp_path / "net.prototxt"), "-w", str(tmp_path / "net.caffemodel"), "-o", str(output)]
    assert main(["export", kind, *words]) == 0
    printed = capsys.readouterr().out
    assert "sum: at most" in printed and "at 72x72" in printed
    assert ("takes 72x72 alone" in printed) == (kind == "onnx")


def test_a_size_that_the_values_forbid_is_left_out(tmp_path: Path) -> None:
    net = build(
        tmp_path,
        """layer { name: "p" type: "Pooling" bottom: "data" top: "p" top: "mask"
        pooling_param { kernel_size: 2 stride: 2 } }
        layer { name: "y" type: "Upsample" bottom: "p" bottom: "mask" top: "y"
        upsample_param { upsample_h: 17 upsample_w: 17 } }""",
    )
    for runner in runners(net):
        result = verify(net, runner, noise, 1e-5)
        assert result.passed and {c.size for c in result.checks} == {(17, 17)}


def test_a_small_net_is_tried_with_a_larger_image() -> None:
    assert fitting_sizes(_net_of_size(20)) == [(20, 20), (52, 52)]
    assert fitting_sizes(_net_of_size(72)) == [(72, 72), (40, 40)]


def _net_of_size(size: int) -> caffe.Net:
    spec = caffe.NetSpec()
    spec.data = caffe.layers.Input(shape={"dim": [1, 3, size, size]})
    spec.relu = caffe.layers.ReLU(spec.data)
    return caffe.Net.from_param(spec.to_proto(), caffe.TEST)
