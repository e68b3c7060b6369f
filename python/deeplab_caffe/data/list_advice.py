"""What to do about a list whose files do not exist, or a line without a label: the likely cause, from a table."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

_QUOTES = 'Names end at a blank: write names that have one in quotes: "my image.jpg" "my label.png"'
_COMMA = "Separate image and label by a blank, not by a comma"
_IDS = (
    "This looks like a list of ids, such as those in VOC's ImageSets/Segmentation, without folder and ending; for VOC "
    "`deeplab voc-data` writes the lists; for other data: "
    "sed 's|^\\([^ ]*\\).*|/JPEGImages/\\1.jpg /SegmentationClass/\\1.png|' ids.txt > list.txt"
)


class _Missing(NamedTuple):
    """A word of a list whose file does not exist; line: all words of its line."""

    word: str
    root: str
    line: Sequence[str]


def advice(word: str, root_folder: str | os.PathLike[str], line: Sequence[str]) -> str:
    """What to do about a file that does not exist.

    Args:
        word: as in the list.
        root_folder: prepended to it as it is.
        line: all words of its line.
    """
    missing = _Missing(word, os.fspath(root_folder), line)
    found = (text for rule in _RULES if (text := rule(missing)))
    return next(found, "Check root_folder, and that the data set is complete")


def advice_for_word(word: str) -> str:
    """What to do about a line that is one word, where image and label are expected."""
    if "," in word:
        return _COMMA
    if not os.path.splitext(word)[1]:
        return _IDS
    return "Lists without labels can only be used for prediction (in ImageSegData, label_type: NONE)"


def _no_slash(missing: _Missing) -> str | None:
    root, word = missing.root, missing.word
    if root and not word.startswith("/") and not root.endswith("/") and os.path.isfile(f"{root}/{word}"):
        return f"root_folder and file name are joined as they are: end root_folder with a slash ('{root}/')"
    return None


def _home(missing: _Missing) -> str | None:
    return "'~' is not expanded in lists: write the whole path" if missing.word.startswith("~") else None


def _absolute(missing: _Missing) -> str | None:
    if not missing.root or not os.path.isfile(missing.word):
        return None
    root = '"/"' if missing.word.startswith("/") else "the current folder"
    return (
        f"'{missing.word}' exists, but the root folder is put before each path of a list: set root_folder to an empty "
        f"text in a net, and root to {root} in the TOML file of a data set, or write relative paths"
    )


def _backslash(missing: _Missing) -> str | None:
    return "Write paths with '/', not with backslashes" if "\\" in missing.word else None


def _folder(missing: _Missing) -> str | None:
    if not os.path.isdir(missing.root + missing.word):
        return None
    return f"'{missing.word}' is a folder; expected an image or a label file"


def _comment(missing: _Missing) -> str | None:
    return "Lists have no comments: remove the line" if missing.line[:1] and missing.line[0].startswith("#") else None


def _comma(missing: _Missing) -> str | None:
    return _COMMA if "," in missing.word else None


def _blank(missing: _Missing) -> str | None:
    return _QUOTES if len(missing.line) > 2 else None


def _id(missing: _Missing) -> str | None:
    return None if os.path.splitext(missing.word)[1] else _IDS


def _no_root(missing: _Missing) -> str | None:
    if not missing.root or os.path.isdir(missing.root):
        return None
    return f"The root folder '{missing.root}' does not exist: put the data there or correct root_folder"


_RULES: tuple[Callable[[_Missing], str | None], ...] = (
    _comment,
    _no_slash,
    _folder,
    _home,
    _absolute,
    _backslash,
    _comma,
    _blank,
    _no_root,
    _id,
)
