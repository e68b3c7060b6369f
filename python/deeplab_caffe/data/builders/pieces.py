"""The files that a data set is built from: found below the data folder, fetched, or named as missing."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ...errors import InputError
from ...files import replacing
from ..archive import unpack
from ..download import MOST, check_sums, download
from .request import Request

_SMALL = 1 << 24  # bytes: what a file may have whose size is not known, or that is small


@dataclass(frozen=True)
class Piece:
    """An archive or a file that a data set is built from.

    Attributes:
        name: its file name.
        url: where it lies; "" for what only a person can get.
        size: about how many bytes it has, for messages; 0 if unknown.
        limit: the most bytes that an archive may unpack to; 0 for a file that is used as it is.
        md5: its checksum, or None if none is published.
        wanted: which entries of an archive are unpacked; None: all.
        into: the folder below the data folder that it belongs to: where it is put and unpacked.
        page: the page from which a person downloads it, after a registration; it is then never fetched.
    """

    name: str
    url: str = ""
    size: int = 0
    limit: int = 0
    md5: str | None = None
    wanted: Callable[[str], bool] | None = None
    into: str = ""
    page: str = ""

    @property
    def local(self) -> PurePosixPath:
        """Its path below the data folder."""
        return PurePosixPath(self.into) / self.name


@dataclass(frozen=True)
class Need:
    """A piece, and which of its files are missing: called before and after it is unpacked; empty if none is."""

    piece: Piece
    missing: Callable[[], Sequence[Path]]


def obtain(request: Request, *needs: Need) -> int:
    """Find or download pieces and unpack them, those of which a file is missing.

    All are tried before the first error, so that one message names everything that is missing.

    Returns:
        How many pieces were fetched or unpacked.

    Raises:
        InputError: pieces are missing; says which, from where, how large, and where to put them. Or one is damaged.
    """
    count, faults = 0, []
    for need in needs:
        if not need.missing():
            continue
        try:
            _obtain(request, need)
            count += 1
        except _Missing as fault:
            faults.append(str(fault))
    if faults:
        raise InputError(faults[0] if len(faults) == 1 else _all_of(faults))
    return count


class _Missing(Exception):
    """A piece that is not there and was not fetched."""


def _all_of(faults: Sequence[str]) -> str:
    return "\n".join([f"{len(faults)} pieces are missing:", *(f"  {fault}" for fault in faults)])


def _obtain(request: Request, need: Need) -> None:
    piece = need.piece
    packed, source = find(piece, request), request.source_folder
    if source and not source.is_dir():
        raise InputError(f"{source}: no such folder; expected one with {piece.name}, or a URL: http://…")
    if packed:
        check_sums(packed, piece.md5)
    elif source:
        raise _Missing(f"{source / piece.name}: does not exist; download {piece.url or piece.page} and put it there")
    elif request.fetch and not piece.page:
        packed = _fetch(piece, request)
    else:
        raise _Missing(_advice(need, request))
    if piece.limit:
        unpack(packed, request.folder / piece.into, piece.limit, piece.wanted)
    elif packed != (place := request.folder / piece.local):
        with replacing(place) as temporary:
            shutil.copyfile(packed, temporary)
    if left := need.missing():
        done = "unpacked" if piece.limit else "found"
        still = f"{left[0]} is still missing"
        still = still if len(left) == 1 else f"{len(left)} files are still missing, the first is {left[0]}"
        raise InputError(f"{packed}: {done}, but {still}")


def _fetch(piece: Piece, request: Request) -> Path:
    base = request.source.rstrip("/") + f"/{piece.local}" if request.source else piece.url
    print(f"downloading {base}", file=sys.stderr)
    limit = max(2 * piece.size, _SMALL) if piece.size or not piece.limit else MOST
    try:
        return download(base, request.folder / piece.local, piece.md5, limit=limit)
    except InputError as error:
        raise _Missing(f"{error} ({size_of(piece)})" if piece.size else str(error)) from error


def find(piece: Piece, request: Request) -> Path | None:
    """The path of a piece that exists already: in the folder `source`, or below the data folder."""
    source = request.source_folder
    places = [*([source / piece.local, source / piece.name] if source else []), request.folder / piece.local]
    return next((place for place in places if place.is_file()), None)


def _advice(need: Need, request: Request) -> str:
    piece, place = need.piece, request.folder / need.piece.local
    size = f" ({size_of(piece)})" if piece.size else ""
    first = need.missing()[0]
    what = f"{place} does not exist" if first == place else f"{first} and {place} do not exist"
    if piece.page:
        return f"{what}. Get {piece.name}{size} from {piece.page}, put it there and run the same command again"
    return f"{what}. Download {piece.url}{size}, put it there and run the same command again"


def size_of(piece: Piece) -> str:
    """A piece's size in words: 2.0 GB, 31 MB or 4 kB."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if piece.size >= factor:
            value = piece.size / factor
            return f"{value:.1f} {unit}" if unit == "GB" else f"{value:.0f} {unit}"
    return f"{max(1, round(piece.size / 1e3))} kB"


def absent(paths: Sequence[Path]) -> list[Path]:
    """Those of the paths that are no files."""
    return [path for path in paths if not path.is_file()]
