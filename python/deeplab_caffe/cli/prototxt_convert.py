"""`deeplab prototxt convert`: nets in another dialect."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..errors import InputError
from ..files import write_text
from ..formats.bvlc import to_bvlc
from ..formats.prototxt import Document
from ..formats.templates import fill_in
from . import templates
from .prototxt_files import for_each


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Write nets in the dialect of BVLC's Caffe: layers that it lacks become Python layers of the package "
        "deeplab_layers, which comes with this one. Comments, order and layout stay. See docs/real-caffe.md."
    )
    parser.epilog = "Exit codes: 0; 2 if a file could not be read or holds what cannot be said in the dialect."
    parser.add_argument("files", metavar="FILE", nargs="+", help="a net of any dialect, or a folder of them")
    parser.add_argument("--dialect", choices=["bvlc"], required=True, help="what to write")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("-o", "--output", metavar="FOLDER", help="folder for the results; standard output without it")
    target.add_argument("--in-place", action="store_true", help="write the files themselves")
    parser.add_argument("--fill", action="store_true", help="fill in the template's variables, too")
    templates.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    values = templates.values(arguments) if arguments.fill else None
    written: set[Path] = set()

    def convert(path: Path) -> bool:
        document = Document.read(path)
        if values is not None:
            document = Document(fill_in(document, values), document.filename)
        text = to_bvlc(document)
        target = path if arguments.in_place else Path(arguments.output) / path.name if arguments.output else None
        if target is None:
            sys.stdout.write(text)
        elif target in written:
            raise InputError(f"{path}: {target} was written already in this call; convert one folder at a time")
        elif target != path or text != document.text:
            write_text(target, text)
            written.add(target)
            print(f"{target}: written")
        return False

    return for_each(arguments.files, convert)
