"""`deeplab prototxt sync`: carries an edit of one net over to the other nets of its model."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from ...errors import InputError
from ...files import write_text
from ...inspection.sync import Synced, sync
from ...nets import generated_pairs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Carry an edit of one net over to the nets beside it (train, train2, test, deploy), so that all compute the "
        "same. Only the fields that differ are changed; comments and layout stay, and so do data, losses and what the "
        "generator itself makes different."
    )
    parser.epilog = (
        "Exit codes: 0; 1 if a difference is left that must be edited by hand, or --dry-run found one; 2 if a file is "
        "invalid."
    )
    parser.add_argument("path", metavar="FILE|FOLDER", help="the net that was edited, or the folder of the nets")
    which = "the net that was edited, in the folder; default: the named file, or train.prototxt"
    parser.add_argument("--from", dest="source", metavar="FILE", help=which)
    parser.add_argument("--dry-run", action="store_true", help="change nothing, show what would change")


def run(arguments: argparse.Namespace) -> int:
    results = list(sync(_source(Path(arguments.path), arguments.source), partial(generated_pairs, strict=True)))
    for result in results:
        for line in _lines(result, arguments.dry_run):
            print(line)
        if result.changed and not arguments.dry_run:
            write_text(result.path, result.text)
    changed = any(result.changed for result in results)
    left = any(result.left for result in results)
    if not changed and not left:
        print("nothing to carry over: the nets compute the same")
    return int(left or (changed and arguments.dry_run))


def _source(path: Path, name: str | None) -> Path:
    """The net that was edited."""
    folder = path if path.is_dir() else path.parent
    if name is None:
        source = folder / "train.prototxt" if path.is_dir() else path
    else:
        source = Path(name) if Path(name).is_file() else folder / name
    if not source.is_file():
        raise InputError(f"{source} does not exist; name the net that was edited with --from")
    return source


def _lines(result: Synced, dry_run: bool) -> list[str]:
    did = "would change: " if dry_run else ""
    lines = [
        f"{result.path}: {did}{item.layer.name}: {item.field} {item.after} → {item.wanted or item.before}"
        for item in result.changed
    ]
    return lines + [
        f"{result.path}: left, edit it by hand: {item.layer.name}: {item.field} {item.after}, but {item.before} in "
        f"{item.learned.document.filename}"
        for item in result.left
    ]
