"""`deeplab dataset NAME`: builds a published data set: finds or fetches its files, converts labels, writes lists."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from ...data.builders import BUILDERS, Builder, Option, build_dataset
from ...errors import InputError
from ...spelling import did_you_mean
from ..command_table import COMMANDS
from ..parser import add_renamed

_DESCRIPTION = (
    "Build a published data set below data/: find its files there or download them, convert the labels, write the "
    "lists, and compare the number of images with the published ones. What is there is kept: an interrupted call goes "
    "on, a repeated one does nothing."
)


class _Wide(argparse.RawDescriptionHelpFormatter):
    """Names of data sets and what they are on one line."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog)
        self._action_max_length = max(map(len, BUILDERS)) + 4  # argparse forgets that names are indented


def serving(words: Sequence[str]) -> ModuleType:
    """This module; raises InputError for a first word that is no data set, with the nearest name."""
    if words and words[0] not in BUILDERS and words[0] not in ("-h", "--help"):
        known = [*BUILDERS, *_other_commands()]
        if words[0].startswith("-"):
            raise InputError(f"{words[0]}: expected the data set's name first: deeplab dataset NAME {words[0]} …")
        near = did_you_mean(words[0], known, f"; the data sets are {', '.join(BUILDERS)}")
        raise InputError(f"unknown data set '{words[0]}'{near}")
    return sys.modules[__name__]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = _Wide
    parser.description = textwrap.fill(_DESCRIPTION, 100)
    others = [COMMANDS[f"dataset {word}"] for word in _other_commands()]
    lines = [f"  deeplab {command.name:22s}  {command.help}" for command in others]
    parser.epilog = "\n".join(["for any data set:", *lines]) if lines else None
    parser.set_defaults(dataset=None, usage=parser)
    names = parser.add_subparsers(title="data sets", metavar="NAME", dest="dataset")
    for builder in BUILDERS.values():
        add_flags(names.add_parser(builder.name, help=builder.title), builder)


def add_flags(parser: argparse.ArgumentParser, builder: Builder) -> None:
    """The flags of all builders, and those of this one."""
    parser.description = f"Build {builder.title}. {builder.fetches}"
    text = "target folder; what is already in it is used (%(default)s)"
    parser.add_argument("--folder", metavar="FOLDER", default="data", help=text)
    text = "URL of a mirror, or a folder with the archives"
    add_renamed(parser, "--mirror", "--source", metavar="URL", help=text)
    parser.add_argument("--no-download", action="store_true", help="use existing files and report what is missing")
    for option in builder.options:
        _add_option(parser, option)


def _add_option(parser: argparse.ArgumentParser, option: Option) -> None:
    if option.kind is bool:
        parser.add_argument(option.flag, action="store_true", help=option.help)
        return
    parser.add_argument(
        option.flag,
        type=option.kind,
        default=option.default,
        choices=option.choices or None,
        metavar=option.metavar,
        help=option.help,
    )


def run(arguments: argparse.Namespace) -> int | None:
    if arguments.dataset is None:
        arguments.usage.print_help()
        return 2
    build(BUILDERS[arguments.dataset], arguments)
    return None


def build(builder: Builder, arguments: argparse.Namespace) -> None:
    """Build a data set as the flags say."""
    options: dict[str, Any] = {option.name: getattr(arguments, option.name) for option in builder.options}
    build_dataset(builder.name, arguments.folder, arguments.source, not arguments.no_download, options)


def _other_commands() -> list[str]:
    """The second words of commands such as `dataset check`."""
    return [name.partition(" ")[2] for name in COMMANDS if name.startswith("dataset ")]
