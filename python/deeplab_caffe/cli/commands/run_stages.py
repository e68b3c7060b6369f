"""The stages of an experiment as commands, such as `deeplab train voc12/largefov`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path

from ... import engine, nets
from ... import experiment as experiments
from ...caffe import parallel
from ...errors import InputError
from ...formats.bundle import refuse_bundle
from ...nets import option_flags
from .. import device_flags, score_flags, testing_flags, training_flags
from ..parser import Parser
from ..stage_flags import StageArguments


def add_arguments(parser: Parser) -> None:
    stage = parser.get_default("command")
    parser.usage = f"deeplab {stage} NAME [flags]"
    if stage == "prototxt":
        parser.description = (
            "Write the nets and solvers of <data set>/<model>; `deeplab list` shows the models. Files that were edited "
            "by hand are kept; --merge merges the edits with what is generated now (exit code 1 if a conflict is left)."
        )
    if stage != "all":
        parser.epilog = "Flags of other stages are refused; `deeplab all --help` shows all of them."
    names = "'demo', or a published model such as voc12/largefov (or voc_largefov)"
    parser.add_argument("name", metavar="NAME", help=names)
    flags = StageArguments(parser)
    option_flags.add_arguments(flags)
    flags.add_argument("--quick", action="store_true", help="demo only: as short as possible")
    force = "run the stage even if it is finished (manually edited nets are kept, unless FORCE=1)"
    flags.add_argument("--force", action="store_true", help=force)
    merge = "merge manual edits of the nets and solvers with what is generated now, by layers and fields"
    flags.add_argument("--merge", action="store_true", help=merge)
    base = "with --merge: folder of the files as they were generated before they were edited, if that is not known"
    flags.add_argument("--merge-base", metavar="FOLDER", help=base)
    forget = "remove an option from those saved in the experiment's folder"
    flags.add_argument("--forget", metavar="OPTION", action="append", default=[], help=forget)
    testing_flags.add_arguments(flags)
    score_flags.add_trimap(flags, remembered=True)
    text = "the images that the report shows: ids such as 2007_000033, separated by commas"
    flags.add_argument("--show", metavar="ID,…", help=text)
    different = "train and test even if the nets of train, test and deploy compute different things"
    flags.add_argument("--allow-different-nets", action="store_true", help=different)
    device_flags.add_arguments(flags)
    training_flags.add_arguments(flags)


def run(arguments: argparse.Namespace) -> int:
    stage = arguments.command
    if parallel.started_by_torchrun() and stage not in ("train", "train2"):
        raise InputError(
            f"torchrun starts several processes, but the stage {stage} runs in one; run it without torchrun"
        )
    if getattr(arguments, "caffe", None):
        engine.choose(arguments.caffe)
    experiment = _experiment(arguments)
    if stage == "prototxt" and not experiment.origin and arguments.name != "demo":
        _write_prototxt(experiment)
        return _left(experiment)
    computes = stage in ("all", "train", "train2", "test")
    with engine.current().python_layers(getattr(arguments, "allow_python_layers", False)):
        device_flags.choose_precision(arguments)
        wants_gpu = computes and experiment.options.solver_mode != "CPU"
        choose_device = partial(device_flags.choose_device, arguments, wants_gpu)
        if device_flags.names_device(arguments):
            choose_device()
        stages = list(experiments.STAGES) if stage == "all" else [stage]
        if experiment.merging is not None:
            first = stages[: stages.index("prototxt") + 1]
            if first[:-1]:
                experiments.run(experiment, first[:-1], arguments.force, prepare=choose_device)
            experiments.run(experiment, first[-1:], force=True, prepare=choose_device)
            if _left(experiment):
                return 1
            stages = stages[len(first) :]
        if stages:
            experiments.run(experiment, stages, arguments.force, prepare=choose_device)
    return 0


def _left(experiment: experiments.Experiment) -> int:
    """Print what a merge has left to be decided; the exit code: 1 if there is anything."""
    left = experiment.merging.left if experiment.merging is not None else []
    for line in left:
        print(line)
    if left:
        print("to be decided: choose values in the files, and remove the marks '# CONFLICT'")
    return int(bool(left))


def _experiment(arguments: argparse.Namespace) -> experiments.Experiment:
    """The experiment that the arguments name, with what they say of its stages."""
    different = getattr(arguments, "allow_different_nets", False)
    experiment = replace(_named(arguments), allow_different_nets=different, **score_flags.kept_trimap(arguments))
    experiment = replace(experiment, training=training_flags.from_arguments(arguments), merging=_merging(arguments))
    if shown := getattr(arguments, "show", None):
        experiment = replace(experiment, show=tuple(word.strip() for word in shown.split(",") if word.strip()))
        experiments.check_shown(experiment)
    return experiment


def _named(arguments: argparse.Namespace) -> experiments.Experiment:
    options, testing = option_flags.from_arguments(arguments), testing_flags.from_arguments(arguments)
    for word in (arguments.name, options.experiment):
        refuse_bundle(word, "a stage needs an experiment; `deeplab predict SOURCE --exp FILE` labels images with it")
    if arguments.name == "demo":
        own = replace(options, dataset=None, experiment=None)
        return experiments.demo(options.dataset, options.experiment, own, arguments.quick, arguments.forget, testing)
    if arguments.quick:
        raise InputError("--quick is only for 'demo'; use --iterations for a short training")
    return experiments.published(nets.full_name(arguments.name), options, testing, arguments.forget, arguments.command)


def _merging(arguments: argparse.Namespace) -> experiments.Merging | None:
    base = getattr(arguments, "merge_base", None)
    if not getattr(arguments, "merge", False):
        if base is not None:
            raise InputError("--merge-base says what --merge merges with; give --merge as well")
        return None
    if base is not None and not Path(base).is_dir():
        raise InputError(f"--merge-base {base}: no such folder")
    return experiments.Merging(base)


def _write_prototxt(experiment: experiments.Experiment) -> None:
    """Write the nets of a published model to where they are published, outside of an experiment's folder."""
    experiments.write_prototxt(experiment)
    experiments.remember(experiment)
