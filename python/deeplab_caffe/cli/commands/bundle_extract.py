"""`deeplab bundle extract`: writes the files of a bundle into a new folder."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ...errors import InputError
from ...files import new_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a bundle, such as pets.deeplab")
    text = "the folder, which may not exist yet (default: the name of FILE without .deeplab, in the working folder)"
    parser.add_argument("-o", "--output", metavar="FOLDER", help=text)


def run(arguments: argparse.Namespace) -> None:
    from ...formats.bundle import DATASET, NET, extract_bundle

    target = Path(arguments.output or Path(arguments.file).stem)
    if os.path.lexists(target):
        raise InputError(f"-o {target}: exists already; expected a new folder")
    with new_folder(target) as folder:
        found = extract_bundle(arguments.file, folder)
    described = f" --data {target / DATASET}" if DATASET in found.texts else ""
    print(f"wrote {target}: {', '.join(['bundle.json', *found.texts, found.weights])}")
    print(f"to use them: deeplab predict … --net {target / NET} --weights {target / found.weights}{described}")
