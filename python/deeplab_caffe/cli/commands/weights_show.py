"""`deeplab weights show`: shows the contents of weight files."""

from __future__ import annotations

import argparse
import json

from ...porting.state_dict import read_any
from ...porting.summary import summarise
from .. import bundled
from ..weight_warnings import print_weight_warnings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    text = ".caffemodel of any form and dialect, a state dict, or a bundle"
    parser.add_argument("files", metavar="FILE", nargs="+", help=text)
    parser.add_argument("--json", action="store_true", help="print a JSON array, one object for each file")


def run(arguments: argparse.Namespace) -> None:
    summaries = [summarise(bundled.weights(word, read_any)) for word in arguments.files]
    if arguments.json:
        print(json.dumps([summary.to_json() for summary in summaries], indent=1))
    else:
        print("\n\n".join(map(str, summaries)))
    for summary in summaries:
        print_weight_warnings(summary)
