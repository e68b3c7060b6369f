"""From ONNX back to Caffe: nets of PyTorch, our own exports, each operator, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import torch_nets
from onnx import TensorProto, helper, numpy_helper

from deeplab_caffe import caffe
from deeplab_caffe.cli import main
from deeplab_caffe.data import read_dataset
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats.definition import read_definition
from deeplab_caffe.nets import GeneratorOptions, generate
from deeplab_caffe.porting.export.graph import graph_of
from deeplab_caffe.porting.export.onnx_model import net_model
from deeplab_caffe.porting.export.runners import onnx_runner
from deeplab_caffe.porting.onnx_import import import_onnx, import_torch
from deeplab_caffe.porting.onnx_import.verification import verify_import
from tolerances import assert_same_sums

ROOT = Path(__file__).parents[2]
pytest.importorskip("onnxscript")

# -- PyTorch's nets


@pytest.mark.parametrize("name", torch_nets.NETS)
def test_a_net_of_pytorch_computes_the_same_in_caffe_and_back(name: str, tmp_path: Path) -> None:
    module, image = torch_nets.made(name), torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    found = import_torch(module, image)
    assert not found.forks
    assert verify_import(found).passed
    with torch.no_grad():
        wanted = module(image).numpy()
    text, weights = found.write(tmp_path / "net")
    net = caffe.Net(text, weights, caffe.TEST)
    (values,) = net.forward(**{net.inputs[0]: image.numpy()}).values()
    assert_same_sums(wanted, values, tiny=0)
    back = onnx_runner(net_model(graph_of(net), dynamic=False).SerializeToString())
    (values,) = back({net.inputs[0]: image.numpy()}).values()
    assert_same_sums(wanted, values, tiny=0)


def test_layers_have_the_names_of_their_weights() -> None:
    found = import_torch(torch_nets.made("VGG"), torch.zeros(1, 3, 32, 32))
    assert list(found.net.params) == [
        "features.0",
        "features.2",
        "features.5",
        "classifier.0",
        "classifier.3",
        "classifier.5",
    ]


# -- our own exports


def _text(model: str) -> str:
    """The deploy net of a model, small."""
    dataset = read_dataset(ROOT / "datasets" / "voc12.toml")
    options = GeneratorOptions(width=0.125, test_crop=(65, 65), from_scratch=True)
    return generate(model, options, dataset)["deploy.prototxt"]


@pytest.mark.parametrize("model", ["voc12/largefov", "voc12/resnet101_aspp", "voc12/msc_largefov"])
def test_our_own_exports_come_back_bit_for_bit(model: str, tmp_path: Path) -> None:
    (tmp_path / "deploy.prototxt").write_text(_text(model))
    net = caffe.Net(str(tmp_path / "deploy.prototxt"), caffe.TEST)
    random = np.random.default_rng(0)
    for layer, blobs in net.params.items():
        for i, blob in enumerate(blobs):
            spread = (2 / max(1, blob.count // blob.shape[0])) ** 0.5
            positive = layer.startswith("bn") and i == 1
            blob.data[...] = random.uniform(0.5, 2, blob.shape) if positive else random.normal(0, spread, blob.shape)
        if layer.startswith("bn"):
            blobs[2].data[...] = 1
    found = import_onnx(net_model(graph_of(net), dynamic=False), allow_forks=True)
    assert list(found.forks) in ([], ["Interp"])
    for layer, blobs in net.params.items():
        for mine, theirs in zip(blobs, found.net.params[layer], strict=True):
            np.testing.assert_array_equal(theirs.data, mine.data)
    image = random.normal(0, 50, net.blobs["data"].shape).astype(np.float32)
    for one in (net, found.net):
        one.blobs["data"].data[...] = image
        one.forward()
    for name in net.outputs:
        np.testing.assert_array_equal(found.net.blobs[found.outputs[name]].data, net.blobs[name].data)


# -- each operator

_IMAGE = (1, 3, 6, 6)


def _model(
    nodes: list[Any],
    shape: tuple[int, ...] = _IMAGE,
    constants: dict[str, Any] | None = None,
    opset: int = 17,
    **more: Any,
) -> onnx.ModelProto:
    """A model with the input x, one output y, and more inputs."""
    inputs = {"x": shape, **more}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes) for name, sizes in inputs.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def _node(operator: str, *inputs: str, **attributes: Any) -> Any:
    return helper.make_node(operator, inputs or ["x"], ["y"], name="n", **attributes)


def _drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).uniform(0.5, 1.5, shape).astype(np.float32)


_I = lambda *values: np.array(values, np.int64)  # noqa: E731
_F = lambda *values: np.array(values, np.float32)  # noqa: E731

#: a node, its constants, the layer types that it becomes, and what else a model needs
CASES: dict[str, tuple[Any, dict[str, Any], list[str], dict[str, Any]]] = {
    "Relu": (_node("Relu"), {}, ["ReLU"], {}),
    "LeakyRelu": (_node("LeakyRelu", alpha=0.1), {}, ["ReLU"], {}),
    "Elu": (_node("Elu", alpha=0.5), {}, ["ELU"], {}),
    "PRelu": (_node("PRelu", "x", "w"), {"w": _drawn(3, 1, 1)}, ["PReLU"], {}),
    "PRelu, one slope": (_node("PRelu", "x", "w"), {"w": _drawn(1)}, ["PReLU"], {}),
    "Sigmoid": (_node("Sigmoid"), {}, ["Sigmoid"], {}),
    "Tanh": (_node("Tanh"), {}, ["TanH"], {}),
    "Abs": (_node("Abs"), {}, ["AbsVal"], {}),
    "Exp": (_node("Exp"), {}, ["Exp"], {}),
    "Softplus": (_node("Softplus"), {}, ["BNLL"], {}),
    "Neg": (_node("Neg"), {}, ["Power"], {}),
    "HardSigmoid": (_node("HardSigmoid"), {}, ["Power", "Clip"], {}),
    "HardSwish": (_node("HardSwish"), {}, ["Power", "Clip", "Eltwise"], {}),
    "Clip": (_node("Clip", "x", "a", "b"), {"a": np.float32(0), "b": np.float32(6)}, ["Clip"], {}),
    "Clip at zero": (_node("Clip", "x", "a"), {"a": np.float32(0)}, ["ReLU"], {}),
    "Clip of 2019": (_node("Clip", min=0.0, max=6.0), {}, ["Clip"], {"opset": 10}),
    "Softmax": (_node("Softmax", axis=1), {}, ["Softmax"], {}),
    "Softmax of 2019": (_node("Softmax"), {}, ["Flatten", "Softmax", "Reshape"], {"opset": 12}),
    "Softmax of 2019, of one axis": (_node("Softmax", axis=3), {}, ["Softmax"], {"opset": 11}),
    "LogSoftmax of 2019": (_node("LogSoftmax"), {}, ["Flatten", "Softmax", "Reshape", "Log"], {"opset": 11}),
    "Softmax of the last axis": (_node("Softmax"), {}, ["Softmax"], {}),
    "LogSoftmax": (_node("LogSoftmax", axis=1), {}, ["Softmax", "Log"], {}),
    "LRN": (_node("LRN", size=3, alpha=0.5), {}, ["LRN"], {}),
    "ArgMax": (_node("ArgMax", axis=1), {}, ["ArgMax"], {}),
    "ArgMax without its axis": (_node("ArgMax", axis=1, keepdims=0), {}, ["ArgMax", "Reshape"], {}),
    "GatherND": (_node("GatherND", "x", "i"), {"i": _I(1, 0).reshape(2, 1)}, ["Slice", "Concat"], {"shape": (2, 3, 4)}),
    "BatchNormalization": (
        _node("BatchNormalization", "x", "s", "b", "m", "v", epsilon=0.1),
        {name: _drawn(3) for name in "sbmv"},
        ["BatchNorm", "Scale"],
        {},
    ),
    "Conv": (
        _node("Conv", "x", "w", "b", pads=[1] * 4),
        {"w": _drawn(4, 3, 3, 3), "b": _drawn(4)},
        ["Convolution"],
        {},
    ),
    "Conv in groups": (
        _node("Conv", "x", "w", group=3, strides=[2, 2]),
        {"w": _drawn(3, 1, 3, 3)},
        ["Convolution"],
        {},
    ),
    "Conv, not square": (
        _node("Conv", "x", "w", pads=[0, 2, 0, 2], strides=[1, 2], dilations=[1, 2]),
        {"w": _drawn(2, 3, 1, 3)},
        ["Convolution"],
        {},
    ),
    "Conv, SAME": (_node("Conv", "x", "w", auto_pad="SAME_UPPER"), {"w": _drawn(2, 3, 3, 3)}, ["Convolution"], {}),
    "ConvTranspose": (
        _node("ConvTranspose", "x", "w", strides=[2, 2], pads=[1] * 4, group=3),
        {"w": _drawn(3, 2, 4, 4)},
        ["Deconvolution"],
        {},
    ),
    "MaxPool": (_node("MaxPool", kernel_shape=[2, 2], strides=[2, 2]), {}, ["Pooling"], {}),
    "MaxPool that rounds down": (
        _node("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4),
        {},
        ["Pooling"],
        {},
    ),
    "MaxPool that rounds up": (_node("MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1), {}, ["Pooling"], {}),
    "AveragePool": (
        _node("AveragePool", kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=1),
        {},
        ["Pooling"],
        {},
    ),  # fmt: skip
    "GlobalAveragePool": (_node("GlobalAveragePool"), {}, ["Pooling"], {}),
    "ReduceMean": (_node("ReduceMean", axes=[2, 3], keepdims=0), {}, ["Pooling", "Flatten"], {}),
    "ReduceMax": (_node("ReduceMax", axes=[-1, -2]), {}, ["Pooling"], {}),
    "Resize, bilinear": (
        _node("Resize", "x", "", "s", mode="linear"),
        {"s": _F(1, 1, 3, 2)},
        ["Deconvolution", "Scale"],
        {},
    ),  # fmt: skip
    "Resize, nearest": (
        _node(
            "Resize", "x", "", "s", mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
        ),
        {"s": _F(1, 1, 2, 2)},
        ["Deconvolution"],
        {},
    ),
    "Resize, nearest of the middles": (
        _node("Resize", "x", "", "s", mode="nearest"),
        {"s": _F(1, 1, 3, 3)},
        ["Deconvolution"],
        {},
    ),  # fmt: skip
    "Resize of two axes": (
        _node("Resize", "x", "", "s", mode="linear", axes=[3, 2]),
        {"s": _F(2, 3)},
        ["Deconvolution", "Scale"],
        {"opset": 18},
    ),
    "Resize, aligned corners": (
        _node("Resize", "x", "", "", "n", mode="linear", coordinate_transformation_mode="align_corners"),
        {"n": _I(1, 3, 9, 11)},
        ["Interp"],
        {},
    ),
    "Upsample of 2018": (_node("Upsample", "x", "s"), {"s": _F(1, 1, 2, 3)}, ["Deconvolution"], {"opset": 9}),
    "Max of zero": (_node("Max", "x", "w"), {"w": np.float32(0)}, ["ReLU"], {}),
    "Min of a number": (_node("Min", "w", "x"), {"w": np.float32(1)}, ["Clip"], {}),
    "Sum of one": (_node("Sum"), {}, [], {}),
    "Add of a number": (_node("Add", "x", "w"), {"w": np.float32(2)}, ["Power"], {}),
    "a number less x": (_node("Sub", "w", "x"), {"w": np.float32(2)}, ["Power", "Power"], {}),
    "x less a number": (_node("Sub", "x", "w"), {"w": np.float32(2)}, ["Power"], {}),
    "Div by a number": (_node("Div", "x", "w"), {"w": np.float32(4)}, ["Power"], {}),
    "Mul per channel": (_node("Mul", "x", "w"), {"w": _drawn(3, 1, 1)}, ["Scale"], {}),
    "Div per channel": (_node("Div", "x", "w"), {"w": _drawn(1, 3, 1, 1)}, ["Scale"], {}),
    "Sub per channel": (_node("Sub", "x", "w"), {"w": _drawn(3, 1, 1)}, ["Bias"], {}),
    "constants less x": (_node("Sub", "w", "x"), {"w": _drawn(3, 1, 1)}, ["Power", "Bias"], {}),
    "Mul per pixel": (_node("Mul", "x", "w"), {"w": _drawn(6, 6)}, ["Scale"], {}),
    "Pow": (_node("Pow", "x", "w"), {"w": np.float32(2)}, ["Power"], {}),
    "Add": (_node("Add", "x", "z"), {}, ["Eltwise"], {"z": _IMAGE}),
    "Sub": (_node("Sub", "x", "z"), {}, ["Eltwise"], {"z": _IMAGE}),
    "Mul": (_node("Mul", "x", "z"), {}, ["Eltwise"], {"z": _IMAGE}),
    "Max": (_node("Max", "x", "z"), {}, ["Eltwise"], {"z": _IMAGE}),
    "Min": (_node("Min", "x", "z"), {}, ["Power", "Power", "Eltwise", "Power"], {"z": _IMAGE}),
    "Sum of three": (_node("Sum", "x", "z", "x"), {}, ["Eltwise"], {"z": _IMAGE}),
    "a gate for each channel": (_node("Mul", "x", "z"), {}, ["Reshape", "Scale"], {"z": (1, 3, 1, 1)}),
    "a sum for each channel": (_node("Add", "z", "x"), {}, ["Reshape", "Bias"], {"z": (1, 3, 1, 1)}),
    "Gemm": (
        _node("Gemm", "x", "w", "b", transB=1),
        {"w": _drawn(4, 5), "b": _drawn(4)},
        ["InnerProduct"],
        {"shape": (2, 5)},
    ),
    "Gemm, scaled": (
        _node("Gemm", "x", "w", "b", alpha=0.5, beta=2.0),
        {"w": _drawn(5, 4), "b": _drawn(1, 4)},
        ["InnerProduct"],
        {"shape": (2, 5)},
    ),
    "Gemm, bias left out": (_node("Gemm", "x", "w", ""), {"w": _drawn(5, 4)}, ["InnerProduct"], {"shape": (2, 5)}),
    "Gemm, not transposed": (_node("Gemm", "x", "w"), {"w": _drawn(5, 4)}, ["InnerProduct"], {"shape": (2, 5)}),
    "MatMul": (_node("MatMul", "x", "w"), {"w": _drawn(5, 4)}, ["InnerProduct"], {"shape": (2, 3, 5)}),
    "Flatten": (_node("Flatten"), {}, ["Flatten"], {}),
    "Reshape": (_node("Reshape", "x", "n"), {"n": _I(0, 9, -1)}, ["Reshape"], {}),
    "Squeeze": (_node("Squeeze", "x", "n"), {"n": _I(2, 3)}, ["Flatten"], {"shape": (2, 3, 1, 1)}),
    "Unsqueeze of 2019": (_node("Unsqueeze", axes=[2]), {}, ["Reshape"], {"opset": 11, "shape": (2, 3)}),
    "Transpose of ones": (_node("Transpose", perm=[0, 2, 3, 1]), {}, ["Reshape"], {"shape": (1, 3, 1, 1)}),
    "Concat": (_node("Concat", "x", "z", axis=1), {}, ["Concat"], {"z": (1, 2, 6, 6)}),
    "Concat of rows": (_node("Concat", "x", "z", axis=-2), {}, ["Concat"], {"z": (1, 3, 1, 6)}),
    "Slice": (
        _node("Slice", "x", "a", "b", "c"),
        {"a": _I(1), "b": _I(2), "c": _I(1)},
        ["Slice", "Silence"],
        {},
    ),  # fmt: skip
    "Slice with a step": (
        _node("Slice", "x", "a", "b", "c", "d"),
        {"a": _I(1, 0), "b": _I(6, 5), "c": _I(2, 3), "d": _I(2, 3)},
        ["Slice", "Silence", "Slice", "Silence", "Pooling"],
        {},
    ),
    "Slice backwards": (
        _node("Slice", "x", "a", "b", "c", "d"),
        {"a": _I(-1), "b": _I(-99), "c": _I(1), "d": _I(-1)},
        ["Slice", "Concat"],
        {},
    ),
    "Gather": (_node("Gather", "x", "a", axis=1), {"a": _I(2, 0, 1, 1)}, ["Slice", "Concat"], {}),
    "Gather of one": (
        _node("Gather", "x", "a", axis=1),
        {"a": np.array(-1, np.int64)},
        ["Slice", "Silence", "Reshape"],
        {},
    ),
    "Gather of all": (_node("Gather", "x", "a", axis=1), {"a": _I(0, 1, 2)}, [], {}),
    "ReduceSum of channels": (_node("ReduceSum", "x", "a"), {"a": _I(1)}, ["Convolution"], {}),
    "ReduceMean of channels": (_node("ReduceMean", axes=[1]), {}, ["Convolution"], {}),
    "ReduceMax of channels": (_node("ReduceMax", axes=[1]), {}, ["ArgMax"], {}),
    "ReduceSum of positions": (
        _node("ReduceSum", "x", "a", keepdims=0),
        {"a": _I(2, 3)},
        ["Pooling", "Power", "Flatten"],
        {},
    ),
    "DepthToSpace": (_node("DepthToSpace", blocksize=2), {}, ["Deconvolution"], {"shape": (1, 8, 3, 4)}),
    "DepthToSpace, CRD": (
        _node("DepthToSpace", blocksize=2, mode="CRD"),
        {},
        ["Deconvolution"],
        {"shape": (1, 8, 3, 4)},
    ),
    "SpaceToDepth": (_node("SpaceToDepth", blocksize=2), {}, ["Convolution"], {"shape": (1, 3, 4, 6)}),
    "a map for all channels": (_node("Mul", "x", "z"), {}, ["Tile", "Eltwise"], {"z": (1, 1, 6, 6)}),
    "Conv of a line": (
        _node("Conv", "x", "w", strides=[2], pads=[1, 1], dilations=[2]),
        {"w": _F(*range(24)).reshape(4, 3, 2)},
        ["Reshape", "Convolution", "Reshape"],
        {"shape": (1, 3, 9)},
    ),
    "MaxPool of a line": (
        _node("MaxPool", kernel_shape=[3], strides=[2]),
        {},
        ["Reshape", "Pooling", "Reshape"],
        {"shape": (1, 3, 9)},
    ),
    "Slice of two axes": (
        _node("Slice", "x", "a", "b", "c"),
        {"a": _I(1, 0), "b": _I(-1, 4), "c": _I(2, 3)},
        ["Slice", "Silence", "Slice", "Silence"],
        {},
    ),
    "Tile, once": (_node("Tile", "x", "n"), {"n": _I(1, 1, 1, 1)}, [], {}),
    "infinite numbers": (_node("Log"), {}, ["Log"], {}),
    "Tile": (_node("Tile", "x", "n"), {"n": _I(1, 2, 1, 1)}, ["Tile"], {}),
}


@pytest.mark.parametrize("case", CASES)
def test_an_operator_is_what_onnxruntime_computes(case: str) -> None:
    node, constants, types, more = CASES[case]
    found = import_onnx(_model([node], constants=constants, **more), allow_forks=True)
    assert [layer.type for layer in found.param.layer if layer.type != "Input"] == types
    result = verify_import(found, tolerance=3e-6)
    assert result.passed and "y" in result.worst, result


def test_a_pad_goes_into_the_convolution() -> None:
    pad = helper.make_node("Pad", ["x", "p"], ["padded"], name="pad")
    constants = {"p": _I(0, 0, 2, 1, 0, 0, 2, 1), "w": _drawn(2, 3, 3, 3)}
    found = import_onnx(_model([pad, _node("Conv", "padded", "w", pads=[1] * 4)], constants=constants))
    assert found.param.layer[1].convolution_param.pad_h == 3 and found.param.layer[1].convolution_param.pad_w == 2
    assert verify_import(found).passed


def test_channels_in_another_order_as_pytorch_writes_them() -> None:
    """x[:, [2, 0, 1]] in torch.onnx.export(dynamo=True)."""
    nodes = [
        helper.make_node("Transpose", ["x"], ["there"], perm=[1, 0, 2, 3]),
        helper.make_node("GatherND", ["there", "i"], ["taken"], name="take"),
        helper.make_node("Transpose", ["taken"], ["y"], perm=[1, 0, 2, 3]),
    ]
    found = import_onnx(_model(nodes, constants={"i": _I(2, 0, 1).reshape(3, 1)}))
    assert [layer.type for layer in found.param.layer] == ["Input", "Slice", "Concat"]
    assert verify_import(found).passed
    nodes[2].attribute[0].ints[:] = [1, 2, 0, 3]  # not the way back
    with pytest.raises(InputError, match=r"\(Transpose\): has no counterpart in BVLC's Caffe"):
        import_onnx(_model(nodes, constants={"i": _I(2, 0, 1).reshape(3, 1)}))


def test_a_pad_of_stated_axes_goes_into_the_convolution() -> None:
    pad = helper.make_node("Pad", ["x", "p", "", "a"], ["padded"], name="pad")
    constants = {"p": _I(2, 1, 2, 1), "a": _I(3, -2), "w": _drawn(2, 3, 3, 3)}
    found = import_onnx(_model([pad, _node("Conv", "padded", "w")], constants=constants, opset=18))
    assert found.param.layer[1].convolution_param.pad_h == 1 and found.param.layer[1].convolution_param.pad_w == 2
    assert verify_import(found).passed


@pytest.mark.parametrize("kind", ["UINT8", "INT64", "BOOL", "FLOAT16", "DOUBLE"])
def test_inputs_of_other_types(kind: str) -> None:
    model = _model([_node("Cast", to=TensorProto.FLOAT)])
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DataType.Value(kind)
    assert verify_import(import_onnx(model)).passed


def test_shapes_that_are_computed_become_constants() -> None:
    """As PyTorch writes x.view(x.size(0), -1)."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["n"]),
        helper.make_node("Unsqueeze", ["n", "axes"], ["first"]),
        helper.make_node("Concat", ["first", "rest"], ["wanted"], axis=0),
        _node("Reshape", "x", "wanted"),
    ]
    constants = {"zero": np.int64(0), "axes": _I(0), "rest": _I(-1)}
    found = import_onnx(_model(nodes, constants=constants))
    assert [layer.type for layer in found.param.layer] == ["Input", "Flatten"]
    assert verify_import(found).passed


