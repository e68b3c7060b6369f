"""`deeplab prototxt upgrade`: converts nets and solvers of any dialect to the current format."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ...files import is_stream, write_bytes, write_text
from ...formats.binary_net import DIALECTS, is_binary
from ...formats.messages import to_message
from ...formats.prototxt import Document
from ...formats.schema import NAMES
from ...formats.templates import fill_in, template_values
from ...formats.upgrade_binary import count_blobs, upgrade_binary
from ...formats.upgrade_class_weights import write_matrices
from ...formats.upgrade_report import Upgrade
from ...formats.upgrade_text import upgrade_document
from ...reading import CANNOT_OPEN, reading
from .. import template_flags
from ..terminal import write_content

_BINARY_SUFFIXES = (".caffemodel", ".binaryproto", ".pb")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Convert a net or a solver of any dialect (V0, V1, DeepLab v1, DeepLab v2, PSPNet; text or binary) to the "
        "current format and report the changes. Comments, order and layout are kept. SegNet's class weights become the "
        "matrix of an InfogainLoss, a file beside OUT."
    )
    parser.epilog = (
        "Template variables are kept, unless --fill. The result goes to standard output and the report to standard "
        "error; with -o or --in-place the report goes to standard output."
    )
    parser.add_argument("file", metavar="FILE")
    target = parser.add_mutually_exclusive_group()
    target.add_argument(
        "-o", "--output", metavar="OUT", help=f"output file; binary if it ends in {', '.join(_BINARY_SUFFIXES)}"
    )
    target.add_argument("--in-place", action="store_true", help="overwrite the file, as text or binary as before")
    parser.add_argument(
        "--report", choices=("text", "json", "none"), default="text", help="format of the report (%(default)s)"
    )
    parser.add_argument("--dialect", choices=DIALECTS, help="dialect of a binary file, if it is ambiguous")
    parser.add_argument("--fill", action="store_true", help="replace template variables by their values")
    template_flags.add_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    path = Path(arguments.file)
    target = path if arguments.in_place else Path(arguments.output) if arguments.output else None
    binary = _is_binary(path)
    if binary:
        upgrade, net = upgrade_binary(path, arguments.dialect)
    else:
        upgrade, net = _upgrade_text(path, arguments, target), None
    write_matrices(upgrade)
    if target is None:
        write_content(upgrade.text)
    elif binary and arguments.in_place or target.suffix in _BINARY_SUFFIXES:
        _write_binary(target, _message(upgrade) if net is None else net)
        net = None
    elif upgrade.changes or target != path:
        write_text(target, upgrade.text)
    if net is not None and count_blobs(net):
        upgrade.notes.append(
            f"text has no weights: {count_blobs(net)} blobs removed; use -o OUT.caffemodel to keep them"
        )
    _report(upgrade, arguments.report, sys.stderr if target is None else sys.stdout)


def _is_binary(path: Path) -> bool:
    with reading(path, cannot=CANNOT_OPEN), path.open("rb") as file:
        return is_binary(file.read(65536))


def _upgrade_text(path: Path, arguments: argparse.Namespace, target: Path | None) -> Upgrade:
    document = Document.read(path)
    if arguments.fill or arguments.set:
        chosen = template_flags.values(arguments) if arguments.fill else template_values(arguments.set, {})
        document = Document(fill_in(document, chosen, whole=arguments.fill), str(path))
    return upgrade_document(document, None if target is None or is_stream(target) else target)


def _message(upgrade: Upgrade) -> Any:
    return to_message(Document(upgrade.text, upgrade.source), NAMES["NetParameter"]())


def _write_binary(target: Path, net: Any) -> None:
    write_bytes(target, net.SerializeToString(deterministic=True))


def _report(upgrade: Upgrade, form: str, stream: Any) -> None:
    if form != "none":
        print(upgrade.as_json() if form == "json" else upgrade, file=stream)
