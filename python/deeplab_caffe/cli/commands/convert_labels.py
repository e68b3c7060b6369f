"""`deeplab convert-labels`: label files with other values, as plain 8-bit grey PNGs."""

from __future__ import annotations

import argparse
import re

from ...errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Write the label files (PNG) of a folder and its subfolders anew, with other values, as plain 8-bit grey, "
        "which every program reads as the indices themselves; a C++ Caffe reads a palette PNG as the grey values of "
        "its colours. Without --map, --subtract and --cityscapes the values stay."
    )
    parser.add_argument("folder", metavar="FOLDER", help="folder of label files")
    parser.add_argument("-o", "--output", metavar="FOLDER", required=True, help="folder for the new files")
    parser.add_argument(
        "--map", nargs="+", default=[], metavar="OLD=NEW", help="new values, such as 255=1 for masks of 0 and 255"
    )
    parser.add_argument("--others", type=int, metavar="N", help="the new value of all values that --map does not name")
    text = "subtract N from every value but 255; values below 0 become 255 (for classes that count from 1)"
    parser.add_argument("--subtract", type=int, default=0, metavar="N", help=text)
    text = "from Cityscapes' ids (*_labelIds.png) to its 19 train ids, 255 for all others"
    parser.add_argument("--cityscapes", action="store_true", help=text)


def run(arguments: argparse.Namespace) -> None:
    from ...data.label_conversion import CITYSCAPES, convert_labels, value_table

    changed, others = dict(map(_pair, arguments.map)), arguments.others
    if arguments.cityscapes:
        changed, others = {**CITYSCAPES, **changed}, 255
    if others is not None and not 0 <= others <= 255:
        raise InputError(f"--others: expected 0..255 but got {others}")
    if abs(arguments.subtract) > 255:
        raise InputError(f"--subtract: expected -255..255 but got {arguments.subtract}")
    count = convert_labels(arguments.folder, arguments.output, value_table(changed, arguments.subtract, others))
    print(f"wrote {count} labels to {arguments.output}")


def _pair(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)=(\d+)", text)
    if not match or max(int(match[1]), int(match[2])) > 255:
        raise InputError(f"--map: expected OLD=NEW, each 0..255, but got '{text}'")
    return int(match[1]), int(match[2])
