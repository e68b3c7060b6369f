"""Generated files on disk: signed with a sum, so that one edited by hand is known and kept."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..files import write_text

_SUM = re.compile(r"^# sha256: ([0-9a-f]{64})\n", re.MULTILINE)
_COMMAND = re.compile(r"^# Made by: deeplab prototxt (.+)$", re.MULTILINE)
_INVITATION = "Edit it as you like: the command then keeps this file, unless FORCE=1."
#: files that an earlier run with other options may have left
_OPTIONAL = ("train2.prototxt", "solver2.prototxt")


def sign(title: str, command: str, body: str) -> str:
    """`body` below a header that says what it is, which command made it, and its sum."""
    head = f"# {title}\n# Made by: {command}\n# {_INVITATION}\n"
    rest = f"\n{body}"
    return head + f"# sha256: {_digest(head + rest)}\n{rest}"


def signed_anew(text: str, remark: str) -> str:
    """A signed text that was changed, with a remark on that in its header and the sum of what it is now."""
    text = _SUM.sub(lambda match: f"# {remark}\n{match[0]}", text, count=1)
    return _SUM.sub(f"# sha256: {_digest(_SUM.sub('', text, count=1))}\n", text, count=1)


def made_by(text: str) -> str | None:
    """The words behind `deeplab prototxt` in the header of a generated file; None for another file."""
    match = _COMMAND.search(text)
    return match[1] if match else None


def is_untouched(text: str) -> bool:
    """Whether a file is still as it was generated: it has a sum, and the rest of it has that sum."""
    match = _SUM.search(text)
    return match is not None and match[1] == _digest(_SUM.sub("", text, count=1))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


@dataclass(frozen=True)
class Written:
    """What `write_files` did, by file name.

    unchanged: was there already, byte for byte. removed: left by an earlier run, untouched, and no longer generated.
    edited: kept because edited by hand, and the generated text has not changed since. outdated: kept likewise,
    although the generated text is another now (an option or the data set changed).
    """

    folder: Path
    written: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()

    @property
    def kept(self) -> tuple[str, ...]:
        """Files left alone because someone edited them."""
        return self.edited + self.outdated

    def __str__(self) -> str:
        said = {
            "written": self.written,
            "unchanged": self.unchanged,
            "removed, no longer part of it": self.removed,
            "kept, edited by hand": self.edited,
            "KEPT, edited by hand, and NOT what was asked for now (FORCE=1 overwrites your changes)": self.outdated,
        }
        lines = [f"{what}: {', '.join(names)}" for what, names in said.items() if names]
        return "\n".join(f"{self.folder}: {line}" for line in lines)


def write_files(folder: str | os.PathLike[str], files: Mapping[str, str], force: bool = False) -> Written:
    """Write generated files, but none over a file that was edited by hand, unless `force`.

    A file counts as edited if it has no sum or another content than its sum says. Raises InputError if the
    folder cannot be written.
    """
    folder = Path(folder)
    done: dict[str, list[str]] = {"written": [], "unchanged": [], "removed": [], "edited": [], "outdated": []}
    try:
        for name, text in files.items():
            fate = _fate(folder / name, text, force)
            if fate == "written":
                write_text(folder / name, text)
            done[fate].append(name)
        for name in _OPTIONAL:
            if name not in files and (folder / name).is_file() and (force or is_untouched(_read(folder / name))):
                (folder / name).unlink()
                done["removed"].append(name)
    except OSError as error:
        raise InputError(f"{error.filename or folder}: cannot write: {error.strerror}") from None
    return Written(folder, **{fate: tuple(names) for fate, names in done.items()})


def _fate(path: Path, text: str, force: bool) -> str:
    """What becomes of one file: a field name of Written."""
    if not path.is_file():
        return "written"
    present = _read(path)
    if present == text:
        return "unchanged"
    if force or is_untouched(present):
        return "written"
    return "edited" if _sum(present) == _sum(text) else "outdated"


def _sum(text: str) -> str | None:
    match = _SUM.search(text)
    return match[1] if match else None


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
