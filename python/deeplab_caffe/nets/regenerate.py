"""What a generated file was before it was edited: generated once more by the command in its header."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from ..errors import InputError
from ..formats.prototxt import Document
from . import arguments as option_flags
from .generate import generate
from .names import full_name
from .write import made_by


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise InputError(f"the command in its header cannot be read: {message}")


def regenerated(document: Document) -> Document:
    """The file as generated; raises InputError where its header names no command, or one that makes no such file."""
    command = made_by(document.text)
    if command is None:
        raise InputError(f"{document.filename}: has no header '# Made by: deeplab prototxt …'; was it generated?")
    parser = _Parser(add_help=False)
    parser.add_argument("name")
    option_flags.add_arguments(parser)
    parser.add_argument("--exp")
    try:
        given = parser.parse_args(shlex.split(command))
        files = generate(full_name(given.name), option_flags.from_arguments(given))
    except InputError as error:
        raise InputError(f"{document.filename}: {error}") from None
    name = Path(document.filename).name
    if name not in files:
        raise InputError(f"{document.filename}: its command makes {', '.join(files)}; is it under another name?")
    return Document(files[name], f"{document.filename} (generated)")
