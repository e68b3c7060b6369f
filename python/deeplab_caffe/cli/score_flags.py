"""Flags that the commands `score`, `compare` and `evaluate` share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..nets.option_flags import TakesFlags
from .parser import add_renamed

if TYPE_CHECKING:
    from ..evaluation import Trimap


def add_truth(parser: argparse._ActionsContainer, required: bool) -> None:
    """Add --labels, --list, --data and --images."""
    text = "ground truth, PNG files of class indices (default: the labels that the list names)"
    parser.add_argument("--labels", metavar="FOLDER", help=text)
    text = "what to score: the name of a list of the data set, or a file: a list of ids, or of images and labels"
    parser.add_argument("--list", metavar="LIST", required=required, help=text)
    text = "name or TOML file of the data set: classes, colours, ignore label"
    add_renamed(parser, "--data", "--dataset", metavar="NAME|TOML", required=required, help=text)
    parser.add_argument("--images", metavar="FOLDER", help="images, only for pictures (default: those of the list)")


def add_trimap(parser: TakesFlags, remembered: bool = False) -> None:
    """Add --trimap and --trimap-from; remembered: the experiment keeps them, and `none` ends that."""
    text = "score within bands of these widths around the objects' boundaries: 1:40, 1:2:39 or 2,10 (pixels)"
    kept = "; kept for later evaluations of the experiment, until none is given"
    parser.add_argument("--trimap", metavar="WIDTHS", help=text + kept * remembered)
    text = (
        "where bands begin: at the pixels of the ignore label, VOC's borders; or at the boundaries of the label itself "
        "(ignore)"
    )
    parser.add_argument("--trimap-from", choices=("ignore", "boundaries"), help=text)


def trimap(arguments: argparse.Namespace) -> Trimap | None:
    """The bands that --trimap and --trimap-from state; None if they are not given."""
    from ..evaluation import Trimap

    widths, source = getattr(arguments, "trimap", None), getattr(arguments, "trimap_from", None)
    if widths is None:
        if source is not None:
            raise InputError("--trimap-from: use it with --trimap WIDTHS, such as --trimap 1:40")
        return None
    return Trimap.parse(widths, source or "ignore")


def kept_trimap(arguments: argparse.Namespace) -> dict[str, Any]:
    """The fields of an experiment that --trimap and --trimap-from state; `none` ends what earlier calls stated."""
    if getattr(arguments, "trimap", None) == "none":
        return {"trimap": None, "keep_trimap": False}
    return {"trimap": trimap(arguments)}
