"""`deeplab export openvino|ncnn|coreml|tflite`: exports a net for another runtime, with that runtime's converter."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ...caffe import log
from ...errors import InputError
from ...files import is_stream
from ...porting import export
from .. import export_common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    kind = parser.get_default("command").partition(" ")[2]
    runtime = export.RUNTIMES[kind]
    files = " and ".join(f"OUT{suffix}" for suffix in runtime.suffixes)
    parser.description = (
        f"Write {files} for {runtime.title}, for the input sizes of the prototxt (needs {runtime.packages}). "
        "The outputs are compared with the net's; the result is printed and written to OUT.json."
    )
    export_common.add_arguments(parser)


@log.silent()  # the comparison is printed instead
def run(arguments: argparse.Namespace) -> None:
    runtime = export.RUNTIMES[arguments.command.partition(" ")[2]]
    runtime.demand_installed()
    prefix = _prefix(arguments.output, runtime.suffixes)
    pictures = export_common.pictures(arguments)
    net = export_common.net_with_weights(arguments)
    graph = export.graph_of(net)
    files = runtime.write(graph, prefix)
    if pictures is not None and runtime.runs_here:
        sizes = export.fitting_sizes(net)[:1]
        result = export.verify(net, runtime.load(graph, prefix), pictures, arguments.tolerance, sizes)
        arguments.output = str(prefix)
        export_common.record(arguments, result, str(files[0]))
    elif pictures is not None:
        print(f"note: {runtime.title} does not run on this system, so the export was not compared with the net")
    print(f"{', '.join(map(str, files))}: {len(graph.nodes)} layers")


def _prefix(output: str, suffixes: Sequence[str]) -> Path:
    if is_stream(output):
        raise InputError(f"--output: {output} is not a file; expected a name for OUT{suffixes[0]}")
    path = Path(output)
    return path.with_suffix("") if path.suffix in suffixes else path
