"""Three versions of a sequence merged: what one side changed is taken, what both changed in one place is a conflict."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple


class Chunk(NamedTuple):
    """A place of three sequences: the indices that it covers in each, and where its elements are taken from."""

    base: range
    ours: range
    theirs: range
    #: "ours", "theirs" or "conflict"
    take: str


def chunks(base: Sequence[Hashable], ours: Sequence[Hashable], theirs: Sequence[Hashable]) -> Iterator[Chunk]:
    """Yield the places of three sequences in order; between elements that all three keep, each is one chunk.

    Example:
        >>> [chunk.take for chunk in chunks("abcd", "abXd", "aYbcd")]
        ['ours', 'theirs', 'ours', 'ours', 'ours']
        >>> [chunk.take for chunk in chunks("abc", "aXc", "aYc")]
        ['ours', 'conflict', 'ours']
    """
    to_ours, to_theirs = _matches(base, ours), _matches(base, theirs)
    b = o = t = 0
    for i in [i for i in range(len(base)) if i in to_ours and i in to_theirs] + [len(base)]:
        end_o, end_t = to_ours.get(i, len(ours)), to_theirs.get(i, len(theirs))
        parts = range(b, i), range(o, end_o), range(t, end_t)
        if any(parts):
            yield Chunk(*parts, _take([base[k] for k in parts[0]], ours[o:end_o], theirs[t:end_t]))
        if i < len(base):
            yield Chunk(range(i, i + 1), range(end_o, end_o + 1), range(end_t, end_t + 1), "ours")
        b, o, t = i + 1, end_o + 1, end_t + 1


def _matches(one: Sequence[Hashable], other: Sequence[Hashable]) -> dict[int, int]:
    blocks = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    return {block.a + k: block.b + k for block in blocks for k in range(block.size)}


def _take(base: Sequence[Hashable], ours: Sequence[Hashable], theirs: Sequence[Hashable]) -> str:
    if list(theirs) == list(base) or list(ours) == list(theirs):
        return "ours"
    return "theirs" if list(ours) == list(base) else "conflict"


def merged(
    base: Sequence[Hashable], ours: Sequence[Hashable], theirs: Sequence[Hashable]
) -> list[tuple[str, int]] | None:
    """The elements of the merged sequence as ("ours" or "theirs", index); None if there is a conflict.

    Sequences of one length, such as sizes along axes, are merged element by element.
    """
    if len(base) == len(ours) == len(theirs):
        found = [_take([b], [o], [t]) for b, o, t in zip(base, ours, theirs, strict=True)]
        return None if "conflict" in found else [(take, i) for i, take in enumerate(found)]
    result: list[tuple[str, int]] = []
    for chunk in chunks(base, ours, theirs):
        if chunk.take == "conflict":
            return None
        result += [(chunk.take, i) for i in (chunk.ours if chunk.take == "ours" else chunk.theirs)]
    return result