def test_an_output_that_is_another_name_of_a_blob() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["r"]), _node("Identity", "r")]
    found = import_onnx(_model(nodes))
    assert found.outputs == {"y": "r"} and verify_import(found).passed


# -- what is refused

_BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "an unknown operator": (
        lambda: _model([helper.make_node("LSTM", ["x", "w", "w"], ["y"], name="memory")], constants={"w": _drawn(1)}),
        r"operators without a counterpart in Caffe: LSTM \(node 'memory'\)",
    ),
    "a normalisation": (
        lambda: _model([_node("InstanceNormalization", "x", "s", "s")], constants={"s": _drawn(_IMAGE[1])}),
        r"InstanceNormalization \(node 'n'\); Caffe normalises by stored statistics .* train the model with BatchNorm",
    ),
    "a type of a fork": (
        lambda: _model([_node("Transpose", perm=[0, 2, 3, 1])]),
        r"node 'n' \(Transpose\): has no counterpart in BVLC's Caffe; with --allow-forks it becomes Permute of SSD's",
    ),
    "sides padded differently": (
        lambda: _model([_node("Conv", "x", "w", pads=[0, 0, 1, 1])], constants={"w": _drawn(2, 3, 3, 3)}),
        "pads 0 above, 1 below, 0 on the left, 1 on the right",
    ),
    "computed weights": (
        lambda: _model([_node("Conv", "x", "z")], z=(2, 3, 3, 3)),
        "computes its weights from the input; only fixed",
    ),
    "padding that is not counted": (
        lambda: _model([_node("AveragePool", kernel_shape=[3, 3], pads=[1] * 4)]),
        "does not count padding",
    ),
    "a size that is no multiple": (
        lambda: _model([_node("Resize", "x", "", "", "n", mode="linear")], constants={"n": _I(1, 3, 9, 9)}),
        r"resizes \(6, 6\) to \(9, 9\); only whole multiples",
    ),
    "shapes that do not fit": (
        lambda: _model([_node("Add", "x", "z")], z=(1, 3, 1, 6)),
        r"\(1, 3, 1, 6\) over \(1, 3, 6, 6\)",
    ),
    "a Pad that others read": (
        lambda: _model(
            [helper.make_node("Pad", ["x", "p"], ["q"], name="pad"), _node("Relu", "q")],
            constants={"p": _I(0, 0, 1, 1, 0, 0, 1, 1)},
        ),
        r"node 'pad' \(Pad\): is read by more than convolutions",
    ),
    "an open shape": (
        lambda: _model([_node("Relu")], shape=(1, 3, "h", "w")),  # type: ignore[arg-type]
        r"the shape of input 'x' is open \(1, 3, \?, \?\); state it: --shape x=",
    ),
    "nearest that shifts": (
        lambda: _model(
            [_node("Resize", "x", "", "s", mode="nearest", nearest_mode="floor")], constants={"s": _F(1, 1, 2, 2)}
        ),
        "has the mode nearest, half_pixel, floor",
    ),
    "a scale that is no whole number": (
        lambda: _model([_node("Resize", "x", "", "s", mode="linear")], constants={"s": _F(1, 1, 2.1, 2.1)}),
        r"resizes \(6, 6\) to \(12, 12\) by \[2\.0999",
    ),
    "weights of a Resize beyond memory": (
        lambda: _model(
            [_node("Resize", "x", "", "", "n", mode="nearest")],
            shape=(1, 3, 1, 1),
            constants={"n": _I(1, 3, 40000, 40000)},
        ),
        "enlarges 3 channels 40000 x 40000 times",
    ),
    "slopes of the last axis": (
        lambda: _model([_node("PRelu", "x", "w")], shape=(1, 3, 4, 3), constants={"w": _drawn(3)}),
        r"node 'n' \(PRelu\): has slopes \(3,\) for \(1, 3, 4, 3\)",
    ),
    "a bias for each row": (
        lambda: _model([_node("Gemm", "x", "w", "b")], shape=(4, 5), constants={"w": _drawn(5, 4), "b": _drawn(4, 1)}),
        r"node 'n' \(Gemm\): adds \(4, 1\)",
    ),
    "values cut to whole numbers": (
        lambda: _model([helper.make_node("Cast", ["x"], ["q"], "n", to=TensorProto.INT64), _node("Relu", "q")]),
        r"node 'n' \(Cast\): makes whole numbers",
    ),
    "Dropout that drops": (
        lambda: _model([_node("Dropout", "x", "r", "t")], constants={"r": np.float32(0.5), "t": np.bool_(True)}),
        r"node 'n' \(Dropout\): drops values at random",
    ),
    "windows outside of the image": (
        lambda: _model([_node("MaxPool", kernel_shape=[1, 1], strides=[2, 2], ceil_mode=1)]),
        r"node 'n' \(MaxPool\): rounds sizes up",
    ),
    "random values": (
        lambda: _model([helper.make_node("RandomNormal", [], ["r"], "r", shape=[1]), _node("Add", "x", "r")]),
        r"without a counterpart in Caffe: RandomNormal \(node 'r'\)",
    ),
    "a value that no node makes": (
        lambda: _model([_node("Add", "x", "b"), helper.make_node("Relu", ["y"], ["b"])]),
        "input 'b' of node: name: n",
    ),
    "an attribute that is missing": (lambda: _model([_node("MaxPool")]), "'kernel_shape' is missing.*Name: n"),
    "an attribute that makes no sense": (
        lambda: _model([_node("Conv", "x", "w", pads=[-1] * 4)], constants={"w": _drawn(2, 3, 3, 3)}),
        r"node 'n' \(Conv\): cannot be read: Value out of range: -1",
    ),
    "a loop": (lambda: _model([_endless()]), r"without a counterpart in Caffe: Loop \(node 'endless'\)"),
    "functions that call functions": (lambda: _functions(30), "nodes with its functions written out; expected at most"),
    "damaged weights": (lambda: _damaged(), "weights 'w' are damaged"),
    "texts": (lambda: _of_texts(), "input 'x' is STRING; expected a tensor of numbers"),
    "an operator of a library": (
        lambda: _model([helper.make_node("FusedConv", ["x"], ["y"], domain="com.microsoft")]),
        r"com.microsoft.FusedConv\): unknown operator",
    ),
}


