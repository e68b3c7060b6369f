"""`deeplab weights check`: checks whether weights fit a net."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from ... import caffe, inspection
from ...errors import InputError
from ...formats.bundle import is_bundle
from ...formats.weight_files import read_weight_file
from ...formats.weight_fit import fit
from ...lazy import imported_on_use
from ...porting.summary import summarise
from .. import bundled, net_flags
from ..named_net import definition_named
from ..weight_warnings import print_weight_warnings

if TYPE_CHECKING:
    from ...caffe.net import weights as net_weights
else:
    net_weights = imported_on_use("deeplab_caffe.caffe.net.weights")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Exit codes: 0 if every layer gets weights and none are left over, otherwise 1; 2 if a file is invalid."
    )
    text = ".caffemodel, binary or HDF5, of any dialect; or a bundle, such as pets.deeplab"
    parser.add_argument("file", metavar="FILE", help=text)
    text = "prototxt of a net or a solver, a bundle, or the name of a model (voc12/largefov); of a bundle: its own net"
    parser.add_argument("net", metavar="NET", nargs="?", help=text)
    parser.add_argument("--phase", choices=("train", "test"), help="phase of the net (default: train if it has a loss)")
    net_flags.add_permission(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(arguments: argparse.Namespace) -> int:
    phases = {"train": caffe.TRAIN, "test": caffe.TEST, None: None}
    name = _net_of(arguments)
    shapes = inspection.infer_shapes(definition_named(name), phase=phases[arguments.phase])
    file = bundled.weights(arguments.file, read_weight_file)
    found = fit(file, name, net_weights.weight_layers(shapes.net))
    print_weight_warnings(summarise(file))
    print(json.dumps(found.to_json(), indent=1) if arguments.json else found)
    return 0 if found.is_whole else 1


def _net_of(arguments: argparse.Namespace) -> str:
    if arguments.net is None and not is_bundle(arguments.file):
        raise InputError(f"{arguments.file}: which net? Expected NET; only a bundle has one of its own")
    return str(arguments.net or arguments.file)
