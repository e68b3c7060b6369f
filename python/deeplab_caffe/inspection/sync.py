"""Carries an edit of one net over to the other nets of its model, so that all compute the same again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError
from ..formats.edits import Edits
from ..formats.prototxt import Document
from ..formats.python_layers import parameters
from ..formats.tree import Block
from ..formats.writer import quote
from .lint.net_file import NetFile, View
from .lint.net_pair import Difference, Generator, NetPair
from .lint.rules_together import model_files
from .transplant import FieldCarrier

#: how often a changed text is compared again, since some fields only differ when others are equal
_ROUNDS = 8


@dataclass
class Synced:
    """What became of one net.

    Args:
        path: its file.
        text: its text with the changes.
        changed: what was carried over.
        left: what could not be carried over.
    """

    path: Path
    text: str
    changed: list[Difference] = field(default_factory=list)
    left: list[Difference] = field(default_factory=list)


def sync(source: Path, generator: Generator | None = None) -> Iterator[Synced]:
    """The other nets of a model, changed so that they compute what the source does. Nothing is written.

    Only fields that differ are changed; comments and layout stay. Differences that the generator makes stay, in their
    proportion.

    Args:
        source: the net that was edited; the others are found by their names in its folder.
        generator: knows which differences are the generator's.

    Raises:
        InputError: a file cannot be read, or no other net is in the folder.
    """
    others = [path for path in model_files(source) if not _same_file(path, source)]
    if not others:
        raise InputError(f"{source}: no other net of its model in {source.parent} (train, train2, test, deploy …)")
    origin = _View(Document.read(source))
    for path in others:
        yield _synced(origin, path, generator)


def _same_file(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


class _View:
    """A document, and its net in the state that it is used in."""

    def __init__(self, document: Document) -> None:
        self.document = document
        file = NetFile(document)
        if file.refused:
            raise file.refused
        trains = [view for view in file.views if view.trains]
        is_training = trains and "train" in Path(document.filename).stem
        self.view: View = trains[0] if is_training else file.views[-1]


def _synced(origin: _View, path: Path, generator: Generator | None) -> Synced:
    target = _View(Document.read(path))
    result = Synced(path, target.document.text)
    first = NetPair(origin.view, target.view, generator).differences()
    todo = first
    for _ in range(_ROUNDS):
        edits = _edits(origin, target, todo)
        if not edits:
            break
        result.text = edits.apply()
        target = _View(Document(result.text, str(path)))
        todo = NetPair(origin.view, target.view, generator).differences()
    left = {item.place for item in todo}
    result.left = todo
    result.changed = [item for item in first if item.place not in left]
    return result


def _edits(origin: _View, target: _View, found: list[Difference]) -> Edits:
    """The changes for all differences that can be carried over now; the rest follows when the text is read again."""
    edits = Edits(target.document)
    carrier = FieldCarrier(origin.document, edits)
    done: set[tuple[str, str]] = set()
    for item in found:
        source, place = item.learned.block, item.layer.block
        old = item.learned.is_old or item.layer.is_old
        key = item.layer.name, item.path.partition(".")[0]
        if source is None or place is None or old or item.path.startswith("bottom") or key in done:
            continue
        if _is_python(item) or not all(block.all(key[1]) for block in (source, place)):
            done.add(key)  # the whole message is carried over at once
        if _is_python(item):
            _set_in_param_str(edits, item, place)
        elif item.wanted:
            carrier.value(item.path, item.wanted, place)
        else:
            carrier.field(item.path, source, place)
    return edits


def _is_python(item: Difference) -> bool:
    return "Python" in (item.learned.param.type, item.layer.param.type)


def _set_in_param_str(edits: Edits, item: Difference, place: Block) -> None:
    """Change one value in the param_str of a Python layer of ours."""
    stated, learned = parameters(item.layer.param), parameters(item.learned.param)
    name = item.path.rpartition(".")[2]
    found = place.last("python_param")
    if item.layer.param.type != item.learned.param.type or found is None:
        return
    inner = found.within("param_str")
    if item.wanted or name in learned:
        stated[name] = int(item.wanted) if item.wanted else learned[name]
    else:
        stated.pop(name, None)
    if inner is found:
        edits.append(found.value, f"param_str: {quote(repr(stated))}")  # type: ignore[arg-type]
    else:
        edits.set_value(inner, quote(repr(stated)))
