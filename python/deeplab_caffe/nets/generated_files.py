"""Generated files on disk: written, but never over a file that was edited by hand; and generated a second time."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..files import write_text
from ..formats.prototxt import Document
from ..formats.signature import digest, is_untouched, made_by, stated_sum
from . import option_flags
from .generate import generate
from .kept_texts import forget_kept, keep, kept_base
from .model_names import full_name
from .options import GeneratorOptions

#: files that an earlier run with other options may have left
OPTIONAL = ("train2.prototxt", "solver2.prototxt")
#: the sums of every generated file of every model on the data sets that its publication reports
SUMS = Path("prototxt", "generated.sha256")


@dataclass(frozen=True)
class WriteResult:
    """What `write_files` did, as file names.

    Attributes:
        folder: where the files are.
        written: new, or written again because the generated text has changed.
        unchanged: there already, byte for byte.
        removed: left by an earlier run, untouched, and no longer generated.
        edited: kept because they were edited by hand; the generated text has not changed since.
        outdated: kept likewise, but the generated text has changed since (an option or the data set changed).
    """

    folder: Path
    written: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()

    @property
    def kept(self) -> tuple[str, ...]:
        """Files that were not written because they were edited by hand."""
        return self.edited + self.outdated

    def __str__(self) -> str:
        said = {
            "written": self.written,
            "unchanged": self.unchanged,
            "removed, no longer part of it": self.removed,
            "kept, edited by hand": self.edited,
            "KEPT, edited by hand, and NOT what was asked for now (deeplab prototxt … --merge merges both, FORCE=1 "
            "overwrites your changes)": self.outdated,
        }
        lines = [f"{what}: {', '.join(names)}" for what, names in said.items() if names]
        return "\n".join(f"{self.folder}: {line}" for line in lines)


def write_files(folder: str | os.PathLike[str], files: Mapping[str, str], force: bool = False) -> WriteResult:
    """Write generated files, except over files that were edited by hand.

    A file counts as edited if it has no sum, or if its content does not have the sum that it states. The generated text
    that it started from, or will start from, is kept beside it (see `kept_texts`).

    Args:
        folder: where to write; made if it does not exist.
        files: file name to text, as `generate` returns them.
        force: overwrite edited files too; each is kept under its name with `.orig`.

    Raises:
        InputError: the folder cannot be written.
    """
    folder = Path(folder)
    done: dict[str, list[str]] = {"written": [], "unchanged": [], "removed": [], "edited": [], "outdated": []}
    try:
        for name, text in files.items():
            fate = _fate(folder / name, text, force)
            if fate == "written":
                _write(folder / name, text)
            if fate in ("unchanged", "edited"):
                with contextlib.suppress(OSError):  # a folder that cannot be written needs no merge, either
                    keep(folder / name, text)
            done[fate].append(name)
        for name in OPTIONAL:
            if name not in files and (folder / name).is_file() and (force or is_untouched(_read(folder / name))):
                (folder / name).unlink()
                forget_kept(folder / name)
                done["removed"].append(name)
    except OSError as error:
        raise InputError(f"{error.filename or folder}: cannot write: {error.strerror}") from None
    return WriteResult(folder, **{fate: tuple(names) for fate, names in done.items()})


def _write(path: Path, text: str) -> None:
    """Write a file; one that was edited is kept under another name."""
    if path.is_file() and not is_untouched(_read(path)):
        shutil.copy2(path, backup_of(path))
    keep(path, text)
    write_text(path, text)


def backup_of(path: Path) -> Path:
    """Where a file that was edited by hand lies after something else was written in its place."""
    return path.with_name(f"{path.name}.orig")


def _fate(path: Path, text: str, force: bool) -> str:
    """What happens to one file: the name of a field of WriteResult."""
    if not path.is_file():
        return "written"
    present = _read(path)
    if present == text:
        return "unchanged"
    if force or is_untouched(present):
        return "written"
    return "edited" if stated_sum(present) == stated_sum(text) else "outdated"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def sum_lines(name: str, files: Mapping[str, str]) -> list[str]:
    """The lines of SUMS for the files of `<data set>/<model>`, in the form that `sha256sum --check` reads.

    Example:
        >>> sum_lines("voc12/largefov", {"train.prototxt": ""})[0].split()
        ['e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 'voc12/largefov/train.prototxt']
    """
    return [f"{digest(text)}  {name}/{file}" for file, text in sorted(files.items())]


def base_of(document: Document, *others: Document) -> Document:
    """The generated text that an edited file started from: kept, or generated again by the command in its header.

    Args:
        document: the edited file.
        others: further texts that it may have started from, such as what is generated now.

    Raises:
        InputError: no known text has the sum in the file's header.
    """
    found = kept_base(document, *others)
    if found is not None:
        return found
    try:
        again = regenerated(document)
        why = "its command makes another text now, and the earlier one was not kept"
    except InputError as error:
        raise InputError(f"{error}; {_NO_BASE}") from None
    if again.text and stated_sum(again.text) == stated_sum(document.text):
        return again
    raise InputError(f"{document.filename}: {why}; {_NO_BASE}")


_NO_BASE = (
    "so it is not known what was edited: name the folder of the files as they were generated with --merge-base, for "
    "example from a checkout of the earlier version"
)


class _HeaderParser(argparse.ArgumentParser):
    """Reads the command in a header; an error in it is an InputError, not the end of the program."""

    def error(self, message: str) -> None:  # type: ignore[override]
        raise InputError(f"the command in its header cannot be read: {message}")


def regenerated(document: Document) -> Document:
    """A generated file as it was before it was edited: generated again by the command in its header.

    Raises:
        InputError: the header names no command, or one that does not make a file of this name.
    """
    files = _by_its_command(document)
    name = Path(document.filename).name
    if name not in files:
        raise InputError(f"{document.filename}: its command makes {', '.join(files)}; was the file renamed?")
    return Document(files[name], f"{document.filename} (generated)")


def generated_pairs(one: Document, other: Document, strict: bool = False) -> list[tuple[Document, Document]]:
    """Two nets of one model as the commands in their headers make them: a pair for each command that makes both.

    Raises:
        InputError: if `strict`, a command cannot be run again, for example in another folder than before.
    """
    names = [_as_generated(Path(document.filename).name) for document in (one, other)]
    pairs = []
    for command, document in {made_by(document.text): document for document in (one, other)}.items():
        try:
            files = {} if command is None else _by_its_command(document)
        except InputError as error:
            if strict:
                raise InputError(f"{error}; run this in the folder in which the net was generated") from None
            continue
        if all(name in files for name in names):
            pairs.append((Document(files[names[0]], names[0]), Document(files[names[1]], names[1])))
    return pairs


def _as_generated(name: str) -> str:
    """The generated file that a file was made from: `test_heldout.prototxt`, of another list, from test.prototxt."""
    return "test.prototxt" if name.startswith("test_") else name


def _by_its_command(document: Document) -> dict[str, str]:
    """All files that the command in a file's header makes."""
    name, options = stated_command(document)
    try:
        return generate(name, options)
    except InputError as error:
        raise InputError(f"{document.filename}: {error}") from None


def stated_command(document: Document) -> tuple[str, GeneratorOptions]:
    """The model, `<data set>/<model>`, and the options of the command in a generated file's header.

    Raises:
        InputError: the header names no command, or one that cannot be read.
    """
    command = made_by(document.text)
    if command is None:
        raise InputError(f"{document.filename}: has no header '# Made by: deeplab prototxt …'; was it generated?")
    parser = _HeaderParser(add_help=False)
    parser.add_argument("name")
    option_flags.add_arguments(parser)
    try:
        given = parser.parse_args(shlex.split(command))
        return full_name(given.name), option_flags.from_arguments(given)
    except InputError as error:
        raise InputError(f"{document.filename}: {error}") from None
