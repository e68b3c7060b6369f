"""A layer and a blob of a net's file as lint's rules see them: their fields, and the places in the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...formats.layer_facts import LayerFacts, facts_of
from ...formats.prototxt import Block, Document, Field, Scalar
from .findings import Fix, Hit, Offer


class LintLayer:
    """One layer: its upgraded definition and its element in the text (None for an Input made of input fields).

    incomplete: some of its values could not be read (a template variable without a value, a misspelled field, an
    unknown type), so not all of its fields are known. is_old: its text has other fields
    than the definition: it is of an older dialect, or a Python layer of deeplab_layers (see `is_python`).
    """

    def __init__(
        self, document: Document, index: int, param: Any, element: Field | None, incomplete: bool, is_old: bool
    ) -> None:
        self.document, self.index, self.param, self.element = document, index, param, element
        self.incomplete, self.is_old = incomplete, is_old
        self.name, self.type = str(param.name), str(param.type)
        self.bottoms, self.tops = list(param.bottom), list(param.top)

    def __repr__(self) -> str:
        return self.title

    @property
    def title(self) -> str:
        """`fc6 (Convolution)`."""
        return f"{self.name or '?'} ({self.type or '?'})"

    @property
    def origin(self) -> str:
        """`file:line:column`."""
        return self.document.where(self.element.start if self.element else 0)

    @property
    def in_place(self) -> bool:
        """Whether it overwrites its first bottom."""
        return bool(self.bottoms and self.tops and self.bottoms[0] == self.tops[0])

    @property
    def is_python(self) -> bool:
        """Whether it is written as a Python layer; for one of deeplab_layers, `type` is what it implements."""
        return self.block is not None and self.block.text_of("type") == "Python"

    @property
    def block(self) -> Block | None:
        """The fields in its braces."""
        return self.element.value if self.element and isinstance(self.element.value, Block) else None

    def find(self, *path: str | int) -> Field | None:
        """The field at a path of names, each followed by an index if there are several; None if there is none.

        `find("param", 1, "lr_mult")` is the lr_mult of the second param.
        """
        block, found = self.block, None
        steps = list(path)
        while steps:
            name = steps.pop(0)
            fields = block.all(str(name)) if block else []
            place = steps.pop(0) if steps and isinstance(steps[0], int) else -1
            if not -len(fields) <= int(place) < len(fields):
                return None
            found = fields[int(place)]
            block = found.value if isinstance(found.value, Block) else None
        return found

    def offset(self, *path: str | int) -> int:
        """The offset of a field; if it is missing, of the longest part of the path that exists, or of the layer."""
        while path:
            found = self.find(*path)
            if found is not None:
                return found.start
            path = path[:-1]
        return self.element.start if self.element else 0

    def hit(
        self, message: str, advice: str, *path: str | int, fix: Fix | None = None, offers: Sequence[Offer] = ()
    ) -> Hit:
        """A hit at one of its fields, or at the layer if that is missing."""
        if self.is_old or self.block is None:  # the text of an older dialect has other fields
            fix, offers = None, ()
        return Hit(self.document, self.offset(*path), self.title, message, advice, fix, tuple(offers))

    # -- what it states

    @property
    def facts(self) -> LayerFacts:
        """The facts about its type."""
        return facts_of(self.type)

    @property
    def weighted(self) -> bool:
        """Whether it has weights that are filled and learned."""
        return self.facts.weighted

    @property
    def weights(self) -> Any:
        """The message with its fillers and num_output."""
        return getattr(self.param, self.facts.params[0])

    def multiplier(self, index: int, field: str = "lr_mult") -> float:
        """A multiplier of a parameter; 1 if it is not stated."""
        return float(getattr(self.param.param[index], field)) if index < len(self.param.param) else 1.0


class LintBlob:
    """What one layer writes under a name: made by `maker`, read by `readers`; `before`: what it overwrites."""

    def __init__(self, name: str, maker: LintLayer, index: int, before: LintBlob | None) -> None:
        self.name, self.maker, self.index, self.before = name, maker, index, before
        self.readers: list[LintLayer] = []


def scalar_of(field: Field | None) -> Scalar | None:
    """The scalar value of a field, None if it is missing or holds a message."""
    return field.value if field is not None and isinstance(field.value, Scalar) else None
