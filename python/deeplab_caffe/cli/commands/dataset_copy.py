"""`deeplab dataset copy`: puts the package's description of a data set into the working folder, to be changed."""

from __future__ import annotations

import argparse

from ...data import named_file
from ...data.descriptions import description_file
from ...errors import InputError
from ...files import write_text
from ...package_files import is_packaged, or_packaged
from ...reading import read_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Copy the description of a data set that comes with the package to datasets/NAME.toml in the working folder. "
        "All commands read it there from then on, so classes, colours, lists and folders can be changed."
    )
    parser.add_argument("name", metavar="NAME", help="name of a data set, such as voc12")


def run(arguments: argparse.Namespace) -> None:
    file = named_file(arguments.name)
    if not is_packaged(description_file(arguments.name)):
        raise InputError(f"{file} exists already; it is the one that all commands read. Change it as you like")
    write_text(file, read_text(or_packaged(file), "the data set description"))
    print(f"wrote {file}; all commands read it there from now on")
