"""The state of a text upgrade: the document after each step, places in the original, and what changed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import schema
from .carried import carry, unknown_values
from .definition import is_solver
from .edits import Edits, Offsets
from .messages import Problem, keeping, to_message
from .placeholders import Placeholders
from .prototxt import Document
from .tree import Block
from .upgrade import dialect_of, upgrade_net, upgrade_solver
from .upgrade_report import Change, shortened

#: the fields of a solver that hold nets
NET_FIELDS = ("net_param", "train_net_param", "test_net_param")


class TextUpgrade:
    """A file during its upgrade: its present document, and how offsets map to the original.

    Attributes:
        beside: the file that the new text will be written to; None if there is none.
        matrices: as in `Upgrade`.
    """

    def __init__(self, document: Document, beside: Path | None = None) -> None:
        self.original = self.document = document
        self.is_solver = is_solver(document)
        self.placeholders = Placeholders()
        self.changes: list[Change] = []
        self.notes: list[str] = []
        self.dialect = ""
        #: what another Caffe may know: it is kept as it is written
        self.unknown: list[Problem] = []
        self.beside = beside
        self.matrices: dict[str, list[float]] = {}
        self._steps: list[Offsets] = []
        self._at: dict[tuple[int, int], list[int]] = {}

    def step(self, rewrite: Callable[[TextUpgrade, Edits], None]) -> None:
        """Change the document; `rewrite` collects the changes in the Edits that it gets."""
        edits = Edits(self.document)
        rewrite(self, edits)
        if edits:
            text, offsets = edits.applied()
            self._steps.append(offsets)
            self.document = Document(text, self.document.filename)

    def nets(self) -> list[Block]:
        """The blocks that define nets: the whole file, or those within a solver."""
        if not self.is_solver:
            return [self.document.root]
        return [f.value for f in self.document.root.fields if f.name in NET_FIELDS and isinstance(f.value, Block)]

    def log(self, offset: int, layer: str, old: str, new: str, note: str = "") -> None:
        """Report a change at an offset of the present document."""
        line, column = self.original.place(self._before(offset))
        old, new = shortened(old), shortened(new)
        here = self._at.setdefault((line, column), [])
        for i in here:
            if self.changes[i].new == old:  # changed by an earlier step as well
                self.changes[i] = replace(self.changes[i], new=new, note=note or self.changes[i].note)
                return
        here.append(len(self.changes))
        self.changes.append(Change(line, column, layer, old, new, note))

    def where(self, offset: int) -> str:
        """`file:line:column` in the original of an offset of the present document."""
        return self.original.where(self._before(offset))

    def _before(self, offset: int) -> int:
        for step in reversed(self._steps):
            offset = step.before(offset)
        return offset

    # -- messages

    def message(self, block: Block | None = None) -> Any:
        """The present file, or one of its nets, as a message, with placeholders for template variables."""
        self.unknown = []
        kind, report = self._kind(block), keeping(self.unknown)
        return to_message(self.document, kind(), block=block, report=report, placeholders=self.placeholders)

    def _kind(self, block: Block | None = None) -> Any:
        return schema.SolverParameter if self.is_solver and block is None else schema.NetParameter

    def unknown_values(self) -> list[str]:
        """What the present file says beyond its message, sorted; the places of older dialects are not compared."""
        found = unknown_values(self.document.root, self._kind().DESCRIPTOR)
        return sorted(f"{path.rpartition('.')[2]}: {value}" for path, value in found)

    def upgraded_message(self) -> Any:
        """The message that the upgraded text must mean."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            message = self.message()
            if not self.is_solver:
                self.dialect = dialect_of(message)
                self.to_today(message, self.document.root)
            else:
                self.dialect = "solver"
                upgrade_solver(message, self.original.filename)
                single = [getattr(message, name) for name in NET_FIELDS[:2] if message.HasField(name)]
                params = [*single, *message.test_net_param]
                blocks = [b.value for name in NET_FIELDS for b in self.document.root.all(name)]
                for param, block in zip(params, blocks, strict=True):
                    assert isinstance(block, Block)
                    self.to_today(param, block)
        self.notes += [str(warning.message) for warning in caught]
        return message

    def to_today(self, net: Any, block: Block, carried: bool = True) -> list[int | None]:
        """Upgrade the message of a net in place; errors and notes give places in the original.

        Args:
            net: the message.
            block: the text of the net.
            carried: complete the layers by what the messages of 2014 lack; see `carry`.
        """
        elements = block.all("layers") or block.all("layer")

        def where(place: int, *names: str) -> str:
            return self.where(elements[place].within(*names).start)

        places = upgrade_net(net, self.original.filename, where)
        if carried:
            carry(self.document, elements, places, net.layer, self.placeholders)
        return places
