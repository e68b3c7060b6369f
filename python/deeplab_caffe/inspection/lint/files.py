"""Where lint reads files: from the disk, or, in an editor, what is not saved yet as well."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from ...formats.definition import net_path
from ...formats.prototxt import Document
from .net_file import NetFile


class Files(Protocol):
    """What a Linter reads. Each method takes a path as the user, or a solver, wrote it."""

    def document(self, path: str) -> Document:
        """The parsed file; raises InputError if it is missing, or, unless the document lists errors, not prototxt."""

    def net(self, path: str) -> NetFile:
        """The net in a file, which this linter alone sees; raises as `document` does."""

    def exists(self, path: Path) -> bool:
        """Whether there is such a file."""

    def net_path(self, solver: str, net: str) -> str:
        """The path of the net that a solver names."""


class DiskFiles:
    """The files on the disk; each is read once.

    Args:
        values: values of template variables, by name.
        shapes: whether shapes are inferred, which needs the engine.
    """

    def __init__(self, values: Mapping[str, str] | None = None, shapes: bool = True) -> None:
        self._values, self._shapes = values, shapes
        self._documents: dict[str, Document] = {}
        self._nets: dict[str, NetFile] = {}

    def document(self, path: str) -> Document:
        key = os.path.realpath(path)
        if key not in self._documents:
            self._documents[key] = Document.read(path, self._values)
        return self._documents[key]

    def net(self, path: str) -> NetFile:
        key = os.path.realpath(path)
        if key not in self._nets:
            self._nets[key] = NetFile(self.document(path), with_shapes=self._shapes)
        return self._nets[key]

    def exists(self, path: Path) -> bool:
        return path.is_file()

    def net_path(self, solver: str, net: str) -> str:
        return net_path(solver, net)
