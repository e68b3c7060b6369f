"""`deeplab dataset duplicate`: a list in which images with some classes stand twice."""

from __future__ import annotations

import argparse

from ...data import Dataset, named_dataset
from ..dataset_name import add_dataset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Write a list in which each image that has one of these classes stands twice, so training sees it twice as "
        "often. DeepLab v3 does so before its test on VOC's server: bicycle, chair, diningtable, pottedplant, sofa."
    )
    add_dataset(parser)
    parser.add_argument("--list", required=True, metavar="LIST", help="the list to read, such as trainval")
    parser.add_argument("--classes", required=True, metavar="A,B,…", help="names of classes, separated by commas")
    text = "the list to write; default: LIST_hard. Its file is the one that the data set names, or lies beside LIST"
    parser.add_argument("--name", metavar="NAME", help=text)
    parser.add_argument("--force", action="store_true", help="overwrite an existing list that differs")


def run(arguments: argparse.Namespace) -> None:
    name = arguments.name or f"{arguments.list}_hard"
    write_duplicates(named_dataset(arguments.dataset), arguments.list, arguments.classes, name, arguments.force)


def write_duplicates(dataset: Dataset, source: str, words: str, name: str, force: bool = False) -> None:
    """Write the list `name`: `source` with the images of some classes twice; say what was written.

    Args:
        words: names of classes, separated by commas.
        force: overwrite an existing list that differs.
    """
    from ...data.bootstrapping import duplicate_images

    classes = [word.strip() for word in words.split(",") if word.strip()]
    written = duplicate_images(dataset, source, classes, name, force)
    print("\n".join(written.lines()))
    if name not in dataset.lists:
        print(f"to train on it, add to {dataset.file}, under [lists]: {name} = {_quoted(written.path.resolve())}")


def _quoted(path: object) -> str:
    import json

    return json.dumps(str(path), ensure_ascii=False)
