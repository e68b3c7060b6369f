"""Changes that an editor offers for a finding, where a person has to decide whether they are right."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ...formats.edits import Edits
from ...formats.prototxt import Block, Field, Scalar
from .findings import Offer
from .layer import LintLayer


def setting(layer: LintLayer, value: str, *path: str | int) -> list[Offer]:
    """Set a field of a layer, which is added with the messages around it if it is missing.

    Args:
        layer: the layer.
        value: the value as prototxt text.
        path: names, as in `LintLayer.find`; the last one is the field's.
    """
    name = path[-1]
    stated = layer.find(*path)
    if stated is not None and (stated.listed or isinstance(stated.value, Block)):
        return []  # of a list, only a person knows which element

    def fix(edits: Edits) -> None:
        if stated is not None:
            edits.set_value(stated, value)
        else:
            _add(layer, path, f"{name}: {value}", edits)

    return [Offer(f"Set {name}: {value}", fix)]


def adding(layer: LintLayer, text: str, *path: str | int) -> list[Offer]:
    """Add fields to a layer, or to the message of it at a path, which is added if it is missing."""

    def fix(edits: Edits) -> None:
        _add(layer, (*path, ""), text, edits)

    return [Offer(f"Add {text}", fix)]


def _add(layer: LintLayer, path: tuple[str | int, ...], text: str, edits: Edits) -> None:
    for length in range(len(path) - 1, 0, -1):
        found = layer.find(*path[:length])
        if found is not None and isinstance(found.value, Block):
            edits.append(found.value, text)
            return
        text = f"{path[length - 1]} {{ {text} }}"
    if layer.block is not None:
        edits.append(layer.block, text)


def naming(field: Field | None, words: Iterable[str]) -> list[Offer]:
    """Replace a field's word by one of these; its quotes stay."""
    if field is None or not isinstance(field.value, Scalar):
        return []
    start, end = field.value.start + field.value.quoted, field.value.end - field.value.quoted
    return [Offer(f"Change it to {word}", _replacing(start, end, word)) for word in words]


def _replacing(start: int, end: int, text: str) -> Callable[[Edits], None]:
    return lambda edits: edits.replace(start, end, text)


def removing(field: Field | None) -> list[Offer]:
    """Remove a field."""
    if field is None:
        return []
    return [Offer(f"Remove {field.name}", lambda edits: edits.remove(field))]
