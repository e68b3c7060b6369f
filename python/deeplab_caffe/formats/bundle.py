"""A bundle: a trained model in one file that can be handed on. What is in it, and how it is read.

It is a zip without compression. Its first member is bundle.json, the manifest: a format version, what made the model,
and size and SHA-256 of every other member. Their names are fixed (`MEMBERS`), and nothing else may be in the file.
Reading one runs no code, follows no link, and needs a bounded amount of memory whatever the file says.
`prediction.bundle_writing` writes them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import struct
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import temporary_folder
from ..reading import check_plain, reading
from .archive_entries import Limits, OpenEntry, taken_entries

#: what the file of a bundle is called
SUFFIX = ".deeplab"
FORMAT, VERSION = "deeplab bundle", 1
MANIFEST, NET, TEST_NET, DATASET = "bundle.json", "deploy.prototxt", "test.prototxt", "dataset.toml"
CRF, SCORES = "crf.json", "evaluation.json"
WEIGHTS = ("weights.caffemodel", "weights.caffemodel.h5")

#: what to do with one where results are wanted
TO_LABEL = "label images with it, deeplab predict SOURCE --exp FILE -o FOLDER"

_MB = 1 << 20
#: every member that a bundle may have, in order, and the most bytes of each
MEMBERS: Mapping[str, int] = {
    MANIFEST: 4 * _MB,
    NET: 16 * _MB,
    TEST_NET: _MB,
    DATASET: _MB,
    CRF: _MB,
    SCORES: 16 * _MB,
    **dict.fromkeys(WEIGHTS, 4095 * _MB),  # beyond that a zip needs other headers
}
_LIMITS = Limits(max(MEMBERS.values()), sum(MEMBERS.values()), "bundles")
#: the first bytes: the header of a member, and behind 26 bytes its name
_START, _NAME_AT = b"PK\3\4", 30
#: the end of a zip: signature, disks, members (twice), size and place of the directory, length of a comment
_END = struct.Struct("<4s4H2LH")
_LARGEST_DIRECTORY = 1 << 12
#: bytes before the end, in a zip beyond 4 GB, that say where its own end is
_PLACE_OF_END_64 = 20
#: what the parts of the manifest are
_PARTS: Mapping[str, type] = {
    "name": str,
    "note": str,
    "model": dict,
    "testing": dict,
    "scores": dict,
    "provenance": dict,
    "bundled_with": dict,
    "members": dict,
}


@dataclass(frozen=True)
class Bundle:
    """A bundle whose manifest and texts agree with their hashes.

    Attributes:
        path: the file.
        manifest: bundle.json.
        texts: the content of each member but the manifest and the weights.
        weights: the name of the member with the weights.
    """

    path: Path
    manifest: Mapping[str, Any]
    texts: Mapping[str, str]
    weights: str

    def where(self, name: str) -> str:
        """What to call a member in messages: pets.deeplab/deploy.prototxt."""
        return f"{self.path}/{name}"


def is_bundle(word: str | os.PathLike[str]) -> bool:
    """Whether a word names a bundle: a file with that suffix, whether or not it exists, or one that begins like it."""
    if os.path.isdir(word):
        return False
    if os.fspath(word).endswith(SUFFIX):
        return True
    try:
        check_plain(word)
        with open(word, "rb") as file:
            start = file.read(_NAME_AT + len(MANIFEST))
    except (OSError, InputError, ValueError):
        return False
    return start.startswith(_START) and start[_NAME_AT:] == MANIFEST.encode()


def refuse_bundle(word: str | os.PathLike[str] | None, wanted: str) -> None:
    """Raise InputError if a word names a bundle, where results or a training are wanted; says what to do.

    Args:
        word: a word of the user, or None.
        wanted: what is needed and how to get it, such as "its results: …".
    """
    if word and is_bundle(word):
        holds = "a bundle, which holds a trained model and no data, results or training"
        raise InputError(f"{os.fspath(word)}: {holds}; {wanted}")


def read_bundle(path: str | os.PathLike[str]) -> Bundle:
    """Read manifest and texts of a bundle, not its weights.

    Raises:
        InputError: the file is missing, damaged, no bundle or one of a newer version, or has other members than its
            manifest says; names the member.
    """
    return _read(Path(path), _Members(Path(path)))


def verify_bundle(path: str | os.PathLike[str]) -> Bundle:
    """The same, and read the weights as well: every hash is checked."""
    return _read(Path(path), _Members(Path(path), whole=True))


def extract_bundle(path: str | os.PathLike[str], folder: Path) -> Bundle:
    """Write every member into an existing folder; every hash is checked, and an InputError may leave some files."""
    return _read(Path(path), _Members(Path(path), folder, whole=True))


class Unpacked:
    """The members of a bundle in a private temporary folder, which is removed with this object, or with the process.

    Attributes:
        bundle: what is in it.
        folder: where its members lie.

    Raises:
        InputError: as `read_bundle`; or the temporary folder is full.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        held = ExitStack()
        self._remove = weakref.finalize(self, held.close)
        self.folder = held.enter_context(temporary_folder(Path(tempfile.gettempdir(), "deeplab-bundle")))
        self.folder.chmod(0o700)
        try:
            self.bundle = extract_bundle(path, self.folder)
        except BaseException:
            self._remove()
            raise

    def named(self, text: str) -> str:
        """A text with the bundle's name in place of the temporary folder's."""
        return text.replace(os.fspath(self.folder), os.fspath(self.bundle.path))

    @contextlib.contextmanager
    def naming(self) -> Iterator[None]:
        """A context whose errors name the bundle."""
        try:
            yield
        except InputError as error:
            raise InputError(self.named(str(error))) from error


# -- the members


