"""Read the files in an archive one after another, without unpacking it, and with bounded memory."""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple, TypeVar, cast

from ..errors import InputError
from ..reading import check_plain, reason_of

#: bytes that each entry counts at least, so that empty entries count towards the limit too
_ENTRY_COST = 512
#: a header of a tar, such as a long name, is read in one piece of at most so many bytes
_LONGEST_HEADER = 1 << 20
_PIECE = 1 << 18
_ENCRYPTED = 1
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_MOST_PIECES_AFTER = 64
#: the first bytes of each kind of archive, by suffix
_STARTS = {".zip": (b"PK\3\4", b"PK\5\6"), ".tgz": (b"\x1f\x8b",)}


class Entry(NamedTuple):
    """A file in an archive and its content; kind: "file" or what else it is, such as "a link", without content."""

    name: str
    kind: str
    content: bytes = b""


class Limits(NamedTuple):
    """The most bytes that an entry, and all entries together, may unpack to; `never`: what never needs more."""

    entry: int
    total: int
    never: str = "label maps of these images"


class OpenEntry(NamedTuple):
    """An entry that is not read yet: its name, its size as its header states it, its kind, its content."""

    name: str
    size: int
    kind: str
    content: IO[bytes] | None
    compressed: bool = False

    def pieces(self) -> Iterator[bytes]:
        """The content in pieces; ValueError unless they are together as large as the header states."""
        if self.content is None:
            return
        left = self.size
        with self.content as file:
            while piece := file.read(_PIECE):
                left -= len(piece)
                yield piece
        if left:
            raise ValueError(f"entry '{self.name}' has {self.size - left} bytes, but its header states {self.size}")


Taken = TypeVar("Taken")


def read_entries(archive: str | os.PathLike[str], kind: str, limits: Limits) -> Iterator[Entry]:
    """The entries of an archive with their content, in order, without folders; see `taken_entries`."""
    return taken_entries(archive, kind, limits, lambda each: Entry(each.name, each.kind, b"".join(each.pieces())))


def taken_entries(
    archive: str | os.PathLike[str], kind: str, limits: Limits, take: Callable[[OpenEntry], Taken]
) -> Iterator[Taken]:
    """What a function makes of each entry of an archive, in order, without folders.

    Args:
        archive: the file, whatever its name is.
        kind: ".zip" or ".tgz".
        limits: how much it may unpack to.
        take: called with each entry; it reads the content now, if at all.

    Raises:
        InputError: the archive is missing, damaged or of another kind, or unpacks to more than the limits.
    """
    name = os.fspath(archive)
    try:
        check_plain(archive)
        with open(archive, "rb") as raw:
            start = raw.read(4)
            raw.seek(0)
            if not start.startswith(_STARTS[kind]):
                raise ValueError("it does not begin like one")
            for entry in _within(name, limits, _zip_entries(raw) if kind == ".zip" else _tar_entries(raw)):
                yield take(entry)
    except InputError:
        raise
    except Exception as error:  # the libraries raise almost anything on damaged bytes
        if isinstance(error, OSError) and error.errno:
            raise InputError(f"{name}: cannot read the archive: {error.strerror}") from error
        what = "zip" if kind == ".zip" else "tar.gz"
        raise InputError(f"{name}: not a {what} archive, or damaged: {reason_of(error)}") from error


def _within(archive: str, limits: Limits, entries: Iterator[OpenEntry]) -> Iterator[OpenEntry]:
    total = 0
    for entry in entries:
        total += max(entry.size, _ENTRY_COST)
        if entry.size > limits.entry or total > limits.total:
            raise _too_large(archive, entry, limits)
        yield entry


def _too_large(archive: str, entry: OpenEntry, limits: Limits) -> InputError:
    alone = entry.size > limits.entry
    what, most = (f"entry '{entry.name}'", limits.entry) if alone else ("it", limits.total)
    return InputError(
        f"{archive}: {what} unpacks to more than {most / 1e6:.1f} MB, which {limits.never} never need; it was not read "
        "further"
    )


def _zip_entries(raw: IO[bytes]) -> Iterator[OpenEntry]:
    with zipfile.ZipFile(raw) as packed:
        for info in packed.infolist():
            mode = stat.S_IFMT(info.external_attr >> 16)
            if info.is_dir():
                continue
            kind = {0: "file", stat.S_IFREG: "file", stat.S_IFLNK: "a link"}.get(mode, "a device")
            kind = "encrypted" if info.flag_bits & _ENCRYPTED else kind
            if info.compress_type not in _ZIP_METHODS:  # others may need any amount of memory
                raise ValueError(f"entry '{info.filename}' is compressed by method {info.compress_type}")
            content = packed.open(info) if kind == "file" else None
            yield OpenEntry(info.filename, info.file_size, kind, content, info.compress_type != zipfile.ZIP_STORED)


def _tar_entries(raw: IO[bytes]) -> Iterator[OpenEntry]:
    plain = gzip.GzipFile(fileobj=raw)
    with tarfile.open(fileobj=cast(IO[bytes], _Pieces(plain)), mode="r:") as tar:
        while (info := tar.next()) is not None:
            tar.members = []  # type: ignore[attr-defined]  # they would keep every entry
            if info.isdir():
                continue
            kind = "file" if info.isreg() else "a link" if info.issym() or info.islnk() else "a device"
            yield OpenEntry(info.name, info.size, kind, tar.extractfile(info) if kind == "file" else None)
        _read_to_the_end(plain)


def _read_to_the_end(stream: gzip.GzipFile) -> None:
    """Read what follows the last entry, zeros, since the checksum comes after them."""
    for _ in range(_MOST_PIECES_AFTER):
        if not stream.read(_PIECE):
            return
    raise ValueError("it goes on after its end")


class _Pieces:
    """A stream that is never read in one piece larger than a header: tarfile trusts the sizes that headers state."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self.seek, self.tell, self.close = stream.seek, stream.tell, stream.close

    def read(self, size: int = -1) -> bytes:
        if 0 <= size <= _LONGEST_HEADER:
            return self._stream.read(size)
        raise ValueError(f"a header of {size} bytes")
