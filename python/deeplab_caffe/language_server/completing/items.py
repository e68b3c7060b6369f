"""One thing that may be completed, apart from the protocol's form of it."""

from __future__ import annotations

from dataclasses import dataclass

from lsprotocol.types import CompletionItemKind as Kind

__all__ = ["Item", "Kind"]


@dataclass(frozen=True)
class Item:
    """An offer.

    Args:
        label: what the list shows, and what typing is matched with.
        text: what is inserted: plain text, or a snippet if `is_snippet`.
        kind: the protocol's kind, for its icon.
        detail: a few words behind the label.
        about: what its documentation is made from when it is asked for: ("field", message, name),
            ("word", message, name, word) or ("type", layer type); () for none.
        old: whether something else is written today.
        is_snippet: whether `text` is a snippet.
        in_quotes: whether `text` is the inside of a string.
    """

    label: str
    text: str
    kind: Kind
    detail: str = ""
    about: tuple[str, ...] = ()
    old: bool = False
    is_snippet: bool = False
    in_quotes: bool = False
