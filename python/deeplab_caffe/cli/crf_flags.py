"""Flags that `crf` and `crf-search` share."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from ..arrays import Size
from ..data import Dataset, list_id, read_dataset, read_list
from ..errors import InputError


def add_inputs(parser: argparse._ArgumentGroup) -> None:
    """Where scores and images lie."""
    parser.add_argument("--scores", metavar="FOLDER", help="score maps: <id>.npy, .npz, .mat, .bin, .png or <id>/0.png")
    parser.add_argument("--images", metavar="FOLDER", help="images <id>.jpg, .png, .ppm, .npy ...")
    parser.add_argument("--list", metavar="FILE", help="only these: a list of ids, or of images and labels")
    text = "what the score maps hold; auto: .bin and .png probabilities, .mat scores, others by a look (%(default)s)"
    parser.add_argument("--kind", choices=("auto", "scores", "probabilities"), default="auto", help=text)
    text = (
        "the net's input (H x W, or one number for both), to which smaller maps are enlarged; image: the image's size"
    )
    parser.add_argument("--size", metavar="HxW", help=text)
    parser.add_argument("--dataset", help="a data set's name or TOML file: classes, colours, ignore label")


def add_workers(parser: argparse._ArgumentGroup) -> None:
    """Who does the work."""
    parser.add_argument("--workers", type=int, metavar="N", help="threads (default: as many as processors)")
    parser.add_argument("--processes", action="store_true", help="processes instead of threads")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="the workers of a Dask cluster, tcp://host:port")


def add_compact(parser: argparse._ArgumentGroup) -> None:
    """--compact."""
    text = "leave out the messages of classes that are nowhere more probable than this times the largest (0: none)"
    parser.add_argument("--compact", type=float, default=0.0, metavar="EPS", help=text)


def workers(arguments: argparse.Namespace) -> int:
    """What --workers says."""
    from ..files import cpus

    count = cpus() if arguments.workers is None else int(arguments.workers)
    if count < 1:
        raise InputError(f"--workers: got {count}; wanted 1 or more")
    return count


def net_size(text: str | None) -> Size | str | None:
    """What --size says."""
    if text is None or text == "image":
        return text
    match = re.fullmatch(r"(\d+)(?:[xX](\d+))?", text)
    if not match or int(match[1]) < 1:
        raise InputError(f"--size: got '{text}'; wanted such as 513, 361x481 (height x width) or image")
    return int(match[1]), int(match[2] or match[1])


def dataset(name: str | None) -> Dataset | None:
    """What --dataset names."""
    if name is None:
        return None
    return read_dataset(name if name.endswith(".toml") else f"datasets/{name}.toml")


def ids(path: str | None) -> Sequence[str] | None:
    """What --list names: the first word of each line, without folder and ending."""
    return None if path is None else [list_id(entry) for entry in read_list(Path(path), needs_label=False)]


def absolute(path: str) -> Path:
    """The path from the root, as other processes and machines may work in other folders."""
    return Path(path).absolute()
