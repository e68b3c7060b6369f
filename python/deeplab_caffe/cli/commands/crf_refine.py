"""`deeplab crf`: the CRF on a folder of score maps and images, or the stage `crf` of an experiment."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from ...data import Dataset
from ...errors import InputError, Stopped
from ...words import some_of
from .. import bundled, crf_flags
from ..parser import add_renamed

_NAMED = 20  # at most so many failed images are named
_BATCH_FLAGS = ("--scores", "--images")


def serving(words: Sequence[str]) -> ModuleType:
    """The module for these arguments: `run_stages` if they name an experiment, otherwise this one.

    Without a name in front, `--help` is that of folders.
    """
    named = words and not (words[0].startswith("-") and any(word in ("-h", "--help") for word in words))
    folders = any(word.partition("=")[0] in _BATCH_FLAGS for word in words)
    if named and not folders:
        from . import run_stages

        return run_stages
    return sys.modules[__name__]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from ...crf.batch import DEFAULT_OVERLAP, DEFAULT_TILE, FORMATS

    parser.usage = "deeplab crf --scores FOLDER --images FOLDER -o FOLDER [...]\n       deeplab crf NAME [...]"
    parser.description = (
        "Refine score maps with the fully connected CRF, image by image. With the NAME of an experiment, run its "
        "stage crf, which has the flags of the stage search (see deeplab search --help)."
    )
    inputs = parser.add_argument_group("input")
    crf_flags.add_inputs(inputs)
    results = parser.add_argument_group("results")
    results.add_argument("-o", "--output", metavar="FOLDER", help="folder for the results, <id>.<format>")
    text = "; ".join(f"{name}: {meaning}" for name, meaning in FORMATS.items())
    results.add_argument("--format", nargs="+", choices=tuple(FORMATS), default=["png"], help=f"{text} (png)")
    results.add_argument("--keep", action="store_true", help="skip images that already have results")
    add_parameters(parser.add_argument_group("CRF"))
    large = parser.add_argument_group("large images")
    text = (
        "side of a tile in pixels, with margins; images of more than twice its area are split into tiles; 0: never "
        f"(default: {DEFAULT_TILE} or more)"
    )
    large.add_argument("--tile", type=int, metavar="N", help=text)
    text = "margin around a tile, in units of sigma_alpha (%(default)s)"
    add_renamed(large, "--margin", "--overlap", type=float, default=DEFAULT_OVERLAP, metavar="X", help=text)
    crf_flags.add_workers(parser.add_argument_group("parallel work"))


def add_parameters(parser: argparse._ArgumentGroup) -> None:
    from ...crf import PRESETS

    text = "JSON file of parameters, as written by crf-search, or a bundle"
    parser.add_argument("--parameters", metavar="FILE", help=text)
    text = f"parameters of a released model: {', '.join(PRESETS)}"
    parser.add_argument("--preset", metavar="NAME", help=text)
    for flag, name in _PARAMETERS.items():
        parser.add_argument(flag, dest=name, type=float, metavar="X")
    parser.add_argument("--normalization", choices=("after", "symmetric"))
    crf_flags.add_compact(parser)


_PARAMETERS = {
    "--w1": "w1",
    "--sigma-alpha": "sigma_alpha",
    "--sigma-beta": "sigma_beta",
    "--w2": "w2",
    "--sigma-gamma": "sigma_gamma",
    "--iterations": "iterations",
}


def run(arguments: argparse.Namespace) -> int:
    from ...crf.batch import refine_batch

    inputs = {"--scores": arguments.scores, "--images": arguments.images, "-o": arguments.output}
    if lacking := [flag for flag, folder in inputs.items() if not folder]:
        raise InputError(f"missing {', '.join(lacking)}; or name an experiment: deeplab crf NAME")
    found = crf_flags.tasks(arguments)
    tasks = [task for task in found if not (arguments.keep and _is_done(task.id, arguments))]
    refiner = _refiner(arguments, len(tasks))
    _check_record(arguments, crf_flags.absolute(arguments.output))
    print(f"parameters: {_described(refiner.parameters)}", flush=True)
    try:
        summary = refine_batch(
            tasks,
            refiner,
            workers=crf_flags.workers(arguments),
            processes=arguments.processes,
            scheduler=arguments.scheduler,
        )
    except KeyboardInterrupt as stop:
        raise Stopped("crf: interrupted; run the same command with --keep to continue", stop) from None
    kept = f", kept {len(found) - len(tasks)} existing results" if arguments.keep else ""
    print(f"refined {summary.done} images in {arguments.output}{kept}", flush=True)
    if summary.failures:
        failed = some_of([failure.id for failure in summary.failures], _NAMED)
        print(f"{len(summary.failures)} images failed: {failed}", file=sys.stderr)
    return 2 if summary.failures else 0


def _is_done(image_id: str, arguments: argparse.Namespace) -> bool:
    """Whether all results of an image exist and are not older than the record of the parameters."""
    from ...crf.batch import RECORD

    folder = crf_flags.absolute(arguments.output)
    results, record = [folder / f"{image_id}.{name}" for name in arguments.format], folder / RECORD
    begun = record.stat().st_mtime_ns if record.exists() else 0
    return all(result.exists() and result.stat().st_mtime_ns >= begun for result in results)


def _refiner(arguments: argparse.Namespace, images: int):
    """The refiner for a number of images; processes share the processors among their threads."""
    from ...crf.batch import Refiner

    dataset, count = crf_flags.dataset(arguments.dataset), crf_flags.workers(arguments)
    return Refiner(
        crf_parameters(arguments),
        crf_flags.absolute(arguments.output),
        tuple(dict.fromkeys(arguments.format)),
        None if dataset is None else dataset.palette,
        _reading(arguments, dataset),
        crf_flags.net_size(arguments.size),
        arguments.tile,
        arguments.overlap,
        arguments.compact,
        threads=max(1, count // max(1, images)) if arguments.processes else count,
    )


def _reading(arguments: argparse.Namespace, dataset: Dataset | None):
    """How the score maps are read."""
    from ...crf.batch import MapReading

    crf_flags.check_labels_flags(arguments)
    classes = arguments.classes if dataset is None else dataset.num_classes
    ignored = 255 if dataset is None else dataset.ignore_label
    return MapReading(arguments.kind, arguments.confidence, classes, ignored)


def _check_record(arguments: argparse.Namespace, folder: Path) -> None:
    """Check that with --keep the parameters are those of the existing results."""
    from ...crf import CRFParameters
    from ...crf.batch import RECORD

    path, parameters = folder / RECORD, crf_parameters(arguments)
    if arguments.keep and path.is_file() and (before := CRFParameters.load(path)) != parameters:
        raise InputError(
            f"--keep: the results in {arguments.output} were made with {_described(before)}; expected "
            f"{_described(parameters)}. Use another folder (-o), or remove --keep"
        )


def _described(parameters) -> str:
    """The parameters in one line, `name value, …`."""
    from dataclasses import asdict

    values = asdict(parameters).items()
    return ", ".join(f"{name} {value}" if isinstance(value, str) else f"{name} {value:g}" for name, value in values)


def crf_parameters(arguments: argparse.Namespace):
    """The CRF parameters: those of a file or a preset, overridden by single flags."""
    from dataclasses import asdict

    from ...crf import CRFParameters, preset

    if arguments.parameters and arguments.preset:
        raise InputError("--parameters and --preset cannot be used together")
    file = arguments.parameters
    base = bundled.crf_parameters(file) if file else preset(arguments.preset or "default")
    names = (*_PARAMETERS.values(), "normalization")
    stated = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    return CRFParameters(**{**asdict(base), **stated})
