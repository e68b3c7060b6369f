"""`deeplab prototxt view`: draws a net, or two and their differences, as a page for the browser."""

from __future__ import annotations

import argparse
import sys
import webbrowser
from pathlib import Path

from ... import inspection
from ...files import check_not_an_input, write_text
from ...formats.bundle import is_bundle
from ...inspection import view
from .. import bundled, net_flags, template_flags


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Write one HTML file with the graph of a net, or of two nets side by side with their differences marked: "
        "zoomable, searchable, with the numbers of every layer. It needs no network connection."
    )
    parser.add_argument(
        "file", metavar="FILE", help="prototxt of a net, or of a solver for its training net; any dialect; or a bundle"
    )
    parser.add_argument("after", metavar="FILE2", nargs="?", help="a net to compare it with")
    parser.add_argument("-o", "--output", metavar="HTML", help="output file (default: FILE with the suffix .html)")
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    net_flags.add_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    settings = net_flags.net_settings(arguments)
    names = [name for name in (arguments.file, arguments.after) if name]
    path = Path(arguments.output or Path(arguments.file).with_suffix(".html"))
    check_not_an_input(path, names)
    nets = [bundled.net(name) if is_bundle(name) else name for name in names]
    analyses = [inspection.analyse(net, tolerant=True, **settings) for net in nets]
    for analysis in analyses:
        for error in (*analysis.shapes.errors, *analysis.shapes.unknown):
            print(error, file=sys.stderr)
    write_text(path, view.page(analyses, _difference(names, analyses, arguments)))
    print(f"wrote {path}")
    if arguments.open:
        webbrowser.open(path.resolve().as_uri())


def _difference(
    names: list[str], analyses: list[inspection.Analysis], arguments: argparse.Namespace
) -> inspection.PrototxtDifference | None:
    """The differences between two nets; None if there is only one."""
    if len(analyses) == 1:
        return None
    values = template_flags.values(arguments)
    sources = [name if is_bundle(name) else each.shapes.source for name, each in zip(names, analyses, strict=True)]
    documents = [bundled.document(source, values) for source in sources]
    return inspection.diff_documents(documents[0], documents[1])
