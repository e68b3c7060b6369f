"""`deeplab dataset convert-labels`: colours of labels as class indices, or other values, as plain 8-bit grey PNGs."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence

from ...data import named_dataset
from ...errors import InputError
from ..parser import add_renamed

_Colour = tuple[int, int, int]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Write the label files (PNG) of a folder and its subfolders anew, as plain 8-bit grey, which every program "
        "reads as the indices themselves; a C++ Caffe reads a palette PNG as the grey values of its colours. With "
        "--data the colours of the files (RGB, or with a palette in any order) become the class indices that have "
        "these colours in its palette. Otherwise the values change as --map, --subtract and --cityscapes say; without "
        "these they stay. All files are converted before the first one is written."
    )
    parser.add_argument("folder", metavar="FOLDER", help="folder of label files")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("-o", "--output", metavar="FOLDER", help="folder for the new files")
    target.add_argument("--in-place", action="store_true", help="replace the files")
    colours = parser.add_argument_group("colours")
    text = "the data set whose palette says what colours mean: voc12, or a TOML file"
    add_renamed(colours, "--data", "--dataset", metavar="NAME|TOML", help=text)
    text = (
        "a colour of ignored pixels, may be repeated; default: the palette's colour of the ignore label (VOC: "
        "224,224,192), and black, unless a class has it (Cityscapes, CamVid)"
    )
    colours.add_argument("--ignore-colour", "--ignore-color", metavar="R,G,B", action="append", help=text)
    text = "write the ignore label for all other colours; without it they are refused"
    colours.add_argument("--unmatched", choices=("ignore",), help=text)
    values = parser.add_argument_group("values")
    values.add_argument(
        "--map", nargs="+", default=[], metavar="OLD=NEW", help="new values, such as 255=1 for masks of 0 and 255"
    )
    values.add_argument("--others", type=int, metavar="N", help="the new value of all values that --map does not name")
    text = "subtract N from every value but 255; values below 0 become 255 (for classes that count from 1)"
    values.add_argument("--subtract", type=int, default=0, metavar="N", help=text)
    text = "from Cityscapes' ids (*_labelIds.png) to its 19 train ids, 255 for all others"
    values.add_argument("--cityscapes", action="store_true", help=text)


def run(arguments: argparse.Namespace) -> None:
    target = arguments.folder if arguments.in_place else arguments.output
    if arguments.dataset:
        _convert_colours(arguments, target)
    else:
        _convert_values(arguments, target)


def _convert_colours(arguments: argparse.Namespace, target: str) -> None:
    from ...data.label_colours import by_colour, colour_table, refuse_unmatched, unmatched
    from ...data.label_conversion import convert_folder

    if arguments.map or arguments.others is not None or arguments.subtract or arguments.cityscapes:
        raise InputError("--data converts colours, the others values: use --map … on its result, in a second call")
    dataset = named_dataset(arguments.dataset)
    ignored = [_colour(text) for text in arguments.ignore_colour] if arguments.ignore_colour else None
    table = colour_table(dataset, ignored, dataset.ignore_label if arguments.unmatched else None)
    check = refuse_unmatched(table, arguments.folder)
    paths, tally = convert_folder(arguments.folder, target, by_colour(table), check, arguments.in_place)
    if tally.pixels:
        _warn(f"{unmatched(table, tally)}: they became {dataset.ignore_label}")
    print(f"wrote {len(paths)} labels to {target}; {dataset.ignore_label} for the colours {table.words()}")


def _convert_values(arguments: argparse.Namespace, target: str) -> None:
    from ...data.cityscapes import TRAIN_IDS
    from ...data.label_conversion import accept, by_value, convert_folder, refuse_train_ids, value_table

    if arguments.ignore_colour or arguments.unmatched:
        raise InputError("--ignore-colour and --unmatched are about colours: name the data set too, with --data")
    stated, others = _pairs(arguments.map), arguments.others
    changed = stated
    if arguments.cityscapes:
        changed, others = {**TRAIN_IDS, **stated}, 255
    if others is not None and not 0 <= others <= 255:
        raise InputError(f"--others: expected 0..255 but got {others}")
    if abs(arguments.subtract) > 255:
        raise InputError(f"--subtract: expected -255..255 but got {arguments.subtract}")
    read = by_value(value_table(changed, arguments.subtract, others))
    check = refuse_train_ids(arguments.folder) if arguments.cityscapes else accept
    paths, tally = convert_folder(arguments.folder, target, read, check, arguments.in_place)
    idle = [f"{old}={new}" for old, new in stated.items() if old not in tally.pixels]
    if idle:
        found = ", ".join(map(str, sorted(tally.pixels)[:20])) + (" …" if len(tally.pixels) > 20 else "")
        _warn(f"--map {' '.join(idle)} matched nothing: the labels have the values {found}")
    print(f"wrote {len(paths)} labels to {target}")


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr, flush=True)


def _pairs(texts: Sequence[str]) -> dict[int, int]:
    found: dict[int, int] = {}
    for old, new in map(_pair, texts):
        if found.setdefault(old, new) != new:
            raise InputError(f"--map: {old} has two new values, {found[old]} and {new}; expected one")
    return found


def _pair(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)=(\d+)", text)
    if not match or max(int(match[1]), int(match[2])) > 255:
        raise InputError(f"--map: expected OLD=NEW, each 0..255, but got '{text}'")
    return int(match[1]), int(match[2])


def _colour(text: str) -> _Colour:
    match = re.fullmatch(r"(\d{1,3}),(\d{1,3}),(\d{1,3})", text.replace(" ", ""))
    if not match or max(map(int, match.groups())) > 255:
        raise InputError(f"--ignore-colour: expected R,G,B, each 0..255, but got '{text}'")
    return int(match[1]), int(match[2]), int(match[3])
