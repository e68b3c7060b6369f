"""Read, write and split list files of ImageSegData: one image, and usually its label, per line."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import InputError
from ..files import write_text

_INTEGER = re.compile(r"\s*([-+]?\d+)")
_NO_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class ListEntry:
    """One line of a list: the paths as written (without the root folder) and the line number from 1."""

    image: str
    label: str | None
    line: int


def read_list(path: str | os.PathLike[str], needs_label: bool = True) -> list[ListEntry]:
    """Read a list file; the first word is the image, the second the label, the rest is ignored.

    Args:
        path: the list file.
        needs_label: False for lists of images only (label_type: NONE); a second word is kept if there is one.

    Raises:
        InputError: the file cannot be read, is not text, is empty, or a line is blank or has no label; names list and
            line.
    """
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except OSError as error:
        raise InputError(f"{os.fspath(path)}: cannot read the list: {error.strerror}") from None
    if strange := next((n for n, line in enumerate(lines, 1) if _NO_TEXT.search(line)), None):
        raise InputError(
            f"{os.fspath(path)}:{strange}: not a text file; expected a list, one '<image> <label>' per line"
        )
    if not any(line.strip() for line in lines):
        raise InputError(f"{os.fspath(path)}: the list is empty; expected one '<image> <label>' per line")
    return [_entry(path, number, line, needs_label) for number, line in enumerate(lines, 1)]


def read_numbered_list(path: str | os.PathLike[str]) -> list[ListEntry]:
    """Read a list whose labels are numbers, as ImageData and convert_imageset do.

    Each line is split at its last space, so paths may contain spaces; the label is the integer that the second part
    begins with.

    Raises:
        InputError: the list cannot be read or is empty, or a line has no such number; names list and line.
    """
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except OSError as error:
        raise InputError(f"source: '{os.fspath(path)}': cannot read the list: {error.strerror}") from None
    if not any(line.strip() for line in lines):
        raise InputError(f"{os.fspath(path)}: the list is empty; expected one '<image> <label>' per line")
    entries = []
    for number, line in enumerate(lines, 1):
        image, _, word = line.rpartition(" ")
        label = _INTEGER.match(word)
        if not image or not label:
            expected = "expected '<image> <label>', the label a number (0 if there is no label)"
            raise InputError(f"{os.fspath(path)}:{number}: '{line}': {expected}")
        entries.append(ListEntry(image, label[1], number))
    return entries


def write_list(path: str | os.PathLike[str], entries: Iterable[ListEntry]) -> None:
    """Write entries as a list file, whole or not at all."""
    write_text(path, "".join(e.image + (f" {e.label}" if e.label is not None else "") + "\n" for e in entries))


def full_path(root_folder: str | os.PathLike[str], word: str) -> str:
    """root_folder and word joined as in ImageSegData: plain concatenation, no '/' is added."""
    return os.fspath(root_folder) + word


def list_contents(entries: Sequence[ListEntry]) -> str:
    """The number of items and a checksum, equal for lists with the same content."""
    text = "".join(f"{entry.image} {entry.label}\n" for entry in entries)
    return f"{len(entries)} items, checksum {zlib.crc32(text.encode('utf-8', 'surrogateescape')):08x}"


def list_id(entry: ListEntry) -> str:
    """The image's file name without folder and suffix, as used in result files and *_id.txt lists.

    Example:
        >>> list_id(ListEntry("/JPEGImages/2007_000032.jpg", None, 1))
        '2007_000032'
    """
    return os.path.splitext(os.path.basename(entry.image))[0]


def hold_out(
    entries: Sequence[ListEntry], part: float = 0.1, blocks: int = 5
) -> tuple[list[ListEntry], list[ListEntry]]:
    """Split a list into (rest, held out), always in the same way.

    The held-out lines are contiguous blocks spread evenly over the list, not every n-th line: in lists of video frames
    a held-out frame would otherwise have an almost equal one in the training part.

    Args:
        entries: the list.
        part: the share to hold out, 0..1; at least one line is held out and one is kept.
        blocks: the number of blocks.

    Raises:
        InputError: the list has fewer than two lines, or `part` is not between 0 and 1.
    """
    if len(entries) < 2 or not 0 < part < 1:
        raise InputError(f"cannot hold out {part:g} of {len(entries)} lines; expected a share 0..1 of at least two")
    count = min(max(round(len(entries) * part), 1), len(entries) - 1)
    blocks = min(blocks, count)
    held: set[int] = set()
    for block in range(blocks):
        end = len(entries) * (block + 1) // blocks
        held.update(range(end - (count * (block + 1) // blocks - count * block // blocks), end))
    rest = [entry for place, entry in enumerate(entries) if place not in held]
    return rest, [entries[place] for place in sorted(held)]


def check_files(
    entries: Sequence[ListEntry],
    root_folder: str | os.PathLike[str],
    list_path: str | os.PathLike[str],
    labels: bool = True,
) -> None:
    """Check that all files of a list exist.

    Args:
        entries: the list.
        root_folder: prepended to the names in the list as it is.
        list_path: the list file, for the message.
        labels: check the label files too (not for lists whose second word is a number).

    Raises:
        InputError: says how many files are missing, and names the first five with their lines.
    """
    missing: list[tuple[int, str, str]] = []
    for entry in entries:
        words = [entry.image] if entry.label is None or not labels else [entry.image, entry.label]
        missing += [(entry.line, word, full_path(root_folder, word)) for word in words]
    count = len(missing)
    missing = [item for item in missing if not os.path.isfile(item[2])]
    if missing:
        shown = "".join(f"\n  {os.fspath(list_path)}:{line}: {path}" for line, _, path in missing[:5])
        more = f"\n  and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise InputError(
            f"{os.fspath(list_path)}: {len(missing)} of {count} files do not exist:{shown}{more}\n"
            + _advice(missing[0][1], root_folder)
        )


def _entry(path: str | os.PathLike[str], number: int, line: str, needs_label: bool) -> ListEntry:
    words = line.split()
    if not words:
        raise InputError(f"{os.fspath(path)}:{number}: blank line; expected '<image> <label>': remove the line")
    if len(words) == 1 and needs_label:
        raise InputError(
            f"{os.fspath(path)}:{number}: '{words[0]}' has no label; expected '<image> <label>'. "
            "Lists without labels can only be used for prediction (in ImageSegData, label_type: NONE)"
        )
    return ListEntry(words[0], words[1] if len(words) > 1 else None, number)


def _advice(word: str, root_folder: str | os.PathLike[str]) -> str:
    root = os.fspath(root_folder)
    if root and not word.startswith("/") and not root.endswith("/") and os.path.isfile(f"{root}/{word}"):
        return f"root_folder and file name are joined as they are: end root_folder with a slash ('{root}/')"
    if root and not os.path.isdir(root):
        return f"The root folder '{root}' does not exist: put the data there or correct root_folder"
    return "Check root_folder, and that the data set is complete"
