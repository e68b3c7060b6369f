"""`deeplab voc-data`: downloads PASCAL VOC 2012 and the SBD labels."""

from __future__ import annotations

import argparse

from ...data import prepare_voc


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Download PASCAL VOC 2012 (2.0 GB) and the SBD labels (1.4 GB), unpack them and write the lists."
    )
    parser.add_argument("--folder", default="data", help="target folder; archives already in it are used (%(default)s)")
    parser.add_argument("--source", help="folder with the archives, or the URL of a mirror")
    parser.add_argument("--no-download", action="store_true", help="use existing archives and report what is missing")


def run(arguments: argparse.Namespace) -> None:
    prepare_voc(arguments.folder, arguments.source, not arguments.no_download)
