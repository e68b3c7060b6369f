"""`deeplab prototxt format`: formats prototxt files."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path

from ...errors import InputError
from ...files import write_text
from ...formats.formatting import format_document
from ...formats.prototxt import Document
from ...formats.templates import fill_in
from ...reading import reason_of
from .. import template_flags
from ..prototxt_files import for_each
from ..terminal import write_content


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Format prototxt files in place, in the layout of the generated ones. Comments, order, numbers and template "
        "variables are kept."
    )
    parser.epilog = "Exit codes: 0; 1 if --check or --diff found a file that would change; 2 if a file is invalid."
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="a file, a folder, or - to format standard input to standard output"
    )
    parser.add_argument("--check", action="store_true", help="change nothing, list the files that would change")
    parser.add_argument("--diff", action="store_true", help="change nothing, show what would change")
    parser.add_argument("--fill", action="store_true", help="replace template variables by their values")
    template_flags.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    values = template_flags.values(arguments) if arguments.fill else None

    def format_file(path: Path) -> bool:
        document = Document(_stdin(), "<stdin>") if str(path) == "-" else Document.read(path)
        present = document.text
        if values is not None:
            document = Document(fill_in(document, values), document.filename)
        wanted = format_document(document)
        if str(path) == "-" and not (arguments.check or arguments.diff):
            write_content(wanted)
            return False
        return present != wanted and _handle(path, present, wanted, arguments)

    return for_each(arguments.files, format_file)


def _stdin() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig") if hasattr(sys.stdin, "buffer") else sys.stdin.read()
    except UnicodeDecodeError as error:
        raise InputError(f"<stdin>: {reason_of(error)}") from None


def _handle(path: Path, present: str, wanted: str, arguments: argparse.Namespace) -> bool:
    """Write, show or list a file that changes; returns whether it counts for the exit code."""
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
