"""`deeplab prototxt all`: the nets of every model, on each data set that its publication reports."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path

from ...files import write_text
from ...nets import SUMS, generate, prototxt_folder, published_names, sum_lines, write_files
from ...progress import tracked


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Run it in the folder that contains prototxt/. Manually edited files are kept, unless FORCE=1. "
        f"The sums of all generated files, written or not, go into {SUMS}."
    )
    text = "write only the models whose folders exist, such as those that are committed"
    parser.add_argument("--refresh", action="store_true", help=text)


def run(arguments: argparse.Namespace) -> None:
    names = list(published_names())
    force = os.environ.get("FORCE") == "1"
    unchanged, sums = 0, []
    for name in tracked(names, "prototxt", unit="model"):
        files = generate(name)
        sums += sum_lines(name, files)
        if arguments.refresh and not Path(prototxt_folder(name)).is_dir():
            continue
        done = write_files(prototxt_folder(name), files, force)
        unchanged += len(done.unchanged)
        if done.written or done.removed or done.kept:
            print(done, flush=True)
    _write_sums(sums)
    print(f"{len(names)} models; {unchanged} files were already up to date")


def _write_sums(lines: Iterable[str]) -> None:
    """Write SUMS, sorted by path, so that the files of a model are neighbouring lines."""
    text = "".join(f"{line}\n" for line in sorted(lines, key=lambda line: line.split()[1]))
    if not SUMS.is_file() or SUMS.read_text(encoding="utf-8") != text:
        write_text(SUMS, text)
        print(f"{SUMS}: written")
