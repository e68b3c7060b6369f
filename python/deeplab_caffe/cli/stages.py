"""The stages of an experiment as commands: `deeplab train voc12/largefov`."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace

from .. import engine
from ..caffe import parallel
from ..errors import InputError
from ..experiment import STAGES, Experiment, demo, published
from ..experiment import run as run_stages
from ..nets import Options, full_name, generate, prototxt_folder, write_files
from ..nets import arguments as option_flags
from . import device


def add_arguments(parser: argparse.ArgumentParser) -> None:
    if parser.get_default("command") == "prototxt":
        parser.description = "Write the nets and solvers of <data set>/<model>; `deeplab list` shows the models."
    names = "'demo', or a published model such as voc12/largefov (or voc_largefov)"
    parser.add_argument("name", metavar="NAME", help=names)
    parser.add_argument("--data", help="TOML file that describes another data set")
    parser.add_argument("--exp", help="folder of the experiment")
    parser.add_argument("--quick", action="store_true", help="demo only: as short as it can be")
    force = "do it even if it is done (nets edited by hand stay, unless FORCE=1)"
    parser.add_argument("--force", action="store_true", help=force)
    device.add_arguments(parser)
    option_flags.add_arguments(parser.add_argument_group("options of the generated nets and solvers"))


def run(arguments: argparse.Namespace) -> None:
    stage = arguments.command
    if stage == "prototxt" and arguments.name != "demo":
        _write_prototxt(arguments)
        return
    if parallel.started_by_torchrun() and stage not in ("train", "train2"):
        raise InputError(f"torchrun starts many processes, but the stage {stage} is done by one; leave torchrun away")
    if arguments.caffe:
        engine.choose(arguments.caffe)
    experiment = _experiment(arguments)
    computes = stage in ("all", "train", "train2", "test")
    with engine.current().python_layers(arguments.allow_python_layers):
        wants_gpu = computes and experiment.options.solver_mode != "CPU"
        device.choose(arguments, wants_gpu)
        run_stages(experiment, list(STAGES) if stage == "all" else [stage], arguments.force)


def _experiment(arguments: argparse.Namespace) -> Experiment:
    if arguments.name == "demo":
        return demo(arguments.data, arguments.exp, option_flags.from_arguments(arguments), arguments.quick)
    return published(full_name(arguments.name), _published_options(arguments))


def _published_options(arguments: argparse.Namespace) -> Options:
    """The options of a published model, --exp among them."""
    if arguments.quick:
        raise InputError("--quick goes with 'demo'; say --iterations for a short training")
    options = option_flags.from_arguments(arguments)
    options = replace(options, dataset=arguments.data) if arguments.data else options
    return replace(options, experiment=arguments.exp) if arguments.exp else options


def _write_prototxt(arguments: argparse.Namespace) -> None:
    name, options = full_name(arguments.name), _published_options(arguments)
    files = generate(name, options)
    print(write_files(prototxt_folder(name, options), files, os.environ.get("FORCE") == "1"))
