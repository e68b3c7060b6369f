"""What a generated file was before it was edited: generated once more by the command in its header."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

from ..errors import InputError
from ..formats.prototxt import Document
from ..nets import arguments as option_flags
from ..nets import generate

_MADE_BY = re.compile(r"^# Made by: deeplab prototxt (.+)$", re.MULTILINE)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise InputError(f"the command in its header cannot be read: {message}")


def original(document: Document) -> Document:
    """The file as generated; raises InputError where its header names no command, or one that makes no such file."""
    match = _MADE_BY.search(document.text)
    if match is None:
        raise InputError(f"{document.filename}: has no header '# Made by: deeplab prototxt …'; was it generated?")
    parser = _Parser(add_help=False)
    parser.add_argument("name")
    option_flags.add_arguments(parser)
    parser.add_argument("--exp")
    try:
        given = parser.parse_args(shlex.split(match[1]))
        files = generate(given.name, option_flags.from_arguments(given))
    except InputError as error:
        raise InputError(f"{document.filename}: {error}") from None
    name = Path(document.filename).name
    if name not in files:
        raise InputError(f"{document.filename}: its command makes {', '.join(files)}; is it under another name?")
    return Document(files[name], f"{document.filename} (generated)")
