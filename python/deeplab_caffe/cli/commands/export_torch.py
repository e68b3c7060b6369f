"""`deeplab export torch`: exports a net as the source of a plain PyTorch module and a state dict."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...caffe import log
from ...errors import InputError
from ...files import is_stream, write_text
from ...porting import export
from ...porting.state_dict import read_state_dict, write_state_dict
from .. import export_common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Write OUT.py, a module that needs only PyTorch, and OUT.safetensors, its weights. Every blob is compared with "
        "the net's; the result is printed and written to OUT.json."
    )
    export_common.add_arguments(parser)


@log.silent()  # the comparison is printed instead
def run(arguments: argparse.Namespace) -> None:
    output = Path(arguments.output).with_suffix("")
    if is_stream(arguments.output):
        raise InputError(f"--output: {arguments.output} is not a file; expected a name for OUT.py and OUT.safetensors")
    if not output.name.isidentifier():
        raise InputError(f"--output: '{output.name}' is not a valid module name; expected letters, digits and _")
    pictures = export_common.pictures(arguments)
    net = export_common.net_with_weights(arguments)
    graph = export.graph_of(net)
    source = export.TorchSource(graph)
    weights = output.with_suffix(".safetensors")
    write_state_dict(weights, source.state, source.metadata())
    write_text(output.with_suffix(".py"), source.text)
    if pictures is not None:
        every = export.TorchSource(graph, list(graph.values))
        runner = export.torch_runner(every.text, every.class_name, read_state_dict(weights))
        export_common.record(arguments, export.verify(net, runner, pictures, arguments.tolerance), f"{output}.py")
    print(f"{output}.py: class {source.class_name}; {weights}: {len(source.state)} tensors")
