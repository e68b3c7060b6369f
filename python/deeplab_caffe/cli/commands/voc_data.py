"""`deeplab voc-data`: another name of `deeplab dataset voc12`."""

from __future__ import annotations

import argparse

from ...data.builders import BUILDERS
from . import dataset_build


def add_arguments(parser: argparse.ArgumentParser) -> None:
    dataset_build.add_flags(parser, BUILDERS["voc12"])


def run(arguments: argparse.Namespace) -> None:
    dataset_build.build(BUILDERS["voc12"], arguments)
