"""`deeplab prototxt inspect`: a net's shapes, parameters, cost, memory and receptive fields."""

from __future__ import annotations

import argparse
import json

from ..inspection.analysis import analyse, as_json
from ..inspection.analysis_text import as_text
from . import net_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Columns: parameters in parentheses belong to an earlier layer; training is the memory of a layer's tops, "
        "their gradients and what is kept for backward, testing that of its tops; stride is the output stride, field "
        "the receptive field in pixels of the image and centre that of the unit in the middle of the map."
    )
    parser.add_argument("file", metavar="FILE", help="a net's prototxt of any dialect, or a solver's: its training net")
    net_arguments.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON object; memory in bytes")


def run(arguments: argparse.Namespace) -> None:
    analysis = analyse(arguments.file, **net_arguments.wishes(arguments))
    print(json.dumps(as_json(analysis), indent=1) if arguments.json else as_text(analysis), end="")
