"""`deeplab log`: converts logs of any Caffe to CSV, JSON and plots."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from ...errors import InputError
from ...files import write_bytes, write_text
from ..terminal import write_content


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Read logs of any Caffe release or fork: loss, learning rate, training and test outputs by iteration. Without "
        "--csv, --json or --plot, print a summary."
    )
    parser.add_argument("logs", metavar="LOG", nargs="+", help="a log file; several are compared")
    parser.add_argument("--join", action="store_true", help="the logs are parts of one run, in order")
    parser.add_argument("--csv", metavar="FILE", help="write a table; - for standard output")
    parser.add_argument("--json", metavar="FILE", help="write JSON; - for standard output")
    parser.add_argument("--plot", metavar="FILE.png", help="draw the curves")


def run(arguments: argparse.Namespace) -> None:
    from ...evaluation import log_tables, read_train_log

    targets = [t for t in (arguments.csv, arguments.json, arguments.plot) if t]
    _check(arguments.logs, targets)
    groups = [arguments.logs] if arguments.join else [[path] for path in arguments.logs]
    names = _names([group[0] for group in groups])
    runs = [(name, read_train_log(*group)) for name, group in zip(names, groups, strict=True)]
    if arguments.csv:
        _write(arguments.csv, log_tables.csv_text(runs))
    if arguments.json:
        _write(arguments.json, log_tables.json_text(runs))
    if arguments.plot:
        from ...evaluation import log_curves

        write_bytes(arguments.plot, log_curves(runs))
    if not targets:
        print(log_tables.summary(runs))


def _check(logs: Sequence[str], targets: Sequence[str]) -> None:
    """Check that no log would be overwritten."""
    for target in targets:
        for log in logs:
            if target != "-" and os.path.exists(target) and os.path.exists(log) and os.path.samefile(target, log):
                raise InputError(f"{target} is one of the logs and would be overwritten")
        if target.endswith(".log"):
            raise InputError(f"{target} looks like a log; expected a file to write behind --csv, --json or --plot")


def _names(paths: Sequence[str]) -> list[str]:
    """Unique names for the runs: file names, with as many parent folders as needed."""
    for length in range(1, max(len(Path(path).parts) for path in paths) + 1):
        names = ["/".join(Path(path).parts[-length:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    return [f"{path} ({i + 1})" for i, path in enumerate(paths)]


def _write(target: str, text: str) -> None:
    if target == "-":
        write_content(text)
    else:
        write_text(target, text)
