"""Flags that name a trained model, and how and where it computes images: of the commands predict, serve and bundle."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import InputError
from ..experiment.testing import PROTOCOL
from . import device_flags, testing_flags
from .parser import add_renamed

if TYPE_CHECKING:
    from ..crf import CRFParameters
    from ..prediction.model import Model
    from ..prediction.segmenter import Segmenter


def add_model(group: argparse._ArgumentGroup) -> None:
    """Add --exp, those of `add_files`, and --input-scale."""
    text = "an experiment's folder or name: demo, voc12/largefov; or a bundle: pets.deeplab"
    group.add_argument("--exp", metavar="EXPERIMENT", help=text)
    add_files(group)
    text = "factor on pixel minus mean, for --net without a test net beside it (1)"
    group.add_argument("--input-scale", metavar="X", type=float, help=text)


def add_files(group: argparse._ArgumentGroup) -> None:
    """Add --net with --weights and --data, and --stage."""
    text = "or a deploy net; mean and scale: those of test.prototxt beside it"
    group.add_argument("--net", metavar="FILE", help=text)
    group.add_argument("--weights", metavar="FILE", help="weights; of an experiment: those of its last training stage")
    group.add_argument("--stage", metavar="N", help="an experiment's weights of training stage 1 or 2")
    text = "name or TOML file of the data set of --net: classes, colours, mean (numbers, VOC's colours, VGG's mean)"
    add_renamed(group, "--data", "--dataset", metavar="NAME|TOML", help=text)


def add_computation(parser: argparse.ArgumentParser) -> None:
    """Add the flags for how images are computed, and where."""
    how = parser.add_argument_group("how images are computed (docs/testing.md; default: as the experiment is tested)")
    testing_flags.add_arguments(how, PROTOCOL)
    text = "turn images as their EXIF data says, or not (apply, unless the data set says ignore)"
    how.add_argument("--exif", choices=("apply", "ignore"), help=text)
    device_flags.add_running(parser.add_argument_group("device"))


def chosen_model(arguments: argparse.Namespace) -> Model:
    """The model that the flags name. Raises InputError."""
    from ..prediction.models import model_named

    if (arguments.exp is None) == (arguments.net is None):
        ways = "--exp EXPERIMENT (demo, voc12/largefov, a folder), --exp pets.deeplab, or --net and --weights"
        raise InputError(f"which model? State {ways}")
    if arguments.exp is None:
        return model_of_files(arguments)
    for flag, value in (("--data", arguments.dataset), ("--input-scale", arguments.input_scale)):
        if value is not None:
            raise InputError(f"{flag} is for --net; an experiment knows its own, and so does a bundle")
    return model_named(arguments.exp, testing_flags.from_arguments(arguments))


def model_of_files(arguments: argparse.Namespace) -> Model:
    """The model of --net, --weights and --data. Raises InputError."""
    from ..prediction import model

    if arguments.weights is None:
        raise InputError(f"--net {arguments.net}: its weights are missing; add --weights FILE")
    if arguments.stage is not None:
        raise InputError("--stage is for an experiment; state the weights of --net with --weights")
    found = model.model_of_files(arguments.net, arguments.weights, arguments.dataset)
    return replace(found, testing=replace(testing_flags.from_arguments(arguments), weights=None).checked())


def loaded(arguments: argparse.Namespace, model: Model) -> Segmenter:
    """The model on the device that the flags state. Raises InputError."""
    from .. import engine
    from ..caffe.log import warnings_only
    from ..prediction.segmenter import Segmenter

    if arguments.caffe:
        engine.choose(arguments.caffe)
    has_gpu = getattr(engine.caffe(), "has_gpu", lambda: False)
    device_flags.choose_precision(arguments)
    device_flags.choose_device(arguments, has_gpu())
    with warnings_only():
        found = Segmenter.of_model(model, arguments.input_scale)
    if arguments.exif:
        found.upright = arguments.exif == "apply"
    return found


def described(segmenter: Segmenter, crf: CRFParameters | None = None) -> str:
    """Which files the model comes from, its protocol and its CRF, in lines."""
    from ..prediction.models import is_final

    model = segmenter.model
    unfinished = "" if is_final(model) else " (a snapshot: its training is not finished)"
    files = f"model: {model.shown(model.net)}, weights {model.shown(model.weights)}{unfinished}"
    lines = [f"{files}; {segmenter.origin}; protocol: {segmenter.protocol}"]
    if model.dataset is None:
        lines.append("no data set is stated (--data): classes are numbers, colours are VOC's")
    if crf:
        lines.append(f"CRF: {crf.to_json()}")
    return "\n".join(lines)
