"""What builders write: label files of many images, and lists. What is there already is kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ...arrays import Label
from ...errors import InputError
from ...files import write_bytes
from ...progress import tracked
from ...reading import read_bytes, read_text
from ...temporary_files import remove_dead_leftovers
from ...threads import mapped
from ..images import image_size
from ..labels import write_label
from ..lists import ListEntry, list_bytes, list_id

T = TypeVar("T")


def write_labels(
    targets: Mapping[T, Path],
    label_of: Callable[[T], Label | None],
    title: str,
    write: Callable[[Path, Label], Any] = write_label,
    progress: bool = True,
) -> int:
    """Write the label files of many images, several at a time; existing files are kept.

    Each file is written whole or not at all, so an interrupted call goes on where it stopped.

    Args:
        targets: the file to write for each image.
        label_of: makes the label (H, W) uint8 of an image, or None, and nothing is written for it; called in several
            threads. It checks what it reads.
        title: for the progress bar.
        write: writes a label to a path: `write_label` with VOC's palette, or `write_grey_label`.
        progress: show a progress bar.

    Returns:
        The number of files written.

    Raises:
        InputError: what `label_of` raises.
    """
    todo = {image: path for image, path in targets.items() if not path.is_file()}
    for folder in {path.parent for path in todo.values()}:
        remove_dead_leftovers(folder)

    def make(image: T) -> int:
        label = label_of(image)
        if label is not None:
            write(todo[image], label)
        return int(label is not None)

    made = mapped(make, todo)
    return sum(tracked(made, title, len(todo)) if progress and todo else made)


def write_lists(root: Path, name: str, entries: Iterable[tuple[str, str | None]], with_ids: bool = True) -> int:
    """Write `list/NAME.txt` of (image, label) words and, beside it, `NAME_id.txt` of the images' names.

    Args:
        root: the data set's folder.
        name: of the list, without suffix.
        entries: the words of each line; None where there is no label.
        with_ids: False writes no `NAME_id.txt`.

    Returns:
        The number of files that did not have this content before.
    """
    lines = [ListEntry(image, label, line) for line, (image, label) in enumerate(entries, 1)]
    contents = {f"{name}.txt": list_bytes(lines)}
    if with_ids:
        contents[f"{name}_id.txt"] = "".join(f"{list_id(entry)}\n" for entry in lines).encode(
            "utf-8", "surrogateescape"
        )
    return sum(_write_if_new(root / "list" / file, content) for file, content in contents.items())


def _write_if_new(path: Path, content: bytes) -> int:
    """Write a file, unless it has this content already; returns 1 if it was written, otherwise 0."""
    if path.is_file() and path.read_bytes() == content:
        return 0
    write_bytes(path, content)
    return 1


def word_of(root: Path, path: Path) -> str:
    """The word of a list for a file: if it lies elsewhere, with what leads there from where the root's link leads."""
    inside = os.path.relpath(path, root)
    if inside.startswith(os.pardir):
        inside = os.path.relpath(os.path.realpath(path), os.path.realpath(root))
    return "/" + Path(inside).as_posix()


def check_size(label: Label, source: Path, image: Path) -> None:
    """Raise InputError if a label (H, W), made of the file `source`, has another size than its image; names both."""
    height, width = image_size(image)
    if label.shape != (height, width):
        raise InputError(
            f"{source}: the label has {label.shape[1]}×{label.shape[0]} pixels, but its image {image} has "
            f"{width}×{height}; both must have the same size"
        )


def read_names(path: Path) -> list[str]:
    """The names of images in a list: the first word of each line.

    Raises:
        InputError: the list cannot be read, or a name could lead out of the folder of images; names list and line.
    """
    lines = enumerate(read_text(path, "the list").splitlines(), 1)
    found = [(number, line.split()[0]) for number, line in lines if line.strip()]
    for number, name in found:
        if "/" in name or "\\" in name or name.startswith("."):
            raise InputError(f"{path}:{number}: '{name}': expected the name of an image without folder, as 2008_000002")
    return [name for _, name in found]


def count_lines(root: Path, names: Iterable[str]) -> dict[str, int]:
    """The number of lines of each `list/NAME.txt`; 0 where there is no such file."""
    return {name: _lines(root / "list" / f"{name}.txt") for name in names}


def _lines(path: Path) -> int:
    return read_bytes(path, "the list").count(b"\n") if path.is_file() else 0
