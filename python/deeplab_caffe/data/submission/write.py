"""Write the archive that a test server takes from a folder of label PNGs."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ...arrays import Label, Palette, Size
from ...errors import InputError
from ...files import replacing
from ...progress import tracked
from ...reading import read_bytes, reading
from ...threads import mapped
from ..indexed_png import GREY, INDEXED
from .check import MARGIN, Checked, check_archive, check_suffix
from .faults import Faults
from .pictures import PictureFaults, Wanted, encode_grey, encode_indexed, look
from .servers import Server


@dataclass(frozen=True, eq=False)
class Results:
    """A folder of results, and what its files are.

    Attributes:
        folder: label PNGs, grey or with a palette, named after the images; subfolders count.
        palette: (256, 3), the colours of the files, if they may be other ones than the server's.
        label_ids: whether pixels have the server's ids already instead of class indices.
        half: whether the results are of images of half the height and width, and are enlarged to the whole size.
    """

    folder: Path
    palette: Palette | None = None
    label_ids: bool = False
    half: bool = False


def write_archive(
    server: Server,
    images: Mapping[str, Size],
    results: Results,
    output: str | os.PathLike[str],
    competition: int = 6,
) -> Checked:
    """Check a folder of results and write it as an archive, whole or not at all; the archive is checked again.

    The same results give the same bytes.

    Args:
        server: which server.
        images: id → (height, width) of every image of the test list.
        results: what to send.
        output: the archive.
        competition: number, where the server has several.

    Raises:
        InputError: names the first faults of each kind and their number; nothing is written.
    """
    check_suffix(server, output)
    faults = Faults()
    paths = _paths(server, images, results, faults)
    shown = {name: path.relative_to(results.folder).as_posix() for name, path in paths.items()}
    converter = _Converter(server, results)
    with replacing(output) as temporary:
        with _archive(server, temporary) as archive:
            made = mapped(lambda name: converter.convert(paths[name], images[name]), paths)
            for name, (content, found) in tracked(zip(paths, made, strict=True), "submit", len(paths)):
                for kind, text in found:
                    faults.add(kind, [shown[name] + text])
                if not faults:
                    archive.add(server.entry.format(id=name, competition=competition), content)
        faults.refuse(results.folder)
        return check_archive(server, images, temporary, competition if server.competitions else None, output)


def _paths(server: Server, images: Mapping[str, Size], results: Results, faults: Faults) -> dict[str, Path]:
    """The file of each image, in the list's order; notes those that are missing, and those of no image."""
    if not results.folder.is_dir():
        raise InputError(f"{results.folder}: no such folder; expected a folder of results, ID.png")
    found: dict[str, Path] = {}
    for path in sorted(results.folder.rglob("*.png")):
        name = server.id_of(path.stem)
        shown = path.relative_to(results.folder).as_posix()
        if name is None or name not in images:
            faults.add("not in the test list", [shown])
        elif name in found:
            faults.add("twice", [shown])
        else:
            found[name] = path
    faults.add(f"missing of {len(images):,} images", [name for name in images if name not in found])
    return {name: found[name] for name in images if name in found}


class _Converter:
    """Reads a result and encodes it as the server wants it."""

    def __init__(self, server: Server, results: Results) -> None:
        self.server, self.results = server, results
        self._values = server.values if results.label_ids else range(server.classes)

    def convert(self, path: Path, size: Size) -> tuple[bytes, PictureFaults]:
        """The PNG for the archive, or nothing and what is wrong with the result."""
        with reading(path, "the result"):
            length = path.stat().st_size
        if length > size[0] * (size[1] + 1) + MARGIN:
            return b"", [("too large a file", f": {length:,} bytes")]
        label, faults = look(read_bytes(path, "the result"), self._wanted(size))
        if label is None or faults:
            return b"", [self._with_cause(*fault) for fault in faults]
        return self._encoded(label, size), []

    def _wanted(self, size: Size) -> Wanted:
        half = (size[0] // 2, size[1] // 2)
        palettes = [p for p in (self.server.palette, self.results.palette) if p is not None]
        any_palette = self.server.palette is None
        return Wanted(
            (half, size) if self.results.half else (size,),
            self._values,
            (GREY, INDEXED),
            () if any_palette else tuple(palettes),
        )

    def _with_cause(self, kind: str, text: str) -> tuple[str, str]:
        if kind == "values out of range" and self.server.ids is not None and not self.results.label_ids:
            text += " (train ids; for results that are label ids already, use --label-ids)"
        return kind, text

    def _encoded(self, label: Label, size: Size) -> bytes:
        if label.shape != size:
            label = label.repeat(2, 0).repeat(2, 1)
        if self.server.ids is not None and not self.results.label_ids:
            label = self.server.ids[label]
        return encode_grey(label) if self.server.palette is None else encode_indexed(label, self.server.palette)


# -- archives with the same bytes for the same content: no times, no owners


class _Archive(Protocol):
    def add(self, name: str, content: bytes) -> None: ...


class _Tar:
    def __init__(self, file: tarfile.TarFile) -> None:
        self._file = file

    def add(self, name: str, content: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        self._file.addfile(info, io.BytesIO(content))


class _Zip:
    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file

    def add(self, name: str, content: bytes) -> None:
        info = zipfile.ZipInfo(name)
        info.create_system, info.external_attr = 3, 0o100644 << 16
        self._file.writestr(info, content)


@contextmanager
def _archive(server: Server, path: Path) -> Iterator[_Archive]:
    """PNGs are packed already, so a zip stores them as they are."""
    with ExitStack() as stack:
        if server.suffix == ".zip":
            yield _Zip(stack.enter_context(zipfile.ZipFile(path, "w", zipfile.ZIP_STORED)))
            return
        raw = stack.enter_context(open(path, "wb"))
        packed = stack.enter_context(gzip.GzipFile("", "wb", 6, raw, mtime=0))
        yield _Tar(stack.enter_context(tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT)))
