"""`deeplab crf-search`: searches CRF parameters for any score maps, on one machine or many."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...data import Dataset
from ...errors import InputError, Stopped
from ...locks import locked_folder
from .. import crf_flags

if TYPE_CHECKING:
    from ...crf.search import FileItem, SearchResult, SearchSpace
    from ...data.score_kinds import Kind
    from ...experiment import Experiment

_RANGES = ("w1", "sigma_alpha", "sigma_beta")
_FIXED = {"w2": float, "sigma_gamma": float, "iterations": int}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from ...crf.search import PAPERS, SCREENS

    parser.description = (
        "Search the CRF parameters with the best mean IoU, from coarse to fine (DeepLab v2, section 4.1.1). Progress "
        "is kept in OUTPUT/search.journal: after an interruption the same command continues from there."
    )
    names = "experiment whose held-out scores are used: demo, voc_largefov ...; or use --scores"
    parser.add_argument("name", metavar="NAME", nargs="?", help=names)
    parser.add_argument("--exp", metavar="FOLDER", help="folder of the experiment")
    inputs = parser.add_argument_group("input")
    crf_flags.add_inputs(inputs)
    inputs.add_argument("--labels", metavar="FOLDER", help="ground truth <id>.png")
    text = "label of ignored pixels, without --data (%(default)s)"
    inputs.add_argument("--ignore-label", type=int, default=255, metavar="N", help=text)
    inputs.add_argument(
        "--max-images", type=int, default=100, metavar="N", help="use at most N images, chosen evenly (%(default)s)"
    )
    ranges = parser.add_argument_group("ranges, as start:step:stop, start:stop or a,b,c")
    text = "coarse ranges of the paper: " + "; ".join(
        f"{paper}: " + ", ".join(f"{name} {values}" for name, values in given.items())
        for paper, given in PAPERS.items()
    )
    ranges.add_argument("--ranges", choices=tuple(PAPERS), help=f"{text}; stated: without --widen (v2, with it)")
    for name in _RANGES:
        ranges.add_argument(_flag(name), metavar="RANGE", help=f"coarse range of {name}")
        fine = f"offsets from the best {name} in the fine round, written with =: {_flag('fine_' + name)}=-2:1:2"
        ranges.add_argument(_flag(f"fine_{name}"), metavar="RANGE", help=fine)
    for name, kind in _FIXED.items():
        ranges.add_argument(_flag(name), type=kind, metavar="X", help=f"value of {name}, not searched")
    ranges.add_argument("--normalization", choices=("after", "symmetric"))
    crf_flags.add_compact(ranges)
    text = (
        "search on where the best lies at an end of what was searched (default, but not with --ranges, nor for a "
        "published model on its own data, whose search is the paper's)"
    )
    ranges.add_argument("--widen", "--extend", action=argparse.BooleanOptionalAction, help=text)
    text = "run the coarse round with fewer iterations or at half size, and only the best tenth in full (%(default)s)"
    ranges.add_argument("--screen", choices=SCREENS, default="none", help=text)
    results = parser.add_argument_group("results")
    text = "folder for search.json, .csv, .png, parameters.json, search.journal (default: crf-search in NAME's folder)"
    results.add_argument("-o", "--output", metavar="FOLDER", help=text)
    text = "use the result in this experiment's stage crf (without a value: in that of NAME)"
    results.add_argument("--apply", metavar="NAME", nargs="?", const="", help=text)
    crf_flags.add_workers(parser.add_argument_group("parallel work"))


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def run(arguments: argparse.Namespace) -> None:
    from ...experiment import lock, pipeline

    target = _target(arguments)
    if target is not None:
        pipeline.check_ready(target, "search")
    items, dataset, num_classes = _inputs(arguments)
    if arguments.name is None:
        _examine_labels(arguments, items, dataset, num_classes)
    output = _output(arguments)
    with ExitStack() as held:
        if target is not None:
            held.enter_context(lock(target))
        held.enter_context(locked_folder(output, f"another search is writing into {output}"))
        _search_and_save(arguments, (items, dataset, num_classes), target, output)


def _search_and_save(
    arguments: argparse.Namespace,
    inputs: tuple[list[FileItem], Dataset | None, int],
    target: Experiment | None,
    output: Path,
) -> None:
    from ...experiment import pipeline
    from ...experiment.stages.search import save_search, show_search

    items, dataset, num_classes = inputs
    start = time.monotonic()
    try:
        result = _search(arguments, items, dataset, num_classes, output)
    except KeyboardInterrupt as stop:
        kept = f"progress is kept in {output / 'search.journal'}"
        raise Stopped(f"crf-search: interrupted; {kept}; run the same command again to continue", stop) from None
    save_search(result, output / "search.json")
    show_search(result, dataset.classes if dataset else ())
    print(f"{output}: wrote search.json, search.csv, search.png, parameters.json")
    if target is not None:
        save_search(result, target.search_result)
        pipeline.note_finished(target, "search", time.monotonic() - start)
        print(f"{target.crf_parameters}: the stage crf of {target.name} now uses this result")


def _examine_labels(
    arguments: argparse.Namespace, items: list[FileItem], dataset: Dataset | None, num_classes: int
) -> None:
    """Refuse labels that make no sense, and warn of what may make none; the stage data does so for an experiment."""
    from ...crf.search import choose_evenly
    from ...crf.search.label_check import examine_labels

    classes = dataset.classes if dataset else [f"class {number}" for number in range(num_classes)]
    ignored = dataset.ignore_label if dataset else arguments.ignore_label
    for text in examine_labels(choose_evenly(items, arguments.max_images), classes, ignored, arguments.labels):
        print(f"warning: {text}", file=sys.stderr, flush=True)


def _search(
    arguments: argparse.Namespace, items: list[FileItem], dataset: Dataset | None, num_classes: int, output: Path
) -> SearchResult:
    from ...crf.search import SearchOptions, coarse_to_fine

    options = SearchOptions(
        arguments.max_images,
        crf_flags.workers(arguments),
        arguments.processes,
        arguments.scheduler,
        arguments.screen,
        _widen(arguments),
        arguments.compact,
    )
    space = _space(arguments)
    return coarse_to_fine(
        items if arguments.scores is None else _with_kinds(items, num_classes, arguments),
        num_classes,
        space,
        options,
        ignore_label=dataset.ignore_label if dataset else arguments.ignore_label,
        journal=output / "search.journal",
    )


def _space(arguments: argparse.Namespace) -> SearchSpace:
    from ...crf.search import PAPERS, SearchSpace

    names = [*_RANGES, *(f"fine_{name}" for name in _RANGES), *_FIXED, "normalization"]
    stated = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    return SearchSpace(**{**PAPERS[arguments.ranges or "v2"], **stated})


def _widen(arguments: argparse.Namespace) -> bool:
    """Whether the search goes beyond its ranges: as stated; but papers' ranges that are asked for stay as they are."""
    if arguments.widen is not None:
        return bool(arguments.widen)
    if arguments.ranges is not None:
        return False
    return arguments.name is None or _experiment(arguments.name, arguments).widen_search


