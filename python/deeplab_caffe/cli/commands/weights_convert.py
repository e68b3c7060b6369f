"""`deeplab weights convert`: writes weights in another file format."""

from __future__ import annotations

import argparse

from ...errors import InputError
from ...files import replacing
from ...formats.weight_files import WeightFile, read_weight_file, with_todays_shapes, write_weight_file
from ...porting.difference import compare
from .. import bundled


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "OUT is read back and compared, value by value."
    parser.add_argument("file", metavar="FILE", help=".caffemodel, binary or HDF5, or a bundle")
    parser.add_argument("output", metavar="OUT", help=".caffemodel, or .caffemodel.h5 for HDF5")
    parser.add_argument(
        "--form", choices=("V1", "V2"), default="V2", help="V1 for forks from before 2015 (%(default)s)"
    )


def run(arguments: argparse.Namespace) -> None:
    source = bundled.weights(arguments.file, read_weight_file)
    layers = source.layers if arguments.form == "V1" else with_todays_shapes(source.layers)
    with replacing(arguments.output) as temporary:
        write_weight_file(temporary, layers, form=arguments.form)
        written = read_weight_file(temporary)
        if not compare(WeightFile(arguments.file, "", "", layers), written).is_equal:
            raise InputError(f"{arguments.output}: read back different values than were written; check the disk")
    print(f"{arguments.output}: {len(written.weighted)} layers with weights, equal to those of {arguments.file}")
