"""`deeplab export onnx`: a net as an ONNX model."""

from __future__ import annotations

import argparse
from typing import Any

from ..files import replacing
from ..nets.input_sizes import SizeRule
from ..porting.export.graph import Graph, graph_of
from ..porting.export.labels import compare_labels
from ..porting.export.onnx_graph import OPSET, OnnxGraph
from ..porting.export.pictures import Pictures
from ..porting.export.run import onnx_runner
from ..porting.export.verification import verify
from . import export, size_rule
from .named_net import definition_named


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        f"Write an ONNX model (opset {OPSET}) of any batch and image size that the net takes. Every blob is compared "
        "with the net's at several sizes, which is printed and written as OUT.json."
    )
    export.add_arguments(parser)
    parser.add_argument("--fixed-size", action="store_true", help="only the batch and size that the net states")
    text = "take images (uint8, N h w 3, RGB, any size) and give labels (uint8, N h w)"
    parser.add_argument("--with-preprocessing", action="store_true", help=text)
    parser.add_argument("--size-rule", metavar="Sk+O", help="sizes that the net takes (found by itself)")


def run(arguments: argparse.Namespace) -> None:
    net = export.net_with_weights(arguments)
    graph = graph_of(net)
    rule = _size_rule(arguments, graph) if arguments.with_preprocessing else None
    if rule:
        model = OnnxGraph(graph).model_of_images(export.preprocessing(arguments), rule.stride, rule.offset)
    else:
        model = OnnxGraph(graph).model(dynamic=not arguments.fixed_size)
    with replacing(arguments.output) as temporary:
        temporary.write_bytes(model.SerializeToString())
    if arguments.verify:
        _verify(arguments, net, graph, rule)
    print(f"{arguments.output}: opset {OPSET}, {len(graph.nodes)} layers{f', images padded to {rule}' if rule else ''}")


def _size_rule(arguments: argparse.Namespace, graph: Graph) -> SizeRule:
    _, scores = graph.scores_of_image()
    given = arguments.size_rule
    return size_rule.parsed(given) if given else size_rule.found(definition_named(arguments.net), scores)


def _verify(arguments: argparse.Namespace, net: Any, graph: Graph, rule: SizeRule | None) -> None:
    """Every blob at several sizes, in a model that gives them all; then labels, by the very file that was written."""
    pictures = Pictures(arguments.image, export.preprocessing(arguments))
    runner = onnx_runner(OnnxGraph(graph, list(graph.values)).model().SerializeToString())
    result = verify(net, runner, pictures, arguments.tolerance)
    labels = None
    if rule:
        labels = compare_labels(net, *graph.scores_of_image(), onnx_runner(arguments.output), pictures, rule.fit)
    export.record(arguments, result, arguments.output, labels)
