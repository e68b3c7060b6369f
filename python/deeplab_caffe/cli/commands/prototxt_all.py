"""`deeplab prototxt all`: writes the nets of every model, on each data set of its publication."""

from __future__ import annotations

import argparse
import os

from ...nets import generate, prototxt_folder, published_names, write_files
from ...progress import tracked


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Run it in the folder that contains prototxt/ and datasets/. Manually edited files are kept, unless FORCE=1."
    )


def run(arguments: argparse.Namespace) -> None:
    names = list(published_names())
    force = os.environ.get("FORCE") == "1"
    unchanged = 0
    for name in tracked(names, "prototxt", unit="model"):
        done = write_files(prototxt_folder(name), generate(name), force)
        unchanged += len(done.unchanged)
        if done.written or done.removed or done.kept:
            print(done, flush=True)
    print(f"{len(names)} models; {unchanged} files were already up to date")
