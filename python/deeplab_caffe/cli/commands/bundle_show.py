"""`deeplab bundle show`: what a bundle contains."""

from __future__ import annotations

import argparse
import json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a bundle, such as pets.deeplab")
    parser.add_argument("--json", action="store_true", help="print the manifest as JSON, with the classes")


def run(arguments: argparse.Namespace) -> None:
    from ...formats.bundle import verify_bundle
    from ...prediction.bundle_text import as_json, as_text

    found = verify_bundle(arguments.file)
    print(json.dumps(as_json(found), indent=1) if arguments.json else as_text(found))
