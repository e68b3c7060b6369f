"""`deeplab prototxt convert`: converts nets to another dialect."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...errors import InputError
from ...files import write_text
from ...formats.bvlc import to_bvlc
from ...formats.prototxt import Document
from ...formats.templates import fill_in
from .. import template_flags
from ..prototxt_files import for_each
from ..terminal import write_content


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Convert nets to the dialect of BVLC Caffe. Layers that it does not have become Python layers of the package "
        "deeplab_layers, which is included. Comments, order and layout are kept. See docs/real-caffe.md."
    )
    parser.epilog = "Exit codes: 0; 2 if a file is invalid or cannot be expressed in the dialect."
    parser.add_argument("files", metavar="FILE", nargs="+", help="net of any dialect, or a folder of nets")
    parser.add_argument("--dialect", choices=["bvlc"], required=True, help="the target dialect")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("-o", "--output", metavar="FOLDER", help="folder for the results; default: standard output")
    target.add_argument("--in-place", action="store_true", help="overwrite the files")
    parser.add_argument("--fill", action="store_true", help="replace template variables by their values")
    template_flags.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    values = template_flags.values(arguments) if arguments.fill else None
    written: set[Path] = set()

    def convert(path: Path) -> bool:
        document = Document.read(path)
        if values is not None:
            document = Document(fill_in(document, values), document.filename)
        text = to_bvlc(document)
        target = path if arguments.in_place else Path(arguments.output) / path.name if arguments.output else None
        if target is None:
            write_content(text)
        elif target in written:
            raise InputError(f"{path}: {target} was already written by this command; convert one folder at a time")
        elif target != path or text != document.text:
            write_text(target, text)
            written.add(target)
            print(f"wrote {target}")
        return False

    return for_each(arguments.files, convert)
