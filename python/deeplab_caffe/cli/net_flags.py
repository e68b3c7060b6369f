"""The flags by which commands are told which net in a file is meant, and how large its input is."""

from __future__ import annotations

import argparse
import re
from typing import Any

from ..errors import InputError
from ..formats import schema
from . import template_flags


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--size, --input, --phase, --level, --stage, --set and --allow-python-layers."""
    parser.add_argument("--size", metavar="HxW", help="height and width of the image")
    shape = "shape of a data layer's top, as data=1,3,513,513; those beside it follow"
    parser.add_argument("--input", metavar="BLOB=DIMS", action="append", default=[], help=shape)
    own = "by itself TRAIN for a net with a loss"
    parser.add_argument("--phase", choices=["train", "test", "TRAIN", "TEST"], help=f"phase of the net; {own}")
    parser.add_argument("--level", metavar="N", type=int, default=0, help="level of the net's state")
    parser.add_argument("--stage", metavar="NAME", action="append", default=[], help="stage of the net's state")
    template_flags.add_arguments(parser)
    add_permission(parser)


def add_permission(parser: argparse.ArgumentParser) -> None:
    """--allow-python-layers, which the main program looks at: without it no command runs code that a net names."""
    parser.add_argument("--allow-python-layers", action="store_true", help="let nets import their Python layers")


def wishes(arguments: argparse.Namespace) -> dict[str, Any]:
    """The keyword arguments of `inspection.analyse` and `infer_shapes`; raises InputError for flags of another form."""
    return {
        "phase": None if arguments.phase is None else schema.Phase.Value(arguments.phase.upper()),
        "level": arguments.level,
        "stages": tuple(arguments.stage),
        "size": _size(arguments.size),
        "inputs": dict(map(_input, arguments.input)),
        "variables": template_flags.values(arguments),
    }


def _size(text: str | None) -> tuple[int, int] | None:
    match = re.fullmatch(r"(\d+)[x×](\d+)|(\d+)", text or "")
    if text is None:
        return None
    if match is None:
        raise InputError(f"--size {text}: wanted height and width, as 321x513, or one number for both")
    height, width, both = match.groups()
    return (int(both), int(both)) if both else (int(height), int(width))


def _input(text: str) -> tuple[str, tuple[int, ...]]:
    name, _, dims = text.partition("=")
    if not name or not re.fullmatch(r"\d+(?:[,x×]\d+)*", dims):
        raise InputError(f"--input {text}: wanted a blob and its shape, as data=1,3,513,513")
    return name, tuple(map(int, re.split("[,x×]", dims)))
