"""What differs of a layer, for the picture of two nets."""

from __future__ import annotations

from ..diff import Difference, LayerChange


class Marks:
    """By the place in its file: a layer's mark (removed, added, changed, renamed, moved), and its changes as texts.

    side: 0 for the layers of the first net, 1 for those of the second.
    """

    def __init__(self, difference: Difference, side: int) -> None:
        alone = [difference.removed, difference.added][side]
        self._of: dict[str, tuple[str, list[str]]] = {place.where: (["removed", "added"][side], []) for place in alone}
        for change in difference.changed:
            self._of[[change.before, change.after][side].where] = _mark(change), _texts(change)

    def of(self, where: str) -> tuple[str, list[str]]:
        """The mark and the changes of the layer at a place, `file:line:column`; nothing where nothing differs."""
        return self._of.get(where, ("", []))


def _mark(change: LayerChange) -> str:
    if change.fields or change.connections:
        return "changed"
    return "renamed" if change.renamed else "moved"


def _texts(change: LayerChange) -> list[str]:
    renamed = [f"name {change.before.name} → {change.after.name}"] if change.renamed else []
    moved = ["moved in the order of layers"] if change.moved else []
    return [*renamed, *(field.short for field in (*change.fields, *change.connections)), *moved]
