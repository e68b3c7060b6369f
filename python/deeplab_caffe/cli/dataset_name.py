"""The argument that names a data set: voc12, or a TOML file."""

from __future__ import annotations

import argparse


def add_dataset(parser: argparse.ArgumentParser) -> None:
    """Add the argument `dataset`."""
    parser.add_argument("dataset", metavar="DATASET", help="name of a data set, such as voc12, or its TOML file")
