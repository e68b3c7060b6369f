"""The messages of layers that were read before, for texts that change while they are typed."""

from __future__ import annotations

from typing import Any

#: (type of message, text) → the message of a layer without problems
LayerMessages = dict[tuple[str, str], Any]


class LayersRead:
    """Layers that need not be read again: those that had the same text in an earlier version of a file.

    Args:
        before: the layers of the earlier version.
        now: gets the layers of this one.
    """

    def __init__(self, before: LayerMessages, now: LayerMessages) -> None:
        self._before, self._now = before, now

    def copy_to(self, message: Any, text: str) -> bool:
        """Fill an empty message with the layer of a text; False if it is not known."""
        key = message.DESCRIPTOR.name, text
        known = self._before.get(key) or self._now.get(key)
        if known is None:
            return False
        message.CopyFrom(known)
        self._now[key] = known
        return True

    def keep(self, message: Any, text: str) -> None:
        """Remember the layer of a text."""
        kept = type(message)()
        kept.CopyFrom(message)
        self._now[message.DESCRIPTOR.name, text] = kept
