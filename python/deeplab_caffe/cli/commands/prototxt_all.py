"""`deeplab prototxt all`: the nets of every model, on each data set that its publication reports."""

from __future__ import annotations

import argparse
import os

from ...nets import generate, prototxt_folder, published_names, write_files
from ...progress import tracked


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "Run it where prototxt/ and datasets/ are. Files edited by hand stay, unless FORCE=1."


def run(arguments: argparse.Namespace) -> None:
    names = list(published_names())
    force = os.environ.get("FORCE") == "1"
    unchanged = 0
    for name in tracked(names, "prototxt", unit="model"):
        done = write_files(prototxt_folder(name), generate(name), force)
        unchanged += len(done.unchanged)
        if done.written or done.removed or done.kept:
            print(done, flush=True)
    print(f"{len(names)} models; {unchanged} files were as they should be")
