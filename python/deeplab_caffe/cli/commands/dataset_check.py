"""`deeplab dataset check`: reads everything of a data set once and reports what it holds and what is wrong."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ...data import named_dataset
from ...errors import InputError
from ...files import check_folder, write_bytes
from ..dataset_name import add_dataset
from .dataset_duplicate import write_duplicates

if TYPE_CHECKING:
    from ...data.checking import DatasetCheck


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Read every list, image and label of a data set once, and report counts, sizes, how often each class occurs, "
        "and what is wrong or unusual. It goes on after a fault. Exit code 2 if there is an error, 0 with warnings."
    )
    add_dataset(parser)
    parser.add_argument(
        "--list", nargs="+", default=[], metavar="LIST", help="only these lists; default: all that exist"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FOLDER",
        help="write check.json, classes.csv, images.csv, findings.csv, classes.png, and class weights there",
    )
    text = "also write each list with the images of these classes twice, as LIST_hard: see deeplab dataset duplicate"
    parser.add_argument("--duplicate", metavar="A,B,…", help=text)
    parser.add_argument(
        "--examples", type=int, default=5, metavar="N", help="examples shown of each kind (%(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    from ...data.checking import ERROR, check_dataset, check_lines, write_check

    if arguments.examples < 1:
        raise InputError(f"--examples: expected 1 or more but got {arguments.examples}")
    if arguments.duplicate and not arguments.list:
        raise InputError("--duplicate: name the list whose images to duplicate with --list, such as --list trainval")
    if arguments.output:
        check_folder(arguments.output)
    check = check_dataset(named_dataset(arguments.dataset), arguments.list)
    print("\n".join(check_lines(check, arguments.examples)))
    if arguments.output:
        write_check(check, arguments.output)
        _write_picture(check, Path(arguments.output))
        print(f"written to {arguments.output}")
    if check.findings.count(ERROR):
        return 2
    if arguments.duplicate:
        for name in arguments.list:
            write_duplicates(check.dataset, name, arguments.duplicate, f"{name}_hard")
    return 0


def _write_picture(check: DatasetCheck, folder: Path) -> None:
    from ...evaluation.class_figure import class_figure

    dataset = check.dataset
    counted = {checked.name: counts for checked in check.lists if (counts := checked.counts(dataset))}
    if not counted:
        return
    classes = slice(0, dataset.num_classes)
    shares = {name: (c.pixels[classes] / max(c.pixels.sum(), 1)).tolist() for name, c in counted.items()}
    images = {name: (c.images[classes] / len(c.files)).tolist() for name, c in counted.items()}
    write_bytes(folder / "classes.png", class_figure(dataset.classes, dataset.palette, shares, images))
