"""What a three-way merge did: every place at which one of the three texts differs, and which value stands now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ..diff_fields import ABSENT

#: whose value stands in the merged text: "yours" and "theirs" (only one side changed it), "both" (alike), or yours,
#: with a mark, because both sides changed it ("conflict")
Taken = Literal["yours", "theirs", "both", "conflict"]


@dataclass(frozen=True)
class MergeChange:
    """One place: a field, a layer that came or went, its position, or a comment of the generator.

    Attributes:
        layer: the layer's name in the merged net; "" outside of layers.
        path: the field, such as `convolution_param.dilation` or `param[1].lr_mult`; "" for the layer as a whole,
            "position" for its place in the order of layers, "comment" for the comment above it.
        base, yours, theirs: the three values as prototxt text, or ABSENT; for a position the layer before it.
        taken: whose value stands in the merged text.
        remark: what a message says in place of the values; "" if they say enough.
    """

    layer: str
    path: str
    base: str
    yours: str
    theirs: str
    taken: Taken
    remark: str = ""

    @property
    def place(self) -> str:
        """`fc6 convolution_param.dilation`: the layer and the path."""
        return " ".join(filter(None, (self.layer, self.path)))

    def __str__(self) -> str:
        if self.remark:
            return f"{self.place}: {self.remark}"
        if self.taken == "conflict":
            return f"{self.place}: yours is {self.yours}, the generator's is now {self.theirs} (was {self.base})"
        if not self.path:
            came, went = self.base == ABSENT, self.theirs == ABSENT if self.taken == "theirs" else self.yours == ABSENT
            return f"{self.place}: {'added' if came else 'removed' if went else 'changed'}"
        return f"{self.place}: {self.base} → {self.theirs if self.taken == 'theirs' else self.yours}"


@dataclass
class MergeResult:
    """The merged text, and how it came about.

    Attributes:
        text: the edited text with the generator's changes.
        changes: every place at which the texts differ.
    """

    text: str
    changes: list[MergeChange] = field(default_factory=list)

    @property
    def conflicts(self) -> list[MergeChange]:
        """Places that both sides changed, each with a mark in the text."""
        return [change for change in self.changes if change.taken == "conflict"]

    @property
    def merged(self) -> list[MergeChange]:
        """The generator's changes that were taken over."""
        return [change for change in self.changes if change.taken == "theirs"]

    @property
    def yours(self) -> list[MergeChange]:
        """Your changes, which stand as they were."""
        return [change for change in self.changes if change.taken == "yours"]

    def as_json(self) -> dict[str, Any]:
        """The result as lists and dictionaries, named as in MergeChange."""
        return {"text": self.text, "changes": [asdict(change) for change in self.changes]}


def lines(changes: Sequence[MergeChange]) -> list[str]:
    """Short lines; those of many layers that say the same are one: `conv1_1, conv1_2 and 11 more: added`."""
    said: dict[str, list[str]] = {}
    for change in changes:
        what = str(change).removeprefix(change.layer) if change.layer else str(change)
        said.setdefault(what, []).append(change.layer)
    return [f"{_names(list(filter(None, layers)))}{what}" for what, layers in said.items()]


def _names(names: list[str]) -> str:
    return ", ".join(names) if len(names) < 5 else f"{', '.join(names[:3])} and {len(names) - 3} more"
