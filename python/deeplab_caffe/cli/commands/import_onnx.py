"""`deeplab import onnx`: turns an ONNX model into a prototxt and a caffemodel."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence

from ... import caffe
from ...errors import InputError
from ...files import write_text
from ...porting import onnx_import
from ..parser import tolerance


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Write a net in the layer types of BVLC's Caffe that computes what an ONNX model computes. Every blob is "
        "compared with onnxruntime's; the result is printed and written to OUT.json."
    )
    parser.add_argument("model", metavar="MODEL", help="the .onnx file")
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT", help="OUT.prototxt and OUT.caffemodel are written"
    )
    shape = "the shape of an input, where the model leaves it open: input=1,3,224,224; may be repeated"
    parser.add_argument("--shape", metavar="NAME=N,C,H,W", action="append", default=[], help=shape)
    forks = "also use layer types of Caffe's forks: Permute (SSD), Interp (DeepLab)"
    parser.add_argument("--allow-forks", action="store_true", help=forks)
    parser.add_argument("--tolerance", type=tolerance, default=1e-4, help="relative, for the outputs (%(default)s)")
    how = argparse.BooleanOptionalAction
    parser.add_argument("--verify", action=how, default=True, help="compare the net with the model (default)")


@caffe.log.silent()  # the comparison is printed instead
def run(arguments: argparse.Namespace) -> None:
    prefix = _prefix(arguments.output)
    found = onnx_import.import_onnx(arguments.model, _shapes(arguments.shape), arguments.allow_forks)
    result = onnx_import.verify_import(found, arguments.tolerance) if arguments.verify else None
    text, weights = found.write(prefix)
    if result:
        print(result)
        record = {"model": arguments.model, "net": text, "weights": weights, **result.to_json()}
        write_text(f"{prefix}.json", json.dumps(record, indent=1) + "\n")
        result.demand(text)
    for kind, whose in found.forks.items():
        print(f"note: {kind} is a layer of {whose}; BVLC's Caffe does not have it")
    renamed = [f"{name} is blob {blob}" for name, blob in found.outputs.items() if name != blob]
    print(f"{text}, {weights}: {len(found.param.layer)} layers{'; ' if renamed else ''}{', '.join(renamed)}")


def _prefix(output: str) -> str:
    stem, suffix = os.path.splitext(output)
    return stem if suffix in (".prototxt", ".caffemodel") else output


def _shapes(words: Sequence[str]) -> dict[str, tuple[int, ...]]:
    found = {}
    for word in words:
        name, equals, sizes = word.rpartition("=")
        try:
            shape = tuple(int(size) for size in sizes.split(","))
        except ValueError:
            shape = ()
        if not equals or not name or not shape or min(shape) < 1:
            raise InputError(f"--shape {word}: expected a name and sizes, such as input=1,3,224,224")
        found[name] = shape
    return found
