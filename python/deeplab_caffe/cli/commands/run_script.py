"""`deeplab run`: runs a script written for pycaffe, unchanged."""

from __future__ import annotations

import argparse

from ...engine import run_script


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Run a Python script written for pycaffe. Its `import caffe` imports the embedded Caffe."
    # the user runs the script's code anyway, so the Python layers of its nets are no additional risk
    parser.set_defaults(allow_python_layers=True)
    parser.add_argument("--python2", action="store_true", help="translate it from Python 2 in memory (needs fissix)")
    parser.add_argument("script", metavar="SCRIPT.py")
    parser.add_argument("arguments", metavar="...", nargs=argparse.REMAINDER, help="arguments of the script")


def run(arguments: argparse.Namespace) -> None:
    run_script(arguments.script, arguments.arguments, arguments.python2)
