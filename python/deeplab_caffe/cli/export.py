"""What the exports have in common: the net with its weights, what it is tried on, and the record of the proof."""

from __future__ import annotations

import argparse
import json
from typing import Any

from .. import caffe
from ..caffe import log
from ..caffe.net.weights import weight_layers
from ..errors import InputError
from ..files import write_text
from ..formats.weight_files import read_weight_file
from ..formats.weight_fit import fit
from ..porting.export.labels import LabelCheck
from ..porting.export.verification import Verification
from ..porting.surgery import CAFFE, TORCHVISION, Preprocessing
from . import net_arguments
from .named_net import definition_named
from .odd_values import warn_of_odd_values

_PREPROCESSING = {"caffe": CAFFE, "torchvision": TORCHVISION}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("net", metavar="NET", help="deploy prototxt, or a variant such as voc12/largefov")
    parser.add_argument("-w", "--weights", metavar="FILE", help=".caffemodel, binary or HDF5")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="where the result goes")
    parser.add_argument("--allow-uninitialized", action="store_true", help="export layers without weights all the same")
    parser.add_argument("--image", metavar="FILE", help="the image that the proof is made on (a drawn one)")
    parser.add_argument("--images", choices=list(_PREPROCESSING), default="caffe", help="how the net wants images")
    parser.add_argument("--tolerance", type=float, default=1e-4, help="of outputs, relative (%(default)s)")
    net_arguments.add_permission(parser)
    how = argparse.BooleanOptionalAction
    parser.add_argument("--verify", action=how, default=True, help="run it beside the net and compare (yes)")


def preprocessing(arguments: argparse.Namespace) -> Preprocessing:
    return _PREPROCESSING[arguments.images]


def net_with_weights(arguments: argparse.Namespace) -> Any:
    """The net in the test phase; refused where a layer that needs weights got none."""
    log.set_stderr(False)  # the comparison says what matters
    net = caffe.Net(definition_named(arguments.net), caffe.TEST)
    layers = weight_layers(net)
    missing = [name for name, layer in layers.items() if layer.needs_weights]
    if arguments.weights:
        file = read_weight_file(arguments.weights)
        missing = fit(file, arguments.net, layers).uninitialized
        warn_of_odd_values(file)
        net.copy_from(arguments.weights)
    if missing and not arguments.allow_uninitialized:
        given = f"{arguments.weights} has" if arguments.weights else "without --weights there are"
        raise InputError(
            f"{arguments.net}: {given} no weights for {len(missing)} layers, {missing[0]} the first; give a file that "
            "has, or --allow-uninitialized"
        )
    return net


def record(arguments: argparse.Namespace, result: Verification, what: str, labels: LabelCheck | None = None) -> None:
    """Print the comparisons, write them beside the result, and fail where one did."""
    print(result)
    about: dict[str, Any] = {"net": arguments.net, "weights": arguments.weights, "output": arguments.output}
    if labels:
        print(labels)
        about["labels"] = labels.to_json()
    write_text(f"{arguments.output}.json", json.dumps(about | result.to_json(), indent=1) + "\n")
    result.demand(what)
    if labels:
        labels.demand(what)
