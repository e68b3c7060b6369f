"""The `deeplab` command: one subcommand for each stage of an experiment and for each tool."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace

from . import __version__, caffe
from .data import prepare_voc
from .engine import run_script
from .errors import InputError
from .experiment import STAGES, Experiment, Stopped, demo, published, run
from .nets import VARIANTS, Options, generate, prototxt_folder, write_files
from .nets.arguments import add_arguments, from_arguments

_STAGE_HELP = {
    "data": "draw or check the data; hold images back for the CRF search",
    "prototxt": "write the nets and solvers",
    "train": "stage 1 of training; goes on from the newest snapshot",
    "train2": "stage 2 of training",
    "test": "score the test list: score maps and labels",
    "search": "search the CRF's parameters, coarse to fine",
    "crf": "refine the labels with the CRF",
    "evaluate": "mean IoU before and after the CRF",
    "report": "a page with numbers and pictures",
    "all": "every stage in order; what is finished and unchanged is not done again",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; returns the exit code: 0, 2 for bad input, 130 when stopped."""
    parsed = _parser().parse_args(arguments)
    try:
        # What a file names must not run here without the user's consent; a program that calls us may think otherwise.
        caffe.allow_python_layers(getattr(parsed, "allow_python_layers", False))
        parsed.function(parsed)
    except InputError as error:
        print(f"deeplab: error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"deeplab: error: {where}{error.strerror or error}", file=sys.stderr)
        return 2
    except Stopped as stop:
        print(stop, file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        print("deeplab: interrupted", file=sys.stderr)
        return 130
    finally:
        caffe.allow_python_layers()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="deeplab", description="DeepLab and the Caffe it needs, on PyTorch.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, text in _STAGE_HELP.items():
        stage = commands.add_parser(name, help=text, description=f"{name}: {text}.")
        stage.set_defaults(function=_run_stage, stage=name)
        stage.add_argument("name", metavar="NAME", help="'demo', or a published model such as voc12/largefov")
        stage.add_argument("--data", help="demo only: TOML file that describes a data set")
        stage.add_argument("--exp", help="folder of the experiment")
        stage.add_argument("--quick", action="store_true", help="demo only: as short as it can be")
        force = "do it even if it is done (nets edited by hand stay, unless FORCE=1)"
        stage.add_argument("--force", action="store_true", help=force)
        _add_common(stage)
    _add_voc_data(commands.add_parser("voc-data", help="fetch PASCAL VOC 2012 and SBD's labels; write the lists"))
    _add_run(commands.add_parser("run", help="run a Python script that says `import caffe`"))
    known = ", ".join(VARIANTS)
    prototxt = commands.choices["prototxt"]
    prototxt.description = f"Write the nets and solvers of <data set>/<model>. Models: {known}."
    return parser


def _add_voc_data(parser: argparse.ArgumentParser) -> None:
    parser.description = "Fetch PASCAL VOC 2012 (2.0 GB) and SBD's labels (1.4 GB), unpack them and write the lists."
    parser.set_defaults(function=lambda given: prepare_voc(given.folder, given.source, not given.no_download))
    parser.add_argument("--folder", default="data", help="where it goes; archives that lie here are used (%(default)s)")
    parser.add_argument("--source", help="folder that holds the archives, or the address of a mirror")
    parser.add_argument("--no-download", action="store_true", help="use what is there, say what is missing")


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.description = "Run a Python script written for pycaffe: its `import caffe` gives the embedded Caffe."
    # A script is code that the user runs; the Python layers of its nets are no more than that.
    parser.set_defaults(function=lambda given: run_script(given.script, given.arguments), allow_python_layers=True)
    parser.add_argument("script", metavar="SCRIPT.py")
    parser.add_argument("arguments", metavar="...", nargs=argparse.REMAINDER, help="what the script gets as arguments")


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--allow-python-layers", action="store_true", help="let nets import their Python layers")
    parser.add_argument("--gpu", metavar="N", type=int, help="run on this CUDA device (the first, if there is one)")
    add_arguments(parser.add_argument_group("options of the generated nets and solvers"))


def _experiment(arguments: argparse.Namespace) -> Experiment:
    if arguments.name == "demo":
        return demo(arguments.data, arguments.exp, from_arguments(arguments), arguments.quick)
    return published(arguments.name, _published_options(arguments))


def _published_options(arguments: argparse.Namespace) -> Options:
    """The options of a published model, --exp among them."""
    if arguments.data or arguments.quick:
        raise InputError("--data and --quick go with 'demo'; a published model's data set is given by --dataset")
    options = from_arguments(arguments)
    return replace(options, experiment=arguments.exp) if arguments.exp else options


def _run_stage(arguments: argparse.Namespace) -> None:
    if arguments.stage == "prototxt" and arguments.name != "demo":
        _write_prototxt(arguments)
        return
    experiment = _experiment(arguments)
    computes = arguments.stage in ("all", "train", "train2", "test")
    _set_up_caffe(arguments, wants_gpu=computes and experiment.options.solver_mode != "CPU")
    run(experiment, list(STAGES) if arguments.stage == "all" else [arguments.stage], arguments.force)


def _write_prototxt(arguments: argparse.Namespace) -> None:
    options = _published_options(arguments)
    files = generate(arguments.name, options)
    print(write_files(prototxt_folder(arguments.name, options), files, os.environ.get("FORCE") == "1"))


def _set_up_caffe(arguments: argparse.Namespace, wants_gpu: bool) -> None:
    if arguments.gpu is not None:
        caffe.set_device(arguments.gpu)
        caffe.set_mode_gpu()
    elif wants_gpu:
        if caffe.has_gpu():
            caffe.set_mode_gpu()
        else:
            print("the solver asks for a GPU; there is none here, so the CPU computes", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
