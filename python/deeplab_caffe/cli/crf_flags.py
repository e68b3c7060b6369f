"""Flags that the commands `crf` and `crf-search` share."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..data import Dataset, list_ids, read_list
from ..errors import InputError
from . import bundled
from .parser import add_renamed

if TYPE_CHECKING:
    from ..crf.batch import Failure, Task


def add_inputs(parser: argparse._ArgumentGroup) -> None:
    """Add the flags for score maps and images."""
    from ..crf import DEFAULT_CONFIDENCE
    from ..data.score_kinds import KINDS

    parser.add_argument("--scores", metavar="FOLDER", help="score maps: <id>.npy, .npz, .mat, .bin, .png or <id>/0.png")
    parser.add_argument("--images", metavar="FOLDER", help="images <id>.jpg, .png, .ppm, .npy ...")
    parser.add_argument("--list", metavar="FILE", help="use only these: a list of ids, or of images and labels")
    text = "; ".join(f"{kind}: {meaning}" for kind, meaning in KINDS.items())
    parser.add_argument("--kind", choices=tuple(KINDS), default="auto", help=f"what the maps contain: {text} (auto)")
    text = "probability that labels are right (%(default)s)"
    parser.add_argument("--confidence", type=float, default=DEFAULT_CONFIDENCE, metavar="P", help=text)
    text = (
        "size of the net's input (H x W, or one number for both); smaller maps are enlarged to it; image: the image's"
    )
    parser.add_argument("--size", metavar="HxW", help=text)
    add_renamed(parser, "--num-classes", "--classes", type=int, metavar="N", help="number of classes, without --data")
    text = "turn images as their EXIF data says, or not (default: exif of --data, else a warning)"
    parser.add_argument("--exif", choices=("apply", "ignore"), help=text)
    text = "name or TOML file of a data set: classes, colours, ignore label"
    add_renamed(parser, "--data", "--dataset", metavar="NAME|TOML", help=text)


def add_workers(parser: argparse._ArgumentGroup) -> None:
    """Add the flags for threads, processes and clusters."""
    parser.add_argument("--workers", type=int, metavar="N", help="number of threads (default: number of processors)")
    parser.add_argument("--processes", action="store_true", help="use processes instead of threads")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="use the workers of a Dask cluster, tcp://host:port")


def add_compact(parser: argparse._ArgumentGroup) -> None:
    """Add --compact."""
    text = "skip the messages of classes whose probability is nowhere above EPS times the largest (0: skip none)"
    parser.add_argument("--compact", type=float, default=0.0, metavar="EPS", help=text)


def workers(arguments: argparse.Namespace) -> int:
    """The value of --workers."""
    from ..files import cpus

    count = cpus() if arguments.workers is None else int(arguments.workers)
    if count < 1:
        raise InputError(f"--workers: expected at least 1 but got {count}")
    return count


def net_size(text: str | None) -> tuple[int, int] | str | None:
    """The value of --size: (height, width), "image" or None."""
    if text is None or text == "image":
        return text
    match = re.fullmatch(r"(\d+)(?:[xX](\d+))?", text)
    if not match or int(match[1]) < 1:
        raise InputError(f"--size: expected a size such as 513 or 361x481 (height x width), or image, but got '{text}'")
    return int(match[1]), int(match[2] or match[1])


def dataset(name: str | None) -> Dataset | None:
    """The data set that --data names."""
    return None if name is None else bundled.dataset(name)


def tasks(arguments: argparse.Namespace) -> list[Task | Failure]:
    """The images with score maps: those in the folders and in the list."""
    from ..crf.batch import Task, batch_tasks

    described = dataset(arguments.dataset)
    exif = arguments.exif or (described.exif if described else "")
    scores, images = absolute(arguments.scores), absolute(arguments.images)
    found = batch_tasks(scores, images, ids(arguments.list), exif == "apply")
    if not exif:
        _warn_of_turned_images([task.image for task in found if isinstance(task, Task)])
    return found


def _warn_of_turned_images(images: Sequence[Path]) -> None:
    from ..data.images import not_upright

    if turned := not_upright(images):
        print(
            f"warning: the EXIF data of {len(turned)} of {len(images)} images, such as {turned[0]}, say that the "
            "stored pixels are not upright; they are used as stored. If the scores are of the upright images, use "
            "--exif apply; --exif ignore says that they are not",
            file=sys.stderr,
        )


def ids(path: str | None) -> Sequence[str] | None:
    """The ids in the file of --list: the first word of each line, as `list_ids` makes ids of it."""
    return None if path is None else list_ids(read_list(Path(path), needs_label=False))


def check_labels_flags(arguments: argparse.Namespace) -> None:
    """Check --num-classes and --confidence."""
    if arguments.classes is not None and arguments.classes < 2:
        raise InputError(f"--num-classes: expected at least 2 but got {arguments.classes}")
    if not 0 < arguments.confidence < 1:
        raise InputError(f"--confidence: expected more than 0 and less than 1 but got {arguments.confidence:g}")


def absolute(path: str) -> Path:
    """An absolute path, because workers may have another working directory."""
    return Path(path).absolute()
