"""The manifest of known weight files, and how one is fetched: from its publisher, a mirror, or a folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..data.archive import unpack
from ..data.download import download, file_sum
from ..errors import InputError
from ..files import put
from ..locks import locked
from ..package_files import or_packaged
from ..reading import read_toml
from ..spelling import did_you_mean

#: environment variable with a mirror: an address, or a folder with the files under their own names
MIRROR = "DEEPLAB_MIRROR"
_MB = 1_000_000
#: bytes that a download may have beyond the stated size, and the most without one
_SLACK, _MOST = 1 << 24, 1 << 32


@dataclass(frozen=True)
class KnownWeights:
    """One known weight file; the fields are described in models/weights.toml."""

    name: str
    title: str
    file: str
    urls: tuple[str, ...]
    archive: bool = False
    inside: str = ""
    sha256: str = ""
    size: int = 0
    licence: str = ""
    trained_on: tuple[str, ...] = ()
    images: str = ""
    net: str = ""
    port: str = ""
    score: str = ""
    instead: str = ""

    def __str__(self) -> str:
        shown = {
            "fits": self.net,
            "to port to": self.port,
            "images": self.images,
            "trained on": ", ".join(self.trained_on),
            "score": self.score,
            "licence": self.licence,
        }
        return "\n".join([f"{self.name}: {self.title}", *(f"  {what}: {x}" for what, x in shown.items() if x)])


def read_manifest(path: str | os.PathLike[str]) -> dict[str, KnownWeights]:
    """Read every entry of a manifest, by name; of models/weights.toml, see `package_files`.

    Raises:
        InputError: if the file cannot be read, or an entry is invalid.
    """
    tables = read_toml(or_packaged(path), "the manifest of weights")
    return {name: _entry(f"{path}: [{name}]", name, table) for name, table in tables.items()}


def _entry(where: str, name: str, table: Any) -> KnownWeights:
    kinds = {f.name: str(f.type).partition("[")[0] for f in fields(KnownWeights) if f.name != "name"}
    wanted = {"str": str, "tuple": list, "bool": bool, "int": int}
    if not isinstance(table, dict):
        raise InputError(f"{where}: got {table!r}; expected a table")
    for key, value in table.items():
        if key not in kinds:
            raise InputError(f"{where}: there is no key '{key}'{did_you_mean(key, kinds)}")
        if not isinstance(value, wanted[kinds[key]]):
            raise InputError(f"{where}: {key} is {value!r}; expected a {wanted[kinds[key]].__name__}")
    for key in ("title", "file", "urls"):
        if not table.get(key):
            raise InputError(f"{where}: {key} is missing")
    if Path(table["file"]).name != table["file"]:
        raise InputError(f"{where}: file '{table['file']}' is not a plain file name")
    values: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in table.items()}
    return KnownWeights(name, **values)


def look_up(manifest: dict[str, KnownWeights], name: str) -> KnownWeights:
    """The entry of a name; raises InputError with the known names if there is none."""
    if name not in manifest:
        raise InputError(f"unknown weights '{name}'{did_you_mean(name, manifest)}; known: {', '.join(manifest)}")
    return manifest[name]


def fetch(entry: KnownWeights, folder: str | os.PathLike[str], mirror: str | None = None) -> Path:
    """Fetch a file into a folder; a file that already exists is checked and kept.

    Args:
        entry: the file.
        folder: where it is put.
        mirror: an address or a folder that is tried first, then the one in DEEPLAB_MIRROR, then the publisher's.

    Returns:
        The path of the file.

    Raises:
        InputError: if no place has the file (with each place's error, and what else can be done), or its SHA-256 is
            wrong.
    """
    target = Path(folder) / entry.file
    if target.is_file():
        if not entry.archive:
            _check_sum(target, entry.sha256)
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.with_name(f".{entry.file}.get.lock"), f"{target} is being fetched already"):
        return _fetch_anywhere(entry, target, mirror)


def _fetch_anywhere(entry: KnownWeights, target: Path, mirror: str | None) -> Path:
    failures = []
    for url in _places(entry, mirror):
        try:
            return _fetch_from(url, entry, target)
        except InputError as error:
            failures.append(f"  {error}")
    raise InputError("\n".join([f"{entry.name} could not be downloaded:", *failures, _advice(entry, target)]))


def _places(entry: KnownWeights, mirror: str | None) -> Iterator[str]:
    for place in (mirror, os.environ.get(MIRROR)):
        for url in entry.urls if place else ():
            base = Path(place or "").resolve().as_uri() if os.path.isdir(place or "") else place
            yield f"{base}/{url.rpartition('/')[2]}"
    yield from entry.urls


def _fetch_from(url: str, entry: KnownWeights, target: Path) -> Path:
    if not entry.archive:
        whole = entry.sha256 if len(entry.sha256) == 64 else None
        download(url, target, sha256=whole, advise=False, limit=_most(entry))
        try:
            _check_sum(target, entry.sha256)
        except InputError:
            target.unlink()
            raise
        return target
    packed = target.with_name(f"{entry.name}-{url.rpartition('/')[2]}")
    staging = target.with_name(f".{entry.name}-unpacked")
    try:
        whole = entry.sha256 if len(entry.sha256) == 64 else None
        download(url, packed, sha256=whole, advise=False, limit=_most(entry))
        unpack(packed, staging, entry.size * _MB, wanted=lambda name: name == entry.inside)
        if not (staging / entry.inside).is_file():
            raise InputError(f"{packed}: does not contain '{entry.inside}'")
        put(staging / entry.inside, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    packed.unlink()
    return target


def _most(entry: KnownWeights) -> int:
    """The most bytes that a server may send: the size in the manifest is rounded, and an archive has a frame."""
    return 2 * entry.size * _MB + _SLACK if entry.size else _MOST


def _check_sum(path: Path, digits: str) -> None:
    """Raise InputError unless the file's SHA-256 begins with these digits."""
    if digits and not (found := file_sum(path, "sha256")).startswith(digits):
        raise InputError(f"{path}: its sha256 is {found}, expected {digits}…: this is not the expected file")


def _advice(entry: KnownWeights, target: Path) -> str:
    other = f" Or: {entry.instead}." if entry.instead else ""
    return (
        f"Put a copy at {target} and run the same command again, or pass a place that has it with --mirror "
        f"(an address or a folder).{other}"
    )
