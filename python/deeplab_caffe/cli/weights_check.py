"""`deeplab weights check`: what of a weight file a net would take."""

from __future__ import annotations

import argparse
import json

from .. import caffe
from ..caffe.net.weights import weight_layers
from ..formats.weight_files import read_weight_file
from ..formats.weight_fit import fit
from ..inspection.shapes import infer_shapes
from . import net_arguments
from .named_net import definition_named
from .odd_values import warn_of_odd_values


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "The exit code is 0 where every layer gets its weights and none is left over, else 1; 2 for unreadable files."
    )
    parser.add_argument("file", metavar="FILE", help=".caffemodel, binary or HDF5, of any dialect")
    parser.add_argument("net", metavar="NET", help="prototxt of a net or of a solver, or a variant (voc12/largefov)")
    parser.add_argument("--phase", choices=("train", "test"), help="the net's phase (train, if it has a loss)")
    net_arguments.add_permission(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(arguments: argparse.Namespace) -> int:
    phases = {"train": caffe.TRAIN, "test": caffe.TEST, None: None}
    shapes = infer_shapes(definition_named(arguments.net), phase=phases[arguments.phase])
    file = read_weight_file(arguments.file)
    found = fit(file, arguments.net, weight_layers(shapes.net))
    warn_of_odd_values(file)
    print(json.dumps(found.to_json(), indent=1) if arguments.json else found)
    return 0 if found.is_whole else 1