def _read(path: Path, members: _Members) -> Bundle:
    _check_end(path)
    for _ in taken_entries(path, ".zip", _LIMITS, members.take):
        pass
    manifest = members.checked()
    texts = {}
    for name, content in members.contents.items():
        with reading(path, damaged=f"{{path}}: {name}: not UTF-8 text"):
            texts[name] = content.decode("utf-8")
    texts.pop(MANIFEST)
    return Bundle(path, manifest, texts, next(name for name in WEIGHTS if name in members.sizes))


def _check_end(path: Path) -> None:
    """Refuse a zip with a large directory before it is read: it would need memory for each of its members."""
    with reading(path, "the bundle", "not a bundle, or damaged"), open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size < _END.size + _PLACE_OF_END_64:
            raise ValueError("it is too short")
        file.seek(-_END.size - _PLACE_OF_END_64, os.SEEK_END)
        if file.read(_PLACE_OF_END_64).startswith(b"PK\6\7"):  # it leads to other numbers than those that follow
            raise ValueError("it has the headers of an archive beyond 4 GB")
        signature, *_, count, size, _, comment = _END.unpack(file.read())
        if signature != b"PK\5\6" or comment:
            raise ValueError("it does not end like one")
        if count > len(MEMBERS) or size > _LARGEST_DIRECTORY:
            raise ValueError(f"it has {count} members; expected at most {len(MEMBERS)}")


@dataclass
class _Members:
    """What is read of a bundle: sizes of all members, hashes and contents of those that are read.

    path: the bundle; folder: where to write members; whole: read the weights too.
    """

    path: Path
    folder: Path | None = None
    whole: bool = False
    sizes: dict[str, int] = field(default_factory=dict)
    sums: dict[str, str] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)

    def take(self, entry: OpenEntry) -> None:
        """Check a member and read it."""
        self._check(entry)
        self.sizes[entry.name] = entry.size
        if entry.name in WEIGHTS and not self.whole:
            return
        total, kept = hashlib.sha256(), list[bytes]()
        with self._writer(entry.name) as write:
            for piece in entry.pieces():
                total.update(piece)
                write(piece)
                if entry.name not in WEIGHTS:
                    kept.append(piece)
        self.sums[entry.name] = total.hexdigest()
        if entry.name not in WEIGHTS:
            self.contents[entry.name] = b"".join(kept)

    def _check(self, entry: OpenEntry) -> None:
        name = entry.name
        if name not in MEMBERS:
            raise self._refused(name, f"no member of a bundle; expected {', '.join(MEMBERS)}")
        if entry.kind != "file":
            raise self._refused(name, f"{entry.kind}, expected a file")
        if name in self.sizes:
            raise self._refused(name, "is there twice")
        if not self.sizes and name != MANIFEST:
            raise self._refused(name, f"comes before {MANIFEST}")
        if entry.compressed:  # a few bytes could become as many as the disk has
            raise self._refused(name, "is compressed, expected a member as it is (zip -0)")
        if entry.size > MEMBERS[name]:
            raise self._refused(name, f"has {entry.size:,} bytes; expected at most {MEMBERS[name]:,}")

    @contextlib.contextmanager
    def _writer(self, name: str) -> Iterator[Callable[[bytes], Any]]:
        if self.folder is None:
            yield lambda piece: None
            return
        with open(self.folder / name, "xb") as file:
            yield lambda piece: self._written(file, piece)

    def _written(self, file: Any, piece: bytes) -> None:
        try:
            file.write(piece)
        except OSError as error:
            free = shutil.disk_usage(self.folder or ".").free
            where = f"{self.folder}, which has {free / 1e6:.0f} MB left (TMPDIR says where temporary files go)"
            raise InputError(f"{self.path}: cannot unpack into {where}: {error.strerror}") from error

    def _refused(self, name: str, why: str) -> InputError:
        return InputError(f"{self.path}: {name!r}: {why}; not a bundle, or damaged")

    # -- against the manifest

    def checked(self) -> Mapping[str, Any]:
        """The manifest, with which all that was read agrees."""
        manifest = self._manifest()
        stated = manifest["members"]
        for name in sorted({NET, *stated, *self.sizes} - {MANIFEST}):
            if name not in self.sizes:
                raise self._refused(name, "is missing")
            if name not in stated:
                raise self._refused(name, f"is not listed in {MANIFEST}")
            self._agrees(name, stated[name])
        if len([name for name in WEIGHTS if name in self.sizes]) != 1:
            raise self._refused(WEIGHTS[0], f"expected one of {' and '.join(WEIGHTS)}")
        return manifest

    def _agrees(self, name: str, stated: Any) -> None:
        size, digest = (stated.get(key) if isinstance(stated, dict) else None for key in ("bytes", "sha256"))
        if size != self.sizes[name] or (name in self.sums and digest != self.sums[name]):
            raise self._refused(name, f"its bytes are not those that {MANIFEST} states (SHA-256)")

    def _manifest(self) -> Mapping[str, Any]:
        if MANIFEST not in self.contents:
            raise self._refused(MANIFEST, "is missing")
        with reading(self.path, damaged=f"{{path}}: {MANIFEST}: not valid JSON: {{reason}}"):
            found = json.loads(self.contents[MANIFEST])
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise self._refused(MANIFEST, f'expected "format": "{FORMAT}"')
        version = found.get("version")
        if type(version) is not int or version != VERSION:
            newer = "; update deeplab-caffe to read it" * (type(version) is int and version > VERSION)
            raise InputError(f"{self.path}: a bundle of version {version!r}; this program reads {VERSION}{newer}")
        for part, kind in _PARTS.items():
            if not isinstance(found.get(part), kind):
                raise self._refused(MANIFEST, f"{part!r} is {found.get(part)!r:.80}; expected a {kind.__name__}")
        return found