def _endless() -> Any:
    """A Loop of constants, which nothing ends."""
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["a"], ["y2"])],
        "body",
        [value("i", TensorProto.INT64, []), value("go", TensorProto.BOOL, []), value("a", TensorProto.FLOAT, [1])],
        [value("on", TensorProto.BOOL, []), value("y2", TensorProto.FLOAT, [1])],
    )
    return helper.make_node("Loop", ["", "", "x"], ["y"], "endless", body=body)


def _functions(levels: int) -> onnx.ModelProto:
    """A function that calls one twice, which calls one twice, …: 2 ** levels nodes."""
    own, base = helper.make_opsetid("mine", 1), helper.make_opsetid("", 17)
    functions = []
    for i in range(levels):
        operator, domain = (f"f{i - 1}", "mine") if i else ("Relu", "")
        nodes = [helper.make_node(operator, [a], [b], domain=domain) for a, b in (("a", "t"), ("t", "b"))]
        functions.append(helper.make_function("mine", f"f{i}", ["a"], ["b"], nodes, [own, base]))
    model = _model([helper.make_node(f"f{levels - 1}", ["x"], ["y"], domain="mine")])
    model.functions.extend(functions)
    model.opset_import.append(own)
    return model


def test_functions_are_written_out() -> None:
    assert verify_import(import_onnx(_functions(2))).passed


