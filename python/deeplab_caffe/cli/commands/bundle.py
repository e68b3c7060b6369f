"""`deeplab bundle`: a trained model in one file that can be handed on."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ...errors import InputError
from ...experiment.testing import PROTOCOL
from .. import model_flags, testing_flags


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = (
        "deeplab bundle EXPERIMENT -o pets.deeplab [...]\n"
        "       deeplab bundle --net deploy.prototxt --weights x.caffemodel [--data my.toml] -o pets.deeplab [...]"
    )
    parser.description = (
        "Write one file with a trained model: net, weights, classes, colours and mean, how it is tested, the CRF "
        "parameters that were found, scores, and where it comes from. Images and lists are not in it. Every command "
        "that takes a model takes the file. The same model gives the same bytes."
    )
    text = "an experiment's folder or name: demo, voc12/largefov"
    parser.add_argument("experiment", metavar="EXPERIMENT", nargs="?", help=text)
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="the bundle; its name ends in .deeplab")
    parser.add_argument("--note", metavar="TEXT", default="", help="a remark for whoever gets the bundle")
    model_flags.add_files(parser.add_argument_group("model"))
    how = parser.add_argument_group("how images are computed (default: as the experiment is tested)")
    testing_flags.add_arguments(how, PROTOCOL)


def run(arguments: argparse.Namespace) -> None:
    from ... import engine
    from ...caffe.log import warnings_only
    from ...formats.bundle import refuse_bundle

    _check_flags(arguments)
    engine.current().allow_uninitialized = None
    refuse_bundle(arguments.experiment, "copy the file, or change it: deeplab bundle extract, then --net")
    with warnings_only():
        path = _written(arguments)
    print(f"wrote {path}: {Path(path).stat().st_size / 1e6:.1f} MB; deeplab bundle show {path}")


def _check_flags(arguments: argparse.Namespace) -> None:
    if (arguments.experiment is None) == (arguments.net is None):
        raise InputError("which model? State EXPERIMENT (demo, voc12/largefov, a folder), or --net and --weights")
    if arguments.net is None and arguments.dataset is not None:
        raise InputError("--data is for --net")


def _written(arguments: argparse.Namespace) -> Path:
    from ...prediction.bundle_writing import bundle_experiment, bundle_files
    from ...prediction.models import is_final, model_of_experiment

    if arguments.net is not None:
        return bundle_files(model_flags.model_of_files(arguments), arguments.output, arguments.note)
    testing = testing_flags.from_arguments(arguments)
    if not is_final(model := model_of_experiment(arguments.experiment, testing)):
        print(f"warning: {model.weights} is a snapshot: its training is not finished", file=sys.stderr, flush=True)
    return bundle_experiment(arguments.experiment, arguments.output, testing, arguments.note)
