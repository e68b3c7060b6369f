"""Flags that select a net in a file (phase, level, stages) and the size of its input."""

from __future__ import annotations

import argparse
import re
from typing import Any

from ..errors import InputError
from ..formats import schema
from . import template_flags


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --size, --input, --shape, --phase, --level, --stage, --set and --allow-python-layers."""
    parser.add_argument("--size", metavar="HxW", help="height and width of the image")
    shape = "shape of a data layer's top, such as data=1,3,513,513; its other tops follow"
    parser.add_argument("--input", metavar="BLOB=DIMS", action="append", default=[], help=shape)
    shape = "shape of a blob that a layer of an unknown type makes, such as conv4_3_norm=1,512,38,38; repeatable"
    parser.add_argument("--shape", metavar="BLOB=DIMS", action="append", default=[], help=shape)
    default = "default: TRAIN for a net with a loss"
    parser.add_argument("--phase", type=str.lower, choices=["train", "test"], help=f"phase of the net; {default}")
    parser.add_argument("--level", metavar="N", type=int, default=0, help="level of the net state")
    parser.add_argument(
        "--stage", metavar="NAME", action="append", default=[], help="stage of the net state; repeatable"
    )
    template_flags.add_arguments(parser)
    add_permission(parser)


def add_permission(parser: argparse.ArgumentParser) -> None:
    """Add --allow-python-layers, which `main` reads: without it no command runs code that a net names."""
    parser.add_argument("--allow-python-layers", action="store_true", help="let nets import their Python layers")


def net_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """The keyword arguments of `inspection.analyse` and `infer_shapes`; InputError if a flag's value is invalid."""
    return {
        "phase": None if arguments.phase is None else schema.Phase.Value(arguments.phase.upper()),
        "level": arguments.level,
        "stages": tuple(arguments.stage),
        "size": _size(arguments.size),
        "inputs": dict(_shape("--input", text) for text in arguments.input),
        "stated": dict(_shape("--shape", text) for text in arguments.shape),
        "variables": template_flags.values(arguments),
    }


def _size(text: str | None) -> tuple[int, int] | None:
    match = re.fullmatch(r"(\d+)[x×](\d+)|(\d+)", text or "")
    if text is None:
        return None
    if match is None:
        raise InputError(f"--size {text}: expected height and width, such as 321x513, or one number for both")
    height, width, both = match.groups()
    return (int(both), int(both)) if both else (int(height), int(width))


def _shape(flag: str, text: str) -> tuple[str, tuple[int, ...]]:
    name, _, dims = text.partition("=")
    if not name or not re.fullmatch(r"\d+(?:[,x×]\d+)*", dims):
        raise InputError(f"{flag} {text}: expected a blob and its shape, such as data=1,3,513,513")
    return name, tuple(map(int, re.split("[,x×]", dims)))
