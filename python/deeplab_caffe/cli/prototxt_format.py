"""`deeplab prototxt format`: prototxt files in one canonical layout."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path

from ..files import write_text
from ..formats.formatting import format_document
from ..formats.prototxt import Document
from ..formats.templates import fill_in
from . import templates
from .prototxt_files import for_each


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Lay prototxt files out as the generated ones are, in place. Comments, order, numbers and template variables "
        "stay as they are written."
    )
    parser.epilog = "Exit codes: 0; 1 if --check or --diff found a file that would change; 2 if one could not be read."
    parser.add_argument("files", metavar="FILE", nargs="+", help="a file, a folder, or - for standard input to output")
    parser.add_argument("--check", action="store_true", help="change nothing, name the files that would change")
    parser.add_argument("--diff", action="store_true", help="change nothing, show what would change")
    parser.add_argument("--fill", action="store_true", help="fill in the template's variables, too")
    templates.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    values = templates.values(arguments) if arguments.fill else None

    def format_file(path: Path) -> bool:
        document = Document(sys.stdin.read(), "<stdin>") if str(path) == "-" else Document.read(path)
        present = document.text
        if values is not None:
            document = Document(fill_in(document, values), document.filename)
        wanted = format_document(document)
        if str(path) == "-" and not (arguments.check or arguments.diff):
            sys.stdout.write(wanted)
            return False
        return present != wanted and _handle(path, present, wanted, arguments)

    return for_each(arguments.files, format_file)


def _handle(path: Path, present: str, wanted: str, arguments: argparse.Namespace) -> bool:
    """Write, show or name a file that is to change; whether that is a finding."""
    if arguments.diff:
        lines = difflib.unified_diff(present.splitlines(), wanted.splitlines(), str(path), f"{path}, formatted", "", "")
        print(*(line.rstrip("\n") for line in lines), sep="\n")
    elif arguments.check:
        print(f"{path}: would change")
    else:
        write_text(path, wanted)
        print(f"{path}: formatted")
        return False
    return True
