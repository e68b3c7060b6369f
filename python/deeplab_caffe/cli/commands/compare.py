"""`deeplab compare`: results side by side, with differences per class and per image."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from ...data import Dataset
from ...errors import InputError
from .. import crf_flags, score_flags
from ..parser import add_renamed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Compare results on the same images with the first of them: a page (index.html) with the difference of each "
        "class's IoU, its bootstrap interval over images, and the images side by side, sorted by difference; the same "
        "as compare.json and images.csv."
    )
    text = (
        "folder of results <id>.png, or of an experiment, or its name, such as voc12/largefov (its last labels; alone: "
        "before and after the CRF); NAME=FOLDER gives it a name"
    )
    parser.add_argument("results", metavar="FOLDER", nargs="+", help=text)
    score_flags.add_truth(parser, required=False)
    score_flags.add_trimap(parser)
    text = "images in each section of the page, at most 50 (%(default)s)"
    add_renamed(parser, "--examples", "--show", type=int, default=8, metavar="N", help=text)
    text = "folder for the files (%(default)s)"
    parser.add_argument("-o", "--output", metavar="FOLDER", default="compare", help=text)


def run(arguments: argparse.Namespace) -> None:
    from ...experiment.comparison import compare, find_results
    from ...experiment.score_outputs import Images
    from ...experiment.scoring import ground_truth
    from ...files import check_folder
    from ...formats.bundle import TO_LABEL, refuse_bundle

    trimap = score_flags.trimap(arguments)
    for word in arguments.results:
        refuse_bundle(word.rpartition("=")[2], f"{TO_LABEL}, then compare FOLDER/labels")
    results = find_results(arguments.results)
    output = Path(arguments.output)
    for folder in (*(result.folder for result in results), *([arguments.labels] if arguments.labels else [])):
        if output.resolve() == Path(folder).resolve():
            raise InputError(f"-o {output}: holds files to compare; choose another folder")
    dataset, list_file = _data(arguments, results)
    truth = ground_truth(dataset, list_file, arguments.labels)
    check_folder(output)
    images = Images.of(truth, arguments.images)
    command = shlex.join(["deeplab", *sys.argv[1:]])
    print(compare(truth, results, output, images, trimap, arguments.show, command), end="", flush=True)
    print(f"page: {(output / 'index.html').resolve()}")


def _data(arguments: argparse.Namespace, results: list) -> tuple[Dataset, str]:
    """The data set and the list: those stated, or those of the experiments."""
    from ...experiment.comparison import common_data

    dataset, list_file = crf_flags.dataset(arguments.dataset), arguments.list
    if dataset is None or list_file is None:
        known, known_list = common_data(results)
        dataset, list_file = dataset or known, list_file or known_list
    if dataset is None or list_file is None:
        missing = "--data NAME" if dataset is None else "--list LIST"
        raise InputError(f"compare: missing {missing}; only results of an experiment say it themselves")
    return dataset, list_file