def _damaged() -> onnx.ModelProto:
    model = _model([_node("Conv", "x", "w")], constants={"w": _drawn(2, 3, 3, 3)})
    model.graph.initializer[0].dims[0] = 1 << 40
    return model


def _of_texts() -> onnx.ModelProto:
    model = _model([_node("Identity")])
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING
    return model


def test_a_model_that_onnxruntime_cannot_run_is_named() -> None:
    found = import_onnx(_model([_node("Relu")], opset=1))
    with pytest.raises(InputError, match="the model: onnxruntime cannot run it: .*node with name 'n'"):
        verify_import(found)


@pytest.mark.parametrize("case", _BAD)
def test_what_has_no_counterpart_is_refused_by_node(case: str) -> None:
    make, message = _BAD[case]
    with pytest.raises(InputError, match=message):
        import_onnx(make())


def test_weights_of_other_folders_are_not_read(tmp_path: Path) -> None:
    model = _model([_node("Conv", "x", "w")], constants={"w": _drawn(2, 3, 3, 3)})
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.ClearField("raw_data")
    for key, value in (("location", "../secret"), ("offset", "0"), ("length", "216")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    (tmp_path / "models").mkdir()
    (tmp_path / "secret").write_bytes(b"\0" * 216)
    path = tmp_path / "models" / "net.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match=r"weights 'w' are in '../secret'; expected a file in the same folder"):
        import_onnx(path)


def test_a_constant_of_any_size_is_not_computed() -> None:
    nodes = [
        helper.make_node("ConstantOfShape", ["n"], ["huge"], value=numpy_helper.from_array(_F(1))),
        _node("Add", "x", "huge"),
    ]
    with pytest.raises(InputError, match="without a counterpart in Caffe: ConstantOfShape"):
        import_onnx(_model(nodes, shape=(1, 3, 1, 1), constants={"n": _I(1, 3, 100_000, 100_000)}))


# -- the command


def _conv_file(folder: Path, shape: tuple[Any, ...] = _IMAGE) -> str:
    model = _model([_node("Conv", "x", "w")], shape=shape, constants={"w": _drawn(2, 3, 3, 3)})
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return str(path)


def test_the_command_writes_net_weights_and_the_comparison(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = _conv_file(tmp_path, (None, 3, None, None))
    assert main(["import", "onnx", model, "-o", str(tmp_path / "net.prototxt"), "--shape", "x=2,3,8,9"]) == 0
    assert "2 layers" in capsys.readouterr().out
    record = json.loads((tmp_path / "net.json").read_text())
    assert record["passed"] and record["worst"]["y"] < 1e-5
    net = caffe.Net(str(tmp_path / "net.prototxt"), str(tmp_path / "net.caffemodel"), caffe.TEST)
    assert net.blobs["y"].shape == (2, 2, 6, 7)
    assert [layer.type for layer in read_definition(tmp_path / "net.prototxt").param.layer] == ["Input", "Convolution"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--shape", "x"], "--shape x: expected a name and sizes, such as input=1,3,224,224"),
        (["--shape", "z=1,3,6,6"], "has no input 'z'; its inputs are x"),
        (["--shape", "x=1,4,6,6"], "input 'x' is (1, 3, 6, 6); got (1, 4, 6, 6)"),
    ],
)
def test_wrong_shapes_are_one_line(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["import", "onnx", _conv_file(tmp_path), "-o", str(tmp_path / "net"), *words]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("net*"))


def test_a_wrong_tolerance_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["import", "onnx", _conv_file(tmp_path), "-o", str(tmp_path / "net"), "--tolerance", "-1"])
    assert "--tolerance: got '-1'; wanted a number, 0 or greater" in capsys.readouterr().err


@pytest.mark.parametrize("data", [b"", b"not a model", b"\x08\x08\x3a\x02\x0a\xff"])
def test_a_damaged_file_is_one_line(data: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model.onnx").write_bytes(data)
    assert main(["import", "onnx", str(tmp_path / "model.onnx"), "-o", str(tmp_path / "net")]) == 2
    assert "model.onnx" in capsys.readouterr().err
