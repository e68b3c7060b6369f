"""`deeplab prototxt diff`: compares two nets or two solvers by meaning."""

from __future__ import annotations

import argparse
import json
import os
import sys

from ...errors import InputError
from ...inspection.diff import diff_documents
from ...inspection.diff_text import as_json, as_text
from .. import bundled, template_flags


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Compare two nets or two solvers of any dialect by meaning: layers are matched by name or, if renamed, by "
        "structure; a field with its default value equals a missing field."
    )
    parser.epilog = "Exit codes: 0 if they are equal, 1 if they differ, 2 if a file is invalid."
    parser.add_argument("before", metavar="A", help="prototxt of a net or a solver, or a bundle")
    parser.add_argument("after", metavar="B", nargs="?", help="the net or solver to compare it with")
    generated = "compare A with the output of the command in its header"
    parser.add_argument("--generated", action="store_true", help=generated)
    template_flags.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(arguments: argparse.Namespace) -> int:
    if arguments.generated == (arguments.after is not None):
        raise InputError("expected two files, or one file and --generated")
    values = template_flags.values(arguments)
    documents = [bundled.document(name, values) for name in (arguments.before, arguments.after) if name]
    if arguments.generated:
        from ...nets import regenerated

        documents.insert(0, regenerated(documents[0]))
    difference = diff_documents(*documents)
    colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    print(json.dumps(as_json(difference), indent=1) if arguments.json else as_text(difference, colours), end="")
    return 0 if difference.equal else 1
