"""`deeplab dataset class-weights`: the weights of the classes for a loss, counted or from a file, as a file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from ...data import named_dataset
from ...errors import InputError
from ...files import replacing, write_text
from ..dataset_name import add_dataset
from ..parser import add_renamed

_SUFFIXES = (".binaryproto", ".json", ".npy")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Show the weights of the classes, counted on the labels of a list or read from a file, and write them: as the "
        "matrix of an InfogainLoss (.binaryproto), or as .json or .npy for the option --class-weights."
    )
    add_dataset(parser)
    text = "median-frequency (the default), inverse, or a file of weights (JSON, .npy)"
    add_renamed(parser, "--class-weights", "--weights", default="median-frequency", metavar="WEIGHTS", help=text)
    parser.add_argument("--list", metavar="LIST", help="the list to count; default: train_aug or else train")
    parser.add_argument("-o", "--output", metavar="FILE", help=f"the file to write: {', '.join(_SUFFIXES)}")


def run(arguments: argparse.Namespace) -> None:
    from ...experiment.class_weights import class_weights

    output = Path(arguments.output) if arguments.output else None
    if output and output.suffix not in _SUFFIXES:
        raise InputError(f"{output}: expected a file that ends in {', '.join(_SUFFIXES)}")
    dataset = named_dataset(arguments.dataset)
    listed = arguments.list or next((name for name in ("train_aug", "train") if name in dataset.lists), "train")
    found = class_weights(arguments.weights, dataset, listed)
    print("\n".join(found.lines(dataset.classes)))
    if output:
        _write(output, dict(zip(dataset.classes, found.weights.tolist(), strict=True)))
        print(f"wrote {output}")


def _write(output: Path, weights: dict[str, float]) -> None:
    from ...formats.infogain import write_diagonal

    if output.suffix == ".binaryproto":
        write_diagonal(output, list(weights.values()))
    elif output.suffix == ".json":
        write_text(output, json.dumps(weights, indent=1, ensure_ascii=False) + "\n")
    else:
        with replacing(output) as temporary:
            np.save(temporary, np.array(list(weights.values())))
