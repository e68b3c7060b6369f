"""What builders write: label files of many images, and lists. What is there already is kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from ...arrays import Label
from ...files import cpus, write_text
from ...progress import tracked
from ...reading import read_text
from ..labels import write_label
from ..lists import ListEntry, write_list

T = TypeVar("T")


def write_labels(
    targets: Mapping[T, Path],
    label_of: Callable[[T], Label],
    title: str,
    write: Callable[[Path, Label], Any] = write_label,
    progress: bool = True,
) -> int:
    """Write the label files of many images, several at a time; existing files are kept.

    Each file is written whole or not at all, so an interrupted call goes on where it stopped.

    Args:
        targets: the file to write for each image.
        label_of: makes the label (H, W) uint8 of an image; called in several threads. It checks what it reads.
        title: for the progress bar.
        write: writes a label to a path: `write_label` with VOC's palette, or `write_grey_label`.
        progress: show a progress bar.

    Returns:
        The number of files written.

    Raises:
        InputError: what `label_of` raises.
    """
    todo = {image: path for image, path in targets.items() if not path.is_file()}

    def make(image: T) -> None:
        write(todo[image], label_of(image))

    with ThreadPoolExecutor(max(2, cpus())) as pool:
        made = pool.map(make, todo)
        for _ in tracked(made, title, len(todo)) if progress and todo else made:
            pass
    return len(todo)


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
    path = root / "list" / f"{name}.txt"
    count = _changed(path, lambda: write_list(path, lines))
    if with_ids:
        ids = "".join(f"{os.path.splitext(os.path.basename(entry.image))[0]}\n" for entry in lines)
        path_of_ids = root / "list" / f"{name}_id.txt"
        count += _changed(path_of_ids, lambda: write_text(path_of_ids, ids))
    return count


def _changed(path: Path, write: Callable[[], Any]) -> int:
    """Call `write` and say whether the content of `path` is another one, as 1 or 0."""
    before = path.read_bytes() if path.is_file() else None
    write()
    return int(path.read_bytes() != before)


def count_lines(root: Path, names: Iterable[str]) -> dict[str, int]:
    """The number of lines of each `list/NAME.txt`; 0 where there is no such file."""
    return {name: _lines(root / "list" / f"{name}.txt") for name in names}


def _lines(path: Path) -> int:
    return len(read_text(path, "the list").splitlines()) if path.is_file() else 0
