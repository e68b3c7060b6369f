"""Which images and videos words name: files, folders, patterns, lists, or lines on standard input."""

from __future__ import annotations

import glob
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..data import ListEntry, list_ids
from ..data.dataset import Dataset
from ..data.images import IMAGE_SUFFIXES
from ..data.lists import read_words
from ..errors import InputError

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".mjpeg", ".ogv")
LIST_SUFFIXES = (".txt", ".lst", ".list")
#: those that folders are searched for; a file that is named may have any
_PHOTO_SUFFIXES = (*(suffix for suffix in IMAGE_SUFFIXES if suffix != ".npy"), ".gif", ".jp2", ".pgm", ".pbm", ".jfif")
#: the word for standard input
STDIN = "-"


@dataclass(frozen=True)
class Source:
    """An image or a video.

    Attributes:
        path: the file.
        id: its path in a folder of results, without suffix.
        where: what to call it in messages: the path, or the line of a list.
    """

    path: str
    id: str
    where: str

    @property
    def is_video(self) -> bool:
        """Whether the file is a video, by its suffix."""
        return self.path.lower().endswith(VIDEO_SUFFIXES)


def find_sources(words: Sequence[str], output: Path, record: str, dataset: Dataset | None = None) -> list[Source]:
    """The images and videos that words name, images first, each once.

    Args:
        words: files, folders (with all their subfolders), patterns such as "photos/*.jpg", lists of images (.txt), or
            "-" for a list on standard input. Lines of a list are relative to the working directory, to the list's
            folder, or to the data set's root.
        output: the folder of results; it is not searched.
        record: the name of a file that marks other folders of results, which are not searched either.
        dataset: whose lists may be named.

    Raises:
        InputError: a word names nothing, or two different files would have the same results.
    """
    named, found = list[tuple[str, str]](), list[Source]()
    for word in words:
        if word != STDIN and os.path.isfile(word) and not word.lower().endswith(LIST_SUFFIXES):
            named.append((word, word))
        else:
            found += _of_word(word, output, record, dataset)
    return _ordered([*_with_common_folder(named), *found])


def _of_word(word: str, output: Path, record: str, dataset: Dataset | None) -> Sequence[Source]:
    if word == STDIN:
        return _with_common_folder(_lines_of_stdin(dataset))
    if os.path.isdir(word):
        return _of_folder(word, output, record)
    if os.path.isfile(word):
        return _with_common_folder(_lines_of_list(word, dataset))
    if glob.has_magic(word):
        return _of_pattern(word)
    raise InputError(f"{word}: no such file or folder; expected an image, a video, a folder, a pattern, a list or '-'")


def _of_folder(folder: str, output: Path, record: str) -> list[Source]:
    result = os.path.realpath(output)
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if _is_searched(os.path.join(place, name), result, record))
        paths = [os.path.join(place, name) for name in sorted(names) if _is_wanted(name)]
        found += [_relative(path, folder) for path in paths]
    if not found:
        raise InputError(f"{folder}: no images in this folder; expected files such as .jpg, .png, .tif or .mp4")
    return found


def _is_searched(folder: str, output: str, record: str) -> bool:
    hidden = os.path.basename(folder).startswith(".")
    return not hidden and os.path.realpath(folder) != output and not os.path.isfile(os.path.join(folder, record))


def _is_wanted(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith((*_PHOTO_SUFFIXES, *VIDEO_SUFFIXES))


def _of_pattern(pattern: str) -> list[Source]:
    """The files that fit a pattern; ids are relative to the folder before its first special character."""
    base = pattern
    while glob.has_magic(base):
        base = os.path.dirname(base)
    paths = [path for path in sorted(glob.glob(pattern, recursive=True)) if os.path.isfile(path)]
    paths = [path for path in paths if _is_wanted(os.path.basename(path))]
    if not paths:
        raise InputError(f"{pattern}: no image fits this pattern")
    return [_relative(path, base or ".") for path in paths]


def _relative(path: str, folder: str) -> Source:
    return Source(path, os.path.splitext(os.path.relpath(path, folder))[0], path)


# -- lists


def _lines_of_list(path: str, dataset: Dataset | None) -> list[tuple[str, str]]:
    lines = [(f"{path}:{number}", words) for number, words in read_words(path) if words]
    return [(_image_of(words, os.path.dirname(path), dataset), where) for where, words in lines]


def _lines_of_stdin(dataset: Dataset | None) -> list[tuple[str, str]]:
    """Lines of images, as `ls` or `find` writes them; or, with `find -print0`, names that end with a zero byte."""
    text = os.fsdecode(sys.stdin.buffer.read())
    lines = text.split("\0" if "\0" in text else "\n")
    found = [(f"-:{number}", line.strip("\r\n")) for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise InputError("-: nothing came on standard input; expected one image per line")
    return [(_image_of(_words(line), "", dataset), where) for where, line in found]


def _words(line: str) -> list[str]:
    return [line] if os.path.isfile(line) else line.split()


def _image_of(words: Sequence[str], folder: str, dataset: Dataset | None) -> str:
    """The file that a line names: its first word is the image, unless the whole line is the name of a file."""
    whole = " ".join(words)
    for word in dict.fromkeys((whole, words[0])):
        places = [word, os.path.join(folder, word), os.path.join(folder, word.lstrip("/"))]
        places += [] if dataset is None else [dataset.path_of(word)]
        if found := next((place for place in places if os.path.isfile(place)), None):
            return found
    return words[0]


def _with_common_folder(named: Sequence[tuple[str, str]]) -> list[Source]:
    """Sources by their file names, or by relative paths if several have one name, as results of lists have them."""
    ids = list_ids([ListEntry(path, None, number) for number, (path, _) in enumerate(named, 1)]) if named else []
    return [Source(path, name, where) for (path, where), name in zip(named, ids, strict=True)]


# -- each once, with ids of its own


def _ordered(sources: Sequence[Source]) -> list[Source]:
    once = list({os.path.realpath(source.path): source for source in reversed(sources)}.values())[::-1]
    named = list(_told_apart(once))
    places = dict[str, Source]()
    for source in named:
        other = places.setdefault(source.id, source)
        if other is not source:
            raise InputError(
                f"{other.path} and {source.path} would both become {source.id}.png; name a folder above both, or write "
                "them into different folders (-o)"
            )
    return sorted(named, key=lambda source: source.is_video)


def _told_apart(sources: Sequence[Source]) -> Iterator[Source]:
    """Files that differ in their suffixes alone keep those: a.jpg and a.png become a.jpg.png and a.png.png."""
    counts = Counter(source.id for source in sources)
    for source in sources:
        suffix = os.path.splitext(source.path)[1]
        yield source if counts[source.id] == 1 else replace(source, id=source.id + suffix)
