"""One file as the editor has it, or as it lies on the disk, at one moment."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

from lsprotocol import types

from ..formats.definition import is_solver
from ..formats.prototxt import Document
from ..formats.recovery import recover
from ..formats.reparse import reparse
from ..formats.templates import TemplateValues
from ..inspection.lint.net_file import NetFile
from .text_positions import TextPositions

Made = TypeVar("Made")
Change = types.TextDocumentContentChangeEvent
_HALF = re.compile("[\ud800-\udfff]")


class Buffer:
    """A text that never changes; `changed` makes the next one, so that threads may read this one meanwhile.

    Args:
        uri: the protocol's name of the file.
        path: its path; for a text that has no file yet, the URI.
        text: the text, with its own line ends.
        version: the editor's number of the text; None for one on the disk.
        variables: values of template variables, from the user's settings.
    """

    def __init__(
        self, uri: str, path: str, text: str, version: int | None = None, variables: Mapping[str, str] | None = None
    ) -> None:
        self.uri, self.path, self.version = uri, path, version
        # half of a character beyond 16 bits, which JSON can hold, but no file; positions count it as they did
        self.text = text if text.isascii() else _HALF.sub("\ufffd", text)
        self.variables = variables or {}
        self._lock = threading.RLock()
        self._document: Document | None = None
        self._net: NetFile | None = None
        self._made: dict[str, Any] = {}
        # what is known of an earlier version, from which this one differs a little
        self._parsed: Document | None = None
        self._earlier: NetFile | None = None

    def __repr__(self) -> str:
        return f"Buffer({self.path!r}, version={self.version})"

    @property
    def is_open(self) -> bool:
        """Whether the editor has it open: then its text counts, saved or not."""
        return self.version is not None

    def changed(self, version: int, changes: Sequence[Change]) -> Buffer:
        """The buffer after an editor's changes, each to the text that the one before made."""
        text = self.text
        for change in changes:
            if isinstance(change, types.TextDocumentContentChangePartial):
                positions = self.positions if text is self.text else TextPositions(text)
                start, end = positions.offset(change.range.start), positions.offset(change.range.end)
                text = text[:start] + change.text + text[max(start, end) :]
            else:
                text = change.text
        after = Buffer(self.uri, self.path, text, version, self.variables)
        with self._lock:
            after._parsed = self._document or self._parsed
            after._earlier = self._net or self._earlier
        return after

    # -- what it says

    @property
    def document(self) -> Document:
        """The parsed text, with its `errors`."""
        with self._lock:
            if self._document is None:
                if self._parsed is not None and not self.variables:
                    self._document = reparse(self._parsed, self.text)
                else:
                    values = TemplateValues(self.variables, {}) if self.variables else None
                    self._document = recover(self.text, self.path, values)
                self._parsed = None
            return self._document

    @cached_property
    def kind(self) -> str:
        """Whether it is a "net" or a "solver"."""
        fields = {field.name for field in self.document.root.fields}
        empty = not fields & {"layer", "layers", "input"}
        return "solver" if is_solver(self.document) or (empty and "solver" in self.path) else "net"

    @property
    def net(self) -> NetFile:
        """The net as lint sees it; of a solver, that of a net's text with a solver's fields."""
        with self._lock:
            if self._net is None:
                self._net = NetFile(self.document, earlier=self._earlier)
                self._earlier = None
            return self._net

    def once(self, name: str, make: Callable[[], Made]) -> Made:
        """What is computed from this text, the first time that it is asked for."""
        with self._lock:
            if name not in self._made:
                self._made[name] = make()
            made: Made = self._made[name]
            return made

    # -- places

    @cached_property
    def positions(self) -> TextPositions:
        return TextPositions(self.text)

    def offset(self, position: types.Position) -> int:
        """The offset of a position of the protocol."""
        return self.positions.offset(position)

    def position(self, offset: int) -> types.Position:
        """The protocol's position of an offset."""
        return self.positions.position(offset)

    def range(self, start: int, end: int) -> types.Range:
        """The protocol's range between two offsets."""
        return types.Range(self.position(start), self.position(end))
