"""The values that name files, and the files that they name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ..formats.prototxt import Document
from ..formats.tree import Field, Scalar, walk
from .strings import content

#: a solver's nets; Caffe's users keep them beside it
_NETS = ("net", "train_net", "test_net")
#: several files may be stated in one value, with commas between
_LISTS = ("weights",)
_MODULE = "module"
_FIELDS = frozenset(
    (*_NETS, *_LISTS, _MODULE, "source", "mean_file", "meanfile", "label_map_file", "name_size_file", "weight_source")
)


class FileName(NamedTuple):
    """A file's name in a document: the field, the name, and its offsets in the text."""

    field: Field
    name: str
    start: int
    end: int


def file_names(document: Document) -> Iterator[FileName]:
    """All names of files in a document, in order."""
    for field in walk(document.root.fields):
        if field.name in _FIELDS and isinstance(field.value, Scalar) and field.value.quoted:
            yield from _names(document.text, field, field.value)


def file_name_at(document: Document, offset: int) -> FileName | None:
    """The file's name at an offset."""
    return next((found for found in file_names(document) if found.start <= offset <= found.end), None)


def _names(text: str, field: Field, value: Scalar) -> Iterator[FileName]:
    start, end = content(text, value)
    if field.name in _LISTS and text[start:end] == value.text:
        for part in value.text.split(","):
            yield FileName(field, part.strip(), start, start + len(part))
            start += len(part) + 1
    elif value.text:
        yield FileName(field, value.text, start, end)


def find_file(found: FileName, beside: Path, folders: Iterable[str] = ()) -> Path | None:
    """The file or folder that a document names, as `find_path` looks for it, and a net beside its solver too."""
    name = found.name + ".py" if found.field.name == _MODULE and found.name else found.name
    path = find_path(name, beside, folders)
    if path is None and found.field.name in _NETS and name:
        return find_path(Path(name).name, beside)
    return path


def find_path(name: str, beside: Path, folders: Iterable[str] = ()) -> Path | None:
    """The file or folder of a name; None if there is none, or if the name has a template variable.

    A relative name is looked for as Caffe would if it was run in one of `folders`, in a folder around the file, or in
    the current one.

    Args:
        name: the name.
        beside: the file that says it.
        folders: those that are open in the editor.
    """
    if not name or "\0" in name or "${" in name:
        return None
    around = [*map(Path, folders), *beside.parents, Path.cwd()]
    return next((folder / name for folder in around if _exists(folder / name)), None)


def _exists(path: Path) -> bool:
    try:
        return os.path.exists(path)
    except ValueError:  # no name that a file can have
        return False
