"""`deeplab export onnx`: exports a net as an ONNX model."""

from __future__ import annotations

import argparse
from typing import Any

from ... import inference
from ...caffe import log
from ...files import write_bytes
from ...nets.input_sizes import SizeRule
from ...porting import export
from ...porting.export.graph import OPSET
from .. import export_common
from ..named_net import definition_named


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        f"Write an ONNX model (opset {OPSET}) for any batch and image size that the net supports. Every blob is "
        "compared with the net's at several sizes; the result is printed and written to OUT.json."
    )
    export_common.add_arguments(parser)
    parser.add_argument(
        "--fixed-size", action="store_true", help="support only the batch and image size in the prototxt"
    )
    text = "input images (uint8, N h w 3, RGB, any size), output labels (uint8, N h w)"
    parser.add_argument("--with-preprocessing", action="store_true", help=text)
    parser.add_argument(
        "--size-rule", metavar="Sk+O", help="image sizes that the net supports (default: found by shape inference)"
    )


@log.silent()  # the comparison is printed instead
def run(arguments: argparse.Namespace) -> None:
    pictures = export_common.pictures(arguments)
    net = export_common.net_with_weights(arguments)
    graph = export.graph_of(net)
    rule = _size_rule(arguments, graph) if arguments.with_preprocessing else None
    if rule:
        model = export.image_model(graph, export_common.preprocessing(arguments), rule.stride, rule.offset)
    else:
        model = export.net_model(graph, dynamic=not arguments.fixed_size and _takes_sizes(net))
    write_bytes(arguments.output, model.SerializeToString())
    if pictures is not None:
        _verify(arguments, pictures, net, graph, rule, model.SerializeToString())
    print(f"{arguments.output}: opset {OPSET}, {len(graph.nodes)} layers{f', images padded to {rule}' if rule else ''}")


def _takes_sizes(net: Any) -> bool:
    """Whether a net takes images of several sizes; says so if not."""
    sizes = export.fitting_sizes(net)
    if len(sizes) == 1 and any(len(net.blobs[name].shape) == 4 for name in net.inputs):
        print(f"note: of the sizes that were tried the net takes {sizes[0][0]}x{sizes[0][1]} alone; so does the model")
    return len(sizes) > 1


def _size_rule(arguments: argparse.Namespace, graph: export.Graph) -> SizeRule:
    _, scores = graph.scores_of_image()
    given = arguments.size_rule
    if given:
        return inference.size_rule.parsed(given)
    return inference.size_rule.found(definition_named(arguments.net), scores)


def _verify(
    arguments: argparse.Namespace, pictures: export.Pictures, net: Any, graph: export.Graph, rule: SizeRule | None,
    written: bytes,
) -> None:  # fmt: skip
    """Compare every blob at several sizes, with a model that outputs all; then the labels, with the written model."""
    runner = export.onnx_runner(export.net_model(graph, list(graph.values)).SerializeToString())
    result = export.verify(net, runner, pictures, arguments.tolerance)
    labels = None
    if rule:
        labels = export.compare_labels(net, *graph.scores_of_image(), export.onnx_runner(written), pictures, rule.fit)
    export_common.record(arguments, result, arguments.output, labels)
