"""A data set described by one TOML file: classes, colours, ignore label, mean, lists."""

from __future__ import annotations

import json
import os
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..files import write_text
from ..lazy import imported_on_use
from ..package_files import is_packaged, or_packaged
from ..reading import read_toml, reading
from ..spelling import did_you_mean
from .lists import ListEntry, full_path, read_list

if TYPE_CHECKING:
    import numpy as np

    from ..arrays import Palette
    from . import labels
else:
    np = imported_on_use("numpy")
    labels = imported_on_use("deeplab_caffe.data.labels")

VGG_MEAN = (104.008, 116.669, 122.675)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set: its classes, and the paths of its files.

    Attributes:
        name, title: its name in folders and targets, and for people.
        root: the folder that paths in lists are relative to (as ImageSegData's root_folder).
        classes: the name of each class.
        colours: RGB of the first classes, as the file states them; none if it does not.
        ignore_label: the label of pixels that do not count.
        mean: BGR, 0..255.
        lists: the name of each list (train, val, ...) → its file.
        crop, test_size: (height, width) in pixels, hints for generators, or None.
        obtain: how to get the files, shown when they are missing.
        file: the TOML file; one that the package has is named as if it were in the working folder.
        exif: what to do with the orientation in the images' EXIF data: "apply" it, "ignore" it, or "" if not stated.
    """

    name: str
    title: str
    root: Path
    classes: tuple[str, ...]
    colours: tuple[tuple[int, ...], ...]
    ignore_label: int
    mean: tuple[float, float, float]
    lists: Mapping[str, Path]
    crop: tuple[int, int] | None
    test_size: tuple[int, int] | None
    obtain: str
    file: Path
    exif: str = ""

    @classmethod
    def read(cls, path: str | os.PathLike[str], root: str | os.PathLike[str] | None = None) -> Dataset:
        """Read a description from a TOML file.

        Args:
            path: the file; or that of the package, see `package_files`. Its paths are relative to this place.
            root: replaces the `root` of the file.

        Raises:
            InputError: invalid TOML, or an unknown, missing or invalid key; names the file and the key.
        """
        path = Path(path)
        table = _load(path)
        folder = path.parent
        base = Path(root) if root is not None else folder / os.path.expanduser(table.get("root", "."))
        classes = tuple(table["classes"])
        return cls(
            name=table["name"],
            title=table.get("title", table["name"]),
            root=Path(os.path.normpath(base)),
            classes=classes,
            colours=_colours(path, table.get("palette", []), len(classes)),
            ignore_label=table.get("ignore_label", 255),
            mean=tuple(map(float, table.get("mean", VGG_MEAN))),  # type: ignore[arg-type]
            lists={name: _list_path(word, base, folder) for name, word in table.get("lists", {}).items()},
            crop=tuple(table["crop"]) if "crop" in table else None,
            test_size=tuple(table["test_size"]) if "test_size" in table else None,
            obtain=table.get("obtain", "").strip(),
            file=path,
            exif=table.get("exif", ""),
        )

    @cached_property
    def palette(self) -> Palette:
        """(256, 3) RGB; VOC's colours for classes without one in the file."""
        palette = labels.voc_palette()
        palette[: len(self.colours)] = np.array(self.colours, np.uint8).reshape(-1, 3)[:256]
        return palette

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    @property
    def upright(self) -> bool:
        """Whether all readers turn the images as their EXIF data says."""
        return self.exif == "apply"

    def list_path(self, name: str) -> Path:
        """The file of list `name`; raises InputError, which names the known lists, if there is none."""
        if name not in self.lists:
            raise InputError(f"{self.file}: no list '{name}'{_suggested(name, self.lists)}")
        return self.lists[name]

    def list_file(self, word: str) -> Path:
        """The file of a list that is given by its name in the data set, or as a file; InputError if it is neither."""
        if word in self.lists:
            return self.lists[word]
        if os.path.lexists(word):
            return Path(word)
        raise InputError(f"'{word}': no such file, and no list of {self.file}{_suggested(word, self.lists)}")

    def where(self, name: str) -> str:
        """A list in messages: list 'train' (lists/train.txt)."""
        return f"list '{name}' ({self.list_path(name)})"

    def entries(self, name: str, needs_label: bool = True) -> list[ListEntry]:
        """The entries of list `name`; see `read_list`."""
        return read_list(self.list_path(name), needs_label)

    def root_folder(self, word: str) -> str:
        """The root_folder of ImageSegData for words like this one; ends with a slash if they start without one."""
        return self.root.as_posix() + ("" if word.startswith("/") else "/")

    def path_of(self, word: str) -> str:
        """The path of the file that a word of a list names."""
        return full_path(self.root_folder(word), word)

    def missing(self, lists: Sequence[str]) -> str | None:
        """A message that names a missing root folder and missing lists and says how to get them; None if all exist.

        Only list files are checked, not every image; `check_files` does that.
        """
        absent = [] if self.root.is_dir() else [f"the data folder {self.root}"]
        absent += [f"list '{name}': {self.list_path(name)}" for name in lists if not self.list_path(name).is_file()]
        if not absent:
            return None
        origin = ", which comes with the package" * is_packaged(self.file)
        lines = [f"{self.title} is incomplete ({self.file}{origin}). Missing:", *(f"  {item}" for item in absent)]
        if "\\" in "".join(map(str, [self.root, *self.lists.values()])):
            lines.append("Write paths with '/', not with backslashes.")
        lines.append(self.obtain or "Put the files there, or change root and lists in the file above.")
        return "\n".join(lines)


def read_dataset(path: str | os.PathLike[str], root: str | os.PathLike[str] | None = None) -> Dataset:
    """Read the description of a data set from its TOML file.

    Args:
        path: the file; if there is none and the package has one of that name, that one.
        root: replaces the `root` of the file.

    Raises:
        InputError: the file is missing or no TOML, or a key is unknown, missing or invalid; names the file and the key.
    """
    with reading(or_packaged(path), "the data set description", "not a data set description"):
        return Dataset.read(path, root)


def write_dataset(dataset: Dataset, path: str | os.PathLike[str]) -> None:
    """Write a description that `read_dataset` reads as the same data set; paths become relative to the new file."""
    folder = Path(path).parent

    def relative(place: Path) -> str:
        return _toml(Path(os.path.relpath(place, folder)).as_posix())

    def listed(place: Path) -> str:
        """Relative, unless that would be mistaken for a list under the root."""
        under_root = dataset.root / os.path.relpath(place, folder)
        shadowed = under_root.is_file() and under_root.resolve() != place.resolve()
        return _toml(place.resolve().as_posix()) if shadowed else relative(place)

    lines = [f"name = {_toml(dataset.name)}", f"title = {_toml(dataset.title)}"]
    lines += [f"obtain = {_toml(dataset.obtain)}"] if dataset.obtain else []
    lines += [f"root = {relative(dataset.root)}", f"classes = {_toml(list(dataset.classes))}"]
    lines += [f"palette = {dataset.palette[: dataset.num_classes].tolist()}", f"ignore_label = {dataset.ignore_label}"]
    lines += [f"mean = {list(dataset.mean)}"]
    lines += [f"exif = {_toml(dataset.exif)}"] if dataset.exif else []
    for key in ("crop", "test_size"):
        if getattr(dataset, key):
            lines.append(f"{key} = {list(getattr(dataset, key))}")
    lines += ["", "[lists]", *(f"{_toml(name)} = {listed(place)}" for name, place in dataset.lists.items())]
    write_text(path, "\n".join(lines) + "\n")


def _toml(value: str | list[str]) -> str:
    """A value as JSON, except where TOML differs: no surrogate pairs, and DEL must be escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _is_pair(value: Any) -> bool:
    return _is_numbers(value, 2) and all(isinstance(v, int) and v > 0 for v in value)


def _is_numbers(value: Any, length: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) == length
        and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in value)
    )


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and 0 < len(value) <= 256 and all(isinstance(v, str) for v in value)


def _is_colours(value: Any) -> bool:
    return isinstance(value, list) and all(
        _is_numbers(c, 3) and all(isinstance(v, int) and 0 <= v <= 255 for v in c) for c in value
    )


def _is_folder_name(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"(?!\.+$)[A-Za-z0-9_.-]+", value) is not None


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_mean(value: Any) -> bool:
    """Means of pixels 0..1, which other programs use, are not ones of 0..255; [0, 0, 0] and [1, 1, 1] may be meant."""
    if not _is_numbers(value, 3) or not all(0 <= v <= 255 for v in value):
        return False
    return max(value) >= 1 or not any(value)


_KEYS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (_is_folder_name, "letters a-z, digits, '_', '-' and '.', as it names folders (title may be any text)"),
    "title": (_is_text, "a string"),
    "root": (_is_text, "a folder, as a string"),
    "obtain": (_is_text, "a string"),
    "classes": (_is_names, "a list of 1 to 256 names"),
    "palette": (_is_colours, "a list of [red, green, blue], each 0..255"),
    "ignore_label": (lambda v: type(v) is int and 0 <= v <= 255, "a number 0..255"),
    "exif": (lambda v: v in ("apply", "ignore"), "'apply' or 'ignore' the orientation in the images' EXIF data"),
    "mean": (_is_mean, "three numbers 0..255: blue, green, red of pixels 0..255, not of 0..1"),
    "lists": (lambda v: isinstance(v, dict) and all(map(_is_text, v.values())), "a table of name = file"),
    "crop": (_is_pair, "[height, width]"),
    "test_size": (_is_pair, "[height, width]"),
}


def _load(path: Path) -> dict[str, Any]:
    """The TOML table of a file, with known and valid keys."""
    table = read_toml(or_packaged(path), "the data set description")
    for key, value in table.items():
        if key not in _KEYS:
            raise InputError(f"{path}: unknown key '{key}'{_suggested(key, _KEYS)}")
        valid, wanted = _KEYS[key]
        if not valid(value):
            raise InputError(f"{path}: {key} = {textwrap.shorten(repr(value), 200)}; expected {wanted}")
    for key in ("name", "classes"):
        if key not in table:
            raise InputError(f"{path}: missing key '{key}'; expected {_KEYS[key][1]}")
    _check_names(path, table["classes"])
    return table


def _check_names(path: Path, classes: list[str]) -> None:
    """Refuse classes that tables of results could not tell apart."""
    for number, name in enumerate(classes):
        if not name.strip():
            raise InputError(f"{path}: class {number} has no name; expected one for each index from 0")
        if name in classes[:number]:
            first = classes.index(name)
            raise InputError(f"{path}: classes {first} and {number} are both named '{name}'; expected different names")


def _colours(path: Path, colours: list[list[int]], num_classes: int) -> tuple[tuple[int, ...], ...]:
    if colours and len(colours) < num_classes:
        raise InputError(f"{path}: palette has {len(colours)} colours for {num_classes} classes; add the missing ones")
    return tuple(map(tuple, colours))


def _list_path(word: str, root: Path, folder: Path) -> Path:
    """The list under the root, else beside the TOML file, whichever exists; under the root if neither does."""
    places = [Path(os.path.normpath(place / os.path.expanduser(word))) for place in (root, folder)]
    return next((place for place in places if place.is_file()), places[0])


def _suggested(word: str, known: Mapping[str, Any]) -> str:
    return did_you_mean(word, known, f"; known are: {', '.join(known) or 'none'}")
