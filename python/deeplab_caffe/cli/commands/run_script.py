"""`deeplab run`: a script written for pycaffe, unchanged."""

from __future__ import annotations

import argparse

from ...engine import run_script


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Run a Python script written for pycaffe: its `import caffe` gives the embedded Caffe."
    # a script is code that the user runs, and the Python layers of its nets are no more than that
    parser.set_defaults(allow_python_layers=True)
    parser.add_argument("script", metavar="SCRIPT.py")
    parser.add_argument("arguments", metavar="...", nargs=argparse.REMAINDER, help="what the script gets as arguments")


def run(arguments: argparse.Namespace) -> None:
    run_script(arguments.script, arguments.arguments)
