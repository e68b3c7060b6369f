"""Unpack downloaded archives safely: no entry is written outside the target folder."""

from __future__ import annotations

import os
import posixpath
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from ..errors import InputError
from ..files import put
from ..progress import Progress
from ..reading import check_plain, reason_of

_ENTRY_COST = 512  # bytes added for each entry, so that empty entries count towards the limit too


@dataclass(frozen=True)
class _Member:
    """An entry. kind: file, folder, link or another word; link: a link's target, relative to the archive's root."""

    name: str
    kind: str
    open: Callable[[], IO[bytes] | None]
    link: str = ""


def unpack(
    archive: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    size_limit: int,
    wanted: Callable[[str], bool] | None = None,
    progress: bool = True,
) -> None:
    """Unpack a tar (plain, gzip, bzip2, xz) or zip into `folder`, all of it or nothing.

    The archive is unpacked into a temporary folder and then moved: folders are merged with existing ones, files replace
    existing ones. Permissions and times are not preserved. A link to a file earlier in the archive becomes a copy.

    Args:
        archive: the file.
        folder: where to unpack it.
        size_limit: the most bytes that the archive may unpack to, including entries that are not wanted.
        wanted: called with the name of an entry ('a/b.txt'); False skips the file.
        progress: show a progress bar.

    Raises:
        InputError: the archive is damaged, too large, or has absolute names, '..', links to other places or devices.
    """
    archive, folder = Path(archive), Path(folder)
    staging = folder / f".unpack-{archive.name}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(staging, ignore_errors=True)  # left by a killed process
        staging.mkdir()
        check_plain(archive)
        _Unpacker(archive, staging, size_limit, wanted).run(progress)
        _move_into(staging, folder)
    except InputError:
        raise
    except OSError as error:
        if error.errno:
            raise InputError(f"{archive}: cannot unpack into {folder}: {error}") from error
        raise _damage(archive, error) from error
    except Exception as error:
        raise _damage(archive, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _damage(archive: Path, error: Exception) -> InputError:
    return InputError(f"{archive}: damaged or truncated ({reason_of(error)}); remove it and download it again")


class _Unpacker:
    def __init__(self, archive: Path, staging: Path, limit: int, wanted: Callable[[str], bool] | None) -> None:
        self.archive, self.staging, self.limit, self.wanted = archive, staging, limit, wanted
        self.size = 0

    def run(self, progress: bool) -> None:
        with (
            open(self.archive, "rb") as raw,
            Progress(f"unpacking {self.archive.name}", self.archive.stat().st_size, 0, "B", progress) as shown,
        ):
            zipped = raw.read(4) in (b"PK\3\4", b"PK\5\6")
            raw.seek(0)
            for member in _zip_members(raw) if zipped else _tar_members(raw):
                self._member(member)
                shown.reach(raw.tell())

    def _member(self, member: _Member) -> None:
        place = self._place(member.name, member)
        self._count(_ENTRY_COST)
        if member.kind == "folder":
            if self.wanted is None:
                place.mkdir(parents=True, exist_ok=True)
        elif member.kind == "file":
            self._file(member, place)
        elif member.kind == "link":
            source = self._place(member.link, member)
            if not source.is_file():
                raise self._refused(member, f"is a link to {member.link!r}, which is not a file earlier in the archive")
            self._count(source.stat().st_size)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)
        else:
            raise self._refused(member, f"is {member.kind}, not a file or folder")

    def _file(self, member: _Member, place: Path) -> None:
        skip = self.wanted is not None and not self.wanted(member.name)
        if not skip:
            place.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            source = member.open()
            if source is None:
                raise self._refused(member, "has no content")
            stack.enter_context(source)
            file = None if skip else stack.enter_context(open(place, "wb"))
            while block := source.read(1 << 18):
                self._count(len(block))
                if file:
                    file.write(block)

    def _place(self, name: str, member: _Member) -> Path:
        """The path for `name`; refuses names that lead out of the folder on any operating system."""
        posix, windows = PurePosixPath(name), PureWindowsPath(name)
        outside = posix.is_absolute() or windows.drive or windows.root or ".." in windows.parts
        if outside or "\0" in name:
            what = "has that name" if name == member.name else f"is a link to {name!r}"
            raise self._refused(member, f"{what}, which leads out of the folder")
        return self.staging.joinpath(*posix.parts)

    def _count(self, size: int) -> None:
        self.size += size
        if self.size > self.limit:
            raise InputError(
                f"{self.archive}: unpacks to more than the limit of {self.limit / 1e6:.0f} MB; nothing was unpacked. "
                "It is not the expected file: remove it"
            )

    def _refused(self, member: _Member, why: str) -> InputError:
        return InputError(f"{self.archive}: entry {member.name!r} {why}; nothing was unpacked")


def _tar_members(raw: IO[bytes]) -> Iterator[_Member]:
    with tarfile.open(fileobj=raw, mode="r:*") as tar:
        for info in tar:
            link = ""
            if info.issym():
                kind, link = "link", _beside(info.name, info.linkname)
            elif info.islnk():
                kind, link = "link", info.linkname
            elif info.isdir() or info.isreg():
                kind = "folder" if info.isdir() else "file"
            else:
                kind = "a pipe" if info.isfifo() else "a device" if info.isdev() else f"of type {info.type!r}"
            yield _Member(info.name, kind, lambda info=info: tar.extractfile(info), link)  # type: ignore[misc]


def _zip_members(raw: IO[bytes]) -> Iterator[_Member]:
    with zipfile.ZipFile(raw) as packed:
        for info in packed.infolist():
            mode = stat.S_IFMT(info.external_attr >> 16)
            kind = {0: "file", stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}.get(mode, "a device")
            link = ""
            if info.is_dir():
                kind = "folder"
            elif kind == "link":
                with packed.open(info) as content:
                    link = _beside(info.filename, os.fsdecode(content.read(4096)))
            yield _Member(info.filename, kind, lambda info=info: packed.open(info), link)  # type: ignore[misc]


def _beside(name: str, link: str) -> str:
    """The target of a symbolic link, relative to the archive's root instead of the link's folder."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), link))


def _move_into(source: Path, target: Path) -> None:
    for entry in sorted(source.iterdir()):
        place = target / entry.name
        if entry.is_dir() and place.is_dir():
            _move_into(entry, place)
        elif place.is_dir() or (entry.is_dir() and place.exists()):
            raise InputError(f"{place}: the archive has a {'folder' if entry.is_dir() else 'file'} of this name")
        else:
            put(entry, place) if entry.is_file() else shutil.move(entry, place)
