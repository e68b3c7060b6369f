"""`deeplab export onnx`: a net as an ONNX model."""

from __future__ import annotations

import argparse

from ..errors import InputError
from ..files import replacing
from ..porting.export.graph import graph_of
from ..porting.export.onnx_graph import OPSET, OnnxGraph
from ..porting.export.pictures import Pictures
from ..porting.export.run import onnx_runner
from ..porting.export.verification import verify
from . import export


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        f"Write an ONNX model (opset {OPSET}) of any batch and image size that the net takes. Every blob is compared "
        "with the net's at several sizes, which is printed and written as OUT.json."
    )
    export.add_arguments(parser)
    parser.add_argument("--fixed-size", action="store_true", help="only the batch and size that the net states")
    text = "take images (uint8, N h w 3, RGB, any size) and give labels (uint8, N h w)"
    parser.add_argument("--with-preprocessing", action="store_true", help=text)
    parser.add_argument("--size-rule", default="32k+1", metavar="Sk+O", help="sizes that the net takes (%(default)s)")


def run(arguments: argparse.Namespace) -> None:
    net = export.net_with_weights(arguments)
    graph = graph_of(net)
    if arguments.with_preprocessing:
        model = OnnxGraph(graph).model_of_images(export.preprocessing(arguments), *_size_rule(arguments.size_rule))
    else:
        model = OnnxGraph(graph).model(dynamic=not arguments.fixed_size)
    with replacing(arguments.output) as temporary:
        temporary.write_bytes(model.SerializeToString())
    if arguments.verify:
        runner = onnx_runner(OnnxGraph(graph, list(graph.values)).model().SerializeToString())
        pictures = Pictures(arguments.image, export.preprocessing(arguments))
        export.record(arguments, verify(net, runner, pictures, arguments.tolerance), arguments.output)
    print(f"{arguments.output}: opset {OPSET}, {len(graph.nodes)} layers")


def _size_rule(text: str) -> tuple[int, int]:
    stride, k, offset = text.partition("k")
    if not k or not stride.isdecimal() or not (offset or "+0").removeprefix("+").isdecimal():
        raise InputError(f"--size-rule: got '{text}'; wanted such as 8k+1")
    return int(stride), int(offset or 0)
