"""`deeplab prototxt view`: a net, or two and what differs, as a page for the browser."""

from __future__ import annotations

import argparse
import sys
import webbrowser
from pathlib import Path

from ..files import write_text
from ..formats.prototxt import Document
from ..inspection.analysis import Analysis, analyse
from ..inspection.diff import PrototxtDifference, diff_documents
from ..inspection.view import page
from . import net_arguments, templates


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Write one HTML file with the picture of a net, or of two nets side by side with their differences marked: "
        "zoomable, searchable, with the numbers of every layer. It needs no network."
    )
    parser.add_argument("file", metavar="FILE", help="a net's prototxt of any dialect, or a solver's: its training net")
    parser.add_argument("after", metavar="FILE2", nargs="?", help="another net, to compare")
    parser.add_argument(
        "-o", "--output", metavar="HTML", help="the file to write (FILE with .html in place of its suffix)"
    )
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    net_arguments.add_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    wishes = net_arguments.wishes(arguments)
    names = [name for name in (arguments.file, arguments.after) if name]
    analyses = [analyse(name, tolerant=True, **wishes) for name in names]
    for analysis in analyses:
        for error in analysis.shapes.errors:
            print(error, file=sys.stderr)
    path = Path(arguments.output or Path(arguments.file).with_suffix(".html"))
    write_text(path, page(analyses, _difference(analyses, arguments)))
    print(f"{path}: written")
    if arguments.open:
        webbrowser.open(path.resolve().as_uri())


def _difference(analyses: list[Analysis], arguments: argparse.Namespace) -> PrototxtDifference | None:
    """What differs between two nets."""
    if len(analyses) == 1:
        return None
    documents = [Document.read(analysis.shapes.source, templates.values(arguments)) for analysis in analyses]
    return diff_documents(documents[0], documents[1])
