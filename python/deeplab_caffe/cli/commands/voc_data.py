"""`deeplab voc-data`: PASCAL VOC 2012 and SBD's labels."""

from __future__ import annotations

import argparse

from ...data import prepare_voc


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Fetch PASCAL VOC 2012 (2.0 GB) and SBD's labels (1.4 GB), unpack them and write the lists."
    parser.add_argument("--folder", default="data", help="where it goes; archives that lie here are used (%(default)s)")
    parser.add_argument("--source", help="folder that holds the archives, or the address of a mirror")
    parser.add_argument("--no-download", action="store_true", help="use what is there, say what is missing")


def run(arguments: argparse.Namespace) -> None:
    prepare_voc(arguments.folder, arguments.source, not arguments.no_download)
