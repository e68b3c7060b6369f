"""`deeplab weights diff`: compares two weight files, layer by layer."""

from __future__ import annotations

import argparse
import json

from ...porting.difference import compare
from ...porting.state_dict import read_any
from .. import bundled


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "Exit codes: 0 if all values are equal, 1 if any differ, 2 if a file is invalid."
    parser.add_argument("first", metavar="A", help="weights of any form, or a bundle")
    parser.add_argument("second", metavar="B")
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(arguments: argparse.Namespace) -> int:
    difference = compare(*(bundled.weights(word, read_any) for word in (arguments.first, arguments.second)))
    print(json.dumps(difference.to_json(), indent=1) if arguments.json else difference)
    return 0 if difference.is_equal else 1
