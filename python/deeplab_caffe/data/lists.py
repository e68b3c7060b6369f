"""Read, write and split list files of ImageSegData: one image, and usually its label, per line."""

from __future__ import annotations

import contextlib
import os
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import InputError
from ..files import write_bytes
from ..reading import reading
from ..words import some_lines
from .list_advice import advice, advice_for_word

_WORD = re.compile(r'"([^"]+)"(?=[ \t\r\v\f]|$)|([^ \t\r\v\f]+)')
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

    Words end at a blank; names that have one are written in quotes: "my image.jpg" "my label.png". Bytes that are not
    UTF-8 are kept, as Python's file names have them.

    Args:
        path: the list file.
        needs_label: False for lists of images only (label_type: NONE); a second word is kept if there is one.

    Raises:
        InputError: the file cannot be read, is not text, is empty, or a line is blank or has no label; names list and
            line.
    """
    return [_entry(path, number, words, needs_label) for number, words in read_words(path)]


def read_words(path: str | os.PathLike[str]) -> list[tuple[int, list[str]]]:
    """The number of each line of a list, from 1, and its words; a blank line has none.

    Raises:
        InputError: the file cannot be read, is not text, or is empty.
    """
    with reading(path, "the list"):
        lines = _lines(path)
    if strange := next((n for n, line in enumerate(lines, 1) if _NO_TEXT.search(line)), None):
        raise InputError(
            f"{os.fspath(path)}:{strange}: not a text file; expected a list, one '<image> <label>' per line"
        )
    if not any(line.strip() for line in lines):
        raise InputError(f"{os.fspath(path)}: the list is empty; expected one '<image> <label>' per line")
    return [(number, _words(line)) for number, line in enumerate(lines, 1)]


def read_numbered_list(path: str | os.PathLike[str]) -> list[ListEntry]:
    """Read a list whose labels are numbers, as ImageData and convert_imageset do.

    Each line is split at its last space, so paths may contain spaces; the label is the integer that the second part
    begins with.

    Raises:
        InputError: the list cannot be read or is empty, or a line has no such number; names list and line.
    """
    with reading(path, cannot="source: '{path}': cannot read the list: {reason}"):
        lines = _lines(path)
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
    """Write entries as a list file, `<image> <label>` per line, whole or not at all; names with a blank in quotes."""
    write_bytes(path, list_bytes(entries))


def list_bytes(entries: Iterable[ListEntry]) -> bytes:
    """The content of a list file, as `write_list` writes it."""
    words = ([e.image] if e.label is None else [e.image, e.label] for e in entries)
    text = "".join(" ".join(map(_quoted, line)) + "\n" for line in words)
    return text.encode("utf-8", "surrogateescape")


def _lines(path: str | os.PathLike[str]) -> list[str]:
    """Split at line ends alone: names may have what Unicode calls a line end, such as U+0085. Raises OSError."""
    with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
        return file.read().removesuffix("\n").split("\n")


def _words(line: str) -> list[str]:
    """The words of a line: they end at ASCII blanks, as in C++, not at U+00A0; those in quotes may have blanks."""
    return [quoted or plain for quoted, plain in _WORD.findall(line)]


def _quoted(word: str) -> str:
    return f'"{word}"' if re.search(r"[ \t\r\v\f]", word) else word


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


def list_ids(entries: Sequence[ListEntry]) -> list[str]:
    """The id of each entry of a list: the image's file name, or its relative path if different images share a name.

    Folders that all images share are left out of relative paths.

    Example:
        >>> list_ids([ListEntry("/JPEGImages/a/00000.jpg", None, 1), ListEntry("/JPEGImages/b/00000.jpg", None, 2)])
        ['a/00000', 'b/00000']
        >>> list_ids([ListEntry("/JPEGImages/a/00000.jpg", None, 1), ListEntry("/JPEGImages/b/00001.jpg", None, 2)])
        ['00000', '00001']
    """
    names = [list_id(entry) for entry in entries]
    images = [os.path.normpath("/" + entry.image.lstrip("/")) for entry in entries]
    if len(set(names)) == len(set(images)):
        return names
    common = os.path.commonpath([os.path.dirname(image) for image in images])
    return [os.path.splitext(os.path.relpath(image, common))[0] for image in images]


def hold_out(
    entries: Sequence[ListEntry], part: float = 0.1, blocks: int = 5
) -> tuple[list[ListEntry], list[ListEntry]]:
    """Split a list into (rest, held out), always in the same way.

    The held-out lines are contiguous blocks spread evenly over the list, not every n-th line: in lists of video frames
    a held-out frame would otherwise have an almost equal one in the training part.

    Args:
        entries: the list.
        part: the share to hold out, 0..1; at least one line is held out and one is kept. Of repeated lines of an image
            either all are kept, or one is held out and none kept.
        blocks: the number of blocks.

    Raises:
        InputError: the list has fewer than two lines, or `part` is not between 0 and 1.
    """
    every, entries = entries, list({entry.image: entry for entry in reversed(entries)}.values())[::-1]
    if len(entries) < 2 or not 0 < part < 1:
        raise InputError(f"cannot hold out {part:g} of {len(entries)} images; expected a share 0..1 of at least two")
    count = min(max(round(len(entries) * part), 1), len(entries) - 1)
    blocks = min(blocks, count)
    held: set[int] = set()
    for block in range(blocks):
        end = len(entries) * (block + 1) // blocks
        held.update(range(end - (count * (block + 1) // blocks - count * block // blocks), end))
    chosen = [entries[place] for place in sorted(held)]
    images = {entry.image for entry in chosen}
    return [entry for entry in every if entry.image not in images], chosen


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
        shown = some_lines([f"{os.fspath(list_path)}:{line}: {path}" for line, _, path in missing])
        raise InputError(
            f"{os.fspath(list_path)}: {len(missing)} of {count} files do not exist:{shown}\n"
            + advice(missing[0][1], root_folder, _line(list_path, missing[0][0]))
        )


def _line(path: str | os.PathLike[str], number: int) -> list[str]:
    """The words of a line of a list; none if it cannot be read any more."""
    with contextlib.suppress(OSError, IndexError):
        return _words(_lines(path)[number - 1])
    return []


def _entry(path: str | os.PathLike[str], number: int, words: list[str], needs_label: bool) -> ListEntry:
    if not words:
        raise InputError(f"{os.fspath(path)}:{number}: blank line; expected '<image> <label>': remove the line")
    if len(words) == 1 and needs_label:
        raise InputError(
            f"{os.fspath(path)}:{number}: '{words[0]}' has no label; expected '<image> <label>'. "
            + advice_for_word(words[0])
        )
    return ListEntry(words[0], words[1] if len(words) > 1 else None, number)
