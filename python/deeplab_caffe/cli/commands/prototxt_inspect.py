"""`deeplab prototxt inspect`: shows shapes, parameters, cost, memory and receptive fields of a net."""

from __future__ import annotations

import argparse
import json
import sys

from ... import inspection
from ...formats.bundle import is_bundle
from .. import bundled, net_flags


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Columns: parameters in parentheses are shared with an earlier layer; training is the memory for a layer's "
        "tops, their gradients and the data kept for backward; testing is the memory for its tops; stride is the "
        "output stride; field is the receptive field in pixels of the image; centre is the centre of the receptive "
        "field of the middle unit."
    )
    parser.add_argument(
        "file", metavar="FILE", help="prototxt of a net, or of a solver for its training net; any dialect; or a bundle"
    )
    net_flags.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON object; memory in bytes")


def run(arguments: argparse.Namespace) -> None:
    net = bundled.net(arguments.file) if is_bundle(arguments.file) else arguments.file
    analysis = inspection.analyse(net, keep_unknown=True, **net_flags.net_settings(arguments))
    for sentence in analysis.shapes.unknown:
        print(sentence, file=sys.stderr)
    shown = json.dumps(inspection.as_json(analysis), indent=1) if arguments.json else inspection.as_text(analysis)
    print(shown, end="")
