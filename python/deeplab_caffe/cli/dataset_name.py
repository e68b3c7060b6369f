"""The argument that names a data set: voc12, or a TOML file."""

from __future__ import annotations

import argparse
import os

from ..data import Dataset, read_dataset
from ..errors import InputError
from ..spelling import did_you_mean


def add_dataset(parser: argparse.ArgumentParser) -> None:
    """Add the argument `dataset`."""
    parser.add_argument("dataset", metavar="DATASET", help="name of a data set, such as voc12, or its TOML file")


def named_dataset(name: str) -> Dataset:
    """The data set of this name in datasets/, or of this TOML file.

    Raises:
        InputError: there is no such data set, or its file is invalid.
    """
    if name.endswith(".toml") or os.path.isfile(name):
        return read_dataset(name)
    path = f"datasets/{name}.toml"
    if not os.path.isfile(path):
        known = [file.removesuffix(".toml") for file in _files("datasets") if file.endswith(".toml")]
        hint = did_you_mean(name, known, f"; known are {', '.join(known)}" if known else "; give a TOML file")
        raise InputError(f"'{name}': there is no {path}{hint}")
    return read_dataset(path)


def _files(folder: str) -> list[str]:
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []
