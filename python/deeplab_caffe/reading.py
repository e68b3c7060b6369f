"""One rule for reading the user's files: whatever a reader raises on a file is an InputError that names it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import InputError, NotFinite, Stopped

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: pass through `reading` unchanged: complete messages, and the user's wish to stop
_PASSING = (InputError, Stopped, NotFinite)
#: the message of Caffe for a file that cannot be opened
CANNOT_OPEN = "Could not open file {path}: {reason}"
_LONGEST = 300  # characters of a library's message
_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


@contextlib.contextmanager
def reading(
    path: str | os.PathLike[str],
    what: str = "the file",
    damaged: str = "damaged",
    cannot: str = "{path}: cannot read {what}: {reason}",
    kind: type[InputError] = InputError,
) -> Iterator[None]:
    """Turn every exception of the block, which reads the file `path`, into an InputError that names it.

    The libraries that read files raise almost anything on damaged bytes, so no reader lists exceptions by hand. An
    InputError of the block passes: it is complete. The cause is kept in `__cause__`.

    Args:
        path: the file; a pipe, device or socket is refused, since reading it may never end.
        what: what the file is, such as "the list".
        damaged: what a file is that cannot be understood, such as "not valid TOML"; or the message, as `cannot`.
        cannot: the message if the system cannot open or read the file.
        kind: the class of the error.

    Raises:
        InputError: the file does not exist, is no plain file, cannot be read or is damaged.

    Example:
        >>> with reading("/no/such.list", "the list"):
        ...     text = open("/no/such.list").read()
        Traceback (most recent call last):
        deeplab_caffe.errors.InputError: /no/such.list: cannot read the list: No such file or directory
    """
    name = os.fspath(path)
    try:
        _check(path, kind)
        yield
    except _PASSING:
        raise
    except OSError as error:
        if error.strerror and error.errno:
            raise kind(cannot.format(path=name, what=what, reason=error.strerror)) from error
        raise kind(_damage(damaged).format(path=name, what=what, reason=reason_of(error))) from error
    except Exception as error:
        raise kind(_damage(damaged).format(path=name, what=what, reason=reason_of(error))) from error


@contextlib.contextmanager
def decoding(name: str, damaged: str = "damaged") -> Iterator[None]:
    """`reading` for bytes that are in memory already, such as those that a browser sent; `name` is for the message.

    Raises:
        InputError: the bytes cannot be understood.

    Example:
        >>> with decoding("upload.json", "not valid JSON"):
        ...     json.loads(b"")
        Traceback (most recent call last):
        deeplab_caffe.errors.InputError: upload.json: not valid JSON: Expecting value: line 1 column 1 (char 0)
    """
    try:
        yield
    except _PASSING:
        raise
    except Exception as error:
        raise InputError(_damage(damaged).format(path=name, what="", reason=reason_of(error))) from error


def _damage(words: str) -> str:
    return words if "{reason}" in words else f"{{path}}: {words}: {{reason}}"


def _check(path: str | os.PathLike[str], kind: type[InputError]) -> None:
    try:
        check_plain(path)
    except InputError as error:
        raise kind(str(error)) from None


def check_plain(path: str | os.PathLike[str]) -> None:
    """Raise InputError for a pipe, device or socket and for an impossible name, OSError if there is no file."""
    try:
        mode = os.stat(path).st_mode
    except ValueError:  # a NUL, or characters that the file system cannot store
        raise InputError(f"{os.fspath(path)!r}: not a possible name of a file") from None
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return
    what = next((words for matches, words in _KINDS if matches(mode)), "not a file")
    raise InputError(f"{os.fspath(path)}: is {what}; expected a plain file")


def reason_of(error: BaseException) -> str:
    """What an exception says, as one short line."""
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8 text (is this a binary file?)"
    if isinstance(error, MemoryError):
        return f"it needs more memory than there is {str(error).strip()}".strip()
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    text = re.sub(r"\s+", " ", re.sub(r" <_io\.BytesIO object at \w+>", "", str(error))).strip()
    if isinstance(error, KeyError):
        return f"{text} is missing"
    return text[:_LONGEST] or type(error).__name__


def read_bytes(path: str | os.PathLike[str], what: str = "the file", **words: Any) -> bytes:
    """The content of a file; further arguments as for `reading`."""
    with reading(path, what, **words):
        return Path(path).read_bytes()


def read_text(path: str | os.PathLike[str], what: str = "the file", damaged: str = "not a text file") -> str:
    """The content of a UTF-8 file, with or without a byte order mark; InputError for other bytes."""
    with reading(path, what, damaged):
        return Path(path).read_text(encoding="utf-8-sig")


def read_json(path: str | os.PathLike[str], what: str = "the file", damaged: str = "not valid JSON") -> Any:
    """The value in a JSON file."""
    with reading(path, what, damaged):
        return json.loads(Path(path).read_text(encoding="utf-8-sig"))


def read_toml(path: str | os.PathLike[str], what: str = "the file", damaged: str = "not valid TOML") -> dict[str, Any]:
    """The table in a TOML file."""
    with reading(path, what, damaged):
        return tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
