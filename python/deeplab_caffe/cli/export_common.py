"""What the export commands share: flags, loading a net with its weights, and the report of the comparison."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from .. import caffe
from ..errors import InputError
from ..files import is_stream, write_text
from ..formats.bundle import is_bundle
from ..formats.weight_files import read_weight_file
from ..formats.weight_fit import fit
from ..lazy import imported_on_use
from ..porting import export
from ..porting.summary import summarise
from ..porting.surgery import CAFFE, TORCHVISION, Preprocessing
from . import bundled, net_flags
from .named_net import definition_named
from .parser import add_renamed, tolerance
from .weight_warnings import print_weight_warnings

if TYPE_CHECKING:
    from ..caffe.net import weights as net_weights
else:
    net_weights = imported_on_use("deeplab_caffe.caffe.net.weights")

_PREPROCESSING = {"caffe": CAFFE, "torchvision": TORCHVISION}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    text = "deploy prototxt, a variant such as voc12/largefov, or a bundle such as pets.deeplab, which has weights"
    parser.add_argument("net", metavar="NET", help=text)
    parser.add_argument("-w", "--weights", metavar="FILE", help=".caffemodel, binary or HDF5; or a bundle")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="file to write")
    parser.add_argument("--allow-uninitialized", action="store_true", help="also export layers that have no weights")
    parser.add_argument("--image", metavar="FILE", help="image for the comparison (default: a drawn one)")
    kinds, text = list(_PREPROCESSING), "preprocessing that the net expects"
    add_renamed(parser, "--preprocessing", "--images", choices=kinds, default="caffe", help=text)
    parser.add_argument("--tolerance", type=tolerance, default=1e-4, help="relative, for the outputs (%(default)s)")
    net_flags.add_permission(parser)
    how = argparse.BooleanOptionalAction
    parser.add_argument(
        "--verify", action=how, default=True, help="run the exported model and compare it with the net (default)"
    )


def preprocessing(arguments: argparse.Namespace) -> Preprocessing:
    return _PREPROCESSING[arguments.images]


def pictures(arguments: argparse.Namespace) -> export.Pictures | None:
    """The image of the comparison, None with --no-verify; call it before anything is written."""
    return export.Pictures(arguments.image, preprocessing(arguments)) if arguments.verify else None


def net_with_weights(arguments: argparse.Namespace) -> Any:
    """Load the net in the test phase; InputError if a layer that needs weights gets none."""
    net = caffe.Net(definition_named(arguments.net), caffe.TEST)
    layers = net_weights.weight_layers(net)
    missing = [name for name, layer in layers.items() if layer.needs_weights]
    if arguments.weights is None and is_bundle(arguments.net):
        arguments.weights = arguments.net
    if arguments.weights:
        with bundled.weight_file(arguments.weights) as path:
            file = read_weight_file(path)
            missing = fit(file, arguments.net, layers).uninitialized
            print_weight_warnings(summarise(file))
            net.copy_from(path)
    if missing and not arguments.allow_uninitialized:
        problem = f"{arguments.weights} has no weights" if arguments.weights else "no weights (--weights is missing)"
        raise InputError(
            f"{arguments.net}: {problem} for {len(missing)} layers, the first is '{missing[0]}'; use a file that has "
            "them, or --allow-uninitialized"
        )
    return net


def record(
    arguments: argparse.Namespace, result: export.Verification, what: str, labels: export.LabelCheck | None = None
) -> None:
    """Print the comparisons, write them to OUT.json, and raise InputError if one exceeds the tolerance."""
    print(result)
    about: dict[str, Any] = {"net": arguments.net, "weights": arguments.weights, "output": arguments.output}
    if labels:
        print(labels)
        about["labels"] = labels.to_json()
    write_record(arguments.output, about | result.to_json())
    result.demand(what)
    if labels:
        labels.demand(what)


def write_record(output: str, record: dict[str, Any]) -> None:
    """Write OUT.json, unless OUT is a device or a pipe."""
    if not is_stream(output):
        write_text(f"{output}.json", json.dumps(record, indent=1) + "\n")