def _output(arguments: argparse.Namespace) -> Path:
    if arguments.output:
        return Path(arguments.output)
    if arguments.name is None:
        raise InputError("crf-search: missing -o FOLDER for the results")
    return _experiment(arguments.name, arguments).folder / "crf-search"


def _target(arguments: argparse.Namespace) -> Experiment | None:
    """The experiment that --apply names, or None."""
    if arguments.apply is None:
        return None
    name = arguments.apply or arguments.name
    if name is None:
        raise InputError("--apply: missing the name of an experiment, such as --apply voc_largefov")
    return _experiment(name, arguments)


def _experiment(name: str, arguments: argparse.Namespace) -> Experiment:
    """The experiment of a name, in the folder --exp, on the data of --data if that is a file."""
    from ...experiment import demo, published
    from ...formats.bundle import refuse_bundle
    from ...nets import GeneratorOptions, full_name

    for word in (name, arguments.exp):
        refuse_bundle(word, "the search needs an experiment, or --scores, --images and --labels")
    data = arguments.dataset if (arguments.dataset or "").endswith(".toml") else None
    if name == "demo":
        return demo(data, arguments.exp)
    stated = {"experiment": arguments.exp, "dataset": data}
    return published(full_name(name), GeneratorOptions(**{key: value for key, value in stated.items() if value}))


def _inputs(arguments: argparse.Namespace) -> tuple[list[FileItem], Dataset | None, int]:
    """The items, the data set if there is one, and the number of classes."""
    folders = (arguments.scores, arguments.images, arguments.labels)
    if arguments.name is not None:
        if any(folders):
            raise InputError("crf-search: use an experiment's NAME, or --scores, --images and --labels; not both")
        from ...experiment.stages.search import scored_items

        experiment = _experiment(arguments.name, arguments)
        dataset = experiment.dataset()
        return scored_items(experiment, dataset, experiment.search_list), dataset, dataset.num_classes
    if not all(folders):
        raise InputError("crf-search: expected an experiment's NAME, or --scores, --images and --labels")
    crf_flags.check_labels_flags(arguments)
    given = crf_flags.dataset(arguments.dataset)
    items = _folder_items(arguments)
    classes = given.num_classes if given else arguments.classes or _classes(items, arguments.kind)
    return items, given, classes


def _classes(items: list[FileItem], kind: Kind) -> int:
    from ...data.score_maps import open_score_map

    first = items[0].scores
    if (classes := len(open_score_map(first, kind))) > 1:
        return classes
    if kind == "sigmoid":
        return 2
    raise InputError(f"{first}: has one channel; state the number of classes with --num-classes or --data")


def _with_kinds(items: list[FileItem], classes: int, arguments: argparse.Namespace) -> list[FileItem]:
    """The items that are searched on, with what their score maps contain, which is printed."""
    from dataclasses import replace

    from ...crf.batch import described_kinds
    from ...crf.search import choose_evenly
    from ...data.score_kinds import kind_of
    from ...data.score_maps import open_score_map

    found, kinds = [], Counter[str]()
    for item in choose_evenly(items, arguments.max_images):
        kind = kind_of(open_score_map(item.scores, arguments.kind), item.scores, arguments.kind)
        kinds[kind] += 1
        found.append(replace(item, kind=kind, confidence=arguments.confidence, classes=classes))
    print(described_kinds(kinds, arguments.confidence), flush=True)
    return found


def _folder_items(arguments: argparse.Namespace) -> list[FileItem]:
    from ...crf.batch import Failure
    from ...crf.search import FileItem
    from ...data import image_size

    size: Any = crf_flags.net_size(arguments.size)
    labels = crf_flags.absolute(arguments.labels)
    items = []
    for task in crf_flags.tasks(arguments):
        if isinstance(task, Failure):
            raise InputError(task.message)
        net_size = image_size(task.image, task.upright) if size == "image" else size
        label = labels / f"{task.id}.png"
        items.append(FileItem(str(task.image), str(task.scores), str(label), net_size, arguments.kind, task.upright))
    return items
