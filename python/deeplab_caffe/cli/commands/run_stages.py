"""The stages of an experiment as commands, such as `deeplab train voc12/largefov`."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace

from ... import engine
from ...caffe import parallel
from ...errors import InputError
from ...experiment import STAGES, Experiment, demo, published
from ...experiment import run as run_stages
from ...experiment.class_weights import write_class_weights
from ...experiment.report_pictures import check_shown
from ...formats.bundle import refuse_bundle
from ...nets import GeneratorOptions, full_name, generate, option_flags, prototxt_folder, write_files
from .. import score_flags, testing_flags, training_flags


def add_arguments(parser: argparse.ArgumentParser) -> None:
    if parser.get_default("command") == "prototxt":
        parser.description = "Write the nets and solvers of <data set>/<model>; `deeplab list` shows the models."
    names = "'demo', or a published model such as voc12/largefov (or voc_largefov)"
    parser.add_argument("name", metavar="NAME", help=names)
    parser.add_argument("--data", help="name or TOML file of another data set")
    parser.add_argument("--exp", help="folder of the experiment")
    parser.add_argument("--quick", action="store_true", help="demo only: as short as possible")
    force = "run the stage even if it is finished (manually edited nets are kept, unless FORCE=1)"
    parser.add_argument("--force", action="store_true", help=force)
    different = "train and test even if the nets of train, test and deploy compute different things"
    parser.add_argument("--allow-different-nets", action="store_true", help=different)
    forget = "demo only: remove an option from those saved in the experiment's folder"
    parser.add_argument("--forget", metavar="OPTION", action="append", default=[], help=forget)
    if parser.get_default("command") in ("evaluate", "all"):
        score_flags.add_trimap(parser.add_argument_group("scores"), remembered=True)
    if parser.get_default("command") in ("report", "all"):
        text = "the images that the report shows: ids such as 2007_000033, separated by commas"
        parser.add_argument("--show", metavar="ID,…", help=text)
    _add_device_flags(parser)
    if parser.get_default("command") in training_flags.COMMANDS:
        training_flags.add_arguments(parser.add_argument_group("what is seen of the training (docs/training.md)"))
    testing_flags.add_arguments(parser.add_argument_group("how lists are tested (docs/testing.md)"))
    option_flags.add_arguments(parser.add_argument_group("options of the generated nets and solvers"))


def run(arguments: argparse.Namespace) -> None:
    stage = arguments.command
    if stage == "prototxt" and arguments.name != "demo":
        _write_prototxt(arguments)
        return
    if parallel.started_by_torchrun() and stage not in ("train", "train2"):
        raise InputError(
            f"torchrun starts several processes, but the stage {stage} runs in one; run it without torchrun"
        )
    if arguments.caffe:
        engine.choose(arguments.caffe)
    experiment = replace(_experiment(arguments), allow_different_nets=arguments.allow_different_nets)
    experiment = replace(experiment, **score_flags.kept_trimap(arguments))
    experiment = replace(experiment, training=training_flags.from_arguments(arguments))
    if shown := getattr(arguments, "show", None):
        experiment = replace(experiment, show=tuple(word.strip() for word in shown.split(",") if word.strip()))
        check_shown(experiment)
    computes = stage in ("all", "train", "train2", "test")
    with engine.current().python_layers(arguments.allow_python_layers):
        wants_gpu = computes and experiment.options.solver_mode != "CPU"
        _choose_device(arguments, wants_gpu)
        run_stages(experiment, list(STAGES) if stage == "all" else [stage], arguments.force)


def _experiment(arguments: argparse.Namespace) -> Experiment:
    for word in (arguments.name, arguments.exp):
        refuse_bundle(word, "a stage needs an experiment; `deeplab predict SOURCE --exp FILE` labels images with it")
    testing = testing_flags.from_arguments(arguments)
    if arguments.name == "demo":
        options, forget = option_flags.from_arguments(arguments), arguments.forget
        return demo(arguments.data, arguments.exp, options, arguments.quick, forget, testing)
    return published(full_name(arguments.name), _published_options(arguments), testing)


def _published_options(arguments: argparse.Namespace) -> GeneratorOptions:
    """The options of a published model, including --data and --exp."""
    if arguments.forget:
        raise InputError("--forget is only for 'demo'; published models save no options")
    if arguments.quick:
        raise InputError("--quick is only for 'demo'; use --iterations for a short training")
    options = option_flags.from_arguments(arguments)
    for flag, value, other, stated in (
        ("--data", arguments.data, "--dataset", options.dataset),
        ("--exp", arguments.exp, "--experiment", options.experiment),
    ):
        if value and stated and value != stated:
            raise InputError(
                f"{flag} {value} and {other} {stated} contradict each other; they mean the same: state one"
            )
    options = replace(options, dataset=arguments.data) if arguments.data else options
    return replace(options, experiment=arguments.exp) if arguments.exp else options


def _write_prototxt(arguments: argparse.Namespace) -> None:
    name, options = full_name(arguments.name), _published_options(arguments)
    files = generate(name, options)
    write_class_weights(name, options)
    print(write_files(prototxt_folder(name, options), files, os.environ.get("FORCE") == "1"))


# -- which Caffe runs, where and how


def _add_device_flags(parser: argparse.ArgumentParser) -> None:
    """Add --caffe, --gpu, --workers, --precision and the other flags on how to compute."""
    which = "the Caffe that runs the nets: the embedded one, or an installed pycaffe; default: DEEPLAB_CAFFE"
    parser.add_argument("--caffe", choices=("embedded", "system"), help=which)
    parser.add_argument(
        "--allow-python-layers", action="store_true", help="let nets import and run their Python layers"
    )
    several = "or train on several: 0,1 or all; batch_size is per device"
    parser.add_argument(
        "--gpu", metavar="N", help=f"run on this CUDA device (default: the first, if there is one), {several}"
    )
    uninitialized = "test a net even if some layers have no weights in the file"
    parser.add_argument("--allow-uninitialized", action="store_true", help=uninitialized)
    diverged = "train and test with weights that hold NaN or infinity"
    parser.add_argument("--allow-not-finite-weights", action="store_true", help=diverged)
    parser.add_argument("--workers", metavar="N", type=int, default=1, help="train with N processes on the CPU")
    lower = "bf16: compute in bfloat16, faster and less exact; weights stay float32"
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32", help=lower)
    fewer = "train with few activations kept and the others recomputed: less memory, more time"
    parser.add_argument("--recompute", action="store_true", help=fewer)


def _choose_device(arguments: argparse.Namespace, wants_gpu: bool) -> None:
    """Select the devices and the precision of the flags; without a device flag, the device of the solver."""
    engine.current().allow_uninitialized = arguments.allow_uninitialized
    engine.current().allow_not_finite = arguments.allow_not_finite_weights
    engine.current().choose_precision(arguments.precision, arguments.recompute)
    engine.current().choose_device(arguments.gpu, wants_gpu, arguments.workers)
